//! What is due, by the calendar of the policy and by what the schedule's moments have been answered with.
//!
//! A moment of the schedule is answered when a task for it ended: succeeded, skipped with a reason, or failed for good. After
//! an outage only the newest moment counts: nothing is caught up twice.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::calendar::weekday;
use crate::inventory::Database;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::task::Kind;

/// The newest moments of the schedule that have been answered, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answered {
    /// Fulls.
    pub full: Option<Timestamp>,
    /// Log copies.
    pub log_copy: Option<Timestamp>,
}

impl Answered {
    /// Remembers that a moment was answered; an older one changes nothing.
    pub fn answer(&mut self, kind: Kind, moment: Timestamp) {
        let slot = match kind {
            Kind::Full => &mut self.full,
            Kind::LogCopy => &mut self.log_copy,
        };
        *slot = (*slot).max(Some(moment));
    }
}

/// One thing that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueItem {
    /// What.
    pub kind: Kind,
    /// The moment of the schedule that asks for it; for a first or healing full, now.
    pub moment: Timestamp,
}

/// What of one database is due at `now`: a full, a log copy, both or neither.
///
/// A full that begins or heals a chain comes at once, and no log is copied before it: logs without a base restore nothing,
/// and the service keeps them for seven days. A full of the calendar does not hold up the logs.
///
/// # Errors
/// The policy's own, when its zone or days are wrong.
pub fn due(policy: &Policy, database: &Database, now: Timestamp) -> Result<Vec<DueItem>, Reason> {
    let log_moment = latest_log_copy(policy, now);
    if database.last_full.is_none() || database.broken.is_some() {
        // One try a log interval: a database that cannot be backed up must not take a slot in every round.
        let tried = database.answered.full.is_some_and(|answered| answered >= log_moment);
        let full = DueItem { kind: Kind::Full, moment: log_moment };
        return Ok(if tried { Vec::new() } else { vec![full] });
    }
    let mut items = Vec::new();
    if let Some(calendar) = latest_full(policy, now)? {
        let taken = database.last_full.as_ref().is_some_and(|full| full.started_at >= calendar);
        // A full that did not come about is tried again, once in each log interval, until it does.
        let answered = |moment| database.answered.full.is_some_and(|answered| answered >= moment);
        let moment = if answered(calendar) { log_moment.max(calendar) } else { calendar };
        if !taken && !answered(moment) {
            items.push(DueItem { kind: Kind::Full, moment });
        }
    }
    if database.answered.log_copy.is_none_or(|answered| answered < log_moment) {
        items.push(DueItem { kind: Kind::LogCopy, moment: log_moment });
    }
    Ok(items)
}

/// The first moment after `now` at which something of a policy is due.
///
/// # Errors
/// The policy's own.
pub fn next_due(policy: &Policy, now: Timestamp) -> Result<Timestamp, Reason> {
    let interval = log_interval(policy);
    let next_log = latest_log_copy(policy, now).saturating_add(interval).unwrap_or(Timestamp::MAX);
    Ok(next_full(policy, now)?.map_or(next_log, |full| full.min(next_log)))
}

fn log_interval(policy: &Policy) -> SignedDuration {
    SignedDuration::from_mins(i64::from(policy.schedule.log_copy.every_minutes))
}

/// The newest moment of the log grid at or before `now`. The grid counts from 1970 in UTC, so it knows no DST.
pub fn latest_log_copy(policy: &Policy, now: Timestamp) -> Timestamp {
    let interval = log_interval(policy).as_secs().max(60);
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(interval)).unwrap_or(now)
}

/// The newest moment of the calendar of fulls at or before `now`.
fn latest_full(policy: &Policy, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    let zone = policy.zone()?;
    let today = now.to_zoned(zone.clone()).date();
    Ok((0..=7_i64)
        .filter_map(|back| full_moment(policy, &zone, today.checked_sub(back.days()).ok()?))
        .find(|&moment| moment <= now))
}

/// The first moment of the calendar of fulls after `now`.
fn next_full(policy: &Policy, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    let zone = policy.zone()?;
    let today = now.to_zoned(zone.clone()).date();
    Ok((-1..=8_i64)
        .filter_map(|ahead| full_moment(policy, &zone, today.checked_add(ahead.days()).ok()?))
        .find(|&moment| moment > now))
}

/// The moment a full is due on a date. A local time that DST skips moves forward by the gap; one that comes twice is the
/// first of the two: jiff's `compatible` reading, as RFC 5545 has it.
fn full_moment(policy: &Policy, zone: &TimeZone, date: Date) -> Option<Timestamp> {
    let full = &policy.schedule.full;
    let asked = full.days.iter().any(|day| weekday(day) == Some(date.weekday()));
    let local = date.to_datetime(full.at);
    asked.then(|| zone.to_ambiguous_timestamp(local).compatible().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BackupId;
    use crate::inventory::LastFull;
    use crate::lsn::Lsn;
    use crate::policy::tests::weekly;
    use crate::reason::Class;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A database whose full was asked for at one moment, with the moments answered for.
    fn database(full: Option<&str>, answered_full: Option<&str>, answered_log: Option<&str>) -> Database {
        let mut database = Database::new("sales", "orders");
        database.last_full = full.map(|text| LastFull {
            id: BackupId::new("1"),
            started_at: at(text),
            finished_at: at(text),
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        database.answered = Answered { full: answered_full.map(at), log_copy: answered_log.map(at) };
        database
    }

    #[test]
    fn what_is_due_when() {
        // 2026-11-22 is a Sunday; the full is due at 01:00 UTC, logs every two hours.
        let cases = [
            (None, None, None, "2026-11-20T10:07:00Z", "full 2026-11-20T10:00:00Z"),
            (None, Some("2026-11-20T10:00:00Z"), None, "2026-11-20T10:30:00Z", "nothing"),
            (None, Some("2026-11-20T10:00:00Z"), None, "2026-11-20T12:00:00Z", "full 2026-11-20T12:00:00Z"),
            (
                Some("2026-11-20T10:07:00Z"),
                None,
                None,
                "2026-11-20T11:00:00Z",
                "log_copy 2026-11-20T10:00:00Z",
            ),
            (
                Some("2026-11-20T10:07:00Z"),
                None,
                Some("2026-11-20T10:00:00Z"),
                "2026-11-20T11:59:59Z",
                "nothing",
            ),
            (
                Some("2026-11-20T10:07:00Z"),
                None,
                None,
                "2026-11-22T00:59:59Z",
                "log_copy 2026-11-22T00:00:00Z",
            ),
            (
                Some("2026-11-20T10:07:00Z"),
                None,
                None,
                "2026-11-22T01:00:00Z",
                "full 2026-11-22T01:00:00Z log_copy 2026-11-22T00:00:00Z",
            ),
            (
                Some("2026-11-20T10:07:00Z"),
                Some("2026-11-22T01:00:00Z"),
                Some("2026-11-22T00:00:00Z"),
                "2026-11-22T01:30:00Z",
                "nothing",
            ),
            // The full of Sunday was tried and did not come about: again in the next interval.
            (
                Some("2026-11-20T10:07:00Z"),
                Some("2026-11-22T01:00:00Z"),
                Some("2026-11-22T02:00:00Z"),
                "2026-11-22T02:30:00Z",
                "full 2026-11-22T02:00:00Z",
            ),
            // Two weeks of outage: one full, for the newest moment.
            (
                Some("2026-11-01T01:00:00Z"),
                None,
                None,
                "2026-11-19T05:00:00Z",
                "full 2026-11-15T01:00:00Z log_copy 2026-11-19T04:00:00Z",
            ),
        ];
        for (full, answered_full, answered_log, now, expected) in cases {
            let items = due(&weekly(), &database(full, answered_full, answered_log), at(now)).unwrap();
            let got: Vec<_> = items.iter().map(|i| format!("{} {}", i.kind.as_str(), i.moment)).collect();
            let got = if got.is_empty() { "nothing".to_owned() } else { got.join(" ") };
            assert_eq!(got, expected, "full {full:?} at {now}");
        }
    }

    #[test]
    fn a_broken_chain_asks_for_a_full_before_the_calendar_does() {
        let mut database = database(Some("2026-11-22T01:00:00Z"), None, None);
        database.broken = Some(Reason::new(Class::Wait, "ChainBroken", "gap"));
        let items = due(&weekly(), &database, at("2026-11-24T09:00:00Z")).unwrap();
        assert_eq!(items, [DueItem { kind: Kind::Full, moment: at("2026-11-24T08:00:00Z") }]);
    }

    #[test]
    fn local_times_that_dst_skips_or_repeats_happen_once() {
        let mut policy = weekly();
        policy.schedule.time_zone = "Europe/Berlin".to_owned();
        policy.schedule.full.at = jiff::civil::Time::constant(2, 30, 0, 0);
        // 2026-03-29: 02:30 does not exist, 03:30 CEST is 01:30 UTC. 2026-10-25: 02:30 comes twice, CEST first.
        for (now, moment) in [
            ("2026-03-29T05:00:00Z", "2026-03-29T01:30:00Z"),
            ("2026-10-25T05:00:00Z", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(latest_full(&policy, at(now)).unwrap(), Some(at(moment)), "{now}");
        }
    }

    #[test]
    fn the_next_moment_is_the_earlier_of_both_grids() {
        assert_eq!(next_due(&weekly(), at("2026-11-22T00:10:00Z")).unwrap(), at("2026-11-22T01:00:00Z"));
        assert_eq!(next_due(&weekly(), at("2026-11-22T01:00:00Z")).unwrap(), at("2026-11-22T02:00:00Z"));
    }
}
