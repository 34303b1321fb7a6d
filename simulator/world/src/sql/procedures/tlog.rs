//! What do the procedures for log access take and refuse?
//!
//! Texts are the complete documented list, in the order that seems to be checked. Source: RDS user guide, "Access to
//! transaction log backups with RDS for SQL Server", troubleshooting tables.

use std::sync::Arc;

use tds::{Response, ResultSet, Value};

use crate::{
    error::EngineError,
    instance::config::LogAccess,
    sql::{
        calls::{Bound, Declared, optional, required},
        procedures::{Call, text_column},
        tables::databases::system_id,
        value,
    },
    tasks::{
        info::split_arn,
        queue::NewTask,
        task::{CopyRange, TaskType, Work},
    },
    world::World,
};

/// Parameters of `rds_tlog_copy_setup`.
pub(super) const SETUP: &[Declared] = &[required("@target_s3_arn")];

/// Parameters of `rds_tlog_backup_copy_to_S3`.
pub(super) const COPY: &[Declared] = &[
    required("@db_name"),
    optional("@kms_key_arn"),
    optional("@backup_file_start_time"),
    optional("@backup_file_end_time"),
    optional("@starting_lsn"),
    optional("@ending_lsn"),
    optional("@rds_backup_starting_seq_id"),
    optional("@rds_backup_ending_seq_id"),
];

const SETS: &str = "SET-1:(@backup_file_start_time, @backup_file_end_time) | SET-2:(@starting_lsn, @ending_lsn) | SET-3:(@rds_backup_starting_seq_id, @rds_backup_ending_seq_id)";
const OPTION: &str = "The SQLSERVER_BACKUP_RESTORE option isn't enabled or is in the process of being enabled. Enable the option or try again later.";
const ACCESS: &str = "There was a permissions error in processing the request. Ensure the bucket is in the same Account and Region as the DB Instance, and confirm the S3 bucket policy permissions against the template in the public documentation.";
const HORIZON: &str = "The provided parameters fall outside of the transaction backup log retention period. To list of available transaction log backup files, run the rds_fn_list_tlog_backup_metadata function.";

fn refuse<T>(text: impl Into<String>) -> Result<T, EngineError> {
    Err(EngineError::raised(text))
}

impl World {
    /// `msdb.dbo.rds_tlog_copy_setup`.
    pub(super) fn rds_tlog_copy_setup(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        let arn = call.bound.text(0).unwrap_or_default();
        if self.in_transaction(call.session) {
            return refuse(
                "Running the rds_tlog_backup_copy_setup stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again.",
            );
        }
        if !self.has_option(call.instance) {
            return refuse(OPTION);
        }
        if !self.retains(call.instance) {
            return refuse(
                "Backups are disabled on this DB instance. Enable DB instance backups with a retention of at least \"1\" and try again.",
            );
        }
        if arn.is_empty() {
            return refuse(
                "The target S3 arn for the input parameter @target_s3_arn can't be empty or null.",
            );
        }
        if !arn.starts_with("arn:aws") {
            return refuse(
                "The target S3 arn for the input parameter @target_s3_arn must begin with arn:aws.",
            );
        }
        let bucket = split_arn(&arn).map(|(bucket, _)| bucket.to_owned()).unwrap_or_default();
        if bucket.trim().is_empty() {
            return refuse(
                "The S3 bucket name for the input parameter @target_s3_arn should contain at least one character other than a space.",
            );
        }
        let Some(host) = self.instances.get(call.instance) else { return Ok(()) };
        if host.log_access == LogAccess::Internal {
            return refuse(
                "Error running the rds_tlog_copy_setup stored procedure. Reconnect to the RDS endpoint and try again.",
            );
        }
        if host.open_tasks().next().is_some() {
            return refuse(
                "You cannot run the rds_tlog_copy_setup stored procedure while there are pending tasks. Wait for the pending tasks to complete and try again.",
            );
        }
        if host.tlog_target.as_deref() == Some(arn.as_str()) {
            return refuse("The target S3 ARN is already set to the provided value.");
        }
        if !self.copy_may_use(call.instance, &bucket) {
            return refuse(
                "Unable to generate credentials for enabling Access to Transaction Log Backups. Confirm the S3 path ARN provided with rds_tlog_copy_setup, and try again later.",
            );
        }
        if let Some(host) = self.instances.get_mut(call.instance) {
            host.tlog_target = Some(Arc::from(arn.as_str()));
        }
        let columns = vec![text_column("target_s3_arn_for_tlog_copy")];
        answer.results.push(ResultSet { columns, rows: vec![vec![Value::Text(arn)]], affected: None });
        Ok(())
    }

    /// Same account, same Region, and the bucket policy lets RDS in.
    fn copy_may_use(&self, instance: usize, bucket: &str) -> bool {
        let Some(host) = self.instances.get(instance) else { return false };
        match self.s3.describe_bucket(bucket) {
            Ok(b) => b.region == host.config.region && b.account == host.config.account && b.rds_access,
            // On a real endpoint there may be buckets that no task has looked at: the copy will.
            Err(_) => self.mirror.is_some(),
        }
    }

    /// `msdb.dbo.rds_tlog_backup_copy_to_S3`.
    pub(super) fn rds_tlog_backup_copy_to_s3(
        &mut self,
        call: &Call<'_>,
        answer: &mut Response,
    ) -> Result<(), EngineError> {
        self.check_copy_state(call)?;
        let name = call.bound.text(0).unwrap_or_default();
        if name.trim().is_empty() {
            return refuse("Database name for the input parameter @db_name can't be empty or null.");
        }
        if system_id(name.trim()).is_some() {
            return refuse(
                "Cannot run the rds_tlog_backup_copy_to_S3 stored procedure for SQL Server system databases or the rdsadmin database.",
            );
        }
        let Some(database) = self.instances.get(call.instance).and_then(|i| i.database(&name)) else {
            return refuse(format!("Cannot find the given database {name}."));
        };
        let range = copy_range(call.bound)?;
        let Some(target) = self.instances.get(call.instance).and_then(|i| i.tlog_target.clone()) else {
            return refuse(
                "You must run the rds_tlog_copy_setup stored procedure and set the @target_s3_arn, before running the rds_tlog_backup_copy_to_S3 stored procedure.",
            );
        };
        self.check_copy_key(call)?;
        self.refuse_second_task(call.instance, database, TaskType::LogCopy)?;
        let (bucket, folder) = split_arn(&target).unwrap_or(("", ""));
        if !self.copy_may_use(call.instance, bucket) {
            return refuse(ACCESS);
        }
        let (first, end) = self.copy_range(database, range);
        if first >= end {
            return refuse(HORIZON);
        }
        let slash = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
        let work = Work::Copy {
            bucket: bucket.into(),
            folder: format!("{folder}{slash}"),
            range,
            files: (first, end),
        };
        let database_name =
            self.database(database).map_or_else(|| Arc::from(name.as_str()), |d| Arc::clone(&d.name));
        let new = NewTask {
            kind: TaskType::LogCopy,
            database: Some(database),
            database_name,
            s3_arn: target,
            kms: call.bound.text(1).filter(|k| !k.is_empty()).map(Arc::from),
            overwrite: true,
            stripes: 1,
            filepath: None,
            default_encryption: false,
            work,
        };
        let task = self.submit(call.instance, new);
        self.announce(call, task, answer);
        Ok(())
    }

    /// What does not depend on the arguments.
    fn check_copy_state(&self, call: &Call<'_>) -> Result<(), EngineError> {
        if self.in_transaction(call.session) {
            return refuse(
                "Running the rds_tlog_backup_copy_to_S3 stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again.",
            );
        }
        if !self.has_option(call.instance) {
            return refuse(OPTION);
        }
        let host = self.instances.get(call.instance);
        match host.map_or(LogAccess::Open, |host| host.log_access) {
            LogAccess::Open => {}
            LogAccess::Internal => {
                return refuse(
                    "Error running the stored procedure rds_tlog_backup_copy_to_S3. Reconnect to the RDS endpoint and try again.",
                );
            }
            LogAccess::NotOwner => {
                return refuse(
                    "The rds_tlog_backup_copy_to_S3 stored procedure can only be performed by the members of db_owner role in the source database.",
                );
            }
            LogAccess::Replica => {
                return refuse(
                    "Running the rds_tlog_backup_copy_to_S3 stored procedure on an RDS read replica instance isn't permitted.",
                );
            }
        }
        // Two texts say the same; which comes when is not documented. Here the one that speaks of the set-up comes behind it.
        if !self.retains(call.instance) && host.is_some_and(|host| host.tlog_target.is_some()) {
            return refuse(
                "DB instance backup retention period must be set to at least 1 to run the rds_tlog_backup_copy_setup stored procedure.",
            );
        }
        if !self.retains(call.instance) {
            return refuse(
                "Backups are disabled on your instance. Please enable backups and try again in some time.",
            );
        }
        Ok(())
    }

    /// A key is needed exactly where the storage is encrypted, and must be usable.
    fn check_copy_key(&self, call: &Call<'_>) -> Result<(), EngineError> {
        let encrypted = self.instances.get(call.instance).is_some_and(|i| i.config.storage_encrypted);
        let key = call.bound.text(1).filter(|k| !k.is_empty());
        match (encrypted, key) {
            (false, Some(_)) => refuse(
                "You cannot provide a KMS Key ARN as input parameter to the stored procedure for instances that are not storage-encrypted.",
            ),
            (true, None) => refuse(
                "You must provide a KMS Key ARN as input parameter to the stored procedure for storage encrypted instances.",
            ),
            (true, Some(key)) if self.refuse_key(call.instance, &key).is_some() => refuse(
                "We were unable to process the request due to a lack of access. Please check your setup and permissions for the feature.",
            ),
            _ => Ok(()),
        }
    }
}

/// Exactly one of the three sets, either bound of it open.
fn copy_range(bound: &Bound) -> Result<CopyRange, EngineError> {
    let given = [(2, 3), (4, 5), (6, 7)].map(|(from, until)| bound.has(from) || bound.has(until));
    match given.iter().filter(|g| **g).count() {
        0 => return refuse(format!("At least one of these three parameter sets must be provided. {SETS}")),
        1 => {}
        _ => return refuse(format!("Only one of these three parameter sets can be provided. {SETS}")),
    }
    if given[0] {
        let (from, until) = (value::moment_ms(bound.get(2))?, value::moment_ms(bound.get(3))?);
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return refuse(
                "The start time for the input parameter @backup_file_start_time must be less than @backup_file_end_time.",
            );
        }
        return Ok(CopyRange::Time(from, until));
    }
    if given[1] {
        let (from, until) = (value::lsn(bound.get(4))?, value::lsn(bound.get(5))?);
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return refuse("The LSN for the input parameter @starting_lsn must be less than @ending_lsn.");
        }
        return Ok(CopyRange::Lsn(from, until));
    }
    let (from, until) = (value::integer(bound.get(6), "int")?, value::integer(bound.get(7), "int")?);
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        return refuse(
            "The sequence ID for the input parameter @rds_backup_starting_seq_id must be less than or equal to @rds_backup_ending_seq_id.",
        );
    }
    let number = |n: i64| u32::try_from(n.max(0)).unwrap_or(u32::MAX);
    Ok(CopyRange::Number(from.map(number), until.map(number)))
}
