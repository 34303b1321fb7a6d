//! What people put into the mailbox of an instance's run: backups on demand, and cancels.
//!
//! RDS has no copy-only backup: `rds_backup_database` knows FULL and DIFFERENTIAL (RDS user guide, "Using native backup and restore"),
//! so a full on demand becomes the differential base whoever asked for it. It is adopted as ours and counts as no promotion.
//! A backup on demand answers no moment of the schedule but by what it makes.

mod answers;
mod ask;
mod cancel;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use answers::{ANSWERS_MAX, Answer, Answers, KEPT, answers_key};
pub use ask::{ASKED_MAX, Asked, Asking, ask};
pub use cancel::{after_end, before_end};

use crate::reason::{Class, Reason};

/// Who asked for something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    /// The caller as the API's authorizer names them, an ARN as a rule.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Characters of a caller's name. An ARN has at most 2,048 (IAM user guide, "IAM and STS quotas", read 2026-11).
const BY_MAX: usize = 2_048;

/// Characters of an idempotency key. Policy of ours: a UUID and a word beside it.
const KEY_MAX: usize = 128;

/// Checks what a caller says of themselves.
///
/// # Errors
/// `RequestMalformed` (class `Never`).
pub fn check_caller(by: &str) -> Result<(), Reason> {
    check("requested_by", by, BY_MAX, |letter| !letter.is_control())
}

/// Checks an idempotency key: 1 to 128 printable ASCII characters.
///
/// # Errors
/// `RequestMalformed` (class `Never`).
pub fn check_idempotency_key(key: &str) -> Result<(), Reason> {
    check("idempotency key", key, KEY_MAX, |letter| letter.is_ascii_graphic())
}

fn check(what: &str, text: &str, most: usize, allowed: impl Fn(char) -> bool) -> Result<(), Reason> {
    let wrong = if text.is_empty() {
        "is empty".to_owned()
    } else if text.chars().count() > most {
        format!("has more than {most} characters")
    } else if let Some(letter) = text.chars().find(|letter| !allowed(*letter)) {
        format!("holds {letter:?}")
    } else {
        return Ok(());
    };
    Err(Reason::new(Class::Never, "RequestMalformed", format!("{what} {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_and_keys_are_short_and_readable() {
        for (key, expected) in [
            ("3b5f7a52-9f0e-4c39-8f7e-1d0c6a5b2e11", None),
            ("", Some("is empty")),
            ("a b", Some("holds ' '")),
            ("ä", Some("holds 'ä'")),
            ("a\n", Some("holds '\\n'")),
            (&"k".repeat(KEY_MAX), None),
            (&"k".repeat(KEY_MAX + 1), Some("more than 128")),
        ] {
            let said = check_idempotency_key(key).err().map(|reason| reason.message);
            assert_eq!(said.is_some(), expected.is_some(), "{key:?}: {said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{key:?}");
        }
        assert!(check_caller("arn:aws:sts::123456789012:assumed-role/ops/Zoë M").is_ok());
        assert!(check_caller("ops\u{7}").is_err());
    }
}
