//! What people change: refused where it would stop every backup, once however often it is asked for, taken up by who follows it.

use api::Request;
use domain::directory::{Listed, What};
use domain::facts::RecoveryModel;
use domain::inventory::{Database, Instance, database_key, instance_key};
use domain::mailbox::Requested;
use domain::task::{Kind, Outcome, Task};
use jiff::{SignedDuration, Timestamp};
use ports::store::Versioned;
use serde_json::{Value, json};

use crate::story::Asker;

const POLICY: &str = "/v1/policies/weekly";

fn due_at(asker: &mut Asker, name: &str) -> Option<Timestamp> {
    let mut due_at = None;
    asker.amend(instance_key(name), |instance: &mut Instance| due_at = instance.due_at);
    due_at
}

/// Puts what is at a path with a change, as who has seen it.
fn put_changed(asker: &mut Asker, path: &str, change: impl FnOnce(&mut Value)) -> (u16, Value) {
    let (_, mut body) = asker.get(path);
    let tag = asker.tag(path);
    change(&mut body);
    asker.with("PUT", path, &[("if-match", &tag)], &body)
}

#[test]
fn a_policy_that_would_stop_every_backup_is_refused() {
    let mut asker = Asker::after(0);
    let every_day = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    let guarded = |policy: &mut Value| {
        policy["schedule"]["guards"] = json!([{ "days": every_day, "from": "00:00:00", "to": "00:00:00" }]);
    };
    let (status, refused) = put_changed(&mut asker, POLICY, guarded);
    assert_eq!((status, &refused["name"]), (422, &json!("NothingMayStart")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().starts_with("schedule.guards: "), "{refused}");
    let (_, mut policy) = asker.get(POLICY);
    assert_eq!(policy.get("schedule").unwrap().get("guards").unwrap_or(&json!([])), &json!([]), "{policy}");

    // A backup of RDS has ten files at most, one to URL 64: whom it would stop decides.
    let (status, refused) =
        put_changed(&mut asker, POLICY, |policy| policy["storage"]["stripes"] = json!(64));
    assert_eq!((status, &refused["name"]), (422, &json!("TooManyFiles")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("ledger follows it"), "{refused}");
    policy["name"] = json!("wide");
    policy["storage"]["stripes"] = json!(64);
    let (status, put) = asker.with("PUT", "/v1/policies/wide", &[], &policy);
    assert_eq!((status, &put["followers"]), (201, &json!({ "due": 0, "at_work": 0 })), "{put}");
    let (status, refused) = put_changed(&mut asker, "/v1/instances/ledger/settings", |settings| {
        settings["policy"] = json!("wide");
    });
    assert_eq!((status, &refused["name"]), (422, &json!("TooManyFiles")), "{refused}");
    let discovery = json!({ "instances": ["*"], "policy": "wide", "vault": "main" });
    let (status, refused) = asker.with("PUT", "/v1/discovery/all", &[], &discovery);
    assert_eq!((status, &refused["name"]), (422, &json!("TooManyFiles")), "{refused}");
}

#[test]
fn who_asks_again_because_the_answer_was_lost_hears_that_it_is_so() {
    let mut asker = Asker::after(6);
    let database = "/v1/instances/ledger/databases/general-ledger";
    let (_, backups) = asker.get(&format!("{database}/backups"));
    let hold = format!("{database}/holds/{}", backups["items"][0]["backup"].as_str().unwrap());
    let (_, mut settings) = asker.get("/v1/instances/ledger/settings");
    settings["host"] = json!("archive.example");
    let (_, vault) = asker.get("/v1/vaults/main");
    let (_, mut policy) = asker.get(POLICY);
    policy["name"] = json!("second");
    let discovery = json!({ "instances": ["none"], "policy": "weekly", "vault": "main" });
    for (path, body) in [
        ("/v1/policies/second", policy),
        ("/v1/vaults/second", vault),
        ("/v1/instances/archive/settings", settings),
        ("/v1/discovery/all", discovery),
        (hold.as_str(), json!({ "why": "audit" })),
    ] {
        assert_eq!(asker.with("PUT", path, &[], &body).0, 201, "{path}");
        let tag = asker.tag(path);
        let version = asker.get(path).1;
        asker.wait(SignedDuration::from_secs(1));
        for headers in [vec![], vec![("if-none-match", "*")], vec![("if-match", "\"of the state before\"")]] {
            let (status, again) = asker.with("PUT", path, &headers, &body);
            assert_eq!(status, 200, "{path} {headers:?}: {again}");
        }
        assert_eq!((asker.tag(path), asker.get(path).1), (tag, version), "{path}: nothing was written");
    }
    // Who wants something else has to have seen what is there.
    assert_eq!(asker.with("PUT", &hold, &[], &json!({ "why": "audit of the year" })).0, 428);
}

#[test]
fn a_vault_that_every_run_would_refuse_is_refused_when_it_is_put() {
    let mut asker = Asker::after(2);
    let path = "/v1/vaults/main";
    for (field, value, name) in [
        ("prefix", json!("prod//sql"), "PrefixMalformed"),
        ("prefix", json!("what?"), "PrefixMalformed"),
        ("prefix", json!("p".repeat(201)), "PrefixMalformed"),
        ("kms_key_arn", json!("arn:aws:s3:::bucket"), "ValueOutOfRange"),
        ("kms_key_arn", json!("arn:aws:kms:eu-west-1:123456789012:alias/backups"), "ValueOutOfRange"),
        ("kms_key_arn", json!("arn:aws:kms:eu-west-1:123456789012:key/"), "ValueOutOfRange"),
    ] {
        let (status, refused) = put_changed(&mut asker, path, |vault| vault[field] = value.clone());
        assert_eq!((status, &refused["name"]), (422, &json!(name)), "{value}: {refused}");
    }
    let key = json!("arn:aws:kms:eu-west-1:123456789012:key/one");
    assert_eq!(put_changed(&mut asker, path, |vault| vault["kms_key_arn"] = key.clone()).0, 200);
}

#[test]
fn limits_of_a_vault_that_would_stop_one_who_writes_to_it_are_refused() {
    let mut asker = Asker::after(2);
    // Azure Backup offers some intervals; RDS takes any.
    let every = |minutes: u32| {
        move |policy: &mut Value| policy["schedule"]["log_copy"]["every_minutes"] = json!(minutes)
    };
    assert_eq!(put_changed(&mut asker, POLICY, every(50)).0, 200);
    let (status, refused) =
        put_changed(&mut asker, "/v1/vaults/main", |vault| vault["profile"] = json!("azure_vm"));
    assert_eq!(status, 422, "{refused}");
    let told = (&refused["name"], refused["detail"].as_str().unwrap().contains("ledger writes to it"));
    assert_eq!(told, (&json!("LogIntervalNotOffered"), true), "{refused}");
    assert_eq!(put_changed(&mut asker, POLICY, every(60)).0, 200);
    let azure = |vault: &mut Value| vault["profile"] = json!("azure_vm");
    assert_eq!(put_changed(&mut asker, "/v1/vaults/main", azure).0, 200);
}

#[test]
fn whoever_follows_a_policy_takes_up_another_at_once() {
    let mut asker = Asker::after(5);
    asker.wait(SignedDuration::from_mins(21));
    let now = asker.now();
    assert!(due_at(&mut asker, "ledger").unwrap() > now + SignedDuration::from_mins(10));
    let runs = |asker: &mut Asker| asker.simulation.bed().executions_of("instance").count();
    let before = runs(&mut asker);
    let (status, put) =
        put_changed(&mut asker, POLICY, |policy| policy["schedule"]["log_copy"]["every_minutes"] = json!(30));
    assert_eq!((status, &put["followers"]), (200, &json!({ "due": 1, "at_work": 0 })), "{put}");
    asker.wait(SignedDuration::from_mins(6));
    assert_eq!(runs(&mut asker), before + 1, "the next look of the fleet found it");
}

#[test]
fn a_run_at_work_keeps_its_record() {
    let mut asker = Asker::after(5);
    let mut met = 0;
    for offset in 0..60 {
        let later = asker.now() + SignedDuration::from_hours(1);
        asker.amend(instance_key("ledger"), |instance: &mut Instance| instance.due_at = Some(later));
        let moment = asker.now() + SignedDuration::from_millis(offset);
        asker.simulation.bed().at(moment, move |bed| {
            let (partition, sort) = instance_key("ledger");
            let key = ports::store::Key { partition, sort };
            let item = bed.store().look(|table| table.get(&key)).unwrap();
            let instance = ports::store::decode::<Instance>(&item).unwrap();
            bed.store().put(&[instance.put().unwrap()]).unwrap();
        });
        let (_, policy) = asker.get(POLICY);
        let (status, put) = asker.with("PUT", POLICY, &[], &policy);
        let of = |field: &str| put["followers"][field].as_u64().unwrap();
        assert_eq!((status, of("due") + of("at_work")), (200, 1), "{offset}: {put}");
        let now = asker.now();
        assert_eq!(due_at(&mut asker, "ledger").unwrap() <= now, of("due") == 1, "{offset}: {put}");
        met += of("at_work");
        asker.wait(SignedDuration::from_millis(100));
    }
    assert!(met > 0, "the writer never came between");
}

#[test]
fn so_many_followers_are_made_due_at_once_and_the_others_where_it_goes_on() {
    let mut asker = Asker::after(0);
    let at = asker.now() + SignedDuration::from_hours(1);
    for number in 0..250 {
        let name = format!("many-{number:03}");
        let instance = Instance {
            policy: if number % 2 == 0 { "weekly" } else { "other" }.to_owned(),
            vault: "main".to_owned(),
            due_at: Some(at),
            ..Instance::new(&name, ("h", 1433), "arn", at)
        };
        let listed = Listed { what: What::Instance, name, by: "test".to_owned(), at };
        let writes = [Versioned::new(instance).put().unwrap(), Versioned::new(listed).put().unwrap()];
        asker.simulation.bed().store().put(&writes).unwrap();
    }
    // Of the first 200 names, `ledger` and then `many-…`, 101 follow; of the 51 behind, 25.
    let (status, one) =
        put_changed(&mut asker, POLICY, |policy| policy["objectives"]["window_days"] = json!(8));
    assert_eq!((status, &one["followers"]["due"]), (200, &json!(101)), "{one}");
    let next = one["followers"]["next"].as_str().unwrap();
    let (_, policy) = asker.get(POLICY);
    let (status, two) = asker.with("PUT", &format!("{POLICY}?cursor={next}"), &[], &policy);
    assert_eq!((status, &two["followers"]), (200, &json!({ "due": 25, "at_work": 0 })), "{two}");
    assert!(due_at(&mut asker, "many-248").unwrap() < at);
    assert_eq!(due_at(&mut asker, "many-249"), Some(at), "it follows another");
}

#[test]
fn a_backup_of_what_is_gone_is_refused_and_of_what_keeps_no_log_is_told() {
    let mut asker = Asker::after(6);
    let path = "/v1/instances/ledger/databases/archive-001/backups";
    let ask = |asker: &mut Asker, key: &str, kind: &str| {
        asker.with("POST", path, &[("idempotency-key", key)], &json!({ "kind": kind }))
    };
    asker.amend(database_key("ledger", "archive-001"), |head: &mut Database| {
        head.recovery_model = Some(RecoveryModel::Simple);
    });
    let (status, told) = ask(&mut asker, "logs", "log_copy");
    assert_eq!(status, 202, "{told}");
    assert!(told["notes"].as_array().unwrap().iter().any(|note| note["name"] == "SimpleRecovery"), "{told}");
    let now = asker.now();
    asker.amend(database_key("ledger", "archive-001"), |head: &mut Database| head.gone_at = Some(now));
    let (status, refused) = ask(&mut asker, "full", "full");
    assert_eq!((status, &refused["name"]), (409, &json!("DatabaseGone")), "{refused}");
    assert!(!refused["guidance"].as_str().unwrap().is_empty());
    assert_eq!(ask(&mut asker, "logs", "log_copy"), (202, told), "what was answered stays answered");
}

#[test]
fn a_key_is_its_callers() {
    let mut asker = Asker::after(6);
    let request = |caller: &str| Request {
        headers: vec![("idempotency-key".to_owned(), "k".to_owned())],
        body: br#"{"kind":"full"}"#.to_vec(),
        caller: Some(caller.to_owned()),
        ..Request::new("POST", "/v1/instances/ledger/databases/archive-001/backups")
    };
    assert_eq!(asker.send(request("ada")).status, 202);
    let refused = asker.send(request("bob"));
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("KeyReused") && !refused.body.contains("ada"), "{}", refused.body);
}

#[test]
fn a_look_that_is_asked_for_again_is_one_look() {
    let mut asker = Asker::after(5);
    let look = |asker: &mut Asker, key: Option<&str>| {
        let headers: Vec<_> = key.iter().map(|key| ("idempotency-key", *key)).collect();
        let (status, told) = asker.with("POST", "/v1/discovery", &headers, &Value::Null);
        assert_eq!(status, 202, "{told}");
        (told["is_new"] == json!(true), told["execution"].as_str().unwrap().to_owned())
    };
    let (is_new, execution) = look(&mut asker, Some("mine"));
    assert!(is_new);
    // Over many minutes' edges, behind the look's end, it is the same; another wish of the same minute is another.
    asker.wait(SignedDuration::from_mins(10));
    assert_eq!(look(&mut asker, Some("mine")), (false, execution.clone()));
    let (is_new, another) = look(&mut asker, Some("another"));
    assert!(is_new && another != execution);
    assert!(look(&mut asker, None).0);
    assert!(!look(&mut asker, None).0);
    asker.wait(SignedDuration::from_mins(2));
    assert!(look(&mut asker, None).0);
    let (status, refused) = asker.with("POST", "/v1/discovery", &[("idempotency-key", "a b")], &Value::Null);
    assert_eq!((status, &refused["name"]), (400, &json!("RequestMalformed")));
}

#[test]
fn a_server_has_one_name() {
    let mut asker = Asker::after(0);
    let (_, settings) = asker.get("/v1/instances/ledger/settings");
    let (status, refused) = asker.with("PUT", "/v1/instances/Ledger/settings", &[], &settings);
    assert_eq!(status, 422, "{refused}");
    assert!(refused["guidance"].as_str().unwrap().contains("\"ledger\""), "{refused}");
}

#[test]
fn a_name_with_a_slash_can_be_asked_for() {
    let mut asker = Asker::after(0);
    for name in ["a/b", "~2F", "x~y"] {
        let head = Versioned::new(Database::new("ledger", name));
        asker.simulation.bed().store().put(&[head.put().unwrap()]).unwrap();
    }
    for (written, name) in [("a~2Fb", "a/b"), ("a%2Fb", "a/b"), ("~7E2F", "~2F"), ("x~y", "x~y")] {
        let (status, told) = asker.get(&format!("/v1/instances/ledger/databases/{written}"));
        assert_eq!((status, &told["name"]), (200, &json!(name)), "{written}");
    }
}

#[test]
fn a_task_tells_how_far_it_is() {
    let mut asker = Asker::after(8);
    asker.wait(SignedDuration::from_mins(21));
    let path = "/v1/instances/ledger/databases/general-ledger/backups";
    let (_, accepted) =
        asker.with("POST", path, &[("idempotency-key", "progress")], &json!({ "kind": "full" }));
    let task = format!("/v1/instances/ledger/tasks/{}", accepted["task"].as_str().unwrap());
    let mut percents = Vec::new();
    for _ in 0..120 {
        asker.wait(SignedDuration::from_mins(1));
        let (_, told) = asker.get(&task);
        if told["state"] == "succeeded" {
            assert_eq!(told.get("progress"), None, "{told}");
            break;
        }
        let Some(progress) = told.get("progress") else { continue };
        assert_eq!(progress["lifecycle"], "IN_PROGRESS", "{told}");
        percents.push(progress["percent"].as_u64().unwrap());
    }
    percents.dedup();
    assert!(percents.is_sorted() && percents.len() >= 2, "{percents:?}");
    assert!(percents.windows(2).all(|pair| pair[1] >= pair[0] + 10), "{percents:?}");
}

#[test]
fn a_task_behind_many_others_is_found_or_said_to_be_out_of_reach() {
    let mut asker = Asker::after(0);
    let start = asker.now();
    let ended = |number: i64| {
        let at = start + SignedDuration::from_secs(number);
        let by_ops = Requested { by: "ops".to_owned(), at: start };
        let task = Task::on_demand("ledger", &format!("many-{number}"), Kind::LogCopy, by_ops);
        task.ended(Outcome::Cancelled, at, None).unwrap()
    };
    let all: Vec<Task> = (1..=20_500).map(ended).collect();
    for some in all.chunks(100) {
        let writes: Vec<_> = some.iter().map(|task| Versioned::new(task.clone()).put().unwrap()).collect();
        asker.simulation.bed().store().put(&writes).unwrap();
    }
    let get = |asker: &mut Asker, key: &str| {
        let before = asker.simulation.bed().counts().port_calls;
        let (status, told) = asker.get(&format!("/v1/instances/ledger/tasks/{key}"));
        let calls = asker.simulation.bed().counts().port_calls - before;
        (status, told, calls)
    };
    let (status, told, _) = get(&mut asker, &all[19_999].key);
    assert_eq!((status, &told["task"]), (200, &json!(all[19_999].key)));
    let (status, refused, calls) = get(&mut asker, &all[20_400].key);
    assert_eq!((status, &refused["name"]), (404, &json!("TaskOutOfReach")), "{refused}");
    assert!(calls <= 30, "{calls}");
    // What was looked through is said: twenty thousand seconds of them.
    let until = start + SignedDuration::from_secs(20_000);
    assert!(refused["detail"].as_str().unwrap().ends_with(&format!("to {until:.3}")), "{refused}");
    let never = all[20_400].key.replace("log_copy", "full");
    let (_, refused, _) = get(&mut asker, &never.replace("20261116", "20261117"));
    assert_eq!(refused["name"], json!("TaskUnknown"), "{refused}");
}
