//! Which backups does anything need, what for, and until when?
//!
//! Marks one lineage, as `mark and sweep` does: what no mark is put on may go. Per run of restorable moments, and so per
//! recovery fork and chain segment, the window begins at the first promised moment; the way to it is planned, and the way and
//! every log behind the data backup that it begins with are kept. Twice where RDS still keeps logs: the vault alone must keep
//! what it can do alone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Terms;
use super::generations::tags;
use super::marks::Marks;
use super::segments::{Segment, segments};
use super::words::{For, Why};
use crate::backup::{Backup, HeldIn, Kind};
use crate::chain;
use crate::coverage::rows::{Role, Rows};
use crate::coverage::{self, Moments, Reach, Span};
use crate::id::BackupId;
use crate::lsn::Lsn;
use crate::reason::{Class, Reason};
use crate::restore::Planner;

/// Promised moments: runs that neither overlap nor touch, both ends in.
fn promised(spans: &[Span], from: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    coverage::moments(spans)
        .runs()
        .iter()
        .filter(|(_, to)| *to >= from)
        .map(|(start, to)| ((*start).max(from), *to))
        .collect()
}

/// What is asked of one lineage.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) terms: &'a Terms<'a>,
    /// The first promised moment.
    pub(super) from: Timestamp,
    /// How long the promised window is.
    pub(super) window: SignedDuration,
}

impl Ask<'_> {
    /// How long a data backup of a kind is kept for its own date.
    fn own(&self, kind: Kind) -> SignedDuration {
        let retention = &self.terms.policy.retention;
        let doubt = self.terms.doubt;
        let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days)).saturating_add(doubt);
        match kind {
            Kind::Differential => retention.differential_days.map_or(self.window, days),
            Kind::CopyOnly => days(retention.on_demand_days),
            Kind::Full | Kind::Log | Kind::Snapshot => self.window,
        }
    }
}

/// When what a segment needs ends, should nothing else be made.
struct Ends<'a> {
    segment: &'a Segment,
    /// Whether any of its moments is promised: if not, it is the newest good chain and nothing else.
    is_promised: bool,
    moments: Moments,
    /// Rows with which its runs begin, sorted.
    starts: Vec<u32>,
    /// When none of its moments is promised any more; `None` for the newest.
    at: Option<Timestamp>,
    window: SignedDuration,
}

impl Ends<'_> {
    fn what(&self, what: For) -> For {
        if self.is_promised { what } else { For::LastGood }
    }

    /// The last moment that needs what lies before a data backup with this finish, whatever that one makes needless.
    fn last_before(&self, finished: Timestamp) -> Timestamp {
        let runs = self.moments.runs();
        let begun = runs.partition_point(|(from, _)| *from < finished);
        begun.checked_sub(1).map_or(finished, |run| runs[run].1.min(finished))
    }

    /// When a data backup has made what lies before it needless, where that is sooner.
    fn taken_over(&self, by: &Backup, until: Option<Timestamp>) -> Option<Timestamp> {
        let last = self.last_before(by.finished);
        [until, last.checked_add(self.window).ok()].into_iter().flatten().min()
    }
}

struct Marking<'a, 'b> {
    ask: Ask<'b>,
    planner: &'b Planner<'a>,
    rows: &'b Rows<'a>,
    marks: Marks,
}

/// All marks of a lineage. `spans`: its runs of restorable moments with every backup.
///
/// # Errors
/// `NoWayToPromisedMoment`: a moment that the window claims has no plan. Two rules contradict each other; nothing may go.
pub(super) fn marks(planner: &Planner<'_>, spans: Vec<Span>, ask: Ask<'_>) -> Result<Marks, Reason> {
    let rows = planner.rows();
    let marks = Marks {
        kept: Vec::with_capacity(rows.backups.len()),
        ended: Vec::new(),
        ended_lifted: Vec::new(),
        later: Vec::new(),
        begins: Vec::new(),
        vault: Vec::new(),
        with_service: Vec::new(),
        forks: rows.forks.iter().map(|forks| forks.entry).collect(),
    };
    let mut marking = Marking { ask, planner, rows, marks };
    marking.own_dates()?;
    let moments = promised(&spans, ask.from);
    marking.window(planner, spans)?;
    if rows.has_service {
        let vault = Planner::over(Rows::new(rows.lineage), Reach::Vault);
        let spans = coverage::spans(vault.rows(), Reach::Vault);
        marking.marks.vault = promised(&spans, ask.from);
        marking.marks.with_service = moments;
        marking.window(&vault, spans)?;
    } else {
        marking.marks.vault = moments;
    }
    marking.holds();
    Ok(marking.marks)
}

impl<'a> Marking<'a, '_> {
    fn backup(&self, row: u32) -> &'a Backup {
        &self.rows.backups[row as usize]
    }

    fn keep(&mut self, row: u32, what: For, until: Option<Timestamp>) {
        self.marks.kept.push((row, Why { what, until }));
    }

    /// Keeps a data backup, and its base with it.
    fn keep_data(&mut self, row: u32, what: For, until: Option<Timestamp>) {
        self.keep(row, what, until);
        if let Some(base) = self.base(row) {
            self.keep(base, For::Base(self.backup(row).id.clone()), until);
        }
    }

    /// The base of a differential.
    fn base(&self, row: u32) -> Option<u32> {
        let base = chain::anchor(self.backup(row), self.rows.lineage).ok()??;
        self.rows.lineage.find(base.id.as_str()).map(|(row, _)| number(row))
    }

    /// A date of a data backup's own: it is kept until then, or it has ended.
    fn date(&mut self, row: u32, what: For, until: Option<Timestamp>) {
        match until {
            Some(until) if until <= self.ask.terms.now => self.marks.ended.push((row, what, until)),
            _ => self.keep_data(row, what, until),
        }
    }

    /// What each backup is kept for by its own date, whatever the others are.
    fn own_dates(&mut self) -> Result<(), Reason> {
        let policy = self.ask.terms.policy;
        for (row, backup) in (0_u32..).zip(self.rows.backups) {
            match (self.rows.roles[row as usize], backup.kind) {
                (Role::Snapshot, _) => self.keep(row, For::Snapshot, None),
                _ if backup.held_in == HeldIn::Service => self.keep(row, For::Service, None),
                (Role::Anchor | Role::Alone, kind) => {
                    let what = match kind {
                        Kind::Differential => For::Differential,
                        Kind::CopyOnly => For::OnDemand,
                        Kind::Full | Kind::Log | Kind::Snapshot => For::Point,
                    };
                    self.date(row, what, backup.finished.checked_add(self.ask.own(kind)).ok());
                }
                (Role::Log | Role::Broken | Role::Orphan, _) => {}
            }
        }
        let zone = policy.zone()?;
        let good = |row: &(u32, &Backup)| {
            matches!(self.rows.roles[row.0 as usize], Role::Anchor | Role::Alone) && row.1.kind == Kind::Full
        };
        let fulls = (0_u32..).zip(self.rows.backups).filter(good);
        for tag in tags(fulls, &policy.retention, &zone) {
            let until = tag.until.and_then(|until| until.checked_add(self.ask.terms.doubt).ok());
            self.date(tag.row, For::Generation(tag.generation), until);
        }
        Ok(())
    }

    /// What the promised window needs, and the newest good chain.
    fn window(&mut self, planner: &Planner<'_>, spans: Vec<Span>) -> Result<(), Reason> {
        let segments = segments(planner.rows(), spans);
        let newest = segments.iter().map(|segment| segment.to).max();
        for segment in &segments {
            let is_newest = Some(segment.to) == newest;
            if segment.to >= self.ask.from || is_newest {
                self.segment(planner, segment, is_newest)?;
            }
        }
        let good = |row: &u32| matches!(self.rows.roles[*row as usize], Role::Anchor | Role::Alone);
        let data = || self.rows.columns.data.iter().copied().filter(good);
        let Some(last) = data().max_by_key(|row| (self.backup(*row).finished, *row)) else { return Ok(()) };
        // Where a clock was put back, the newest by time is not the one with which the log goes on: both stay.
        let fork = |row: u32| self.rows.forks[row as usize].exit;
        let highest = data()
            .filter(|row| fork(*row) == fork(last))
            .max_by_key(|row| (self.backup(*row).last_lsn, *row));
        self.last_good(planner, &segments, last);
        if let Some(highest) = highest.filter(|highest| *highest != last) {
            self.last_good(planner, &segments, highest);
        }
        Ok(())
    }

    /// One segment: the way to its first promised moment, and every log that follows.
    fn segment(&mut self, planner: &Planner<'_>, segment: &Segment, is_newest: bool) -> Result<(), Reason> {
        let ends = if is_newest { None } else { segment.to.checked_add(self.ask.window).ok() };
        let is_promised = segment.to >= self.ask.from;
        let (moments, starts) = (segment.moments(), segment.starts());
        let ends = Ends { segment, is_promised, moments, starts, at: ends, window: self.ask.window };
        let (first, last) = (segment.first_from(self.ask.from), segment.last());
        let way = self.way(planner, first)?;
        let mut lowest = self.start(segment, &way);
        // Where a clock was put back, the last moment may lie in an earlier log than the first promised one.
        let other = self.way(planner, last)?;
        let start = self.start(segment, &other);
        self.beginnings(&ends, first.1);
        self.keep_way(planner, &ends, way);
        if start < lowest {
            lowest = start;
            self.keep_way(planner, &ends, other);
        }
        self.logs_behind(planner, &ends, lowest);
        Ok(())
    }

    /// Data backups with which a run behind a hole begins. No way from below leads into it: what tore the hole applies whole.
    fn beginnings(&mut self, ends: &Ends<'_>, first: &Span) {
        let from = self.ask.from;
        let promised = ends.segment.spans.iter().filter(|span| span.to >= from);
        for span in promised.filter(|span| span.start_row != first.start_row) {
            if self.rows.backups[span.start_row].kind.is_data() {
                let until = span.to.checked_add(self.ask.window).ok();
                self.keep_data(number(span.start_row), For::Anchor, until);
            }
        }
    }

    /// The way to a moment of a run: the data backup it begins with, and its logs.
    fn way(&self, planner: &Planner<'_>, (at, span): (Timestamp, &Span)) -> Result<(u32, Vec<u32>), Reason> {
        if span.is_point() {
            return Ok((number(span.start_row), Vec::new()));
        }
        let alone = || planner.ends_on(at).map(|row| (row, Vec::new()));
        planner.way_to(span.track, at).or_else(alone).ok_or_else(|| {
            let why = format!(
                "database {}: the window claims {}, and no plan leads there",
                self.rows.lineage.database(),
                coverage::written(at)
            );
            Reason::new(Class::Human, "NoWayToPromisedMoment", why)
                .guidance("nothing may be removed; report the history: two rules contradict each other")
        })
    }

    /// Where a way arrives on the fork of a segment: the end of its data backup, or of the log that crossed over.
    fn start(&self, segment: &Segment, (anchor, logs): &(u32, Vec<u32>)) -> Lsn {
        let crossed = logs.iter().rev().find(|row| {
            let forks = self.rows.forks[**row as usize];
            forks.entry != forks.exit && forks.exit == segment.track
        });
        self.backup(*crossed.unwrap_or(anchor)).last_lsn
    }

    /// Keeps the data backup of a way, and its logs on other forks.
    fn keep_way(&mut self, planner: &Planner<'_>, ends: &Ends<'_>, way: (u32, Vec<u32>)) {
        let segment = ends.segment;
        let start = self.start(segment, &way);
        let later = anchors_behind(planner, segment, start).filter(|row| self.lasts(ends, *row));
        let until = later.fold(ends.at, |until, row| ends.taken_over(self.backup(row), until));
        let (anchor, logs) = way;
        self.keep_data(anchor, ends.what(For::Anchor), until);
        let id = self.backup(anchor).id.clone();
        for row in logs.into_iter().filter(|row| self.rows.forks[*row as usize].entry != segment.track) {
            self.keep(row, ends.what(For::Log(id.clone())), until);
        }
        self.marks.begins.push((segment.track, start, anchor));
    }

    /// Whether a data backup is still there when the promised window comes to begin behind its finish.
    fn lasts(&self, ends: &Ends<'_>, row: u32) -> bool {
        ends.starts.binary_search(&row).is_ok() || self.ask.own(self.backup(row).kind) >= self.ask.window
    }

    /// Keeps every log of the segment from where its way arrives.
    fn logs_behind(&mut self, planner: &Planner<'_>, ends: &Ends<'_>, start: Lsn) {
        let segment = ends.segment;
        let Some((_, _, anchor)) = self.marks.begins.last() else { return };
        let anchor = self.backup(*anchor).id.clone();
        let logs = within(planner, planner.logs(segment.track), start, segment.end);
        // From the end: the soonest date at which a data backup behind a log makes it needless.
        let mut behind = anchors_behind(planner, segment, start).rev().peekable();
        let mut until = ends.at;
        for row in logs.iter().rev() {
            let log = self.backup(*row);
            while let Some(later) = behind.next_if(|later| self.backup(*later).last_lsn > log.last_lsn) {
                until = self.step_back(ends, later, until);
            }
            self.keep(*row, ends.what(For::Log(anchor.clone())), until);
        }
        for later in behind {
            until = self.step_back(ends, later, until);
        }
    }

    /// Steps over a data backup with which the window will begin until `until`: when what lies before it becomes needless.
    fn step_back(&mut self, ends: &Ends<'_>, row: u32, until: Option<Timestamp>) -> Option<Timestamp> {
        if !self.lasts(ends, row) {
            return until;
        }
        self.marks.later.push((row, until));
        self.marks.later.extend(self.base(row).map(|base| (base, until)));
        ends.taken_over(self.backup(row), until)
    }

    /// The newest good data backup and the logs behind it: they stay until something takes their place.
    fn last_good(&mut self, planner: &Planner<'_>, segments: &[Segment], last: u32) {
        self.keep_data(last, For::LastGood, None);
        if self.rows.roles[last as usize] != Role::Anchor {
            return;
        }
        let (track, end) = (self.rows.forks[last as usize].exit, self.backup(last).last_lsn);
        let holds = |segment: &&Segment| {
            let start = segment.spans.iter().filter_map(|span| span.start).min();
            segment.track == track
                && start.is_some_and(|start| start <= end)
                && segment.end.is_some_and(|reach| end <= reach)
        };
        for segment in segments.iter().filter(holds) {
            for row in within(planner, planner.logs(track), end, segment.end) {
                self.keep(*row, For::LastGood, None);
            }
        }
    }

    /// What somebody holds, and what it needs: of a log every way that it is applied behind, because each brings other moments of it.
    fn holds(&mut self) {
        let holds: BTreeMap<&BackupId, &str> =
            self.ask.terms.holds.iter().map(|hold| (&hold.backup, hold.why.as_str())).collect();
        for (id, why) in holds {
            let Some((row, _)) = self.rows.lineage.find(id.as_str()) else { continue };
            let row = number(row);
            self.keep(row, For::Hold(why.to_owned()), None);
            if let Some(base) = self.base(row) {
                self.keep(base, For::HeldWith(id.clone()), None);
            }
            if self.rows.roles[row as usize] == Role::Log {
                for (anchor, logs) in self.ways_into(row) {
                    self.keep_data(anchor, For::HeldWith(id.clone()), None);
                    for log in logs.into_iter().filter(|log| *log != row) {
                        self.keep(log, For::HeldWith(id.clone()), None);
                    }
                }
            }
        }
    }

    /// The way to the end of a log, and the ways to all that it continues from: what ends in it or where it begins.
    fn ways_into(&self, row: u32) -> Vec<(u32, Vec<u32>)> {
        let (planner, log, fork) = (self.planner, self.backup(row), self.rows.forks[row as usize].entry);
        let in_it = |by_end| within(planner, by_end, log.first_lsn, Some(log.last_lsn)).iter().copied();
        let logs = in_it(planner.logs(fork)).filter(|other| *other != row);
        let ways = std::iter::once(row).chain(logs).filter_map(|log| planner.way_to_end(log));
        ways.chain(in_it(planner.anchors(fork)).map(|anchor| (anchor, Vec::new()))).collect()
    }
}

/// Of rows by `last_lsn` those from one LSN to another, both in.
fn within<'p>(planner: &Planner<'_>, by_end: &'p [u32], start: Lsn, end: Option<Lsn>) -> &'p [u32] {
    let backups = planner.rows().backups;
    let from = by_end.partition_point(|row| backups[*row as usize].last_lsn < start);
    let to = by_end.partition_point(|row| Some(backups[*row as usize].last_lsn) <= end).max(from);
    &by_end[from..to]
}

/// The data backups of a segment that end behind an LSN.
fn anchors_behind<'p>(
    planner: &'p Planner<'_>,
    segment: &Segment,
    start: Lsn,
) -> impl DoubleEndedIterator<Item = u32> + 'p {
    let backups = planner.rows().backups;
    let anchors = within(planner, planner.anchors(segment.track), start, segment.end);
    anchors.iter().copied().filter(move |row| backups[*row as usize].last_lsn > start)
}

pub(super) fn number(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}
