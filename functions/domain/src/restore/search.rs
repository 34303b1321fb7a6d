//! The search for a way, over as many recovery forks as it takes.
//!
//! A fork is entered by a log that crosses into it, and whether a restore gets over such a log depends on the log alone. So each
//! is tried once for a plan, and what is being tried lies on a stack of its own: a hostile history may chain forks without end.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Planner;
use super::ground::entered_at;
use super::route::{Arrival, Begin, Places, Route};

/// What is known of a log that crosses a fork.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crossing {
    /// It is being tried, or leads nowhere.
    Closed,
    /// A restore gets over it.
    Open,
}

/// What a plan has found out so far.
pub(super) struct Search<'b> {
    begin: &'b Begin,
    crossings: BTreeMap<u32, Crossing>,
}

impl<'b> Search<'b> {
    pub(super) const fn new(begin: &'b Begin) -> Self {
        Self { begin, crossings: BTreeMap::new() }
    }
}

/// One fork on the way, seen from its end.
struct Frame {
    track: u32,
    /// Where it has to be reached.
    places: Places,
    /// With nothing that ends after this moment.
    at: Timestamp,
    /// Logs that lead on from there, the last first.
    behind: Vec<u32>,
    /// Crossing logs before this place in the fork's list are still to be tried.
    untried: usize,
    /// The crossing log that leads on from this fork.
    leaves_by: Option<u32>,
}

impl Planner<'_> {
    /// The way to a log that leads to another fork, and over it.
    pub(super) fn across(&self, search: &mut Search<'_>, row: u32) -> Option<Arrival> {
        if search.crossings.get(&row) == Some(&Crossing::Closed) {
            return None;
        }
        let first = self.frame_before(row);
        let mut arrival = self.walk(search, first)?;
        arrival.position = self.backup(row).last_lsn;
        Some(arrival)
    }

    /// Whether a restore gets over a log that leads to another fork.
    pub(super) fn is_open(&self, search: &mut Search<'_>, row: u32) -> bool {
        search.crossings.get(&row) == Some(&Crossing::Open) || self.across(search, row).is_some()
    }

    /// A way to any of some places of a fork, with nothing that ends after a moment.
    pub(super) fn arrive(
        &self,
        search: &mut Search<'_>,
        track: u32,
        places: Places,
        at: Timestamp,
    ) -> Option<Arrival> {
        self.walk(search, self.frame(track, places, at, None))
    }

    fn frame(&self, track: u32, places: Places, at: Timestamp, leaves_by: Option<u32>) -> Frame {
        let untried = self.crossings_up_to(track, places);
        Frame { track, places, at, behind: Vec::new(), untried, leaves_by }
    }

    /// The fork that a crossing log leaves, up to its fork point.
    fn frame_before(&self, row: u32) -> Frame {
        let (log, entry) = (self.backup(row), self.rows.forks[row as usize].entry);
        let end = log.fork_point_lsn.map_or(log.last_lsn, |point| point.min(log.last_lsn));
        self.frame(entry, Places::within(log.first_lsn, end), Timestamp::MAX, Some(row))
    }

    fn crossings_up_to(&self, track: u32, places: Places) -> usize {
        let crossings = &self.track(track).crossings;
        crossings.partition_point(|row| places.is_at_most_high(self.backup(*row).last_lsn))
    }

    fn walk(&self, search: &mut Search<'_>, first: Frame) -> Option<Arrival> {
        search.crossings.extend(first.leaves_by.map(|row| (row, Crossing::Closed)));
        let mut frames = vec![first];
        loop {
            let frame = frames.last_mut()?;
            if let Some(beginning) = self.begins_in(search.begin, frame.track, frame.places, frame.at) {
                return Some(self.way_back(search, frames, beginning));
            }
            if let Some(row) = self.next_crossing(search, frame) {
                search.crossings.insert(row, Crossing::Closed);
                frames.push(self.frame_before(row));
                continue;
            }
            match self.lowest_ending_in(frame.track, frame.places, frame.at) {
                Some(row) => {
                    frame.behind.push(row);
                    frame.places = frame.places.below(self.backup(row).first_lsn);
                    frame.untried = self.crossings_up_to(frame.track, frame.places);
                }
                None => {
                    frames.pop();
                }
            }
        }
    }

    /// The way from its beginning, in the last frame, to the end of the first.
    fn way_back(&self, search: &mut Search<'_>, frames: Vec<Frame>, beginning: Arrival) -> Arrival {
        let Arrival { mut route, mut position } = beginning;
        for frame in frames.into_iter().rev() {
            route.logs.extend(frame.behind.iter().rev());
            route.logs.extend(frame.leaves_by);
            let last = frame.leaves_by.or(frame.behind.first().copied());
            position = last.map_or(position, |row| self.backup(row).last_lsn);
            search.crossings.extend(frame.leaves_by.map(|row| (row, Crossing::Open)));
        }
        Arrival { route, position }
    }

    /// The nearest beginning at one of the places.
    fn begins_in(&self, begin: &Begin, track: u32, places: Places, at: Timestamp) -> Option<Arrival> {
        match begin {
            Begin::Nowhere => None,
            Begin::At(standing) => {
                let here = places.hold(standing.lsn) && standing.is_on(track, at);
                here.then(|| Arrival { route: Route::default(), position: standing.lsn })
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

    /// The nearest log that leads here from another fork, ends at one of the places and was not tried in vain.
    fn next_crossing(&self, search: &Search<'_>, frame: &mut Frame) -> Option<u32> {
        let crossings = &self.track(frame.track).crossings;
        while let Some(row) = frame.untried.checked_sub(1).map(|at| crossings[at]) {
            let log = self.backup(row);
            if log.last_lsn < frame.places.low {
                return None;
            }
            frame.untried -= 1;
            let in_time = log.certain_at().max(entered_at(log)) <= frame.at;
            if in_time && search.crossings.get(&row) != Some(&Crossing::Closed) {
                return Some(row);
            }
        }
        None
    }

    /// Of the logs that end at one of the places, the one that begins lowest; none where all of them begin there.
    fn lowest_ending_in(&self, track: u32, places: Places, at: Timestamp) -> Option<u32> {
        let logs = &self.track(track).logs;
        let ending = logs[self.track(track).ending_from(&self.rows, places.low)..]
            .iter()
            .take_while(|row| places.is_at_most_high(self.backup(**row).last_lsn))
            .filter(|row| self.backup(**row).certain_at() <= at);
        let lowest = ending.min_by_key(|row| self.backup(**row).first_lsn)?;
        (self.backup(*lowest).first_lsn < places.low).then_some(*lowest)
    }
}
