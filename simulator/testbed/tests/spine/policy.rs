//! What a policy says about databases and storage is done: exclusions, compression; and what cannot be done stops the run.

use domain::task::Kind;
use testbed::simulation::Simulation;

use crate::story::{INSTANCE, Story, assert_well, at, database, day, instance, notes, objections, tasks};

#[test]
fn an_excluded_database_is_left_alone_and_nobody_misses_it() {
    let mut story = Story::calm();
    story.databases += &database("scratch_7", 1);
    story.policy = "exclude = [\"SCRATCH*\"]";
    let mut simulation = story.simulation();
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert!(view.open.is_empty() && view.done.iter().all(|task| task.database != "scratch_7"));
    assert!(simulation.bed().world().tasks(INSTANCE).all(|task| &*task.database != "scratch_7"));
    assert!(!tasks(&view, "orders", Kind::Full).is_empty());
    // What is excluded keeps no run going: there are as many as without it.
    let mut without = Story::calm().simulation();
    without.run_until(simulation.bed().now());
    let runs = |simulation: &mut Simulation| {
        simulation.bed().executions().iter().filter(|run| &*run.machine == "instance").count()
    };
    assert_eq!(runs(&mut simulation), runs(&mut without));
}

#[test]
fn backups_are_compressed_as_the_policy_says() {
    for (policy, expected) in [
        ("storage = { compression = true }", true),
        ("storage = { compression = false }", false),
        // Left as the instance has it.
        ("", false),
    ] {
        let mut story = Story::calm();
        story.policy = policy;
        let (report, view) = day(&mut story.simulation());
        assert_well(&report, &view);
        let backups = view.databases.iter().flat_map(|database| &database.data);
        let compressed: Vec<bool> =
            backups.map(|entry| entry.backup.compressed_size_bytes < entry.backup.size_bytes).collect();
        assert_eq!(compressed, [expected; 2], "{policy:?}");
    }
}

#[test]
fn no_full_starts_in_hours_that_belong_to_others_and_logs_are_copied_all_the_same() {
    let story = Story {
        full: "days = [\"mon\"], at = \"01:00\"",
        schedule: "guards = [{ days = [\"mon\"], from = \"00:40\", to = \"09:00\" }]",
        ..Story::calm()
    };
    let mut simulation = story.simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let fulls = tasks(&view, "orders", Kind::Full);
    let [first, of_calendar] = fulls[..] else { panic!("{fulls:?}") };
    assert!(first.planned_at < at("00:40"), "{first:?}");
    assert_eq!(notes(of_calendar), ["WindowAhead"]);
    let native: Vec<_> = simulation
        .bed()
        .world()
        .tasks(INSTANCE)
        .map(|task| (task.kind.is_backup(), task.created_at))
        .collect();
    let guarded = at("00:40")..at("09:00");
    assert!(native.iter().all(|(is_backup, created)| !is_backup || !guarded.contains(created)), "{native:?}");
    assert!(native.iter().any(|(is_backup, created)| !is_backup && guarded.contains(created)), "{native:?}");
}

#[test]
fn a_policy_that_cannot_be_carried_out_stops_the_run_with_its_reason() {
    let mut story = Story::calm();
    story.policy = "storage = { stripes = 11 }";
    let mut simulation = story.simulation();
    let (report, _) = day(&mut simulation);
    let bed = simulation.bed();
    assert_eq!(bed.world().tasks(INSTANCE).count(), 0, "nothing was asked of the server");
    let trouble = instance(bed).trouble.unwrap();
    assert_eq!(trouble.message, "Human: TooManyFiles: 11 files, a backup has 10 at most");
    assert!(!report.holds);
}
