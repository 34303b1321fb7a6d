//! Procedures and tasks of TDE certificates: what the call refuses, what the task says, how they queue.

use proptest::prelude::*;
use tds::{Request, TransactionRequest};
use world::{Condition, Damage, FailoverFate, KeyConfig, Knobs, MultiAz, OptionStatus, World};

use crate::{
    lab::{ACCOUNT, KEY, Lab, REGION, error, prompt, string, task_id, text},
    tde::{KEY_OF_ORDERS, backup_certificate, done, finish, lab, on, restore_certificate, with, with_source},
};

/// The certificate that RDS generates for `prod`.
const OWN: &str = "RDSTDECertificate20261102T100000";
/// A usable key that opens nothing here.
const OTHER: &str = "arn:aws:kms:eu-central-1:111122223333:key/other";
/// A usable key of another account.
const THEIRS: &str = "arn:aws:kms:eu-central-1:999900001111:key/theirs";

#[test]
fn procedures_for_certificates_refuse_what_the_documents_exclude() {
    let texts = Knobs::default().texts;
    let say = |sql: &str| error(&on(&mut lab().world, "prod", sql)).1;
    let name = "RDSTDECertificate20261102T100000";
    let backup = backup_certificate(name, "a", "");
    let restore = restore_certificate("UserTDECertificate_a", "a", KEY);
    let drop = |name: &str| format!("EXEC msdb.dbo.rds_drop_tde_certificate '{name}'");
    for (sql, said) in [
        (backup.replace(name, ""), texts.certificate_name_empty.clone()),
        (backup.replace(&format!("'{name}'"), "NULL"), texts.certificate_name_empty.clone()),
        (backup.replace(name, "a-b"), texts.certificate_name.replace("{name}", "a-b")),
        (backup.replace(name, "nobody"), texts.unknown_certificate.replace("{name}", "nobody")),
        (
            backup.replace(".cer", ".crt"),
            "The file extension for @certificate_file_s3_arn must be .cer.".into(),
        ),
        (backup.replace(".pvk", ""), "The file extension for @private_key_file_s3_arn must be .pvk.".into()),
        (backup.replace("arn:aws:s3:::vault/a.cer", ""), "S3 ARN prefix cannot be empty".into()),
        (restore.replace("UserTDE", "TDE"), texts.certificate_name.replace("{name}", "TDECertificate_a")),
        (
            restore.replace("_a'", "_rdstdecertificate'"),
            texts.certificate_name.replace("{name}", "UserTDECertificate_rdstdecertificate"),
        ),
        (drop(name), texts.drop_rds_certificate.replace("{name}", name)),
        (drop("UserTDECertificate_a"), texts.unknown_certificate.replace("{name}", "UserTDECertificate_a")),
    ] {
        assert_eq!(say(&sql), said, "{sql}");
    }
    assert_eq!(error(&on(&mut lab().world, "prod", &format!("{restore}, @overwrite_s3_files = 1"))).0, 8_145);
    let calls = [backup.clone(), restore.clone(), drop("UserTDECertificate_a")];
    for sql in &calls {
        let mut lab = lab();
        lab.world.execute(lab.session, &Request::Transaction(TransactionRequest::Begin));
        assert_eq!(
            error(&lab.batch(sql)),
            (3_021, "Cannot perform a backup or restore operation within a transaction.".into())
        );
        assert_eq!(error(&Lab::new().batch(sql)).1, texts.tde_option, "{sql}");
        let mut off = with(prompt(), |config| config.option = OptionStatus::Absent);
        assert!(error(&off.batch(sql)).1.starts_with("Database backup/restore option is not enabled yet"));
    }
    for sql in &calls[..2] {
        let mut multi = with(prompt(), |config| config.multi_az = MultiAz::AlwaysOn);
        assert_eq!(error(&multi.batch(sql)).1, texts.multi_az_certificate);
    }
    // A certificate that encrypts a key is not dropped.
    let mut lab = lab();
    lab.database("Orders");
    lab.batch("CREATE CERTIFICATE UserTDECertificate_a WITH SUBJECT = 'a'");
    lab.batch(&format!("USE Orders; {KEY_OF_ORDERS} UserTDECertificate_a"));
    assert_eq!(error(&lab.batch(&drop("UserTDECertificate_a"))).0, 3_716);
}

/// What the administrator of a key does.
type Change = fn(&mut KeyConfig);

/// Runs a task on `prod`, where its certificate and that of another instance are known, behind a change of the world.
#[track_caller]
fn assert_failure(sql: &str, change: impl FnOnce(&mut World), said: &str) {
    let mut lab = with_source();
    lab.world.add_key(KeyConfig::usable(OTHER, REGION));
    lab.world.add_key(KeyConfig::usable(THEIRS, REGION));
    change(&mut lab.world);
    let answer = on(&mut lab.world, "prod", sql);
    let (ended, info) = finish(&mut lab.world, "prod", &answer);
    assert_eq!(ended, "ERROR", "{info}");
    assert!(info.contains(&format!("] {said} [")), "{said:?} is not told by {info}");
    assert!(info.ends_with("Task has been aborted"), "{info}");
    let listed = "SELECT * FROM msdb.dbo.rds_fn_list_user_tde_certificates()";
    assert!(done(&mut lab.world, "prod", listed).results[0].rows.is_empty());
}

#[test]
fn tasks_of_certificates_look_at_buckets_and_the_key() {
    let restore = restore_certificate("UserTDECertificate_a", "tde", KEY);
    let backup = backup_certificate(OWN, "new", "");
    for (sql, said) in [
        (restore.replace("vault/tde.cer", "closed/tde.cer"), "Access Denied".to_owned()),
        (restore.replace("tde.pvk", "none.pvk"), "Access Denied".to_owned()),
        (
            backup.replace("vault/new.pvk", "far/new.pvk"),
            "Please specify a bucket that is in the same region as RDS instance".to_owned(),
        ),
        (backup.replace("arn:aws:s3:::", ""), "The specified bucket does not exist".to_owned()),
        (backup.replace(KEY, "x"), "Key x does not exist".to_owned()),
        (backup.replace(KEY, THEIRS), format!("Cross-account key {THEIRS} isn't supported.")),
        (restore.replace(KEY, OTHER), "The private key password can't be decrypted.".to_owned()),
        (
            backup.replace("new.", "tde."),
            "Please reissue task with correct type and overwrite property".to_owned(),
        ),
    ] {
        assert_failure(&sql, |_| {}, &said);
    }
    let changes: [(Change, String); 3] = [
        (|key| key.enabled = false, format!("{KEY} is disabled.")),
        (|key| key.symmetric = false, format!("{KEY} can't be used to encrypt a backup.")),
        (
            |key| key.rds_access = false,
            format!(
                "User arn:aws:iam::{ACCOUNT}:role/native-backup is not authorized to perform kms:GenerateDataKey on resource {KEY}"
            ),
        ),
    ];
    for (change, said) in changes {
        for sql in [&restore, &backup] {
            assert_failure(sql, |world| assert!(world.kms_mut().configure(KEY, change)), &said);
        }
    }
}

#[test]
fn tasks_of_certificates_look_at_the_files() {
    let restore = restore_certificate("UserTDECertificate_a", "tde", KEY);
    let invalid = |file: &str| format!("{file} is not a valid certificate or private key file.");
    for (file, damage, said) in [
        ("tde.cer", Damage::Corrupt, invalid("tde.cer")),
        ("tde.pvk", Damage::Truncate, invalid("tde.pvk")),
        ("tde.pvk", Damage::Archive, "Access Denied".to_owned()),
        ("tde.cer", Damage::Delete, "Access Denied".to_owned()),
    ] {
        let change = |world: &mut World| {
            world.break_object("vault", file, damage).unwrap();
        };
        assert_failure(&restore, change, &said);
    }
    for (file, from, said) in [
        ("tde.cer", "tde.pvk", invalid("tde.cer")),
        ("tde.pvk", "tde.cer", invalid("tde.pvk")),
        ("tde.pvk", "tde.pvk", "tde.pvk has no x-amz-meta-rds-tde-pwd metadata.".to_owned()),
    ] {
        let change = |world: &mut World| {
            let bytes = world.s3().get("vault", from, None).unwrap();
            world.s3_mut().put("vault", file, &bytes, &Condition::Always).unwrap();
        };
        assert_failure(&restore, change, &said);
    }
    // A password under the right key that belongs to another private key.
    let swap = |world: &mut World| {
        let answer = on(world, "prod", &backup_certificate(OWN, "own", ""));
        assert_eq!(finish(world, "prod", &answer).0, "SUCCESS");
        let bytes = world.s3().get("vault", "tde.pvk", None).unwrap();
        let metadata = world.s3().metadata("vault", "own.pvk", None).unwrap();
        world.s3_mut().put_with_metadata("vault", "tde.pvk", &bytes, metadata).unwrap();
    };
    assert_failure(&restore, swap, "The private key password can't be decrypted.");
    // Overwritten files are new ones, and bring the other certificate.
    let overwrite = |world: &mut World| {
        let answer = on(world, "prod", &backup_certificate(OWN, "tde", ", @overwrite_s3_files = 1"));
        assert_eq!(finish(world, "prod", &answer).0, "SUCCESS");
    };
    let exists = "A certificate with name 'UserTDECertificate_a' already exists or this certificate already has been added to the database.";
    assert_failure(&restore, overwrite, exists);
}

#[test]
fn tasks_of_certificates_wait_in_the_queue_and_can_t_be_cancelled() {
    let mut lab = with_source();
    lab.database("A");
    lab.database("B");
    let running = [lab.backup("A", "a.bak"), lab.backup("B", "b.bak")];
    lab.wait(15);
    let answer = lab.batch(&restore_certificate("UserTDECertificate_a", "tde", KEY));
    let restore = task_id(&answer);
    let answer = lab.batch(&backup_certificate("RDSTDECertificate20261102T100000", "own", ""));
    let backup = task_id(&answer);
    lab.wait(15);
    for id in running {
        assert_eq!(lab.lifecycle(id), "IN_PROGRESS");
    }
    for (id, kind, file) in [(restore, "RESTORE_TDE_CERT", "tde"), (backup, "BACKUP_TDE_CERT", "own")] {
        assert_eq!(lab.lifecycle(id), "CREATED");
        assert_eq!(string(&lab.task(id, "task_type")), kind);
        assert_eq!(lab.task(id, "S3_object_arn"), text(&format!("arn:aws:s3:::vault/{file}.cer")));
        assert_eq!(
            error(&lab.batch(&format!("EXEC msdb.dbo.rds_cancel_task {id}"))).1,
            format!("Task with Task Id {id} can't be cancelled because it is for a TDE certificate.")
        );
    }
    assert_eq!(lab.finish(restore), "SUCCESS");
    assert_eq!(lab.finish(backup), "SUCCESS");
    let started = |id: i64| {
        let facts: Vec<_> = lab.world.tasks("prod").collect();
        facts.iter().find(|fact| i64::from(fact.id) == id).unwrap().started_at.unwrap()
    };
    assert!(started(restore) <= started(backup));
}

#[test]
fn there_are_at_most_ten_user_certificates() {
    let mut lab = with_source();
    for number in 1..=9 {
        let sql = format!("CREATE CERTIFICATE UserTDECertificate_{number} WITH SUBJECT = 'x'");
        done(&mut lab.world, "prod", &sql);
    }
    let restore = restore_certificate("UserTDECertificate_a", "tde", KEY);
    let first = lab.batch(&restore);
    done(&mut lab.world, "prod", "CREATE CERTIFICATE UserTDECertificate_10 WITH SUBJECT = 'x'");
    // One came between the call and the task.
    let (ended, info) = finish(&mut lab.world, "prod", &first);
    let limit = lab.world.knobs().texts.certificate_limit.clone();
    assert!(ended == "ERROR" && info.contains(&limit), "{info}");
    assert_eq!(error(&lab.batch(&restore)).1, limit);
    done(&mut lab.world, "prod", "EXEC msdb.dbo.rds_drop_tde_certificate 'UserTDECertificate_3'");
    let again = lab.batch(&restore);
    // The same certificate twice at the same time: the second is refused.
    let twin = lab.batch(&restore.replace("_a'", "_b'"));
    assert_eq!(finish(&mut lab.world, "prod", &again).0, "SUCCESS");
    assert_eq!(finish(&mut lab.world, "prod", &twin).0, "ERROR");
    assert_eq!(error(&lab.batch(&restore)).1, limit);
}

#[test]
fn a_failover_ends_or_restarts_a_task_of_a_certificate() {
    for (failover_fate, ended) in [(FailoverFate::Error, "ERROR"), (FailoverFate::Restart, "SUCCESS")] {
        let mut lab = with(Knobs { failover_fate, ..prompt() }, |_| {});
        let task = task_id(&lab.batch(&backup_certificate(OWN, "own", "")));
        lab.wait(3);
        assert_eq!(lab.lifecycle(task), "IN_PROGRESS");
        assert!(lab.world.break_failover("prod"));
        lab.wait(600);
        lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
        assert_eq!(lab.lifecycle(task), ended);
        assert_eq!(lab.keys("own").len(), if ended == "SUCCESS" { 2 } else { 0 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(6), ..ProptestConfig::default() })]

    #[test]
    fn any_words_of_encryption_are_answered(words in proptest::collection::vec(prop_oneof![
        Just("CREATE"), Just("ALTER"), Just("DROP"), Just("CERTIFICATE"), Just("DATABASE"), Just("ENCRYPTION"), Just("KEY"),
        Just("WITH"), Just("SUBJECT"), Just("="), Just("'x'"), Just(","), Just("START_DATE"), Just("'0001-01-01'"),
        Just("[A]"), Just("SET"), Just("ON"), Just("OFF"), Just(";"), Just("IF 1 = 1"), Just("USE A"), Just("BY SERVER"),
        Just("CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_128 ENCRYPTION BY SERVER CERTIFICATE x"),
        Just("CREATE CERTIFICATE x WITH SUBJECT ="), Just("ALTER DATABASE A SET ENCRYPTION"), Just("DROP DATABASE ENCRYPTION KEY"),
        Just("SELECT * FROM sys.certificates"), Just("SELECT * FROM sys.dm_database_encryption_keys"),
    ], 0..12)) {
        let mut lab = lab();
        lab.database("A");
        lab.batch(&words.join(" "));
    }

    /// Whatever lies under the names of certificate and private key, the task ends.
    #[test]
    fn any_file_is_read(certificate in any::<Vec<u8>>(), lines in proptest::collection::vec("[0-9a-f]{0,40}", 0..6), cut in 0_usize..200) {
        let mut lab = with_source();
        let mut held = lab.world.s3().get("vault", "tde.cer", None).unwrap();
        held.truncate(cut);
        let made_up = format!("SIMULATED CERTIFICATE\n{}", lines.join("\n")).into_bytes();
        for bytes in [certificate, held, made_up] {
            lab.world.s3_mut().put("vault", "tde.cer", &bytes, &Condition::Always).unwrap();
            let answer = on(&mut lab.world, "prod", &restore_certificate("UserTDECertificate_a", "tde", KEY));
            finish(&mut lab.world, "prod", &answer);
            done(&mut lab.world, "prod", "SELECT * FROM sys.certificates");
        }
    }
}
