//! What does `rds_backup_database` take and refuse?
//!
//! Refused by the call: the option is off, an open transaction, a task of the same database, a database that is not
//! there, arguments out of range. Bucket, key and object are looked at when the task runs. Source: RDS user guide, "Using
//! native backup and restore"; where no text is recorded, SQL Server's own or a knob.

use std::sync::Arc;

use tds::Response;

use crate::{
    error::EngineError,
    knobs::MaintenanceRule,
    sql::{
        calls::{Declared, optional, required},
        procedures::Call,
        value,
    },
    tasks::{
        info::split_arn,
        queue::NewTask,
        task::{TaskType, Work},
    },
    world::World,
};

/// Files in one native backup. RDS user guide, "Using native backup and restore".
const FILES_MAX: i64 = 10;

/// Parameters of `rds_backup_database`.
pub(super) const BACKUP: &[Declared] = &[
    required("@source_db_name"),
    required("@s3_arn_to_backup_to"),
    optional("@kms_master_key_arn"),
    optional("@overwrite_s3_backup_file"),
    optional("@type"),
    optional("@number_of_files"),
    optional("@block_size"),
    optional("@max_transfer_size"),
    optional("@buffer_count"),
    optional("@enable_bucket_default_encryption"),
];

fn refuse(text: impl Into<String>) -> EngineError {
    EngineError::raised(text)
}

impl World {
    /// `msdb.dbo.rds_backup_database`.
    pub(super) fn rds_backup_database(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let bound = call.bound;
        self.may_run_native(call)?;
        let name = bound.text(0).unwrap_or_default();
        let arn = bound.text(1).unwrap_or_default();
        let kind = match bound.text(4).map(|t| t.to_uppercase()).as_deref() {
            None | Some("FULL") => TaskType::Backup,
            Some("DIFFERENTIAL") => TaskType::BackupDifferential,
            Some(other) => {
                return Err(refuse(format!(
                    "Invalid value '{other}' for the parameter @type. Valid values are FULL and DIFFERENTIAL."
                )));
            }
        };
        let stripes = value::integer(bound.get(5), "int")?.unwrap_or(1);
        let overwrite = value::integer(bound.get(3), "int")?.unwrap_or(0) != 0;
        check_transfer(bound, 6)?;
        check_target(&arn, stripes)?;
        // A malformed ARN is no error of the call: the task fails.
        let (bucket, key) = self.locate(call.instance, &arn).unwrap_or_default();
        let database = self.instances.get(call.instance).and_then(|i| i.database(&name));
        let Some(database) = database else {
            return Err(refuse(self.knobs.texts.unknown_database.replace("{name}", &name)));
        };
        self.refuse_second_task(call.instance, database, TaskType::Backup)?;
        self.refuse_at_call(call.instance, &bucket)?;
        let database_name =
            self.database(database).map_or_else(|| Arc::from(name.as_str()), |d| Arc::clone(&d.name));
        let kms = bound.text(2).filter(|k| !k.is_empty()).map(Arc::from);
        let new = NewTask {
            kind,
            database: Some(database),
            database_name,
            s3_arn: Arc::from(arn),
            kms,
            overwrite,
            stripes: u8::try_from(stripes).unwrap_or(1),
            filepath: None,
            default_encryption: value::integer(bound.get(9), "int")?.unwrap_or(0) != 0,
            work: Work::Backup { bucket, key, running: None, uploads: Vec::new() },
        };
        let task = self.submit(call.instance, new);
        self.announce(call, task, answer);
        Ok(())
    }

    /// What every native backup and restore needs: no open transaction, an instance that is no replica, and the option.
    pub(super) fn may_run_native(&self, call: &Call<'_>) -> Result<(), EngineError> {
        if self.in_transaction(call.session) {
            let text = "Cannot perform a backup or restore operation within a transaction.";
            return Err(EngineError::new(3021, text));
        }
        if self.is_replica(call.instance) {
            return Err(refuse(self.knobs.texts.on_replica.clone()));
        }
        if !self.has_option(call.instance) {
            return Err(refuse(
                "Database backup/restore option is not enabled yet or is in the process of being enabled. Please try again later.",
            ));
        }
        Ok(())
    }

    /// One task of a kind per database at a time.
    pub(super) fn refuse_second_task(
        &self,
        instance: usize,
        database: crate::database::state::DatabaseId,
        kind: TaskType,
    ) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        let clashes =
            |other: TaskType| other.is_backup() == kind.is_backup() || self.knobs.copy_excludes_backup;
        let Some(task) = host.open_tasks().find(|t| t.database == Some(database) && clashes(t.kind)) else {
            return Ok(());
        };
        let what = if kind.is_backup() { "A task" } else { "A T-log backup file copy task" };
        Err(refuse(format!(
            "{what} has already been issued for database: {} with task Id: {}, please try again later.",
            task.database_name, task.id
        )))
    }

    /// What a knob moves from the task to the call.
    pub(super) fn refuse_at_call(&self, instance: usize, bucket: &str) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        let in_window = host.maintenance_window.contains(self.now_ms);
        if in_window && self.knobs.maintenance == MaintenanceRule::RefusedAtCall {
            return Err(refuse(self.knobs.texts.maintenance.clone()));
        }
        let elsewhere = self.s3.describe_bucket(bucket).is_ok_and(|b| b.region != host.config.region);
        if elsewhere && self.knobs.region_refused_at_call {
            return Err(refuse("Please specify a bucket that is in the same region as RDS instance"));
        }
        Ok(())
    }
}

/// Whether the target names something, and stripes and `*` agree.
fn check_target(arn: &str, stripes: i64) -> Result<(), EngineError> {
    if arn.trim().is_empty() {
        return Err(refuse("S3 ARN prefix cannot be empty"));
    }
    let key = split_arn(arn).map_or("", |(_, key)| key);
    if !(1..=FILES_MAX).contains(&stripes) {
        return Err(refuse(format!("The value of @number_of_files must be between 1 and {FILES_MAX}.")));
    }
    let file = key.rsplit('/').next().unwrap_or_default();
    if stripes > 1 && (file.matches('*').count() != 1 || key.matches('*').count() != 1) {
        return Err(refuse(
            "Multi-file backups need exactly one asterisk (*) in the file-name part of the S3 ARN.",
        ));
    }
    Ok(())
}

/// Block size, transfer size and buffers, as the user guide lists them.
/// They stand side by side, the first at `first`.
pub(super) fn check_transfer(bound: &crate::sql::calls::Bound, first: usize) -> Result<(), EngineError> {
    let block = value::integer(bound.get(first), "int")?;
    if block.is_some_and(|b| ![512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536].contains(&b)) {
        return Err(refuse("The value of @block_size is not valid."));
    }
    let transfer = value::integer(bound.get(first + 1), "int")?;
    if transfer.is_some_and(|t| t <= 0 || t % 65_536 != 0 || t > 4_194_304) {
        return Err(refuse("The value of @max_transfer_size is not valid."));
    }
    let buffers = value::integer(bound.get(first + 2), "int")?;
    if buffers.is_some_and(|b| b <= 0) {
        return Err(refuse("The value of @buffer_count is not valid."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_need_one_asterisk_in_the_file_name() {
        for (arn, stripes, accepted) in [
            ("arn:aws:s3:::b/full.bak", 1, true),
            ("arn:aws:s3:::b/f*l*.bak", 1, true),
            ("arn:aws:s3:::b/full*.bak", 4, true),
            ("arn:aws:s3:::b/full.bak", 4, false),
            ("arn:aws:s3:::b/f*/full*.bak", 4, false),
            ("arn:aws:s3:::b/full*.bak", 11, false),
            ("arn:aws:s3:::b/full*.bak", 0, false),
            ("", 1, false),
            ("nonsense", 1, true),
        ] {
            assert_eq!(check_target(arn, stripes).is_ok(), accepted, "{arn} {stripes}");
        }
    }
}
