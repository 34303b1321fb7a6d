//! A window for people: a bar, tables of intervals and points, holes with cause and repair, warnings.

use std::io::{self, Write};

use domain::backup::HeldIn;
use domain::coverage::{Report, Window};
use jiff::Timestamp;

use crate::bar;
use crate::output::{ROWS_MAX, rest};

/// A moment as people read it, without a fraction of zeros.
fn moment(at: Timestamp) -> String {
    at.to_string()
}

/// Prints the report.
pub(super) fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "What can be restored, as of {}", moment(report.now))?;
    if report.databases.is_empty() {
        writeln!(out, "\nThe history holds no backups.")?;
    }
    for window in &report.databases {
        database(window, out)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out, "\nWarnings")?;
        for warning in &report.warnings {
            writeln!(out, "  - {warning}")?;
        }
    }
    Ok(())
}

fn database(window: &Window, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nDatabase {}  (lineage {})", window.database, window.lineage)?;
    if let Some((from, bar, to)) = bar::bar(window) {
        let (from, to) = (moment(from), moment(to));
        writeln!(out, "  {bar}")?;
        writeln!(out, "  {from}{to:>width$}", width = bar::CELLS.saturating_sub(from.len()))?;
        writeln!(out, "  {}", bar::LEGEND)?;
    }
    if window.intervals.is_empty() && window.points.is_empty() {
        writeln!(out, "  Nothing can be restored.")?;
    }
    intervals(window, out)?;
    points(window, out)?;
    holes(window, out)?;
    if !window.orphans.is_empty() {
        writeln!(out, "  Orphans")?;
        for orphan in window.orphans.iter().take(ROWS_MAX) {
            writeln!(out, "    {}: {}", orphan.backup, orphan.why)?;
        }
        rest(window.orphans.len(), out)?;
    }
    Ok(())
}

fn intervals(window: &Window, out: &mut dyn Write) -> io::Result<()> {
    if window.intervals.is_empty() {
        return Ok(());
    }
    writeln!(out, "  Any moment within")?;
    for interval in window.intervals.iter().take(ROWS_MAX) {
        let logs = match interval.logs.count {
            0 => "no logs".to_owned(),
            1 => "1 log".to_owned(),
            count => format!("{count} logs"),
        };
        let held =
            if interval.held_in == HeldIn::Service { ", some of them in the RDS service only" } else { "" };
        let (from, to) = (moment(interval.from), moment(interval.to));
        writeln!(out, "    {from} to {to}   on {} and {logs}{held}", interval.anchor)?;
    }
    rest(window.intervals.len(), out)
}

fn points(window: &Window, out: &mut dyn Write) -> io::Result<()> {
    if window.points.is_empty() {
        return Ok(());
    }
    writeln!(out, "  Exactly at")?;
    for point in window.points.iter().take(ROWS_MAX) {
        writeln!(out, "    {}   {}", moment(point.at), point.backup)?;
    }
    rest(window.points.len(), out)
}

fn holes(window: &Window, out: &mut dyn Write) -> io::Result<()> {
    if window.holes.is_empty() {
        return Ok(());
    }
    writeln!(out, "  Holes")?;
    for hole in window.holes.iter().take(ROWS_MAX) {
        let lsns = match (hole.from_lsn, hole.to_lsn) {
            (Some(from), Some(to)) => format!(", LSN {from} to {to}"),
            (Some(from), None) => format!(", from LSN {from}"),
            (None, Some(to)) => format!(", up to LSN {to}"),
            (None, None) => String::new(),
        };
        writeln!(out, "    {} to {}   {}{lsns}", moment(hole.from), moment(hole.to), hole.cause.as_str())?;
        writeln!(out, "      {}", hole.detail)?;
        writeln!(out, "      repair: {}", hole.repair)?;
    }
    rest(window.holes.len(), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{coverage, notation};

    #[test]
    fn people_are_told_everything_in_words() {
        let history = notation::history("F1 L2 | F4 S5 D6").unwrap();
        let report = coverage::report(&history, notation::finished(9), |_| true);
        let mut out = Vec::new();
        print(&report, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for part in [
            "Database db  (lineage db)",
            "2026-01-01T01:10:00Z to 2026-01-01T02:10:00Z   on 1 and 1 log",
            "Exactly at\n    2026-01-01T04:10:00Z   4",
            "log_gap, LSN 28 to 45",
            "repair: Find the log backup that holds LSN 28 to 45",
            "6: its base is the snapshot 5",
            "Warnings\n  - database db",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }
}
