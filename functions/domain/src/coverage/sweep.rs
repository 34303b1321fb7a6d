//! Which positions of the log can be reached, and from where: one pass in the order of `last_lsn`.
//!
//! In that order a log `[first, last)` applies exactly if the highest position reached so far lies at or above `first`:
//! every state that could need it has been seen. Reached positions form pieces: runs in which a restore can stop anywhere. A
//! piece ends where a log is missing or cannot be stopped inside; a log that begins in an older piece joins what lies between.

use jiff::Timestamp;

use super::rows::{Role, Rows};
use crate::backup::{Backup, HeldIn};
use crate::lsn::Lsn;

/// No log yet.
pub(super) const NONE: u32 = u32::MAX;

/// Which backups may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them.
    All,
    /// Those in the vault: what survives the loss of the instance.
    Vault,
}

impl Reach {
    /// Whether a backup may be used.
    pub(crate) fn holds(self, backup: &Backup) -> bool {
        self == Self::All || backup.held_in == HeldIn::Vault
    }
}

/// A position a restore can stand at, and the shortest way to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) position: Lsn,
    /// Logs applied since the anchor.
    pub(super) log_count: u32,
    pub(super) first_log: u32,
    pub(super) last_log: u32,
    pub(super) anchor: u32,
}

/// A run of moments in which a restore can stop anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) from: Timestamp,
    /// Before `from` while nothing proves a moment: a log that crossed a fork and holds no commit since its backup began.
    pub(super) to: Timestamp,
    /// Where it begins: the anchor's end, or the end of the log it begins after.
    pub(super) start: Lsn,
    /// The backup it begins with.
    pub(super) start_row: u32,
    /// The highest position reached.
    pub(super) reach: Lsn,
    /// The backup that reached it.
    pub(super) end_row: u32,
    /// Where its states begin in the track's frontier.
    base: usize,
}

/// One recovery fork.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// Rising in position.
    pub(super) pieces: Vec<Piece>,
    /// States that no state at or behind them beats in number of logs: within a piece positions and counts both rise.
    frontier: Vec<State>,
    /// Every state; kept where a log may leave the fork in the middle.
    all: Vec<State>,
    /// Where the last log ends, and the latest moment of logs that end there.
    tail: Option<(Lsn, Timestamp)>,
}

impl Track {
    /// The states of a piece, rising in position and number of logs.
    pub(super) fn states(&self, piece: usize) -> &[State] {
        let from = self.pieces[piece].base;
        let to = self.pieces.get(piece + 1).map_or(self.frontier.len(), |next| next.base);
        &self.frontier[from..to]
    }

    /// The lowest piece that reaches an LSN.
    fn lowest(&self, lsn: Lsn) -> Option<usize> {
        let piece = self.pieces.partition_point(|piece| piece.reach < lsn);
        (piece < self.pieces.len()).then_some(piece)
    }

    /// Makes one piece of this one and those above it. A piece that begins with a crossing log begins at that log's start,
    /// so one above it may begin earlier: a full taken right behind the fork. Then that one's ways are kept.
    fn join(&mut self, lowest: usize) {
        let Some(next) = self.pieces.get(lowest + 1) else { return };
        let base = next.base;
        let above = self.pieces[lowest..].iter().enumerate();
        let earliest = above.min_by_key(|(_, piece)| piece.from).map_or(0, |(place, _)| place);
        if earliest > 0 {
            let Piece { from, start_row, .. } = self.pieces[lowest + earliest];
            let states = self.states(lowest + earliest).to_vec();
            let piece = &mut self.pieces[lowest];
            (piece.from, piece.start_row) = (from, start_row);
            self.frontier.truncate(piece.base);
            self.frontier.extend(states);
        } else {
            self.frontier.truncate(base);
        }
        self.pieces.truncate(lowest + 1);
    }

    /// A log that ends at the tail shows until when nothing followed; another is the new tail.
    fn note(&mut self, log: &Backup) {
        let before = self.tail.filter(|(end, _)| *end == log.last_lsn);
        self.tail =
            Some((log.last_lsn, before.map_or(log.reaches(), |(_, moment)| moment.max(log.reaches()))));
    }

    fn open(&mut self, state: State, moments: (Timestamp, Timestamp), row: u32, keep_all: bool) {
        // A log that ends where the piece begins applies and moves nothing, but it shows until when nothing happened.
        let tail =
            self.tail.filter(|(end, _)| *end == state.position).map_or(moments.1, |(_, moment)| moment);
        self.pieces.push(Piece {
            from: moments.0,
            to: moments.1.max(tail),
            start: state.position,
            start_row: row,
            reach: state.position,
            end_row: row,
            base: self.frontier.len(),
        });
        self.frontier.push(state);
        if keep_all {
            self.all.push(state);
        }
    }
}

/// The reachable positions of a lineage. Rows may be pushed one by one, in the order of the lineage.
pub(super) struct Sweep<'a> {
    rows: &'a Rows<'a>,
    pub(super) tracks: Vec<Track>,
    /// For each backup: whether a restore can apply it (data backups: whether it anchors).
    pub(super) reached: Vec<bool>,
    /// The first log that finished before the one it follows.
    pub(super) clock_jump: Option<usize>,
}

/// What a log does to a state.
struct Applied {
    state: State,
    /// Whether the log begins below its own end: it holds something that was not there.
    moved: bool,
}

/// The state after applying log `row`, from the shortest of states that may apply it.
fn after(states: &[State], log: &Backup, row: u32) -> Option<Applied> {
    let state = states.get(states.partition_point(|state| state.position < log.first_lsn))?;
    let after = State {
        position: log.last_lsn,
        log_count: state.log_count + 1,
        first_log: if state.first_log == NONE { row } else { state.first_log },
        last_log: row,
        anchor: state.anchor,
    };
    Some(Applied { state: after, moved: state.position < log.last_lsn })
}

impl<'a> Sweep<'a> {
    pub(super) fn run(rows: &'a Rows<'a>, reach: Reach) -> Self {
        let tracks = (0..rows.track_count).map(|_| Track::default()).collect();
        let mut sweep = Self { rows, tracks, reached: vec![false; rows.backups.len()], clock_jump: None };
        for (row, backup) in (0_u32..).zip(rows.backups) {
            if reach.holds(backup) {
                sweep.push(row, backup);
            }
        }
        sweep
    }

    fn push(&mut self, row: u32, backup: &Backup) {
        let forks = self.rows.forks[row as usize];
        match self.rows.roles[row as usize] {
            Role::Anchor => {
                let state = State {
                    position: backup.last_lsn,
                    log_count: 0,
                    first_log: NONE,
                    last_log: NONE,
                    anchor: row,
                };
                let moment = (backup.finished, backup.finished);
                self.tracks[forks.exit as usize].open(state, moment, row, self.rows.has_crossings);
                self.reached[row as usize] = true;
            }
            Role::Log if forks.entry != forks.exit => self.cross(row, backup),
            Role::Log if backup.bulk_logged => self.skip(row, backup),
            Role::Log => self.extend(row, backup),
            Role::Alone | Role::Broken | Role::Orphan | Role::Snapshot => {}
        }
    }

    /// A log in which a restore can stop: joins everything from the lowest piece that it applies to.
    fn extend(&mut self, row: u32, log: &Backup) {
        let track = &mut self.tracks[self.rows.forks[row as usize].entry as usize];
        track.note(log);
        let Some(lowest) = track.lowest(log.first_lsn) else { return };
        self.reached[row as usize] = true;
        track.join(lowest);
        let Some(piece) = track.pieces.last_mut() else { return };
        if log.finished < piece.to && self.rows.backups[piece.end_row as usize].finished > log.finished {
            self.clock_jump.get_or_insert(row as usize);
        }
        piece.to = piece.to.max(log.reaches());
        if log.last_lsn == piece.reach {
            return;
        }
        let Some(Applied { state, .. }) = after(&track.frontier[piece.base..], log, row) else { return };
        while track.frontier.last().is_some_and(|beaten| beaten.log_count >= state.log_count) {
            track.frontier.pop();
        }
        track.frontier.push(state);
        if self.rows.has_crossings {
            track.all.push(state);
        }
        (piece.reach, piece.end_row) = (log.last_lsn, row);
    }

    /// A log that applies whole: what follows is a piece of its own, on the same anchor.
    fn skip(&mut self, row: u32, log: &Backup) {
        let track = &mut self.tracks[self.rows.forks[row as usize].entry as usize];
        track.note(log);
        let Some(lowest) = track.lowest(log.first_lsn) else { return };
        self.reached[row as usize] = true;
        let from = log.finished.max(track.pieces[lowest].to);
        let applied = after(track.states(lowest), log, row);
        if let Some(piece) = track.pieces.last_mut().filter(|piece| piece.reach == log.last_lsn) {
            // It need not be applied, and shows as an empty log does that nothing happened until the last it tells of.
            piece.to = piece.to.max(log.reaches());
            if piece.start == log.last_lsn && self.rows.roles[piece.start_row as usize] == Role::Log {
                piece.from = piece.from.min(from);
            }
            // Applied whole from further below, it leads to the end of its own backup.
            let again = applied.filter(|state| state.moved && log.finished > piece.to);
            if let Some(state) = again.map(|applied| applied.state) {
                track.open(state, (log.finished, log.finished), row, self.rows.has_crossings);
            }
            return;
        }
        let Some(Applied { state, .. }) = applied else { return };
        track.open(state, (from, log.reaches().max(from)), row, self.rows.has_crossings);
    }

    /// A log that leads to another fork: what it begins there starts with the start of its backup, the first moment that
    /// is certainly on the new branch. It applies to states before the fork only.
    fn cross(&mut self, row: u32, log: &Backup) {
        let forks = self.rows.forks[row as usize];
        let end = log.fork_point_lsn.map_or(log.last_lsn, |point| point.min(log.last_lsn));
        let all = &self.tracks[forks.entry as usize].all;
        let from = all.partition_point(|state| state.position < log.first_lsn);
        let Some(state) = all.get(from).filter(|state| state.position <= end) else { return };
        let Some(Applied { state, .. }) = after(std::slice::from_ref(state), log, row) else { return };
        self.reached[row as usize] = true;
        let moments = if log.bulk_logged {
            (log.finished, log.reaches().max(log.finished))
        } else {
            (log.started.min(log.finished), log.reaches())
        };
        self.tracks[forks.exit as usize].open(state, moments, row, self.rows.has_crossings);
    }
}
