//! A story to simulate: what exists, what is promised, how long, and what it must come to.
//!
//! Written in TOML by people, so every mistake is one line: where, what, how to mend.

pub mod discovery;
pub mod event;
pub mod expect;
pub mod lives;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::calendar::{DailyWindow, WeeklyWindow};
use domain::facts::MultiAz;
use domain::limits::Profile;
use domain::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use discovery::DiscoverySpec;
use event::Event;
use expect::Expectation;

/// The scenario that runs when none is named.
pub const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.toml");

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// Seed of all chance.
    pub seed: u64,
    /// First moment.
    pub start: Timestamp,
    /// Length in days, 1 to 400.
    pub days: u32,
    /// What is promised to all databases.
    pub policy: Policy,
    /// Where backups go.
    pub vault: VaultSpec,
    /// What discovery enrols; without, everything is enrolled by hand before the first moment.
    pub discovery: Option<DiscoverySpec>,
    /// Instances.
    #[serde(rename = "instance")]
    pub instances: Vec<InstanceSpec>,
    /// Whether events of RDS and of Step Functions are heard; nothing that is promised depends on them.
    #[serde(default)]
    pub hears_events: bool,
    /// What else happens.
    #[serde(rename = "event", default)]
    pub events: Vec<Event>,
    /// Whether there is a bus that is told what happens.
    #[serde(default)]
    pub event_bus: bool,
    /// What it must come to, by measure.
    #[serde(default)]
    pub expect: BTreeMap<String, Expectation>,
    /// What the command line calls it; empty for the bundled one.
    #[serde(skip)]
    pub file: String,
    /// Where the scenario was read from; histories are looked for beside it.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// Where backups go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSpec {
    /// Name.
    pub name: String,
    /// Bucket.
    pub bucket: String,
    /// Bucket for copied logs, where they have one of their own.
    pub log_bucket: Option<String>,
    /// Prefix.
    #[serde(default)]
    pub prefix: String,
    /// Region of the buckets; the instances' own when absent.
    #[serde(default = "region")]
    pub region: String,
    /// The limits that hold for it.
    #[serde(default)]
    pub profile: Profile,
}

/// One instance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceSpec {
    /// Identifier.
    pub name: String,
    /// Standby.
    pub multi_az: MultiAz,
    /// Window of the automated backup, UTC.
    pub backup_window: DailyWindow,
    /// Maintenance window, UTC.
    pub maintenance_window: WeeklyWindow,
    /// Days of automated backups.
    pub retention_days: u16,
    /// Region.
    #[serde(default = "region")]
    pub region: String,
    /// Mebibytes that one native task moves in a second.
    pub mib_per_second: u64,
    /// Minutes by which local time is ahead of UTC.
    #[serde(default)]
    pub utc_offset_minutes: i32,
    /// Instance class, such as `db.m6i.xlarge`, which holds so many databases; any number when absent.
    pub class: Option<String>,
    /// Gibibytes of storage, which fills; it never does when absent.
    pub storage_gib: Option<u64>,
    /// Tags, by which discovery may select it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Databases.
    #[serde(rename = "database")]
    pub databases: Vec<DatabaseSpec>,
}

/// One database, or several that differ in size and rate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Name; with `count`, a pattern with `{n}`.
    pub name: String,
    /// How many.
    #[serde(default = "one")]
    pub count: u32,
    /// Size, or sizes of the first and the last.
    pub size_gib: Spread,
    /// Commits a minute, or those of the first and the last.
    pub transactions_per_minute: Spread,
    /// Kibibytes of log a commit writes.
    #[serde(default = "log_kib")]
    pub log_kib_per_transaction: u64,
    /// How the rate changes over a week.
    #[serde(default)]
    pub rhythm: RhythmSpec,
    /// An exported history that the database goes on from, beside the scenario.
    pub history: Option<PathBuf>,
}

/// How a write rate changes over a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RhythmSpec {
    /// The same at all hours.
    #[default]
    Flat,
    /// Busy on working days from 8 to 18 UTC.
    Office,
}

/// One number, or a first and a last between which the others lie evenly on a logarithmic scale: real instances have few
/// large databases and many small ones.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Spread {
    /// The same for all.
    One(f64),
    /// First and last.
    Between([f64; 2]),
}

fn region() -> String {
    "eu-west-1".to_owned()
}

const fn one() -> u32 {
    1
}

const fn log_kib() -> u64 {
    8
}

impl Spread {
    /// The value of the `n`-th of `count`, from 0.
    pub fn at(self, n: u32, count: u32) -> f64 {
        match self {
            Self::One(value) => value,
            Self::Between([first, _]) if count < 2 => first,
            Self::Between([first, last]) => first * (last / first).powf(f64::from(n) / f64::from(count - 1)),
        }
    }

    fn is_positive(self) -> bool {
        let fine = |value: f64| value.is_finite() && value > 0.0;
        match self {
            Self::One(value) => fine(value),
            Self::Between([first, last]) => fine(first) && fine(last),
        }
    }
}

/// Why a scenario was refused: one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub struct ScenarioError {
    file: String,
    what: String,
}

/// Master user of every instance.
pub const USER: &str = "admin";

impl InstanceSpec {
    /// Every instance has a password of its own, so that a mix-up of secrets cannot go unnoticed.
    pub fn password(&self) -> String {
        format!("simulated-{}", self.name)
    }
}

impl Scenario {
    /// Reads a scenario from its text. `file` is what messages call it, `folder` where its histories lie.
    ///
    /// # Errors
    /// One line that names the field.
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self, ScenarioError> {
        let refuse = |what: String| ScenarioError { file: file.to_owned(), what };
        let mut scenario: Self = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            refuse(format!("line {line}: {}", error.message().replace('\n', " ")))
        })?;
        folder.clone_into(&mut scenario.folder);
        file.clone_into(&mut scenario.file);
        scenario.check().map_err(refuse)?;
        Ok(scenario)
    }

    /// The bundled one.
    pub fn quickstart() -> Result<Self, ScenarioError> {
        let mut scenario = Self::parse(QUICKSTART, "quickstart.toml", Path::new(""))?;
        scenario.file.clear();
        Ok(scenario)
    }

    /// First moment after the story.
    pub fn end(&self) -> Timestamp {
        self.start
            .saturating_add(SignedDuration::from_hours(24 * i64::from(self.days)))
            .unwrap_or(Timestamp::MAX)
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=400).contains(&self.days) {
            return Err(format!("days: {} is not in 1 to 400", self.days));
        }
        self.policy.validate().map_err(|reason| reason.message)?;
        if self.instances.is_empty() {
            return Err("instance: the scenario has none: add [[instance]]".to_owned());
        }
        let mut names: Vec<&str> = self.instances.iter().map(|instance| instance.name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(format!("instance: two are called {name}"));
        }
        for instance in &self.instances {
            if instance.mib_per_second == 0 {
                return Err(format!("instance {}: mib_per_second: 0 moves nothing", instance.name));
            }
            if instance.class.as_ref().is_some_and(|class| !class.starts_with("db.")) {
                return Err(format!("instance {}: class: write it as in db.m6i.xlarge", instance.name));
            }
            for database in &instance.databases {
                database.check().map_err(|what| {
                    format!("instance {}, database {}: {what}", instance.name, database.name)
                })?;
            }
        }
        if let Some(discovery) = &self.discovery {
            discovery.check(self)?;
        }
        for (number, event) in (1..).zip(&self.events) {
            event.check(self).map_err(|what| format!("event {number}: {what}"))?;
        }
        for (name, expectation) in &self.expect {
            expectation.check().map_err(|what| format!("expect.{name}: {what}"))?;
        }
        Ok(())
    }
}

impl DatabaseSpec {
    fn check(&self) -> Result<(), String> {
        if !(1..=5_000).contains(&self.count) {
            return Err(format!("count: {} is not in 1 to 5000", self.count));
        }
        if self.count > 1 && !self.name.contains("{n}") {
            return Err("name: several databases need a pattern with {n}".to_owned());
        }
        if !self.size_gib.is_positive() {
            return Err("size_gib: must be above zero".to_owned());
        }
        if !self.transactions_per_minute.is_positive() {
            return Err("transactions_per_minute: must be above zero".to_owned());
        }
        Ok(())
    }

    /// Names with size in bytes and thousandths of commits a minute.
    pub fn each(&self) -> impl Iterator<Item = (String, u64, u64)> + '_ {
        (0..self.count).map(|n| {
            let name = self.name.replace("{n}", &format!("{:03}", n + 1));
            let bytes = self.size_gib.at(n, self.count) * f64::from(1 << 30);
            let rate = self.transactions_per_minute.at(n, self.count) * 1_000.0;
            (name, whole(bytes), whole(rate))
        })
    }
}

/// Rounds to a whole number of at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked positive; sizes and rates lie far below 2^53, and a float cast saturates"
)]
fn whole(value: f64) -> u64 {
    (value.round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(change: impl FnOnce(String) -> String) -> String {
        Scenario::parse(&change(QUICKSTART.to_owned()), "s.toml", Path::new("")).unwrap_err().to_string()
    }

    #[test]
    fn the_quickstart_is_what_it_says() {
        let scenario = Scenario::quickstart().unwrap();
        let names: Vec<_> = scenario
            .instances
            .iter()
            .flat_map(|instance| instance.databases.iter().flat_map(DatabaseSpec::each))
            .collect();
        assert_eq!(names.len(), 30);
        assert_eq!(names[1].0, "tenant-001");
        assert_eq!((names[1].1, names[17].1), (1 << 30, 24 << 30));
        assert!(names[5].1 < names[6].1, "sizes grow");
        assert_eq!(scenario.end(), "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap());
    }

    #[test]
    fn mistakes_are_one_line_that_names_the_field() {
        for (from, to, expected) in [
            ("days = 7", "days = 0", "s.toml: days: 0 is not in 1 to 400"),
            ("days = 7", "dais = 7", "s.toml: line 10: unknown field `dais`"),
            ("window_days = 7", "window_days = 0", "objectives.window_days: 0 is not in 1 to 3650"),
            ("03:00-03:30", "03:00-03:05", "is no window: write hh:mm-hh:mm"),
            ("tenant-{n}", "tenant", "database tenant: name: several databases need a pattern with {n}"),
            ("name = \"ledger\"", "name = \"sales\"", "instance: two are called sales"),
            (
                "is = 30",
                "is = 30\nat_most = 3",
                "expect.databases_with_window: say `is`, or bounds, not both",
            ),
            (
                "mib_per_second",
                "class = \"m6i.large\"\nmib_per_second",
                "instance sales: class: write it as in db.m6i.xlarge",
            ),
            ("[vault]", "[vault", "s.toml: line"),
        ] {
            let message = said(|text| text.replacen(from, to, 1));
            assert!(message.contains(expected), "{to}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
}
