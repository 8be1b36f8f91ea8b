//! What Twilio posts by itself: a key that was pressed, and what became of calls and text messages.
//!
//! Takes a call, gives signals and the TwiML to go on with. The proof is a signature over the
//! address and every field, made with the auth token of the account; it bears no time, so what has
//! been heard before is known by the id of its signal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use url::Url;

use crate::auth::proof::{any_holds, hmac_sha1};
use crate::domain::message::DedupKey;
use crate::domain::secret::Secret;
use crate::domain::signal::{Event, Signal, Subject};
use crate::target::contract::{Answer, Callback, Heard, Refusal};
use crate::target::twilio::number::shortened;
use crate::target::twilio::twiml::Speech;

/// The key that acknowledges.
const KEY: &str = "1";

/// Why a text message did not arrive or a call came to nothing, and what to do about it. Codes:
/// <https://www.twilio.com/docs/api/errors>.
const CURES: [(&str, &str); 9] = [
    ("13520", "the text could not be read out: check `say`, `voice` and `language`"),
    ("13521", "the text could not be read out: check `say`, `voice` and `language`"),
    ("30003", "the phone is off or out of reach: give this person a second number, or the target a fallback"),
    ("30004", "the phone or its carrier blocks the sender: let it be allowed, or take another `from`"),
    ("30005", "the number does not exist any more: check `to`"),
    ("30006", "this is a landline, or its carrier takes no text messages: use mode: call for it"),
    ("30007", "the carrier took it for spam: shorten `body`, leave links out, or register the sender"),
    ("30008", "the carrier gives no reason: look it up in Twilio's log if it comes again"),
    ("30034", "the sender is not registered for the US: register it in Twilio (A2P 10DLC), or call instead"),
];

/// What a target knows of its callbacks.
pub struct Ears<'a> {
    /// Auth tokens; any of them holds.
    pub signing: &'a [Secret],
    /// For the answer on the phone.
    pub speech: &'a Speech,
    /// There is one person only: a text message that does not arrive reaches nobody.
    pub is_alone: bool,
    /// An answered call counts once it is known that no machine answered.
    pub detects_machines: bool,
}

type Fields = Vec<(String, String)>;

impl Ears<'_> {
    /// Reads one call.
    ///
    /// # Errors
    /// A refusal: the signature is wrong, or it is neither about a call nor about a text message.
    pub fn hear(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        let mut fields: Fields = url::form_urlencoded::parse(call.body).into_owned().collect();
        fields.sort();
        fields.dedup();
        self.prove(call, &fields)?;
        let field =
            |name: &str| fields.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value.as_str());
        let error = field("ErrorCode");
        let (sid, told) = match (field("CallSid"), field("MessageSid")) {
            (sid, _) if !sid.is_empty() => {
                (sid, self.of_call(field("CallStatus"), field("AnsweredBy"), error))
            }
            (_, sid) if !sid.is_empty() => (sid, self.of_text(field("MessageStatus"), error)),
            _ => return Err(Refusal::Unreadable("there is neither a CallSid nor a MessageSid".to_owned())),
        };
        let about = subjects(call.url, sid);
        let at = jiff::fmt::rfc2822::parse(field("Timestamp")).map_or(call.now, |at| at.timestamp());
        let person = shortened(field("To"));
        // What became of a digest is said of each of its problems.
        let signals = |event: Event, text: &str| -> Vec<Signal> {
            let one = |(nth, about): (usize, &Subject)| Signal {
                id: match nth {
                    0 => format!("{sid} {}", event.as_str()),
                    nth => format!("{sid} {} {}", event.as_str(), nth + 1),
                },
                about: about.clone(),
                event,
                who: person.clone(),
                text: text.to_owned(),
                at,
            };
            about.iter().enumerate().map(one).collect()
        };
        match field("Digits") {
            "" => {}
            KEY => {
                let signals = signals(Event::Acknowledged, "by key on the phone");
                return Ok(Heard { signals, answer: spoken(self.speech.of_thanks()) });
            }
            _ => {
                let answer = spoken(self.speech.of_wrong_key(call.url));
                return Ok(Heard { signals: Vec::new(), answer });
            }
        }
        let signals = told.map(|(event, text)| signals(event, &text)).unwrap_or_default();
        Ok(Heard { signals, answer: Answer::default() })
    }

    /// What the status of a phone call means; most mean nothing yet.
    fn of_call(&self, status: &str, answered_by: &str, error: &str) -> Option<(Event, String)> {
        let by_machine = answered_by.starts_with("machine") || answered_by == "fax";
        match status {
            "in-progress" if by_machine || (self.detects_machines && answered_by != "human") => None,
            "completed" if by_machine => {
                Some((Event::Missed, format!("answered by a machine ({answered_by})")))
            }
            "in-progress" | "completed" => Some((Event::Reached, "picked up".to_owned())),
            "busy" | "no-answer" | "failed" | "canceled" => {
                Some((Event::Missed, format!("{status}{}", why(error))))
            }
            _ => None,
        }
    }

    /// What the status of a text message means. One that did not arrive while others have it is
    /// worth a remark only: sending it again would go to all.
    fn of_text(&self, status: &str, error: &str) -> Option<(Event, String)> {
        match status {
            "delivered" | "read" => Some((Event::Reached, status.to_owned())),
            "undelivered" | "failed" => {
                let event = if self.is_alone { Event::Missed } else { Event::Commented };
                Some((event, format!("text message {status}{}", why(error))))
            }
            _ => None,
        }
    }

    /// <https://www.twilio.com/docs/usage/security>: the address, then every field's name and value,
    /// sorted by name. Whether a usual port is named in the address differs, so both ways hold.
    fn prove(&self, call: &Callback<'_>, fields: &Fields) -> Result<(), Refusal> {
        let given = call.header("x-twilio-signature").ok_or(Refusal::Forged("the signature is missing"))?;
        let given = BASE64.decode(given.trim()).map_err(|_| Refusal::Forged("the signature is wrong"))?;
        let signed: String = fields.iter().map(|(name, value)| format!("{name}{value}")).collect();
        let held = spellings(call.url).iter().fold(false, |held, url| {
            held | any_holds(self.signing, &given, |token| {
                hmac_sha1(token, &[url.as_bytes(), signed.as_bytes()])
            })
        });
        if held { Ok(()) } else { Err(Refusal::Forged("the signature is wrong")) }
    }
}

/// What follows a status: the code of the error and what to do about it; nothing where there is none.
fn why(error: &str) -> String {
    match CURES.iter().find(|(code, _)| *code == error) {
        _ if error.is_empty() => String::new(),
        Some((_, cure)) => format!(", error {error}; {cure}"),
        None => format!(", error {error}"),
    }
}

/// The address with and without the usual port of its scheme.
fn spellings(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    for (scheme, port) in [("https://", ":443"), ("http://", ":80")] {
        let Some(rest) = url.strip_prefix(scheme) else { continue };
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        match host.strip_suffix(port) {
            Some(bare) => all.push(format!("{scheme}{bare}{path}")),
            None if !host.rsplit(']').next().unwrap_or(host).contains(':') => {
                all.push(format!("{scheme}{host}{port}{path}"));
            }
            None => {}
        }
    }
    all
}

/// The dedup keys that we put into the address, which is signed with them; without one, what Twilio
/// calls it by.
fn subjects(url: &str, sid: &str) -> Vec<Subject> {
    let url = Url::parse(url).ok();
    let pairs = url.iter().flat_map(Url::query_pairs).filter(|(name, _)| name == "key");
    let keys: Vec<Subject> = pairs.filter_map(|(_, key)| DedupKey::written(&key)).map(Subject::Key).collect();
    if keys.is_empty() { vec![Subject::Remote(sid.to_owned())] } else { keys }
}

fn spoken(body: String) -> Answer {
    Answer { content_type: "text/xml", body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::library::Language;

    /// The example of Twilio's own page on security.
    #[test]
    fn the_signature_is_that_of_the_vendors_example() {
        let speech = Speech { language: "en-US".into(), voice: None, wording: Language::En, repeat: 1 };
        let signing = [Secret::new("12345")];
        let ears = Ears { signing: &signing, speech: &speech, is_alone: true, detects_machines: false };
        let headers = [("x-twilio-signature".to_owned(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=".to_owned())];
        let body = "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
        let hear = |body: &str| {
            ears.hear(&Callback {
                url: "https://mycompany.com/myapp.php?foo=1&bar=2",
                headers: &headers,
                body: body.as_bytes(),
                now: jiff::Timestamp::UNIX_EPOCH,
            })
        };
        assert!(hear(body).is_ok());
        let other = body.replace("Digits=1234", "Digits=1");
        assert_eq!(hear(&other), Err(Refusal::Forged("the signature is wrong")));
    }

    #[test]
    fn the_usual_port_may_be_named_or_not() {
        for (url, other) in [
            ("https://a.example/x?y=1", Some("https://a.example:443/x?y=1")),
            ("https://a.example:443/x", Some("https://a.example/x")),
            ("http://a.example/x", Some("http://a.example:80/x")),
            ("https://[::1]/x", Some("https://[::1]:443/x")),
            ("https://a.example:8443/x", None),
        ] {
            let all = spellings(url);
            assert_eq!(all[0], url);
            assert_eq!(all.get(1).map(String::as_str), other, "{url}");
        }
    }
}
