//! `bakproof simulate` as people run it: verdicts as exit codes, the same bytes everywhere, mistakes in one line.

use std::fs;

use serde_json::Value;

use crate::command::{Answer, bakproof, file, fixture, process};

/// A story of an hour's worth of work: one instance, two small databases.
const SMALL: &str = r#"
name = "small"
seed = 7
start = "2026-11-16T00:00:00Z"
days = 1
[policy]
name = "weekly"
[policy.objectives]
window_days = 7
rpo_minutes = { damage = 10, instance = 500 }
[policy.schedule]
time_zone = "Europe/Berlin"
full = { days = ["sun"], at = "01:00" }
log_copy = { every_minutes = 360 }
[vault]
name = "main"
bucket = "vault"
[[instance]]
name = "sales"
multi_az = "single_az"
backup_window = "03:00-03:30"
maintenance_window = "sun:04:30-sun:05:00"
retention_days = 7
mib_per_second = 200
utc_offset_minutes = 60
[[instance.database]]
name = "tenant-{n}"
count = 2
size_gib = [1, 4]
transactions_per_minute = 6
"#;

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Where a report may be written: a file of the test's own.
fn report(name: &str) -> String {
    file(name, b"")
}

/// The command line that a report offers to see it again, as arguments.
fn again(answer: &Answer) -> Vec<String> {
    let line = answer.stdout.lines().find_map(|line| line.strip_prefix("again:")).unwrap();
    let mut words = line.split_whitespace().map(str::to_owned);
    assert_eq!(words.next().as_deref(), Some("bakproof"));
    words.collect()
}

#[test]
fn the_bundled_story_holds_and_says_so() {
    let path = report("quickstart.report.json");
    let answer = bakproof(&["simulate", "--days", "1", "--json", &path]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
    assert!(answer.stdout.contains("verdict: everything held"), "{}", answer.stdout);
    let report = json(&path);
    assert_eq!((&report["holds"], &report["scenario"]), (&Value::Bool(true), &Value::from("quickstart")));
    assert_eq!(report["databases"].as_array().unwrap().len(), 30);
    assert_eq!(report["expectations"], Value::Array(vec![]), "they were worked out for seven days");
    for checker in report["checkers"].as_array().unwrap() {
        assert_eq!(checker["objections"], Value::Array(vec![]), "{checker}");
        assert!(checker["looked_at"].as_u64() > Some(0), "{checker}");
    }
    assert_eq!(again(&answer), ["simulate", "--seed", "20261116", "--days", "1"]);
}

#[test]
fn two_processes_write_the_same_bytes_whatever_surrounds_them() {
    let scenario = file("small.toml", SMALL.as_bytes());
    let run = |name: &str, environment: &[(&str, &str)], folder: &std::path::Path| {
        let path = report(name);
        let answer = process(&["simulate", &scenario, "--json", &path], environment, folder);
        assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{}", answer.stdout);
        (answer, fs::read(path).unwrap())
    };
    let (here, first) = run(
        "here.json",
        &[("TZ", "America/New_York"), ("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8")],
        &fixture(""),
    );
    let (there, second) = run("there.json", &[("TZ", "Asia/Tokyo"), ("LANG", "C")], &std::env::temp_dir());
    assert_eq!(here, there);
    assert_eq!(first, second);
    assert!(first.len() > 1_000);
}

#[test]
fn the_command_that_is_printed_shows_the_same_again() {
    let scenario = file("again.toml", SMALL.as_bytes());
    let first = process(&["simulate", &scenario, "--seed", "99"], &[], &std::env::temp_dir());
    let arguments = again(&first);
    assert_eq!(arguments, ["simulate", &scenario, "--seed", "99", "--days", "1"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(process(&arguments, &[], &std::env::temp_dir()), first);
    let other = bakproof(&["simulate", &scenario, "--seed", "98"]);
    assert_ne!(other.stdout.replace("98", "99"), first.stdout, "another seed tells another story");
}

#[test]
fn what_does_not_hold_is_exit_code_one() {
    for (name, from, to, expected) in [
        ("promise", "instance = 500", "instance = 60", "broken for 2 databases"),
        (
            "expectation",
            "[vault]",
            "[expect.fulls_succeeded]\nis = 3\nbecause = \"a number nobody worked out\"\n[vault]",
            "! fulls succeeded",
        ),
        ("bucket", "bucket = \"vault\"", "bucket = \"vault\"\nregion = \"us-east-1\"", "BucketInOtherRegion"),
    ] {
        let scenario = file(&format!("{name}.toml"), SMALL.replacen(from, to, 1).as_bytes());
        let answer = bakproof(&["simulate", &scenario]);
        assert_eq!((answer.code, answer.stderr.as_str()), (1, ""), "{name}: {}", answer.stdout);
        assert!(answer.stdout.contains("verdict: SOMETHING DID NOT HOLD"), "{name}: {}", answer.stdout);
        assert!(answer.stdout.contains(expected), "{name}: {}", answer.stdout);
    }
}

#[test]
fn a_scenario_that_cannot_be_read_is_told_in_one_line() {
    let noise: Vec<u8> =
        (0..100_000_u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    for (name, content, expected) in [
        ("truncated", SMALL.as_bytes()[..SMALL.len() / 2].to_vec(), "line "),
        ("noise", noise, "cannot be read"),
        ("empty", vec![], "missing field"),
        ("no_days", SMALL.replace("days = 1", "days = 0").into_bytes(), "days: 0 is not in 1 to 400"),
        (
            "unknown",
            SMALL.replace("mib_per_second", "mib_per_minute").into_bytes(),
            "unknown field `mib_per_minute`",
        ),
        ("window", SMALL.replace("03:00-03:30", "3am").into_bytes(), "\"3am\" is no window"),
        ("zone", SMALL.replace("Europe/Berlin", "Moon/Crater").into_bytes(), "is no IANA time zone"),
        (
            "history",
            SMALL.replace("count = 2", "count = 2\nhistory = \"nowhere.json\"").into_bytes(),
            "nowhere.json",
        ),
    ] {
        let path = file(&format!("{name}.bad.toml"), &content);
        let answer = bakproof(&["simulate", &path]);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{name}: {answer:?}");
        assert_eq!(answer.stderr.matches('\n').count(), 1, "{name}: {}", answer.stderr);
        assert!(answer.stderr.contains(expected), "{name}: {}", answer.stderr);
    }
    let answer = bakproof(&["simulate", "no/such/scenario.toml"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    assert!(answer.stderr.starts_with("no/such/scenario.toml: cannot be read: "), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("; mend: ") && answer.stderr.matches('\n').count() == 1,
        "{}",
        answer.stderr
    );
}

#[test]
fn a_report_that_cannot_be_written_is_told() {
    let scenario = file("unwritable.toml", SMALL.as_bytes());
    let answer = bakproof(&["simulate", &scenario, "--json", "no/such/folder/report.json"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""));
    assert!(
        answer.stderr.starts_with("no/such/folder/report.json: cannot be written: "),
        "{}",
        answer.stderr
    );
}

#[test]
fn wrong_arguments_are_exit_code_two() {
    for arguments in [
        &["--days", "0"][..],
        &["--days", "401"],
        &["--days", "x"],
        &["--seed", "-1"],
        &["a.toml", "b.toml"],
        &["--fast"],
    ] {
        let answer = bakproof(&[&["simulate"], arguments].concat());
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!answer.stderr.is_empty(), "{arguments:?}");
    }
}
