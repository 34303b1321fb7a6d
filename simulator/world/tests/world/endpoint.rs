//! A world whose objects lie on an endpoint: what another world restores from them, and what comes of an endpoint that refuses.

mod bucket;
mod chains;
mod hostile;

use jiff::{SignedDuration, Timestamp};
use tds::{Response, Value};
use world::{Content, DatabaseId, EndpointFault, ObjectRef};

use crate::lab::{Lab, cell, prompt, string, task_id, text};
use bucket::Endpoint;

fn arn(key: &str) -> Value {
    text(&format!("arn:aws:s3:::vault/{key}"))
}

/// A world that was just started.
fn life(number: u8) -> Lab {
    let mut lab = Lab::with(prompt(), |_| {});
    lab.world.mirror([number; 16]);
    lab
}

fn finish(lab: &mut Lab, endpoint: &mut Endpoint, id: i64) -> String {
    for _ in 0..2_000 {
        endpoint.carry(&mut lab.world);
        let lifecycle = lab.lifecycle(id);
        if matches!(lifecycle.as_str(), "SUCCESS" | "ERROR" | "CANCELLED") {
            return lifecycle;
        }
        lab.wait(10);
    }
    panic!("the task never ends");
}

fn done(lab: &mut Lab, endpoint: &mut Endpoint, answer: &Response) {
    assert_eq!(answer.error, None);
    let id = task_id(answer);
    let ended = finish(lab, endpoint, id);
    assert_eq!(ended, "SUCCESS", "{}", lab.info(id));
}

fn backup(lab: &mut Lab, database: &str, key: &str, files: i64) -> Response {
    lab.call(
        "msdb.dbo.rds_backup_database",
        &[
            ("@source_db_name", text(database)),
            ("@s3_arn_to_backup_to", arn(key)),
            ("@number_of_files", Value::Int(files)),
            ("@overwrite_s3_backup_file", Value::Int(1)),
        ],
    )
}

fn restore(lab: &mut Lab, procedure: &str, name: &str, key: &str, more: &[(&str, Value)]) -> Response {
    let mut arguments = vec![("@restore_db_name", text(name)), ("@s3_arn_to_restore_from", arn(key))];
    arguments.extend_from_slice(more);
    lab.call(procedure, &arguments)
}

fn restore_full(lab: &mut Lab, name: &str, key: &str, more: &[(&str, Value)]) -> Response {
    restore(lab, "msdb.dbo.rds_restore_database", name, key, more)
}

/// A life in which a database of two stripes and its logs reach the endpoint.
fn first_life(endpoint: &mut Endpoint) -> (Lab, DatabaseId) {
    let mut lab = life(1);
    let database = lab.database("A");
    lab.set_up_logs();
    lab.wait(1_800);
    let answer = backup(&mut lab, "A", "full*.bak", 2);
    done(&mut lab, endpoint, &answer);
    lab.wait(1_200);
    let id = lab.copy_all("A");
    assert_eq!(finish(&mut lab, endpoint, id), "SUCCESS");
    (lab, database)
}

/// Another life, in which the database was never known.
fn second_life(number: u8) -> Lab {
    let mut lab = life(number);
    lab.database("Other");
    lab
}

fn header(lab: &Lab, key: &str) -> world::BackupSet {
    lab.world.header(&ObjectRef::newest("vault", key)).unwrap()
}

/// The copied logs that go on from the full, in order, as the world knows them that wrote them.
fn logs_behind(lab: &Lab, full: &str) -> Vec<String> {
    let end = header(lab, full).last_lsn;
    let mut keys = lab.keys("logs/");
    keys.retain(|key| header(lab, key).last_lsn > end);
    keys.sort_by_key(|key| header(lab, key).last_lsn);
    keys
}

fn held(lab: &Lab, name: &str) -> Content {
    let database = lab.world.find_database("prod", name).unwrap();
    lab.world.truth(database, lab.now()).unwrap()
}

/// Branches have other numbers in another world: the same transactions, the same pages.
fn same(one: &Content, other: &Content) -> bool {
    let ranges = |content: &Content| content.rows().iter().map(|r| (r.from, r.until)).collect::<Vec<_>>();
    one.row_count() > 0 && ranges(one) == ranges(other) && one.pages() == other.pages()
}

#[test]
fn stripes_come_back_in_a_world_that_never_saw_their_database() {
    let mut endpoint = Endpoint::with("vault");
    let (lab, database) = first_life(&mut endpoint);
    let set = header(&lab, "full1-of-2.bak");
    let then = lab.world.truth(database, set.finish()).unwrap();

    let mut later = second_life(2);
    let answer = restore_full(&mut later, "B", "full*", &[]);
    done(&mut later, &mut endpoint, &answer);
    assert!(same(&held(&later, "B"), &then));
    assert_eq!(header(&later, "full2-of-2.bak"), set, "family, LSNs, forks and all");

    // It goes on, and is backed up and restored again, in a third life.
    later.wait(600);
    let answer = backup(&mut later, "B", "again.bak", 1);
    done(&mut later, &mut endpoint, &answer);
    let again = header(&later, "again.bak");
    assert_eq!(again.family_guid, set.family_guid);
    assert!(again.first_lsn > set.last_lsn && again.last_fork != set.last_fork);
    let mut last = second_life(3);
    let answer = restore_full(&mut last, "C", "again.bak", &[]);
    done(&mut last, &mut endpoint, &answer);
    assert!(same(&held(&last, "C"), &then), "nobody wrote to B");
}

#[test]
fn logs_roll_forward_to_a_moment_as_in_the_world_that_lived_it() {
    let mut endpoint = Endpoint::with("vault");
    let (lab, database) = first_life(&mut endpoint);
    let logs = logs_behind(&lab, "full1-of-2.bak");
    assert!(logs.len() >= 3, "{logs:?}");
    let last = header(&lab, &logs[2]).finish();
    for (number, seconds) in [(2, 20), (3, 100), (4, 150), (5, 290)] {
        let stop: Timestamp = last - SignedDuration::from_secs(seconds);
        let mut later = second_life(number);
        let answer = restore_full(&mut later, "B", "full*", &[("@with_norecovery", Value::Int(1))]);
        done(&mut later, &mut endpoint, &answer);
        for key in &logs[..2] {
            let answer = restore(&mut later, "msdb.dbo.rds_restore_log", "B", key, &[]);
            done(&mut later, &mut endpoint, &answer);
        }
        let stop_at = stop.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let opens = [("@with_norecovery", Value::Int(0)), ("@stopat", text(&stop_at))];
        let answer = restore(&mut later, "msdb.dbo.rds_restore_log", "B", &logs[2], &opens);
        done(&mut later, &mut endpoint, &answer);
        assert!(same(&held(&later, "B"), &lab.world.truth(database, stop).unwrap()), "{seconds}");
    }
}

#[test]
fn a_second_life_of_the_same_story_keeps_its_own_history_apart() {
    let mut endpoint = Endpoint::with("vault");
    let (lab, database) = first_life(&mut endpoint);
    let finish_of = header(&lab, "full1-of-2.bak").finish();
    let then = lab.world.truth(database, finish_of).unwrap();
    // The same seed and calls: the same guids, another history.
    let (mut later, own) = {
        let mut later = life(2);
        let own = later.database("A");
        (later, own)
    };
    later.wait(300);
    let answer = restore_full(&mut later, "B", "full*", &[]);
    done(&mut later, &mut endpoint, &answer);
    assert!(same(&held(&later, "B"), &then));
    let family = |lab: &mut Lab, name: &str| {
        let rows = lab.select(
            "SELECT r.family_guid FROM sys.databases AS d JOIN sys.database_recovery_status AS r \
             ON r.database_id = d.database_id WHERE d.name = @P1",
            &[text(name)],
        );
        cell(&rows, 0, "family_guid").clone()
    };
    assert_eq!(family(&mut later, "A"), family(&mut later, "B"));
    let untouched = later.world.truth(own, later.now()).unwrap();
    assert_ne!(untouched.rows()[0].branch, held(&later, "B").rows()[0].branch);
}

#[test]
fn nothing_succeeds_before_it_is_there() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    lab.database("A");
    lab.wait(600);
    let base = |lab: &mut Lab| {
        let rows = lab.select(
            "SELECT f.differential_base_guid FROM sys.master_files AS f JOIN sys.databases AS d \
             ON d.database_id = f.database_id WHERE d.name = @P1 AND f.type = 0",
            &[text("A")],
        );
        cell(&rows, 0, "differential_base_guid").clone()
    };
    let rows = |lab: &mut Lab| {
        lab.select(
            "SELECT type FROM msdb.dbo.backupset WHERE is_snapshot = 0 AND database_name = @P1",
            &[text("A")],
        )
        .rows
        .len()
    };
    let before = base(&mut lab);
    let id = task_id(&backup(&mut lab, "A", "full*.bak", 2));
    endpoint.carry_looks(&mut lab.world);
    for _ in 0..200 {
        lab.wait(30);
        endpoint.carry_looks(&mut lab.world);
    }
    assert_eq!(lab.world.open_transfers(), 1, "the stripes wait");
    assert_eq!((lab.lifecycle(id).as_str(), rows(&mut lab)), ("IN_PROGRESS", 0));
    assert_eq!(base(&mut lab), before);
    assert!(lab.keys("full").is_empty());
    endpoint.carry(&mut lab.world);
    assert_eq!((lab.lifecycle(id).as_str(), rows(&mut lab)), ("SUCCESS", 1));
    assert_ne!(base(&mut lab), before);
    assert_eq!(lab.keys("full"), ["full1-of-2.bak", "full2-of-2.bak"]);
    assert_eq!(endpoint.keys(), ["full1-of-2.bak", "full2-of-2.bak"]);
}

#[test]
fn an_endpoint_that_refuses_ends_a_task_in_its_words() {
    for (fault, said) in [
        (EndpointFault::AccessDenied, "Access Denied"),
        (EndpointFault::NoSuchBucket, "The specified bucket does not exist"),
        (EndpointFault::Unreachable, "Unable to reach Amazon S3"),
    ] {
        let mut endpoint = Endpoint::with("vault");
        let (mut lab, _) = first_life(&mut endpoint);
        let full = header(&lab, "full1-of-2.bak");
        let trouble = |lab: &mut Lab, endpoint: &mut Endpoint, answer: &Response| {
            let id = task_id(answer);
            assert_eq!(finish(lab, endpoint, id), "ERROR");
            let info = lab.info(id);
            assert!(info.contains(said), "{info}");
        };
        endpoint.refuses_looks = Some(fault);
        let answer = backup(&mut lab, "A", "b.bak", 1);
        trouble(&mut lab, &mut endpoint, &answer);
        let answer = restore_full(&mut lab, "B", "full*", &[]);
        trouble(&mut lab, &mut endpoint, &answer);
        endpoint.refuses_looks = None;

        // One of two stripes is written before it ends: it is there, and the set is not.
        endpoint.refuses_puts = Some((1, fault));
        let answer = backup(&mut lab, "A", "half*.bak", 2);
        trouble(&mut lab, &mut endpoint, &answer);
        assert_eq!(lab.keys("half"), ["half1-of-2.bak"]);
        endpoint.refuses_puts = Some((2, fault));
        let answer = lab.call(
            "msdb..rds_tlog_backup_copy_to_S3",
            &[("@db_name", text("A")), ("@rds_backup_starting_seq_id", Value::Int(1))],
        );
        trouble(&mut lab, &mut endpoint, &answer);
        endpoint.refuses_puts = None;
        let answer = restore_full(&mut lab, "B", "half*", &[]);
        let id = task_id(&answer);
        assert_eq!(finish(&mut lab, &mut endpoint, id), "ERROR");
        assert!(lab.info(id).contains("All members must be provided"), "{}", lab.info(id));
        // Nothing depends on what failed.
        let rows = lab.select("SELECT backup_set_uuid FROM msdb.dbo.backupset WHERE is_snapshot = 0", &[]);
        assert_eq!(rows.rows.len(), 1, "the full of before alone");
        assert_eq!(*cell(&rows, 0, "backup_set_uuid"), Value::Guid(full.uuid.0));
    }
}

#[test]
fn what_others_did_to_a_bucket_is_known_before_a_task_begins() {
    let mut endpoint = Endpoint::with("vault");
    let (mut lab, _) = first_life(&mut endpoint);
    let failing = |lab: &mut Lab, endpoint: &mut Endpoint, said: &str| {
        let id = task_id(&restore_full(lab, "B", "full*", &[]));
        assert_eq!(finish(lab, endpoint, id), "ERROR");
        let info = lab.info(id);
        assert!(info.contains(said), "{said}: {info}");
    };
    let whole = endpoint.get("full1-of-2.bak");
    endpoint.put("full1-of-2.bak", b"PK\x03\x04");
    failing(&mut lab, &mut endpoint, "correct type and overwrite property");
    endpoint.put("full1-of-2.bak", &whole[..whole.len() / 2]);
    failing(&mut lab, &mut endpoint, "was terminated while it was being created");
    let mut bad = whole.clone();
    *bad.last_mut().unwrap() ^= 1;
    endpoint.put("full1-of-2.bak", &bad);
    failing(&mut lab, &mut endpoint, "correct type and overwrite property");
    endpoint.archived = Some("full1-of-2.bak".into());
    failing(&mut lab, &mut endpoint, "not valid for the object's storage class");
    endpoint.archived = None;
    endpoint.delete("full1-of-2.bak");
    failing(&mut lab, &mut endpoint, "All members must be provided");
    endpoint.delete("full2-of-2.bak");
    failing(&mut lab, &mut endpoint, "Access Denied");
    endpoint.put("full1-of-2.bak", &whole);
    endpoint.put("full2-of-2.bak", &whole);
    failing(&mut lab, &mut endpoint, "All members must be provided");

    // A key that somebody took meanwhile.
    endpoint.put("taken.bak", b"somebody's");
    let answer = lab.call(
        "msdb.dbo.rds_backup_database",
        &[("@source_db_name", text("A")), ("@s3_arn_to_backup_to", arn("taken.bak"))],
    );
    let id = task_id(&answer);
    assert_eq!(finish(&mut lab, &mut endpoint, id), "ERROR");
    assert_eq!(endpoint.get("taken.bak"), b"somebody's");
}

#[test]
fn what_is_known_is_not_read_again() {
    let mut endpoint = Endpoint::with("vault");
    let (mut lab, database) = first_life(&mut endpoint);
    let set = header(&lab, "full1-of-2.bak");
    let answer = restore_full(&mut lab, "B", "full*", &[]);
    done(&mut lab, &mut endpoint, &answer);
    assert_eq!(endpoint.reads, 0, "it wrote them itself");
    assert_eq!(held(&lab, "B"), lab.world.truth(database, set.finish()).unwrap(), "one history");
    let mut later = second_life(2);
    for name in ["B", "C"] {
        let answer = restore_full(&mut later, name, "full*", &[]);
        done(&mut later, &mut endpoint, &answer);
    }
    assert_eq!(endpoint.reads, 2, "each stripe once");
    assert_eq!(endpoint.looks_max, 11, "no more keys than a restore takes, and one");
}

#[test]
fn what_a_task_costs_does_not_grow_with_its_bucket() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    lab.database("A");
    lab.set_up_logs();
    lab.wait(86_400 * 7);
    let answer = backup(&mut lab, "A", "full*.bak", 2);
    done(&mut lab, &mut endpoint, &answer);
    endpoint.looks = 0;
    let id = lab.copy_all("A");
    assert_eq!(finish(&mut lab, &mut endpoint, id), "SUCCESS");
    let copied = lab.keys("logs/");
    assert!((2_000..2_030).contains(&copied.len()) && endpoint.keys().len() == copied.len() + 2);
    assert_eq!(endpoint.looks, 1, "whether the bucket is there");
    let mut later = second_life(2);
    (endpoint.looks, endpoint.looks_max) = (0, 0);
    let answer = restore_full(&mut later, "B", "full*", &[("@with_norecovery", Value::Int(1))]);
    done(&mut later, &mut endpoint, &answer);
    assert_eq!((endpoint.looks, endpoint.reads, endpoint.looks_max), (1, 2, 11));
    let id = task_id(&restore(&mut later, "msdb.dbo.rds_restore_log", "B", &copied[5], &[]));
    assert_eq!(finish(&mut later, &mut endpoint, id), "ERROR", "it ends before the full");
    assert_eq!((endpoint.looks, endpoint.reads), (2, 3));
}

#[test]
fn a_task_that_is_cancelled_while_it_waits_ends_so() {
    let mut endpoint = Endpoint::with("vault");
    let (mut lab, _) = first_life(&mut endpoint);
    let id = task_id(&restore_full(&mut lab, "B", "full*", &[]));
    lab.wait(60);
    assert_eq!(lab.lifecycle(id), "IN_PROGRESS");
    assert_eq!(lab.task(id, "% complete"), Value::Int(0));
    let answer = lab.call("msdb.dbo.rds_cancel_task", &[("@task_id", Value::Int(id))]);
    assert_eq!(answer.error, None);
    lab.wait(600);
    assert_eq!(lab.lifecycle(id), "CANCELLED");
    endpoint.carry(&mut lab.world);
    lab.wait(600);
    assert_eq!(lab.lifecycle(id), "CANCELLED");
    assert_eq!(string(&lab.task(id, "task_type")), "RESTORE_DB");
}

#[test]
fn a_bucket_that_only_the_endpoint_has_is_used() {
    let mut endpoint = Endpoint::with("elsewhere");
    let mut lab = life(1);
    lab.database("A");
    lab.wait(600);
    for (bucket, ended) in [("elsewhere", "SUCCESS"), ("nowhere", "ERROR")] {
        let answer = lab.call(
            "msdb.dbo.rds_backup_database",
            &[
                ("@source_db_name", text("A")),
                ("@s3_arn_to_backup_to", text(&format!("arn:aws:s3:::{bucket}/a.bak"))),
            ],
        );
        let id = task_id(&answer);
        assert_eq!(finish(&mut lab, &mut endpoint, id), ended, "{}", lab.info(id));
    }
    assert_eq!(endpoint.keys(), ["a.bak"]);
}
