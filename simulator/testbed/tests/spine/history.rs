//! Real histories in the simulated world: what the rules derive from headers is what the contents give, and a database goes on
//! from where its history ended.

use std::collections::BTreeSet;

use domain::backup::Kind as BackupKind;
use domain::coverage;
use jiff::{SignedDuration, Timestamp};
use sqlserver::import::{Options, history};
use testbed::simulation::import;
use world::{BucketConfig, DatabaseConfig, InstanceConfig, Judge, Knobs, World};

use crate::story::{BUCKET, INSTANCE, Story, assert_well, copies, database, day, histories};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "123456789012";

/// Histories whose dates have whole seconds.
const RESOLUTION: SignedDuration = SignedDuration::from_secs(1);

#[test]
fn a_database_with_a_real_past_is_protected_like_any_other() {
    let mut story = Story::calm();
    story.databases =
        format!("{}history = \"DiffRestore.json\"\n{}", database("orders", 8), database("parts", 2));
    let mut simulation = story.simulation();
    let rows = import::headers(&histories().join("DiffRestore.json"), None).unwrap();
    assert!(import::after(&rows).unwrap() < simulation.scenario().start);
    let newest = rows.iter().map(|row| row.last_lsn).max().unwrap();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let head = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().head;
    let full = head.last_full.as_ref().unwrap();
    let goes_on = domain::lsn::Lsn::from_u64(u64::try_from(newest.numeric()).unwrap());
    assert!(full.last_lsn > goes_on, "its LSNs go on where the history ended: {:?}", full.last_lsn);
    let copies = copies(&view, "orders");
    assert!(copies.len() >= 11 && copies.iter().all(|outcome| outcome == "succeeded"), "{copies:?}");
}

/// Whether the judge restores a moment, and what comes back is what the database held.
fn restores(world: &World, judge: &Judge<'_>, database: world::DatabaseId, moment: Timestamp) -> bool {
    judge.restore_to(moment).is_ok_and(|restored| world.truth(database, moment) == Some(restored.content))
}

/// A world that holds nothing but the files of one history, and the window that the rules derive from its headers. Tells how
/// many moments were tried, claimed and lost.
fn confirm(name: &str) -> (usize, usize) {
    let path = histories().join(format!("{name}.json"));
    let headers = import::headers(&path, Some(BUCKET)).unwrap();
    let start = import::after(&headers).unwrap() + SignedDuration::from_hours(1);
    let mut world = World::new(5, start, Knobs::default());
    world.add_bucket(BucketConfig::named(BUCKET, REGION, ACCOUNT));
    world.add_instance(InstanceConfig::named(INSTANCE, REGION, ACCOUNT));
    let config = DatabaseConfig::named("orders");
    let id = world.add_database_from_history(INSTANCE, &config, &headers).unwrap();

    let (past, _) = history(&std::fs::read(&path).unwrap(), &Options::default(), start).unwrap();
    let report = coverage::report(&past, start, |_| true);
    let [window] = &report.databases[..] else { panic!("{name}: {} databases", report.databases.len()) };
    let judge = world.judge(BUCKET, "", id);
    let mut claimed: BTreeSet<Timestamp> = window.points.iter().map(|point| point.at).collect();
    for interval in &window.intervals {
        let length = interval.to.duration_since(interval.from);
        claimed.extend((0..=4).map(|quarter| interval.from + length * quarter / 4));
    }
    for moment in &claimed {
        assert!(
            restores(&world, &judge, id, *moment),
            "{name}: {moment} is claimed: {:?}",
            judge.restore_to(*moment)
        );
    }
    // The whole second at both edges may belong to either side.
    let mut lost = BTreeSet::new();
    for hole in &window.holes {
        let (from, to) = (hole.from + RESOLUTION, hole.to - RESOLUTION);
        if from < to {
            lost.extend((0..=4).map(|quarter| from + to.duration_since(from) * quarter / 4));
        }
    }
    let first = window
        .intervals
        .iter()
        .map(|interval| interval.from)
        .chain(window.points.iter().map(|point| point.at));
    lost.extend(first.min().map(|first| first - RESOLUTION));
    for moment in &lost {
        assert!(!restores(&world, &judge, id, *moment), "{name}: {moment} is claimed lost");
    }
    let data = headers.iter().filter(|header| header.kind != world::BackupKind::Log).count();
    assert_eq!(judge.counts(), (data, headers.len() - data), "{name}: every file is there to be tried");
    (claimed.len(), lost.len())
}

#[test]
fn windows_of_real_histories_are_what_their_files_restore() {
    for (name, claimed_min, lost_min) in [
        ("DiffRestore", 5, 1),
        ("AgDiffRestore", 5, 1),
        ("EmptyTLogData", 5, 1),
        ("ContinuePointTest", 1, 1),
        ("copy_only_synthetic", 5, 5),
    ] {
        let (claimed, lost) = confirm(name);
        println!("{name}: {claimed} {lost}");
        assert!(claimed >= claimed_min && lost >= lost_min, "{name}: {claimed} claimed, {lost} lost");
    }
}

#[test]
fn headers_of_every_kind_come_through_the_import() {
    let kinds: BTreeSet<String> = ["DiffRestore", "copy_only_synthetic"]
        .iter()
        .flat_map(|name| {
            let bytes = std::fs::read(histories().join(format!("{name}.json"))).unwrap();
            sqlserver::import::read(&bytes, &Options::default()).unwrap().backups
        })
        .map(|backup| format!("{:?}", backup.kind))
        .collect();
    let expected = [BackupKind::Full, BackupKind::Differential, BackupKind::Log, BackupKind::CopyOnly];
    assert_eq!(kinds, expected.iter().map(|kind| format!("{kind:?}")).collect());
}
