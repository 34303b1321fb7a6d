//! What does a live database know of itself?
//!
//! The state machine of its backups: the guids, the forks, the differential base, the full that log headers name, the log
//! chain. Rules of change are in `backups.rs` and `logs.rs`; this file holds the facts and simple questions. Source: the
//! minimal state machine derived from `sys.database_recovery_status`, `sys.master_files` and `backupset`.

use std::sync::Arc;

use crate::{
    backup_file::RecoveryModel,
    database::{
        branch::{BranchId, Branches, ContentRef},
        config::Features,
        logs::LogSchedule,
    },
    guid::Guid,
    installed::chain::LogChain,
    lsn::Lsn,
    tde::key::Encryption,
    time::Ms,
};

/// Bytes of a log file, in any database.
pub(crate) const LOG_FILE_BYTES: u64 = 1 << 30;

/// An incarnation of a database in the world: a re-created or restored database is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseId(pub u32);

/// The full that differentials depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DifferentialBase {
    pub(crate) lsn: Lsn,
    pub(crate) uuid: Guid,
    pub(crate) is_snapshot: bool,
    pub(crate) at: Ms,
}

/// A recovery fork and when it became current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fork {
    pub(crate) from: Ms,
    pub(crate) lsn: Lsn,
    pub(crate) guid: Guid,
}

/// One incarnation of a database.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "database_guid and family_guid are the words of the server")]
pub(crate) struct Database {
    pub(crate) id: DatabaseId,
    /// Index of its instance.
    pub(crate) instance: usize,
    pub(crate) name: Arc<str>,
    pub(crate) server_name: Arc<str>,
    /// `database_id` on its instance.
    pub(crate) sql_id: u32,
    pub(crate) created: Ms,
    pub(crate) dropped: Option<Ms>,
    pub(crate) database_guid: Guid,
    pub(crate) family_guid: Guid,
    /// Ascending in time, never empty.
    pub(crate) forks: Vec<Fork>,
    pub(crate) branch: BranchId,
    pub(crate) recovery_model: RecoveryModel,
    pub(crate) size_bytes: u64,
    pub(crate) growth_bytes: u64,
    pub(crate) file_count: u32,
    pub(crate) base: Option<DifferentialBase>,
    /// Ends and checkpoints of fulls that are not copy-only, ascending: log headers name the newest.
    pub(crate) fulls: Vec<(Ms, Lsn)>,
    pub(crate) logs: LogSchedule,
    /// The log chain that backups by hand move, where no service backs the log up.
    pub(crate) installed: Option<LogChain>,
    /// Branches that restores over the database left behind, each until a moment; ascending.
    pub(crate) left: Vec<(Ms, BranchId)>,
    pub(crate) zone_quarters: i64,
    pub(crate) major_version: u8,
    /// Backups taken, to name them.
    pub(crate) serial: u64,
    /// OFFLINE: it is there, and nobody can open it.
    pub(crate) is_offline: bool,
    /// From when on change data capture is on or off, ascending; off before the first.
    pub(crate) captures: Vec<(Ms, bool)>,
    pub(crate) features: Features,
    /// Transparent data encryption.
    pub(crate) encryption: Encryption,
}

impl Database {
    /// The fork that is current at a moment.
    pub(crate) fn fork_at(&self, at: Ms) -> Fork {
        let index = self.forks.partition_point(|f| f.from <= at).saturating_sub(1);
        self.forks.get(index).copied().unwrap_or(Fork { from: at, lsn: Lsn::ZERO, guid: Guid::default() })
    }

    /// The newest fork.
    pub(crate) fn fork(&self) -> Fork {
        self.fork_at(Ms::MAX)
    }

    /// Checkpoint of the newest full that had ended by a moment; zero before the first.
    pub(crate) fn full_checkpoint_at(&self, at: Ms) -> Lsn {
        let index = self.fulls.partition_point(|(end, _)| *end <= at);
        index.checked_sub(1).and_then(|i| self.fulls.get(i)).map_or(Lsn::ZERO, |(_, lsn)| *lsn)
    }

    /// Whether change data capture is on at a moment.
    pub(crate) fn captures_changes_at(&self, at: Ms) -> bool {
        let index = self.captures.partition_point(|(from, _)| *from <= at);
        index.checked_sub(1).and_then(|i| self.captures.get(i)).is_some_and(|(_, on)| *on)
    }

    /// Whether change data capture is on.
    pub(crate) fn captures_changes(&self) -> bool {
        self.captures.last().is_some_and(|(_, on)| *on)
    }

    /// Bytes used at a moment.
    pub(crate) fn size_at(&self, branches: &Branches, at: Ms) -> u64 {
        let grown = branches.position_at(self.branch, at).count;
        self.size_bytes.saturating_add(grown.saturating_mul(self.growth_bytes))
    }

    /// The content that a restore to a moment must produce: commits strictly before it, on the branch that was live then.
    pub(crate) fn truth_at(&self, branches: &Branches, at: Ms) -> ContentRef {
        let left = self.left.get(self.left.partition_point(|(until, _)| *until < at));
        let branch = left.map_or(self.branch, |(_, branch)| *branch);
        ContentRef { branch, count: branches.commits_before(branch, at) }
    }

    /// `last_log_backup_lsn`: where the next log backup starts.
    pub(crate) fn archive_point(&self, branches: &Branches, now: Ms) -> Option<Lsn> {
        match &self.installed {
            Some(chain) => chain.next_start(),
            None => self.logs.archive_point(branches, self.branch, now),
        }
    }
}
