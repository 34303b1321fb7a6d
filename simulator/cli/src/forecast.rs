//! `bakproof forecast`: whether a policy can be kept on a fleet, what it stores and what it costs, before anything runs.
//!
//! Exit code 0 when it is feasible, 1 when it is not, 2 where a file cannot be read.

mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use domain::forecast::{Fleet, forecast};
use domain::policy::Policy;
use serde::de::DeserializeOwned;

use crate::{DONE, REFUSED, Stop};

/// Arguments of `bakproof forecast`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Policy, as TOML
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Fleet, as TOML: instances and databases with sizes, rates and speeds
    #[arg(long, value_name = "FILE")]
    fleet: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Reckons and prints.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Stop> {
    let policy = policy(&arguments.policy)?;
    let fleet: Fleet = read(&arguments.fleet)?;
    policy.validate().map_err(|reason| wrong(&arguments.policy, &reason.message))?;
    let answer = forecast(&policy, &fleet).map_err(|reason| wrong(&arguments.fleet, &reason.message))?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &answer).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        text::print(&answer, &policy, out)?;
    }
    Ok(if answer.feasible { DONE } else { REFUSED })
}

/// The policy, in which no word is passed over: a misspelt `retention` would keep nothing.
fn policy(path: &Path) -> Result<Policy, Stop> {
    let table: toml::Table = read(path)?;
    if let Some(unknown) = table.keys().find(|key| !Policy::FIELDS.contains(&key.as_str())) {
        let what = format!("unknown field `{unknown}`, expected one of {}", Policy::FIELDS.join(", "));
        return Err(wrong(path, &what));
    }
    read(path)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Stop> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Stop::Unreadable(format!(
            "{}: cannot be read: {error}; mend: name a file that can be read",
            path.display()
        ))
    })?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        wrong(path, &format!("line {line}: {}", error.message().replace('\n', " ")))
    })
}

fn wrong(path: &Path, what: &str) -> Stop {
    Stop::Unreadable(format!("{}: {what}; mend: correct the file there", path.display()))
}
