//! What a policy says about databases and storage is done: exclusions, compression; and what cannot be done stops the run.

use domain::task::Kind;

use crate::story::{INSTANCE, Story, assert_well, database, day, instance, objections, tasks};

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
