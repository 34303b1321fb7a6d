//! How is a moment restored: which backups, in which order, stopped where?
//!
//! A plan is a value with nothing left to decide: it names backups and files, and a restore carries it out step by step.
//! Rules, from "Restore sequences", "Apply transaction log backups", "Recovery paths" and the RESTORE arguments in the SQL
//! Server documentation:
//!
//! - A restore begins with a full or copy-only full, goes on with at most one differential on that full, then with logs by LSN
//!   and recovery fork. Every step leaves the database restoring; a step of its own recovers it.
//! - Every log carries the same STOPAT; it applies what was committed before. A data backup cannot be stopped inside, nor can a
//!   log with bulk-logged changes (4341): both end before the moment or on it.
//! - The newest data backup that reaches the target wins: fewest logs. Where it is broken an older one takes its place.
//! - A moment that two recovery forks hold is that of the fork begun last; `latest` is the fork of the newest backup.
//! - What RESTORE cannot tell apart is not claimed: a log that crosses a fork is stopped from the start of its backup on.
//!
//! Refuses to know T-SQL and procedures (`sqlserver::script`). Whether a plan is right is asked of [`check`], which shares no
//! code with what made it.

mod check;
mod ground;
mod latest;
mod refusal;
mod route;
mod search;
mod written;

use std::cell::OnceCell;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

pub use check::{Objection, check};
pub use refusal::Refusal;

use crate::backup::{Backup, HeldIn};
use crate::chain::{self, State};
use crate::coverage::rows::{Role, Rows};
use crate::coverage::{self, Reach, Target as Place};
use crate::history::Lineage;
use crate::id::BackupId;
use crate::lsn::Lsn;
use ground::Ground;
use route::{Begin, Route};
use search::Search;

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Everything committed before this moment.
    Moment(Timestamp),
    /// As far as the fork of the newest backup reaches.
    Latest,
    /// Every log record below this LSN.
    Lsn(Lsn),
    /// What this full, copy-only full or differential holds, and nothing else.
    Point(BackupId),
}

/// A question to the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is to be restored.
    pub at: Target,
    /// Where a database that is already restoring stands (`redo_start_lsn`, `redo_start_fork_guid` of `sys.master_files`):
    /// only logs follow.
    pub continue_from: Option<State>,
}

impl Request {
    /// From the beginning.
    pub const fn at(at: Target) -> Self {
        Self { at, continue_from: None }
    }
}

/// What one step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// RESTORE DATABASE of a full or copy-only full.
    RestoreFull,
    /// RESTORE DATABASE of a differential on it.
    RestoreDifferential,
    /// RESTORE LOG.
    RestoreLog,
    /// RESTORE DATABASE WITH RECOVERY and nothing else.
    Recover,
}

/// One step of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// The backup it applies; `None` for [`Action::Recover`].
    pub backup: Option<BackupId>,
    /// Its files in stripe order; empty where none are known, or where RDS still keeps the log.
    pub files: Vec<Arc<str>>,
    /// Whether the database stays restoring.
    pub norecovery: bool,
    /// STOPAT: what was committed before it is applied. The same on every log.
    #[serde(serialize_with = "moment")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub stop_at: Option<Timestamp>,
    /// STOPBEFOREMARK with an LSN: records below it are applied. Only where an LSN inside a log was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_before_lsn: Option<Lsn>,
    /// FILE: the number of the backup set in its media set, where several share its files and it is not the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_number: Option<u32>,
}

/// A way to restore a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// Name of the database as its newest backup has it.
    pub database: Arc<str>,
    /// Identity of the lineage.
    pub lineage: String,
    /// Where the plan can be carried out: RDS refuses some restores on Multi-AZ instances.
    pub target: Place,
    /// What a person should know before carrying it out, one sentence each.
    pub warnings: Vec<String>,
    /// In order.
    pub steps: Vec<Step>,
    /// The moment the database is restored to.
    #[serde(serialize_with = "coverage::time")]
    #[cfg_attr(feature = "schema", schemars(with = "Timestamp"))]
    pub recovers_to: Timestamp,
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
fn moment<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => coverage::time(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// Plans restores of one lineage: built in one pass over its backups, then each plan costs its own steps and a few searches.
pub struct Planner<'a> {
    rows: Rows<'a>,
    ground: Ground,
    /// For refusals: made for the first one.
    known: OnceCell<refusal::Known>,
}

/// A way found, and what it comes to.
struct Found {
    route: Route,
    stop_at: Option<Timestamp>,
    stop_before_lsn: Option<Lsn>,
    recovers_to: Timestamp,
    warnings: Vec<String>,
}

impl<'a> Planner<'a> {
    /// Looks at every backup of the lineage once.
    pub fn new(lineage: &'a Lineage) -> Self {
        Self::over(Rows::new(lineage), Reach::All)
    }

    /// Over rows that are known already, with those only that may be used.
    pub(crate) fn over(rows: Rows<'a>, reach: Reach) -> Self {
        let ground = Ground::new(&rows, reach);
        Self { rows, ground, known: OnceCell::new() }
    }

    /// The rows it plans over.
    pub(crate) const fn rows(&self) -> &Rows<'a> {
        &self.rows
    }

    /// The way to a moment of one fork: the row of the data backup it begins with, and the rows of its logs.
    pub(crate) fn way_to(&self, track: u32, at: Timestamp) -> Option<(u32, Vec<u32>)> {
        let route = self.route_to_moment(&mut Search::new(&Begin::Anchor), track, at)?;
        Some((route.anchor?, route.logs))
    }

    /// The data backup that ends on a moment and restores alone.
    pub(crate) fn ends_on(&self, at: Timestamp) -> Option<u32> {
        self.ground.ends_on(&self.rows, at)
    }

    /// The way to the end of a log.
    pub(crate) fn way_to_end(&self, log: u32) -> Option<(u32, Vec<u32>)> {
        let (track, end) = (self.rows.forks[log as usize].exit, self.backup(log).last_lsn);
        let route = self.route_to_end(&mut Search::new(&Begin::Anchor), track, end)?;
        Some((route.anchor?, route.logs))
    }

    /// Data backups of a fork that begin a restore, by `last_lsn`.
    pub(crate) fn anchors(&self, track: u32) -> &[u32] {
        &self.track(track).anchors
    }

    /// Readable logs that stay on a fork, by `last_lsn`.
    pub(crate) fn logs(&self, track: u32) -> &[u32] {
        &self.track(track).logs
    }

    /// The way to a target, or why there is none.
    ///
    /// # Errors
    /// A [`Refusal`] that names the hole the target lies in and the nearest moments on both sides.
    pub fn plan(&self, request: &Request) -> Result<Plan, Box<Refusal>> {
        let begin = Begin::of(request.continue_from.as_ref(), &self.rows);
        let found = match &request.at {
            Target::Moment(at) => self.moment(&begin, *at),
            Target::Latest => self.latest(&begin),
            Target::Lsn(lsn) => self.lsn(&begin, *lsn)?,
            Target::Point(id) if request.continue_from.is_none() => Some(self.point(id)?),
            Target::Point(id) => return Err(Box::new(refusal::point_of_restoring(id))),
        };
        match found {
            Some(found) => Ok(self.write(found)),
            None => Err(Box::new(self.refuse(request))),
        }
    }

    fn backup(&self, row: u32) -> &'a Backup {
        &self.rows.backups[row as usize]
    }

    /// A moment: a data backup that ends on it, else the fork begun last that holds it.
    fn moment(&self, begin: &Begin, at: Timestamp) -> Option<Found> {
        let found = |route, stop_at| {
            let warnings = Vec::new();
            Some(Found { route, stop_at, stop_before_lsn: None, recovers_to: at, warnings })
        };
        if matches!(begin, Begin::Anchor)
            && let Some(row) = self.ground.ends_on(&self.rows, at)
        {
            return found(Route::alone(row), None);
        }
        let mut search = Search::new(begin);
        let route =
            self.ground.begun_by(at).find_map(|track| self.route_to_moment(&mut search, track, at))?;
        let stop_at = (!route.logs.is_empty()).then_some(at);
        found(route, stop_at)
    }

    /// An LSN, on the fork begun last that holds it: the end of a backup, or a place inside a log.
    fn lsn(&self, begin: &Begin, lsn: Lsn) -> Result<Option<Found>, Box<Refusal>> {
        let tracks = self.ground.begun_by(Timestamp::MAX);
        let mut search = Search::new(begin);
        let mut holding = tracks.filter_map(|track| {
            let (route, inside) = self.route_to_lsn(&mut search, track, lsn)?;
            Some((track, route, inside))
        });
        let Some((track, route, inside)) = holding.next() else { return Ok(None) };
        let forks = 1 + holding.count();
        let mut warnings = Vec::new();
        if forks > 1 {
            warnings.push(format!(
                "LSN {lsn} lies on {forks} recovery forks; the plan follows the one begun last"
            ));
        }
        if !inside {
            let recovers_to = self.shown_until(track, &route, lsn);
            return Ok(Some(Found { route, stop_at: None, stop_before_lsn: None, recovers_to, warnings }));
        }
        // Commit times inside a log are not in any header: certain is what came before it.
        let last = route.logs.last().map(|row| self.backup(*row));
        let before = route.logs.iter().rev().nth(1).or(route.anchor.as_ref()).map(|row| self.backup(*row));
        let proven = match begin {
            Begin::At(standing) => standing.since(track),
            Begin::Anchor | Begin::Nowhere => None,
        };
        let recovers_to = before.map(Backup::certain_at).or(proven).unwrap_or_else(|| self.first_moment());
        if let Some(log) = last {
            if self.rows.lineage.is_rds() {
                return Err(Box::new(refusal::lsn_on_rds(lsn, log, before)));
            }
            let end = coverage::written(log.reaches());
            warnings.push(format!(
                "no header tells when LSN {lsn} was written: between {} and {end}, inside log {}",
                coverage::written(recovers_to),
                log.id
            ));
        }
        Ok(Some(Found { route, stop_at: None, stop_before_lsn: Some(lsn), recovers_to, warnings }))
    }

    /// Before everything that the history tells of.
    fn first_moment(&self) -> Timestamp {
        let starts = self.rows.backups.iter().map(|backup| backup.started.min(backup.finished));
        starts.min().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// A data backup alone.
    fn point(&self, id: &BackupId) -> Result<Found, Box<Refusal>> {
        let Some((row, backup)) = self.rows.lineage.find(id.as_str()) else {
            return Err(Box::new(refusal::unknown_point(id, &self.rows)));
        };
        match self.rows.roles[row] {
            Role::Anchor | Role::Alone => Ok(Found {
                route: Route::alone(u32::try_from(row).unwrap_or(u32::MAX)),
                stop_at: None,
                stop_before_lsn: None,
                recovers_to: backup.finished,
                warnings: Vec::new(),
            }),
            _ => Err(Box::new(self.refuse_point(backup))),
        }
    }

    /// A way as a plan.
    fn write(&self, found: Found) -> Plan {
        let Found { route, stop_at, stop_before_lsn, recovers_to, mut warnings } = found;
        let mut steps = Vec::with_capacity(route.logs.len() + 3);
        if let Some(anchor) = route.anchor.map(|row| self.backup(row)) {
            let base = chain::anchor(anchor, self.rows.lineage).ok().flatten();
            steps.extend(base.map(|base| step(Action::RestoreFull, base)));
            let action = if base.is_some() { Action::RestoreDifferential } else { Action::RestoreFull };
            steps.push(step(action, anchor));
            warnings.extend(self.passed_over(anchor, recovers_to));
        }
        for row in &route.logs {
            steps.push(Step { stop_at, ..step(Action::RestoreLog, self.backup(*row)) });
        }
        if let Some(last) = steps.last_mut() {
            last.stop_before_lsn = stop_before_lsn;
        }
        warnings.extend(self.to_be_copied(&route));
        warnings.extend(self.rows.warnings(self.ground.clock_jump.map(|row| row as usize)));
        let is_chain = steps.len() > 1;
        let (files, recover) = (Vec::new(), Action::Recover);
        steps.push(Step {
            action: recover,
            backup: None,
            files,
            norecovery: false,
            stop_at: None,
            stop_before_lsn: None,
            file_number: None,
        });
        Plan {
            database: Arc::clone(self.rows.lineage.database()),
            lineage: self.rows.lineage.id().to_owned(),
            target: Place::of(self.rows.lineage, is_chain),
            warnings,
            steps,
            recovers_to,
        }
    }

    /// Logs that RDS still keeps must be copied before they can be restored.
    fn to_be_copied(&self, route: &Route) -> Option<String> {
        let logs =
            || route.logs.iter().map(|row| self.backup(*row)).filter(|log| log.held_in == HeldIn::Service);
        let (first, last, count) = (logs().next()?, logs().last()?, logs().count());
        Some(format!(
            "{count} logs, {} to {}, are only in the RDS service: copy them with rds_tlog_backup_copy_to_S3 before the instance is lost",
            first.id, last.id
        ))
    }

    /// A newer data backup that the plan could not use.
    fn passed_over(&self, anchor: &Backup, recovers_to: Timestamp) -> Option<String> {
        let (row, count) = self.ground.passed_over(&self.rows, anchor, recovers_to)?;
        let backup = self.backup(row);
        let why = match chain::anchor(backup, self.rows.lineage) {
            Err(chain::NoAnchor::Defect(defect)) => defect.to_string(),
            Err(chain::NoAnchor::Orphan(orphan)) => format!("cannot be used: {orphan}"),
            _ => "cannot be used".to_owned(),
        };
        let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
        Some(format!(
            "{} {} would have been nearer but {why}{more}: the plan begins with the older {} {}",
            backup.kind.noun(),
            backup.id,
            anchor.kind.noun(),
            anchor.id
        ))
    }
}

fn step(action: Action, backup: &Backup) -> Step {
    Step {
        action,
        backup: Some(backup.id.clone()),
        files: backup.stripes.files().iter().flatten().map(Arc::clone).collect(),
        norecovery: true,
        stop_at: None,
        stop_before_lsn: None,
        file_number: backup.position.filter(|number| *number > 1),
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
