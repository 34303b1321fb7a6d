//! Which runs of restorable moments hang together in the log? The chain segments of each recovery fork.
//!
//! A log that cannot be stopped inside tears a hole into the moments, not into the chain: what lies behind it is still restored
//! from a data backup before it. A segment is such runs together; only between segments does a log lack.

use jiff::Timestamp;

use crate::backup::{Backup, Kind};
use crate::coverage::rows::Rows;
use crate::coverage::{self, Moments, Span};
use crate::lsn::Lsn;

/// Runs of one fork that hang together.
pub(super) struct Segment {
    pub(super) track: u32,
    /// By LSN.
    pub(super) spans: Vec<Span>,
    /// The highest LSN that it reaches; `None` for a backup whose LSNs are unknown.
    pub(super) end: Option<Lsn>,
    /// Its last moment.
    pub(super) to: Timestamp,
}

impl Segment {
    fn of(span: Span) -> Self {
        Self { track: span.track, end: span.end, to: span.to, spans: vec![span] }
    }

    /// Its first moment at or behind another, and the run that it lies in; where there is none its last moment.
    pub(super) fn first_from(&self, from: Timestamp) -> (Timestamp, &Span) {
        let promised = self.spans.iter().filter(|span| span.to >= from);
        let first = promised.map(|span| (span.from.max(from).min(span.to), span)).min_by_key(|(at, _)| *at);
        first.unwrap_or_else(|| self.last())
    }

    /// Rows with which its runs begin, sorted.
    pub(super) fn starts(&self) -> Vec<u32> {
        let mut starts: Vec<u32> =
            self.spans.iter().filter_map(|span| u32::try_from(span.start_row).ok()).collect();
        starts.sort_unstable();
        starts
    }

    /// Its moments, in order.
    pub(super) fn moments(&self) -> Moments {
        coverage::moments(&self.spans)
    }

    /// Its last moment, and the run that it lies in.
    pub(super) fn last(&self) -> (Timestamp, &Span) {
        let last = self.spans.iter().max_by_key(|span| span.to).unwrap_or(&self.spans[0]);
        (last.to, last)
    }
}

/// The log that a run begins behind, on the same fork.
fn behind<'a>(rows: &Rows<'a>, span: &Span) -> Option<&'a Backup> {
    let forks = rows.forks[span.start_row];
    let stays = forks.entry == forks.exit && !span.is_point();
    Some(&rows.backups[span.start_row]).filter(|row| row.kind == Kind::Log && stays)
}

/// The segments that runs make.
pub(super) fn segments(rows: &Rows<'_>, mut spans: Vec<Span>) -> Vec<Segment> {
    spans.sort_by_key(|span| (span.track, span.start, span.end, span.start_row));
    let mut segments: Vec<Segment> = Vec::new();
    for span in spans {
        let log = behind(rows, &span);
        let mut segment = Segment::of(span);
        // Those that the log still applies to, and with the lowest of them all above it.
        let reached = |below: &Segment| {
            let log = log.filter(|_| below.track == segment.track);
            log.is_some_and(|log| below.end.is_some_and(|end| end >= log.first_lsn))
        };
        let mut joined = segments.len();
        while joined > 0 && reached(&segments[joined - 1]) {
            joined -= 1;
        }
        if joined < segments.len() {
            let mut spans: Vec<Span> = Vec::new();
            for below in segments.drain(joined..) {
                (segment.to, segment.end) = (segment.to.max(below.to), segment.end.max(below.end));
                if spans.is_empty() { spans = below.spans } else { spans.extend(below.spans) }
            }
            spans.append(&mut segment.spans);
            segment.spans = spans;
        }
        segments.push(segment);
    }
    segments
}
