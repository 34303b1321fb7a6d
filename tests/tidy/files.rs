//! Sizes, heads, words, READMEs.
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "our own files, whose names we choose")]

use super::{all, assert_none, root};

const LINES_MAX: usize = 600;

#[test]
fn top_level_holds_what_was_agreed() {
    let agreed = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "functions",
        "infra",
        "simulator",
        "statemachine",
        "target",
        "tests",
    ];
    let findings: Vec<String> = std::fs::read_dir(root())
        .expect("the checkout can be read")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !agreed.contains(&name.as_str()))
        .map(|name| format!("{name}: move it into a room"))
        .collect();
    assert_none("top level", &findings);
}

#[test]
fn rust_files_are_short_and_say_what_they_are() {
    let mut findings = Vec::new();
    for (path, text) in all() {
        if !path.ends_with(".rs") {
            continue;
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            findings.push(format!("{path}: {lines} lines, {LINES_MAX} at most: split it by idea"));
        }
        if !text.starts_with("//!") {
            findings.push(format!("{path}: begin with `//!` and the question that the file answers"));
        }
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let comment = line.trim_start_matches('/').trim();
            if line.starts_with("//")
                && comment.len() >= 5
                && comment.bytes().all(|byte| b"-=*#_~".contains(&byte))
            {
                findings.push(format!("{path}:{}: a banner: delete it", number + 1));
            }
            let marker = ["TO", "DO"].concat();
            if line.contains(&format!("{marker}:")) || line.contains(&["FIX", "ME"].concat()) {
                findings.push(format!("{path}:{}: finish it or delete it", number + 1));
            }
        }
    }
    assert_none("rust files", &findings);
}

#[test]
fn no_file_is_dead() {
    let files = all();
    let sources: Vec<&(String, String)> = files.iter().filter(|(path, _)| path.ends_with(".rs")).collect();
    let manifests: String = files
        .iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml"))
        .map(|(_, text)| text.as_str())
        .collect();
    let mut findings = Vec::new();
    for (path, _) in &sources {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.trim_end_matches(".rs");
        let root_file = ["lib", "main"].contains(&stem)
            || folder.ends_with("/bin")
            || folder.ends_with("/tests")
            || folder.ends_with("/examples")
            || manifests.contains(&format!("\"{}\"", path.trim_start_matches("tests/")));
        let module = if stem == "mod" { folder.rsplit('/').next().unwrap_or_default() } else { stem };
        let raw = module.trim_start_matches("r#");
        let used = sources.iter().any(|(other, text)| {
            other != path
                && (text.contains(&format!("mod {raw};"))
                    || text.contains(&format!("mod r#{raw};"))
                    || text.contains(&format!("{name}\"")))
        });
        if !root_file && !used {
            findings.push(format!("{path}: no module declares it: use it or delete it"));
        }
    }
    assert_none("dead files", &findings);
}

/// The rooms: every one explains itself, and names only files that exist.
#[test]
fn every_room_has_a_readme_that_names_what_exists() {
    let rooms = [
        "",
        "functions/",
        "functions/domain/",
        "functions/ports/",
        "functions/handlers/",
        "functions/aws/",
        "functions/sqlserver/",
        "functions/lambdas/",
        "statemachine/",
        "infra/",
        "simulator/",
        "simulator/asl/",
        "simulator/tds/",
        "simulator/world/",
        "simulator/testbed/",
        "simulator/server/",
        "simulator/cli/",
        "tests/",
    ];
    let files = all();
    let mut findings = Vec::new();
    for room in rooms {
        let path = root().join(room).join("README.md");
        let Ok(text) = std::fs::read_to_string(&path) else {
            findings.push(format!("{room}README.md: write it: map, invariants, why"));
            continue;
        };
        let below = ["functions/", "simulator/", ""].contains(&room);
        if !below && !text.contains("## Why") {
            findings.push(format!("{room}README.md: say why, under `## Why`"));
        }
        for word in text.split('`').skip(1).step_by(2) {
            let file = [".rs", ".json", ".toml", ".md", ".py", ".sql", ".yaml", ".sh"]
                .iter()
                .any(|end| word.ends_with(end));
            let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
            if !file || !plain || word.starts_with('.') {
                continue;
            }
            let exists = root().join(word).exists()
                || files.iter().any(|(path, _)| {
                    path.strip_prefix(room)
                        .is_some_and(|path| path == word || path.ends_with(&format!("/{word}")))
                });
            // Names of files that users bring are in capitals: `HISTORY.json`.
            let placeholder =
                word.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase()) && !word.ends_with(".md");
            if !exists && !placeholder {
                findings.push(format!("{room}README.md: names `{word}`, which does not exist"));
            }
        }
    }
    assert_none("READMEs", &findings);
}

/// The table of conformance: each test that it names is one, in the file that it names.
#[test]
fn the_table_of_conformance_names_tests_that_exist() {
    let files = all();
    let (_, text) = files.iter().find(|(path, _)| path == "simulator/README.md").expect("the table's README");
    let table = text.split("## Conformance").nth(1).expect("the table");
    let named: Vec<&str> = table.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() > 30, "the table names {} tests", named.len());
    let is_test = |file: &str, name: &str| {
        let declared = format!("fn {name}(");
        let ends = format!("/{file}.rs");
        files.iter().any(|(path, text)| {
            let before = text.split_once(&declared).map(|(before, _)| before);
            let marked = |before: &str| {
                let lines = before.trim_end_matches("async ").lines().rev().take(4);
                lines.into_iter().any(|line| line.trim().starts_with("#[test]") || line.contains("::test]"))
            };
            let room = ["simulator/", "tests/property/"].iter().any(|room| path.starts_with(room));
            room && path.ends_with(&ends) && before.is_some_and(marked)
        })
    };
    let missing = named.into_iter().filter(|word| {
        let (file, name) = word.split_once("::").unwrap_or_default();
        !is_test(file, name)
    });
    let findings: Vec<String> = missing
        .map(|word| format!("simulator/README.md: names the test `{word}`, which does not exist"))
        .collect();
    assert_none("a rule is shown by no test", &findings);
}
