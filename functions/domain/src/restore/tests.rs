//! Plans of small histories, in notation: `F1 D2 L3 to 3` is a full, a differential on it and a log, to the finish of item 3.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Plan, Planner, Refusal, Request, Target, check};
use crate::backup::{Backup, Evidence};
use crate::chain::State;
use crate::history::History;
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;
use crate::notation;

fn built(rows: Vec<Backup>) -> History {
    History::build(rows, vec![], Timestamp::MAX).unwrap()
}

/// The plan of a request, checked; or the refusal.
fn answer(history: &History, request: &Request) -> Result<Plan, Box<Refusal>> {
    let lineage = &history.lineages()[0];
    let plan = Planner::new(lineage).plan(request)?;
    check(&plan, lineage.backups(), request).unwrap_or_else(|error| panic!("{error}: {plan:#?}"));
    Ok(plan)
}

/// `F1 L2 L3` with `:` before the logs that are stopped.
fn show(plan: &Plan, history: &History) -> String {
    let stops = plan.steps.iter().any(|step| step.stop_at.is_some());
    let names: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.action != Action::Recover)
        .map(|step| {
            let id = step.backup.as_ref().unwrap();
            let mark = step.stop_before_lsn.map_or_else(String::new, |lsn| format!("<{lsn}"));
            format!("{}{mark}", notation::short(history.find(id.as_str()).unwrap().1))
        })
        .collect();
    format!("{}{}", names.join(" "), if stops { " stop" } else { "" })
}

fn said(history: &History, request: &Request) -> String {
    match answer(history, request) {
        Ok(plan) => show(&plan, history),
        Err(refusal) => format!("refused {}", refusal.reason.name),
    }
}

/// Half an hour before item `n` finishes: inside the log of item `n`.
fn inside(number: u32) -> Request {
    Request::at(Target::Moment(notation::finished(number) - SignedDuration::from_mins(30)))
}

fn end(number: u32) -> Request {
    Request::at(Target::Moment(notation::finished(number)))
}

fn latest() -> Request {
    Request::at(Target::Latest)
}

#[track_caller]
fn plan(line: &str, request: &Request, expected: &str) {
    let history = notation::history(line).unwrap();
    assert_eq!(said(&history, request), expected, "{line} {request:?}");
}

#[test]
fn the_newest_data_backup_that_reaches_the_moment_wins() {
    plan("F1 L2 L3 L4", &inside(3), "F1 L2 L3 stop");
    plan("F1 L2 L3 L4", &end(3), "F1 L2 L3 stop");
    plan("F1 L2 L3 L4", &latest(), "F1 L2 L3 L4");
    plan("F1 L2 D3 L4", &inside(4), "F1 D3 L4 stop");
    plan("F1 L2 D3 L4", &inside(3), "F1 L2 L4 stop");
    plan("F1 D2 L3 D4 F5 L6", &latest(), "F5 L6");
    plan("F1 L2 C3 L4", &latest(), "C3 L4");
    plan("F1 C2 D3 L4", &latest(), "F1 D3 L4");
    plan("F1", &end(1), "F1");
    plan("F1 L2 D3", &end(3), "F1 D3");
}

#[test]
fn a_broken_chain_falls_back_to_an_older_base() {
    plan("F1 L2 F3! L4", &latest(), "F1 L2 L4");
    plan("F1 D2 L3 D4- L5", &latest(), "F1 D2 L3 L5");
    plan("F1 L2 F3- D4 L5", &latest(), "F1 L2 L5");
    plan("F1 S2 D3 L4", &latest(), "F1 L4");
    let history = notation::history("F1 L2 F3! L4").unwrap();
    let plan = answer(&history, &latest()).unwrap();
    assert!(plan.warnings[0].contains("full 3 would have been nearer but is damaged"), "{:?}", plan.warnings);
}

#[test]
fn a_moment_in_a_hole_is_refused_with_its_cause_and_neighbours() {
    plan("F1 L2 | L4 F5", &inside(4), "refused LogGap");
    plan("F1 L2! L3 F4", &inside(3), "refused Damaged");
    plan("F1 L2- L3 F4", &inside(2), "refused MissingStripe");
    plan("F1 L2", &inside(9), "refused AfterLastBackup");
    plan("F2 L3", &inside(1), "refused BeforeFirstBackup");
    plan("L1 L2", &latest(), "refused NoAnchor");
    let history = notation::history("F1 L2 | L3 F4").unwrap();
    let refusal = answer(&history, &inside(3)).unwrap_err();
    assert_eq!(refusal.nearest_before, Some(notation::finished(2)));
    assert_eq!(refusal.nearest_after, Some(notation::finished(4)));
    assert!(refusal.reason.message.contains("log_gap"), "{}", refusal.reason.message);
    let json = serde_json::to_value(&refusal).unwrap();
    assert_eq!((json["name"].as_str(), json["class"].as_str()), (Some("LogGap"), Some("Human")));
    assert_eq!(json["nearest_after"], "2026-01-01T04:10:00.000Z");
}

#[test]
fn a_bulk_logged_log_is_never_stopped_inside() {
    plan("F1 L2 L3% L4", &inside(3), "refused BulkLogged");
    plan("F1 L2 L3% L4", &end(3), "F1 L2 L3 stop");
    plan("F1 L2 L3% L4", &inside(4), "F1 L2 L3 L4 stop");
    plan("F1 L2%[10-28] L3[10-38]", &inside(2), "F1 L3 stop");
    plan("F1 L2%[10-28] L3[10-38]", &inside(3), "F1 L3 stop");
}

/// A history with the last commit of one log at the start of an item.
fn with_last_commit(line: &str, id: &str, number: u32) -> History {
    let mut rows = notation::backups(line).unwrap();
    let row = rows.iter_mut().find(|row| row.id.as_str() == id).unwrap();
    row.last_valid_restore_time = Some(notation::started(number));
    built(rows)
}

#[test]
fn what_applies_whole_ends_with_its_backup_and_not_with_its_last_commit() {
    let history = with_last_commit("F1 L2%", "2", 2);
    assert_eq!(said(&history, &end(2)), "F1 L2 stop");
    assert_eq!(answer(&history, &latest()).unwrap().recovers_to, notation::finished(2));
    let crossing = with_last_commit("F1@a L2%@a>b:15[10-28]", "2", 2);
    assert_eq!(said(&crossing, &end(2)), "F1 L2 stop");
}

#[test]
fn a_log_that_crosses_a_fork_leads_to_nothing_before_it_began() {
    let history = with_last_commit("F1@a L2@a L5@a>b:28[28-58] L6=@b[58-58]", "5", 4);
    for (moment, said_of_it) in [
        (notation::started(4), "refused Fork"),
        (notation::started(5) - SignedDuration::from_secs(1), "refused Fork"),
        (notation::started(5), "F1 L2 L5 stop"),
        (notation::finished(6), "F1 L2 L5 stop"),
    ] {
        assert_eq!(said(&history, &Request::at(Target::Moment(moment))), said_of_it, "{moment}");
    }
}

#[test]
fn empty_and_overlapping_logs_are_no_steps() {
    plan("F1 L2[10-15] L3[15-15]", &latest(), "F1");
    plan("F1 L2[10-15] L3[15-15]", &inside(3), "F1");
    plan("F1 L2 L3= L4=", &latest(), "F1 L2");
    plan("F1 L2 L3[20-25] L4[24-48]", &latest(), "F1 L2 L4");
    plan("F1 L2[10-25] L3[10-28] L4", &latest(), "F1 L3 L4");
    let history = notation::history("F1 L2 L3= L4=").unwrap();
    assert_eq!(answer(&history, &latest()).unwrap().recovers_to, notation::finished(4));
}

#[test]
fn forks_are_followed_to_the_one_that_holds_the_target() {
    let line = "F1@a L2@a L3@a L4@a L5@a>b:30[28-58] L6@b";
    plan(line, &inside(3), "F1 L2 L3 stop");
    plan(line, &inside(4), "F1 L2 L3 L4 stop");
    plan(line, &inside(6), "F1 L2 L5 L6 stop");
    plan(line, &latest(), "F1 L2 L5 L6");
    plan("F1@a L2@a L3@a F5@b L6@b[50-68]", &latest(), "F5 L6");
    plan("F1@a L2@a L3@b", &latest(), "refused Fork");
    plan("F1@a L2@a L3@a>b:20[28-38] L4@b", &latest(), "refused Fork");
    // Two forks hold the moment: the one begun last is where the database was.
    plan("F1@a L2@a F4@b[20-25] L5@b[20-58] L6@a[28-68]", &inside(5), "F4 L5 stop");
}

#[test]
fn an_lsn_is_the_end_of_a_backup_or_lies_inside_a_log() {
    let lsn = |value| Request::at(Target::Lsn(Lsn::from_u64(value)));
    plan("F1 L2 L3 L4", &lsn(28), "F1 L2");
    plan("F1 L2 L3 L4", &lsn(15), "F1");
    plan("F1 L2 L3 L4", &lsn(33), "F1 L2 L3<33");
    plan("F1 L2 L3% L4", &lsn(33), "refused BulkLogged");
    plan("F1 L2 | L4", &lsn(35), "refused LogGap");
    plan("F1 L2", &lsn(99), "refused LsnUnknown");
    plan("F1 L2", &lsn(3), "refused LsnUnknown");
    let mut rows = notation::backups("F1 L2 L3").unwrap();
    rows[0].stripes = crate::backup::Stripes::present(["arn:aws:s3:::vault/full.bak"]);
    assert_eq!(said(&built(rows.clone()), &lsn(33)), "refused LsnInsideLog");
    assert_eq!(said(&built(rows.clone()), &lsn(28)), "F1 L2");
    // The way holds none of the files that say so.
    let redo = rows[1].last_lsn;
    let from = Request { continue_from: Some(State { redo_lsn: redo, fork: None }), ..lsn(33) };
    assert_eq!(said(&built(rows), &from), "refused LsnInsideLog");
}

#[test]
fn a_point_is_restored_alone() {
    let point = |number| Request::at(Target::Point(notation::id(number)));
    plan("F1 L2 D3 L4", &point(3), "F1 D3");
    plan("F1 L2 C3 L4", &point(3), "C3");
    plan("F1 L2", &point(2), "refused NotAPoint");
    plan("F1 S2 D3", &point(3), "refused NoBase");
    plan("F1 S2", &point(2), "refused NotOurs");
    plan("F1!", &point(1), "refused Damaged");
    plan("F1", &point(9), "refused UnknownBackup");
    let mut rows = notation::backups("F1 L2").unwrap();
    rows[0].evidence = Evidence::Task;
    (rows[0].first_lsn, rows[0].last_lsn) = (Lsn::ZERO, Lsn::ZERO);
    assert_eq!(said(&built(rows.clone()), &point(1)), "F1");
    assert_eq!(said(&built(rows.clone()), &end(1)), "F1");
    assert_eq!(said(&built(rows), &latest()), "refused NoAnchor");
}

#[test]
fn a_database_that_is_restoring_takes_the_logs_from_where_it_stands() {
    let from = |lsn, fork: Option<&str>, at| Request {
        at,
        continue_from: Some(State { redo_lsn: Lsn::from_u64(lsn), fork: fork.map(Guid::from) }),
    };
    plan("F1 L2 L3 L4", &from(28, None, Target::Latest), "L3 L4");
    plan("F1 L2 L3 F4 L5", &from(20, None, Target::Latest), "L2 L3 L5");
    plan("F1 L2 L3 L4", &from(28, None, inside(3).at), "L3 stop");
    plan("F1 L2 L3 L4", &from(28, None, Target::Lsn(Lsn::from_u64(38))), "L3");
    plan("F1 L2 | L4", &from(28, None, Target::Latest), "refused NotFromHere");
    plan("F1 L2 L3", &from(48, None, Target::Latest), "refused NotFromHere");
    plan("F1 L2 L3", &from(28, None, Target::Point(BackupId::new("1"))), "refused PointNeedsBeginning");
    let forked = "F1@a L2@a L3@a L4@a L5@a>b:30[28-58] L6@b";
    plan(forked, &from(28, Some("a"), Target::Latest), "L5 L6");
    plan(forked, &from(28, Some("a"), inside(4).at), "L3 L4 stop");
    plan(forked, &from(38, Some("a"), Target::Latest), "refused NotFromHere");
    plan(forked, &from(28, Some("z"), Target::Latest), "refused NotFromHere");
    // What it holds already cannot be taken back, whatever proves it: a log, or a full that ends inside one.
    plan("F1 L2 L3 L4", &from(38, None, inside(3).at), "refused PastTheMoment");
    plan("F1 L2 L3 L4", &from(38, None, end(3).at), "");
    plan("F1 L2 F3[20-34] L4[28-48]", &from(34, None, inside(3).at), "refused PastTheMoment");
    plan("F1 L2 F3[20-34] L4[28-48]", &from(34, None, inside(4).at), "L4 stop");
    let history = notation::history("F1 L2 | L4").unwrap();
    let refusal = answer(&history, &from(28, None, Target::Latest)).unwrap_err();
    assert!(
        refusal.reason.message.contains("no log holds LSN 28; the next one, 4, begins at 40"),
        "{refusal:?}"
    );
}

#[test]
fn forks_without_end_are_followed() {
    const FORKS: u64 = 100_000;
    let mut rows = notation::backups("F1@0 L2@0").unwrap();
    let log = rows[1].clone();
    for number in 1..=FORKS {
        let mut crossing = log.clone();
        crossing.id = BackupId::new(format!("log-{number}"));
        crossing.first_fork = Some(Guid::new((number - 1).to_string()));
        crossing.last_fork = Some(Guid::new(number.to_string()));
        (crossing.first_lsn, crossing.last_lsn) =
            (Lsn::from_u64(18 + number * 10), Lsn::from_u64(28 + number * 10));
        crossing.started = log.finished + SignedDuration::from_secs(number.cast_signed() * 60);
        crossing.finished = crossing.started + SignedDuration::from_secs(30);
        rows.push(crossing);
    }
    let history = built(rows);
    let planner = Planner::new(&history.lineages()[0]);
    let plan = planner.plan(&latest()).unwrap();
    assert_eq!(plan.steps.len(), 100_003);
}

#[test]
fn logs_that_cross_between_two_forks_are_each_tried_once() {
    let mut rows = notation::backups("F1@a L2@a").unwrap();
    let log = rows[1].clone();
    for number in 1..=2_000_u64 {
        let mut crossing = log.clone();
        crossing.id = BackupId::new(format!("log-{number}"));
        let (from, to) = if number % 2 == 0 { ("b", "c") } else { ("c", "b") };
        (crossing.first_fork, crossing.last_fork) = (Some(Guid::from(from)), Some(Guid::from(to)));
        (crossing.first_lsn, crossing.last_lsn) = (Lsn::from_u64(100), Lsn::from_u64(200 + number));
        crossing.started = log.finished + SignedDuration::from_secs(number.cast_signed());
        crossing.finished = crossing.started + SignedDuration::from_secs(600);
        rows.push(crossing);
    }
    let history = built(rows);
    let planner = Planner::new(&history.lineages()[0]);
    assert!(planner.plan(&latest()).is_err());
    let at = log.finished + SignedDuration::from_secs(1_000);
    assert!(planner.plan(&Request::at(Target::Moment(at))).is_err());
}

#[test]
fn json_is_the_contract() {
    let mut rows = notation::backups("F1 L2^").unwrap();
    rows[0].stripes = crate::backup::Stripes::present(["s3://b/1", "s3://b/2"]);
    let history = built(rows);
    let plan = answer(&history, &inside(2)).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        json["steps"],
        serde_json::json!([
            {"action": "restore_full", "backup": "1", "files": ["s3://b/1", "s3://b/2"], "norecovery": true, "stop_at": null},
            {"action": "restore_log", "backup": "2", "files": [], "norecovery": true, "stop_at": "2026-01-01T01:40:00.000Z"},
            {"action": "recover", "backup": null, "files": [], "norecovery": false, "stop_at": null},
        ])
    );
    assert_eq!(
        (json["target"].as_str(), json["recovers_to"].as_str()),
        (Some("single_az"), Some("2026-01-01T01:40:00.000Z"))
    );
    assert!(plan.warnings[0].contains("rds_tlog_backup_copy_to_S3"), "{:?}", plan.warnings);
}
