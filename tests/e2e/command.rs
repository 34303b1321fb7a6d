//! Running `bakproof` in two ways: through the library, fast; and as a process, as a user does.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

/// What a command answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the command in this process, at a fixed clock.
pub(crate) fn bakproof(arguments: &[&str]) -> Answer {
    let clock: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    let arguments = std::iter::once("bakproof").chain(arguments.iter().copied()).map(OsString::from);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let code = cli::run(arguments, clock, &mut stdout, &mut stderr);
    Answer { code, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

/// Runs the command as a process with nothing of this one's environment but what is given.
pub(crate) fn process(arguments: &[&str], environment: &[(&str, &str)], folder: &Path) -> Answer {
    let output = Command::new(executable())
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap();
    Answer {
        code: u8::try_from(output.status.code().unwrap()).unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `target/<profile>/examples/bakproof-process`, beside the folder of this test.
pub(crate) fn executable() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("bakproof-process{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is missing: cargo build -p tests --example bakproof-process", path.display());
    path
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A file with this content in a folder that Cargo keeps for tests of this package.
pub(crate) fn file(name: &str, content: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
