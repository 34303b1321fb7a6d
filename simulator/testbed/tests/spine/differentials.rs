//! Differentials: taken while our full is the base, skipped with the reason when something took it, and nothing else changed.
//!
//! The day begins with the first fulls at midnight; the automated backup comes between 03:00 and 03:30.

use domain::backup::{Evidence, Kind as BackupKind};
use domain::task::{Kind, Task};
use testbed::Call;
use testbed::report::Report;
use testbed::simulation::{Simulation, View};
use world::{FailoverFate, Knobs, MaintenanceRule, SnapshotBase, Span, TaskFact, TaskType};

use crate::story::{
    INSTANCE, Story, assert_well, assert_whole, at, copies, day, id_of, instance, native, notes, objections,
    outcome, reported, tasks,
};
use crate::trouble::told_to_wait;

/// A calm day with a differential at a time of day.
fn story(schedule: &'static str) -> Story {
    Story { schedule, ..Story::calm() }
}

const BEFORE: &str = r#"differential = { days = ["mon"], at = "01:00" }"#;
const AFTER: &str = r#"differential = { days = ["mon"], at = "05:00" }"#;

/// A database that changes so much that its differentials take minutes: 64 KiB for each of 3,000 commits a minute.
fn busy(story: Story, mib_per_second: u32) -> Story {
    let orders = "[[instance.database]]\nname = \"orders\"\nsize_gib = 20\ntransactions_per_minute = 3000\nlog_kib_per_transaction = 1\n";
    Story { databases: orders.to_owned(), mib_per_second, rpo_instance_minutes: 600, ..story }
}

fn differential<'v>(view: &'v View, database: &str) -> &'v Task {
    let [one] = &tasks(view, database, Kind::Differential)[..] else { panic!("one is due: {:?}", view.done) };
    one
}

fn natives(simulation: &mut Simulation) -> Vec<TaskFact> {
    let all = native(simulation, "orders", true);
    all.into_iter().filter(|fact| fact.kind == TaskType::BackupDifferential).collect()
}

/// Catalogued data backups of `orders`, in notation.
fn catalogued(view: &View) -> Vec<(BackupKind, Evidence)> {
    let orders = view.databases.iter().find(|database| database.head.name == "orders").unwrap();
    orders.data.iter().map(|entry| (entry.backup.kind, entry.backup.evidence)).collect()
}

fn decisions(report: &Report) -> Vec<String> {
    let name =
        |made: &testbed::report::Decision| made.reason.as_ref().map_or("", |reason| &reason.name).to_owned();
    report
        .differentials
        .iter()
        .map(|made| format!("{} {}", made.decision, name(made)).trim().to_owned())
        .collect()
}

/// The last moment of the day is restored by the full and, if there is one, its differential.
fn restored_with_differential(report: &Report, database: &str) -> bool {
    reported(report, database).rto.unwrap().steps.differential_bytes.is_some()
}

#[test]
fn a_differential_is_taken_while_our_full_is_the_base_and_shortens_restores() {
    let mut simulation = story(BEFORE).simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(decisions(&report), ["taken", "taken"]);
    for database in ["orders", "parts"] {
        let head = &view.databases.iter().find(|found| found.head.name == database).unwrap().head;
        let (full, last) = (head.last_full.as_ref().unwrap(), head.last_differential.as_ref().unwrap());
        assert_eq!(last.base, full.id);
        assert!(last.finished_at > at("01:00") && last.last_lsn > full.last_lsn);
        assert!(restored_with_differential(&report, database));
        assert!(reported(&report, database).window.orphans.is_empty());
        assert!(copies(&view, database).iter().all(|outcome| outcome == "succeeded"));
    }
    let [one] = &natives(&mut simulation)[..] else { panic!("one for the service") };
    assert!(one.s3_arn.contains("/differential-orders-"), "{}", one.s3_arn);
    assert_eq!(
        catalogued(&view),
        [(BackupKind::Full, Evidence::History), (BackupKind::Differential, Evidence::History)]
    );
}

#[test]
fn what_a_snapshot_does_to_the_base_decides_and_is_observed() {
    for (snapshot_base, expected, taken) in [
        (SnapshotBase::Moves, "skipped BaseIsSnapshot", false),
        (SnapshotBase::Leaves, "succeeded", true),
        (SnapshotBase::Clears, "skipped BaseUnknown", false),
    ] {
        let mut story = story(AFTER);
        story.knobs = Knobs { snapshot_base, ..Knobs::default() };
        let mut simulation = story.simulation();
        let (report, view) = day(&mut simulation);
        // The log chain goes on whatever becomes of the base.
        assert_well(&report, &view);
        for database in ["orders", "parts"] {
            assert_eq!(outcome(differential(&view, database)), expected);
            assert!(copies(&view, database).iter().all(|outcome| outcome == "succeeded"));
        }
        assert_eq!(
            natives(&mut simulation).len(),
            usize::from(taken),
            "{expected}: nothing is asked for in vain"
        );
        assert_eq!(tasks(&view, "orders", Kind::Full).len(), 1, "{expected}: nothing demands a full");
        assert_eq!(restored_with_differential(&report, "orders"), taken);
    }
}

#[test]
fn files_that_the_login_may_not_see_are_no_base_that_is_gone() {
    let mut simulation = story(BEFORE).simulation();
    simulation.bed().at(at("00:40"), |bed| bed.world_mut().break_definitions(INSTANCE, true));
    let (report, view) = day(&mut simulation);
    // Fulls and log copies need no file.
    assert_well(&report, &view);
    for database in ["orders", "parts"] {
        assert_eq!(outcome(differential(&view, database)), "skipped FilesNotVisible");
        assert!(copies(&view, database).iter().all(|outcome| outcome == "succeeded"));
    }
    let reason = report.differentials[0].reason.as_ref().unwrap();
    assert!(reason.guidance.contains("GRANT VIEW ANY DEFINITION"), "{reason:?}");
    assert_eq!(natives(&mut simulation), []);
}

#[test]
fn what_took_the_base_is_named() {
    type Change = fn(&mut world::World, world::DatabaseId);
    let changes: [(&str, &str, Change); 3] = [
        ("skipped BaseIsSnapshot", "a snapshot of 2026-11-16T00:40:00Z", |world, _| {
            world.break_snapshot(INSTANCE);
        }),
        ("skipped BaseIsForeignFull", "somebody else's full of 2026-11-16T00:40:00Z", |world, id| {
            world.break_foreign_full(id, false);
        }),
        ("succeeded", "", |world, id| world.break_foreign_full(id, true)),
    ];
    for (expected, words, change) in changes {
        let mut simulation = story(BEFORE).simulation();
        simulation.bed().at(at("00:40"), move |bed| {
            let id = id_of(bed, "orders");
            change(&mut bed.world_mut(), id);
        });
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        assert_eq!(outcome(differential(&view, "orders")), expected);
        let mut of_orders = report.differentials.iter().filter(|made| made.database == "orders");
        let reason = of_orders.next().unwrap().reason.as_ref();
        assert!(reason.is_none_or(|reason| reason.message.contains(words)), "{reason:?}");
    }
}

#[test]
fn a_differential_that_would_meet_the_backup_window_waits_and_finds_its_base_gone() {
    // 100 GiB at 200 MiB/s are nine minutes, and five in CREATED: too long at 02:50.
    let mut story = story(r#"differential = { days = ["mon"], at = "02:50" }"#);
    story.databases = crate::story::database("orders", 100);
    let mut simulation = story.simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let task = differential(&view, "orders");
    assert_eq!((outcome(task).as_str(), notes(task)), ("skipped BaseIsSnapshot", vec!["WindowAhead"]));
    assert_eq!(natives(&mut simulation), []);
}

#[test]
fn a_differential_killed_by_the_automated_backup_is_not_asked_for_again() {
    // Storage that slows down to a hundredth is in no forecast: two minutes become hours.
    let mut simulation = busy(story(r#"differential = { days = ["mon"], at = "02:40" }"#), 200).simulation();
    simulation.bed().at(at("02:35"), |bed| {
        bed.world_mut().configure_instance(INSTANCE, |config| config.throughput_bytes = 2 << 20);
    });
    simulation.bed().at(at("03:40"), |bed| {
        bed.world_mut().configure_instance(INSTANCE, |config| config.throughput_bytes = 200 << 20);
    });
    let (report, view) = day(&mut simulation);
    assert_whole(&report, &view);
    let task = differential(&view, "orders");
    assert_eq!((outcome(task).as_str(), task.attempt), ("skipped BaseIsSnapshot", 2));
    assert!(notes(task).contains(&"AutomatedBackup"), "{:?}", task.notes);
    let [killed] = &natives(&mut simulation)[..] else { panic!("asked for once") };
    assert!((at("03:00")..at("03:30")).contains(&killed.killed_at.unwrap()), "{killed:?}");
    let said = objections(&report);
    let [one] = &said[..] else { panic!("{said:?}") };
    assert!(one.starts_with("windows: task") && one.contains("which nobody had said beforehand"), "{one}");
}

#[test]
fn a_differential_waits_for_the_end_of_the_maintenance_window() {
    for maintenance in [MaintenanceRule::FailsAtRun, MaintenanceRule::RefusedAtCall, MaintenanceRule::Ignored]
    {
        let mut story = story(r#"differential = { days = ["mon"], at = "01:40" }"#);
        story.maintenance_window = "mon:01:30-mon:02:10";
        story.knobs = Knobs { maintenance, maintenance_aborts_running: true, ..Knobs::default() };
        let mut simulation = story.simulation();
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        let task = differential(&view, "orders");
        assert_eq!((outcome(task).as_str(), task.attempt), ("succeeded", 1), "{maintenance:?}");
        let [native] = &natives(&mut simulation)[..] else { panic!("asked for once") };
        assert!(native.created_at >= at("02:10"), "{maintenance:?}: {native:?}");
    }
}

#[test]
fn a_failover_takes_a_differential_with_it_or_has_it_begin_again() {
    for (failover_fate, attempt) in [(FailoverFate::Error, 2), (FailoverFate::Restart, 1)] {
        let mut story = busy(story(BEFORE), 20);
        story.multi_az = "always_on";
        story.knobs = Knobs { failover_fate, created_seconds: Span::new(60, 60), ..Knobs::default() };
        let mut simulation = story.simulation();
        simulation.bed().at(at("01:05"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
        simulation.run_until(at("01:04:59"));
        let [running] = &natives(&mut simulation)[..] else { panic!("the premise") };
        assert_eq!(running.lifecycle, world::Lifecycle::InProgress, "the premise");
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        // The base is read from the database, which a failover does not lose.
        let task = differential(&view, "orders");
        assert_eq!((outcome(task).as_str(), task.attempt), ("succeeded", attempt), "{failover_fate:?}");
        assert!(restored_with_differential(&report, "orders"));
    }
}

#[test]
fn a_task_that_a_failover_froze_is_seen_and_holds_up_nobody_else() {
    let mut story = busy(story(BEFORE), 20);
    story.databases += &crate::story::database("parts", 1);
    story.multi_az = "always_on";
    let failover_fate = FailoverFate::Frozen;
    story.knobs = Knobs { failover_fate, created_seconds: Span::new(60, 60), ..Knobs::default() };
    let mut simulation = story.simulation();
    simulation.bed().at(at("01:05"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    let (report, view) = day(&mut simulation);
    // The service lists it as running for ever: nobody but a person can say that it is not.
    let stuck: Vec<_> = view.open.iter().map(|task| (task.database.as_str(), task.kind)).collect();
    assert_eq!(stuck, [("orders", Kind::Differential), ("orders", Kind::LogCopy)]);
    let said = objections(&report);
    assert!(
        !said.is_empty() && said.iter().all(|said| said.starts_with("silence: nothing is known of orders"))
    );
    assert!(
        copies(&view, "parts").iter().all(|outcome| outcome == "succeeded"),
        "the other database goes on"
    );
    assert_eq!(outcome(differential(&view, "parts")), "succeeded");
    assert!(!report.holds);
}

#[test]
fn after_a_failover_what_took_the_base_is_not_known_and_not_assumed() {
    let mut story = story(AFTER);
    story.multi_az = "always_on";
    let mut simulation = story.simulation();
    simulation.bed().at(at("04:00"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert_eq!(decisions(&report), ["skipped BaseIsUnknown", "skipped BaseIsUnknown"]);
}

#[test]
fn a_differential_whose_history_is_out_of_reach_is_no_point_and_is_reported() {
    let mut story = story(BEFORE);
    story.multi_az = "always_on";
    story.knobs.created_seconds = Span::new(0, 10);
    let mut simulation = story.simulation();
    // It ends in the first minutes; nobody looks before the other node takes over at 01:09.
    simulation.bed().set_gate(|call: &Call<'_>| {
        let poll = call.name == "lambda.invoke" && call.function == "poll-tasks";
        let early = (at("01:00:10")..at("01:11")).contains(&call.now);
        if poll && early { told_to_wait() } else { testbed::Verdict::Pass }
    });
    simulation.bed().at(at("01:05"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    simulation.run_until(at("01:05"));
    assert!(natives(&mut simulation)[0].ended_at.is_some(), "the premise");
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert_eq!(outcome(differential(&view, "orders")), "failed BaseUnproven");
    assert!(
        catalogued(&view).contains(&(BackupKind::Differential, Evidence::Task)),
        "it is catalogued as what it is"
    );
    let window = &reported(&report, "orders").window;
    assert_eq!((window.points.len(), window.orphans.len()), (0, 1), "nothing proves its base: {window:?}");
    assert_eq!(window.holes, []);
    assert!(!restored_with_differential(&report, "orders"));
    let head = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().head;
    assert_eq!(head.last_differential, None);
    assert!(copies(&view, "orders").iter().all(|outcome| outcome == "succeeded"), "the logs go on");
}

#[test]
fn a_base_taken_between_the_look_and_the_start_is_found_out() {
    for (fails, expected) in [(true, "skipped BaseIsSnapshot"), (false, "failed BaseNotOurs")] {
        let mut story = story(BEFORE);
        story.knobs.created_seconds = Span::new(200, 200);
        story.knobs.differential_on_snapshot_fails = fails;
        let mut simulation = story.simulation();
        simulation.bed().at(at("01:02"), |bed| bed.world_mut().break_snapshot(INSTANCE));
        simulation.run_until(at("01:02"));
        let [asked] = &natives(&mut simulation)[..] else {
            panic!("the premise: asked for before the snapshot")
        };
        assert_eq!(asked.lifecycle, world::Lifecycle::Created, "the premise");
        let (report, view) = day(&mut simulation);
        assert_eq!(objections(&report), [""; 0]);
        let task = differential(&view, "orders");
        assert_eq!(outcome(task), expected);
        assert_eq!(notes(task).contains(&"BaseMissing"), fails, "{:?}", task.notes);
        let window = &reported(&report, "orders").window;
        assert_eq!(window.orphans.len(), usize::from(!fails), "{window:?}");
        assert_eq!((window.points.len(), window.holes.len()), (0, 0));
        assert_eq!(natives(&mut simulation).len(), 1, "not asked for again");
        assert_eq!(instance(simulation.bed()).trouble, None);
    }
}
