//! What is selected, with which parameters, and how its rows come out.

use domain::backup::Kind;
use domain::task::Lifecycle;
use ports::server::{
    BackupCompression, LogCopyTarget, ReadClock, ReadDatabases, ReadHistory, ReadLogFiles, ReadTasks,
};
use tds::{ResultSet, SqlType, Value};

use crate::answers::{Script, answer, call, moment, rows, statement, status, text, word};
use crate::wire::{Reply, Wire};

const LSN: SqlType = SqlType::Numeric { precision: 25, scale: 0 };

fn lsn(mantissa: i128) -> Value {
    Value::Numeric { mantissa, scale: 0 }
}

#[test]
fn the_clock_is_read_in_one_statement() {
    let set = rows(
        &[("utc_now", SqlType::DateTime2(7)), ("local_now", SqlType::DateTime2(7))],
        vec![vec![moment(20_000, 3_600), moment(20_000, 0)]],
    );
    let mut wire = Wire::new(Script::new([answer(set), status(None)]));
    let mut session = wire.open().unwrap();
    let clock = wire.drive(session.clock()).unwrap();
    assert_eq!(clock.utc.to_string(), "2024-10-04T01:00:00Z");
    assert_eq!(clock.local.to_string(), "2024-10-04T00:00:00");
    let expected = "SELECT SYSUTCDATETIME() AS utc_now, SYSDATETIME() AS local_now";
    assert_eq!(statement(&wire.server.seen[0]), (expected, vec![]));
    assert_eq!(word(&wire.drive(session.clock()).unwrap_err()), "Human RowUnreadable");
}

#[test]
fn the_service_s_own_database_is_left_out() {
    let row = |name: &str, id: i64, file: i64| {
        let guid = Value::Guid([7; 16]);
        vec![
            text(name),
            Value::Int(id),
            moment(20_000, 0),
            text("ONLINE"),
            text("FULL"),
            Value::Bit(false),
            Value::Null,
            guid.clone(),
            guid.clone(),
            guid,
            lsn(34_000_000_012_300_001),
            Value::Null,
            Value::Null,
            Value::Int(file),
            // The second file is the log.
            Value::Int(i64::from(file == 2)),
            Value::Int(1_024),
        ]
    };
    let columns = [
        ("name", SqlType::NVarChar(Some(128))),
        ("database_id", SqlType::Int),
        ("create_date", SqlType::DateTime),
        ("state_desc", SqlType::NVarChar(Some(60))),
        ("recovery_model_desc", SqlType::NVarChar(Some(60))),
        ("is_read_only", SqlType::Bit),
        ("source_database_id", SqlType::Int),
        ("database_guid", SqlType::UniqueIdentifier),
        ("family_guid", SqlType::UniqueIdentifier),
        ("recovery_fork_guid", SqlType::UniqueIdentifier),
        ("last_log_backup_lsn", LSN),
        ("differential_base_guid", SqlType::UniqueIdentifier),
        ("differential_base_lsn", LSN),
        ("file_id", SqlType::Int),
        ("type", SqlType::TinyInt),
        ("size", SqlType::Int),
    ];
    let file = |file| row("orders", 7, file);
    let listed = vec![file(3), row("rdsadmin", 5, 1), row("billing", 6, 1), file(2), file(1)];
    let set = rows(&columns, listed);
    let mut wire = Wire::new(Script::new([answer(set)]));
    let mut session = wire.open().unwrap();
    let databases = wire.drive(session.databases()).unwrap();
    let names: Vec<_> = databases.iter().map(|database| database.name.as_str()).collect();
    assert_eq!(names, ["billing", "orders"]);
    let orders = &databases[1];
    assert_eq!(orders.family_guid.as_ref().unwrap().as_str(), "07070707-0707-0707-0707-070707070707");
    assert_eq!(orders.last_log_backup_lsn.unwrap().to_string(), "34000000012300001");
    assert_eq!(orders.data_bytes, Some(16 << 20), "both data files");
    assert_eq!((orders.files, orders.filestream), (3, false), "and the log");
    assert_eq!((orders.read_only, orders.snapshot_of), (false, None));
}

#[test]
fn tasks_are_read_from_an_id_on_without_their_logs() {
    let columns = [
        ("task_id", SqlType::Int),
        ("task_type", SqlType::VarChar(Some(250))),
        ("database_name", SqlType::NVarChar(Some(128))),
        ("lifecycle", SqlType::VarChar(Some(40))),
        ("percent_complete", SqlType::Numeric { precision: 5, scale: 2 }),
        ("last_updated", SqlType::DateTime),
        ("created_at", SqlType::DateTime),
        ("S3_object_arn", SqlType::VarChar(Some(8_000))),
    ];
    let row = vec![
        Value::Int(17),
        text("BACKUP_DB"),
        text("orders"),
        text("IN_PROGRESS"),
        Value::Numeric { mantissa: 3_500, scale: 2 },
        moment(20_000, 60),
        moment(20_000, 0),
        text("arn:aws:s3:::vault/k"),
    ];
    let other = vec![
        Value::Int(18),
        text("LIST_FILES_ON_DISK"),
        Value::Null,
        text("PONDERING"),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    let mut wire = Wire::new(Script::new([answer(rows(&columns, vec![row, other]))]));
    let mut session = wire.open().unwrap();
    let tasks = wire.drive(session.tasks(17)).unwrap();
    assert_eq!((tasks[0].lifecycle, tasks[0].percent), (Some(Lifecycle::InProgress), Some(35.0)));
    assert_eq!(tasks[0].last_updated.unwrap().to_string(), "2024-10-04T00:01:00");
    assert_eq!((tasks[1].lifecycle, tasks[1].database.as_ref(), tasks[1].percent), (None, None, None));
    let expected = "SELECT task_id, task_type, database_name, lifecycle, [% complete] AS percent_complete, last_updated, \
                    created_at, S3_object_arn FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id >= @P1 ORDER BY task_id";
    assert_eq!(statement(&wire.server.seen[0]), (expected, vec![("@P1", &Value::Int(17))]));
}

#[test]
fn why_a_task_ended_is_read_from_its_log() {
    let log = |log: &str| answer(rows(&[("task_info", SqlType::NVarChar(None))], vec![vec![text(log)]]));
    let aborted = "[2025-10-06 03:05:41.697] Aborting native backup because there is an RDS automated backup in progress. \
                   [2025-10-06 03:05:49.610] Task has been aborted";
    let mut wire = Wire::new(Script::new([log(aborted), log(""), status(None), log(&"x".repeat(100_000))]));
    let mut session = wire.open().unwrap();
    let reason = wire.drive(session.task_end(17)).unwrap().unwrap();
    assert_eq!(reason.name, "AutomatedBackup");
    assert_eq!(wire.drive(session.task_end(17)), Ok(None));
    assert_eq!(wire.drive(session.task_end(17)), Ok(None));
    assert_eq!(wire.drive(session.task_info(17)).unwrap().len(), 64 * 1024);
    let expected = "SELECT task_info FROM msdb.dbo.rds_fn_task_status(NULL, @P1)";
    assert_eq!(statement(&wire.server.seen[0]), (expected, vec![("@P1", &Value::Int(17))]));
}

#[test]
fn history_is_asked_for_one_database_since_a_local_moment() {
    let mut wire = Wire::new(Script::new([status(None)]));
    let mut session = wire.open().unwrap();
    let since = jiff::civil::date(2024, 10, 4).at(0, 1, 0, 0);
    assert_eq!(wire.drive(session.backups("orders", since)), Ok(Vec::new()));
    let (asked, parameters) = statement(&wire.server.seen[0]);
    assert!(
        asked.starts_with("SELECT backup_set_uuid, ") && !asked.contains("last_valid_restore_time"),
        "{asked}"
    );
    let tail = " FROM msdb.dbo.backupset WHERE database_name = @P1 AND type IN ('D','I') AND backup_finish_date >= @P2 \
                ORDER BY backup_finish_date";
    assert!(asked.ends_with(tail), "{asked}");
    assert_eq!(parameters, [("@P1", &text("orders")), ("@P2", &moment(20_000, 60))]);
}

#[test]
fn a_history_row_comes_out_as_a_backup() {
    let mut wire = Wire::new(Script::new([status(None)]));
    let mut session = wire.open().unwrap();
    wire.drive(session.backups("orders", jiff::civil::DateTime::MIN)).unwrap();
    let columns = statement(&wire.server.seen[0]).0;
    let columns = columns.strip_prefix("SELECT ").and_then(|rest| rest.split(" FROM ").next()).unwrap();
    let cells = columns.split(", ").map(|name| match name {
        "type" => (name, SqlType::VarChar(Some(1)), text("D")),
        "database_name" => (name, SqlType::NVarChar(Some(128)), text("orders")),
        "recovery_model" => (name, SqlType::NVarChar(Some(60)), text("BULK-LOGGED")),
        "time_zone" => (name, SqlType::SmallInt, Value::Int(4)),
        "software_major_version" => (name, SqlType::TinyInt, Value::Int(15)),
        "backup_start_date" | "backup_finish_date" => (name, SqlType::DateTime, moment(20_000, 3_600)),
        name if name.ends_with("_lsn") || name.ends_with("backup_size") => (name, LSN, lsn(9)),
        name if name.ends_with("guid") || name.ends_with("uuid") => {
            (name, SqlType::UniqueIdentifier, Value::Guid([9; 16]))
        }
        name => (name, SqlType::Bit, Value::Bit(name == "is_snapshot")),
    });
    let (columns, row): (Vec<_>, Vec<_>) = cells.map(|(name, kind, value)| ((name, kind), value)).unzip();
    let mut wire = Wire::new(Script::new([answer(rows(&columns, vec![row]))]));
    let mut session = wire.open().unwrap();
    let backups = wire.drive(session.backups("orders", jiff::civil::DateTime::MAX)).unwrap();
    assert_eq!((backups[0].kind, backups[0].time_zone_quarter_hours), (Kind::Snapshot, Some(4)));
    assert_eq!(backups[0].finished.to_string(), "2024-10-04T00:00:00Z", "one hour ahead of UTC");
    assert_eq!(backups[0].recovery_model, Some(domain::facts::RecoveryModel::BulkLogged));
}

fn files(seqs: impl IntoIterator<Item = i64>) -> ResultSet {
    let columns = [
        ("db_id", SqlType::Int),
        ("family_guid", SqlType::UniqueIdentifier),
        ("rds_backup_seq_id", SqlType::Int),
        ("backup_file_epoch", SqlType::BigInt),
        ("backup_file_time_utc", SqlType::DateTime),
        ("starting_lsn", LSN),
        ("ending_lsn", LSN),
        ("is_log_chain_broken", SqlType::Bit),
        ("file_size_bytes", SqlType::BigInt),
        ("Error", SqlType::VarChar(Some(4_000))),
    ];
    let row = |seq: i64| {
        vec![
            Value::Int(6),
            Value::Guid([7; 16]),
            Value::Int(seq),
            Value::Int(1_790_000_000 + seq * 300),
            moment(20_000, 300),
            lsn(i128::from(seq) * 10),
            lsn(i128::from(seq) * 10 + 10),
            Value::Bit(false),
            Value::Int(4_096),
            Value::Null,
        ]
    };
    rows(&columns, seqs.into_iter().map(row).collect())
}

fn first(seq: Value) -> ResultSet {
    rows(&[("first_seq", SqlType::Int), ("last_seq", SqlType::Int)], vec![vec![seq, Value::Null]])
}

#[test]
fn log_files_are_paged_by_number_over_what_the_service_has_forgotten() {
    for (replies, ranges, expected) in [
        // A page as it is.
        (vec![files(101..=110)], vec![(100, Some(110))], 101..111),
        // Nothing new.
        (vec![files([]), first(Value::Null)], vec![(100, Some(110)), (100, None)], 0..0),
        // Everything asked for is forgotten: the page begins at the first file there is.
        (
            vec![files([]), first(Value::Int(500)), files(500..=505)],
            vec![(100, Some(110)), (100, None), (499, Some(509))],
            500..506,
        ),
        // The front is forgotten: the page is filled behind its end.
        (vec![files(108..=110), files(111..=117)], vec![(100, Some(110)), (110, Some(117))], 108..118),
    ] {
        let mut wire = Wire::new(Script::new(replies.into_iter().map(answer)));
        let mut session = wire.open().unwrap();
        let files = wire.drive(session.log_files("orders", 100, 10)).unwrap();
        assert!(files.iter().map(|file| file.seq).eq(expected), "{files:?}");
        let asked = wire.server.seen.iter().map(|request| {
            let (_, parameters) = statement(request);
            assert_eq!(parameters[0], ("@P1", &text("orders")));
            let number = |at: usize| match parameters.get(at) {
                Some((_, Value::Int(number))) => Some(*number),
                _ => None,
            };
            (number(1).unwrap(), number(2))
        });
        assert_eq!(asked.collect::<Vec<_>>(), ranges);
    }
}

#[test]
fn the_target_of_log_copies_is_read_from_whatever_columns_there_are() {
    let shown = |value: &str| {
        let columns = [("name", SqlType::VarChar(Some(100))), ("value", SqlType::VarChar(Some(1_000)))];
        answer(rows(&columns, vec![vec![text("target_s3_arn_for_tlog_copy"), text(value)]]))
    };
    let replies: [Reply; 3] = [shown("arn:aws:s3:::vault/logs"), shown(""), status(Some(0))];
    let mut wire = Wire::new(Script::new(replies));
    let mut session = wire.open().unwrap();
    assert_eq!(wire.drive(session.log_copy_target()), Ok(Some("arn:aws:s3:::vault/logs".to_owned())));
    assert_eq!(wire.drive(session.log_copy_target()), Ok(None));
    assert_eq!(wire.drive(session.log_copy_target()), Ok(None));
    let (name, parameters) = call(&wire.server.seen[0]);
    assert_eq!(name, "rdsadmin.dbo.rds_show_configuration");
    assert_eq!(parameters, [("@name", &text("target_s3_arn_for_tlog_copy"))]);
}

#[test]
fn compression_is_a_setting_of_the_instance() {
    let columns = [("name", SqlType::NVarChar(None)), ("value", SqlType::NVarChar(None))];
    let shown = |value: &str| answer(rows(&columns, vec![vec![text("S3 backup compression"), text(value)]]));
    let mut wire = Wire::new(Script::new([shown("true"), shown("FALSE"), shown("perhaps")]));
    let mut session = wire.open().unwrap();
    for expected in [Some(true), Some(false), None] {
        assert_eq!(wire.drive(session.compression()), Ok(expected));
    }
    let (name, parameters) = call(&wire.server.seen[0]);
    assert_eq!(name, "rdsadmin.dbo.rds_show_configuration");
    assert_eq!(parameters, [("@name", &text("S3 backup compression"))]);
}
