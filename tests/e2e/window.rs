//! `bakproof window`: the histories of others against windows derived by hand, and files that are no histories.

use std::fs;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;

use crate::command::{Answer, bakproof, file, fixture, process};

const HISTORIES: [&str; 5] =
    ["DiffRestore", "AgDiffRestore", "EmptyTLogData", "ContinuePointTest", "copy_only_synthetic"];

fn history(name: &str) -> String {
    fixture(&format!("histories/{name}.json")).to_str().unwrap().to_owned()
}

fn json(answer: &Answer) -> Value {
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Compares by meaning: times as moments, `why` as a part, and only what the expectation tells.
fn check(actual: &Value, expected: &Value, path: &str) {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            for (key, expected) in expected {
                let actual = actual.get(key).unwrap_or_else(|| panic!("{path}.{key} is missing"));
                check(actual, expected, &format!("{path}.{key}"));
            }
        }
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len(), "{path}: {actual:#?}");
            for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
                check(actual, expected, &format!("{path}[{index}]"));
            }
        }
        (Value::String(actual), Value::String(expected)) => {
            let moments = actual.parse::<Timestamp>().ok().zip(expected.parse::<Timestamp>().ok());
            let same = match moments {
                Some((actual, expected)) => actual == expected,
                None if path.ends_with("why") => actual.contains(expected.as_str()),
                None => actual == expected,
            };
            assert!(same, "{path}: {actual:?}, expected {expected:?}");
        }
        _ => assert_eq!(actual, expected, "{path}"),
    }
}

#[test]
fn windows_of_histories_that_others_made() {
    for name in HISTORIES {
        let expected = fs::read(fixture(&format!("windows/{name}.expected.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let actual = json(&bakproof(&["window", &history(name), "--json"]));
        check(&actual, &expected, name);
        assert_eq!(actual["now"], "2026-11-21T00:00:00.000Z");
    }
}

#[test]
fn without_its_differential_the_logs_bridge_the_history() {
    let mut rows: Value = serde_json::from_slice(&fs::read(history("DiffRestore")).unwrap()).unwrap();
    rows["backups"].as_array_mut().unwrap().retain(|row| row["type"] != "I");
    let path = file("without_differential.json", &serde_json::to_vec(&rows).unwrap());
    let actual = json(&bakproof(&["window", &path, "--json"]));
    let expected = fs::read(fixture("windows/DiffRestore.expected.json")).unwrap();
    check(&actual, &serde_json::from_slice(&expected).unwrap(), "without its differential");
}

#[test]
fn holes_fail_only_when_asked_to_and_not_before_the_first_backup() {
    for (name, arguments, code) in [
        ("copy_only_synthetic", &[][..], 0),
        ("copy_only_synthetic", &["--strict"], 1),
        ("EmptyTLogData", &["--strict"], 0),
        ("DiffRestore", &["--strict", "--json"], 0),
        // As of that moment there was one full and nothing else.
        ("copy_only_synthetic", &["--strict", "--now", "2025-01-01T00:30:00Z"], 0),
    ] {
        let path = history(name);
        let answer = bakproof(&[&["window", path.as_str()], arguments].concat());
        assert_eq!(answer.code, code, "{name} {arguments:?}: {}", answer.stderr);
    }
}

#[test]
fn people_are_told_in_words() {
    let answer = bakproof(&["window", &history("copy_only_synthetic")]);
    for part in ["Database CopyOnlyRestore", "log_gap, LSN 450 to 451", "fork-b", "read as UTC"] {
        assert!(answer.stdout.contains(part), "{part}: {}", answer.stdout);
    }
}

#[test]
fn databases_zones_and_moments_are_chosen() {
    let path = history("copy_only_synthetic");
    let named = json(&bakproof(&["window", &path, "--database", "copyonlyrestore", "--json"]));
    assert_eq!(named["databases"].as_array().unwrap().len(), 1);
    let tokyo = json(&bakproof(&["window", &path, "--source-zone", "Asia/Tokyo", "--json"]));
    assert_eq!(tokyo["databases"][0]["points"][0]["at"], "2024-12-31T15:10:00.000Z");
    let early = json(&bakproof(&["window", &path, "--now", "2025-01-01T00:30:00Z", "--json"]));
    assert_eq!(early["databases"][0]["holes"].as_array().unwrap().len(), 0);
    assert!(early["warnings"].to_string().contains("4 backups finished after"), "{}", early["warnings"]);
}

fn refused(arguments: &[&str]) -> String {
    let answer = bakproof(arguments);
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments:?}: {answer:?}");
    answer.stderr
}

#[test]
fn unreadable_input_is_told_in_one_line() {
    let good = fs::read_to_string(history("DiffRestore")).unwrap();
    let noise: Vec<u8> =
        (0..10_000_000_u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    for (name, content, expected) in [
        ("truncated", good.as_bytes()[..good.len() / 2].to_vec(), "backups["),
        ("noise", noise, "line 1 column"),
        ("empty", vec![], "EOF"),
        ("array", b"[]".to_vec(), "array named \"backups\""),
        ("long_lsn", good.replace("34000000014400001", &"9".repeat(40)).into_bytes(), "backups[0].last_lsn"),
        (
            "type",
            good.replace("\"type\": \"D\"", "\"type\": 4").into_bytes(),
            "backups[0].type: 4 is no text",
        ),
        ("date", good.replacen("2017-05-04T", "2017-13-04T", 1).into_bytes(), "backups[0].backup_start_date"),
    ] {
        let path = file(&format!("{name}.json"), &content);
        let line = refused(&["window", &path]);
        assert_eq!(line.matches('\n').count(), 1, "{name}: {line}");
        assert!(
            line.starts_with(&path) && line.contains(expected) && line.contains("; mend: "),
            "{name}: {line}"
        );
    }
    let line = refused(&["window", "no/such/file.json"]);
    assert!(line.starts_with("no/such/file.json: cannot be read") && line.contains("; mend: "), "{line}");
    let line = refused(&["window", &history("DiffRestore"), "--database", "x"]);
    assert!(line.contains("no database \"x\"; mend: choose one of RestoreTimeDiff"), "{line}");
}

#[test]
fn wrong_usage_is_exit_code_two_and_help_is_none() {
    for arguments in [&[][..], &["window"], &["nonsense"], &["window", "f", "--now", "noon"]] {
        assert_eq!(bakproof(arguments).code, 2, "{arguments:?}");
    }
    let zone = refused(&["window", "f", "--source-zone", "Mars"]);
    assert!(zone.contains("IANA"), "{zone}");
    let help = bakproof(&["window", "--help"]);
    assert!(help.code == 0 && help.stdout.contains("--strict") && help.stderr.is_empty());
}

#[test]
fn a_process_answers_the_same_bytes_whatever_its_environment() {
    let path = history("EmptyTLogData");
    let arguments = ["window", path.as_str(), "--now", "2026-11-21T00:00:00Z", "--json"];
    let here = process(&arguments, &[("TZ", "America/New_York"), ("LANG", "tr_TR.UTF-8")], &fixture(""));
    let there = process(&arguments, &[("TZ", "Asia/Tokyo")], &std::env::temp_dir());
    assert_eq!(here, there);
    assert_eq!(here, bakproof(&arguments));
    let strict =
        process(&["window", &history("copy_only_synthetic"), "--strict"], &[], &std::env::temp_dir());
    assert_eq!(strict.code, 1);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, rng_seed: RngSeed::Fixed(41), cases: 150, ..Config::default() })]

    /// Histories with a few bytes changed are answered or refused in one line.
    #[test]
    fn mutated_histories_never_panic(
        name in prop::sample::select(&HISTORIES[..]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fs::read(history(name)).unwrap();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            // Digits stay digits half of the time: LSNs and dates that parse go deeper than syntax errors.
            bytes[at] = if bytes[at].is_ascii_digit() && byte % 2 == 0 { b'0' + byte % 10 } else { byte };
        }
        if let Some(cut) = cut {
            let length = cut.index(bytes.len());
            bytes.truncate(length);
        }
        let path = file("mutated.json", &bytes);
        let answer = bakproof(&["window", &path, "--json"]);
        match answer.code {
            0 => prop_assert!(serde_json::from_str::<Value>(&answer.stdout).is_ok()),
            2 => prop_assert_eq!(answer.stderr.matches('\n').count(), 1),
            other => prop_assert!(false, "exit code {}", other),
        }
    }
}
