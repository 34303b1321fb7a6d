//! Native tasks that somebody else ends or hides: the automated backup, a failover, a password that changes.

use domain::backup::Evidence;
use domain::task::Kind;
use testbed::simulation::Simulation;

use crate::story::{
    INSTANCE, Story, assert_well, assert_whole, at, copies, day, instance, minutes, native, notes,
    objections, outcome, reported, runs, tasks,
};

#[test]
fn a_full_killed_by_the_automated_backup_is_taken_again() {
    // Thought to take 128 minutes at 40 MiB/s by a policy that leaves no margin, it takes 256 at 20, and is under way when the
    // window opens at 03:00.
    let mut simulation = Story { policy: "speed_margin_percent = 0", ..Story::slow(300, 20) }.simulation();
    let (report, view) = day(&mut simulation);
    assert_whole(&report, &view);
    let said = objections(&report);
    assert!(
        matches!(&said[..], [one] if one.starts_with("windows: task 1 on sales (orders) was killed at 2026-11-16T03:")),
        "the window was known, the speed was not: the policy assumed twice as much: {said:?}"
    );
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt), ("succeeded", 2));
    assert!(notes(full).contains(&"AutomatedBackup"), "{:?}", full.notes);
    let native = native(&mut simulation, "orders", true);
    let [killed, taken] = &native[..] else { panic!("{native:?}") };
    assert_eq!((killed.lifecycle, taken.lifecycle), (world::Lifecycle::Error, world::Lifecycle::Success));
    assert_eq!(full.earlier_ids, [i64::from(killed.id)]);
    assert!((at("03:00")..at("03:45")).contains(&killed.ended_at.unwrap()), "{killed:?}");
    assert!(taken.created_at >= at("03:30"), "not again into the same window");
    assert_ne!(killed.s3_arn, taken.s3_arn, "a folder of its own for each try");
}

#[test]
fn a_password_that_changed_is_a_trouble_that_people_read() {
    let mut simulation = Story::calm().simulation();
    simulation.bed().at(at("01:00"), |bed| {
        bed.world_mut().configure_instance("sales", |config| config.password = "another".to_owned());
    });
    simulation.run_until(at("03:00"));
    let trouble = instance(simulation.bed()).trouble.unwrap();
    assert!(!trouble.message.contains("simulated-sales"), "no secret in words: {}", trouble.message);
    let failed =
        runs(&mut simulation).iter().filter(|run| matches!(run.status, asl::Status::Failed { .. })).count();
    assert!(failed >= 2, "tried again");
    simulation.bed().world_mut().configure_instance("sales", |config| {
        config.password = "simulated-sales".to_owned();
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
}

fn failover(clock: &str) -> Simulation {
    let mut story = Story::calm();
    story.multi_az = "always_on";
    let mut simulation = story.simulation();
    simulation.bed().at(at(clock), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    simulation
}

#[test]
fn a_full_that_a_failover_ends_is_taken_again() {
    let mut simulation = failover("00:01");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt, full.earlier_ids.len()), ("succeeded", 2, 1));
    assert!(!notes(full).is_empty(), "it says why");
}

#[test]
fn a_full_whose_log_tells_no_cause_of_its_end_is_taken_again() {
    let mut story = Story::calm();
    story.multi_az = "always_on";
    // All that its log tells is the sentence at the end of every abort.
    story.knobs.texts.failover =
        "Aborted the task because of a task failure or an overlap with your preferred backup window for RDS \
                            automated backup."
            .to_owned();
    let mut simulation = story.simulation();
    simulation.bed().at(at("00:01"), |bed| assert!(bed.world_mut().break_failover(INSTANCE)));
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let full = tasks(&view, "orders", Kind::Full)[0];
    assert_eq!((outcome(full).as_str(), full.attempt, full.earlier_ids.len()), ("succeeded", 2, 1));
    assert_eq!(notes(full), ["TaskAborted"]);
}

#[test]
fn a_log_copy_goes_on_after_a_failover() {
    let mut simulation = failover("02:02");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    for database in ["orders", "parts"] {
        let copies = copies(&view, database);
        assert!(copies.len() >= 11 && copies.iter().all(|outcome| outcome == "succeeded"), "{copies:?}");
    }
}

#[test]
fn a_full_whose_history_a_failover_took_away_is_a_point_until_the_next_one() {
    // The full of orders ends at 00:01:35; before anybody looks, the other node takes over, and its msdb knows nothing of it.
    let mut simulation = failover("00:02");
    simulation.run_until(at("00:02"));
    let first = native(&mut simulation, "orders", true)[0].clone();
    assert!(first.ended_at.is_some(), "the premise");
    let (report, view) = day(&mut simulation);
    // What is not measured is not claimed, though brute force finds logs that fit: careful is the only thing to be called.
    let careless: Vec<String> = objections(&report)
        .into_iter()
        .filter(|objection| !objection.ends_with("is not claimed, but can be restored"))
        .collect();
    assert_eq!(careless, [""; 0]);
    let orders = view.databases.iter().find(|database| database.head.name == "orders").unwrap();
    let evidence: Vec<Evidence> = orders.data.iter().map(|entry| entry.backup.evidence).collect();
    assert_eq!(evidence, [Evidence::Task, Evidence::History]);
    let window = &reported(&report, "orders").window;
    let [point] = &window.points[..] else { panic!("{:?}", window.points) };
    assert!(point.at.duration_since(first.ended_at.unwrap()).abs() < minutes(3), "{point:?}");
    assert!(
        window.intervals.iter().all(|interval| interval.from > point.at),
        "no log is measured against it"
    );
    assert!(window.intervals.last().unwrap().to > at("23:45"), "the next full begins the chain");
    assert!(view.open.is_empty());
}

#[test]
fn no_backup_is_carried_into_a_window_that_was_known() {
    // Eight fulls of ten to thirteen minutes at midnight, two at a time, and a window after 25 minutes: whoever is third would be
    // carried into it. Then maintenance, and differentials before it.
    let (mut held, mut killed) = (0, 0);
    for seed in 0..6 {
        let databases: String = (0..8).map(|n| crate::story::database(&format!("db{n}"), 40)).collect();
        let mut story =
            Story { seed, databases, backup_window: "00:25-00:55", mib_per_second: 60, ..Story::calm() };
        story.policy = "assumed_mib_per_second = 60\nspeed_margin_percent = 20";
        story.maintenance_window = "mon:02:30-mon:03:00";
        story.schedule = r#"differential = { days = ["mon"], at = "02:00" }"#;
        story.rpo_instance_minutes = 600;
        let mut simulation = story.simulation();
        simulation.run_until(at("06:00"));
        let (report, view) = (simulation.report().unwrap(), simulation.view().unwrap());
        let said: Vec<String> =
            objections(&report).into_iter().filter(|said| said.starts_with("windows")).collect();
        assert_eq!(said, [""; 0], "seed {seed}");
        assert_eq!(report.measures["fulls_succeeded"], 8, "seed {seed}: {report}");
        held += view.done.iter().filter(|task| notes(task).contains(&"WindowAhead")).count();
        killed += simulation.bed().world().tasks(INSTANCE).filter(|fact| fact.killed_at.is_some()).count();
    }
    assert!(held > 6, "the premise: windows were in the way, {held}");
    assert_eq!(killed, 0);
}
