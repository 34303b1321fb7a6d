//! Secrets by value: a second net behind `sqlserver::Secret`, which is never printed.
//!
//! A server may quote what it was sent: a `SignatureDoesNotMatch` holds the canonical request, session token included. So whatever
//! leaves as text passes here, answers too, and a secret that this process knows leaves it as `***`. Quotations are cut short on their
//! way, so the head of a secret is masked like the whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use domain::reason::Reason;
use ports::Fault;
use serde_json::Value;
use sqlserver::{Credentials, Login, Secret};

/// Shortest secret that is looked for, in bytes: shorter ones would blacken words. Policy.
const BYTES_MIN: usize = 6;

/// Characters of a secret's head that are masked wherever they stand; a secret that has no more is looked for whole. Policy: of a cut
/// token fewer are left over than anybody could use, and no word is that long by chance.
const HEAD_CHARS: usize = 16;

/// The secrets that this process holds.
#[derive(Clone, Default)]
pub struct Secrets(Rc<RefCell<Vec<Secret>>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// Remembers a secret, once, and how JSON writes it: an answer may be a text of JSON.
    pub fn know(&self, secret: &Secret) {
        let written = Value::from(secret.expose()).to_string();
        let escaped = written.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
        let mut known = self.0.borrow_mut();
        for secret in [secret.clone(), Secret::new(escaped)] {
            if secret.expose().len() >= BYTES_MIN && !known.contains(&secret) {
                known.push(secret);
            }
        }
    }

    /// The text without secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found: Vec<Range<usize>> =
            self.0.borrow().iter().flat_map(|secret| places(text, secret.expose())).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|place| place.start);
        let (mut clean, mut end) = (String::with_capacity(text.len()), 0);
        for place in found {
            // One that begins within another goes on with its stars.
            if place.start >= end {
                clean.push_str(&text[end..place.start]);
                clean.push_str("***");
            }
            end = end.max(place.end);
        }
        clean.push_str(&text[end..]);
        Cow::Owned(clean)
    }

    /// The reason without secrets.
    pub(crate) fn clean(&self, reason: Reason) -> Reason {
        Reason {
            message: self.redact(&reason.message).into_owned(),
            guidance: Cow::Owned(self.redact(&reason.guidance).into_owned()),
            ..reason
        }
    }

    /// The text itself, mostly: answers are long and hold no secret.
    fn clean_text(&self, text: String) -> String {
        let clean = match self.redact(&text) {
            Cow::Owned(clean) => Some(clean),
            Cow::Borrowed(_) => None,
        };
        clean.unwrap_or(text)
    }

    /// Whether a secret is in a name: a text without a blank, or the name of a member. Sentences quote, and lose nothing by a mask.
    pub(crate) fn is_in_name(&self, answer: &Value) -> bool {
        let holds = |text: &str| matches!(self.redact(text), Cow::Owned(_));
        match answer {
            Value::String(text) => !text.contains(char::is_whitespace) && holds(text),
            Value::Array(values) => values.iter().any(|value| self.is_in_name(value)),
            Value::Object(members) => {
                members.iter().any(|(name, value)| holds(name) || self.is_in_name(value))
            }
            _ => false,
        }
    }

    /// The answer without secrets, in the texts at any depth and in the names beside them.
    pub(crate) fn clean_answer(&self, answer: Value) -> Value {
        match answer {
            Value::String(text) => Value::String(self.clean_text(text)),
            Value::Array(values) => values.into_iter().map(|value| self.clean_answer(value)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, value)| (self.clean_text(name), self.clean_answer(value)))
                .collect(),
            other => other,
        }
    }
}

/// Where a secret, or at least its head, stands in a text: from each place as far as the two agree.
fn places(text: &str, secret: &str) -> Vec<Range<usize>> {
    let head = secret.char_indices().nth(HEAD_CHARS).map_or(secret, |(end, _)| &secret[..end]);
    let step = head.chars().next().map_or(1, char::len_utf8);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(at) = text[from..].find(head).map(|at| from + at) {
        let alike = text[at..].chars().zip(secret.chars()).take_while(|(one, other)| one == other);
        found.push(at..at + alike.map(|(one, _)| one.len_utf8()).sum::<usize>());
        from = at + step;
    }
    found
}

/// Credentials whose passwords are remembered as secrets.
#[derive(Debug, Clone)]
pub struct Watched<K> {
    credentials: K,
    secrets: Secrets,
}

impl<K> Watched<K> {
    /// Watches credentials.
    pub const fn new(credentials: K, secrets: Secrets) -> Self {
        Self { credentials, secrets }
    }
}

impl<K: Credentials> Credentials for Watched<K> {
    async fn credentials(&self, secret_arn: &str) -> Result<Login, Fault> {
        let login = self.credentials.credentials(secret_arn).await?;
        self.secrets.know(&login.password);
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use domain::reason::Class;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_as_secret_leaves_as_stars() {
        let secrets = Secrets::default();
        for secret in ["hunter2", "hunter2", "token/+=", "abc", ""] {
            secrets.know(&Secret::new(secret));
        }
        assert_eq!(secrets.redact("hunter2 and token/+=, abc"), "*** and ***, abc");
        assert!(matches!(secrets.redact("nothing"), Cow::Borrowed("nothing")));
        let reason = secrets.clean(Reason::new(Class::Human, "Denied", "as hunter2").guidance("not hunter2"));
        assert_eq!((reason.message.as_str(), reason.guidance.as_ref()), ("as ***", "not ***"));
        assert_eq!((format!("{secrets:?}").as_str(), secrets.0.borrow().len()), ("Secrets(***)", 2));
    }

    /// Texts and what is left of them, where these are the secrets: two that begin alike, one that repeats itself, one of other letters.
    #[test]
    fn the_head_of_a_secret_is_masked_like_the_whole() {
        let secrets = Secrets::default();
        let alike = ["one-beginning-of-both-and-7", "one-beginning-of-both-and-another"];
        let (repeated, letters) = ("ab".repeat(12) + "!", "gr\u{fc}\u{df}e".repeat(8));
        for secret in [alike[0], alike[1], &repeated, &letters, "fifteen-letters"] {
            secrets.know(&Secret::new(secret));
        }
        for (text, expected) in [
            ("x one-beginning-of-both-and-another y", "x *** y"),
            ("x one-beginning-of-both-and-7", "x ***"),
            ("one-beginning-of...", "***..."),
            ("one-beginning-of-bees", "***ees"),
            ("one-beginning-o...", "one-beginning-o..."),
            ("fifteen-letters fifteen-letter", "*** fifteen-letter"),
            ("one-beginning-of-bothone-beginning-of-both", "******"),
            ("", ""),
        ] {
            assert_eq!(secrets.redact(text), expected, "{text}");
        }
        assert_eq!(secrets.redact(&format!("ab{repeated}?")), "***?", "the true beginning is the second");
        assert_eq!(
            secrets.redact(&format!("\u{1f4be}{}...", &letters[..letters.len() / 2])),
            "\u{1f4be}***..."
        );
    }

    #[test]
    fn an_answer_is_cleaned_at_any_depth_as_texts_of_json_are() {
        let secrets = Secrets::default();
        secrets.know(&Secret::new("quote\"and\\slash"));
        let body = serde_json::json!({"detail": "as quote\"and\\slash"}).to_string();
        let answer = serde_json::json!({"a": [1, null, {"quote\"and\\slash": true}, "quote\"and\\slash."], "body": body});
        let clean =
            serde_json::json!({"a": [1, null, {"***": true}, "***."], "body": r#"{"detail":"as ***"}"#});
        assert!(secrets.is_in_name(&answer));
        assert_eq!(secrets.clean_answer(answer), clean);
        for (answer, is_in_name) in [
            (serde_json::json!({"told": "it said quote\"and\\slash."}), false),
            (serde_json::json!({"instance": "quote\"and\\slash-1"}), true),
            (serde_json::json!([{"quote\"and\\slash": 1}]), true),
            (serde_json::json!([1, null, "sales"]), false),
        ] {
            assert_eq!(secrets.is_in_name(&answer), is_in_name, "{answer}");
        }
    }

    proptest! {
        /// Wherever and however far a secret stands in a text: of what it takes to be sure, nothing is left.
        #[test]
        fn no_cut_and_no_neighbour_leaves_a_head(
            before in "[a-c]{0,20}", secret in "[a-c]{16,60}", other in "[a-c]{16,60}", cut in 16_usize..60, after in "[a-c]{0,20}",
        ) {
            let secrets = Secrets::default();
            secrets.know(&Secret::new(other.as_str()));
            secrets.know(&Secret::new(secret.as_str()));
            let text = format!("{before}{}{after}", &secret[..cut.min(secret.len())]);
            let clean = secrets.redact(&text);
            prop_assert!(!clean.contains(&secret[..16]) && !clean.contains(&other[..16]), "{text}: {clean}");
            prop_assert!(clean.contains("***"));
            prop_assert_eq!(secrets.redact(&clean), clean.as_ref());
        }
    }
}
