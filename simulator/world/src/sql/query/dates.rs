//! What do functions of moments yield?
//!
//! Moments are nanoseconds on the server's own clock. Source: date and time functions in the T-SQL reference; weeks begin
//! on Sunday, as for `us_english`.

use jiff::{
    Unit,
    civil::{Date, DateTime},
    tz::Offset,
};
use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::value::{self, in_calendar},
    time::DAY_NANOSECONDS,
};

/// A part of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Part {
    /// By its name or abbreviation. Error 155.
    pub(super) fn named(name: &str, function: &str) -> Result<Self, EngineError> {
        Ok(match name.to_lowercase().as_str() {
            "year" | "yy" | "yyyy" => Self::Year,
            "quarter" | "qq" | "q" => Self::Quarter,
            "month" | "mm" | "m" => Self::Month,
            "dayofyear" | "dy" | "y" => Self::DayOfYear,
            "day" | "dd" | "d" => Self::Day,
            "week" | "wk" | "ww" => Self::Week,
            "weekday" | "dw" | "w" => Self::Weekday,
            "hour" | "hh" => Self::Hour,
            "minute" | "mi" | "n" => Self::Minute,
            "second" | "ss" | "s" => Self::Second,
            "millisecond" | "ms" => Self::Millisecond,
            "microsecond" | "mcs" => Self::Microsecond,
            other => {
                let text = format!("'{other}' is not a recognized {function} option.");
                return Err(EngineError::new(155, text));
            }
        })
    }

    /// Nanoseconds of parts that are always as long.
    fn length(self) -> Option<i128> {
        Some(match self {
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
            Self::Day | Self::DayOfYear | Self::Weekday => DAY_NANOSECONDS,
            Self::Week => 7 * DAY_NANOSECONDS,
            Self::Month | Self::Quarter | Self::Year => return None,
        })
    }
}

fn overflow() -> EngineError {
    EngineError::new(517, "Adding a value to a 'datetime' column caused an overflow.")
}

/// The calendar's view of a moment.
fn civil(held: &Value) -> Result<Option<DateTime>, EngineError> {
    let Some(nanoseconds) = value::moment(held)? else { return Ok(None) };
    let at = jiff::Timestamp::from_nanosecond(nanoseconds).map_err(|_| {
        EngineError::new(242, "The conversion of a varchar data type to a datetime data type resulted in an out-of-range value.")
    })?;
    Ok(Some(Offset::UTC.to_datetime(at)))
}

fn moment(at: DateTime) -> Result<Value, EngineError> {
    let at = Offset::UTC.to_timestamp(at).map_err(|_| overflow())?;
    in_calendar(at.as_nanosecond()).ok_or_else(overflow)
}

/// DATEADD.
pub(super) fn add(part: Part, number: &Value, held: &Value) -> Result<Value, EngineError> {
    let (Some(number), Some(at)) = (value::integer(number, "int")?, value::moment(held)?) else {
        return Ok(Value::Null);
    };
    if let Some(length) = part.length() {
        let moved = i128::from(number).checked_mul(length).and_then(|m| m.checked_add(at));
        return moved.and_then(in_calendar).ok_or_else(overflow);
    }
    let months = match part {
        Part::Quarter => number.checked_mul(3),
        Part::Year => number.checked_mul(12),
        _ => Some(number),
    };
    let span = months.and_then(|m| jiff::Span::new().try_months(m).ok()).ok_or_else(overflow)?;
    let Some(at) = civil(held)? else { return Ok(Value::Null) };
    moment(at.checked_add(span).map_err(|_| overflow())?)
}

/// How many borders of a part lie between two moments: DATEDIFF.
pub(super) fn difference(part: Part, from: &Value, to: &Value) -> Result<Value, EngineError> {
    let (Some(a), Some(b)) = (value::moment(from)?, value::moment(to)?) else { return Ok(Value::Null) };
    let borders = match part.length() {
        // Weeks begin on Sunday: 1970-01-01 was a Thursday.
        Some(length) if part == Part::Week => {
            let week = |n: i128| n.saturating_add(4 * DAY_NANOSECONDS).div_euclid(length);
            week(b) - week(a)
        }
        Some(length) => b.div_euclid(length) - a.div_euclid(length),
        None => {
            let months = |at: DateTime| i128::from(at.year()) * 12 + i128::from(at.month()) - 1;
            let (Some(a), Some(b)) = (civil(from)?, civil(to)?) else { return Ok(Value::Null) };
            let size = match part {
                Part::Year => 12,
                Part::Quarter => 3,
                _ => 1,
            };
            months(b).div_euclid(size) - months(a).div_euclid(size)
        }
    };
    Ok(Value::Int(i64::try_from(borders).unwrap_or(i64::MAX)))
}

/// DATEPART, and YEAR, MONTH and DAY.
pub(super) fn part(part: Part, held: &Value) -> Result<Value, EngineError> {
    let Some(at) = civil(held)? else { return Ok(Value::Null) };
    let number = match part {
        Part::Year => i64::from(at.year()),
        Part::Quarter => i64::from((at.month() - 1) / 3 + 1),
        Part::Month => i64::from(at.month()),
        Part::DayOfYear => i64::from(at.day_of_year()),
        Part::Day => i64::from(at.day()),
        Part::Week => {
            let first =
                Date::new(at.year(), 1, 1).map_or(0, |d| i64::from(d.weekday().to_sunday_zero_offset()));
            (i64::from(at.day_of_year()) - 1 + first) / 7 + 1
        }
        Part::Weekday => i64::from(at.weekday().to_sunday_one_offset()),
        Part::Hour => i64::from(at.hour()),
        Part::Minute => i64::from(at.minute()),
        Part::Second => i64::from(at.second()),
        Part::Millisecond => i64::from(at.subsec_nanosecond() / 1_000_000),
        Part::Microsecond => i64::from(at.subsec_nanosecond() / 1_000),
    };
    Ok(Value::Int(number))
}

/// DATENAME: months and days of the week by name, the rest as numbers.
pub(super) fn name(wanted: Part, held: &Value) -> Result<Value, EngineError> {
    let Some(at) = civil(held)? else { return Ok(Value::Null) };
    Ok(match wanted {
        Part::Month => Value::Text(at.strftime("%B").to_string()),
        Part::Weekday => Value::Text(at.strftime("%A").to_string()),
        _ => value::text(&part(wanted, held)?).map_or(Value::Null, Value::Text),
    })
}

/// DATEFROMPARTS. Error 289.
pub(super) fn from_parts(given: &[Value]) -> Result<Value, EngineError> {
    if given.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let refuse = || {
        EngineError::new(
            289,
            "Cannot construct data type date, some of the arguments have values which are not valid.",
        )
    };
    let number = |at: usize| {
        given.get(at).map_or(Ok(None), |v| value::integer(v, "int")).map(Option::unwrap_or_default)
    };
    let year = i16::try_from(number(0)?).map_err(|_| refuse())?;
    let month = i8::try_from(number(1)?).map_err(|_| refuse())?;
    let day = i8::try_from(number(2)?).map_err(|_| refuse())?;
    let date = Date::new(year, month, day).map_err(|_| refuse())?;
    moment(date.to_datetime(jiff::civil::Time::midnight())).map_err(|_| refuse())
}

/// EOMONTH.
pub(super) fn end_of_month(held: &Value, months: &Value) -> Result<Value, EngineError> {
    let moved = add(Part::Month, if *months == Value::Null { &Value::Int(0) } else { months }, held)?;
    let Some(at) = civil(&moved)? else { return Ok(Value::Null) };
    moment(at.date().last_of_month().to_datetime(jiff::civil::Time::midnight()))
}

/// CONVERT of a moment of a type to text in a style. Error 281 for a style that is none.
pub(super) fn styled(held: &Value, style: i64, of: SqlType) -> Result<Value, EngineError> {
    let Some(at) = civil(held)? else { return Ok(Value::Null) };
    let format = match style {
        0 | 100 if of == SqlType::Date => "%b %e %Y",
        20 | 21 | 25 | 120 | 121 | 126 | 127 if of == SqlType::Date => "%Y-%m-%d",
        1 => "%m/%d/%y",
        101 => "%m/%d/%Y",
        102 => "%Y.%m.%d",
        103 => "%d/%m/%Y",
        104 => "%d.%m.%Y",
        105 => "%d-%m-%Y",
        106 => "%d %b %Y",
        8 | 108 | 24 => "%H:%M:%S",
        110 => "%m-%d-%Y",
        111 => "%Y/%m/%d",
        12 => "%y%m%d",
        112 => "%Y%m%d",
        13 | 113 => "%d %b %Y %H:%M:%S:%3f",
        14 | 114 => "%H:%M:%S:%3f",
        20 | 120 => "%Y-%m-%d %H:%M:%S",
        21 | 25 | 121 => "%Y-%m-%d %H:%M:%S.%3f",
        23 => "%Y-%m-%d",
        126 => "%Y-%m-%dT%H:%M:%S.%3f",
        127 => "%Y-%m-%dT%H:%M:%S.%3fZ",
        0 | 100 => "%b %e %Y %l:%M%p",
        other => {
            let text = format!(
                "{other} is not a valid style number when converting from datetime to a character string."
            );
            return Err(EngineError::new(281, text));
        }
    };
    if let SqlType::DateTime2(digits) = of {
        let fraction = if digits == 0 { String::new() } else { format!(".%{digits}f") };
        return Ok(Value::Text(at.strftime(&format.replace(".%3f", &fraction)).to_string()));
    }
    // Styles count milliseconds, and a datetime ends in 0, 3 or 7 of them.
    let rounded = at.round(jiff::civil::DateTimeRound::new().smallest(Unit::Millisecond)).unwrap_or(at);
    Ok(Value::Text(rounded.strftime(format).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn borders_are_counted_as_the_reference_says() {
        for (part, from, to, wanted) in [
            (Part::Year, "2005-12-31 23:59:59.9999999", "2006-01-01", 1),
            (Part::Quarter, "2005-12-31 23:59:59", "2006-01-01", 1),
            (Part::Month, "2026-01-31", "2026-03-01", 2),
            (Part::Week, "2026-11-21 23:59:59", "2026-11-22", 1),
            (Part::Day, "2026-11-21 23:59:59", "2026-11-22 00:00:00", 1),
            (Part::Hour, "2026-11-21 23:59:59", "2026-11-21 23:00:00", 0),
            (Part::Minute, "2026-11-21 10:00:00", "2026-11-21 09:30:00", -30),
        ] {
            assert_eq!(
                difference(part, &t(from), &t(to)).unwrap(),
                Value::Int(wanted),
                "{part:?} {from} {to}"
            );
        }
    }

    #[test]
    fn parts_names_and_styles() {
        let at = t("2026-11-16 08:05:09.123");
        for (wanted, number) in
            [(Part::Quarter, 4), (Part::Weekday, 2), (Part::Week, 47), (Part::Millisecond, 123)]
        {
            assert_eq!(part(wanted, &at).unwrap(), Value::Int(number), "{wanted:?}");
        }
        assert_eq!(name(Part::Weekday, &at).unwrap(), t("Monday"));
        for (style, printed) in [
            (120, "2026-11-16 08:05:09"),
            (121, "2026-11-16 08:05:09.123"),
            (112, "20261116"),
            (103, "16/11/2026"),
            (126, "2026-11-16T08:05:09.123"),
            (108, "08:05:09"),
            (100, "Nov 16 2026  8:05AM"),
        ] {
            assert_eq!(styled(&at, style, SqlType::DateTime).unwrap(), t(printed), "{style}");
        }
        assert_eq!(
            add(Part::Month, &Value::Int(1), &t("2026-01-31")).unwrap(),
            moment(Date::constant(2026, 2, 28).at(0, 0, 0, 0)).unwrap()
        );
        assert_eq!(
            end_of_month(&at, &Value::Null).unwrap(),
            moment(Date::constant(2026, 11, 30).at(0, 0, 0, 0)).unwrap()
        );
        assert_eq!(add(Part::Year, &Value::Int(9_000), &at).unwrap_err().number, 517);
        assert_eq!(styled(&at, 999, SqlType::DateTime).unwrap_err().number, 281);
    }
}
