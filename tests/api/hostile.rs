//! Any request has an answer: JSON, problem+json where it is refused, for a bounded number of calls, and nothing panics.

use api::{MEDIA_TYPE, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::story::Asker;

/// Calls of ports that one request may make here: the fleet reads three a page's instance, a preview four a database and
/// four pages of heads.
const CALLS_MAX: u64 = 40;

fn judge(request: &Request, response: &Response) {
    let Response { status, body, .. } = response;
    assert!((200..600).contains(status), "{request:?}: {status}");
    if body.is_empty() {
        assert!([204, 304].contains(status), "{request:?}: {status} without a body");
        return;
    }
    let json: Value = serde_json::from_str(body).unwrap();
    let is_problem = response.header("content-type") == Some(MEDIA_TYPE);
    assert_eq!(*status >= 400, is_problem, "{request:?}: {body}");
    // What is wrong is the client's doing: the store and the story are well.
    assert!(*status < 500, "{request:?}: {body}");
    if is_problem {
        assert_eq!(json["status"], *status, "{body}");
        let told = |name: &str| json[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(told("detail") && told("name") && told("class") && told("type"), "{body}");
        assert!(body.len() < 4_096, "what was sent is not sent back whole: {}", body.len());
    }
}

/// Paths of the document with names that are there, that are not, and that are none.
fn path() -> impl Strategy<Value = String> {
    let templates: Vec<String> = api::document()["paths"].as_object().unwrap().keys().cloned().collect();
    let name = prop_oneof![
        Just("ledger".to_owned()),
        Just("general-ledger".to_owned()),
        Just("weekly".to_owned()),
        Just("main".to_owned()),
        "[%/#.\\x00-\\x7fß]{0,8}",
        "[a-z0-9-]{1,600}",
    ];
    let known = (prop::sample::select(templates), vec(name, 3)).prop_map(|(template, names)| {
        let mut names = names.into_iter();
        let parts = template.split('/').map(|part| {
            if part.starts_with('{') { names.next().unwrap_or_default() } else { part.to_owned() }
        });
        parts.collect::<Vec<_>>().join("/")
    });
    prop_oneof![9 => known, 1 => any::<String>()]
}

fn query() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        3 => prop::sample::select(vec!["at", "limit", "cursor", "state", "before", "since", "until", "target_zone", "target_name"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "latest",
            "1",
            "0",
            "99999999999999999999",
            "ended",
            "lsn:1",
            "point:x",
            "eyJvZiI6IiIsImFmdGVyIjoiYSJ9",
            "2026-11-16T02:00:00Z",
            "-009999-01-02T01:59:59Z",
            "9999-12-30T22:00:00.999999999Z",
            "+25:00"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    vec((name, value), 0..3)
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop::sample::select(vec![
        "if-match",
        "If-None-Match",
        "accept",
        "content-type",
        "idempotency-key",
        "x",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec!["*", "\"\"", "W/\"x\"", "application/json", "*/*", "text/html"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    vec((name.prop_map(str::to_owned), value), 0..3)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let near = prop::sample::select(vec![
        "{}",
        "[]",
        r#"{"kind":"full"}"#,
        r#"{"kind":"FULL"}"#,
        r#"{"why":"x","until":"9999-12-30T22:00:00Z"}"#,
        r#"{"policy":{"name":"weekly"},"instance":"ledger"}"#,
        r#"{"bucket":"abc","account":"123456789012","bucket":"abd"}"#,
        r#"{"bucket":"abc","account":"123456789012","prefix":"\u0000"}"#,
        r#"{"host":"h","secret_arn":"arn:aws:secretsmanager:r:1:secret:x","policy":"weekly","vault":"main","port":70000}"#,
    ]);
    let broken = (near.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    prop_oneof![
        near.prop_map(|text| text.as_bytes().to_vec()),
        broken,
        vec(any::<u8>(), 0..64),
        Just(vec![b'['; api::BODY_BYTES_MAX]),
        Just(vec![b' '; api::BODY_BYTES_MAX + 1]),
    ]
}

#[test]
fn any_request_has_an_answer() {
    let mut asker = Asker::after(3);
    let methods = prop_oneof![
        4 => prop::sample::select(vec!["GET", "PUT", "POST", "DELETE"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let requests =
        (methods, path(), query(), headers(), body()).prop_map(|(method, path, query, headers, body)| {
            Request { method, path, query, headers, body, caller: None, request_id: "r".to_owned() }
        });
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 1_500, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let story = std::cell::RefCell::new(&mut asker);
    runner
        .run(&requests, |request| {
            let mut asker = story.borrow_mut();
            let before = asker.simulation.bed().counts().port_calls;
            let response = asker.simulation.ask(&request).expect("the function does not die");
            let calls = asker.simulation.bed().counts().port_calls - before;
            judge(&request, &response);
            // The story itself goes on meanwhile: some milliseconds in which a run may be at work.
            prop_assert!(calls <= CALLS_MAX, "{request:?}: {calls} calls");
            Ok(())
        })
        .unwrap();
}
