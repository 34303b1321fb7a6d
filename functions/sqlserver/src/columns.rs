//! What the columns of msdb and of the RDS procedures are called: once, for rows over TDS and for imported JSON alike.
//!
//! Sources: Microsoft Learn, `backupset` and `backupmediafamily`; RDS user guide, "Tracking the status of tasks" and "Access
//! to transaction log backups".

/// `msdb.dbo.backupset`.
pub mod backupset {
    /// Id of the backup set.
    pub const BACKUP_SET_UUID: &str = "backup_set_uuid";
    /// Database at backup time.
    pub const DATABASE_NAME: &str = "database_name";
    /// Original database.
    pub const FAMILY_GUID: &str = "family_guid";
    /// Physical incarnation.
    pub const DATABASE_GUID: &str = "database_guid";
    /// D, I, L; F, G, P, Q are file and partial backups.
    pub const TYPE: &str = "type";
    /// First record.
    pub const FIRST_LSN: &str = "first_lsn";
    /// The record after the set.
    pub const LAST_LSN: &str = "last_lsn";
    /// Where redo starts.
    pub const CHECKPOINT_LSN: &str = "checkpoint_lsn";
    /// Checkpoint of the latest full.
    pub const DATABASE_BACKUP_LSN: &str = "database_backup_lsn";
    /// Checkpoint of the base of a differential.
    pub const DIFFERENTIAL_BASE_LSN: &str = "differential_base_lsn";
    /// Id of the base of a differential.
    pub const DIFFERENTIAL_BASE_GUID: &str = "differential_base_guid";
    /// Bit.
    pub const IS_COPY_ONLY: &str = "is_copy_only";
    /// Bit.
    pub const IS_SNAPSHOT: &str = "is_snapshot";
    /// Bit.
    pub const IS_DAMAGED: &str = "is_damaged";
    /// Bit.
    pub const HAS_BULK_LOGGED_DATA: &str = "has_bulk_logged_data";
    /// Bit.
    pub const BEGINS_LOG_CHAIN: &str = "begins_log_chain";
    /// Fork at the first record.
    pub const FIRST_RECOVERY_FORK_GUID: &str = "first_recovery_fork_guid";
    /// Fork after the last record.
    pub const LAST_RECOVERY_FORK_GUID: &str = "last_recovery_fork_guid";
    /// Where the two part.
    pub const FORK_POINT_LSN: &str = "fork_point_lsn";
    /// FULL, BULK-LOGGED or SIMPLE.
    pub const RECOVERY_MODEL: &str = "recovery_model";
    /// Server-local.
    pub const BACKUP_START_DATE: &str = "backup_start_date";
    /// Server-local.
    pub const BACKUP_FINISH_DATE: &str = "backup_finish_date";
    /// Quarter hours from UTC; 127 unknown.
    pub const TIME_ZONE: &str = "time_zone";
    /// Server-local; SQL Server 2022 and later, logs only.
    pub const LAST_VALID_RESTORE_TIME: &str = "last_valid_restore_time";
    /// Bytes.
    pub const BACKUP_SIZE: &str = "backup_size";
    /// Bytes as written.
    pub const COMPRESSED_BACKUP_SIZE: &str = "compressed_backup_size";
    /// Version of the server.
    pub const SOFTWARE_MAJOR_VERSION: &str = "software_major_version";
    /// Number of the first family of the set.
    pub const FIRST_FAMILY_NUMBER: &str = "first_family_number";
    /// Number of the last family of the set.
    pub const LAST_FAMILY_NUMBER: &str = "last_family_number";
    /// Number of the set in its media set, from 1.
    pub const POSITION: &str = "position";
    /// Stripes: `physical_device_name` of `backupmediafamily` in order of `family_sequence_number`. The import's own name.
    pub const FILES: &str = "files";
}

/// Rows of `msdb.dbo.rds_task_status` and `rds_fn_task_status`.
pub mod rds_task_status {
    /// Number of the task.
    pub const TASK_ID: &str = "task_id";
    /// `BACKUP_DB`, ...
    pub const TASK_TYPE: &str = "task_type";
    /// Database.
    pub const DATABASE_NAME: &str = "database_name";
    /// `SUCCESS`, ...
    pub const LIFECYCLE: &str = "lifecycle";
    /// Time zone undocumented.
    pub const LAST_UPDATED: &str = "last_updated";
    /// Time zone undocumented.
    pub const CREATED_AT: &str = "created_at";
    /// Object or prefix.
    pub const S3_OBJECT_ARN: &str = "S3_object_arn";
}

/// Rows of `msdb.dbo.rds_fn_list_tlog_backup_metadata`.
pub mod rds_tlog_backup_metadata {
    /// Database.
    pub const DB_NAME: &str = "db_name";
    /// Original database.
    pub const FAMILY_GUID: &str = "family_guid";
    /// Number of the file within the family.
    pub const RDS_BACKUP_SEQ_ID: &str = "rds_backup_seq_id";
    /// Seconds since 1970.
    pub const BACKUP_FILE_EPOCH: &str = "backup_file_epoch";
    /// UTC.
    pub const BACKUP_FILE_TIME_UTC: &str = "backup_file_time_utc";
    /// First record.
    pub const STARTING_LSN: &str = "starting_lsn";
    /// The record after the file.
    pub const ENDING_LSN: &str = "ending_lsn";
    /// Bit.
    pub const IS_LOG_CHAIN_BROKEN: &str = "is_log_chain_broken";
    /// Bytes.
    pub const FILE_SIZE_BYTES: &str = "file_size_bytes";
    /// What went wrong with the file.
    pub const ERROR: &str = "Error";
}

// What only the live server is asked for, and no export holds.

/// Columns of `rds_fn_task_status` that are read live.
pub mod rds_fn_task_status {
    /// The column, as it has to be written in a statement.
    pub const PERCENT: &str = "[% complete]";
    /// What we call it in our result sets: a name with a blank and a sign is trouble.
    pub const PERCENT_COMPLETE: &str = "percent_complete";
    /// Cumulative log.
    pub const TASK_INFO: &str = "task_info";
}

/// Columns of `rds_fn_list_tlog_backup_metadata` that are read live.
pub mod rds_fn_list_tlog_backup_metadata {
    /// `database_id` at the time, part of the object key.
    pub const DB_ID: &str = "db_id";
}

/// Columns of `sys.databases`, `sys.database_recovery_status` and `sys.master_files`.
pub mod sys_databases {
    /// Name.
    pub const NAME: &str = "name";
    /// Not stable over restores.
    pub const DATABASE_ID: &str = "database_id";
    /// `ONLINE`, `RESTORING`, ...
    pub const STATE_DESC: &str = "state_desc";
    /// `FULL`, `BULK_LOGGED`, `SIMPLE`.
    pub const RECOVERY_MODEL_DESC: &str = "recovery_model_desc";
    /// Physical incarnation.
    pub const DATABASE_GUID: &str = "database_guid";
    /// Original database.
    pub const FAMILY_GUID: &str = "family_guid";
    /// Fork it is on.
    pub const RECOVERY_FORK_GUID: &str = "recovery_fork_guid";
    /// Where the next log backup begins.
    pub const LAST_LOG_BACKUP_LSN: &str = "last_log_backup_lsn";
    /// `backup_set_uuid` of the base of a differential taken now.
    pub const DIFFERENTIAL_BASE_GUID: &str = "differential_base_guid";
    /// Its checkpoint.
    pub const DIFFERENTIAL_BASE_LSN: &str = "differential_base_lsn";
    /// Number of a file; 1 is the primary data file.
    pub const FILE_ID: &str = "file_id";
    /// Pages of 8 KiB of a file.
    pub const SIZE: &str = "size";
    /// Of a file: 0 data, 1 log, 2 FILESTREAM.
    pub const TYPE: &str = "type";
    /// Bit.
    pub const IS_READ_ONLY: &str = "is_read_only";
    /// What it is a database snapshot of.
    pub const SOURCE_DATABASE_ID: &str = "source_database_id";
}
