//! On which recovery forks does each backup lie?
//!
//! Source: Microsoft Learn, Recovery paths; backupset (`first_recovery_fork_guid`, `last_recovery_fork_guid`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::backup::Backup;
use crate::id::Guid;

/// Fork tracks of a backup: where it must be applied, where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forks {
    pub(crate) entry: u32,
    pub(crate) exit: u32,
}

/// Numbers the forks by their guid, and gives backups that carry none the fork the database was on when they finished: the
/// only fork there is, else that of the last backup before. Time decides nothing else here, and only where headers are silent.
pub(super) struct Tracks<'a> {
    /// In the order of their first backup.
    numbers: BTreeMap<&'a Guid, u32>,
    /// Nearly every backup is on the fork of the one before: the map is asked only where that changes.
    last: Option<(&'a Guid, u32)>,
    forks: Vec<Forks>,
    forkless_count: usize,
}

impl<'a> Tracks<'a> {
    pub(super) fn with_capacity(backups: usize) -> Self {
        Self { numbers: BTreeMap::new(), last: None, forks: Vec::with_capacity(backups), forkless_count: 0 }
    }

    fn number(&mut self, fork: &'a Guid) -> u32 {
        if let Some((same, number)) = self.last
            && same == fork
        {
            return number;
        }
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(fork).or_insert(next);
        self.last = Some((fork, number));
        number
    }

    pub(super) fn push(&mut self, backup: &'a Backup) {
        let entry = backup.entry_fork().map(|fork| self.number(fork));
        let exit = backup.exit_fork().map(|fork| self.number(fork));
        let known = entry.or(exit).zip(exit.or(entry)).map(|(entry, exit)| Forks { entry, exit });
        self.forkless_count += usize::from(known.is_none());
        self.forks.push(known.unwrap_or(UNKNOWN));
    }

    /// The forks of each backup, how many there are, and how many backups carry none.
    pub(super) fn finish(mut self, backups: &[Backup]) -> (Vec<Forks>, usize, usize) {
        let track_count = self.numbers.len().max(1);
        if track_count > 1 {
            let mut by_guid = vec![0; track_count];
            for (rank, number) in (0_u32..).zip(self.numbers.values()) {
                by_guid[*number as usize] = rank;
            }
            for forks in self.forks.iter_mut().filter(|forks| **forks != UNKNOWN) {
                *forks = Forks { entry: by_guid[forks.entry as usize], exit: by_guid[forks.exit as usize] };
            }
        }
        if self.forkless_count > 0 {
            guess(backups, &mut self.forks, track_count);
        }
        (self.forks, track_count, self.forkless_count)
    }
}

/// A backup that names no fork, until one is found for it.
const UNKNOWN: Forks = Forks { entry: u32::MAX, exit: u32::MAX };

fn guess(backups: &[Backup], forks: &mut [Forks], track_count: usize) {
    let mut by_time: Vec<(Timestamp, u32)> = Vec::new();
    if track_count > 1 {
        let known = backups.iter().zip(&*forks).filter(|(_, forks)| **forks != UNKNOWN);
        by_time.extend(known.map(|(backup, forks)| (backup.finished, forks.exit)));
        by_time.sort_unstable();
    }
    for (backup, forks) in backups.iter().zip(forks).filter(|(_, forks)| **forks == UNKNOWN) {
        let later = by_time.partition_point(|(finished, _)| *finished <= backup.finished);
        let track = by_time.get(later.saturating_sub(1)).map_or(0, |(_, track)| *track);
        *forks = Forks { entry: track, exit: track };
    }
}
