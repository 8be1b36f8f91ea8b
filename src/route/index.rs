//! Which children of a route are worth asking, so that the cost of routing does not grow with the
//! routes that cannot match.
//!
//! A child that demands one of a few values of a label (`=`, or `=~` over plain words) is filed under
//! these; all others are always asked. Takes the matchers of the children, gives their positions in
//! order. It narrows down and never decides: what it gives still has to match.

use std::collections::HashMap;

use crate::domain::alert::Labels;
use crate::route::matcher::Matcher;

/// Positions by label and value, each list ascending.
type Filed = HashMap<String, HashMap<String, Vec<u32>>>;

/// The index over the children of one route.
#[derive(Debug, Clone, Default)]
pub struct Index {
    filed: Filed,
    always: Vec<u32>,
}

impl Index {
    /// Files each child under the most telling of its matchers: the one that the fewest share.
    pub fn new<'a>(children: impl Iterator<Item = &'a [Matcher]> + Clone) -> Index {
        let mut shared: HashMap<(&str, &str), usize> = HashMap::new();
        for (name, value) in children.clone().flatten().filter_map(filable).flat_map(pairs) {
            *shared.entry((name, value)).or_default() += 1;
        }
        let crowd = |(name, values): &(&str, &[String])| -> usize {
            values.iter().filter_map(|value| shared.get(&(*name, value.as_str()))).sum()
        };
        let mut index = Index::default();
        for (position, matchers) in (0u32..).zip(children) {
            let Some((name, values)) = matchers.iter().filter_map(filable).min_by_key(crowd) else {
                index.always.push(position);
                continue;
            };
            let by_value = index.filed.entry(name.to_owned()).or_default();
            for value in values {
                let list = by_value.entry(value.clone()).or_default();
                // A word may stand twice in one expression.
                if list.last() != Some(&position) {
                    list.push(position);
                }
            }
        }
        index
    }

    /// Positions of the children that may match, ascending, each once.
    pub fn candidates<'a>(&'a self, labels: &'a Labels) -> Candidates<'a> {
        let mut lists = Vec::new();
        if !self.always.is_empty() {
            lists.push(self.always.as_slice());
        }
        if self.filed.len() <= labels.len() {
            let list = |(name, by_value): (&String, &'a HashMap<String, Vec<u32>>)| {
                labels.get(name).and_then(|value| by_value.get(value))
            };
            lists.extend(self.filed.iter().filter_map(list).map(Vec::as_slice));
        } else {
            let list = |(name, value): (&String, &String)| self.filed.get(name)?.get(value);
            lists.extend(labels.iter().filter_map(list).map(Vec::as_slice));
        }
        Candidates { lists }
    }
}

/// Merges ascending lists. No position stands in two of them, since a child is filed under one label.
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

/// The label and the values under which a matcher can be filed. One that admits the empty value
/// cannot: it matches alerts that do not have the label at all.
fn filable(matcher: &Matcher) -> Option<(&str, &[String])> {
    let values = matcher.listed()?;
    values.iter().all(|value| !value.is_empty()).then_some((matcher.name.as_str(), values))
}

fn pairs<'a>((name, values): (&'a str, &'a [String])) -> impl Iterator<Item = (&'a str, &'a str)> {
    values.iter().map(move |value| (name, value.as_str()))
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
            ["a=1", "a=~'1.*'", "a=2", "b=1", r#"a=~"2|1|2""#, "a!=1", "{}", r#"a="""#, r#"a=~"1|""#];
        assert_eq!(candidates(&children, &[("a", "1")]), [0, 1, 4, 5, 6, 7, 8]);
        assert_eq!(candidates(&children, &[("a", "2"), ("b", "1"), ("c", "")]), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(candidates(&children, &[]), [1, 5, 6, 7, 8]);
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
