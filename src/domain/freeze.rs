//! A freeze that a person set: nothing is to be deployed for a while. Pure.

use jiff::Timestamp;

/// Names with `*` for anything and `?` for one character; empty: every name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glob(pub String);

impl Glob {
    /// Whether it stands for this name.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name): (Vec<char>, Vec<char>) = (self.0.chars().collect(), name.chars().collect());
        if pattern.is_empty() {
            return true;
        }
        let (mut p, mut n) = (0, 0);
        // Where the last star stands, and how much of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
                _ => match &mut star {
                    Some((at, taken)) => {
                        *taken += 1;
                        (p, n) = (*at + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }
}

/// What a person set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFreeze {
    /// Of which services.
    pub service: Glob,
    /// In which environments.
    pub environment: Glob,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// As it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its number.
    pub id: i64,
    /// What was set.
    pub set: NewFreeze,
    /// Who set it.
    pub who: String,
    /// When.
    pub set_at: Timestamp,
    /// When it was ended before its time, and by whom.
    pub ended: Option<(Timestamp, String)>,
}

impl Freeze {
    /// Whether it stands now.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.set.from <= now && now < self.set.until
    }

    /// Whether it is about this service there; an empty environment is any.
    pub fn concerns(&self, service: &str, environment: &str) -> bool {
        self.set.service.matches(service)
            && (environment.is_empty() || self.set.environment.matches(environment))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_is_anything_and_a_question_mark_is_one_character() {
        for (pattern, name, expected) in [
            ("", "checkout", true),
            ("*", "", true),
            ("checkout", "checkout", true),
            ("checkout", "checkout-api", false),
            ("checkout*", "checkout-api", true),
            ("*-api", "checkout-api", true),
            ("c*t-a*i", "checkout-api", true),
            ("c*t-a*x", "checkout-api", false),
            ("prod-?", "prod-é", true),
            ("prod-?", "prod-", false),
            ("a*b*c", "abbbcbc", true),
            ("?", "", false),
        ] {
            assert_eq!(Glob(pattern.into()).matches(name), expected, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_glob_is_the_regular_expression_that_it_looks_like(pattern in "[ab*?]{1,8}", name in "[ab]{0,8}") {
            let expression = pattern.replace('*', ".*").replace('?', ".");
            let expression = regex::Regex::new(&format!("^{expression}$")).unwrap();
            prop_assert_eq!(Glob(pattern).matches(&name), expression.is_match(&name));
        }
    }

    #[test]
    fn a_freeze_stands_from_its_beginning_to_before_its_end_unless_it_was_ended() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let set = NewFreeze {
            service: Glob("check*".into()),
            environment: Glob("prod".into()),
            from: at(10),
            until: at(20),
            reason: "year-end close".into(),
        };
        let mut freeze = Freeze { id: 1, set, who: "ann".into(), set_at: at(1), ended: None };
        assert_eq!([9, 10, 19, 20].map(|now| freeze.stands(at(now))), [false, true, true, false]);
        assert!(freeze.concerns("checkout", "prod") && freeze.concerns("checkout", ""));
        assert!(!freeze.concerns("checkout", "staging") && !freeze.concerns("cart", "prod"));
        freeze.ended = Some((at(12), "bob".into()));
        assert!(!freeze.stands(at(13)));
    }
}
