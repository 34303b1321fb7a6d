//! The gaps between restorable moments: which LSN fails first, why, and what a person can do about it.

mod words;

use jiff::Timestamp;

use super::rows::{Role, Rows};
use super::sweep::Sweep;
use super::timeline::{Span, Timeline};
use super::{Cause, Hole};
use crate::backup::{Backup, Defect, Kind, RecoveryModel};
use crate::lsn::Lsn;
use words::Evidence;

impl From<Defect> for Cause {
    fn from(defect: Defect) -> Self {
        match defect {
            Defect::Damaged => Self::Damaged,
            Defect::MissingStripe(_) => Self::MissingStripe,
            Defect::UnreadableKey => Self::UnreadableKey,
            Defect::Archived => Self::Archived,
        }
    }
}

/// The holes of a lineage by time.
pub(super) fn holes(rows: &Rows<'_>, sweep: &Sweep<'_>, timeline: &Timeline) -> Vec<Hole> {
    let judge = Judge { rows, sweep, logs: tracks_of_logs(rows), lacking: lacking(rows) };
    let Some(first) = timeline.spans.first() else { return judge.nothing().into_iter().collect() };
    let mut holes: Vec<Hole> = judge.leading(first).into_iter().collect();
    let mut current = first;
    for next in &timeline.spans[1..] {
        if next.from > current.to {
            holes.extend(judge.between(current, next));
        }
        if (next.to, next.end) >= (current.to, current.end) {
            current = next;
        }
    }
    holes.extend(judge.trailing(current));
    holes
}

/// The logs of one fork by `first_lsn`, to ask which of them covers an LSN and which begins next.
struct TrackLogs {
    /// Rows, rising in `first_lsn` once they are sorted.
    by_first: Vec<u32>,
    /// Where the last of them begins, as long as none begins below one before it.
    rising: Option<Lsn>,
    /// Those that cannot be used; once sorted, each that ends higher than all before it: so it covers what any of them does.
    broken: Vec<u32>,
    /// The same of those that can, and hold bulk-logged changes or lead away from the fork.
    special: Vec<u32>,
}

impl TrackLogs {
    const fn new() -> Self {
        Self { by_first: Vec::new(), rising: Some(Lsn::ZERO), broken: Vec::new(), special: Vec::new() }
    }

    fn push(&mut self, row: u32, log: &Backup) {
        self.by_first.push(row);
        self.rising = self.rising.filter(|last| *last <= log.first_lsn).map(|_| log.first_lsn);
    }

    /// Logs come in the order they end in, and nearly always begin in it: then no row is read again.
    fn sort(&mut self, backups: &[Backup]) {
        let first = |row: &u32| backups[*row as usize].first_lsn;
        if self.rising.is_none() {
            self.by_first.sort_by_key(first);
        }
        for rows in [&mut self.broken, &mut self.special] {
            rows.sort_by_key(first);
            let mut highest = Lsn::ZERO;
            rows.retain(|row| {
                let (before, last) = (highest, backups[*row as usize].last_lsn);
                highest = highest.max(last);
                before < last
            });
        }
    }
}

/// The log that reaches furthest of those that begin at or below an LSN, if it reaches beyond it.
fn covers(highest: &[u32], lsn: Lsn, backups: &[Backup]) -> Option<usize> {
    let below = highest.partition_point(|row| backups[*row as usize].first_lsn <= lsn);
    let row = *highest.get(below.checked_sub(1)?)? as usize;
    (backups[row].last_lsn > lsn).then_some(row)
}

fn tracks_of_logs(rows: &Rows<'_>) -> Vec<TrackLogs> {
    let mut tracks: Vec<TrackLogs> = (0..rows.track_count).map(|_| TrackLogs::new()).collect();
    for (row, backup) in (0_u32..).zip(rows.backups).filter(|(_, backup)| backup.kind == Kind::Log) {
        let track = &mut tracks[rows.forks[row as usize].entry as usize];
        track.push(row, backup);
        if rows.roles[row as usize] == Role::Broken {
            track.broken.push(row);
        } else if backup.bulk_logged || crosses(rows, row as usize) {
            track.special.push(row);
        }
    }
    for track in &mut tracks {
        track.sort(rows.backups);
    }
    tracks
}

fn crosses(rows: &Rows<'_>, row: usize) -> bool {
    rows.forks[row].entry != rows.forks[row].exit
}

/// Rows without LSNs by time.
fn lacking(rows: &Rows<'_>) -> Vec<(Timestamp, usize)> {
    let rows = rows.lineage.incomplete().iter().enumerate();
    let mut lacking: Vec<(Timestamp, usize)> = rows.map(|(index, row)| (row.finished, index)).collect();
    lacking.sort_unstable();
    lacking
}

struct Judge<'a> {
    rows: &'a Rows<'a>,
    sweep: &'a Sweep<'a>,
    logs: Vec<TrackLogs>,
    lacking: Vec<(Timestamp, usize)>,
}

/// Where a run of moments ends in the log.
#[derive(Clone, Copy)]
struct Edge {
    track: u32,
    lsn: Option<Lsn>,
    row: usize,
}

/// What the first failing LSN says.
struct Verdict<'a> {
    cause: Cause,
    from_lsn: Option<Lsn>,
    to_lsn: Option<Lsn>,
    evidence: Evidence<'a>,
}

impl<'a> Judge<'a> {
    fn backup(&self, row: usize) -> &'a Backup {
        &self.rows.backups[row]
    }

    fn hole(from: Timestamp, to: Timestamp, verdict: &Verdict<'_>) -> Hole {
        let Verdict { cause, from_lsn, to_lsn, evidence } = verdict;
        let (detail, repair) = words::sentences(*cause, *from_lsn, *to_lsn, evidence);
        let to = to.max(from);
        Hole { from, to, from_lsn: *from_lsn, to_lsn: *to_lsn, cause: *cause, detail, repair }
    }

    /// Where the restorable moments of a span end: a point that lies inside a piece ends where the piece does.
    fn edge(&self, span: &Span) -> Edge {
        let plain = Edge { track: span.track, lsn: span.end, row: span.end_row };
        let Some(end) = span.end else { return plain };
        let pieces = &self.sweep.tracks[span.track as usize].pieces;
        match pieces.get(pieces.partition_point(|piece| piece.reach < end)) {
            Some(piece) if piece.start <= end => {
                Edge { track: span.track, lsn: Some(piece.reach), row: piece.end_row as usize }
            }
            _ => plain,
        }
    }

    /// What the log that covers the LSN says, or the next one where none does.
    fn fails_at(&self, edge: Edge, before: Option<Lsn>) -> Option<Verdict<'a>> {
        let lsn = edge.lsn?;
        let logs = &self.logs[edge.track as usize];
        let through = |cause, row: usize| Verdict {
            cause,
            from_lsn: Some(lsn),
            to_lsn: Some(self.backup(row).last_lsn),
            evidence: Evidence::Backup(self.backup(row)),
        };
        if let Some(row) = covers(&logs.special, lsn, self.rows.backups) {
            let cause = if crosses(self.rows, row) { Cause::Fork } else { Cause::BulkLogged };
            return Some(through(cause, row));
        }
        let broken = covers(&logs.broken, lsn, self.rows.backups);
        if let Some((row, defect)) = broken.and_then(|row| Some((row, self.backup(row).defect()?))) {
            return Some(through(defect.into(), row));
        }
        let first = |row: u32| self.backup(row as usize).first_lsn;
        let next = logs.by_first.partition_point(|row| first(*row) <= lsn);
        let row = *logs.by_first.get(next).filter(|row| before.is_none_or(|before| first(**row) < before))?;
        Some(Verdict {
            cause: Cause::LogGap,
            from_lsn: Some(lsn),
            to_lsn: Some(first(row)),
            evidence: Evidence::Between(self.backup(edge.row), self.backup(row as usize)),
        })
    }

    fn simple(&self, row: usize) -> bool {
        self.backup(row).recovery_model == Some(RecoveryModel::Simple)
    }

    fn incomplete(&self, after: Timestamp, to: Timestamp) -> Option<Evidence<'a>> {
        let first = self.lacking.partition_point(|(finished, _)| *finished <= after);
        let (_, index) = self.lacking.get(first).filter(|(finished, _)| *finished <= to)?;
        Some(Evidence::Incomplete(&self.rows.lineage.incomplete()[*index]))
    }

    /// The hole between two spans; `None` where no LSN fails between them.
    fn between(&self, current: &Span, next: &Span) -> Option<Hole> {
        let edge = self.edge(current);
        let same_track = edge.track == next.track;
        if same_track && next.start.zip(edge.lsn).is_some_and(|(start, end)| start <= end) {
            return None;
        }
        let before = next.start.filter(|_| same_track);
        let (from, to) = (current.to, next.from);
        let otherwise = |cause, evidence| Verdict { cause, from_lsn: edge.lsn, to_lsn: next.start, evidence };
        let neighbours = Evidence::Between(self.backup(edge.row), self.backup(next.start_row));
        let simple = self.simple(edge.row) || self.simple(next.start_row);
        let found = self.fails_at(edge, before);
        let verdict = match found {
            Some(verdict) if verdict.cause != Cause::LogGap => verdict,
            found => {
                if let Some(evidence) = self.incomplete(from, to) {
                    let to_lsn = found.and_then(|found| found.to_lsn).or(next.start);
                    Verdict { to_lsn, ..otherwise(Cause::IncompleteImport, evidence) }
                } else if let Some(gap) = found.filter(|_| !simple) {
                    gap
                } else if !same_track {
                    otherwise(Cause::Fork, neighbours)
                } else if simple {
                    otherwise(Cause::SimpleRecovery, neighbours)
                } else {
                    otherwise(Cause::LogGap, neighbours)
                }
            }
        };
        Some(Self::hole(from, to, &verdict))
    }

    /// Backups that a restore could not use, apart from snapshots, which were never ours.
    fn unused(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.backups.len()).filter(|row| {
            !self.sweep.reached[*row] && !matches!(self.rows.roles[*row], Role::Snapshot | Role::Alone)
        })
    }

    /// The first data backup among these that would have served but for a defect.
    fn first_defect(&self, rows: &[usize]) -> Option<(Cause, &'a Backup)> {
        let data = rows.iter().filter(|row| self.rows.roles[**row] == Role::Broken);
        let mut data = data.map(|row| self.backup(*row)).filter(|backup| backup.kind.is_data());
        data.find_map(|backup| Some((backup.defect()?.into(), backup)))
    }

    fn extent(&self, rows: &[usize], lacking: &[(Timestamp, usize)]) -> Option<(Timestamp, Timestamp)> {
        let incomplete = self.rows.lineage.incomplete();
        let times = rows.iter().map(|row| (self.backup(*row).started, self.backup(*row).finished));
        let times =
            times.chain(lacking.iter().map(|(_, row)| (incomplete[*row].started, incomplete[*row].finished)));
        times.fold(None, |extent: Option<(Timestamp, Timestamp)>, (started, finished)| {
            let (start, end) = extent.unwrap_or((started, finished));
            Some((start.min(started).min(finished), end.max(finished)))
        })
    }

    fn lowest(&self, rows: &[usize]) -> Option<Lsn> {
        rows.iter().map(|row| self.backup(*row).first_lsn).min()
    }

    /// The verdict on rows before the first moment, or on all where there is none.
    fn without_anchor(
        &self,
        rows: &[usize],
        lacking: &[(Timestamp, usize)],
        otherwise: Cause,
        to_lsn: Option<Lsn>,
    ) -> Verdict<'a> {
        let (cause, evidence) = if let Some((cause, backup)) = self.first_defect(rows) {
            (cause, Evidence::Backup(backup))
        } else if let Some((_, row)) =
            lacking.iter().find(|(_, row)| self.rows.lineage.incomplete()[*row].kind.is_data())
        {
            (Cause::IncompleteImport, Evidence::Incomplete(&self.rows.lineage.incomplete()[*row]))
        } else if let Some(row) = rows.first() {
            (otherwise, Evidence::Backup(self.backup(*row)))
        } else {
            let first = lacking.first().map(|(_, row)| &self.rows.lineage.incomplete()[*row]);
            (Cause::IncompleteImport, first.map_or(Evidence::None, Evidence::Incomplete))
        };
        Verdict { cause, from_lsn: self.lowest(rows), to_lsn, evidence }
    }

    /// Backups before the first restorable moment.
    fn leading(&self, first: &Span) -> Option<Hole> {
        let rows: Vec<usize> = self.unused().filter(|row| self.backup(*row).finished < first.from).collect();
        let lacking = &self.lacking[..self.lacking.partition_point(|(finished, _)| *finished < first.from)];
        let (from, _) = self.extent(&rows, lacking)?;
        let verdict = self.without_anchor(&rows, lacking, Cause::BeforeFirstBackup, first.start);
        Some(Self::hole(from, first.from, &verdict))
    }

    /// A lineage of which nothing can be restored.
    fn nothing(&self) -> Option<Hole> {
        let rows: Vec<usize> = self.unused().collect();
        let (from, to) = self.extent(&rows, &self.lacking)?;
        let end = rows.iter().map(|row| self.backup(*row).last_lsn).max();
        Some(Self::hole(from, to, &self.without_anchor(&rows, &self.lacking, Cause::NoAnchor, end)))
    }

    /// Backups behind the last restorable moment that no restore can use.
    fn trailing(&self, last: &Span) -> Option<Hole> {
        let edge = self.edge(last);
        let behind = |row: &usize| {
            let covered = self.rows.forks[*row].exit == edge.track
                && edge.lsn.is_some_and(|end| self.backup(*row).last_lsn <= end);
            self.backup(*row).finished > last.to && !covered
        };
        let rows: Vec<usize> = self.unused().filter(behind).collect();
        let lacking = &self.lacking[self.lacking.partition_point(|(finished, _)| *finished <= last.to)..];
        let (_, to) = self.extent(&rows, lacking)?;
        let verdict = match self.fails_at(edge, None) {
            Some(verdict) if verdict.cause != Cause::LogGap || lacking.is_empty() => verdict,
            _ => self.stranded(edge, &rows, lacking),
        };
        Some(Self::hole(last.to, to, &verdict))
    }

    /// What is behind the last moment where no log of its fork goes on.
    fn stranded(&self, edge: Edge, rows: &[usize], lacking: &[(Timestamp, usize)]) -> Verdict<'a> {
        let verdict = |cause, to_lsn, evidence| Verdict { cause, from_lsn: edge.lsn, to_lsn, evidence };
        if let Some((_, row)) = lacking.first() {
            let row = &self.rows.lineage.incomplete()[*row];
            return verdict(Cause::IncompleteImport, None, Evidence::Incomplete(row));
        }
        let Some(row) = rows.first().copied() else { return verdict(Cause::NoAnchor, None, Evidence::None) };
        let backup = self.backup(row);
        let begins_later = edge.lsn.is_none_or(|end| backup.first_lsn > end);
        let to_lsn = Some(if begins_later { backup.first_lsn } else { backup.last_lsn });
        match (self.first_defect(rows), backup.kind) {
            (Some((cause, broken)), _) => verdict(cause, Some(broken.last_lsn), Evidence::Backup(broken)),
            (None, Kind::Log) if self.rows.forks[row].entry != edge.track => {
                verdict(Cause::Fork, to_lsn, Evidence::Between(self.backup(edge.row), backup))
            }
            (None, _) => verdict(Cause::NoAnchor, to_lsn, Evidence::Backup(backup)),
        }
    }
}
