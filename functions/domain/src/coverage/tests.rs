//! Tables for windows, in notation. A moment `4` is the finish of item 4, `4-` its start.

use jiff::SignedDuration;

use super::*;
use crate::backup::{Backup, Evidence, Kind, Obstacle};
use crate::history::Incomplete;
use crate::notation;

fn moment(at: Timestamp) -> String {
    for number in 0..=200 {
        if at == notation::finished(number) {
            return number.to_string();
        }
        if at == notation::started(number) {
            return format!("{number}-");
        }
    }
    at.to_string()
}

/// `[1..4 on 1 +2..4 (3)]` intervals, `.5` points, `~3` orphans, `{4..6 log_gap 48..60}` holes.
fn show(window: &Window) -> String {
    let mut parts = Vec::new();
    for interval in &window.intervals {
        let logs = &interval.logs;
        let id = |id: &Option<BackupId>| id.as_ref().map_or_else(String::new, BackupId::to_string);
        let logs = format!("+{}..{} ({})", id(&logs.first), id(&logs.last), logs.count);
        let held = if interval.held_in == HeldIn::Service { " service" } else { "" };
        let (from, to) = (moment(interval.from), moment(interval.to));
        parts.push(format!("[{from}..{to} on {} {logs}{held}]", interval.anchor));
    }
    for point in &window.points {
        assert_eq!(moment(point.at), point.backup.as_str());
        parts.push(format!(".{}", point.backup));
    }
    parts.extend(window.orphans.iter().map(|orphan| format!("~{}", orphan.backup)));
    for hole in &window.holes {
        let lsn = |lsn: Option<Lsn>| lsn.map_or_else(String::new, |lsn| lsn.to_string());
        let (from, to) = (moment(hole.from), moment(hole.to));
        let cause = hole.cause.as_str();
        parts.push(format!("{{{from}..{to} {cause} {}..{}}}", lsn(hole.from_lsn), lsn(hole.to_lsn)));
        assert!(hole.detail.len() > 10 && hole.repair.ends_with('.'), "{hole:?}");
    }
    parts.join(" ")
}

fn of(rows: Vec<Backup>, incomplete: Vec<Incomplete>) -> (Window, Vec<String>) {
    let history = History::build(rows, incomplete, Timestamp::MAX).unwrap();
    assert_eq!(history.lineages().len(), 1);
    window(&history.lineages()[0])
}

#[track_caller]
fn check(line: &str, expected: &str) {
    let rows = notation::backups(line).unwrap();
    let (window, _) = of(rows.clone(), vec![]);
    assert_eq!(show(&window), expected, "{line}");
    let (turned, _) = of(rows.into_iter().rev().collect(), vec![]);
    assert_eq!(turned, window, "the order of the input decides nothing: {line}");
}

#[test]
fn an_interval_goes_from_its_earliest_anchor_to_its_last_log() {
    check("F1", ".1");
    check("F1 L2 L3", "[1..3 on 1 +2..3 (2)]");
    check("F1 L2 D3 L4 F5 L6", "[1..6 on 1 +2..6 (3)]");
    check("F1 L2 C3 L4", "[1..4 on 1 +2..4 (2)]");
    check("C1 L2[10-28] L3", "[1..3 on 1 +2..3 (2)]");
    check("F1 L2 F3", "[1..2 on 1 +2..2 (1)] .3 {2..3 log_gap 28..35}");
    check("F1 L2= L3=", ".1");
    check("F1 L2[10-15] L3[15-15]", "[1..3 on 1 +.. (0)]");
    check("F1 L2 L3= L4=", "[1..4 on 1 +2..2 (1)]");
    check("F1 L2 L3[20-25] L4[24-48]", "[1..4 on 1 +2..4 (2)]");
    check("F1 L2[10-25] L3[10-28] L4", "[1..4 on 1 +3..4 (2)]");
}

#[test]
fn a_hole_has_the_first_lsn_that_fails() {
    check("F1 L2 | L3 D4 L5", "[1..2 on 1 +2..2 (1)] [4..5 on 4 +5..5 (1)] {2..4 log_gap 28..30}");
    check("F1 L2 | D4 L5", "[1..2 on 1 +2..2 (1)] [4..5 on 4 +5..5 (1)] {2..4 log_gap 28..40}");
    check("F1 L2 | L3 L4", "[1..2 on 1 +2..2 (1)] {2..4 log_gap 28..30}");
    check("F1 L2! L3 D4 L5", "[4..5 on 4 +5..5 (1)] .1 {1..4 damaged 15..28}");
    check("F1 L2 L3- L4", "[1..2 on 1 +2..2 (1)] {2..4 missing_stripe 28..38}");
    check("F1$ F2$ F3$", ".1 .2 .3 {1..2 simple_recovery 15..25} {2..3 simple_recovery 25..35}");
    check("F1$ D2 L3", "[2..3 on 2 +3..3 (1)] .1 {1..2 simple_recovery 15..25}");
    check(
        "F1 L2 | F4$ F5$",
        "[1..2 on 1 +2..2 (1)] .4 .5 {2..4 simple_recovery 28..45} {4..5 simple_recovery 45..55}",
    );
}

#[test]
fn bulk_logged_changes_cannot_be_stopped_inside() {
    check("F1 L2 L3% L4", "[1..2 on 1 +2..2 (1)] [3..4 on 1 +2..4 (3)] {2..3 bulk_logged 28..38}");
    check("F1 L2 L3%", "[1..2 on 1 +2..2 (1)] [3..3 on 1 +2..3 (2)] {2..3 bulk_logged 28..38}");
    check(
        "F1 L2 D3 L4% L5",
        "[1..2 on 1 +2..2 (1)] [4..5 on 1 +2..5 (3)] .3 {2..3 bulk_logged 28..48} {3..4 bulk_logged 35..48}",
    );
    // A copy-only log over the same records has no bulk-logged extents to read: it covers them.
    check("F1 L2%[10-28] L3[10-38]", "[1..3 on 1 +3..3 (1)]");
}

#[test]
fn a_damaged_set_never_anchors_and_breaks_the_chain() {
    check("F1! L2 F3 L4", "[3..4 on 3 +4..4 (1)] {1-..3 damaged 10..35}");
    check("F1 F2! L3", "[1..3 on 1 +3..3 (1)]");
    check("F1 F2!", ".1 {1..2 damaged 15..25}");
    check("F1! L2 L3", "{1-..3 damaged 10..38}");
    check("F1 F2- D3", ".1 ~3 {1..3 missing_stripe 15..25}");
}

#[test]
fn what_lies_before_the_first_full_is_a_leading_hole() {
    check("L1 L2 F3 L4", "[3..4 on 3 +4..4 (1)] {1-..3 before_first_backup 10..35}");
    check("L1 L2", "{1-..2 no_anchor 10..28}");
    check("S1", "");
    check("S1 F2 L3[20-38]", "[2..3 on 2 +3..3 (1)]");
}

#[test]
fn orphans_are_named_and_leave_a_hole_behind_the_last_moment() {
    check("F1 S2 D3", ".1 ~3 {1..3 no_anchor 15..30}");
    check("F1 S2 D3 F4", ".1 .4 ~3 {1..4 log_gap 15..45}");
    check("F1 C2 D3", ".1 .2 .3 {1..2 log_gap 15..25} {2..3 log_gap 25..35}");
}

#[test]
fn forks_are_never_mixed() {
    // Restored into log 3 and recovered there: log 5 carries the tail of a and the head of b.
    check(
        "F1@a L2@a L3@a L4@a L5@a>b:30[28-58] L6@b",
        "[1..4 on 1 +2..4 (3)] [5-..6 on 1 +2..6 (3)] {4..5- fork 48..58}",
    );
    check(
        "F1@a L2@a L3@a F5@b L6@b[50-68]",
        "[1..3 on 1 +2..3 (2)] [5..6 on 5 +6..6 (1)] {3..5 fork 38..55}",
    );
    check("F1@a L2@a L3@b", "[1..2 on 1 +2..2 (1)] ~3 {2..3 fork 28..38}");
    // Recovered past the fork point: nothing that we hold reaches the new branch.
    check("F1@a L2@a L3@a>b:20[28-38] L4@b", "[1..2 on 1 +2..2 (1)] {2..4 fork 28..38}");
    check("F1 L2@a L3@a", "[1..3 on 1 +2..3 (2)]");
    check("F1@a L2 L3 F5@b L6", "[1..3 on 1 +2..3 (2)] [5..6 on 5 +6..6 (1)] {3..5 fork 38..55}");
}

#[test]
fn what_the_service_keeps_is_told_apart() {
    check("F1 L2 L3^ L4^", "[1..2 on 1 +2..2 (1)] [2..4 on 1 +2..4 (3) service]");
    check("F1 L2^ L3^", "[1..3 on 1 +2..3 (2) service]");
    check("F1 L2 L3^ D4 L5 L6", "[1..2 on 1 +2..2 (1)] [2..4 on 1 +2..5 (3) service] [4..6 on 4 +5..6 (2)]");
}

#[test]
fn rows_without_lsns_are_evidence() {
    let lacks = |number: u32, kind| Incomplete {
        name: number.to_string(),
        database: "db".into(),
        kind,
        family_guid: None,
        database_guid: None,
        started: notation::started(number),
        finished: notation::finished(number),
        lacks: "last_lsn".to_owned(),
    };
    let rows = |line| notation::backups(line).unwrap();
    let (window, _) = of(rows("F1 L2 | L4 D5"), vec![lacks(3, Kind::Log)]);
    assert_eq!(show(&window), "[1..2 on 1 +2..2 (1)] .5 {2..5 incomplete_import 28..40}");
    let (window, _) = of(rows("F1 L2"), vec![lacks(3, Kind::Log)]);
    assert_eq!(show(&window), "[1..2 on 1 +2..2 (1)] {2..3 incomplete_import 28..}");
    let (window, _) = of(rows("L2 F3"), vec![lacks(1, Kind::Full)]);
    assert_eq!(show(&window), ".3 {1-..3 incomplete_import 20..35}");
    let (window, _) = of(vec![], vec![lacks(1, Kind::Full)]);
    assert_eq!(show(&window), "{1-..1 incomplete_import ..}");
}

#[test]
fn a_full_known_from_its_task_is_a_point_and_anchors_nothing() {
    let mut rows = notation::backups("F1 L2").unwrap();
    rows[0].evidence = Evidence::Task;
    (rows[0].first_lsn, rows[0].last_lsn) = (Lsn::ZERO, Lsn::ZERO);
    let (window, warnings) = of(rows, vec![]);
    assert_eq!(show(&window), ".1 {1..2 no_anchor ..10}");
    assert!(warnings.iter().any(|warning| warning.contains("task")), "{warnings:?}");
}

#[test]
fn obstacles_are_causes() {
    for (obstacle, cause) in [(Obstacle::UnreadableKey, "unreadable_key"), (Obstacle::Archived, "archived")] {
        let mut rows = notation::backups("F1 L2 L3").unwrap();
        rows[1].obstacle = Some(obstacle);
        let (window, _) = of(rows, vec![]);
        assert_eq!(show(&window), format!(".1 {{1..3 {cause} 15..28}}"));
    }
}

#[test]
fn the_last_valid_restore_time_ends_an_interval_and_makes_no_hole_where_no_lsn_fails() {
    let mut rows = notation::backups("F1 L2 F3 L4").unwrap();
    rows[3].last_valid_restore_time = Some(notation::started(3));
    let (window, _) = of(rows, vec![]);
    assert_eq!(show(&window), "[1..3- on 1 +2..4 (2)] .3");
}

/// The rows of a line, those named with the last commit at the start of an item.
fn with_last_commits(line: &str, commits: &[(&str, u32)]) -> Vec<Backup> {
    let mut rows = notation::backups(line).unwrap();
    for (id, number) in commits {
        let row = rows.iter_mut().find(|row| row.id.as_str() == *id).unwrap();
        row.last_valid_restore_time = Some(notation::started(*number));
    }
    rows
}

#[test]
fn a_log_that_crosses_a_fork_proves_no_moment_without_a_commit_since_it_began() {
    let line = "F1@a L2@a L5@a>b:28[28-58]";
    let (window, _) = of(with_last_commits(line, &[("5", 4)]), vec![]);
    assert_eq!(show(&window), "[1..2 on 1 +2..2 (1)]");
    let (window, _) = of(with_last_commits(&format!("{line} L6@b"), &[("5", 4)]), vec![]);
    assert_eq!(show(&window), "[1..2 on 1 +2..2 (1)] [5-..6 on 1 +2..6 (3)] {2..5- fork 28..58}");
}

#[test]
fn a_full_right_behind_a_fork_is_not_shadowed_by_the_log_that_crosses_it() {
    check(
        "F1@a L2@a F4@b[30-58] L5@a>b:28[28-58] L6=@b",
        "[1..2 on 1 +2..2 (1)] [4..6 on 4 +.. (0)] {2..4 fork 28..58}",
    );
}

#[test]
fn bulk_logged_changes_backed_up_twice_end_at_two_moments() {
    let (window, _) = of(with_last_commits("F1 L2%[10-28] L3%[10-28]", &[("2", 2), ("3", 2)]), vec![]);
    assert_eq!(show(&window), "[2..2 on 1 +2..2 (1)] [3..3 on 1 +3..3 (1)] .1 {1..2 bulk_logged 15..28}");
}

#[test]
fn a_clock_that_jumps_back_is_a_warning_and_never_turns_an_interval_around() {
    let mut rows = notation::backups("F5 L6 L7").unwrap();
    for (row, number) in rows[1..].iter_mut().zip([1, 2]) {
        row.started = notation::started(number);
        row.finished = notation::finished(number);
    }
    let (window, warnings) = of(rows, vec![]);
    assert_eq!(show(&window), ".5");
    assert!(warnings.iter().any(|warning| warning.contains("clock")), "{warnings:?}");
}

#[test]
fn a_moment_is_held_or_has_a_hole_and_neighbours() {
    let history = notation::history("F1 L2 | L3 F4").unwrap();
    let (window, _) = window(&history.lineages()[0]);
    let inside = notation::finished(1) + SignedDuration::from_mins(5);
    let moments = window.moments();
    assert!(
        moments.hold(inside) && moments.hold(notation::finished(4)) && !moments.hold(notation::finished(3))
    );
    let nearest = moments.nearest(notation::finished(3));
    assert_eq!(nearest, (Some(notation::finished(2)), Some(notation::finished(4))));
    assert_eq!(window.hole_at(notation::finished(3)).map(|hole| hole.cause), Some(Cause::LogGap));
    assert_eq!(moments.nearest(inside), (Some(inside), Some(inside)));
}

/// Only what takes a chain of restores is refused on older Multi-AZ instances, and only RDS refuses it.
#[test]
fn a_window_says_where_it_can_be_restored() {
    let arn = |name: &str| crate::backup::Stripes::present([format!("arn:aws:s3:::vault/{name}")]);
    for (line, expected) in [
        ("F1", Target::Any),
        ("F1 L2", Target::SingleAz),
        ("F1 | D2", Target::SingleAz),
        ("F1 L2^", Target::SingleAz),
    ] {
        let mut rows = notation::backups(line).unwrap();
        rows[0].stripes = arn("1");
        assert_eq!(of(rows, vec![]).0.target, expected, "{line}");
    }
    assert_eq!(of(notation::backups("F1 L2").unwrap(), vec![]).0.target, Target::Any);
}

#[test]
fn json_is_the_contract() {
    let history = notation::history("F1 L2 | F4").unwrap();
    let report = report(&history, notation::finished(9), |_| true);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["now"], "2026-01-01T09:10:00.000Z");
    let database = &json["databases"][0];
    assert_eq!(database["target"], "any");
    assert_eq!(database["intervals"][0]["logs"], serde_json::json!({"count": 1, "first": "2", "last": "2"}));
    assert_eq!(database["intervals"][0]["held_in"], "vault");
    assert_eq!(database["points"][0], serde_json::json!({"at": "2026-01-01T04:10:00.000Z", "backup": "4"}));
    let hole = &database["holes"][0];
    assert_eq!((hole["from_lsn"].as_str(), hole["to_lsn"].as_str()), (Some("28"), Some("45")));
    assert_eq!(hole["cause"], "log_gap");
}
