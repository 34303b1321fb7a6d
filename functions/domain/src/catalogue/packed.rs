//! A day of log files as it is stored: what its files share is written once, each file is a short row.
//!
//! Every copy reads the day, adds its files and writes it back, two dozen files at a time: the row is what that costs.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{LogDay, LogEntry};
use crate::id::Guid;
use crate::inventory::Lineage;
use crate::lsn::Lsn;

/// Sequence number, epoch, first LSN, last LSN, microseconds since 1970 (the service's `datetime` has steps of 1/300 s),
/// place, fork, size in bytes. Place and fork are positions in the day's lists.
type Row = (u64, i64, Lsn, Lsn, i64, usize, usize, u64);

#[derive(Serialize, Deserialize)]
pub(super) struct Day {
    lineage: Lineage,
    instance: String,
    database: String,
    partition: String,
    bucket: String,
    #[serde(rename = "day")]
    date: Date,
    /// Object keys up to the sequence number.
    places: Vec<String>,
    forks: Vec<Option<Guid>>,
    files: Vec<Row>,
}

/// The position of a value in a list of few different ones.
fn position<T: PartialEq>(values: &mut Vec<T>, value: T) -> usize {
    values.iter().position(|known| *known == value).unwrap_or_else(|| {
        values.push(value);
        values.len() - 1
    })
}

/// What follows the place in a file's key.
fn ending(seq: u64, epoch: i64) -> String {
    format!("{seq}.{epoch}")
}

impl From<LogDay> for Day {
    fn from(day: LogDay) -> Self {
        let (mut places, mut forks) = (Vec::new(), Vec::new());
        let files = day
            .files
            .into_iter()
            .map(|file| {
                let ending = ending(file.seq, file.epoch);
                // A key that does not end as the service names its files is kept whole, with nothing to follow it.
                let place = file
                    .object
                    .strip_suffix(&ending)
                    .map_or_else(|| format!("={}", file.object), str::to_owned);
                let place = position(&mut places, place);
                let fork = position(&mut forks, file.fork);
                let made_at = file.made_at.as_microsecond();
                (file.seq, file.epoch, file.first_lsn, file.last_lsn, made_at, place, fork, file.size_bytes)
            })
            .collect();
        let LogDay { lineage, instance, database, partition, bucket, day: date, .. } = day;
        Self { lineage, instance, database, partition, bucket, date, places, forks, files }
    }
}

/// Why a stored day cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log file {seq} names a {what} that the day does not have")]
pub(super) struct Unreadable {
    seq: u64,
    what: &'static str,
}

impl TryFrom<Day> for LogDay {
    type Error = Unreadable;

    fn try_from(day: Day) -> Result<Self, Unreadable> {
        let entry = |row: Row| {
            let (seq, epoch, first_lsn, last_lsn, made_at, place, fork, size_bytes) = row;
            let lacks = |what| Unreadable { seq, what };
            let place = day.places.get(place).ok_or_else(|| lacks("place"))?;
            let object = match place.strip_prefix('=') {
                Some(whole) => whole.to_owned(),
                None => format!("{place}{}", ending(seq, epoch)),
            };
            let fork = day.forks.get(fork).ok_or_else(|| lacks("fork"))?.clone();
            let made_at = Timestamp::from_microsecond(made_at).map_err(|_| lacks("time"))?;
            Ok(LogEntry { seq, epoch, first_lsn, last_lsn, made_at, fork, object, size_bytes })
        };
        let files = day.files.iter().copied().map(entry).collect::<Result<_, _>>()?;
        let Day { lineage, instance, database, partition, bucket, date, .. } = day;
        Ok(Self { lineage, instance, database, partition, bucket, day: date, files })
    }
}
