//! SELECTs: those that the product sends, the grammar around them, the errors, and arbitrary text.

use proptest::prelude::*;
use tds::{Parameter, Procedure, Request, SqlType, Value};
use world::{BackupKind, Guid};

use crate::lab::{Lab, cell, error, string, text};

#[test]
fn clocks_are_utc_and_local() {
    let mut lab = Lab::with(crate::lab::prompt(), |config| config.utc_offset_minutes = -330);
    let rows = lab.batch("SELECT SYSUTCDATETIME() AS utc_now, SYSDATETIME() AS local_now").results.remove(0);
    let (Value::DateTime(utc), Value::DateTime(local)) =
        (cell(&rows, 0, "utc_now"), cell(&rows, 0, "local_now"))
    else {
        panic!("types")
    };
    assert_eq!(utc - local, 330 * 60 * 1_000_000_000);
    assert_eq!(rows.columns[0].sql_type, SqlType::DateTime2(7));
    lab.database("A");
    let set = lab.select("SELECT backup_finish_date AS d, time_zone AS z FROM msdb.dbo.backupset", &[]);
    assert_eq!(*cell(&set, 0, "z"), Value::Int(-22));
    assert_eq!(*cell(&set, 0, "d"), Value::DateTime(*local));
}

#[test]
fn the_state_of_all_databases_in_one_query() {
    let mut lab = Lab::new();
    lab.database("Orders");
    lab.database("Café");
    let rows = lab.batch(
        "SELECT d.name, d.database_id, d.create_date, d.state_desc, d.recovery_model_desc, r.database_guid, r.family_guid, r.recovery_fork_guid, r.last_log_backup_lsn, f.differential_base_guid, f.differential_base_lsn FROM sys.databases AS d LEFT JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id LEFT JOIN sys.master_files AS f ON f.database_id = d.database_id AND f.file_id = 1 WHERE d.database_id > 4",
    );
    let rows = &rows.results[0];
    let names: Vec<String> = (0..3).map(|row| string(cell(rows, row, "name"))).collect();
    assert_eq!(names, ["rdsadmin", "Orders", "Café"]);
    assert_eq!(*cell(rows, 0, "last_log_backup_lsn"), Value::Null);
    for row in 1..3 {
        assert_eq!(*cell(rows, row, "recovery_model_desc"), text("FULL"));
        assert!(matches!(cell(rows, row, "last_log_backup_lsn"), Value::Numeric { scale: 0, .. }));
        assert!(matches!(cell(rows, row, "differential_base_guid"), Value::Guid(_)));
        assert_ne!(cell(rows, row, "database_guid"), cell(rows, row, "family_guid"));
    }
}

#[test]
fn history_by_parameters_and_devices_are_guids() {
    let mut lab = Lab::new();
    lab.database("A");
    lab.database("B");
    for name in ["A", "B"] {
        let id = lab.backup(name, &format!("{name}.bak"));
        lab.finish(id);
    }
    let since = Value::DateTime(lab.world.now().as_nanosecond() - 3_600 * 1_000_000_000);
    let sql = "SELECT backup_set_uuid, database_name, type, first_lsn FROM msdb.dbo.backupset WHERE database_name = @P1 AND type IN ('D','I') AND backup_finish_date >= @P2 ORDER BY backup_finish_date";
    let rows = lab.select(sql, &[text("a"), since.clone()]);
    assert_eq!(rows.rows.len(), 2);
    let later = Value::DateTime(lab.world.now().as_nanosecond());
    assert_eq!(lab.select(sql, &[text("a"), later]).rows.len(), 0);
    let devices = lab.select(
        "SELECT m.physical_device_name AS d, m.device_type AS t FROM msdb..backupset b INNER JOIN msdb..backupmediafamily m ON m.media_set_id = b.media_set_id WHERE b.is_snapshot = 0",
        &[],
    );
    assert_eq!(devices.rows.len(), 2);
    assert!(Guid::parse(&string(cell(&devices, 0, "d"))).is_some());
    assert_eq!(*cell(&devices, 0, "t"), Value::Int(7));
    assert_eq!(BackupKind::Log.letter(), "L");
}

#[test]
fn grammar() {
    let mut lab = Lab::new();
    for name in ["A", "B", "C", "Db_1"] {
        lab.database(name);
    }
    for (sql, expected) in [
        ("SELECT 1 + 2 * 3", "7"),
        ("SELECT name FROM sys.databases WHERE database_id BETWEEN 7 AND 8 ORDER BY name DESC", "C B"),
        ("SELECT TOP 2 d.[name] FROM master.sys.databases d WHERE d.database_id > 5", "A B"),
        ("SELECT TOP (1) name FROM sys.databases ORDER BY 1 DESC", "tempdb"),
        ("SELECT name FROM sys.databases WHERE name LIKE 'd%[_]1' OR name = N'a'", "A Db_1"),
        ("SELECT name FROM sys.databases WHERE NOT (database_id <= 7) AND name NOT IN ('c', NULL)", ""),
        ("SELECT name FROM sys.databases WHERE source_database_id IS NULL AND database_id = 6", "A"),
        ("SELECT COUNT(*) FROM sys.databases WHERE database_id > 5", "4"),
        ("SELECT MAX(database_id), MIN(name) FROM sys.databases", "9 A"),
        ("SELECT ISNULL(NULL, N'x'), COALESCE(NULL, NULL, 'y'), UPPER('z')", "x y Z"),
        ("SELECT CAST('12' AS int), CONVERT(varchar(3), 12345), LEN('ab ')", "12 123 2"),
        ("SELECT CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END, CASE 3 WHEN 3 THEN 'c' END", "b c"),
        (
            "SELECT a.name FROM sys.databases a, sys.databases b WHERE a.database_id = b.database_id + 1 AND b.name = 'A'",
            "B",
        ),
        ("SELECT x = 5", "5"),
        (
            "SELECT SERVERPROPERTY('ProductMajorVersion'), @@TRANCOUNT, DB_NAME(), DB_ID('msdb')",
            "16 0 master 4",
        ),
        ("SELECT CAST(34000000006900179 AS numeric(25,0)) - 1", "34000000006900178"),
        ("DECLARE @x int = 4, @y nvarchar(10); SET @y = N'b'; SELECT @x, @y", "4 b"),
        ("DECLARE @n int; SELECT @n = COUNT(*) FROM sys.databases; SELECT @n", "9"),
        ("SET NOCOUNT ON SELECT 1", "1"),
        ("IF @@TRANCOUNT > 0 ROLLBACK TRAN SELECT 2", "2"),
        ("USE msdb; SELECT DB_NAME() SELECT COUNT(*) FROM rds_fn_task_status(NULL, 0)", "msdb 0"),
        ("USE [master]; BEGIN TRAN; SELECT @@TRANCOUNT; COMMIT; SELECT @@TRANCOUNT", "1 0"),
        ("EXEC sp_executesql N'SELECT @p + 1', N'@p int', @p = 41", "42"),
        ("EXEC ('SELECT ' + '7')", "7"),
        ("SELECT name /* a comment */ FROM sys.databases -- another\n WHERE database_id = 6", "A"),
        ("SELECT DATEADD(day, -1, '2026-11-02')", "2026-11-01 00:00:00.000"),
    ] {
        let answer = lab.batch(sql);
        assert_eq!(answer.error, None, "{sql}");
        let cells: Vec<String> = answer
            .results
            .iter()
            .flat_map(|r| r.rows.iter().flatten())
            .map(|v| match v {
                Value::Text(t) => t.clone(),
                Value::Int(n) => n.to_string(),
                Value::Numeric { mantissa, .. } => mantissa.to_string(),
                Value::DateTime(n) => {
                    let at = jiff::Timestamp::from_nanosecond(*n).unwrap();
                    at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(cells.join(" "), expected, "{sql}");
    }
}

#[test]
fn errors_have_sql_servers_numbers() {
    let mut lab = Lab::new();
    for (sql, number) in [
        ("SELEC 1", 2812),
        ("SELECT FROM", 102),
        ("SELECT nothing FROM sys.databases", 207),
        ("SELECT x.name FROM sys.databases AS d", 4104),
        ("SELECT * FROM dbo.nothing", 208),
        ("SELECT * FROM msdb.dbo.backupset AS b JOIN msdb.dbo.backupset AS b ON 1 = 1", 1013),
        (
            "SELECT database_id FROM sys.databases d JOIN sys.master_files f ON f.database_id = d.database_id",
            209,
        ),
        ("SELECT @missing", 137),
        ("SELECT nope(1)", 195),
        ("SELECT name FROM sys.databases WHERE name", 4145),
        ("SELECT name FROM sys.databases WHERE database_id = 'x'", 245),
        ("SELECT name, COUNT(*) FROM sys.databases", 8120),
        ("SELECT * FROM msdb.dbo.rds_fn_task_status(NULL)", 313),
        ("SELECT * FROM msdb.dbo.rds_fn_task_status(NULL, 0, 1)", 8144),
        ("SELECT 'open", 105),
        ("EXEC nothing", 2812),
        ("EXEC msdb.dbo.rds_cancel_task", 201),
        ("EXEC msdb.dbo.rds_cancel_task @task = 1", 8145),
        ("EXEC msdb.dbo.rds_cancel_task @task_id = 1, 2", 119),
        ("COMMIT", 3902),
        ("ROLLBACK TRANSACTION", 3903),
        ("USE nowhere", 911),
        ("BACKUP DATABASE x TO DISK = 'y'", 262),
        ("INSERT INTO x VALUES (1)", 102),
        ("SELECT name FROM sys.databases ORDER BY 7", 108),
        ("SELECT CAST('x' AS uniqueidentifier)", 8169),
        ("SELECT 9223372036854775807 + 1", 8115),
    ] {
        assert_eq!(error(&lab.batch(sql)).0, number, "{sql}");
    }
}

#[test]
fn deep_statements_are_refused_or_answered() {
    let mut lab = Lab::new();
    for (before, part, after, times, number) in [
        ("SELECT 1", " + 1", "", 240, 0),
        ("SELECT 1", " + 1", "", 100_000, 191),
        ("SELECT 1 WHERE 1 = 1", " AND 1 = 1", "", 120, 0),
        ("SELECT ", "(", "1", 900, 102),
        ("SELECT 1 WHERE 1 IS NULL", " IS NULL", "", 200, 102),
        ("SELECT 1 WHERE 1 IN (1", ", 1", ")", 5_000, 0),
        ("SELECT 1 WHERE ", "NOT ", "1 = 1", 900, 191),
        ("IF ", "1 = 1 AND ", "1 = 1 SELECT 1", 120, 0),
        ("EXEC ('", "EXEC (''", "", 300, 105),
    ] {
        let sql = format!("{before}{}{after}", part.repeat(times));
        let got = lab.batch(&sql).error.map_or(0, |e| e.number);
        assert_eq!(got, number, "{before}{part}");
    }
}

#[test]
fn application_locks_exclude_and_end_with_their_session() {
    let mut lab = Lab::new();
    let other = lab.world.connect("prod", "admin", "simulated").unwrap();
    let lock = |mode: &str| {
        format!(
            "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'run', @LockMode = '{mode}', @LockOwner = 'Session', @LockTimeout = 0; SELECT @r"
        )
    };
    let got = |lab: &mut Lab, session, mode: &str| {
        let answer = lab.world.execute(session, &Request::Batch(lock(mode)));
        answer.results[0].rows[0][0].clone()
    };
    let mine = lab.session;
    assert_eq!(got(&mut lab, mine, "Exclusive"), Value::Int(0));
    assert_eq!(got(&mut lab, mine, "Exclusive"), Value::Int(0), "again by its holder");
    assert_eq!(got(&mut lab, other, "Shared"), Value::Int(-1));
    assert_eq!(got(&mut lab, other, "Nonsense"), Value::Int(-999));
    let mode = lab.batch("SELECT APPLOCK_MODE('public', 'run', 'Session')");
    assert_eq!(mode.results[0].rows[0][0], text("Exclusive"));
    lab.world.disconnect(mine);
    assert_eq!(got(&mut lab, other, "Shared"), Value::Int(0));
    lab.session = other;
    let release =
        lab.call("sp_releaseapplock", &[("@Resource", text("run")), ("@LockOwner", text("Session"))]);
    assert_eq!((release.status, release.error), (Some(0), None));
    let again = lab.call("sp_releaseapplock", &[("@Resource", text("run")), ("@LockOwner", text("Session"))]);
    assert_eq!(error(&again).0, 1223);
    let owner = lab.call("sp_getapplock", &[("@Resource", text("run")), ("@LockMode", text("Exclusive"))]);
    assert_eq!(owner.status, Some(-999), "a transaction's lock needs a transaction");
}

#[test]
fn prepared_statements_as_drivers_send_them() {
    let mut lab = Lab::new();
    let parameter = |name: &str, value: Value, output| Parameter { name: name.into(), output, value };
    let prepare = Request::Rpc {
        procedure: Procedure::Id(13),
        parameters: vec![
            parameter("", Value::Null, true),
            parameter("", text("@P1 int"), false),
            parameter("", text("SELECT @P1 + 1"), false),
            parameter("", Value::Int(1), false),
        ],
    };
    let answer = lab.world.execute(lab.session, &prepare);
    assert_eq!((answer.results[0].rows[0][0].clone(), answer.outputs.len()), (Value::Int(2), 1));
    let handle = answer.outputs[0].1.clone();
    let execute = |value: i64| Request::Rpc {
        procedure: Procedure::Id(12),
        parameters: vec![parameter("", handle.clone(), false), parameter("", Value::Int(value), false)],
    };
    assert_eq!(lab.world.execute(lab.session, &execute(5)).results[0].rows[0][0], Value::Int(6));
    let forget =
        Request::Rpc { procedure: Procedure::Id(15), parameters: vec![parameter("", handle.clone(), false)] };
    assert_eq!(lab.world.execute(lab.session, &forget).error, None);
    assert_eq!(error(&lab.world.execute(lab.session, &execute(5))).0, 8179);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(5), ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(sql in "\\PC{0,60}") {
        let mut lab = Lab::new();
        lab.batch(&sql);
        lab.call(&sql, &[(&sql, text(&sql))]);
    }

    #[test]
    fn any_words_of_the_language_are_answered(words in proptest::collection::vec(prop_oneof![
        Just("SELECT"), Just("FROM"), Just("WHERE"), Just("sys.databases"), Just("msdb..backupset"), Just("("), Just(")"),
        Just(","), Just("@x"), Just("DECLARE"), Just("EXEC"), Just("sp_executesql"), Just("N'SELECT 1'"), Just("="), Just("-"),
        Just("9223372036854775807"), Just("*"), Just("name"), Just("IN"), Just("LIKE"), Just("'%['"), Just("TOP"), Just("IF"),
        Just("SET"), Just("BEGIN"), Just("TRAN"), Just("ORDER BY"), Just("JOIN"), Just("ON"), Just("CAST"), Just("AS"),
        Just("numeric(38,38)"), Just("msdb.dbo.rds_backup_database"), Just("NULL"), Just("CASE"), Just("WHEN"), Just("END"),
        Just("rds_fn_task_status"), Just("msdb.dbo.rds_fn_list_tlog_backup_metadata('A')"), Just("1e400"), Just("0x1"),
    ], 0..14)) {
        let mut lab = Lab::new();
        lab.database("A");
        lab.batch(&words.join(" "));
    }

    #[test]
    fn any_argument_is_answered(
        name in prop_oneof![
            Just("msdb.dbo.rds_backup_database"), Just("msdb.dbo.rds_tlog_backup_copy_to_S3"), Just("msdb.dbo.rds_tlog_copy_setup"),
            Just("msdb.dbo.rds_task_status"), Just("msdb.dbo.rds_cancel_task"), Just("sp_getapplock"), Just("sp_releaseapplock"),
        ],
        values in proptest::collection::vec(prop_oneof![
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            "\\PC{0,20}".prop_map(Value::Text),
            Just(text("A")),
            Just(text("arn:aws:s3:::vault/x*")),
            any::<i128>().prop_map(Value::DateTime),
            (any::<i128>(), any::<u8>()).prop_map(|(mantissa, scale)| Value::Numeric { mantissa, scale }),
            Just(Value::Null),
        ], 0..11),
        number in any::<u16>(),
    ) {
        let mut lab = Lab::new();
        lab.database("A");
        let arguments: Vec<(&str, Value)> = values.iter().map(|v| ("", v.clone())).collect();
        lab.call(name, &arguments);
        let parameters = values.into_iter().map(|value| Parameter { name: String::new(), output: false, value }).collect();
        lab.world.execute(lab.session, &Request::Rpc { procedure: Procedure::Id(number % 20), parameters });
        lab.wait(400);
    }
}
