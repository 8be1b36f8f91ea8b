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
    /// To be sent, in order: at most a resolve and a trigger after it (and acknowledgements).
    pub keep: Vec<i64>,
    /// Not to be sent.
    pub superseded: Vec<Superseded>,
}

/// Deliveries that folding leaves: a resolve that is still owed, and a trigger after it.
pub const KEPT_MAX: usize = 2;

/// Folds the unsent deliveries of an idle lane, oldest first.
///
/// A newer trigger supersedes an unsent older one. A resolve supersedes an unsent trigger, and
/// itself with it, unless the target may have seen an earlier trigger (`seen`): then the resolve
/// is still owed.
pub fn fold(unsent: &[Unsent], seen: bool) -> Folded {
    let mut kept: Vec<Unsent> = Vec::new();
    let mut superseded: Vec<Superseded> = Vec::new();
    for item in unsent {
        let mut drop_last_triggers = |kept: &mut Vec<Unsent>| {
            while kept.last().is_some_and(|last| last.action != Action::Resolve) {
                if let Some(last) = kept.pop() {
                    superseded.push(Superseded { id: last.id, by: item.id });
                }
            }
        };
        match item.action {
            Action::Trigger => {
                drop_last_triggers(&mut kept);
                kept.push(*item);
            }
            Action::Acknowledge => kept.push(*item),
            Action::Resolve => {
                drop_last_triggers(&mut kept);
                match kept.last() {
                    Some(earlier) => superseded.push(Superseded { id: item.id, by: earlier.id }),
                    None if seen => kept.push(*item),
                    None => superseded.push(Superseded { id: item.id, by: item.id }),
                }
            }
        }
    }
    Folded { keep: kept.iter().map(|item| item.id).collect(), superseded }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unsent(actions: &str) -> Vec<Unsent> {
        let action = |letter| if letter == 'T' { Action::Trigger } else { Action::Resolve };
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
        ] {
            assert_eq!(fold(&unsent(actions), seen).keep, keep, "{actions} seen={seen}");
        }
    }

    proptest! {
        #[test]
        fn folding_loses_nothing_and_ends_in_the_same_state(actions in "[TR]{0,12}", seen: bool) {
            let items = unsent(&actions);
            let folded = fold(&items, seen);
            let mut all: Vec<i64> = folded.keep.iter().copied().chain(folded.superseded.iter().map(|s| s.id)).collect();
            all.sort_unstable();
            prop_assert_eq!(all, items.iter().map(|i| i.id).collect::<Vec<_>>(), "each is kept or superseded, once");
            prop_assert!(folded.keep.len() <= KEPT_MAX, "a lane never holds more than two");
            prop_assert!(folded.keep.is_sorted(), "order is kept");
            let open_after = |ids: &[i64]| ids.last().map_or(seen, |id| items[*id as usize - 1].action == Action::Trigger);
            let every: Vec<i64> = items.iter().map(|i| i.id).collect();
            prop_assert_eq!(open_after(&folded.keep), open_after(&every), "open or closed as if all had been sent");
        }
    }
}
