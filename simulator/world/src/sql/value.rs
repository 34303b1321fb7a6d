//! How do values convert and compare?
//!
//! As SQL Server does with the collation `SQL_Latin1_General_CP1_CI_AS`: text without regard to case and trailing blanks,
//! numbers by value, text converted to the other side's type where the types differ. Numbers and texts of failed
//! conversions are SQL Server's.

use std::cmp::Ordering;

use jiff::{
    civil::{Date, DateTime, Time},
    tz::Offset,
};
use tds::Value;

use crate::{
    error::EngineError,
    guid::Guid,
    lsn::Lsn,
    time::{DAY_NANOSECONDS, Ms},
};

/// Text of a value, where it has one; NULL has none.
pub(crate) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Numeric { mantissa, scale } => print_numeric(*mantissa, *scale),
        Value::Text(text) => text.clone(),
        Value::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::DateTime(nanoseconds) => print_time(*nanoseconds),
        Value::Guid(bytes) => Guid(*bytes).to_string(),
    })
}

fn print_numeric(mantissa: i128, scale: u8) -> String {
    let (sign, digits) = (if mantissa < 0 { "-" } else { "" }, mantissa.unsigned_abs().to_string());
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, part) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{part}")
}

fn print_time(nanoseconds: i128) -> String {
    let at = i64::try_from(nanoseconds.div_euclid(1_000_000)).unwrap_or(0);
    let t = Offset::UTC.to_datetime(crate::time::timestamp(at));
    t.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// A whole number.
pub(crate) fn integer(value: &Value, target: &str) -> Result<Option<i64>, EngineError> {
    let refuse =
        || EngineError::new(8114, format!("Error converting data type {} to {target}.", type_name(value)));
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bit(bit) => i64::from(*bit),
        Value::Int(number) => *number,
        Value::Numeric { mantissa, scale } => {
            let whole = mantissa / 10_i128.checked_pow(u32::from(*scale)).ok_or_else(refuse)?;
            i64::try_from(whole).map_err(|_| refuse())?
        }
        Value::Text(text) if text.trim().is_empty() => 0,
        Value::Text(text) => text.trim().parse().map_err(|_| refuse())?,
        _ => return Err(refuse()),
    }))
}

/// A log sequence number, from numeric or text.
pub(crate) fn lsn(value: &Value) -> Result<Option<Lsn>, EngineError> {
    let refuse =
        || EngineError::new(8114, format!("Error converting data type {} to numeric.", type_name(value)));
    let number = match value {
        Value::Null => return Ok(None),
        Value::Int(number) => i128::from(*number),
        Value::Numeric { mantissa, scale } => {
            mantissa / 10_i128.checked_pow(u32::from(*scale)).ok_or_else(refuse)?
        }
        Value::Text(text) => text.trim().parse().map_err(|_| refuse())?,
        _ => return Err(refuse()),
    };
    Lsn::from_numeric(number).map(Some).ok_or_else(refuse)
}

/// Bytes that a computed text may have.
pub(crate) const TEXT_MAX: usize = 1 << 20;

/// The error for what takes more work or memory than a statement gets.
pub(crate) fn given_up() -> EngineError {
    EngineError::new(701, "There is insufficient system memory in resource pool 'default' to run this query.")
}

/// Two texts as one. Error 701: a variable that is joined to itself again and again doubles each time.
pub(crate) fn joined(a: String, b: &str) -> Result<Value, EngineError> {
    if a.len() + b.len() > TEXT_MAX { Err(given_up()) } else { Ok(Value::Text(a + b)) }
}

/// What the words for a bit mean.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    let Value::Text(text) = value else { return None };
    let known = [("true", true), ("false", false)];
    known.into_iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word)).map(|(_, truth)| truth)
}

/// A moment between the years 1 and 9999.
pub(crate) fn in_calendar(nanoseconds: i128) -> Option<Value> {
    (-719_162 * DAY_NANOSECONDS..2_932_897 * DAY_NANOSECONDS)
        .contains(&nanoseconds)
        .then_some(Value::DateTime(nanoseconds))
}

/// A moment, as nanoseconds on whatever clock it was written for.
pub(crate) fn moment(value: &Value) -> Result<Option<i128>, EngineError> {
    match value {
        Value::Null => Ok(None),
        Value::DateTime(nanoseconds) if in_calendar(*nanoseconds).is_none() => Err(EngineError::new(
            242,
            "The conversion of a datetime2 data type to a datetime data type resulted in an out-of-range value.",
        )),
        Value::DateTime(nanoseconds) => Ok(Some(*nanoseconds)),
        Value::Text(text) => parse_moment(text).map(Some),
        _ => Err(EngineError::new(
            8114,
            format!("Error converting data type {} to datetime.", type_name(value)),
        )),
    }
}

/// A moment in milliseconds.
pub(crate) fn moment_ms(value: &Value) -> Result<Option<Ms>, EngineError> {
    Ok(moment(value)?.map(|n| i64::try_from(n.div_euclid(1_000_000)).unwrap_or(0)))
}

fn parse_moment(text: &str) -> Result<i128, EngineError> {
    let refuse =
        || EngineError::new(241, "Conversion failed when converting date and/or time from character string.");
    let plain = text.trim().trim_end_matches('Z');
    let at: DateTime = plain.parse().ok().or_else(|| as_written(plain)).ok_or_else(refuse)?;
    Ok(Offset::UTC.to_timestamp(at).map_err(|_| refuse())?.as_nanosecond())
}

/// A moment as `us_english` writes it; nothing is the zero of datetime.
fn as_written(text: &str) -> Option<DateTime> {
    let text = if text.is_empty() { "1/1/1900" } else { text };
    let moments = ["%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%b %d %Y %I:%M%p", "%d %b %Y %H:%M:%S"];
    let days = ["%m/%d/%Y", "%b %d %Y", "%d %b %Y", "%b %d, %Y"];
    let day = |format: &&str| Some(Date::strptime(format, text).ok()?.to_datetime(Time::midnight()));
    let moment = moments.iter().find_map(|format| DateTime::strptime(format, text).ok());
    moment.or_else(|| days.iter().find_map(day))
}

/// Name of a value's type in error texts.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Text(_) => "nvarchar",
        Value::Bit(_) => "bit",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Numeric { .. } => "numeric",
        Value::Binary(_) => "varbinary",
        Value::DateTime(_) => "datetime",
        Value::Guid(_) => "uniqueidentifier",
    }
}

/// What the collation compares.
pub(crate) fn folded(text: &str) -> String {
    text.trim_end_matches(' ').chars().flat_map(char::to_lowercase).collect()
}

/// A number as mantissa and scale; `None` when it is none.
fn number(value: &Value) -> Option<(i128, u8)> {
    match value {
        Value::Bit(bit) => Some((i128::from(*bit), 0)),
        Value::Int(number) => Some((i128::from(*number), 0)),
        Value::Numeric { mantissa, scale } => Some((*mantissa, *scale)),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        _ => number(value).map(|(mantissa, scale)| mantissa as f64 / 10_f64.powi(i32::from(scale))),
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some((x, p)), Some((y, q))) = (number(a), number(b)) {
        let shift = |m: i128, from: u8, to: u8| {
            10_i128.checked_pow(u32::from(to - from)).and_then(|f| m.checked_mul(f))
        };
        let scale = p.max(q);
        if let (Some(x), Some(y)) = (shift(x, p, scale), shift(y, q, scale)) {
            return Some(x.cmp(&y));
        }
    }
    float(a)?.partial_cmp(&float(b)?)
}

/// Compares; `None` when either side is NULL.
pub(crate) fn compare(a: &Value, b: &Value) -> Result<Option<Ordering>, EngineError> {
    Ok(Some(match (a, b) {
        (Value::Null, _) | (_, Value::Null) => return Ok(None),
        (Value::Text(x), Value::Text(y)) => folded(x).cmp(&folded(y)),
        (Value::Guid(x), Value::Guid(y)) => x.cmp(y),
        (Value::Guid(x), Value::Text(y)) => x.cmp(&guid(y)?),
        (Value::Text(x), Value::Guid(y)) => guid(x)?.cmp(y),
        (Value::DateTime(x), Value::DateTime(y)) => x.cmp(y),
        (Value::DateTime(x), Value::Text(y)) => x.cmp(&parse_moment(y)?),
        (Value::Text(x), Value::DateTime(y)) => parse_moment(x)?.cmp(y),
        (Value::Binary(x), Value::Binary(y)) => x.cmp(y),
        (Value::Text(x), other) => {
            let converted = text_number(x, other)?;
            return Ok(compare_numbers(&converted, other));
        }
        (other, Value::Text(y)) => {
            let converted = text_number(y, other)?;
            return Ok(compare_numbers(other, &converted));
        }
        _ => return compare_numbers(a, b).map(Some).ok_or_else(|| incompatible(a, b)),
    }))
}

/// A guid from its text. Error 8169.
pub(crate) fn guid(text: &str) -> Result<[u8; 16], EngineError> {
    Guid::parse(text).map(|g| g.0).ok_or_else(|| {
        EngineError::new(
            8169,
            "Conversion failed when converting from a character string to uniqueidentifier.",
        )
    })
}

/// The error for text that is no value of a type.
pub(crate) fn no_conversion(held: &Value, target: &str) -> EngineError {
    let shown = text(held).unwrap_or_default();
    let text =
        format!("Conversion failed when converting the nvarchar value '{shown}' to data type {target}.");
    EngineError::new(245, text)
}

fn text_number(text: &str, other: &Value) -> Result<Value, EngineError> {
    if let (Value::Bit(_), Some(bit)) = (other, truth(&Value::Text(text.into()))) {
        return Ok(Value::Bit(bit));
    }
    let refuse = || no_conversion(&Value::Text(text.into()), type_name(other));
    if float(other).is_none() {
        return Err(incompatible(&Value::Text(text.into()), other));
    }
    parse_number(text.trim()).ok_or_else(refuse)
}

/// A number as it is written.
pub(crate) fn parse_number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Int(number));
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(part.len()).ok().filter(|s| *s <= 38);
    if let (Ok(mantissa), Some(scale)) = (format!("{whole}{part}").parse::<i128>(), scale)
        && !part.starts_with(['-', '+'])
    {
        return Some(Value::Numeric { mantissa, scale });
    }
    text.parse::<f64>().ok().filter(|f| f.is_finite()).map(Value::Float)
}

fn incompatible(a: &Value, b: &Value) -> EngineError {
    let (a, b) = (type_name(a), type_name(b));
    EngineError::new(402, format!("The data types {a} and {b} are incompatible in the equal to operator."))
}

/// A total order for ORDER BY and indexes: NULL first, then as compared; what cannot be compared is equal.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => compare(a, b).ok().flatten().unwrap_or(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_the_server_does() {
        let t = |s: &str| Value::Text(s.into());
        let n = |mantissa, scale| Value::Numeric { mantissa, scale };
        for (a, b, expected) in [
            (t("Orders "), t("ORDERS"), Some(Ordering::Equal)),
            (Value::Int(3), n(30, 1), Some(Ordering::Equal)),
            (Value::Int(3), t("4"), Some(Ordering::Less)),
            (n(34_000_000_006_900_179, 0), t("34000000006900180"), Some(Ordering::Less)),
            (Value::DateTime(0), t("1970-01-01T00:00:00"), Some(Ordering::Equal)),
            (Value::DateTime(1), t("1970-01-01 00:00:00.000"), Some(Ordering::Greater)),
            (Value::Null, t("x"), None),
            (Value::Bit(true), Value::Int(1), Some(Ordering::Equal)),
        ] {
            assert_eq!(compare(&a, &b).unwrap(), expected, "{a:?} {b:?}");
        }
        for (a, b, number) in [
            (Value::Int(1), t("one"), 245),
            (Value::Guid([0; 16]), t("one"), 8169),
            (Value::DateTime(0), t("yesterday"), 241),
            (Value::Guid([0; 16]), Value::Int(1), 402),
        ] {
            assert_eq!(compare(&a, &b).unwrap_err().number, number);
        }
    }

    #[test]
    fn numbers_print_with_their_scale() {
        for (mantissa, scale, printed) in [(-5, 2, "-0.05"), (12_345, 2, "123.45"), (7, 0, "7")] {
            assert_eq!(text(&Value::Numeric { mantissa, scale }).unwrap(), printed);
        }
        assert_eq!(parse_number("1.50"), Some(Value::Numeric { mantissa: 150, scale: 2 }));
        assert_eq!(parse_number("1e3"), Some(Value::Float(1000.0)));
        assert_eq!(parse_number("x"), None);
    }
}
