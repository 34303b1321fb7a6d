//! A history exported from any SQL Server as one JSON file, read into backups.
//!
//! Rows are named as in `msdb.dbo.backupset`; `rds_tasks` and `rds_logs` join them for RDS. Unknown columns are ignored,
//! optional ones may lack, and a malformed row is refused by name: what, where, mend, in one line. Refuses to know what the
//! backups are good for. One pass over the bytes, no tree of values: a million rows take seconds.

mod cell;
mod clean;
mod dates;
mod document;
mod rds;
mod row;

use domain::backup::Backup;
use domain::history::{History, Incomplete};
use jiff::Timestamp;

pub use dates::SourceZone;

/// Why a file is no history. Prints as one line: `backups[17].first_lsn: what; mend: how`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; mend: {mend}")]
pub struct ImportError {
    /// Where: `backups[17].first_lsn`, or `line 3 column 7`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub mend: String,
}

impl ImportError {
    fn new(place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        // Values of the file appear in the sentences: a line break there must not make two lines of one.
        let line = |text: String| {
            if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text }
        };
        Self { place: line(place.into()), what: line(what.into()), mend: line(mend.into()) }
    }
}

/// How to read what the file leaves open.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The zone of rows that do not tell theirs (`time_zone` absent or 127); UTC with a warning where `None`.
    pub source_zone: Option<SourceZone>,
}

/// The array and index a backup came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    array: Array,
    index: u32,
}

/// The arrays of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Array {
    Backups,
    RdsTasks,
    RdsLogs,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let array = match self.array {
            Array::Backups => "backups",
            Array::RdsTasks => "rds_tasks",
            Array::RdsLogs => "rds_logs",
        };
        write!(f, "{array}[{}]", self.index)
    }
}

/// What a file held.
#[derive(Debug, Default)]
pub struct Imported {
    /// Backups with LSNs, in the order of the file.
    pub backups: Vec<Backup>,
    /// Rows without usable LSNs.
    pub incomplete: Vec<Incomplete>,
    /// What was odd, one sentence each.
    pub warnings: Vec<String>,
    origins: Vec<Origin>,
}

/// Reads the rows of a file.
pub fn read(bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    let text = clean::text(bytes)?;
    let refused = match document::read(&text, options) {
        Ok(imported) => return Ok(imported),
        Err(refused) => refused,
    };
    match clean::quoted(&text) {
        Some(quoted) => document::read(&quoted, options),
        None => Err(refused),
    }
}

/// Reads a file into a history as it was at `now`; answers with the history and what was odd about the file.
pub fn history(
    bytes: &[u8],
    options: &Options,
    now: Timestamp,
) -> Result<(History, Vec<String>), ImportError> {
    let Imported { backups, incomplete, warnings, origins } = read(bytes, options)?;
    let history = History::build(backups, incomplete, now).map_err(|conflict| {
        let name = |row: usize| origins.get(row).map_or_else(|| "a row".to_owned(), Origin::to_string);
        let (first, second) = (name(conflict.first_row), name(conflict.second_row));
        ImportError::new(
            format!("{second}.{}", crate::columns::backupset::BACKUP_SET_UUID),
            format!("{} is the id of {first} too, with different content", shown(conflict.id.as_str())),
            "keep the row that the server wrote and remove the other",
        )
    })?;
    Ok((history, warnings))
}

/// A value of the file, short enough for a sentence.
fn shown(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 50;
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
