//! How does a native restore run?
//!
//! What can be refused is looked at when it starts, as for backups; then data moves at the instance's speed, and at the end the
//! database stays RESTORING or opens: another incarnation on a new recovery fork, of which the service takes a snapshot. What
//! the engine accepts after what is `restore`'s question. Source: RDS user guide, "Using native backup and restore".

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind},
    database::{
        config::DatabaseConfig,
        state::{Database, DatabaseId, DifferentialBase, Fork},
        writes::{Rhythm, Writes},
    },
    error::EngineError,
    instance::state::{Instance, Unrecovered},
    restore::{ObjectRef, Restoring, no_certificate_for},
    s3::is_directory,
    stream::{Purpose, Stream},
    tasks::{
        info::restore_failure_lines,
        task::{Lifecycle, TaskType, Work},
    },
    tde::key::Encryption,
    time::{Ms, SECOND, ceil_second},
    world::World,
};

/// Files that one restore reads. RDS user guide, "Using native backup and restore".
pub(crate) const FILES_MAX: usize = 10;

/// What RDS says of objects that are no backup, or not the one that was asked for.
const WRONG_TYPE: &str = "Please reissue task with correct type and overwrite property";

/// "The media family on device is incorrectly formed."
const NO_BACKUP: u32 = 3241;

/// What a restore reads, and what comes of it.
struct Read {
    restored: Restoring,
    /// Nothing for `FINISH_RESTORE`.
    file: Option<Arc<BackupFile>>,
}

impl World {
    /// A restore takes its slot.
    pub(crate) fn start_restore(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let mut stream = self.run_stream(instance, id, 2);
        let setup = stream.seconds(self.knobs.setup_seconds);
        let speed = stream.between(self.knobs.speed_percent.min, self.knobs.speed_percent.max).max(1);
        let Read { restored: after, file } = match self.read_restore(instance, id) {
            Ok(read) => read,
            Err(text) => {
                let kind = self.instances.get(instance).and_then(|i| i.task(id)).map(|task| task.kind);
                let kind = kind.map_or("", |kind| kind.name(&self.knobs));
                let (lines, end) = restore_failure_lines(now + setup.min(6 * SECOND), id, kind, &text);
                self.replan(instance, id, Lifecycle::Error, lines, end);
                return;
            }
        };
        let bytes = file.as_ref().map_or(0, |file| file.set.size_bytes);
        if let Some(Work::Restore { restored, read, .. }) =
            self.instances.get_mut(instance).and_then(|i| i.work.get_mut(&id))
        {
            (*restored, *read) = (Some(Box::new(after)), file);
        }
        let length = self.instances.get(instance).map_or(0, |host| host.transfer(bytes, speed));
        let from = now + setup;
        let until = from + length.max(SECOND);
        let end = until + stream.between(SECOND, 4 * SECOND);
        let end = if self.knobs.whole_seconds { ceil_second(end) } else { end };
        self.plan_run(instance, id, (from, until), end);
    }

    /// The database as the task will leave it, or why it fails, as `task_info` words it.
    fn read_restore(&self, instance: usize, id: u32) -> Result<Read, String> {
        let lost = || WRONG_TYPE.to_owned();
        let host = self.instances.get(instance).ok_or_else(lost)?;
        let (Some(task), Some(Work::Restore { from, stop, .. })) = (host.task(id), host.work.get(&id)) else {
            return Err(lost());
        };
        let before = host.restoring.get(&task.database_name.to_lowercase()).map(|held| &held.state);
        let not_restoring = || self.knobs.texts.not_restoring.replace("{name}", &task.database_name);
        let (TaskType::Restore(kind, _), Some((bucket, key))) = (task.kind, from) else {
            let restored = before.cloned().ok_or_else(not_restoring)?;
            return Ok(Read { restored, file: None });
        };
        // "If using a directory bucket, the ARN must end with /*."
        let whole = key == "*" || key.ends_with("/*");
        if kind != BackupKind::Log && is_directory(bucket) && !whole {
            return Err(self.knobs.texts.directory_bucket_key.clone());
        }
        let file = self.read_native(instance, bucket, key, task.kms.as_deref())?;
        if file.set.kind != kind {
            return Err(lost());
        }
        if file.set.major_version > host.config.major_version() {
            let (made, here) = (file.set.major_version, host.config.major_version());
            return Err(format!(
                "The database was backed up on a server running version {made}. That version is incompatible with this server, which is running version {here}. Either restore the database on a server that supports the backup, or use a backup that is compatible with this server."
            ));
        }
        if let Some(thumbprint) = file.tde_thumbprint.filter(|print| !host.opens(*print)) {
            // The task lists the files of a backup before it restores them, and there the engine stops.
            let stops = "RESTORE FILELIST is terminating abnormally.";
            return Err(format!("{}  {stops}", no_certificate_for(thumbprint).text));
        }
        if kind == BackupKind::Full {
            if let Some(text) = self.refuse_full(instance, task, &file.set) {
                return Err(text);
            }
            let restored = Restoring::full(self.engine(), &file, *stop).map_err(|error| error.text)?;
            return Ok(Read { restored, file: Some(file) });
        }
        let mut restored = before.cloned().ok_or_else(not_restoring)?;
        if restored.begun_with.set.features.null_file_guid {
            return Err(self.knobs.texts.null_file_guid.clone());
        }
        restored.apply(self.engine(), &file, *stop).map_err(|error| error.text)?;
        if stop.is_some() && task.kind.opens() && !restored.stopped {
            return Err(Restoring::not_reached().text);
        }
        Ok(Read { restored, file: Some(file) })
    }

    /// The backup at a key, or under a prefix that ends in `*`.
    fn read_native(
        &self,
        instance: usize,
        bucket: &str,
        key: &str,
        kms: Option<&str>,
    ) -> Result<Arc<BackupFile>, String> {
        if let Some(text) = self.refuse_bucket(instance, bucket, key) {
            return Err(text);
        }
        if let Some(text) = kms.and_then(|arn| self.refuse_key_for(instance, arn, "kms:Decrypt")) {
            return Err(text);
        }
        let denied = || "Access Denied".to_owned();
        let keys: Vec<String> = match key.strip_suffix('*') {
            None => vec![key.to_owned()],
            Some(prefix) => {
                let page = self.s3.list(bucket, prefix, None, FILES_MAX).map_err(|_| denied())?;
                if page.next.is_some() {
                    return Err(format!(
                        "The Restore task is unable to restore from more than {FILES_MAX} backup file(s). Please reduce the number of files matched and try again."
                    ));
                }
                page.objects.into_iter().map(|object| object.key).collect()
            }
        };
        let known = |key: &String| self.s3.bucket(bucket).is_ok_and(|bucket| bucket.exists(key));
        if keys.is_empty() || !keys.iter().all(known) {
            return Err(denied());
        }
        if keys.iter().any(|key| !self.may_decrypt(bucket, key)) {
            return Err(denied());
        }
        let objects: Vec<ObjectRef> = keys.iter().map(|key| ObjectRef::newest(bucket, key)).collect();
        // The user guide words it so for what "isn't a valid backup file"; other damage is told in SQL Server's words.
        let told =
            |error: EngineError| if error.number == NO_BACKUP { WRONG_TYPE.to_owned() } else { error.text };
        let file = self.read_set(&objects).map_err(told)?;
        // A file that is encrypted is not read without its key.
        match file.kms_key.as_deref() {
            Some(arn) if kms.is_none_or(|given| given != arn) => Err(WRONG_TYPE.to_owned()),
            _ => Ok(file),
        }
    }

    /// The data is through: the database stays RESTORING or opens.
    pub(crate) fn finish_restore(&mut self, instance: usize, id: u32, work: Work) {
        let now = self.now_ms;
        let Work::Restore { restored: Some(restored), read, stop, keeps_cdc, .. } = work else { return };
        let Some(host) = self.instances.get_mut(instance) else { return };
        let Some((name, opens)) =
            host.task(id).map(|task| (Arc::clone(&task.database_name), task.kind.opens()))
        else {
            return;
        };
        if let Some(file) = read {
            host.record_restore(id, &file.set, stop);
        }
        let held = host.restoring.remove(&name.to_lowercase());
        let (sql_id, created) = held.map_or((host.next_sql_id, now), |held| (held.sql_id, held.created));
        host.next_sql_id = host.next_sql_id.max(sql_id + 1);
        if opens {
            self.open_restored(instance, &name, (sql_id, keeps_cdc), &restored);
        } else {
            let held = Unrecovered { name: Arc::clone(&name), sql_id, created, state: *restored };
            host.restoring.insert(name.to_lowercase(), held);
        }
    }

    /// RECOVERY: another incarnation of the family, on a new fork, with what was applied.
    fn open_restored(
        &mut self,
        instance: usize,
        name: &Arc<str>,
        (sql_id, keeps_cdc): (u32, bool),
        restored: &Restoring,
    ) {
        let (now, seed) = (self.now_ms, self.seed);
        let set = &restored.begun_with.set;
        let id = DatabaseId(u32::try_from(self.databases.len()).unwrap_or(u32::MAX));
        let writes_seed = Stream::of(seed, Purpose::Writes, &[u64::from(id.0)]).next();
        // Nobody writes to a database that was just restored but by hand.
        let writes = Writes::new(writes_seed, now, 0, Rhythm::Flat, &[]);
        let vlf = restored.redo.vlf.saturating_add(1);
        let branch = self.branches.add_generated(writes_seed, Some(restored.at), now, writes, 8, vlf);
        let fork = Fork { from: now, lsn: restored.redo, guid: Database::fresh_guid(seed, id.0, 2) };
        let config = DatabaseConfig {
            size_bytes: set.size_bytes,
            growth_bytes: 0,
            features: set.features,
            ..DatabaseConfig::named(name)
        };
        let mut fresh = self.blank_database(instance, id, &config, (now, branch), (set.family_guid, fork));
        fresh.forks.insert(0, Fork { from: Ms::MIN, lsn: set.checkpoint_lsn, guid: restored.fork });
        // A story that begins again restores what lies in its future.
        fresh.fulls = vec![(set.finish.min(now), set.checkpoint_lsn)];
        // What it was restored from counts as having been backed up, whoever holds that file.
        fresh.base = (!set.is_copy_only).then_some(DifferentialBase {
            lsn: set.checkpoint_lsn,
            uuid: set.uuid,
            is_snapshot: false,
            at: set.finish.min(now),
        });
        // The restored log still holds what was applied since the last whole set: the next log backup begins there.
        if self.retains(instance) {
            fresh.logs.continue_from(restored.whole, now - 1, now);
        }
        fresh.encryption = restored.tde_thumbprint.map_or_else(Encryption::default, |brought| {
            // Before anybody may use the database, RDS encrypts its key with a certificate of its own.
            let own = self.instances.get(instance).and_then(Instance::service_certificate);
            Encryption::restored(own.map_or(brought, |own| own.issued.thumbprint), now)
        });
        // Without KEEP_CDC "change data capture is always disabled by a restore".
        if keeps_cdc && restored.captures_changes {
            fresh.captures.push((now, true));
        }
        fresh.sql_id = sql_id;
        if let Some(host) = self.instances.get_mut(instance) {
            host.databases.insert(name.to_lowercase(), id);
        }
        self.databases.push(fresh);
        if self.retains(instance) {
            self.snapshot_database(id, now);
        }
    }
}
