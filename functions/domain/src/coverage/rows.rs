//! What each backup of a lineage can do, and on which recovery forks it lies: decided once, before the sweep.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::OrphanBackup;
use super::sweep::Sweep;
use crate::backup::{Backup, Evidence, HeldIn, Kind};
use crate::chain::{self, NoAnchor};
use crate::history::Lineage;
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

/// Fork tracks of a backup: where it must be applied, where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forks {
    pub(crate) entry: u32,
    pub(crate) exit: u32,
}

/// A lineage with roles and tracks. Tracks are recovery forks, numbered by their guid.
pub(crate) struct Rows<'a> {
    pub(crate) lineage: &'a Lineage,
    pub(crate) backups: &'a [Backup],
    pub(crate) roles: Vec<Role>,
    pub(crate) forks: Vec<Forks>,
    pub(crate) track_count: usize,
    pub(crate) has_service: bool,
    pub(crate) has_crossings: bool,
    /// Whether a track is reached by a data backup, or by a crossing log from a reached track.
    entered: Vec<bool>,
    /// (position, why) of differentials without a base.
    differentials: Vec<(usize, String)>,
    forkless_count: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(lineage: &'a Lineage) -> Self {
        let backups = lineage.backups();
        let mut differentials = Vec::new();
        let mut role = |(position, backup): (usize, &Backup)| match backup.kind {
            Kind::Log if chain::defect(backup).is_some() => Role::Broken,
            Kind::Log => Role::Log,
            _ => match chain::anchor(backup, lineage) {
                Ok(_) if backup.evidence == Evidence::Task => Role::Alone,
                Ok(_) => Role::Anchor,
                Err(NoAnchor::Snapshot) => Role::Snapshot,
                Err(NoAnchor::Orphan(why)) => {
                    differentials.push((position, why.to_string()));
                    Role::Orphan
                }
                Err(NoAnchor::Defect(_) | NoAnchor::Log) => Role::Broken,
            },
        };
        let roles: Vec<Role> = backups.iter().enumerate().map(&mut role).collect();
        let (forks, track_count, forkless_count) = tracks(backups);
        let has_service = backups.iter().any(|backup| backup.held_in == HeldIn::Service);
        let has_crossings = forks.iter().any(|forks| forks.entry != forks.exit);
        let entered = entered(backups, &roles, &forks, track_count);
        Self {
            lineage,
            backups,
            roles,
            forks,
            track_count,
            has_service,
            has_crossings,
            entered,
            differentials,
            forkless_count,
        }
    }

    /// The track of a fork that some backup names.
    pub(crate) fn track_of(&self, fork: &Guid) -> Option<u32> {
        let named = |(backup, forks): (&Backup, &Forks)| {
            let entry = (backup.entry_fork() == Some(fork)).then_some(forks.entry);
            entry.or((backup.exit_fork() == Some(fork)).then_some(forks.exit))
        };
        self.backups.iter().zip(&self.forks).find_map(named)
    }

    /// Whether no backup names a fork.
    pub(crate) fn is_forkless(&self) -> bool {
        self.forkless_count == self.backups.len()
    }

    /// Whether a log lies on a fork that nothing reaches while other forks are reached. Without any data backup no fork is
    /// special, and what is missing is an anchor.
    pub(super) fn is_stray(&self, position: usize) -> bool {
        self.backups[position].kind == Kind::Log
            && !self.entered[self.forks[position].entry as usize]
            && self.entered.contains(&true)
    }

    pub(super) fn orphans(&self) -> Vec<OrphanBackup> {
        let stray = |position: &usize| self.is_stray(*position);
        let logs = (0..self.backups.len()).filter(stray).map(|position| {
            let fork =
                self.backups[position].entry_fork().map_or_else(|| "unknown".to_owned(), Guid::to_string);
            (position, format!("its recovery fork {fork} is reached by no backup of this history"))
        });
        let mut orphans: Vec<(usize, String)> = self.differentials.iter().cloned().chain(logs).collect();
        orphans.sort_by_key(|(position, _)| *position);
        let orphan = |(position, why): (usize, String)| OrphanBackup {
            backup: self.backups[position].id.clone(),
            why,
        };
        orphans.into_iter().map(orphan).collect()
    }

    /// What was odd about the lineage, one sentence each.
    pub(super) fn warnings(&self, sweep: &Sweep<'_>) -> Vec<String> {
        let mut warnings = Vec::new();
        let name = self.lineage.database();
        if self.forkless_count > 0 {
            let (some, all) = (self.forkless_count, self.backups.len());
            warnings.push(format!(
                "database {name}: {some} of {all} backups carry no recovery fork; where they go on is told by LSN and database_guid only"
            ));
        }
        if let Some(position) = sweep.clock_jump {
            let id = &self.backups[position].id;
            warnings.push(format!(
                "database {name}: the clock jumped back at backup {id}: a backup with higher LSNs finished earlier; intervals end at the latest time seen"
            ));
        }
        if let Some(alone) = self.roles.iter().position(|role| *role == Role::Alone) {
            let id = &self.backups[alone].id;
            warnings.push(format!(
                "database {name}: backup {id} is known from its task alone; it restores as a point and anchors no log"
            ));
        }
        warnings
    }
}

/// Numbers the forks, and gives backups that carry none the fork the database was on when they finished: the only fork
/// there is, else that of the last backup before. Time decides nothing else here, and only where headers are silent.
fn tracks(backups: &[Backup]) -> (Vec<Forks>, usize, usize) {
    let mut numbers: BTreeMap<&Guid, u32> = BTreeMap::new();
    for backup in backups {
        for fork in backup.entry_fork().into_iter().chain(backup.exit_fork()) {
            numbers.insert(fork, 0);
        }
    }
    for (number, value) in (0_u32..).zip(numbers.values_mut()) {
        *value = number;
    }
    let number = |fork: Option<&Guid>| fork.and_then(|fork| numbers.get(fork).copied());
    let known: Vec<Option<Forks>> = backups
        .iter()
        .map(|backup| {
            let (entry, exit) = (number(backup.entry_fork()), number(backup.exit_fork()));
            entry.or(exit).zip(exit.or(entry)).map(|(entry, exit)| Forks { entry, exit })
        })
        .collect();
    let forkless_count = known.iter().filter(|forks| forks.is_none()).count();
    let track_count = numbers.len().max(1);
    let mut by_time: Vec<(Timestamp, u32)> = Vec::new();
    if forkless_count > 0 && track_count > 1 {
        by_time
            .extend(backups.iter().zip(&known).filter_map(|(b, forks)| Some((b.finished, (*forks)?.exit))));
        by_time.sort_unstable();
    }
    let guess = |backup: &Backup| {
        let later = by_time.partition_point(|(finished, _)| *finished <= backup.finished);
        let track = by_time.get(later.saturating_sub(1)).map_or(0, |(_, track)| *track);
        Forks { entry: track, exit: track }
    };
    let forks =
        backups.iter().zip(known).map(|(backup, forks)| forks.unwrap_or_else(|| guess(backup))).collect();
    (forks, track_count, forkless_count)
}

fn entered(backups: &[Backup], roles: &[Role], forks: &[Forks], track_count: usize) -> Vec<bool> {
    let mut entered = vec![false; track_count];
    for ((backup, role), forks) in backups.iter().zip(roles).zip(forks) {
        if backup.kind.is_data() && !matches!(role, Role::Snapshot | Role::Alone) {
            entered[forks.exit as usize] = true;
        }
    }
    for (backup, forks) in backups.iter().zip(forks) {
        if backup.kind == Kind::Log && entered[forks.entry as usize] {
            entered[forks.exit as usize] = true;
        }
    }
    entered
}
