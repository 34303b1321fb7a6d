//! How long will a task run? From sizes, the measured speed, and what went before.

use jiff::{SignedDuration, Timestamp};

use super::CREATED_DELAY_MAX;
use crate::admission::LOG_FILES_PER_COPY_MAX;
use crate::calendar::Span;
use crate::restore_time::LOG_FILE_SPAN;

/// How long a full will run, from the database's size and the measured speed.
pub fn full_duration(size_bytes: u64, bytes_per_second: u64) -> SignedDuration {
    let seconds = size_bytes.div_ceil(bytes_per_second.max(1));
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
}

/// How long a backup is given: so many per cent more than forecast. Where only the bare forecast fits between two windows,
/// that: a start that will most likely do is better than none.
pub fn with_margin(duration: SignedDuration, percent: u32, windows: &[Span]) -> SignedDuration {
    let more = duration.as_secs().saturating_mul(i64::from(percent)) / 100;
    let roomy = duration.saturating_add(SignedDuration::from_secs(more));
    let fits = |duration: SignedDuration| {
        let reach = duration.saturating_add(CREATED_DELAY_MAX);
        // After the last window that is known lies nothing that is known.
        let last = windows.iter().map(|span| span.to).max();
        let ends = windows.iter().map(|span| span.to).filter(|end| Some(*end) != last);
        windows.is_empty()
            || ends.into_iter().any(|end| !windows.iter().any(|span| span.overlaps(end, reach)))
    };
    if fits(roomy) || !fits(duration) { roomy } else { duration }
}

/// How many times its predecessor's pace a differential is forecast to have grown. Policy of ours: busy hours are uneven.
const GROWTH: u64 = 2;

/// Bytes that a differential will save at most: as many as its predecessor on the same base says, at `GROWTH` times its
/// pace, and never more than the database has. `before`: bytes of the predecessor, and its age when it was taken.
pub fn differential_bytes(
    size_bytes: u64,
    before: Option<(u64, SignedDuration)>,
    age: SignedDuration,
) -> u64 {
    let Some((bytes, then)) = before.filter(|(_, then)| then.is_positive()) else { return size_bytes };
    let seconds = |time: SignedDuration| u128::try_from(time.as_secs().max(1)).unwrap_or(1);
    let grown = u128::from(bytes) * u128::from(GROWTH) * seconds(age) / seconds(then);
    u64::try_from(grown).unwrap_or(u64::MAX).min(size_bytes)
}

/// Seconds that one log file is given when the length of a copy is forecast. Policy of ours: what takes longer is overdue, and
/// to whatever minds windows its end is unknown.
const COPY_SECONDS_PER_FILE: i64 = 2;

/// How long a copy of the logs made since `newest` will run.
pub fn copy_duration(newest: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    let span = newest.map_or(SignedDuration::ZERO, |newest| now.duration_since(newest));
    let files = (span.as_secs().max(0) / LOG_FILE_SPAN.as_secs()).min(i64::from(LOG_FILES_PER_COPY_MAX)) + 1;
    SignedDuration::from_secs(files * COPY_SECONDS_PER_FILE)
}

/// What a finished full tells of the speed of native backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Bytes a second, set-up and all.
    pub bytes_per_second: u64,
    /// How long it took.
    pub took: SignedDuration,
}

impl Speed {
    /// Shortest backup that tells: of a shorter one, the set-up is nearly all. Policy of ours.
    const TELLS: SignedDuration = SignedDuration::from_mins(1);
    /// Shortest backup of which the set-up is no large part. Policy of ours.
    const LONG: SignedDuration = SignedDuration::from_mins(5);

    /// The speed of a backup of so many bytes, where it took long enough to tell.
    pub fn of(bytes: u64, took: SignedDuration) -> Option<Self> {
        let seconds = u64::try_from(took.as_secs()).ok().filter(|seconds| *seconds > 0)?;
        (took >= Self::TELLS && bytes > 0).then(|| Self { bytes_per_second: bytes / seconds, took })
    }

    /// The speed to reckon with from now on: down at once, because a forecast that is too short ends in a window, and up by a quarter
    /// of each new measurement. A short backup looks slow for its set-up: that counts for a quarter as well.
    pub fn after(self, known: Option<u64>) -> u64 {
        match known {
            Some(known) if self.bytes_per_second >= known || self.took < Self::LONG => {
                known - known / 4 + self.bytes_per_second / 4
            }
            _ => self.bytes_per_second,
        }
    }
}
