//! What a database has that native restores or Multi-AZ modes do not take.

use tds::Value;
use world::{
    BackupKind, BackupOrder, DatabaseConfig, Device, Features, InstanceConfig, MultiAz, ObjectRef,
    RecoveryModel,
};

use crate::lab::{ACCOUNT, Lab, REGION, task_id};

fn with(features: Features) -> DatabaseConfig {
    DatabaseConfig { features, ..DatabaseConfig::named("A") }
}

/// Queues a restore of `full.bak`, of the differential or the log.
fn restore(lab: &mut Lab, name: &str, call: &str) -> i64 {
    task_id(&lab.batch(&call.replace("{name}", name)))
}

const FULL: &str = "EXEC msdb.dbo.rds_restore_database '{name}', 'arn:aws:s3:::vault/full.bak'";
const BASE: &str =
    "EXEC msdb.dbo.rds_restore_database '{name}', 'arn:aws:s3:::vault/full.bak', @with_norecovery = 1";
const DIFFERENTIAL: &str = "EXEC msdb.dbo.rds_restore_database '{name}', 'arn:aws:s3:::vault/diff.bak', @with_norecovery = 0, @type = 'DIFFERENTIAL'";

#[track_caller]
fn fails(lab: &mut Lab, id: i64, said: &str) {
    assert_eq!(lab.finish(id), "ERROR");
    let info = lab.info(id);
    assert!(info.contains(&format!(") exception: {said} [")), "{info}");
}

#[test]
fn a_filestream_filegroup_is_not_restored() {
    let mut lab = Lab::new();
    // RDS has none: the backup comes from a server as installed.
    let config = InstanceConfig { retention_days: 0, ..InstanceConfig::named("site", REGION, ACCOUNT) };
    lab.world.add_instance(config);
    let features = Features { filestream: true, ..Features::default() };
    let id = lab.world.add_installed_database("site", &with(features), RecoveryModel::Full).unwrap();
    let order = BackupOrder {
        kind: BackupKind::Full,
        copy_only: false,
        to: Device::Objects(vec![ObjectRef::newest("vault", "full.bak")]),
        damaged: false,
        kms_key: None,
    };
    let ticket = lab.world.begin_backup(id, order).unwrap();
    lab.wait(60);
    lab.world.end_backup(ticket).unwrap();
    let id = restore(&mut lab, "B", FULL);
    let said = lab.world.knobs().texts.filestream.clone();
    fails(&mut lab, id, &said);
}

#[test]
fn a_file_without_a_guid_takes_fulls_only() {
    for (null_file_guid, ending) in [(true, "ERROR"), (false, "SUCCESS")] {
        let mut lab = Lab::new();
        let features = Features { null_file_guid, ..Features::default() };
        lab.world.add_database("prod", &with(features)).unwrap();
        let nulls = "SELECT COUNT(*) FROM sys.master_files WHERE database_id = 6 AND file_guid IS NULL";
        assert_eq!(lab.select(nulls, &[]).rows[0][0], Value::Int(i64::from(null_file_guid)));
        let id = lab.backup("A", "full.bak");
        lab.finish(id);
        let diff =
            "EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/diff.bak', @type = 'DIFFERENTIAL'";
        let id = task_id(&lab.batch(diff));
        assert_eq!(lab.finish(id), "SUCCESS");
        let id = restore(&mut lab, "B", FULL);
        assert_eq!(lab.finish(id), "SUCCESS");
        let ids = [restore(&mut lab, "C", BASE), restore(&mut lab, "C", DIFFERENTIAL)];
        assert_eq!(lab.finish(ids[0]), "SUCCESS");
        assert_eq!(lab.finish(ids[1]), ending);
        if null_file_guid {
            let said = lab.world.knobs().texts.null_file_guid.clone();
            fails(&mut lab, ids[1], &said);
            let log = "EXEC msdb.dbo.rds_restore_log '{name}', 'arn:aws:s3:::vault/full.bak'";
            let id = restore(&mut lab, "C", log);
            assert_eq!(lab.finish(id), "ERROR");
        }
    }
}

#[test]
fn in_memory_tables_are_not_mirrored() {
    let mut lab = Lab::new();
    let features = Features { in_memory: true, ..Features::default() };
    lab.world.add_database("prod", &with(features)).unwrap();
    let id = lab.backup("A", "full.bak");
    lab.finish(id);
    lab.world.take_events();
    assert!(!lab.world.break_multi_az("prod", MultiAz::Mirroring));
    let events = lab.world.take_events();
    assert_eq!(
        (events[0].id, events[0].message.as_str()),
        (
            "RDS-EVENT-0084",
            "Unable to convert the DB instance to Multi-AZ: The database contains in-memory file groups that are not supported for Multi-AZ."
        )
    );
    assert!(lab.world.break_multi_az("prod", MultiAz::AlwaysOn));
    let id = restore(&mut lab, "B", FULL);
    assert_eq!(lab.finish(id), "SUCCESS");
    // The same backup on an instance that mirrors.
    let config =
        InstanceConfig { multi_az: MultiAz::Mirroring, ..InstanceConfig::named("mirror", REGION, ACCOUNT) };
    lab.world.add_instance(config);
    let session = lab.world.connect("mirror", "admin", "simulated").unwrap();
    let answer = lab.world.execute(session, &tds::Request::Batch(FULL.replace("{name}", "C")));
    let task = task_id(&answer);
    lab.wait(300);
    let fact = lab.world.tasks("mirror").find(|fact| i64::from(fact.id) == task).unwrap();
    assert_eq!(fact.lifecycle, world::Lifecycle::Error);
}
