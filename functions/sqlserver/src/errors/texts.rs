//! What does a text of the service mean? The documented and recorded sentences of the native procedures, of log access
//! and of task logs, each with what to do about it.
//!
//! Numbers of these errors are not documented, so the sentence is all there is; a rule holds the fragments that stay the
//! same while names and ids around them change. Sources: RDS user guide, "Troubleshooting" of native backup and restore and
//! of access to transaction logs; task logs published by administrators (2017, 2020, 2025).

use std::borrow::Cow;

use domain::reason::Class::{self, Human, Never, Wait};
use domain::reason::Reason;
use domain::task::TaskId;

use super::short;

/// A sentence and what it means.
struct Rule {
    /// Lower-case fragments that all occur.
    fragments: &'static [&'static str],
    class: Class,
    name: &'static str,
    guidance: &'static str,
}

const fn rule(
    fragments: &'static [&'static str],
    class: Class,
    name: &'static str,
    guidance: &'static str,
) -> Rule {
    Rule { fragments, class, name, guidance }
}

const OPTION: &str =
    "add SQLSERVER_BACKUP_RESTORE with a role to the option group and wait until it is in sync";
const BUCKET_POLICY: &str = "the bucket must be in the account and Region of the instance, and its policy must let backups.rds.amazonaws.com \
     put objects with the canned ACL bucket-owner-full-control";
const ROLE: &str = "give the role of SQLSERVER_BACKUP_RESTORE s3:ListBucket and s3:GetBucketLocation on the bucket and s3:GetObject, \
     s3:PutObject, s3:ListMultipartUploadParts, s3:AbortMultipartUpload on its objects, and check the ARN";
const KEY_ROLE: &str = "let the role use the key: kms:DescribeKey, kms:GenerateDataKey, kms:Encrypt, kms:Decrypt, as key user and key \
     administrator of its policy";
const RETENTION: &str = "set the instance's backup retention to at least one day";
const DEFECT: &str = "report this: bakproof should never ask so";

/// Sentences, the more particular ones first.
const RULES: &[Rule] = &[
    // Tasks and the queue.
    rule(&["task has already been issued for database"], Wait, "TaskAlreadyIssued", ""),
    rule(&["file copy task has already been issued"], Wait, "TaskAlreadyIssued", ""),
    rule(&["while there are pending tasks"], Wait, "TasksPending", ""),
    rule(&["automated backup in progress"], Wait, "AutomatedBackup", ""),
    // 3035: what was the base when the task was asked for is none when it starts.
    rule(
        &["cannot perform a differential backup", "current database backup does not exist"],
        Wait,
        "BaseMissing",
        "",
    ),
    // Set-up of the instance.
    rule(&["option is not enabled yet or is in the process"], Wait, "OptionNotEnabled", OPTION),
    rule(&["option isn't enabled or is in the process"], Wait, "OptionNotEnabled", OPTION),
    rule(&["backups are disabled on"], Human, "BackupsDisabled", RETENTION),
    rule(&["backup retention period must be set"], Human, "BackupsDisabled", RETENTION),
    rule(&["read replica", "isn't permitted"], Human, "ReadReplica", "protect the primary instead"),
    rule(
        &["must run the rds_tlog_copy_setup"],
        Human,
        "SetupMissing",
        "run rds_tlog_copy_setup with the vault's ARN for log copies",
    ),
    rule(&["unable to generate credentials"], Wait, "CredentialsUnavailable", BUCKET_POLICY),
    // Permissions.
    rule(
        &["only be performed by the members of db_owner"],
        Human,
        "NotDatabaseOwner",
        "in that database: ALTER ROLE db_owner ADD MEMBER the login's user",
    ),
    rule(&["permissions error in processing the request"], Human, "LogBucketDenied", BUCKET_POLICY),
    rule(&["due to a lack of access"], Human, "AccessDenied", BUCKET_POLICY),
    rule(&["is not authorized to perform", "kms:"], Human, "KeyDenied", KEY_ROLE),
    rule(&["is not authorized to perform"], Human, "AccessDenied", ROLE),
    rule(&["access denied"], Human, "AccessDenied", ROLE),
    // Buckets, keys, objects.
    rule(
        &["bucket that is in the same region"],
        Human,
        "BucketInOtherRegion",
        "use a bucket in the instance's Region and replicate it if it has to be elsewhere",
    ),
    rule(&["specified bucket does not exist"], Human, "BucketMissing", "create the bucket or mend the ARN"),
    rule(
        &["cannot provide a kms key arn"],
        Human,
        "KeyNotAllowed",
        "the storage of this instance is not encrypted: name no key for its log copies",
    ),
    rule(
        &["must provide a kms key arn"],
        Human,
        "KeyRequired",
        "the storage of this instance is encrypted: name a customer managed key for its log copies",
    ),
    rule(&["key arn:", "does not exist"], Human, "KeyMissing", "name the key that encrypted the backup"),
    rule(
        &["reissue task with correct type and overwrite property"],
        Never,
        "ObjectExists",
        "an object of that key exists, or it is no backup of that type; bakproof never overwrites: use a new key",
    ),
    rule(
        &["with compression is", "supported on"],
        Human,
        "CompressionUnsupported",
        "EXEC rdsadmin.dbo.rds_set_configuration 'S3 backup compression', 'false'",
    ),
    rule(
        &["unable to restore from more than"],
        Never,
        "TooManyFiles",
        "restore by a prefix that matches ten files at most",
    ),
    rule(
        &["media family on device", "incorrectly formed"],
        Human,
        "BackupUnreadable",
        "is the file encrypted, or cut?",
    ),
    rule(
        &["cannot find server certificate"],
        Human,
        "CertificateMissing",
        "restore the TDE certificate first",
    ),
    // S3's own text for what is larger than one object may be; class Wait, because the next try has more files.
    rule(
        &["proposed upload exceeds the maximum allowed"],
        Wait,
        "FileTooLarge",
        "the next try writes more files; set storage.stripes in the policy to what succeeds",
    ),
    // Databases.
    rule(&["already exists. two databases that differ only"], Human, "DatabaseExists", "choose another name"),
    rule(&["same family_guid"], Human, "FamilyExists", "restore to another instance"),
    rule(&["cannot find the given database"], Human, "DatabaseMissing", ""),
    rule(&["system databases or the rdsadmin"], Never, "SystemDatabase", DEFECT),
    rule(&["database name", "can't be empty or null"], Never, "DatabaseNameEmpty", DEFECT),
    // Parameters.
    rule(
        &["outside of the transaction backup log retention"],
        Never,
        "LogsExpired",
        "the service keeps logs for seven days",
    ),
    rule(&["parameter sets", "provided. set-1"], Never, "ParameterSetWrong", DEFECT),
    rule(&["for the input parameter @", "must be less than"], Never, "RangeReversed", DEFECT),
    rule(&["@target_s3_arn"], Never, "ArnMalformed", "an ARN looks like arn:aws:s3:::bucket/folder"),
    rule(
        &["s3 arn prefix cannot be empty"],
        Never,
        "ArnMalformed",
        "an ARN looks like arn:aws:s3:::bucket/key",
    ),
    rule(&["inside a transaction is not supported"], Human, "InsideTransaction", DEFECT),
];

/// Procedures that failed inside and ask to be called again on a new connection. What they did before is not said.
pub(super) fn is_internal_failure(text: &str) -> bool {
    let text = normal(text);
    text.contains("error running the") && text.contains("reconnect")
}

/// `rds_tlog_copy_setup` was asked to set what is set.
pub(crate) fn is_already_set(text: &str) -> bool {
    normal(text).contains("already set to the provided value")
}

/// The reason behind a sentence, when it is a known one.
pub(crate) fn known(text: &str) -> Option<Reason> {
    let lower = normal(text);
    let rule = RULES.iter().find(|rule| rule.fragments.iter().all(|fragment| lower.contains(fragment)))?;
    let message = match (rule.name, task_id(text)) {
        ("TaskAlreadyIssued", Some(id)) => format!("task {id} waits or runs: {}", short(text)),
        _ => short(text).to_owned(),
    };
    Some(Reason::new(rule.class, rule.name, message).guidance(rule.guidance))
}

/// Lower case, with the typewriter's apostrophe: published texts have both.
fn normal(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    Cow::Owned(if lower.contains('\u{2019}') { lower.replace('\u{2019}', "'") } else { lower })
}

/// The id behind the words "task id", as in "Task created successfully. Task Id: 42".
pub(crate) fn task_id(text: &str) -> Option<TaskId> {
    let lower = text.to_ascii_lowercase();
    let after = lower.split("task id").nth(1)?;
    let digits = after.trim_start_matches([' ', ':', '=', '#']);
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// Texts as published, with the reason each must become.
    const PUBLISHED: &[(&str, Class, &str)] = &[
        (
            "Database backup/restore option is not enabled yet or is in the process of being enabled. Please try again later.",
            Wait,
            "OptionNotEnabled",
        ),
        ("Access Denied", Human, "AccessDenied"),
        (
            "BACKUP DATABASE WITH COMPRESSION isn't supported on Express Edition",
            Human,
            "CompressionUnsupported",
        ),
        ("BACKUP DATABASE WITH COMPRESSION is not supported on Web Edition", Human, "CompressionUnsupported"),
        ("Key arn:aws:kms:us-east-1:111122223333:key/k does not exist", Human, "KeyMissing"),
        ("Please reissue task with correct type and overwrite property", Never, "ObjectExists"),
        ("Please specify a bucket that is in the same region as RDS instance", Human, "BucketInOtherRegion"),
        ("The specified bucket does not exist", Human, "BucketMissing"),
        (
            "User arn:aws:sts::1:assumed-role/r/s is not authorized to perform kms:GenerateDataKey on resource arn:aws:kms:us-east-1:1:key/k",
            Human,
            "KeyDenied",
        ),
        (
            "User arn:aws:sts::1:assumed-role/r/s is not authorized to perform s3:PutObject on resource arn:aws:s3:::b/k",
            Human,
            "AccessDenied",
        ),
        (
            "The Restore task is unable to restore from more than 10 backup file(s). Please reduce the number of files matched and try again.",
            Never,
            "TooManyFiles",
        ),
        (
            "Database 'Orders' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name.",
            Human,
            "DatabaseExists",
        ),
        ("S3 ARN prefix cannot be empty", Never, "ArnMalformed"),
        ("A task has already been issued for database: orders", Wait, "TaskAlreadyIssued"),
        (
            "Aborting native backup because there is an RDS automated backup in progress.",
            Wait,
            "AutomatedBackup",
        ),
        ("Cannot find server certificate with thumbprint '0x1'.", Human, "CertificateMissing"),
        ("The media family on device 'x' is incorrectly formed.", Human, "BackupUnreadable"),
        (
            "Backups are disabled on this DB instance. Enable DB instance backups with a retention of at least \"1\" and try again.",
            Human,
            "BackupsDisabled",
        ),
        (
            "Running the rds_tlog_backup_copy_setup stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again.",
            Human,
            "InsideTransaction",
        ),
        (
            "The S3 bucket name for the input parameter @target_s3_arn should contain at least one character other than a space.",
            Never,
            "ArnMalformed",
        ),
        (
            "The SQLSERVER_BACKUP_RESTORE option isn't enabled or is in the process of being enabled. Enable the option or try again later.",
            Wait,
            "OptionNotEnabled",
        ),
        (
            "The target S3 arn for the input parameter @target_s3_arn can't be empty or null.",
            Never,
            "ArnMalformed",
        ),
        (
            "The target S3 arn for the input parameter @target_s3_arn must begin with arn:aws.",
            Never,
            "ArnMalformed",
        ),
        (
            "Unable to generate credentials for enabling Access to Transaction Log Backups. Confirm the S3 path ARN provided with rds_tlog_copy_setup, and try again later.",
            Wait,
            "CredentialsUnavailable",
        ),
        (
            "You cannot run the rds_tlog_copy_setup stored procedure while there are pending tasks. Wait for the pending tasks to complete and try again.",
            Wait,
            "TasksPending",
        ),
        (
            "A T-log backup file copy task has already been issued for database: orders with task Id: 17, please try again later.",
            Wait,
            "TaskAlreadyIssued",
        ),
        (
            "At least one of these three parameter sets must be provided. SET-1:(@backup_file_start_time, @backup_file_end_time) | SET-2:(@starting_lsn, @ending_lsn) | SET-3:(@rds_backup_starting_seq_id, @rds_backup_ending_seq_id)",
            Never,
            "ParameterSetWrong",
        ),
        (
            "Only one of these three parameter sets can be provided. SET-1:(@backup_file_start_time, @backup_file_end_time)",
            Never,
            "ParameterSetWrong",
        ),
        (
            "Backups are disabled on your instance. Please enable backups and try again in some time.",
            Human,
            "BackupsDisabled",
        ),
        ("Cannot find the given database orders.", Human, "DatabaseMissing"),
        (
            "Cannot run the rds_tlog_backup_copy_to_S3 stored procedure for SQL Server system databases or the rdsadmin database.",
            Never,
            "SystemDatabase",
        ),
        (
            "Database name for the input parameter @db_name can't be empty or null.",
            Never,
            "DatabaseNameEmpty",
        ),
        (
            "DB instance backup retention period must be set to at least 1 to run the rds_tlog_backup_copy_setup stored procedure.",
            Human,
            "BackupsDisabled",
        ),
        (
            "Running the rds_tlog_backup_copy_to_S3 stored procedure inside a transaction is not supported. Verify that the session has no open transactions and try again.",
            Human,
            "InsideTransaction",
        ),
        (
            "The provided parameters fall outside of the transaction backup log retention period. To list of available transaction log backup files, run the rds_fn_list_tlog_backup_metadata function.",
            Never,
            "LogsExpired",
        ),
        (
            "There was a permissions error in processing the request. Ensure the bucket is in the same Account and Region as the DB Instance, and confirm the S3 bucket policy permissions against the template in the public documentation.",
            Human,
            "LogBucketDenied",
        ),
        (
            "Running the rds_tlog_backup_copy_to_S3 stored procedure on an RDS read replica instance isn't permitted.",
            Human,
            "ReadReplica",
        ),
        (
            "The LSN for the input parameter @starting_lsn must be less than @ending_lsn.",
            Never,
            "RangeReversed",
        ),
        (
            "The rds_tlog_backup_copy_to_S3 stored procedure can only be performed by the members of db_owner role in the source database.",
            Human,
            "NotDatabaseOwner",
        ),
        (
            "The sequence ID for the input parameter @rds_backup_starting_seq_id must be less than or equal to @rds_backup_ending_seq_id.",
            Never,
            "RangeReversed",
        ),
        (
            "The start time for the input parameter @backup_file_start_time must be less than @backup_file_end_time.",
            Never,
            "RangeReversed",
        ),
        (
            "We were unable to process the request due to a lack of access. Please check your setup and permissions for the feature.",
            Human,
            "AccessDenied",
        ),
        (
            "You cannot provide a KMS Key ARN as input parameter to the stored procedure for instances that are not storage-encrypted.",
            Human,
            "KeyNotAllowed",
        ),
        (
            "You must provide a KMS Key ARN as input parameter to the stored procedure for storage encrypted instances.",
            Human,
            "KeyRequired",
        ),
        (
            "You must run the rds_tlog_copy_setup stored procedure and set the @target_s3_arn, before running the rds_tlog_backup_copy_to_S3 stored procedure.",
            Human,
            "SetupMissing",
        ),
        (
            "The SQLSERVER_BACKUP_RESTORE option isn\u{2019}t enabled or is in the process of being enabled.",
            Wait,
            "OptionNotEnabled",
        ),
        (
            // Documented until 2019, kept for instances that still say so.
            "Database orders cannot be restored because there is already an existing database with the same family_guid on the instance",
            Human,
            "FamilyExists",
        ),
        (
            "Cannot perform a differential backup for database \"orders\", because a current database backup does not exist. Perform a full database backup by reissuing BACKUP DATABASE, omitting the WITH DIFFERENTIAL option.",
            Wait,
            "BaseMissing",
        ),
        ("Your proposed upload exceeds the maximum allowed object size.", Wait, "FileTooLarge"),
    ];

    #[test]
    fn published_texts_have_their_reasons() {
        for (text, class, name) in PUBLISHED {
            let reason = known(text).map(|reason| (reason.class, reason.name));
            assert_eq!(reason, Some((*class, Cow::Borrowed(*name))), "{text}");
        }
    }

    #[test]
    fn every_rule_is_met_by_a_published_text() {
        for rule in RULES {
            let met = PUBLISHED.iter().any(|(text, ..)| {
                let text = normal(text);
                rule.fragments.iter().all(|fragment| text.contains(fragment))
            });
            assert!(met, "{:?}", rule.fragments);
        }
    }

    #[test]
    fn the_running_task_is_named() {
        let reason = known(PUBLISHED[25].0).unwrap();
        assert!(reason.message.starts_with("task 17 waits or runs: A T-log"), "{}", reason.message);
        for (text, expected) in [
            ("Task created successfully. Task Id: 42", Some(42)),
            ("task id 7.", Some(7)),
            ("Task Id: ", None),
            ("Task Id: 0", None),
            ("Task Id: 99999999999999999999", None),
            ("nothing", None),
        ] {
            assert_eq!(task_id(text), expected, "{text}");
        }
    }

    #[test]
    fn already_set_and_internal_failures_are_no_refusals() {
        assert!(is_already_set("The target S3 ARN is already set to the provided value."));
        for text in [
            "Error running the rds_tlog_copy_setup stored procedure. Reconnect to the RDS endpoint and try again.",
            "Error running the stored procedure rds_tlog_backup_copy_to_S3. Reconnect to the RDS endpoint and try again.",
        ] {
            assert!(is_internal_failure(text), "{text}");
            assert!(!is_already_set(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(12),
            ..ProptestConfig::default()
        })]
        #[test]
        fn no_text_makes_a_rule_panic(text in "\\PC*", at in 0_usize..47, cut in 0_usize..200) {
            let _ = known(&text);
            let _ = task_id(&text);
            let published = PUBLISHED[at % PUBLISHED.len()].0;
            let head = &published[..published.floor_char_boundary(cut)];
            let reason = known(&format!("{text} {head}"));
            prop_assert!(reason.is_none_or(|reason| reason.message.len() < 800));
        }
    }
}
