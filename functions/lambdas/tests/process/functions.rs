//! Every function as the program that is deployed, on a DynamoDB in process: built from the environment alone.

use std::process::Command;

use crate::runtime_api::{Ended, Invocation, Request, answer, invoke, listen, runtime};
use aws::SdkConfig;
use domain::inventory::{Database, Instance, Vault};
use domain::policy::Policy;
use ports::store::{Versioned, WriteItems};
use serde_json::{Value, json};

use crate::{served, support};

/// Each binary by its name.
const PROGRAMS: [(&str, &str); 12] = [
    ("list-work", env!("CARGO_BIN_EXE_list-work")),
    ("run-lease", env!("CARGO_BIN_EXE_run-lease")),
    ("validate-region", env!("CARGO_BIN_EXE_validate-region")),
    ("plan-backups", env!("CARGO_BIN_EXE_plan-backups")),
    ("check-chains", env!("CARGO_BIN_EXE_check-chains")),
    ("dispatch-tasks", env!("CARGO_BIN_EXE_dispatch-tasks")),
    ("poll-tasks", env!("CARGO_BIN_EXE_poll-tasks")),
    ("list-instances", env!("CARGO_BIN_EXE_list-instances")),
    ("discover-databases", env!("CARGO_BIN_EXE_discover-databases")),
    ("report-discovery", env!("CARGO_BIN_EXE_report-discovery")),
    ("api", env!("CARGO_BIN_EXE_api")),
    ("observe-event", env!("CARGO_BIN_EXE_observe-event")),
];

/// Secrets of this test, each in another place. None may be seen anywhere.
const KEY: &str = "canary-in-the-environment";
const TOKEN: &str = "canary-in-the-session-token";
const PASSWORD: &str = "canary-in-the-secret-store";
const PAYLOAD: &str = "canary-in-the-payload";

async fn call(name: &str, environment: &[(&str, &str)], payloads: &[Value]) -> Ended {
    let (_, program) = PROGRAMS.iter().find(|(known, _)| *known == name).expect("a function of this name");
    let standard = [
        ("BAKPROOF_TOPIC", "arn:aws:sns:eu-west-1:123456789012:people"),
        ("AWS_REGION", support::REGION),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", KEY),
        ("AWS_SESSION_TOKEN", TOKEN),
        ("BAKPROOF_TABLE", served::TABLE),
    ];
    let environment = [&standard, environment].concat();
    let invocations: Vec<_> = payloads.iter().map(Invocation::of).collect();
    invoke(Command::new(program), &environment, &invocations).await
}

#[test]
fn every_function_has_a_binary_that_answers_by_its_name() {
    assert_eq!(PROGRAMS[..10].iter().map(|(name, _)| *name).collect::<Vec<_>>(), handlers::NAMES);
    for (name, _) in &PROGRAMS[..10] {
        let stale = json!({"schema": 99, "instance": "sales", "generation": 7, "action": "take", "round": 0});
        let ended = runtime().block_on(call(name, &[], &[stale]));
        assert_eq!(ended.answers[0].body["errorType"], "Human", "{name}: {ended:?}");
        assert_eq!((&ended.log[0]["function"], &ended.log[0]["run"]), (&json!(name), &json!("sales-7")));
        assert_eq!(ended.log[0]["reason"]["name"], "PayloadVersion");
        let ended = runtime().block_on(call(name, &[("BAKPROOF_TABLE", "")], &[json!({})]));
        let message = "EnvironmentIncomplete: environment variable BAKPROOF_TABLE is empty; \
                       deploy the function from infra/template.yaml, which sets it";
        assert_eq!(ended.answers[0].body["errorMessage"], message, "{name}");
    }
}

/// Events of EventBridge, as the user guide has them: one of an instance that is not enrolled, one that is none of ours, one that is none.
#[test]
fn events_are_observed_and_told_by_outcome() {
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:instance";
    let event = |source: &str, detail: Value| {
        json!({
            "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "detail-type": "RDS DB Instance Event",
            "source": source, "account": "123456789012", "time": "2026-11-16T03:12:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:rds:eu-west-1:123456789012:db:nobody"], "detail": detail
        })
    };
    let backup = json!({
        "EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": "nobody",
        "Date": "2026-11-16T03:12:00.882Z", "Message": PAYLOAD, "EventID": "RDS-EVENT-0002"
    });
    let run = json!({"stateMachineArn": machine, "name": "nobody-7", "status": "FAILED", "input": PAYLOAD});
    let payloads = [
        event("aws.rds", backup),
        event("aws.states", run),
        event("aws.rds", json!({"SourceType": PAYLOAD})),
        json!({"source": PAYLOAD}),
    ];
    let ended = served::run_with(async |config, _| {
        let environment = [("AWS_ENDPOINT_URL", endpoint(config)), ("BAKPROOF_INSTANCE_MACHINE", machine)];
        [
            call("observe-event", &environment, &payloads).await,
            call("observe-event", &environment[..1], &payloads[..1]).await,
        ]
    });
    let [observed, unwired] = &ended;
    let outcomes: Vec<_> = observed.answers.iter().map(|answer| answer.body["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("ignored"), json!("known"), json!("ignored"), Value::Null], "{observed:?}");
    assert_eq!(observed.answers[0].body["note"]["name"], "InstanceUnknown");
    assert_eq!(observed.answers[2].body["note"]["name"], "DetailMalformed");
    assert_eq!(observed.answers[3].body["errorType"], "Human");
    assert_eq!((&observed.log[0]["outcome"], &observed.log[0]["freed"]), (&json!("ignored"), &json!(0)));
    assert_eq!(observed.log[0]["event"], "844e2571-85d4-695f-b930-0153b71dcb42");
    let message = unwired.answers[0].body["errorMessage"].as_str().unwrap_or_default();
    assert!(message.contains("BAKPROOF_INSTANCE_MACHINE is not set"), "{message}");
    assert_unseen(&ended);
}

/// API Gateway reads answers, not errors of functions.
#[test]
fn the_api_answers_requests_of_the_gateway() {
    let request = |path: &str, iam: Value| {
        json!({
            "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"accept": "application/json"},
            "requestContext": {"stage": "$default", "requestId": "r-1", "http": {"method": "GET", "path": path}, "authorizer": iam},
            "isBase64Encoded": false
        })
    };
    let iam = json!({"iam": {"userArn": "arn:aws:iam::123456789012:user/operator"}});
    let payloads = [request("/openapi.json", iam), request("/v1/fleet", Value::Null), json!({"version": 2})];
    let ended = runtime().block_on(call("api", &[], &payloads));
    let told: Vec<_> = ended.answers.iter().map(|answer| answer.body["statusCode"].clone()).collect();
    assert_eq!(told, [json!(200), json!(401), json!(500)], "{ended:?}");
    let document: Value = serde_json::from_str(ended.answers[0].body["body"].as_str().unwrap()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let problem: Value = serde_json::from_str(ended.answers[1].body["body"].as_str().unwrap()).unwrap();
    assert_eq!((&problem["name"], &problem["request_id"]), (&json!("CallerUnknown"), &json!("r-1")));
    assert_eq!(ended.log[0]["outcome"], "200");
    assert_eq!(ended.log[0]["caller"], "arn:aws:iam::123456789012:user/operator");
}

#[test]
fn the_trace_goes_on_to_what_is_asked() {
    const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let (asked, ended) = runtime().block_on(async {
        let (listener, address) = listen().await;
        let (endpoint, mut asked) = (format!("http://{address}"), Vec::new());
        let service = answer(listener, |request: Request| {
            asked.push((
                request.header("x-amz-target").map(str::to_owned),
                request.header("x-amzn-trace-id").map(str::to_owned),
            ));
            (200, "{}".to_owned())
        });
        let release = json!({"schema": 1, "instance": "sales", "generation": 7, "action": "release"});
        let invocations = [Some(TRACE), None].map(|trace| Invocation { trace, ..Invocation::of(&release) });
        let (_, program) = PROGRAMS[1];
        let environment = [
            ("AWS_REGION", support::REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", KEY),
            ("BAKPROOF_TABLE", served::TABLE),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ];
        let ended = tokio::select! {
            ended = invoke(Command::new(program), &environment, &invocations) => ended,
            () = service => unreachable!("the service answers until it is dropped"),
        };
        (asked, ended)
    });
    let target = Some("DynamoDB_20120810.GetItem".to_owned());
    assert_eq!(asked, [(target.clone(), Some(TRACE.to_owned())), (target, None)]);
    assert_eq!(ended.log[0]["trace_id"], "1-5759e988-bd862e3fe1be46a994272793", "{ended:?}");
    assert_eq!(ended.log[1].get("trace_id"), None);
    assert_eq!((&ended.log[1]["outcome"], &ended.log[1]["cold_start"]), (&json!("released"), &json!(false)));
}

/// An instance that is due, with one database that has no backup yet.
async fn seed(store: &impl WriteItems, port: u16) {
    let arn = format!("arn:aws:secretsmanager:{}:123456789012:secret:sales-AbCdEf", support::REGION);
    let instance: Instance = serde_json::from_value(json!({
        "name": "sales", "host": "127.0.0.1", "port": port, "policy": "weekly", "vault": "main", "secret_arn": arn,
        "tasks_from": 0, "due_at": "2026-11-22T00:00:00Z", "facts": null, "bytes_per_second": null, "trouble": null,
    }))
    .expect("an instance as it is stored");
    let policy: Policy = serde_json::from_value(json!({
        "name": "weekly", "objectives": {"window_days": 7, "rpo_minutes": {"damage": 10, "instance": 150}},
        "schedule": {"time_zone": "Etc/UTC", "full": {"days": ["sun"], "at": "01:00:00"}, "log_copy": {"every_minutes": 120}},
    }))
    .expect("a policy as it is stored");
    let vault: Vault = serde_json::from_value(json!({
        "name": "main", "bucket": "vault", "prefix": "prod", "account": "123456789012", "kms_key_arn": null,
    }))
    .expect("a vault as it is stored");
    let put = "a record becomes an item";
    let writes = [
        Versioned::new(instance).put().expect(put),
        Versioned::new(policy).put().expect(put),
        Versioned::new(vault).put().expect(put),
        Versioned::new(Database::new("sales", "orders")).put().expect(put),
    ];
    Box::pin(store.commit(&writes)).await.expect("the records are stored");
}

fn endpoint(config: &SdkConfig) -> &str {
    config.endpoint_url().expect("the endpoint of the test")
}

/// From the list of work to the login, through the programs that are deployed; beyond it `tests/e2e` goes on.
#[test]
fn a_run_begins_and_no_secret_is_seen_on_the_way() {
    let reads = std::cell::Cell::new(0);
    let ended = served::run_with(async |config, store| {
        let (sql, sql_address) = listen().await;
        let (secrets, secrets_address) = listen().await;
        let port = sql_address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        seed(store, port).await;
        let secrets_url = format!("http://{secrets_address}");
        let environment =
            [("AWS_ENDPOINT_URL", endpoint(config)), ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets_url)];
        let login =
            json!({"SecretString": json!({"username": "bakproof", "password": PASSWORD}).to_string()});
        // A server of nonsense, which quotes the password.
        let nonsense = async {
            loop {
                let (connection, _) = sql.accept().await.expect("the function connects");
                drop(tokio::io::AsyncWriteExt::write_all(&mut { connection }, PASSWORD.as_bytes()).await);
            }
        };
        let run = json!({"schema": 1, "instance": "sales", "generation": 1, "note": PAYLOAD});
        let take =
            json!({"schema": 1, "instance": "sales", "generation": 1, "action": "take", "note": PAYLOAD});
        let run = async {
            [
                call("list-work", &environment, &[json!({"schema": 1})]).await,
                call("run-lease", &environment, &[take]).await,
                call("plan-backups", &environment, &[run.clone(), json!({"schema": PAYLOAD})]).await,
                call("check-chains", &environment, &[run.clone(), run]).await,
            ]
        };
        tokio::select! {
            ended = run => ended,
            () = answer(secrets, |_| {
                reads.set(reads.get() + 1);
                (200, login.to_string())
            }) => unreachable!("it answers until it is dropped"),
            () = nonsense => unreachable!("it answers until it is dropped"),
        }
    });
    let [listed, leased, planned, checked] = &ended;
    let start = &listed.answers[0].body["runs"][0];
    assert_eq!((&start["name"], &listed.log[0]["runs"]), (&json!("sales-1"), &json!(1)), "{listed:?}");
    assert_eq!(leased.answers[0].body["outcome"], "taken", "{leased:?}");
    assert_eq!(planned.answers[0].body["outcome"], "work", "{planned:?}");
    assert_eq!((&planned.log[0]["planned"], &planned.log[0]["run"]), (&json!(1), &json!("sales-1")));
    let task = &planned.log[0]["tasks"][0];
    assert_eq!((&task["database"], &task["state"]), (&json!("orders"), &json!("planned")), "{planned:?}");
    assert!(task["task"].as_str().is_some_and(|key| key.starts_with("full-orders-")), "{task}");
    assert_eq!((&leased.log[0].get("tasks"), &planned.answers[0].body.get("tasks")), (&None, &None));
    assert_eq!(planned.log[1]["reason"]["name"], "PayloadMalformed");
    for answer in &checked.answers {
        assert_eq!(answer.kind, "error", "{checked:?}");
    }
    assert!(reads.get() > 0, "the password was read: {checked:?}");
    assert_unseen(&ended);
}

/// AWS quotes the canonical request when a signature is wrong, session token included; of a token longer than a quotation the head is left. A
/// function tells it as an error, the API as an answer.
#[test]
fn a_service_that_quotes_a_secret_does_not_make_it_seen() {
    let long = format!("{TOKEN}{}", "IQoJb3JpZ2luX2VjEXAMPLE/+=".repeat(40));
    assert!(long.len() > 1_000);
    let request = json!({
        "version": "2.0", "rawPath": "/v1/instances", "rawQueryString": "", "headers": {},
        "requestContext": {"stage": "$default", "requestId": "r-1", "http": {"method": "GET", "path": "/v1/instances"},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:user/operator"}}},
        "isBase64Encoded": false
    });
    for (code, is_quoted) in [("ValidationException", true), ("InvalidSignatureException", false)] {
        for (name, payload) in [("list-work", json!({"schema": 1})), ("api", request.clone())] {
            for token in [TOKEN, &long] {
                let said = format!("should have been 'POST x-amz-security-token:{token}' for {KEY}");
                let ended = refused_by_all(name, token, &payload, &json!({"__type": code, "message": said}));
                let answer = ended.answers[0].body.to_string();
                assert!(answer.contains(code), "{name} {code}: {answer}");
                assert_eq!(answer.contains("x-amz-security-token:***"), is_quoted, "{name} {code}: {answer}");
                assert_unseen(&[ended]);
            }
        }
    }
}

/// A function whose every call is answered by this refusal.
fn refused_by_all(name: &str, token: &str, payload: &Value, refusal: &Value) -> Ended {
    runtime().block_on(async {
        let (listener, address) = listen().await;
        let url = format!("http://{address}");
        let environment = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_SESSION_TOKEN", token)];
        tokio::select! {
            ended = call(name, &environment, std::slice::from_ref(payload)) => ended,
            () = answer(listener, |_| (400, refusal.to_string())) => unreachable!("it answers until it is dropped"),
        }
    })
}

fn assert_unseen(ended: &[Ended]) {
    for ended in ended {
        let answers = format!("{:?}", ended.answers);
        for secret in [KEY, TOKEN, PASSWORD, PAYLOAD] {
            assert!(!ended.printed.contains(secret), "{secret} in {}", ended.printed);
            assert!(!answers.contains(secret), "{secret} in {answers}");
        }
    }
}
