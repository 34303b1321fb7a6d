//! How does a native backup run?
//!
//! What can be refused is looked at when it starts, as the field shows (`task_info` carries it); then data moves at the
//! instance's speed, and the objects appear together at the end, because multipart uploads complete then. Source: RDS
//! user guide, "Using native backup and restore", "Limitations", "Troubleshooting".

use std::sync::Arc;

use crate::{
    backup_file::{BackupFile, BackupKind},
    database::{
        backups::{Flavour, RunningBackup},
        state::Database,
    },
    instance::{config::Edition, state::Instance},
    knobs::MaintenanceRule,
    s3::{Body, is_directory},
    stream::{Purpose, Stream},
    tasks::{
        info::{failure_lines, stripe_keys},
        task::{Lifecycle, TaskType, Work},
    },
    time::{SECOND, ceil_second},
    world::World,
};

/// Bytes in one file: "RDS for Microsoft SQL Server has a size limit of 5 TB per file", read as decimal.
const FILE_BYTES_MAX: u64 = 5_000_000_000_000;

/// What a backup needs to know before it moves data.
struct Plan {
    bucket: String,
    key: String,
    kms: Option<Arc<str>>,
    stripes: u8,
    overwrite: bool,
    default_encryption: bool,
    kind: BackupKind,
}

impl World {
    fn backup_plan(&self, instance: usize, id: u32) -> Option<Plan> {
        let host = self.instances.get(instance)?;
        let (task, work) = (host.task(id)?, host.work.get(&id)?);
        let Work::Backup { bucket, key, .. } = work else { return None };
        let kind = match task.kind {
            TaskType::BackupDifferential => BackupKind::Differential,
            _ => BackupKind::Full,
        };
        Some(Plan {
            bucket: bucket.clone(),
            key: key.clone(),
            kms: task.kms.clone(),
            stripes: task.stripes,
            overwrite: task.overwrite,
            default_encryption: task.default_encryption || is_directory(bucket),
            kind,
        })
    }

    /// A backup takes its slot.
    pub(crate) fn start_backup(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let Some(plan) = self.backup_plan(instance, id) else { return };
        let mut stream = self.run_stream(instance, id, 0);
        let setup = stream.seconds(self.knobs.setup_seconds);
        let speed = stream.between(self.knobs.speed_percent.min, self.knobs.speed_percent.max).max(1);
        let database = self.instances.get(instance).and_then(|i| i.task(id)).and_then(|t| t.database);
        let Some(position) = database.map(|d| d.0 as usize) else { return };
        let refusal = self.refuse_backup(instance, &plan, position);
        if let Some(text) = refusal {
            if self.is_closed(instance) {
                self.note_killed(instance, id);
            }
            let (lines, end) = failure_lines(now + setup.min(6 * SECOND), &text);
            self.replan(instance, id, Lifecycle::Error, lines, end);
            return;
        }
        let Some(database) = self.databases.get_mut(position) else { return };
        let bytes = match plan.kind {
            BackupKind::Differential => database.changed_bytes(&self.branches, database.base, now),
            _ => database.size_at(&self.branches, now),
        };
        let running = database.begin_backup(&mut self.branches, self.seed, &self.knobs, plan.kind, now);
        let length = self.instances.get(instance).map_or(0, |host| host.transfer(bytes, speed));
        let from = now + setup;
        let until = from + length.max(SECOND);
        let end = until + stream.between(SECOND, 4 * SECOND);
        let end = if self.knobs.whole_seconds { ceil_second(end) } else { end };
        self.begin_uploads(instance, id, &plan, running);
        self.plan_run(instance, id, (from, until), end);
    }

    fn begin_uploads(&mut self, instance: usize, id: u32, plan: &Plan, begun: RunningBackup) {
        let keys = stripe_keys(&plan.key, plan.stripes, self.knobs.stripe_underscore);
        let started: Vec<(String, u64)> = keys
            .into_iter()
            .map(|key| {
                let serial = self.s3.begin_upload(&plan.bucket, &key);
                (key, serial)
            })
            .collect();
        let work = self.instances.get_mut(instance).and_then(|i| i.work.get_mut(&id));
        if let Some(Work::Backup { running, uploads, .. }) = work {
            (*running, *uploads) = (Some(begun), started);
        }
    }

    /// Why a backup that starts now fails, as `task_info` words it.
    fn refuse_backup(&self, instance: usize, plan: &Plan, position: usize) -> Option<String> {
        let host = self.instances.get(instance)?;
        let database = self.databases.get(position)?;
        if database.dropped.is_some() {
            return Some(self.knobs.texts.unknown_database.replace("{name}", &database.name));
        }
        if database.is_offline {
            return Some(format!(
                "Database '{}' cannot be opened because it is offline.  BACKUP DATABASE is terminating abnormally.",
                database.name
            ));
        }
        if self.is_maintained(host) {
            return Some(self.knobs.texts.maintenance.clone());
        }
        if host.automated_until.is_some() {
            return Some(crate::tasks::info::AUTOMATED_BACKUP.into());
        }
        if let Some(text) = self.refuse_bucket(instance, &plan.bucket, &plan.key) {
            return Some(text);
        }
        if let Some(text) = plan.kms.as_deref().and_then(|arn| self.refuse_key(instance, arn)) {
            return Some(text);
        }
        let default = plan.default_encryption.then(|| self.refuse_default_key(instance, &plan.bucket));
        if let Some(text) = default.flatten() {
            return Some(text);
        }
        let keys = stripe_keys(&plan.key, plan.stripes, self.knobs.stripe_underscore);
        let taken = self.s3.bucket(&plan.bucket).is_ok_and(|b| keys.iter().any(|key| b.exists(key)));
        if taken && !plan.overwrite {
            return Some("Please reissue task with correct type and overwrite property".into());
        }
        if host.compression && matches!(host.config.edition, Edition::Web | Edition::Express) {
            let edition = host.config.edition.name();
            let is_not = self.knobs.documents.is_not();
            return Some(format!("BACKUP DATABASE WITH COMPRESSION {is_not} supported on {edition} Edition"));
        }
        self.refuse_size(database, plan).or_else(|| self.refuse_differential(database, plan))
    }

    /// Whether backups that start now fail because of maintenance.
    fn is_maintained(&self, host: &Instance) -> bool {
        host.maintenance_window.contains(self.now_ms) && self.knobs.maintenance == MaintenanceRule::FailsAtRun
    }

    /// Whether a window of the service keeps backups from starting now.
    fn is_closed(&self, instance: usize) -> bool {
        self.instances
            .get(instance)
            .is_some_and(|host| host.automated_until.is_some() || self.is_maintained(host))
    }

    fn refuse_size(&self, database: &Database, plan: &Plan) -> Option<String> {
        let compression = self.instances.get(database.instance).is_some_and(|i| i.compression);
        let each = self.stored_bytes(database.size_at(&self.branches, self.now_ms), compression)
            / u64::from(plan.stripes.max(1));
        if plan.kind == BackupKind::Full && each > FILE_BYTES_MAX {
            return Some(self.knobs.texts.file_too_large.clone());
        }
        let most = self.knobs.documents.backup_bytes_max();
        let is_too_large = most.is_some_and(|most| database.size_at(&self.branches, self.now_ms) > most);
        is_too_large.then(|| self.knobs.texts.backup_too_large.clone())
    }

    fn refuse_differential(&self, database: &Database, plan: &Plan) -> Option<String> {
        if plan.kind != BackupKind::Differential {
            return None;
        }
        let usable =
            database.base.is_some_and(|b| !(b.is_snapshot && self.knobs.differential_on_snapshot_fails));
        (!usable).then(|| {
            format!(
                "Cannot perform a differential backup for database \"{}\", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option.  BACKUP DATABASE is terminating abnormally.",
                database.name
            )
        })
    }

    /// Why RDS may not use a bucket.
    pub(crate) fn refuse_bucket(&self, instance: usize, bucket: &str, key: &str) -> Option<String> {
        let region = self.instances.get(instance).map(|i| i.config.region.as_str());
        match self.s3.describe_bucket(bucket) {
            Err(_) => Some("The specified bucket does not exist".into()),
            Ok(config) if Some(config.region.as_str()) != region => {
                Some("Please specify a bucket that is in the same region as RDS instance".into())
            }
            Ok(config) if !config.rds_access || key.is_empty() => Some("Access Denied".into()),
            Ok(_) => None,
        }
    }

    /// Why RDS may not encrypt with a key.
    pub(crate) fn refuse_key(&self, instance: usize, arn: &str) -> Option<String> {
        self.refuse_key_for(instance, arn, "kms:GenerateDataKey")
    }

    /// Why RDS may not use a key for an action of KMS.
    pub(crate) fn refuse_key_for(&self, instance: usize, arn: &str, action: &str) -> Option<String> {
        let host = self.instances.get(instance)?;
        let texts = &self.knobs.texts;
        let Some(key) = self.kms.describe(arn) else { return Some(format!("Key {arn} does not exist")) };
        if key.region != host.config.region {
            return Some(texts.key_region.replace("{key}", arn));
        }
        if !key.rds_access {
            let role = &host.config.role_arn;
            return Some(format!("User {role} is not authorized to perform {action} on resource {arn}"));
        }
        if !key.enabled {
            return Some(texts.key_disabled.replace("{key}", arn));
        }
        (!key.symmetric || !key.customer_managed).then(|| texts.key_unusable.replace("{key}", arn))
    }

    fn stored_bytes(&self, bytes: u64, compression: bool) -> u64 {
        if compression { bytes / 100 * self.knobs.compressed_percent } else { bytes }
    }

    /// The data is through: objects, history row, base.
    pub(crate) fn finish_backup(
        &mut self,
        instance: usize,
        id: u32,
        (bucket, _key): (&str, &str),
        running: RunningBackup,
        uploads: &[(String, u64)],
    ) {
        let now = self.now_ms;
        let Some(task) = self.instances.get(instance).and_then(|host| host.task(id)) else { return };
        let Some(position) = task.database else { return };
        let default_encryption = task.default_encryption || is_directory(bucket);
        let Some(database) = self.databases.get_mut(position.0 as usize) else { return };
        let file = database.end_backup(&mut self.branches, self.seed, running, Flavour::Native, now);
        let Some((file, each)) = self.written(instance, id, file) else { return };
        for (index, (key, serial)) in (1_u8..).zip(uploads) {
            self.s3.end_upload(bucket, key, *serial);
            let body = Body::Stripe { file: Arc::clone(&file), index };
            // A bucket deleted meanwhile loses the object: nothing else could happen to it.
            let stored = self.s3.store(bucket, key, body, each);
            debug_assert!(
                stored.is_ok() || self.s3.describe_bucket(bucket).is_err(),
                "only a missing bucket refuses"
            );
            if default_encryption {
                self.s3.encrypt_by_default(bucket, key);
            }
        }
        if let Some(host) = self.instances.get_mut(instance) {
            host.record(position, Arc::new(file.set.clone()), id, Vec::new());
        }
    }

    /// What a task writes of a backup, and the bytes of each stripe.
    fn written(&self, instance: usize, id: u32, mut file: BackupFile) -> Option<(Arc<BackupFile>, u64)> {
        let host = self.instances.get(instance)?;
        let task = host.task(id)?;
        file.set.stripes = task.stripes;
        file.kms_key.clone_from(&task.kms);
        file.set.compressed_bytes = self.stored_bytes(file.set.size_bytes, host.compression);
        let each = file.set.compressed_bytes / u64::from(task.stripes.max(1));
        Some((Arc::new(file), each))
    }

    /// The file of a backup whose data is through: its database does not know of it before [`World::note_native`].
    pub(crate) fn native_file(
        &mut self,
        instance: usize,
        id: u32,
        running: RunningBackup,
    ) -> Option<(Arc<BackupFile>, u64)> {
        let position = self.instances.get(instance)?.task(id)?.database?;
        let mut database = self.database(position)?.clone();
        let now = self.now_ms;
        let file = database.end_backup(&mut self.branches, self.seed, running, Flavour::Native, now);
        self.written(instance, id, file)
    }

    /// All of a backup is where it belongs: history row, base.
    pub(crate) fn note_native(
        &mut self,
        instance: usize,
        id: u32,
        file: &BackupFile,
        running: RunningBackup,
    ) {
        let Some(position) = self.instances.get(instance).and_then(|host| host.task(id)?.database) else {
            return;
        };
        if let Some(database) = self.database_mut(position) {
            database.note_native(&file.set, running);
        }
        if let Some(host) = self.instances.get_mut(instance) {
            host.record(position, Arc::new(file.set.clone()), id, Vec::new());
        }
    }

    /// Ends the uploads of a task that will not finish this run.
    pub(crate) fn drop_uploads(&mut self, instance: usize, id: u32, may_stay: bool) {
        let work = self.instances.get_mut(instance).and_then(|i| i.work.get_mut(&id));
        let Some(Work::Backup { bucket, uploads, running, .. }) = work else { return };
        *running = None;
        let (bucket, uploads) = (bucket.clone(), std::mem::take(uploads));
        if may_stay {
            self.abandon_uploads(instance, id, &bucket, &uploads);
        } else {
            for (key, serial) in uploads {
                self.s3.end_upload(&bucket, &key, serial);
            }
        }
    }

    /// Aborts uploads, but now and then leaves one behind.
    pub(crate) fn abandon_uploads(
        &mut self,
        instance: usize,
        id: u32,
        bucket: &str,
        uploads: &[(String, u64)],
    ) {
        let mut stream = Stream::of(self.seed, Purpose::Abort, &[instance as u64, u64::from(id), 1]);
        for (key, serial) in uploads {
            if !stream.chance_ppm(self.knobs.abandoned_upload_ppm) {
                self.s3.end_upload(bucket, key, *serial);
            }
        }
    }
}
