//! What events of AWS mean to us. They come late, twice, out of order or never, so nothing is built on one: they say earlier what the
//! next look would find.
//!
//! Sources: RDS user guide, "Amazon RDS event categories and event messages"; Step Functions developer guide, "Automating Step Functions
//! event delivery with EventBridge", read 2026-11.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lease::Lease;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// What an event of RDS means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A snapshot was taken: the next differential would be based on it and not on our full.
    BaseMoved,
    /// Sessions were cut and native tasks may have ended: somebody should look.
    Interrupted,
    /// Nothing to do; people may want to read it.
    Told,
}

/// Events that end a snapshot of a whole instance: an automated backup has finished, a snapshot was created, manual or automated.
const SNAPSHOTS: [&str; 3] = ["RDS-EVENT-0002", "RDS-EVENT-0042", "RDS-EVENT-0091"];

/// Categories after whose events the server is another or was away.
const INTERRUPTIONS: [&str; 4] = ["availability", "failover", "recovery", "restoration"];

/// What an event means, by its id, else by its categories in any case.
pub fn meaning(id: &str, categories: &[String]) -> Meaning {
    let is_one_of = |words: &[&str]| {
        categories.iter().any(|category| words.iter().any(|word| word.eq_ignore_ascii_case(category)))
    };
    if SNAPSHOTS.contains(&id) {
        Meaning::BaseMoved
    } else if is_one_of(&INTERRUPTIONS) {
        Meaning::Interrupted
    } else {
        Meaning::Told
    }
}

/// The instance of an automated snapshot, which RDS calls `rds:INSTANCE-yyyy-mm-dd-hh-mm`. A manual one is called as somebody likes.
pub fn instance_of_snapshot(snapshot: &str) -> Option<&str> {
    let name = snapshot.strip_prefix("rds:")?;
    let date = name.len().checked_sub("-2026-11-27-03-04".len())?;
    let (instance, date) = (name.get(..date)?, name.get(date..)?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = date.strip_prefix('-').is_some_and(|date| date.split('-').all(digits));
    (is_date && !instance.is_empty()).then_some(instance)
}

/// One event as people read it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Told {
    /// When it happened.
    pub at: Timestamp,
    /// `RDS-EVENT-0013`.
    pub id: String,
    /// What the service says, cut to a length that no item minds.
    pub message: String,
}

/// Events kept of one instance.
pub const EVENTS_MAX: usize = 20;

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 300;

/// What was observed of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Instance.
    pub instance: String,
    /// The newest events, oldest first.
    pub events: BTreeSet<Told>,
    /// When bases moved last, as far as events told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_moved_at: Option<Timestamp>,
}

impl Record for Observed {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        observed_key(&self.instance)
    }
}

/// Where what was observed of an instance is stored.
pub fn observed_key(instance: &str) -> (String, String) {
    (format!("instance#{instance}"), "observed".to_owned())
}

impl Observed {
    /// Takes an event in; whether that changed anything. One that was heard before, or is older than all that are kept, changes nothing.
    pub fn hear(&mut self, meaning: Meaning, at: Timestamp, id: &str, message: &str) -> bool {
        let message: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
        let told = Told { at, id: id.chars().take(32).collect(), message };
        let is_late =
            self.events.len() >= EVENTS_MAX && self.events.first().is_some_and(|oldest| told < *oldest);
        if is_late || !self.events.insert(told) {
            return false;
        }
        while self.events.len() > EVENTS_MAX {
            self.events.pop_first();
        }
        if meaning == Meaning::BaseMoved {
            self.base_moved_at = self.base_moved_at.max(Some(at));
        }
        true
    }
}

/// The lease after a run has ended in a way that no state can catch: free, if it was that run's. Any other run's stays.
pub fn freed(lease: &Lease, run: &str, now: Timestamp) -> Option<Lease> {
    (lease.holder.as_deref() == Some(run)).then(|| lease.clone().released(now))
}

/// Why a run that ended so did not work.
pub fn run_ended(run: &str, status: &str) -> Reason {
    Reason::new(Class::Retry, "RunEnded", format!("run {run} ended {status}"))
        .guidance("its history in Step Functions says where; the next run goes on from the store")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::lease::{Claim, claim};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn events_by_id_then_by_category() {
        for (id, categories, expected) in [
            ("RDS-EVENT-0001", "backup", Meaning::Told),
            ("RDS-EVENT-0002", "backup", Meaning::BaseMoved),
            ("RDS-EVENT-0042", "creation", Meaning::BaseMoved),
            ("RDS-EVENT-0091", "creation", Meaning::BaseMoved),
            ("RDS-EVENT-0013", "failover", Meaning::Interrupted),
            ("RDS-EVENT-0049", "failover", Meaning::Interrupted),
            ("RDS-EVENT-0006", "availability", Meaning::Interrupted),
            ("RDS-EVENT-9999", "Failover", Meaning::Interrupted),
            ("RDS-EVENT-0007", "low storage", Meaning::Told),
            ("", "", Meaning::Told),
        ] {
            assert_eq!(meaning(id, &[categories.to_owned()]), expected, "{id} {categories}");
        }
    }

    #[test]
    fn an_automated_snapshot_names_its_instance() {
        for (snapshot, expected) in [
            ("rds:sales-2026-11-27-03-04", Some("sales")),
            ("rds:my-db-1-2026-11-27-03-04", Some("my-db-1")),
            ("rds:-2026-11-27-03-04", None),
            ("rds:sales", None),
            ("rds:sales-2026-11-27-03-xx", None),
            ("before-release", None),
            ("rds:\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}", None),
        ] {
            assert_eq!(instance_of_snapshot(snapshot), expected, "{snapshot}");
        }
    }

    #[test]
    fn an_event_is_heard_once_in_any_order_and_old_ones_change_nothing() {
        let mut observed = Observed::default();
        assert!(observed.hear(Meaning::BaseMoved, at(10), "RDS-EVENT-0002", "Finished"));
        assert!(!observed.hear(Meaning::BaseMoved, at(10), "RDS-EVENT-0002", "Finished"), "twice");
        assert!(observed.hear(Meaning::BaseMoved, at(5), "RDS-EVENT-0042", "Manual"), "late");
        assert_eq!(observed.base_moved_at, Some(at(10)), "the newest counts");
        for minute in 20..60 {
            assert!(observed.hear(Meaning::Told, at(minute), "RDS-EVENT-0001", &"x".repeat(1_000)));
        }
        assert_eq!(observed.events.len(), EVENTS_MAX);
        assert!(!observed.hear(Meaning::BaseMoved, at(15), "RDS-EVENT-0002", "Finished"), "older than all");
        assert_eq!(observed.base_moved_at, Some(at(10)));
        assert!(serde_json::to_string(&observed).unwrap().len() < 10_000);
    }

    #[test]
    fn a_run_that_ended_frees_its_own_lease_alone() {
        let Claim::Take(lease) = claim(None, "sales", 7, at(0)) else { panic!("free") };
        assert!(!freed(&lease, "sales-7", at(1)).unwrap().is_alive(at(1)));
        for other in ["sales-6", "sales-8", "ledger-7", ""] {
            assert_eq!(freed(&lease, other, at(1)), None, "{other}");
        }
        assert_eq!(freed(&lease.clone().released(at(1)), "sales-7", at(2)), None, "given back already");
        assert_eq!(freed(&lease.handed_over(at(1)), "sales-7", at(2)), None, "passed on");
    }
}
