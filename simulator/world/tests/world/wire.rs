//! The milestone: tiberius, unchanged, over an in-memory pipe into the TDS front and the world: back up, write, copy logs,
//! restore to a moment, compare content.

use tiberius::Client;

use crate::{
    lab::Lab,
    pipe::{Pipe, config, run},
};

#[test]
fn back_up_write_copy_restore_and_compare_through_a_real_client() {
    let mut lab = Lab::new();
    let database = lab.database("Orders");
    let pipe = Pipe::into(lab);
    let wait = |seconds| pipe.wait(seconds);
    run(async {
        let mut client = Box::pin(Client::connect(config("simulated"), pipe.connect())).await.unwrap();
        client
            .execute("EXEC msdb.dbo.rds_tlog_copy_setup @target_s3_arn = @P1", &[&"arn:aws:s3:::vault/logs"])
            .await
            .unwrap();
        let stream = client
            .query(
                "EXEC msdb.dbo.rds_backup_database @source_db_name = @P1, @s3_arn_to_backup_to = @P2",
                &[&"Orders", &"arn:aws:s3:::vault/orders.bak"],
            )
            .await
            .unwrap();
        let row = stream.into_row().await.unwrap().unwrap();
        assert_eq!(row.get::<i32, _>("task_id"), Some(1));
        wait(600);
        let sql = "SELECT task_id, task_type, database_name, lifecycle, [% complete] AS percent_complete, last_updated, created_at, S3_object_arn FROM msdb.dbo.rds_fn_task_status(NULL, 0) WHERE task_id >= @P1 ORDER BY task_id";
        let row = client.query(sql, &[&1_i32]).await.unwrap().into_row().await.unwrap().unwrap();
        assert_eq!(row.get::<&str, _>("lifecycle"), Some("SUCCESS"));
        assert_eq!(row.get::<&str, _>("S3_object_arn"), Some("arn:aws:s3:::vault/orders.bak"));
        pipe.world().write(database, 9);
        let moment = wait(400);
        wait(900);
        let listed = client
            .query("SELECT starting_lsn, ending_lsn, rds_backup_seq_id, family_guid FROM msdb.dbo.rds_fn_list_tlog_backup_metadata(@P1) WHERE rds_backup_seq_id > @P2 ORDER BY rds_backup_seq_id", &[&"Orders", &0_i32])
            .await
            .unwrap()
            .into_first_result()
            .await
            .unwrap();
        assert!(listed.len() >= 6);
        client
            .execute(
                "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = @P1, @rds_backup_starting_seq_id = @P2",
                &[&"Orders", &1_i32],
            )
            .await
            .unwrap();
        wait(600);
        let world = pipe.world();
        let judged = world.judge("vault", "", database).restore_to(moment).unwrap();
        assert_eq!(Some(judged.content), world.truth(database, moment));
        assert!(judged.objects.len() > 1);
    });
}

#[test]
fn every_table_can_be_written_to_the_wire() {
    let mut lab = Lab::new();
    lab.database("A");
    let id = lab.backup("A", "a.bak");
    lab.finish(id);
    lab.wait(3_600);
    let pipe = Pipe::into(lab);
    run(async {
        assert!(Box::pin(Client::connect(config("wrong"), pipe.connect())).await.is_err());
    });
    run(async {
        let mut client = Box::pin(Client::connect(config("simulated"), pipe.connect())).await.unwrap();
        for sql in [
            "SELECT * FROM sys.databases",
            "SELECT * FROM sys.database_recovery_status",
            "SELECT * FROM sys.master_files",
            "SELECT * FROM msdb.dbo.backupset",
            "SELECT * FROM msdb.dbo.backupmediafamily",
            "SELECT * FROM msdb.dbo.rds_fn_task_status(NULL, 0)",
            "SELECT * FROM msdb.dbo.rds_fn_list_tlog_backup_metadata('A')",
            "EXEC msdb.dbo.rds_task_status",
            "EXEC rdsadmin.dbo.rds_show_configuration",
            "SELECT SYSUTCDATETIME(), GETDATE(), @@VERSION, @@SPID, SERVERPROPERTY('Edition'), 1.5, NULL, 'x', N'', 5000000000",
        ] {
            let rows = client.simple_query(sql).await.unwrap().into_first_result().await.unwrap();
            assert!(!rows.is_empty(), "{sql}");
        }
        let Err(refused) = client.simple_query("SELECT * FROM nowhere").await else { panic!("an error") };
        assert_eq!(refused.code(), Some(208));
    });
}
