//! Which backup of data waits, so that log copies that are not due yet will find a slot?
//!
//! A backup of data holds its slot for as long as it takes, and no log of its database is copied meanwhile. So it waits where
//! behind it a promise would break that need not: that of its own database, or because every slot were taken when the next
//! copies must begin. It waits for no more than [`WAIT_MAX`], and not at all where its own promise is the more urgent. What is
//! late already (the first fulls of many new databases) takes every slot but one where log copies need that one: it is done
//! later by half, and nobody else's promise breaks for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::order::{PICK_UP, latest_start};
use super::{Candidate, Load, Slots, WAIT_MAX, ends_by, known, reach, slot_free_by};
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
    slots: usize,
    /// The last moment at which a slot must be free for them.
    slot_by: Option<Timestamp>,
    /// The same with those that are due and could start in this round, for what is late itself and stands before them.
    due_by: Option<Timestamp>,
    /// The same of those alone that are due and wait for a task of their database: in the service's queue they will stand behind
    /// whatever was asked for before.
    blocked_by: Option<Timestamp>,
    /// The last moments at which copies of databases can be asked for that found no place in this round.
    passed_over: BTreeMap<String, Timestamp>,
    /// Databases with a log copy that waits.
    waiting: BTreeSet<String>,
}

impl<'a> Kept<'a> {
    /// `next`: of each database whose logs go on and of which no copy waits. Copies that wait for a task of their database need a
    /// slot behind it as well. Whatever cannot be in time any more needs none: it comes due too late, or its database is busy.
    pub(super) fn new(
        next: &'a BTreeMap<String, NextCopy>,
        candidates: &[Candidate],
        slots: Slots,
        load: &Load,
        now: Timestamp,
    ) -> Self {
        let is_busy = |copy: &Candidate| load.busy.contains_key(&copy.database);
        let copies = || candidates.iter().filter(|candidate| candidate.kind == Kind::LogCopy);
        let starts = |copy: &Candidate| (latest_start(copy), copy.duration);
        let blocked = copies().filter(|copy| is_busy(copy));
        let blocked = blocked.filter(|copy| in_time(load, &copy.database, latest_start(copy), now));
        let blocked: Vec<_> = blocked.map(starts).collect();
        let to_come = next.iter().map(|(database, copy)| (database, copy, copy.latest_start()));
        let to_come = to_come
            .filter(|(database, copy, start)| copy.due_at <= *start && in_time(load, database, *start, now));
        let mut all: Vec<_> = to_come.map(|(_, copy, start)| (start, copy.duration)).collect();
        all.extend_from_slice(&blocked);
        let free = |copy: &&Candidate| !is_busy(copy) && copy.not_before.is_none_or(|from| from <= now);
        let due: Vec<_> = copies().filter(free).map(starts).chain(all.iter().copied()).collect();
        Self {
            next,
            slots: usize::try_from(slots.running).unwrap_or(usize::MAX),
            slot_by: begin_by(all, slots),
            due_by: begin_by(due, slots),
            blocked_by: begin_by(blocked, slots),
            passed_over: BTreeMap::new(),
            waiting: copies().map(|copy| copy.database.clone()).collect(),
        }
    }

    /// A log copy found no place in this round: it needs one in time as well, before the next backup of its database. Behind a task
    /// of its database that ends too late nothing is in time.
    pub(super) fn pass_over(&mut self, copy: &Candidate, load: &Load, now: Timestamp) {
        let by = latest_start(copy);
        if in_time(load, &copy.database, by, now) {
            self.slot_by = Some(self.slot_by.map_or(by, |slot_by| slot_by.min(by)));
            self.passed_over.insert(copy.database.clone(), by);
        }
    }

    /// Whether a log copy, queued now, would keep one from its promise that is the more urgent and cannot be queued yet.
    pub(super) fn would_starve(&self, copy: &Candidate, ahead: &[Option<Timestamp>], now: Timestamp) -> bool {
        let urgent = latest_start(copy);
        // Those that are late already get their place when their database is free, and nobody waits for them.
        let Some(by) = self.blocked_by.filter(|by| now <= *by && *by < urgent) else { return false };
        let end = ends_by(copy, self.slots, ahead, now).filter(|_| ahead.len() >= self.slots);
        end.and_then(|end| free_behind(end, self.slots, ahead, now)).is_some_and(|free| free > by)
    }

    /// Why a backup of data is not started although it could be. Tasks whose end nobody knows are no reason: nobody waits for
    /// them here.
    pub(super) fn why_not(
        &self,
        candidate: &Candidate,
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> Option<Reason> {
        if candidate.kind == Kind::LogCopy {
            return None;
        }
        let waited = now.duration_since(candidate.planned_at);
        if waited < WAIT_MAX && candidate.heals && self.waiting.contains(&candidate.database) {
            let why = format!("{} waits for the logs before the break that it heals", candidate.key);
            return Some(Reason::new(Class::Wait, "LogCopyFirst", why));
        }
        if latest_start(candidate) <= now {
            return self.all_but_one(candidate, ahead, now);
        }
        if waited >= WAIT_MAX {
            return None;
        }
        let ends_by = ends_by(candidate, self.slots, ahead, now)?;
        self.own_copy(candidate, waited, ends_by, now).or_else(|| self.kept(candidate, ends_by, ahead, now))
    }

    /// A backup that waits for the next log copy of its own database, but not for one after the other.
    fn own_copy(
        &self,
        candidate: &Candidate,
        waited: SignedDuration,
        ends_by: Timestamp,
        now: Timestamp,
    ) -> Option<Reason> {
        let copy = self.next.get(&candidate.database).filter(|copy| waited < copy.promise);
        let own = copy.and_then(|copy| copy.start_before(reach(candidate)));
        let own = own.or(self.passed_over.get(&candidate.database).copied());
        let by = own.filter(|by| now <= *by && *by < ends_by)?;
        let why = format!(
            "{} waits for the next log copy of its database, which must begin by {by}",
            candidate.key
        );
        Some(Reason::new(Class::Wait, "LogCopyFirst", why))
    }

    /// A backup that would leave no slot when log copies must begin.
    fn kept(
        &self,
        candidate: &Candidate,
        ends_by: Timestamp,
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> Option<Reason> {
        // A single slot cannot be kept and used.
        let by = self.slot_by.filter(|by| self.slots > 1 && *by < latest_start(candidate))?;
        self.leaves_none(candidate, (ends_by, by), ahead, now)
    }

    /// A backup that is late already. It waits only behind tasks of ours: as soon as they leave it a slot beside that of the copies,
    /// it starts.
    fn all_but_one(
        &self,
        candidate: &Candidate,
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> Option<Reason> {
        let by = self.due_by.filter(|_| self.slots > 1)?;
        let ours: Vec<Option<Timestamp>> =
            ahead.iter().copied().filter(|end| known(*end, now).is_some()).collect();
        let ends_by = ends_by(candidate, self.slots, &ours, now)?;
        self.leaves_none(candidate, (ends_by, by), &ours, now)
    }

    fn leaves_none(
        &self,
        candidate: &Candidate,
        (ends_by, by): (Timestamp, Timestamp),
        ahead: &[Option<Timestamp>],
        now: Timestamp,
    ) -> Option<Reason> {
        // As long as they can be in time, they shall be; ends of what waits in the queue are forecast for the worst.
        let late = || slot_free_by(self.slots, ahead, now)?.checked_add(LATER_MAX).ok();
        let limit = if now <= by { by } else { late()? };
        let free = free_behind(ends_by, self.slots, ahead, now).filter(|free| *free > limit)?;
        let why =
            format!("{} would leave no slot before {free}, and log copies must begin by {by}", candidate.key);
        Some(Reason::new(Class::Wait, "SlotKeptForLogs", why))
    }
}

/// Whether the task that the service has of a database, if it has one, leaves it in time for a start.
fn in_time(load: &Load, database: &str, start: Timestamp, now: Timestamp) -> bool {
    let busy_until = load.busy.get(database).and_then(|end| known(*end, now));
    busy_until.is_none_or(|free| free <= start)
}

/// By when a slot must be free, so that all of these are done in time: by the latest start of each and how long it takes.
fn begin_by(mut copies: Vec<(Timestamp, SignedDuration)>, slots: Slots) -> Option<Timestamp> {
    copies.sort_unstable();
    let count = |many: u32| i32::try_from(many.max(1)).unwrap_or(i32::MAX);
    // One slot is taken already wherever this is asked; the others share the work. What waits in the queue waits in CREATED together.
    let (sharing, together) = (count(slots.running.saturating_sub(1)), count(slots.deepest()));
    let mut before = SignedDuration::ZERO;
    let starts = copies.into_iter().filter_map(|(start, duration)| {
        let by = start.checked_sub(before).ok();
        before = before.saturating_add(duration / sharing).saturating_add(PICK_UP / together);
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
