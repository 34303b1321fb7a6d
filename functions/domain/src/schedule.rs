//! What is due, by the calendar of the policy and by what the schedule's moments have been answered with.
//!
//! A moment of the schedule is answered when a task for it ended: succeeded, skipped with a reason, failed for good, or cancelled.
//! After an outage only the newest moment counts: nothing is caught up twice.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::inventory::Database;
use crate::policy::{Policy, Times};
use crate::reason::Reason;
use crate::task::{Kind, Outcome, Task};

/// The newest moments of the schedule that have been answered, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answered {
    /// Fulls.
    pub full: Option<Timestamp>,
    /// Differentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential: Option<Timestamp>,
    /// Log copies.
    pub log_copy: Option<Timestamp>,
    /// The newest moment whose full somebody had cancelled: the calendar's next one is the next that is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Timestamp>,
}

impl Answered {
    /// What the end of a task answers. One on demand answers by what it made and by nothing else. Whoever cancels a full does
    /// not want it an hour later, however it ended in the end; a cancel that none of us asked for leaves nothing out.
    pub fn learn(&mut self, task: &Task, outcome: &Outcome) {
        let succeeded = *outcome == Outcome::Succeeded;
        if task.on_demand.is_some() && !succeeded {
            return;
        }
        self.answer(task.kind, task.answered_moment());
        if task.kind == Kind::Full && task.cancel.is_some() && !succeeded {
            self.left_out = self.left_out.max(Some(task.answered_moment()));
        }
    }

    /// Remembers that a moment was answered; an older one changes nothing.
    pub fn answer(&mut self, kind: Kind, moment: Timestamp) {
        let slot = match kind {
            Kind::Full => &mut self.full,
            Kind::Differential => &mut self.differential,
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

/// What of one database is due at `now`.
///
/// Of a database that is gone nothing is. A first full comes at once, and nothing else before it: logs and differentials without a base restore nothing, and the
/// service keeps the logs for seven days. A full of the calendar does not hold up the logs; a differential that is due while
/// a full is would be needless when it ends. Chains that broke are no matter of the calendar: the look before dispatch finds
/// and heals them.
///
/// # Errors
/// The policy's own, when its zone or days are wrong.
pub fn due(policy: &Policy, database: &Database, now: Timestamp) -> Result<Vec<DueItem>, Reason> {
    if database.gone_at.is_some() {
        return Ok(Vec::new());
    }
    let log_moment = latest_log_copy(policy, now);
    let answered = |moment| database.answered.full.is_some_and(|answered| answered >= moment);
    let Some(last_full) = &database.last_full else {
        // One try a log interval: a database that cannot be backed up must not take a slot in every round.
        let full = DueItem { kind: Kind::Full, moment: log_moment };
        return Ok(if answered(log_moment) { Vec::new() } else { vec![full] });
    };
    let mut items = Vec::new();
    if let Some(calendar) = latest(policy, &policy.schedule.full, now)? {
        let left_out = database.answered.left_out.is_some_and(|moment| moment >= calendar);
        let taken = last_full.started_at >= calendar || left_out;
        // A full that did not come about is tried again, once in each log interval, until it does.
        let moment = if answered(calendar) { log_moment.max(calendar) } else { calendar };
        if !taken && !answered(moment) {
            items.push(DueItem { kind: Kind::Full, moment });
        }
    }
    if items.is_empty()
        && let Some(schedule) = &policy.schedule.differential
        && let Some(moment) = latest(policy, schedule, now)?
        && last_full.started_at < moment
        && database.answered.differential.is_none_or(|answered| answered < moment)
    {
        items.push(DueItem { kind: Kind::Differential, moment });
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
    Ok(next_data(policy, now)?.map_or(next_log, |data| data.min(next_log)))
}

/// The first moment after `now` at which the calendar asks for a full or a differential.
///
/// # Errors
/// The policy's own.
pub fn next_data(policy: &Policy, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    let differential = policy.schedule.differential.as_ref();
    let differential = differential.map(|schedule| next(policy, schedule, now)).transpose()?.flatten();
    Ok([next_full(policy, now)?, differential].into_iter().flatten().min())
}

/// The first moment after `now` at which the calendar asks for a full.
///
/// # Errors
/// The policy's own.
pub fn next_full(policy: &Policy, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    next(policy, &policy.schedule.full, now)
}

/// What passes between two log copies.
pub fn log_interval(policy: &Policy) -> SignedDuration {
    SignedDuration::from_mins(i64::from(policy.schedule.log_copy.every_minutes))
}

/// The newest moment of the log grid at or before `now`. The grid counts from 1970 in UTC, so it knows no DST.
pub fn latest_log_copy(policy: &Policy, now: Timestamp) -> Timestamp {
    let interval = log_interval(policy).as_secs().max(60);
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(interval)).unwrap_or(now)
}

/// The longest way from one day of a calendar to the next, in days: from the first Sunday of a month to that of the next.
const LONGEST_CYCLE_DAYS: i64 = 35;

/// The newest moment of a calendar at or before `now`.
pub(crate) fn latest(policy: &Policy, times: &Times, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    let zone = policy.zone()?;
    let today = now.to_zoned(zone.clone()).date();
    Ok((0..=LONGEST_CYCLE_DAYS)
        .filter_map(|back| moment_on(times, &zone, today.checked_sub(back.days()).ok()?))
        .find(|&moment| moment <= now))
}

/// The first moment of a calendar after `now`.
pub(crate) fn next(policy: &Policy, times: &Times, now: Timestamp) -> Result<Option<Timestamp>, Reason> {
    let zone = policy.zone()?;
    let today = now.to_zoned(zone.clone()).date();
    Ok((-1..=LONGEST_CYCLE_DAYS + 1)
        .filter_map(|ahead| moment_on(times, &zone, today.checked_add(ahead.days()).ok()?))
        .find(|&moment| moment > now))
}

/// The moment of a calendar on a date. A local time that DST skips moves forward by the gap; one that comes twice is the
/// first of the two: jiff's `compatible` reading, as RFC 5545 has it.
fn moment_on(times: &Times, zone: &TimeZone, date: Date) -> Option<Timestamp> {
    let local = date.to_datetime(times.at);
    times.ask_for(date).then(|| zone.to_ambiguous_timestamp(local).compatible().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::BackupId;
    use crate::inventory::LastFull;
    use crate::lsn::Lsn;
    use crate::mailbox::Requested;
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
        database.answered =
            Answered { full: answered_full.map(at), log_copy: answered_log.map(at), ..Answered::default() };
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

    /// What is due, in words.
    fn said(policy: &Policy, database: &Database, now: &str) -> String {
        let items = due(policy, database, at(now)).unwrap();
        let said: Vec<_> = items
            .iter()
            .map(|item| format!("{} {}", item.kind.as_str(), &item.moment.to_string()[5..16]))
            .collect();
        if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
    }

    #[test]
    fn differentials_are_due_between_fulls() {
        // Differentials at 20:00 on every day but Sunday, the day of the full.
        let logs = "2026-12-31T00:00:00Z";
        for (full, answered_differential, now, expected) in [
            // Before the first full there is nothing to differ from.
            (None, None, "2026-11-20T21:00:00Z", "full 11-20T20:00"),
            // The full came after the differential's moment.
            (Some("2026-11-20T20:01:00Z"), None, "2026-11-20T21:00:00Z", "nothing"),
            (Some("2026-11-20T10:00:00Z"), None, "2026-11-20T19:59:59Z", "nothing"),
            (Some("2026-11-20T10:00:00Z"), None, "2026-11-20T20:00:00Z", "differential 11-20T20:00"),
            (Some("2026-11-20T10:00:00Z"), Some("2026-11-20T20:00:00Z"), "2026-11-20T21:00:00Z", "nothing"),
            // Two days of outage: one differential, for the newest moment.
            (Some("2026-11-17T10:00:00Z"), None, "2026-11-20T09:00:00Z", "differential 11-19T20:00"),
            // On Sunday the moment of Saturday is still open: the full makes it needless.
            (Some("2026-11-17T10:00:00Z"), None, "2026-11-22T00:59:59Z", "differential 11-21T20:00"),
            (Some("2026-11-17T10:00:00Z"), None, "2026-11-22T01:00:00Z", "full 11-22T01:00"),
            (Some("2026-11-22T01:05:00Z"), None, "2026-11-22T23:00:00Z", "nothing"),
        ] {
            let mut database = database(full, None, full.map(|_| logs));
            database.answered.differential = answered_differential.map(at);
            let said = said(&crate::policy::tests::with_differentials(), &database, now);
            assert_eq!(said, expected, "full {full:?} at {now}");
        }
    }

    #[test]
    fn the_end_of_a_task_answers_its_moment() {
        let (moment, now) = (at("2026-11-22T01:00:00Z"), at("2026-11-22T01:02:00Z"));
        let requested = || Some(Requested { by: "ops".to_owned(), at: now });
        let failed = Outcome::Failed(Reason::new(Class::Human, "X", "x"));
        for (kind, on_demand, cancel, outcome, answers, leaves_out) in [
            (Kind::Full, false, false, Outcome::Succeeded, true, false),
            (Kind::Full, false, false, failed.clone(), true, false),
            (Kind::Full, false, true, Outcome::Cancelled, true, true),
            // Asked to cancel, and ended otherwise first.
            (Kind::Full, false, true, failed.clone(), true, true),
            (Kind::Full, false, true, Outcome::Succeeded, true, false),
            // The service or somebody beside us cancelled it.
            (Kind::Full, false, false, Outcome::Cancelled, true, false),
            (Kind::Full, true, false, Outcome::Succeeded, true, false),
            (Kind::Full, true, false, failed, false, false),
            (Kind::Full, true, true, Outcome::Cancelled, false, false),
            (Kind::LogCopy, false, true, Outcome::Cancelled, true, false),
            (Kind::LogCopy, true, true, Outcome::Cancelled, false, false),
            (Kind::Differential, false, true, Outcome::Cancelled, true, false),
        ] {
            let mut task = Task::plan("sales", "orders", &DueItem { kind, moment }, now);
            (task.on_demand, task.cancel) =
                (on_demand.then(requested).flatten(), cancel.then(requested).flatten());
            let mut answered = Answered::default();
            answered.learn(&task, &outcome);
            let of_kind = [answered.full, answered.differential, answered.log_copy][kind as usize];
            let said = (of_kind == Some(moment), answered.left_out == Some(moment));
            assert_eq!(said, (answers, leaves_out), "{task:?} {outcome:?}");
        }
    }

    #[test]
    fn a_full_that_was_cancelled_waits_for_the_calendar() {
        let sunday = "2026-11-22T01:00:00Z";
        for (full, left_out, now, expected) in [
            (Some("2026-11-15T01:00:00Z"), None, "2026-11-22T02:30:00Z", "full 11-22T02:00"),
            (Some("2026-11-15T01:00:00Z"), Some(sunday), "2026-11-22T02:30:00Z", "nothing"),
            (Some("2026-11-15T01:00:00Z"), Some(sunday), "2026-11-29T00:59:59Z", "nothing"),
            (Some("2026-11-15T01:00:00Z"), Some(sunday), "2026-11-29T01:00:00Z", "full 11-29T01:00"),
            // Without any full nothing could be restored: it comes again with the logs' interval.
            (None, Some(sunday), "2026-11-22T01:30:00Z", "nothing"),
            (None, Some(sunday), "2026-11-22T02:30:00Z", "full 11-22T02:00"),
        ] {
            let mut database = database(full, Some(sunday), Some("2026-12-31T00:00:00Z"));
            database.answered.left_out = left_out.map(at);
            assert_eq!(said(&weekly(), &database, now), expected, "{full:?} {left_out:?} at {now}");
        }
    }

    #[test]
    fn the_calendar_does_not_know_that_a_chain_broke() {
        let mut database = database(Some("2026-11-22T01:00:00Z"), None, None);
        let before = said(&weekly(), &database, "2026-11-24T09:00:00Z");
        database.broken = Some(Reason::new(Class::Wait, "ChainBroken", "gap"));
        assert_eq!(before, "log_copy 11-24T08:00", "the log copy finds the break, and is answered with it");
        assert_eq!(said(&weekly(), &database, "2026-11-24T09:00:00Z"), before);
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
            assert_eq!(latest(&policy, &policy.schedule.full, at(now)).unwrap(), Some(at(moment)), "{now}");
        }
    }

    #[test]
    fn the_next_moment_is_the_earliest_of_all_grids() {
        assert_eq!(next_due(&weekly(), at("2026-11-22T00:10:00Z")).unwrap(), at("2026-11-22T01:00:00Z"));
        assert_eq!(next_due(&weekly(), at("2026-11-22T01:00:00Z")).unwrap(), at("2026-11-22T02:00:00Z"));
        let mut policy = crate::policy::tests::with_differentials();
        policy.schedule.differential.as_mut().unwrap().at = jiff::civil::Time::constant(20, 7, 0, 0);
        for (now, due, data) in [
            ("2026-11-20T20:06:00Z", "2026-11-20T20:07:00Z", "2026-11-20T20:07:00Z"),
            ("2026-11-20T20:07:00Z", "2026-11-20T22:00:00Z", "2026-11-21T20:07:00Z"),
            ("2026-11-21T20:07:00Z", "2026-11-21T22:00:00Z", "2026-11-22T01:00:00Z"),
        ] {
            assert_eq!(next_due(&policy, at(now)).unwrap(), at(due), "{now}");
            assert_eq!(next_data(&policy, at(now)).unwrap(), Some(at(data)), "{now}");
        }
    }
}
