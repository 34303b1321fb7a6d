//! Where can a restore begin, and which logs lie where? Positions into the rows of a lineage, by recovery fork.
//!
//! Built in one pass. Logs of a fork keep the order of their `last_lsn`, which is that of the lineage, so every search is a
//! binary one. Refuses to know which of them make a way (`route`).

use std::cell::OnceCell;

use jiff::Timestamp;

use crate::backup::Backup;
use crate::coverage::Reach;
use crate::coverage::rows::{Role, Rows};
use crate::lsn::Lsn;

/// No log.
const NONE: u32 = u32::MAX;

/// One recovery fork.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Readable logs that stay on the fork, by `last_lsn`.
    pub(super) logs: Vec<u32>,
    /// For each prefix of `logs` its latest moment; empty while moments rise with LSNs, as they do unless a clock jumped.
    latest: Vec<Timestamp>,
    /// For each suffix of `logs` the log that begins lowest of those that can be stopped inside; [`NONE`] where there is none.
    /// Only moments in holes need it, so it waits for the first.
    lowest: OnceCell<Vec<u32>>,
    /// Data backups that begin a restore here, by `last_lsn`.
    pub(super) anchors: Vec<u32>,
    /// Readable logs that lead here from another fork, by `last_lsn`.
    pub(super) crossings: Vec<u32>,
    /// The first moment known of the fork.
    begins: Option<Timestamp>,
}

/// All forks of a lineage.
pub(super) struct Ground {
    pub(super) tracks: Vec<Track>,
    /// Forks by the moment they began, the last first.
    begun: Vec<(Timestamp, u32)>,
    /// (finish, row) of data backups that restore alone, sorted.
    ends: Vec<(Timestamp, u32)>,
    /// Data backups that would begin a restore but for a defect or a missing base, by `last_lsn`.
    unusable: Vec<u32>,
    /// The fork of the newest backup.
    pub(super) newest_track: u32,
    /// The first log that reaches less far than one before it: a clock was put back.
    pub(super) clock_jump: Option<u32>,
}

/// The first moment that is certainly on the fork a crossing log leads to.
pub(super) fn entered_at(log: &Backup) -> Timestamp {
    if log.bulk_logged { log.finished } else { log.started.min(log.finished) }
}

impl Track {
    /// Moments rise with LSNs until a clock jumps back; from then on the latest of each prefix is kept.
    fn push_log(&mut self, row: u32, reaches: Timestamp, latest: Timestamp) {
        if !self.latest.is_empty() {
            self.latest.push(latest.max(reaches));
        }
        self.logs.push(row);
    }

    fn note_jump(&mut self, rows: &Rows<'_>) {
        let mut latest = Timestamp::MIN;
        self.latest = self
            .logs
            .iter()
            .map(|row| {
                latest = latest.max(rows.columns.moments[*row as usize]);
                latest
            })
            .collect();
    }

    fn begin(&mut self, at: Timestamp) {
        self.begins = Some(self.begins.map_or(at, |begins| begins.min(at)));
    }

    /// The first log, in order, that reaches a moment; the number of logs where none does.
    pub(super) fn first_reaching(&self, rows: &Rows<'_>, at: Timestamp) -> usize {
        if self.latest.is_empty() {
            return self.logs.partition_point(|row| rows.columns.moments[*row as usize] < at);
        }
        self.latest.partition_point(|latest| *latest < at)
    }

    /// Of the logs from a place in the order on, the one that begins lowest and reaches a moment in which it can be stopped.
    pub(super) fn lowest_behind(&self, rows: &Rows<'_>, from: usize, at: Timestamp) -> Option<u32> {
        let backup = |row: u32| &rows.backups[row as usize];
        let lower = |lowest: u32, row: u32| {
            let lower = lowest == NONE || backup(row).first_lsn <= backup(lowest).first_lsn;
            if lower && !backup(row).bulk_logged { row } else { lowest }
        };
        if !self.latest.is_empty() {
            // The clock jumped: a later log may end before the moment.
            let reaching = self.logs[from..].iter().rev().filter(|row| backup(**row).reaches() >= at);
            return Some(reaching.fold(NONE, |lowest, row| lower(lowest, *row))).filter(|row| *row != NONE);
        }
        let lowest = self.lowest.get_or_init(|| {
            let mut lowest = NONE;
            let mut suffixes: Vec<u32> = self
                .logs
                .iter()
                .rev()
                .map(|row| {
                    lowest = lower(lowest, *row);
                    lowest
                })
                .collect();
            suffixes.reverse();
            suffixes
        });
        lowest.get(from).copied().filter(|row| *row != NONE)
    }

    /// Where logs that end at or behind an LSN begin.
    pub(super) fn ending_from(&self, rows: &Rows<'_>, lsn: Lsn) -> usize {
        self.logs.partition_point(|row| rows.backups[*row as usize].last_lsn < lsn)
    }
}

impl Ground {
    pub(super) fn new(rows: &Rows<'_>, reach: Reach) -> Self {
        let mut ground = Self {
            tracks: (0..rows.track_count).map(|_| Track::default()).collect(),
            begun: Vec::new(),
            ends: Vec::new(),
            unusable: Vec::new(),
            newest_track: 0,
            clock_jump: None,
        };
        let newest = rows.columns.newest(reach == Reach::Vault);
        ground.newest_track = newest.map_or(0, |row| rows.forks[row as usize].exit);
        let mut latest = vec![Timestamp::MIN; rows.track_count];
        let columns = rows.roles.iter().zip(&rows.columns.moments).zip(rows.forks);
        for (number, ((role, moment), forks)) in (0_u32..).zip(columns) {
            // Wide rows are read only where the columns do not tell.
            let backup = || &rows.backups[number as usize];
            if rows.has_service && !reach.holds(backup()) {
                continue;
            }
            let track = &mut ground.tracks[forks.exit as usize];
            match role {
                Role::Log if forks.entry != forks.exit => {
                    track.crossings.push(number);
                    track.begin(entered_at(backup()));
                }
                Role::Log => {
                    let before = latest[forks.exit as usize];
                    if *moment < before {
                        ground.clock_jump.get_or_insert(number);
                        if track.latest.is_empty() {
                            track.note_jump(rows);
                        }
                    }
                    track.push_log(number, *moment, before);
                    latest[forks.exit as usize] = before.max(*moment);
                    if track.begins.is_none() {
                        track.begin(backup().started.min(backup().finished));
                    }
                }
                Role::Anchor => {
                    track.anchors.push(number);
                    track.begin(*moment);
                    ground.ends.push((*moment, number));
                }
                Role::Alone => ground.ends.push((*moment, number)),
                Role::Broken if backup().kind.is_data() => ground.unusable.push(number),
                Role::Orphan => ground.unusable.push(number),
                Role::Broken | Role::Snapshot => {}
            }
        }
        ground.ends.sort_unstable();
        let begun = (0_u32..).zip(&ground.tracks).filter_map(|(number, track)| Some((track.begins?, number)));
        ground.begun = begun.collect();
        ground.begun.sort_unstable_by(|left, right| right.cmp(left));
        ground
    }

    /// The forks that began by a moment, the last first.
    pub(super) fn begun_by(&self, at: Timestamp) -> impl Iterator<Item = u32> {
        let from = self.begun.partition_point(|(begins, _)| *begins > at);
        self.begun[from..].iter().map(|(_, track)| *track)
    }

    /// The data backup that ends on a moment: of several the one with the highest LSN.
    pub(super) fn ends_on(&self, rows: &Rows<'_>, at: Timestamp) -> Option<u32> {
        let from = self.ends.partition_point(|(finished, _)| *finished < at);
        let here = self.ends[from..].iter().take_while(|(finished, _)| *finished == at);
        // Rows are ordered by LSN; a full known from its task alone has none, and proves least.
        here.map(|(_, row)| *row).max_by_key(|row| (rows.roles[*row as usize] == Role::Anchor, *row))
    }

    /// A log that left the fork of the newest backup although that goes on: clocks say so, LSNs cannot.
    pub(super) fn left_by(&self, rows: &Rows<'_>) -> Option<u32> {
        let leaves = |row: &&u32| rows.forks[**row as usize].entry == self.newest_track;
        self.tracks.iter().flat_map(|track| &track.crossings).filter(leaves).max().copied()
    }

    /// The newest data backup between an anchor and a moment that cannot be used, and how many there are.
    pub(super) fn passed_over(
        &self,
        rows: &Rows<'_>,
        anchor: &Backup,
        until: Timestamp,
    ) -> Option<(u32, usize)> {
        let lsn = |row: &u32| rows.backups[*row as usize].last_lsn;
        let from = self.unusable.partition_point(|row| lsn(row) <= anchor.last_lsn);
        let between = self.unusable[from..].iter().filter(|row| {
            let backup = &rows.backups[**row as usize];
            backup.finished > anchor.finished && backup.finished <= until
        });
        let (mut newest, mut count) = (None, 0);
        for row in between {
            (newest, count) = (Some(*row), count + 1);
        }
        newest.map(|row| (row, count))
    }
}
