//! What is called, how its answer is read, and what a lost one means.

use domain::request::{CopyLogs, NativeBackup, TransferOptions};
use ports::Fault;
use ports::server::{BackupCompression, CancelTask, Fence, LogCopyTarget, ReadClock, SubmitTasks};
use tds::{Response, SqlType, Value};

use crate::answers::{Script, answer, call, error, message, rows, status, text, word};
use crate::wire::{Reply, Wire};

fn backup() -> NativeBackup {
    NativeBackup {
        database: "orders'; DROP DATABASE orders; --".to_owned(),
        s3_arn: "arn:aws:s3:::vault/orders/full-*.bak".to_owned(),
        kms_key_arn: Some("arn:aws:kms:us-east-1:1:key/k".to_owned()),
        differential: false,
        files: 4,
        options: TransferOptions {
            max_transfer_bytes: Some(4_194_304),
            block_bytes: Some(65_536),
            buffer_count: Some(20),
        },
    }
}

fn copy() -> CopyLogs {
    CopyLogs { database: "orders".to_owned(), kms_key_arn: None, first_seq: 7, last_seq: 19 }
}

fn task_id(id: i64) -> Response {
    // As the service may do it: something printed, a row without the id, then a row with it.
    let other = rows(&[("note", SqlType::NVarChar(Some(40)))], vec![vec![text("queued")]]);
    let named = rows(
        &[("task_type", SqlType::VarChar(Some(40))), ("task_id", SqlType::Int)],
        vec![vec![text("BACKUP_DB"), Value::Int(id)]],
    );
    Response {
        messages: vec![message(0, 0, "Task created successfully.")],
        results: vec![other, named],
        status: Some(0),
        ..Response::default()
    }
}

fn clock() -> Reply {
    let at = Value::DateTime(1_790_000_000_000_000_000);
    answer(rows(
        &[("utc_now", SqlType::DateTime2(7)), ("local_now", SqlType::DateTime2(7))],
        vec![vec![at.clone(), at]],
    ))
}

#[test]
fn a_backup_is_called_by_name_and_its_id_found_in_the_second_result_set() {
    let mut wire = Wire::new(Script::new([Reply::Answer(task_id(17)), clock()]));
    let mut session = wire.open().unwrap();
    assert_eq!(wire.drive(session.backup_database(&backup())), Ok(17));
    // The answer was drained: the session goes on.
    wire.drive(session.clock()).unwrap();
    let (name, parameters) = call(&wire.server.seen[0]);
    assert_eq!(name, "msdb.dbo.rds_backup_database");
    let expected = [
        ("@source_db_name", text("orders'; DROP DATABASE orders; --")),
        ("@s3_arn_to_backup_to", text("arn:aws:s3:::vault/orders/full-*.bak")),
        ("@kms_master_key_arn", text("arn:aws:kms:us-east-1:1:key/k")),
        ("@overwrite_s3_backup_file", Value::Int(0)),
        ("@type", text("FULL")),
        ("@number_of_files", Value::Int(4)),
        ("@max_transfer_size", Value::Int(4_194_304)),
        ("@block_size", Value::Int(65_536)),
        ("@buffer_count", Value::Int(20)),
    ];
    assert_eq!(parameters, expected.iter().map(|(name, value)| (*name, value)).collect::<Vec<_>>());
}

#[test]
fn a_log_copy_names_its_range_and_no_key_on_plain_storage() {
    let mut wire = Wire::new(Script::new([Reply::Answer(task_id(18))]));
    let mut session = wire.open().unwrap();
    assert_eq!(wire.drive(session.copy_logs(&copy())), Ok(18));
    let (name, parameters) = call(&wire.server.seen[0]);
    assert_eq!(name, "msdb.dbo.rds_tlog_backup_copy_to_S3");
    let expected = [
        ("@db_name", text("orders")),
        ("@rds_backup_starting_seq_id", Value::Int(7)),
        ("@rds_backup_ending_seq_id", Value::Int(19)),
    ];
    assert_eq!(parameters, expected.iter().map(|(name, value)| (*name, value)).collect::<Vec<_>>());
}

#[test]
fn an_answer_without_an_id_or_with_an_error_behind_it_is_an_unknown_outcome() {
    let printed =
        Response { messages: vec![message(0, 0, "Task Id: 17")], status: Some(0), ..Response::default() };
    let failed = Response { error: Some(message(50_000, 16, "Odd.")), ..task_id(17) };
    let both = Response { results: [task_id(17).results, task_id(18).results].concat(), ..task_id(17) };
    for response in [Response::default(), printed, failed, both] {
        let mut wire = Wire::new(Script::new([Reply::Answer(response.clone())]));
        let mut session = wire.open().unwrap();
        let fault = wire.drive(session.backup_database(&backup())).unwrap_err();
        assert_eq!(word(&fault), "unknown", "{response:?}");
    }
}

#[test]
fn refusals_are_told_by_number_and_text() {
    let denied = "The EXECUTE permission was denied on the object 'rds_backup_database', database 'msdb', schema 'dbo'.";
    for (number, severity, sentence, expected) in [
        (229, 14, denied, "Human ExecuteDenied"),
        (50_000, 16, "A task has already been issued for database: orders", "Wait TaskAlreadyIssued"),
        (50_000, 16, "Something nobody published.", "Human ServerRefused"),
        (
            2_812,
            16,
            "Could not find stored procedure 'msdb.dbo.rds_backup_database'.",
            "Human ProcedureMissing",
        ),
        (1_205, 13, "Transaction was deadlocked.", "unknown"),
        (596, 21, "Cannot continue the execution because the session is in the kill state.", "unknown"),
        (50_000, 20, "Anything that ends the session.", "unknown"),
        (
            50_000,
            16,
            "Error running the stored procedure rds_tlog_backup_copy_to_S3. Reconnect to the RDS endpoint and try again.",
            "unknown",
        ),
    ] {
        let mut wire = Wire::new(Script::new([error(number, severity, sentence)]));
        let mut session = wire.open().unwrap();
        let fault = wire.drive(session.backup_database(&backup())).unwrap_err();
        assert_eq!(word(&fault), expected, "{sentence}");
    }
}

#[test]
fn the_task_that_runs_already_is_named() {
    let sentence = "A T-log backup file copy task has already been issued for database: orders with task Id: 41, please try again later.";
    let mut wire = Wire::new(Script::new([error(50_000, 16, sentence)]));
    let mut session = wire.open().unwrap();
    let fault = wire.drive(session.copy_logs(&copy())).unwrap_err();
    let Fault::Refused(reason) = fault else { panic!("{fault}") };
    assert!(reason.message.starts_with("task 41 waits or runs"), "{}", reason.message);
}

#[test]
fn a_cancel_names_its_task_and_changes_something() {
    let ended = "Task with Task Id 17 can't be cancelled because it is in the SUCCESS state.";
    for (reply, expected) in [
        (status(Some(0)), Ok(())),
        // No source states what it answers: rows are drained, a missing status is no refusal.
        (Reply::Answer(task_id(17)), Ok(())),
        (status(None), Ok(())),
        (error(50_000, 16, ended), Err("Human ServerRefused".to_owned())),
        (error(1_205, 13, "Transaction was deadlocked."), Err("unknown".to_owned())),
        (Reply::Hang, Err("unknown".to_owned())),
    ] {
        let mut wire = Wire::new(Script::new([reply]));
        let mut session = wire.open().unwrap();
        let answer = wire.drive(session.cancel_task(17));
        assert_eq!(answer.map_err(|fault| word(&fault)), expected);
        let (name, parameters) = call(&wire.server.seen[0]);
        assert_eq!(name, "msdb.dbo.rds_cancel_task");
        assert_eq!(parameters, [("@task_id", &Value::Int(17))]);
    }
    let mut wire = Wire::new(Script::new([]));
    let mut session = wire.open().unwrap();
    let fault = wire.drive(session.cancel_task(1 << 40)).unwrap_err();
    assert_eq!(
        (word(&fault).as_str(), wire.server.seen.len()),
        ("Never OptionOutOfRange", 0),
        "not asked at all"
    );
}

#[test]
fn a_target_that_is_set_already_is_set() {
    for (reply, expected) in [
        (status(Some(0)), Ok(())),
        (error(50_000, 16, "The target S3 ARN is already set to the provided value."), Ok(())),
        (
            error(
                50_000,
                16,
                "You cannot run the rds_tlog_copy_setup stored procedure while there are pending tasks. Wait for the pending tasks to complete and try again.",
            ),
            Err("Wait TasksPending".to_owned()),
        ),
        (Reply::Hang, Err("unknown".to_owned())),
    ] {
        let mut wire = Wire::new(Script::new([reply]));
        let mut session = wire.open().unwrap();
        let answer = wire.drive(session.set_log_copy_target("arn:aws:s3:::vault/logs"));
        assert_eq!(answer.map_err(|fault| word(&fault)), expected);
        let (name, parameters) = call(&wire.server.seen[0]);
        assert_eq!(name, "msdb.dbo.rds_tlog_copy_setup");
        assert_eq!(parameters, [("@target_s3_arn", &text("arn:aws:s3:::vault/logs"))]);
    }
}

#[test]
fn the_lock_is_the_return_status() {
    for (code, expected) in
        [(0, Ok(true)), (1, Ok(true)), (-1, Ok(false)), (-999, Err("Human LockRefused".to_owned()))]
    {
        let mut wire = Wire::new(Script::new([status(Some(code)), status(Some(0))]));
        let mut session = wire.open().unwrap();
        let held = wire.drive(session.lock("bakproof"));
        assert_eq!(held.map_err(|fault| word(&fault)), expected, "{code}");
        wire.drive(session.unlock("bakproof")).unwrap();
        let (name, parameters) = call(&wire.server.seen[0]);
        assert_eq!(name, "sp_getapplock");
        let expected = [
            ("@Resource", text("bakproof")),
            ("@LockMode", text("Exclusive")),
            ("@LockOwner", text("Session")),
            ("@LockTimeout", Value::Int(0)),
        ];
        assert_eq!(parameters, expected.iter().map(|(name, value)| (*name, value)).collect::<Vec<_>>());
        assert_eq!(call(&wire.server.seen[1]).0, "sp_releaseapplock");
    }
}

#[test]
fn compression_is_set_by_word() {
    for (on, word) in [(true, "true"), (false, "false")] {
        let mut wire = Wire::new(Script::new([status(Some(0))]));
        let mut session = wire.open().unwrap();
        assert_eq!(wire.drive(session.set_compression(on)), Ok(()));
        let (name, parameters) = call(&wire.server.seen[0]);
        assert_eq!(name, "rdsadmin.dbo.rds_set_configuration");
        assert_eq!(parameters, [("@name", &text("S3 backup compression")), ("@value", &text(word))]);
    }
}
