//! Arrows between rooms: what a crate may depend on. The judge cannot borrow the accused's reasoning.

use super::{assert_none, root};

/// Crate, folder, rooms it may use outside tests.
const ARROWS: [(&str, &str, &[&str]); 13] = [
    ("domain", "functions/domain", &[]),
    ("ports", "functions/ports", &["domain"]),
    ("handlers", "functions/handlers", &["domain", "ports"]),
    ("aws", "functions/aws", &["domain", "ports", "sqlserver"]),
    ("sqlserver", "functions/sqlserver", &["domain", "ports"]),
    ("api", "functions/api", &["domain", "handlers", "ports", "sqlserver"]),
    ("lambdas", "functions/lambdas", &["api", "aws", "domain", "handlers", "ports", "sqlserver"]),
    ("asl", "simulator/asl", &[]),
    ("tds", "simulator/tds", &[]),
    ("world", "simulator/world", &["tds"]),
    (
        "testbed",
        "simulator/testbed",
        &["asl", "tds", "world", "domain", "ports", "handlers", "sqlserver", "api"],
    ),
    ("server", "simulator/server", &["tds", "world", "testbed", "api"]),
    ("cli", "simulator/cli", &["testbed", "domain", "sqlserver", "world", "server"]),
];

/// What the rules may use beside rooms: they stay synchronous, total and without I/O because nothing else is there.
const DOMAIN_LIBRARIES: [&str; 4] = ["serde", "thiserror", "jiff", "schemars"];

fn manifest(folder: &str) -> toml::Table {
    let path = root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("every room has a Cargo.toml");
    text.parse().expect("a Cargo.toml is TOML")
}

fn names(manifest: &toml::Table, table: &str) -> Vec<String> {
    manifest
        .get(table)
        .and_then(toml::Value::as_table)
        .map(|deps| deps.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn rooms_depend_on_nothing_but_what_they_may() {
    let rooms: Vec<&str> = ARROWS.iter().map(|(name, ..)| *name).collect();
    let mut findings = Vec::new();
    for (name, folder, allowed) in ARROWS {
        let manifest = manifest(folder);
        let package = manifest["package"]["name"].as_str().unwrap_or_default();
        if package != name {
            findings.push(format!("{folder}: the crate is called {package}: folder name = crate name"));
        }
        for dependency in names(&manifest, "dependencies") {
            if rooms.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{folder}: must not depend on {dependency}"));
            }
            if name == "domain" && !DOMAIN_LIBRARIES.contains(&dependency.as_str()) {
                findings.push(format!("{folder}: {dependency} is no library of the rules"));
            }
            if dependency.starts_with("aws-") && !["aws", "lambdas"].contains(&name) {
                findings.push(format!("{folder}: {dependency} stays behind functions/aws"));
            }
        }
        // Tests of the product may not lean on the simulator either; its rooms meet in tests/.
        if folder.starts_with("functions/") {
            for dependency in names(&manifest, "dev-dependencies") {
                if ["asl", "tds", "world", "testbed", "server", "cli"].contains(&dependency.as_str()) {
                    findings.push(format!(
                        "{folder}: nothing under functions/ knows the simulator, not even its tests"
                    ));
                }
            }
        }
    }
    assert_none("arrows", &findings);
}

#[test]
fn default_members_leave_the_sdk_out() {
    let manifest = manifest("");
    let members = manifest["workspace"]["default-members"].as_array().expect("a list of members");
    let with_sdk: Vec<_> = members
        .iter()
        .filter_map(toml::Value::as_str)
        .filter(|member| ["functions/aws", "functions/lambdas"].contains(member))
        .collect();
    assert!(with_sdk.is_empty(), "{with_sdk:?} build the SDK: leave them out of default-members");
}

/// Checkers know nouns only: ids, LSNs, times. The rules they judge with would be the rules they judge.
#[test]
fn checkers_use_no_rule() {
    let mut findings = Vec::new();
    for (path, text) in super::all() {
        if !path.starts_with("simulator/testbed/src/checkers") {
            continue;
        }
        for rule in [
            "chain",
            "coverage",
            "restore",
            "retention",
            "limits",
            "admission",
            "schedule",
            "slots",
            "history",
            "region",
        ] {
            if text.contains(&format!("domain::{rule}")) {
                findings.push(format!("{path}: uses domain::{rule}, the rule it judges"));
            }
        }
    }
    assert_none("checkers", &findings);
}

/// One TLS stack: with two, certificates are trusted by two sets of rules, and functions are twice as large.
#[test]
fn there_is_one_tls_stack() {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file is committed");
    let lock: toml::Table = text.parse().expect("a lock file is TOML");
    let packages = lock["package"].as_array().expect("a lock file lists packages");
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let count = |name: &str| names.iter().filter(|found| **found == name).count();
    assert_eq!((count("rustls"), count("aws-lc-rs")), (1, 1));
    let others = ["openssl", "openssl-sys", "native-tls", "boring", "s2n-tls", "wolfssl"];
    let found: Vec<String> =
        others.iter().filter(|name| count(name) > 0).map(|name| format!("{name} is locked")).collect();
    assert_none("TLS stacks", &found);
}
