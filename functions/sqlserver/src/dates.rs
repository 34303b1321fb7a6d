//! How are dates of the wire read and written? Between TDS's date types and jiff's, without a zone.
//!
//! Knows no zone: what a server-local date means in UTC is decided where the zone is known. Source: MS-TDS 2.2.5.5.1.8
//! (`datetime`: days since 1900-01-01 and 1/300 s; `smalldatetime`: days and minutes; `datetime2`: 100 ns at most and days
//! since 0001-01-01).

use jiff::Span;
use jiff::civil::{Date, DateTime, Time};
use tiberius::{ColumnData, ToSql, time};

/// Nanoseconds of a day, one past the largest time of day.
const DAY_NANOSECONDS: u64 = 86_400_000_000_000;

/// Day 0 of `datetime` and `smalldatetime`.
const EPOCH_1900: Date = Date::constant(1900, 1, 1);

/// Day 0 of `date`, `datetime2` and `datetimeoffset`.
const EPOCH_0001: Date = Date::constant(1, 1, 1);

/// A `datetime`. `None` when the day or the time of day does not exist.
pub(crate) fn from_datetime(value: time::DateTime) -> Option<DateTime> {
    // Thirds of ten milliseconds are shown rounded to the millisecond, ending in 0, 3 or 7, as SQL Server shows them.
    let milliseconds = (u64::from(value.seconds_fragments()) * 10 + 1) / 3;
    civil(EPOCH_1900, i64::from(value.days()), milliseconds * 1_000_000)
}

/// A `smalldatetime`, likewise. The driver calls its minutes fragments of a second.
pub(crate) fn from_smalldatetime(value: time::SmallDateTime) -> Option<DateTime> {
    civil(EPOCH_1900, i64::from(value.days()), u64::from(value.seconds_fragments()) * 60_000_000_000)
}

/// A `datetime2`, likewise.
pub(crate) fn from_datetime2(value: time::DateTime2) -> Option<DateTime> {
    let digits = 9_u32.checked_sub(u32::from(value.time().scale()))?;
    let nanoseconds = value.time().increments().checked_mul(10_u64.pow(digits))?;
    civil(EPOCH_0001, i64::from(value.date().days()), nanoseconds)
}

fn civil(epoch: Date, days: i64, nanoseconds: u64) -> Option<DateTime> {
    if nanoseconds >= DAY_NANOSECONDS {
        return None;
    }
    let date = epoch.checked_add(Span::new().try_days(days).ok()?).ok()?;
    let midnight = date.to_datetime(Time::midnight());
    midnight.checked_add(Span::new().try_nanoseconds(i64::try_from(nanoseconds).ok()?).ok()?).ok()
}

/// A `datetime2(7)` parameter. Dates before year 1 become year 1: SQL Server has none before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter(pub(crate) DateTime);

impl ToSql for Parameter {
    fn to_sql(&self) -> ColumnData<'_> {
        let days = EPOCH_0001.until(self.0.date()).map_or(0, |span| span.get_days());
        let since_midnight = self.0.time().duration_since(Time::midnight()).as_nanos();
        let ticks = u64::try_from(since_midnight / 100).unwrap_or(0);
        let date = time::Date::new(u32::try_from(days).unwrap_or(0));
        ColumnData::DateTime2(Some(time::DateTime2::new(date, time::Time::new(ticks, 7))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetime_shows_what_the_server_shows() {
        for (days, fragments, expected) in [
            (0, 0, Some("1900-01-01T00:00:00")),
            (0, 1, Some("1900-01-01T00:00:00.003")),
            (0, 2, Some("1900-01-01T00:00:00.007")),
            (0, 3, Some("1900-01-01T00:00:00.01")),
            (0, 299, Some("1900-01-01T00:00:00.997")),
            (42_949, 300 * 3_600, Some("2017-08-04T01:00:00")),
            (-53_690, 0, Some("1753-01-01T00:00:00")),
            (2_958_463, 86_400 * 300 - 1, Some("9999-12-31T23:59:59.997")),
            (0, 86_400 * 300, None),
            (0, u32::MAX, None),
            (i32::MAX, 0, None),
            (i32::MIN, 0, None),
        ] {
            let read = from_datetime(time::DateTime::new(days, fragments)).map(|moment| moment.to_string());
            assert_eq!(read.as_deref(), expected, "{days} {fragments}");
        }
    }

    #[test]
    fn smalldatetime_counts_minutes() {
        let read = |days, minutes| from_smalldatetime(time::SmallDateTime::new(days, minutes));
        assert_eq!(read(1, 61).unwrap().to_string(), "1900-01-02T01:01:00");
        assert_eq!(read(1, 1_440), None);
    }

    #[test]
    fn datetime2_keeps_its_scale_and_comes_back() {
        for (days, ticks, scale, expected) in [
            (0, 0, 7, Some("0001-01-01T00:00:00")),
            (736_544, 12_345_678, 7, Some("2017-08-04T00:00:01.2345678")),
            (736_544, 61, 0, Some("2017-08-04T00:01:01")),
            (736_544, 864_000_000_000, 7, None),
            (736_544, u64::MAX, 0, None),
            (736_544, 1, 10, None),
            ((1 << 24) - 1, 0, 7, None),
        ] {
            let value = time::DateTime2::new(time::Date::new(days), time::Time::new(ticks, scale));
            let read = from_datetime2(value);
            assert_eq!(read.map(|moment| moment.to_string()).as_deref(), expected, "{days} {ticks}");
            if let Some(moment) = read {
                let ColumnData::DateTime2(Some(back)) = Parameter(moment).to_sql() else {
                    panic!("a datetime2")
                };
                assert_eq!(from_datetime2(back), Some(moment));
            }
        }
    }
}
