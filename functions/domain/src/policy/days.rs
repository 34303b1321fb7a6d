//! Days of the week or of the month on which something happens.

use std::fmt;

use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};

use crate::calendar::{weekday, weekday_letters};

/// When a full or a differential is due: at one time on some days, of the week or of the month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// Days of the week, by three letters: `["sun"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// Days of the month, in place of those of the week: `[1, "last", "first sun"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub month_days: Vec<MonthDay>,
    /// Local time: `01:00`.
    pub at: Time,
}

impl Times {
    /// At one time on days of the week, by three letters.
    pub fn weekly(days: &[&str], at: Time) -> Self {
        Self { days: days.iter().map(|day| (*day).to_owned()).collect(), month_days: Vec::new(), at }
    }

    /// Whether a date is one of the days. A word that is no day names none.
    pub fn ask_for(&self, date: Date) -> bool {
        self.days.iter().any(|named| weekday(named) == Some(date.weekday()))
            || self.month_days.iter().any(|day| day.falls_on(date))
    }

    /// Whether every day is one of them.
    pub fn are_daily(&self) -> bool {
        self.longest_gap_days() == 1
    }

    /// The longest run of days from one of them to the next: what the oldest backup of a cycle must bridge. Zero for none.
    pub fn longest_gap_days(&self) -> u32 {
        let mut last = None;
        let mut longest = 0;
        for (number, _) in (0_u32..).zip(four_years()).filter(|(_, date)| self.ask_for(*date)) {
            longest = longest.max(last.map_or(0, |last| number - last));
            last = Some(number);
        }
        longest
    }

    /// What is wrong with the days: the field, and a sentence.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        match (self.days.as_slice(), self.month_days.as_slice()) {
            ([], []) => Some(("days", "no day is named".to_owned())),
            (days, []) => days
                .iter()
                .find(|day| weekday(day).is_none())
                .map(|day| ("days", format!("{day:?} is no day: write mon, tue, ... sun"))),
            ([], _) => None,
            _ => Some(("month_days", "days and month_days exclude each other".to_owned())),
        }
    }

    /// A date that both ask for.
    pub(super) fn shared_day(&self, other: &Self) -> Option<Date> {
        four_years().find(|date| self.ask_for(*date) && other.ask_for(*date))
    }
}

/// Dates that hold every arrangement of months and weekdays but the one around a century without a leap day.
fn four_years() -> impl Iterator<Item = Date> {
    Date::constant(2024, 1, 1).series(jiff::Span::new().days(1)).take(4 * 366)
}

/// Which week of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Week {
    /// The first seven days.
    First,
    /// Days 8 to 14.
    Second,
    /// Days 15 to 21.
    Third,
    /// Days 22 to 28.
    Fourth,
    /// The last seven days.
    Last,
}

/// A day that every month has: `15`, `"last"`, `"first sun"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub enum MonthDay {
    /// 1 to 28.
    Number(i8),
    /// The last day of the month.
    Last,
    /// A day of the week in a week of the month.
    Of(Week, Weekday),
}

impl MonthDay {
    /// The date that is this day of the month in which a date lies.
    pub fn in_month_of(self, date: Date) -> Option<Date> {
        let first = date.first_of_month();
        let dates = (1..=date.days_in_month()).filter_map(|day| first.with().day(day).build().ok());
        dates.into_iter().find(|date| self.falls_on(*date))
    }

    /// Whether a date is that day of its month.
    pub fn falls_on(self, date: Date) -> bool {
        let (day, days) = (date.day(), date.days_in_month());
        match self {
            Self::Number(number) => day == number,
            Self::Last => day == days,
            Self::Of(week, weekday) => date.weekday() == weekday && week.holds(day, days),
        }
    }
}

const WEEKS: [(&str, Week); 5] = [
    ("first", Week::First),
    ("second", Week::Second),
    ("third", Week::Third),
    ("fourth", Week::Fourth),
    ("last", Week::Last),
];

impl Week {
    const fn holds(self, day: i8, days_in_month: i8) -> bool {
        match self {
            Self::First => day <= 7,
            Self::Second => 8 <= day && day <= 14,
            Self::Third => 15 <= day && day <= 21,
            Self::Fourth => 22 <= day && day <= 28,
            Self::Last => day > days_in_month - 7,
        }
    }

    fn word(self) -> &'static str {
        WEEKS.iter().find(|(_, week)| *week == self).map_or("", |(word, _)| word)
    }
}

/// As it stands in a file.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Written {
    Number(i64),
    Words(String),
}

impl TryFrom<Written> for MonthDay {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        let refuse = |what: &dyn fmt::Display| {
            format!("{what} is no day of every month: write 1 to 28, \"last\" or \"first sun\"")
        };
        let words = match written {
            Written::Number(number @ 1..=28) => {
                return i8::try_from(number).map(Self::Number).map_err(|_| refuse(&number));
            }
            Written::Number(number) => return Err(refuse(&number)),
            Written::Words(words) => words,
        };
        let lower = words.to_ascii_lowercase();
        match lower.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["last"] => Ok(Self::Last),
            [week, day] => {
                let week = WEEKS.iter().find(|(word, _)| word == week).map(|(_, week)| *week);
                week.zip(weekday(day)).map(|(week, day)| Self::Of(week, day))
            }
            .ok_or_else(|| refuse(&format_args!("{words:?}"))),
            _ => Err(refuse(&format_args!("{words:?}"))),
        }
    }
}

impl From<MonthDay> for Written {
    fn from(day: MonthDay) -> Self {
        match day {
            MonthDay::Number(number) => Self::Number(i64::from(number)),
            MonthDay::Last => Self::Words("last".to_owned()),
            MonthDay::Of(week, day) => Self::Words(format!("{} {}", week.word(), weekday_letters(day))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(day: &str, year: i16, month: i8) -> Vec<i8> {
        let day: MonthDay = serde_json::from_str(day).unwrap();
        let first = Date::new(year, month, 1).unwrap();
        let dates = first.series(jiff::Span::new().days(1)).take(first.days_in_month().unsigned_abs().into());
        dates.filter(|date| day.falls_on(*date)).map(Date::day).collect()
    }

    #[test]
    fn a_day_of_the_month_falls_on_one_date_of_each() {
        // February 2027 begins on a Monday and has 28 days; February 2028 has 29.
        for (day, year, month, expected) in [
            ("1", 2027, 2, 1),
            ("28", 2027, 2, 28),
            ("\"last\"", 2027, 2, 28),
            ("\"last\"", 2028, 2, 29),
            ("\"first sun\"", 2027, 2, 7),
            ("\"last mon\"", 2027, 2, 22),
            ("\"Fourth Tue\"", 2028, 2, 22),
            ("\"last tue\"", 2028, 2, 29),
        ] {
            assert_eq!(dates(day, year, month), [expected], "{day} of {year}-{month}");
        }
    }

    #[test]
    fn days_are_written_as_they_are_read_and_nonsense_is_refused() {
        for day in ["15", "\"last\"", "\"third wed\""] {
            let read: MonthDay = serde_json::from_str(day).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), day);
        }
        for day in ["0", "29", "-1", "\"fifth sun\"", "\"first\"", "\"first sunday\"", "\"\"", "1.5"] {
            assert!(serde_json::from_str::<MonthDay>(day).is_err(), "{day}");
        }
    }

    #[test]
    fn the_longest_gap_is_the_one_that_a_cycle_must_bridge() {
        let at = Time::midnight();
        let of_month = |day| Times { days: vec![], month_days: vec![day], at };
        for (times, expected) in [
            (Times::weekly(&["sun"], at), 7),
            (Times::weekly(&["mon", "thu"], at), 4),
            (Times::weekly(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"], at), 1),
            (of_month(MonthDay::Number(1)), 31),
            (of_month(MonthDay::Of(Week::First, Weekday::Sunday)), 35),
            (Times::weekly(&[], at), 0),
        ] {
            assert_eq!(times.longest_gap_days(), expected, "{times:?}");
        }
    }
}
