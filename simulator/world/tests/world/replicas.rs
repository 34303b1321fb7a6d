//! Read replicas: what they show, what they refuse, and what they keep their source from.

use tds::{Request, Value};
use world::{Content, InstanceConfig, MultiAz, SessionId};

use crate::lab::{ACCOUNT, Lab, REGION, error, prompt, task_id};

/// An instance with a database and a full of it, and a replica in a Region.
fn with(region: &str) -> (Lab, SessionId) {
    let mut lab = Lab::with(prompt(), |config| config.multi_az = MultiAz::AlwaysOn);
    lab.database("A");
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    (lab.world).add_replica("prod", InstanceConfig::named("copy", region, ACCOUNT)).unwrap();
    let session = lab.world.connect("copy", "admin", "simulated").unwrap();
    (lab, session)
}

fn on_replica(lab: &mut Lab, session: SessionId, sql: &str) -> tds::Response {
    lab.world.execute(session, &Request::Batch(sql.into()))
}

const RESTORE: &str = "EXEC msdb.dbo.rds_restore_database 'B', 'arn:aws:s3:::vault/full.bak'";

#[test]
fn a_replica_backs_nothing_up_and_restores_nothing() {
    let (mut lab, session) = with(REGION);
    let said = lab.world.knobs().texts.on_replica.clone();
    for sql in [
        "EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/a.bak'",
        RESTORE,
        "EXEC msdb.dbo.rds_restore_log 'A', 'arn:aws:s3:::vault/a.trn'",
        "EXEC msdb.dbo.rds_finish_restore 'A'",
    ] {
        assert_eq!(error(&on_replica(&mut lab, session, sql)).1, said, "{sql}");
    }
    let copy = "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = 'A', @rds_backup_starting_seq_id = 1";
    assert_eq!(
        error(&on_replica(&mut lab, session, copy)).1,
        "Running the rds_tlog_backup_copy_to_S3 stored procedure on an RDS read replica instance isn't permitted."
    );
    lab.world.break_snapshot("copy");
    lab.world.break_retention("copy", 7);
    lab.wait(86_400);
    let history = on_replica(&mut lab, session, "SELECT COUNT(*) FROM msdb.dbo.backupset");
    assert_eq!(history.results[0].rows[0][0], Value::Int(0));
    let database = world::DatabaseConfig::named("C");
    assert_eq!(lab.world.add_database("copy", &database).unwrap_err().text, said);
    assert!(lab.world.add_replica("copy", InstanceConfig::named("other", REGION, ACCOUNT)).is_err());
}

#[test]
fn what_is_restored_appears_on_replicas_of_the_same_region() {
    let (mut lab, session) = with(REGION);
    let id = task_id(&lab.batch(RESTORE));
    assert_eq!(lab.finish(id), "SUCCESS");
    let names = "SELECT name FROM sys.databases WHERE database_id > 5 ORDER BY name";
    let shown = on_replica(&mut lab, session, names).results.remove(0);
    assert_eq!(shown.rows, [[Value::Text("A".into())], [Value::Text("B".into())]]);
    let found = lab.world.find_database("copy", "B");
    assert!(found.is_some() && found == lab.world.find_database("prod", "B"));
    let content: Content = lab.world.truth(found.unwrap(), lab.now()).unwrap();
    assert!(content.row_count() > 0);
    // Its failover is nobody else's.
    lab.set_up_logs();
    assert!(lab.world.break_failover("copy"));
    lab.wait(1_200);
    let listed = "SELECT COUNT(*) FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('B')";
    assert!(matches!(lab.select(listed, &[]).rows[0][0], Value::Int(files) if files >= 3));
}

#[test]
fn a_replica_in_another_region_cancels_and_forbids_native_restores() {
    let (mut lab, _) = with(REGION);
    let tasks: Vec<i64> = ["B", "C", "D"]
        .iter()
        .map(|name| task_id(&lab.batch(&RESTORE.replace("'B'", &format!("'{name}'")))))
        .collect();
    let backup = lab.backup("A", "other.bak");
    lab.wait(20);
    assert_eq!(
        tasks.iter().map(|id| lab.lifecycle(*id)).collect::<Vec<_>>(),
        ["IN_PROGRESS", "IN_PROGRESS", "CREATED"]
    );
    (lab.world).add_replica("prod", InstanceConfig::named("far", "us-east-1", ACCOUNT)).unwrap();
    assert!(tasks.iter().all(|id| lab.lifecycle(*id) == "CANCEL_REQUESTED"));
    assert!(tasks.iter().all(|id| lab.finish(*id) == "CANCELLED"));
    assert_eq!(lab.finish(backup), "SUCCESS", "backups go on");
    let said = lab.world.knobs().texts.cross_region_replica.clone();
    for sql in [
        RESTORE,
        "EXEC msdb.dbo.rds_restore_log 'B', 'arn:aws:s3:::vault/a.trn'",
        "EXEC msdb.dbo.rds_finish_restore 'B'",
    ] {
        assert_eq!(error(&lab.batch(sql)).1, said, "{sql}");
    }
}

#[test]
fn making_a_replica_takes_a_snapshot_of_the_source() {
    let (mut lab, _) = with(REGION);
    let sql = "EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::vault/d.bak', @type = 'DIFFERENTIAL'";
    let id = task_id(&lab.batch(sql));
    assert_eq!(lab.finish(id), "ERROR");
    assert!(lab.info(id).contains("because a current database backup does not exist"));
}
