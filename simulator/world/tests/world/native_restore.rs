//! Native restores from call to open database: what comes back, in which states, and what is refused when.

use jiff::{SignedDuration, Timestamp};
use tds::{Request, Response, TransactionRequest, Value};
use world::{Content, DatabaseId, Knobs, MultiAz, ObjectRef};

use crate::lab::{Lab, cell, error, prompt, string, task_id, text};

pub(crate) fn arn(key: &str) -> Value {
    text(&format!("arn:aws:s3:::vault/{key}"))
}

/// A database with a full, written to since, and its logs in the vault.
fn backed_up() -> (Lab, DatabaseId) {
    let mut lab = Lab::new();
    let database = lab.database("A");
    lab.set_up_logs();
    lab.wait(1_800);
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    lab.wait(1_200);
    let id = lab.copy_all("A");
    assert_eq!(lab.finish(id), "SUCCESS");
    (lab, database)
}

/// The copied logs that go on from the full, in order.
pub(crate) fn logs_behind(lab: &Lab, full: &str) -> Vec<String> {
    let header = |key: &str| lab.world.header(&ObjectRef::newest("vault", key)).unwrap();
    let end = header(full).last_lsn;
    let mut keys = lab.keys("logs/");
    keys.retain(|key| header(key).last_lsn > end);
    keys.sort_by_key(|key| header(key).last_lsn);
    keys
}

pub(crate) fn restore(lab: &mut Lab, name: &str, key: &str, more: &[(&str, Value)]) -> Response {
    let mut arguments = vec![("@restore_db_name", text(name)), ("@s3_arn_to_restore_from", arn(key))];
    arguments.extend_from_slice(more);
    lab.call("msdb.dbo.rds_restore_database", &arguments)
}

pub(crate) fn restore_log(lab: &mut Lab, name: &str, key: &str, more: &[(&str, Value)]) -> Response {
    let mut arguments = vec![("@restore_db_name", text(name)), ("@s3_arn_to_restore_from", arn(key))];
    arguments.extend_from_slice(more);
    lab.call("msdb.dbo.rds_restore_log", &arguments)
}

pub(crate) fn queued(answer: &Response) -> i64 {
    assert_eq!(answer.error, None);
    task_id(answer)
}

pub(crate) fn done(lab: &mut Lab, answer: &Response) {
    let id = queued(answer);
    let ended = lab.finish(id);
    assert_eq!(ended, "SUCCESS", "{}", lab.info(id));
}

/// What is in a database now, and in another at a moment of its past.
fn same(lab: &Lab, name: &str, other: DatabaseId, at: Timestamp) -> bool {
    let restored = lab.world.find_database("prod", name).unwrap();
    let now: Content = lab.world.truth(restored, lab.now()).unwrap();
    assert!(now.row_count() > 0);
    Some(now) == lab.world.truth(other, at)
}

fn state(lab: &mut Lab, name: &str) -> Option<String> {
    let rows = lab.select("SELECT state_desc FROM sys.databases WHERE name = @P1", &[text(name)]);
    (!rows.rows.is_empty()).then(|| string(cell(&rows, 0, "state_desc")))
}

#[test]
fn a_full_comes_back_under_a_new_name_as_another_incarnation_of_its_family() {
    let (mut lab, database) = backed_up();
    let answer = restore(&mut lab, "B", "full.bak", &[]);
    let id = queued(&answer);
    assert_eq!(string(&lab.task(id, "task_type")), "RESTORE_DB");
    assert_eq!(state(&mut lab, "B"), None, "not before it has ended");
    assert_eq!(lab.finish(id), "SUCCESS");
    let info = lab.info(id);
    assert!(info.contains("] 100 percent processed."), "{info}");
    let finish = lab.world.header(&ObjectRef::newest("vault", "full.bak")).unwrap().finish();
    assert!(same(&lab, "B", database, finish));
    assert_eq!(state(&mut lab, "B").as_deref(), Some("ONLINE"));
    let guids = lab.select(
        "SELECT d.name, r.family_guid, r.database_guid, r.recovery_fork_guid FROM sys.databases AS d \
         JOIN sys.database_recovery_status AS r ON r.database_id = d.database_id WHERE d.database_id > @P1 ORDER BY d.name",
        &[Value::Int(5)],
    );
    assert_eq!(cell(&guids, 0, "family_guid"), cell(&guids, 1, "family_guid"));
    for other in ["database_guid", "recovery_fork_guid"] {
        assert_ne!(cell(&guids, 0, other), cell(&guids, 1, other), "{other}");
    }
}

#[test]
fn a_chain_that_is_queued_as_a_whole_runs_in_order_and_opens_at_its_end() {
    let (mut lab, database) = backed_up();
    let logs = logs_behind(&lab, "full.bak");
    assert!(logs.len() >= 3, "{logs:?}");
    let norecovery = ("@with_norecovery", Value::Int(1));
    let mut tasks = vec![queued(&restore(&mut lab, "B", "full.bak", std::slice::from_ref(&norecovery)))];
    for key in &logs[..2] {
        tasks.push(queued(&restore_log(&mut lab, "B", key, &[])));
    }
    let stop = lab.world.header(&ObjectRef::newest("vault", &logs[2])).unwrap().finish()
        - SignedDuration::from_secs(100);
    let stop_at = stop.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let last = [("@with_norecovery", Value::Int(0)), ("@stopat", text(&stop_at))];
    tasks.push(queued(&restore_log(&mut lab, "B", &logs[2], &last)));
    // Nothing more can be queued behind what opens the database.
    let more = restore_log(&mut lab, "B", &logs[2], &[]);
    assert!(error(&more).1.starts_with("A task has already been issued for database: B with task Id: "));
    let mut seen = Vec::new();
    while lab.lifecycle(tasks[3]) != "SUCCESS" {
        let running = tasks.iter().filter(|id| lab.lifecycle(**id) == "IN_PROGRESS").count();
        assert!(running <= 1, "one after the other");
        let now = state(&mut lab, "B");
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        lab.wait(5);
    }
    assert_eq!(seen, [None, Some("RESTORING".to_owned())]);
    assert_eq!(state(&mut lab, "B").as_deref(), Some("ONLINE"));
    assert!(same(&lab, "B", database, stop), "commits before the moment, and no other");
    let types: Vec<String> = tasks.iter().map(|id| string(&lab.task(*id, "task_type"))).collect();
    assert_eq!(
        types,
        ["RESTORE_DB_NORECOVERY", "RESTORE_DB_LOG_NORECOVERY", "RESTORE_DB_LOG_NORECOVERY", "RESTORE_DB_LOG"]
    );
}

#[test]
fn a_differential_and_the_end_of_a_restore() {
    let mut lab = Lab::with(prompt(), |config| config.retention_days = 0);
    let database = lab.database("A");
    let full = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(full), "SUCCESS");
    lab.wait(600);
    let differential = lab.call(
        "msdb.dbo.rds_backup_database",
        &[
            ("@source_db_name", text("A")),
            ("@s3_arn_to_backup_to", arn("diff.bak")),
            ("@type", text("DIFFERENTIAL")),
        ],
    );
    done(&mut lab, &differential);
    let norecovery = ("@with_norecovery", Value::Int(1));
    let full = restore(&mut lab, "B", "full.bak", std::slice::from_ref(&norecovery));
    done(&mut lab, &full);
    let redo = lab
        .select("SELECT redo_start_lsn, state_desc FROM sys.master_files WHERE name = @P1", &[text("B_1")]);
    assert_eq!(string(cell(&redo, 0, "state_desc")), "RESTORING");
    assert_ne!(cell(&redo, 0, "redo_start_lsn"), &Value::Null);
    let differential = restore(&mut lab, "b", "diff.bak", &[norecovery, ("@type", text("DIFFERENTIAL"))]);
    done(&mut lab, &differential);
    let finish = lab.call("msdb.dbo.rds_finish_restore", &[("@db_name", text("B"))]);
    let id = queued(&finish);
    let cancel = lab.call("msdb.dbo.rds_cancel_task", &[("@task_id", Value::Int(id))]);
    assert!(error(&cancel).1.contains("can't be cancelled"), "{:?}", cancel.error);
    assert_eq!(lab.finish(id), "SUCCESS");
    let at = lab.world.header(&ObjectRef::newest("vault", "diff.bak")).unwrap().finish();
    assert!(same(&lab, "B", database, at));
}

#[test]
fn what_was_restored_goes_on_and_is_backed_up_and_restored_again() {
    let (mut lab, _) = backed_up();
    let answer = restore(&mut lab, "B", "full.bak", &[]);
    done(&mut lab, &answer);
    let restored = lab.world.find_database("prod", "B").unwrap();
    lab.world.write(restored, 9);
    lab.wait(5);
    let id = lab.backup("B", "again.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let at = lab.now();
    let answer = restore(&mut lab, "C", "again.bak", &[]);
    done(&mut lab, &answer);
    assert!(same(&lab, "C", restored, at));
}

#[test]
fn a_call_is_refused_before_anything_is_queued() {
    let (mut lab, _) = backed_up();
    let exists = |name: &str| {
        format!(
            "Database '{name}' already exists. Two databases that differ only by case or accent are not allowed. Choose a different database name."
        )
    };
    let differential = |more: &[(&'static str, Value)]| [&[("@type", text("DIFFERENTIAL"))], more].concat();
    for (name, key, more, said) in [
        ("a", "full.bak", vec![], exists("a")),
        ("MSDB", "full.bak", vec![], exists("MSDB")),
        (
            "B",
            "full.bak",
            differential(&[]),
            "The parameter @with_norecovery is required for a differential restore.".to_owned(),
        ),
        (
            "B",
            "full.bak",
            differential(&[("@with_norecovery", Value::Int(1))]),
            "Database B is not in a restoring state.".to_owned(),
        ),
        (
            "A",
            "full.bak",
            differential(&[("@with_norecovery", Value::Int(1))]),
            "Database A is not in a restoring state.".to_owned(),
        ),
        (
            "B",
            "full.bak",
            vec![("@type", text("LOG"))],
            "Invalid value 'LOG' for the parameter @type. Valid values are FULL and DIFFERENTIAL.".to_owned(),
        ),
        (
            "B",
            "full.bak",
            vec![("@data_file_volume", text("Z:"))],
            "Invalid value 'Z:' for a file volume.".to_owned(),
        ),
        (
            "B",
            "full.bak",
            vec![("@block_size", Value::Int(5))],
            "The value of @block_size is not valid.".to_owned(),
        ),
    ] {
        assert_eq!(error(&restore(&mut lab, name, key, &more)), (50_000, said), "{name} {more:?}");
    }
    let empty = lab.call(
        "msdb.dbo.rds_restore_database",
        &[("@restore_db_name", text("B")), ("@s3_arn_to_restore_from", text(""))],
    );
    assert_eq!(error(&empty), (50_000, "S3 ARN prefix cannot be empty".to_owned()));
    assert_eq!(error(&restore_log(&mut lab, "A", "x", &[])).1, "Database A is not in a restoring state.");
    let finish = lab.call("msdb.dbo.rds_finish_restore", &[("@db_name", text("B"))]);
    assert_eq!(error(&finish).1, "Database B is not in a restoring state.");
    lab.world.execute(lab.session, &Request::Transaction(TransactionRequest::Begin));
    assert_eq!(error(&restore(&mut lab, "B", "full.bak", &[])).0, 3021);
}

#[test]
fn a_restore_that_cannot_be_done_says_why_and_leaves_nothing_behind() {
    let (mut lab, _) = backed_up();
    let logs = logs_behind(&lab, "full.bak");
    for number in 0..11 {
        let id = lab.backup("A", &format!("many/{number:02}.bak"));
        assert_eq!(lab.finish(id), "SUCCESS");
    }
    for (key, said) in [
        ("missing.bak", "Access Denied"),
        ("missing/*", "Access Denied"),
        (logs[0].as_str(), "Please reissue task with correct type and overwrite property"),
        (
            "many/*",
            "The Restore task is unable to restore from more than 10 backup file(s). Please reduce the number of files matched and try again.",
        ),
        ("many/0*", "does not belong to the media set that is currently being processed."),
    ] {
        let id = queued(&restore(&mut lab, "B", key, &[]));
        assert_eq!(lab.finish(id), "ERROR", "{key}");
        let info = lab.info(id);
        assert!(
            info.contains(&format!("Task ID {id} (RESTORE_DB) exception: ")) && info.contains(said),
            "{info}"
        );
        assert!(
            info.contains("Aborted the task because of a task failure or a concurrent RESTORE_DB request.")
        );
        assert_eq!(state(&mut lab, "B"), None);
    }
    // A log too many: the database stays as it was.
    let full = restore(&mut lab, "B", "full.bak", &[("@with_norecovery", Value::Int(1))]);
    done(&mut lab, &full);
    let id = queued(&restore_log(&mut lab, "B", &logs[1], &[]));
    assert_eq!(lab.finish(id), "ERROR");
    assert!(lab.info(id).contains("which is too recent to apply to the database."), "{}", lab.info(id));
    let log = restore_log(&mut lab, "B", &logs[0], &[]);
    done(&mut lab, &log);
    let dropped = lab.call("msdb.dbo.rds_drop_database", &[("@db_name", text("b"))]);
    assert_eq!(dropped.error, None);
    assert_eq!(state(&mut lab, "B"), None);
}

#[test]
fn multi_az_refuses_chains_where_the_older_documents_hold() {
    let knobs = Knobs { multi_az_refuses_chains: true, ..prompt() };
    let mut lab = Lab::with(knobs, |config| config.multi_az = MultiAz::AlwaysOn);
    lab.database("A");
    let id = lab.backup("A", "full.bak");
    assert_eq!(lab.finish(id), "SUCCESS");
    let refused = restore(&mut lab, "B", "full.bak", &[("@with_norecovery", Value::Int(1))]);
    assert_eq!(error(&refused).1, "The operation isn't supported on Multi-AZ DB instances.");
    let whole = restore(&mut lab, "B", "full.bak", &[]);
    done(&mut lab, &whole);
}

/// Whether change data capture is on in a database.
fn captures(lab: &mut Lab, name: &str) -> bool {
    let rows = lab.select("SELECT is_cdc_enabled FROM sys.databases WHERE name = @P1", &[text(name)]);
    cell(&rows, 0, "is_cdc_enabled") == &Value::Bit(true)
}

#[test]
fn change_data_capture_is_kept_where_the_restore_that_recovers_asks_for_it() {
    let (mut lab, database) = backed_up();
    lab.world.break_change_data_capture(database, true);
    lab.wait(1_200);
    for (key, id) in [("captured.bak", lab.backup("A", "captured.bak")), ("logs", lab.copy_all("A"))] {
        assert_eq!(lab.finish(id), "SUCCESS", "{key}");
    }
    lab.world.break_change_data_capture(database, false);
    let keep = ("@keep_cdc", Value::Int(1));
    for (name, key, more, kept) in [
        ("B", "captured.bak", vec![], false),
        ("C", "captured.bak", vec![("@keep_cdc", Value::Int(0))], false),
        ("D", "captured.bak", vec![keep.clone()], true),
        // It was off when this one was taken.
        ("E", "full.bak", vec![keep.clone()], false),
    ] {
        let answer = restore(&mut lab, name, key, &more);
        done(&mut lab, &answer);
        assert_eq!(captures(&mut lab, name), kept, "{name}");
    }
    // A log brings what was on at its end; whoever recovers decides, and rds_finish_restore can't ask for it.
    let logs = logs_behind(&lab, "full.bak");
    let recovery = ("@with_norecovery", Value::Int(0));
    for (name, more, kept) in [
        ("F", Some(vec![recovery.clone(), keep.clone()]), true),
        ("G", Some(vec![recovery.clone()]), false),
        ("H", None, false),
    ] {
        let full = restore(&mut lab, name, "full.bak", &[("@with_norecovery", Value::Int(1))]);
        done(&mut lab, &full);
        let (last, before) = logs.split_last().unwrap();
        for key in before {
            let log = restore_log(&mut lab, name, key, &[]);
            done(&mut lab, &log);
        }
        let answer = match more {
            Some(more) => restore_log(&mut lab, name, last, &more),
            None => lab.call("msdb.dbo.rds_finish_restore", &[("@db_name", text(name))]),
        };
        done(&mut lab, &answer);
        assert_eq!(captures(&mut lab, name), kept, "{name}");
    }
}
