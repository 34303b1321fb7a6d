//! What msdb tells of native restores, and on which node.

use jiff::SignedDuration;
use tds::Value;
use world::{MultiAz, ObjectRef};

use crate::lab::{Lab, prompt, string, text};
use crate::native_restore::{arn, done, logs_behind, queued, restore, restore_log};

/// Columns of `restorehistory`, as text, in order.
fn told(lab: &mut Lab, columns: &str) -> Vec<Vec<Value>> {
    let sql = format!("SELECT {columns} FROM msdb.dbo.restorehistory ORDER BY restore_history_id");
    lab.select(&sql, &[]).rows
}

#[test]
fn restores_are_told_by_restorehistory() {
    let mut lab = Lab::with(prompt(), |config| config.utc_offset_minutes = 60);
    lab.database("A");
    lab.set_up_logs();
    lab.wait(1_800);
    let full = lab.call(
        "msdb.dbo.rds_backup_database",
        &[
            ("@source_db_name", text("A")),
            ("@s3_arn_to_backup_to", arn("full*.bak")),
            ("@number_of_files", Value::Int(3)),
        ],
    );
    done(&mut lab, &full);
    lab.wait(1_200);
    let copy = lab.copy_all("A");
    assert_eq!(lab.finish(copy), "SUCCESS");
    assert_eq!(told(&mut lab, "*"), [[]; 0]);
    let logs = logs_behind(&lab, "full1-of-3.bak");
    let full = queued(&restore(&mut lab, "B", "full*", &[("@with_norecovery", Value::Int(1))]));
    assert_eq!(lab.finish(full), "SUCCESS");
    // The clock of the server is an hour ahead.
    let stop = lab.world.header(&ObjectRef::newest("vault", &logs[0])).unwrap().finish()
        - SignedDuration::from_secs(30);
    let local = (stop + SignedDuration::from_hours(1)).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let log = restore_log(&mut lab, "B", &logs[0], &[("@stopat", text(&local))]);
    done(&mut lab, &log);
    // What fails is no restore, and nothing is read by the one that opens.
    let failed = queued(&restore(&mut lab, "C", "missing.bak", &[]));
    assert_eq!(lab.finish(failed), "ERROR");
    let finish = lab.call("msdb.dbo.rds_finish_restore", &[("@db_name", text("B"))]);
    done(&mut lab, &finish);
    let whole = restore(&mut lab, "D", "full*", &[]);
    done(&mut lab, &whole);

    let bit = Value::Bit;
    let row = |id: i64, name: &str, kind: &str, recovery: bool, devices: i64| {
        let (kind, recovery) = (text(kind), bit(recovery));
        vec![Value::Int(id), text(name), kind, bit(false), recovery, bit(false), Value::Int(devices)]
    };
    assert_eq!(
        told(
            &mut lab,
            "restore_history_id, destination_database_name, restore_type, replace, recovery, restart, device_count"
        ),
        [row(1, "B", "D", false, 3), row(2, "B", "L", false, 1), row(3, "D", "D", true, 3)]
    );
    let stopped = told(&mut lab, "stop_at, stop_at_mark_name, stop_before, user_name");
    let at = Value::DateTime((stop + SignedDuration::from_hours(1)).as_nanosecond());
    assert_eq!(stopped[1], [at, Value::Null, Value::Null, text("NT AUTHORITY\\SYSTEM")]);
    assert_eq!(stopped[0][0], Value::Null);
    let started = lab.task(full, "created_at");
    let (Value::DateTime(asked), Value::DateTime(began)) = (&started, &told(&mut lab, "restore_date")[0][0])
    else {
        panic!("dates")
    };
    let waited = began - asked - 3_600_000_000_000;
    assert!((0..120_000_000_000).contains(&waited), "its start, on the clock of the server: {waited}");
    let sets = lab.select(
        "SELECT r.destination_database_name AS name FROM msdb.dbo.restorehistory AS r \
         JOIN msdb.dbo.backupset AS b ON b.backup_set_id = r.backup_set_id WHERE b.database_name = @P1 ORDER BY r.restore_history_id",
        &[text("A")],
    );
    assert_eq!(sets.rows, [[text("B")], [text("D")]], "msdb has no row of a five-minute log file");
}

#[test]
fn history_of_restores_is_that_of_the_active_node() {
    let mut lab = Lab::with(prompt(), |config| config.multi_az = MultiAz::AlwaysOn);
    lab.database("A");
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let names = |lab: &mut Lab| {
        let rows = told(lab, "restore_history_id, destination_database_name");
        rows.iter().map(|row| string(&row[1])).collect::<Vec<_>>()
    };
    let failover = |lab: &mut Lab| {
        assert!(lab.world.break_failover("prod"));
        lab.wait(300);
        lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
    };
    let answer = restore(&mut lab, "B", "full.bak", &[]);
    done(&mut lab, &answer);
    failover(&mut lab);
    assert_eq!(names(&mut lab), [""; 0]);
    let answer = restore(&mut lab, "C", "full.bak", &[]);
    done(&mut lab, &answer);
    assert_eq!(told(&mut lab, "backup_set_id"), [[Value::Null]], "the backup was taken on the other node");
    assert_eq!(names(&mut lab), ["C"]);
    failover(&mut lab);
    assert_eq!(names(&mut lab), ["B"]);
    // The sets of a database go with it, and what was restored from them.
    let dropped = lab.call("msdb.dbo.rds_drop_database", &[("@db_name", text("A"))]);
    assert_eq!(dropped.error, None);
    assert_eq!(names(&mut lab), [""; 0]);
}
