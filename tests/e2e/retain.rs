//! `bakproof retain`: proposals on the histories of others, the shape of the answer, and what is no policy.

use std::fs;

use serde_json::Value;

use crate::command::{Answer, bakproof, file, fixture};

fn path(name: &str) -> String {
    fixture(name).to_str().unwrap().to_owned()
}

fn retain(history: &str, policy: &str, now: &str, more: &[&str]) -> Answer {
    let (history, policy) =
        (path(&format!("histories/{history}.json")), path(&format!("policies/{policy}.toml")));
    bakproof(
        &[&["retain", &history, "--policy", &policy, "--now", now, "--source-zone", "UTC"], more].concat(),
    )
}

fn json(answer: &Answer) -> Value {
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

/// Kinds and number of what may go, in order: `L3 D1`.
fn goes(answer: &Value) -> String {
    let mut kinds: Vec<(String, u32)> = Vec::new();
    for removed in answer["remove"].as_array().unwrap() {
        let kind = removed["kind"].as_str().unwrap();
        match kinds.last_mut().filter(|(last, _)| last == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind.to_owned(), 1)),
        }
    }
    kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn what_may_go_of_histories_that_others_made() {
    for (history, now, expected) in [
        // Two days after the full at 07:42:17; the window begins with it until two days after the differential.
        ("DiffRestore", "2017-05-06T07:42:17Z", ""),
        ("DiffRestore", "2017-05-06T07:49:47Z", ""),
        ("DiffRestore", "2017-05-06T07:49:49Z", "log 3"),
        ("AgDiffRestore", "2017-05-06T07:49:49Z", "log 3"),
        // Then nothing takes its place, and the newest good chain stays for ever.
        ("DiffRestore", "2026-11-21T00:00:00Z", "log 3"),
        // Behind the newer full goes one log that holds something; nothing needs what lies before.
        ("EmptyTLogData", "2017-04-28T12:16:00Z", ""),
        ("EmptyTLogData", "2026-11-21T00:00:00Z", "log 21, full 1"),
        // The copy-only full and its log are the newest good chain; the full before them and stray logs go with their age.
        ("copy_only_synthetic", "2025-01-03T00:10:01Z", "full 1"),
        ("copy_only_synthetic", "2025-01-04T00:00:00Z", "log 2, full 1"),
    ] {
        let answer = json(&retain(history, "two_days", now, &["--json"]));
        assert_eq!(goes(&answer), expected, "{history} {now}: {answer:#}");
        assert_eq!(answer["proof"]["holds"], true);
    }
}

#[test]
fn the_answer_has_the_shape_of_the_contract() {
    let answer = json(&retain("DiffRestore", "two_days", "2017-05-06T07:55:00Z", &["--json"]));
    let (keep, remove) = (answer["keep"].as_array().unwrap(), answer["remove"].as_array().unwrap());
    assert_eq!((keep.len(), remove.len()), (7, 3));
    for kept in keep {
        assert!(kept["backup"].is_string() && kept["database"] == "RestoreTimeDiff", "{kept}");
        assert!(kept["goes_on"].is_null() || kept["goes_on"].is_string(), "{kept}");
        for reason in kept["reasons"].as_array().unwrap() {
            assert!(reason["name"].is_string() && reason["message"].is_string(), "{reason}");
        }
        assert_ne!(kept["reasons"].as_array().unwrap().len(), 0);
    }
    assert!(remove.iter().all(|removed| removed["reason"]["name"] == "Superseded"), "{remove:#?}");
    for windows in [&answer["window_before"], &answer["window_after"]] {
        assert_eq!(windows.as_array().unwrap().len(), 1);
        assert_eq!(windows[0]["intervals"][0]["to"], "2017-05-04T07:59:48.000Z");
    }
    let proof = &answer["proof"]["databases"][0];
    assert_eq!(proof["moments"][0][1], "2017-05-04T07:59:48.000Z");
    assert_eq!((proof["kept"].as_u64(), proof["removed"].as_u64()), (Some(7), Some(3)));
}

#[test]
fn what_is_held_stays_with_all_it_needs() {
    let rows: Value = serde_json::from_slice(&fs::read(path("histories/DiffRestore.json")).unwrap()).unwrap();
    let log = |row: &&Value| row["type"] == "L";
    let second = rows["backups"].as_array().unwrap().iter().filter(log).nth(1).unwrap();
    let hold = format!("{}=audit", second["backup_set_uuid"].as_str().unwrap());
    let answer =
        json(&retain("DiffRestore", "two_days", "2026-11-21T00:00:00Z", &["--json", "--hold", &hold]));
    assert_eq!(goes(&answer), "log 1", "the log behind it, which nothing needs");
    let unknown = retain("DiffRestore", "two_days", "2026-11-21T00:00:00Z", &["--hold", "nothing"]);
    assert_eq!((unknown.code, unknown.stderr.lines().count()), (2, 1), "{unknown:?}");
}

#[test]
fn people_are_told_in_words() {
    let answer = retain("DiffRestore", "two_days", "2017-05-06T07:55:00Z", &[]);
    for part in [
        "What may go by policy two-days, as of 2017-05-06T07:55:00Z: a window of 2 days is promised",
        "Proof holds: promised is what lies at or after 2017-05-04T07:55:00Z; 2017-05-04T07:55:00Z to 2017-05-04T07:59:48Z stays, without a hole",
        "the newest good chain, kept whatever its age",
        "May go, in this order: 3",
    ] {
        assert!(answer.stdout.contains(part), "{part}: {}", answer.stdout);
    }
    // The server's zone unknown: the window is counted longer, and that is said.
    let (history, policy) = (path("histories/DiffRestore.json"), path("policies/two_days.toml"));
    let doubtful = bakproof(&["retain", &history, "--policy", &policy, "--now", "2017-05-06T07:55:00Z"]);
    assert!(doubtful.stdout.contains("counted 12h longer"), "{}", doubtful.stdout);
    assert!(doubtful.stdout.contains("May go, in this order: 0"), "{}", doubtful.stdout);
}

#[test]
fn policies_of_this_repository_are_read_and_others_are_refused_in_one_line() {
    let generations = retain("DiffRestore", "generations", "2017-06-20T00:00:00Z", &["--json"]);
    let keep = json(&generations)["keep"].clone();
    let names: Vec<&str> =
        keep[0]["reasons"].as_array().unwrap().iter().map(|why| why["name"].as_str().unwrap()).collect();
    for name in ["Weekly", "Monthly", "Yearly", "DifferentialBase"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let good = fs::read_to_string(fixture("policies/two_days.toml")).unwrap();
    let history = path("histories/DiffRestore.json");
    for (number, (from, to, part)) in [
        ("window_days = 2", "window_days = 0", "objectives.window_days: 0 is not in 1 to 3650"),
        ("window_days = 2", "window_day = 2", "line 5: unknown field `window_day`"),
        ("name = \"two-days\"", "name = ", "line 2"),
        ("Etc/UTC", "Moon/Crater", "is no IANA time zone"),
        ("[\"sun\"]", "[\"sunday\"]", "\"sunday\" is no day"),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = file(&format!("policy-{number}.toml"), good.replacen(from, to, 1).as_bytes());
        let answer = bakproof(&["retain", &history, "--policy", &policy]);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{to}");
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        assert!(answer.stderr.contains(part) && answer.stderr.contains("mend:"), "{part}: {}", answer.stderr);
    }
    let none = bakproof(&["retain", &history, "--policy", "no-such.toml"]);
    assert_eq!((none.code, none.stderr.lines().count()), (2, 1), "{none:?}");
}

#[test]
fn nothing_is_proposed_on_incomplete_knowledge() {
    let mut rows: Value =
        serde_json::from_slice(&fs::read(path("histories/DiffRestore.json")).unwrap()).unwrap();
    rows["backups"][3].as_object_mut().unwrap().remove("last_lsn").unwrap();
    let history = file("incomplete.json", &serde_json::to_vec(&rows).unwrap());
    let policy = path("policies/two_days.toml");
    let answer = bakproof(&["retain", &history, "--policy", &policy, "--json"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (1, ""), "{answer:?}");
    let refused: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(refused["refused"]["name"], "IncompleteKnowledge", "{refused}");
    assert_eq!(refused["refused"]["class"], "Human");
}
