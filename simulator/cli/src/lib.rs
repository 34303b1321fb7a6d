//! The command `bakproof`: parses arguments, reads files, prints. One file for each subcommand.
//!
//! Refuses to know any rule: answers come from `domain` and `testbed`, the reading of histories from `sqlserver`. Exit codes:
//! 0 done, 1 refused or objected, 2 wrong usage or unreadable input (one line: what, where, mend).

mod bar;
mod forecast;
mod input;
mod limits;
mod output;
mod plan;
mod policy;
mod retain;
mod serve;
mod simulate;
mod window;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;

/// Done.
pub const DONE: u8 = 0;
/// Refused, or a checker objected.
pub const REFUSED: u8 = 1;
/// Wrong usage or unreadable input.
pub const UNREADABLE: u8 = 2;

/// Native backups of SQL Server that can prove what they restore.
#[derive(Debug, Parser)]
#[command(name = "bakproof", version, about, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands, each with its arguments in a file of its own.
#[derive(Debug, Subcommand)]
enum Command {
    /// Whether a policy can be kept on a fleet: slots, losses, restores, storage and cost a month, before anything runs
    Forecast(forecast::Arguments),
    /// Every limit of AWS and Microsoft with source and date, and the ranges of a policy's numbers
    Limits(limits::Arguments),
    /// How a moment is restored, as steps and as T-SQL, or why it cannot be
    Plan(plan::Arguments),
    /// What may be deleted by a policy and why, what stays and until when, with a proof
    Retain(retain::Arguments),
    /// Put the instances of a story on loopback, for any SQL client, while its time passes
    Serve(serve::Arguments),
    /// Run a story in virtual time, with the machines, functions and adapter that are deployed
    Simulate(simulate::Arguments),
    /// What can be restored, and every hole with cause and repair
    Window(window::Arguments),
}

/// Why a command stops: one line on the error stream, and the exit code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Input that cannot be read or names nothing: what, where, mend.
    #[error("{0}")]
    Unreadable(String),
    /// The output cannot be written.
    #[error("cannot write the answer: {0}; mend: check where the output goes")]
    Output(#[from] io::Error),
}

/// The process: reads the clock once, runs the command, maps its outcome to an exit code.
pub fn main() -> ExitCode {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a command line without --now asks the clock"
    )]
    let clock = Timestamp::now();
    let code = run(std::env::args_os(), clock, &mut io::stdout().lock(), &mut io::stderr().lock());
    ExitCode::from(code)
}

/// What is wrong with a command line, without the usage that follows it: one line, as all that cannot be read is told in.
fn in_one_line(usage: &str) -> String {
    let what = usage.split("\n\n").next().unwrap_or_default();
    let what: Vec<&str> = what.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; mend: see `bakproof --help`, or --help behind the command", what.join(" "))
}

/// Runs one command line (the first argument is the program's name) and answers with the exit code. `clock` is what `--now`
/// defaults to.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    clock: Timestamp,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Nobody is left to be told that the usage cannot be written.
            if usage.use_stderr() {
                let _ = writeln!(stderr, "{}", in_one_line(&usage.to_string()));
                return UNREADABLE;
            }
            let _ = write!(stdout, "{usage}");
            return DONE;
        }
    };
    let outcome = match arguments.command {
        Command::Forecast(arguments) => forecast::run(&arguments, stdout),
        Command::Limits(arguments) => limits::run(&arguments, stdout),
        Command::Plan(arguments) => plan::run(&arguments, clock, stdout),
        Command::Retain(arguments) => retain::run(&arguments, clock, stdout),
        Command::Serve(arguments) => serve::run(&arguments, stdout),
        Command::Simulate(arguments) => simulate::run(&arguments, stdout),
        Command::Window(arguments) => window::run(&arguments, clock, stdout),
    };
    match outcome.and_then(|code| stdout.flush().map(|()| code).map_err(Stop::Output)) {
        Ok(code) => code,
        // `bakproof window ... | head` is no failure.
        Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => DONE,
        Err(stop) => {
            let _ = writeln!(stderr, "{stop}");
            UNREADABLE
        }
    }
}
