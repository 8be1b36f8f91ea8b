//! Which of a lane's unsent deliveries still need sending: nobody is paged for history.
//!
//! Pure. What is folded away stays on the record, with the delivery that took its place.

use crate::domain::message::Action;

/// One unsent delivery, as [`fold`] sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent {
    /// Its id; later deliveries have higher ids.
    pub id: i64,
    /// What it would do.
    pub action: Action,
}

/// A delivery that need not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded {
    /// Which.
    pub id: i64,
    /// The delivery that says it better, or that ended it before it was said.
    pub by: i64,
}

/// What is left to send of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// To be sent, in order; at most [`KEPT_MAX`].
    pub keep: Vec<i64>,
    /// Not to be sent.
    pub superseded: Vec<Superseded>,
}

/// Deliveries that folding leaves: a resolve that is still owed, and behind it a trigger, an
/// acknowledgement and one more trigger.
pub const KEPT_MAX: usize = 4;

/// What is left of the story behind the last resolve.
#[derive(Debug, Default)]
struct Episode {
    trigger: Option<i64>,
    /// Somebody took it. What the target has not been told before stands before it.
    acknowledge: Option<i64>,
    /// News after that.
    later: Option<i64>,
}

/// Folds the unsent deliveries of an idle lane, oldest first.
///
/// A newer trigger supersedes an unsent older one, but for an acknowledgement in between: a person
/// has taken what the older one opens. A resolve supersedes all that is unsent, and itself with it,
/// unless the target may have seen an earlier trigger (`seen`): then the resolve is still owed.
pub fn fold(unsent: &[Unsent], seen: bool) -> Folded {
    let mut resolve: Option<i64> = None;
    let mut episode = Episode::default();
    let mut superseded: Vec<Superseded> = Vec::new();
    let mut replace = |slot: &mut Option<i64>, id: i64| {
        superseded.extend(slot.replace(id).map(|old| Superseded { id: old, by: id }));
    };
    for item in unsent {
        match item.action {
            Action::Trigger if episode.acknowledge.is_some() => replace(&mut episode.later, item.id),
            Action::Trigger => replace(&mut episode.trigger, item.id),
            Action::Acknowledge => {
                if let Some(later) = episode.later.take() {
                    replace(&mut episode.trigger, later);
                }
                replace(&mut episode.acknowledge, item.id);
            }
            Action::Resolve => {
                let Episode { trigger, acknowledge, later } = std::mem::take(&mut episode);
                for mut gone in [trigger, acknowledge, later] {
                    if gone.is_some() {
                        replace(&mut gone, item.id);
                    }
                }
                match resolve {
                    Some(earlier) => replace(&mut Some(item.id), earlier),
                    None if seen => resolve = Some(item.id),
                    None => replace(&mut Some(item.id), item.id),
                }
            }
        }
    }
    let Episode { trigger, acknowledge, later } = episode;
    Folded { keep: [resolve, trigger, acknowledge, later].into_iter().flatten().collect(), superseded }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unsent(actions: &str) -> Vec<Unsent> {
        let action = |letter| match letter {
            'T' => Action::Trigger,
            'A' => Action::Acknowledge,
            _ => Action::Resolve,
        };
        actions.chars().zip(1..).map(|(letter, id)| Unsent { id, action: action(letter) }).collect()
    }

    #[test]
    fn folding_keeps_what_the_target_must_still_hear() {
        for (actions, seen, keep) in [
            ("", false, vec![]),
            ("T", false, vec![1]),
            ("TTT", false, vec![3]),
            ("TR", false, vec![]),
            ("TR", true, vec![2]),
            ("R", true, vec![1]),
            ("R", false, vec![]),
            ("RT", true, vec![1, 2]),
            ("RTR", true, vec![1]),
            ("TRT", false, vec![3]),
            ("TRTRT", true, vec![2, 5]),
            ("TA", false, vec![1, 2]),
            ("TTA", false, vec![2, 3]),
            ("TAT", false, vec![1, 2, 3]),
            ("TATT", false, vec![1, 2, 4]),
            ("TATA", false, vec![3, 4]),
            ("TATR", false, vec![]),
            ("AR", true, vec![2]),
            ("A", true, vec![1]),
            ("RTATRTAT", true, vec![1, 6, 7, 8]),
        ] {
            assert_eq!(fold(&unsent(actions), seen).keep, keep, "{actions} seen={seen}");
        }
    }

    proptest! {
        #[test]
        fn folding_loses_nothing_and_ends_in_the_same_state(actions in "[TAR]{0,12}", seen: bool) {
            let items = unsent(&actions);
            let folded = fold(&items, seen);
            let mut all: Vec<i64> = folded.keep.iter().copied().chain(folded.superseded.iter().map(|s| s.id)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, items.iter().map(|i| i.id).collect::<Vec<_>>(), "each is kept or superseded, once");
            prop_assert!(folded.keep.len() <= KEPT_MAX, "what is kept is bounded");
            prop_assert!(folded.keep.is_sorted(), "order is kept");
            let of = |id: &i64| items[*id as usize - 1].action;
            let open_after = |ids: &[i64]| {
                let mut last = ids.iter().rev().map(of).filter(|action| *action != Action::Acknowledge);
                last.next().map_or(seen, |action| action == Action::Trigger)
            };
            let taken_after = |ids: &[i64]| {
                ids.iter().rev().map(of).take_while(|action| *action != Action::Resolve).any(|action| action == Action::Acknowledge)
            };
            let every: Vec<i64> = items.iter().map(|i| i.id).collect();
            prop_assert_eq!(open_after(&folded.keep), open_after(&every), "open or closed as if all had been sent");
            prop_assert_eq!(taken_after(&folded.keep), taken_after(&every), "taken or not as if all had been sent");
        }
    }
}
