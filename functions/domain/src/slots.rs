//! What to start now: slots, queue, windows and the order in which databases need it.
//!
//! RDS runs two native tasks of any type at a time and queues the rest first in, first out (RDS user guide, "Limitations and
//! recommendations"; "Access to transaction log backups"). The service's queue is kept just deep enough that no slot idles
//! between two polls; more would only take away the choice of what comes next.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::admission::LOG_FILES_PER_COPY_MAX;
use crate::calendar::Span;
use crate::reason::{Class, Reason};
use crate::restore_time::LOG_FILE_SPAN;
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
    /// Since when it is planned, and waits.
    pub planned_at: Timestamp,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// How long it will run once it runs.
    pub duration: SignedDuration,
}

/// What to do with a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start it.
    Start {
        /// By when it has ended at worst, where anybody can tell.
        ends_by: Option<Timestamp>,
        /// That it will run into a window because nothing could avoid that, or may because nobody knows when it begins.
        note: Option<Reason>,
    },
    /// Not before `until`.
    Hold {
        /// When to look again.
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// Not now, and nobody can tell until when: to be looked at in every round.
    Wait {
        /// Why.
        reason: Reason,
    },
    /// No room in the queue now, its database is busy, or it would meet a window behind tasks whose end is known.
    Queue,
}

/// Decides about every candidate. `busy` are databases whose task the service has; `ahead` are the tasks of any owner that wait
/// or run on the server, by when each has ended at worst, `None` where nobody can tell; `windows` are the occurrences,
/// current or next, of what kills or forbids a native backup.
///
/// The result has the order in which to start.
pub fn decide(
    mut candidates: Vec<Candidate>,
    mut busy: BTreeSet<String>,
    mut ahead: Vec<Option<Timestamp>>,
    windows: &[Span],
    now: Timestamp,
) -> Vec<(Candidate, Decision)> {
    // At equal risk the log copy goes first: it is short, and a full behind it loses little.
    candidates.sort_by(|a, b| (b.risk_per_mille, b.kind, &a.key).cmp(&(a.risk_per_mille, a.kind, &b.key)));
    let mut room = QUEUE_DEPTH.saturating_sub(u32::try_from(ahead.len()).unwrap_or(u32::MAX));
    candidates
        .into_iter()
        .map(|candidate| {
            let decision = match hold(&candidate, windows, now) {
                Some((until, reason)) => Decision::Hold { until, reason },
                None if room == 0 || busy.contains(&candidate.database) => Decision::Queue,
                None => behind(&candidate, &ahead, windows, now),
            };
            if let Decision::Start { ends_by, .. } = &decision {
                room -= 1;
                busy.insert(candidate.database.clone());
                ahead.push(*ends_by);
            }
            (candidate, decision)
        })
        .collect()
}

/// By when a slot is free for one more task at worst: first in, first out, so all but one of those ahead have ended then.
fn slot_free_by(ahead: &[Option<Timestamp>], now: Timestamp) -> Option<Timestamp> {
    let Some(last) = ahead.len().checked_sub(SLOTS as usize) else { return Some(now) };
    let mut ends: Vec<Timestamp> = ahead.iter().filter_map(|end| known(*end, now)).collect();
    ends.sort_unstable();
    ends.get(last).copied()
}

/// When a task has ended at worst, where anybody can tell: what should have ended and has not is of unknown length.
fn known(end: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    end.filter(|end| *end > now)
}

/// By when a candidate that is asked for now has ended at worst.
fn ends_by(candidate: &Candidate, ahead: &[Option<Timestamp>], now: Timestamp) -> Option<Timestamp> {
    slot_free_by(ahead, now)?.checked_add(reach(candidate)).ok()
}

/// How long a backup is thought to wait at most behind tasks whose end nobody knows. Policy of ours: beside one window of half
/// an hour a day, whatever takes up to 19 hours and 25 minutes has a moment on each day from which it keeps out of the next
/// window even after so long a wait; what takes longer is held for [`WAIT_MAX`] first.
const UNKNOWN_WAIT: SignedDuration = SignedDuration::from_hours(4);

/// Whether to queue a candidate behind what is ahead of it: in the service's queue it cannot be held back any more, and what
/// would keep out of a window in a free slot could be carried into it.
///
/// Tasks whose end is known are waited for. Those of other people may follow each other without end, so nobody waits for them
/// where [`UNKNOWN_WAIT`] does no harm, and nobody longer than [`WAIT_MAX`].
fn behind(candidate: &Candidate, ahead: &[Option<Timestamp>], windows: &[Span], now: Timestamp) -> Decision {
    let ends_by = ends_by(candidate, ahead, now);
    let reach = reach(candidate);
    let meets = |until: SignedDuration| windows.iter().any(|span| span.overlaps(now, until));
    if !minds_windows(candidate.kind) || windows.is_empty() || meets(reach) {
        return Decision::Start { ends_by, note: unavoidable(candidate, windows, now) };
    }
    if let Some(end) = ends_by {
        let carried = meets(end.duration_since(now));
        return if carried { Decision::Queue } else { Decision::Start { ends_by, note: None } };
    }
    let unknown = ahead.iter().filter(|end| known(**end, now).is_none()).count();
    let next = windows.iter().map(|span| span.from).filter(|from| *from > now).min();
    let next = next.map_or_else(String::new, |from| format!(" at {from}"));
    let (key, since) = (&candidate.key, candidate.planned_at);
    if !meets(reach.saturating_add(UNKNOWN_WAIT)) {
        let why = format!(
            "{key} is queued behind {unknown} tasks whose end nobody knows: \
             it keeps out of the window{next} if it starts within {UNKNOWN_WAIT:#}"
        );
        let note = Reason::new(Class::Wait, "QueuedBehindUnknownTasks", why);
        return Decision::Start { ends_by, note: Some(note) };
    }
    if now.duration_since(since) >= WAIT_MAX {
        let why = format!(
            "{key} is queued behind {unknown} tasks whose end nobody knows, having waited since {since}: \
             it may run into the window{next}"
        );
        let note = Reason::new(Class::Human, "QueuedBehindUnknownTasks", why)
            .guidance("find whose native tasks occupy both slots all the time, and leave time for backups");
        return Decision::Start { ends_by, note: Some(note) };
    }
    let why = format!(
        "{key} waits for {unknown} tasks whose end nobody knows: \
         behind them it could be carried into the window{next}"
    );
    Decision::Wait { reason: Reason::new(Class::Wait, "BehindUnknownTasks", why) }
}

/// How long a full will run, from the database's size and the measured speed.
pub fn full_duration(size_bytes: u64, bytes_per_second: u64) -> SignedDuration {
    let seconds = size_bytes.div_ceil(bytes_per_second.max(1));
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
}

/// How long a backup is given: so many per cent more than forecast. Where only the bare forecast fits between two windows,
/// that: a start that will most likely do is better than none.
pub fn with_margin(duration: SignedDuration, percent: u32, windows: &[Span]) -> SignedDuration {
    let more = duration.as_secs().saturating_mul(i64::from(percent)) / 100;
    let roomy = duration.saturating_add(SignedDuration::from_secs(more));
    let fits = |duration: SignedDuration| {
        let reach = duration.saturating_add(CREATED_DELAY_MAX);
        // After the last window that is known lies nothing that is known.
        let last = windows.iter().map(|span| span.to).max();
        let ends = windows.iter().map(|span| span.to).filter(|end| Some(*end) != last);
        windows.is_empty()
            || ends.into_iter().any(|end| !windows.iter().any(|span| span.overlaps(end, reach)))
    };
    if fits(roomy) || !fits(duration) { roomy } else { duration }
}

/// How many times its predecessor's pace a differential is forecast to have grown. Policy of ours: busy hours are uneven.
const GROWTH: u64 = 2;

/// Bytes that a differential will save at most: as many as its predecessor on the same base says, at `GROWTH` times its
/// pace, and never more than the database has. `before`: bytes of the predecessor, and its age when it was taken.
pub fn differential_bytes(
    size_bytes: u64,
    before: Option<(u64, SignedDuration)>,
    age: SignedDuration,
) -> u64 {
    let Some((bytes, then)) = before.filter(|(_, then)| then.is_positive()) else { return size_bytes };
    let seconds = |time: SignedDuration| u128::try_from(time.as_secs().max(1)).unwrap_or(1);
    let grown = u128::from(bytes) * u128::from(GROWTH) * seconds(age) / seconds(then);
    u64::try_from(grown).unwrap_or(u64::MAX).min(size_bytes)
}

/// Seconds that one log file is given when the length of a copy is forecast. Policy of ours: what takes longer is overdue, and
/// to whatever minds windows its end is unknown.
const COPY_SECONDS_PER_FILE: i64 = 2;

/// How long a copy of the logs made since `newest` will run.
pub fn copy_duration(newest: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    let span = newest.map_or(SignedDuration::ZERO, |newest| now.duration_since(newest));
    let files = (span.as_secs().max(0) / LOG_FILE_SPAN.as_secs()).min(i64::from(LOG_FILES_PER_COPY_MAX)) + 1;
    SignedDuration::from_secs(files * COPY_SECONDS_PER_FILE)
}

/// From submission into a free slot to the end, at worst.
fn reach(candidate: &Candidate) -> SignedDuration {
    candidate.duration.saturating_add(CREATED_DELAY_MAX)
}

/// Whether windows matter to a task: the automated backup kills native backups and maintenance forbids them; a log copy
/// starts again by itself after a restart (RDS user guide, "Access to transaction log backups").
const fn minds_windows(kind: Kind) -> bool {
    matches!(kind, Kind::Full | Kind::Differential)
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

/// How long a backup is held back at most to keep out of a window, and waits for tasks whose end nobody knows.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(24);

fn unavoidable(candidate: &Candidate, windows: &[Span], now: Timestamp) -> Option<Reason> {
    let reach = reach(candidate);
    let mut met: Vec<Timestamp> = windows
        .iter()
        .filter(|span| minds_windows(candidate.kind) && span.overlaps(now, reach))
        .map(|span| span.from)
        .collect();
    met.sort_unstable();
    let met: Vec<String> = met.iter().map(Timestamp::to_string).collect();
    let reason = Reason::new(
        Class::Human,
        "WindowUnavoidable",
        format!(
            "{} takes {reach:#} at worst and will meet the window at {} whenever it starts",
            candidate.key,
            met.join(" and at ")
        ),
    );
    (!met.is_empty())
        .then(|| reason.guidance("use more files, a larger instance, or a shorter backup window"))
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
            planned_at: at(0),
            not_before: None,
            duration: SignedDuration::from_mins(minutes),
        }
    }

    /// `ahead`: by which minute each task on the server has ended, `?` where nobody knows.
    fn decided(candidates: Vec<Candidate>, ahead: &str, windows: &[Span], now: i64) -> String {
        let ahead = ahead.split_whitespace().map(|end| end.parse().ok().map(at)).collect();
        decide(candidates, BTreeSet::from(["Z".to_owned()]), ahead, windows, at(now))
            .into_iter()
            .map(|(candidate, decision)| match decision {
                Decision::Start { note: None, .. } => format!("{} start", candidate.key),
                Decision::Start { note: Some(reason), .. } => {
                    format!("{} start {}", candidate.key, reason.name)
                }
                Decision::Hold { until, reason } => {
                    format!("{} {} {}", candidate.key, reason.name, until.duration_since(at(0)).as_mins())
                }
                Decision::Wait { reason } => format!("{} {}", candidate.key, reason.name),
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
        assert_eq!(decided(candidates.clone(), "?", &[], 0), "b start; d start; c start; a queue");
        assert_eq!(decided(candidates, "? ? ? ?", &[], 0), "b queue; d queue; c queue; a queue");
    }

    #[test]
    fn a_database_has_one_task_at_a_time() {
        let mut full = candidate("b", Kind::Full, 1, 1);
        full.database = "A".to_owned();
        let candidates = vec![candidate("a", Kind::LogCopy, 2, 1), full, candidate("z", Kind::LogCopy, 3, 1)];
        assert_eq!(decided(candidates, "", &[], 0), "z queue; a start; b queue");
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
            for kind in [Kind::Full, Kind::Differential] {
                let backup = vec![candidate("f", kind, 0, minutes)];
                assert_eq!(decided(backup, "", &window, now), expected, "{minutes} min at {now}");
            }
        }
        assert_eq!(decided(vec![candidate("l", Kind::LogCopy, 0, 60)], "", &window, 190), "l start");
    }

    #[test]
    fn no_backup_is_queued_behind_what_would_carry_it_into_a_window() {
        // The window opens at minute 180; a backup of 20 minutes that waits 5 in CREATED must have its slot at 155.
        let window = [Span { from: at(180), to: at(210) }];
        for (ahead, expected) in [
            ("", "f start"),
            // One slot is free, whatever is in the other one.
            ("?", "f start"),
            ("500", "f start"),
            ("155 500", "f start"),
            ("156 500", "f queue"),
            // Who is behind two begins when one of them has ended, behind three when two have.
            ("120 155 500", "f start"),
            ("120 156 500", "f queue"),
            ("120 ?", "f start"),
            ("156 ?", "f queue"),
            ("? ?", "f BehindUnknownTasks"),
            ("120 ? ?", "f BehindUnknownTasks"),
            // It should have ended long ago: nobody can tell when it does.
            ("50 156", "f queue"),
            ("50 ?", "f BehindUnknownTasks"),
            ("50 155", "f start"),
        ] {
            for kind in [Kind::Full, Kind::Differential] {
                assert_eq!(
                    decided(vec![candidate("f", kind, 0, 20)], ahead, &window, 100),
                    expected,
                    "{ahead}"
                );
            }
            assert_eq!(decided(vec![candidate("l", Kind::LogCopy, 0, 20)], ahead, &window, 100), "l start");
            let alone = decided(vec![candidate("f", Kind::Full, 0, 20)], ahead, &[], 100);
            assert_eq!(alone, "f start", "no window, no harm: {ahead}");
        }
        // What starts in this round is ahead of what comes after it: a until 125, b until 125, c until 150, d until 175.
        let four = ["a", "b", "c", "d", "e"].map(|key| candidate(key, Kind::Full, 0, 20)).to_vec();
        assert_eq!(decided(four.clone(), "", &window, 100), "a start; b start; c start; d start; e queue");
        assert_eq!(decided(four, "", &window, 106), "a start; b start; c start; d start; e queue");
        let slow = ["a", "b", "c"].map(|key| candidate(key, Kind::Full, 0, 40)).to_vec();
        assert_eq!(decided(slow, "", &window, 100), "a start; b start; c queue");
    }

    #[test]
    fn nobody_waits_for_ever_behind_tasks_whose_end_nobody_knows() {
        const QUEUED: &str = "f start QueuedBehindUnknownTasks";
        const WAITS: &str = "f BehindUnknownTasks";
        // A window from 03:00 to 03:30 every day; a backup of 20 minutes has ended 25 after its slot, and four hours later 265.
        let daily = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
        for (minutes, now, ahead, expected) in [
            (20, 210, "? ?", QUEUED),
            (20, 1_620 - 265, "? ?", QUEUED),
            (20, 1_620 - 264, "? ?", WAITS),
            (20, 155, "", "f start"),
            (20, 155, "? ?", WAITS),
            (20, 156, "? ?", "f WindowAhead 210"),
            // Waiting for a known end is no matter of patience.
            (20, 1_300, "1595 ?", "f start"),
            (20, 1_300, "1596 ?", "f queue"),
            // From the end of a window on, 19 hours and 25 minutes are the longest with time to wait.
            (1_165, 210, "? ?", QUEUED),
            (1_166, 210, "? ?", WAITS),
            (1_165, 211, "? ?", WAITS),
            // Who waits since minute 0 has waited for a day at 1,440.
            (1_300, 210, "? ?", WAITS),
            (1_300, 1_440, "? ?", "f WindowAhead 1650"),
            (1_300, 1_650, "? ?", QUEUED),
            (20, 1_439, "? ?", WAITS),
            (20, 1_440, "? ?", QUEUED),
            // The queue stays short, whoever waits.
            (20, 1_440, "? ? ? ?", "f queue"),
            // What meets a window anyhow has a note of its own.
            (1_406, 211, "? ?", "f start WindowUnavoidable"),
        ] {
            for kind in [Kind::Full, Kind::Differential] {
                let backup = vec![candidate("f", kind, 0, minutes)];
                assert_eq!(
                    decided(backup, ahead, &daily, now),
                    expected,
                    "{minutes} min at {now} after {ahead}"
                );
            }
        }
        // Who is queued behind them is of unknown end as well.
        let two = ["a", "b"].map(|key| candidate(key, Kind::Full, 0, 20)).to_vec();
        assert_eq!(
            decided(two, "? ?", &daily, 210),
            "a start QueuedBehindUnknownTasks; b start QueuedBehindUnknownTasks"
        );
    }

    #[test]
    fn the_sentence_says_behind_how_many_and_which_window() {
        let daily = [0, 1].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
        for (now, class, expected) in [
            (
                100,
                Class::Wait,
                "f waits for 3 tasks whose end nobody knows: behind them it could be carried into the window at \
                 1970-01-01T03:00:00Z",
            ),
            (
                300,
                Class::Wait,
                "f is queued behind 3 tasks whose end nobody knows: it keeps out of the window at \
                 1970-01-02T03:00:00Z if it starts within 4h",
            ),
            (
                1_500,
                Class::Human,
                "f is queued behind 3 tasks whose end nobody knows, having waited since 1970-01-01T00:00:00Z: it may \
                 run into the window at 1970-01-02T03:00:00Z",
            ),
        ] {
            let full = vec![candidate("f", Kind::Full, 0, 20)];
            let said =
                decide(full, BTreeSet::new(), vec![None, Some(at(50)), None], &daily, at(now)).remove(0).1;
            let (Decision::Wait { reason } | Decision::Start { note: Some(reason), .. }) = said else {
                panic!("{said:?}")
            };
            assert_eq!((reason.message.as_str(), reason.class), (expected, class));
        }
    }

    #[test]
    fn a_margin_is_given_where_it_fits_between_windows() {
        // From 03:00 to 03:30 every day: 23 h 30 min are free, five minutes of them may pass in CREATED.
        let daily = [0, 1, 2].map(|day| Span { from: at(day * 1440 + 180), to: at(day * 1440 + 210) });
        for (minutes, percent, windows, expected) in [
            (100, 50, &daily[..], 150),
            (100, 0, &daily[..], 100),
            (936, 50, &daily[..], 1_404),
            (937, 50, &daily[..], 937),
            (1_000, 50, &daily[..], 1_000),
            (1_405, 50, &daily[..], 1_405),
            // Not even the bare time fits: whatever is said, it meets a window.
            (1_406, 50, &daily[..], 2_109),
            (1_406, 50, &[], 2_109),
        ] {
            let given = with_margin(SignedDuration::from_mins(minutes), percent, windows).as_mins();
            assert_eq!(given, expected, "{minutes} min + {percent} %");
        }
    }

    #[test]
    fn forecasts_follow_what_was_measured() {
        let hours = SignedDuration::from_hours;
        for (before, age, expected) in [
            (None, 5, 1_000),
            (Some((10, hours(1))), 1, 20),
            (Some((10, hours(1))), 24, 480),
            (Some((10, hours(1))), 24 * 7, 1_000),
            (Some((10, hours(0))), 1, 1_000),
            (Some((u64::MAX, hours(1))), i64::from(u32::MAX), 1_000),
        ] {
            assert_eq!(differential_bytes(1_000, before, hours(age)), expected, "{before:?} after {age} h");
        }
        for (newest, seconds) in [(None, 2), (Some(40), 26), (Some(101), 2), (Some(-100_000), 2 * 2_017)] {
            assert_eq!(copy_duration(newest.map(at), at(100)).as_secs(), seconds, "{newest:?}");
        }
    }

    #[test]
    fn a_task_put_off_waits_and_takes_no_room() {
        let mut late = candidate("a", Kind::LogCopy, 999, 1);
        late.not_before = Some(at(10));
        let candidates = vec![late, candidate("b", Kind::LogCopy, 1, 1)];
        assert_eq!(decided(candidates, "? ? ?", &[], 0), "a NotYet 10; b start");
    }

    #[test]
    fn forecasts_do_not_overflow() {
        assert_eq!(full_duration(1_000, 100).as_secs(), 10);
        assert_eq!(full_duration(1, 0).as_secs(), 1);
        assert!(full_duration(u64::MAX, 1) > SignedDuration::from_hours(1));
    }
}
