//! Does a proposal keep what was promised? Judged from the raw rows, with nothing of what made it.
//!
//! Neither `retention`'s marks nor `chain`, `coverage` or `restore` are asked: the moments before and after are worked out
//! again (`moments`), bases are looked up again, periods are told by another rule. What a proof says is compared with what was
//! found, item by item, so a proof that was changed is refused even where nothing would be lost.

mod moments;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{DatabaseProof, Terms};
use crate::backup::{Backup, HeldIn, Kind};
use crate::history::Lineage;
use crate::id::BackupId;
use crate::lsn::Lsn;
use crate::policy::Retention;
pub(crate) use moments::Run;
use moments::{ForksUnknown, Ledger, of_all, readable};

/// What is wrong with a proposal for one lineage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It names what the lineage does not have, or names it twice or out of order.
    Unknown(BackupId),
    /// It says nothing of a backup, or not in its place.
    Forgotten(BackupId),
    /// It removes what the vault does not hold.
    NotOurs(BackupId),
    /// It removes what somebody holds.
    Held(BackupId),
    /// It removes what moments of that backup need, which somebody holds.
    NeededByHeld(BackupId),
    /// It keeps a differential whose base it removes.
    Baseless(BackupId),
    /// It removes a backup that the policy keeps by its own date.
    BeforeItsTime(BackupId),
    /// It removes the newest backup that restores.
    LastGood(BackupId),
    /// It removes what nothing that can be read has replaced, while something cannot be read.
    Unreplaced(BackupId),
    /// It removes a file that a backup needs which stays.
    SharedFile(BackupId),
    /// A promised moment is lost.
    Lost(Timestamp),
    /// The proof says something else than what is found.
    Otherwise(&'static str),
    /// Some backups name recovery forks and some do not: nothing can be proved.
    ForksUnknown,
    /// The policy says what none can.
    PolicyOutOfRange,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => {
                write!(f, "{id} is no backup of this database, or is named twice or out of order")
            }
            Self::Forgotten(id) => write!(f, "{id} is neither kept nor removed"),
            Self::NotOurs(id) => write!(f, "{id} does not lie in the vault"),
            Self::Held(id) => write!(f, "{id} is held"),
            Self::NeededByHeld(id) => {
                write!(f, "moments of {id}, which is held, could not be restored any more")
            }
            Self::Baseless(id) => write!(f, "differential {id} would lose its base"),
            Self::BeforeItsTime(id) => write!(f, "the policy keeps {id} for longer"),
            Self::LastGood(id) => write!(f, "{id} is the newest backup that restores"),
            Self::Unreplaced(id) => write!(f, "{id} may be all there is when backups can be read again"),
            Self::SharedFile(id) => write!(f, "a file of {id} holds a backup that stays"),
            Self::Lost(at) => write!(f, "the promised moment {at} could not be restored any more"),
            Self::Otherwise(what) => write!(f, "the proof tells another {what} than the rows"),
            Self::PolicyOutOfRange => f.write_str("the policy is out of range"),
            Self::ForksUnknown => f.write_str("some backups name a recovery fork and some do not"),
        }
    }
}

impl From<ForksUnknown> for Objection {
    fn from(_: ForksUnknown) -> Self {
        Self::ForksUnknown
    }
}

/// What the rows of a lineage say of a set of removals.
struct Case<'a> {
    rows: &'a [Backup],
    /// For each row whether it is removed.
    removed: Vec<bool>,
    ledger: Ledger<'a>,
    terms: &'a Terms<'a>,
    from: Timestamp,
}

/// Judges the proof for one lineage: `keep` and `remove` are what the proposal says of its backups, in the order of the lineage.
///
/// # Errors
/// The first [`Objection`].
pub fn verify<'b>(
    lineage: &Lineage,
    keep: impl Iterator<Item = &'b BackupId>,
    remove: impl Iterator<Item = &'b BackupId>,
    terms: &Terms<'_>,
    proof: &DatabaseProof,
) -> Result<(), Objection> {
    let rows = lineage.backups();
    let removed = sorted_out(rows, keep, remove)?;
    terms.policy.validate().map_err(|_| Objection::PolicyOutOfRange)?;
    let from = terms.promised_from().ok_or(Objection::Otherwise("beginning of the window"))?;
    let case = Case { rows, removed, ledger: Ledger::new(rows)?, terms, from };
    case.each_alone()?;
    case.good_and_bases()?;
    case.held()?;
    case.unreplaced()?;
    case.shared_files()?;
    case.generations()?;
    case.agrees(lineage, proof)
}

/// For each row whether it is removed. Every one is named exactly once, in order, so no index is needed.
fn sorted_out<'b>(
    rows: &[Backup],
    keep: impl Iterator<Item = &'b BackupId>,
    remove: impl Iterator<Item = &'b BackupId>,
) -> Result<Vec<bool>, Objection> {
    let (mut keep, mut remove) = (keep.peekable(), remove.peekable());
    let mut removed = Vec::with_capacity(rows.len());
    for row in rows {
        let (stays, goes) = (keep.next_if_eq(&&row.id), remove.next_if_eq(&&row.id));
        match (stays, goes) {
            (Some(_), None) => removed.push(false),
            (None, Some(_)) => removed.push(true),
            (Some(id), Some(_)) => return Err(Objection::Unknown(id.clone())),
            (None, None) => return Err(Objection::Forgotten(row.id.clone())),
        }
    }
    match keep.next().or(remove.next()) {
        Some(id) => Err(Objection::Unknown(id.clone())),
        None => Ok(removed),
    }
}

impl Case<'_> {
    fn gone(&self) -> impl Iterator<Item = (u32, &Backup)> {
        (0_u32..).zip(self.rows).filter(|(number, _)| self.removed[*number as usize])
    }

    fn stays(&self, number: u32) -> bool {
        !self.removed[number as usize]
    }

    /// How late it is at least, as old backups tell their ages: each may be younger than it says.
    fn at_most_now(&self) -> Timestamp {
        self.terms.now.checked_sub(self.terms.doubt).unwrap_or(Timestamp::MIN)
    }

    /// What a removed backup says for itself, whatever the others are.
    fn each_alone(&self) -> Result<(), Objection> {
        let held: BTreeSet<&BackupId> = self.terms.holds.iter().map(|hold| &hold.backup).collect();
        let retention = &self.terms.policy.retention;
        let days = |days: u32| i64::from(days).saturating_mul(24).hours();
        let now = self.at_most_now();
        for (number, row) in self.gone() {
            let id = || row.id.clone();
            if row.held_in == HeldIn::Service || row.kind == Kind::Snapshot {
                return Err(Objection::NotOurs(id()));
            }
            if held.contains(&row.id) {
                return Err(Objection::Held(id()));
            }
            let restores = self.ledger.restores(number, &|_| true);
            let own = match row.kind {
                Kind::Differential if restores => retention.differential_days,
                Kind::CopyOnly if restores => Some(retention.on_demand_days),
                _ => None,
            };
            let kept = match own {
                Some(own) => row.finished.checked_add(days(own)).is_ok_and(|until| until > now),
                None => row.finished > self.from,
            };
            if kept {
                return Err(Objection::BeforeItsTime(id()));
            }
        }
        Ok(())
    }

    /// The newest backup that restores stays, and so does the base of every differential that stays and has one.
    fn good_and_bases(&self) -> Result<(), Objection> {
        let all = |_: u32| true;
        let mut newest: Option<(Timestamp, u32)> = None;
        let mut highest: BTreeMap<u32, (Lsn, u32)> = BTreeMap::new();
        for &number in &self.ledger.no_logs {
            let row = &self.rows[number as usize];
            if !self.ledger.restores(number, &all) {
                continue;
            }
            newest = newest.max(Some((row.finished, number)));
            let of_fork =
                highest.entry(self.ledger.forks[number as usize].1).or_insert((row.last_lsn, number));
            *of_fork = (*of_fork).max((row.last_lsn, number));
            if self.stays(number) && !self.ledger.restores(number, &|number| self.stays(number)) {
                return Err(Objection::Baseless(row.id.clone()));
            }
        }
        let Some((_, newest)) = newest else { return Ok(()) };
        // By the clock, and by the log of the same fork where a clock was put back.
        let highest = highest.get(&self.ledger.forks[newest as usize].1).map(|(_, number)| *number);
        match [Some(newest), highest].into_iter().flatten().find(|number| !self.stays(*number)) {
            Some(number) => Err(Objection::LastGood(self.rows[number as usize].id.clone())),
            None => Ok(()),
        }
    }

    /// Every moment that a held log restores now it restores afterwards.
    fn held(&self) -> Result<(), Objection> {
        let held: BTreeSet<&BackupId> = self.terms.holds.iter().map(|hold| &hold.backup).collect();
        if held.is_empty() {
            return Ok(());
        }
        let rows =
            (0_u32..).zip(self.rows).filter(|(_, row)| held.contains(&row.id)).map(|(number, _)| number);
        let rows: BTreeSet<u32> = rows.collect();
        let before = self.ledger.moments_in(&rows, |_| true);
        let after = self.ledger.moments_in(&rows, |number| self.stays(number));
        let loses = |(number, runs): &(u32, Vec<Run>)| {
            first_missing(runs, after.get(number).map_or(&[], Vec::as_slice)).is_some()
        };
        match before.into_iter().find(loses) {
            Some((number, _)) => Err(Objection::NeededByHeld(self.rows[number as usize].id.clone())),
            None => Ok(()),
        }
    }

    /// While something cannot be read, what is newer than the last readable backup of before the window stays.
    fn unreplaced(&self) -> Result<(), Objection> {
        if self.rows.iter().all(|row| row.obstacle.is_none()) {
            return Ok(());
        }
        let all = |_: u32| true;
        let ended = |number: &u32| self.rows[*number as usize].finished <= self.from;
        let count = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        let good = (0..count).filter(ended).filter(|number| self.ledger.restores(*number, &all)).max();
        let behind = || (0_u32..).zip(self.rows).filter(|(number, _)| good.is_none_or(|good| *number > good));
        if behind().all(|(_, row)| row.obstacle.is_none()) {
            return Ok(());
        }
        match behind().find(|(number, _)| !self.stays(*number)) {
            Some((_, row)) => Err(Objection::Unreplaced(row.id.clone())),
            None => Ok(()),
        }
    }

    /// No file of a backup that goes belongs to one that stays.
    fn shared_files(&self) -> Result<(), Objection> {
        fn files(row: &Backup) -> impl Iterator<Item = &str> {
            row.stripes.files().iter().flatten().map(|file| &**file)
        }
        let mut goes: Vec<u64> = self.gone().flat_map(|(_, row)| row.stripes.hashes()).collect();
        goes.sort_unstable();
        let suspected = |row: &Backup| row.stripes.hashes().any(|hash| goes.binary_search(&hash).is_ok());
        let stays = (0_u32..).zip(self.rows).filter(|(number, row)| self.stays(*number) && suspected(row));
        let owner = |file: &str| self.gone().find(|(_, row)| files(row).any(|other| other == file));
        let mut suspects = stays.flat_map(|(_, row)| files(row));
        match suspects.find_map(owner) {
            Some((_, row)) => Err(Objection::SharedFile(row.id.clone())),
            None => Ok(()),
        }
    }

    /// A full that is the first good one of its period stays for as long as the policy says. It is the first where an anchor day
    /// lies behind the good full before it.
    fn generations(&self) -> Result<(), Objection> {
        let retention = &self.terms.policy.retention;
        let zone = self.terms.policy.zone().map_err(|_| Objection::Otherwise("time zone"))?;
        let no_logs = self.ledger.no_logs.iter().map(|number| (*number, &self.rows[*number as usize]));
        let mut good: Vec<(u32, &Backup)> =
            no_logs.filter(|(_, row)| row.kind == Kind::Full && readable(row)).collect();
        good.sort_by(|left, right| (left.1.started, &left.1.id).cmp(&(right.1.started, &right.1.id)));
        let mut before = None;
        for (number, row) in good {
            let date = row.started.to_zoned(zone.clone()).date();
            if !self.stays(number) && self.is_tagged(row, before, date, retention, &zone) {
                return Err(Objection::BeforeItsTime(row.id.clone()));
            }
            before = Some(date);
        }
        Ok(())
    }

    fn is_tagged(
        &self,
        row: &Backup,
        before: Option<Date>,
        date: Date,
        retention: &Retention,
        zone: &TimeZone,
    ) -> bool {
        let spans = [
            retention.daily.map(|daily| i64::from(daily.keep).days()),
            retention.weekly.map(|weekly| i64::from(weekly.keep).weeks()),
            retention.monthly.map(|monthly| i64::from(monthly.keep).months()),
            retention.yearly.map(|yearly| i64::from(yearly.keep).years()),
        ];
        let now = self.at_most_now();
        let lasts = |keep: jiff::Span| {
            row.finished
                .to_zoned(zone.clone())
                .checked_add(keep)
                .map_or(true, |until| until.timestamp() > now)
        };
        let begins: [&dyn Fn(Date) -> bool; 4] = [
            &|_| true,
            &|date| retention.weekly.is_some_and(|weekly| date.weekday() == weekly.day),
            &|date| retention.monthly.is_some_and(|monthly| monthly.day.falls_on(date)),
            &|date| {
                retention
                    .yearly
                    .is_some_and(|yearly| date.month() == yearly.month && yearly.day.falls_on(date))
            },
        ];
        let is_first = |begins: &dyn Fn(Date) -> bool| {
            // Two years hold an anchor day of every generation.
            let days = std::iter::successors(Some(date), |day| day.yesterday().ok()).take(2 * 366);
            before.is_none_or(|before| days.take_while(|day| *day > before).any(begins))
        };
        spans.into_iter().zip(begins).any(|(keep, begins)| keep.is_some_and(lasts) && is_first(begins))
    }

    /// The promised moments before and after are the same, and the proof tells them.
    fn agrees(&self, lineage: &Lineage, proof: &DatabaseProof) -> Result<(), Objection> {
        let count = |goes: bool| u32::try_from(self.removed.iter().filter(|gone| **gone == goes).count());
        let told = [
            (proof.database == *lineage.database() && proof.lineage == lineage.id(), "database"),
            (proof.promised_from == self.from, "beginning of the window"),
            (count(true) == Ok(proof.removed), "number of removals"),
            (count(false) == Ok(proof.kept), "number of backups that stay"),
        ];
        if let Some((_, what)) = told.iter().find(|(agrees, _)| !agrees) {
            return Err(Objection::Otherwise(what));
        }
        let vault = |number: u32| self.rows[number as usize].held_in == HeldIn::Vault;
        self.same(&proof.moments, vault, "set of moments")?;
        if self.rows.iter().any(|row| row.held_in == HeldIn::Service) {
            return self.same(&proof.with_service, |_| true, "set of moments while the instance lives");
        }
        if proof.with_service.is_empty() { Ok(()) } else { Err(Objection::Otherwise("service")) }
    }

    fn same(&self, told: &[Run], may: impl Fn(u32) -> bool, what: &'static str) -> Result<(), Objection> {
        let before = self.ledger.moments(self.from, &may);
        let after = self.ledger.moments(self.from, |number| may(number) && self.stays(number));
        if let Some(lost) = before.iter().zip(&after).find_map(|(before, after)| first_missing(before, after))
        {
            return Err(Objection::Lost(lost));
        }
        if told == of_all(&before) { Ok(()) } else { Err(Objection::Otherwise(what)) }
    }
}

/// The first moment, or a neighbour of it, that runs have and others have not. Neither touch each other among themselves.
fn first_missing(runs: &[Run], others: &[Run]) -> Option<Timestamp> {
    let mut others = others.iter().peekable();
    runs.iter().find_map(|(from, to)| {
        while others.next_if(|other| other.1 < *from).is_some() {}
        match others.peek() {
            Some(other) if other.0 <= *from && *to <= other.1 => None,
            Some(other) if other.0 <= *from => Some(other.1),
            _ => Some(*from),
        }
    })
}

/// What the judge finds that rows restore, for its own judge.
#[cfg(test)]
pub(super) fn moments_of(
    rows: &[Backup],
    from: Timestamp,
    there: impl Fn(u32) -> bool,
) -> Result<Vec<Run>, Objection> {
    Ok(of_all(&Ledger::new(rows)?.moments(from, there)))
}
