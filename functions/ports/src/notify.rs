//! What people are told.

use crate::fault::Fault;
use crate::objects::is_xml_text;

/// Characters of a subject. SNS: fewer than 100, UTF-8 without line breaks or control characters (API reference, `Publish`,
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>, read 2026-11; older texts ask for ASCII).
pub const SUBJECT_CHARS_MAX: usize = 99;

/// Bytes of a text. SNS: 262,144 of UTF-8; same source.
pub const TEXT_BYTES_MAX: usize = 262_144;

/// What stands at the end of a text that was cut off.
const CUT: &str = " [...]";

/// Something a human should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One line. What does not fit a subject of mail is cut off.
    pub subject: String,
    /// The whole of it, never empty.
    pub text: String,
}

impl Notice {
    /// The subject on one line and short enough; `None` where nothing is left of it, and then a notice has none.
    pub fn subject_line(&self) -> Option<String> {
        let is_break = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
        let words: Vec<&str> = self.subject.split(is_break).filter(|word| !word.is_empty()).collect();
        let line: String = words.join(" ").chars().take(SUBJECT_CHARS_MAX).collect();
        let line = line.trim_end();
        (!line.is_empty()).then(|| line.to_owned())
    }

    /// The text as SNS takes it: characters that XML cannot carry replaced (SNS FAQ, "What format and characters are accepted",
    /// <https://aws.amazon.com/sns/faqs/>, read 2026-11), cut off where it is too long. `None` where it is empty.
    pub fn body(&self) -> Option<String> {
        let mut text = self.text.clone();
        if !is_xml_text(&text) {
            text = text.replace(|c: char| !is_xml_text(c.encode_utf8(&mut [0; 4])), "\u{fffd}");
        }
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX - CUT.len()));
            text.push_str(CUT);
        }
        (!text.is_empty()).then_some(text)
    }
}

/// Tells people.
pub trait Notify {
    /// Sends a notice to whoever subscribed, made to fit: one that is refused tells nobody. `Refused` as `NoticeEmpty` where there is no
    /// text. After an unknown outcome it may be sent again: reading a thing twice hurts nobody.
    async fn notify(&self, notice: &Notice) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(subject: &str, text: &str) -> Notice {
        Notice { subject: subject.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_subject_is_one_short_line() {
        let long = "\u{e4}".repeat(200);
        for (given, expected) in [
            ("Backup failed", Some("Backup failed".to_owned())),
            (" a\r\nb\tc\u{0}d\u{2028}e ", Some("a b c d e".to_owned())),
            ("", None),
            (" \n\u{7}", None),
            (&long, Some("\u{e4}".repeat(99))),
        ] {
            assert_eq!(notice(given, "t").subject_line(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        let body = |text: &str| notice("s", text).body();
        let fits = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(body(&fits), Some(fits));
        assert_eq!(body(""), None);
        for letter in ["x", "\u{e4}", "\u{20ac}", "\u{1f4be}"] {
            let cut = body(&letter.repeat(TEXT_BYTES_MAX + 1)).unwrap();
            assert!(cut.len() <= TEXT_BYTES_MAX && cut.len() > TEXT_BYTES_MAX - 4, "{letter}: {}", cut.len());
            assert!(cut.strip_suffix(CUT).is_some_and(|rest| rest.ends_with(letter)), "{letter}");
        }
    }

    #[test]
    fn what_xml_cannot_carry_is_replaced_before_it_is_measured() {
        assert_eq!(notice("s", "a\r\n\tb\u{7}\u{fffe}").body().unwrap(), "a\r\n\tb\u{fffd}\u{fffd}");
        let bells = notice("s", &"\u{7}".repeat(TEXT_BYTES_MAX)).body().unwrap();
        assert!(bells.len() <= TEXT_BYTES_MAX && bells.ends_with(CUT), "{}", bells.len());
    }
}
