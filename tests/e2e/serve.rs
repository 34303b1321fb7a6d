//! `bakproof serve`, where nothing is served: what is wrong is said in one line. What is served is tried by `conformance/clients`.

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
