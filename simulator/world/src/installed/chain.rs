//! Where does the next log backup start, and what does its header say?
//!
//! The chain starts with the first data backup under FULL or `BULK_LOGGED` that is not copy-only, moves with each log
//! backup that is not copy-only, whoever keeps its file, and ends with SIMPLE. Data backups never move it. A log that starts before
//! a recovery fork and ends behind it carries both forks and the point between them. Sources: "Recovery models", "Copy-only
//! backups", "Recovery paths", `backupset` in the SQL Server documentation.

use crate::{
    backup_file::{BackupFile, BackupSet, Payload},
    database::{
        branch::{Branches, Position},
        state::{Database, DifferentialBase},
    },
    guid::Guid,
    lsn::Lsn,
    stream::{Purpose, Stream},
    time::{Ms, round_datetime},
};

/// Where the next log backup starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Archive {
    pub(crate) position: Position,
    /// The recovery fork there.
    pub(crate) fork: Guid,
}

/// The log chain of one database, and what else only an installed server has to remember.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogChain {
    archive: Option<Archive>,
    /// Whether the next log backup is the first of the chain.
    begins: bool,
    /// Minimally logged operations of the live branch, ascending.
    bulk: Vec<Lsn>,
    /// Every differential base the database had, by the moment it became one.
    pub(crate) bases: Vec<DifferentialBase>,
    pub(crate) data_runs: bool,
    pub(crate) log_runs: bool,
}

impl LogChain {
    /// A data backup that ended starts the chain where there is none.
    pub(crate) fn begin_if_closed(&mut self, position: Position, fork: Guid) {
        if self.archive.is_none() {
            (self.archive, self.begins) = (Some(Archive { position, fork }), true);
        }
    }

    /// SIMPLE ends the chain.
    pub(crate) fn end(&mut self) {
        self.archive = None;
    }

    /// A restore put the database somewhere else: the chain goes on from there, without what happened behind `fork_lsn`.
    pub(crate) fn go_on_from(&mut self, archive: Option<Archive>, fork_lsn: Lsn) {
        (self.archive, self.begins) = (archive, false);
        self.bulk.retain(|lsn| *lsn < fork_lsn);
    }

    /// Where the next log backup starts.
    pub(crate) fn archive(&self) -> Option<Archive> {
        self.archive
    }

    /// `last_log_backup_lsn`.
    pub(crate) fn next_start(&self) -> Option<Lsn> {
        self.archive.map(|archive| archive.position.lsn)
    }

    /// A minimally logged operation.
    pub(crate) fn note_bulk(&mut self, at: Lsn) {
        self.bulk.push(at);
    }

    fn has_bulk(&self, (first, last): (Lsn, Lsn)) -> bool {
        self.bulk.iter().any(|lsn| (first..last).contains(lsn))
    }

    /// The base at a moment.
    pub(crate) fn base_at(&self, at: Ms) -> Option<DifferentialBase> {
        self.bases.iter().rev().find(|base| base.at <= at).copied()
    }
}

impl Database {
    /// Ends a log backup that began at `start`: its file; the chain moves unless it is copy-only. `None` where no chain runs.
    pub(crate) fn end_log_backup(
        &mut self,
        branches: &Branches,
        seed: u64,
        start: Ms,
        copy_only: bool,
        at: Ms,
    ) -> Option<BackupFile> {
        let archive = self.installed.as_ref()?.archive?;
        self.serial += 1;
        let uuid = Stream::of(seed, Purpose::Guid, &[u64::from(self.id.0), self.serial]).guid();
        let end = branches.position_at(self.branch, at);
        let here = Archive { position: end, fork: self.fork_at(at).guid };
        let set = self.log_header(branches, uuid, (archive, here), (start, at), copy_only)?;
        let chain = self.installed.as_mut()?;
        if !copy_only {
            (chain.archive, chain.begins) = (Some(here), false);
        }
        // What cannot be told is taken to reach its end: the column exists since SQL Server 2022 and is NULL without commits.
        let reaches = set.last_valid.unwrap_or(at);
        let (from, until) = (archive.position.count, end.count);
        Some(BackupFile {
            set,
            payload: Payload::Records { branch: self.branch, from, until, reaches },
            kms_key: None,
            tde_thumbprint: self.encryption.needed_at(at),
        })
    }

    fn log_header(
        &self,
        branches: &Branches,
        uuid: Guid,
        (from, to): (Archive, Archive),
        (start, at): (Ms, Ms),
        copy_only: bool,
    ) -> Option<BackupSet> {
        let chain = self.installed.as_ref()?;
        let (first, last) = (from.position.lsn, to.position.lsn);
        let has_commits = to.position.count > from.position.count;
        let last_commit = || branches.last_commit(self.branch, to.position.count, at);
        let last_valid = (has_commits && self.major_version >= 16).then(last_commit).flatten();
        let checkpoint = self.full_checkpoint_at(at);
        let size_bytes = 8_192 + to.position.count.saturating_sub(from.position.count) * 4_096;
        Some(BackupSet {
            checkpoint_lsn: if last > first { first.max(checkpoint).min(last) } else { checkpoint.min(last) },
            is_copy_only: copy_only,
            has_bulk_logged_data: chain.has_bulk((first, last)),
            begins_log_chain: chain.begins,
            first_fork: from.fork,
            last_fork: to.fork,
            fork_point: (from.fork != to.fork).then(|| self.fork_at(at).lsn),
            last_valid: last_valid.map(round_datetime),
            ..self.log_set(uuid, (first, last), (start, at), size_bytes)
        })
    }
}
