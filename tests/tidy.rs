//! The house, held by a test: arrows between rooms, sizes of files, what READMEs name, what machines must handle.
//!
//! What rustc or clippy can hold is not here. Every finding is one line: where, what, how to mend.

#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/machines.rs"]
mod machines;

use std::path::{Path, PathBuf};

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout").to_path_buf()
}

/// Every file of the checkout that is ours: build output, caches and git's own are not.
fn ours(dir: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("a folder of the checkout can be read")
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            if !["target", ".git", "node_modules", "__pycache__"].contains(&name.as_str()) {
                ours(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// All our files, relative to the checkout, with their text where they are text.
fn all() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    ours(&root, &mut found);
    found
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let relative = path.strip_prefix(&root).ok()?.to_str()?.to_owned();
            Some((relative, text))
        })
        .collect()
}

fn assert_none(what: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{what}:\n{}", findings.join("\n"));
}
