//! Which backup of data waits, so that log copies that are not due yet will find a slot?
//!
//! A backup of data holds its slot for as long as it takes, and no log of its database is copied meanwhile. So it waits where
//! behind it a promise would break that need not: that of its own database, or because every slot were taken when the next
//! copies must begin. It waits for no more than [`WAIT_MAX`], and not at all where its own promise is the more urgent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::order::latest_start;
use super::{CREATED_DELAY_MAX, Candidate, WAIT_MAX, ends_by, reach, slot_free_by};
use crate::reason::{Class, Reason};
use crate::task::Kind;

/// The next log copy of a database, which is not due yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextCopy {
    /// When it comes due.
    pub due_at: Timestamp,
    /// When the promise breaks that it keeps.
    pub promised_by: Timestamp,
    /// For how long a copy keeps the promise.
    pub promise: SignedDuration,
    /// How long it will run.
    pub duration: SignedDuration,
}

/// What passes at worst until a log copy runs: the time in CREATED, and two minutes until a round sees that a slot is free.
const PICK_UP: SignedDuration = CREATED_DELAY_MAX.saturating_add(SignedDuration::from_mins(2));

/// Where the next copies are late anyway, a slot that falls free so much later than without the backup is free soon enough.
/// Policy of ours: about as long as two copies take.
const LATER_MAX: SignedDuration = SignedDuration::from_mins(10);

impl NextCopy {
    /// The last moment at which it can be asked for and still be in time at worst.
    fn latest_start(&self) -> Timestamp {
        self.promised_by.saturating_sub(self.duration.saturating_add(PICK_UP)).unwrap_or(Timestamp::MIN)
    }

    /// The last moment at which it can be asked for, where that would help: it comes due before, and a backup that takes so long can
    /// follow it in time.
    fn start_before(&self, takes: SignedDuration) -> Option<Timestamp> {
        let start = self.latest_start();
        let follows = takes.saturating_add(self.duration).saturating_add(PICK_UP) <= self.promise;
        (self.due_at <= start && follows).then_some(start)
    }
}

/// What log copies to come need.
pub(super) struct Kept<'a> {
    next: &'a BTreeMap<String, NextCopy>,
    /// The last moment at which a slot must be free for them.
    slot_by: Option<Timestamp>,
}

impl<'a> Kept<'a> {
    /// `next`: of each database whose logs go on and of which no copy waits. Copies that wait for a task of their database, which
    /// is in `busy`, need a slot behind it as well.
    pub(super) fn new(
        next: &'a BTreeMap<String, NextCopy>,
        candidates: &[Candidate],
        slots: usize,
        busy: &BTreeSet<String>,
    ) -> Self {
        let mut copies: Vec<(Timestamp, SignedDuration)> =
            next.values().map(|copy| (copy.latest_start(), copy.duration)).collect();
        let waits =
            |candidate: &&Candidate| candidate.kind == Kind::LogCopy && busy.contains(&candidate.database);
        let waiting = candidates.iter().filter(waits);
        copies.extend(waiting.map(|candidate| (latest_start(candidate), candidate.duration)));
        copies.sort_unstable();
        // One slot is taken already wherever this is asked; the others share the work, each copy picked up as late as may be.
        let sharing = i32::try_from(slots.saturating_sub(1).max(1)).unwrap_or(i32::MAX);
        let mut before = SignedDuration::ZERO;
        let starts = copies.into_iter().filter_map(|(start, duration)| {
            let by = start.checked_sub(before).ok();
            before = before.saturating_add(duration.saturating_add(PICK_UP) / sharing);
            by
        });
        Self { next, slot_by: starts.min() }
    }

    /// Why a backup of data is not started although it could be. Tasks whose end nobody knows are no reason: nobody waits for
    /// them here.
    pub(super) fn why_not(
        &self,
        candidate: &Candidate,
        slots: usize,
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> Option<Reason> {
        let waited = now.duration_since(candidate.planned_at);
        let urgent = latest_start(candidate);
        if candidate.kind == Kind::LogCopy || waited >= WAIT_MAX || urgent <= now {
            return None;
        }
        let key = &candidate.key;
        let ends_by = ends_by(candidate, slots, ahead, now)?;
        let own = self.next.get(&candidate.database).and_then(|copy| copy.start_before(reach(candidate)));
        if let Some(by) = own.filter(|by| now <= *by && *by < ends_by) {
            let why = format!("{key} waits for the next log copy of its database, which must begin by {by}");
            return Some(Reason::new(Class::Wait, "LogCopyFirst", why));
        }
        // A single slot cannot be kept and used.
        let slot_by = self.slot_by.filter(|_| slots > 1)?;
        let soon = slot_free_by(slots, ahead, now)?.checked_add(LATER_MAX).ok()?;
        let mut with = ahead.to_vec();
        with.push(Some(ends_by));
        let free = slot_free_by(slots, &with, now)?;
        (free > slot_by.max(soon) && slot_by < urgent).then(|| {
            let why =
                format!("{key} would leave no slot before {free}, and log copies must begin by {slot_by}");
            Reason::new(Class::Wait, "SlotKeptForLogs", why)
        })
    }
}
