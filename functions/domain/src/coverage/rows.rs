//! What each backup of a lineage can do: decided once, before the sweep.

use std::cell::OnceCell;

use super::OrphanBackup;
use crate::backup::{Backup, Evidence, Kind};
use crate::chain::{self, NoAnchor};
use crate::history::{Columns, Forks, Lineage};
use crate::id::Guid;

/// What a backup can do in a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A log that can be read.
    Log,
    /// A data backup that logs can follow.
    Anchor,
    /// A full known from its task alone: it restores, and its LSNs are unknown.
    Alone,
    /// Its content cannot be used.
    Broken,
    /// A differential without a base.
    Orphan,
    /// Not ours to restore.
    Snapshot,
}

/// A lineage with roles. Tracks are recovery forks, numbered by their guid.
pub(crate) struct Rows<'a> {
    pub(crate) lineage: &'a Lineage,
    pub(crate) backups: &'a [Backup],
    pub(crate) columns: &'a Columns,
    pub(crate) roles: Vec<Role>,
    pub(crate) forks: &'a [Forks],
    pub(crate) track_count: usize,
    pub(crate) has_service: bool,
    pub(crate) has_crossings: bool,
    /// Whether a track is reached by a data backup, or by a crossing log from a reached track.
    entered: OnceCell<Vec<bool>>,
    /// The first full known from its task alone.
    first_alone: Option<usize>,
}

/// The role of a data backup.
fn role(backup: &Backup, lineage: &Lineage) -> Role {
    match chain::anchor(backup, lineage) {
        Ok(_) if backup.evidence == Evidence::Task => Role::Alone,
        Ok(_) => Role::Anchor,
        Err(NoAnchor::Snapshot) => Role::Snapshot,
        Err(NoAnchor::Orphan(_)) => Role::Orphan,
        Err(NoAnchor::Defect(_) | NoAnchor::Log) => Role::Broken,
    }
}

impl<'a> Rows<'a> {
    /// Looks at data backups only: what there is to know of a log is in the columns.
    pub(crate) fn new(lineage: &'a Lineage) -> Self {
        let (backups, columns) = (lineage.backups(), lineage.columns());
        let mut roles: Vec<Role> =
            columns.usable.iter().map(|usable| if *usable { Role::Log } else { Role::Broken }).collect();
        let mut first_alone = None;
        for row in columns.data.iter().map(|row| *row as usize) {
            roles[row] = role(&backups[row], lineage);
            if roles[row] == Role::Alone {
                first_alone.get_or_insert(row);
            }
        }
        let forks = columns.forks.as_slice();
        let has_crossings = forks.iter().any(|forks| forks.entry != forks.exit);
        let (track_count, has_service) = (columns.track_count, columns.has_service);
        let entered = OnceCell::new();
        Self {
            lineage,
            backups,
            columns,
            roles,
            forks,
            track_count,
            has_service,
            has_crossings,
            entered,
            first_alone,
        }
    }

    /// The track of a fork that some backup names.
    pub(crate) fn track_of(&self, fork: &Guid) -> Option<u32> {
        let named = |(backup, forks): (&Backup, &Forks)| {
            let entry = (backup.entry_fork() == Some(fork)).then_some(forks.entry);
            entry.or((backup.exit_fork() == Some(fork)).then_some(forks.exit))
        };
        self.backups.iter().zip(self.forks).find_map(named)
    }

    /// Whether no backup names a fork.
    pub(crate) fn is_forkless(&self) -> bool {
        self.columns.forkless_count == self.backups.len()
    }

    /// Whether a log lies on a fork that nothing reaches while other forks are reached. Without any data backup no fork is
    /// special, and what is missing is an anchor.
    pub(super) fn is_stray(&self, position: usize) -> bool {
        let entered = self.entered.get_or_init(|| self.tracks_entered());
        self.backups[position].kind == Kind::Log
            && !entered[self.forks[position].entry as usize]
            && entered.contains(&true)
    }

    /// Which tracks a data backup lies on, or a crossing log leads to from one of those.
    fn tracks_entered(&self) -> Vec<bool> {
        let mut entered = vec![false; self.track_count];
        for ((backup, role), forks) in self.backups.iter().zip(&self.roles).zip(self.forks) {
            if backup.kind.is_data() && !matches!(role, Role::Snapshot | Role::Alone) {
                entered[forks.exit as usize] = true;
            }
        }
        let crossing = self.forks.iter().zip(self.backups).filter(|(forks, _)| forks.entry != forks.exit);
        for (forks, _) in crossing.filter(|(_, backup)| backup.kind == Kind::Log) {
            if entered[forks.entry as usize] {
                entered[forks.exit as usize] = true;
            }
        }
        entered
    }

    pub(super) fn orphans(&self) -> Vec<OrphanBackup> {
        let stray = |position: &usize| self.is_stray(*position);
        let logs = (0..self.backups.len()).filter(stray).map(|position| {
            let fork =
                self.backups[position].entry_fork().map_or_else(|| "unknown".to_owned(), Guid::to_string);
            (position, format!("its recovery fork {fork} is reached by no backup of this history"))
        });
        let differentials = self.roles.iter().enumerate().filter(|(_, role)| **role == Role::Orphan);
        let differentials = differentials.filter_map(|(position, _)| {
            match chain::anchor(&self.backups[position], self.lineage) {
                Err(NoAnchor::Orphan(why)) => Some((position, why.to_string())),
                _ => None,
            }
        });
        let mut orphans: Vec<(usize, String)> = differentials.chain(logs).collect();
        orphans.sort_by_key(|(position, _)| *position);
        let orphan = |(position, why): (usize, String)| OrphanBackup {
            backup: self.backups[position].id.clone(),
            why,
        };
        orphans.into_iter().map(orphan).collect()
    }

    /// What was odd about the lineage, one sentence each. `clock_jump`: the first backup behind one.
    pub(crate) fn warnings(&self, clock_jump: Option<usize>) -> Vec<String> {
        let mut warnings = Vec::new();
        let name = self.lineage.database();
        if self.columns.forkless_count > 0 {
            let (some, all) = (self.columns.forkless_count, self.backups.len());
            warnings.push(format!(
                "database {name}: {some} of {all} backups carry no recovery fork; where they go on is told by LSN and database_guid only"
            ));
        }
        if let Some(position) = clock_jump {
            let id = &self.backups[position].id;
            warnings.push(format!(
                "database {name}: the clock jumped back at backup {id}: a backup with higher LSNs finished earlier; intervals end at the latest time seen"
            ));
        }
        if let Some(alone) = self.first_alone {
            let id = &self.backups[alone].id;
            warnings.push(format!(
                "database {name}: backup {id} is known from its task alone; it restores as a point and anchors no log"
            ));
        }
        warnings
    }
}
