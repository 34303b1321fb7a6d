//! SELECTs of people who know nothing of this project: what monitoring scripts ask, the grammar around it, its errors, and
//! arbitrary text.

use std::fmt::Write;

use proptest::prelude::*;
use tds::{SqlType, Value};

use crate::lab::{Lab, cell, error, text};

/// A value as a table of a test writes it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Numeric { mantissa, scale: 0 } => mantissa.to_string(),
        Value::Numeric { mantissa, scale } => {
            let unit = 10_i128.pow(u32::from(*scale));
            format!("{}.{:0width$}", mantissa / unit, (mantissa % unit).abs(), width = usize::from(*scale))
        }
        Value::DateTime(n) => {
            let at = jiff::Timestamp::from_nanosecond(*n).unwrap();
            at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        }
        other => panic!("{other:?}"),
    }
}

/// The rows of the last result: cells by blanks, rows by bars.
pub(crate) fn rows(lab: &mut Lab, sql: &str) -> String {
    let answer = lab.batch(sql);
    assert_eq!(answer.error, None, "{sql}");
    let mut written = String::new();
    for (at, row) in answer.results.last().expect("a result").rows.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(shown).collect();
        let _ = write!(written, "{}{}", if at == 0 { "" } else { " | " }, cells.join(" "));
    }
    written
}

/// Databases A, B and C; fulls of A and B, a differential of A; all of it within an hour.
pub(crate) fn lab() -> Lab {
    let mut lab = Lab::new();
    for name in ["A", "B", "C"] {
        lab.database(name);
    }
    for (name, key) in [("A", "a.bak"), ("B", "b.bak")] {
        let id = lab.backup(name, key);
        lab.finish(id);
    }
    lab
}

/// Scripts as they are written in the field, and what they are answered.
const ASKED: &[(&str, &str)] = &[
        // The last full of each database, those without one included.
        (
            "SELECT d.name, MAX(b.backup_finish_date) AS last_full, DATEDIFF(hour, MAX(b.backup_finish_date), GETDATE()) AS hours
             FROM sys.databases d LEFT JOIN msdb.dbo.backupset b ON b.database_name = d.name AND b.type = 'D' AND b.is_snapshot = 0
             WHERE d.database_id > 5 GROUP BY d.name HAVING COUNT(b.backup_set_id) = 0 ORDER BY d.name",
            "",
        ),
        (
            "SELECT lifecycle, COUNT(*) AS tasks FROM msdb.dbo.rds_fn_task_status(NULL, 0) GROUP BY lifecycle ORDER BY 2 DESC",
            "SUCCESS 3 | ERROR 1",
        ),
        (
            "SELECT task_type, database_name, SUM([duration(mins)]) AS m FROM msdb.dbo.rds_fn_task_status(NULL,0)
             GROUP BY task_type, database_name HAVING SUM([duration(mins)]) > 0 ORDER BY database_name",
            "BACKUP_DB A 1 | BACKUP_DB C 1",
        ),
        // The newest of each, three ways.
        (
            "WITH newest AS (SELECT database_name, type, ROW_NUMBER() OVER (PARTITION BY database_name ORDER BY backup_finish_date DESC) AS n
             FROM msdb.dbo.backupset WHERE is_snapshot = 0)
             SELECT database_name, type FROM newest WHERE n = 1 ORDER BY database_name",
            "A D | B D | C D",
        ),
        (
            "SELECT d.name, x.lifecycle FROM sys.databases AS d
             CROSS APPLY (SELECT TOP 1 t.lifecycle FROM msdb.dbo.rds_fn_task_status(NULL, 0) t WHERE t.database_name = d.name ORDER BY t.task_id DESC) AS x
             ORDER BY d.name",
            "A SUCCESS | B SUCCESS | C ERROR",
        ),
        (
            "SELECT d.name FROM sys.databases d OUTER APPLY (SELECT TOP (1) b.type FROM msdb..backupset b WHERE b.database_name = d.name ORDER BY b.backup_finish_date DESC) l
             WHERE l.type IS NULL AND d.name NOT IN ('tempdb', 'model')",
            "master | msdb | rdsadmin",
        ),
        (
            "SELECT b.database_name FROM msdb.dbo.backupset b WHERE b.backup_finish_date =
             (SELECT MAX(x.backup_finish_date) FROM msdb.dbo.backupset x WHERE x.database_name = b.database_name) AND b.is_snapshot = 0 ORDER BY 1",
            "A | B | C",
        ),
        (
            "SELECT name FROM sys.databases d WHERE EXISTS (SELECT * FROM msdb.dbo.rds_fn_task_status(NULL,0) t WHERE t.database_name = d.name AND t.lifecycle = 'ERROR')",
            "C",
        ),
        (
            "SELECT name FROM sys.databases WHERE database_id > 5 AND name NOT IN (SELECT database_name FROM msdb.dbo.rds_fn_task_status(NULL,0) WHERE lifecycle = 'ERROR')",
            "A | B",
        ),
        // Sizes as they divide them.
        (
            "SELECT database_name, CAST(SUM(backup_size) / 1048576.0 AS decimal(10, 2)) AS mb FROM msdb.dbo.backupset
             WHERE is_snapshot = 0 GROUP BY database_name ORDER BY database_name",
            "A 9536.75 | B 9536.77 | C 9536.78",
        ),
        (
            "SELECT CONVERT(varchar(10), backup_finish_date, 120) AS day, COUNT(DISTINCT database_name) FROM msdb.dbo.backupset GROUP BY CONVERT(varchar(10), backup_finish_date, 120)",
            "2026-11-02 3",
        ),
        (
            "SELECT CAST(backup_finish_date AS date) AS day, type, COUNT(*) FROM msdb.dbo.backupset WHERE is_snapshot = 0 GROUP BY CAST(backup_finish_date AS date), type",
            "2026-11-02T00:00:00 D 3",
        ),
        (
            "SELECT DISTINCT type FROM msdb.dbo.backupset UNION SELECT 'L' UNION ALL SELECT 'L' ORDER BY 1",
            "D | L | L",
        ),
        (
            "SELECT STRING_AGG(name, ',') WITHIN GROUP (ORDER BY name DESC) FROM sys.databases WHERE database_id > 5",
            "C,B,A",
        ),
        ("SELECT DB_NAME(database_id), COUNT(*) FROM sys.master_files WHERE DB_NAME(database_id) = 'a' GROUP BY database_id", "A 2"),
        (
            "SELECT name FROM sys.databases CROSS APPLY msdb.dbo.rds_fn_list_tlog_backup_metadata(name) AS l WHERE l.rds_backup_seq_id = 1 ORDER BY name DESC",
            "C | B | A",
        ),
];

#[test]
fn what_monitoring_scripts_ask() {
    let mut lab = lab();
    let failed = lab.backup("C", "c.bak");
    lab.finish(failed);
    let again = lab.backup("C", "c.bak");
    lab.finish(again);
    lab.wait(600);
    for (sql, expected) in ASKED {
        assert_eq!(rows(&mut lab, sql), *expected, "{sql}");
    }
}

/// One of each thing that the language knows.
const GRAMMAR: &[(&str, &str)] = &[
    ("SELECT 7 / 2, 7 % 2, 7 / 2.0, -7 / 2", "3 1 3.500000 -3"),
    ("SELECT 1.5 + 1, '2' * 3, 10000000000 * 10", "2.5 6 100000000000"),
    (
        "SELECT CAST(5 AS float) / 2, ROUND(2.567, 2), FLOOR(-1.5), CEILING(1.2), ABS(-3), POWER(2, 10)",
        "2.5 2.570 -2 2 3 1024",
    ),
    (
        "SELECT LEFT('backup.bak', 6), RIGHT('a.bak', 3), SUBSTRING('abcdef', 2, 3), CHARINDEX('.', 'a.b'), REPLACE('a-b', '-', '_')",
        "backup bak bcd 2 a_b",
    ),
    (
        "SELECT IIF(1 = 1, 'yes', 'no'), NULLIF(1, 1), COALESCE(NULL, 2, 3), ISNULL(NULL, 'x'), CONCAT('a', NULL, 1)",
        "yes NULL 2 x a1",
    ),
    (
        "SELECT DATEDIFF(minute, '2026-11-02 10:00', '2026-11-02 11:30'), YEAR('2026-11-02'), DATENAME(weekday, '2026-11-02')",
        "90 2026 Monday",
    ),
    ("SELECT CONVERT(varchar(19), CAST('2026-11-02T10:11:12' AS datetime), 120)", "2026-11-02 10:11:12"),
    ("SELECT TRY_CAST('x' AS int), TRY_CONVERT(int, '12')", "NULL 12"),
    ("SELECT CASE WHEN GETDATE() - 1 < GETDATE() THEN 'before' ELSE 'after' END", "before"),
    (
        "SELECT COUNT(*), COUNT(name), MIN(name), MAX(database_id), AVG(database_id) FROM sys.databases WHERE database_id > 5",
        "3 3 A 8 7",
    ),
    (
        "SELECT SUM(database_id) OVER (ORDER BY database_id), name FROM sys.databases WHERE database_id > 5",
        "6 A | 13 B | 21 C",
    ),
    (
        "SELECT name, LAG(name) OVER (ORDER BY name), RANK() OVER (ORDER BY state) FROM sys.databases WHERE database_id > 5 ORDER BY name",
        "A NULL 1 | B A 1 | C B 1",
    ),
    (
        "SELECT name FROM sys.databases WHERE database_id > 5 ORDER BY name OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY",
        "B",
    ),
    ("SELECT TOP 2 name FROM sys.databases WHERE database_id > 5 GROUP BY name ORDER BY name DESC", "C | B"),
    ("SELECT 1 UNION SELECT 1 EXCEPT SELECT 2", "1"),
    ("SELECT x.n, y.m FROM (SELECT 1 AS n) AS x CROSS JOIN (SELECT 2) AS y(m)", "1 2"),
    (
        "SELECT a.name FROM sys.databases a FULL OUTER JOIN (SELECT 'C' AS n) AS b ON a.name = b.n WHERE a.database_id > 5 AND b.n IS NOT NULL",
        "C",
    ),
    ("SELECT (SELECT COUNT(*) FROM sys.databases WHERE database_id > 5) + 1", "4"),
    ("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT SUM(i) FROM n", "10"),
    (";WITH a AS (SELECT 1 AS x), b (y) AS (SELECT x + 1 FROM a) SELECT y FROM b", "2"),
    ("IF EXISTS (SELECT 1 FROM sys.databases WHERE name = 'a') SELECT 'there' ELSE SELECT 'not'", "there"),
    (
        "IF 1 = 2 BEGIN SELECT 1; IF 1 = 1 SELECT 2 ELSE SELECT 3 END ELSE IF 1 = 1 BEGIN SELECT CASE WHEN 1 = 1 THEN 4 ELSE 5 END END",
        "4",
    ),
    ("IF 1 = 1 SELECT 1 ELSE SELECT 2; SELECT 3", "3"),
    ("SELECT COUNT(*) + 1 FROM sys.databases WHERE database_id > 5", "4"),
    ("DECLARE @n int; SELECT @n = COUNT(DISTINCT database_name) FROM msdb.dbo.backupset; SELECT @n", "3"),
    ("DECLARE @t nvarchar(50) = REPLACE('a.bak', '.bak', '.trn'); SELECT @t", "a.trn"),
    ("SELECT name FROM sys.databases WHERE name LIKE '!A' ESCAPE '!'", "A"),
    ("SELECT type, COUNT(*) FROM msdb.dbo.backupset GROUP BY type ORDER BY COUNT(*) DESC", "D 5"),
    ("SELECT UPPER(type) AS t FROM msdb.dbo.backupset GROUP BY UPPER(type)", "D"),
    (
        "SELECT name FROM sys.databases WHERE database_id > 5 GROUP BY name, database_id ORDER BY database_id",
        "A | B | C",
    ),
    (
        "SELECT COUNT(*) FROM sys.databases AS x WHERE name = 'A ' COLLATE SQL_Latin1_General_CP1_CI_AS OR name = 'b'",
        "2",
    ),
];

#[test]
fn grammar() {
    let mut lab = lab();
    for (sql, expected) in GRAMMAR {
        assert_eq!(rows(&mut lab, sql), *expected, "{sql}");
    }
}

/// What the columns of a result are called and of which type they are.
#[test]
fn columns_are_described() {
    let mut lab = lab();
    let answer = lab.batch(
        "SELECT database_name, MAX(last_lsn) AS lsn, SUM(backup_size) AS bytes, COUNT_BIG(*) AS n, MAX(backup_finish_date) AS at, CAST(MAX(backup_finish_date) AS date) AS day, AVG(1.0) AS mean FROM msdb.dbo.backupset GROUP BY database_name",
    );
    assert_eq!(answer.error, None);
    let set = &answer.results[0];
    let types: Vec<(&str, SqlType)> = set.columns.iter().map(|c| (c.name.as_str(), c.sql_type)).collect();
    let numeric = |precision, scale| SqlType::Numeric { precision, scale };
    assert_eq!(
        types[1..],
        [
            ("lsn", numeric(25, 0)),
            ("bytes", numeric(38, 0)),
            ("n", SqlType::BigInt),
            ("at", SqlType::DateTime),
            ("day", SqlType::Date),
            ("mean", numeric(38, 6)),
        ]
    );
    assert!(matches!(cell(set, 0, "lsn"), Value::Numeric { scale: 0, .. }));
    let bits = lab.batch("SELECT DISTINCT is_snapshot FROM msdb.dbo.backupset ORDER BY is_snapshot");
    assert_eq!(bits.results[0].rows, [[Value::Bit(false)], [Value::Bit(true)]]);
}

/// What runs now, as scripts look for the progress of a backup.
#[test]
fn running_backups_are_requests() {
    let mut lab = lab();
    lab.backup("B", "again.bak");
    lab.wait(40);
    let sql = "SELECT r.command, d.name, r.percent_complete, r.session_id FROM sys.dm_exec_requests r JOIN sys.databases d ON d.database_id = r.database_id ORDER BY r.session_id";
    let percent = shown(&lab.task(3, "% complete"));
    assert_eq!(rows(&mut lab, sql), format!("BACKUP DATABASE B {percent} 50 | SELECT master 0 52"));
    let mine = "SELECT login_name, DB_NAME(database_id) FROM sys.dm_exec_sessions WHERE session_id = @@SPID";
    assert_eq!(rows(&mut lab, mine), "admin master");
    let files = "SELECT b.type, f.file_type, f.logical_name FROM msdb.dbo.backupset b JOIN msdb.dbo.backupfile f ON f.backup_set_id = b.backup_set_id WHERE b.database_name = 'A' AND b.is_snapshot = 0 ORDER BY f.file_number";
    assert_eq!(rows(&mut lab, files), "D D A_1 | D L A_log");
}

#[test]
fn errors_have_sql_servers_numbers() {
    let mut lab = lab();
    for (sql, number) in [
        ("SELECT name, COUNT(*) FROM sys.databases", 8120),
        ("SELECT name FROM sys.databases GROUP BY database_id", 8120),
        ("SELECT * FROM sys.databases GROUP BY name", 8120),
        ("SELECT COUNT(*) FROM sys.databases WHERE COUNT(*) > 1", 147),
        ("SELECT SUM(COUNT(*)) FROM sys.databases", 130),
        ("SELECT name FROM sys.databases WHERE ROW_NUMBER() OVER (ORDER BY name) = 1", 4108),
        ("SELECT ROW_NUMBER() FROM sys.databases", 10_753),
        ("SELECT 1 UNION SELECT 1, 2", 205),
        ("SELECT (SELECT name FROM sys.databases)", 512),
        ("SELECT (SELECT name, state FROM sys.databases)", 116),
        ("SELECT name FROM sys.databases WHERE name IN (SELECT name, state FROM sys.databases)", 116),
        ("SELECT x.nothing FROM (SELECT 1 AS n) AS x", 207),
        ("SELECT z.n FROM (SELECT 1 AS n) AS x", 4104),
        ("SELECT n FROM (SELECT 1 AS n) AS x, (SELECT 2 AS n) AS y", 209),
        ("SELECT * FROM (SELECT 1 AS n) AS x, (SELECT 2 AS n) AS x", 1013),
        ("SELECT * FROM (SELECT name FROM sys.databases ORDER BY name) AS x", 1033),
        ("SELECT DISTINCT 1 / 0", 8134),
        ("SELECT CAST('x' AS int) FROM sys.databases GROUP BY name", 245),
        ("SELECT SUM(database_id * 1000000000) FROM sys.databases", 8115),
        ("SELECT nope(name) FROM sys.databases GROUP BY name", 195),
        ("SELECT SUM(name) FROM sys.databases", 8117),
        ("SELECT DATEDIFF(fortnight, GETDATE(), GETDATE())", 155),
        ("SELECT CONVERT(varchar(20), GETDATE(), 999)", 281),
        ("SELECT DISTINCT name FROM nowhere.dbo.nothing", 208),
        ("SELECT name FROM sys.databases UNION SELECT name FROM sys.databases ORDER BY state", 104),
        ("WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT SUM(i) FROM n", 530),
        ("SELECT LEFT(name, -1) FROM sys.databases", 537),
        (
            "SELECT COUNT(*) FROM sys.databases a, sys.databases b, sys.databases c, sys.databases d, sys.databases e, sys.databases f, sys.databases g, sys.databases h, sys.databases i, sys.databases j, sys.databases k, sys.databases l",
            701,
        ),
    ] {
        assert_eq!(error(&lab.batch(sql)).0, number, "{sql}");
    }
}

/// What both ways of answering know, they answer alike.
#[test]
fn a_native_query_is_the_same_from_outside() {
    let mut lab = lab();
    for sql in [
        "SELECT name, database_id, state_desc, recovery_model_desc, create_date FROM sys.databases",
        "SELECT backup_set_uuid, database_name, type, first_lsn, last_lsn, backup_size, backup_finish_date, is_snapshot FROM msdb.dbo.backupset",
        "SELECT task_id, lifecycle, task_info, last_updated, [% complete] FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id = 1",
        "SELECT d.name, f.differential_base_lsn, f.differential_base_guid FROM sys.databases d LEFT JOIN sys.master_files f ON f.database_id = d.database_id AND f.file_id = 1",
        "SELECT b.database_name, m.physical_device_name FROM msdb..backupset b INNER JOIN msdb..backupmediafamily m ON m.media_set_id = b.media_set_id WHERE b.first_lsn > 0",
        "SELECT TOP 3 name FROM sys.databases WHERE name LIKE '%s%' AND database_id BETWEEN 1 AND 4 ORDER BY name",
    ] {
        let native = lab.batch(sql).results.remove(0);
        let answer = lab.batch(&format!("SELECT * FROM ({sql}) AS q"));
        // An ORDER BY inside is kept by TOP alone.
        assert_eq!(answer.error, None, "{sql}");
        let outside = &answer.results[0];
        assert_eq!(outside.columns, native.columns, "{sql}");
        assert_eq!(outside.rows, native.rows, "{sql}");
    }
    assert_eq!(
        *cell(
            &lab.select("SELECT name AS n FROM sys.databases GROUP BY name HAVING name = @P1", &[text("a")]),
            0,
            "n"
        ),
        text("A")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(11), ..ProptestConfig::default() })]

    #[test]
    fn any_words_are_answered(words in proptest::collection::vec(prop_oneof![
        4 => prop_oneof![Just("SELECT"), Just("FROM sys.databases"), Just("FROM msdb..backupset AS b"), Just("("), Just(")"), Just("name"), Just(",")],
        3 => prop_oneof![
            Just("GROUP BY"), Just("HAVING"), Just("DISTINCT"), Just("UNION"), Just("EXCEPT"), Just("WITH q AS ("), Just("ORDER BY"),
            Just("OVER (PARTITION BY"), Just("CROSS APPLY"), Just("OUTER APPLY"), Just("TOP 1"), Just("WHERE"), Just("EXISTS"), Just("IN"),
        ],
        3 => prop_oneof![
            Just("COUNT(*)"), Just("SUM("), Just("MAX("), Just("ROW_NUMBER()"), Just("STRING_AGG("), Just("DATEADD(day,"), Just("CONVERT(date,"),
            Just("b.last_lsn"), Just("b.backup_finish_date"), Just("1e300"), Just("9223372036854775807"), Just("0x01"), Just("''"), Just("NULL"),
            Just("REPLICATE('x',"), Just("*"), Just("/"), Just("-"), Just("AS x"), Just("CASE WHEN"), Just("END"), Just("THEN"), Just("="),
        ],
    ], 1..16)) {
        let mut lab = Lab::new();
        lab.database("A");
        lab.batch(&format!("SELECT {}", words.join(" ")));
    }
}
