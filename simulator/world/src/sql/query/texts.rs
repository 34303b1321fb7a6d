//! What do functions of text yield?
//!
//! Places count from 1 in characters. Source: string functions in the T-SQL reference.

use std::fmt::Write;

use tds::Value;

use crate::{
    error::EngineError,
    sql::{query::numbers, select, value},
};

/// Characters that REPLICATE and SPACE make at most: what nvarchar and varchar hold without max.
const MADE_MAX: usize = 8_000;

/// A function of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Length,
    Bytes,
    Upper,
    Lower,
    TrimStart,
    TrimEnd,
    Trim,
    Replace,
    Substring,
    Left,
    Right,
    Find,
    Reverse,
    Replicate,
    Stuff,
    Concat,
    ConcatWith,
    Space,
    Character,
    Code,
    Quoted,
    IsNumber,
    IsDate,
    Pattern,
    Str,
}

impl Text {
    /// By name, with how many arguments it takes.
    pub(super) fn named(name: &str) -> Option<(Self, std::ops::RangeInclusive<usize>)> {
        Some(match name {
            "len" => (Self::Length, 1..=1),
            "datalength" => (Self::Bytes, 1..=1),
            "upper" => (Self::Upper, 1..=1),
            "lower" => (Self::Lower, 1..=1),
            "ltrim" => (Self::TrimStart, 1..=1),
            "rtrim" => (Self::TrimEnd, 1..=1),
            "trim" => (Self::Trim, 1..=1),
            "replace" => (Self::Replace, 3..=3),
            "substring" => (Self::Substring, 3..=3),
            "left" => (Self::Left, 2..=2),
            "right" => (Self::Right, 2..=2),
            "charindex" => (Self::Find, 2..=3),
            "reverse" => (Self::Reverse, 1..=1),
            "replicate" => (Self::Replicate, 2..=2),
            "stuff" => (Self::Stuff, 4..=4),
            "concat" => (Self::Concat, 2..=254),
            "concat_ws" => (Self::ConcatWith, 3..=254),
            "space" => (Self::Space, 1..=1),
            "char" | "nchar" => (Self::Character, 1..=1),
            "ascii" | "unicode" => (Self::Code, 1..=1),
            "quotename" => (Self::Quoted, 1..=2),
            "isnumeric" => (Self::IsNumber, 1..=1),
            "isdate" => (Self::IsDate, 1..=1),
            "patindex" => (Self::Pattern, 2..=2),
            "str" => (Self::Str, 1..=3),
            _ => return None,
        })
    }

    /// Whether it yields a number.
    pub(super) fn counts(self) -> bool {
        matches!(
            self,
            Self::Length
                | Self::Bytes
                | Self::Find
                | Self::Code
                | Self::IsNumber
                | Self::IsDate
                | Self::Pattern
        )
    }
}

fn count(held: usize) -> Value {
    i64::try_from(held).map_or(Value::Null, Value::Int)
}

fn invalid_length(function: &str) -> EngineError {
    EngineError::new(536, format!("Invalid length parameter passed to the {function} function."))
}

fn too_short() -> EngineError {
    EngineError::new(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
}

/// Its value. NULL of any argument is NULL, but for those that join.
pub(super) fn text(function: Text, given: &[Value]) -> Result<Value, EngineError> {
    let joins = matches!(function, Text::Concat | Text::ConcatWith | Text::IsNumber | Text::IsDate);
    if !joins && given.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let at = |place: usize| given.get(place).and_then(value::text).unwrap_or_default();
    let number = |place: usize| {
        Ok::<i64, EngineError>(given.get(place).map_or(Ok(None), |v| value::integer(v, "int"))?.unwrap_or(0))
    };
    let first = at(0);
    Ok(match function {
        Text::Length => count(first.trim_end_matches(' ').encode_utf16().count()),
        Text::Bytes => count(bytes(given.first())),
        Text::Upper => Value::Text(first.to_uppercase()),
        Text::Lower => Value::Text(first.to_lowercase()),
        Text::TrimStart => Value::Text(first.trim_start_matches(' ').into()),
        Text::TrimEnd => Value::Text(first.trim_end_matches(' ').into()),
        Text::Trim => Value::Text(first.trim_matches(' ').into()),
        Text::Replace => Value::Text(replace(&first, &at(1), &at(2))?),
        Text::Substring => Value::Text(substring(&first, number(1)?, number(2)?)?),
        Text::Left => {
            let length = usize::try_from(number(1)?).map_err(|_| too_short())?;
            Value::Text(first.chars().take(length).collect())
        }
        Text::Right => {
            let length = usize::try_from(number(1)?).map_err(|_| invalid_length("right"))?;
            let skipped = first.chars().count().saturating_sub(length);
            Value::Text(first.chars().skip(skipped).collect())
        }
        Text::Find => count(find(&first, &at(1), number(2)?)),
        Text::Reverse => Value::Text(first.chars().rev().collect()),
        Text::Replicate | Text::Space if number(given.len() - 1)? < 0 => Value::Null,
        Text::Replicate => Value::Text(replicate(&first, number(1)?)),
        Text::Stuff => stuff(&first, number(1)?, number(2)?, &at(3)),
        Text::Concat => Value::Text(given.iter().filter_map(value::text).collect()),
        Text::ConcatWith => {
            let parts: Vec<String> = given.iter().skip(1).filter_map(value::text).collect();
            Value::Text(parts.join(&first))
        }
        Text::Space => Value::Text(replicate(" ", number(0)?)),
        Text::Character => {
            let code = u32::try_from(number(0)?).ok().and_then(char::from_u32);
            code.map_or(Value::Null, |c| Value::Text(c.into()))
        }
        Text::Code => first.chars().next().map_or(Value::Null, |c| Value::Int(i64::from(u32::from(c)))),
        Text::Quoted => quoted(&first, &at(1)),
        Text::IsDate => {
            let held = given.first().filter(|v| matches!(v, Value::Text(_) | Value::DateTime(_)));
            Value::Int(i64::from(held.is_some_and(|v| value::moment(v).is_ok())))
        }
        Text::Pattern => count(pattern(&first, &at(1))),
        Text::Str => {
            let (length, digits) = (given.get(1).map_or(Ok(10), |_| number(1))?, number(2)?);
            let digits = usize::try_from(digits.clamp(0, 16)).unwrap_or(0);
            let length = usize::try_from(length.clamp(0, 8_000)).unwrap_or(0);
            let held = given.first().map_or(Ok(0.0), numbers::float)?;
            let written = format!("{held:>length$.digits$}");
            Value::Text(if written.len() > length { "*".repeat(length) } else { written })
        }
        Text::IsNumber => {
            let known = given.first().filter(|v| **v != Value::Null);
            Value::Int(i64::from(known.is_some() && value::parse_number(first.trim()).is_some()))
        }
    })
}

/// DATALENGTH: text is held as two bytes a character.
fn bytes(held: Option<&Value>) -> usize {
    match held {
        Some(Value::Text(text)) => text.encode_utf16().count() * 2,
        Some(Value::Binary(bytes)) => bytes.len(),
        Some(Value::Guid(_)) => 16,
        Some(Value::Bit(_)) => 1,
        Some(Value::Int(number)) if i32::try_from(*number).is_ok() => 4,
        _ => 8,
    }
}

/// REPLACE, without regard to case.
fn replace(text: &str, wanted: &str, by: &str) -> Result<String, EngineError> {
    if wanted.is_empty() {
        return Ok(text.into());
    }
    let (chars, wanted): (Vec<char>, Vec<char>) = (text.chars().collect(), wanted.chars().collect());
    let same = |a: &char, b: &char| a.to_lowercase().eq(b.to_lowercase());
    let (mut made, mut at) = (String::new(), 0);
    while let Some(c) = chars.get(at) {
        let here = chars.get(at..at + wanted.len());
        if here.is_some_and(|here| here.iter().zip(&wanted).all(|(a, b)| same(a, b))) {
            made.push_str(by);
            at += wanted.len();
            if made.len() > value::TEXT_MAX {
                return Err(value::given_up());
            }
        } else {
            made.push(*c);
            at += 1;
        }
    }
    Ok(made)
}

fn substring(text: &str, start: i64, length: i64) -> Result<String, EngineError> {
    if length < 0 {
        return Err(too_short());
    }
    let end = start.saturating_add(length).max(1);
    let (from, to) = (start.max(1), end);
    let skipped = usize::try_from(from - 1).unwrap_or(usize::MAX);
    let taken = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
    Ok(text.chars().skip(skipped).take(taken).collect())
}

/// CHARINDEX, without regard to case; 0 when it is not there.
fn find(wanted: &str, text: &str, from: i64) -> usize {
    let skipped = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let rest = fold(&text.chars().skip(skipped).collect::<String>());
    let wanted = fold(wanted);
    if wanted.is_empty() {
        return 0;
    }
    rest.find(&wanted).map_or(0, |at| rest.get(..at).map_or(0, |before| before.chars().count()) + skipped + 1)
}

/// PATINDEX: where a pattern begins to match; 0 when it does not.
fn pattern(pattern: &str, text: &str) -> usize {
    let Some(open) = pattern.strip_prefix('%') else { return usize::from(select::like(text, pattern)) };
    let chars: Vec<char> = text.chars().take(MADE_MAX).collect();
    let from = |at: usize| chars.get(at..).unwrap_or(&[]).iter().collect::<String>();
    (0..=chars.len()).find(|at| select::like(&from(*at), open)).map_or(0, |at| at + 1)
}

fn replicate(text: &str, times: i64) -> String {
    let most = MADE_MAX / text.len().max(1);
    text.repeat(usize::try_from(times).unwrap_or(0).min(most))
}

fn stuff(text: &str, start: i64, length: i64, by: &str) -> Value {
    let chars: Vec<char> = text.chars().collect();
    let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
        return Value::Null;
    };
    let Some(from) = start.checked_sub(1).filter(|from| *from < chars.len()) else { return Value::Null };
    let until = from.saturating_add(length).min(chars.len());
    let part = |range: &[char]| range.iter().collect::<String>();
    let (before, after) = (chars.get(..from).unwrap_or(&[]), chars.get(until..).unwrap_or(&[]));
    Value::Text(format!("{}{by}{}", part(before), part(after)))
}

/// QUOTENAME: brackets unless a quote is named; NULL for what is no quote.
fn quoted(text: &str, by: &str) -> Value {
    let (open, close) = match by {
        "" | "[" | "]" => ('[', ']'),
        "'" => ('\'', '\''),
        "\"" => ('"', '"'),
        "(" | ")" => ('(', ')'),
        _ => return Value::Null,
    };
    if text.encode_utf16().count() > 128 {
        return Value::Null;
    }
    let mut made = String::new();
    made.push(open);
    for c in text.chars() {
        made.push(c);
        if c == close {
            made.push(c);
        }
    }
    made.push(close);
    Value::Text(made)
}

/// A pattern of LIKE with an escape character, as one without: what is escaped goes into brackets.
pub(super) fn unescaped(pattern: &str, escape: &str) -> Result<String, EngineError> {
    let mut signs = escape.chars();
    let (Some(escape), None) = (signs.next(), signs.next()) else {
        let text = format!("The invalid escape character \"{escape}\" was specified in a LIKE predicate.");
        return Err(EngineError::new(506, text));
    };
    let (mut plain, mut chars) = (String::new(), pattern.chars());
    while let Some(c) = chars.next() {
        match chars.clone().next().filter(|_| c == escape) {
            Some(next) => {
                chars.next();
                let _ = write!(plain, "[{next}]");
            }
            None => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_as_the_reference_has_them() {
        let t = |s: &str| Value::Text(s.into());
        for (function, given, wanted) in [
            (Text::Replace, vec![t("abcABC"), t("B"), t("-")], t("a-cA-C")),
            (Text::Substring, vec![t("abcdef"), Value::Int(0), Value::Int(3)], t("ab")),
            (Text::Substring, vec![t("abcdef"), Value::Int(5), Value::Int(9)], t("ef")),
            (Text::Right, vec![t("abcdef"), Value::Int(2)], t("ef")),
            (Text::Find, vec![t("CD"), t("abcdef")], Value::Int(3)),
            (Text::Find, vec![t("a"), t("banana"), Value::Int(3)], Value::Int(4)),
            (Text::Find, vec![t("x"), t("banana")], Value::Int(0)),
            (Text::Stuff, vec![t("abcdef"), Value::Int(2), Value::Int(3), t("ijklmn")], t("aijklmnef")),
            (Text::Stuff, vec![t("abc"), Value::Int(9), Value::Int(1), t("x")], Value::Null),
            (Text::Concat, vec![t("a"), Value::Null, Value::Int(1)], t("a1")),
            (Text::ConcatWith, vec![t(","), t("a"), Value::Null, t("b")], t("a,b")),
            (Text::Quoted, vec![t("abc[]def")], t("[abc[]]def]")),
            (Text::Length, vec![t("ab  ")], Value::Int(2)),
            (Text::Upper, vec![Value::Null], Value::Null),
            (Text::IsNumber, vec![t("12.5")], Value::Int(1)),
            (Text::IsNumber, vec![Value::Null], Value::Int(0)),
        ] {
            assert_eq!(text(function, &given).unwrap(), wanted, "{function:?} {given:?}");
        }
        assert_eq!(text(Text::Left, &[t("a"), Value::Int(-1)]).unwrap_err().number, 537);
        let Value::Text(made) = text(Text::Replicate, &[t("ab"), Value::Int(i64::MAX)]).unwrap() else {
            panic!()
        };
        assert_eq!(made.len(), MADE_MAX);
        assert_eq!(unescaped("50!%_", "!").unwrap(), "50[%]_");
    }
}
