//! What to start now: slots, queue, windows and the order in which databases need it.
//!
//! RDS runs two native tasks of any type at a time and queues the rest first in, first out (RDS user guide, "Limitations and
//! recommendations"; "Access to transaction log backups"). The service's queue is kept just deep enough that no slot idles
//! between two polls; more would only take away the choice of what comes next.

mod kept;
mod length;
mod order;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::kept::NextCopy;
pub use self::length::{Speed, copy_duration, differential_bytes, full_duration, with_margin};
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

/// How many native tasks an instance runs at a time, and how many of any owner may wait or run when we add ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Slots {
    /// At a time.
    pub running: u32,
    /// With those that wait. Log copies, which take minutes, may be twice as many: what waits in CREATED for longer than a copy
    /// takes would leave the slots idle otherwise.
    pub queue_depth: u32,
}

impl Default for Slots {
    /// Those of RDS. An instance of engine `url` has as many as its administrator gives.
    fn default() -> Self {
        Self { running: SLOTS, queue_depth: QUEUE_DEPTH }
    }
}

impl Slots {
    /// How many may wait or run when a log copy is added.
    const fn deepest(self) -> u32 {
        self.queue_depth.saturating_mul(2)
    }
}

/// What the service has to do already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// Databases whose task the service has, and by when it has ended at worst; `None` where nobody can tell.
    pub busy: BTreeMap<String, Option<Timestamp>>,
    /// By when each task of any owner that waits or runs has ended at worst; `None` where nobody can tell.
    pub ahead: Vec<Option<Timestamp>>,
}

impl Load {
    /// One task more.
    pub fn add(&mut self, database: String, ends_by: Option<Timestamp>) {
        self.busy.insert(database, ends_by);
        self.ahead.push(ends_by);
    }
}

/// One task that could be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Task key.
    pub key: String,
    /// Database: one task of a database at a time.
    pub database: String,
    /// What it does.
    pub kind: Kind,
    /// When a promise breaks that it keeps: the later, the longer it can wait.
    pub promised_by: Timestamp,
    /// Since when it is planned, and waits.
    pub planned_at: Timestamp,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// How long it will run once it runs.
    pub duration: SignedDuration,
    /// It starts a broken chain again: logs before the break are lost to the vault when it comes before their copy.
    pub heals: bool,
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
    /// Not now, to be looked at in every round: nobody can tell until when, or others come first.
    Wait {
        /// Why.
        reason: Reason,
    },
    /// No room in the queue now, its database is busy, or it would meet a window behind tasks whose end is known.
    Queue {
        /// Which of these.
        reason: Reason,
    },
}

/// Decides about every candidate. `windows` are the occurrences, current or next, of what kills or forbids a native backup;
/// `next_copies` are the log copies that are not due yet, by database.
///
/// The result has the order in which to start. No log copy takes the deeper place while a backup of data stands before it that
/// waits for a place alone.
pub fn decide(
    candidates: Vec<Candidate>,
    slots: Slots,
    mut load: Load,
    windows: &[Span],
    next_copies: &BTreeMap<String, NextCopy>,
    now: Timestamp,
) -> Vec<(Candidate, Decision)> {
    let running = usize::try_from(slots.running).unwrap_or(usize::MAX);
    let kept = kept::Kept::new(next_copies, &candidates, slots, &load, now);
    let mut round = Round { slots, running, kept, copies_go_deeper: true, windows, now };
    order::order(candidates, running, &load.ahead, now)
        .into_iter()
        .map(|candidate| {
            let decision = round.decide(&candidate, &load);
            match &decision {
                Decision::Start { ends_by, .. } => load.add(candidate.database.clone(), *ends_by),
                Decision::Queue { .. } if candidate.kind == Kind::LogCopy => {
                    round.kept.pass_over(&candidate, &load, now);
                }
                Decision::Queue { .. } | Decision::Hold { .. } | Decision::Wait { .. } => {}
            }
            (candidate, decision)
        })
        .collect()
}

/// One look at all that waits.
struct Round<'a> {
    slots: Slots,
    running: usize,
    kept: kept::Kept<'a>,
    copies_go_deeper: bool,
    windows: &'a [Span],
    now: Timestamp,
}

impl Round<'_> {
    fn decide(&mut self, candidate: &Candidate, load: &Load) -> Decision {
        let (ahead, now) = (&load.ahead, self.now);
        if let Some((until, reason)) = hold(candidate, self.windows, now) {
            return Decision::Hold { until, reason };
        }
        let queue = |name, why: String| Decision::Queue { reason: Reason::new(Class::Wait, name, why) };
        let key = &candidate.key;
        if load.busy.contains_key(&candidate.database) {
            let why = format!("{key} waits: the service has another task of {}", candidate.database);
            return queue("DatabaseBusy", why);
        }
        if let Some(reason) = self.kept.why_not(candidate, ahead, now) {
            return Decision::Wait { reason };
        }
        let is_copy = candidate.kind == Kind::LogCopy;
        let deeper = is_copy && self.copies_go_deeper;
        let depth = if deeper { self.slots.deepest() } else { self.slots.queue_depth };
        if ahead.len() >= usize::try_from(depth).unwrap_or(usize::MAX) {
            self.copies_go_deeper &= is_copy;
            return queue(
                "QueueFull",
                format!("{key} waits: {} native tasks wait or run already", ahead.len()),
            );
        }
        if is_copy && self.kept.would_starve(candidate, ahead, now) {
            return queue(
                "MoreUrgentCopies",
                format!("{key} waits: log copies that are more urgent come first"),
            );
        }
        behind(candidate, self.running, ahead, self.windows, now)
    }
}

/// By when a slot is free for one more task at worst: first in, first out, so all but one of those ahead have ended then.
fn slot_free_by(slots: usize, ahead: &[Option<Timestamp>], now: Timestamp) -> Option<Timestamp> {
    let Some(last) = ahead.len().checked_sub(slots) else { return Some(now) };
    let mut ends: Vec<Timestamp> = ahead.iter().filter_map(|end| known(*end, now)).collect();
    ends.sort_unstable();
    ends.get(last).copied()
}

/// When a task has ended at worst, where anybody can tell: what should have ended and has not is of unknown length.
fn known(end: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    end.filter(|end| *end > now)
}

/// By when a candidate that is asked for now has ended at worst.
fn ends_by(
    candidate: &Candidate,
    slots: usize,
    ahead: &[Option<Timestamp>],
    now: Timestamp,
) -> Option<Timestamp> {
    slot_free_by(slots, ahead, now)?.checked_add(reach(candidate)).ok()
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
fn behind(
    candidate: &Candidate,
    slots: usize,
    ahead: &[Option<Timestamp>],
    windows: &[Span],
    now: Timestamp,
) -> Decision {
    let ends_by = ends_by(candidate, slots, ahead, now);
    let reach = reach(candidate);
    let meets = |until: SignedDuration| windows.iter().any(|span| span.overlaps(now, until));
    if !minds_windows(candidate.kind) || windows.is_empty() || meets(reach) {
        return Decision::Start { ends_by, note: unavoidable(candidate, windows, now) };
    }
    if let Some(end) = ends_by {
        let carried = meets(end.duration_since(now));
        let why = || format!("{} waits: behind what is queued it would meet a window", candidate.key);
        return if carried {
            Decision::Queue { reason: Reason::new(Class::Wait, "WindowBehindQueue", why()) }
        } else {
            Decision::Start { ends_by, note: None }
        };
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
#[path = "slots_tests.rs"]
mod tests;
