//! Runs every conformance case: those of this crate, and those that other engines run too. The source of each expectation
//! is the Amazon States Language specification or the Step Functions developer guide.

use std::fs;
use std::path::Path;

use asl::script::Case;

#[test]
fn cases_of_this_crate() {
    run_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"), 20);
}

#[test]
fn cases_shared_with_other_engines() {
    run_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/asl/cases"), 25);
}

fn run_all(folder: &Path, least: usize) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("cases exist").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    assert!(paths.len() >= least, "{} holds only {} cases", folder.display(), paths.len());
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("readable");
        let case: Case = match serde_json::from_str(&text) {
            Ok(case) => case,
            Err(error) => {
                found.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        assert_eq!(stem, Some(case.name.as_str()), "a case is called as its file");
        assert!(case.expect.contains_key("status"), "{}: expects no status", case.name);
        match case.run() {
            Ok(trace) => {
                found.extend(case.differences(&trace).iter().map(|line| format!("{}: {line}", case.name)));
            }
            Err(why) => found.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
