//! What was answered to a request that named an idempotency key, for as long as the same request gets the same answer.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::reason::{Class, Reason};
use crate::record::{Record, shard_of};
use crate::task::Kind;

/// How long an answer is given again. Policy of ours: a client that tries again does so within a day.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// Answers in one record: each some KB at worst, so a full record stays below what an item holds; 800 a day over all shards.
pub const ANSWERS_MAX: usize = 100;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Idempotency key of the request.
    pub key: String,
    /// Database that was asked for.
    pub database: String,
    /// Kind that was asked for.
    pub kind: Kind,
    /// Who asked; empty in answers that were kept before callers were.
    #[serde(default)]
    pub by: String,
    /// When it was given.
    pub at: Timestamp,
    /// Key of the task.
    pub task: String,
    /// Whether the request planned it.
    pub is_new: bool,
    /// What the caller was told.
    pub notes: Vec<Reason>,
}

/// The answers of a day to the keys of one shard, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Instance.
    pub instance: String,
    /// Shard of the keys.
    pub shard: u8,
    /// The answers.
    pub given: Vec<Answer>,
}

impl Record for Answers {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        shard_key(&self.instance, self.shard)
    }
}

/// Where the answer to an idempotency key is stored.
pub fn answers_key(instance: &str, key: &str) -> (String, String) {
    shard_key(instance, shard_of(key))
}

fn shard_key(instance: &str, shard: u8) -> (String, String) {
    (format!("answers#{instance}"), shard.to_string())
}

impl Answers {
    /// None given yet to the keys that share a shard with `key`.
    pub fn none(instance: &str, key: &str) -> Self {
        Self { instance: instance.to_owned(), shard: shard_of(key), given: Vec::new() }
    }

    /// What was answered to the same request of the same caller within [`KEPT`].
    ///
    /// # Errors
    /// `KeyReused` (class `Never`): the key belongs to another request, or to another caller. That one is refused rather than given a key of
    /// their own: whoever asks again under another name (a role's next session) must not get a second backup unasked.
    pub fn find(
        &self,
        key: &str,
        (database, kind): (&str, Kind),
        by: &str,
        now: Timestamp,
    ) -> Result<Option<&Answer>, Reason> {
        let Some(found) = self.given.iter().find(|answer| answer.key == key && is_kept(answer, now)) else {
            return Ok(None);
        };
        let is_theirs = found.by.is_empty() || found.by == by;
        if is_theirs && found.database == database && found.kind == kind {
            return Ok(Some(found));
        }
        let (used, guidance) = if is_theirs {
            let used = format!("for a {} of {}", found.kind.as_str(), found.database);
            (used, "use a new key for another request")
        } else {
            let guidance =
                "use a key of your own; where the request is the same, look at the database's tasks first";
            ("by another caller".to_owned(), guidance)
        };
        let message = format!("the idempotency key was used {used} at {}", found.at);
        Err(Reason::new(Class::Never, "KeyReused", message).guidance(guidance))
    }

    /// Keeps an answer, and lets go those that are old enough.
    ///
    /// # Errors
    /// `TooManyRequests` (class `Wait`): the record is full of answers that are still given.
    pub fn remember(&mut self, answer: Answer, now: Timestamp) -> Result<(), Reason> {
        self.given.retain(|given| is_kept(given, now));
        if self.given.len() >= ANSWERS_MAX {
            let oldest = self.given.first().and_then(|oldest| oldest.at.checked_add(KEPT).ok());
            let until = oldest.map_or_else(String::new, |at| format!("; ask again after {at}"));
            return Err(Reason::new(
                Class::Wait,
                "TooManyRequests",
                format!("{} had {ANSWERS_MAX} requests of this shard within a day{until}", self.instance),
            ));
        }
        self.given.push(answer);
        Ok(())
    }
}

/// A clock that went back makes no answer old.
fn is_kept(answer: &Answer, now: Timestamp) -> bool {
    now.duration_since(answer.at) < KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn answer(key: &str, minutes: i64) -> Answer {
        Answer {
            key: key.to_owned(),
            database: "orders".to_owned(),
            kind: Kind::Full,
            by: "ada".to_owned(),
            at: at(minutes),
            task: format!("full-{key}"),
            is_new: true,
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_same_request_gets_the_same_answer_for_a_day() {
        let mut answers = Answers::none("sales", "k");
        answers.remember(answer("k", 0), at(0)).unwrap();
        for (key, database, kind, minutes, expected) in [
            ("k", "orders", Kind::Full, 0, Ok(Some("full-k"))),
            ("k", "orders", Kind::Full, 1_439, Ok(Some("full-k"))),
            ("k", "orders", Kind::Full, 1_440, Ok(None)),
            ("k", "orders", Kind::Full, -5, Ok(Some("full-k"))),
            ("other", "orders", Kind::Full, 0, Ok(None)),
            ("k", "parts", Kind::Full, 0, Err("KeyReused")),
            ("k", "orders", Kind::Differential, 0, Err("KeyReused")),
            ("k", "parts", Kind::Full, 1_440, Ok(None)),
        ] {
            let found = answers.find(key, (database, kind), "ada", at(minutes));
            let said = found.as_ref().map(|found| found.map(|answer| answer.task.as_str()));
            assert_eq!(said.map_err(|reason| &*reason.name), expected, "{key} {database} at {minutes}");
        }
    }

    #[test]
    fn a_key_is_its_callers() {
        let mut answers = Answers::none("sales", "k");
        answers.remember(answer("k", 0), at(0)).unwrap();
        // One that was kept by the version before.
        let mut old = serde_json::to_value(answer("old", 0)).unwrap();
        old.as_object_mut().unwrap().remove("by");
        answers.remember(serde_json::from_value(old).unwrap(), at(0)).unwrap();
        for (key, by, minutes, expected) in [
            ("k", "ada", 1, Ok(Some("full-k"))),
            ("k", "bob", 1, Err("KeyReused")),
            ("k", "bob", 1_440, Ok(None)),
            ("old", "bob", 1, Ok(Some("full-old"))),
        ] {
            let found = answers.find(key, ("orders", Kind::Full), by, at(minutes));
            let said = found.as_ref().map(|found| found.map(|answer| answer.task.as_str()));
            assert_eq!(said.map_err(|reason| &*reason.name), expected, "{key} of {by}");
        }
        let refused = answers.find("k", ("orders", Kind::Full), "bob", at(1)).unwrap_err();
        assert!(!refused.message.contains("ada"), "who else asks is not told: {refused}");
    }

    #[test]
    fn a_record_is_bounded_and_forgets_by_time_alone() {
        let mut answers = Answers::none("sales", "k");
        for number in 0..ANSWERS_MAX {
            answers.remember(answer(&number.to_string(), 0), at(0)).unwrap();
        }
        let refused = answers.remember(answer("late", 60), at(60)).unwrap_err();
        assert_eq!((&*refused.name, refused.class), ("TooManyRequests", Class::Wait));
        assert!(
            answers.find("0", ("orders", Kind::Full), "ada", at(60)).unwrap().is_some(),
            "none was let go"
        );
        answers.remember(answer("next day", 1_440), at(1_440)).unwrap();
        assert_eq!(answers.given.len(), 1);
    }
}
