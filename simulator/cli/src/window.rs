//! `bakproof window`: what can be restored, every hole with cause and repair.
//!
//! Exit code 0, and 1 with `--strict` where there is a hole that is not merely the time before the first backup.

mod text;

use std::io::Write;

use domain::coverage::{self, Cause, Report};
use jiff::Timestamp;

use crate::input::HistoryArguments;
use crate::{DONE, REFUSED, Stop, output};

/// Arguments of `bakproof window`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    history: HistoryArguments,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 1 when there is a hole (but before the first backup)
    #[arg(long)]
    strict: bool,
}

/// Answers and prints.
pub(crate) fn run(arguments: &Arguments, clock: Timestamp, stdout: &mut dyn Write) -> Result<u8, Stop> {
    let input = arguments.history.read(clock)?;
    let mut report =
        coverage::report(&input.history, input.now, |lineage| arguments.history.chooses(lineage));
    report.warnings.splice(0..0, input.warnings);
    if arguments.json {
        output::json(&report, stdout)?;
    } else {
        text::print(&report, stdout)?;
    }
    Ok(if arguments.strict && has_hole(&report) { REFUSED } else { DONE })
}

fn has_hole(report: &Report) -> bool {
    let mut holes = report.databases.iter().flat_map(|database| &database.holes);
    holes.any(|hole| hole.cause != Cause::BeforeFirstBackup)
}
