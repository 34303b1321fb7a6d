//! Names, states, change data capture, and what the documents of another time said.

use tds::Value;
use world::{Documents, Knobs, MultiAz};

use crate::{
    lab::{Lab, error, prompt, string, text},
    pipe::Pipe,
};

#[test]
fn a_database_gets_another_name_and_keeps_its_identity() {
    let mut lab = Lab::new();
    let id = lab.database("Orders");
    lab.database("Parts");
    for (old, new, said) in [
        ("nowhere", "New", "Database nowhere does not exist. Make sure that the name is entered correctly."),
        ("Orders", " New", "Database name ' New' is not valid."),
        ("Orders", "rdsadmin_x", "Database name 'rdsadmin_x' is not valid."),
        ("Orders", "msdb", "Database name 'msdb' is not valid."),
        (
            "Orders",
            "PARTS",
            "Database 'PARTS' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name.",
        ),
    ] {
        let answer = lab.batch(&format!("EXEC rdsadmin.dbo.rds_modify_db_name N'{old}', N'{new}'"));
        assert_eq!(error(&answer).1, said);
    }
    assert_eq!(lab.batch("EXEC rdsadmin.dbo.rds_modify_db_name N'orders', N'Bills'").error, None);
    assert_eq!(lab.world.find_database("prod", "bills"), Some(id));
    assert_eq!(lab.world.find_database("prod", "Orders"), None);
    let mut multi = Lab::with(prompt(), |config| config.multi_az = MultiAz::AlwaysOn);
    multi.database("Orders");
    let answer = multi.batch("EXEC rdsadmin.dbo.rds_modify_db_name 'Orders', 'Bills'");
    assert_eq!(error(&answer).1, multi.world.knobs().texts.multi_az_rename);
}

#[test]
fn an_offline_database_is_not_backed_up_until_it_is_online_again() {
    let mut lab = Lab::new();
    let id = lab.database("Orders");
    let state = |lab: &mut Lab| {
        let rows = lab.select("SELECT state_desc FROM sys.databases WHERE name = @P1", &[text("Orders")]);
        string(&rows.rows[0][0])
    };
    lab.wait(900);
    lab.world.break_offline(id);
    assert_eq!(state(&mut lab), "OFFLINE");
    let logs = |lab: &mut Lab| {
        let sql = "SELECT COUNT(*) FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('Orders')";
        lab.select(sql, &[]).rows[0][0].clone()
    };
    let before = logs(&mut lab);
    let task = lab.backup("Orders", "a.bak");
    assert_eq!(lab.finish(task), "ERROR");
    let info = lab.info(task);
    assert!(info.contains("Database 'Orders' cannot be opened because it is offline."), "{info}");
    lab.wait(900);
    assert_eq!(logs(&mut lab), before, "no log is backed up");
    assert_eq!(lab.batch("EXEC rdsadmin.dbo.rds_set_database_online Orders").error, None);
    assert_eq!(state(&mut lab), "ONLINE");
    let task = lab.backup("Orders", "b.bak");
    assert_eq!(lab.finish(task), "SUCCESS");
    lab.wait(900);
    assert_ne!(logs(&mut lab), before, "logs go on");
    // What is mirrored can't be taken offline.
    let mut multi = Lab::with(prompt(), |config| config.multi_az = MultiAz::Mirroring);
    let id = multi.database("Orders");
    multi.world.break_offline(id);
    assert_eq!(state(&mut multi), "ONLINE");
}

#[test]
fn a_database_with_change_data_capture_is_not_dropped() {
    let mut lab = Lab::new();
    let id = lab.database("Orders");
    lab.world.break_change_data_capture(id, true);
    let shown = "SELECT is_cdc_enabled FROM sys.databases WHERE name = @P1";
    assert_eq!(lab.select(shown, &[text("Orders")]).rows[0][0], Value::Bit(true));
    let refused = lab.batch("EXEC msdb.dbo.rds_drop_database 'Orders'");
    assert_eq!(
        error(&refused).1,
        "Change data capture is enabled on database Orders. Disable it and try again."
    );
    assert_eq!(lab.batch("EXEC msdb.dbo.rds_cdc_disable_db 'Orders'").error, None);
    assert_eq!(lab.select(shown, &[text("Orders")]).rows[0][0], Value::Bit(false));
    assert_eq!(lab.batch("EXEC msdb.dbo.rds_drop_database 'Orders'").error, None);
    let keep = "EXEC msdb.dbo.rds_restore_database 'X', 'arn:aws:s3:::vault/a.bak', @with_norecovery = 1, @keep_cdc = 1";
    assert_eq!(error(&lab.batch(keep)).1, lab.world.knobs().texts.keep_cdc_norecovery);
}

/// "Drops all existing connections … and removes the database's backup history"; not while a restore of it waits.
#[test]
fn what_is_dropped_takes_its_connections_and_its_history_along() {
    let mut lab = Lab::new();
    lab.database("Orders");
    let id = lab.backup("Orders", "a.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let there = lab.world.connect("prod", "admin", "simulated").unwrap();
    let elsewhere = lab.world.connect("prod", "admin", "simulated").unwrap();
    assert_eq!(lab.world.execute(there, &tds::Request::Batch("USE Orders".into())).error, None);
    assert_eq!(lab.batch("USE orders").error, None);
    assert_eq!(lab.batch("EXEC msdb.dbo.rds_drop_database 'ORDERS'").error, None);
    assert!(!lab.world.is_connected(there) && lab.world.is_connected(elsewhere));
    assert_eq!(lab.world.session_database(lab.session), Some("master"));
    let rows = lab.select("SELECT COUNT(*) FROM msdb.dbo.backupset WHERE database_name = 'Orders'", &[]);
    assert_eq!(rows.rows[0][0], Value::Int(0));
    let restore =
        "EXEC msdb.dbo.rds_restore_database 'Orders', 'arn:aws:s3:::vault/a.bak', @with_norecovery = 1";
    let id = crate::lab::task_id(&lab.batch(restore));
    let pending = format!(
        "A task has already been issued for database: Orders with task Id: {id}, please try again later."
    );
    assert_eq!(error(&lab.batch("EXEC msdb.dbo.rds_drop_database 'Orders'")).1, pending);
    assert_eq!(error(&lab.batch("EXEC msdb.dbo.rds_finish_restore 'Orders'")).1, pending);
    assert_eq!(lab.finish(id), "SUCCESS");
    let id = crate::lab::task_id(&lab.batch("EXEC msdb.dbo.rds_finish_restore 'Orders'"));
    assert!(
        error(&lab.batch("EXEC msdb.dbo.rds_drop_database 'Orders'")).1.starts_with("A task has already")
    );
    assert_eq!(lab.finish(id), "SUCCESS");
}

#[test]
fn the_last_failover_is_told() {
    let mut lab = Lab::with(prompt(), |config| {
        config.multi_az = MultiAz::AlwaysOn;
        config.utc_offset_minutes = 60;
    });
    let told = |lab: &mut Lab| lab.batch("EXEC msdb.dbo.rds_failover_time").results.remove(0);
    let first = told(&mut lab);
    let names: Vec<&str> = first.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["errorlog_available_from", "recent_failover_time"]);
    assert_eq!(first.rows[0][1], Value::Null);
    lab.wait(60);
    let at = lab.now();
    assert!(lab.world.break_failover("prod"));
    lab.wait(300);
    lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
    let after = told(&mut lab);
    let local = i128::from(at.as_second() + 3_600) * 1_000_000_000;
    assert_eq!(after.rows[0][1], Value::DateTime(local));
    assert_ne!(after.rows[0][0], first.rows[0][0]);
}

#[test]
fn the_documents_of_2019_knew_ten_columns_and_fewer_parameters() {
    let of = |documents| {
        let mut lab = Lab::with(Knobs { documents, ..prompt() }, |_| {});
        lab.database("Orders");
        lab
    };
    for (documents, columns, last) in [
        (Documents::Of2019, 10, "overwrite_s3_backup_file"),
        (Documents::Of2023, 14, "overwrite_file"),
        (Documents::Newest, 14, "overwrite_file"),
    ] {
        let mut lab = of(documents);
        lab.backup("Orders", "a.bak");
        let answer = lab.batch("EXEC msdb.dbo.rds_task_status");
        let result = &answer.results[0];
        assert_eq!((result.columns.len(), result.rows[0].len()), (columns, columns), "{documents:?}");
        assert_eq!(result.columns.last().unwrap().name, last);
    }
    let files =
        "EXEC msdb.dbo.rds_backup_database 'Orders', 'arn:aws:s3:::vault/a*.bak', @number_of_files = 2";
    let block = "EXEC msdb.dbo.rds_backup_database 'Orders', 'arn:aws:s3:::vault/a.bak', @block_size = 512";
    for (documents, sql, taken) in [
        (Documents::Of2019, files, false),
        (Documents::Of2023, files, true),
        (Documents::Of2023, block, false),
        (Documents::Newest, block, true),
    ] {
        let answer = of(documents).batch(sql);
        assert_eq!(answer.error.as_ref().map(|e| e.number), (!taken).then_some(8145), "{documents:?} {sql}");
    }
}

#[test]
fn a_task_of_2019_is_cancelled_by_the_name_of_its_database() {
    let mut lab = Lab::with(Knobs { documents: Documents::Of2019, ..Knobs::default() }, |_| {});
    lab.database("Orders");
    let task = lab.backup("Orders", "a.bak");
    assert_eq!(lab.batch("EXEC msdb.dbo.rds_cancel_task @db_name = 'orders'").error, None);
    assert_eq!(lab.finish(task), "CANCELLED");
    let task = lab.backup("Orders", "b.bak");
    assert_eq!(lab.batch(&format!("EXEC msdb.dbo.rds_cancel_task @task_id = {task}")).error, None);
    assert_eq!(lab.finish(task), "CANCELLED");
    let mut newest = Lab::new();
    let refused = newest.batch("EXEC msdb.dbo.rds_cancel_task @db_name = 'orders'");
    assert_eq!(error(&refused).0, 8145);
}

/// The same over the wire: what is refused keeps the session.
#[test]
fn a_session_lives_on_behind_an_error() {
    let mut lab = Lab::new();
    lab.database("Orders");
    let mut wired = Pipe::into(lab).client();
    assert!(wired.error("EXEC msdb.dbo.rds_drop_database 'nowhere'").starts_with("Database nowhere"));
    assert_eq!(wired.rows("SELECT 1 AS x").unwrap()[0].get::<i32, _>("x"), Some(1));
}
