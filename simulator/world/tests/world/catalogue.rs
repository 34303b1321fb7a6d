//! The error catalogue: every text that the documents or the field record, provoked, and read through tiberius.
//!
//! Whole where it is quoted whole. What the service says in `task_info` is one entry among others there.

use world::{Condition, Documents, Edition, InstanceConfig, KeyConfig, Knobs, LogAccess, OptionStatus};

use crate::{
    lab::{ACCOUNT, KEY, Lab, REGION, prompt},
    pipe::{Pipe, Wired},
};

const SETUP: &str = "EXEC msdb.dbo.rds_tlog_copy_setup @target_s3_arn = 'arn:aws:s3:::vault/logs'";

fn wired(change: impl FnOnce(&mut InstanceConfig)) -> Wired {
    with(prompt(), change)
}

/// A database Orders on an instance, and a client.
fn with(knobs: Knobs, change: impl FnOnce(&mut InstanceConfig)) -> Wired {
    let mut lab = Lab::with(knobs, change);
    lab.database("Orders");
    lab.world.add_key(KeyConfig { rds_access: false, ..KeyConfig::usable(&key("closed"), REGION) });
    lab.wait(900);
    Pipe::into(lab).client()
}

fn plain() -> Wired {
    wired(|_| {})
}

fn key(name: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}")
}

fn backup(arn: &str, more: &str) -> String {
    format!("EXEC msdb.dbo.rds_backup_database 'Orders', '{arn}'{more}")
}

fn restore(name: &str, arn: &str, more: &str) -> String {
    format!("EXEC msdb.dbo.rds_restore_database '{name}', '{arn}'{more}")
}

fn copy(more: &str) -> String {
    format!("EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = 'Orders'{more}")
}

/// Whether a text is an entry of `task_info`, from its time to the next.
fn has_entry(info: &str, text: &str) -> bool {
    let entries = info.split(" [").filter_map(|entry| entry.split_once("] "));
    entries.into_iter().any(|(_, entry)| entry.trim() == text)
}

#[track_caller]
fn assert_entry(info: &str, text: &str) {
    assert!(has_entry(info, text), "{text:?} is no entry of {info}");
}

/// An entry of a restore that failed: behind the task's id and type.
#[track_caller]
fn assert_exception(info: &str, text: &str) {
    let entries = info.split(" [").filter_map(|entry| entry.split_once(") exception: "));
    assert!(entries.into_iter().any(|(_, told)| told.trim() == text), "{text:?} is not told by {info}");
}

#[test]
fn files_are_not_told_to_a_login_without_view_any_definition() {
    let mut wired = plain();
    let files = |wired: &mut Wired| wired.rows("SELECT file_id FROM sys.master_files").unwrap().len();
    assert!(files(&mut wired) > 0);
    wired.pipe.world().break_definitions("prod", true);
    assert_eq!(files(&mut wired), 0);
    // VIEW ANY DATABASE is everybody's: the databases are told all the same.
    assert!(!wired.rows("SELECT name FROM sys.databases WHERE database_id > 4").unwrap().is_empty());
    wired.pipe.world().break_definitions("prod", false);
    assert!(files(&mut wired) > 0);
}

#[test]
fn native_backups_and_restores_are_refused_by_the_call() {
    let off = |option| wired(|config| config.option = option);
    for option in [OptionStatus::Absent, OptionStatus::Applying] {
        assert_eq!(
            off(option).error(&backup("arn:aws:s3:::vault/a.bak", "")),
            "Database backup/restore option is not enabled yet or is in the process of being enabled. Please try again later."
        );
    }
    for procedure in ["rds_backup_database", "rds_restore_database"] {
        let mut wired = plain();
        wired.pipe.world().break_grants("prod", true);
        let call = format!("EXEC msdb.dbo.{procedure} 'Orders', 'arn:aws:s3:::vault/a.bak'");
        let denied = format!(
            "The EXECUTE permission was denied on the object '{procedure}', database 'msdb', schema 'dbo'."
        );
        assert_eq!(wired.rows(&call).unwrap_err(), (229, denied));
        assert!(wired.rows("EXEC rdsadmin.dbo.rds_show_configuration").is_ok(), "grants are those of msdb");
    }
    assert_eq!(
        plain().error(&restore("orders", "arn:aws:s3:::vault/a.bak", "")),
        "Database 'orders' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name."
    );
    assert_eq!(plain().error(&restore("copy", "", "")), "S3 ARN prefix cannot be empty");
    assert_eq!(plain().error(&backup("", "")), "S3 ARN prefix cannot be empty");
    let mut wired = plain();
    let rows = wired.rows(&backup("arn:aws:s3:::vault/a.bak", "")).unwrap();
    let id: i32 = rows[0].get("task_id").unwrap();
    assert_eq!(
        wired.error(&backup("arn:aws:s3:::vault/b.bak", "")),
        format!(
            "A task has already been issued for database: Orders with task Id: {id}, please try again later."
        )
    );
}

#[test]
fn native_backups_say_why_they_failed() {
    let trailer = "Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup.";
    for (arn, more, text) in [
        ("arn:aws:s3:::closed/a.bak", String::new(), "Access Denied".to_owned()),
        ("a.bak", String::new(), "The specified bucket does not exist".to_owned()),
        ("arn:aws:s3:::nowhere/a.bak", String::new(), "The specified bucket does not exist".to_owned()),
        (
            "arn:aws:s3:::far/a.bak",
            String::new(),
            "Please specify a bucket that is in the same region as RDS instance".to_owned(),
        ),
        (
            "arn:aws:s3:::vault/taken.bak",
            String::new(),
            "Please reissue task with correct type and overwrite property".to_owned(),
        ),
        (
            "arn:aws:s3:::vault/a.bak",
            format!(", '{}'", key("none")),
            format!("Key {} does not exist", key("none")),
        ),
        (
            "arn:aws:s3:::vault/a.bak",
            format!(", '{}'", key("closed")),
            format!(
                "User arn:aws:iam::{ACCOUNT}:role/native-backup is not authorized to perform kms:GenerateDataKey on resource {}",
                key("closed")
            ),
        ),
    ] {
        let mut wired = plain();
        let put = |world: &mut world::World| {
            world.s3_mut().put("vault", "taken.bak", b"anything", &Condition::Always).unwrap();
        };
        put(&mut wired.pipe.world());
        let info = wired.info(&backup(arn, &more));
        assert_entry(&info, &text);
        assert_entry(&info, trailer);
        assert_entry(&info, "Task has been aborted");
    }
    for (documents, edition, is_not) in [
        (Documents::Newest, Edition::Web, "isn't"),
        (Documents::Of2023, Edition::Express, "isn't"),
        (Documents::Of2019, Edition::Web, "is not"),
    ] {
        let mut wired = with(Knobs { documents, ..prompt() }, |config| config.edition = edition);
        wired.rows("EXEC rdsadmin.dbo.rds_set_configuration 'S3 backup compression', 'true'").unwrap();
        let info = wired.info(&backup("arn:aws:s3:::vault/a.bak", ""));
        let edition = edition.name();
        assert_entry(
            &info,
            &format!("BACKUP DATABASE WITH COMPRESSION {is_not} supported on {edition} Edition"),
        );
    }
}

#[test]
fn an_automated_backup_kills_a_native_one_in_the_recorded_words() {
    // The automated backup begins at 11:00; the backup would take hours.
    let mut wired = wired(|config| {
        config.backup_window = "11:00-11:30".into();
        config.throughput_bytes = 100_000;
    });
    let info = wired.info(&backup("arn:aws:s3:::vault/f*.bak", ", @number_of_files = 2"));
    for text in [
        "Aborting native backup because there is an RDS automated backup in progress.",
        "Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup.",
        "f1-of-2.bak: Aborting S3 upload, waiting for S3 workers to clean up and exit",
        "f2-of-2.bak: S3 processing has been aborted",
        "Task has been aborted",
    ] {
        assert_entry(&info, text);
    }
    let reset = "failed: 995(The I/O operation has been aborted because of either a thread exit or an application request.)";
    assert!(info.contains(reset) && info.contains("BACKUP DATABASE is terminating abnormally."), "{info}");
}

#[test]
fn native_restores_say_why_they_failed() {
    let wrong = "Please reissue task with correct type and overwrite property";
    for (key_of_object, arn, more, text) in [
        ("other.bak", "arn:aws:s3:::closed/other.bak", String::new(), "Access Denied".to_owned()),
        ("other.bak", "arn:aws:s3:::vault/none.bak", String::new(), "Access Denied".to_owned()),
        ("other.bak", "arn:aws:s3:::vault/other.bak", String::new(), wrong.to_owned()),
        (
            "other.bak",
            "arn:aws:s3:::far/other.bak",
            String::new(),
            "Please specify a bucket that is in the same region as RDS instance".to_owned(),
        ),
        (
            "other.bak",
            "arn:aws:s3:::nowhere/other.bak",
            String::new(),
            "The specified bucket does not exist".to_owned(),
        ),
        (
            "full.bak",
            "arn:aws:s3:::vault/full.bak",
            format!(", @kms_master_key_arn = '{}'", key("none")),
            format!("Key {} does not exist", key("none")),
        ),
        (
            "full.bak",
            "arn:aws:s3:::vault/full.bak",
            format!(", @kms_master_key_arn = '{}'", key("closed")),
            format!(
                "User arn:aws:iam::{ACCOUNT}:role/native-backup is not authorized to perform kms:Decrypt on resource {}",
                key("closed")
            ),
        ),
        (
            "many",
            "arn:aws:s3:::vault/many*",
            String::new(),
            "The Restore task is unable to restore from more than 10 backup file(s). Please reduce the number of files matched and try again.".to_owned(),
        ),
    ] {
        let mut wired = plain();
        for number in 0..11 {
            let name = if key_of_object == "many" { format!("many{number}") } else { key_of_object.to_owned() };
            let put = |world: &mut world::World| {
                world.s3_mut().put("vault", &name, b"no backup", &Condition::Always).unwrap();
            };
            put(&mut wired.pipe.world());
        }
        let info = wired.info(&restore("copy", arn, &more));
        assert_exception(&info, &text);
        assert_entry(&info, "Aborted the task because of a task failure or a concurrent RESTORE_DB request.");
        assert_entry(&info, "Task has been aborted");
    }
}

#[test]
fn access_to_log_backups_is_set_up_or_refused() {
    let setup = |arn: &str| format!("EXEC msdb.dbo.rds_tlog_copy_setup '{arn}'");
    for (arn, text) in [
        ("", "The target S3 arn for the input parameter @target_s3_arn can't be empty or null."),
        ("s3://vault", "The target S3 arn for the input parameter @target_s3_arn must begin with arn:aws."),
        (
            "arn:aws:s3:::  /logs",
            "The S3 bucket name for the input parameter @target_s3_arn should contain at least one character other than a space.",
        ),
        (
            "arn:aws:s3:::closed/logs",
            "Unable to generate credentials for enabling Access to Transaction Log Backups. Confirm the S3 path ARN provided with rds_tlog_copy_setup, and try again later.",
        ),
    ] {
        assert_eq!(plain().error(&setup(arn)), text, "{arn}");
    }
    assert_eq!(
        wired(|config| config.retention_days = 0).error(SETUP),
        "Backups are disabled on this DB instance. Enable DB instance backups with a retention of at least \"1\" and try again."
    );
    assert_eq!(
        wired(|config| config.option = OptionStatus::Applying).error(SETUP),
        "The SQLSERVER_BACKUP_RESTORE option isn't enabled or is in the process of being enabled. Enable the option or try again later."
    );
    assert_eq!(
        plain().error(&format!("BEGIN TRANSACTION; {SETUP}")),
        "Running the rds_tlog_backup_copy_setup stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again."
    );
    let mut wired = plain();
    wired.pipe.world().break_log_access("prod", LogAccess::Internal);
    assert_eq!(
        wired.error(SETUP),
        "Error running the rds_tlog_copy_setup stored procedure. Reconnect to the RDS endpoint and try again."
    );
    wired.pipe.world().break_log_access("prod", LogAccess::Open);
    wired.rows(SETUP).unwrap();
    assert_eq!(wired.error(SETUP), "The target S3 ARN is already set to the provided value.");
    wired.rows(&backup("arn:aws:s3:::vault/a.bak", "")).unwrap();
    assert_eq!(
        wired.error(&setup("arn:aws:s3:::vault/elsewhere")),
        "You cannot run the rds_tlog_copy_setup stored procedure while there are pending tasks. Wait for the pending tasks to complete and try again."
    );
}

/// All that a copy is told of its arguments.
#[test]
fn copies_of_log_backups_check_their_arguments() {
    const SETS: &str = "SET-1:(@backup_file_start_time, @backup_file_end_time) | SET-2:(@starting_lsn, @ending_lsn) | SET-3:(@rds_backup_starting_seq_id, @rds_backup_ending_seq_id)";
    let mut wired = plain();
    wired.rows(SETUP).unwrap();
    for (sql, text) in [
        (copy(""), format!("At least one of these three parameter sets must be provided. {SETS}")),
        (
            copy(", @starting_lsn = 1, @rds_backup_starting_seq_id = 1"),
            format!("Only one of these three parameter sets can be provided. {SETS}"),
        ),
        (
            copy(", @backup_file_start_time = '2026-11-02 10:05', @backup_file_end_time = '2026-11-02 10:05'"),
            "The start time for the input parameter @backup_file_start_time must be less than @backup_file_end_time.".to_owned(),
        ),
        (
            copy(", @starting_lsn = 2, @ending_lsn = 2"),
            "The LSN for the input parameter @starting_lsn must be less than @ending_lsn.".to_owned(),
        ),
        (
            copy(", @rds_backup_starting_seq_id = 2, @rds_backup_ending_seq_id = 1"),
            "The sequence ID for the input parameter @rds_backup_starting_seq_id must be less than or equal to @rds_backup_ending_seq_id.".to_owned(),
        ),
        (
            copy(", @rds_backup_starting_seq_id = 9000"),
            "The provided parameters fall outside of the transaction backup log retention period. To list of available transaction log backup files, run the rds_fn_list_tlog_backup_metadata function.".to_owned(),
        ),
        (
            copy(&format!(", @rds_backup_starting_seq_id = 1, @kms_key_arn = '{KEY}'")),
            "You cannot provide a KMS Key ARN as input parameter to the stored procedure for instances that are not storage-encrypted.".to_owned(),
        ),
        (
            copy(", @rds_backup_starting_seq_id = 1").replace("'Orders'", "''"),
            "Database name for the input parameter @db_name can't be empty or null.".to_owned(),
        ),
        (
            copy(", @rds_backup_starting_seq_id = 1").replace("'Orders'", "'nowhere'"),
            "Cannot find the given database nowhere.".to_owned(),
        ),
        (
            copy(", @rds_backup_starting_seq_id = 1").replace("'Orders'", "'msdb'"),
            "Cannot run the rds_tlog_backup_copy_to_S3 stored procedure for SQL Server system databases or the rdsadmin database.".to_owned(),
        ),
    ] {
        assert_eq!(wired.error(&sql), text, "{sql}");
    }
    let rows = wired.rows(&copy(", @rds_backup_starting_seq_id = 1")).unwrap();
    let id: i32 = rows[0].get("task_id").unwrap();
    assert_eq!(
        wired.error(&copy(", @rds_backup_starting_seq_id = 1")),
        format!(
            "A T-log backup file copy task has already been issued for database: Orders with task Id: {id}, please try again later."
        )
    );
}

/// All that a copy is told of its instance.
#[test]
fn copies_of_log_backups_check_their_instance() {
    let first = copy(", @rds_backup_starting_seq_id = 1");
    assert_eq!(
        plain().error(&first),
        "You must run the rds_tlog_copy_setup stored procedure and set the @target_s3_arn, before running the rds_tlog_backup_copy_to_S3 stored procedure."
    );
    assert_eq!(
        plain().error(&format!("BEGIN TRANSACTION; {first}")),
        "Running the rds_tlog_backup_copy_to_S3 stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again."
    );
    assert_eq!(
        wired(|config| config.option = OptionStatus::Absent).error(&first),
        "The SQLSERVER_BACKUP_RESTORE option isn't enabled or is in the process of being enabled. Enable the option or try again later."
    );
    assert_eq!(
        wired(|config| config.retention_days = 0).error(&first),
        "Backups are disabled on your instance. Please enable backups and try again in some time."
    );
    for (trouble, text) in [
        (
            LogAccess::Internal,
            "Error running the stored procedure rds_tlog_backup_copy_to_S3. Reconnect to the RDS endpoint and try again.",
        ),
        (
            LogAccess::NotOwner,
            "The rds_tlog_backup_copy_to_S3 stored procedure can only be performed by the members of db_owner role in the source database.",
        ),
        (
            LogAccess::Replica,
            "Running the rds_tlog_backup_copy_to_S3 stored procedure on an RDS read replica instance isn't permitted.",
        ),
    ] {
        let mut wired = plain();
        wired.pipe.world().break_log_access("prod", trouble);
        assert_eq!(wired.error(&first), text);
    }
    let mut wired = plain();
    wired.rows(SETUP).unwrap();
    let closed = |config: &mut world::BucketConfig| config.rds_access = false;
    wired.pipe.world().s3_mut().configure("vault", closed).unwrap();
    assert_eq!(
        wired.error(&first),
        "There was a permissions error in processing the request. Ensure the bucket is in the same Account and Region as the DB Instance, and confirm the S3 bucket policy permissions against the template in the public documentation."
    );
    wired.pipe.world().break_retention("prod", 0);
    assert_eq!(
        wired.error(&first),
        "DB instance backup retention period must be set to at least 1 to run the rds_tlog_backup_copy_setup stored procedure."
    );
    let mut wired = self::wired(|config| config.storage_encrypted = true);
    wired.rows(SETUP).unwrap();
    assert_eq!(
        wired.error(&first),
        "You must provide a KMS Key ARN as input parameter to the stored procedure for storage encrypted instances."
    );
    assert_eq!(
        wired.error(&format!("{first}, @kms_key_arn = '{}'", key("closed"))),
        "We were unable to process the request due to a lack of access. Please check your setup and permissions for the feature."
    );
}
