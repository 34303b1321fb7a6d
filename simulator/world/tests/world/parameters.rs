//! What the procedures for native backups take: each parameter with its values, its default and its limits.

use tds::{Response, Value};
use world::{Condition, KeyConfig};

use crate::lab::{ACCOUNT, Lab, REGION, cell, error, string, task_id, text};

/// A backup of `A` into the vault.
fn backup(lab: &mut Lab, key: &str, more: &[(&str, Value)]) -> Response {
    let arn = text(&format!("arn:aws:s3:::vault/{key}"));
    let mut arguments = vec![("@source_db_name", text("A")), ("@s3_arn_to_backup_to", arn)];
    arguments.extend_from_slice(more);
    lab.call("msdb.dbo.rds_backup_database", &arguments)
}

fn with_a() -> Lab {
    let mut lab = Lab::new();
    lab.database("A");
    lab
}

#[test]
fn values_of_each_parameter_are_taken_or_refused() {
    let integer = |name: &'static str, value: i64| (name, Value::Int(value));
    let block =
        [512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536].map(|size| integer("@block_size", size));
    let taken = [
        ("@type", text("full")),
        ("@type", text("Differential")),
        ("@TYPE", Value::Null),
        integer("@overwrite_s3_backup_file", 1),
        integer("@number_of_files", 1),
        integer("@number_of_files", 10),
        integer("@max_transfer_size", 65_536),
        integer("@max_transfer_size", 4_194_304),
        integer("@buffer_count", 7),
        integer("@enable_bucket_default_encryption", 1),
        ("@kms_master_key_arn", text("")),
    ];
    let refused = [
        ("@type", text("LOG")),
        integer("@number_of_files", 0),
        integer("@number_of_files", 11),
        integer("@block_size", 256),
        integer("@block_size", 131_072),
        integer("@max_transfer_size", 65_535),
        integer("@max_transfer_size", 4_259_840),
        integer("@buffer_count", 0),
    ];
    let key = |name: &str| if name == "@number_of_files" { "f*.bak" } else { "f.bak" };
    for parameter in block.into_iter().chain(taken) {
        let answer = backup(&mut with_a(), key(parameter.0), std::slice::from_ref(&parameter));
        assert_eq!(answer.error, None, "{parameter:?}");
    }
    for parameter in refused {
        let answer = backup(&mut with_a(), key(parameter.0), std::slice::from_ref(&parameter));
        assert_eq!(error(&answer).0, 50_000, "{parameter:?}");
    }
}

/// The first column is the task's id, the text names it too: clients read either.
#[test]
fn the_call_answers_with_the_task() {
    let mut lab = with_a();
    let answer = backup(&mut lab, "a.bak", &[]);
    let row = &answer.results[0];
    assert_eq!((row.columns[0].name.as_str(), row.rows.len()), ("task_id", 1));
    assert_eq!(string(cell(row, 0, "lifecycle")), "CREATED");
    assert_eq!(string(cell(row, 0, "task_type")), "BACKUP_DB");
    assert!(answer.messages[0].text.contains(&format!("Task Id: {}", task_id(&answer))));
}

/// "Even if it isn't a backup file"; without the parameter one of many is enough to fail.
#[test]
fn what_is_there_is_overwritten_only_on_demand() {
    let mut lab = with_a();
    lab.world.s3_mut().put("vault", "f2-of-3.bak", b"a photo", &Condition::Always).unwrap();
    let files = ("@number_of_files", Value::Int(3));
    let id = task_id(&backup(&mut lab, "f*.bak", std::slice::from_ref(&files)));
    assert_eq!(lab.finish(id), "ERROR");
    assert_eq!(lab.keys(""), ["f2-of-3.bak"]);
    let id = task_id(&backup(&mut lab, "f*.bak", &[files, ("@overwrite_s3_backup_file", Value::Int(1))]));
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.keys(""), ["f1-of-3.bak", "f2-of-3.bak", "f3-of-3.bak"]);
}

/// A differential is striped as a full is; with one file every `*` stays in its name.
#[test]
fn stripes_are_for_differentials_too_and_one_file_keeps_its_asterisks() {
    let mut lab = with_a();
    let id = task_id(&backup(&mut lab, "x*y*.bak", &[]));
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.keys("x"), ["x*y*.bak"]);
    let more = [("@type", text("differential")), ("@number_of_files", Value::Int(2))];
    let id = task_id(&backup(&mut lab, "d/*d", &more));
    assert_eq!(lab.finish(id), "SUCCESS");
    assert_eq!(lab.keys("d"), ["d/1-of-2d", "d/2-of-2d"]);
    assert_eq!(string(&lab.task(id, "task_type")), "BACKUP_DB_DIFFERENTIAL");
}

#[test]
fn keys_are_symmetric_and_the_customers_and_buckets_may_be_anybodys() {
    let mut lab = with_a();
    let key = |name: &str| format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}");
    for (name, symmetric, customer_managed, enabled) in
        [("asymmetric", false, true, true), ("default", true, false, true), ("off", true, true, false)]
    {
        let usable = KeyConfig::usable(&key(name), REGION);
        lab.world.add_key(KeyConfig { symmetric, customer_managed, enabled, ..usable });
        let id = task_id(&backup(&mut lab, "a.bak", &[("@kms_master_key_arn", text(&key(name)))]));
        assert_eq!(lab.finish(id), "ERROR", "{name}");
    }
    let other = lab.batch("EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::stranger/a.bak'");
    let id = task_id(&other);
    assert_eq!(lab.finish(id), "SUCCESS", "of another account, in the same Region");
}

/// `backupset` has a row for a backup that succeeded, and for no other.
#[test]
fn history_tells_of_what_succeeded() {
    let mut lab = with_a();
    let rows = "SELECT COUNT(*) AS n FROM msdb.dbo.backupset WHERE is_snapshot = 0";
    for (arn, ending, count) in [("far/a.bak", "ERROR", 0), ("vault/a.bak", "SUCCESS", 1)] {
        let id = task_id(&lab.batch(&format!("EXEC msdb.dbo.rds_backup_database 'A', 'arn:aws:s3:::{arn}'")));
        assert_eq!(lab.finish(id), ending);
        assert_eq!(*cell(&lab.select(rows, &[]), 0, "n"), Value::Int(count));
    }
    let id = task_id(&backup(&mut lab, "b.bak", &[]));
    lab.wait(3);
    assert_eq!(lab.call("msdb.dbo.rds_cancel_task", &[("@task_id", Value::Int(id))]).error, None);
    assert_eq!(lab.finish(id), "CANCELLED");
    assert_eq!(*cell(&lab.select(rows, &[]), 0, "n"), Value::Int(1));
}

#[test]
fn compression_is_one_setting_of_the_instance() {
    let mut lab = with_a();
    let shown = |lab: &mut Lab| {
        let set =
            lab.batch("EXEC rdsadmin..rds_show_configuration 'S3 backup compression'").results.remove(0);
        string(cell(&set, 0, "value"))
    };
    assert_eq!(shown(&mut lab), "false");
    let size = |lab: &mut Lab, key: &str| {
        let id = lab.backup("A", key);
        assert_eq!(lab.finish(id), "SUCCESS");
        lab.world.s3().head("vault", key, None).unwrap().size_bytes
    };
    let plain = size(&mut lab, "plain.bak");
    assert_eq!(
        lab.batch("EXEC rdsadmin.dbo.rds_set_configuration 'S3 backup compression', 'true'").error,
        None
    );
    assert_eq!(shown(&mut lab), "true");
    assert!(size(&mut lab, "small.bak") < plain);
}
