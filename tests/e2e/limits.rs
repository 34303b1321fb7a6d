//! `bakproof limits`: every row with its source, for people and as JSON.

use serde_json::Value;

use crate::command::bakproof;

const PROFILES: [&str; 5] = ["rds", "rds2023", "rds2019", "url", "azure_vm"];

#[test]
fn every_row_has_value_unit_source_and_date_in_both_faces() {
    let text = bakproof(&["limits"]);
    let json = bakproof(&["limits", "--json"]);
    assert_eq!((text.code, json.code, text.stderr.as_str(), json.stderr.as_str()), (0, 0, "", ""));
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let profiles = json["profiles"].as_array().unwrap();
    let names: Vec<&str> = profiles.iter().map(|profile| profile["profile"].as_str().unwrap()).collect();
    assert_eq!(names, PROFILES);
    let mut rows = 0;
    for limit in profiles.iter().flat_map(|profile| profile["limits"].as_array().unwrap()) {
        assert!(limit["value"].as_u64().is_some_and(|value| value > 0), "{limit}");
        assert!(limit["unit"].is_string() && limit["name"].is_string(), "{limit}");
        let source = format!("{}, {}", limit["source"].as_str().unwrap(), limit["date"].as_str().unwrap());
        assert!(text.stdout.contains(&source), "{source}");
        assert!(text.stdout.contains(limit["says"].as_str().unwrap()), "{limit}");
        rows += 1;
    }
    assert!(rows >= 50, "{rows} rows");
    let ranges = json["policy"].as_array().unwrap();
    assert!(ranges.iter().all(|range| text.stdout.contains(range["field"].as_str().unwrap())), "{ranges:?}");
    assert_eq!(ranges.len(), 16);
}

#[test]
fn one_profile_is_chosen_by_name() {
    let answer = bakproof(&["limits", "--profile", "rds2019"]);
    assert_eq!(answer.code, 0);
    assert!(answer.stdout.starts_with("Profile rds2019\n"), "{}", answer.stdout);
    assert_eq!(answer.stdout.matches("Profile ").count(), 1);
    let wrong = bakproof(&["limits", "--profile", "rds2018"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    assert_eq!(wrong.stderr.lines().count(), 1, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("rds2018"), "{}", wrong.stderr);
}
