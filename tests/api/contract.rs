//! What is documented is what is there, both ways: every operation is asked for each of its good answers, and every body, good or
//! bad, is as the document says, with nothing in it that the document does not know.

use std::collections::BTreeSet;

use api::{MEDIA_TYPE, Request, Response};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use world::DatabaseConfig;

use crate::story::Asker;

/// An operation of the document: method, path in segments, what it is.
struct Operation {
    method: String,
    path: String,
    value: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            found.push(Operation {
                method: method.to_ascii_uppercase(),
                path: path.clone(),
                value: value.clone(),
            });
        }
    }
    found
}

fn fits(template: &str, path: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    one.len() == other.len()
        && one.iter().zip(&other).all(|(part, given)| part.starts_with('{') || part == given)
}

/// No object may have a property that its schema does not name.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let is_schema_of_object = object.get("properties").is_some_and(Value::is_object)
                && object.get("type").is_none_or(|kind| kind == "object");
            if is_schema_of_object && !object.contains_key("additionalProperties") {
                object.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(strict);
        }
        Value::Array(values) => values.iter_mut().for_each(strict),
        _ => {}
    }
}

/// What is wrong with an answer by the document.
fn objections(document: &Value, request: &Request, response: &Response) -> Vec<String> {
    let at = format!("{} {} {:?}: {}", request.method, request.path, request.query, response.status);
    let operation = operations(document)
        .into_iter()
        .find(|operation| operation.method == request.method && fits(&operation.path, &request.path));
    let kind = response.header("content-type").unwrap_or_default();
    let is_good = response.status < 400;
    if is_good == (kind == MEDIA_TYPE) {
        return vec![format!("{at}: content type {kind:?}")];
    }
    let described = match &operation {
        Some(operation) if is_good => operation.value["responses"].get(response.status.to_string()),
        Some(operation) => operation.value["responses"].get("default"),
        None => document["paths"]["/v1/fleet"]["get"]["responses"].get("default"),
    };
    let Some(described) = described else { return vec![format!("{at}: not documented")] };
    let Some(content) = described.get("content") else {
        return if response.body.is_empty() {
            Vec::new()
        } else {
            vec![format!("{at}: an undocumented body")]
        };
    };
    let mut schema: Map<String, Value> = content[kind]["schema"].as_object().unwrap().clone();
    schema.insert("components".to_owned(), document["components"].clone());
    let mut schema = Value::Object(schema);
    strict(&mut schema);
    let body: Value = serde_json::from_str(&response.body).unwrap();
    if is_good == body.get("status").is_some_and(Value::is_number) {
        return vec![format!("{at}: {body}")];
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(&body).map(|error| format!("{at}: {}: {error}", error.instance_path())).collect()
}

/// Asks for everything that there is.
fn tour(asker: &mut Asker) {
    let orders = "/v1/instances/ledger/databases/general-ledger";
    for path in [
        "/openapi.json",
        "/v1/fleet",
        "/v1/instances",
        "/v1/instances/ledger",
        "/v1/instances/ledger/settings",
        "/v1/instances/ledger/databases?limit=2",
        orders,
        &format!("{orders}/window"),
        &format!("{orders}/plan?at=latest&target_name=copy"),
        &format!("{orders}/plan?at=2001-01-01T00:00:00Z&target_zone=%2B02:00"),
        &format!("{orders}/backups"),
        &format!("{orders}/log-days"),
        "/v1/instances/ledger/tasks",
        "/v1/instances/ledger/tasks?state=ended&limit=1",
        "/v1/instances/ledger/events",
        "/v1/policies",
        "/v1/policies/weekly",
        "/v1/vaults",
        "/v1/vaults/main",
    ] {
        let (status, body) = asker.get(path);
        assert_eq!(status, 200, "{path}: {body}");
    }
    // What the client has is not sent again.
    for path in asker.asked.iter().map(|(request, _)| request.clone()).collect::<Vec<_>>() {
        let tag = asker
            .asked
            .iter()
            .find(|(asked, _)| *asked == path)
            .unwrap()
            .1
            .header("etag")
            .unwrap()
            .to_owned();
        let answer = asker.send(Request { headers: vec![("If-None-Match".to_owned(), tag)], ..path.clone() });
        let changes =
            path.path == "/v1/fleet" || path.path.ends_with("/ledger") || path.path.contains("/databases");
        assert!(answer.status == 304 || changes, "{}: {}", path.path, answer.status);
    }
    holds(asker, orders);
    changes(asker);
    discovery(asker);
    requests(asker, orders);
    lives(asker);
    for (method, path) in
        [("GET", "/nowhere"), ("PATCH", "/v1/fleet"), ("GET", "/v1/instances/other"), ("PUT", "/v1/vaults/x")]
    {
        asker.with(method, path, &[], &Value::Null);
    }
}

fn holds(asker: &mut Asker, database: &str) {
    let (_, backups) = asker.get(&format!("{database}/backups"));
    let backup = backups["items"][0]["backup"].as_str().unwrap();
    let path = format!("{database}/holds/{backup}");
    let (status, _) =
        asker.with("PUT", &path, &[], &json!({ "why": "audit", "until": "2027-01-01T00:00:00Z" }));
    assert_eq!(status, 201);
    let tag = asker.tag(&path);
    let (status, held) =
        asker.with("PUT", &path, &[("if-match", &tag)], &json!({ "why": "audit of the year" }));
    assert_eq!((status, &held["is_in_force"], &held["held_by"]), (200, &json!(true), &json!("loopback")));
    assert_eq!(asker.get(&format!("{database}/holds")).1["items"][0]["why"], "audit of the year");
    let tag = asker.tag(&path);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", &path) });
    let list = format!("{database}/holds");
    let tag = asker.tag(&list);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", &list) });
    for _ in 0..2 {
        assert_eq!(
            asker.with("DELETE", &path, &[], &Value::Null).0,
            204,
            "what is not held is let go already"
        );
    }
    assert_eq!(asker.get(&path).0, 404);
}

fn changes(asker: &mut Asker) {
    for (path, new) in
        [("/v1/policies/weekly", "/v1/policies/daily"), ("/v1/vaults/main", "/v1/vaults/second")]
    {
        let (_, mut body) = asker.get(path);
        let tag = asker.tag(path);
        assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &body).0, 200, "{path}");
        if body.get("name").is_some() {
            body["name"] = json!("daily");
        }
        assert_eq!(asker.with("PUT", new, &[], &body).0, 201, "{new}");
    }
    let path = "/v1/instances/ledger/settings";
    let (_, mut body) = asker.get(path);
    let tag = asker.tag(path);
    assert_eq!(asker.with("PUT", path, &[("if-match", &tag)], &body).0, 200);
    body["policy"] = json!("daily");
    assert_eq!(asker.with("PUT", "/v1/instances/archive/settings", &[], &body).0, 201);
    let (_, policy) = asker.get("/v1/policies/weekly");
    let body = json!({ "policy": policy, "instance": "ledger" });
    assert_eq!(asker.with("POST", "/v1/policies/weekly/preview", &[], &body).0, 200);
}

/// The instance was enrolled by hand: it is looked at, and what is on it is protected already.
fn discovery(asker: &mut Asker) {
    let path = "/v1/discovery/all";
    let body =
        json!({ "tags": ["backup=gold"], "exclude": ["scratch*"], "policy": "weekly", "vault": "main" });
    assert_eq!(asker.with("PUT", path, &[], &body).0, 201);
    let tag = asker.tag(path);
    let same =
        Request { headers: vec![("if-none-match".to_owned(), tag.clone())], ..Request::new("GET", path) };
    assert_eq!(asker.send(same).status, 304);
    let (status, set) = asker.with("PUT", path, &[("if-match", &tag)], &body);
    assert_eq!((status, &set["enrol_max"], &set["include"]), (200, &json!(100), &json!(["*"])));
    let list = "/v1/discovery";
    assert_eq!(asker.get(list).1["items"], json!([{ "name": "all" }]));
    let tag = asker.tag(list);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", list) });
    for (field, value) in [
        ("tags", json!(["backup"])),
        ("vault", json!("none")),
        ("enrol_max", json!(0)),
        ("secret_arn", json!("password")),
        ("include", json!(["x".repeat(401)])),
        ("window_days", json!(7)),
    ] {
        let mut wrong = body.clone();
        wrong[field] = value;
        let (status, problem) = asker.with("PUT", "/v1/discovery/second", &[], &wrong);
        assert!(status == 422 || status == 400 && field == "window_days", "{field}: {problem}");
        assert!(!problem.to_string().contains("password"), "{problem}");
    }
    let listed = "/v1/discovered";
    let (status, nothing) = asker.get(listed);
    assert_eq!((status, nothing.get("at"), &nothing["shown"]), (200, None, &json!(0)), "{nothing}");
    let (status, before) = asker.get("/v1/instances/ledger/discovered");
    assert_eq!((status, &before["items"]), (200, &json!([])), "nobody has looked yet");
    let (status, started) = asker.with("POST", list, &[], &Value::Null);
    assert_eq!((status, &started["is_new"]), (202, &json!(true)));
    let (status, again) = asker.with("POST", list, &[], &Value::Null);
    assert_eq!((status, &again["is_new"]), (202, &json!(false)), "{again}");
    asker.wait(SignedDuration::from_mins(5));
    let (_, found) = asker.get(listed);
    assert!(found["at"].is_string(), "{found}");
    // One was enrolled by hand that RDS has not.
    let gone = json!("InstanceGone");
    assert_eq!(
        (&found["shown"], &found["skipped"], &found["needs_count"], &found["needs"][0]["name"]),
        (&json!(1), &json!(0), &json!(1), &gone),
        "{found}"
    );
    let tag = asker.tag(listed);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", listed) });
    let path = "/v1/instances/ledger/discovered";
    let (_, seen) = asker.get(path);
    assert_eq!(
        (&seen["shown"], &seen["skipped"], &seen["gone"]),
        (&json!(3), &json!(0), &json!(0)),
        "{seen}"
    );
    assert_eq!(seen["items"][0]["change"], json!({ "is": "unchanged" }), "{seen}");
    let tag = asker.tag(path);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", path) });
}

/// One is dropped and created again, one is dropped and let go.
fn lives(asker: &mut Asker) {
    let (kept, other) =
        ("/v1/instances/ledger/databases/general-ledger", "/v1/instances/ledger/databases/archive-001");
    let (_, before) = asker.get(kept);
    let (_, backups) = asker.get(&format!("{kept}/backups"));
    assert_eq!(asker.with("DELETE", other, &[], &Value::Null).0, 409, "it is there");
    let bed = asker.simulation.bed();
    for name in ["general-ledger", "archive-001"] {
        let id = bed.world().find_database("ledger", name).unwrap();
        assert!(bed.world_mut().break_drop_database(id));
    }
    bed.world_mut().add_database("ledger", &DatabaseConfig::named("general-ledger")).unwrap();
    assert_eq!(asker.with("POST", "/v1/discovery", &[], &Value::Null).0, 202);
    asker.wait(SignedDuration::from_mins(40));

    let (_, now) = asker.get(kept);
    assert_ne!(now["database_guid"], before["database_guid"]);
    let list = format!("{kept}/lives");
    let (status, lives) = asker.get(&list);
    assert_eq!((status, lives["items"].as_array().unwrap().len()), (200, 1), "{lives}");
    let guid = lives["items"][0]["database_guid"].as_str().unwrap().to_owned();
    assert_eq!(json!(guid), before["database_guid"]);
    let which = format!("database_guid={guid}");
    assert_eq!(asker.get(&format!("{kept}/backups?{which}")).1, backups, "what the vault has of it is there");
    let (_, plan) = asker.get(&format!("{kept}/plan?at=latest&{which}"));
    assert!(plan["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{plan}");
    for part in ["window", "log-days", "holds"] {
        assert_eq!(asker.get(&format!("{kept}/{part}?{which}")).0, 200, "{part}");
        let (status, unknown) = asker.get(&format!("{kept}/{part}?database_guid=none"));
        assert_eq!((status, &unknown["name"]), (404, &json!("NotFound")), "{unknown}");
    }
    let hold = format!("{kept}/holds/{}?{which}", backups["items"][0]["backup"].as_str().unwrap());
    assert_eq!(asker.with("PUT", &hold, &[], &json!({ "why": "the old one" })).0, 201);
    assert_eq!(asker.get(&format!("{kept}/holds")).1["items"], json!([]), "it is none of the new one's");
    assert_eq!(asker.with("DELETE", &hold, &[], &Value::Null).0, 204);

    for _ in 0..2 {
        assert_eq!(asker.with("DELETE", other, &[], &Value::Null).0, 204);
    }
    let (status, none) = asker.get(&format!("{other}/window"));
    assert_eq!((status, none["guidance"].as_str().unwrap().contains("/lives")), (404, true), "{none}");
    let (_, lives) = asker.get(&format!("{other}/lives"));
    assert_eq!(lives["items"][0]["let_go"]["by"], "loopback", "{lives}");
    let guid = lives["items"][0]["database_guid"].as_str().unwrap().to_owned();
    assert_eq!(asker.get(&format!("{other}/window?database_guid={guid}")).0, 200);
    let tag = asker.tag(&list);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", &list) });
}

fn requests(asker: &mut Asker, database: &str) {
    let key = [("idempotency-key", "tour")];
    let path = format!("{database}/backups");
    let (status, accepted) = asker.with("POST", &path, &key, &json!({ "kind": "full" }));
    assert_eq!(status, 202, "{accepted}");
    let task = format!("/v1/instances/ledger/tasks/{}", accepted["task"].as_str().unwrap());
    assert_eq!(asker.get(&task).0, 200);
    let tag = asker.tag(&task);
    asker.send(Request { headers: vec![("if-none-match".to_owned(), tag)], ..Request::new("GET", &task) });
    assert_eq!(asker.with("PUT", &format!("{task}/cancel"), &[], &Value::Null).0, 202);
    asker.wait(SignedDuration::from_hours(1));
    let (_, ended) = asker.get(&task);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert_eq!(asker.with("PUT", &format!("{task}/cancel"), &[], &Value::Null).0, 200);
}

#[test]
fn what_is_documented_is_what_is_there() {
    let document = api::document();
    let mut asker = Asker::after(30);
    tour(&mut asker);
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (request, response) in &asker.asked {
        wrong.extend(objections(&document, request, response));
        for operation in operations(&document) {
            if operation.method == request.method && fits(&operation.path, &request.path) {
                seen.insert((operation.value["operationId"].to_string(), response.status.to_string()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    let missed: Vec<String> = operations(&document)
        .iter()
        .flat_map(|operation| {
            let name = operation.value["operationId"].to_string();
            let statuses =
                operation.value["responses"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            statuses.into_iter().map(move |status| (name.clone(), status))
        })
        // 304 of what is as of now is another now.
        .filter(|(_, status)| status != "default" && status != "304")
        .filter(|asked| !seen.contains(asked))
        .map(|(name, status)| format!("{name} {status}"))
        .collect();
    assert_eq!(missed, [""; 0], "documented, and nobody asked for it");
}

#[test]
fn an_answer_that_is_not_as_documented_is_noticed() {
    let document = api::document();
    let request = Request::new("GET", "/v1/instances");
    let answer = |status, body: &str| Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_owned(),
    };
    for (status, body, is_wrong) in [
        (200, r#"{"items":[{"name":"sales"}]}"#, false),
        (200, r#"{"items":[{"name":7}]}"#, true),
        (200, r#"{"items":[{"name":"sales","password":"x"}]}"#, true),
        (200, r#"{"items":[],"more":true}"#, true),
        (200, "{}", true),
        (206, r#"{"items":[]}"#, true),
        (404, "{}", true),
    ] {
        assert_eq!(
            !objections(&document, &request, &answer(status, body)).is_empty(),
            is_wrong,
            "{status} {body}"
        );
    }
}
