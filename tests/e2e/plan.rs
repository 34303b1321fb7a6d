//! `bakproof plan`: the histories of others restored as their publishers say, refusals, and questions that are none.

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;

use crate::command::{Answer, bakproof, file, fixture};

fn history(name: &str) -> String {
    fixture(&format!("histories/{name}.json")).to_str().unwrap().to_owned()
}

fn plan(path: &str, arguments: &[&str]) -> Answer {
    bakproof(&[&["plan", path, "--json"], arguments].concat())
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.stderr, "", "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

/// How many fulls, differentials and logs a plan restores.
fn counts(answer: &Answer) -> [usize; 3] {
    assert_eq!(answer.code, 0, "{answer:?}");
    let plan = json(answer);
    let steps = plan["steps"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!((last["action"].as_str(), last["norecovery"].as_bool()), (Some("recover"), Some(false)));
    assert_eq!(plan["tsql"].as_array().unwrap().len(), steps.len(), "{plan:#}");
    ["restore_full", "restore_differential", "restore_log"]
        .map(|action| steps.iter().filter(|step| step["action"] == action).count())
}

/// The numbers are those that the publisher of the histories states: `tests/fixtures/README.md`.
#[test]
fn histories_that_others_made_are_restored_as_they_say() {
    for (name, arguments, expected) in [
        ("DiffRestore", &["--at", "latest"][..], [1, 1, 5]),
        ("AgDiffRestore", &["--at", "latest"], [1, 1, 5]),
        ("EmptyTLogData", &["--at", "latest"], [1, 0, 1]),
        ("ContinuePointTest", &["--at", "latest", "--continue-from", "34000000016700004"], [0, 0, 4]),
        ("copy_only_synthetic", &["--at", "2025-01-01T02:00:00Z"], [1, 0, 1]),
        ("copy_only_synthetic", &["--at", "2025-01-01T01:10:00Z"], [1, 0, 0]),
    ] {
        assert_eq!(counts(&plan(&history(name), arguments)), expected, "{name}");
    }
    let mut rows: Value = serde_json::from_slice(&fs::read(history("DiffRestore")).unwrap()).unwrap();
    rows["backups"].as_array_mut().unwrap().retain(|row| row["type"] != "I");
    let path = file("without_differential_to_plan.json", &serde_json::to_vec(&rows).unwrap());
    assert_eq!(counts(&plan(&path, &["--at", "latest"])), [1, 0, 8]);
}

#[test]
fn the_copy_only_full_anchors_the_log_of_its_own_fork() {
    let answer = json(&plan(&history("copy_only_synthetic"), &["--at", "2025-01-01T02:00:00Z"]));
    let used: Vec<&str> =
        answer["steps"].as_array().unwrap().iter().filter_map(|step| step["backup"].as_str()).collect();
    assert_eq!(used, ["2", "3"]);
    assert_eq!(answer["steps"][1]["stop_at"], "2025-01-01T02:00:00.000Z");
    assert_eq!(answer["recovers_to"], "2025-01-01T02:00:00.000Z");
}

#[test]
fn a_moment_in_the_hole_of_one_lsn_is_refused_by_its_name() {
    let answer = plan(&history("copy_only_synthetic"), &["--at", "2025-01-01T02:30:00Z"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    let refused = &json(&answer)["refused"];
    assert_eq!((refused["name"].as_str(), refused["class"].as_str()), (Some("LogGap"), Some("Human")));
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("450") && message.contains("451"), "{message}");
    assert_eq!(refused["nearest_before"], "2025-01-01T02:05:00.000Z");
    assert_eq!(refused["nearest_after"], Value::Null);
    assert!(!refused["guidance"].as_str().unwrap().is_empty());
}

#[test]
fn t_sql_names_the_target_and_stops_in_its_own_time() {
    let arguments =
        ["--at", "2025-01-01T02:00:00Z", "--target-name", "copy of [it]", "--target-zone", "Asia/Tokyo"];
    let answer = json(&plan(&history("copy_only_synthetic"), &arguments));
    let log = answer["tsql"][1].as_str().unwrap();
    assert!(log.starts_with("RESTORE LOG [copy of [it]]] FROM"), "{log}");
    assert!(log.contains("STOPAT = N'2025-01-01T11:00:00.000'"), "{log}");
}

#[test]
fn people_are_told_in_words() {
    let path = history("DiffRestore");
    let told = bakproof(&["plan", &path, "--at", "latest"]);
    for part in ["Recovers to 2017-05-04T07:59:48Z with 7 backups", "restore differential", "WITH RECOVERY;"]
    {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    let refused = bakproof(&["plan", &path, "--at", "2017-05-04T09:00:00Z"]);
    assert_eq!(refused.code, 1);
    for part in ["Refused: AfterLastBackup", "nearest before: 2017-05-04T07:59:48Z", "nearest after:  none"] {
        assert!(refused.stdout.contains(part), "{part}: {}", refused.stdout);
    }
}

/// One full of one database, as number two of its file, on a server that does not tell its zone.
fn shared_file(name: &str) -> String {
    let full = r#"{"backups":[{"backup_set_uuid":"1","database_name":"a","type":"D","first_lsn":"1","last_lsn":"2",
        "backup_start_date":"2026-01-01T00:00:00","backup_finish_date":"2026-01-01T00:00:00",
        "files":["D:\\all.bak"],"position":2}]}"#;
    file(name, full.as_bytes())
}

#[test]
fn what_was_odd_about_the_file_is_told_with_a_refusal_too() {
    let path = shared_file("odd_and_refused.json");
    let refused = bakproof(&["plan", &path, "--at", "2026-01-02T00:00:00Z"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let (_, warnings) = refused.stdout.split_once("\nWarnings\n").unwrap();
    assert!(warnings.starts_with("  - ") && warnings.contains("time_zone"), "{warnings}");
    let answer = json(&plan(&path, &["--at", "2026-01-02T00:00:00Z"]));
    assert_eq!(answer.as_object().unwrap().keys().collect::<Vec<_>>(), ["refused"]);
}

#[test]
fn a_set_of_a_shared_file_is_named_by_its_number() {
    let answer = json(&plan(&shared_file("shared_file_to_plan.json"), &["--at", "latest"]));
    assert_eq!(answer["steps"][0]["file_number"], 2);
    assert_eq!(answer["steps"][1].get("file_number"), None);
    let full = answer["tsql"][0].as_str().unwrap();
    assert_eq!(full, r"RESTORE DATABASE [a] FROM DISK = N'D:\all.bak' WITH FILE = 2, NORECOVERY;");
    let told = answer["warnings"].to_string();
    assert!(told.contains("WITH REPLACE"), "{told}");
}

#[test]
fn questions_that_are_none_are_told_in_one_line() {
    let two = r#"{"backups":[
        {"backup_set_uuid":"1","database_name":"a","type":"D","first_lsn":"1","last_lsn":"2",
         "backup_start_date":"2026-01-01T00:00:00","backup_finish_date":"2026-01-01T00:00:00"},
        {"backup_set_uuid":"2","database_name":"b","type":"D","first_lsn":"1","last_lsn":"2",
         "backup_start_date":"2026-01-01T00:00:00","backup_finish_date":"2026-01-01T00:00:00"}]}"#;
    let two = file("two_databases_to_plan.json", two.as_bytes());
    let none = file("no_databases_to_plan.json", br#"{"backups":[]}"#);
    for (path, arguments, expected) in [
        (&two, &["--at", "latest"][..], "choose one of a (a), b (b), with --database or --lineage"),
        (&none, &["--at", "latest"], "the file holds no backups"),
        (&two, &["--at", "latest", "--database", "c"], "no database \"c\""),
    ] {
        let answer = bakproof(&[&["plan", path.as_str()], arguments].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{answer:?}");
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        assert!(answer.stderr.contains(expected), "{expected}: {}", answer.stderr);
    }
    let one = bakproof(&["plan", &two, "--at", "latest", "--database", "a"]);
    assert_eq!(one.code, 0, "{one:?}");
    for (argument, expected) in [
        (["--at", "yesterday"], "write a moment with its offset"),
        (["--at", "lsn:12x"], "decimal digits"),
        (["--at", "point:"], "write a moment"),
        (["--at", "2026-01-01T00:00:00"], "write a moment with its offset"),
        (["--continue-from", "1@"], "the fork is empty"),
        (["--target-zone", "Moon/Crater"], "is no time zone"),
    ] {
        let answer = bakproof(&[&["plan", two.as_str(), "--database", "a"], &argument[..]].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{argument:?}: {answer:?}");
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        assert!(answer.stderr.contains(expected), "{expected}: {}", answer.stderr);
    }
    let nothing = bakproof(&["plan"]);
    assert_eq!((nothing.code, nothing.stderr.lines().count()), (2, 1), "{nothing:?}");
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, rng_seed: RngSeed::Fixed(31), cases: 200, ..Config::default() })]

    /// Whatever is asked, there is an answer with a code of its own.
    #[test]
    fn any_target_has_an_answer(target in "(latest|lsn:|point:)?[ -~é]{0,30}", from in "[0-9@a-f-]{0,20}") {
        let path = history("EmptyTLogData");
        for arguments in [&["--at", target.as_str()][..], &["--at", "latest", "--continue-from", from.as_str()]] {
            let answer = plan(&path, arguments);
            prop_assert!(matches!(answer.code, 0..=2), "{:?}", answer);
            prop_assert_eq!(answer.code == 2, answer.stdout.is_empty(), "{:?}", answer);
        }
    }
}
