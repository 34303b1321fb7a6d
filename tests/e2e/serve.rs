//! `bakproof serve`, where nothing is served: what is wrong is said in one line. What is served is tried by `conformance/clients`.

use crate::command::bakproof;

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
