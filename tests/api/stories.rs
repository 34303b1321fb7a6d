//! What requests do to a story, and what answers say of it.

use api::Request;
use domain::coverage;
use domain::history::History;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::story::Asker;

const DATABASE: &str = "/v1/instances/ledger/databases/general-ledger";

#[test]
fn a_backup_that_was_asked_for_is_taken_once_and_restores() {
    // Between two looks of the fleet, far from windows and copies: no run is at work.
    let mut asker = Asker::after(8);
    asker.wait(SignedDuration::from_secs(21 * 60));
    let path = format!("{DATABASE}/backups");
    let (_, before) = asker.get(&path);
    let body = json!({ "kind": "full" });
    let key = [("Idempotency-Key", "month-end")];
    let (status, first) = asker.with("POST", &path, &key, &body);
    assert_eq!((status, &first["is_new"]), (202, &json!(true)), "{first}");
    assert!(
        !first["notes"].as_array().unwrap().is_empty(),
        "the caller is told that it becomes the base: {first}"
    );
    assert_eq!(asker.with("POST", &path, &key, &body), (202, first.clone()), "the same key, the same answer");
    let (status, refused) = asker.with("POST", &path, &key, &json!({ "kind": "log_copy" }));
    assert_eq!((status, &refused["name"]), (422, &json!("KeyReused")), "{refused}");
    let (status, refused) = asker.with("POST", &path, &[], &body);
    assert_eq!((status, &refused["name"]), (400, &json!("IdempotencyKeyMissing")));

    // The run was woken: nobody waits for the fleet's next look.
    asker.wait(SignedDuration::from_secs(90));
    let task = format!("/v1/instances/ledger/tasks/{}", first["task"].as_str().unwrap());
    let (_, told) = asker.get(&task);
    assert_eq!(
        (&told["state"], &told["on_demand"]["by"]),
        (&json!("submitted"), &json!("loopback")),
        "{told}"
    );
    asker.wait(SignedDuration::from_hours(2));
    assert_eq!(asker.get(&task).1["state"], "succeeded");
    let (_, after) = asker.get(&path);
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!(count(&after), count(&before) + 1);
    let newest = after["items"].as_array().unwrap().last().unwrap()["backup"].as_str().unwrap().to_owned();
    let (_, plan) = asker.get(&format!("{DATABASE}/plan?at=point:{newest}"));
    assert_eq!(plan["steps"][0]["backup"], json!(newest), "{plan}");
    assert!(plan["tsql"][0].as_str().unwrap().contains("rds_restore_database"), "{plan}");
}

#[test]
fn two_equal_requests_at_once_have_one_effect() {
    let mut asker = Asker::after(5);
    let request = Request {
        headers: vec![("idempotency-key".to_owned(), "twice".to_owned())],
        body: br#"{"kind":"full"}"#.to_vec(),
        ..Request::new("POST", &format!("{DATABASE}/backups"))
    };
    let payload = serde_json::to_value(&request).unwrap();
    let bed = asker.simulation.bed();
    let invocations = [bed.invoke("api", payload.clone()).unwrap(), bed.invoke("api", payload).unwrap()];
    asker.wait(SignedDuration::from_secs(20));
    let bodies = invocations.map(|id| match asker.simulation.bed().take_ending(id).unwrap() {
        testbed::executor::Ending::Returned(Ok(answer)) => answer["body"].to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(bodies[0], bodies[1]);
    asker.wait(SignedDuration::from_hours(2));
    let (_, ended) = asker.get("/v1/instances/ledger/tasks?state=ended");
    let on_demand = ended["items"].as_array().unwrap().iter().filter(|task| task.get("on_demand").is_some());
    assert_eq!(on_demand.count(), 1, "{ended}");
}

#[test]
fn a_window_is_what_the_catalogue_of_the_vault_says() {
    let mut asker = Asker::after(30);
    let now = asker.now();
    let view = asker.simulation.view().unwrap();
    let database = view.databases.iter().find(|one| one.head.name == "general-ledger").unwrap();
    let mut headers: Vec<_> = database.data.iter().map(|entry| entry.backup.clone()).collect();
    headers.extend(database.logs.iter().flat_map(domain::catalogue::LogDay::backups));
    let count = headers.len();
    let history = History::build(headers, Vec::new(), now).unwrap();
    let report = serde_json::to_value(coverage::report(&history, now, |_| true)).unwrap();
    let (_, told) = asker.get(&format!("{DATABASE}/window"));
    assert_eq!(told["databases"], report["databases"]);
    assert_eq!(told["databases"][0]["intervals"].as_array().unwrap().len(), 1, "{told}");
    let (_, days) = asker.get(&format!("{DATABASE}/log-days"));
    let logs: u64 = days["items"].as_array().unwrap().iter().map(|day| day["count"].as_u64().unwrap()).sum();
    let (_, data) = asker.get(&format!("{DATABASE}/backups"));
    assert_eq!(usize::try_from(logs).unwrap() + data["items"].as_array().unwrap().len(), count);
    let (status, refused) = asker.get(&format!("{DATABASE}/plan?at=2001-01-01T00:00:00Z"));
    assert_eq!((status, &refused["refused"]["nearest_before"]), (200, &Value::Null));
    assert_eq!(
        refused["refused"]["nearest_after"], told["databases"][0]["intervals"][0]["from"],
        "{refused}"
    );
}

#[test]
fn the_fleet_says_what_is_beyond_its_promise() {
    let mut asker = Asker::after(0);
    let (_, fleet) = asker.get("/v1/fleet");
    let ledger = &fleet["instances"][0];
    assert_eq!(
        (&ledger["databases"], &ledger["beyond_count"]),
        (&json!(3), &json!(0)),
        "nothing is backed up yet, and nothing could be: {fleet}"
    );
    asker.wait(SignedDuration::from_hours(5));
    let (_, fleet) = asker.get("/v1/fleet");
    let ledger = &fleet["instances"][0];
    assert_eq!((&ledger["beyond_count"], &ledger["beyond_rpo"]), (&json!(0), &json!([])), "{fleet}");
    let oldest = ledger["oldest_exposure_seconds"].as_i64().unwrap();
    assert!((1..150 * 60).contains(&oldest), "{fleet}");
    // Pages go on where the one before ended.
    let (_, one) = asker.get("/v1/instances/ledger/databases?limit=2");
    let (_, two) = asker
        .get(&format!("/v1/instances/ledger/databases?limit=2&cursor={}", one["next"].as_str().unwrap()));
    let names = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        [names(&one), names(&two)].concat(),
        ["archive-001", "archive-002", "general-ledger"].map(|name| json!(name))
    );
    let (status, _) = asker.get(&format!("/v1/instances?cursor={}", one["next"].as_str().unwrap()));
    assert_eq!(status, 400, "a cursor of another list");
}

#[test]
fn nobody_overwrites_what_he_has_not_seen() {
    let mut asker = Asker::after(0);
    let path = "/v1/policies/weekly";
    let (_, mut policy) = asker.get(path);
    let tag = asker.tag(path);
    policy["objectives"]["window_days"] = json!(14);
    assert_eq!(asker.with("PUT", path, &[], &policy).0, 428);
    let (status, put) = asker.with("PUT", path, &[("if-match", &tag)], &policy);
    assert_eq!((status, &put["policy"]["objectives"]["window_days"]), (200, &json!(14)));
    policy["objectives"]["window_days"] = json!(21);
    assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &policy).0, 412, "it was replaced since");
    policy["objectives"]["window_days"] = json!(0);
    let tag = asker.tag(path);
    let (status, refused) = asker.with("PUT", path, &[("if-match", &tag)], &policy);
    assert_eq!((status, &refused["name"]), (422, &json!("PolicyOutOfRange")), "{refused}");
    policy["retension"] = json!({});
    assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &policy).0, 400, "a misspelt field");
    assert_eq!(asker.get(path).1["objectives"]["window_days"], 14);
}

#[test]
fn a_preview_tells_what_would_go_and_changes_nothing() {
    // From Monday over the full of Sunday to Tuesday: by a window of one day the first week may go.
    let mut asker = Asker::after(24 * 8 + 6);
    let (_, mut policy) = asker.get("/v1/policies/weekly");
    policy["objectives"]["window_days"] = json!(1);
    let path = "/v1/policies/weekly/preview";
    let body = json!({ "policy": policy, "instance": "ledger" });
    let (status, told) = asker.with("POST", path, &[], &body);
    assert_eq!(status, 200, "{told}");
    let ledger =
        told["databases"].as_array().unwrap().iter().find(|one| one["name"] == "general-ledger").unwrap();
    let (now, then) =
        (ledger["now"]["removed_count"].as_u64().unwrap(), ledger["then"]["removed_count"].as_u64().unwrap());
    assert!(then > now + 1_000, "{now} {then}");
    assert_eq!(ledger["then"]["removed"].as_array().unwrap().len(), 100);
    let from = |window: &Value| window[0]["intervals"][0]["from"].as_str().unwrap().to_owned();
    assert!(from(&ledger["then"]["window_after"]) > from(&ledger["window"]), "{ledger}");

    // A hold keeps what would go, and the logs that lead on from it.
    let (_, backups) = asker.get(&format!("{DATABASE}/backups"));
    let oldest = backups["items"][0]["backup"].as_str().unwrap();
    let hold = format!("{DATABASE}/holds/{oldest}");
    assert_eq!(asker.with("PUT", &hold, &[], &json!({ "why": "audit" })).0, 201);
    let (_, kept) = asker.with("POST", path, &[], &body);
    let kept =
        kept["databases"].as_array().unwrap().iter().find(|one| one["name"] == "general-ledger").unwrap();
    assert!(kept["then"]["removed_count"].as_u64().unwrap() < then, "{kept}");
    assert_eq!(asker.get("/v1/policies/weekly").1["objectives"]["window_days"], 7);
    assert_eq!(asker.get(&format!("{DATABASE}/backups")).1, backups);
    assert_eq!(asker.with("DELETE", &hold, &[], &Value::Null).0, 204);
    moves_to_daily(&mut asker, policy);
}

/// Asks what the instance would lose by a policy that it does not follow, puts that and moves the instance to it.
fn moves_to_daily(asker: &mut Asker, mut daily: Value) {
    let (path, settings) = ("/v1/policies/daily/preview", "/v1/instances/ledger/settings");
    daily["name"] = json!("daily");
    assert_eq!(asker.with("PUT", "/v1/policies/daily", &[], &daily).0, 201);
    let body = json!({ "policy": daily, "instance": "ledger" });
    let (status, told) = asker.with("POST", path, &[], &body);
    assert_eq!((status, &told["follows"]), (200, &json!("weekly")), "{told}");
    let ledger =
        told["databases"].as_array().unwrap().iter().find(|one| one["name"] == "general-ledger").unwrap();
    // Of now the week is asked, which it follows: nothing goes; by the day it would be a thousand logs.
    let count = |when: &str| ledger[when]["removed_count"].as_u64().unwrap();
    assert!(count("then") > count("now") + 1_000, "{} {}", count("now"), count("then"));
    // Once it has moved there is nothing left to tell.
    let (_, mut moved) = asker.get(settings);
    let tag = asker.tag(settings);
    moved["policy"] = json!("daily");
    assert_eq!(asker.with("PUT", settings, &[("if-match", &tag)], &moved).0, 200);
    let (_, told) = asker.with("POST", path, &[], &body);
    assert_eq!(told["follows"], json!("daily"));
    for one in told["databases"].as_array().unwrap() {
        assert_eq!(one["now"], one["then"], "{one}");
    }
}

#[test]
fn a_preview_forecasts_the_instance_from_what_its_heads_tell() {
    let mut asker = Asker::after(6);
    let (_, mut policy) = asker.get("/v1/policies/weekly");
    let path = "/v1/policies/weekly/preview";
    let body = json!({ "policy": policy, "instance": "ledger" });
    let (status, told) = asker.with("POST", path, &[], &body);
    assert_eq!(status, 200, "{told}");
    // The same policy comes to the same, and each of the three databases was measured by its fulls.
    let (now, then) = (&told["forecast_now"], &told["forecast_then"]);
    assert_eq!(now, then);
    let instance = &then["forecast"]["instances"][0];
    assert_eq!((&instance["name"], &instance["databases"]), (&json!("ledger"), &json!(3)), "{then}");
    assert_eq!(then["unmeasured"], json!([]));
    assert!(then["forecast"]["cost_usd"].as_f64().unwrap() > 0.0, "{then}");
    // Nobody takes differentials here: the pace of change is assumed, and that is said.
    let assumed = then["assumed"].as_array().unwrap();
    let change = assumed.iter().filter(|one| one["field"] == "change_mib_per_hour");
    assert_eq!(change.count(), 3, "{assumed:?}");
    assert!(assumed.iter().all(|one| one["field"] != "backup_window"), "the run has read them: {assumed:?}");

    // Fewer log copies lose more, and a promise that they break is no longer feasible.
    let loss =
        |told: &Value| told["forecast"]["instances"][0]["losses"]["instance_minutes"].as_u64().unwrap();
    let before = loss(then);
    policy["schedule"]["log_copy"]["every_minutes"] = json!(1_440);
    let (status, told) = asker.with("POST", path, &[], &json!({ "policy": policy, "instance": "ledger" }));
    assert_eq!(status, 200, "{told}");
    assert_eq!(loss(&told["forecast_now"]), before);
    assert!(loss(&told["forecast_then"]) > before + 1_000, "{told}");
    assert_eq!(told["forecast_then"]["forecast"]["feasible"], json!(false));

    // Behind the first page there is none, and of an instance without a full there is a reason.
    let (_, page) = asker.with("POST", &format!("{path}?limit=1"), &[], &body);
    let next = page["next"].as_str().unwrap();
    let (status, page) = asker.with("POST", &format!("{path}?limit=1&cursor={next}"), &[], &body);
    assert_eq!((status, page.get("forecast_then")), (200, None), "{page}");
    let mut young = Asker::after(0);
    let (status, told) = young.with("POST", path, &[], &body);
    assert_eq!(
        (status, &told["forecast_then"]["refused"]["name"]),
        (200, &json!("NothingMeasured")),
        "{told}"
    );
}

#[test]
fn an_instance_whose_protection_is_ended_rests_and_keeps_what_it_has() {
    let mut asker = Asker::after(6);
    let path = "/v1/instances/ledger/settings";
    let (_, mut settings) = asker.get(path);
    assert_eq!(settings["is_protected"], json!(true));
    let tag = asker.tag(path);
    settings["is_protected"] = json!(false);
    assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &settings).0, 200);
    let runs = |asker: &mut Asker| {
        asker.simulation.bed().executions().iter().filter(|run| &*run.machine == "instance").count()
    };
    asker.wait(SignedDuration::from_mins(15));
    let before = runs(&mut asker);
    let (_, window) = asker.get(&format!("{DATABASE}/window"));
    asker.wait(SignedDuration::from_hours(6));
    assert_eq!(runs(&mut asker), before, "no run starts");
    let (_, instance) = asker.get("/v1/instances/ledger");
    assert_eq!(instance["stopped"]["by"], "loopback", "{instance}");
    let (_, fleet) = asker.get("/v1/fleet");
    assert_eq!(fleet["instances"][0]["beyond_count"], 0, "nothing is promised: {fleet}");
    assert_eq!(asker.get(&format!("{DATABASE}/window")).1["databases"], window["databases"]);
    let key = [("Idempotency-Key", "while-it-rests")];
    let (status, refused) =
        asker.with("POST", &format!("{DATABASE}/backups"), &key, &json!({ "kind": "full" }));
    assert_eq!((status, &refused["name"]), (409, &json!("ProtectionStopped")), "{refused}");

    let tag = asker.tag(path);
    settings["is_protected"] = json!(true);
    assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &settings).0, 200);
    asker.wait(SignedDuration::from_hours(2));
    assert!(runs(&mut asker) > before);
    assert!(asker.get(&format!("{DATABASE}/window")).1["databases"] != window["databases"], "it goes on");
}

#[test]
fn what_happened_to_an_instance_is_asked_of_rds() {
    let path = "/v1/instances/ledger/events";
    let mut asker = Asker::after(30);
    let (status, day) = asker.get(path);
    let told = |page: &Value| page["items"].as_array().unwrap().clone();
    let backup = |event: &Value| event["categories"] == json!(["backup"]);
    assert_eq!(
        (status, told(&day).iter().filter(|event| backup(event)).count()),
        (200, 2),
        "a backup's two ends: {day}"
    );
    let start = asker.now() - SignedDuration::from_hours(30);
    let (_, before) = asker.get(&format!("{path}?until={start}"));
    assert_eq!(told(&before), Vec::<Value>::new());
    let (_, since) = asker.get(&format!("{path}?since={start}"));
    assert!(told(&since).len() >= told(&day).len(), "{since}");

    // More than RDS gives in a page: a failover is told in two or more.
    for _ in 0..60 {
        assert!(asker.simulation.bed().world_mut().break_failover("ledger"));
        asker.wait(SignedDuration::from_mins(3));
    }
    let mut found = Vec::new();
    let (_, mut page) = asker.get(path);
    found.extend(told(&page));
    let first = page["next"].as_str().expect("there is more").to_owned();
    while let Some(next) = page["next"].as_str().map(str::to_owned) {
        // Others are told meanwhile; the pages stay those of one list.
        asker.wait(SignedDuration::from_mins(1));
        page = asker.get(&format!("{path}?cursor={next}")).1;
        found.extend(told(&page));
    }
    assert!(found.len() > 100, "{}", found.len());
    for at in 1..found.len() {
        assert!(!found[..at].contains(&found[at]), "told twice: {}", found[at]);
    }
    let (status, other) = asker.get(&format!("/v1/instances/other/events?cursor={first}"));
    assert_eq!((status, &other["name"]), (404, &json!("NotFound")));

    let (status, refused) = asker.get(&format!("{path}?since=2020-01-01T00:00:00Z"));
    assert_eq!((status, &refused["name"]), (400, &json!("QueryMalformed")), "{refused}");
}

#[test]
fn what_the_vault_has_of_an_instance_that_was_replaced_is_asked_for_by_server() {
    let mut asker = Asker::after(4);
    let (_, before) = asker.get(DATABASE);
    let (_, backups) = asker.get(&format!("{DATABASE}/backups"));
    asker.simulation.bed().world_mut().break_replaced("ledger").unwrap();
    asker.wait(SignedDuration::from_hours(4));
    let (_, now) = asker.get(DATABASE);
    assert_eq!((&before["server"], &now["server"]), (&json!(0), &json!(1)));
    assert_eq!(now["database_guid"], before["database_guid"], "the premise");
    let (_, lives) = asker.get(&format!("{DATABASE}/lives"));
    assert_eq!((lives["items"].as_array().unwrap().len(), &lives["items"][0]["server"]), (1, &json!(0)));

    let guid = format!("database_guid={}", now["database_guid"].as_str().unwrap());
    let mut of = |server: &str| asker.get(&format!("{DATABASE}/backups?{guid}{server}"));
    let (status, newest) = of("");
    assert_eq!((status, of("&server=1").1, of("&server=0").1), (200, newest.clone(), backups.clone()));
    assert_ne!(newest, backups);
    assert_eq!(of("&server=2").0, 404);
    assert_eq!(of("&server=first").0, 400);
    let (status, refused) = asker.get(&format!("{DATABASE}/backups?server=0"));
    assert_eq!((status, &refused["name"]), (400, &json!("QueryMalformed")), "{refused}");
}

#[test]
fn whoever_the_gateway_did_not_name_is_refused() {
    use handlers::Handler;
    let mut asker = Asker::after(0);
    let (store, executions) = (asker.simulation.bed().store(), asker.simulation.bed().state_machines());
    let (cloud, clock) = (asker.simulation.bed().cloud(), asker.simulation.bed().clock());
    let api = api::Api::new(store, executions, cloud, clock, api::Anonymous::Refused);
    let ask = |caller: Option<&str>| {
        let caller = caller.map(str::to_owned);
        let request = Request { caller, ..Request::new("GET", "/nowhere") };
        let answer = std::pin::pin!(api.handle(request))
            .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        let std::task::Poll::Ready(Ok(answer)) = answer else { panic!("it asks no port") };
        answer.status
    };
    assert_eq!(ask(None), 401);
    assert_eq!(ask(Some("")), 401);
    assert_eq!(ask(Some("arn:aws:iam::123456789012:user/ada")), 404);
}
