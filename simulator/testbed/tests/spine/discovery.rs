//! Discovery: what is found, followed, marked and told, whatever happens to databases while nobody looks.

use std::cell::Cell;
use std::rc::Rc;

use domain::discovery::Change;
use domain::discovery::seen::{Looked, looked_key};
use domain::inventory::Database;
use domain::task::Kind;
use jiff::Timestamp;
use ports::Fault;
use ports::store::{Key, decode};
use testbed::report::Report;
use testbed::scenario::Scenario;
use testbed::simulation::{Simulation, View};
use testbed::stream::Stream;
use testbed::{Call, Testbed, Verdict};
use world::DatabaseConfig;

use crate::story::{
    INSTANCE, Story, another_instance, assert_well, at, copies, day, histories, id_of, instance, look,
    minutes, native, objections, outcome, reported, simulated, tasks,
};

fn head<'v>(view: &'v View, name: &str) -> Option<&'v Database> {
    view.databases.iter().map(|database| &database.head).find(|head| head.name == name)
}

/// What the last look saw, name by name.
fn seen(view: &View) -> Vec<(&str, &Change)> {
    view.seen.iter().flat_map(|page| &page.seen).map(|seen| (seen.name.as_str(), &seen.change)).collect()
}

fn looked(bed: &Testbed) -> Looked {
    let (partition, sort) = looked_key(INSTANCE);
    let item = bed.store().look(|table| table.get(&Key { partition, sort })).unwrap();
    decode(&item).unwrap().record
}

#[test]
fn a_run_follows_a_rename_that_nobody_told() {
    let mut simulation = Story::calm().simulation();
    let id = id_of(simulation.bed(), "orders");
    simulation.bed().at(at("05:32"), move |bed| bed.world_mut().break_rename(id, "orders-2").unwrap());
    let (report, view) = day(&mut simulation);
    assert_eq!(copies(&view, "orders"), ["succeeded", "succeeded", "succeeded", "skipped DatabaseRenamed"]);
    assert_eq!(copies(&view, "orders-2").iter().filter(|ended| *ended == "succeeded").count(), 9);
    assert_eq!(tasks(&view, "orders-2", Kind::Full).len(), 0, "the chain goes on");
    assert!(head(&view, "orders").is_none(), "one database has one head");
    // The checker of silence knows the scenario, which does not tell of the rename.
    let others = objections(&report).into_iter().filter(|objection| !objection.contains("orders on"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    let window = &reported(&report, "orders-2").window;
    assert!(window.holes.is_empty() && window.intervals.len() == 2, "{window:?}");
    assert!(window.intervals[0].from < at("00:30") && window.intervals[1].to > at("23:45"), "{window:?}");
}

#[test]
fn a_rename_waits_for_the_task_that_is_at_work() {
    let mut story = Story::calm();
    // The full takes more than half an hour.
    story.mib_per_second = 4;
    story.every_minutes = 240;
    let mut simulation = story.simulation();
    // A head that was enrolled by hand has no identity before its first full, or the first look.
    simulation.bed().at(at("00:10"), |bed| look(bed, "before"));
    simulation.run_until(at("00:20"));
    assert!(native(&mut simulation, "orders", true)[0].ended_at.is_none(), "the premise");
    let id = id_of(simulation.bed(), "orders");
    simulation.bed().world_mut().break_rename(id, "orders-2").unwrap();
    look(simulation.bed(), "asked");
    simulation.run_until(at("00:25"));
    let view = simulation.view().unwrap();
    assert!(head(&view, "orders").is_some() && head(&view, "orders-2").is_none(), "it waits");
    let renamed = Change::Renamed { from: "orders".to_owned() };
    assert!(seen(&view).contains(&("orders-2", &renamed)), "and says so: {:?}", seen(&view));
    let (report, view) = day(&mut simulation);
    assert!(head(&view, "orders").is_none() && head(&view, "orders-2").is_some());
    assert!(view.open.is_empty());
    // History knows the full by the old name, where nobody looks any more: the task is its evidence, and the next full begins the chain.
    let window = &reported(&report, "orders-2").window;
    assert_eq!((window.points.len(), window.intervals.len()), (1, 2), "{window:?}");
    assert!(window.intervals[0].from < at("05:00") && window.intervals[1].to > at("23:45"), "{window:?}");
    let run =
        simulation.bed().executions().iter().rfind(|run| &*run.machine == "discovery").cloned().unwrap();
    assert!(matches!(run.status, asl::Status::Succeeded { .. }), "it waited for the task and ended");
}

#[test]
fn what_is_gone_is_marked_and_keeps_what_it_has() {
    let mut simulation = Story::calm().simulation();
    let id = id_of(simulation.bed(), "orders");
    simulation.bed().at(at("05:32"), move |bed| {
        assert!(bed.world_mut().break_drop_database(id));
        look(bed, "after-the-drop");
    });
    simulation.bed().at(at("12:30"), |bed| look(bed, "again"));
    let (report, view) = day(&mut simulation);
    let gone_at = head(&view, "orders").unwrap().gone_at.unwrap();
    assert!(gone_at > at("05:32") && gone_at < at("05:35"), "the first look that missed it: {gone_at}");
    assert_eq!(copies(&view, "orders").len(), 3, "nothing more is planned: {:?}", copies(&view, "orders"));
    let window = &reported(&report, "orders").window;
    assert!(!window.intervals.is_empty() && window.holes.is_empty(), "{window:?}");
    assert_eq!(looked(simulation.bed()).gone, 1);
}

#[test]
fn nothing_is_written_twice_of_what_has_not_changed() {
    let mut simulation = Story::calm().simulation();
    let commits: Rc<Cell<u32>> = Rc::default();
    let count = Rc::clone(&commits);
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let is_one = call.function == "discover-databases" && call.name == "store.commit";
        count.set(count.get() + u32::from(is_one));
        Verdict::Pass
    });
    simulation.run_until(at("05:00"));
    look(simulation.bed(), "first");
    simulation.run_until(at("05:10"));
    // Two heads are listed by their families, in one commit; one page, the look.
    assert_eq!(commits.replace(0), 3);
    look(simulation.bed(), "second");
    simulation.run_until(at("05:20"));
    assert_eq!(commits.get(), 2, "the sizes of databases, which grow, and when it looked; nothing else");
    look(simulation.bed(), "third");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert!(seen(&view).iter().all(|(_, change)| **change == Change::Unchanged), "{:?}", seen(&view));
}

#[test]
fn people_are_told_once_of_what_they_have_to_do() {
    let mut simulation = Story::calm().simulation();
    simulation.bed().at(at("01:30"), |bed| look(bed, "first"));
    // Nobody selects the instance: what is new on it is theirs, and no need.
    let name = "a".repeat(10);
    simulation.bed().world_mut().add_database(INSTANCE, &DatabaseConfig::named(&name)).unwrap();
    let refused = Fault::Transient("the server does not answer".to_owned());
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let fails = call.function == "discover-databases" && call.name == "sql.login";
        if fails && (at("02:00")..at("03:30")).contains(&call.now) {
            return Verdict::Fail(refused.clone());
        }
        Verdict::Pass
    });
    for (time, word) in [("02:00", "second"), ("02:45", "third"), ("04:00", "fourth")] {
        simulation.bed().at(at(time), move |bed| look(bed, word));
    }
    simulation.run_until(at("03:30"));
    let failed = looked(simulation.bed());
    assert_eq!((failed.failures, failed.shown), (2, 3), "what was seen before stays");
    let told = simulation.bed().people().told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1.subject, format!("bakproof: discovery of the databases of {INSTANCE} failed"));
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let mended = looked(simulation.bed());
    assert_eq!((mended.failures, mended.trouble, mended.skipped), (0, None, 1));
    assert_eq!(simulation.bed().people().told().len(), 1);
    let skipped = seen(&view).into_iter().find(|(seen, _)| *seen == name).unwrap().1;
    assert!(matches!(skipped, Change::Skipped(reason) if reason.name == "Excluded"), "{skipped:?}");
}

#[test]
fn a_login_that_sees_no_files_is_told_once_and_its_databases_are_enrolled() {
    let mut simulation = simulated(&Story::calm().discovered(""));
    simulation.bed().world_mut().break_definitions(INSTANCE, true);
    for (time, word) in [("01:00", "first"), ("02:00", "second")] {
        simulation.bed().at(at(time), move |bed| look(bed, word));
    }
    simulation.run_until(at("03:00"));
    let names = |looked: &Looked| {
        let needs = looked.needs.iter().map(|need| need.name.to_string());
        needs.collect::<Vec<_>>()
    };
    let blind = looked(simulation.bed());
    assert_eq!((names(&blind), blind.protected, blind.skipped), (vec!["FilesNotVisible".to_owned()], 2, 0));
    assert!(blind.needs[0].guidance.contains("GRANT VIEW ANY DEFINITION"), "{:?}", blind.needs);
    assert_eq!(simulation.bed().people().told().len(), 1);
    simulation.bed().world_mut().break_definitions(INSTANCE, false);
    look(simulation.bed(), "third");
    simulation.run_until(at("04:00"));
    assert_eq!(names(&looked(simulation.bed())), [""; 0]);
}

/// Days in which databases are created, dropped, renamed, copied and moved at random, and discovery finds out by itself.
#[test]
fn whatever_becomes_of_databases_each_is_protected_or_its_reason_is_told() {
    for seed in 0..10 {
        let scenario = Scenario::parse(&lives(seed), "lives.toml", &histories()).unwrap();
        let events = scenario.events.len();
        let mut simulation = Simulation::new(scenario).unwrap();
        let (report, view): (Report, View) = day(&mut simulation);
        assert!(events >= 6, "seed {seed}: a story of {events} events tells little");
        assert_eq!(objections(&report), [""; 0], "seed {seed}: {report}");
        assert!(view.open.iter().all(|task| task.not_before.is_some()), "seed {seed}: {:?}", view.open);
        let failed: Vec<String> =
            view.done.iter().map(outcome).filter(|ended| ended.starts_with("failed")).collect();
        assert_eq!(failed, [""; 0], "seed {seed}");
        assert_eq!(instance(simulation.bed()).trouble, None, "seed {seed}");
    }
}

/// A story of two instances and four names.
fn lives(seed: u64) -> String {
    let mut draws = Stream::new(seed, "lives");
    let mut text = Story { seed, days: 3, ..Story::calm() }.discovered("");
    text.push_str(&another_instance("ledger", "books"));
    let names = ["orders", "parts", "books", "notes"];
    let mut there: Vec<(&str, &str)> = vec![(INSTANCE, "orders"), (INSTANCE, "parts"), ("ledger", "books")];
    let mut now: Timestamp = at("01:00");
    while now < at("00:00") + minutes(50 * 60) {
        let draw = |draws: &mut Stream, below: usize| {
            usize::try_from(draws.between(0, u64::try_from(below - 1).unwrap())).unwrap()
        };
        let instance = [INSTANCE, "ledger"][draw(&mut draws, 2)];
        let name = names[draw(&mut draws, names.len())];
        let is_free = !there.contains(&(instance, name));
        let event = |what: &str, (instance, database): (&str, &str), more: &str| {
            format!(
                "\n[[event]]\nat = \"{now}\"\nwhat = \"{what}\"\ninstance = \"{instance}\"\ndatabase = \"{database}\"\n{more}\n"
            )
        };
        let which = draw(&mut draws, there.len().max(1));
        match (draw(&mut draws, 4), there.get(which).copied()) {
            (0, _) if is_free => {
                text += &event("create_database", (instance, name), "");
                there.push((instance, name));
            }
            (1, Some(one)) if there.len() > 1 => {
                text += &event("drop_database", one, "");
                there.remove(which);
            }
            (2, Some(one)) if !there.contains(&(one.0, name)) => {
                text += &event("rename_database", one, &format!("to = \"{name}\""));
                there[which].1 = name;
            }
            (3, Some(one)) if is_free => {
                let to = format!("to = \"{name}\"\nto_instance = \"{instance}\"");
                text += &event("copy_database", one, &to);
                there.push((instance, name));
            }
            _ => {}
        }
        now += minutes(i64::try_from(draws.between(30, 300)).unwrap());
    }
    text
}
