//! `bakproof serve`, where nothing is served: what is wrong is said in one line. Where something is, its API; its instances are tried by
//! `conformance/clients`.

use std::io::{BufRead, Read, Write};

use crate::command::{bakproof, process};

#[test]
fn what_cannot_be_served_is_told_in_one_line() {
    for (arguments, said) in [
        (&["serve", "missing.toml"][..], "missing.toml: cannot be read"),
        (&["serve", "--speed", "0"], "0 is not in 1..=10000"),
        (&["serve", "--speed", "10001"], "10001 is not in 1..=10000"),
        (&["serve", "--speed", "2", "--manual"], "cannot be used with"),
        (&["serve", "--ca", "missing/folder/ca.pem"], "missing/folder/ca.pem: cannot be written"),
    ] {
        let answer = bakproof(arguments);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(answer.stderr.contains(said) && answer.stderr.contains("; mend: "), "{}", answer.stderr);
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
    }
}

/// What lies on an endpoint is tried by `e2e/endpoint.py`.
#[test]
fn an_endpoint_that_cannot_be_asked_is_told_in_one_line() {
    let who =
        [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_SESSION_TOKEN", "hidden")];
    let loopback = "http://127.0.0.1:9";
    for (url, environment, said) in [
        (loopback, &who[..1], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (loopback, &[("AWS_ACCESS_KEY_ID", " "), ("AWS_SECRET_ACCESS_KEY", "")], "nobody to ask as"),
        ("http://s3.example.com", &who, "http is for loopback alone"),
        ("https://AKID:hidden@s3.example.com", &who, "it is no URL of an endpoint"),
        ("s3.example.com", &who, "it is no URL of an endpoint"),
    ] {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let answer =
            process(&["serve", "--ca", "endpoint-ca.pem", "--s3-endpoint", url], environment, folder);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{url}");
        assert!(answer.stderr.contains(said) && answer.stderr.contains("; mend: "), "{}", answer.stderr);
        assert!(answer.stderr.lines().count() == 1 && !answer.stderr.contains("hidden"), "{}", answer.stderr);
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = std::env::temp_dir().join(format!("bakproof-port-{port}.pem"));
    let answer = bakproof(&["serve", "--port", &port, "--ca", folder.to_str().unwrap()]);
    let _ = std::fs::remove_file(folder);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
    assert!(answer.stderr.contains(&format!("127.0.0.1:{port} cannot be listened on")), "{}", answer.stderr);
}

/// The command with its API on loopback, until it is dropped.
struct Served {
    process: std::process::Child,
    lines: std::io::BufReader<std::process::ChildStdout>,
    http: String,
}

impl Served {
    /// The quickstart, whose time passes by `step`.
    fn start() -> Self {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let mut process = std::process::Command::new(crate::command::executable())
            .args(["serve", "--manual", "--json", "--ca", "serve-ca.pem"])
            .current_dir(folder)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(process.stdout.take().unwrap());
        let mut ready = String::new();
        lines.read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        let http = ready["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { process, lines, http }
    }

    /// Lets the story go on.
    fn step(&mut self, by: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "step {by}").unwrap();
        let mut now = String::new();
        self.lines.read_line(&mut now).unwrap();
        assert!(now.ends_with("Z\n"), "{now}");
    }

    /// Sends bytes as they are and reads until the server hangs up.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = std::net::TcpStream::connect(&self.http).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
        // A server that has refused already may have hung up.
        let _ = socket.write_all(bytes);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// Status and body of a request.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, serde_json::Value) {
        let (host, length) = (&self.http, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        let answer = self.raw(request.as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_api_answers_while_the_story_goes_on() {
    let mut served = Served::start();
    let database = "/v1/instances/ledger/databases/general-ledger";
    let (status, nothing) = served.ask("GET", &format!("{database}/window"), "", "");
    assert_eq!((status, &nothing["name"]), (404, &"NothingInVault".into()), "{nothing}");
    served.step("3h 20m");
    let (_, window) = served.ask("GET", &format!("{database}/window"), "", "");
    let to = window["databases"][0]["intervals"][0]["to"].as_str().unwrap();
    let (status, plan) = served.ask("GET", &format!("{database}/plan?at={to}"), "", "");
    assert_eq!((status, plan["recovers_to"].as_str()), (200, Some(to)), "{plan}");

    let key = "Idempotency-Key: 1\r\nContent-Type: application/json\r\n";
    let (status, accepted) = served.ask("POST", &format!("{database}/backups"), key, r#"{"kind":"full"}"#);
    assert_eq!(status, 202, "{accepted}");
    served.step("2h");
    let task = format!("/v1/instances/ledger/tasks/{}", accepted["task"].as_str().unwrap());
    assert_eq!(served.ask("GET", &task, "", "").1["state"], "succeeded");
    assert_eq!(served.ask("GET", "/v1/fleet", "", "").1["instances"][0]["beyond_count"], 0);
    // A slash of a name, by our own escape and by the one that a gateway would undo.
    for written in ["a~2Fb", "a%2Fb"] {
        let (status, unknown) =
            served.ask("GET", &format!("/v1/instances/ledger/databases/{written}/window"), "", "");
        let detail = unknown["detail"].as_str().unwrap();
        assert!(status == 404 && detail.contains("\"a/b\""), "{unknown}");
    }
}

#[test]
fn what_is_no_request_of_ours_is_refused_and_harms_nobody() {
    let served = Served::start();
    let large = "x".repeat(70_000);
    for (method, path, headers, body, status) in [
        ("GET", "/", "", "", 404),
        ("DELETE", "/v1/fleet", "", "", 405),
        ("GET", "/v1/fleet?limit=%", "", "", 400),
        ("GET", "/v1/instances/%ff", "", "", 400),
        ("PUT", "/v1/vaults/x", "Content-Type: text/plain\r\n", "{}", 415),
        ("PUT", "/v1/vaults/x", "", "{", 400),
        ("PUT", "/v1/vaults/x", "", large.as_str(), 413),
        ("GET", "/v1/fleet", "Accept: text/html\r\n", "", 406),
    ] {
        assert_eq!(served.ask(method, path, headers, body).0, status, "{method} {path} {headers}");
    }
    // A page whose name was led to loopback.
    let rebound =
        served.raw(b"GET /v1/fleet HTTP/1.1\r\nHost: attacker.example\r\nConnection: close\r\n\r\n");
    assert!(rebound.starts_with("HTTP/1.1 421 "), "{rebound}");
    for bytes in [&b"\x16\x03\x01\x00\x05hello"[..], b"GET / HTTP/9\r\n\r\n", b"\r\n\r\n\r\n\0\0"] {
        let answer = served.raw(bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(served.ask("GET", "/v1/instances", "", "").0, 200);
}
