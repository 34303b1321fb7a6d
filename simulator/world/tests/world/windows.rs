//! What the service does by itself: automated backups, maintenance, failovers, recovery models.

use tds::Value;
use world::{FailoverFate, Knobs, MaintenanceRule, MultiAz, RecoveryModel, SnapshotBase};

use crate::lab::{Lab, cell, error, prompt, text};

fn until(lab: &mut Lab, moment: &str) {
    lab.world.advance_to(moment.parse().unwrap());
}

#[test]
fn the_automated_backup_kills_native_backups_with_the_recorded_texts() {
    let mut lab = Lab::with(prompt(), |config| config.throughput_bytes = 1_000_000);
    lab.database("A");
    until(&mut lab, "2026-11-03T02:55:00Z");
    let id = lab.backup("A", "dir/a.bak");
    assert_eq!(lab.finish(id), "ERROR");
    let info = lab.info(id);
    let mut rest = info.as_str();
    for part in [
        "] Task execution has started.",
        "] Aborting native backup because there is an RDS automated backup in progress.",
        "] Write on \"",
        "\" failed: 995(The I/O operation has been aborted because of either a thread exit or an application request.)  A nonrecoverable I/O error occurred on file \"",
        ":\" 995(",
        "BACKUP DATABASE is terminating abnormally.",
        "] Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup.",
        "] dir/a.bak: Aborting S3 upload, waiting for S3 workers to clean up and exit",
        "] dir/a.bak: S3 processing has been aborted",
        "] Task has been aborted",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} in {info}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(rest, "");
    assert!(lab.keys("").is_empty());
    let fact = lab.world.tasks("prod").find(|fact| i64::from(fact.id) == id).unwrap();
    let killed = fact.killed_at.unwrap();
    assert!(fact.started_at.unwrap() < killed && killed <= fact.ended_at.unwrap(), "{fact:?}");
    assert!(fact.length.unwrap() > killed.duration_since(fact.started_at.unwrap()), "it would have gone on");
    // The next one waits for the automated backup to end, and then runs.
    let again = lab.backup("A", "dir/b.bak");
    lab.wait(2);
    assert_eq!(lab.lifecycle(again), "CREATED");
    until(&mut lab, "2026-11-03T03:45:00Z");
    assert_eq!(lab.lifecycle(again), "IN_PROGRESS");
    let events: Vec<&str> = lab.world.take_events().iter().map(|e| e.id).collect();
    assert_eq!(events, ["RDS-EVENT-0001", "RDS-EVENT-0002"]);
}

#[test]
fn one_automated_backup_a_day_inside_its_window_moves_the_base() {
    let mut lab = Lab::new();
    lab.database("A");
    let full = lab.backup("A", "a.bak");
    lab.finish(full);
    let base = "SELECT f.differential_base_guid AS g FROM sys.master_files AS f WHERE f.database_id = 6 AND f.file_id = 1";
    let ours = cell(&lab.select(base, &[]), 0, "g").clone();
    let uuid =
        lab.select("SELECT TOP 1 backup_set_uuid AS u FROM msdb.dbo.backupset WHERE is_snapshot = 0", &[]);
    assert_eq!(&ours, cell(&uuid, 0, "u"));
    until(&mut lab, "2026-11-12T10:00:00Z");
    let rows = lab.select(
        "SELECT type, backup_finish_date AS d, backup_set_uuid AS u FROM msdb.dbo.backupset WHERE is_snapshot = 1 ORDER BY d",
        &[],
    );
    // The first is the one of the database's creation.
    assert_eq!(rows.rows.len(), 11);
    for row in 1..11 {
        let Value::DateTime(at) = cell(&rows, row, "d") else { panic!("a date") };
        let minute = at / 60_000_000_000 % 1_440;
        assert!((180..=210).contains(&minute), "{minute}");
    }
    assert_eq!(cell(&lab.select(base, &[]), 0, "g"), cell(&rows, 10, "u"));
}

#[test]
fn what_a_snapshot_does_to_the_base_is_a_knob_and_the_log_chain_goes_on() {
    for (snapshot_base, copy_only) in
        [(SnapshotBase::Moves, false), (SnapshotBase::Leaves, true), (SnapshotBase::Clears, false)]
    {
        let mut lab = Lab::with(Knobs { snapshot_base, ..prompt() }, |_| {});
        lab.database("A");
        let full = lab.backup("A", "a.bak");
        lab.finish(full);
        lab.world.break_snapshot("prod");
        let base = lab.select(
            "SELECT f.differential_base_guid AS g FROM sys.master_files AS f WHERE f.database_id = 6 AND f.file_id = 1",
            &[],
        );
        let rows = lab.select(
            "SELECT backup_set_uuid AS u, is_snapshot AS s, is_copy_only AS c FROM msdb.dbo.backupset ORDER BY backup_finish_date",
            &[],
        );
        let (ours, snapshot) = (rows.rows.len() - 2, rows.rows.len() - 1);
        assert_eq!([ours, snapshot].map(|row| cell(&rows, row, "s").clone()), [false, true].map(Value::Bit));
        assert_eq!(cell(&rows, snapshot, "c"), &Value::Bit(copy_only), "{snapshot_base:?}");
        let expected = match snapshot_base {
            SnapshotBase::Moves => cell(&rows, snapshot, "u"),
            SnapshotBase::Leaves => cell(&rows, ours, "u"),
            SnapshotBase::Clears => &Value::Null,
        };
        assert_eq!(cell(&base, 0, "g"), expected, "{snapshot_base:?}");
        lab.wait(3_600);
        let broken = lab.select(
            "SELECT is_log_chain_broken AS b FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('A') ORDER BY rds_backup_seq_id",
            &[],
        );
        let rows = broken.rows.len();
        assert!(
            rows > 10 && (1..rows).all(|row| cell(&broken, row, "b") == &Value::Bit(false)),
            "{snapshot_base:?}"
        );
    }
}

#[test]
fn the_maintenance_window_is_a_knob() {
    for (rule, refused, ending) in [
        (MaintenanceRule::RefusedAtCall, true, ""),
        (MaintenanceRule::FailsAtRun, false, "ERROR"),
        (MaintenanceRule::Ignored, false, "SUCCESS"),
    ] {
        let mut lab = Lab::with(Knobs { maintenance: rule, ..prompt() }, |_| {});
        lab.database("A");
        until(&mut lab, "2026-11-08T05:10:00Z");
        if refused {
            let arguments =
                [("@source_db_name", text("A")), ("@s3_arn_to_backup_to", text("arn:aws:s3:::vault/a.bak"))];
            assert_eq!(error(&lab.call("msdb.dbo.rds_backup_database", &arguments)).0, 50_000);
        } else {
            let id = lab.backup("A", "a.bak");
            assert_eq!(lab.finish(id), ending);
        }
    }
}

#[test]
fn a_failover_ends_sessions_hides_history_and_meets_each_fate() {
    for (fate, ending) in [
        (FailoverFate::Error, Some("ERROR")),
        (FailoverFate::Restart, Some("SUCCESS")),
        (FailoverFate::Frozen, None),
    ] {
        let mut lab =
            Lab::with(Knobs { failover_fate: fate, ..prompt() }, |c| c.multi_az = MultiAz::AlwaysOn);
        lab.database("A");
        let full = lab.backup("A", "full.bak");
        lab.finish(full);
        let id = lab.backup("A", "a.bak");
        lab.wait(20);
        assert!(lab.world.break_failover("prod"));
        assert!(!lab.world.is_connected(lab.session) && !lab.world.is_reachable("prod"));
        assert_eq!(lab.world.connect("prod", "admin", "simulated").unwrap_err().number, 17_187);
        assert!(!lab.world.break_failover("prod"));
        lab.wait(121);
        lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
        let history = lab.select("SELECT COUNT(*) AS n FROM msdb.dbo.backupset", &[]);
        assert_eq!(*cell(&history, 0, "n"), Value::Int(0), "msdb of the other node");
        if let Some(ending) = ending {
            assert_eq!(lab.finish(id), ending);
        } else {
            let seen = lab.task(id, "last_updated");
            lab.wait(3_600);
            assert_eq!((lab.lifecycle(id), lab.task(id, "last_updated")), ("IN_PROGRESS".into(), seen));
            // Nothing but a cancel ends it.
            assert_eq!(lab.batch(&format!("EXEC msdb.dbo.rds_cancel_task {id}")).error, None);
            assert_eq!((lab.lifecycle(id), lab.finish(id)), ("CANCEL_REQUESTED".into(), "CANCELLED".into()));
        }
    }
}

#[test]
fn a_changed_recovery_model_is_set_back_and_breaks_the_chain() {
    let mut lab = Lab::new();
    let database = lab.database("A");
    lab.wait(3_600);
    lab.world.break_recovery_model(database, RecoveryModel::Simple);
    let model = "SELECT recovery_model_desc AS m, r.last_log_backup_lsn AS l FROM sys.databases AS d JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id WHERE d.name = N'a'";
    let rows = lab.select(model, &[]);
    assert_eq!((cell(&rows, 0, "m"), cell(&rows, 0, "l")), (&text("SIMPLE"), &Value::Null));
    lab.wait(3_600);
    let rows = lab.select(model, &[]);
    assert_eq!(*cell(&rows, 0, "m"), text("FULL"));
    assert_ne!(*cell(&rows, 0, "l"), Value::Null);
    let broken = lab.select(
        "SELECT rds_backup_seq_id AS n FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('A') WHERE is_log_chain_broken = 1",
        &[],
    );
    assert_eq!(broken.rows.len(), 1);
}

#[test]
fn retention_zero_turns_logs_off() {
    let mut lab = Lab::new();
    lab.database("A");
    lab.wait(3_600);
    lab.world.break_retention("prod", 0);
    let arguments = [("@target_s3_arn", text("arn:aws:s3:::vault/logs"))];
    assert!(
        error(&lab.call("msdb.dbo.rds_tlog_copy_setup", &arguments)).1.starts_with("Backups are disabled")
    );
    lab.wait(86_400 * 2);
    let model = "SELECT recovery_model_desc AS m FROM sys.databases WHERE name = 'A'";
    assert_eq!(*cell(&lab.select(model, &[]), 0, "m"), text("SIMPLE"));
    let snapshots = "SELECT COUNT(*) AS n FROM msdb.dbo.backupset";
    assert_eq!(*cell(&lab.select(snapshots, &[]), 0, "n"), Value::Int(1));
    lab.world.break_retention("prod", 7);
    assert_eq!(*cell(&lab.select(model, &[]), 0, "m"), text("FULL"));
    assert_eq!(*cell(&lab.select(snapshots, &[]), 0, "n"), Value::Int(2));
    let description = lab.world.describe_instance("prod").unwrap();
    assert_eq!((description.status, description.config.retention_days), ("available", 7));
}

/// Set back with a snapshot of the instance; on Multi-AZ at once.
#[test]
fn a_changed_recovery_model_is_set_back_with_a_snapshot() {
    for (mode, at_once) in [(MultiAz::Single, false), (MultiAz::Mirroring, true)] {
        let mut lab = Lab::with(prompt(), |config| config.multi_az = mode);
        let database = lab.database("A");
        lab.database("B");
        lab.wait(600);
        lab.world.break_recovery_model(database, RecoveryModel::BulkLogged);
        let model = |lab: &mut Lab| {
            let rows = lab.select("SELECT recovery_model_desc AS m FROM sys.databases WHERE name = 'A'", &[]);
            cell(&rows, 0, "m") == &text("FULL")
        };
        lab.wait(1);
        assert_eq!(model(&mut lab), at_once, "{mode:?}");
        lab.wait(300);
        assert!(model(&mut lab));
        let snapshots = lab.select("SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE is_snapshot = 1", &[]);
        assert_eq!(*cell(&snapshots, 0, "n"), Value::Int(4), "one of each at its creation, one of each now");
        let broken = "SELECT COUNT(*) AS n FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('A') WHERE is_log_chain_broken = 1";
        assert_eq!(*cell(&lab.select(broken, &[]), 0, "n"), Value::Int(0), "BULK_LOGGED breaks no chain");
    }
}

/// A database that is not backed up keeps the whole instance from being restored to a later moment.
#[test]
fn an_offline_database_stops_the_latest_restorable_time() {
    let mut lab = Lab::new();
    lab.database("A");
    let database = lab.database("B");
    let latest = |lab: &Lab| lab.world.describe_instance("prod").unwrap().latest_restorable_time.unwrap();
    lab.wait(1_800);
    let before = latest(&lab);
    assert!(lab.now().duration_since(before).as_secs() <= 300);
    lab.world.break_offline(database);
    lab.wait(3_600);
    assert!(latest(&lab).duration_since(before).as_secs() <= 300);
    assert_eq!(lab.batch("EXEC rdsadmin.dbo.rds_set_database_online 'B'").error, None);
    lab.wait(600);
    assert!(lab.now().duration_since(latest(&lab)).as_secs() <= 300);
}
