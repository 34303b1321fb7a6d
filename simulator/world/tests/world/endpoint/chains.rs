//! Chains from an endpoint: whatever the engine says of them in the world that lived them, it says in another.

use jiff::{SignedDuration, Timestamp};
use tds::Value;
use world::{Content, FailoverFate, KeyConfig, Knobs, MultiAz, ObjectRef};

use super::{Endpoint, arn, done, finish, header, held, life, restore, restore_full, same, second_life};
use crate::lab::{KEY, Lab, REGION, prompt, task_id, text};

fn backup(lab: &mut Lab, endpoint: &mut Endpoint, key: &str, more: &[(&str, Value)]) {
    let mut arguments = vec![("@source_db_name", text("A")), ("@s3_arn_to_backup_to", arn(key))];
    arguments.extend_from_slice(more);
    let answer = lab.call("msdb.dbo.rds_backup_database", &arguments);
    done(lab, endpoint, &answer);
}

/// Reads objects into a world as any restore does, whatever comes of it.
fn learn(lab: &mut Lab, endpoint: &mut Endpoint, keys: &[String]) {
    for (number, key) in keys.iter().enumerate() {
        let name = format!("L{number}");
        let id = task_id(&restore_full(lab, &name, key, &[("@with_norecovery", Value::Int(1))]));
        finish(lab, endpoint, id);
    }
}

/// What a restore of objects to a moment comes to: contents by branch-free ranges and pages, or the refusal.
fn comes_to(lab: &Lab, keys: &[String], stop: Timestamp) -> Result<Content, String> {
    let objects: Vec<ObjectRef> = keys.iter().map(|key| ObjectRef::newest("vault", key)).collect();
    lab.world.restore(&objects, Some(stop)).map_err(|error| error.text)
}

/// Both worlds say the same of a chain at many moments; how often it was restored.
fn compare(lab: &Lab, later: &Lab, chain: &[String]) -> usize {
    let first = header(lab, &chain[0]).finish();
    let last = header(lab, chain.last().unwrap()).finish();
    let mut restored = 0;
    let mut stop = first - SignedDuration::from_secs(30);
    while stop < last + SignedDuration::from_secs(30) {
        match (comes_to(lab, chain, stop), comes_to(later, chain, stop)) {
            (Ok(one), Ok(other)) => {
                assert!(same(&one, &other), "{stop} {chain:?}");
                restored += 1;
            }
            (one, other) => assert_eq!(one.err(), other.err(), "{stop} {chain:?}"),
        }
        stop += SignedDuration::from_millis(7_919);
    }
    restored
}

#[test]
fn every_moment_comes_to_the_same_in_another_world() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    let database = lab.database("A");
    lab.set_up_logs();
    lab.wait(900);
    backup(&mut lab, &mut endpoint, "full.bak", &[]);
    lab.wait(200);
    lab.world.write(database, 40);
    lab.wait(400);
    backup(&mut lab, &mut endpoint, "differential.bak", &[("@type", text("DIFFERENTIAL"))]);
    lab.world.write(database, 3);
    lab.wait(700);
    let id = lab.copy_all("A");
    assert_eq!(finish(&mut lab, &mut endpoint, id), "SUCCESS");
    // The database is restored over itself: its next log crosses a fork.
    let back = lab.now() - SignedDuration::from_secs(450);
    let forked = lab.world.break_restore_in_place(database, back);
    assert!(forked.is_some());
    lab.wait(900);
    let id = lab.copy_all("A");
    assert_eq!(finish(&mut lab, &mut endpoint, id), "SUCCESS");

    let keys: Vec<String> = endpoint.keys().into_iter().map(str::to_owned).collect();
    let mut later = second_life(2);
    learn(&mut later, &mut endpoint, &keys);
    for key in &keys {
        assert_eq!(header(&lab, key), header(&later, key));
    }
    let mut logs: Vec<String> = keys.iter().filter(|key| key.starts_with("logs/")).cloned().collect();
    logs.sort_by_key(|key| header(&lab, key).last_lsn);
    logs.retain(|key| header(&lab, key).last_lsn > header(&lab, "full.bak").last_lsn);
    assert!(logs.len() > 5, "{logs:?}");
    // With and without the logs of the line that was left.
    let crossing = logs.iter().map(|key| header(&lab, key)).find(|set| set.fork_point.is_some()).unwrap();
    let mut onward = logs.clone();
    onward.retain(|key| {
        let set = header(&lab, key);
        set.database_guid == crossing.database_guid || set.last_lsn <= crossing.first_lsn
    });
    assert!(onward.len() < logs.len());
    let mut restored = [0, 0];
    for (count, (line, logs)) in (0..=logs.len())
        .flat_map(|count| [&logs, &onward].into_iter().enumerate().map(move |logs| (count, logs)))
    {
        let Some(logs) = logs.get(..count) else { continue };
        for start in [&["full.bak"][..], &["full.bak", "differential.bak"]] {
            let chain: Vec<String> =
                start.iter().map(|key| (*key).to_owned()).chain(logs.iter().cloned()).collect();
            restored[line] += compare(&lab, &later, &chain);
        }
    }
    assert!(restored[0] > 100 && restored[1] > restored[0], "{restored:?}");
}

#[test]
fn a_key_that_a_file_names_is_wanted_in_another_world_too() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    lab.database("A");
    lab.wait(900);
    let key = ("@kms_master_key_arn", text(KEY));
    backup(&mut lab, &mut endpoint, "secret.bak", std::slice::from_ref(&key));
    let mut later = second_life(2);
    let id = task_id(&restore_full(&mut later, "B", "secret.bak", &[]));
    assert_eq!(finish(&mut later, &mut endpoint, id), "ERROR");
    let answer = restore_full(&mut later, "C", "secret.bak", &[key]);
    done(&mut later, &mut endpoint, &answer);
    later.world.add_key(KeyConfig { enabled: false, ..KeyConfig::usable(KEY, REGION) });
    let id = task_id(&restore_full(&mut later, "D", "secret.bak", &[("@kms_master_key_arn", text(KEY))]));
    assert_eq!(finish(&mut later, &mut endpoint, id), "ERROR");
}

#[test]
fn generations_of_lives_hand_a_family_on() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    let database = lab.database("A");
    lab.wait(900);
    backup(&mut lab, &mut endpoint, "1.bak", &[]);
    let family = header(&lab, "1.bak").family_guid;
    let mut then = lab.world.truth(database, header(&lab, "1.bak").finish()).unwrap();
    for number in 2..7_u8 {
        let mut lab = second_life(number);
        lab.set_up_logs();
        let answer = restore_full(&mut lab, "A", &format!("{}.bak", number - 1), &[]);
        done(&mut lab, &mut endpoint, &answer);
        assert!(same(&held(&lab, "A"), &then), "{number}");
        let own = lab.world.find_database("prod", "A").unwrap();
        lab.world.write(own, u64::from(number) * 11);
        lab.wait(700);
        then = held(&lab, "A");
        // What was written since is in the log alone, and in the next full.
        let id = lab.copy_all("A");
        assert_eq!(finish(&mut lab, &mut endpoint, id), "SUCCESS");
        backup(&mut lab, &mut endpoint, &format!("{number}.bak"), &[]);
        assert_eq!(header(&lab, &format!("{number}.bak")).family_guid, family);
        let log = lab.keys("logs/").remove(0);
        let mut reader = second_life(100 + number);
        let before = format!("{}.bak", number - 1);
        let answer = restore_full(&mut reader, "B", &before, &[("@with_norecovery", Value::Int(1))]);
        done(&mut reader, &mut endpoint, &answer);
        let answer = restore(
            &mut reader,
            "msdb.dbo.rds_restore_log",
            "B",
            &log,
            &[("@with_norecovery", Value::Int(0))],
        );
        let id = task_id(&answer);
        assert_eq!(finish(&mut reader, &mut endpoint, id), "SUCCESS", "{}", reader.info(id));
        assert!(same(&held(&reader, "B"), &then), "the log crosses the fork that the restore began");
    }
}

#[test]
fn a_failover_ends_the_waiting_as_it_ends_running() {
    for (fate, looking, putting) in [
        (FailoverFate::Error, "ERROR", "ERROR"),
        // Begun again, it finds the key taken: by what it had sent.
        (FailoverFate::Restart, "SUCCESS", "ERROR"),
        (FailoverFate::Frozen, "IN_PROGRESS", "IN_PROGRESS"),
    ] {
        for (seconds, ended) in [(30, looking), (3_000, putting)] {
            let mut endpoint = Endpoint::with("vault");
            let knobs = Knobs { failover_fate: fate, ..prompt() };
            let mut lab = Lab::with(knobs, |config| config.multi_az = MultiAz::AlwaysOn);
            lab.world.mirror([1; 16]);
            lab.database("A");
            lab.wait(900);
            let answer = lab.call(
                "msdb.dbo.rds_backup_database",
                &[("@source_db_name", text("A")), ("@s3_arn_to_backup_to", arn("a.bak"))],
            );
            let id = task_id(&answer);
            // It waits for the look, or for its object.
            lab.wait(30);
            if seconds > 30 {
                endpoint.carry_looks(&mut lab.world);
                lab.wait(seconds);
            }
            assert_eq!(lab.world.open_transfers(), 1);
            assert!(lab.world.break_failover("prod"));
            lab.wait(600);
            lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
            for _ in 0..500 {
                endpoint.carry(&mut lab.world);
                lab.wait(10);
            }
            assert_eq!(lab.world.open_transfers(), 0);
            let tasks: Vec<_> =
                lab.world.tasks("prod").map(|task| (task.id, task.lifecycle.name())).collect();
            assert_eq!(tasks, [(u32::try_from(id).unwrap(), ended)], "{fate:?} {seconds}");
            // What was on its way is there, whatever came of its task: the model knows.
            let there: Vec<String> = endpoint.keys().into_iter().map(str::to_owned).collect();
            assert_eq!(lab.keys("a.bak"), there, "{fate:?} {seconds}");
        }
    }
}

#[test]
fn change_data_capture_travels_in_objects() {
    let mut endpoint = Endpoint::with("vault");
    let mut lab = life(1);
    let database = lab.database("A");
    lab.world.break_change_data_capture(database, true);
    backup(&mut lab, &mut endpoint, "captured.bak", &[]);
    let mut later = second_life(2);
    for (name, keep) in [("B", 1), ("C", 0)] {
        let answer = restore_full(&mut later, name, "captured.bak", &[("@keep_cdc", Value::Int(keep))]);
        done(&mut later, &mut endpoint, &answer);
        let shown = "SELECT is_cdc_enabled FROM sys.databases WHERE name = @P1";
        assert_eq!(later.select(shown, &[text(name)]).rows[0][0], Value::Bit(keep == 1), "{name}");
    }
}
