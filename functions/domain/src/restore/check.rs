//! Is a plan right? Carried out in the head, step by step, against the rows as they came.
//!
//! It does what the engine would: it applies each backup to a state of LSN and fork and says where that would fail, ends
//! elsewhere than asked, or goes further than needed. It reads headers itself and uses neither `chain` nor `coverage` nor
//! the planner, so that no mistake of theirs can pass it. Sources: error numbers 3117, 3132, 3136, 3182, 4305, 4326, 4330, 4341.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Action, Plan, Request, Step, Target};
use crate::backup::{Backup, Evidence, Kind};
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The sequence is none: no first full, a data backup in the middle, steps behind the recovery.
    #[error("step {step}: {what}")]
    Sequence {
        /// Which step, from 1.
        step: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The engine would refuse the step.
    #[error("step {step}, backup {backup}: {what}")]
    Refused {
        /// Which step, from 1.
        step: usize,
        /// The backup.
        backup: BackupId,
        /// What the engine would say.
        what: &'static str,
    },
    /// Every step works, and the database is not where it was wanted.
    #[error("the plan ends elsewhere: {0}")]
    Elsewhere(&'static str),
}

/// Where a database in restore stands.
#[derive(Clone)]
struct Stand {
    redo: Lsn,
    fork: Option<Guid>,
    /// The full it began with.
    base: Option<BackupId>,
    /// The moment its content is from: the end of what was applied.
    at: Option<Timestamp>,
}

/// Which step, and its row.
#[derive(Clone, Copy)]
struct At<'a> {
    step: usize,
    row: &'a Backup,
}

impl At<'_> {
    fn refused(self, what: &'static str) -> Objection {
        Objection::Refused { step: self.step + 1, backup: self.row.id.clone(), what }
    }
}

/// Carries out a plan on the rows of its lineage, given in any order.
///
/// # Errors
/// The first objection: what the engine would refuse, or what is not as the request asks.
pub fn check(plan: &Plan, rows: &[Backup], request: &Request) -> Result<(), Objection> {
    let Some((last, steps)) = plan.steps.split_last() else {
        return Err(Objection::Sequence { step: 0, what: "there is no step" });
    };
    if last.action != Action::Recover || last.backup.is_some() || last.norecovery {
        return Err(Objection::Sequence {
            step: plan.steps.len(),
            what: "it must recover, and nothing else",
        });
    }
    let named: BTreeSet<&BackupId> = steps.iter().filter_map(|step| step.backup.as_ref()).collect();
    let by_id: BTreeMap<&BackupId, &Backup> =
        rows.iter().filter(|row| named.contains(&row.id)).map(|row| (&row.id, row)).collect();
    let mut used: Vec<&Backup> = Vec::with_capacity(steps.len());
    let mut stand = request.continue_from.as_ref().map(|state| {
        let mut stand = Stand { redo: state.redo_lsn, fork: state.fork.clone(), base: None, at: None };
        stand.at = proven(&stand, rows);
        stand
    });
    if let (Target::Moment(moment), Some(since)) = (&request.at, stand.as_ref().and_then(|stand| stand.at))
        && since > *moment
    {
        return Err(Objection::Elsewhere(
            "the database that is restoring is beyond the moment already (4335)",
        ));
    }
    for (number, step) in steps.iter().enumerate() {
        let missing = Objection::Sequence { step: number + 1, what: "its backup is not in the history" };
        let row = step.backup.as_ref().and_then(|id| by_id.get(id)).copied().ok_or(missing)?;
        let at = At { step: number, row };
        usable(at, step)?;
        if row.kind == Kind::Differential {
            stands_on_its_base(at, used.last().copied())?;
        }
        used.push(row);
        let is_last = number + 1 == steps.len();
        stops(at, step, request, is_last)?;
        stand = Some(apply(at, step, stand, is_last.then_some(request))?);
    }
    let Some(stand) = stand else {
        return Err(Objection::Sequence { step: 1, what: "nothing is restored" });
    };
    arrived(plan, &used, rows, request, &stand)
}

/// The moment that the content of a database at this place is at least from: it was there when the first backup that ends here
/// had reached it.
fn proven(stand: &Stand, rows: &[Backup]) -> Option<Timestamp> {
    let here = rows.iter().filter(|row| {
        let exit = row.last_fork.as_ref().or(row.first_fork.as_ref());
        let same_fork = exit.zip(stand.fork.as_ref()).is_none_or(|(exit, here)| exit == here);
        row.evidence == Evidence::History && same_fork && row.last_lsn == stand.redo
    });
    here.map(Backup::reaches).min()
}

/// Whether its content can be read, from the files that the step names.
fn usable(at: At<'_>, step: &Step) -> Result<(), Objection> {
    let row = at.row;
    if !step.norecovery {
        return Err(at.refused("3117: it recovers the database before the last step"));
    }
    if row.damaged {
        return Err(at.refused("3182: it was damaged when it was written"));
    }
    let held = row.stripes.files().iter().flatten();
    let expected = row.stripes.expected_count().map_or(0, |count| count as usize);
    if !row.stripes.files().is_empty() && held.clone().count() < expected.max(row.stripes.files().len()) {
        return Err(at.refused("3132: a stripe is missing"));
    }
    if row.obstacle.is_some() {
        return Err(at.refused("its objects cannot be read now"));
    }
    if step.file_number != row.position.filter(|number| *number > 1) {
        return Err(at.refused("its number in the media set is not that of the backup"));
    }
    if !held.eq(step.files.iter()) {
        return Err(at.refused("the files are not those of the backup, in stripe order"));
    }
    Ok(())
}

/// The stop belongs on every log, and only where it is asked for.
fn stops(at: At<'_>, step: &Step, request: &Request, is_last: bool) -> Result<(), Objection> {
    let wanted = match (&request.at, step.action) {
        (Target::Moment(moment), Action::RestoreLog) => Some(*moment),
        _ => None,
    };
    if step.stop_at != wanted {
        return Err(at.refused("its STOPAT is not the moment that is asked for"));
    }
    let inside = match &request.at {
        Target::Lsn(lsn) => is_last && at.row.kind == Kind::Log && *lsn < at.row.last_lsn,
        _ => false,
    };
    let mark = match &request.at {
        Target::Lsn(lsn) if inside => Some(*lsn),
        _ => None,
    };
    if step.stop_before_lsn != mark {
        return Err(at.refused("it does not stop at the LSN that is asked for"));
    }
    Ok(())
}

/// `ending`: the request, for the last backup of the plan.
fn apply(
    at: At<'_>,
    step: &Step,
    stand: Option<Stand>,
    ending: Option<&Request>,
) -> Result<Stand, Objection> {
    let row = at.row;
    let data = |base: &BackupId| Stand {
        redo: row.last_lsn,
        fork: row.last_fork.clone().or_else(|| row.first_fork.clone()),
        base: Some(base.clone()),
        at: Some(row.finished),
    };
    match (step.action, row.kind, stand) {
        (Action::RestoreFull, Kind::Full | Kind::CopyOnly, None) => Ok(data(&row.id)),
        (Action::RestoreDifferential, Kind::Differential, Some(stand)) => {
            let base = stand.base.as_ref().ok_or_else(|| at.refused("3117: no full is being restored"))?;
            if stand.redo > row.last_lsn {
                return Err(at.refused("3120: the database is beyond it already"));
            }
            Ok(data(base))
        }
        (Action::RestoreLog, Kind::Log, Some(stand)) => log(at, step, stand, ending),
        (_, _, None) => Err(at.refused("3118: only a full or copy-only full begins a restore")),
        _ => Err(at.refused("the step does not do what this kind of backup is for")),
    }
}

fn log(at: At<'_>, step: &Step, stand: Stand, ending: Option<&Request>) -> Result<Stand, Objection> {
    let row = at.row;
    let exit = row.last_fork.as_ref().or(row.first_fork.as_ref());
    let crosses = matches!((&row.first_fork, exit), (Some(first), Some(last)) if first != last);
    if let (Some(here), Some(entry)) = (&stand.fork, &row.first_fork)
        && here != entry
    {
        return Err(at.refused("4330: it is on another recovery path"));
    }
    if crosses && row.fork_point_lsn.is_some_and(|point| stand.redo > point) {
        return Err(at.refused("4330: the database is beyond the fork point"));
    }
    if row.first_lsn > stand.redo {
        return Err(at.refused("4305: it begins behind the place the database stands at"));
    }
    if row.last_lsn < stand.redo {
        return Err(at.refused("4326: it ends before the place the database stands at"));
    }
    if row.last_lsn == stand.redo && !crosses {
        return Err(at.refused("it holds nothing that the database does not have"));
    }
    // Every log carries the stop, not the last one alone.
    if row.bulk_logged && step.stop_at.is_some_and(|stop| stop < row.finished) {
        return Err(at.refused("4341: it holds bulk-logged changes and cannot be stopped inside"));
    }
    let whole =
        if row.bulk_logged { row.finished } else { row.last_valid_restore_time.unwrap_or(row.finished) };
    let (redo, until) = match ending.map(|request| &request.at) {
        Some(Target::Moment(moment)) if crosses && *moment < row.started.min(row.finished) => {
            return Err(at.refused("the moment may lie before the fork that it crosses"));
        }
        Some(Target::Moment(moment)) => (row.last_lsn, whole.min(*moment)),
        Some(Target::Lsn(lsn)) if row.bulk_logged && *lsn < row.last_lsn => {
            return Err(at.refused("4341: it holds bulk-logged changes and cannot be stopped inside"));
        }
        // What came before it is certain; when the record before an LSN inside was written, no header tells.
        Some(Target::Lsn(lsn)) if *lsn < row.last_lsn => (*lsn, stand.at.unwrap_or(Timestamp::MIN)),
        _ => (row.last_lsn, whole),
    };
    let at = if stand.at.is_some_and(|at| at > until) { stand.at } else { Some(until) };
    Ok(Stand { redo, fork: exit.cloned().or(stand.fork), base: stand.base, at })
}

/// Whether the end is what was asked for.
fn arrived(
    plan: &Plan,
    used: &[&Backup],
    rows: &[Backup],
    request: &Request,
    stand: &Stand,
) -> Result<(), Objection> {
    let elsewhere = |what| Err(Objection::Elsewhere(what));
    match &request.at {
        Target::Point(id) => {
            let ends_there = used.last().map(|row| &row.id) == Some(id);
            if !ends_there || used.iter().any(|row| row.kind == Kind::Log) {
                return elsewhere("it is not that backup alone");
            }
            if used.last().is_none_or(|row| row.finished != plan.recovers_to) {
                return elsewhere("it says that it recovers to another moment than the end of that backup");
            }
        }
        Target::Lsn(lsn) if stand.redo != *lsn => {
            return elsewhere("its last record is not the one before the LSN");
        }
        Target::Lsn(_) => return says_no_more(plan, rows, stand),
        Target::Latest => return latest(plan, rows, stand, request),
        Target::Moment(moment) => return at_moment(plan, used, rows, stand, *moment),
    }
    Ok(())
}

/// A differential stands on its own base, named by guid or by the base's checkpoint.
fn stands_on_its_base(at: At<'_>, base: Option<&Backup>) -> Result<(), Objection> {
    let known = |lsn: &Lsn| *lsn != Lsn::ZERO;
    let is_base = |base: &Backup| {
        let named = if let Some(guid) = &at.row.differential_base_guid {
            guid.as_str().eq_ignore_ascii_case(base.id.as_str())
        } else {
            let label =
                at.row.differential_base_lsn.filter(known).or(at.row.database_backup_lsn.filter(known));
            label.is_some() && label == base.checkpoint_lsn
        };
        named && base.kind == Kind::Full && base.evidence == Evidence::History
    };
    if base.is_some_and(is_base) {
        return Ok(());
    }
    Err(at.refused("3136: the full before it is not its base"))
}

/// Nothing was restored that is later than the moment, and what was restored lasts until it.
fn at_moment(
    plan: &Plan,
    used: &[&Backup],
    rows: &[Backup],
    stand: &Stand,
    moment: Timestamp,
) -> Result<(), Objection> {
    let elsewhere = |what| Err(Objection::Elsewhere(what));
    if plan.recovers_to != moment {
        return elsewhere("it says that it recovers to another moment");
    }
    if used.iter().any(|row| row.kind.is_data() && row.finished > moment) {
        return elsewhere("a data backup ends behind the moment (4335)");
    }
    let before = used.len().saturating_sub(1);
    if used[..before].iter().any(|row| row.kind == Kind::Log && row.reaches() >= moment) {
        return elsewhere("a log before the last one reaches the moment already (3117)");
    }
    let lasts = stand.at.is_some_and(|at| at >= moment) || rows.iter().any(|row| shows(row, stand, moment));
    if lasts { Ok(()) } else { elsewhere("it ends before the moment") }
}

/// A log that ends where the database stands and was taken at or behind the moment: nothing happened until then.
fn shows(row: &Backup, stand: &Stand, moment: Timestamp) -> bool {
    let readable = !row.damaged && row.obstacle.is_none() && row.stripes.missing_count() == 0;
    let exit = row.last_fork.as_ref().or(row.first_fork.as_ref());
    let same_fork = exit.zip(stand.fork.as_ref()).is_none_or(|(exit, here)| exit == here);
    row.kind == Kind::Log && readable && same_fork && row.last_lsn == stand.redo && row.reaches() >= moment
}

/// Nothing of the history leads further on this fork, which is that of the newest backup.
fn latest(plan: &Plan, rows: &[Backup], stand: &Stand, request: &Request) -> Result<(), Objection> {
    let elsewhere = |what| Err(Objection::Elsewhere(what));
    let newest = rows.iter().max_by_key(|row| (row.finished, row.last_lsn));
    let exit = |row: &Backup| row.last_fork.clone().or_else(|| row.first_fork.clone());
    if let (Some(newest), Some(here)) = (newest.and_then(exit), &stand.fork)
        && newest != *here
    {
        return elsewhere("it is not the recovery fork of the newest backup");
    }
    let readable = |row: &&Backup| !row.damaged && row.obstacle.is_none() && row.stripes.missing_count() == 0;
    let further = rows.iter().filter(readable).any(|row| {
        let same = row.first_fork.as_ref().zip(stand.fork.as_ref()).is_none_or(|(fork, here)| fork == here);
        let log = row.kind == Kind::Log
            && row.first_lsn <= stand.redo
            && row.last_lsn > stand.redo
            && exit(row) == row.first_fork;
        let full = matches!(row.kind, Kind::Full | Kind::CopyOnly)
            && row.evidence == Evidence::History
            && request.continue_from.is_none()
            && row.last_lsn > stand.redo;
        same && (log || full)
    });
    if further {
        return elsewhere("a backup leads further");
    }
    if plan.recovers_to < stand.at.unwrap_or(plan.recovers_to) {
        return elsewhere("it says that it recovers to an earlier moment than its last backup reaches");
    }
    says_no_more(plan, rows, stand)
}

/// The moment a plan says it recovers to is one that its last backup reaches, or that a log shows nothing followed before.
fn says_no_more(plan: &Plan, rows: &[Backup], stand: &Stand) -> Result<(), Objection> {
    let reached = stand.at.is_none_or(|at| plan.recovers_to <= at);
    if reached || rows.iter().any(|row| shows(row, stand, plan.recovers_to)) {
        return Ok(());
    }
    Err(Objection::Elsewhere("it says that it recovers to a later moment than its last backup reaches"))
}
