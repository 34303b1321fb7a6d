//! Which backup of data waits, so that log copies that are not due yet will find a slot?
//!
//! A backup of data holds its slot for as long as it takes, and no log of its database is copied meanwhile. So it waits where
//! behind it a promise would break that need not: that of its own database, or because every slot were taken when the next
//! copies must begin. It waits for no more than [`WAIT_MAX`], and not at all where its own promise is the more urgent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::order::{PICK_UP, latest_start};
use super::{Candidate, WAIT_MAX, ends_by, reach, slot_free_by};
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

/// Where the next copies are late already, a slot that falls free so much later than without the backup is free soon enough.
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
    /// The same of those alone that are due and wait for a task of their database: in the service's queue they will stand behind
    /// whatever was asked for before.
    blocked_by: Option<Timestamp>,
    /// The last moments at which copies of databases can be asked for that found no place in this round.
    passed_over: BTreeMap<String, Timestamp>,
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
        let waits =
            |candidate: &&Candidate| candidate.kind == Kind::LogCopy && busy.contains(&candidate.database);
        let blocked = candidates.iter().filter(waits);
        let blocked: Vec<(Timestamp, SignedDuration)> =
            blocked.map(|candidate| (latest_start(candidate), candidate.duration)).collect();
        let mut all: Vec<_> = next.values().map(|copy| (copy.latest_start(), copy.duration)).collect();
        all.extend_from_slice(&blocked);
        let (slot_by, blocked_by) = (begin_by(all, slots), begin_by(blocked, slots));
        Self { next, slot_by, blocked_by, passed_over: BTreeMap::new() }
    }

    /// A log copy found no place in this round: it needs one in time as well, before the next backup of its database.
    pub(super) fn pass_over(&mut self, copy: &Candidate) {
        let by = latest_start(copy);
        self.slot_by = Some(self.slot_by.map_or(by, |slot_by| slot_by.min(by)));
        self.passed_over.insert(copy.database.clone(), by);
    }

    /// Whether a log copy, queued now, would keep one from its promise that is the more urgent and cannot be queued yet.
    pub(super) fn would_starve(
        &self,
        copy: &Candidate,
        slots: usize,
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> bool {
        let urgent = latest_start(copy);
        // Those that are late already get their place when their database is free, and nobody waits for them.
        let Some(by) = self.blocked_by.filter(|by| now <= *by && *by < urgent) else { return false };
        let end = ends_by(copy, slots, ahead, now).filter(|_| ahead.len() >= slots);
        end.and_then(|end| free_behind(end, slots, ahead, now)).is_some_and(|free| free > by)
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
        let own = own.or(self.passed_over.get(&candidate.database).copied());
        if let Some(by) = own.filter(|by| now <= *by && *by < ends_by) {
            let why = format!("{key} waits for the next log copy of its database, which must begin by {by}");
            return Some(Reason::new(Class::Wait, "LogCopyFirst", why));
        }
        // A single slot cannot be kept and used.
        let by = self.slot_by.filter(|by| slots > 1 && *by < urgent)?;
        // As long as they can be in time, they shall be; ends of what waits in the queue are forecast for the worst.
        let late = || slot_free_by(slots, ahead, now)?.checked_add(LATER_MAX).ok();
        let limit = if now <= by { by } else { late()? };
        let free = free_behind(ends_by, slots, ahead, now).filter(|free| *free > limit)?;
        let why = format!("{key} would leave no slot before {free}, and log copies must begin by {by}");
        Some(Reason::new(Class::Wait, "SlotKeptForLogs", why))
    }
}

/// By when a slot must be free, so that all of these are done in time: by the latest start of each and how long it takes.
fn begin_by(mut copies: Vec<(Timestamp, SignedDuration)>, slots: usize) -> Option<Timestamp> {
    copies.sort_unstable();
    // One slot is taken already wherever this is asked; the others share the work, each copy picked up as late as may be.
    let sharing = i32::try_from(slots.saturating_sub(1).max(1)).unwrap_or(i32::MAX);
    let mut before = SignedDuration::ZERO;
    let starts = copies.into_iter().filter_map(|(start, duration)| {
        let by = start.checked_sub(before).ok();
        before = before.saturating_add(duration.saturating_add(PICK_UP) / sharing);
        by
    });
    starts.min()
}

/// By when a slot is free behind one more task that ends at `end`.
fn free_behind(
    end: Timestamp,
    slots: usize,
    ahead: &[Option<Timestamp>],
    now: Timestamp,
) -> Option<Timestamp> {
    let mut with = ahead.to_vec();
    with.push(Some(end));
    slot_free_by(slots, &with, now)
}
