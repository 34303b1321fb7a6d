//! Notices, published to a topic of SNS.
//!
//! SNS API reference, `Publish`, read 2026-11: a subject has fewer than 100 characters, no line breaks and no control characters; a
//! message has 1 to 262,144 bytes of UTF-8. A notice is made to fit: one that is refused tells nobody.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use ports::Fault;
use ports::notify::{Notice, Notify};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect};

/// IAM actions behind the port of this adapter. A topic under a customer managed key also needs `kms:Decrypt` and
/// `kms:GenerateDataKey` on that key, which is the deployer's to grant.
pub const ACTIONS: &[Capability] = &[Capability { port: "Notify", actions: &["sns:Publish"] }];

const SUBJECT_CHARS_MAX: usize = 99;
const TEXT_BYTES_MAX: usize = 262_144;

/// What stands at the end of a text that was cut off.
const CUT: &str = " [...]";

/// One topic of SNS.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic of this ARN, as the configuration reaches it.
    pub fn new(config: &SdkConfig, arn: impl Into<String>) -> Self {
        let settings = aws_sdk_sns::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()), arn: arn.into() }
    }
}

impl Notify for Topic {
    async fn notify(&self, notice: &Notice) -> Result<(), Fault> {
        let asked = self.client.publish().topic_arn(&self.arn).message(text(&notice.text));
        asked
            .set_subject(subject(&notice.subject))
            .send()
            .await
            .map_err(|error| fault::of(&format!("Publish {}", self.arn), Effect::Write, &error))?;
        Ok(())
    }
}

/// The subject on one line and short enough; none where nothing is left of it.
fn subject(subject: &str) -> Option<String> {
    let is_break = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    let words: Vec<&str> = subject.split(is_break).filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(SUBJECT_CHARS_MAX).collect();
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The text, cut off where SNS would refuse it.
fn text(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX - CUT.len());
    [&text[..end], CUT].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(subject(given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        let fits = "x".repeat(TEXT_BYTES_MAX);
        assert_eq!(text(&fits), fits);
        for letter in ["x", "\u{e4}", "\u{20ac}", "\u{1f4be}"] {
            let cut = text(&letter.repeat(TEXT_BYTES_MAX + 1));
            assert!(cut.len() <= TEXT_BYTES_MAX && cut.len() > TEXT_BYTES_MAX - 4, "{letter}: {}", cut.len());
            assert!(cut.strip_suffix(CUT).is_some_and(|rest| rest.ends_with(letter)), "{letter}");
        }
    }
}
