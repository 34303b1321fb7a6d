//! Which moments do these rows restore? Worked out again, for proofs: nothing here is shared with `chain` or `coverage`.
//!
//! Another way to the same answer. Rows go by in the order of their ends. A restore that stands at an LSN `p` of a recovery fork
//! has the moment `m(p)`; a log `[first, last)` that holds a reachable `p` restores every moment from the least of those `m(p)`
//! to the one it reaches. The moments of a set of rows are the union of these runs and of the finishes of its data backups, on each
//! fork by itself: what was at a moment on one says nothing of another.
//! Rules as the SQL Server documentation has them: RESTORE arguments (STOPAT), "Recovery paths", "Restore a SQL Server
//! database to a point in time (full recovery model)", 4341 for bulk-logged changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::backup::{Backup, Evidence, Kind};
use crate::id::{BackupId, Guid};
use crate::lsn::Lsn;

/// A run of moments, both ends in.
pub(crate) type Run = (Timestamp, Timestamp);

/// Whether a backup's bytes can be read, by its own header and files.
pub(super) fn readable(backup: &Backup) -> bool {
    !backup.damaged && backup.obstacle.is_none() && backup.stripes.missing_count() == 0
}

/// Rows to answer for: data backups by id and by checkpoint, forks by number, and the order of ends.
pub(super) struct Ledger<'a> {
    rows: &'a [Backup],
    data: BTreeMap<&'a BackupId, u32>,
    checkpoints: BTreeMap<Lsn, Vec<u32>>,
    /// For each row the forks it is applied on and leads to.
    pub(super) forks: Vec<(u32, u32)>,
    fork_count: usize,
    /// Rows that can be read, by end.
    order: Vec<u32>,
    /// Rows that are no logs.
    pub(super) no_logs: Vec<u32>,
}

/// What leads to an LSN comes before what only starts from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A log that can be stopped anywhere.
    Log,
    /// A log that applies whole.
    Whole,
    /// A log that leads to another fork.
    Crossing,
    /// A data backup.
    Data,
}

/// Rows name forks or do not, some this way and some that: who belongs where is guesswork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForksUnknown;

impl<'a> Ledger<'a> {
    pub(super) fn new(rows: &'a [Backup]) -> Result<Self, ForksUnknown> {
        let mut ledger = Self {
            rows,
            data: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            forks: Vec::with_capacity(rows.len()),
            fork_count: 1,
            order: Vec::with_capacity(rows.len()),
            no_logs: Vec::new(),
        };
        let mut numbers: BTreeMap<&Guid, u32> = BTreeMap::new();
        let mut last: Option<(&Guid, u32)> = None;
        let mut silent = false;
        for (number, row) in (0_u32..).zip(rows) {
            let mut fork = |guid: &'a Guid| match last {
                Some((known, number)) if known == guid => number,
                _ => {
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    let number = *numbers.entry(guid).or_insert(next);
                    last = Some((guid, number));
                    number
                }
            };
            let (into, out) = match (&row.first_fork, &row.last_fork) {
                (Some(into), Some(out)) => (fork(into), fork(out)),
                (Some(one), None) | (None, Some(one)) => (fork(one), fork(one)),
                (None, None) => {
                    silent = true;
                    (0, 0)
                }
            };
            ledger.forks.push(if row.kind == Kind::Log { (into, out) } else { (out, out) });
            if row.kind != Kind::Log {
                ledger.no_logs.push(number);
                ledger.data.insert(&row.id, number);
                if let Some(checkpoint) = row.checkpoint_lsn.filter(|_| row.kind == Kind::Full) {
                    ledger.checkpoints.entry(checkpoint).or_default().push(number);
                }
            }
            if readable(row) {
                ledger.order.push(number);
            }
        }
        ledger.fork_count = numbers.len().max(1);
        if silent && numbers.len() > 1 {
            return Err(ForksUnknown);
        }
        ledger.order.sort_by_key(|number| ledger.rows[*number as usize].last_lsn);
        Ok(ledger)
    }

    /// The full that a differential restores on, where it can be restored.
    pub(super) fn base(&self, differential: &Backup) -> Option<u32> {
        let serves = |number: &u32| {
            let full = &self.rows[*number as usize];
            full.kind == Kind::Full && full.evidence == Evidence::History && readable(full)
        };
        if let Some(guid) = &differential.differential_base_guid {
            return self.data.get(&BackupId::from(guid.as_str())).copied().filter(serves);
        }
        let told = |lsn: Option<Lsn>| lsn.filter(|lsn| *lsn != Lsn::ZERO);
        let label = told(differential.differential_base_lsn).or(told(differential.database_backup_lsn))?;
        self.checkpoints.get(&label)?.iter().copied().find(serves)
    }

    /// Whether a data backup restores, from those rows that are there.
    pub(super) fn restores(&self, number: u32, there: &impl Fn(u32) -> bool) -> bool {
        let row = &self.rows[number as usize];
        let alone = || there(number) && readable(row);
        match row.kind {
            Kind::Full | Kind::CopyOnly => alone(),
            Kind::Differential => alone() && self.base(row).is_some_and(there),
            Kind::Log | Kind::Snapshot => false,
        }
    }

    /// Every moment at or after `from` that the rows that are there restore, fork by fork.
    pub(super) fn moments(&self, from: Timestamp, there: impl Fn(u32) -> bool) -> Vec<Vec<Run>> {
        let runs = self.runs(there);
        let mut forks: Vec<Vec<Run>> = (0..self.fork_count).map(|_| Vec::new()).collect();
        for (_, fork, run) in runs.into_iter().filter(|(_, _, run)| run.1 >= from) {
            forks[fork as usize].push(run);
        }
        forks.into_iter().map(|runs| joined(runs, from)).collect()
    }

    /// The moments that some rows of those that are there restore, each behind the others.
    pub(super) fn moments_in(
        &self,
        rows: &BTreeSet<u32>,
        there: impl Fn(u32) -> bool,
    ) -> BTreeMap<u32, Vec<Run>> {
        let mut found: BTreeMap<u32, Vec<Run>> = BTreeMap::new();
        for (number, _, run) in self.runs(there).into_iter().filter(|(number, _, _)| rows.contains(number)) {
            found.entry(number).or_default().push(run);
        }
        found.into_iter().map(|(number, runs)| (number, joined(runs, Timestamp::MIN))).collect()
    }

    /// The runs of moments that each row brings: (row, fork, run).
    fn runs(&self, there: impl Fn(u32) -> bool) -> Vec<(u32, u32, Run)> {
        let forks = (0..self.fork_count).map(|_| Fork::default()).collect();
        let mut found = Found { forks, runs: Vec::with_capacity(self.order.len()) };
        let end = |number: &u32| self.rows[*number as usize].last_lsn;
        for group in self.order.chunk_by(|left, right| end(left) == end(right)) {
            match group {
                // Nearly always one row ends at an LSN.
                [number] if there(*number) => self.apply(&mut found, *number, self.rank(*number), &there),
                [_] => {}
                _ => {
                    let here = group.iter().filter(|number| there(**number));
                    let mut ranked: Vec<(Rank, u32)> =
                        here.map(|number| (self.rank(*number), *number)).collect();
                    ranked.sort_by_key(|(rank, _)| *rank);
                    for (rank, number) in &ranked {
                        self.apply(&mut found, *number, *rank, &there);
                    }
                    for (_, number) in ranked.iter().filter(|(rank, _)| *rank <= Rank::Whole) {
                        found.shows((*number, &self.rows[*number as usize]), self.forks[*number as usize].0);
                    }
                }
            }
        }
        found.runs
    }

    fn rank(&self, number: u32) -> Rank {
        let (row, (into, out)) = (&self.rows[number as usize], self.forks[number as usize]);
        match (row.kind, into == out) {
            (Kind::Log, false) => Rank::Crossing,
            (Kind::Log, true) if row.bulk_logged => Rank::Whole,
            (Kind::Log, true) => Rank::Log,
            _ => Rank::Data,
        }
    }

    fn apply(&self, found: &mut Found, number: u32, rank: Rank, there: &impl Fn(u32) -> bool) {
        let (row, forks) = (&self.rows[number as usize], self.forks[number as usize]);
        match rank {
            Rank::Log => found.log((number, row), forks.0),
            Rank::Whole => found.whole((number, row), forks.0),
            Rank::Crossing => found.crossing((number, row), forks),
            Rank::Data if self.restores(number, there) => {
                found.run((number, forks.1), row.finished, row.finished);
                if row.evidence == Evidence::History {
                    found.forks[forks.1 as usize].stand(row.last_lsn, row.finished);
                }
            }
            Rank::Data => {}
        }
    }
}

/// One recovery fork.
#[derive(Default)]
struct Fork {
    /// Every LSN that a restore can stand at, rising.
    positions: Vec<Lsn>,
    /// (LSN, its least moment): those that no later one is below, so both rise.
    least: Vec<(Lsn, Timestamp)>,
}

impl Fork {
    fn stand(&mut self, at: Lsn, moment: Timestamp) {
        if self.positions.last() != Some(&at) {
            self.positions.push(at);
        }
        while self.least.last().is_some_and(|(_, least)| *least >= moment) {
            self.least.pop();
        }
        if self.least.last().is_none_or(|(lsn, _)| *lsn != at) {
            self.least.push((at, moment));
        }
    }

    /// The least moment of the LSNs from one on.
    fn least_from(&self, first: Lsn) -> Option<Timestamp> {
        // Logs come in rising order, so it is one of the last, or anywhere.
        let near = self.least.len().saturating_sub(8);
        let begin = if self.least.get(near).is_some_and(|(lsn, _)| *lsn < first) { near } else { 0 };
        let at = begin + self.least[begin..].partition_point(|(lsn, _)| *lsn < first);
        self.least.get(at).map(|(_, moment)| *moment)
    }

    /// The least moment of one LSN, where a restore can stand there and nothing lies above it.
    fn moment_at(&self, lsn: Lsn) -> Option<Timestamp> {
        if self.positions.last() == Some(&lsn) { self.least_from(lsn) } else { None }
    }
}

struct Found {
    forks: Vec<Fork>,
    /// (row, fork, run).
    runs: Vec<(u32, u32, Run)>,
}

impl Found {
    fn run(&mut self, (row, fork): (u32, u32), from: Timestamp, to: Timestamp) {
        if from <= to {
            self.runs.push((row, fork, (from, to)));
        }
    }

    /// A log that can be stopped anywhere.
    fn log(&mut self, (number, row): (u32, &Backup), fork: u32) {
        let Some(least) = self.forks[fork as usize].least_from(row.first_lsn) else { return };
        let reaches = row.last_valid_restore_time.unwrap_or(row.finished);
        self.run((number, fork), least, reaches);
        self.forks[fork as usize].stand(row.last_lsn, reaches.max(least));
    }

    /// A log that applies whole.
    fn whole(&mut self, (number, row): (u32, &Backup), fork: u32) {
        let Some(least) = self.forks[fork as usize].least_from(row.first_lsn) else { return };
        let from = row.finished.max(least);
        self.run((number, fork), from, row.last_valid_restore_time.unwrap_or(from).max(from));
        self.forks[fork as usize].stand(row.last_lsn, from);
    }

    /// A log that leads to another fork; it applies up to the LSN at which that begins.
    fn crossing(&mut self, (number, row): (u32, &Backup), (into, out): (u32, u32)) {
        let until = row.fork_point_lsn.unwrap_or(row.last_lsn).min(row.last_lsn);
        let positions = &self.forks[into as usize].positions;
        let held = positions.get(positions.partition_point(|at| *at < row.first_lsn));
        if held.is_none_or(|at| *at > until) {
            return;
        }
        let begun = if row.bulk_logged { row.finished } else { row.started.min(row.finished) };
        let reaches = row.last_valid_restore_time.unwrap_or(row.finished);
        let end = if row.bulk_logged { reaches.max(begun) } else { reaches };
        self.run((number, out), begun, end);
        self.forks[out as usize].stand(row.last_lsn, if row.bulk_logged { begun } else { end.max(begun) });
    }

    /// A log that ends where a restore can stand shows that nothing followed until the moment it reaches.
    fn shows(&mut self, (number, row): (u32, &Backup), fork: u32) {
        if let Some(moment) = self.forks[fork as usize].moment_at(row.last_lsn) {
            self.run((number, fork), moment, row.last_valid_restore_time.unwrap_or(row.finished));
        }
    }
}

/// The moments of all forks.
pub(super) fn of_all(forks: &[Vec<Run>]) -> Vec<Run> {
    match forks {
        [only] => only.clone(),
        _ => joined(forks.concat(), Timestamp::MIN),
    }
}

/// Runs from a moment on, those that overlap or touch as one.
fn joined(mut runs: Vec<Run>, from: Timestamp) -> Vec<Run> {
    runs.retain(|run| run.1 >= from);
    for run in &mut runs {
        run.0 = run.0.max(from);
    }
    runs.sort_unstable();
    let mut joined: Vec<Run> = Vec::new();
    for (start, end) in runs {
        match joined.last_mut() {
            Some(run) if start <= run.1 => run.1 = run.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}
