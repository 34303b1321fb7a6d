//! What to start now: slots, queue, windows and the order in which databases need it.
//!
//! RDS runs two native tasks of any type at a time and queues the rest first in, first out (RDS user guide, "Limitations and
//! recommendations"; "Access to transaction log backups"). The service's queue is kept just deep enough that no slot idles
//! between two polls; more would only take away the choice of what comes next.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::calendar::Span;
use crate::reason::{Class, Reason};
use crate::task::Kind;

/// Native tasks of any type that run at a time on one RDS instance. RDS user guide, "Limitations", read 2026-11.
pub const SLOTS: u32 = 2;

/// Tasks of any owner that wait or run at a time when we add ours: both slots and as many again waiting, so that a slot
/// that falls free between two polls is taken at once. Policy of ours.
pub const QUEUE_DEPTH: u32 = 2 * SLOTS;

/// How long a task waits in CREATED at most before it runs. RDS user guide, "Tracking the status of tasks", read 2026-11.
pub const CREATED_DELAY_MAX: SignedDuration = SignedDuration::from_mins(5);

/// One task that could be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Task key.
    pub key: String,
    /// Database: one task of a database at a time.
    pub database: String,
    /// What it does.
    pub kind: Kind,
    /// What waiting risks, in thousandths of a promise: 1,000 means that it breaks now.
    pub risk_per_mille: u64,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// How long it will run once it runs.
    pub duration: SignedDuration,
}

/// What to do with a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start it; a note when it will run into a window because nothing could avoid that.
    Start(Option<Reason>),
    /// Not before `until`.
    Hold {
        /// When to look again.
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// No room in the queue now, or its database is busy.
    Queue,
}

/// Decides about every candidate. `busy` are databases whose task the service has, `outstanding` counts the tasks of any owner that wait or run on the server; `windows` are
/// the occurrences, current or next, of what kills or forbids a native backup.
///
/// The result has the order in which to start.
pub fn decide(
    mut candidates: Vec<Candidate>,
    mut busy: BTreeSet<String>,
    outstanding: u32,
    windows: &[Span],
    now: Timestamp,
) -> Vec<(Candidate, Decision)> {
    // At equal risk the log copy goes first: it is short, and a full behind it loses little.
    candidates.sort_by(|a, b| (b.risk_per_mille, b.kind, &a.key).cmp(&(a.risk_per_mille, a.kind, &b.key)));
    let mut room = QUEUE_DEPTH.saturating_sub(outstanding);
    candidates
        .into_iter()
        .map(|candidate| {
            let decision = match hold(&candidate, windows, now) {
                Some((until, reason)) => Decision::Hold { until, reason },
                None if room == 0 || busy.contains(&candidate.database) => Decision::Queue,
                None => {
                    room -= 1;
                    busy.insert(candidate.database.clone());
                    Decision::Start(unavoidable(&candidate, windows, now))
                }
            };
            (candidate, decision)
        })
        .collect()
}

/// How long a full will run, from the database's size and the measured speed.
pub fn full_duration(size_bytes: u64, bytes_per_second: u64) -> SignedDuration {
    let seconds = size_bytes.div_ceil(bytes_per_second.max(1));
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
}

/// From submission to the end, at worst.
fn reach(candidate: &Candidate) -> SignedDuration {
    candidate.duration.saturating_add(CREATED_DELAY_MAX)
}

/// Whether windows matter to a task: the automated backup kills native backups and maintenance forbids them; a log copy
/// starts again by itself after a restart (RDS user guide, "Access to transaction log backups").
const fn minds_windows(kind: Kind) -> bool {
    matches!(kind, Kind::Full)
}

fn hold(candidate: &Candidate, windows: &[Span], now: Timestamp) -> Option<(Timestamp, Reason)> {
    if let Some(until) = candidate.not_before.filter(|&until| now < until) {
        return Some((until, Reason::new(Class::Wait, "NotYet", format!("not before {until}"))));
    }
    if !minds_windows(candidate.kind) {
        return None;
    }
    let reach = reach(candidate);
    let meets = |start: Timestamp| windows.iter().any(|span| span.overlaps(start, reach));
    if !meets(now) {
        return None;
    }
    let latest = now.saturating_add(WAIT_MAX).unwrap_or(Timestamp::MAX);
    let ends = windows.iter().map(|span| span.to).filter(|end| (now..=latest).contains(end));
    let free = ends.filter(|end| !meets(*end)).min();
    let inside = windows.iter().find(|span| span.from <= now && now < span.to);
    let until = free.or(inside.map(|span| span.to))?;
    let span = inside.or(windows.iter().find(|span| span.overlaps(now, reach)))?;
    let why = if inside.is_some() { "is inside" } else { "would run into" };
    let reason = Reason::new(
        Class::Wait,
        "WindowAhead",
        format!("{} {why} the window {} to {}", candidate.key, span.from, span.to),
    );
    Some((until, reason))
}

/// How long a full is held back at most to keep out of a window.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);

fn unavoidable(candidate: &Candidate, windows: &[Span], now: Timestamp) -> Option<Reason> {
    let reach = reach(candidate);
    let span = windows.iter().find(|span| minds_windows(candidate.kind) && span.overlaps(now, reach))?;
    Some(
        Reason::new(
            Class::Human,
            "WindowUnavoidable",
            format!(
                "{} takes {reach:#} at worst and will meet the window at {} whenever it starts",
                candidate.key, span.from
            ),
        )
        .guidance("use more files, a larger instance, or a shorter backup window"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn candidate(key: &str, kind: Kind, risk_per_mille: u64, minutes: i64) -> Candidate {
        Candidate {
            key: key.to_owned(),
            database: key.to_uppercase(),
            kind,
            risk_per_mille,
            not_before: None,
            duration: SignedDuration::from_mins(minutes),
        }
    }

    fn decided(candidates: Vec<Candidate>, outstanding: u32, windows: &[Span], now: i64) -> String {
        decide(candidates, BTreeSet::from(["Z".to_owned()]), outstanding, windows, at(now))
            .into_iter()
            .map(|(candidate, decision)| match decision {
                Decision::Start(None) => format!("{} start", candidate.key),
                Decision::Start(Some(reason)) => format!("{} start {}", candidate.key, reason.name),
                Decision::Hold { until, reason } => {
                    format!("{} {} {}", candidate.key, reason.name, until.duration_since(at(0)).as_mins())
                }
                Decision::Queue => format!("{} queue", candidate.key),
            })
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn who_risks_most_goes_first_and_the_queue_stays_short() {
        let candidates = vec![
            candidate("a", Kind::LogCopy, 100, 1),
            candidate("b", Kind::LogCopy, 900, 1),
            candidate("c", Kind::Full, 500, 1),
            candidate("d", Kind::LogCopy, 500, 1),
        ];
        assert_eq!(decided(candidates.clone(), 1, &[], 0), "b start; d start; c start; a queue");
        assert_eq!(decided(candidates, 4, &[], 0), "b queue; d queue; c queue; a queue");
    }

    #[test]
    fn a_database_has_one_task_at_a_time() {
        let mut full = candidate("b", Kind::Full, 1, 1);
        full.database = "A".to_owned();
        let candidates = vec![candidate("a", Kind::LogCopy, 2, 1), full, candidate("z", Kind::LogCopy, 3, 1)];
        assert_eq!(decided(candidates, 0, &[], 0), "z queue; a start; b queue");
    }

    #[test]
    fn no_full_runs_into_a_window_it_can_avoid() {
        // A window from 03:00 to 03:30 every day.
        let window = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
        for (now, minutes, expected) in [
            (0, 60, "f start"),
            (115, 60, "f start"),
            (116, 60, "f WindowAhead 210"),
            (190, 60, "f WindowAhead 210"),
            (210, 60, "f start"),
            // 23 h 30 min are free between two windows; five minutes of them may pass in CREATED.
            (0, 23 * 60 + 25, "f WindowAhead 210"),
            (0, 23 * 60 + 26, "f start WindowUnavoidable"),
            (190, 23 * 60 + 26, "f WindowAhead 210"),
        ] {
            let full = vec![candidate("f", Kind::Full, 0, minutes)];
            assert_eq!(decided(full, 0, &window, now), expected, "{minutes} min at {now}");
        }
        assert_eq!(decided(vec![candidate("l", Kind::LogCopy, 0, 60)], 0, &window, 190), "l start");
    }

    #[test]
    fn a_task_put_off_waits_and_takes_no_room() {
        let mut late = candidate("a", Kind::LogCopy, 999, 1);
        late.not_before = Some(at(10));
        let candidates = vec![late, candidate("b", Kind::LogCopy, 1, 1)];
        assert_eq!(decided(candidates, 3, &[], 0), "a NotYet 10; b start");
    }

    #[test]
    fn forecasts_do_not_overflow() {
        assert_eq!(full_duration(1_000, 100).as_secs(), 10);
        assert_eq!(full_duration(1, 0).as_secs(), 1);
        assert!(full_duration(u64::MAX, 1) > SignedDuration::from_hours(1));
    }
}
