//! Which backup needs which: the base of a differential, and which log applies next.
//!
//! Refuses to know time: whether a moment can be restored is `coverage`'s question. Sources: Microsoft Learn, backupset,
//! RESTORE HEADERONLY, `sys.master_files` (`redo_start_lsn`, `redo_start_fork_guid`), Differential backups, Copy-only
//! backups, Recovery paths; error numbers 4305, 4326, 4330, 3035.

use std::fmt;

use crate::backup::{Backup, Defect, Evidence, Kind};
use crate::history::Lineage;
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;

/// Why a differential has no base that we can restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Orphan {
    /// Its header names a base that is not in the history.
    Missing(String),
    /// Its base belongs to another lineage: the database was restored from someone else's backup.
    Foreign(BackupId, String),
    /// Its base is a snapshot: it moved the differential base and holds nothing that we can restore.
    Snapshot(BackupId),
    /// Its base can only be a copy-only full, and those are never bases.
    CopyOnly(BackupId),
    /// Its base is neither a full nor a snapshot.
    NoFull(BackupId),
    /// Its base is there and cannot be used.
    Unusable(BackupId, Defect),
    /// Its base is known from a task alone: nothing proves that it is the one.
    Unproven(BackupId),
    /// Its header does not name a base.
    Unnamed,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(base) => write!(f, "its base ({base}) is not in the history"),
            Self::Foreign(base, lineage) => {
                write!(f, "its base {base} belongs to another lineage ({lineage})")
            }
            Self::Snapshot(base) => {
                write!(f, "its base is the snapshot {base}, which holds nothing to restore")
            }
            Self::CopyOnly(base) => {
                write!(f, "its base would be the copy-only full {base}, which is never a base")
            }
            Self::NoFull(base) => write!(f, "its base {base} is no full backup"),
            Self::Unusable(base, defect) => write!(f, "its base {base} {defect}"),
            Self::Unproven(base) => {
                write!(f, "its base {base} is known from its task alone, without a history row")
            }
            Self::Unnamed => f.write_str("its header names no base"),
        }
    }
}

/// The full a differential restores on: by guid, then by `checkpoint_lsn`, never by `first_lsn`.
///
/// Why: the guid is the server's own word. The checkpoint is the identity of a full where an old export has no guids;
/// `first_lsn` equals it on an idle database only. Surprise: `F1 C2 D3` restores on F1 and `F1 S2 D3` on nothing.
pub fn base_of<'a>(differential: &Backup, lineage: &'a Lineage) -> Result<&'a Backup, Orphan> {
    if let Some(guid) = &differential.differential_base_guid {
        return match lineage.find_data(guid.as_str()) {
            Some(base) => usable_base(base),
            None => Err(match lineage.foreign_base(differential) {
                Some(other) => Orphan::Foreign(BackupId::new(guid.as_str()), other.to_owned()),
                None => Orphan::Missing(guid.to_string()),
            }),
        };
    }
    let known = |lsn: &Lsn| !lsn.is_zero();
    let checkpoint = differential.differential_base_lsn.filter(known);
    let Some(checkpoint) = checkpoint.or(differential.database_backup_lsn.filter(known)) else {
        return Err(Orphan::Unnamed);
    };
    let mut refusal = None;
    for base in lineage.fulls_at_checkpoint(checkpoint) {
        match usable_base(base) {
            Ok(base) => return Ok(base),
            // A copy-only full may share the checkpoint of the real base on an idle database: it explains least.
            Err(why) if refusal.is_none() || matches!(refusal, Some(Orphan::CopyOnly(_))) => {
                refusal = Some(why);
            }
            Err(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| Orphan::Missing(format!("checkpoint_lsn {checkpoint}"))))
}

fn usable_base(base: &Backup) -> Result<&Backup, Orphan> {
    let id = || base.id.clone();
    match (base.kind, base.defect()) {
        (Kind::Snapshot, _) => Err(Orphan::Snapshot(id())),
        (Kind::CopyOnly, _) => Err(Orphan::CopyOnly(id())),
        (Kind::Log | Kind::Differential, _) => Err(Orphan::NoFull(id())),
        (Kind::Full, Some(defect)) => Err(Orphan::Unusable(id(), defect)),
        (Kind::Full, None) if base.evidence == Evidence::Task => Err(Orphan::Unproven(id())),
        (Kind::Full, None) => Ok(base),
    }
}

/// Why a data backup cannot begin a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnchor {
    /// A log begins nothing.
    Log,
    /// A snapshot holds nothing to restore.
    Snapshot,
    /// Its content cannot be used.
    Defect(Defect),
    /// A differential without a usable base.
    Orphan(Orphan),
}

/// Whether a restore can begin with this backup: a usable full or copy-only full, or a differential and its base.
/// Answers with the base of a differential, which is restored first.
pub fn anchor<'a>(backup: &Backup, lineage: &'a Lineage) -> Result<Option<&'a Backup>, NoAnchor> {
    match (backup.kind, backup.defect()) {
        (Kind::Log, _) => Err(NoAnchor::Log),
        (Kind::Snapshot, _) => Err(NoAnchor::Snapshot),
        (_, Some(defect)) => Err(NoAnchor::Defect(defect)),
        (Kind::Differential, None) => base_of(backup, lineage).map(Some).map_err(NoAnchor::Orphan),
        (Kind::Full | Kind::CopyOnly, None) => Ok(None),
    }
}

/// Where a restore stands between two steps: what `sys.master_files` calls redo start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `redo_start_lsn`: the first record not yet applied.
    pub redo_lsn: Lsn,
    /// `redo_start_fork_guid`; `None` where headers do not tell.
    pub fork: Option<Guid>,
}

/// What RESTORE LOG would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// The log moves the redo point.
    Yes,
    /// It applies and moves nothing: it ends where the restore stands.
    Nothing,
    /// 4305: it begins too late; a log is missing before it.
    TooRecent,
    /// 4326: it ends before the redo point.
    TooEarly,
    /// 4330: it belongs to another recovery path.
    OtherFork,
}

impl State {
    /// The state after restoring a data backup.
    pub fn after(anchor: &Backup) -> Self {
        Self { redo_lsn: anchor.last_lsn, fork: anchor.exit_fork().cloned() }
    }

    /// What RESTORE LOG of this backup would answer. Looks at LSNs and forks only: `database_backup_lsn` is a label, and
    /// the log that spans the end of a full may carry the label of the full before.
    pub fn applies(&self, log: &Backup) -> Applies {
        if let (Some(fork), Some(entry)) = (&self.fork, log.entry_fork())
            && fork != entry
        {
            return Applies::OtherFork;
        }
        if log.crosses_fork() && log.fork_point_lsn.is_some_and(|point| self.redo_lsn > point) {
            return Applies::OtherFork;
        }
        if log.first_lsn > self.redo_lsn {
            Applies::TooRecent
        } else if log.last_lsn < self.redo_lsn {
            Applies::TooEarly
        } else if log.last_lsn == self.redo_lsn && !log.crosses_fork() {
            Applies::Nothing
        } else {
            Applies::Yes
        }
    }

    /// The state after applying a log that [`Self::applies`]. Where the log does not tell its fork, the fork stays.
    #[must_use]
    pub fn after_log(&self, log: &Backup) -> Self {
        let fork = log.exit_fork().cloned().or_else(|| self.fork.clone());
        Self { redo_lsn: log.last_lsn, fork }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
