//! What can somebody else do to the world?
//!
//! Faults and interferences that tests pull: objects lost or damaged, foreign backups, recovery models changed, databases
//! dropped, restored in place or written to by hand, automated backups turned off. Each does what the real thing would
//! do to the physics and nothing more.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use crate::{
    backup_file::{BackupKind, RecoveryModel},
    database::{
        backups::Flavour,
        branch::{ContentRef, Position},
        config::DatabaseConfig,
        state::{Database, DatabaseId, DifferentialBase, Fork},
        writes::{Rhythm, Writes},
    },
    error::EngineError,
    instance::config::{InstanceConfig, LogAccess, MultiAz, OptionStatus},
    s3::{Deleted, Health, S3Error, StorageClass},
    stream::{Purpose, Stream, draw},
    tde::files::{self, CertificateFiles},
    time::{SECOND, ceil_ms},
    world::{Event, World},
};

/// What happens to an object behind everybody's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Deleted like any DELETE: a marker in a versioned bucket.
    Delete,
    /// Some bytes changed.
    Corrupt,
    /// The end is missing.
    Truncate,
    /// Moved to an archive class by a lifecycle rule.
    Archive,
}

impl World {
    /// Damages or removes an object.
    pub fn break_object(&mut self, bucket: &str, key: &str, damage: Damage) -> Result<Deleted, S3Error> {
        match damage {
            Damage::Delete => return self.s3.delete_unchecked(bucket, key, None),
            Damage::Corrupt => self.s3.alter(bucket, key, |d| d.health = Health::Corrupt)?,
            Damage::Truncate => self.s3.alter(bucket, key, |d| {
                d.health = Health::Truncated;
                d.size_bytes /= 2;
            })?,
            Damage::Archive => self.s3.alter(bucket, key, |d| d.class = StorageClass::Glacier)?,
        }
        Ok(Deleted::default())
    }

    /// Commits transactions by hand, now.
    pub fn write(&mut self, database: DatabaseId, transactions: u64) {
        let now = self.now_ms;
        if let Some(branch) = self.database(database).filter(|d| d.dropped.is_none()).map(|d| d.branch) {
            self.branches.write(branch, now, transactions);
        }
    }

    /// A full backup that is not ours: it moves the differential base and enters msdb; its file is nowhere we know.
    pub fn break_foreign_full(&mut self, database: DatabaseId, copy_only: bool) {
        let (now, seed) = (self.now_ms, self.seed);
        let flavour = if copy_only { Flavour::CopyOnly } else { Flavour::Native };
        let Some(held) = self.databases.get_mut(database.0 as usize).filter(|d| d.dropped.is_none()) else {
            return;
        };
        let running = held.begin_backup(&mut self.branches, seed, &self.knobs, BackupKind::Full, now);
        let file = held.end_backup(&mut self.branches, seed, running, flavour, now);
        let instance = held.instance;
        if let Some(host) = self.instances.get_mut(instance) {
            host.record(database, Arc::new(file.set), 0, vec![r"\\elsewhere\foreign.bak".into()]);
        }
    }

    /// A manual snapshot of an instance; of a read replica there is none.
    pub fn break_snapshot(&mut self, instance: &str) {
        if let Some(index) = self.index_of(instance).filter(|index| !self.is_replica(*index)) {
            let name = format!("by-hand-{}", self.snapshots.len() + 1);
            self.snapshots.insert(name.clone(), instance.to_ascii_lowercase());
            self.publish_of(index, "RDS-EVENT-0042", "Manual snapshot created".to_owned(), Some(name));
            self.snapshot_instance(index);
        }
    }

    /// Somebody deletes a manual snapshot. Returns whether there was one of that name.
    pub fn break_snapshot_away(&mut self, snapshot: &str) -> bool {
        self.snapshots.remove(snapshot).is_some()
    }

    /// Changes the recovery model. While automated backups are on, RDS sets it back to FULL and snapshots the instance;
    /// SIMPLE breaks the log chain.
    pub fn break_recovery_model(&mut self, database: DatabaseId, model: RecoveryModel) {
        let now = self.now_ms;
        let Some(held) = self.database_mut(database).filter(|d| d.dropped.is_none()) else { return };
        held.recovery_model = model;
        let (instance, serial) = (held.instance, held.serial);
        if model == RecoveryModel::Simple {
            held.logs.break_chain(now);
        }
        if model != RecoveryModel::Full && self.retains(instance) {
            let span = self.knobs.recovery_reset_seconds;
            let keys = [u64::from(database.0), serial, 2];
            let wait = Stream::of(self.seed, Purpose::AutomatedBackup, &keys).between(span.min, span.max);
            // On Multi-AZ it is at once.
            let multi = self.instances.get(instance).is_some_and(|h| h.config.multi_az != MultiAz::Single);
            let wait = if multi { 0 } else { wait };
            self.schedule(now + wait * SECOND, Event::RecoveryReset { database });
        }
    }

    /// Sets the backup retention period. 0 turns automated and log backups off and sets SIMPLE; from 0 upwards RDS sets
    /// FULL and takes a backup at once. A read replica has no backups.
    pub fn break_retention(&mut self, instance: &str, days: u32) {
        let found = self.index_of(instance).filter(|index| !self.is_replica(*index));
        let (now, Some(index)) = (self.now_ms, found) else { return };
        let Some(host) = self.instances.get_mut(index) else { return };
        let before = std::mem::replace(&mut host.config.retention_days, days);
        for position in self.alive_on(index) {
            let Some(database) = self.databases.get_mut(position) else { continue };
            if days == 0 {
                database.recovery_model = RecoveryModel::Simple;
                database.logs.break_chain(now);
            } else if before == 0 {
                database.recovery_model = RecoveryModel::Full;
            }
        }
        if days > 0 && before == 0 {
            self.snapshot_instance(index);
        }
    }

    /// Pauses or resumes the service's log backups of one database; the next file covers the pause.
    pub fn break_log_backups(&mut self, database: DatabaseId, paused: bool) {
        let now = self.now_ms;
        let Some(held) = self.databases.get_mut(database.0 as usize) else { return };
        if paused {
            let branch = held.branch;
            held.logs.pause(&self.branches, branch, now);
        } else {
            held.logs.resume(now);
        }
    }

    /// The EXECUTE grants on the procedures are lost, as after a failover, or given again.
    pub fn break_grants(&mut self, instance: &str, lost: bool) {
        if let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) {
            host.grants_lost = lost;
        }
    }

    /// The login loses VIEW ANY DEFINITION, or has it again. It is granted to begin with.
    pub fn break_definitions(&mut self, instance: &str, hidden: bool) {
        if let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) {
            host.definitions_hidden = hidden;
        }
    }

    /// Something stands in the way of access to log backups, or nothing any more.
    pub fn break_log_access(&mut self, instance: &str, trouble: LogAccess) {
        if let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) {
            host.log_access = trouble;
        }
    }

    /// Changes the state of the backup option.
    pub fn set_option(&mut self, instance: &str, option: OptionStatus) {
        if let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) {
            host.config.option = option;
        }
    }

    /// Changes settings of an instance that nothing else depends on: key, password, throughput.
    pub fn configure_instance(&mut self, instance: &str, change: impl FnOnce(&mut InstanceConfig)) {
        if let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) {
            change(&mut host.config);
        }
        // The option of encryption is an option of the same group: adding it generates a certificate.
        if let Some(index) = self.index_of(instance) {
            self.generate_certificate(index);
        }
    }

    /// BACKUP CERTIFICATE, with a password that somebody had KMS generate under a key. The files are theirs to store. `None`: there
    /// is no such certificate, or no such key.
    pub fn export_certificate(&self, instance: &str, name: &str, key: &str) -> Option<CertificateFiles> {
        let index = self.index_of(instance)?;
        let held = self.instances.get(index)?.certificate(name)?;
        self.kms.describe(key)?;
        let keys = [index as u64, u64::MAX - 1, u64::from(held.id)];
        Some(files::write(&held.issued, draw(self.seed, Purpose::Certificate, &keys), key))
    }

    /// A certificate is lost, whatever it protects. Returns whether it was there.
    pub fn break_certificate(&mut self, instance: &str, name: &str) -> bool {
        let Some(host) = self.index_of(instance).and_then(|i| self.instances.get_mut(i)) else {
            return false;
        };
        let Some(id) = host.certificate(name).map(|held| held.id) else { return false };
        host.certificates.retain(|held| held.id != id);
        true
    }

    /// Drops a database: its service logs and its msdb history go with it.
    pub fn break_drop_database(&mut self, database: DatabaseId) -> bool {
        let now = self.now_ms;
        let Some(held) = self.database_mut(database).filter(|d| d.dropped.is_none()) else { return false };
        held.dropped = Some(now);
        held.logs.break_chain(now);
        let (instance, name) = (held.instance, held.name.to_lowercase());
        if let Some(host) = self.instances.get_mut(instance) {
            host.databases.remove(&name);
            for msdb in &mut host.msdb {
                msdb.rows.retain(|row| row.database != database);
                // Restores of its sets go with them.
                let kept: BTreeSet<u32> = msdb.rows.iter().map(|row| row.backup_set_id).collect();
                msdb.restores.retain(|row| row.backup_set_id.is_none_or(|set| kept.contains(&set)));
            }
        }
        true
    }

    /// Somebody takes a database offline; on Multi-AZ instances that can't be done. Log backups pause.
    pub fn break_offline(&mut self, database: DatabaseId) {
        let instance = self.database(database).map(|held| held.instance);
        let host = instance.and_then(|instance| self.instances.get(instance));
        if host.is_some_and(|host| host.config.multi_az == MultiAz::Single) {
            self.set_offline(database, true);
        }
    }

    pub(crate) fn set_offline(&mut self, database: DatabaseId, offline: bool) {
        let Some(held) = self.database_mut(database).filter(|held| held.dropped.is_none()) else { return };
        if held.is_offline != offline {
            held.is_offline = offline;
            self.break_log_backups(database, offline);
        }
    }

    /// Somebody turns change data capture of a database on or off.
    pub fn break_change_data_capture(&mut self, database: DatabaseId, on: bool) {
        let now = self.now_ms;
        if let Some(held) = self.database_mut(database) {
            held.captures.push((now, on));
        }
    }

    /// Renames a database; its identity stays.
    pub fn break_rename(&mut self, database: DatabaseId, name: &str) -> Result<(), EngineError> {
        let Some(held) = self.database(database).filter(|d| d.dropped.is_none()) else { return Ok(()) };
        let (index, old) = (held.instance, held.name.to_lowercase());
        let instance = self.instances.get(index).map(|i| i.config.name.clone()).unwrap_or_default();
        self.checked_name(&instance, name)?;
        if let Some(host) = self.instances.get_mut(index) {
            host.databases.remove(&old);
            host.databases.insert(name.to_lowercase(), database);
        }
        if let Some(held) = self.database_mut(database) {
            held.name = Arc::from(name);
        }
        Ok(())
    }

    /// Somebody restores a database over itself to a moment of its past: another incarnation of the same name and family
    /// on a new recovery fork, sharing LSNs with the branch left behind. Its first log crosses the fork.
    pub fn break_restore_in_place(&mut self, database: DatabaseId, to: Timestamp) -> Option<DatabaseId> {
        let old = self.database(database).filter(|d| d.dropped.is_none())?.clone();
        self.break_drop_database(database);
        let (instance, name) = (old.instance, Arc::clone(&old.name));
        Some(self.incarnate(&old, to, instance, &name))
    }

    /// Somebody restores a copy of a database, as it is now, on an instance under a name that is free there. What it is a copy of
    /// stays.
    ///
    /// # Errors
    /// The name is taken, or there is no such instance.
    pub fn break_restore_copy(
        &mut self,
        database: DatabaseId,
        instance: &str,
        name: &str,
    ) -> Result<Option<DatabaseId>, EngineError> {
        let index = self.checked_name(instance, name)?;
        let Some(old) = self.database(database).filter(|d| d.dropped.is_none()).cloned() else {
            return Ok(None);
        };
        Ok(Some(self.incarnate(&old, self.now(), index, name)))
    }

    /// Somebody restores the storage of an instance, from a snapshot of now, to another one: the database is there as well, with the same
    /// guids on the same recovery fork, and each goes on with logs of its own.
    ///
    /// # Errors
    /// The name is taken, or there is no such instance.
    pub fn break_twin(
        &mut self,
        database: DatabaseId,
        instance: &str,
    ) -> Result<Option<DatabaseId>, EngineError> {
        let Some(name) = self.database(database).map(|held| Arc::clone(&held.name)) else { return Ok(None) };
        let Some(id) = self.break_restore_copy(database, instance, &name)? else { return Ok(None) };
        let Some(old) = self.database(database).cloned() else { return Ok(None) };
        if let Some(twin) = self.database_mut(id) {
            twin.database_guid = old.database_guid;
            twin.forks = old.forks;
        }
        Ok(Some(id))
    }

    /// Another incarnation of a family, from what a database held at a moment.
    fn incarnate(&mut self, old: &Database, to: Timestamp, instance: usize, name: &str) -> DatabaseId {
        let now = self.now_ms;
        let at = ceil_ms(to).clamp(old.created, now);
        let parent = ContentRef { branch: old.branch, count: self.branches.commits_before(old.branch, at) };
        let fork_lsn = self.branches.position_at(old.branch, at).lsn;
        let id = DatabaseId(u32::try_from(self.databases.len()).unwrap_or(u32::MAX));
        let seed = Stream::of(self.seed, Purpose::Writes, &[u64::from(id.0)]).next();
        let writes = Writes::new(seed, now, 10_000, Rhythm::Flat, &[]);
        let branch =
            self.branches.add_generated(seed, Some(parent), now, writes, 8, fork_lsn.vlf.saturating_add(1));
        let fork = Fork { from: now, lsn: fork_lsn, guid: Database::fresh_guid(self.seed, id.0, 2) };
        let config = DatabaseConfig {
            size_bytes: old.size_bytes,
            growth_bytes: old.growth_bytes,
            file_count: old.file_count,
            features: old.features,
            ..DatabaseConfig::named(name)
        };
        let mut fresh = self.blank_database(instance, id, &config, (now, branch), (old.family_guid, fork));
        let before = Fork { from: i64::MIN, ..old.fork_at(at) };
        fresh.forks.insert(0, before);
        if old.encryption.needed_at(at).is_some() {
            fresh.encryption = old.encryption.clone();
        }
        // The database restored from counts as having been backed up: its base and its chain go on.
        fresh.base = old.base.filter(|b: &DifferentialBase| b.at <= at);
        fresh.fulls = old.fulls.iter().copied().filter(|(end, _)| *end <= at).collect();
        // The restored log still holds what was applied since the last whole log backup: the next one begins there.
        let (_, end) = old.logs.numbers(at, i64::MIN);
        let boundary =
            end.checked_sub(1).and_then(|number| old.log_file(&self.branches, number)).map(|f| f.end);
        let start = boundary.unwrap_or(Position { count: parent.count, lsn: fork_lsn });
        if self.retains(instance) {
            fresh.logs.continue_from(start, now - 1, now);
        }
        self.adopt(instance, fresh);
        if self.retains(instance) {
            self.snapshot_database(id, now);
        }
        id
    }
}
