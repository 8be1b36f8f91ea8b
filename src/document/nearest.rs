//! "Did you mean": the known word nearest to a mistyped one, and cures made of it.

/// Similarity (0 to 1) from which a known word counts as what was meant.
const LIKENESS_MIN: f64 = 0.55;

/// The known word nearest to `word`, if any is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let sought = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&sought, &plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// What to say about an unknown word: ``did you mean `x` `` or ``use one of `a`, `b` ``.
pub fn cure<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`"),
        None => {
            let known: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
            match known.as_slice() {
                [] => "remove it".to_owned(),
                [only] => format!("use {only}"),
                several => format!("use one of {}", several.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word_that_was_meant() {
        let known = ["breaker", "retry", "rate", "send_resolved", "pagerduty"];
        assert_eq!(nearest("braeker", known), Some("breaker"));
        assert_eq!(nearest("sendResolved", known), Some("send_resolved"));
        assert_eq!(nearest("pager-duty", known), Some("pagerduty"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_cure_names_the_nearest_word_or_else_all_of_them() {
        assert_eq!(cure("rat", ["rate", "retry"]), "did you mean `rate`");
        assert_eq!(cure("colour", ["rate", "retry"]), "use one of `rate`, `retry`");
        assert_eq!(cure("colour", ["rate"]), "use `rate`");
        assert_eq!(cure("colour", []), "remove it");
    }
}
