//! Which five-minute log files does the service hold, and what is in them?
//!
//! RDS backs up the log every five minutes. A file is a pure function of its database and its number, so only the
//! stretches in which files follow each other are stored: a stretch starts with a chain or after a pause and ends when
//! log backups stop. A week of files costs nothing until one is read. Source: "Access to transaction log backups" in the
//! RDS user guide; gaps of a pause are continued, those of a broken chain are flagged, as `is_log_chain_broken` says.

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind, BackupSet, Payload},
    database::{
        branch::{BranchId, Branches, Position},
        state::Database,
    },
    guid::Guid,
    lsn::Lsn,
    stream::{Purpose, draw},
    time::{Ms, SECOND, SLOT},
};

/// Consecutive five-minute files.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// First five-minute slot with a file.
    first_slot: i64,
    /// First slot without one, once log backups stopped.
    end_slot: Option<i64>,
    /// `rds_backup_seq_id` of the first file.
    first_number: u32,
    /// Where the first file starts.
    start: Position,
    /// When that was, for its fork.
    start_at: Ms,
    /// Whether the first file does not continue the file before it.
    broken: bool,
}

/// All stretches of one database.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogSchedule {
    /// Milliseconds into each slot at which the log is backed up.
    offset: Ms,
    stretches: Vec<Stretch>,
    /// Set while log backups are paused but the chain holds: where the next file starts.
    paused: Option<(Position, Ms)>,
}

/// One file of the service's log backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogFile {
    /// `rds_backup_seq_id`.
    pub(crate) number: u32,
    /// When it was taken; `backup_file_epoch` and `backup_file_time_utc`.
    pub(crate) at: Ms,
    pub(crate) start: Position,
    pub(crate) start_at: Ms,
    pub(crate) end: Position,
    /// `is_log_chain_broken`.
    pub(crate) broken: bool,
    /// Whether it is the first of its database.
    pub(crate) first: bool,
}

impl LogSchedule {
    /// No log backups yet; the offset is the database's own.
    pub(crate) fn new(seed: u64, database: u32) -> Self {
        let seconds = draw(seed, Purpose::LogOffset, &[u64::from(database)]) % 240;
        Self { offset: seconds.cast_signed() * SECOND, ..Self::default() }
    }

    /// When the log of a slot is backed up.
    fn time_of(&self, slot: i64) -> Ms {
        slot * SLOT + self.offset
    }

    /// The first slot whose log backup comes after a moment.
    fn slot_after(&self, at: Ms) -> i64 {
        at.saturating_sub(self.offset).div_euclid(SLOT) + 1
    }

    /// Whether log backups run or will go on by themselves.
    pub(crate) fn chain_open(&self) -> bool {
        self.paused.is_some() || self.stretches.last().is_some_and(|s| s.end_slot.is_none())
    }

    fn next_number(&self) -> u32 {
        self.stretches.last().map_or(1, |s| {
            let files = s.end_slot.map_or(0, |end| (end - s.first_slot).max(0));
            s.first_number.saturating_add(u32::try_from(files).unwrap_or(u32::MAX))
        })
    }

    /// A data backup that ended starts the chain where there is none.
    pub(crate) fn begin_if_closed(&mut self, start: Position, start_at: Ms, end: Ms) {
        if self.chain_open() {
            return;
        }
        let broken = !self.stretches.is_empty();
        self.open(start, start_at, end, broken);
    }

    fn open(&mut self, start: Position, start_at: Ms, after: Ms, broken: bool) {
        let (first_number, first_slot) = (self.next_number(), self.slot_after(after));
        self.stretches.push(Stretch { first_slot, end_slot: None, first_number, start, start_at, broken });
    }

    /// Log backups stop at a moment and the chain with them. Returns nothing: the next data backup starts another.
    pub(crate) fn break_chain(&mut self, at: Ms) {
        self.close(at);
        self.paused = None;
    }

    /// Starts the chain of a restored database where its parent's ended, in the middle of a fork.
    pub(crate) fn continue_from(&mut self, start: Position, start_at: Ms, now: Ms) {
        self.open(start, start_at, now, false);
    }

    fn close(&mut self, at: Ms) {
        let end = self.slot_after(at);
        if let Some(last) = self.stretches.last_mut()
            && last.end_slot.is_none()
        {
            last.end_slot = Some(end.max(last.first_slot));
        }
    }

    /// Log backups pause; the next file will cover the pause.
    pub(crate) fn pause(&mut self, branches: &Branches, branch: BranchId, at: Ms) {
        if self.paused.is_some() || !self.chain_open() {
            return;
        }
        self.close(at);
        let Some(last) = self.stretches.last().copied() else { return };
        let end = last.end_slot.unwrap_or(last.first_slot);
        if end > last.first_slot {
            let until = self.time_of(end - 1);
            self.paused = Some((branches.position_at(branch, until), until));
        } else {
            // Not one file came of this stretch: what starts next takes its place.
            self.stretches.pop();
            self.paused = Some((last.start, last.start_at));
        }
    }

    /// Log backups go on after a pause.
    pub(crate) fn resume(&mut self, at: Ms) {
        if let Some((start, start_at)) = self.paused.take() {
            self.open(start, start_at, at, false);
        }
    }

    /// Files that exist at a moment, as ranges of numbers: `(first, one after last)`, ascending.
    fn ranges(&self, now: Ms) -> impl Iterator<Item = (Stretch, u32)> + '_ {
        let next = self.slot_after(now - 1);
        self.stretches.iter().map(move |s| {
            let end = s.end_slot.unwrap_or(next).min(next);
            (*s, u32::try_from((end - s.first_slot).max(0)).unwrap_or(0))
        })
    }

    /// Numbers of the files that exist at a moment and are not older than `horizon`: `(first, one after last)`.
    pub(crate) fn numbers(&self, now: Ms, horizon: Ms) -> (u32, u32) {
        let (mut first, mut end) = (None, 1);
        for (stretch, count) in self.ranges(now) {
            end = stretch.first_number.saturating_add(count);
            if first.is_none() {
                // A file of exactly the horizon's moment is still listed.
                let skip =
                    (self.slot_after(horizon.saturating_sub(1)).saturating_sub(stretch.first_slot)).max(0);
                let skip = u32::try_from(skip).unwrap_or(u32::MAX);
                if skip < count {
                    first = Some(stretch.first_number.saturating_add(skip));
                }
            }
        }
        (first.unwrap_or(end), end)
    }

    fn locate(&self, number: u32) -> Option<(Stretch, i64)> {
        let index = self.stretches.partition_point(|s| s.first_number <= number).checked_sub(1)?;
        let stretch = *self.stretches.get(index)?;
        let slot = stretch.first_slot + i64::from(number - stretch.first_number);
        stretch.end_slot.is_none_or(|end| slot < end).then_some((stretch, slot))
    }

    /// When a file was taken, by its number.
    pub(crate) fn taken_at(&self, number: u32) -> Option<Ms> {
        self.locate(number).map(|(_, slot)| self.time_of(slot))
    }

    /// Where the next log backup after a moment will start: `last_log_backup_lsn`.
    pub(crate) fn archive_point(&self, branches: &Branches, branch: BranchId, now: Ms) -> Option<Lsn> {
        if let Some((position, _)) = self.paused {
            return Some(position.lsn);
        }
        let last = self.stretches.last().filter(|s| s.end_slot.is_none())?;
        let slot = self.slot_after(now - 1) - 1;
        Some(if slot < last.first_slot {
            last.start.lsn
        } else {
            branches.position_at(branch, self.time_of(slot)).lsn
        })
    }
}

impl Database {
    /// A log file by its number, whether or not the service still holds it; `None` when there never was one.
    pub(crate) fn log_file(&self, branches: &Branches, number: u32) -> Option<LogFile> {
        let (stretch, slot) = self.logs.locate(number)?;
        let at = self.logs.time_of(slot);
        let opening = slot == stretch.first_slot;
        let before = self.logs.time_of(slot - 1);
        let start = if opening { stretch.start } else { branches.position_at(self.branch, before) };
        Some(LogFile {
            number,
            at,
            start,
            start_at: if opening { stretch.start_at } else { before },
            end: branches.position_at(self.branch, at),
            broken: opening && stretch.broken,
            first: opening && stretch.first_number == 1,
        })
    }

    /// Bytes of a log file.
    pub(crate) fn log_file_bytes(file: &LogFile, overhead_bytes: u64) -> u64 {
        let sectors = |lsn: Lsn| u64::from(lsn.vlf) * 131_072 + u64::from(lsn.block);
        overhead_bytes + sectors(file.end.lsn).saturating_sub(sectors(file.start.lsn)) * 512
    }

    /// What the header of every log backup of the database says.
    pub(crate) fn log_set(
        &self,
        uuid: Guid,
        (first_lsn, last_lsn): (Lsn, Lsn),
        (start, finish): (Ms, Ms),
        size_bytes: u64,
    ) -> BackupSet {
        let fork = self.fork_at(finish).guid;
        BackupSet {
            uuid,
            database_name: Arc::clone(&self.name),
            server_name: Arc::clone(&self.server_name),
            database_guid: self.database_guid,
            family_guid: self.family_guid,
            kind: BackupKind::Log,
            first_lsn,
            last_lsn,
            checkpoint_lsn: first_lsn,
            database_backup_lsn: self.full_checkpoint_at(finish - 1),
            differential_base: None,
            is_copy_only: false,
            is_snapshot: false,
            is_damaged: false,
            has_bulk_logged_data: false,
            begins_log_chain: false,
            first_fork: fork,
            last_fork: fork,
            fork_point: None,
            recovery_model: self.recovery_model,
            start,
            finish,
            zone_quarters: self.zone_quarters,
            last_valid: None,
            size_bytes,
            compressed_bytes: size_bytes,
            major_version: self.major_version,
            stripes: 1,
            features: self.features,
            captures_changes: self.captures_changes_at(finish),
        }
    }

    /// A log file with its header, as a restore reads it.
    pub(crate) fn log_backup(
        &self,
        branches: &Branches,
        seed: u64,
        overhead_bytes: u64,
        number: u32,
    ) -> Option<BackupFile> {
        let file = self.log_file(branches, number)?;
        let (first, last) = (self.fork_at(file.start_at), self.fork_at(file.at));
        let size_bytes = Self::log_file_bytes(&file, overhead_bytes);
        let keys = [u64::from(self.id.0), u64::from(number), u64::MAX - 1];
        let uuid: Guid = crate::stream::Stream::of(seed, Purpose::Guid, &keys).guid();
        let last_valid = (file.end.count > file.start.count)
            .then(|| branches.last_commit(self.branch, file.end.count, file.at))
            .flatten();
        let checkpoint = self.full_checkpoint_at(file.at);
        let set = BackupSet {
            // Automatic checkpoints ride in the blocks of transactions: the first block of a file with records is one.
            checkpoint_lsn: if file.end.lsn > file.start.lsn {
                file.start.lsn.max(checkpoint)
            } else {
                checkpoint
            },
            begins_log_chain: file.first || file.broken,
            first_fork: first.guid,
            last_fork: last.guid,
            fork_point: (first.guid != last.guid).then_some(last.lsn),
            recovery_model: crate::backup_file::RecoveryModel::Full,
            last_valid,
            ..self.log_set(uuid, (file.start.lsn, file.end.lsn), (file.at, file.at), size_bytes)
        };
        let (from, until) = (file.start.count, file.end.count);
        let payload = Payload::Records { branch: self.branch, from, until, reaches: file.at };
        Some(BackupFile { set, payload, kms_key: None, tde_thumbprint: self.encryption.needed_at(file.at) })
    }
}
