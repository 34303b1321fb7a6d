//! What time is it, and which window is open?
//!
//! Inside, a moment is a count of milliseconds since 1970 (UTC): comparisons are cheap and packed tables small. Windows
//! are those of the RDS API: daily `hh24:mi-hh24:mi`, weekly `ddd:hh24:mi-ddd:hh24:mi`, always UTC. It knows no zone data:
//! an instance has one offset. Source: RDS API reference, `PreferredBackupWindow` and
//! `PreferredMaintenanceWindow`.

use jiff::{Timestamp, tz::Offset};

/// Milliseconds since 1970-01-01 UTC.
pub(crate) type Ms = i64;

/// A second.
pub(crate) const SECOND: Ms = 1_000;
/// A minute.
pub(crate) const MINUTE: Ms = 60 * SECOND;
/// An hour.
pub(crate) const HOUR: Ms = 60 * MINUTE;
/// A day.
pub(crate) const DAY: Ms = 24 * HOUR;
/// A day in nanoseconds, as moments of SQL have them.
pub(crate) const DAY_NANOSECONDS: i128 = 86_400_000_000_000;
/// The cadence of RDS log backups: "every five minutes".
pub(crate) const SLOT: Ms = 5 * MINUTE;

/// The millisecond a timestamp lies in.
pub(crate) fn floor_ms(at: Timestamp) -> Ms {
    at.as_millisecond() - Ms::from(at.subsec_nanosecond() < 0 && at.subsec_nanosecond() % 1_000_000 != 0)
}

/// The first millisecond not before a timestamp: commits strictly before it are those strictly before the result.
pub(crate) fn ceil_ms(at: Timestamp) -> Ms {
    floor_ms(at) + Ms::from(at.subsec_nanosecond() % 1_000_000 != 0)
}

/// A timestamp for a millisecond; out of jiff's range it saturates.
pub(crate) fn timestamp(at: Ms) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(if at < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// Up to the next whole second.
pub(crate) fn ceil_second(at: Ms) -> Ms {
    at.div_euclid(SECOND) * SECOND + if at.rem_euclid(SECOND) == 0 { 0 } else { SECOND }
}

/// As SQL Server's datetime keeps it: 1/300 s, so milliseconds end in 0, 3 or 7.
pub(crate) fn round_datetime(at: Ms) -> Ms {
    let ticks = (at * 3 + 5).div_euclid(10);
    (ticks * 10 + 1).div_euclid(3)
}

/// Nanoseconds since 1970, the form of [`tds::Value::DateTime`].
pub(crate) fn nanoseconds(at: Ms) -> i128 {
    i128::from(at) * 1_000_000
}

/// `2025-10-06 02:47:38.630`, rounded as datetime.
pub(crate) fn print_datetime(at: Ms) -> String {
    let t = Offset::UTC.to_datetime(timestamp(round_datetime(at)));
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    )
}

/// A daily window, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DailyWindow {
    start: Ms,
    length: Ms,
}

impl DailyWindow {
    /// Reads `hh24:mi-hh24:mi`; `None` when malformed. It may wrap midnight.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (start, end) = (clock(from)?, clock(to)?);
        Some(Self { start, length: (end - start).rem_euclid(DAY) })
    }

    /// The first opening not before a moment.
    pub(crate) fn next_opening(self, from: Ms) -> Ms {
        let day = from.div_euclid(DAY) * DAY;
        let today = day + self.start;
        if today >= from { today } else { today + DAY }
    }

    /// How long it stays open.
    pub(crate) fn length(self) -> Ms {
        self.length
    }
}

/// A weekly window, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeeklyWindow {
    start: Ms,
    length: Ms,
}

/// 1970-01-01 was a Thursday; weeks here start on Monday.
const EPOCH_INTO_WEEK: Ms = 3 * DAY;

impl WeeklyWindow {
    /// Reads `ddd:hh24:mi-ddd:hh24:mi`; `None` when malformed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (start, end) = (weekly_clock(from)?, weekly_clock(to)?);
        Some(Self { start, length: (end - start).rem_euclid(7 * DAY) })
    }

    /// Whether it is open: the start included, the end excluded.
    pub(crate) fn contains(self, at: Ms) -> bool {
        (at + EPOCH_INTO_WEEK - self.start).rem_euclid(7 * DAY) < self.length
    }

    /// The first opening not before a moment.
    pub(crate) fn next_opening(self, from: Ms) -> Ms {
        let into = (from + EPOCH_INTO_WEEK - self.start).rem_euclid(7 * DAY);
        if into == 0 { from } else { from + 7 * DAY - into }
    }
}

fn clock(text: &str) -> Option<Ms> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (Ms, Ms) = (hour.parse().ok()?, minute.parse().ok()?);
    ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * HOUR + minute * MINUTE)
}

fn weekly_clock(text: &str) -> Option<Ms> {
    let (day, time) = text.trim().split_once(':')?;
    let index =
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].iter().position(|d| d.eq_ignore_ascii_case(day))?;
    Some(Ms::try_from(index).ok()? * DAY + clock(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Ms {
        floor_ms(text.parse().unwrap())
    }

    #[test]
    fn datetime_milliseconds_end_in_0_3_7() {
        for (given, kept) in
            [(0, 0), (1, 0), (2, 3), (4, 3), (5, 7), (8, 7), (9, 10), (999, 1000), (-1, 0), (-2, -3)]
        {
            assert_eq!(round_datetime(given), kept, "{given}");
        }
        assert_eq!(print_datetime(at("2025-10-06T02:47:38.629Z")), "2025-10-06 02:47:38.630");
    }

    #[test]
    fn windows_open_and_wrap() {
        let week = WeeklyWindow::parse("Sun:23:30-Mon:00:30").unwrap();
        for (moment, open) in [
            ("2026-11-22T23:29:59Z", false),
            ("2026-11-22T23:30:00Z", true),
            ("2026-11-23T00:29:59Z", true),
            ("2026-11-23T00:30:00Z", false),
        ] {
            assert_eq!(week.contains(at(moment)), open, "{moment}");
        }
        assert_eq!(week.next_opening(at("2026-11-23T00:00:00Z")), at("2026-11-29T23:30:00Z"));
        let day = DailyWindow::parse("23:45-00:15").unwrap();
        assert_eq!(day.length(), 30 * MINUTE);
        assert_eq!(day.next_opening(at("2026-11-22T23:46:00Z")), at("2026-11-23T23:45:00Z"));
        for bad in ["", "25:00-26:00", "10:00", "Foo:10:00-Mon:11:00"] {
            assert!(DailyWindow::parse(bad).is_none() && WeeklyWindow::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn rounding_to_milliseconds() {
        let t: Timestamp = "2026-11-22T00:00:00.0005Z".parse().unwrap();
        assert_eq!((ceil_ms(t) - floor_ms(t), ceil_second(1), ceil_second(1000)), (1, 1000, 1000));
        let before: Timestamp = "1969-12-31T23:59:59.9995Z".parse().unwrap();
        assert_eq!((floor_ms(before), ceil_ms(before)), (-1, 0));
    }
}
