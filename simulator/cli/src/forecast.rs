//! `bakproof forecast`: whether a policy can be kept on a fleet, what it stores and what it costs, before anything runs.
//!
//! Exit code 0 when it is feasible, 1 when it is not, 2 where a file cannot be read.

mod text;

use std::io::Write;
use std::path::{Path, PathBuf};

use domain::forecast::{Fleet, forecast};

use crate::{DONE, REFUSED, Stop, input, output, policy};

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
    let policy = policy::read(&arguments.policy)?;
    let fleet: Fleet = input::toml(&arguments.fleet)?;
    let answer = forecast(&policy, &fleet).map_err(|reason| wrong(&arguments.fleet, &reason.message))?;
    if arguments.json {
        output::json(&answer, out)?;
    } else {
        text::print(&answer, &policy, out)?;
    }
    Ok(if answer.feasible { DONE } else { REFUSED })
}

fn wrong(path: &Path, what: &str) -> Stop {
    Stop::Unreadable(format!("{}: {what}; mend: correct the file there", path.display()))
}
