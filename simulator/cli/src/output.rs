//! What several subcommands print alike: JSON, and how many rows of a table a person reads.

use std::io::{self, Write};

use serde::Serialize;

/// Rows of a table that are shown; programs read `--json`.
pub(crate) const ROWS_MAX: usize = 40;

/// An answer for programs.
pub(crate) fn json(answer: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, answer)?;
    writeln!(out)
}

/// How many of so many rows were not shown.
pub(crate) fn rest(count: usize, out: &mut dyn Write) -> io::Result<()> {
    if count > ROWS_MAX {
        writeln!(out, "    ... and {} more (--json has them all)", count - ROWS_MAX)?;
    }
    Ok(())
}
