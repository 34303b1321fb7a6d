//! Native backups from call to end: queue, progress, texts, refusals, cancels.

use tds::{Request, TransactionRequest, Value};
use world::{Edition, KeyConfig, Knobs, OptionStatus, Span};

use crate::lab::{ACCOUNT, KEY, Lab, REGION, cell, error, string, task_id, text};

#[test]
fn a_backup_runs_and_its_object_appears_at_the_end() {
    let mut lab = Lab::new();
    lab.database("Orders");
    let id = lab.backup("orders", "full/orders.bak");
    assert_eq!(lab.lifecycle(id), "CREATED");
    lab.wait(2);
    assert_eq!(lab.lifecycle(id), "IN_PROGRESS");
    assert!(lab.keys("").is_empty());
    assert_eq!(lab.world.s3().list_uploads("vault", "", None, 9).unwrap().uploads.len(), 1);
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.keys(""), ["full/orders.bak"]);
    assert!(lab.world.s3().list_uploads("vault", "", None, 9).unwrap().uploads.is_empty());
    assert_eq!(lab.task(id, "% complete"), Value::Int(100));
    let info = lab.info(id);
    assert!(
        info.starts_with(" [2026-11-02 10:00:0") && info.contains("] Task execution has started. ["),
        "{info}"
    );
    assert!(info.contains("] full/orders.bak: Completed processing 5% of S3 chunks."), "{info}");
    assert!(info.ends_with("] Command execution has completed successfully."), "{info}");
}

#[test]
fn task_info_grows_and_its_milliseconds_are_datetime() {
    let mut lab = Lab::new();
    lab.database("Orders");
    let id = lab.backup("Orders", "o.bak");
    let mut last = String::new();
    let mut percent = -1;
    for _ in 0..30 {
        lab.wait(17);
        let info = lab.info(id);
        assert!(info.starts_with(&last), "{last}\n{info}");
        for entry in info.split(" [").filter(|e| !e.is_empty()) {
            assert!(matches!(&entry[22..24], "0]" | "3]" | "7]"), "{entry}");
        }
        last = info;
        let Value::Int(now) = lab.task(id, "% complete") else { panic!("a number") };
        assert!(now >= percent && now % 5 == 0);
        percent = now;
    }
    assert_eq!(percent, 100);
}

#[test]
fn two_run_the_third_waits_in_order() {
    let mut lab = Lab::new();
    let names = ["A", "B", "C", "D"];
    for name in names {
        lab.database(name);
    }
    let ids: Vec<i64> = names.iter().map(|n| lab.backup(n, &format!("{n}.bak"))).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    lab.wait(30);
    let lifecycles: Vec<String> = ids.iter().map(|id| lab.lifecycle(*id)).collect();
    assert_eq!(lifecycles, ["IN_PROGRESS", "IN_PROGRESS", "CREATED", "CREATED"]);
    assert_eq!(lab.finish(4), "SUCCESS");
    assert_eq!(lab.lifecycle(3), "SUCCESS");
}

#[test]
fn created_lasts_at_most_five_minutes_when_a_slot_is_free() {
    let mut lab = Lab::with(Knobs::default(), |_| {});
    lab.database("A");
    let id = lab.backup("A", "a.bak");
    lab.wait(301);
    assert_ne!(lab.lifecycle(id), "CREATED");
}

#[test]
fn columns_are_fourteen_and_fifteen() {
    let mut lab = Lab::new();
    lab.database("A");
    lab.backup("A", "a.bak");
    let answer = lab.call("MSDB.DBO.RDS_TASK_STATUS", &[("@db_name", text("a"))]);
    let names: Vec<&str> = answer.results[0].columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "task_id",
            "task_type",
            "database_name",
            "% complete",
            "duration (mins)",
            "lifecycle",
            "task_info",
            "last_updated",
            "created_at",
            "S3_object_arn",
            "overwrite_s3_backup_file",
            "KMS_master_key_arn",
            "filepath",
            "overwrite_file",
        ]
    );
    let all = lab.select("SELECT * FROM msdb..rds_fn_task_status(NULL, 0)", &[]);
    assert_eq!((all.columns.len(), all.rows.len()), (15, 1));
    assert_eq!(
        (all.columns[4].name.as_str(), all.columns[14].name.as_str()),
        ("duration(mins)", "task_metadata")
    );
}

#[test]
fn stripes_are_named_and_all_or_nothing() {
    let mut lab = Lab::new();
    lab.database("A");
    let backup = |lab: &mut Lab, files: i64, overwrite: i64| {
        let answer = lab.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text("A")),
                ("@s3_arn_to_backup_to", text("arn:aws:s3:::vault/a/full*.bak")),
                ("@number_of_files", Value::Int(files)),
                ("@overwrite_S3_backup_file", Value::Int(overwrite)),
            ],
        );
        task_id(&answer)
    };
    let id = backup(&mut lab, 3, 0);
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.keys("a/"), ["a/full1-of-3.bak", "a/full2-of-3.bak", "a/full3-of-3.bak"]);
    let info = lab.info(id);
    let wanted =
        "BACKUP_DB task will initiate a multi-file task with 3 file(s). \n The files are: a/full1-of-3.bak, ";
    assert!(info.contains(wanted), "{info}");
    let again = backup(&mut lab, 3, 0);
    assert_eq!(lab.finish(again), "ERROR");
    assert!(lab.info(again).contains("] Please reissue task with correct type and overwrite property ["));
    let over = backup(&mut lab, 3, 1);
    assert_eq!(lab.finish(over), "SUCCESS");
    assert_eq!(lab.world.s3().list_versions("vault", "a/", None, 9).unwrap().versions.len(), 6);
}

#[test]
fn what_the_call_refuses() {
    let mut lab = Lab::new();
    lab.database("A");
    lab.backup("A", "a.bak");
    let arn = ("@s3_arn_to_backup_to", text("arn:aws:s3:::vault/x.bak"));
    let name = ("@source_db_name", text("A"));
    for (arguments, number, part) in [
        (vec![arn.clone()], 201, "'@source_db_name', which was not supplied"),
        (
            vec![name.clone(), arn.clone()],
            50_000,
            "A task has already been issued for database: A with task Id: 1",
        ),
        (vec![("@source_db_name", text("B")), arn.clone()], 50_000, "Database B does not exist"),
        (vec![name.clone(), ("@s3_arn_to_backup_to", text(""))], 50_000, "S3 ARN prefix cannot be empty"),
        (vec![name.clone(), arn.clone(), ("@type", text("LOG"))], 50_000, "Invalid value 'LOG'"),
        (
            vec![name.clone(), arn.clone(), ("@backup_compression", Value::Int(1))],
            8145,
            "@backup_compression",
        ),
        (vec![name.clone(), arn.clone(), ("@number_of_files", text("x"))], 8114, "converting data type"),
    ] {
        let (got, said) = error(&lab.call("msdb.dbo.rds_backup_database", &arguments));
        assert!(got == number && said.contains(part), "{got} {said}");
    }
    assert_eq!(error(&lab.call("msdb.dbo.rds_backup_log", &[])).0, 2812);
    lab.world.execute(lab.session, &Request::Transaction(TransactionRequest::Begin));
    assert_eq!(error(&lab.call("msdb.dbo.rds_backup_database", &[name.clone(), arn.clone()])).0, 3021);
    lab.world.execute(lab.session, &Request::Transaction(TransactionRequest::Rollback));
    lab.world.set_option("prod", OptionStatus::Applying);
    let (_, said) = error(&lab.call("msdb.dbo.rds_backup_database", &[name.clone(), arn.clone()]));
    assert!(said.starts_with("Database backup/restore option is not enabled yet"), "{said}");
    lab.world.break_grants("prod", true);
    assert_eq!(error(&lab.call("msdb.dbo.rds_backup_database", &[name, arn])).0, 229);
}

#[test]
fn what_the_task_refuses() {
    let mut lab = Lab::with(crate::lab::prompt(), |config| config.edition = Edition::Web);
    lab.database("A");
    let key = |id: &str| format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}");
    lab.world.add_key(KeyConfig { rds_access: false, ..KeyConfig::usable(&key("closed"), REGION) });
    lab.world.add_key(KeyConfig { customer_managed: false, ..KeyConfig::usable(&key("aws"), REGION) });
    let closed = format!(
        "User arn:aws:iam::{ACCOUNT}:role/native-backup is not authorized to perform kms:GenerateDataKey on resource {}",
        key("closed")
    );
    let missing = format!("Key {} does not exist", key("none"));
    for (arn, kms, kind, said) in [
        (
            "arn:aws:s3:::far/a",
            "",
            "FULL",
            "Please specify a bucket that is in the same region as RDS instance",
        ),
        ("arn:aws:s3:::nowhere/a", "", "FULL", "The specified bucket does not exist"),
        ("arn:aws:s3:::closed/a", "", "FULL", "Access Denied"),
        ("arn:aws:s3:::vault", "", "FULL", "Access Denied"),
        ("arn:aws:s3:::vault/a", &key("none"), "FULL", &missing),
        ("arn:aws:s3:::vault/a", &key("closed"), "FULL", &closed),
        ("arn:aws:s3:::vault/a", &key("aws"), "FULL", "can't be used to encrypt a backup"),
        ("arn:aws:s3:::vault/a", "", "differential", "because a current database backup does not exist"),
    ] {
        let answer = lab.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text("A")),
                ("@s3_arn_to_backup_to", text(arn)),
                ("@kms_master_key_arn", text(kms)),
                ("@type", text(kind)),
            ],
        );
        let id = task_id(&answer);
        assert_eq!(lab.finish(id), "ERROR", "{arn}");
        let info = lab.info(id);
        assert!(info.contains(said), "{info}");
        assert!(
            info.contains("Aborted the task because of a task failure or an overlap with your"),
            "{info}"
        );
        assert!(info.ends_with("Task has been aborted"), "{info}");
    }
    let set = lab.call(
        "rdsadmin..rds_set_configuration",
        &[("@name", text("S3 backup compression")), ("@value", text("true"))],
    );
    assert_eq!(set.error, None);
    let id = lab.backup("A", "compressed.bak");
    assert_eq!(lab.finish(id), "ERROR");
    assert!(lab.info(id).contains("BACKUP DATABASE WITH COMPRESSION isn't supported on Web Edition"));
    assert!(lab.keys("").is_empty());
}

#[test]
fn a_differential_depends_on_our_full_until_a_snapshot() {
    let mut lab = Lab::new();
    let database = lab.database("A");
    let full = lab.backup("A", "full.bak");
    lab.finish(full);
    let differential = |lab: &mut Lab, key: &str| {
        let answer = lab.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text("A")),
                ("@s3_arn_to_backup_to", text(&format!("arn:aws:s3:::vault/{key}"))),
                ("@type", text("Differential")),
            ],
        );
        let id = task_id(&answer);
        lab.finish(id)
    };
    lab.world.write(database, 40);
    assert_eq!(differential(&mut lab, "d1.bak"), "SUCCESS");
    let rows = lab.select(
        "SELECT type, differential_base_guid, backup_set_uuid, database_backup_lsn, checkpoint_lsn, differential_base_lsn FROM msdb.dbo.backupset WHERE is_snapshot = 0 ORDER BY backup_finish_date",
        &[],
    );
    assert_eq!(rows.rows.len(), 2);
    assert_eq!(cell(&rows, 1, "differential_base_guid"), cell(&rows, 0, "backup_set_uuid"));
    assert_eq!(cell(&rows, 1, "differential_base_lsn"), cell(&rows, 0, "checkpoint_lsn"));
    assert_eq!(cell(&rows, 1, "database_backup_lsn"), cell(&rows, 0, "checkpoint_lsn"));
    lab.world.break_snapshot("prod");
    assert_eq!(differential(&mut lab, "d2.bak"), "ERROR");
}

#[test]
fn cancels_reach_waiting_and_running_tasks_and_lose_races() {
    let mut lab = Lab::new();
    for name in ["A", "B", "C"] {
        lab.database(name);
    }
    let ids: Vec<i64> = ["A", "B", "C"].iter().map(|n| lab.backup(n, &format!("{n}.bak"))).collect();
    lab.wait(10);
    let cancel =
        |lab: &mut Lab, id: i64| lab.call("msdb.dbo.rds_cancel_task", &[("@task_id", Value::Int(id))]);
    for id in [ids[0], ids[2]] {
        assert_eq!(cancel(&mut lab, id).error, None);
        assert_eq!(lab.lifecycle(id), "CANCEL_REQUESTED");
    }
    assert_eq!((lab.finish(ids[0]), lab.finish(ids[2])), ("CANCELLED".into(), "CANCELLED".into()));
    assert_eq!(lab.finish(ids[1]), "SUCCESS");
    assert_eq!(lab.keys(""), ["B.bak"]);
    assert!(error(&cancel(&mut lab, ids[1])).1.contains("SUCCESS"));
    assert!(error(&cancel(&mut lab, 99)).1.contains("99"));
    let late = Lab::with(Knobs { cancel_seconds: Span::new(3_000, 3_000), ..crate::lab::prompt() }, |_| {});
    let mut lab = late;
    lab.database("A");
    let id = lab.backup("A", "a.bak");
    lab.wait(20);
    assert_eq!(cancel(&mut lab, id).error, None);
    assert_eq!(lab.finish(id), "SUCCESS");
}

#[test]
fn history_ends_after_36_days() {
    let mut lab = Lab::new();
    lab.database("A");
    for day in 0..40 {
        lab.backup("A", &format!("{day}.bak"));
        lab.wait(86_400);
    }
    let listed = lab
        .select("SELECT MIN(task_id) AS least, COUNT(*) AS n FROM msdb.dbo.rds_fn_task_status(NULL, 0)", &[]);
    assert_eq!(*cell(&listed, 0, "least"), Value::Int(5));
    assert_eq!(*cell(&listed, 0, "n"), Value::Int(36));
    let some = lab.select(
        "SELECT task_id, task_type FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id >= @P1 ORDER BY task_id",
        &[Value::Int(38)],
    );
    assert_eq!(some.rows.len(), 3);
    assert_eq!(string(cell(&some, 0, "task_type")), "BACKUP_DB");
}

#[test]
fn an_encrypted_backup_needs_its_key_to_be_read() {
    let mut lab = Lab::new();
    lab.database("A");
    let answer = lab.call(
        "msdb.dbo.rds_backup_database",
        &[
            ("@source_db_name", text("A")),
            ("@s3_arn_to_backup_to", text("arn:aws:s3:::vault/a.bak")),
            ("@kms_master_key_arn", text(KEY)),
        ],
    );
    let id = task_id(&answer);
    assert_eq!(lab.finish(id), "SUCCESS");
    let object = [world::ObjectRef::newest("vault", "a.bak")];
    assert!(lab.world.restore(&object, None).is_ok());
    lab.world.kms_mut().configure(KEY, |k| k.enabled = false);
    assert!(lab.world.restore(&object, None).is_err());
}
