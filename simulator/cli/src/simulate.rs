//! `bakproof simulate`: a story in virtual time, from its first moment to a verdict.
//!
//! Exit code 0 when everything held; 1 when a checker, an expectation of the scenario or an RPO promise did not.

use std::io::Write;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use testbed::scenario::Scenario;
use testbed::simulation::Simulation;

use crate::{DONE, REFUSED, Stop, input};

/// Arguments of `bakproof simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Scenario to run [default: the bundled quickstart]
    scenario: Option<PathBuf>,
    /// Seed of all chance [default: the scenario's]
    #[arg(long)]
    seed: Option<u64>,
    /// Length in days [default: the scenario's]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: Option<u32>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs and prints.
pub(crate) fn run(arguments: &Arguments, stdout: &mut dyn Write) -> Result<u8, Stop> {
    let scenario = scenario(arguments)?;
    let unreadable = |error: testbed::simulation::SimulationError| Stop::Unreadable(error.to_string());
    let bar = bar(&scenario);
    let start = scenario.start;
    let mut simulation = Simulation::new(scenario).map_err(unreadable)?;
    simulation.run(&mut |now| {
        bar.set_position(u64::try_from(now.duration_since(start).as_hours()).unwrap_or(0));
    });
    bar.set_message("judging");
    let report = simulation.report().map_err(unreadable)?;
    bar.finish_and_clear();
    if let Some(path) = &arguments.json {
        let mut text = serde_json::to_string_pretty(&report).map_err(|error| Stop::Output(error.into()))?;
        text.push('\n');
        std::fs::write(path, text).map_err(|error| {
            Stop::Unreadable(format!(
                "{}: cannot be written: {error}; mend: name a file that can",
                path.display()
            ))
        })?;
    }
    write!(stdout, "{report}")?;
    Ok(if report.holds { DONE } else { REFUSED })
}

fn scenario(arguments: &Arguments) -> Result<Scenario, Stop> {
    let mut scenario = input::scenario(arguments.scenario.as_deref())?;
    if let Some(seed) = arguments.seed {
        scenario.seed = seed;
    }
    if let Some(days) = arguments.days
        && days != scenario.days
    {
        scenario.days = days;
        // The numbers were worked out for the scenario's own length.
        scenario.expect.clear();
    }
    Ok(scenario)
}

/// A bar over the hours of the story, on the error stream and only where somebody watches.
fn bar(scenario: &Scenario) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(scenario.days) * 24);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} hour {pos} of {len} {msg}") {
        bar.set_style(style);
    }
    bar
}
