//! Which moments of a database can be restored now, and why can the others not?
//!
//! A window is a set of intervals and points with every hole between them named. One pass over a lineage in LSN order,
//! O(n log n). Refuses to know plans (which files, which T-SQL) and policies. Rules that this file and its parts follow:
//!
//! - An anchor is a usable full, copy-only full, or differential on a usable base. A log applies by LSN and fork (`chain`).
//! - An interval is a maximal run of restorable moments on one recovery path: from the finish of its earliest anchor to
//!   `last_valid_restore_time`, else the finish, of the last contiguous log. Later anchors inside are not listed.
//! - A log with bulk-logged changes applies whole: the interval ends before it, the next begins at its finish, same anchor.
//! - A log that crosses a recovery fork begins an interval at its START: that moment certainly lies on the new branch.
//!   Moments between the old branch's last and the new branch's first restorable moment are a hole of cause `fork`.
//! - Points are anchors that lie in no interval of more than one moment.
//! - Holes are the complement between the first and the last restorable moment, one for each gap, with the first LSN that
//!   fails as cause. Where no LSN fails (a full that finished after `last_valid_restore_time`) there is no hole. Before
//!   the first moment a hole exists only where backups lie there; its cause is `before_first_backup` unless one of them is a
//!   data backup that would have served but for a defect. Behind the last moment only where backups lie that cannot be used.
//! - A clock that jumped back makes no interval shorter: its end is the latest end of its logs.

mod holes;
mod moments;
pub(crate) mod rows;
mod sweep;
mod timeline;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::backup::HeldIn;
use crate::history::{History, Lineage};
use crate::id::BackupId;
use crate::lsn::Lsn;
pub use moments::Moments;
pub(crate) use sweep::Reach;
pub(crate) use timeline::Span;

/// Where the answer holds: RDS refuses some restores on Multi-AZ instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A Single-AZ instance: older texts of the RDS user guide refuse all but single fulls on Multi-AZ, the newest is silent.
    SingleAz,
    /// A Multi-AZ instance.
    MultiAz,
    /// Anywhere.
    Any,
}

impl Target {
    /// Where backups of a lineage can be restored, one alone or several in a chain.
    pub(crate) const fn of(lineage: &Lineage, needs_chain: bool) -> Self {
        if needs_chain && lineage.is_rds() { Self::SingleAz } else { Self::Any }
    }
}

/// The logs a restore applies from an interval's anchor to its end. Empty logs are no steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Logs {
    /// How many, at least.
    pub count: u32,
    /// The first of them.
    pub first: Option<BackupId>,
    /// The last of them.
    pub last: Option<BackupId>,
}

/// A run of moments, both ends restorable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interval {
    /// First moment.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub from: Timestamp,
    /// Last moment.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub to: Timestamp,
    /// The data backup a restore begins with (a differential brings its base).
    pub anchor: BackupId,
    /// The logs to the end of the interval.
    pub logs: Logs,
    /// `service` where a log on the way is not in the vault.
    pub held_in: HeldIn,
}

/// One moment that restores from a data backup alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// The moment.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub at: Timestamp,
    /// The backup.
    pub backup: BackupId,
}

/// A backup that no restore can use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrphanBackup {
    /// The backup.
    pub backup: BackupId,
    /// Why, in a sentence.
    pub why: String,
}

/// Why a moment cannot be restored: the first LSN that fails, not its consequences. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No log holds the LSN.
    LogGap,
    /// The log that holds it has bulk-logged changes and cannot be stopped inside.
    BulkLogged,
    /// The backup that holds it is damaged.
    Damaged,
    /// A stripe of the backup that holds it is missing.
    MissingStripe,
    /// Nothing to begin a restore with.
    NoAnchor,
    /// The moment lies on a recovery path that was left, or on none that anything reaches.
    Fork,
    /// The SIMPLE recovery model keeps no log.
    SimpleRecovery,
    /// The backup that holds it is encrypted under a key that cannot be used.
    UnreadableKey,
    /// The backup that holds it lies in an archive storage class.
    Archived,
    /// The import lacks what would prove the chain.
    IncompleteImport,
    /// Before the first full.
    BeforeFirstBackup,
}

/// Moments that cannot be restored, exclusive of both ends where those are restorable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hole {
    /// The last moment before it.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub from: Timestamp,
    /// The first moment after it.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub to: Timestamp,
    /// The first LSN that fails.
    pub from_lsn: Option<Lsn>,
    /// The LSN at which backups go on.
    pub to_lsn: Option<Lsn>,
    /// Why.
    pub cause: Cause,
    /// Which backups, in a sentence.
    pub detail: String,
    /// What to do, in a sentence.
    pub repair: String,
}

/// What can be restored of one lineage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Window {
    /// Name of the database.
    pub database: Arc<str>,
    /// Identity of the lineage.
    pub lineage: String,
    /// Where the answer holds.
    pub target: Target,
    /// By time.
    pub intervals: Vec<Interval>,
    /// By time.
    pub points: Vec<Point>,
    /// In LSN order.
    pub orphans: Vec<OrphanBackup>,
    /// By time.
    pub holes: Vec<Hole>,
}

/// The answer of `bakproof window`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// The moment the question was asked.
    #[serde(serialize_with = "time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub now: Timestamp,
    /// What was odd, one sentence each.
    pub warnings: Vec<String>,
    /// One for each lineage.
    pub databases: Vec<Window>,
}

/// RFC 3339 UTC with a fraction: milliseconds, or nanoseconds where the time has them.
pub(crate) fn time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&written(*at))
}

/// A moment as the JSON contracts write it.
pub fn written(at: Timestamp) -> String {
    if at.subsec_nanosecond() % 1_000_000 == 0 { format!("{at:.3}") } else { format!("{at:.9}") }
}

impl Cause {
    /// The word of the JSON contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogGap => "log_gap",
            Self::BulkLogged => "bulk_logged",
            Self::Damaged => "damaged",
            Self::MissingStripe => "missing_stripe",
            Self::NoAnchor => "no_anchor",
            Self::Fork => "fork",
            Self::SimpleRecovery => "simple_recovery",
            Self::UnreadableKey => "unreadable_key",
            Self::Archived => "archived",
            Self::IncompleteImport => "incomplete_import",
            Self::BeforeFirstBackup => "before_first_backup",
        }
    }
}

impl Window {
    /// The hole the moment lies in; holes are ordered and do not overlap.
    pub fn hole_at(&self, moment: Timestamp) -> Option<&Hole> {
        self.holes.get(self.holes.partition_point(|hole| hole.to < moment)).filter(|hole| hole.from <= moment)
    }
}

/// What can be restored of one lineage, and what was odd about it. O(n log n) in the backups of the lineage.
pub fn window(lineage: &Lineage) -> (Window, Vec<String>) {
    let (window, odd, _) = looked_at(lineage, &rows::Rows::new(lineage));
    (window, odd)
}

/// The same of rows that are known already, and the runs of [`spans`] with every backup.
pub(crate) fn looked_at(lineage: &Lineage, rows: &rows::Rows<'_>) -> (Window, Vec<String>, Vec<Span>) {
    let all = sweep::Sweep::run(rows, sweep::Reach::All);
    let in_vault = rows.has_service.then(|| sweep::Sweep::run(rows, sweep::Reach::Vault));
    let timeline = timeline::Timeline::new(rows, &all);
    let holes = holes::holes(rows, &all, &timeline);
    let intervals = timeline::intervals(rows, &timeline, &all, in_vault.as_ref());
    let window = Window {
        database: Arc::clone(lineage.database()),
        lineage: lineage.id().to_owned(),
        target: Target::of(lineage, timeline.needs_chain(rows)),
        intervals,
        points: timeline.points(rows),
        orphans: rows.orphans(),
        holes,
    };
    (window, rows.warnings(all.clock_jump), held(rows, Reach::All, timeline.spans))
}

/// The runs of restorable moments, fork by fork, with where they lie in the log: by time. They overlap where forks do.
pub(crate) fn spans(rows: &rows::Rows<'_>, reach: Reach) -> Vec<Span> {
    held(rows, reach, timeline::Timeline::new(rows, &sweep::Sweep::run(rows, reach)).spans)
}

fn held(rows: &rows::Rows<'_>, reach: Reach, mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| !span.is_point() || reach.holds(&rows.backups[span.start_row]));
    spans
}

/// The moments of runs.
pub(crate) fn moments(spans: &[Span]) -> Moments {
    Moments::of(spans.iter().map(|span| (span.from, span.to)))
}

/// The windows of all lineages that `select` chooses.
pub fn report(history: &History, now: Timestamp, select: impl Fn(&Lineage) -> bool) -> Report {
    let mut warnings = history.warnings().to_vec();
    let mut databases = Vec::new();
    for lineage in history.lineages().iter().filter(|lineage| select(lineage)) {
        let (window, odd) = window(lineage);
        warnings.extend(odd);
        databases.push(window);
    }
    Report { now, warnings, databases }
}

#[cfg(test)]
pub(crate) mod oracle;
#[cfg(test)]
mod tests;
