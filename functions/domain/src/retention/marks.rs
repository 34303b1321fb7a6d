//! The marks that were put on a lineage: what for, until when, and what has ended.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::words::{For, Why};
use crate::backup::Backup;
use crate::lsn::Lsn;

/// The marks of a lineage.
pub(super) struct Marks {
    /// (row, why), in no order; a row may be marked more than once.
    pub(super) kept: Vec<(u32, Why)>,
    /// What was said of a data backup and has ended: (row, what, when).
    pub(super) ended: Vec<(u32, For, Timestamp)>,
    /// The same as it would be if every obstacle to reading were gone.
    pub(super) ended_lifted: Vec<(u32, For, Timestamp)>,
    /// Data backups with which the window will begin one day, until when it then does: (row, when).
    pub(super) later: Vec<(u32, Option<Timestamp>)>,
    /// Where promised windows begin: (fork, where the way arrives on it, row of its data backup), sorted.
    pub(super) begins: Vec<(u32, Lsn, u32)>,
    /// The promised moments that the vault restores.
    pub(super) vault: Vec<(Timestamp, Timestamp)>,
    /// The same with the logs that RDS still keeps; empty where it keeps none.
    pub(super) with_service: Vec<(Timestamp, Timestamp)>,
    /// For each row the fork on which it is applied.
    pub(super) forks: Vec<u32>,
}

impl Marks {
    /// The marks of the same lineage as if every obstacle to reading were gone are marks as well, and so are their dates.
    pub(super) fn add_lifted(&mut self, lifted: Self) {
        self.kept.extend(lifted.kept);
        self.later.extend(lifted.later);
        self.ended_lifted = lifted.ended;
    }

    /// By row, and in the order of marking within one.
    pub(super) fn sort(&mut self) {
        self.kept.sort_by_key(|(row, _)| *row);
        self.ended.sort_by_key(|(row, _, until)| (*row, *until));
        self.ended_lifted.sort_by_key(|(row, _, until)| (*row, *until));
        self.begins.sort_unstable();
        // At one row the latest first, and before all dates that there is none.
        self.later.sort_unstable_by_key(|(row, until)| (*row, until.is_some(), Reverse(*until)));
        self.later.dedup_by_key(|(row, _)| *row);
    }

    /// What was said last of a row and has ended.
    pub(super) fn ended_last(&self, row: u32, lifted: bool) -> Option<(&For, Timestamp)> {
        let ended = if lifted { &self.ended_lifted } else { &self.ended };
        let last = ended.partition_point(|(other, _, _)| *other <= row).checked_sub(1)?;
        ended.get(last).filter(|(other, _, _)| *other == row).map(|(_, what, until)| (what, *until))
    }

    /// When a row may go: the latest of the dates of its reasons, or that until which the window will begin with it one day.
    /// `None` where no date ends one of them.
    pub(super) fn goes_on(&self, row: u32, reasons: &[Why]) -> Option<Timestamp> {
        let later = self.later.binary_search_by_key(&row, |(row, _)| *row).ok();
        let later = later.and_then(|at| self.later.get(at)).map(|(_, until)| *until);
        let mut dates = reasons.iter().map(|why| why.until).chain(later);
        dates.try_fold(Timestamp::MIN, |latest, until| until.map(|until| latest.max(until)))
    }

    /// The data backup from which every promised moment behind a log is restored.
    pub(super) fn instead_of(&self, row: u32, log: &Backup) -> Option<u32> {
        let fork = *self.forks.get(row as usize)?;
        let behind = self.begins.partition_point(|(on, start, _)| (*on, *start) < (fork, log.last_lsn));
        self.begins.get(behind).filter(|(on, _, _)| *on == fork).map(|(_, _, anchor)| *anchor)
    }
}
