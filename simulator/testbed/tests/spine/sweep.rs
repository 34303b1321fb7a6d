//! One trouble at every call of a function: each call of its first working invocations, each way to go wrong.
//!
//! The places come from a list of the calls that an undisturbed story makes, so that a call added to a function is troubled
//! too. The story is an hour and a half of two tiny databases: a full each, and logs every hour.

use std::collections::BTreeMap;

use domain::catalogue::{DataBackup, LogDay};
use domain::inventory::{Database, Lineage, databases_partition};
use domain::record::Record;
use domain::task::{Kind, Task, done_partition, open_partition};
use jiff::Timestamp;
use ports::store::decode;
use testbed::checkers;
use testbed::report::windows::{bare, claims};
use testbed::simulation::{DatabaseView, Simulation, View};
use testbed::{Testbed, Verdict};
use world::DatabaseConfig;

use crate::story::{INSTANCE, Story, at, database, id_of, instance, minutes, outcome};
use crate::trouble::{Made, Place, listen, strike, throttled, troubles};

/// How often each name of a call is troubled.
const NTH_MAX: u32 = 3;

fn story() -> Simulation {
    let mut story = Story::calm();
    story.every_minutes = 60;
    story.databases = database("orders", 1) + &database("parts", 1);
    let mut simulation = story.simulation();
    // Databases an hour old: the service lists a dozen log files of each and not two thousand, which is what takes time.
    let start = simulation.scenario().start;
    for name in ["orders", "parts"] {
        let id = id_of(simulation.bed(), name);
        let mut world = simulation.bed().world_mut();
        assert!(world.break_drop_database(id));
        let config = DatabaseConfig {
            size_bytes: 1 << 30,
            created_at: Some(start - minutes(60)),
            ..DatabaseConfig::named(name)
        };
        world.add_database(INSTANCE, &config).unwrap();
    }
    simulation
}

fn end() -> Timestamp {
    at("01:25")
}

fn records<R: Record>(bed: &Testbed, partition: &str, sort: &str) -> Vec<R> {
    bed.store().look(|table| {
        table
            .partition(partition)
            .filter(|item| item.key.sort.starts_with(sort))
            .map(|item| decode(&item).unwrap().record)
            .collect()
    })
}

/// What the store alone tells: two thousand log files that the service still lists would be read again in every story.
fn view(bed: &Testbed) -> View {
    let databases = records::<Database>(bed, &databases_partition(INSTANCE), "")
        .into_iter()
        .map(|head| {
            let partition = head.lineage.as_ref().map(Lineage::partition).unwrap_or_default();
            let data = records::<DataBackup>(bed, &partition, "data#");
            let logs = records::<LogDay>(bed, &partition, "log#");
            DatabaseView { head, data, logs, in_service: Vec::new() }
        })
        .collect();
    let done = records::<Task>(bed, &done_partition(INSTANCE), "");
    let open = records::<Task>(bed, &open_partition(INSTANCE), "");
    View { now: bed.now(), databases, done, open }
}

/// What is wrong when the story is over, one sentence each.
fn wrong(simulation: &mut Simulation) -> Vec<String> {
    let scenario = simulation.scenario().clone();
    let bed = simulation.bed();
    let view = view(bed);
    let claims = claims(&view);
    let mut wrong: Vec<String> = checkers::all(&scenario, bed, &view, &bare(&claims))
        .into_iter()
        // It judges whole days, and this one ends early: below it is asked for each database what it was given.
        .filter(|checked| checked.checker != "silence")
        .flat_map(|checked| checked.objections)
        // What the service still keeps is not looked at here, so it is not claimed; windows are asked to be whole below.
        .filter(|objection| !objection.ends_with("is not claimed, but can be restored"))
        .collect();
    for task in &view.done {
        if outcome(task) != "succeeded" && outcome(task) != "skipped NoNewLogs" {
            wrong.push(format!("{} {}", task.key, outcome(task)));
        }
    }
    wrong.extend(view.open.iter().map(|task| format!("{} is open: {:?}", task.key, task.state)));
    for (database, (window, _)) in view.databases.iter().zip(&claims) {
        let name = &database.head.name;
        let tail = database.head.log_tail.as_ref().map(|tail| tail.made_at);
        if tail.is_none_or(|tail| tail < at("00:50")) {
            wrong.push(format!("logs of {name} in the vault end at {tail:?}"));
        }
        if window.intervals.len() != 1 || !window.holes.is_empty() {
            wrong.push(format!("the window of {name} is not whole: {window:?}"));
        }
        let fulls = view.done.iter().filter(|task| task.kind == Kind::Full && &task.database == name).count();
        if (fulls, database.data.len()) != (1, 1) {
            wrong.push(format!("{name} has {fulls} fulls and {} in its catalogue", database.data.len()));
        }
    }
    let backups = bed.world().tasks(INSTANCE).filter(|fact| fact.kind.is_backup()).count();
    if backups != 2 {
        wrong.push(format!("the service was asked for {backups} fulls"));
    }
    wrong.extend(instance(bed).trouble.map(|trouble| trouble.to_string()));
    wrong
}

/// Calls of an undisturbed story.
fn calls(function: &str) -> Vec<Made> {
    let mut simulation = story();
    let heard = listen(&mut simulation);
    simulation.run_until(end());
    assert_eq!(wrong(&mut simulation), [""; 0], "undisturbed");
    heard.take().into_iter().filter(|made| made.place.function == function).collect()
}

/// A read that is lost on its way back, repeated or seen by nobody is a read that failed.
fn matters(call: &str, verdict: &Verdict) -> bool {
    let reads = [
        "store.get",
        "store.query",
        "store.due",
        "sql.select",
        "sql.connect",
        "sql.login",
        "s3.",
        "secrets.",
    ];
    let is_read = reads.iter().any(|read| call.starts_with(read));
    // A stream cannot repeat itself.
    let is_repeat = *verdict == Verdict::Duplicate && call.starts_with("sql.");
    !is_repeat && (!is_read || matches!(verdict, Verdict::Fail(_) | Verdict::Crash(testbed::Moment::Before)))
}

/// Lets each trouble strike at each place, one story each, and tells how many stories there were.
fn sweep(places: &[Place]) -> usize {
    let mut failures: Vec<String> = Vec::new();
    let mut stories = 0;
    for place in places {
        for verdict in troubles().into_iter().filter(|verdict| matters(&place.call, verdict)) {
            let mut simulation = story();
            let struck = strike(&mut simulation, place.clone(), verdict.clone());
            simulation.run_until(end());
            assert!(struck.get(), "{place:?} is never met");
            let wrong = wrong(&mut simulation);
            if !wrong.is_empty() {
                failures.push(format!("{place:?} {verdict:?}:\n    {}", wrong.join("\n    ")));
            }
            stories += 1;
        }
    }
    assert!(failures.is_empty(), "{} of {stories} stories:\n{}", failures.len(), failures.join("\n"));
    stories
}

/// The first few of each name.
fn first_of_each(function: &str) -> Vec<Place> {
    let mut places: Vec<Place> = calls(function).into_iter().map(|made| made.place).collect();
    places.retain(|place| place.nth <= NTH_MAX);
    places
}

#[test]
fn dispatch_tasks_survives_every_trouble_at_every_call_of_its_first_invocation() {
    let calls = calls("dispatch-tasks");
    let places: Vec<Place> =
        calls.iter().filter(|made| made.attempt == 1).map(|made| made.place.clone()).collect();
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    for place in &places {
        *names.entry(&place.call).or_default() += 1;
    }
    // Two tasks: intent and id of each, and the target of log copies.
    assert_eq!((names["store.commit"], names["sql.rds_backup_database"]), (5, 2), "{names:?}");
    assert!(sweep(&places) > 50);
}

#[test]
fn dispatch_tasks_survives_troubles_at_log_copies() {
    let mut places = first_of_each("dispatch-tasks");
    places.retain(|place| place.call.contains("tlog"));
    assert!(sweep(&places) > 10);
}

#[test]
fn poll_tasks_survives_every_trouble() {
    assert!(sweep(&first_of_each("poll-tasks")) > 50);
}

#[test]
fn check_chains_survives_every_trouble() {
    assert!(sweep(&first_of_each("check-chains")) > 30);
}

#[test]
fn run_lease_and_plan_backups_survive_every_trouble() {
    let places = [first_of_each("run-lease"), first_of_each("plan-backups")].concat();
    assert!(sweep(&places) > 30);
}

#[test]
fn the_services_own_calls_may_fail_in_every_way() {
    let mut places: Vec<Place> = handlers::NAMES
        .iter()
        .flat_map(|function| [1, 2].map(|nth| Place::new(function, "lambda.invoke", nth)))
        .collect();
    places.push(Place::new("instance", "states.start_execution", 1));
    places.push(Place::new("fleet", "scheduler.start_execution", 1));
    assert_eq!(sweep(&places), 16 * troubles().len());
}

#[test]
fn functions_that_are_invoked_twice_do_nothing_twice() {
    for function in handlers::NAMES {
        let mut simulation = story();
        simulation.bed().set_gate(move |call: &testbed::Call<'_>| {
            let ours = call.name == "lambda.invoke" && call.function == function;
            if ours { Verdict::Duplicate } else { Verdict::Pass }
        });
        simulation.run_until(end());
        assert_eq!(wrong(&mut simulation), [""; 0], "{function}");
        let made: BTreeMap<&str, u64> = simulation.bed().invocations().collect();
        assert!(made[function] >= 4 && made[function].is_multiple_of(2), "{function}: {made:?}");
    }
}

#[test]
fn every_third_invocation_is_turned_away_and_the_story_ends_well() {
    for function in handlers::NAMES {
        let mut simulation = story();
        let mut seen = 0;
        simulation.bed().set_gate(move |call: &testbed::Call<'_>| {
            if call.name != "lambda.invoke" || call.function != function {
                return Verdict::Pass;
            }
            seen += 1;
            if seen % 3 == 1 { throttled() } else { Verdict::Pass }
        });
        simulation.run_until(end() + minutes(1));
        assert_eq!(wrong(&mut simulation), [""; 0], "{function}");
    }
}
