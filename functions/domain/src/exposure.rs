//! When the promised RPO of an instance is missed, watched from outside its runs.
//!
//! A run that is stuck, dead or never started tells nothing. So each instance has a record of its own that says before which
//! moment nothing can be missed; whoever looks finds it in the index when that moment has passed and works out the truth from the
//! heads. Nothing has to be written when a backup ends: a newer moment in the vault only makes the truth later than the record.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::facts::RecoveryModel;
use crate::inventory::{Database, instance_key};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::record::{Record, WATCH_SHARD};
use crate::schedule::next_data;

/// Longest time without a look at the heads, so that databases and policies that came since are seen. Policy.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Databases without a full whose first sight is remembered; of more, those that wait longest. Keeps the record small: the longest
/// names (128 UTF-16 units) come to less than 100 KB.
const WAITING_MAX: usize = 200;

/// What is known of the promises of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Instance.
    pub instance: String,
    /// Before this moment no promise can be missed: nobody has to look until then.
    pub look_at: Timestamp,
    /// The earliest moment at which a database's RPO is missed unless something newer reaches the vault before; as of the last
    /// look.
    pub exposed_at: Option<Timestamp>,
    /// Databases that wait for their first full, by name, since when they were seen so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<String, Timestamp>,
}

impl Record for Watch {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        key(&self.instance)
    }
    fn due(&self) -> Option<(u8, Timestamp)> {
        Some((WATCH_SHARD, self.look_at))
    }
}

/// Where the watch of an instance is stored: in the instance's own partition.
pub fn key(instance: &str) -> (String, String) {
    (instance_key(instance).0, "watch".to_owned())
}

impl Watch {
    /// The watch of an instance that nobody has looked at yet.
    pub fn new(instance: &str, now: Timestamp) -> Self {
        Self { instance: instance.to_owned(), look_at: now, exposed_at: None, waiting: BTreeMap::new() }
    }

    /// The watch after a look at all heads of the instance.
    ///
    /// # Errors
    /// The policy's own, when its zone or days are wrong.
    pub fn looked<'d>(
        &self,
        policy: &Policy,
        heads: impl Iterator<Item = &'d Database>,
        now: Timestamp,
    ) -> Result<Self, Reason> {
        let mut exposed_at: Option<Timestamp> = None;
        let mut waiting = Vec::new();
        for head in heads {
            let Some(at) = self.exposed_from(policy, head, now)? else { continue };
            exposed_at = Some(exposed_at.map_or(at, |earliest| earliest.min(at)));
            if head.newest_moment().is_none() {
                waiting.push((self.waits_since(head, now), head.name.clone()));
            }
        }
        waiting.sort_unstable();
        waiting.truncate(WAITING_MAX);
        let again = now.saturating_add(promise(policy).min(LOOK_AGAIN)).unwrap_or(Timestamp::MAX);
        Ok(Self {
            instance: self.instance.clone(),
            look_at: exposed_at.map_or(again, |at| at.min(again)),
            exposed_at,
            waiting: waiting.into_iter().map(|(since, name)| (name, since)).collect(),
        })
    }

    /// By how much the worst promise is missed, as of the last look.
    pub fn overdue(&self, now: Timestamp) -> Option<SignedDuration> {
        overdue(self.exposed_at, now)
    }

    /// When the RPO of one database is missed unless something newer reaches the vault before; `None` where nothing is promised of it:
    /// the policy excludes it, or it is gone from the server. What is offline, damaged or refused counts like any other: its data is
    /// no safer for that. Whoever says of a database whether its promise is kept asks here: alarm and API say the same.
    ///
    /// # Errors
    /// The policy's own, when its zone or days are wrong.
    pub fn exposed_from(
        &self,
        policy: &Policy,
        head: &Database,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Reason> {
        exposed_from(policy, head, self.waits_since(head, now))
    }

    /// Since when a database is known to wait for its first full.
    fn waits_since(&self, head: &Database, now: Timestamp) -> Timestamp {
        self.waiting.get(&head.name).copied().unwrap_or(now)
    }
}

/// By how much a promise is missed that is kept up to a moment.
pub fn overdue(exposed_from: Option<Timestamp>, now: Timestamp) -> Option<SignedDuration> {
    exposed_from.map(|at| now.duration_since(at)).filter(SignedDuration::is_positive)
}

/// The RPO is that for the loss of the instance, the one that only the vault can keep. A database in simple recovery has no logs:
/// it is as new as the calendar lets it be, so its RPO counts from the first moment behind its newest backup at which the calendar asks
/// for one. One that waits for its first full counts from when it was first seen.
fn exposed_from(
    policy: &Policy,
    head: &Database,
    waits_since: Timestamp,
) -> Result<Option<Timestamp>, Reason> {
    if head.gone_at.is_some() || !policy.protects(&head.name) {
        return Ok(None);
    }
    let since = match head.newest_moment() {
        None => Some(waits_since),
        Some(newest) if head.recovery_model == Some(RecoveryModel::Simple) => next_data(policy, newest)?,
        newest => newest,
    };
    Ok(since.and_then(|since| since.checked_add(promise(policy)).ok()))
}

/// How old the newest moment in the vault may become.
fn promise(policy: &Policy) -> SignedDuration {
    SignedDuration::from_mins(i64::from(policy.objectives.rpo_minutes.instance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BackupId;
    use crate::inventory::{LastFull, LogTail};
    use crate::lsn::Lsn;
    use crate::policy::tests::with_differentials;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// RPO of five hours; fulls on Sunday at 01:00, differentials on the other days at 20:00.
    fn policy() -> Policy {
        let mut policy = with_differentials();
        policy.objectives.rpo_minutes.instance = 300;
        policy.exclude = vec!["scratch*".to_owned()];
        policy
    }

    fn head(name: &str, full: Option<&str>, tail: Option<&str>) -> Database {
        let mut head = Database::new("sales", name);
        head.last_full = full.map(|text| LastFull {
            id: BackupId::new("1"),
            started_at: at(text),
            finished_at: at(text),
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        head.log_tail =
            tail.map(|text| LogTail { seq: 1, last_lsn: Lsn::ZERO, made_at: at(text), fork: None });
        head
    }

    #[test]
    fn when_the_rpo_of_a_database_is_missed() {
        let simple = |head: Database| Database { recovery_model: Some(RecoveryModel::Simple), ..head };
        let gone = |head: Database| Database { gone_at: Some(at("2026-11-20T10:00:00Z")), ..head };
        let sunday = Some("2026-11-22T01:30:00Z");
        for (what, head, expected) in [
            ("logs", head("a", sunday, Some("2026-11-23T08:00:00Z")), Some("2026-11-23T13:00:00Z")),
            (
                "a full newer than any log",
                head("a", sunday, Some("2026-11-21T08:00:00Z")),
                Some("2026-11-22T06:30:00Z"),
            ),
            ("no log yet", head("a", sunday, None), Some("2026-11-22T06:30:00Z")),
            ("waits for its first full since ten", head("a", None, None), Some("2026-11-24T15:00:00Z")),
            (
                "waits likewise, in simple recovery",
                simple(head("a", None, None)),
                Some("2026-11-24T15:00:00Z"),
            ),
            // The calendar asks next on Monday at 20:00.
            ("simple recovery", simple(head("a", sunday, None)), Some("2026-11-24T01:00:00Z")),
            ("excluded", head("Scratch1", sunday, None), None),
            ("gone", gone(head("a", sunday, None)), None),
            ("gone before its first full", gone(head("a", None, None)), None),
        ] {
            let exposed = exposed_from(&policy(), &head, at("2026-11-24T10:00:00Z")).unwrap();
            assert_eq!(exposed, expected.map(at), "{what}");
        }
    }

    #[test]
    fn a_look_finds_the_worst_and_says_when_the_next_is_due() {
        let heads = [
            head("a", Some("2026-11-22T01:30:00Z"), Some("2026-11-23T08:00:00Z")),
            head("b", Some("2026-11-22T01:30:00Z"), Some("2026-11-23T06:10:00Z")),
            head("scratch", None, None),
        ];
        let watch = Watch::new("sales", at("2026-11-20T00:00:00Z"));
        for (now, look_at, overdue_minutes) in [
            // An hour later whoever came since is looked at.
            ("2026-11-23T08:30:00Z", "2026-11-23T09:30:00Z", None),
            ("2026-11-23T10:20:00Z", "2026-11-23T11:10:00Z", None),
            ("2026-11-23T11:10:00Z", "2026-11-23T11:10:00Z", None),
            // It stays first in the index, in order of how long it is overdue.
            ("2026-11-23T12:10:00Z", "2026-11-23T11:10:00Z", Some(60)),
        ] {
            let looked = watch.looked(&policy(), heads.iter(), at(now)).unwrap();
            assert_eq!(looked.exposed_at, Some(at("2026-11-23T11:10:00Z")));
            assert_eq!((looked.look_at, looked.due()), (at(look_at), Some((9, at(look_at)))), "{now}");
            assert_eq!(looked.overdue(at(now)), overdue_minutes.map(SignedDuration::from_mins), "{now}");
        }
        let nobody = watch.looked(&policy(), [].iter(), at("2026-11-23T08:30:00Z")).unwrap();
        assert_eq!((nobody.exposed_at, nobody.look_at), (None, at("2026-11-23T09:30:00Z")));
    }

    #[test]
    fn who_waits_for_a_first_full_waits_since_the_first_look() {
        let watch = Watch::new("sales", at("2026-11-23T00:00:00Z"));
        let one =
            watch.looked(&policy(), [head("a", None, None)].iter(), at("2026-11-23T00:05:00Z")).unwrap();
        let both = [head("a", None, None), head("b", None, None)];
        let two = one.looked(&policy(), both.iter(), at("2026-11-23T01:05:00Z")).unwrap();
        assert_eq!(two.exposed_at, Some(at("2026-11-23T05:05:00Z")));
        assert_eq!(
            two.waiting.values().copied().collect::<Vec<_>>(),
            [at("2026-11-23T00:05:00Z"), at("2026-11-23T01:05:00Z")]
        );
        // The first has its full: the other is the worst, and the first is forgotten.
        let heads = [head("a", Some("2026-11-23T04:00:00Z"), None), head("b", None, None)];
        let three = two.looked(&policy(), heads.iter(), at("2026-11-23T05:05:00Z")).unwrap();
        assert_eq!(three.exposed_at, Some(at("2026-11-23T06:05:00Z")));
        assert_eq!(three.waiting.keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn of_too_many_that_wait_the_oldest_are_remembered() {
        let many: Vec<Database> = (0..WAITING_MAX).map(|n| head(&format!("m{n:04}"), None, None)).collect();
        let watch = Watch::new("sales", at("2026-11-23T00:00:00Z"));
        let full = watch.looked(&policy(), many.iter(), at("2026-11-23T00:00:00Z")).unwrap();
        let late = [head("a", None, None)];
        let more = full.looked(&policy(), many.iter().chain(&late), at("2026-11-23T01:00:00Z")).unwrap();
        assert_eq!(more.waiting.len(), WAITING_MAX);
        assert!(!more.waiting.contains_key("a"));
        assert_eq!(more.exposed_at, full.exposed_at, "the worst is no newcomer");
    }
}
