//! What a native restore leaves behind, and what an instance takes at all: snapshots, bases, names, models, versions, sizes.

use tds::{Response, Value};
use world::{DatabaseConfig, Documents, InstanceConfig, Knobs, MultiAz, RecoveryModel};

use crate::lab::{ACCOUNT, Lab, REGION, cell, prompt, string, task_id, text};

const FULL: &str = "EXEC msdb.dbo.rds_restore_database 'B', 'arn:aws:s3:::vault/full.bak'";

fn done(lab: &mut Lab, answer: &Response) {
    assert_eq!(answer.error, None);
    let id = task_id(answer);
    let ended = lab.finish(id);
    assert_eq!(ended, "SUCCESS", "{}", lab.info(id));
}

/// The text of a restore that fails.
fn fails(lab: &mut Lab, answer: &Response) -> String {
    assert_eq!(answer.error, None);
    let id = task_id(answer);
    assert_eq!(lab.finish(id), "ERROR");
    lab.info(id)
}

/// A database with a full in the vault, a differential and the log behind it.
fn chain() -> (Lab, String) {
    let mut lab = Lab::new();
    lab.database("A");
    lab.set_up_logs();
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let answer = lab.batch(
        "EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/diff.bak', @type = 'DIFFERENTIAL'",
    );
    done(&mut lab, &answer);
    let end = lab.world.header(&world::ObjectRef::newest("vault", "diff.bak")).unwrap().last_lsn;
    lab.wait(600);
    let id = lab.copy_all("A");
    assert_eq!(lab.finish(id), "SUCCESS");
    let spans = |key: &String| {
        let log = lab.world.header(&world::ObjectRef::newest("vault", key)).unwrap();
        log.first_lsn <= end && end < log.last_lsn
    };
    let log = lab.keys("logs/").into_iter().find(spans).unwrap();
    (lab, log)
}

/// "Amazon RDS creates an initial snapshot of the database" behind each task that opens it, and behind no other.
#[test]
fn each_task_that_opens_a_database_takes_a_snapshot_of_it() {
    let (mut lab, log) = chain();
    let base = format!("{FULL}, @with_norecovery = 1");
    let diff = "EXEC msdb.dbo.rds_restore_database 'B', 'arn:aws:s3:::vault/diff.bak', @type = 'differential', @with_norecovery =";
    let log = format!("EXEC msdb.dbo.rds_restore_log 'B', 'arn:aws:s3:::vault/{log}'");
    let finish = "EXEC msdb.dbo.rds_finish_restore 'B'".to_owned();
    for steps in [
        vec![(FULL.to_owned(), "RESTORE_DB")],
        vec![(base.clone(), "RESTORE_DB_NORECOVERY"), (format!("{diff} 0"), "RESTORE_DB_DIFFERENTIAL")],
        vec![
            (base, "RESTORE_DB_NORECOVERY"),
            (format!("{diff} 1"), "RESTORE_DB_DIFFERENTIAL_NORECOVERY"),
            (log.clone(), "RESTORE_DB_LOG_NORECOVERY"),
            (format!("{log}, @with_norecovery = 0"), "RESTORE_DB_LOG"),
        ],
        vec![(format!("{FULL}, @with_norecovery = 1"), "RESTORE_DB_NORECOVERY"), (finish, "FINISH_RESTORE")],
    ] {
        let last = steps.len() - 1;
        for (place, (sql, kind)) in steps.into_iter().enumerate() {
            let answer = lab.batch(&sql);
            done(&mut lab, &answer);
            assert_eq!(string(&lab.task(task_id(&answer), "task_type")), kind);
            let rows = "SELECT type, is_snapshot FROM msdb.dbo.backupset WHERE database_name = 'B'";
            let rows = lab.select(rows, &[]).rows;
            let snapshot = vec![text("D"), Value::Bit(true)];
            assert_eq!(rows, if place == last { vec![snapshot] } else { Vec::new() }, "{kind}");
        }
        assert_eq!(lab.batch("EXEC msdb.dbo.rds_drop_database 'B'").error, None);
    }
}

/// What a database was restored from counts as a full of it: the next differential depends on somebody's file.
#[test]
fn a_restored_database_keeps_the_base_it_came_with() {
    let mut lab = Lab::with(prompt(), |config| config.retention_days = 0);
    lab.database("A");
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let answer = lab.batch(FULL);
    done(&mut lab, &answer);
    let sql = "EXEC msdb.dbo.rds_backup_database 'B', 'arn:aws:s3:::vault/d.bak', @type = 'DIFFERENTIAL'";
    let answer = lab.batch(sql);
    done(&mut lab, &answer);
    let header = |key: &str| lab.world.header(&world::ObjectRef::newest("vault", key)).unwrap();
    let (full, differential) = (header("full.bak"), header("d.bak"));
    assert_eq!(differential.differential_base, Some((full.checkpoint_lsn, full.uuid)));
    assert_ne!(differential.database_guid, full.database_guid);
}

/// A name that differs by accent is taken too, also by what comes while a restore waits.
#[test]
fn names_differ_by_more_than_case_and_accent() {
    let (mut lab, _) = chain();
    lab.world.add_database("prod", &DatabaseConfig::named("Café")).unwrap();
    let exists = |name: &str| {
        format!(
            "Database '{name}' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name."
        )
    };
    let restore = |name: &str| FULL.replace("'B'", &format!("'{name}'"));
    assert_eq!(lab.batch(&restore("cafe")).error.unwrap().text, exists("cafe"));
    let renamed = lab.batch("EXEC rdsadmin.dbo.rds_modify_db_name 'A', 'CAFE'");
    assert_eq!(renamed.error.unwrap().text, exists("CAFE"));
    let two = [lab.batch(&restore("Über")), lab.batch(&restore("uber"))].map(|answer| task_id(&answer));
    assert_eq!(two.map(|id| lab.finish(id)), ["SUCCESS", "ERROR"]);
    assert!(lab.info(two[1]).contains(&exists("uber")));
    let waits = task_id(&lab.batch(&restore("Neu")));
    lab.world.add_database("prod", &DatabaseConfig::named("NEU")).unwrap();
    assert_eq!(lab.finish(waits), "ERROR");
    let base = lab.batch(&format!("{FULL}, @with_norecovery = 1"));
    done(&mut lab, &base);
    assert!(lab.world.add_database("prod", &DatabaseConfig::named("b")).is_err(), "it is being restored");
}

/// "Only databases backed up in FULL" are restored on Multi-AZ, whatever the edition says of chains.
#[test]
fn multi_az_takes_what_was_backed_up_under_full() {
    for (mode, model, ending) in [
        (MultiAz::AlwaysOn, RecoveryModel::Simple, "ERROR"),
        (MultiAz::Mirroring, RecoveryModel::BulkLogged, "ERROR"),
        (MultiAz::AlwaysOn, RecoveryModel::Full, "SUCCESS"),
        (MultiAz::Single, RecoveryModel::Simple, "SUCCESS"),
    ] {
        let knobs = Knobs { recovery_reset_seconds: world::Span::new(300, 300), ..prompt() };
        let mut lab = Lab::with(knobs, |config| config.throughput_bytes = 1 << 40);
        let database = lab.database("A");
        lab.world.break_recovery_model(database, model);
        let id = lab.backup("A", "full.bak");
        assert_eq!(lab.finish(id), "SUCCESS");
        lab.world.configure_instance("prod", |config| config.multi_az = mode);
        let id = task_id(&lab.batch(FULL));
        assert_eq!(lab.finish(id), ending, "{mode:?} {model:?}");
    }
}

#[test]
fn a_backup_of_a_newer_server_is_not_restored() {
    let (mut lab, _) = chain();
    for (version, ending) in
        [("15.00.4345.5.v1", "ERROR"), ("16.00.4095.4.v1", "SUCCESS"), ("17.00.1000.1.v1", "SUCCESS")]
    {
        let name = format!("server{}", &version[..2]);
        let config = InstanceConfig {
            engine_version: version.into(),
            ..InstanceConfig::named(&name, REGION, ACCOUNT)
        };
        lab.world.add_instance(config);
        lab.session = lab.world.connect(&name, "admin", "simulated").unwrap();
        let answer = lab.batch(FULL);
        let id = task_id(&answer);
        assert_eq!(lab.finish(id), ending, "{version}");
        if ending == "ERROR" {
            let info = lab.info(id);
            assert!(
                info.contains("That version is incompatible with this server, which is running version 15."),
                "{info}"
            );
        }
    }
}

/// `last_valid_restore_time` came with SQL Server 2022, of logs only.
#[test]
fn the_last_valid_moment_of_a_log_is_told_since_2022() {
    for (version, told) in [("15.00.4345.5.v1", false), ("16.00.4095.4.v1", true)] {
        let mut lab = Lab::with(prompt(), |config| config.engine_version = version.into());
        lab.database("A");
        lab.set_up_logs();
        lab.wait(1_800);
        for id in [lab.backup("A", "full.bak"), lab.copy_all("A")] {
            assert_eq!(lab.finish(id), "SUCCESS");
        }
        let header = |key: &str| lab.world.header(&world::ObjectRef::newest("vault", key)).unwrap();
        let times = lab.keys("logs/").into_iter().map(|key| header(&key).last_valid_restore_time());
        assert!(times.into_iter().all(|time| time.is_some() == told), "{version}");
        assert_eq!(header("full.bak").last_valid_restore_time(), None);
    }
}

/// Sizes of databases that the editions of the user guide allow.
#[test]
fn sizes_are_those_of_the_edition() {
    const TB: u64 = 1_000_000_000_000;
    for (documents, size, backed_up, restored) in [
        (Documents::Of2019, TB, "SUCCESS", "SUCCESS"),
        (Documents::Of2019, TB + 8_192, "ERROR", ""),
        (Documents::Of2023, 4 * TB, "SUCCESS", "SUCCESS"),
        (Documents::Of2023, 20 * TB, "SUCCESS", "ERROR"),
        (Documents::Newest, 40 * TB, "SUCCESS", "SUCCESS"),
    ] {
        let mut lab = Lab::with(Knobs { documents, ..prompt() }, |config| {
            config.throughput_bytes = u64::MAX >> 8;
            config.retention_days = 0;
        });
        let config = DatabaseConfig {
            size_bytes: size,
            growth_bytes: 0,
            transactions_per_minute_milli: 0,
            ..DatabaseConfig::named("A")
        };
        lab.world.add_database("prod", &config).unwrap();
        let striped = size > 5 * TB;
        let arn = if striped { "full*.bak', @number_of_files = 10" } else { "full.bak'" };
        let id =
            task_id(&lab.batch(&format!("EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/{arn}")));
        assert_eq!(lab.finish(id), backed_up, "{documents:?} {size} {}", lab.info(id));
        if backed_up == "SUCCESS" {
            let sql = if striped { FULL.replace("full.bak", "full*") } else { FULL.to_owned() };
            let id = task_id(&lab.batch(&sql));
            assert_eq!(lab.finish(id), restored, "{documents:?} {size}");
        }
    }
}

/// A file alone may hold 5 TB.
#[test]
fn a_file_holds_five_terabytes() {
    let mut lab = Lab::with(prompt(), |config| config.throughput_bytes = u64::MAX >> 8);
    let config =
        DatabaseConfig { size_bytes: 5_000_000_008_192, growth_bytes: 0, ..DatabaseConfig::named("A") };
    lab.world.add_database("prod", &config).unwrap();
    let id = lab.backup("A", "one.bak");
    assert_eq!(lab.finish(id), "ERROR");
    let two =
        lab.batch("EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/*.bak', @number_of_files = 2");
    done(&mut lab, &two);
}

/// "Make sure that no other files use that prefix".
#[test]
fn a_prefix_names_the_files_of_one_backup() {
    let (mut lab, _) = chain();
    for name in ["p1-of-2.bak", "p2-of-2.bak", "pq.bak"] {
        let id = lab.backup("A", name);
        assert_eq!(lab.finish(id), "SUCCESS");
    }
    let answer = lab.batch(&FULL.replace("full.bak", "p*"));
    assert!(
        fails(&mut lab, &answer)
            .contains("does not belong to the media set that is currently being processed.")
    );
    let answer = lab.batch(&FULL.replace("full.bak", "pq*"));
    done(&mut lab, &answer);
    let online = "SELECT state_desc AS s, recovery_model_desc AS m FROM sys.databases WHERE name = 'B'";
    let row = lab.select(online, &[]);
    assert_eq!((cell(&row, 0, "s"), cell(&row, 0, "m")), (&text("ONLINE"), &text("FULL")));
}
