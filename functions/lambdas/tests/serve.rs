//! A function as a process, spoken to through the Runtime API as Lambda speaks to it.
//!
//! The server side is here: it hands out payloads and takes answers. The function side is this very test program, started
//! again to run [`the_function`] alone.

use std::process::Stdio;
use std::time::Duration;

use domain::reason::{Class, Reason};
use handlers::Handler;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Does what its payload says.
struct Probe;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    Echo(String),
    Refuse(Class),
    Panic(String),
}

#[derive(Serialize)]
struct Output {
    echo: String,
}

impl Handler for Probe {
    type Input = Input;
    type Output = Output;
    const NAME: &'static str = "probe";

    #[expect(clippy::panic, reason = "how a panic leaves the function is what is tested")]
    async fn handle(&self, input: Input) -> Result<Output, Reason> {
        match input {
            Input::Echo(echo) => Ok(Output { echo }),
            Input::Refuse(Class::Wait) => Err(Reason::new(Class::Wait, "QueueFull", "two tasks run")),
            Input::Refuse(class) => Err(Reason::new(class, "Refused", "as asked").guidance("ask for less")),
            Input::Panic(message) => panic!("{message}"),
        }
    }
}

const API: &str = "AWS_LAMBDA_RUNTIME_API";
const UNBUILT: &str = "PROBE_UNBUILT";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}

#[test]
#[ignore = "the other side of the tests of this file, which start it with an environment of its own"]
#[expect(clippy::disallowed_methods, reason = "the environment tells which side of the test this process is")]
fn the_function() {
    if std::env::var(API).is_ok() {
        let unbuilt = std::env::var(UNBUILT).is_ok();
        let probe = if unbuilt { Err(Reason::new(Class::Human, "Unbuilt", "as asked")) } else { Ok(Probe) };
        runtime().block_on(lambdas::serve(probe)).expect("the Runtime API is there");
    }
}

/// What the function sent back for one payload.
#[derive(Debug)]
struct Answer {
    /// `response` or `error`.
    kind: String,
    body: Value,
}

/// Starts the function, hands it the payloads one after the other, and gives its answers and its log.
fn invoke(payloads: &[Value], unbuilt: bool) -> (Vec<Answer>, String) {
    runtime().block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port of loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let program = std::env::current_exe().expect("this program");
        let mut command = std::process::Command::new(program);
        command.args(["--exact", "the_function", "--ignored", "--nocapture"]).env_clear();
        for (name, value) in [
            (API, address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "probe"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ] {
            command.env(name, value);
        }
        if unbuilt {
            command.env(UNBUILT, "yes");
        }
        let mut function =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("this program starts again");
        let answers = tokio::time::timeout(Duration::from_secs(30), answers(&listener, payloads)).await;
        function.kill().expect("the function still runs");
        let log = function.wait_with_output().expect("the function ends").stdout;
        (answers.expect("the function answers in time"), String::from_utf8(log).expect("the log is UTF-8"))
    })
}

/// The Runtime API: one connection a request, so that requests can be taken one by one.
async fn answers(listener: &TcpListener, payloads: &[Value]) -> Vec<Answer> {
    let (mut waiting, mut answers) = (payloads.iter(), Vec::new());
    while answers.len() < payloads.len() {
        let (mut connection, _) = listener.accept().await.expect("the function connects");
        let (path, body) = request(&mut connection).await;
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        if last == "next" {
            let payload = waiting.next().expect("an answer before the next payload").to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 lambda-runtime-aws-request-id: request-1\r\nlambda-runtime-deadline-ms: 99999999999999\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:1:function:probe";
            send(&mut connection, &format!("{head}\r\ncontent-length: {}\r\n\r\n{payload}", payload.len()))
                .await;
        } else {
            assert!(path.ends_with(&format!("/runtime/invocation/request-1/{last}")), "{path}");
            answers
                .push(Answer { kind: last, body: serde_json::from_str(&body).expect("an answer is JSON") });
            send(&mut connection, "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    }
    answers
}

async fn send(connection: &mut TcpStream, text: &str) {
    connection.write_all(text.as_bytes()).await.expect("the function listens");
    connection.shutdown().await.expect("the function listens");
}

/// Path and body of one request.
async fn request(connection: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|n| n.trim().parse().ok())
            });
            assert!(!chunked, "answers are small and buffered: {head}");
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return (path, body.to_owned());
            }
        }
        let read = connection.read_buf(&mut bytes).await.expect("the function sends");
        assert_ne!(read, 0, "the function hung up in the middle of {text:?}");
    }
}

#[test]
fn every_ending_has_a_name_that_a_machine_can_catch() {
    let cases = [
        (json!({"echo": "größe"}), "response", json!({"echo": "größe"})),
        (json!({"refuse": "Retry"}), "Retry", json!("Refused: as asked; ask for less")),
        (json!({"refuse": "Wait"}), "Wait", json!("QueueFull: two tasks run")),
        (json!({"refuse": "Never"}), "Never", json!("Refused: as asked; ask for less")),
        (json!({"refuse": "Human"}), "Human", json!("Refused: as asked; ask for less")),
        (
            json!({"panic": "index out of bounds"}),
            "Human",
            json!("Panicked: the function panicked: index out of bounds;"),
        ),
        (
            json!({"echo": 1}),
            "Human",
            json!("PayloadMalformed: probe cannot read its payload: invalid type: integer"),
        ),
        (json!([]), "Human", json!("PayloadMalformed: probe cannot read its payload: ")),
        // After all of that it still works.
        (json!({"echo": "alive"}), "response", json!({"echo": "alive"})),
    ];
    let payloads = cases.each_ref().map(|(payload, ..)| payload.clone());
    let (answers, log) = invoke(&payloads, false);
    for ((payload, expected, said), answer) in cases.iter().zip(&answers) {
        if *expected == "response" {
            assert_eq!((answer.kind.as_str(), &answer.body), ("response", said), "{payload}");
            continue;
        }
        assert_eq!(
            (answer.kind.as_str(), answer.body["errorType"].as_str()),
            ("error", Some(*expected)),
            "{payload}"
        );
        let message = answer.body["errorMessage"].as_str().unwrap_or_default();
        assert!(message.starts_with(said.as_str().unwrap_or("?")), "{payload}: {message}");
    }
    let levels: Vec<_> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .inspect(|line| {
            assert_eq!((&line["function"], &line["request_id"]), (&json!("probe"), &json!("request-1")));
        })
        .map(|line| format!("{} {}", line["level"], line["reason"]["name"]).replace('"', ""))
        .collect();
    let expected = [
        "WARN Refused",
        "WARN QueueFull",
        "ERROR Refused",
        "ERROR Refused",
        "ERROR Panicked",
        "ERROR PayloadMalformed",
        "ERROR PayloadMalformed",
    ];
    assert_eq!(levels, expected, "one line for each failure, none for a success: {log}");
}

#[test]
fn a_function_that_could_not_be_built_says_why_each_time() {
    let (answers, _) = invoke(&[json!({"echo": "a"}), json!({"echo": "b"})], true);
    for answer in answers {
        assert_eq!(answer.kind, "error");
        assert_eq!(answer.body["errorType"], "Human");
        assert_eq!(answer.body["errorMessage"], "Unbuilt: as asked");
    }
}
