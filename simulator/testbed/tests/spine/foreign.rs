//! Native tasks of other people that occupy both slots all the time: our fulls are taken all the same, and what that risks is
//! said beforehand.

use domain::paths::log_prefix;
use domain::task::{Kind, State, open_partition};
use ports::store::Key;
use tds::{Parameter, Procedure, Request, Value};
use testbed::Testbed;
use testbed::report::Report;
use testbed::simulation::{Simulation, View};
use world::{DatabaseConfig, TaskFact};

use crate::story::{
    BUCKET, INSTANCE, Story, at, copies, database, day, minutes, native, notes, objections, outcome, tasks,
};

/// Tasks of theirs that wait or run at any time: both slots, and one that takes the slot that falls free.
const THEIRS: usize = 3;

fn is_theirs(fact: &TaskFact) -> bool {
    fact.database.starts_with("theirs")
}

/// Whether other people's tasks run in both slots.
fn both_slots_are_theirs(bed: &Testbed) -> bool {
    bed.world().tasks(INSTANCE).filter(|fact| is_theirs(fact) && is_running(fact)).count() == 2
}

fn is_running(fact: &TaskFact) -> bool {
    fact.started_at.is_some() && fact.ended_at.is_none()
}

/// Somebody calls a procedure of the service.
pub(crate) fn call(bed: &mut Testbed, procedure: &str, arguments: &[(&str, &str)]) {
    let text = |(name, value): &(&str, &str)| Parameter {
        name: (*name).into(),
        output: false,
        value: Value::Text((*value).to_owned()),
    };
    let parameters = arguments.iter().map(text).collect();
    let request = Request::Rpc { procedure: Procedure::Name(procedure.into()), parameters };
    let mut world = bed.world_mut();
    let session = world.connect(INSTANCE, "admin", "simulated-sales").unwrap();
    assert_eq!(world.execute(session, &request).error, None);
    world.disconnect(session);
}

/// Somebody asks for a full of a database.
fn ask(bed: &mut Testbed, database: &str) {
    let arn = format!("arn:aws:s3:::{BUCKET}/theirs/{database}-{}.bak", bed.now().as_second());
    let arguments = [("@source_db_name", database), ("@s3_arn_to_backup_to", arn.as_str())];
    call(bed, "msdb.dbo.rds_backup_database", &arguments);
}

/// Asks for what is missing at three tasks, and looks again every minute.
fn keep_asking(bed: &mut Testbed) {
    let unfinished: Vec<String> = bed
        .world()
        .tasks(INSTANCE)
        .filter(|fact| is_theirs(fact) && fact.ended_at.is_none())
        .map(|fact| fact.database.to_string())
        .collect();
    let idle = (0..=THEIRS).map(|n| format!("theirs{n}")).filter(|name| !unfinished.contains(name));
    for database in idle.take(THEIRS.saturating_sub(unfinished.len())) {
        ask(bed, &database);
    }
    let next = bed.now() + minutes(1);
    bed.at(next, keep_asking);
}

/// A story in which others ask for one full after the other, each of about forty minutes, from the first moment on.
fn crowded(story: &Story) -> Simulation {
    let mut simulation = story.simulation();
    let size = u64::from(story.mib_per_second) * 40 * 60 * (1 << 20);
    let bed = simulation.bed();
    for number in 0..=THEIRS {
        let config = DatabaseConfig { size_bytes: size, ..DatabaseConfig::named(&format!("theirs{number}")) };
        bed.world_mut().add_database(INSTANCE, &config).unwrap();
    }
    // The service refuses this while any task waits or runs, so it must have been done before.
    let target = format!("arn:aws:s3:::{BUCKET}/{}", log_prefix("prod", INSTANCE));
    call(bed, "msdb.dbo.rds_tlog_copy_setup", &[("@target_s3_arn", &target)]);
    keep_asking(bed);
    simulation
}

/// What the checkers have to say of ours. Of each native task of theirs they say that nobody wanted it, and they are right.
fn said_of_ours(simulation: &mut Simulation, report: &Report) -> Vec<String> {
    let (theirs, ours): (Vec<String>, Vec<String>) = objections(report).into_iter().partition(|said| {
        said.starts_with("once: ") && said.contains("(theirs") && said.ends_with(" was wanted by nobody")
    });
    let asked = simulation.bed().world().tasks(INSTANCE).filter(is_theirs).count();
    assert_eq!(theirs.len(), asked, "each task is looked at");
    ours
}

/// What became of it up to a moment of the first day.
fn until(simulation: &mut Simulation, clock: &str) -> (Report, View) {
    simulation.run_until(at(clock));
    simulation.report_and_view().unwrap()
}

/// The record of the open full of `orders` as it is stored, with its version.
fn stored_full(bed: &Testbed) -> String {
    let key = Key { partition: open_partition(INSTANCE), sort: "orders#full".to_owned() };
    bed.store().look(|table| format!("{:?}", table.get(&key).unwrap()))
}

/// What the open full of `orders` says, and whether it is on the server already.
fn waiting(simulation: &mut Simulation) -> (Vec<String>, bool) {
    let view = simulation.view().unwrap();
    let full = view.open.iter().find(|task| task.database == "orders" && task.kind == Kind::Full).unwrap();
    let names = notes(full).into_iter().map(str::to_owned).collect();
    (names, matches!(full.state, State::Submitted { .. }))
}

#[test]
fn a_first_full_is_queued_behind_other_peoples_tasks_where_the_window_is_far() {
    let story = Story { backup_window: "23:00-23:30", ..Story::calm() };
    let mut simulation = crowded(&story);
    simulation.run_until(at("00:05"));
    assert!(both_slots_are_theirs(simulation.bed()), "the premise");
    assert_eq!(waiting(&mut simulation), (vec!["QueuedBehindUnknownTasks".to_owned()], true));
    let ours = native(&mut simulation, "orders", true).remove(0);
    assert_eq!(ours.started_at, None, "said beforehand");
    let (report, view) = until(&mut simulation, "06:00");
    assert_eq!(said_of_ours(&mut simulation, &report), [""; 0]);
    assert_eq!(copies(&view, "orders"), ["succeeded"; 3], "logs of 00:00, 02:00 and 04:00");
    for database in ["orders", "parts"] {
        let full = tasks(&view, database, Kind::Full)[0];
        assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1), "{database}");
        assert_eq!(notes(full), ["QueuedBehindUnknownTasks"], "{database}");
    }
}

#[test]
fn before_a_window_a_first_full_waits_says_why_and_is_queued_after_it() {
    let story = Story { backup_window: "02:00-02:30", ..Story::calm() };
    let mut simulation = crowded(&story);
    simulation.run_until(at("00:30"));
    let before = stored_full(simulation.bed());
    simulation.run_until(at("01:30"));
    assert_eq!(stored_full(simulation.bed()), before, "looked at in every round, and written once");
    assert!(both_slots_are_theirs(simulation.bed()), "the premise");
    assert_eq!(waiting(&mut simulation), (vec!["BehindUnknownTasks".to_owned()], false));
    let (report, view) = until(&mut simulation, "06:00");
    assert_eq!(said_of_ours(&mut simulation, &report), [""; 0]);
    assert!(view.open.iter().all(|task| task.kind == Kind::LogCopy), "{:?}", view.open);
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1));
    assert_eq!(notes(full), ["BehindUnknownTasks", "WindowAhead", "QueuedBehindUnknownTasks"]);
    let asked = native(&mut simulation, "orders", true)[0].created_at;
    assert!((at("02:30")..at("02:40")).contains(&asked), "{asked}");
}

#[test]
fn a_full_that_no_wait_leaves_room_for_is_queued_after_a_day() {
    // 1,040 GiB at 15 MiB/s take 19 hours and 43 minutes of the 23 and a half between two windows.
    let mut story = Story::slow(1_040, 15);
    (story.every_minutes, story.rpo_instance_minutes) = (1_440, 2_880);
    (story.days, story.backup_window) = (2, "23:00-23:30");
    story.policy = "assumed_mib_per_second = 15\nspeed_margin_percent = 0";
    story.databases = database("orders", 1_040);
    let mut simulation = crowded(&story);
    simulation.run_until(at("23:59"));
    assert!(both_slots_are_theirs(simulation.bed()), "the premise");
    let said = ["BehindUnknownTasks", "WindowAhead", "BehindUnknownTasks"].map(str::to_owned);
    assert_eq!(waiting(&mut simulation), (said.to_vec(), false));
    let (report, view) = day(&mut simulation);
    assert_eq!(said_of_ours(&mut simulation, &report), [""; 0]);
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1));
    let queued = full.notes.last().unwrap();
    assert_eq!(queued.name, "QueuedBehindUnknownTasks");
    assert!(queued.message.contains("having waited since 2026-11-16T00:00"), "{}", queued.message);
    let asked = native(&mut simulation, "orders", true)[0].created_at;
    let day = full.planned_at + minutes(24 * 60);
    assert!((day..day + minutes(10)).contains(&asked), "{asked}");
}
