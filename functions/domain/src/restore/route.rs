//! Which data backup and which logs lead to a place in the log? Searched backwards, from the place wanted.
//!
//! To stand anywhere in `[low, high]` of a fork, a restore begins with a data backup that ends there, or arrives by a log
//! that ends there. Of those logs the one that begins lowest is taken: whatever way leads into a lower place leads into its
//! beginning, because logs apply to every position they hold. So no choice is ever taken back, each log is looked at once,
//! and the way found is the shortest from the nearest data backup that serves.

use jiff::Timestamp;

use super::Planner;
use super::ground::{Track, entered_at, moment_of};
use crate::backup::Backup;
use crate::chain::State;
use crate::coverage::rows::Rows;
use crate::lsn::Lsn;

/// Where a restore begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With a data backup.
    Anchor,
    /// With a database that stands at an LSN, on a fork where it is known; `None`: on whichever fork goes on from there.
    At(Lsn, Option<u32>),
    /// On a fork that no backup of the history knows.
    Nowhere,
}

/// Rows in the order of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Route {
    /// The data backup it begins with.
    pub(super) anchor: Option<u32>,
    /// Then these logs.
    pub(super) logs: Vec<u32>,
}

/// A way and where it ends.
struct Arrival {
    route: Route,
    position: Lsn,
}

/// Positions from `low` up to `high`, which is or is not among them.
#[derive(Clone, Copy)]
struct Places {
    low: Lsn,
    high: Lsn,
    with_high: bool,
}

impl Places {
    const fn within(low: Lsn, high: Lsn) -> Self {
        Self { low, high, with_high: true }
    }

    fn hold(&self, lsn: Lsn) -> bool {
        self.low <= lsn && self.is_at_most_high(lsn)
    }

    fn is_at_most_high(&self, lsn: Lsn) -> bool {
        if self.with_high { lsn <= self.high } else { lsn < self.high }
    }
}

impl Begin {
    pub(super) fn of(state: Option<&State>, rows: &Rows<'_>) -> Self {
        let Some(state) = state else { return Self::Anchor };
        match &state.fork {
            None => Self::At(state.redo_lsn, None),
            Some(fork) => match rows.track_of(fork) {
                Some(track) => Self::At(state.redo_lsn, Some(track)),
                // A history without forks cannot contradict the one that is asked for.
                None if rows.is_forkless() => Self::At(state.redo_lsn, None),
                None => Self::Nowhere,
            },
        }
    }
}

impl Route {
    /// A data backup and nothing else.
    pub(super) const fn alone(row: u32) -> Self {
        Self { anchor: Some(row), logs: Vec::new() }
    }
}

impl Planner<'_> {
    fn track(&self, track: u32) -> &Track {
        &self.ground.tracks[track as usize]
    }

    /// The way to a moment of a fork.
    pub(super) fn route_to_moment(&self, begin: &Begin, track: u32, at: Timestamp) -> Option<Route> {
        // A log that leads here and reaches the moment is the last one.
        for row in self.track(track).crossings.iter().rev() {
            let log = self.backup(*row);
            if (entered_at(log)..=moment_of(log)).contains(&at)
                && let Some(arrival) = self.across(begin, *row, &mut Vec::new())
            {
                return Some(arrival.route);
            }
        }
        let logs = &self.track(track).logs;
        let reaching = self.track(track).first_reaching(&self.rows, at);
        // Nearest first: the logs that end where the first one to reach the moment does, and what ends exactly on it.
        let end = logs.get(reaching).map(|row| self.backup(*row).last_lsn);
        let near = logs[reaching..].iter().map(|row| (*row, self.backup(*row)));
        for (row, log) in near.take_while(|(_, log)| Some(log.last_lsn) == end || moment_of(log) <= at) {
            // Where it cannot be stopped it still shows that nothing followed what ends where it does.
            let stops = !log.bulk_logged || log.finished <= at;
            let first = if stops { log.first_lsn } else { log.last_lsn };
            let until = if stops { moment_of(log) } else { log.reaches() };
            if until >= at
                && let Some(route) = self.route_through(begin, track, (row, first), at)
            {
                return Some(route);
            }
        }
        // Only a log that begins lower than all those tried can still help.
        let lowest = self.track(track).lowest_behind(&self.rows, reaching, at)?;
        self.route_through(begin, track, (lowest, self.backup(lowest).first_lsn), at)
    }

    /// The way to the end of a log or to a moment inside it, from an LSN on that it holds.
    fn route_through(&self, begin: &Begin, track: u32, log: (u32, Lsn), at: Timestamp) -> Option<Route> {
        let (row, first) = log;
        let (log, last) = (self.backup(row), self.backup(row).last_lsn);
        // A log that is not applied shows only what happened until the last commit it tells of.
        let places = Places { with_high: log.reaches() >= at, ..Places::within(first, last) };
        let mut arrival = self.arrive(begin, track, places, at, &mut Vec::new())?;
        if arrival.position < last {
            arrival.route.logs.push(row);
        }
        Some(arrival.route)
    }

    /// The way to the very LSN, without a limit of time.
    pub(super) fn route_to_end(&self, begin: &Begin, track: u32, lsn: Lsn) -> Option<Route> {
        let places = Places::within(lsn, lsn);
        let arrival = self.arrive(begin, track, places, Timestamp::MAX, &mut Vec::new())?;
        Some(arrival.route)
    }

    /// The way to an LSN, and whether it lies inside the last log instead of at the end of what is restored.
    pub(super) fn route_to_lsn(&self, begin: &Begin, track: u32, lsn: Lsn) -> Option<(Route, bool)> {
        if let Some(route) = self.route_to_end(begin, track, lsn) {
            return Some((route, false));
        }
        let logs = &self.track(track).logs;
        let behind = self.track(track).ending_from(&self.rows, lsn);
        let holding = logs[behind..].iter().filter(|row| {
            let log = self.backup(**row);
            log.first_lsn < lsn && lsn < log.last_lsn && !log.bulk_logged
        });
        let row = *holding.min_by_key(|row| self.backup(**row).first_lsn)?;
        let places = Places::within(self.backup(row).first_lsn, lsn);
        let mut arrival = self.arrive(begin, track, places, Timestamp::MAX, &mut Vec::new())?;
        arrival.route.logs.push(row);
        Some((arrival.route, true))
    }

    /// The way to a log that leads to another fork, and over it.
    pub(super) fn across_to(&self, begin: &Begin, row: u32) -> Option<Route> {
        self.across(begin, row, &mut Vec::new()).map(|arrival| arrival.route)
    }

    fn across(&self, begin: &Begin, row: u32, tried: &mut Vec<u32>) -> Option<Arrival> {
        if tried.contains(&row) {
            return None;
        }
        tried.push(row);
        let (log, entry) = (self.backup(row), self.rows.forks[row as usize].entry);
        let end = log.fork_point_lsn.map_or(log.last_lsn, |point| point.min(log.last_lsn));
        let places = Places::within(log.first_lsn, end);
        let mut arrival = self.arrive(begin, entry, places, Timestamp::MAX, tried)?;
        arrival.route.logs.push(row);
        arrival.position = log.last_lsn;
        Some(arrival)
    }

    /// A way to any of some places of a fork, with nothing that ends after a moment.
    fn arrive(
        &self,
        begin: &Begin,
        track: u32,
        mut places: Places,
        at: Timestamp,
        tried: &mut Vec<u32>,
    ) -> Option<Arrival> {
        // The logs behind the beginning, the last first.
        let mut behind: Vec<u32> = Vec::new();
        let mut beginning = loop {
            if let Some(arrival) = self.begins_in(begin, track, places, at) {
                break arrival;
            }
            if let Some(arrival) = self.enters_in(begin, track, places, at, tried) {
                break arrival;
            }
            let row = self.lowest_ending_in(track, places, at)?;
            behind.push(row);
            places = Places { low: self.backup(row).first_lsn, high: places.low, with_high: false };
        };
        if let Some(last) = behind.first() {
            beginning.position = self.backup(*last).last_lsn;
        }
        beginning.route.logs.extend(behind.iter().rev());
        Some(beginning)
    }

    /// The nearest beginning at one of the places.
    fn begins_in(&self, begin: &Begin, track: u32, places: Places, at: Timestamp) -> Option<Arrival> {
        match *begin {
            Begin::Nowhere => None,
            Begin::At(lsn, fork) => {
                let here = places.hold(lsn) && fork.is_none_or(|fork| fork == track);
                here.then(|| Arrival { route: Route::default(), position: lsn })
            }
            Begin::Anchor => {
                let anchors = &self.track(track).anchors;
                let beyond =
                    anchors.partition_point(|row| places.is_at_most_high(self.backup(*row).last_lsn));
                let anchor = anchors[..beyond]
                    .iter()
                    .rev()
                    .take_while(|row| self.backup(**row).last_lsn >= places.low)
                    .find(|row| self.backup(**row).finished <= at)?;
                Some(Arrival { route: Route::alone(*anchor), position: self.backup(*anchor).last_lsn })
            }
        }
    }

    /// The nearest log that leads here from another fork and ends at one of the places.
    fn enters_in(
        &self,
        begin: &Begin,
        track: u32,
        places: Places,
        at: Timestamp,
        tried: &mut Vec<u32>,
    ) -> Option<Arrival> {
        let crossings = &self.track(track).crossings;
        let beyond = crossings.partition_point(|row| places.is_at_most_high(self.backup(*row).last_lsn));
        crossings[..beyond]
            .iter()
            .rev()
            .take_while(|row| self.backup(**row).last_lsn >= places.low)
            .filter(|row| moment_of(self.backup(**row)).max(entered_at(self.backup(**row))) <= at)
            .find_map(|row| self.across(begin, *row, tried))
    }

    /// Of the logs that end at one of the places, the one that begins lowest; none where all of them begin there.
    fn lowest_ending_in(&self, track: u32, places: Places, at: Timestamp) -> Option<u32> {
        let logs = &self.track(track).logs;
        let ending = logs[self.track(track).ending_from(&self.rows, places.low)..]
            .iter()
            .take_while(|row| places.is_at_most_high(self.backup(**row).last_lsn))
            .filter(|row| moment_of(self.backup(**row)) <= at);
        let lowest = ending.min_by_key(|row| self.backup(**row).first_lsn)?;
        (self.backup(*lowest).first_lsn < places.low).then_some(*lowest)
    }

    /// Until when the state at an LSN of a fork is known to have lasted: by the backup that ends there, or by logs that show
    /// that nothing followed.
    pub(super) fn shown_until(&self, track: u32, route: &Route, lsn: Lsn) -> Timestamp {
        let logs = &self.track(track).logs;
        let from = self.track(track).ending_from(&self.rows, lsn);
        let here = logs[from..].iter().map(|row| self.backup(*row)).take_while(|log| log.last_lsn == lsn);
        let steps = route.anchor.iter().chain(&route.logs).map(|row| self.backup(*row));
        let ends: Option<Timestamp> = steps.map(moment_of).max();
        here.map(Backup::reaches).chain(ends).max().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
