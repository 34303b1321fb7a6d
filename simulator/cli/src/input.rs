//! What several subcommands read alike: a history file, a moment, the choice of a database, a TOML file, a scenario.

use std::fs;
use std::path::{Path, PathBuf};

use domain::history::{History, Lineage};
use jiff::Timestamp;
use sqlserver::import::{self, SourceZone};
use testbed::scenario::{Scenario, ScenarioError};

use crate::Stop;

/// A history and which of its databases are asked about.
#[derive(Debug, clap::Args)]
pub(crate) struct HistoryArguments {
    /// History exported as JSON by `export_history.sql`
    pub(crate) history: PathBuf,
    /// Only this database
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Only this lineage, where one name had several lives
    #[arg(long, value_name = "ID")]
    pub(crate) lineage: Option<String>,
    /// Answer as of this moment (RFC 3339); backups finished later are ignored [default: the clock]
    #[arg(long, value_name = "TIME")]
    pub(crate) now: Option<Timestamp>,
    /// Time zone of rows that do not tell theirs: an offset or an IANA name [default: UTC, with a warning]
    #[arg(long, value_name = "ZONE")]
    pub(crate) source_zone: Option<SourceZone>,
}

/// A history, read.
pub(crate) struct Input {
    pub(crate) history: History,
    /// What was odd about the file.
    pub(crate) warnings: Vec<String>,
    pub(crate) now: Timestamp,
}

impl HistoryArguments {
    /// Reads the file and makes sure that the choice names something.
    pub(crate) fn read(&self, clock: Timestamp) -> Result<Input, Stop> {
        let now = self.now.unwrap_or(clock);
        let bytes = bytes(&self.history)?;
        let options = import::Options { source_zone: self.source_zone.clone() };
        let (history, warnings) = import::history(&bytes, &options, now)
            .map_err(|error| Stop::Unreadable(format!("{}: {error}", self.history.display())))?;
        let input = Input { history, warnings, now };
        self.check_choice(&input.history)?;
        Ok(input)
    }

    /// Whether a lineage is asked about.
    pub(crate) fn chooses(&self, lineage: &Lineage) -> bool {
        let named = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.to_lowercase() == name.to_lowercase())
        };
        named(&self.database, lineage.database()) && named(&self.lineage, lineage.id())
    }

    fn check_choice(&self, history: &History) -> Result<(), Stop> {
        if history.lineages().iter().any(|lineage| self.chooses(lineage)) {
            return Ok(());
        }
        let wanted = match (&self.database, &self.lineage) {
            (Some(name), None) => format!("no database {name:?}"),
            (None, Some(id)) => format!("no lineage {id:?}"),
            (Some(name), Some(id)) => format!("no database {name:?} of lineage {id:?}"),
            (None, None) => return Ok(()),
        };
        let mend = if history.lineages().is_empty() {
            "the file holds no backups".to_owned()
        } else {
            some(history.lineages().iter())
        };
        Err(Stop::Unreadable(format!("{}: {wanted}; mend: {mend}", self.history.display())))
    }

    /// The question is for one database, and the file holds none.
    pub(crate) fn nothing(&self, what: &str) -> Stop {
        Stop::Unreadable(format!("{}: {what}; mend: export the history again", self.history.display()))
    }

    /// The question is for one database, and these are meant.
    pub(crate) fn several<'a>(&self, what: &str, meant: impl Iterator<Item = &'a Lineage>) -> Stop {
        let mend = format!("{}, with --database or --lineage", some(meant));
        Stop::Unreadable(format!("{}: {what}; mend: {mend}", self.history.display()))
    }
}

fn one_of(lineage: &Lineage) -> String {
    format!("{} ({})", lineage.database(), lineage.id())
}

/// The first few of many.
fn some<'a>(lineages: impl Iterator<Item = &'a Lineage>) -> String {
    const NAMES_MAX: usize = 8;
    let names: Vec<String> = lineages.map(one_of).collect();
    let rest = names.len().saturating_sub(NAMES_MAX);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("choose one of {}{more}", names[..names.len() - rest].join(", "))
}

pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| {
        Stop::Unreadable(format!(
            "{}: cannot be read: {error}; mend: name a file that can be read",
            path.display()
        ))
    })
}

/// Reads a TOML file. What is wrong is told in one line: what, where, mend.
pub(crate) fn toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Stop> {
    let stop = |what: &str, mend: &str| Stop::Unreadable(format!("{}: {what}; mend: {mend}", path.display()));
    let bytes = bytes(path)?;
    let text = str::from_utf8(&bytes).map_err(|_| stop("is no text in UTF-8", "name a TOML file"))?;
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        let what: Vec<&str> = error.message().split_whitespace().collect();
        stop(&format!("{place}{}", what.join(" ")), "correct that line")
    })
}

/// A story, or the bundled one.
pub(crate) fn scenario(path: Option<&Path>) -> Result<Scenario, Stop> {
    let unreadable = |error: ScenarioError| Stop::Unreadable(error.to_string());
    let Some(path) = path else { return Scenario::quickstart().map_err(unreadable) };
    let text = fs::read_to_string(path).map_err(|error| {
        Stop::Unreadable(format!("{}: cannot be read: {error}; mend: name a scenario", path.display()))
    })?;
    Scenario::parse(&text, &path.display().to_string(), path.parent().unwrap_or(Path::new("")))
        .map_err(unreadable)
}
