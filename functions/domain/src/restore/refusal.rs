//! Why can a target not be restored, and what is nearest to it?

use jiff::Timestamp;
use serde::Serialize;

use super::{Objection, Planner, Request, Target};
use crate::backup::{Backup, Kind};
use crate::chain::{self, NoAnchor};
use crate::coverage::rows::Rows;
use crate::coverage::{Cause, Hole, Moments, Window, window, written};
use crate::history::Lineage;
use crate::id::BackupId;
use crate::lsn::Lsn;
use crate::reason::{Class, Reason};

use super::route::Begin;
use super::search::Search;

/// A target that cannot be restored: the reason, and the nearest moments that can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Name, class, sentence, guidance.
    #[serde(flatten)]
    pub reason: Reason,
    /// The last restorable moment before the target.
    #[serde(serialize_with = "super::moment")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub nearest_before: Option<Timestamp>,
    /// The first restorable moment after it.
    #[serde(serialize_with = "super::moment")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Timestamp>"))]
    pub nearest_after: Option<Timestamp>,
}

impl Refusal {
    /// A plan that [`check`](super::check) objects to: a fault of ours, and no plan to restore by.
    pub fn of_unsound(objection: &Objection) -> Self {
        Self::bare(
            Class::Human,
            "PlanUnsound",
            format!("the plan that was found does not hold: {objection}"),
            "this is a fault of the planner: report it with the history, and restore by hand meanwhile"
                .to_owned(),
        )
    }

    fn bare(class: Class, name: &'static str, message: String, guidance: String) -> Self {
        let reason = Reason::new(class, name, message).guidance(guidance);
        Self { reason, nearest_before: None, nearest_after: None }
    }
}

/// What is asked when something cannot be restored, made when the first target is refused.
pub(super) struct Known {
    window: Window,
    moments: Moments,
}

impl Known {
    fn of(lineage: &Lineage) -> Self {
        let window = window(lineage).0;
        let moments = window.moments();
        Self { window, moments }
    }
}

/// The name of the reason where a hole is one.
const fn name_of(cause: Cause) -> &'static str {
    match cause {
        Cause::LogGap => "LogGap",
        Cause::BulkLogged => "BulkLogged",
        Cause::Damaged => "Damaged",
        Cause::MissingStripe => "MissingStripe",
        Cause::NoAnchor => "NoAnchor",
        Cause::Fork => "Fork",
        Cause::SimpleRecovery => "SimpleRecovery",
        Cause::UnreadableKey => "UnreadableKey",
        Cause::Archived => "Archived",
        Cause::IncompleteImport => "IncompleteImport",
        Cause::BeforeFirstBackup => "BeforeFirstBackup",
    }
}

pub(super) fn point_of_restoring(id: &BackupId) -> Refusal {
    Refusal::bare(
        Class::Never,
        "PointNeedsBeginning",
        format!("{id} is a point to begin with; a database that is already restoring takes only logs"),
        "leave out --continue-from, or ask for a moment".to_owned(),
    )
}

pub(super) fn unknown_point(id: &BackupId, rows: &Rows<'_>) -> Refusal {
    let known =
        rows.backups.iter().rev().filter(|backup| backup.kind.is_data() && backup.kind != Kind::Snapshot);
    let known: Vec<&str> = known.take(3).map(|backup| backup.id.as_str()).collect();
    let guidance = if known.is_empty() {
        "the history of this database holds no data backup".to_owned()
    } else {
        format!("its newest data backups are {}", known.join(", "))
    };
    let message = format!("{} has no backup {id}", rows.lineage.database());
    Refusal::bare(Class::Never, "UnknownBackup", message, guidance)
}

pub(super) fn lsn_on_rds(lsn: Lsn, log: &Backup, before: Option<&Backup>) -> Refusal {
    let message = format!(
        "LSN {lsn} lies inside log {} ({} to {}), and rds_restore_log stops at a time only",
        log.id, log.first_lsn, log.last_lsn
    );
    let guidance = "ask for the LSN at which a backup ends, or for a moment".to_owned();
    let nearest_before = before.map(Backup::reaches);
    Refusal {
        nearest_before,
        nearest_after: Some(log.reaches()),
        ..Refusal::bare(Class::Never, "LsnInsideLog", message, guidance)
    }
}

impl Planner<'_> {
    fn known(&self) -> &Known {
        self.known.get_or_init(|| Known::of(self.rows.lineage))
    }

    /// The refusal of a data backup that restores nothing.
    pub(super) fn refuse_point(&self, backup: &Backup) -> Refusal {
        let (noun, id) = (backup.kind.noun(), &backup.id);
        let (name, why) = match chain::anchor(backup, self.rows.lineage) {
            Err(NoAnchor::Log) => ("NotAPoint", "begins no restore".to_owned()),
            Err(NoAnchor::Snapshot) => {
                ("NotOurs", "is a snapshot, which holds nothing to restore".to_owned())
            }
            Err(NoAnchor::Defect(defect)) => (name_of(defect.into()), defect.to_string()),
            Err(NoAnchor::Orphan(orphan)) => ("NoBase", format!("cannot be restored: {orphan}")),
            Ok(_) => ("Unproven", "is known from its task alone, which proves no base".to_owned()),
        };
        let refusal = Refusal::bare(
            Class::Never,
            name,
            format!("{noun} {id} {why}"),
            "choose another point, or a moment".to_owned(),
        );
        self.with_nearest(refusal, backup.finished)
    }

    fn with_nearest(&self, refusal: Refusal, at: Timestamp) -> Refusal {
        let (nearest_before, nearest_after) = self.known().moments.nearest(at);
        Refusal { nearest_before, nearest_after, ..refusal }
    }

    /// Why nothing leads to the target.
    pub(super) fn refuse(&self, request: &Request) -> Refusal {
        if let Some(state) = &request.continue_from {
            return self.refuse_from_here(request, state);
        }
        match &request.at {
            Target::Moment(at) => self.refuse_moment(*at),
            Target::Lsn(lsn) => self.refuse_lsn(*lsn),
            Target::Latest => self.refuse_latest(),
            Target::Point(id) => unknown_point(id, &self.rows),
        }
    }

    fn refuse_moment(&self, at: Timestamp) -> Refusal {
        let refusal = match self.known().window.hole_at(at) {
            Some(hole) => in_hole(&written(at), hole),
            None => self.beyond(at),
        };
        self.with_nearest(refusal, at)
    }

    /// A moment outside everything that is known.
    fn beyond(&self, at: Timestamp) -> Refusal {
        let (name, moment) = (self.rows.lineage.database(), written(at));
        match self.known().moments.nearest(at) {
            (None, None) => Refusal::bare(
                Class::Human,
                "NoAnchor",
                format!("nothing of {name} can be restored"),
                "take a full backup; `bakproof window` names what is missing of the old ones".to_owned(),
            ),
            (None, Some(first)) => Refusal::bare(
                Class::Never,
                "BeforeFirstBackup",
                format!("{moment} lies before {}, the first moment of {name} that can be restored", written(first)),
                "nothing to repair, unless an older full backup still exists: add it to the history".to_owned(),
            ),
            (Some(last), _) => Refusal::bare(
                Class::Wait,
                "AfterLastBackup",
                format!("{moment} lies behind {}, the last moment of {name} that can be restored", written(last)),
                "back up the log (the tail, where the database is lost) and ask again, or take the last moment"
                    .to_owned(),
            ),
        }
    }

    fn refuse_lsn(&self, lsn: Lsn) -> Refusal {
        let holds = |hole: &&Hole| {
            hole.from_lsn.is_some_and(|from| from <= lsn) && hole.to_lsn.is_none_or(|to| lsn <= to)
        };
        match self.known().window.holes.iter().find(holds) {
            Some(hole) => Refusal {
                nearest_before: self.known().moments.nearest(hole.from).0,
                nearest_after: self.known().moments.nearest(hole.to).1,
                ..in_hole(&format!("LSN {lsn}"), hole)
            },
            None => Refusal::bare(
                Class::Never,
                "LsnUnknown",
                format!("no restore of {} passes LSN {lsn}", self.rows.lineage.database()),
                "`bakproof window --json` lists the LSNs of what is held and of its holes".to_owned(),
            ),
        }
    }

    fn refuse_latest(&self) -> Refusal {
        let Known { window, .. } = self.known();
        let last = self.known().moments.nearest(Timestamp::MAX).0;
        let name = self.rows.lineage.database();
        let Some(last) = last else { return self.beyond(Timestamp::MAX) };
        let refusal = match window.holes.last().filter(|hole| hole.to > last) {
            Some(hole) => in_hole("the newest backup", hole),
            None => Refusal::bare(
                Class::Human,
                "Fork",
                format!("nothing reaches the recovery fork of the newest backup of {name}"),
                "take a full backup of it; older forks are restored by asking for a moment of theirs"
                    .to_owned(),
            ),
        };
        Refusal { nearest_before: Some(last), ..refusal }
    }

    /// A database that is restoring already: which LSN it wants, and what there is instead.
    fn refuse_from_here(&self, request: &Request, state: &chain::State) -> Refusal {
        let begin = Begin::of(Some(state), &self.rows);
        let redo = state.redo_lsn;
        let fork = state.fork.as_ref().map_or_else(String::new, |fork| format!(" on recovery fork {fork}"));
        if let (Begin::At(standing), Target::Moment(at)) = (&begin, &request.at)
            && let Some(since) = standing.later_than(*at)
        {
            let message = format!(
                "the database stands at LSN {redo}{fork}, with what was committed until {}: that is later than {}",
                written(since),
                written(*at)
            );
            let guidance = "begin again with a full: `bakproof plan` without --continue-from".to_owned();
            return Refusal::bare(Class::Never, "PastTheMoment", message, guidance);
        }
        let mut search = Search::new(&begin);
        let reached = (0_u32..).take(self.rows.track_count).filter_map(|track| {
            let end = self.furthest(&begin, &mut search, track)?;
            (end > redo).then_some((end, track))
        });
        let reached = reached.max();
        let Some((end, track)) = reached else {
            let next =
                self.rows.backups.iter().filter(|backup| backup.kind == Kind::Log && backup.first_lsn > redo);
            let message = match next.min_by_key(|log| log.first_lsn) {
                Some(log) => format!(
                    "no log holds LSN {redo}{fork}; the next one, {}, begins at {}",
                    log.id, log.first_lsn
                ),
                None => format!("no log goes on from LSN {redo}{fork}"),
            };
            let guidance = "find the log backup that holds this LSN, or begin again with a full".to_owned();
            return Refusal::bare(Class::Human, "NotFromHere", message, guidance);
        };
        let until =
            self.route_to_end(&mut search, track, end).map(|route| self.shown_until(track, &route, end));
        let wanted = match &request.at {
            Target::Moment(at) => written(*at),
            Target::Lsn(lsn) => format!("LSN {lsn}"),
            Target::Latest | Target::Point(_) => "the newest backup".to_owned(),
        };
        let message = format!("from LSN {redo}{fork} logs lead to LSN {end}, not to {wanted}");
        let guidance =
            "ask for an earlier moment, or begin again with a full: `bakproof plan` without --continue-from";
        Refusal {
            nearest_before: until,
            ..Refusal::bare(Class::Human, "NotFromHere", message, guidance.to_owned())
        }
    }
}

fn in_hole(wanted: &str, hole: &Hole) -> Refusal {
    let message = format!(
        "{wanted} lies in the hole from {} to {} ({}): {}",
        written(hole.from),
        written(hole.to),
        hole.cause.as_str(),
        hole.detail
    );
    Refusal::bare(Class::Human, name_of(hole.cause), message, hole.repair.clone())
}
