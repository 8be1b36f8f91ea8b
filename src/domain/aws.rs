//! Addresses of AWS that the relay may be told to call, and nothing that only looks like one.
//!
//! SNS sends two addresses with its messages: of the certificate that signed it and of the
//! confirmation of a subscription. Whoever may post could write anything there and make the relay
//! call it; so an address counts only if its host is that of SNS in a region of AWS.

use url::Url;

/// An address of SNS: https, the usual port, no user name. `None` for every other.
pub fn sns_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.scheme() == "https" && url.port().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    (plain && nobody && is_sns(url.host_str()?)).then_some(url)
}

/// An address under which SNS keeps a certificate: it has one form. `None` for every other.
pub fn sns_certificate_url(text: &str) -> Option<Url> {
    let url = sns_url(text)?;
    let name = url.path().strip_prefix("/SimpleNotificationService-")?.strip_suffix(".pem")?;
    let sound = (8..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (sound && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// `sns.<region>.amazonaws.com`, with `.cn` for the regions in China. A region is words and a
/// number: `sns.s3.amazonaws.com` is a bucket, in which anybody may put a file.
fn is_sns(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    let parts: Vec<&str> = region.unwrap_or_default().split('-').collect();
    let [area, words @ .., number] = parts.as_slice() else { return false };
    let letters = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let digits = (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    area.len() == 2 && letters(area) && !words.is_empty() && words.iter().all(|word| letters(word)) && digits
}

/// Whether it is written as the ARN of a topic: `arn:aws:sns:<region>:<account>:<name>`.
pub fn is_topic(text: &str) -> bool {
    let [arn, partition, sns, region, account, name] = text.split(':').collect::<Vec<_>>()[..] else {
        return false;
    };
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let number = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let plain = name.strip_suffix(".fifo").unwrap_or(name);
    arn == "arn" && partition.starts_with("aws") && sns == "sns" && word(region) && number && word(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";

    #[test]
    fn hosts_of_sns_are_known_in_every_partition() {
        for host in [
            "sns.us-east-1.amazonaws.com",
            "sns.us-gov-west-1.amazonaws.com",
            "sns.ap-southeast-3.amazonaws.com",
            "sns.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(
                sns_url(&format!("https://{host}/?Action=ConfirmSubscription&Token=x")).is_some(),
                "{host}"
            );
            assert!(sns_certificate_url(&format!("https://{host}/{FILE}")).is_some(), "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_sns_is_refused() {
        for url in [
            "http://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com:8443/",
            "https://user@sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com.evil.example/",
            "https://sns.us-east-1.amazonaws.com@evil.example/",
            "https://sns.s3.amazonaws.com/",
            "https://sns.s3-us-east-1.amazonaws.com/",
            "https://sns.us-east-1.s3.amazonaws.com/",
            "https://evil.sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com.cn.example/",
            "https://xsns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1xamazonaws.com/",
            "https://sns.us-east-1.amazonaws.com./",
            "https://169.254.169.254/",
            "file:///etc/passwd",
            "sns.us-east-1.amazonaws.com",
            "",
        ] {
            assert_eq!(sns_url(url), None, "{url}");
        }
    }

    #[test]
    fn a_certificate_has_one_name_and_nothing_behind_it() {
        let host = "https://sns.us-east-1.amazonaws.com";
        for path in [
            "/",
            "/evil.pem",
            "/x/SimpleNotificationService-f3ecfb7224c7233f.pem",
            "/SimpleNotificationService-.pem",
            "/SimpleNotificationService-f3ecfb7224c7233f.pem?x=1",
            "/SimpleNotificationService-f3ecfb7224c7233f.pem#x",
            "/?Action=Publish&x=/SimpleNotificationService-f3ecfb7224c7233f.pem",
        ] {
            assert_eq!(sns_certificate_url(&format!("{host}{path}")), None, "{path}");
        }
    }

    #[test]
    fn topics_are_arns() {
        assert!(is_topic("arn:aws:sns:eu-west-1:123456789012:alarms"));
        assert!(is_topic("arn:aws-cn:sns:cn-north-1:123456789012:alarms.fifo"));
        for bad in ["alarms", "arn:aws:sqs:eu-west-1:123456789012:alarms", "arn:aws:sns:eu-west-1:1:a", ""] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
