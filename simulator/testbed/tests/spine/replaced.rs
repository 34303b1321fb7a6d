//! An instance that people restored from a snapshot and gave the name of the one before: another server, whose chains are its own.

use std::cell::Cell;
use std::rc::Rc;

use domain::catalogue::Life;
use domain::task::{Kind, State, Task};
use jiff::Timestamp;
use testbed::report::Report;
use testbed::simulation::{Simulation, View};
use testbed::{Call, Moment, Verdict};

use crate::foreign::call;
use crate::lives::formers;
use crate::story::{BUCKET, INSTANCE, Story, at, day, instance, minutes, notes, objections, reported, tasks};
use crate::trouble::throttled;

/// Somebody replaces the instance, which takes a moment in which nobody reaches it.
fn replaced_at(simulation: &mut Simulation, moment: Timestamp) {
    simulation.bed().at(moment, |bed| bed.world_mut().break_replaced(INSTANCE).unwrap());
}

/// A story in which that happens while the service has the first fulls, which take some twenty minutes; and when.
fn replaced_in_the_midst() -> (Simulation, Timestamp) {
    let mut simulation = Story { mib_per_second: 8, every_minutes: 240, ..Story::calm() }.simulation();
    let moment = at("00:10");
    replaced_at(&mut simulation, moment);
    (simulation, moment)
}

/// Every task of either server was wanted once; whoever compares ids by the name of the instance alone takes one server's for the other's.
fn assert_sound(simulation: &mut Simulation, report: &Report, view: &View) {
    let tries = |task: &Task| {
        let last = matches!(task.state, State::Submitted { .. } | State::Done { task_id: Some(_), .. });
        task.earlier_ids.len() + usize::from(last)
    };
    let wanted: usize = view.done.iter().chain(&view.open).map(tries).sum();
    let world = simulation.bed().world();
    let old = format!("{INSTANCE}-old");
    assert_eq!(world.tasks(INSTANCE).count() + world.tasks(&old).count(), wanted);
    let others = objections(report).into_iter().filter(|objection| !objection.starts_with("once: task "));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_replaced_instance_is_protected_anew_and_keeps_what_the_vault_has_of_the_one_before() {
    let mut simulation = Story::calm().simulation();
    let moment = at("05:32");
    replaced_at(&mut simulation, moment);
    let (report, view) = day(&mut simulation);
    let known = instance(simulation.bed());
    assert_eq!((known.server, known.trouble), (1, None));
    assert!(known.log_copy_target.is_some(), "it was told where to copy logs to");
    for name in ["orders", "parts"] {
        let held = view.databases.iter().find(|held| held.head.name == name).unwrap();
        assert_eq!(held.head.lineage.as_ref().unwrap().server, 1, "{name}");
        assert!(held.head.begun_at.is_some_and(|begun| begun > moment), "{name}");
        assert!(!held.data.is_empty() && !held.logs.is_empty(), "{name}");
        assert!(held.data.iter().all(|entry| entry.backup.started > moment), "{name}");
        let window = &reported(&report, name).window;
        assert_eq!(window.holes, [], "{name}");
        assert!(window.intervals.iter().all(|interval| interval.from > moment), "{name}");

        // Same guids, another server: what the one before left in the vault is reached by the name, and is nobody else's.
        let former = formers(simulation.bed(), name);
        assert_eq!(former.len(), 1, "{name}");
        let (own, before) = (Life::of(&held.head).unwrap(), former[0].clone().life());
        assert_eq!(before.lineage.database_guid, own.lineage.database_guid, "the premise");
        assert_ne!(before.partition(), own.partition());
        let left = simulation.bed().store().look(|table| table.partition(&before.partition()).count());
        assert!(left >= 2, "{name}: a full and its logs");
        assert!(
            !tasks(&view, name, Kind::Full).iter().any(|task| matches!(task.state, State::Submitted { .. }))
        );
    }
    assert_sound(&mut simulation, &report, &view);
}

#[test]
fn what_the_server_before_was_asked_for_is_asked_of_the_one_that_took_its_place() {
    let (mut simulation, moment) = replaced_in_the_midst();
    let (report, view) = day(&mut simulation);
    let known = instance(simulation.bed());
    assert_eq!((known.server, known.trouble), (1, None));
    let fulls = tasks(&view, "orders", Kind::Full);
    let first = fulls[0];
    assert!(
        notes(first).contains(&"TaskVanished") && notes(first).contains(&"ServerReplaced"),
        "{:?}",
        notes(first)
    );
    assert_eq!((first.attempt, first.failures), (2, 0), "it is no failure of its own");
    let held = view.databases.iter().find(|held| held.head.name == "orders").unwrap();
    assert_eq!(
        held.head.last_full.as_ref().map(|full| &full.id),
        held.data.first().map(|entry| &entry.backup.id)
    );
    assert!(held.data[0].backup.started > moment + minutes(5), "{:?}", held.data[0].backup.started);
    assert_sound(&mut simulation, &report, &view);
}

/// One fault at each write that takes back what the server before was asked for and begins anew, in each way that a write goes wrong.
#[test]
fn a_fault_while_a_server_is_replaced_changes_nothing_of_what_comes_of_it() {
    let mut struck = 0;
    for (function, writes) in [("validate-region", 2), ("check-chains", 3), ("poll-tasks", 3)] {
        for (nth, verdict) in (1..=writes).flat_map(|nth| {
            let ways = [
                throttled(),
                Verdict::LoseReply,
                Verdict::Crash(Moment::Before),
                Verdict::Crash(Moment::After),
            ];
            ways.map(|way| (nth, way))
        }) {
            let (mut simulation, moment) = replaced_in_the_midst();
            let (met, what) = (Rc::new(Cell::new(0)), format!("{function} {nth} {verdict:?}"));
            let seen = Rc::clone(&met);
            simulation.bed().set_gate(move |call: &Call<'_>| {
                if call.function != function || call.name != "store.commit" || call.now < moment {
                    return Verdict::Pass;
                }
                seen.set(seen.get() + 1);
                if seen.get() == nth { verdict.clone() } else { Verdict::Pass }
            });
            let (report, view) = day(&mut simulation);
            assert!(met.get() >= nth, "{what}: it is never met");
            struck += 1;
            let known = instance(simulation.bed());
            assert_eq!((known.server, known.trouble), (1, None), "{what}");
            for name in ["orders", "parts"] {
                let held = view.databases.iter().find(|held| held.head.name == name).unwrap();
                assert_eq!(held.head.lineage.as_ref().unwrap().server, 1, "{what}");
                assert!(held.data.iter().all(|entry| entry.backup.started > moment), "{what}");
                assert_eq!(reported(&report, name).window.holes, [], "{what}");
            }
            assert_sound(&mut simulation, &report, &view);
        }
    }
    assert_eq!(struck, 32);
}

/// Nobody tells us: where logs go is learned from the copies that come to nothing.
#[test]
fn logs_that_people_had_copied_elsewhere_are_copied_to_us_again() {
    let mut simulation = Story::calm().simulation();
    simulation.bed().at(at("03:10"), |bed| {
        let elsewhere = format!("arn:aws:s3:::{BUCKET}/elsewhere");
        call(bed, "msdb.dbo.rds_tlog_copy_setup", &[("@target_s3_arn", &elsewhere)]);
    });
    let (report, view) = day(&mut simulation);
    for name in ["orders", "parts"] {
        let copies = tasks(&view, name, Kind::LogCopy);
        let missed = |task: &&&Task| notes(task).contains(&"LogFilesMissing");
        assert_eq!(copies.iter().filter(missed).count(), 1, "{name}: and then they are with us again");
        assert_eq!(reported(&report, name).window.holes, [], "{name}");
    }
    assert_eq!(objections(&report), [""; 0]);
}
