//! What does nobody know about the service?
//!
//! Every behaviour that the public sources leave open is a field here with its default and its range; a test or a swarm
//! turns it both ways: [`Knobs::drawn`] draws all but the texts, which are names for what nobody recorded. What a source states
//! is no knob. `[INF]` and `[UNSOURCED]` in the field notes mark the origin.

mod drawn;

use serde::{Deserialize, Serialize};

/// An inclusive range that a seeded draw picks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
}

impl Span {
    /// A range.
    pub const fn new(min: i64, max: i64) -> Self {
        Self { min, max }
    }
}

/// What a native backup or restore does when its host fails over under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailoverFate {
    /// It ends in ERROR.
    Error,
    /// It starts again from the beginning, as log copies do.
    Restart,
    /// It stays `IN_PROGRESS` for ever, `last_updated` frozen, and gives its slot back.
    Frozen,
}

/// What happens to a native backup in the maintenance window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceRule {
    /// The call is refused.
    RefusedAtCall,
    /// The call succeeds, the task fails when it starts.
    FailsAtRun,
    /// Nothing: the absolute sentence of the user guide holds only while maintenance is pending.
    Ignored,
}

/// How a volume snapshot, automated or manual, leaves the differential base of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotBase {
    /// It becomes the base, as any full. The user guide says that differentials need a new full after it.
    Moves,
    /// It is copy-only, and the base stays where it was.
    Leaves,
    /// The database has no base any more.
    Clears,
}

/// By which edition of the documents the service behaves where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Documents {
    /// The user guide of spring 2019.
    #[serde(rename = "2019")]
    Of2019,
    /// Its last public markdown, June 2023.
    #[serde(rename = "2023")]
    Of2023,
    /// The newest text.
    Newest,
}

/// Texts of RDS that no public source records. Placeholders: `{id}` the task, `{lifecycle}` its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Texts {
    /// `rds_cancel_task` with an id that does not exist `[UNSOURCED]`.
    pub cancel_unknown: String,
    /// `rds_cancel_task` on a task that has ended `[UNSOURCED]`.
    pub cancel_ended: String,
    /// A native backup in the maintenance window `[UNSOURCED]`.
    pub maintenance: String,
    /// Last line of a successful task `[UNSOURCED]`.
    pub success: String,
    /// Last line of a cancelled task `[UNSOURCED]`.
    pub cancelled: String,
    /// A native task whose host failed over `[UNSOURCED]`.
    pub failover: String,
    /// A disabled KMS key, `{key}` its ARN; KMS says "is disabled" `[INF]`.
    pub key_disabled: String,
    /// An asymmetric key or the AWS managed key, `{key}` its ARN `[UNSOURCED]`.
    pub key_unusable: String,
    /// `task_type` of a log copy `[UNSOURCED]`.
    pub copy_task_type: String,
    /// A stripe that would exceed 5 TB `[UNSOURCED]`.
    pub file_too_large: String,
    /// A procedure called with a database that does not exist, `{name}` its name `[UNSOURCED]`.
    pub unknown_database: String,
    /// `rds_cancel_task` on a `FINISH_RESTORE`, which can't be cancelled `[UNSOURCED]`.
    pub cancel_finish: String,
    /// A differential, a log or the end of a restore of a database that is not RESTORING, `{name}` its name `[UNSOURCED]`.
    pub not_restoring: String,
    /// A differential restore without `@with_norecovery` `[UNSOURCED]`.
    pub norecovery_required: String,
    /// A chain restored on a Multi-AZ instance, where the documents' older text holds `[UNSOURCED]`.
    pub multi_az_chain: String,
    /// A backup not taken under the FULL recovery model restored on a Multi-AZ instance, which isn't supported `[UNSOURCED]`.
    pub multi_az_recovery_model: String,
    /// A native backup of a larger database than the documents of the time allow `[UNSOURCED]`.
    pub backup_too_large: String,
    /// A native restore of one, likewise `[UNSOURCED]`.
    pub restore_too_large: String,
    /// `rds_modify_db_name` on a Multi-AZ instance, which can't rename `[UNSOURCED]`.
    pub multi_az_rename: String,
    /// A name that RDS takes for no database, `{name}` the name `[UNSOURCED]`.
    pub invalid_name: String,
    /// `rds_drop_database` of a database with change data capture, which fails `[UNSOURCED]`.
    pub drop_with_cdc: String,
    /// A full restore with both `@with_norecovery` and `@keep_cdc`, which isn't supported `[UNSOURCED]`.
    pub keep_cdc_norecovery: String,
    /// Encrypting with a KMS key in a Region other than the instance's, `{key}` its ARN `[UNSOURCED]`.
    pub key_region: String,
    /// One database more than the instance class and the Multi-AZ mode hold, `{name}` its name, `{limit}` how many they hold
    /// `[UNSOURCED]`.
    pub too_many_databases: String,
    /// A restore that does not fit on the storage, in the manner of SQL Server's 3257: `{needed}` and `{free}` in bytes
    /// `[UNSOURCED]`.
    pub no_space: String,
    /// A restore of a database that Express does not hold, in the manner of SQL Server's 1827 `[UNSOURCED]`.
    pub express_size: String,
    /// A native backup or restore on a read replica, or a database created there `[UNSOURCED]`.
    pub on_replica: String,
    /// A native restore on an instance with a read replica in another Region `[UNSOURCED]`.
    pub cross_region_replica: String,
    /// A procedure of S3 integration on an instance without a role for it `[UNSOURCED]`.
    pub s3_integration_off: String,
    /// A path that does not lie below `D:\S3\`, `{path}` `[UNSOURCED]`.
    pub file_path: String,
    /// A file or directory that is not there, `{path}` `[UNSOURCED]`.
    pub file_missing: String,
    /// A file or object that is there already and may not be overwritten, `{path}` `[UNSOURCED]`.
    pub file_exists: String,
    /// A file whose extension can't be downloaded, `{path}` `[UNSOURCED]`.
    pub file_type: String,
    /// A download beyond 100 files in `D:\S3\` `[UNSOURCED]`.
    pub file_limit: String,
    /// A directory deleted without `@force_delete`, `{path}` `[UNSOURCED]`.
    pub file_directory: String,
    /// `rds_cancel_task` on a delete or list task in progress, which can't be cancelled `[UNSOURCED]`.
    pub cancel_files: String,
    /// A restore of a database with a FILESTREAM filegroup `[UNSOURCED]`.
    pub filestream: String,
    /// In-memory tables on an instance with database mirroring, in `task_info` and in the event of a conversion `[UNSOURCED]`.
    pub in_memory_mirrored: String,
    /// A differential or a log on a database with a file whose `file_guid` is NULL `[UNSOURCED]`.
    pub null_file_guid: String,
    /// A restore from a directory bucket whose ARN does not end in `/*` `[UNSOURCED]`.
    pub directory_bucket_key: String,
    /// `task_type` of a backup of a TDE certificate `[UNSOURCED]`.
    pub backup_certificate_task_type: String,
    /// `task_type` of a restore of a TDE certificate `[UNSOURCED]`.
    pub restore_certificate_task_type: String,
    /// `rds_cancel_task` on a task of a TDE certificate, which can't be cancelled `[UNSOURCED]`.
    pub cancel_certificate: String,
    /// A procedure for TDE certificates without the option `TRANSPARENT_DATA_ENCRYPTION` `[UNSOURCED]`.
    pub tde_option: String,
    /// A TDE certificate backed up or restored on a Multi-AZ instance, which isn't supported `[UNSOURCED]`.
    pub multi_az_certificate: String,
    /// A certificate name that is empty or NULL, which it can't be `[UNSOURCED]`.
    pub certificate_name_empty: String,
    /// A certificate name with other characters or another beginning than allowed, `{name}` the name `[UNSOURCED]`.
    pub certificate_name: String,
    /// A file name that does not end as it must, `{parameter}` and `{extension}` which and how `[UNSOURCED]`.
    pub certificate_extension: String,
    /// More user certificates than the ten supported `[UNSOURCED]`.
    pub certificate_limit: String,
    /// A certificate to back up or drop that does not exist, `{name}` its name `[UNSOURCED]`.
    pub unknown_certificate: String,
    /// `rds_drop_tde_certificate` of one that is no user certificate, `{name}` its name `[UNSOURCED]`.
    pub drop_rds_certificate: String,
    /// A restored user certificate used to encrypt a database, `{name}` its name `[UNSOURCED]`.
    pub certificate_encrypts_nothing: String,
    /// Files of a certificate that exist already, `@overwrite_s3_files` being 0: "returns an error" `[UNSOURCED]`.
    pub certificate_files_exist: String,
    /// An object that holds no certificate, or no private key of it, `{key}` its key `[UNSOURCED]`.
    pub certificate_file_invalid: String,
    /// A private key without `x-amz-meta-rds-tde-pwd`, `{key}` its key `[UNSOURCED]`.
    pub certificate_password_missing: String,
    /// A password that the KMS key does not open, or that does not open the private key `[UNSOURCED]`.
    pub certificate_password_wrong: String,
    /// A KMS key of another account for a TDE certificate, `{key}` its ARN `[UNSOURCED]`.
    pub key_account: String,
    /// Subject of the certificate that RDS generates `[UNSOURCED]`.
    pub rds_certificate_subject: String,
}

/// All knobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is one unknown of the service, turned by itself")]
pub struct Knobs {
    /// By which documents: columns, parameters and texts that came or went are those of that time.
    pub documents: Documents,
    /// Seconds a task stays CREATED before a slot may take it: "can take up to 5 minutes", 0 to 300.
    pub created_seconds: Span,
    /// Seconds between the end of a task and the next one in its slot `[INF]`, 0 to 60.
    pub handover_seconds: i64,
    /// Seconds of set-up before a backup moves data `[INF]`, 1 to 120.
    pub setup_seconds: Span,
    /// Speed of a task, per cent of the instance's throughput `[INF]`, 50 to 150.
    pub speed_percent: Span,
    /// Seconds between two refreshes of the visible progress: "approximately every two minutes", 60 to 180.
    pub refresh_seconds: i64,
    /// Whether `created_at`, `last_updated` and `task_info` are server-local instead of UTC `[UNSOURCED]`.
    pub task_times_local: bool,
    /// Days that ended tasks stay listed: 36, which is stated and not drawn.
    pub task_history_days: i64,
    /// Seconds that an automated backup takes `[INF]`, 60 to 7,200.
    pub automated_backup_seconds: Span,
    /// Automated backups skipped under load, parts in a million, 0 to 200,000.
    pub automated_backup_skip_ppm: u32,
    /// Whether native backups stay CREATED while an automated backup runs `[INF]`; otherwise they fail on start.
    pub automated_backup_blocks_start: bool,
    /// Whether a killed backup ends CANCELLED instead of ERROR `[UNSOURCED]`.
    pub aborted_is_cancelled: bool,
    /// Incomplete multipart uploads left by an aborted task, parts in a million `[INF]`, 0 to 1,000,000.
    pub abandoned_upload_ppm: u32,
    /// Native backups in the maintenance window `[UNSOURCED]`.
    pub maintenance: MaintenanceRule,
    /// Whether the opening maintenance window aborts a running backup `[UNSOURCED]`.
    pub maintenance_aborts_running: bool,
    /// Whether a bucket in another Region is refused by the call instead of in `task_info` (sources say "call/task").
    pub region_refused_at_call: bool,
    /// Whether a running log copy also excludes a backup of the same database, and the reverse `[INF]`.
    pub copy_excludes_backup: bool,
    /// What a snapshot does to the differential base `[INF]`: history rows look like fulls, and differentials are refused.
    pub snapshot_base: SnapshotBase,
    /// Whether a differential on a snapshot base fails with 3035 (it does on volume snapshots; on RDS `[INF]`). Otherwise
    /// it succeeds and can never be restored from the vault.
    pub differential_on_snapshot_fails: bool,
    /// Whether Multi-AZ instances refuse NORECOVERY, differentials, logs and `rds_finish_restore`: the documents said so, and the
    /// newest text dropped it without announcing it.
    pub multi_az_refuses_chains: bool,
    /// What a failover does to native tasks `[UNSOURCED]`.
    pub failover_fate: FailoverFate,
    /// Seconds that a failover takes: "typically 60-120 s", 60 to 120.
    pub failover_seconds: Span,
    /// Whether a failover starts a new recovery fork `[INF]`.
    pub failover_starts_fork: bool,
    /// Seconds until RDS sets a changed recovery model back: "within five minutes", 1 to 300.
    pub recovery_reset_seconds: Span,
    /// Seconds that a cancel takes on a running task `[INF]`, 1 to 120.
    pub cancel_seconds: Span,
    /// Milliseconds that one log file takes to copy, beside moving its bytes `[INF]`, 10 to 2,000.
    pub copy_file_ms: Span,
    /// Days of log files listed: "the last 7 days", which is not drawn.
    pub log_list_days: i64,
    /// Bytes of a log file that holds no record `[INF]`, 512 to 65,536.
    pub log_file_overhead_bytes: u64,
    /// Whether the guid in log copy keys is upper case; the AWS sample lower-cases it.
    pub log_key_guid_upper: bool,
    /// Whether a stripe's key gets `_` before `i-of-n`; one field log shows it.
    pub stripe_underscore: bool,
    /// Whether a log that crosses a fork also applies to a database that is on its last fork already, as a full taken
    /// behind the fork leaves it: only its first fork is documented `[INF]`.
    pub crossing_log_joins_last_fork: bool,
    /// Compressed size, per cent of the data `[INF]`, 10 to 100.
    pub compressed_percent: u64,
    /// Backups whose `first_lsn` lies before the checkpoint because a transaction was open, parts in a million,
    /// 0 to 1,000,000.
    pub long_transaction_ppm: u32,
    /// Whether backups end on whole seconds. Headers have that resolution and no source says which way they round.
    pub whole_seconds: bool,
    /// Whether a restore that would be one database too many is refused by the call instead of in `task_info` `[UNSOURCED]`.
    pub database_limit_at_call: bool,
    /// Seconds between two looks of the service at the storage of an instance `[INF]`, 60 to 900.
    pub storage_look_seconds: i64,
    /// Texts.
    pub texts: Texts,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            documents: Documents::Newest,
            created_seconds: Span::new(0, 300),
            handover_seconds: 5,
            setup_seconds: Span::new(5, 20),
            speed_percent: Span::new(85, 115),
            refresh_seconds: 120,
            task_times_local: false,
            task_history_days: 36,
            automated_backup_seconds: Span::new(120, 600),
            automated_backup_skip_ppm: 0,
            automated_backup_blocks_start: true,
            aborted_is_cancelled: false,
            abandoned_upload_ppm: 200_000,
            maintenance: MaintenanceRule::FailsAtRun,
            maintenance_aborts_running: false,
            region_refused_at_call: false,
            copy_excludes_backup: false,
            snapshot_base: SnapshotBase::Moves,
            differential_on_snapshot_fails: true,
            multi_az_refuses_chains: false,
            failover_fate: FailoverFate::Error,
            failover_seconds: Span::new(60, 120),
            failover_starts_fork: false,
            recovery_reset_seconds: Span::new(10, 300),
            cancel_seconds: Span::new(2, 40),
            copy_file_ms: Span::new(50, 250),
            log_list_days: 7,
            log_file_overhead_bytes: 8_192,
            log_key_guid_upper: false,
            stripe_underscore: false,
            crossing_log_joins_last_fork: true,
            compressed_percent: 30,
            long_transaction_ppm: 100_000,
            whole_seconds: true,
            database_limit_at_call: false,
            storage_look_seconds: 300,
            texts: Texts::default(),
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            cancel_unknown: "Task with Task Id {id} does not exist.".into(),
            cancel_ended: "Task with Task Id {id} can't be cancelled because it is in the {lifecycle} state."
                .into(),
            maintenance: "The native backup can't run during the maintenance window of the DB instance."
                .into(),
            success: "Command execution has completed successfully.".into(),
            cancelled: "Task has been cancelled".into(),
            failover: "The task has been aborted because the DB instance was restarted.".into(),
            key_disabled: "{key} is disabled.".into(),
            key_unusable: "{key} can't be used to encrypt a backup.".into(),
            copy_task_type: "COPY_TLOG_BACKUP_TO_S3".into(),
            file_too_large: "Your proposed upload exceeds the maximum allowed size".into(),
            unknown_database: "Database {name} does not exist. Make sure that the name is entered correctly."
                .into(),
            cancel_finish: "Task with Task Id {id} can't be cancelled because it finishes a restore.".into(),
            not_restoring: "Database {name} is not in a restoring state.".into(),
            norecovery_required: "The parameter @with_norecovery is required for a differential restore."
                .into(),
            multi_az_chain: "The operation isn't supported on Multi-AZ DB instances.".into(),
            multi_az_recovery_model:
                "Only databases backed up in the full recovery model can be restored on Multi-AZ DB instances."
                    .into(),
            backup_too_large: "The database exceeds the maximum size for native backups.".into(),
            restore_too_large: "The database exceeds the maximum size for native restores.".into(),
            multi_az_rename: "The database can't be renamed on a Multi-AZ DB instance.".into(),
            invalid_name: "Database name '{name}' is not valid.".into(),
            drop_with_cdc: "Change data capture is enabled on database {name}. Disable it and try again."
                .into(),
            keep_cdc_norecovery: "@keep_cdc isn't supported for a full restore with @with_norecovery.".into(),
            key_region: "Invalid arn {key}".into(),
            too_many_databases:
                "Database {name} can't be created because the DB instance supports up to {limit} databases."
                    .into(),
            no_space: "There is insufficient free space on disk volume 'D:\\' to create the database. The database requires {needed} additional free bytes, while only {free} bytes are available."
                .into(),
            express_size: "CREATE DATABASE or ALTER DATABASE failed because the resulting cumulative database size would exceed your licensed limit of 10240 MB per database."
                .into(),
            on_replica: "The operation isn't supported on a read replica DB instance.".into(),
            cross_region_replica: "Native restores aren't supported on DB instances that have cross-Region read replicas."
                .into(),
            s3_integration_off: "The S3_INTEGRATION feature isn't enabled on the DB instance.".into(),
            file_path: "The file path '{path}' is not valid. Files are stored in D:\\S3\\.".into(),
            file_missing: "The file '{path}' does not exist.".into(),
            file_exists: "The file '{path}' already exists. Please reissue task with the overwrite property."
                .into(),
            file_type: "The file '{path}' has an extension that isn't supported.".into(),
            file_limit: "There can't be more than 100 files in D:\\S3\\.".into(),
            file_directory: "The directory '{path}' can't be deleted without @force_delete = 1.".into(),
            cancel_files: "Task with Task Id {id} can't be cancelled because it is in progress.".into(),
            filestream: "Databases with a FILESTREAM filegroup can't be restored.".into(),
            in_memory_mirrored: "The database contains in-memory file groups that are not supported for Multi-AZ."
                .into(),
            null_file_guid: "Differential and log restores aren't supported for databases with files whose file_guid is NULL."
                .into(),
            directory_bucket_key: "The S3 ARN of a directory bucket must end with /*.".into(),
            backup_certificate_task_type: "BACKUP_TDE_CERT".into(),
            restore_certificate_task_type: "RESTORE_TDE_CERT".into(),
            cancel_certificate:
                "Task with Task Id {id} can't be cancelled because it is for a TDE certificate.".into(),
            tde_option: "The TRANSPARENT_DATA_ENCRYPTION option is not enabled.".into(),
            multi_az_certificate: "TDE certificates can't be backed up or restored on Multi-AZ DB instances."
                .into(),
            certificate_name_empty: "The certificate name can't be empty or null.".into(),
            certificate_name: "The certificate name '{name}' is not valid.".into(),
            certificate_extension: "The file extension for {parameter} must be {extension}.".into(),
            certificate_limit:
                "The number of user TDE certificates exceeds 10. Drop unused TDE certificates and try again."
                    .into(),
            unknown_certificate: "Certificate {name} does not exist.".into(),
            drop_rds_certificate: "Certificate {name} can't be dropped: it is no user TDE certificate."
                .into(),
            certificate_encrypts_nothing:
                "Certificate {name} can't be used to encrypt a database on this DB instance.".into(),
            certificate_files_exist: "Please reissue task with correct type and overwrite property".into(),
            certificate_file_invalid: "{key} is not a valid certificate or private key file.".into(),
            certificate_password_missing: "{key} has no x-amz-meta-rds-tde-pwd metadata.".into(),
            certificate_password_wrong: "The private key password can't be decrypted.".into(),
            key_account: "Cross-account key {key} isn't supported.".into(),
            rds_certificate_subject: "RDS TDE certificate".into(),
        }
    }
}
