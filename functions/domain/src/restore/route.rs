//! Which data backup and which logs lead to a place in the log? Searched backwards, from the place wanted.
//!
//! To stand anywhere in `[low, high]` of a fork, a restore begins with a data backup that ends there, or arrives by a log
//! that ends there. Of those logs the one that begins lowest is taken: whatever way leads into a lower place leads into its
//! beginning, because logs apply to every position they hold. So no log is ever put back, and the way found is the shortest
//! from the nearest data backup that serves. Forks left and entered are searched in `search`.

use jiff::Timestamp;

use super::Planner;
use super::ground::{Track, entered_at};
use super::search::Search;
use crate::backup::{Backup, Evidence};
use crate::chain::State;
use crate::coverage::rows::Rows;
use crate::lsn::Lsn;

/// Where a restore begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begin {
    /// With a data backup.
    Anchor,
    /// With a database that is restoring already.
    At(Standing),
    /// On a fork that no backup of the history knows.
    Nowhere,
}

/// A database that is restoring already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) lsn: Lsn,
    /// Its fork, where that is known; otherwise it is on whichever goes on from there.
    fork: Option<u32>,
    /// For each fork, the moment its content is at least from: it was there when the first backup that ends at the LSN reached it.
    since: Vec<Option<Timestamp>>,
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
pub(super) struct Arrival {
    pub(super) route: Route,
    pub(super) position: Lsn,
}

/// Positions from `low` up to `high`, which is or is not among them.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) low: Lsn,
    high: Lsn,
    with_high: bool,
}

impl Places {
    pub(super) const fn within(low: Lsn, high: Lsn) -> Self {
        Self { low, high, with_high: true }
    }

    /// Those from a lower LSN on that are below all of these.
    pub(super) const fn below(self, low: Lsn) -> Self {
        Self { low, high: self.low, with_high: false }
    }

    pub(super) fn hold(&self, lsn: Lsn) -> bool {
        self.low <= lsn && self.is_at_most_high(lsn)
    }

    pub(super) fn is_at_most_high(&self, lsn: Lsn) -> bool {
        if self.with_high { lsn <= self.high } else { lsn < self.high }
    }
}

impl Begin {
    pub(super) fn of(state: Option<&State>, rows: &Rows<'_>) -> Self {
        let Some(state) = state else { return Self::Anchor };
        let fork = match &state.fork {
            None => None,
            Some(fork) => match rows.track_of(fork) {
                Some(track) => Some(track),
                // A history without forks cannot contradict the one that is asked for.
                None if rows.is_forkless() => None,
                None => return Self::Nowhere,
            },
        };
        // What lies below proves nothing: a backup writes log records of its own, and moments are those of commits.
        let mut since = vec![None; rows.track_count];
        let here = rows.backups.partition_point(|backup| backup.last_lsn < state.redo_lsn);
        for (backup, forks) in rows.backups[here..].iter().zip(&rows.forks[here..]) {
            if backup.last_lsn > state.redo_lsn {
                break;
            }
            if backup.evidence == Evidence::History {
                let known: &mut Option<Timestamp> = &mut since[forks.exit as usize];
                *known = Some(known.unwrap_or(Timestamp::MAX).min(backup.reaches()));
            }
        }
        Self::At(Standing { lsn: state.redo_lsn, fork, since })
    }
}

impl Standing {
    /// Whether it may be on a fork, with nothing that is later than a moment.
    pub(super) fn is_on(&self, track: u32, at: Timestamp) -> bool {
        self.fork.is_none_or(|fork| fork == track) && self.since(track).is_none_or(|since| since <= at)
    }

    /// The moment its content is at least from, where that is later than another on every fork it may be on.
    pub(super) fn later_than(&self, at: Timestamp) -> Option<Timestamp> {
        let forks =
            (0_u32..).zip(&self.since).filter(|(track, _)| self.fork.is_none_or(|fork| fork == *track));
        forks.map(|(_, since)| since.filter(|since| *since > at)).min().flatten()
    }

    /// The moment its content is at least from, where a backup of the fork proves one.
    pub(super) fn since(&self, track: u32) -> Option<Timestamp> {
        self.since.get(track as usize).copied().flatten()
    }
}

impl Route {
    /// A data backup and nothing else.
    pub(super) const fn alone(row: u32) -> Self {
        Self { anchor: Some(row), logs: Vec::new() }
    }
}

impl Planner<'_> {
    pub(super) fn track(&self, track: u32) -> &Track {
        &self.ground.tracks[track as usize]
    }

    /// The way to a moment of a fork.
    pub(super) fn route_to_moment(
        &self,
        search: &mut Search<'_>,
        track: u32,
        at: Timestamp,
    ) -> Option<Route> {
        // A log that leads here and reaches the moment is the last one.
        for row in self.track(track).crossings.iter().rev() {
            let log = self.backup(*row);
            if (entered_at(log)..=log.certain_at()).contains(&at)
                && let Some(arrival) = self.across(search, *row)
            {
                return Some(arrival.route);
            }
        }
        let logs = &self.track(track).logs;
        let reaching = self.track(track).first_reaching(&self.rows, at);
        // Nearest first: the logs that end where the first one to reach the moment does, and what ends exactly on it.
        let end = logs.get(reaching).map(|row| self.backup(*row).last_lsn);
        let near = logs[reaching..].iter().map(|row| (*row, self.backup(*row)));
        for (row, log) in near.take_while(|(_, log)| Some(log.last_lsn) == end || log.certain_at() <= at) {
            // Where it cannot be stopped it still shows that nothing followed what ends where it does.
            let stops = !log.bulk_logged || log.finished <= at;
            let first = if stops { log.first_lsn } else { log.last_lsn };
            let until = if stops { log.certain_at() } else { log.reaches() };
            if until >= at
                && let Some(route) = self.route_through(search, track, (row, first), at)
            {
                return Some(route);
            }
        }
        // Only a log that begins lower than all those tried can still help.
        let lowest = self.track(track).lowest_behind(&self.rows, reaching, at)?;
        self.route_through(search, track, (lowest, self.backup(lowest).first_lsn), at)
    }

    /// The way to the end of a log or to a moment inside it, from an LSN on that it holds.
    fn route_through(
        &self,
        search: &mut Search<'_>,
        track: u32,
        log: (u32, Lsn),
        at: Timestamp,
    ) -> Option<Route> {
        let (row, first) = log;
        let (log, last) = (self.backup(row), self.backup(row).last_lsn);
        // A log that is not applied shows only what happened until the last commit it tells of.
        let places = Places { with_high: log.reaches() >= at, ..Places::within(first, last) };
        let mut arrival = self.arrive(search, track, places, at)?;
        if arrival.position < last {
            arrival.route.logs.push(row);
        }
        Some(arrival.route)
    }

    /// The way to the very LSN, without a limit of time.
    pub(super) fn route_to_end(&self, search: &mut Search<'_>, track: u32, lsn: Lsn) -> Option<Route> {
        let places = Places::within(lsn, lsn);
        let arrival = self.arrive(search, track, places, Timestamp::MAX)?;
        Some(arrival.route)
    }

    /// The way to an LSN, and whether it lies inside the last log instead of at the end of what is restored.
    pub(super) fn route_to_lsn(
        &self,
        search: &mut Search<'_>,
        track: u32,
        lsn: Lsn,
    ) -> Option<(Route, bool)> {
        if let Some(route) = self.route_to_end(search, track, lsn) {
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
        let mut arrival = self.arrive(search, track, places, Timestamp::MAX)?;
        arrival.route.logs.push(row);
        Some((arrival.route, true))
    }

    /// Until when the state at an LSN of a fork is known to have lasted: by the backup that ends there, or by logs that show
    /// that nothing followed.
    pub(super) fn shown_until(&self, track: u32, route: &Route, lsn: Lsn) -> Timestamp {
        let logs = &self.track(track).logs;
        let from = self.track(track).ending_from(&self.rows, lsn);
        let here = logs[from..].iter().map(|row| self.backup(*row)).take_while(|log| log.last_lsn == lsn);
        let steps = route.anchor.iter().chain(&route.logs).map(|row| self.backup(*row));
        let ends: Option<Timestamp> = steps.map(Backup::certain_at).max();
        here.map(Backup::reaches).chain(ends).max().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
