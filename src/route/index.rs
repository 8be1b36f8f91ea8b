//! Which children of a route are worth asking, so that the cost of routing does not grow with the
//! routes that cannot match.
//!
//! A child that demands one of a few values of a label (`=`, or `=~` over plain words) is filed under
//! these; one that demands a beginning (`=~"db-.*"`) under that; all others are always asked. Takes the
//! matchers of the children, gives their positions in order. It narrows down and never decides: what it
//! gives still has to match.

use std::collections::{BTreeMap, HashMap};

use crate::domain::alert::Labels;
use crate::route::matcher::Matcher;

/// The index over the children of one route.
#[derive(Debug, Clone, Default)]
pub struct Index {
    by_label: HashMap<String, Filed>,
    always: Vec<u32>,
}

/// Positions by what the value of one label is, or begins with. Each list ascends.
#[derive(Debug, Clone, Default)]
struct Filed {
    by_value: Lists,
    /// By length in bytes first: a value is cut once for each length, not tried against each text.
    by_beginning: BTreeMap<usize, Lists>,
}

type Lists = HashMap<String, Vec<u32>>;

impl Filed {
    fn lists<'a>(&'a self, value: &'a str) -> impl Iterator<Item = &'a [u32]> {
        let beginnings = self.by_beginning.range(..=value.len());
        let begun = beginnings.filter_map(|(length, lists)| lists.get(value.get(..*length)?));
        self.by_value.get(value).into_iter().chain(begun).map(Vec::as_slice)
    }
}

/// What a matcher demands of its label, where that helps to find it. Never satisfied by an empty value:
/// such a matcher matches alerts that do not have the label at all.
#[derive(Debug, Clone, Copy)]
enum Demand<'a> {
    OneOf(&'a [String]),
    Beginning(&'a str),
}

impl<'a> Demand<'a> {
    fn of(matcher: &'a Matcher) -> Option<(&'a str, Demand<'a>)> {
        let one_of = matcher.listed().filter(|values| values.iter().all(|value| !value.is_empty()));
        let demand = match (one_of, matcher.listed()) {
            (Some(values), _) => Demand::OneOf(values),
            (None, Some(_)) => return None,
            (None, None) => Demand::Beginning(matcher.beginning()?),
        };
        Some((&matcher.name, demand))
    }

    fn texts(self) -> impl Iterator<Item = &'a str> {
        let (values, beginning) = match self {
            Demand::OneOf(values) => (values, None),
            Demand::Beginning(text) => (&[][..], Some(text)),
        };
        values.iter().map(String::as_str).chain(beginning)
    }
}

impl Index {
    /// Files each child under the most telling of its matchers: the one that the fewest share.
    pub fn new<'a>(children: impl Iterator<Item = &'a [Matcher]> + Clone) -> Index {
        let mut shared: HashMap<(&str, &str), usize> = HashMap::new();
        for (name, demand) in children.clone().flatten().filter_map(Demand::of) {
            demand.texts().for_each(|text| *shared.entry((name, text)).or_default() += 1);
        }
        let crowd = |(name, demand): &(&'a str, Demand<'a>)| -> usize {
            demand.texts().filter_map(|text| shared.get(&(*name, text))).sum()
        };
        let mut index = Index::default();
        for (position, matchers) in (0u32..).zip(children) {
            match matchers.iter().filter_map(Demand::of).min_by_key(crowd) {
                Some((name, demand)) => index.file(position, name, demand),
                None => index.always.push(position),
            }
        }
        index
    }

    fn file(&mut self, position: u32, name: &str, demand: Demand<'_>) {
        let filed = self.by_label.entry(name.to_owned()).or_default();
        for text in demand.texts() {
            let lists = match demand {
                Demand::OneOf(_) => &mut filed.by_value,
                Demand::Beginning(_) => filed.by_beginning.entry(text.len()).or_default(),
            };
            let list = lists.entry(text.to_owned()).or_default();
            // A word may stand twice in one expression.
            if list.last() != Some(&position) {
                list.push(position);
            }
        }
    }

    /// Positions of the children that may match, ascending, each once.
    pub fn candidates<'a>(&'a self, labels: &'a Labels) -> Candidates<'a> {
        let mut lists = Vec::new();
        if !self.always.is_empty() {
            lists.push(self.always.as_slice());
        }
        if self.by_label.len() <= labels.len() {
            for (name, filed) in &self.by_label {
                lists.extend(labels.get(name).into_iter().flat_map(|value| filed.lists(value)));
            }
        } else {
            for (name, value) in labels {
                lists.extend(self.by_label.get(name).into_iter().flat_map(|filed| filed.lists(value)));
            }
        }
        Candidates { lists }
    }
}

/// Merges ascending lists. No position stands in two of them, since a child is filed under
/// one matcher, and a value is only one of its words.
#[derive(Debug)]
pub struct Candidates<'a> {
    lists: Vec<&'a [u32]>,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let (head, list) = self
            .lists
            .iter_mut()
            .filter_map(|list| Some((*list.first()?, list)))
            .min_by_key(|(head, _)| *head)?;
        *list = &list[1..];
        Some(head as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::matcher::parse_matchers;

    fn candidates(children: &[&str], labels: &[(&str, &str)]) -> Vec<usize> {
        let children: Vec<_> = children.iter().map(|text| parse_matchers(text).unwrap().matchers).collect();
        let index = Index::new(children.iter().map(Vec::as_slice));
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        index.candidates(&labels).collect()
    }

    #[test]
    fn only_children_that_may_match_are_asked_in_order() {
        let children =
            ["a=1", "a=~.*1", "a=2", "b=1", r#"a=~"2|1|2""#, "a!=1", "{}", r#"a="""#, r#"a=~"1|""#];
        assert_eq!(candidates(&children, &[("a", "1")]), [0, 1, 4, 5, 6, 7, 8]);
        assert_eq!(candidates(&children, &[("a", "2"), ("b", "1"), ("c", "")]), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(candidates(&children, &[]), [1, 5, 6, 7, 8]);
    }

    #[test]
    fn a_beginning_is_as_good_as_a_value() {
        let children =
            ["a=~db-.*", "a=~web-.*", "a=~^db-[0-9]+", "a=db-1", "a=~d.*", "a=~(db).*", "a=~日本.*"];
        assert_eq!(candidates(&children, &[("a", "db-1")]), [0, 2, 3, 4, 5]);
        assert_eq!(candidates(&children, &[("a", "日本海")]), [5, 6]);
        assert_eq!(candidates(&children, &[("a", "é日")]), [5], "a cut inside of a character finds nothing");
        assert_eq!(candidates(&children, &[("a", "")]), [5]);
        assert_eq!(candidates(&children, &[]), [5]);
    }

    #[test]
    fn a_child_is_filed_under_the_matcher_that_fewest_share() {
        let children = ["severity=critical,service=a", "severity=critical,service=b", "severity=critical"];
        assert_eq!(candidates(&children, &[("severity", "critical"), ("service", "b")]), [1, 2]);
    }
    #[test]
    fn of_ten_thousand_children_the_one_that_may_match_is_asked() {
        let child = |i: usize| parse_matchers(&format!("severity=critical,service=s{i}")).unwrap().matchers;
        let children: Vec<_> = (0..10_000).map(child).collect();
        let index = Index::new(children.iter().map(Vec::as_slice));
        let labels = [("severity", "critical"), ("service", "s9999"), ("team", "db")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(index.candidates(&labels).collect::<Vec<_>>(), [9_999]);
    }
}
