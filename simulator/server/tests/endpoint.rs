//! What is asked of an S3 endpoint and what its answers come to; a story whose objects lie there.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

#[path = "endpoint/scripted.rs"]
mod scripted;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use scripted::{Asked, serve};
use server::{Client, Credentials, Endpoint, Pace, carry_out};
use tds::{Request, Value};
use testbed::scenario::Scenario;
use world::{EndpointFault, Look, Movement, Outcome, Outgoing, Seen, SeenBody, Transfer};

fn client(address: SocketAddr) -> Client {
    let credentials =
        Credentials { key: "AKID".into(), secret: "hidden".into(), token: Some("token".into()) };
    Endpoint::new(&format!("http://{address}"), "eu-central-1", credentials).unwrap().client().unwrap()
}

fn look(key: &str, reads: bool) -> Transfer {
    let look = Look { key: key.into(), is_prefix: false, keys_max: 1, reads, known: BTreeMap::new() };
    Transfer { ticket: 1, bucket: "vault".into(), movement: Movement::Look(vec![look]) }
}

fn put(keys: &[&str]) -> Transfer {
    let of = |key: &&str| Outgoing { key: (*key).into(), bytes: Arc::from(key.as_bytes()), size_bytes: 7 };
    Transfer { ticket: 1, bucket: "vault".into(), movement: Movement::Put(keys.iter().map(of).collect()) }
}

fn page(keys: &[&str]) -> Vec<u8> {
    let of = |key: &&str| {
        format!("<Contents><Key>{key}</Key><ETag>&quot;e1&quot;</ETag><Size>5</Size></Contents>")
    };
    let contents: String = keys.iter().map(of).collect();
    format!("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>").into_bytes()
}

fn error(status: u16, code: &str) -> (u16, &'static str, Vec<u8>) {
    (status, "", format!("<Error><Code>{code}</Code></Error>").into_bytes())
}

#[tokio::test]
async fn requests_are_signed_with_the_bucket_in_their_path() {
    let (address, asked) = serve(|asked: &Asked| {
        let is_list = asked.target.contains("list-type=2");
        Some(if is_list {
            (200, "", page(&["a%20b/%C3%A9.bak"]))
        } else {
            (200, "etag: \"e2\"\r\n", b"hello".to_vec())
        })
    });
    let client = client(address);
    let outcome = carry_out(&client, look("a b/é.bak", true)).await;
    let body = SeenBody::Bytes(b"hello".to_vec());
    let seen = Seen { key: "a b/é.bak".into(), etag: "e2".into(), size_bytes: 5, body };
    assert_eq!(outcome, Outcome::Looked(Ok(vec![seen])));
    let outcome = carry_out(&client, put(&["x.bak"])).await;
    assert_eq!(outcome, Outcome::Put { etags: vec![Some("e2".into())], fault: None });
    let asked: Vec<Asked> = asked.try_iter().collect();
    let paths = ["/vault/?", "/vault/a%20b/%C3%A9.bak?", "/vault/x.bak?"];
    for (asked, (method, path)) in asked.iter().zip(["GET", "GET", "PUT"].into_iter().zip(paths)) {
        assert!(asked.method == method && asked.target.starts_with(path), "{asked:?}");
        for part in
            ["X-Amz-Credential=AKID", "eu-central-1", "X-Amz-Security-Token=token", "X-Amz-Signature="]
        {
            assert!(asked.target.contains(part), "{asked:?}");
        }
        assert!(!format!("{asked:?}").contains("hidden"));
    }
    assert!(asked[0].target.contains("max-keys=1&"), "{asked:?}");
    assert_eq!(asked[2].body, b"x.bak");
    assert!(
        asked[2].headers.contains("x-amz-meta-backup-bytes: 7")
            && asked[2].target.contains("x-amz-meta-backup-bytes")
    );
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_told() {
    let mut tries = 0;
    let (address, asked) = serve(move |_| {
        tries += 1;
        match tries {
            1 => Some(error(503, "SlowDown")),
            2 => None,
            _ => Some((200, "", page(&[]))),
        }
    });
    assert_eq!(carry_out(&client(address), look("a", false)).await, Outcome::Looked(Ok(Vec::new())));
    assert_eq!(asked.try_iter().count(), 3);
    for (reply, fault, times) in [
        (Some(error(403, "AccessDenied")), EndpointFault::AccessDenied, 1),
        (Some(error(403, "SignatureDoesNotMatch")), EndpointFault::AccessDenied, 1),
        (Some(error(401, "")), EndpointFault::AccessDenied, 1),
        (Some(error(404, "NoSuchBucket")), EndpointFault::NoSuchBucket, 1),
        (Some(error(301, "PermanentRedirect")), EndpointFault::OtherRegion, 1),
        (Some(error(500, "InternalError")), EndpointFault::Unreachable, 3),
        (Some((200, "", b"<html>".to_vec())), EndpointFault::Unreachable, 1),
        (Some((200, "", vec![b' '; 2 << 20])), EndpointFault::Unreachable, 1),
    ] {
        let (address, asked) = serve(move |_| reply.clone());
        assert_eq!(carry_out(&client(address), look("a", false)).await, Outcome::Looked(Err(fault)));
        assert_eq!(asked.try_iter().count(), times, "{fault:?}");
    }
    // Nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = carry_out(&client(free), put(&["a"])).await;
    assert_eq!(outcome, Outcome::Put { etags: vec![None], fault: Some(EndpointFault::Unreachable) });
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let began = tokio::time::Instant::now();
    let outcome = carry_out(&client(silent.local_addr().unwrap()), look("a", false)).await;
    assert_eq!(outcome, Outcome::Looked(Err(EndpointFault::Unreachable)));
    assert_eq!(began.elapsed().as_secs(), 31, "three tries of ten seconds, and what lies between");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.into()], key))
        .unwrap();
    let (listener, config) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(config));
    let port = listener.local_addr().unwrap().port();
    let (read, came) = channel();
    let run = move || {
        for mut socket in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut byte = [0];
            let _ = read.send(rustls::Stream::new(&mut tls, &mut socket).read(&mut byte).unwrap_or(0));
        }
    };
    std::thread::Builder::new().spawn(run).unwrap();
    let credentials = Credentials { key: "AKID".into(), secret: "hidden".into(), token: None };
    let endpoint = Endpoint::new(&format!("https://localhost:{port}"), "eu-central-1", credentials).unwrap();
    // A machine without roots has nobody to ask at all.
    let Ok(client) = endpoint.client() else { return };
    let outcome = carry_out(&client, look("a", false)).await;
    assert_eq!(outcome, Outcome::Looked(Err(EndpointFault::Unreachable)));
    let came: Vec<usize> = (0..3).map(|_| came.recv_timeout(Duration::from_secs(8)).unwrap()).collect();
    assert_eq!(came, [0, 0, 0], "nothing was said before it was verified");
}

#[tokio::test]
async fn objects_that_cannot_be_read_are_told_apart() {
    for (reply, expected) in [
        (Some(error(403, "InvalidObjectState")), Some(SeenBody::Archived)),
        (Some(error(404, "NoSuchKey")), None),
        (Some((200, "", b"x".to_vec())), Some(SeenBody::Bytes(b"x".to_vec()))),
    ] {
        let (address, _asked) = serve(move |asked: &Asked| {
            if asked.target.contains("list-type=2") {
                Some((200, "", page(&["a", "ab"])))
            } else {
                reply.clone()
            }
        });
        let outcome = carry_out(&client(address), look("a", true)).await;
        let Outcome::Looked(Ok(seen)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(seen.into_iter().map(|seen| seen.body).next(), expected);
    }
    // What only begins like the key is another object.
    let (address, _asked) = serve(|_| Some((200, "", page(&["ab"]))));
    assert_eq!(carry_out(&client(address), look("a", true)).await, Outcome::Looked(Ok(Vec::new())));
}

#[tokio::test]
async fn names_that_would_be_other_paths_are_never_sent() {
    let (address, asked) = serve(|_| Some((200, "", Vec::new())));
    let client = client(address);
    for key in ["..", "../b/c", "a/../../b", "a/./b", "", &"k".repeat(1_025)] {
        let outcome = carry_out(&client, put(&[key])).await;
        assert_eq!(
            outcome,
            Outcome::Put { etags: vec![None], fault: Some(EndpointFault::AccessDenied) },
            "{key}"
        );
    }
    for bucket in ["..", "...", "a", "a?b", "a/b", "ümlaut", ""] {
        let transfer = Transfer { bucket: bucket.into(), ..look("a", false) };
        let outcome = carry_out(&client, transfer).await;
        assert_eq!(outcome, Outcome::Looked(Err(EndpointFault::NoSuchBucket)), "{bucket}");
    }
    assert_eq!(asked.try_iter().count(), 0);
}

#[tokio::test]
async fn many_objects_are_written_once_each_and_answered_in_their_order() {
    let (address, asked) = serve(|asked: &Asked| {
        let refused = asked.body == b"k13";
        Some(if refused { error(403, "AccessDenied") } else { (200, "etag: \"e\"\r\n", Vec::new()) })
    });
    let keys: Vec<String> = (0..64).map(|number| format!("k{number}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let Outcome::Put { etags, fault } = carry_out(&client(address), put(&names)).await else {
        panic!("a put")
    };
    assert_eq!(fault, Some(EndpointFault::AccessDenied));
    let missing: Vec<usize> = (0..64).filter(|index| etags[*index].is_none()).collect();
    assert_eq!(missing, [13]);
    assert_eq!(asked.try_iter().count(), 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_answer_comes_to_something(
        status in prop_oneof![Just(200_u16), 201_u16..500],
        body in proptest::collection::vec(any::<u8>(), 0..300),
        within in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let body = if within { [&page(&["a"])[..60], &body].concat() } else { body };
        let (address, _asked) = serve(move |_| Some((status, "", body.clone())));
        let way = client(address);
        if status != 429 && status != 408 {
            runtime.block_on(async {
                carry_out(&way, look("a", true)).await;
                carry_out(&way, put(&["a"])).await;
            });
        }
    }
}

const SCENARIO: &str = include_str!("../../../tests/conformance/clients/scenario.toml");

#[tokio::test]
async fn the_story_stands_still_while_objects_are_on_their_way_and_clients_are_answered() {
    let (let_go, held) = channel::<()>();
    let (address, asked) = serve(move |asked: &Asked| {
        if asked.method == "GET" {
            return Some((200, "", page(&[])));
        }
        held.recv_timeout(Duration::from_secs(8)).unwrap();
        Some((200, "etag: \"e\"\r\n", Vec::new()))
    });
    let scenario = Scenario::parse(SCENARIO, "clients.toml", std::path::Path::new(".")).unwrap();
    let password = scenario.instances[0].password();
    let (desk, world) = server::open(scenario, Pace::Manual, Some(client(address))).unwrap();
    let session = desk.log_in("sales", "admin".into(), password, "master".into()).await.unwrap().unwrap();
    let ask = async |sql: &str| desk.execute(session, Request::Batch(sql.into())).await.unwrap();
    let lifecycle = async || {
        let answer = ask("EXEC msdb.dbo.rds_task_status @task_id=1").await;
        answer.results[0].rows[0][5].clone()
    };
    let answer =
        ask("EXEC msdb.dbo.rds_backup_database @source_db_name='tsql', @s3_arn_to_backup_to='arn:aws:s3:::clients/a.bak'").await;
    assert_eq!(answer.error, None);
    let mut step = Box::pin(desk.step(SignedDuration::from_hours(1)));
    let mut list = 0;
    // The backup takes minutes of the story, and then its object waits.
    while list == 0 || lifecycle().await != Value::Text("IN_PROGRESS".into()) {
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut step).await;
        assert!(waited.is_err(), "the step ended before the object was there");
        list += asked.try_iter().count();
    }
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut step).await.is_err());
        assert_eq!(lifecycle().await, Value::Text("IN_PROGRESS".into()));
    }
    let_go.send(()).unwrap();
    step.await.unwrap();
    assert_eq!(lifecycle().await, Value::Text("SUCCESS".into()));
    let put = asked.try_iter().last().unwrap();
    assert!(put.method == "PUT" && put.body.starts_with(b"BAKPROOF-BACKUP 1 "), "{put:?}");
    desk.close();
    world.join().unwrap();
}
