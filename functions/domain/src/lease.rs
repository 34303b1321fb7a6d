//! Who serves an instance: one run at a time, by a lease with a generation.
//!
//! A run is named `{group}-{generation}`; the generation only grows, so the name of a Standard execution is never used
//! twice within the 90 days that Step Functions remembers it (developer guide, "Quotas"). A number in the task store cannot
//! stop a late SQL call: dispatch re-reads the lease under the server's application lock.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// How long a lease lives without renewal. It outlives the longest function timeout (5 minutes), the longest wait between
/// two renewals (2 minutes) and the skew of clocks between hosts (1 minute), with as much again in reserve.
pub const LEASE_DURATION: SignedDuration = SignedDuration::from_mins(15);
const _: () = assert!(LEASE_DURATION.as_secs() >= 60 * (5 + 2 + 1));

/// The lease of one contention group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Contention group: on RDS the instance.
    pub group: String,
    /// Generation of the newest run.
    pub generation: u64,
    /// Name of the run that holds it; `None` once released.
    pub holder: Option<String>,
    /// When it ends without renewal.
    pub expires_at: Timestamp,
    /// Newest generation whose name was given out. A name that was given out is spent, whether or not its run ever took the
    /// lease: Step Functions remembers it.
    #[serde(default)]
    pub offered: u64,
}

impl Record for Lease {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        key(&self.group)
    }
}

/// Where the lease of a group is stored.
pub fn key(group: &str) -> (String, String) {
    (format!("instance#{group}"), "lease".to_owned())
}

/// The name of a run.
pub fn run_name(group: &str, generation: u64) -> String {
    format!("{group}-{generation}")
}

/// Group and generation in the name of a run, if it is one.
pub fn run_of_name(name: &str) -> Option<(&str, u64)> {
    let (group, number) = name.rsplit_once('-').filter(|(group, _)| !group.is_empty())?;
    let generation = number.parse().ok()?;
    (run_name(group, generation) == name).then_some((group, generation))
}

/// What asking for the lease led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Store this lease: it is ours now.
    Take(Lease),
    /// It was ours already: an earlier reply was lost.
    AlreadyOurs(Lease),
    /// Somebody else's, and alive; or a later generation has been.
    Held(Lease),
}

/// Decides a claim of `generation` on what is stored.
///
/// A generation is used once: whoever comes with one that is not newer than the stored one, and does not hold it, is late.
pub fn claim(stored: Option<Lease>, group: &str, generation: u64, now: Timestamp) -> Claim {
    let ours = run_name(group, generation);
    let fresh = Lease {
        group: group.to_owned(),
        generation,
        holder: Some(ours.clone()),
        expires_at: renewed_until(now),
        offered: stored.as_ref().map_or(0, |lease| lease.offered).max(generation),
    };
    match stored {
        Some(lease) if lease.holder.as_ref() == Some(&ours) => Claim::AlreadyOurs(lease),
        Some(lease) if lease.generation >= generation || lease.is_alive(now) => Claim::Held(lease),
        None | Some(_) => Claim::Take(fresh),
    }
}

/// The lease with the next generation given out, for a run to be started by that name; `None` while a run is at work.
pub fn offer(stored: Option<Lease>, group: &str, now: Timestamp) -> Option<Lease> {
    let lease = stored.unwrap_or_else(|| Lease {
        group: group.to_owned(),
        generation: 0,
        holder: None,
        expires_at: now,
        offered: 0,
    });
    (!lease.is_alive(now)).then(|| Lease { offered: lease.next_generation(), ..lease })
}

/// When a lease renewed at `now` ends.
pub fn renewed_until(now: Timestamp) -> Timestamp {
    now.saturating_add(LEASE_DURATION).unwrap_or(Timestamp::MAX)
}

impl Lease {
    /// Whether a holder may still be at work.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.holder.is_some() && now < self.expires_at
    }

    /// Whether this run holds it now.
    pub fn is_held_by(&self, run: &str, now: Timestamp) -> bool {
        self.is_alive(now) && self.holder.as_deref() == Some(run)
    }

    /// The lease as its holder gives it back.
    #[must_use]
    pub fn released(self, now: Timestamp) -> Self {
        Self { holder: None, expires_at: now, ..self }
    }

    /// The first generation whose name was never given out.
    fn next_generation(&self) -> u64 {
        self.generation.max(self.offered) + 1
    }

    /// The lease as its holder passes it to the next generation, which must claim it before it expires.
    #[must_use]
    pub fn handed_over(self, now: Timestamp) -> Self {
        let generation = self.next_generation();
        let holder = Some(run_name(&self.group, generation));
        Self { holder, generation, offered: generation, expires_at: renewed_until(now), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn taken(claim: Claim) -> Lease {
        match claim {
            Claim::Take(lease) => lease,
            other => panic!("expected to take, got {other:?}"),
        }
    }

    #[test]
    fn one_run_at_a_time_and_a_lost_reply_is_no_second_run() {
        let first = taken(claim(None, "sales", 1, at(0)));
        assert_eq!(first.holder.as_deref(), Some("sales-1"));
        assert!(matches!(claim(Some(first.clone()), "sales", 1, at(1)), Claim::AlreadyOurs(_)));
        assert!(matches!(claim(Some(first.clone()), "sales", 2, at(14)), Claim::Held(_)));
        let second = taken(claim(Some(first), "sales", 2, at(15)));
        // The first run wakes up late: its generation has passed.
        assert!(matches!(claim(Some(second.clone()), "sales", 1, at(60)), Claim::Held(_)));
        assert!(!second.is_held_by("sales-1", at(16)));
    }

    #[test]
    fn a_released_lease_is_taken_at_once_and_never_by_an_old_generation() {
        let lease = taken(claim(None, "sales", 1, at(0))).released(at(1));
        assert!(!lease.is_alive(at(1)));
        assert!(matches!(claim(Some(lease.clone()), "sales", 1, at(2)), Claim::Held(_)));
        assert!(matches!(claim(Some(lease), "sales", 2, at(2)), Claim::Take(_)));
    }

    #[test]
    fn a_name_given_out_is_spent_whether_or_not_its_run_ever_began() {
        let first = offer(None, "sales", at(0)).unwrap();
        assert_eq!((first.generation, first.offered), (0, 1));
        // The run died before it took the lease: the next one has another name.
        let second = offer(Some(first), "sales", at(5)).unwrap();
        assert_eq!(second.offered, 2);
        let taken = taken(claim(Some(second), "sales", 2, at(6)));
        assert_eq!(offer(Some(taken.clone()), "sales", at(7)), None, "a run is at work");
        // A late first run finds a newer generation.
        assert!(matches!(claim(Some(taken.clone()), "sales", 1, at(8)), Claim::Held(_)));
        let mut raced = taken;
        raced.offered = 3;
        assert_eq!(raced.handed_over(at(9)).generation, 4, "3 was given out");
    }

    #[test]
    fn a_lease_handed_over_belongs_to_the_successor_alone() {
        let lease = taken(claim(None, "sales", 1, at(0))).handed_over(at(3));
        assert_eq!((lease.generation, lease.holder.as_deref()), (2, Some("sales-2")));
        assert!(matches!(claim(Some(lease.clone()), "sales", 1, at(4)), Claim::Held(_)));
        assert!(matches!(claim(Some(lease), "sales", 2, at(4)), Claim::AlreadyOurs(_)));
    }
}
