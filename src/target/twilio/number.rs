//! Phone numbers, as E.164 writes them, and how they are shown.

/// A number that can be called: `+`, country, number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number(String);

impl Number {
    /// Reads `+8613800138000`; blanks, dashes and brackets are not taken, since the operator should
    /// see what is called.
    pub fn parse(text: &str) -> Option<Number> {
        let digits = text.trim().strip_prefix('+')?;
        let fits = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
        let is_number = fits && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Number(text.trim().to_owned()))
    }

    /// As the service takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Enough of a number to know it again: `+86…8000`. It is personal, if no secret.
pub fn shortened(number: &str) -> String {
    let chars: Vec<char> = number.chars().collect();
    if chars.len() <= 7 {
        return number.to_owned();
    }
    let (head, tail) = (&chars[..3], &chars[chars.len() - 4..]);
    head.iter().chain(std::iter::once(&'…')).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_begins_with_plus_and_country() {
        for good in ["+8613800138000", " +15550100 ", "+4915112345678"] {
            assert!(Number::parse(good).is_some(), "{good}");
        }
        for bad in ["", "+", "15550100", "0049151", "+0151123456", "+86 138", "+86-138", "+1234567890123456"]
        {
            assert_eq!(Number::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_tells_numbers_apart_and_not_more() {
        assert_eq!(shortened("+8613800138000"), "+86…8000");
        assert_eq!(shortened("+1555"), "+1555");
        assert_eq!(shortened("用户电话号码八位数"), "用户电…码八位数");
    }
}
