//! What does every pass over a lineage read of each backup? Kept side by side, because rows are wide.
//!
//! A million rows fit into no cache, and each pass over them costs more than what it computes. So they are read once, while
//! their order is checked. Refuses to know which backup needs which (`chain`).

use std::cmp::Ordering;

use jiff::Timestamp;

use super::forks::{Forks, Tracks};
use super::index::Index;
use crate::backup::{Backup, HeldIn};

/// Side by side what the backups of a lineage say, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// Whether the content can be used: [`Backup::defect`] finds nothing.
    pub(crate) usable: Vec<bool>,
    /// [`Backup::certain_at`].
    pub(crate) moments: Vec<Timestamp>,
    /// Recovery forks, by number.
    pub(crate) forks: Vec<Forks>,
    /// How many recovery forks there are, one at least.
    pub(crate) track_count: usize,
    /// How many backups name no fork.
    pub(crate) forkless_count: usize,
    /// Positions of the data backups.
    pub(crate) data: Vec<u32>,
    pub(super) index: Index,
    /// Whether the service keeps any.
    pub(crate) has_service: bool,
    /// Of those that finished last the one with the highest LSN: of all, and of those in the vault.
    newest: [Option<u32>; 2],
}

impl Columns {
    pub(super) fn of(backups: &[Backup]) -> Self {
        Self::of_ordered(backups, |_, _| Ordering::Less).unwrap_or_default()
    }

    /// Nothing where a backup stands behind one that belongs behind it.
    pub(super) fn of_ordered(
        backups: &[Backup],
        order: impl Fn(&Backup, &Backup) -> Ordering,
    ) -> Option<Self> {
        let count = backups.len();
        let mut columns =
            Self { usable: Vec::with_capacity(count), moments: Vec::with_capacity(count), ..Self::default() };
        let mut tracks = Tracks::with_capacity(count);
        let mut before = None;
        for (row, backup) in (0_u32..).zip(backups) {
            if before.is_some_and(|before| order(before, backup).is_gt()) {
                return None;
            }
            before = Some(backup);
            columns.push(row, backup, backups);
            tracks.push(backup);
        }
        columns.index.sort();
        (columns.forks, columns.track_count, columns.forkless_count) = tracks.finish(backups);
        Some(columns)
    }

    fn push(&mut self, row: u32, backup: &Backup, backups: &[Backup]) {
        self.usable.push(backup.defect().is_none());
        self.moments.push(backup.certain_at());
        if backup.kind.is_data() {
            self.data.push(row);
            self.index.push(row, backup);
        }
        let in_vault = backup.held_in == HeldIn::Vault;
        self.has_service |= !in_vault;
        let end = |row: u32| (backups[row as usize].finished, backups[row as usize].last_lsn);
        for newest in &mut self.newest[..=usize::from(in_vault)] {
            if newest.is_none_or(|newest| end(newest) <= end(row)) {
                *newest = Some(row);
            }
        }
    }

    /// The backup that finished last, of several the one with the highest LSN.
    pub(crate) const fn newest(&self, in_vault: bool) -> Option<u32> {
        self.newest[in_vault as usize]
    }
}
