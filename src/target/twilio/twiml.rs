//! What is heard on the phone: TwiML documents.
//!
//! Takes a text and the address for key presses, gives XML within Twilio's limit. A text is a text:
//! nothing in it can become markup, and SSML is not spoken.

use crate::target::twilio::aloud::aloud;
use crate::template::escape::Escape;
use crate::template::library::Language;
use crate::template::text::cut;

/// Longest inline document, in characters (error 32018).
const TWIML_CHARS: usize = 4000;
/// About half a minute of speech; nobody listens to more at night.
const SAY_CHARS: usize = 500;

/// How a target speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speech {
    /// For the voice: `en-US`, `zh-CN`.
    pub language: String,
    /// `Polly.Zhiyu`, `man` …; Twilio's own choice when it is not given.
    pub voice: Option<String>,
    /// Of our own sentences.
    pub wording: Language,
    /// How often the text is read; people miss the first second.
    pub repeat: usize,
}

/// Our own sentences.
struct Sentences {
    press: &'static str,
    nothing: &'static str,
    thanks: &'static str,
    wrong: &'static str,
}

const EN: Sentences = Sentences {
    press: "Press 1 to acknowledge.",
    nothing: "No key was pressed. Goodbye.",
    thanks: "Acknowledged. Goodbye.",
    wrong: "That was not 1. Press 1 to acknowledge.",
};
const ZH: Sentences = Sentences {
    press: "请按 1 键确认。",
    nothing: "没有按键，再见。",
    thanks: "已确认，再见。",
    wrong: "按键无效，请按 1 键确认。",
};

impl Speech {
    /// An alert, read out; with an address, a key can be pressed at any time.
    pub fn of_alert(&self, text: &str, back: Option<&str>) -> String {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = aloud(&text, self.wording);
        let mut chars = SAY_CHARS;
        loop {
            let document = self.document(&cut(&text, chars), back);
            // Escaped signs take up to six characters.
            if document.chars().count() <= TWIML_CHARS || chars < 8 {
                return document;
            }
            chars = chars * 3 / 4;
        }
    }

    fn document(&self, text: &str, back: Option<&str>) -> String {
        let Some(back) = back else {
            return enclosed(&self.repeated(text));
        };
        let text = format!("{text} {}", self.sentences().press);
        let gather = gather(back, &self.repeated(&text));
        enclosed(&format!("{gather}{}", self.say(self.sentences().nothing)))
    }

    /// After the right key.
    pub fn of_thanks(&self) -> String {
        enclosed(&format!("{}<Hangup/>", self.say(self.sentences().thanks)))
    }

    /// After another key: once more, at the same address.
    pub fn of_wrong_key(&self, back: &str) -> String {
        let gather = gather(back, &self.say(self.sentences().wrong));
        enclosed(&format!("{gather}{}", self.say(self.sentences().nothing)))
    }

    fn sentences(&self) -> &'static Sentences {
        match self.wording {
            Language::En => &EN,
            Language::Zh => &ZH,
        }
    }

    fn repeated(&self, text: &str) -> String {
        vec![self.say(text); self.repeat].join("<Pause length=\"1\"/>")
    }

    fn say(&self, text: &str) -> String {
        let voice = self.voice.as_ref().map(|voice| format!(" voice=\"{}\"", xml(voice)));
        format!("<Say language=\"{}\"{}>{}</Say>", xml(&self.language), voice.unwrap_or_default(), xml(text))
    }
}

/// A key may be pressed while `inner` is heard, and eight seconds longer. The address is whole: in
/// a document that came with a call there is nothing that a part could be relative to.
fn gather(back: &str, inner: &str) -> String {
    let back = xml(back);
    format!(
        "<Gather input=\"dtmf\" numDigits=\"1\" timeout=\"8\" action=\"{back}\" method=\"POST\">{inner}</Gather>"
    )
}

fn enclosed(inner: &str) -> String {
    format!("<Response>{inner}</Response>")
}

fn xml(text: &str) -> std::borrow::Cow<'_, str> {
    Escape::Xml.apply(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn speech() -> Speech {
        Speech {
            language: "en-US".into(),
            voice: Some("Polly.Joanna".into()),
            wording: Language::En,
            repeat: 2,
        }
    }

    #[test]
    fn a_text_stays_a_text() {
        let said = speech().of_alert("</Say><Dial>+1</Dial> \"a\" & b\u{1b}[31m", None);
        assert!(!said.contains("<Dial>") && !said.contains('\u{1b}'), "{said}");
        assert!(
            said.contains("&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt; &quot;a&quot; &amp; b [31m"),
            "{said}"
        );
    }

    proptest! {
        #[test]
        fn never_longer_than_twilio_takes(text in "[\"'&<>磁a ]{0,3000}", repeat in 1_usize..6) {
            let speech = Speech { repeat, ..speech() };
            let back = format!("https://relay.example.com/callbacks/x?key={}", "a".repeat(255));
            let said = speech.of_alert(&text, Some(&back));
            prop_assert!(said.chars().count() <= TWIML_CHARS);
            prop_assert!(said.ends_with("</Response>"));
        }
    }
}
