//! What does a full or differential backup record, and what does it change?
//!
//! Full: checkpoint at the start, `first_lsn` the older of it and the oldest open transaction, `last_lsn` the next record
//! at the end; the base and the chain move at the end. Copy-only changes nothing. A differential restarts a broken chain.
//! Source: `backupset`, "Differential backups" and "Recovery models" in the SQL Server documentation.

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload, RecoveryModel},
    database::{
        branch::{Branches, ContentRef, Position},
        state::{Database, DifferentialBase},
    },
    guid::Guid,
    knobs::{Knobs, SnapshotBase},
    lsn::Lsn,
    stream::{Purpose, Stream},
    time::Ms,
};

/// A data backup between its checkpoint and its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunningBackup {
    /// Taken before the first page is read.
    checkpoint: Lsn,
    /// Oldest record the set needs.
    first: Position,
    start: Ms,
    /// The base as it was at the start, for a differential.
    base: Option<DifferentialBase>,
    kind: BackupKind,
    serial: u64,
}

/// What kind of full it is, beside its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// By BACKUP DATABASE.
    Native,
    /// By a volume snapshot of RDS, which does this to the differential base.
    Snapshot(SnapshotBase),
    /// `COPY_ONLY`.
    CopyOnly,
}

impl Flavour {
    /// Whether it leaves base and chain alone.
    fn is_copy_only(self) -> bool {
        matches!(self, Self::CopyOnly | Self::Snapshot(SnapshotBase::Leaves))
    }
}

impl Database {
    fn backup_stream(&self, seed: u64, purpose: Purpose) -> Stream {
        Stream::of(seed, purpose, &[u64::from(self.id.0), self.serial])
    }

    /// Starts a full or differential. The caller has checked that a differential has a base.
    pub(crate) fn begin_backup(
        &mut self,
        branches: &mut Branches,
        seed: u64,
        knobs: &Knobs,
        kind: BackupKind,
        at: Ms,
    ) -> RunningBackup {
        self.serial += 1;
        let mut stream = self.backup_stream(seed, Purpose::BackupLog);
        let open = if stream.chance_ppm(knobs.long_transaction_ppm) { stream.between(1, 6) } else { 0 };
        let back = branches.position_back(self.branch, at, open.unsigned_abs());
        let (before, _) = branches.consume(self.branch, at, stream.between(8, 75).unsigned_abs());
        let slot = u32::try_from(stream.between(1, 180)).unwrap_or(1);
        let checkpoint = before.lsn.with_slot(slot);
        let first =
            if open == 0 || back.lsn >= before.lsn { Position { lsn: checkpoint, ..before } } else { back };
        RunningBackup { checkpoint, first, start: at, base: self.base, kind, serial: self.serial }
    }

    /// Ends a full or differential: its file, and the changes it makes.
    pub(crate) fn end_backup(
        &mut self,
        branches: &mut Branches,
        seed: u64,
        running: RunningBackup,
        flavour: Flavour,
        at: Ms,
    ) -> BackupFile {
        let mut stream = Stream::of(seed, Purpose::Guid, &[u64::from(self.id.0), running.serial]);
        let uuid = stream.guid();
        let (_, end) = branches.consume(self.branch, at, stream.between(2, 12).unsigned_abs());
        let fork = self.fork_at(at).guid;
        let size_bytes = match running.kind {
            BackupKind::Differential => self.changed_bytes(branches, running.base, at),
            _ => self.size_at(branches, at),
        };
        let base = running.base.filter(|_| running.kind == BackupKind::Differential);
        let set = BackupSet {
            uuid,
            database_name: Arc::clone(&self.name),
            server_name: Arc::clone(&self.server_name),
            database_guid: self.database_guid,
            family_guid: self.family_guid,
            kind: running.kind,
            first_lsn: running.first.lsn,
            last_lsn: end.lsn,
            checkpoint_lsn: running.checkpoint,
            database_backup_lsn: base.map_or_else(|| self.full_checkpoint_at(running.start), |b| b.lsn),
            differential_base: base.map(|b| (b.lsn, b.uuid)),
            is_copy_only: flavour.is_copy_only(),
            is_snapshot: matches!(flavour, Flavour::Snapshot(_)),
            is_damaged: false,
            has_bulk_logged_data: false,
            begins_log_chain: false,
            first_fork: fork,
            last_fork: fork,
            fork_point: None,
            recovery_model: self.recovery_model,
            start: running.start,
            finish: at,
            zone_quarters: self.zone_quarters,
            last_valid: None,
            size_bytes,
            compressed_bytes: size_bytes,
            major_version: self.major_version,
            stripes: 1,
            features: self.features,
            captures_changes: self.captures_changes_at(at),
        };
        self.note_backup(&set, running.first.count, flavour);
        BackupFile {
            set,
            payload: Payload::Pages(ContentRef { branch: self.branch, count: end.count }),
            kms_key: None,
            tde_thumbprint: self.encryption.needed_at(at),
        }
    }

    /// A native backup that ended a while ago is where it belongs.
    pub(crate) fn note_native(&mut self, set: &BackupSet, running: RunningBackup) {
        self.note_backup(set, running.first.count, Flavour::Native);
    }

    /// The changes that an ended backup makes to its database.
    fn note_backup(&mut self, set: &BackupSet, first_count: u64, flavour: Flavour) {
        if flavour.is_copy_only() {
            return;
        }
        if set.kind == BackupKind::Full {
            let cleared = flavour == Flavour::Snapshot(SnapshotBase::Clears);
            self.base = (!cleared).then_some(DifferentialBase {
                lsn: set.checkpoint_lsn,
                uuid: set.uuid,
                is_snapshot: set.is_snapshot,
                at: set.finish,
            });
            self.fulls.push((set.finish, set.checkpoint_lsn));
        }
        if self.recovery_model != RecoveryModel::Simple {
            let start = Position { count: first_count, lsn: set.first_lsn };
            match &mut self.installed {
                Some(chain) => chain.begin_if_closed(start, set.last_fork),
                None => self.logs.begin_if_closed(start, set.start, set.finish),
            }
        }
    }

    /// A volume snapshot: a full that starts and ends at one moment.
    pub(crate) fn snapshot(
        &mut self,
        branches: &mut Branches,
        seed: u64,
        knobs: &Knobs,
        at: Ms,
    ) -> BackupFile {
        let running = self.begin_backup(branches, seed, knobs, BackupKind::Full, at);
        self.end_backup(branches, seed, running, Flavour::Snapshot(knobs.snapshot_base), at)
    }

    /// What a differential has to read: 64 KiB for each transaction since the base, at most everything.
    pub(crate) fn changed_bytes(&self, branches: &Branches, base: Option<DifferentialBase>, at: Ms) -> u64 {
        let all = self.size_at(branches, at);
        let since = base.map_or(0, |b| branches.commits_before(self.branch, b.at));
        let transactions = branches.position_at(self.branch, at).count.saturating_sub(since);
        (1_048_576 + transactions.saturating_mul(65_536)).min(all)
    }

    /// A new identity for a child or a rebuilt database.
    pub(crate) fn fresh_guid(seed: u64, id: u32, which: u64) -> Guid {
        Stream::of(seed, Purpose::Guid, &[u64::from(id), u64::MAX, which]).guid()
    }
}
