//! Are backups cut into the files that their size wants, moved as the policy says, and cut finer when they outgrow them?

use domain::task::Kind;
use testbed::simulation::Simulation;

use crate::foreign::call;
use crate::story::{Story, assert_well, at, database, day, native, notes, outcome, tasks};

/// 12 TiB that are moved within minutes.
fn large() -> Story {
    let databases = database("orders", 12 * 1_024) + &database("parts", 1);
    Story { databases, mib_per_second: 40_000, ..Story::calm() }
}

#[test]
fn a_backup_has_as_many_files_as_its_size_wants_and_the_catalogue_counts_them_all() {
    let mut simulation = large().simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    for (name, files) in [("orders", 4), ("parts", 1)] {
        let database = view.databases.iter().find(|database| database.head.name == name).unwrap();
        let [full] = &database.data[..] else { panic!("one full: {:?}", database.data) };
        assert_eq!(full.objects.len(), files, "13.2 TB and 30 % more in files of 5 TB: four");
        assert_eq!(full.backup.stripes.files().len(), files);
        let stored: u64 = full.objects.iter().map(|object| object.size_bytes).sum();
        let [sample] = &database.head.fulls[..] else { panic!("one sample: {:?}", database.head.fulls) };
        assert_eq!((sample.stored_bytes, sample.size_bytes), (Some(stored), full.backup.size_bytes));
    }
    let [backup] = &native(&mut simulation, "orders", true)[..] else { panic!("asked for once") };
    assert!(backup.s3_arn.ends_with("/part*.bak"), "{}", backup.s3_arn);
}

#[test]
fn the_policy_names_files_and_transfers_and_has_its_way() {
    let mut story = Story::calm();
    story.policy =
        "storage = { stripes = 3, max_transfer_bytes = 1048576, block_bytes = 4096, buffer_count = 12 }";
    let (report, view) = day(&mut story.simulation());
    assert_well(&report, &view);
    for database in &view.databases {
        let keys: Vec<&str> = database.data[0].objects.iter().map(|object| object.key.as_str()).collect();
        let files: Vec<&str> = keys.iter().filter_map(|key| key.rsplit('/').next()).collect();
        assert_eq!(files, ["part1-of-3.bak", "part2-of-3.bak", "part3-of-3.bak"]);
    }
    // As they were asked for: the simulated server refuses what it does not know, and the request is kept.
    let task = tasks(&view, "orders", Kind::Full)[0];
    let asked = serde_json::to_value(task.request().unwrap()).unwrap();
    let expected =
        serde_json::json!({ "max_transfer_bytes": 1_048_576, "block_bytes": 4_096, "buffer_count": 12 });
    assert_eq!((&asked["backup"]["options"], &asked["backup"]["files"]), (&expected, &serde_json::json!(3)));
}

#[test]
fn a_backup_that_outgrows_its_files_is_tried_again_with_more() {
    let mut story = large();
    // A second full at 14:00; the first one comes at once.
    story.full = "days = [\"mon\"], at = \"14:00\"";
    let mut simulation = story.simulation();
    let compress = |simulation: &mut Simulation, on: &str| {
        call(
            simulation.bed(),
            "rdsadmin.dbo.rds_set_configuration",
            &[("@name", "S3 backup compression"), ("@value", on)],
        );
    };
    compress(&mut simulation, "true");
    simulation.run_until(at("13:00"));
    // A ratio of 30 per cent is on record when somebody switches compression off.
    compress(&mut simulation, "false");
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let fulls = tasks(&view, "orders", Kind::Full);
    let outcomes: Vec<String> = fulls.iter().map(|task| outcome(task)).collect();
    assert_eq!(outcomes, ["succeeded"; 2]);
    assert_eq!(notes(fulls[1]), ["FileTooLarge", "StripesPromoted"], "{:?}", fulls[1].notes);
    let natives: Vec<_> = native(&mut simulation, "orders", true);
    assert_eq!(natives.len(), 3, "two fulls, one of them at the second try");
    let data = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().data;
    let files: Vec<usize> = data.iter().map(|entry| entry.objects.len()).collect();
    assert_eq!(files, [4, 4], "without a ratio nothing is counted on; 3.96 TB in two, 13.2 TB in four");
}
