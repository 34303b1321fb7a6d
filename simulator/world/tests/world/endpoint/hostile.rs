//! Objects that somebody made up: read or turned down, restored or refused, and nothing else happens to the world.

use proptest::prelude::*;
use serde_json::Value as Json;
use tds::Value;

use super::{Endpoint, backup, finish, first_life, life, restore_full, second_life};
use crate::lab::task_id;

/// Numbers and words that belong nowhere.
fn odd() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::from(0)),
        Just(Json::from(1)),
        Just(Json::from(-1)),
        Just(Json::from(u64::MAX)),
        Just(Json::from(i64::MIN)),
        Just(Json::from(i64::MAX)),
        Just(Json::from((1_u64 << 48) - 1)),
        Just(Json::from(253_402_300_799_999_i64)),
        Just(Json::from("0")),
        Just(Json::from("9999999999999999999999999")),
        Just(Json::from("4294967295429496729599999")),
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ]
}

fn leaves<'j>(json: &'j mut Json, found: &mut Vec<&'j mut Json>) {
    match json {
        Json::Array(values) => values.iter_mut().for_each(|value| leaves(value, found)),
        Json::Object(fields) => fields.values_mut().for_each(|value| leaves(value, found)),
        leaf => found.push(leaf),
    }
}

fn changed(bytes: &[u8], changes: &[(usize, Json)]) -> Vec<u8> {
    let body = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut json: Json = serde_json::from_slice(&bytes[body..]).unwrap();
    let mut found = Vec::new();
    leaves(&mut json, &mut found);
    for (place, value) in changes {
        let place = place % found.len();
        *found[place] = value.clone();
    }
    let body = serde_json::to_vec(&json).unwrap();
    let line = format!("BAKPROOF-BACKUP 1 {:08x} {}\n", crc32fast::hash(&body), body.len());
    [line.as_bytes(), &body].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn an_object_that_was_made_up_harms_nobody(
        changes in proptest::collection::vec((0_usize..10_000, odd()), 1..4),
        of_log in any::<bool>(),
    ) {
        let mut endpoint = Endpoint::with("vault");
        drop(first_life(&mut endpoint));
        let log = endpoint.keys().into_iter().rfind(|key| key.starts_with("logs/")).unwrap().to_owned();
        let key = if of_log { log } else { "full1-of-2.bak".to_owned() };
        let made_up = changed(&endpoint.get(&key), &changes);
        endpoint.put(&key, &made_up);

        let mut lab = second_life(2);
        let norecovery = [("@with_norecovery", Value::Int(1))];
        let id = task_id(&restore_full(&mut lab, "B", "full*", &norecovery));
        finish(&mut lab, &mut endpoint, id);
        for procedure in ["msdb.dbo.rds_restore_log", "msdb.dbo.rds_restore_database"] {
            let answer = super::restore(&mut lab, procedure, "B", &key, &[("@with_norecovery", Value::Int(0))]);
            if answer.error.is_none() {
                finish(&mut lab, &mut endpoint, task_id(&answer));
            }
        }
        let answer = lab.call("msdb.dbo.rds_finish_restore", &[("@db_name", crate::lab::text("B"))]);
        if answer.error.is_none() {
            finish(&mut lab, &mut endpoint, task_id(&answer));
        }
        // Whatever came of it is backed up, listed, and lives on.
        let answer = backup(&mut lab, "B", "after*.bak", 2);
        if answer.error.is_none() {
            finish(&mut lab, &mut endpoint, task_id(&answer));
        }
        lab.select("SELECT * FROM msdb.dbo.backupset", &[]);
        lab.select("SELECT * FROM msdb.dbo.rds_fn_task_status(NULL, 0)", &[]);
        lab.wait(86_400);
    }

    #[test]
    fn any_bytes_are_no_backup(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut endpoint = Endpoint::with("vault");
        endpoint.put("x.bak", &bytes);
        let mut lab = life(1);
        let id = task_id(&restore_full(&mut lab, "B", "x.bak", &[]));
        prop_assert_eq!(finish(&mut lab, &mut endpoint, id), "ERROR");
    }
}
