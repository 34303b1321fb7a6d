//! What may be deleted? Whatever the promised window, the generations, the holds and the last good chain provably do not need.
//!
//! Mark and sweep, lineage by lineage: `mark` says what each backup is kept for and until when, what no mark is on may go, and
//! the whole is judged by [`verify`], which shares no code with it. Decides only: what goes is deleted elsewhere, later, in the
//! order of [`Proposal::remove`]. Rules:
//!
//! - The promised window begins `window_days` before now. Every moment from there on that can be restored now can be restored
//!   afterwards, from the vault alone where the vault alone can do it now.
//! - Every full that finished in the window stays a restore point of its own, and a generation's full until its date; a
//!   differential as long as the policy keeps differentials, and its base with it; a copy-only full as long as on-demand backups.
//! - The newest good chain stays whatever its age. What is held stays, with all it needs.
//! - What cannot be read for want of a key, or lies in an archive class, is kept as if it could be: keys come back.
//! - Nothing is proposed on incomplete knowledge, nor when the clock moved back.

mod files;
mod generations;
mod mark;
mod marks;
mod proposal;
mod segments;
mod verify;
mod words;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{Backup, Defect, Evidence, Kind};
use crate::chain;
use crate::coverage::{self, Reach};
use crate::history::{History, Lineage};
use crate::id::BackupId;
use crate::policy::Policy;
use crate::reason::{Class, Reason};
use crate::restore::Planner;
use files::share_files;
pub use generations::Generation;
use mark::{Ask, marks, number};
use marks::Marks;
pub use proposal::{DatabaseProof, Kept, Proof, Proposal, Removed};
pub use verify::{Objection, verify};
pub use words::{For, Removal, Why};

/// That a backup stays whatever the policy says: a legal hold, a lock, or a restore under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The backup.
    pub backup: BackupId,
    /// Who holds it or what for, in a few words.
    pub why: String,
}

/// By which promises a proposal is made.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
    /// The latest moment that whoever asks has seen before, by the clock or in the catalogue.
    pub seen: Option<Timestamp>,
    /// What is held.
    pub holds: &'a [Hold],
    /// How much older than it says a backup may be: where the server's time zone is not known, twelve hours.
    pub doubt: SignedDuration,
}

/// How far west of UTC a server's clock can be set.
pub const ZONE_DOUBT: SignedDuration = SignedDuration::from_hours(12);

impl<'a> Terms<'a> {
    /// Nothing held, nothing seen before, no doubt.
    pub const fn new(policy: &'a Policy, now: Timestamp) -> Self {
        Self { policy, now, seen: None, holds: &[], doubt: SignedDuration::ZERO }
    }

    fn window(&self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.policy.objectives.window_days))
            .saturating_add(self.doubt)
    }

    /// The first promised moment; `None` before the beginning of representable time.
    pub fn promised_from(&self) -> Option<Timestamp> {
        self.now.checked_sub(self.window()).ok()
    }
}

/// What may go from the lineages that `select` chooses. Takes the history, because what is left of it is looked at.
///
/// # Errors
/// A [`Reason`] why nothing may be proposed: `ClockMovedBack`, `IncompleteKnowledge`, a policy out of range, or `ProofFailed`,
/// which would be a fault in these rules.
pub fn propose(
    history: History,
    terms: &Terms<'_>,
    select: impl Fn(&Lineage) -> bool,
) -> Result<Proposal, Reason> {
    terms.policy.validate()?;
    clock_goes_on(terms)?;
    nothing_is_future(&history)?;
    let mut proposal = Proposal {
        warnings: history.warnings().to_vec(),
        keep: Vec::new(),
        remove: Vec::new(),
        window_before: Vec::new(),
        window_after: Vec::new(),
        proof: Proof { holds: true, now: terms.now, databases: Vec::new() },
    };
    for lineage in history.into_lineages().into_iter().filter(select) {
        proposal.add(lineage, terms)?;
    }
    // Logs, then differentials, then fulls, each by lineage and LSN.
    let (mut differentials, mut fulls) = (Vec::new(), Vec::new());
    let gone = std::mem::take(&mut proposal.remove);
    proposal.remove.reserve(gone.len());
    for removed in gone {
        match removed.kind {
            Kind::Log => proposal.remove.push(removed),
            Kind::Differential => differentials.push(removed),
            Kind::Full | Kind::CopyOnly | Kind::Snapshot => fulls.push(removed),
        }
    }
    proposal.remove.append(&mut differentials);
    proposal.remove.append(&mut fulls);
    Ok(proposal)
}

fn clock_goes_on(terms: &Terms<'_>) -> Result<(), Reason> {
    match terms.seen {
        Some(seen) if seen > terms.now => Err(Reason::new(
            Class::Human,
            "ClockMovedBack",
            format!("it was {seen} already, and now it is {}", terms.now),
        )
        .guidance("nothing may be removed by a clock that moved back: set it right, then ask again")),
        _ => Ok(()),
    }
}

/// Backups that are not over yet say that the clock is put back, or that times are read in the wrong zone: then ages are wrong too,
/// and what such a backup needs would be removed under it.
fn nothing_is_future(history: &History) -> Result<(), Reason> {
    match history.future_count() {
        0 => Ok(()),
        some => Err(Reason::new(
            Class::Human,
            "BackupsOfTheFuture",
            format!("{some} backups finished later than now"),
        )
        .guidance(
            "set the clock right, or give the zone of times without one (--source-zone), then ask again",
        )),
    }
}

/// Whether enough is known of a lineage to remove anything of it.
fn is_known(lineage: &Lineage) -> Result<(), Reason> {
    let refuse = |message: String, guidance: &'static str| {
        Err(Reason::new(Class::Human, "IncompleteKnowledge", message).guidance(guidance))
    };
    let name = lineage.database();
    if lineage.is_doubtful() {
        return refuse(
            format!(
                "database {name}: some backups carry half of their guids or none, and several lineages share the name or a \
                 guid: which belong together is guesswork"
            ),
            "export database_guid and family_guid of every backup, then ask again",
        );
    }
    if let Some(row) = lineage.incomplete().first() {
        let (row, lacks, more) = (&row.name, &row.lacks, lineage.incomplete().len() - 1);
        return refuse(
            format!(
                "database {name}: {row} has {lacks}, and {more} rows more lack something: what they hold or need is unknown"
            ),
            "export the history with all its columns, then ask again",
        );
    }
    let forks = |row: &Backup| row.first_fork.is_some() || row.last_fork.is_some();
    let (mut silent, mut first, mut several) = (None, None, false);
    for row in lineage.backups() {
        if row.first_lsn > row.last_lsn {
            let id = &row.id;
            return refuse(
                format!("database {name}: backup {id} ends at an LSN before its first"),
                "correct or leave out that row, then ask again",
            );
        }
        if !forks(row) {
            silent = silent.or(Some(&row.id));
        }
        for fork in [&row.first_fork, &row.last_fork].into_iter().flatten() {
            several |= *first.get_or_insert(fork) != fork;
        }
    }
    match silent.filter(|_| several) {
        Some(id) => refuse(
            format!(
                "database {name}: backup {id} names no recovery fork, and there are several: where it belongs is guesswork"
            ),
            "export first_recovery_fork_guid and last_recovery_fork_guid, then ask again",
        ),
        None => Ok(()),
    }
}

impl Proposal {
    fn add(&mut self, mut lineage: Lineage, terms: &Terms<'_>) -> Result<(), Reason> {
        let is_protected = terms.policy.protects(lineage.database());
        match is_known(&lineage) {
            Err(reason) if is_protected => return Err(reason),
            // What is not protected is left alone, whatever it is; nothing can be proved of it, and nothing need be.
            Err(reason) => {
                self.warnings.push(reason.message);
                self.leave_alone(&lineage);
                return Ok(());
            }
            Ok(()) => {}
        }
        let from = terms.promised_from().ok_or_else(|| {
            Reason::new(
                Class::Human,
                "WindowBeforeTime",
                format!("{} is too early for such a window", terms.now),
            )
        })?;
        let ask = Ask { terms, from, window: terms.window() };
        let planner = Planner::new(&lineage);
        let (before, odd, spans) = coverage::looked_at(&lineage, planner.rows());
        self.warnings.extend(odd);
        let (keep_from, remove_from) = (self.keep.len(), self.remove.len());
        let found = marks(&planner, spans, ask)?;
        drop(planner);
        let (stays, found) = if is_protected {
            self.sweep(&lineage, ask, found)?
        } else {
            self.leave_alone(&lineage);
            (vec![true; lineage.backups().len()], found)
        };
        let proof = claims(&lineage, &stays, found, from);
        let keep = self.keep[keep_from..].iter().map(|kept| &kept.backup);
        let remove = self.remove[remove_from..].iter().map(|removed| &removed.backup);
        verify(&lineage, keep, remove, terms, &proof).map_err(|objection| {
            let why = format!("database {}: {objection}", lineage.database());
            Reason::new(Class::Human, "ProofFailed", why).guidance(
                "nothing may be removed; report the history: the rules and their judge contradict each other",
            )
        })?;
        if proof.removed > 0 {
            lineage.leave(&stays);
            self.window_after.push(coverage::window(&lineage).0);
        } else {
            self.window_after.push(before.clone());
        }
        self.window_before.push(before);
        self.proof.databases.push(proof);
        Ok(())
    }

    fn leave_alone(&mut self, lineage: &Lineage) {
        let reasons = || vec![Why { what: For::NotProtected, until: None }];
        self.keep.extend(lineage.backups().iter().map(|backup| Kept {
            backup: backup.id.clone(),
            database: Arc::clone(&backup.database),
            reasons: reasons(),
            goes_on: None,
        }));
    }

    /// Answers for each backup whether it stays.
    fn sweep(
        &mut self,
        lineage: &Lineage,
        ask: Ask<'_>,
        mut found: Marks,
    ) -> Result<(Vec<bool>, Marks), Reason> {
        let backups = lineage.backups();
        if backups.iter().any(|backup| backup.obstacle.is_some()) {
            let lifted = lineage.without_obstacles();
            let planner = Planner::new(&lifted);
            found.add_lifted(marks(&planner, coverage::spans(planner.rows(), Reach::All), ask)?);
        }
        found.sort();
        let mut kept = std::mem::take(&mut found.kept).into_iter().peekable();
        let unreplaced = unreplaced_from(lineage, ask.from);
        let mut all: Vec<Vec<Why>> = Vec::with_capacity(backups.len());
        for (row, backup) in (0_u32..).zip(backups) {
            let mut reasons: Vec<Why> = Vec::new();
            while let Some((_, why)) = kept.next_if(|(marked, _)| *marked == row) {
                match reasons.iter_mut().find(|known| known.what == why.what) {
                    // For two losses it may be needed for different times: the longer one counts.
                    Some(known) => {
                        known.until = known.until.zip(why.until).map(|(one, other)| one.max(other));
                    }
                    None => reasons.push(why),
                }
            }
            if reasons.is_empty() && is_young(backup, ask, &found, row) {
                reasons.push(Why { what: For::Young, until: backup.finished.checked_add(ask.window).ok() });
            }
            if reasons.is_empty() && unreplaced.is_some_and(|from| row >= from) {
                reasons.push(Why { what: For::Unreplaced, until: None });
            }
            all.push(reasons);
        }
        share_files(backups, &mut all);
        let mut stays = Vec::with_capacity(backups.len());
        let gone = all.iter().filter(|reasons| reasons.is_empty()).count();
        self.remove.reserve(gone);
        self.keep.reserve(backups.len() - gone);
        for ((row, backup), reasons) in (0_u32..).zip(backups).zip(all) {
            stays.push(!reasons.is_empty());
            if reasons.is_empty() {
                self.remove.push(removed(lineage, row, ask, &found));
                continue;
            }
            let goes_on = found.goes_on(row, &reasons);
            let (backup, database) = (backup.id.clone(), Arc::clone(&backup.database));
            self.keep.push(Kept { backup, database, reasons, goes_on });
        }
        Ok((stays, found))
    }
}

/// From which row on nothing may go because something cannot be read now: behind the newest data backup that can be and had ended
/// when the promised window began. What cannot be read takes nobody's place, and of several such chains nobody knows which comes back.
fn unreplaced_from(lineage: &Lineage, from: Timestamp) -> Option<u32> {
    let rows = || lineage.backups().iter().enumerate().rev();
    let good = |backup: &Backup| {
        let alone = backup.evidence == Evidence::Task;
        !alone && backup.finished <= from && chain::anchor(backup, lineage).is_ok()
    };
    let good = rows().find(|(_, backup)| good(backup)).map(|(row, _)| row);
    let mut behind = rows().take_while(|(row, _)| Some(*row) != good);
    let unreadable = behind.any(|(_, backup)| backup.obstacle.is_some());
    unreadable.then_some(good.map_or(0, |row| number(row) + 1))
}

/// Whether an unmarked backup stays for its age: logs, and whatever cannot be used now, last as long as the window.
fn is_young(backup: &Backup, ask: Ask<'_>, found: &Marks, row: u32) -> bool {
    backup.finished > ask.from && found.ended_last(row, false).is_none()
}

fn removed(lineage: &Lineage, row: u32, ask: Ask<'_>, found: &Marks) -> Removed {
    let backup = &lineage.backups()[row as usize];
    // What only cannot be read now goes because its time is over, as if it could be.
    let defect = backup.defect();
    let lifted = matches!(defect, Some(Defect::UnreadableKey | Defect::Archived));
    let reason = match (defect.filter(|_| !lifted), found.ended_last(row, lifted)) {
        (Some(defect), _) => Removal::Unusable(defect.to_string()),
        (None, Some((what, until))) => Removal::Expired(what.clone(), until),
        (None, None) if backup.kind == Kind::Log => match found.instead_of(row, backup) {
            Some(anchor) => Removal::Superseded(lineage.backups()[anchor as usize].id.clone()),
            None => Removal::BeforeWindow(ask.from),
        },
        (None, None) => match chain::anchor(backup, lineage) {
            Err(chain::NoAnchor::Orphan(orphan)) => Removal::Unusable(orphan.to_string()),
            _ => Removal::BeforeWindow(ask.from),
        },
    };
    Removed {
        backup: backup.id.clone(),
        database: Arc::clone(&backup.database),
        kind: backup.kind,
        files: u32::try_from(backup.stripes.files().iter().flatten().count()).unwrap_or(u32::MAX),
        bytes: backup.compressed_size_bytes,
        reason,
    }
}

/// What the proposal claims of a lineage: the moments that all its backups restore, so that losing one contradicts it.
fn claims(lineage: &Lineage, stays: &[bool], found: Marks, from: Timestamp) -> DatabaseProof {
    let count = |kept: bool| u32::try_from(stays.iter().filter(|stays| **stays == kept).count());
    DatabaseProof {
        database: Arc::clone(lineage.database()),
        lineage: lineage.id().to_owned(),
        promised_from: from,
        kept: count(true).unwrap_or(u32::MAX),
        removed: count(false).unwrap_or(u32::MAX),
        moments: found.vault,
        with_service: found.with_service,
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
