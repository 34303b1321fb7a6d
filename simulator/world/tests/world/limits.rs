//! Limits: how many databases an instance holds, and of what size and kind a restore takes them.

use tds::Response;
use world::{BackupKind, DatabaseConfig, Edition, InstanceConfig, Knobs, MultiAz, TaskType};

use crate::lab::{Lab, error, prompt, task_id, text};

fn restore(lab: &mut Lab, name: &str, key: &str) -> Response {
    let arn = format!("arn:aws:s3:::vault/{key}");
    let arguments = [("@restore_db_name", text(name)), ("@s3_arn_to_restore_from", text(&arn))];
    lab.call("msdb.dbo.rds_restore_database", &arguments)
}

/// How a restore ends, and what its `task_info` says.
fn restored(lab: &mut Lab, name: &str, key: &str) -> (String, String) {
    let answer = restore(lab, name, key);
    assert_eq!(answer.error, None);
    let id = task_id(&answer);
    (lab.finish(id), lab.info(id))
}

fn fill(lab: &mut Lab, count: usize) {
    for n in 0..count {
        let small = DatabaseConfig { size_bytes: 1_000_000, ..DatabaseConfig::named(&format!("D{n}")) };
        lab.world.add_database("prod", &small).unwrap();
    }
}

fn of_class(class: &str, knobs: Knobs) -> Lab {
    Lab::with(knobs, |config| config.instance_class = Some(class.into()))
}

#[test]
fn a_class_holds_so_many_databases() {
    let mut lab = of_class("db.m6i.large", prompt());
    fill(&mut lab, 29);
    let id = lab.backup("D0", "a.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    // Two restores that run together are one too many, as the second has a place to lose.
    let (first, second) = (restore(&mut lab, "X", "a.bak"), restore(&mut lab, "Y", "a.bak"));
    let ids = [task_id(&first), task_id(&second)];
    assert_eq!(ids.map(|id| lab.finish(id)), ["SUCCESS", "ERROR"]);
    let info = lab.info(ids[1]);
    assert!(
        info.contains("(RESTORE_DB) exception: Database Y can't be created because the DB instance supports up to 30 databases."),
        "{info}"
    );
    let refused = lab.world.add_database("prod", &DatabaseConfig::named("Z")).unwrap_err();
    assert_eq!(
        refused.text,
        "Database Z can't be created because the DB instance supports up to 30 databases."
    );
    // What was dropped leaves its place.
    assert_eq!(lab.batch("EXEC msdb.dbo.rds_drop_database 'D5'").error, None);
    assert_eq!(restored(&mut lab, "Y", "a.bak").0, "SUCCESS");
    let restores =
        lab.world.tasks("prod").filter(|task| matches!(task.kind, TaskType::Restore(BackupKind::Full, _)));
    assert_eq!(restores.count(), 3);
}

#[test]
fn a_restore_beyond_the_limit_may_be_refused_by_the_call() {
    let mut lab = of_class("db.t3.micro", Knobs { database_limit_at_call: true, ..prompt() });
    fill(&mut lab, 30);
    let id = lab.backup("D0", "a.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let refused = error(&restore(&mut lab, "X", "a.bak"));
    assert_eq!(
        refused,
        (50_000, "Database X can't be created because the DB instance supports up to 30 databases.".into())
    );
}

#[test]
fn a_change_that_holds_too_few_databases_is_told_by_an_event() {
    let mut lab = of_class("db.m6i.16xlarge", prompt());
    fill(&mut lab, 76);
    lab.world.take_events();
    assert!(!lab.world.break_multi_az("prod", MultiAz::AlwaysOn));
    assert!(!lab.world.break_instance_class("prod", "db.m6i.large"));
    let events: Vec<_> = lab.world.take_events().into_iter().map(|event| (event.id, event.message)).collect();
    assert_eq!(
        events,
        [
            (
                "RDS-EVENT-0084",
                "Unable to convert the DB instance to Multi-AZ: The instance has 76 databases, but after conversion it would only support 75.".to_owned()
            ),
            (
                "RDS-EVENT-0157",
                "Unable to modify database instance class. The instance has 76 databases, but after conversion it would only support 30.".to_owned()
            ),
        ]
    );
    // "If you upgrade your instance class type to db.*.24xlarge instead, the modification succeeds."
    assert!(lab.world.break_instance_class("prod", "db.m6i.24xlarge"));
    lab.wait(121);
    assert!(lab.world.break_multi_az("prod", MultiAz::AlwaysOn));
    let ids: Vec<&str> = lab.world.take_events().iter().map(|event| event.id).collect();
    for id in ["RDS-EVENT-0012", "RDS-EVENT-0014", "RDS-EVENT-0024", "RDS-EVENT-0025"] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    let config = lab.world.describe_instance("prod").unwrap().config;
    assert_eq!(
        (config.multi_az, config.instance_class.as_deref()),
        (MultiAz::AlwaysOn, Some("db.m6i.24xlarge"))
    );
}

#[test]
fn a_conversion_to_multi_az_moves_the_differential_base() {
    let mut lab = Lab::new();
    lab.database("A");
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    assert!(lab.world.break_multi_az("prod", MultiAz::AlwaysOn));
    let answer = lab.batch(
        "EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/diff.bak', @type = 'DIFFERENTIAL'",
    );
    let id = task_id(&answer);
    assert_eq!(lab.finish(id), "ERROR");
    assert!(lab.info(id).contains("because a current database backup does not exist"));
    assert!(lab.world.break_multi_az("prod", MultiAz::Single));
    assert!(!lab.world.break_multi_az("prod", MultiAz::Single), "it is that already");
    let named = InstanceConfig::named("x", "eu-central-1", "111122223333");
    assert_eq!((named.instance_class, named.vcpus), (None, None), "no limit unless a class is given");
}

#[test]
fn express_takes_ten_gigabytes_and_no_compression() {
    let mut lab = Lab::new();
    for (name, megabytes) in [("Fits", 10_239_u64), ("Large", 10_241)] {
        let config = DatabaseConfig {
            size_bytes: megabytes << 20,
            transactions_per_minute_milli: 0,
            ..DatabaseConfig::named(name)
        };
        lab.world.add_database("prod", &config).unwrap();
        let id = lab.backup(name, &format!("{name}.bak"));
        assert_eq!(lab.finish(id), "SUCCESS");
    }
    lab.world.configure_instance("prod", |config| config.edition = Edition::Express);
    assert_eq!(restored(&mut lab, "X", "Fits.bak").0, "SUCCESS");
    let (ending, info) = restored(&mut lab, "Y", "Large.bak");
    assert_eq!(ending, "ERROR");
    assert!(info.contains("would exceed your licensed limit of 10240 MB per database."), "{info}");
    lab.batch("EXEC rdsadmin.dbo.rds_set_configuration 'S3 backup compression', 'true'");
    let id = lab.backup("X", "x.bak");
    assert_eq!(lab.finish(id), "ERROR");
    assert!(lab.info(id).contains("BACKUP DATABASE WITH COMPRESSION isn't supported on Express Edition"));
    lab.world.configure_instance("prod", |config| config.edition = Edition::Standard);
    assert_eq!(restored(&mut lab, "Y", "Large.bak").0, "SUCCESS");
}
