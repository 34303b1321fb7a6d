//! What a hostile reader of T-SQL sends: texts as they are found in the field, and what SQL Server answers.

use proptest::prelude::*;
use tds::{SqlType, Value};

use crate::{
    lab::{Lab, error},
    query::{lab, rows},
};

/// Texts and their rows: cells by blanks, rows by bars.
const ASKED: &[(&str, &str)] = &[
    // Hints and options.
    ("SELECT name FROM sys.databases WITH (NOLOCK) WHERE database_id = 6 OPTION (RECOMPILE)", "A"),
    (
        "SELECT d.name FROM sys.databases (NOLOCK) AS d JOIN msdb.dbo.backupset b (nolock) ON b.database_name = d.name WHERE d.database_id = 6 AND b.is_snapshot = 0 OPTION (MAXDOP 1, HASH JOIN)",
        "A",
    ),
    ("SELECT COUNT(*) FROM sys.databases AS d WITH (READUNCOMMITTED, ROWLOCK) WHERE d.database_id > 5", "3"),
    (
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT COUNT(*) FROM n OPTION (MAXRECURSION 0)",
        "300",
    ),
    // Names.
    ("SELECT x = name, [a b] = 1 FROM sys.databases WHERE [database_id] = 6", "A 1"),
    ("SELECT \"name\" FROM \"sys\".\"databases\" WHERE name = N'a'", "A"),
    ("SELECT name AS 'Database Name' FROM sys.databases d WHERE d.name = 'B'", "B"),
    ("SELECT MAX([% complete]) FROM msdb.dbo.rds_fn_task_status(NULL, 0)", "100"),
    ("SELECT N'日本' + 'ß' /* c */ -- d", "日本ß"),
    // Guards are not evaluated.
    ("DECLARE @n int = 0; SELECT CASE WHEN @n = 0 THEN 0 ELSE 100 / @n END", "0"),
    ("SELECT CASE WHEN 1 = 1 THEN 1 ELSE CAST('x' AS int) END", "1"),
    ("SELECT COALESCE(MAX(database_id), 'none') FROM sys.databases", "8"),
    // Tables out of the text, and NULLs that take in another type.
    (
        "SELECT v.n, v.t FROM (VALUES (1, 'a'), (2, NULL), (NULL, 'c')) AS v (n, t) ORDER BY v.n",
        "NULL c | 1 a | 2 NULL",
    ),
    ("SELECT NULL AS x UNION ALL SELECT 'text' UNION ALL SELECT NULL", "NULL | text | NULL"),
    (
        "SELECT d.name FROM sys.databases d JOIN (VALUES ('a'), ('c')) w (n) ON w.n = d.name ORDER BY 1",
        "A | C",
    ),
    // Dates.
    ("SELECT DATEADD(day, DATEDIFF(day, 0, '2026-11-16 10:20:00'), 0)", "2026-11-16T00:00:00"),
    ("SELECT CONVERT(varchar(8), DATEADD(second, 3725, 0), 108)", "01:02:05"),
    (
        "SELECT CAST(CAST('2026-11-06T09:05:00' AS datetime) AS varchar(20)), CAST(CAST('20261116' AS date) AS varchar(30))",
        "Nov  6 2026  9:05AM 2026-11-16",
    ),
    (
        "SELECT CAST('2026-11-16 10:00:00.6' AS datetime2(0)), CONVERT(varchar(30), CAST('2026-11-16 10:00:00.5' AS datetime2(3)), 121)",
        "2026-11-16T10:00:01 2026-11-16 10:00:00.500",
    ),
    (
        "SELECT CAST('11/16/2026' AS date), CAST('Nov 16 2026' AS date), CAST('' AS datetime), ISDATE('nothing'), ISDATE('20261116')",
        "2026-11-16T00:00:00 2026-11-16T00:00:00 1900-01-01T00:00:00 0 1",
    ),
    (
        "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE backup_finish_date > '20261101' AND backup_finish_date < '2026-11-16 10:00'",
        "5",
    ),
    (
        "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE CAST(backup_finish_date AS date) = CONVERT(date, '20261102')",
        "5",
    ),
    ("SELECT CONCAT('at ', CAST('2026-11-06T09:05:00' AS datetime))", "at Nov  6 2026  9:05AM"),
    (
        "SELECT DATEFROMPARTS(2026, 2, 28), DATEDIFF_BIG(millisecond, '2026-01-01', '2026-12-01')",
        "2026-02-28T00:00:00 28857600000",
    ),
    // Numbers and bits.
    ("SELECT COUNT(*) FROM sys.databases WHERE is_read_only = 'false' AND is_encrypted = 0", "8"),
    ("SELECT DISTINCT CAST('true' AS bit) FROM sys.databases", "1"),
    ("SELECT CAST(0xFF AS int), 0x10 + 1, 256 * 0x01", "255 17 256"),
    ("SELECT @@MICROSOFTVERSION / 0x01000000", "16"),
    ("SELECT NULLIF(1, 1.0), NULLIF('a', 'A'), NULLIF(5, 4)", "NULL NULL 5"),
    ("SELECT CAST(MAX(database_id) AS varchar(10)) + '!' FROM sys.databases", "8!"),
    (
        "SELECT CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END, CASE WHEN 3 BETWEEN 1 AND 2.5 THEN 1 ELSE 0 END",
        "b 0",
    ),
    (
        "SELECT CAST(SUM(backup_size) / 1024 / 1024 / 1024 AS decimal(10, 1)) FROM msdb..backupset WHERE is_snapshot = 0",
        "18.6",
    ),
    // Groups.
    (
        "SELECT DB_NAME(database_id), COUNT(*) FROM sys.master_files WHERE database_id = 6 GROUP BY DB_NAME(database_id)",
        "A 2",
    ),
    ("SELECT 'all' FROM sys.databases HAVING 1 = 1", "all"),
    ("SELECT COUNT(*) FROM sys.databases WHERE 1 = 2 HAVING COUNT(*) = 0", "0"),
    ("SELECT 'many' FROM sys.databases HAVING COUNT(*) > 3", "many"),
    (
        "SELECT d.name, (SELECT COUNT(*) FROM msdb.dbo.backupset b WHERE b.database_name = d.name AND b.is_snapshot = 0) FROM sys.databases d WHERE d.database_id > 5 GROUP BY d.name ORDER BY d.name",
        "A 1 | B 1 | C 0",
    ),
    (
        "SELECT COUNT(*) + (SELECT COUNT(*) + (SELECT COUNT(*) FROM sys.databases) FROM sys.databases) FROM sys.databases",
        "24",
    ),
    // Functions.
    (
        "SELECT PATINDEX('%[0-9]%', 'ab7c'), PATINDEX('a%', 'ba'), STR(3.14159, 6, 2), CHOOSE(2, 'a', 'b'), GREATEST(1, NULL, 2.5), LEAST('b', 'a')",
        "3 0   3.14 b 2.5 a",
    ),
    (
        "SELECT DATABASEPROPERTYEX('A', 'Status'), DATABASEPROPERTYEX('nowhere', 'Recovery'), HAS_DBACCESS('A'), HAS_DBACCESS('nowhere')",
        "ONLINE NULL 1 NULL",
    ),
    (
        "SELECT OBJECT_ID('tempdb..#t'), OBJECT_ID('msdb.dbo.backupset'), IS_SRVROLEMEMBER('sysadmin'), @@LOCK_TIMEOUT",
        "NULL 1 0 -1",
    ),
    (
        "SELECT name FROM sys.databases WHERE DATABASEPROPERTYEX(name, 'Recovery') = 'FULL' AND database_id > 5 ORDER BY name",
        "A | B | C",
    ),
    ("SELECT STUFF((SELECT ',' + 'x'), 1, 1, ''), REPLICATE('a', -1), REPLICATE('ab', 2)", "x NULL abab"),
    // Variables.
    ("DECLARE @n int = 1; SET @n += 4 SET @n *= 2; SELECT @n", "10"),
    ("SELECT name FROM sys.databases WHERE database_id > 5; SELECT @@ROWCOUNT", "3"),
    (
        "DECLARE @top int = 2; SELECT TOP (@top) name FROM sys.databases WHERE database_id > 5 ORDER BY name DESC",
        "C | B",
    ),
    // Chains by LSN.
    (
        "SELECT b.type, DATEDIFF(second, LAG(b.backup_finish_date) OVER (PARTITION BY b.database_name ORDER BY b.backup_finish_date), b.backup_finish_date) - 0 FROM msdb.dbo.backupset b WHERE b.database_name = 'A' AND b.is_snapshot = 0",
        "D NULL",
    ),
    (
        "SELECT COUNT(*) FROM msdb.dbo.backupset a JOIN msdb.dbo.backupset b ON b.backup_set_uuid = CAST(a.backup_set_uuid AS varchar(36))",
        "5",
    ),
];

#[test]
fn texts_of_the_field() {
    let mut lab = lab();
    let mut wrong = Vec::new();
    for (sql, expected) in ASKED {
        let answer = lab.batch(sql);
        if let Some(error) = answer.error {
            wrong.push(format!("{sql}\n   {} {}", error.number, error.text));
            continue;
        }
        let got = rows(&mut lab, sql);
        if got != *expected {
            wrong.push(format!("{sql}\n   {got}\n   {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_of_the_field() {
    let mut lab = lab();
    let mut wrong = Vec::new();
    for (sql, number) in [
        ("SELECT * FROM (SELECT name, name FROM sys.databases) AS q", 8156),
        ("SELECT * FROM (SELECT 1) AS q", 8155),
        ("WITH q AS (SELECT 1) SELECT * FROM q", 8155),
        ("SELECT DISTINCT name FROM sys.databases ORDER BY database_id", 145),
        ("SELECT COUNT(*) FROM sys.databases HAVING name = 'A'", 8121),
        ("SELECT COUNT(*) FROM sys.databases GROUP BY state ORDER BY name", 8127),
        (
            "SELECT (SELECT MAX(b.type) FROM msdb..backupset b WHERE b.database_name = d.name) FROM sys.databases d GROUP BY d.state",
            8120,
        ),
        ("SELECT COUNT(*) FROM sys.databases GROUP BY (SELECT 1)", 144),
        ("SELECT COUNT(*) FROM sys.databases GROUP BY COUNT(*)", 144),
        ("SELECT SUM((SELECT 1)) FROM sys.databases", 130),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY name) FROM sys.databases", 4112),
        ("SELECT COUNT(DISTINCT name) OVER () FROM sys.databases", 10_759),
        ("SELECT * FROM (VALUES (1, 2), (3)) AS v (a, b)", 10_709),
        ("SELECT database_id * 1000000000 FROM sys.databases", 8115),
        ("SELECT SYSDATETIME() - 1", 206),
        ("SELECT LEFT(name, CHARINDEX('-', name) - 1) FROM sys.databases", 537),
        ("SELECT DATEADD(day, 2147483647, GETDATE())", 517),
        ("SELECT DATEFROMPARTS(2026, 2, 30)", 289),
        ("SELECT ISNULL(database_id, 'x') + 'y' FROM sys.databases", 245),
        (
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT COUNT(*) FROM n OPTION (MAXRECURSION 200)",
            530,
        ),
        ("SELECT 1 OPTION (MAXRECURSION 40000)", 310),
        ("SELECT CAST('yesterday' AS datetime)", 241),
        ("SELECT 1 FROM sys.dm_exec_requests r CROSS APPLY sys.dm_exec_sql_text(r.session_id) t", 208),
    ] {
        let got = lab.batch(sql).error.map_or(0, |e| e.number);
        if got != number {
            wrong.push(format!("{sql}\n   {got} instead of {number}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Types of columns, whichever way a query is answered.
#[test]
fn types_of_the_field() {
    let mut lab = lab();
    for (sql, wanted) in [
        ("SELECT ISNULL(NULL, N'abc')", SqlType::NVarChar(Some(3))),
        ("SELECT CASE WHEN 1 = 2 THEN NULL ELSE 'ab' END", SqlType::NVarChar(Some(2))),
        ("SELECT COALESCE(NULL, 1, 2.5)", SqlType::Numeric { precision: 11, scale: 1 }),
        ("SELECT COUNT_BIG(*) FROM sys.databases", SqlType::BigInt),
        ("SELECT 1 + CAST(1 AS bigint)", SqlType::BigInt),
        ("SELECT CAST(MAX(name) AS varchar(9)) FROM sys.databases", SqlType::VarChar(Some(9))),
        ("SELECT CAST(1 AS money)", SqlType::Numeric { precision: 19, scale: 4 }),
    ] {
        let answer = lab.batch(sql);
        assert_eq!(answer.error, None, "{sql}");
        assert_eq!(answer.results[0].columns[0].sql_type, wanted, "{sql}");
    }
}

/// What grows with every level, and what takes more memory than there is.
#[test]
fn what_grows_is_bounded() {
    let mut lab = lab();
    let nested =
        |before: &str, after: &str, times| format!("SELECT {}1{}", before.repeat(times), after.repeat(times));
    let chain: Vec<String> = (0..40)
        .map(|at| match at {
            0 => "q0 AS (SELECT 1 AS n)".to_owned(),
            _ => format!("q{at} AS (SELECT a.n FROM q{} a, q{} b)", at - 1, at - 1),
        })
        .collect();
    for (sql, number) in [
        (nested("NULLIF(", ", 2)", 24), 0),
        (nested("CASE WHEN ", " BETWEEN 0 AND 2 THEN 1 ELSE 0 END", 12), 0),
        (nested("CASE ", " WHEN 1 THEN 1 WHEN 2 THEN 1 END", 12), 0),
        (nested("COUNT(*) + (SELECT ", ")", 12), 0),
        (format!("WITH {} SELECT COUNT(*) FROM q39", chain.join(", ")), 8623),
        (format!("SELECT 1, 1{}", " UNION SELECT 1, 1".repeat(100_000)), 191),
        (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(100)), 0),
        (format!("DECLARE @t nvarchar(max) = REPLICATE('x', 8000); {}", "SET @t = @t + @t; ".repeat(30)), 701),
        ("DECLARE @t nvarchar(max) = REPLICATE('x', 8000); SELECT REPLACE(@t, 'x', @t)".into(), 701),
        ("SELECT LEN(STRING_AGG(REPLICATE('x', 8000), '')) FROM sys.databases a, sys.databases b, sys.databases c, sys.databases d, sys.databases e, sys.databases f".into(), 701),
    ] {
        let short: String = sql.chars().take(60).collect();
        assert_eq!(lab.batch(&sql).error.map_or(0, |e| e.number), number, "{short}");
    }
    let values = [
        Value::DateTime(i128::MAX),
        Value::Numeric { mantissa: i128::MIN, scale: 255 },
        Value::Int(i64::MIN),
        Value::Float(1e300),
    ];
    for value in values {
        for sql in [
            "DATEADD(day, 1, @P1)",
            "@P1 + 1",
            "@P1 / -1.0",
            "DATEDIFF(week, 0, @P1)",
            "CEILING(@P1)",
            "-@P1",
            "@P1 * @P1",
            "CAST(@P1 AS datetime)",
            "STR(@P1)",
        ] {
            let parameter = |name: &str, value| tds::Parameter { name: name.into(), output: false, value };
            let text = |t: &str| Value::Text(t.into());
            let parameters = vec![
                parameter("", text(&format!("SELECT {sql} FROM sys.databases GROUP BY state"))),
                parameter("", text("@P1 sql_variant")),
                parameter("", value.clone()),
            ];
            lab.world
                .execute(lab.session, &tds::Request::Rpc { procedure: tds::Procedure::Id(10), parameters });
        }
    }
    assert_eq!(error(&lab.batch("SELECT nothing")).0, 207, "and it still answers");
}

/// A row of the small table: a group, a number or NULL, a word.
type Small = (i64, Option<i64>, &'static str);

fn small() -> impl Strategy<Value = Vec<Small>> {
    let row = (0..3_i64, proptest::option::of(-4..5_i64), prop_oneof![Just("a"), Just("B"), Just("b")]);
    proptest::collection::vec(row, 1..7)
}

/// The table as a derived one.
fn written(table: &[Small], alias: &str) -> String {
    let rows: Vec<String> = table
        .iter()
        .map(|(g, n, w)| format!("({g}, {}, '{w}')", n.map_or("NULL".into(), |n| n.to_string())))
        .collect();
    format!("(VALUES {}, (0, 0, 'none')) AS {alias} (g, n, w)", rows.join(", "))
}

fn printed(number: Option<i64>) -> String {
    number.map_or("NULL".into(), |n| n.to_string())
}

/// Rows in any order, as they are written here.
fn sorted(lab: &mut Lab, sql: &str) -> Vec<String> {
    let written = rows(lab, sql);
    let mut rows: Vec<String> = written.split(" | ").filter(|r| !r.is_empty()).map(str::to_owned).collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(23), ..ProptestConfig::default() })]

    /// Groups, by brute force over the rows.
    #[test]
    fn groups_are_those_of_brute_force(table in small(), least in 0..3_usize, bound in -4..5_i64) {
        let mut lab = Lab::new();
        let sql = format!(
            "SELECT g, COUNT(*), COUNT(n), SUM(n), MIN(n), AVG(n), COUNT(DISTINCT w) FROM {} WHERE w <> 'none' AND (n <= {bound} OR n IS NULL) GROUP BY g HAVING COUNT(*) >= {least}",
            written(&table, "t")
        );
        let mut expected = Vec::new();
        for g in 0..3 {
            let kept: Vec<&Small> = table.iter().filter(|r| r.0 == g && r.1.is_none_or(|n| n <= bound)).collect();
            if kept.is_empty() || kept.len() < least {
                continue;
            }
            let known: Vec<i64> = kept.iter().filter_map(|r| r.1).collect();
            let words: std::collections::BTreeSet<String> = kept.iter().map(|r| r.2.to_lowercase()).collect();
            let some = |n: i64| if known.is_empty() { None } else { Some(n) };
            let total: i64 = known.iter().sum();
            let mean = total.checked_div(i64::try_from(known.len()).unwrap());
            expected.push(format!(
                "{g} {} {} {} {} {} {}",
                kept.len(), known.len(), printed(some(total)), printed(known.iter().min().copied()), printed(mean), words.len(),
            ));
        }
        expected.sort();
        prop_assert_eq!(sorted(&mut lab, &sql), expected, "{}", sql);
    }

    /// Joins of both kinds, and IN and NOT IN with NULLs, by brute force over pairs of rows.
    #[test]
    fn joins_are_those_of_brute_force(left in small(), right in small(), outer in any::<bool>()) {
        let mut lab = Lab::new();
        let join = if outer { "LEFT JOIN" } else { "JOIN" };
        let sql = format!(
            "SELECT a.g, a.n, b.n FROM {} {join} {} ON b.n = a.n AND b.w = a.w AND b.w <> 'none' WHERE a.w <> 'none'",
            written(&left, "a"), written(&right, "b")
        );
        let mut expected = Vec::new();
        for a in &left {
            let before = expected.len();
            for b in &right {
                if a.1.is_some() && a.1 == b.1 && a.2.eq_ignore_ascii_case(b.2) {
                    expected.push(format!("{} {} {}", a.0, printed(a.1), printed(b.1)));
                }
            }
            if outer && before == expected.len() {
                expected.push(format!("{} {} NULL", a.0, printed(a.1)));
            }
        }
        expected.sort();
        prop_assert_eq!(sorted(&mut lab, &sql), expected, "{}", sql);

        let sql = format!(
            "SELECT a.g, a.n FROM {} WHERE a.w <> 'none' AND a.n NOT IN (SELECT b.n FROM {} WHERE b.g = a.g AND b.w <> 'none')",
            written(&left, "a"), written(&right, "b")
        );
        let mut expected: Vec<String> = left
            .iter()
            .filter(|a| {
                let others: Vec<Option<i64>> = right.iter().filter(|b| b.0 == a.0).map(|b| b.1).collect();
                others.is_empty() || a.1.is_some() && others.iter().all(|n| n.is_some() && *n != a.1)
            })
            .map(|a| format!("{} {}", a.0, printed(a.1)))
            .collect();
        expected.sort();
        prop_assert_eq!(sorted(&mut lab, &sql), expected, "{}", sql);
    }

    /// Plain queries, answered natively and as derived tables.
    #[test]
    fn both_ways_answer_alike(
        list in prop_oneof![Just("name"), Just("database_id, state_desc"), Just("create_date, is_encrypted"), Just("ISNULL(source_database_id, database_id) AS s"),
            Just("CASE WHEN database_id > 6 THEN name ELSE 'few' END AS c"), Just("LEN(name) AS l, UPPER(name) AS u"), Just("CAST(database_id AS varchar(9)) AS t")],
        filter in prop_oneof![Just("database_id > 5"), Just("name LIKE '%[a-m]%'"), Just("NOT name = 'a '"), Just("is_read_only = 'false'"),
            Just("source_database_id IN (1, NULL)"), Just("source_database_id NOT IN (1)"), Just("create_date > '20000101'"), Just("database_id BETWEEN 2 AND 7"),
            Just("name IN ('A', 'msdb') OR database_id = '7'"), Just("create_date IS NULL")],
        top in proptest::option::of(0..4_u8),
    ) {
        let mut lab = lab();
        let top = top.map_or(String::new(), |n| format!("TOP ({n}) "));
        let native = lab.batch(&format!("SELECT {top}{list} FROM sys.databases WHERE {filter}"));
        let outside = lab.batch(&format!("SELECT * FROM (SELECT {top}{list} FROM sys.databases WHERE {filter}) AS q"));
        prop_assert_eq!(&native.error, &outside.error, "{} {}", list, filter);
        prop_assert_eq!(native.results, outside.results, "{} {}", list, filter);
    }
}
