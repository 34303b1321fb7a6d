//! S3 integration: files between S3 and the instance, by tasks in the queue of the native ones.

use tds::Value;
use world::{Condition, Documents, FileTask, Knobs, Lifecycle, MultiAz};

use crate::lab::{Lab, cell, error, prompt, string, task_id, text};

/// A lab with a small file in the vault.
fn with_file() -> Lab {
    let mut lab = Lab::new();
    put(&mut lab, "in/data.csv");
    lab
}

fn put(lab: &mut Lab, key: &str) {
    lab.world.s3_mut().put("vault", key, b"1,2,3", &Condition::Always).unwrap();
}

fn download(lab: &mut Lab, key: &str, more: &str) -> i64 {
    let sql = format!("EXEC msdb.dbo.rds_download_from_s3 @s3_arn_of_file = 'arn:aws:s3:::{key}'{more}");
    task_id(&lab.batch(&sql))
}

fn upload(lab: &mut Lab, path: &str, key: &str, more: &str) -> i64 {
    let sql = format!(
        "EXEC msdb.dbo.rds_upload_to_s3 @rds_file_path = '{path}', @s3_arn_of_file = 'arn:aws:s3:::{key}'{more}"
    );
    task_id(&lab.batch(&sql))
}

fn delete(lab: &mut Lab, path: &str, more: &str) -> i64 {
    task_id(&lab.batch(&format!("EXEC msdb.dbo.rds_delete_from_filesystem '{path}'{more}")))
}

fn list(lab: &mut Lab) -> Vec<(String, Value, Value)> {
    let id = task_id(&lab.batch("EXEC msdb.dbo.rds_gather_file_details"));
    assert_eq!(lab.finish(id), "SUCCESS");
    let rows = lab.select("SELECT * FROM msdb.dbo.rds_fn_list_file_details(@P1)", &[Value::Int(id)]);
    let names: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["filepath", "size_in_bytes", "last_modified_utc", "is_directory"]);
    let row = |row: usize| {
        let of = |column| cell(&rows, row, column).clone();
        (string(&of("filepath")), of("size_in_bytes"), of("is_directory"))
    };
    (0..rows.rows.len()).map(row).collect()
}

/// Fails with a text in `task_info`.
#[track_caller]
fn fails(lab: &mut Lab, id: i64, said: &str) {
    assert_eq!(lab.finish(id), "ERROR", "{said}");
    let info = lab.info(id);
    assert!(info.contains(&format!("] {said} [")), "{said} in {info}");
    assert!(info.ends_with("] Task has been aborted"), "{info}");
}

#[test]
fn files_come_and_go_and_are_listed() {
    let mut lab = with_file();
    let id = download(&mut lab, "vault/in/data.csv", ", @rds_file_path = 'D:\\S3\\seed\\data.csv'");
    assert_eq!(lab.finish(id), "SUCCESS");
    let id = download(&mut lab, "vault/in/data.csv", "");
    assert_eq!(lab.finish(id), "SUCCESS");
    let (five, none, directory) = (Value::Int(5), Value::Int(0), Value::Bit(true));
    assert_eq!(
        list(&mut lab),
        [
            ("D:\\S3\\data.csv".into(), five.clone(), Value::Bit(false)),
            ("D:\\S3\\seed\\".into(), none, directory),
            ("D:\\S3\\seed\\data.csv".into(), five, Value::Bit(false)),
        ]
    );
    let id = upload(&mut lab, "seed\\DATA.csv", "vault/out/data.csv", "");
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.world.s3().get("vault", "out/data.csv", None).unwrap(), b"1,2,3");
    assert!(lab.world.break_file("prod", "D:\\S3\\log.txt", b"x"));
    assert!(!lab.world.break_file("prod", "C:\\log.txt", b"x"));
    let id = delete(&mut lab, "D:\\S3\\seed\\", ", @force_delete = 1");
    assert_eq!(lab.finish(id), "SUCCESS");
    let id = delete(&mut lab, "data.csv", "");
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(list(&mut lab).len(), 1);
    assert_eq!(list(&mut lab)[0].0, "D:\\S3\\log.txt");
}

#[test]
fn tasks_of_files_show_their_own_columns() {
    let mut lab = with_file();
    let id =
        download(&mut lab, "vault/in/data.csv", ", @rds_file_path = 'seed\\data.csv', @overwrite_file = 1");
    for (column, value) in [
        ("task_type", text("DOWNLOAD_FROM_S3")),
        ("database_name", Value::Null),
        ("S3_object_arn", text("arn:aws:s3:::vault/in/data.csv")),
        ("overwrite_s3_backup_file", Value::Null),
        ("KMS_master_key_arn", Value::Null),
        ("filepath", text("D:\\S3\\seed\\data.csv")),
        ("overwrite_file", Value::Bit(true)),
        ("task_metadata", Value::Null),
    ] {
        assert_eq!(lab.task(id, column), value, "{column}");
    }
    let other = upload(&mut lab, "seed\\data.csv", "vault/out.csv", "");
    let answer = lab.batch("EXEC msdb.dbo.rds_task_status");
    assert_eq!(answer.results[0].columns.len(), 14);
    assert_eq!(string(cell(&answer.results[0], 1, "task_type")), "UPLOAD_TO_S3");
    assert_eq!(cell(&answer.results[0], 1, "overwrite_file"), &Value::Bit(false));
    let gather = task_id(&lab.batch("EXEC msdb.dbo.rds_gather_file_details"));
    let gone = delete(&mut lab, "seed\\data.csv", "");
    for (id, kind, path) in [
        (gather, "LIST_FILES_ON_DISK", Value::Null),
        (gone, "DELETE_FILES_ON_DISK", text("D:\\S3\\seed\\data.csv")),
    ] {
        assert_eq!((lab.task(id, "task_type"), lab.task(id, "filepath")), (text(kind), path));
        assert_eq!(
            (lab.task(id, "S3_object_arn"), lab.task(id, "overwrite_file")),
            (Value::Null, Value::Null)
        );
    }
    assert_eq!([id, other, gather, gone].map(|id| lab.finish(id)), ["SUCCESS"; 4].map(String::from));
    // Of a database that is backed up nothing of this is shown.
    lab.database("A");
    let backup = lab.backup("A", "a.bak");
    assert_eq!(
        (lab.task(backup, "filepath"), lab.task(backup, "overwrite_file")),
        (Value::Null, Value::Null)
    );
}

#[test]
fn they_run_one_by_one_in_the_queue_of_native_tasks() {
    let mut lab = with_file();
    for name in ["A", "B"] {
        lab.database(name);
    }
    let [a, b] = ["A", "B"].map(|name| lab.backup(name, &format!("{name}.bak")));
    let files = [download(&mut lab, "vault/in/data.csv", ""), download(&mut lab, "vault/in/data.csv", "")];
    lab.wait(20);
    let states = |lab: &mut Lab, ids: &[i64]| ids.iter().map(|id| lab.lifecycle(*id)).collect::<Vec<_>>();
    assert_eq!(
        states(&mut lab, &[a, b, files[0], files[1]]),
        ["IN_PROGRESS", "IN_PROGRESS", "CREATED", "CREATED"]
    );
    // The second fails, as the first has brought the file.
    assert_eq!(lab.finish(files[0]), "SUCCESS");
    fails(
        &mut lab,
        files[1],
        "The file 'D:\\S3\\data.csv' already exists. Please reissue task with the overwrite property.",
    );
    // With a slot to spare the second waits for the first, and a backup goes by.
    lab.finish(a);
    lab.finish(b);
    lab.world.s3_mut().put("vault", "large.csv", &vec![0; 4_000_000], &Condition::Always).unwrap();
    lab.world.configure_instance("prod", |config| config.throughput_bytes = 100_000);
    let arn = "arn:aws:s3:::vault/large.csv";
    let first = lab.world.break_file_task("prod", FileTask::Download, arn, "one.csv").unwrap();
    let second = lab.world.break_file_task("prod", FileTask::Download, arn, "two.csv").unwrap();
    let backup = lab.backup("A", "again.bak");
    lab.wait(20);
    assert_eq!(
        states(&mut lab, &[i64::from(first), i64::from(second), backup]),
        ["IN_PROGRESS", "CREATED", "IN_PROGRESS"]
    );
    assert_eq!(lab.finish(i64::from(second)), "SUCCESS");
    let facts: Vec<_> =
        lab.world.tasks("prod").filter(|fact| fact.id == first || fact.id == second).collect();
    assert!(facts[0].ended_at.unwrap() <= facts[1].started_at.unwrap(), "{facts:?}");
}

#[test]
fn what_is_wrong_is_told_by_the_task() {
    let mut lab = with_file();
    for (key, more, said) in [
        ("nowhere/data.csv", "", "The specified bucket does not exist"),
        ("far/data.csv", "", "Please specify a bucket that is in the same region as RDS instance"),
        ("closed/data.csv", "", "Access Denied"),
        ("stranger/data.csv", "", "Access Denied"),
        ("vault/none.csv", "", "Access Denied"),
        ("vault/in/data.exe", "", "The file 'in/data.exe' has an extension that isn't supported."),
        (
            "vault/in/data.csv",
            ", @rds_file_path = 'C:\\data.csv'",
            "The file path 'C:\\data.csv' is not valid. Files are stored in D:\\S3\\.",
        ),
    ] {
        let id = download(&mut lab, key, more);
        fails(&mut lab, id, said);
    }
    assert!(lab.world.break_file("prod", "dir\\a.csv", b"a"));
    let id = upload(&mut lab, "none.csv", "vault/a.csv", "");
    fails(&mut lab, id, "The file 'D:\\S3\\none.csv' does not exist.");
    let id = upload(&mut lab, "dir\\a.csv", "vault/in/data.csv", ", @overwrite_file = 0");
    fails(
        &mut lab,
        id,
        "The file 'in/data.csv' already exists. Please reissue task with the overwrite property.",
    );
    let id = delete(&mut lab, "none.csv", "");
    fails(&mut lab, id, "The file 'D:\\S3\\none.csv' does not exist.");
    let id = delete(&mut lab, "dir\\", "");
    fails(&mut lab, id, "The directory 'D:\\S3\\dir\\' can't be deleted without @force_delete = 1.");
    for n in 1..100 {
        assert!(lab.world.break_file("prod", &format!("{n}.csv"), b""));
    }
    let id = download(&mut lab, "vault/in/data.csv", "");
    fails(&mut lab, id, "There can't be more than 100 files in D:\\S3\\.");
    lab.world.configure_instance("prod", |config| config.s3_integration = false);
    let refused = error(&lab.batch("EXEC msdb.dbo.rds_gather_file_details"));
    assert_eq!(refused, (50_000, "The S3_INTEGRATION feature isn't enabled on the DB instance.".into()));
}

#[test]
fn deletes_and_lists_in_progress_are_not_cancelled() {
    let mut lab = with_file();
    lab.world.break_file("prod", "a.csv", b"a");
    let waiting = delete(&mut lab, "a.csv", "");
    let cancel = |lab: &mut Lab, id: i64| lab.batch(&format!("EXEC msdb.dbo.rds_cancel_task {id}"));
    assert_eq!(cancel(&mut lab, waiting).error, None);
    assert_eq!(lab.finish(waiting), "CANCELLED");
    for sql in ["EXEC msdb.dbo.rds_delete_from_filesystem 'a.csv'", "EXEC msdb.dbo.rds_gather_file_details"] {
        let id = task_id(&lab.batch(sql));
        while lab.lifecycle(id) != "IN_PROGRESS" {
            lab.wait(1);
        }
        let said = format!("Task with Task Id {id} can't be cancelled because it is in progress.");
        assert_eq!(error(&cancel(&mut lab, id)).1, said);
        assert_eq!(lab.finish(id), "SUCCESS");
    }
    lab.world.configure_instance("prod", |config| config.throughput_bytes = 1);
    lab.world.s3_mut().put("vault", "large.csv", &[0; 600], &Condition::Always).unwrap();
    let id = download(&mut lab, "vault/large.csv", "");
    while lab.lifecycle(id) != "IN_PROGRESS" {
        lab.wait(1);
    }
    assert_eq!(cancel(&mut lab, id).error, None);
    assert_eq!(lab.finish(id), "CANCELLED");
}

#[test]
fn a_failover_leaves_no_files_behind() {
    let mut lab = Lab::with(prompt(), |config| config.multi_az = MultiAz::AlwaysOn);
    lab.world.break_file("prod", "a.csv", b"a");
    assert!(lab.world.break_failover("prod"));
    lab.wait(121);
    lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
    assert!(list(&mut lab).is_empty());
    let ended =
        lab.world.tasks("prod").all(|fact| fact.lifecycle == Lifecycle::Success && fact.kind.is_files());
    assert!(ended);
}

#[test]
fn the_documents_say_since_when() {
    let sql = "EXEC msdb.dbo.rds_download_from_s3 'arn:aws:s3:::vault/in/model.abf'";
    let mut lab = Lab::with(Knobs { documents: Documents::Of2019, ..prompt() }, |_| {});
    assert_eq!(error(&lab.batch(sql)).0, 2_812);
    for (documents, ending) in [(Documents::Of2023, "ERROR"), (Documents::Newest, "SUCCESS")] {
        let mut lab = Lab::with(Knobs { documents, ..prompt() }, |_| {});
        put(&mut lab, "in/model.abf");
        let id = task_id(&lab.batch(sql));
        assert_eq!(lab.finish(id), ending, "{documents:?}");
    }
}
