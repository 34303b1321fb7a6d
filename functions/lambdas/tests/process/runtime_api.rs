//! The Runtime API for a function in a process of its own, and what else it speaks HTTP with.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Tells a process where its Runtime API is.
pub(crate) const API: &str = "AWS_LAMBDA_RUNTIME_API";

/// A runtime of one thread.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}

/// A free port of loopback, and its address as URLs have it.
pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port of loopback");
    let address = listener.local_addr().expect("a bound listener has an address").to_string();
    (listener, address)
}

/// What Lambda hands to a function.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) payload: String,
    /// Milliseconds since 1970.
    pub(crate) deadline: u64,
    pub(crate) trace: Option<&'static str>,
}

impl Invocation {
    /// One with all the time of the world.
    pub(crate) fn of(payload: &impl ToString) -> Self {
        Self { payload: payload.to_string(), deadline: 99_999_999_999_999, trace: None }
    }
}

/// What the function sent back for one payload.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `response` or `error`.
    pub(crate) kind: String,
    pub(crate) body: Value,
}

/// What came of a process.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) answers: Vec<Answer>,
    /// The lines of its log.
    pub(crate) log: Vec<Value>,
    /// All it printed, to both streams.
    pub(crate) printed: String,
}

/// Starts a function in this environment and no other, hands it the payloads one after the other, and ends it.
pub(crate) async fn invoke(
    mut command: Command,
    environment: &[(&str, &str)],
    invocations: &[Invocation],
) -> Ended {
    let (listener, address) = listen().await;
    command.env_clear();
    for (name, value) in [
        (API, address.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ]
    .iter()
    .chain(environment)
    {
        command.env(name, value);
    }
    let mut function =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let answers = tokio::time::timeout(Duration::from_mins(1), answers(&listener, invocations)).await;
    function.kill().expect("the function still runs");
    let output = function.wait_with_output().expect("the function ends");
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    let (out, error) = (text(output.stdout), text(output.stderr));
    assert!(answers.is_ok(), "the function does not answer: {out}{error}");
    let answers = answers.expect("this was asked before");
    let log = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ended { answers, log, printed: out + &error }
}

/// The Runtime API: one connection a request, so that requests can be taken one by one.
async fn answers(listener: &TcpListener, invocations: &[Invocation]) -> Vec<Answer> {
    let (mut waiting, mut answers) = (invocations.iter(), Vec::new());
    while answers.len() < invocations.len() {
        let (mut connection, _) = listener.accept().await.expect("the function connects");
        let Request { path, body, .. } = request(&mut connection).await;
        let last = path.rsplit('/').next().unwrap_or_default().to_owned();
        if last == "next" {
            let Invocation { payload, deadline, trace } =
                waiting.next().expect("an answer before the next payload");
            let trace =
                trace.map(|trace| format!("lambda-runtime-trace-id: {trace}\r\n")).unwrap_or_default();
            let head = format!(
                "content-type: application/json\r\nlambda-runtime-aws-request-id: request-1\r\n\
                 lambda-runtime-deadline-ms: {deadline}\r\n{trace}\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:1:function:f\r\n"
            );
            send(&mut connection, 200, &head, payload).await;
        } else {
            assert!(path.ends_with(&format!("/runtime/invocation/request-1/{last}")), "{path}");
            answers
                .push(Answer { kind: last, body: serde_json::from_str(&body).expect("an answer is JSON") });
            send(&mut connection, 202, "", "").await;
        }
    }
    answers
}

/// One request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Answers every request, one connection each, until it is dropped.
pub(crate) async fn answer(listener: TcpListener, mut with: impl FnMut(Request) -> (u16, String)) {
    loop {
        let (mut connection, _) = listener.accept().await.expect("the client connects");
        let (status, body) = with(request(&mut connection).await);
        send(&mut connection, status, "content-type: application/x-amz-json-1.0\r\n", &body).await;
    }
}

async fn send(connection: &mut TcpStream, status: u16, head: &str, body: &str) {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Said\r\nconnection: close\r\n{head}content-length: {length}\r\n\r\n{body}"
    );
    connection.write_all(text.as_bytes()).await.expect("the function listens");
    connection.shutdown().await.expect("the function listens");
}

async fn request(connection: &mut TcpStream) -> Request {
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
                return Request { path, head: head.to_owned(), body: body.to_owned() };
            }
        }
        let read = connection.read_buf(&mut bytes).await.expect("the function sends");
        assert_ne!(read, 0, "the function hung up in the middle of {text:?}");
    }
}
