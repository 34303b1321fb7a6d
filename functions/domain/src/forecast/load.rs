//! How long do the native tasks of an instance take, and do they fit into its slots and between its windows?
//!
//! Everything is counted on the long side: a task holds a slot from its call to its end, as long as it may wait in CREATED
//! included (nobody says that a waiting task leaves its slot to others), backups run with the policy's margin, and databases
//! have the size they will have when the promised window is full.

use serde::Serialize;

use super::calendar::{Calendar, Open, WEEK_MINUTES, WEEKS};
use super::fleet::{Group, Server};
use crate::limits::{Name, Profile};
use crate::policy::Policy;
use crate::slots::SLOTS;

/// Seconds that one log file is given when the length of a copy is forecast: as `slots` gives it.
const COPY_SECONDS_PER_FILE: u64 = 2;

/// Seconds that any task is given before its bytes move. Policy of ours.
const SETUP_SECONDS: u64 = 30;

/// What a service does by itself, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) is_rds: bool,
    /// How long a task waits in CREATED at most.
    pub(super) pick_up: u64,
    /// Between two log files that the service makes; `None` where only we take logs.
    pub(super) log_file: Option<u64>,
}

impl Service {
    pub(super) fn of(profile: Profile) -> Self {
        let minutes = |name| profile.value(name).or_else(|| Profile::Rds.value(name)).unwrap_or(0) * 60;
        if profile.is_rds() {
            let log_file = Some(minutes(Name::LogFileMinutes).max(60));
            Self { is_rds: true, pick_up: minutes(Name::PickUpMinutes), log_file }
        } else {
            Self { is_rds: false, pick_up: 0, log_file: None }
        }
    }
}

/// A data backup of one of the databases of a group, in seconds from its call to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) count: u64,
    pub(super) seconds: u64,
}

/// What an instance has to do.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) service: Service,
    /// Databases.
    pub(super) databases: u64,
    /// Fulls and differentials that come about in [`WEEKS`] weeks, of each database.
    pub(super) fulls: u64,
    pub(super) differentials: u64,
    /// Seconds of a full, by group.
    pub(super) full: Vec<Task>,
    /// Seconds of the longest differential, by group.
    pub(super) differential: Vec<Task>,
    /// Seconds of the longest log copy.
    pub(super) copy: u64,
    /// Seconds between two copies.
    pub(super) every: u64,
    /// Seconds of a sweep: each database copied once.
    pub(super) sweep: u64,
    pub(super) open: Open,
}

impl Work {
    pub(super) fn of(policy: &Policy, profile: Profile, server: &Server, calendar: &Calendar) -> Self {
        let service = Service::of(profile);
        let backups = &calendar.backups;
        let differentials = backups.iter().filter_map(|backup| backup.after_full);
        let oldest = differentials.clone().max().map_or(0, |after| after.as_secs().unsigned_abs());
        let every = u64::from(policy.schedule.log_copy.every_minutes) * 60;
        let speed = server.backup_bytes_per_second().max(1);
        let margin = u64::from(policy.speed_margin_percent);
        let days = policy.objectives.window_days;
        let backup = |group: &Group, bytes: u64| {
            let seconds = bytes.div_ceil(speed);
            let roomy = seconds.saturating_add(seconds.saturating_mul(margin) / 100);
            let seconds = roomy.saturating_add(service.pick_up + SETUP_SECONDS);
            Task { count: u64::from(group.count), seconds }
        };
        let groups = &server.databases;
        let copy = |group: &Group| {
            let files = service.log_file.map_or(1, |file| every / file + 1);
            let bytes = group.log_bytes(hours(every));
            let moved = files.saturating_mul(COPY_SECONDS_PER_FILE).saturating_add(bytes.div_ceil(speed));
            moved.saturating_add(service.pick_up + SETUP_SECONDS)
        };
        let databases = server.count();
        let copies: u64 = groups.iter().map(|group| copy(group).saturating_mul(u64::from(group.count))).sum();
        let longest_copy = groups.iter().map(copy).max().unwrap_or(0);
        // Two at a time, the last one alone.
        let sweep = copies.div_ceil(u64::from(SLOTS)).saturating_add(longest_copy / 2).max(longest_copy);
        Self {
            service,
            databases,
            fulls: backups.iter().filter(|backup| backup.after_full.is_none()).count() as u64,
            differentials: differentials.count() as u64,
            full: groups.iter().map(|group| backup(group, group.bytes_in(days))).collect(),
            differential: groups
                .iter()
                .map(|group| backup(group, group.log_bytes(hours(oldest)).min(group.bytes_in(days))))
                .collect(),
            copy: longest_copy,
            every,
            sweep,
            open: calendar.open,
        }
    }

    /// Seconds of the longest full.
    pub(super) fn longest_full(&self) -> u64 {
        self.full.iter().map(|task| task.seconds).max().unwrap_or(0)
    }

    /// Seconds of a full of each database, slots taken one after the other.
    fn all(tasks: &[Task]) -> u64 {
        tasks.iter().map(|task| task.count.saturating_mul(task.seconds)).fold(0, u64::saturating_add)
    }

    /// Slot minutes a week of data backups.
    fn data_minutes(&self) -> u64 {
        let fulls = self.fulls.saturating_mul(Self::all(&self.full));
        let differentials = self.differentials.saturating_mul(Self::all(&self.differential));
        fulls.saturating_add(differentials).div_ceil(60 * WEEKS)
    }

    /// Slot minutes a week of log copies.
    fn copy_minutes(&self) -> u64 {
        let sweeps = (WEEK_MINUTES * 60).div_ceil(self.every.max(60));
        sweeps.saturating_mul(self.sweep.saturating_mul(u64::from(SLOTS))).div_ceil(60)
    }

    /// What the slots have to carry and can carry.
    pub(super) fn slots(&self) -> Slots {
        Slots {
            data_minutes: self.data_minutes(),
            data_available_minutes: self.open.minutes * u64::from(SLOTS),
            copy_minutes: self.copy_minutes(),
            available_minutes: WEEK_MINUTES * u64::from(SLOTS),
            longest_full_minutes: self.longest_full().div_ceil(60),
            longest_open_minutes: self.open.longest,
            sweep_minutes: self.sweep.div_ceil(60),
        }
    }

    /// Seconds from the moment at which the fulls of all databases are due to the end of the last one: log copies go first and
    /// take their share of the slots, and windows hold them up.
    pub(super) fn fulls_done(&self) -> u64 {
        let all = Self::all(&self.full).div_ceil(u64::from(SLOTS)).saturating_add(self.longest_full());
        let share = u128::from(self.sweep.min(self.every * 9 / 10));
        let left = u128::from(self.every.max(1)) - share;
        let stretched = u128::from(all) * u128::from(self.every.max(1)) / left.max(1);
        let stretched = u64::try_from(stretched).unwrap_or(u64::MAX).saturating_add(self.sweep);
        // A window on the way holds up what would not end before it, and that is at most one backup.
        let days = stretched / (24 * 60 * 60) + 1;
        let held = self.open.longest_closed.saturating_mul(60).saturating_add(self.longest_full());
        stretched.saturating_add(if self.open.longest.is_some() { days.saturating_mul(held) } else { 0 })
    }

    /// Seconds that a log copy waits at most for data backups that began before it: of its own database to the end, of others
    /// until a slot is free behind those that the service's queue holds.
    pub(super) fn behind_data(&self, queue: u64) -> u64 {
        let mut longest: Vec<u64> = Vec::new();
        let with_differentials: &[Task] = if self.differentials > 0 { &self.differential } else { &[] };
        for (at, full) in self.full.iter().enumerate() {
            let differential = with_differentials.get(at).map_or(0, |task| task.seconds);
            let each = if self.fulls > 0 { full.seconds.max(differential) } else { differential };
            longest.extend((0..full.count.min(queue)).map(|_| each));
        }
        longest.sort_unstable_by_key(|seconds| std::cmp::Reverse(*seconds));
        let others: u64 = longest.iter().skip(1).take(usize::try_from(queue).unwrap_or(4) - 1).sum();
        longest.first().copied().unwrap_or(0).saturating_add(others.div_ceil(u64::from(SLOTS)))
    }
}

fn hours(seconds: u64) -> f64 {
    seconds as f64 / 3_600.0
}

/// Slots of an instance in a week, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Slots {
    /// Needed by fulls and differentials.
    pub data_minutes: u64,
    /// Open to them: outside windows and guards.
    pub data_available_minutes: u64,
    /// Needed by log copies.
    pub copy_minutes: u64,
    /// There are.
    pub available_minutes: u64,
    /// The longest full, from its call to its end.
    pub longest_full_minutes: u64,
    /// The longest time between two windows or guards; `None` where there are none.
    pub longest_open_minutes: Option<u64>,
    /// A copy of each database's logs, one after the other.
    pub sweep_minutes: u64,
}
