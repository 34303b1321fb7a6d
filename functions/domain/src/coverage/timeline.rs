//! From positions to moments: intervals, points, and the order of both in time.

use jiff::Timestamp;

use super::rows::{Role, Rows};
use super::sweep::{NONE, Piece, State, Sweep};
use super::{Interval, Logs, Moments, Point};
use crate::backup::{HeldIn, Kind};
use crate::lsn::Lsn;

/// A run of restorable moments, or one of them, with where it lies in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) track: u32,
    /// Position at its first moment; `None` where LSNs are unknown.
    pub(crate) start: Option<Lsn>,
    /// Position at its last moment.
    pub(crate) end: Option<Lsn>,
    /// The backup its first moment comes from.
    pub(crate) start_row: usize,
    /// The backup its last moment comes from.
    pub(crate) end_row: usize,
    /// The piece of its track; `None`: a point.
    piece: Option<usize>,
}

impl Span {
    /// Whether it is one moment that a data backup restores alone.
    pub(crate) const fn is_point(&self) -> bool {
        self.piece.is_none()
    }
}

/// The restorable moments of a lineage.
pub(super) struct Timeline {
    /// Intervals and points by (from, to).
    pub(super) spans: Vec<Span>,
}

/// Whether a piece is more than its anchor: a run of moments, or a single moment that needs logs to be reached.
fn is_interval(rows: &Rows<'_>, piece: &Piece) -> bool {
    piece.to > piece.from || piece.to == piece.from && rows.roles[piece.start_row as usize] == Role::Log
}

impl Timeline {
    pub(super) fn new(rows: &Rows<'_>, sweep: &Sweep<'_>) -> Self {
        let mut spans = Vec::new();
        for (track, pieces) in (0_u32..).zip(sweep.tracks.iter().map(|track| &track.pieces)) {
            for (index, piece) in pieces.iter().enumerate().filter(|(_, piece)| is_interval(rows, piece)) {
                spans.push(Span {
                    from: piece.from,
                    to: piece.to,
                    track,
                    start: Some(piece.start),
                    end: Some(piece.reach),
                    start_row: piece.start_row as usize,
                    end_row: piece.end_row as usize,
                    piece: Some(index),
                });
            }
        }
        let key = |span: &Span| (span.from, span.to, span.end, span.start_row);
        spans.sort_unstable_by_key(key);
        let runs = stretches(&spans);
        let mut points: Vec<Span> = (0..rows.backups.len())
            .filter(|row| matches!(rows.roles[*row], Role::Anchor | Role::Alone))
            .filter(|row| !runs.hold(rows.backups[*row].finished))
            .map(|row| point(rows, row))
            .collect();
        if !points.is_empty() {
            spans.append(&mut points);
            spans.sort_unstable_by_key(key);
        }
        Self { spans }
    }

    /// Whether a moment takes more than one full to restore.
    pub(super) fn needs_chain(&self, rows: &Rows<'_>) -> bool {
        let needs =
            |span: &Span| span.piece.is_some() || rows.backups[span.start_row].kind == Kind::Differential;
        self.spans.iter().any(needs)
    }

    pub(super) fn points(&self, rows: &Rows<'_>) -> Vec<Point> {
        let points = self.spans.iter().filter(|span| span.piece.is_none());
        points.map(|span| Point { at: span.from, backup: rows.backups[span.start_row].id.clone() }).collect()
    }
}

fn point(rows: &Rows<'_>, row: usize) -> Span {
    let backup = &rows.backups[row];
    let position = (rows.roles[row] == Role::Anchor).then_some(backup.last_lsn);
    Span {
        from: backup.finished,
        to: backup.finished,
        track: rows.forks[row].exit,
        start: position,
        end: position,
        start_row: row,
        end_row: row,
        piece: None,
    }
}

/// The moments of runs of more than one.
fn stretches(spans: &[Span]) -> Moments {
    let longer = spans.iter().filter(|span| span.to > span.from);
    Moments::of(longer.map(|span| (span.from, span.to)))
}

/// The intervals by time: what the vault holds alone, and what needs logs that the service still keeps.
pub(super) fn intervals(
    rows: &Rows<'_>,
    timeline: &Timeline,
    all: &Sweep<'_>,
    in_vault: Option<&Sweep<'_>>,
) -> Vec<Interval> {
    let Some(in_vault) = in_vault else {
        return timeline.spans.iter().filter_map(|span| whole(rows, all, span, HeldIn::Vault)).collect();
    };
    let vault = Timeline::new(rows, in_vault);
    let runs = stretches(&vault.spans);
    let mut intervals: Vec<Interval> =
        vault.spans.iter().filter_map(|span| whole(rows, in_vault, span, HeldIn::Vault)).collect();
    for span in &timeline.spans {
        let Some(piece) = span.piece else { continue };
        if span.from == span.to {
            let held = runs.hold(span.from)
                || vault.spans.binary_search_by(|held| held.from.cmp(&span.from)).is_ok();
            intervals.extend(whole(rows, all, span, HeldIn::Service).filter(|_| !held));
            continue;
        }
        for (from, to) in runs.missing_from(span.from, span.to) {
            let states = all.tracks[span.track as usize].states(piece);
            let ends = |state: &State| {
                state.last_log != NONE && rows.backups[state.last_log as usize].reaches() >= to
            };
            let state = states.iter().find(|state| ends(state)).or(states.last());
            intervals.extend(state.map(|state| interval(rows, state, (from, to), HeldIn::Service)));
        }
    }
    intervals.sort_by(|left, right| {
        (left.from, left.to, &left.anchor).cmp(&(right.from, right.to, &right.anchor))
    });
    intervals
}

fn whole(rows: &Rows<'_>, sweep: &Sweep<'_>, span: &Span, held_in: HeldIn) -> Option<Interval> {
    let state = sweep.tracks[span.track as usize].states(span.piece?).last()?;
    Some(interval(rows, state, (span.from, span.to), held_in))
}

fn interval(rows: &Rows<'_>, state: &State, moments: (Timestamp, Timestamp), held_in: HeldIn) -> Interval {
    let id = |row: u32| (row != NONE).then(|| rows.backups[row as usize].id.clone());
    Interval {
        from: moments.0,
        to: moments.1,
        anchor: rows.backups[state.anchor as usize].id.clone(),
        logs: Logs { count: state.log_count, first: id(state.first_log), last: id(state.last_log) },
        held_in,
    }
}
