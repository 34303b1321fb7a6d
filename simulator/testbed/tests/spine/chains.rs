//! Chains that break, databases that become others: what cannot go on is named and healed by a full, and nothing is claimed
//! that the contents do not give.

use domain::coverage::Cause;
use domain::task::{Kind, Task};
use testbed::simulation::Simulation;
use testbed::{Call, Verdict};
use world::{DatabaseId, Knobs, RecoveryModel, SnapshotBase};

use crate::story::{
    BUCKET, Story, assert_well, at, copies, day, id_of, native, notes, objections, outcome, reported, tasks,
};
use crate::trouble::told_to_wait;

/// Does something to `orders` at half past five.
fn with(simulation: &mut Simulation, change: impl FnOnce(&mut world::World, DatabaseId) + 'static) {
    simulation.bed().at(at("05:32"), move |bed| {
        let id = id_of(bed, "orders");
        change(&mut bed.world_mut(), id);
    });
}

/// What became of the log copies of `orders`, other than success.
fn odd_copies(view: &testbed::simulation::View) -> Vec<String> {
    copies(view, "orders").into_iter().filter(|outcome| outcome != "succeeded").collect()
}

#[test]
fn a_chain_that_breaks_is_healed_by_a_full_and_the_hole_is_named() {
    let mut simulation = Story::calm().simulation();
    with(&mut simulation, |world, id| world.break_recovery_model(id, RecoveryModel::Simple));
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert!(view.open.is_empty());
    let fulls = tasks(&view, "orders", Kind::Full);
    assert_eq!(fulls.iter().map(|task| outcome(task)).collect::<Vec<_>>(), ["succeeded", "succeeded"]);
    let healer = fulls[1];
    let odd = odd_copies(&view);
    assert_eq!(odd, [""; 0], "one copy finds the break, the next ones go on behind the full");
    assert_eq!(notes(healer), ["ChainBroken"], "the full says why it was taken");
    let window = &reported(&report, "orders").window;
    let [hole] = &window.holes[..] else { panic!("{:?}", window.holes) };
    assert_eq!(hole.cause, Cause::LogGap);
    let (Some(from), Some(to)) = (hole.from_lsn, hole.to_lsn) else { panic!("{hole:?}") };
    assert!(from < to, "{hole:?}");
    assert!(hole.from <= at("05:33") && hole.from > at("05:20"), "{hole:?}");
    let native = native(&mut simulation, "orders", true);
    assert_eq!(hole.to, native[1].ended_at.unwrap(), "from the full on everything can be restored again");
    assert!(!hole.detail.is_empty() && !hole.repair.is_empty());
    let rpo = reported(&report, "orders").rpo;
    assert!(
        rpo.instance.holds() && !rpo.damage.holds() && !report.holds,
        "minutes of work were lost: {rpo:?}"
    );
    assert_eq!(reported(&report, "parts").window.holes, [], "the other database is not concerned");
}

#[test]
fn a_chain_that_breaks_while_our_full_is_the_base_is_healed_by_a_differential() {
    // Where a snapshot, such as RDS takes when it sets a recovery model back, leaves the base alone.
    let knobs = Knobs { snapshot_base: SnapshotBase::Leaves, ..Knobs::default() };
    let story = Story { knobs, ..Story::calm() };
    let mut simulation = story.simulation();
    with(&mut simulation, |world, id| world.break_recovery_model(id, RecoveryModel::Simple));
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert!(view.open.is_empty());
    assert_eq!(tasks(&view, "orders", Kind::Full).len(), 1, "the first one alone");
    let [healer] = tasks(&view, "orders", Kind::Differential)[..] else { panic!("one differential heals") };
    assert_eq!((outcome(healer).as_str(), notes(healer)), ("succeeded", vec!["LogChainStopped"]));
    assert_eq!(odd_copies(&view), [""; 0], "the copy brings what there is, and the differential follows it");
    let head = view.databases.iter().find(|database| database.head.name == "orders").unwrap();
    assert_eq!(head.head.broken, None);
    let window = &reported(&report, "orders").window;
    let [hole] = &window.holes[..] else { panic!("{:?}", window.holes) };
    assert_eq!(hole.cause, Cause::LogGap);
    let native = native(&mut simulation, "orders", true);
    assert_eq!(hole.to, native[1].ended_at.unwrap(), "everything behind it can be restored again");
    assert!(hole.to < at("06:30"), "the first copy behind the break has found it: {hole:?}");
    let edge = window.intervals.iter().map(|interval| interval.to).max().unwrap();
    assert!(edge > at("23:45"), "{edge}");
}

#[test]
fn somebody_elses_full_is_not_taken_for_ours() {
    for copy_only in [false, true] {
        let mut simulation = Story::calm().simulation();
        // Ours ends in the second minute and is looked at in the seventh, because polls are put off; the other one ends in
        // between, and so does a log file: a chain that was thought to begin with the other one would lack it.
        let mut polls = 0;
        simulation.bed().set_gate(move |call: &Call<'_>| {
            let ours = call.name == "lambda.invoke" && call.function == "poll-tasks";
            polls += u32::from(ours);
            if ours && polls <= 5 { told_to_wait() } else { Verdict::Pass }
        });
        simulation.bed().at(at("00:06"), move |bed| {
            let id = id_of(bed, "orders");
            bed.world_mut().break_foreign_full(id, copy_only);
        });
        simulation.run_until(at("00:06:01"));
        assert!(native(&mut simulation, "orders", true)[0].ended_at.is_some(), "the premise");
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let full = tasks(&view, "orders", Kind::Full)[0];
        assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1), "copy-only {copy_only}");
        let ended = native(&mut simulation, "orders", true)[0].ended_at.unwrap();
        let begins = reported(&report, "orders").window.intervals[0].from;
        assert_eq!(begins, ended, "the window begins with ours, copy-only {copy_only}");
    }
}

#[test]
fn a_database_restored_over_itself_is_another_one() {
    let mut simulation = Story::calm().simulation();
    with(&mut simulation, |world, id| {
        world.break_restore_in_place(id, at("04:11")).unwrap();
    });
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert!(view.open.is_empty());
    assert_eq!(odd_copies(&view), ["skipped NoFullYet"]);
    let fulls = tasks(&view, "orders", Kind::Full);
    assert_eq!(fulls.len(), 2);
    assert_eq!((outcome(fulls[1]).as_str(), notes(fulls[1])), ("succeeded", vec!["NoFullYet"]));
    let window = &reported(&report, "orders").window;
    let begins = window.intervals.iter().map(|interval| interval.from).min().unwrap();
    assert!(begins > at("05:32"), "the new database has no past: {begins}");
    assert_eq!(window.holes, []);
    let edge = window.intervals.iter().map(|interval| interval.to).max().unwrap();
    assert!(edge > at("23:45"), "{edge}");
}

/// Every claimed moment is restored from the vault and compared with what that database held, whatever it is called now.
fn assert_claims_hold(simulation: &mut Simulation, report: &testbed::report::Report, id: DatabaseId) {
    let window = reported(report, "orders").window.clone();
    assert!(!window.intervals.is_empty());
    let world = simulation.bed().world();
    let judge = world.judge(BUCKET, "prod", id);
    for interval in &window.intervals {
        let middle = interval.from + interval.to.duration_since(interval.from) / 2;
        for moment in [interval.from, middle, interval.to] {
            let restored = judge.restore_to(moment).unwrap().content;
            assert_eq!(Some(restored), world.truth(id, moment), "{moment}");
        }
    }
}

#[test]
fn a_database_that_was_dropped_is_named_and_what_is_in_the_vault_stays_true() {
    let mut simulation = Story::calm().simulation();
    let id = id_of(simulation.bed(), "orders");
    with(&mut simulation, |world, id| assert!(world.break_drop_database(id)));
    let (report, view) = day(&mut simulation);
    // From 06:00 to 22:00 every copy says why it is none.
    assert_eq!(odd_copies(&view), ["skipped DatabaseMissing"; 9]);
    assert!(view.open.is_empty());
    assert_eq!(tasks(&view, "orders", Kind::Full).len(), 1, "nothing is promoted");
    assert_claims_hold(&mut simulation, &report, id);
    let edge = reported(&report, "orders").window.intervals.last().unwrap().to;
    assert!(edge < at("05:32"), "nothing is claimed of what came after: {edge}");
    let others: Vec<String> =
        objections(&report).into_iter().filter(|objection| !objection.contains("orders")).collect();
    assert_eq!(others, [""; 0], "the other database is not concerned");
    assert!(!report.holds, "its promise is broken");
}

#[test]
fn a_file_that_vanishes_from_the_vault_makes_the_checkers_object() {
    let mut simulation = Story::calm().simulation();
    simulation.bed().at(at("12:00"), |bed| {
        let key = {
            let world = bed.world();
            let keys = world.s3().list(BUCKET, "prod/logs/", None, 1_000).unwrap();
            keys.objects[10].key.clone()
        };
        bed.world_mut().break_object(BUCKET, &key, world::Damage::Delete).unwrap();
    });
    let (report, _) = day(&mut simulation);
    assert!(!report.holds);
    let said = objections(&report);
    assert!(
        !said.is_empty() && said.iter().all(|objection| objection.starts_with("recoverability: ")),
        "{said:?}"
    );
}

#[test]
fn a_full_of_hours_keeps_nobody_elses_logs_from_the_vault() {
    // 400 GiB at 15 MiB/s take seven and a half hours. The service sets up log copies only while no task is pending, so the
    // set-up must come before the full.
    let mut story = Story::slow(400, 15);
    story.every_minutes = 120;
    story.rpo_instance_minutes = 300;
    story.backup_window = "20:00-20:30";
    let (report, view) = day(&mut story.simulation());
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 1));
    let copies = copies(&view, "parts");
    assert!(copies.len() >= 11 && copies.iter().all(|outcome| outcome == "succeeded"), "{copies:?}");
    let rpo = reported(&report, "parts").rpo.instance;
    assert!(rpo.holds(), "{rpo:?}");
    assert!(reported(&report, "parts").window.holes.is_empty());
}

#[test]
fn five_days_after_its_newest_log_a_copy_says_that_two_are_left() {
    let off = "\n[[event]]\nat = \"2026-11-16T12:01:00Z\"\nwhat = \"schedule_off\"\n";
    let on = "\n[[event]]\nat = \"2026-11-21T13:00:00Z\"\nwhat = \"schedule_on\"\n";
    let calm = Story::calm();
    let story = Story { days: 6, databases: format!("{}{off}{on}", calm.databases), ..calm };
    let mut simulation = story.simulation();
    let (_, view) = day(&mut simulation);
    let warned: Vec<&Task> = tasks(&view, "orders", Kind::LogCopy)
        .into_iter()
        .filter(|task| notes(task).contains(&"LogsNearHorizon"))
        .collect();
    let [copy] = warned.as_slice() else { panic!("{warned:?}") };
    assert_eq!(outcome(copy), "succeeded", "nothing is lost yet");
    assert_eq!(notes(copy), ["LogsNearHorizon"], "once");
}
