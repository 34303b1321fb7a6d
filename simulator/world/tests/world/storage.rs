//! Storage: what fills it, what a restore needs of it, and what a full one does.

use tds::Value;
use world::{DatabaseConfig, Edition};

use crate::lab::{Lab, cell, prompt, task_id};

const GIB: u64 = 1 << 30;

/// An instance with so much storage, and a database of 10 GiB on it that grows by 1 GiB an hour.
fn with(gib: u64) -> Lab {
    let mut lab = Lab::with(prompt(), |config| config.allocated_storage_bytes = Some(gib * GIB));
    let config = DatabaseConfig {
        size_bytes: 10 * GIB,
        growth_bytes: GIB / 60,
        transactions_per_minute_milli: 1_000,
        ..DatabaseConfig::named("A")
    };
    lab.world.add_database("prod", &config).unwrap();
    lab
}

fn restore(lab: &mut Lab, name: &str) -> i64 {
    let sql = format!("EXEC msdb.dbo.rds_restore_database '{name}', 'arn:aws:s3:::vault/a.bak'");
    task_id(&lab.batch(&sql))
}

fn status(lab: &Lab) -> &'static str {
    lab.world.describe_instance("prod").unwrap().status
}

#[test]
fn a_restore_needs_the_space_of_all_data_files() {
    let mut lab = with(24);
    let id = lab.backup("A", "a.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    // The first takes its space while it runs: the second fails at its start.
    let ids = [restore(&mut lab, "B"), restore(&mut lab, "C")];
    assert_eq!(ids.map(|id| lab.finish(id)), ["SUCCESS", "ERROR"]);
    let info = lab.info(ids[1]);
    assert!(
        info.contains("(RESTORE_DB) exception: There is insufficient free space on disk volume 'D:\\' to create the database. The database requires 118"),
        "{info}"
    );
    assert!(lab.world.break_storage("prod", 40 * GIB));
    let id = restore(&mut lab, "C");
    assert_eq!(lab.finish(id), "SUCCESS");
}

#[test]
fn full_storage_gets_no_automated_backup_and_still_a_native_one() {
    let mut lab = with(20);
    lab.world.take_events();
    lab.wait(3_600 * 8);
    assert_eq!(status(&lab), "available");
    lab.wait(3_600 * 2);
    assert_eq!(status(&lab), "storage-full");
    let events: Vec<_> = lab.world.take_events().into_iter().map(|event| (event.id, event.message)).collect();
    assert_eq!(events[0].0, "RDS-EVENT-0089");
    assert!(
        events[0].1.starts_with(
            "The free storage capacity for DB instance: prod is low at 9% of the provisioned storage [Provisioned Storage: 20.00 GB, Free Storage: 1.9"
        ),
        "{events:?}"
    );
    assert!(
        events[0]
            .1
            .ends_with(" GB]. You may want to increase the provisioned storage to address this issue.")
    );
    assert_eq!(
        events[1..],
        [(
            "RDS-EVENT-0007",
            "Allocated storage has been exhausted. Allocate additional storage to resolve.".to_owned()
        )]
    );
    // It streams to S3.
    let id = lab.backup("A", "a.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    lab.world.advance_to("2026-11-03T06:00:00Z".parse().unwrap());
    assert_eq!(snapshots(&mut lab), 1, "that of the creation");
    assert!(!lab.world.break_storage("prod", 10 * GIB), "there is no way to less");
    assert!(lab.world.break_storage("prod", 100 * GIB));
    assert_eq!((status(&lab), snapshots(&mut lab)), ("available", 1));
    lab.world.advance_to("2026-11-04T06:00:00Z".parse().unwrap());
    assert_eq!(snapshots(&mut lab), 2);
}

fn snapshots(lab: &mut Lab) -> i64 {
    let rows = lab.select("SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE is_snapshot = 1", &[]);
    match cell(&rows, 0, "n") {
        Value::Int(count) => *count,
        other => panic!("no number: {other:?}"),
    }
}

#[test]
fn a_volume_that_is_added_takes_a_snapshot() {
    let mut lab = with(30);
    assert!(lab.world.break_volume("prod", 100 * GIB));
    assert_eq!(snapshots(&mut lab), 2);
    let config = lab.world.describe_instance("prod").unwrap().config;
    assert_eq!(config.allocated_storage_bytes, Some(130 * GIB));
    lab.world.configure_instance("prod", |config| config.edition = Edition::Web);
    assert!(!lab.world.break_volume("prod", GIB), "Standard and Enterprise take volumes");
    let mut lab = Lab::new();
    assert!(!lab.world.break_volume("prod", GIB) && !lab.world.break_storage("prod", GIB), "never fills");
}
