//! How large will a database be, and what will its next full take in the vault? Read off the fulls it had.
//!
//! The growth is the median of the slopes between all pairs of fulls (Theil and Sen's line): a load that was loaded and
//! deleted again, or a single shrink, moves it little. A forecast errs on the long side: never below the newest full, never
//! shrinking, and of two middle values the larger.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::Kind;
use crate::catalogue::DataBackup;

/// Fulls that are looked at, the newest ones: a quarter of a year of weekly ones, and 66 pairs. Policy of ours.
pub const SAMPLES_MAX: usize = 12;

/// One full of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it ended.
    pub at: Timestamp,
    /// Bytes of the database that it saved.
    pub size_bytes: u64,
    /// Bytes of its files in the vault, where they were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
}

impl Sample {
    /// What a full in the catalogue tells; nothing of other kinds and of damaged ones.
    pub fn of(entry: &DataBackup) -> Option<Self> {
        let backup = &entry.backup;
        let good = matches!(backup.kind, Kind::Full | Kind::CopyOnly) && !backup.damaged;
        let stored = entry.objects.iter().fold(0_u64, |sum, object| sum.saturating_add(object.size_bytes));
        good.then_some(Self {
            at: backup.finished,
            size_bytes: backup.size_bytes,
            stored_bytes: (!entry.objects.is_empty()).then_some(stored),
        })
    }
}

/// What a backup is expected to read and to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of its full in the vault.
    pub stored_bytes: u64,
}

/// How a database grows and how well it compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// When the newest full ended.
    pub since: Timestamp,
    /// Bytes of the database then: what the newest full saved, or more where the line says more.
    pub bytes: u64,
    /// Bytes that it gains a day; below zero where it shrinks.
    pub bytes_per_day: i64,
    /// Bytes in the vault for each thousand of the database: the median, or the newest where that is more; `None` where no full
    /// shows it.
    pub stored_per_mille: Option<u32>,
}

const DAY_SECONDS: i128 = 24 * 60 * 60;

/// The upper of the middle values.
fn median<T: Ord + Copy>(values: &mut [T]) -> Option<T> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Fits the newest [`SAMPLES_MAX`] fulls, in any order; `None` without any.
pub fn fit(samples: &[Sample]) -> Option<Growth> {
    let mut newest: Vec<&Sample> = samples.iter().collect();
    newest.sort_by_key(|sample| std::cmp::Reverse(sample.at));
    newest.truncate(SAMPLES_MAX);
    let last = *newest.first()?;
    let (second, size) = (
        |sample: &Sample| i128::from(sample.at.as_second()),
        |sample: &Sample| i128::from(sample.size_bytes),
    );
    let mut slopes = Vec::with_capacity(newest.len() * newest.len() / 2);
    for (at, later) in newest.iter().enumerate() {
        for earlier in &newest[at + 1..] {
            let apart = second(later) - second(earlier);
            if apart > 0 {
                slopes.push((size(later) - size(earlier)) * DAY_SECONDS / apart);
            }
        }
    }
    let slope = median(&mut slopes).unwrap_or(0);
    let mut levels: Vec<i128> = newest
        .iter()
        .map(|sample| size(sample) + slope * (second(last) - second(sample)) / DAY_SECONDS)
        .collect();
    let level = median(&mut levels).unwrap_or(0).max(size(last));
    let ratio = |sample: &&Sample| {
        let stored = u128::from(sample.stored_bytes?) * 1_000;
        let ratio = stored.div_ceil(u128::from(sample.size_bytes).max(1));
        Some(u32::try_from(ratio).unwrap_or(u32::MAX).max(1))
    };
    let mut ratios: Vec<u32> = newest.iter().filter_map(ratio).collect();
    // Somebody may have switched compression off since the others.
    let newest_ratio = newest.first().and_then(ratio);
    Some(Growth {
        since: last.at,
        bytes: u64::try_from(level).unwrap_or(u64::MAX),
        bytes_per_day: i64::try_from(slope).unwrap_or(if slope < 0 { i64::MIN } else { i64::MAX }),
        stored_per_mille: median(&mut ratios).max(newest_ratio),
    })
}

impl Growth {
    /// What a full that ends at a moment is expected to read and to write. Without a known ratio it is not compressed.
    pub fn at(&self, moment: Timestamp) -> Expected {
        let ahead = i128::from(moment.duration_since(self.since).as_secs().max(0));
        let grown = i128::from(self.bytes_per_day.max(0)) * ahead / DAY_SECONDS;
        let database_bytes = u64::try_from(grown.saturating_add(i128::from(self.bytes))).unwrap_or(u64::MAX);
        Expected::of(database_bytes, self.stored_per_mille.unwrap_or(1_000))
    }
}

impl Expected {
    /// A database of so many bytes, of which so many in a thousand reach the vault.
    pub fn of(database_bytes: u64, stored_per_mille: u32) -> Self {
        let stored = (u128::from(database_bytes) * u128::from(stored_per_mille)).div_ceil(1_000);
        Self { database_bytes, stored_bytes: u64::try_from(stored).unwrap_or(u64::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    /// Fulls as (day, size, stored).
    fn fitted(fulls: &[(i64, u64, u64)]) -> Option<Growth> {
        let samples: Vec<Sample> = fulls
            .iter()
            .map(|(day, size_bytes, stored)| Sample {
                at: Timestamp::from_second(day * DAY).unwrap(),
                size_bytes: *size_bytes,
                stored_bytes: (*stored > 0).then_some(*stored),
            })
            .collect();
        fit(&samples)
    }

    #[test]
    fn growth_is_read_off_the_fulls() {
        for (what, fulls, bytes, per_day, ratio) in [
            ("one", &[(0, 100, 30)][..], 100, 0, Some(300)),
            ("a line", &[(0, 100, 0), (7, 170, 0), (14, 240, 0)], 240, 10, None),
            ("in any order", &[(14, 240, 80), (0, 100, 40), (7, 170, 60)], 240, 10, Some(353)),
            (
                "one was twice as large",
                &[(0, 100, 0), (1, 110, 0), (2, 900, 0), (3, 130, 0), (4, 140, 0)],
                140,
                10,
                None,
            ),
            ("shrinks: not below the newest", &[(0, 300, 0), (10, 200, 0)], 200, -10, None),
            (
                "the newest is an exception",
                &[(0, 100, 0), (1, 110, 0), (2, 120, 0), (3, 130, 0), (4, 20, 0)],
                140,
                10,
                None,
            ),
            (
                "compressed until yesterday",
                &[(0, 100, 30), (7, 100, 31), (14, 100, 32), (21, 100, 101)],
                100,
                0,
                Some(1_010),
            ),
            ("at one time", &[(3, 100, 50), (3, 100, 50)], 100, 0, Some(500)),
            ("incompressible", &[(0, 100, 104)], 100, 0, Some(1_040)),
        ] {
            let growth = fitted(fulls).unwrap();
            assert_eq!(
                (growth.bytes, growth.bytes_per_day, growth.stored_per_mille),
                (bytes, per_day, ratio),
                "{what}"
            );
        }
        assert_eq!(fitted(&[]), None);
    }

    #[test]
    fn only_the_newest_fulls_count() {
        let old = (0..20).map(|day| (day, 1_000_u64, 0_u64));
        let new = (0..12).map(|n| (20 + n, 1_000 + 10 * u64::try_from(n).unwrap(), 0));
        let growth = fitted(&old.chain(new).collect::<Vec<_>>()).unwrap();
        assert_eq!((growth.bytes, growth.bytes_per_day), (1_110, 10));
    }

    #[test]
    fn what_is_ahead_grows_and_never_shrinks() {
        let growth = |per_day| Growth {
            since: Timestamp::from_second(10 * DAY).unwrap(),
            bytes: 1_000,
            bytes_per_day: per_day,
            stored_per_mille: Some(250),
        };
        for (per_day, day, database, stored) in
            [(10, 17, 1_070, 268), (10, 10, 1_000, 250), (10, 3, 1_000, 250), (-10, 17, 1_000, 250)]
        {
            let expected = growth(per_day).at(Timestamp::from_second(day * DAY).unwrap());
            assert_eq!(
                (expected.database_bytes, expected.stored_bytes),
                (database, stored),
                "{per_day} {day}"
            );
        }
        let most = Growth { bytes: u64::MAX, bytes_per_day: i64::MAX, ..growth(0) }.at(Timestamp::MAX);
        assert_eq!(most.database_bytes, u64::MAX, "no overflow");
    }
}
