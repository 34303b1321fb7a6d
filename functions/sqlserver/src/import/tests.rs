//! Tables for the import: what is read, and what each malformed file is told.

use domain::backup::{HeldIn, Kind};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;

const ROW: &str = r#"{"backup_set_uuid":"u1","database_name":"orders","type":"D","first_lsn":"10","last_lsn":"20",
    "checkpoint_lsn":"10","backup_start_date":"2026-01-01T00:00:00","backup_finish_date":"2026-01-01T00:05:00","time_zone":4}"#;

fn file(rows: &str) -> String {
    format!("{{\"backups\":[{rows}]}}")
}

fn with(column: &str, value: &str) -> String {
    let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(ROW).unwrap();
    row.insert(column.to_owned(), serde_json::from_str(value).unwrap());
    file(&serde_json::to_string(&row).unwrap())
}

fn one(text: &str) -> domain::backup::Backup {
    let mut imported = read(text.as_bytes(), &Options::default()).unwrap();
    assert_eq!(imported.backups.len(), 1, "{text}");
    imported.backups.remove(0)
}

fn refusal(text: &[u8]) -> String {
    let error = history(text, &Options::default(), Timestamp::MAX).unwrap_err().to_string();
    assert!(!error.contains('\n') && error.contains("; mend: "), "{error}");
    error
}

#[test]
fn a_row_is_read_with_its_zone() {
    let backup = one(&file(ROW));
    assert_eq!((backup.kind, backup.finished), (Kind::Full, "2025-12-31T23:05:00Z".parse().unwrap()));
    assert_eq!(backup.last_lsn.value(), 20);
    let zoneless = with("time_zone", "127");
    assert_eq!(one(&zoneless).finished, "2026-01-01T00:05:00Z".parse().unwrap());
    assert!(read(zoneless.as_bytes(), &Options::default()).unwrap().warnings[0].contains("time_zone"));
    let options = Options { source_zone: Some("Asia/Tokyo".parse().unwrap()) };
    let told = read(zoneless.as_bytes(), &options).unwrap();
    assert_eq!(told.backups[0].finished, "2025-12-31T15:05:00Z".parse().unwrap());
    assert!(told.warnings.is_empty());
}

#[test]
fn kinds_are_letters_and_bits() {
    for (column, value, kind) in [
        ("type", "\"D\"", Kind::Full),
        ("type", "\"I\"", Kind::Differential),
        ("type", "\"L\"", Kind::Log),
        ("is_copy_only", "true", Kind::CopyOnly),
        ("is_copy_only", "1", Kind::CopyOnly),
        ("is_copy_only", "0", Kind::Full),
        ("is_snapshot", "true", Kind::Snapshot),
        ("unknown_column", "{\"deep\":[1,{}]}", Kind::Full),
    ] {
        assert_eq!(one(&with(column, value)).kind, kind, "{column} {value}");
    }
    let skipped = read(with("type", "\"P\"").as_bytes(), &Options::default()).unwrap();
    assert!(skipped.backups.is_empty() && skipped.warnings[0].contains("skipped"));
}

#[test]
fn lsns_are_strings_or_integers_of_any_length() {
    for value in ["\"17126658000000314600038\"", "17126658000000314600038"] {
        let text = with("first_lsn", "\"X\"")
            .replace("\"X\"", value)
            .replace("\"last_lsn\":\"20\"", "\"last_lsn\":17126658000000314600039");
        assert_eq!(one(&text).first_lsn.value(), 17_126_658_000_000_314_600_038);
    }
    assert_eq!(one(&with("first_lsn", "7")).first_lsn.value(), 7);
}

#[test]
fn missing_stripes_are_counted() {
    for (files, last_family, missing) in [
        ("[\"a\"]", "1", 0),
        ("[\"a\"]", "3", 2),
        ("[\"a\",null]", "2", 1),
        ("[\"nul\"]", "1", 1),
        ("null", "3", 0),
    ] {
        let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(ROW).unwrap();
        row.insert("files".to_owned(), serde_json::from_str(files).unwrap());
        row.insert("last_family_number".to_owned(), serde_json::from_str(last_family).unwrap());
        let backup = one(&file(&serde_json::to_string(&row).unwrap()));
        assert_eq!(backup.stripes.missing_count(), missing, "{files} {last_family}");
    }
}

#[test]
fn the_position_in_a_media_set_is_read_where_it_is_not_the_first() {
    for (value, position) in
        [("null", None), ("1", None), ("2", Some(2)), ("\"17\"", Some(17)), ("4294967295", Some(u32::MAX))]
    {
        assert_eq!(one(&with("position", value)).position, position, "{value}");
    }
    assert_eq!(one(&file(ROW)).position, None);
}

#[test]
fn the_export_selects_every_column_of_a_backup_set_that_is_read() {
    let (_, columns) = include_str!("../columns.rs").split_once("pub mod backupset {").unwrap();
    let (columns, _) = columns.split_once("\n}").unwrap();
    let names: Vec<&str> = columns.split('"').skip(1).step_by(2).collect();
    assert!(names.contains(&"position") && names.len() > 30, "{names:?}");
    let query = include_str!("../../queries/export_history.sql");
    let (query, _) = query.split_once("FROM msdb.dbo.backupset AS s").unwrap();
    let code = query.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: std::collections::BTreeSet<&str> =
        code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    for name in names {
        assert!(words.contains(name), "{name}");
    }
}

#[test]
fn rows_without_lsns_are_evidence() {
    let imported = read(with("last_lsn", "null").as_bytes(), &Options::default()).unwrap();
    assert_eq!((imported.backups.len(), imported.incomplete[0].lacks.as_str()), (0, "last_lsn"));
    assert!(imported.warnings[0].contains("lack usable LSNs"));
}

#[test]
fn a_malformed_row_is_named_in_one_line() {
    for (column, value, expected) in [
        ("first_lsn", "\"-5\"", "backups[0].first_lsn: \"-5\": an LSN is negative"),
        ("first_lsn", "-5", "backups[0].first_lsn: -5: an LSN is negative"),
        ("first_lsn", "\"12a\"", "backups[0].first_lsn: \"12a\": an LSN holds something else"),
        ("first_lsn", "\"1111111111111111111111111111111111111111\"", "an LSN has more than 25 digits"),
        ("first_lsn", "1.5", "backups[0].first_lsn: the floating number 1.5 is no LSN"),
        ("first_lsn", "[1]", "backups[0].first_lsn: an array is no LSN"),
        ("last_lsn", "\"9\"", "backups[0].last_lsn: 9 lies before first_lsn 10"),
        ("type", "\"X\"", "backups[0].type: \"X\" is no type of backup"),
        ("type", "null", "backups[0].type: is missing"),
        ("type", "7", "backups[0].type: 7 is no text"),
        ("backup_set_uuid", "null", "backups[0].backup_set_uuid: is missing"),
        ("backup_set_uuid", "\"00000000-0000-0000-0000-000000000000\"", "is all zeros"),
        ("database_name", "\"\"", "backups[0].database_name: is missing"),
        ("backup_finish_date", "\"yesterday\"", "backups[0].backup_finish_date: \"yesterday\" is no date"),
        ("backup_finish_date", "20260101", "backups[0].backup_finish_date: this is no date"),
        ("time_zone", "99", "backups[0].time_zone: 99 quarter hours are no offset"),
        ("is_damaged", "2", "backups[0].is_damaged: 2 is no bit"),
        ("backup_size", "-1", "backups[0].backup_size: -1 is no size"),
        ("recovery_model", "\"LAZY\"", "backups[0].recovery_model: \"LAZY\" is no recovery model"),
        ("position", "0", "backups[0].position: 0 is no position"),
        ("position", "-2", "backups[0].position: -2 is no position"),
        ("position", "4294967296", "backups[0].position: 4294967296 is no position"),
        ("position", "99999999999999999999", "backups[0].position: "),
        ("position", "1.5", "backups[0].position: the floating number 1.5 is no whole number"),
        ("position", "\"two\\nlines\"", "backups[0].position: \"two\\nlines\" is no whole number"),
        ("position", "[2]", "backups[0].position: an array is no whole number"),
        ("files", "\"a\"", "backups[0].files: is no array"),
        ("files", "[1]", "backups[0].files: 1 is no text"),
        ("database_name", "\"a\\nb\"", ""),
    ] {
        if expected.is_empty() {
            continue;
        }
        let error = refusal(with(column, value).as_bytes());
        assert!(error.contains(expected), "{column} {value}: {error}");
    }
}

#[test]
fn a_file_that_is_no_history_is_told_what_it_lacks() {
    let text = file(ROW);
    for (bytes, expected) in [
        (&b""[..], "line 1 column 0: EOF"),
        (b"[]", "invalid type: sequence, expected an object with the rows as an array named \"backups\""),
        (b"{}", "neither \"backups\" nor"),
        (b"\xff\xfe\x00", "UTF-16"),
        (b"{\"backups\":{}}", "expected an array of rows"),
        (b"{\"backups\":[7]}", "backups[0]: invalid type: integer `7`, expected a row"),
        (b"{\"backups\":[\"\xff\"]}", "backups[0]: "),
        (b"{\"backups\":[]} x", "trailing characters"),
        (&text.as_bytes()[..text.len() - 20], "backups[0]: EOF while parsing"),
    ] {
        let error = refusal(bytes);
        assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(bytes));
    }
    let deep = format!("{{\"backups\":[{{\"files\":{}", "[".repeat(100_000));
    assert!(refusal(deep.as_bytes()).contains("recursion"));
}

#[test]
fn the_same_id_with_other_content_names_both_rows() {
    let other = ROW.replace("\"20\"", "\"21\"");
    let error = refusal(file(&format!("{ROW},{other}")).as_bytes());
    assert!(error.starts_with("backups[1].backup_set_uuid: \"u1\" is the id of backups[0] too"), "{error}");
    let same = file(&format!("{ROW},{}", ROW.replace("u1", "U1")));
    let (history, _) = history(same.as_bytes(), &Options::default(), Timestamp::MAX).unwrap();
    assert_eq!(history.lineages()[0].backups().len(), 1);
}

#[test]
fn a_finish_that_was_rounded_to_a_tick_is_the_next_one_but_of_a_log() {
    for (kind, finish, expected) in [
        ("D", "2026-01-01T00:05:00", "2025-12-31T23:05:00Z"),
        ("D", "2026-01-01T00:05:00.003", "2025-12-31T23:05:00.007Z"),
        ("I", "2026-01-01T00:05:00.997", "2025-12-31T23:05:01Z"),
        ("L", "2026-01-01T00:05:00.997", "2025-12-31T23:05:00.997Z"),
    ] {
        // ROW is an hour ahead of UTC.
        let row = ROW.replace("\"D\"", &format!("\"{kind}\"")).replace("2026-01-01T00:05:00", finish);
        let imported = read(file(&row).as_bytes(), &Options::default()).unwrap();
        assert_eq!(imported.backups[0].finished.to_string(), expected, "{kind} {finish}");
    }
}

#[test]
fn rds_logs_are_backups_that_the_service_keeps_and_tasks_name_the_files() {
    let log = r#"{"db_name":"orders","db_id":5,"family_guid":"fam","rds_backup_seq_id":7,"backup_file_epoch":1,
        "backup_file_time_utc":"2026-01-01T00:10:00","starting_lsn":18,"ending_lsn":30,"is_log_chain_broken":false,
        "file_size_bytes":100,"Error":null}"#;
    let failed = log.replace("\"Error\":null", "\"Error\":\"gone\"").replace(":7,", ":8,");
    let task = r#"{"task_id":1,"task_type":"BACKUP_DB","database_name":"ORDERS","lifecycle":"SUCCESS",
        "created_at":"2025-12-31T23:00:00","last_updated":"2025-12-31T23:06:00","S3_object_arn":"arn:aws:s3:::b/orders.bak"}"#;
    let text = format!("{{\"rds_tasks\":[{task}],\"backups\":[{ROW}],\"rds_logs\":[{log},{failed}]}}");
    let imported = read(text.as_bytes(), &Options::default()).unwrap();
    assert_eq!(imported.backups[0].stripes.files()[0].as_deref(), Some("arn:aws:s3:::b/orders.bak"));
    let log = &imported.backups[1];
    assert_eq!((log.id.as_str(), log.held_in, log.first_lsn.value()), ("fam.7", HeldIn::Service, 18));
    assert_eq!(imported.incomplete[0].name, "fam.8");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, rng_seed: RngSeed::Fixed(17), cases: 400, ..Config::default() })]

    /// Whatever the bytes are, the answer is a history or one line.
    #[test]
    fn mutated_files_never_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..8)) {
        let mut bytes = file(&format!("{ROW},{}", ROW.replace("u1", "u2"))).into_bytes();
        for (index, byte, what) in edits {
            let at = index.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match what {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        if let Err(error) = history(&bytes, &Options::default(), Timestamp::MAX) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes, &Options::default()).is_err());
    }
}
