//! Windows of the service in UTC: the daily one of the automated backup and the weekly one of maintenance.
//!
//! Formats and lengths as the RDS API reference states them for `PreferredBackupWindow` (`hh24:mi-hh24:mi`) and
//! `PreferredMaintenanceWindow` (`ddd:hh24:mi-ddd:hh24:mi`); both may wrap midnight, the second also the week.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

const DAY_MINUTES: u32 = 24 * 60;
const WEEK_MINUTES: u32 = 7 * DAY_MINUTES;

/// A span of time in which something may happen: from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First moment.
    pub from: Timestamp,
    /// First moment after.
    pub to: Timestamp,
}

impl Span {
    /// Whether a piece of work from `start` that takes `duration` would touch the span.
    pub fn overlaps(&self, start: Timestamp, duration: SignedDuration) -> bool {
        start < self.to && start.saturating_add(duration).is_ok_and(|end| end > self.from)
    }
}

/// A window that comes back with a fixed period, all in minutes: period, start since the period began, length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Recurring {
    period: u32,
    start: u32,
    length: u32,
}

impl Recurring {
    /// The occurrence that holds `now`, or else the next one.
    fn current_or_next(self, now: Timestamp, elapsed: SignedDuration) -> Option<Span> {
        let period = SignedDuration::from_mins(i64::from(self.period));
        let start = SignedDuration::from_mins(i64::from(self.start));
        let length = SignedDuration::from_mins(i64::from(self.length));
        let period_began = now.checked_sub(elapsed).ok()?;
        // The occurrence that began in the period before may still run: windows wrap.
        [-period, SignedDuration::ZERO, period].into_iter().find_map(|shift| {
            let from = period_began.checked_add(shift).ok()?.checked_add(start).ok()?;
            let to = from.checked_add(length).ok()?;
            (now < to).then_some(Span { from, to })
        })
    }
}

/// The daily window in which RDS starts its automated backup, UTC: `03:00-03:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct DailyWindow(Recurring);

/// The weekly window in which RDS starts maintenance, UTC: `sun:04:00-sun:04:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct WeeklyWindow(Recurring);

/// The occurrences of a window that are open at `now` or open before `until`, in order: `next` is its `current_or_next`.
pub fn occurrences(now: Timestamp, until: Timestamp, next: impl Fn(Timestamp) -> Option<Span>) -> Vec<Span> {
    let all = std::iter::successors(next(now), |span| next(span.to));
    all.take_while(|span| span.from < until).collect()
}

impl DailyWindow {
    /// The occurrence that holds `now`, or else the next one. `None` only at the ends of representable time.
    pub fn current_or_next(&self, now: Timestamp) -> Option<Span> {
        let elapsed = now.to_zoned(TimeZone::UTC).time().duration_since(jiff::civil::Time::midnight());
        self.0.current_or_next(now, elapsed)
    }
}

impl WeeklyWindow {
    /// The occurrence that holds `now`, or else the next one. `None` only at the ends of representable time.
    pub fn current_or_next(&self, now: Timestamp) -> Option<Span> {
        let local = now.to_zoned(TimeZone::UTC);
        let days = i64::from(local.weekday().to_monday_zero_offset());
        let elapsed = SignedDuration::from_hours(24 * days)
            + local.time().duration_since(jiff::civil::Time::midnight());
        self.0.current_or_next(now, elapsed)
    }
}

fn clock_minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// A weekday by its three letters, whatever their case.
pub fn weekday(text: &str) -> Option<Weekday> {
    Some(match text.to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// The three letters of a weekday, as RDS writes them.
pub const fn weekday_letters(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

fn recurring(start: u32, end: u32, period: u32) -> Option<Recurring> {
    let length = (end + period - start) % period;
    // Thirty minutes at least: RDS API reference, both windows.
    (length >= 30).then_some(Recurring { period, start, length })
}

/// Why a window's text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no window: write {form}, at least 30 minutes long, UTC")]
pub struct WindowError {
    text: String,
    form: &'static str,
}

impl FromStr for DailyWindow {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let parse = || {
            let (start, end) = text.split_once('-')?;
            recurring(clock_minutes(start)?, clock_minutes(end)?, DAY_MINUTES)
        };
        parse().map(Self).ok_or_else(|| WindowError { text: text.to_owned(), form: "hh:mm-hh:mm" })
    }
}

impl FromStr for WeeklyWindow {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let minutes = |part: &str| {
            let (day, clock) = part.split_once(':')?;
            let day = u32::try_from(weekday(day)?.to_monday_zero_offset()).ok()?;
            Some(day * DAY_MINUTES + clock_minutes(clock)?)
        };
        let parse = || {
            let (start, end) = text.split_once('-')?;
            recurring(minutes(start)?, minutes(end)?, WEEK_MINUTES)
        };
        parse().map(Self).ok_or_else(|| WindowError { text: text.to_owned(), form: "ddd:hh:mm-ddd:hh:mm" })
    }
}

impl fmt::Display for DailyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = (self.0.start + self.0.length) % DAY_MINUTES;
        write_clock(f, self.0.start)?;
        f.write_str("-")?;
        write_clock(f, end)
    }
}

impl fmt::Display for WeeklyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = (self.0.start + self.0.length) % WEEK_MINUTES;
        for (prefix, minutes) in [("", self.0.start), ("-", end)] {
            let day = i8::try_from(minutes / DAY_MINUTES)
                .ok()
                .and_then(|d| Weekday::from_monday_zero_offset(d).ok());
            write!(f, "{prefix}{}:", day.map_or("???", weekday_letters))?;
            write_clock(f, minutes % DAY_MINUTES)?;
        }
        Ok(())
    }
}

fn write_clock(f: &mut fmt::Formatter<'_>, minutes: u32) -> fmt::Result {
    write!(f, "{:02}:{:02}", minutes / 60, minutes % 60)
}

impl TryFrom<String> for DailyWindow {
    type Error = WindowError;
    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<DailyWindow> for String {
    fn from(window: DailyWindow) -> Self {
        window.to_string()
    }
}

impl TryFrom<String> for WeeklyWindow {
    type Error = WindowError;
    fn try_from(text: String) -> Result<Self, WindowError> {
        text.parse()
    }
}

impl From<WeeklyWindow> for String {
    fn from(window: WeeklyWindow) -> Self {
        window.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_found_before_inside_and_after() {
        // 2026-11-22 is a Sunday.
        let daily = [
            ("03:00-03:30", "2026-11-22T00:00:00Z", "2026-11-22T03:00:00Z", "2026-11-22T03:30:00Z"),
            ("03:00-03:30", "2026-11-22T03:29:59Z", "2026-11-22T03:00:00Z", "2026-11-22T03:30:00Z"),
            ("03:00-03:30", "2026-11-22T03:30:00Z", "2026-11-23T03:00:00Z", "2026-11-23T03:30:00Z"),
            ("23:45-00:30", "2026-11-22T00:10:00Z", "2026-11-21T23:45:00Z", "2026-11-22T00:30:00Z"),
        ];
        for (window, now, from, to) in daily {
            let span = window.parse::<DailyWindow>().unwrap().current_or_next(at(now)).unwrap();
            assert_eq!((span.from, span.to), (at(from), at(to)), "{window} at {now}");
        }
        let weekly = [
            ("sun:04:00-sun:04:30", "2026-11-22T04:15:00Z", "2026-11-22T04:00:00Z", "2026-11-22T04:30:00Z"),
            ("sun:23:45-mon:00:15", "2026-11-23T00:05:00Z", "2026-11-22T23:45:00Z", "2026-11-23T00:15:00Z"),
            ("mon:00:00-mon:01:00", "2026-11-23T01:00:00Z", "2026-11-30T00:00:00Z", "2026-11-30T01:00:00Z"),
        ];
        for (window, now, from, to) in weekly {
            let span = window.parse::<WeeklyWindow>().unwrap().current_or_next(at(now)).unwrap();
            assert_eq!((span.from, span.to), (at(from), at(to)), "{window} at {now}");
        }
    }

    #[test]
    fn texts_round_trip_and_nonsense_is_refused() {
        for text in ["03:00-03:30", "23:45-00:30"] {
            assert_eq!(text.parse::<DailyWindow>().unwrap().to_string(), text);
        }
        for text in ["sun:04:00-sun:04:30", "sun:23:45-mon:00:15"] {
            assert_eq!(text.parse::<WeeklyWindow>().unwrap().to_string(), text);
        }
        for text in
            ["", "03:00", "03:00-03:10", "3:00-4:00", "24:00-25:00", "03:00-03:00", "sun:04:00-sun:04:30"]
        {
            assert!(text.parse::<DailyWindow>().is_err(), "{text:?}");
        }
        for text in ["", "03:00-03:30", "xxx:04:00-sun:04:30", "sun:04:00-sun:04:00", "sun:04:00"] {
            assert!(text.parse::<WeeklyWindow>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn work_that_ends_when_a_window_begins_does_not_touch_it() {
        let span = Span { from: at("2026-11-22T03:00:00Z"), to: at("2026-11-22T03:30:00Z") };
        assert!(!span.overlaps(at("2026-11-22T02:00:00Z"), SignedDuration::from_hours(1)));
        assert!(span.overlaps(at("2026-11-22T02:00:00Z"), SignedDuration::from_secs(3601)));
        assert!(!span.overlaps(at("2026-11-22T03:30:00Z"), SignedDuration::from_hours(1)));
    }
}
