//! What each backup of a lineage can do, and on which recovery forks it lies: decided once, before the sweep.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::OrphanBackup;
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
    entered: OnceCell<Vec<bool>>,
    forkless_count: usize,
    /// The first full known from its task alone.
    first_alone: Option<usize>,
}

/// The role of a backup.
fn role(backup: &Backup, lineage: &Lineage) -> Role {
    match backup.kind {
        Kind::Log if chain::defect(backup).is_some() => Role::Broken,
        Kind::Log => Role::Log,
        _ => match chain::anchor(backup, lineage) {
            Ok(_) if backup.evidence == Evidence::Task => Role::Alone,
            Ok(_) => Role::Anchor,
            Err(NoAnchor::Snapshot) => Role::Snapshot,
            Err(NoAnchor::Orphan(_)) => Role::Orphan,
            Err(NoAnchor::Defect(_) | NoAnchor::Log) => Role::Broken,
        },
    }
}

impl<'a> Rows<'a> {
    /// One pass over the backups: a million of them do not fit into any cache.
    pub(crate) fn new(lineage: &'a Lineage) -> Self {
        let backups = lineage.backups();
        let mut roles = Vec::with_capacity(backups.len());
        let mut tracks = Tracks::with_capacity(backups.len());
        let mut has_service = false;
        let mut first_alone = None;
        for (row, backup) in backups.iter().enumerate() {
            let role = role(backup, lineage);
            if role == Role::Alone {
                first_alone.get_or_insert(row);
            }
            roles.push(role);
            tracks.push(backup);
            has_service |= backup.held_in == HeldIn::Service;
        }
        let (forks, track_count, forkless_count) = tracks.finish(backups);
        let has_crossings = forks.iter().any(|forks| forks.entry != forks.exit);
        Self {
            lineage,
            backups,
            roles,
            forks,
            track_count,
            has_service,
            has_crossings,
            entered: OnceCell::new(),
            forkless_count,
            first_alone,
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
        let entered = self.entered.get_or_init(|| self.tracks_entered());
        self.backups[position].kind == Kind::Log
            && !entered[self.forks[position].entry as usize]
            && entered.contains(&true)
    }

    /// Which tracks a data backup lies on, or a crossing log leads to from one of those.
    fn tracks_entered(&self) -> Vec<bool> {
        let mut entered = vec![false; self.track_count];
        for ((backup, role), forks) in self.backups.iter().zip(&self.roles).zip(&self.forks) {
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
        if self.forkless_count > 0 {
            let (some, all) = (self.forkless_count, self.backups.len());
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

/// Numbers the forks by their guid, and gives backups that carry none the fork the database was on when they finished: the
/// only fork there is, else that of the last backup before. Time decides nothing else here, and only where headers are silent.
struct Tracks<'a> {
    /// In the order of their first backup.
    numbers: BTreeMap<&'a Guid, u32>,
    /// Nearly every backup is on the fork of the one before: the map is asked only where that changes.
    last: Option<(&'a Guid, u32)>,
    forks: Vec<Forks>,
    forkless_count: usize,
}

impl<'a> Tracks<'a> {
    fn with_capacity(backups: usize) -> Self {
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

    fn push(&mut self, backup: &'a Backup) {
        let entry = backup.entry_fork().map(|fork| self.number(fork));
        let exit = backup.exit_fork().map(|fork| self.number(fork));
        let known = entry.or(exit).zip(exit.or(entry)).map(|(entry, exit)| Forks { entry, exit });
        self.forkless_count += usize::from(known.is_none());
        self.forks.push(known.unwrap_or(UNKNOWN));
    }

    /// The forks of each backup, how many there are, and how many backups carry none.
    fn finish(mut self, backups: &[Backup]) -> (Vec<Forks>, usize, usize) {
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
