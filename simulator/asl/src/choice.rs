//! Which rule of a Choice holds? Rules as values, and their evaluation over the state's effective input.
//!
//! Source: Amazon States Language, "Choice State"; developer guide, "Choice workflow state", read 2026-11. A value of
//! another type than the operator's compares false; a path that selects nothing is an error, except under `IsPresent`.
//! `And` and `Or` stop at the first answer, so a rule may guard the next one with `IsPresent`.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::context::Context;
use crate::path::Path;

/// A rule without its `Next`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    And(Vec<Rule>),
    Or(Vec<Rule>),
    Not(Box<Rule>),
    Test(Path, Test),
}

/// What is asked of a variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Compare(Family, Relation, Operand),
    Matches(Vec<Piece>),
    Is(Is, bool),
}

/// The type a comparison demands of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

/// The order a comparison demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Value(Value),
    Path(Path),
}

/// A part of a `StringMatches` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Star,
}

/// The type tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Present,
    Null,
    String,
    Numeric,
    Boolean,
    Timestamp,
}

impl Rule {
    /// Whether the rule holds. `Err` holds a sentence for the cause of `States.Runtime`.
    pub(crate) fn holds(&self, data: &Value, context: &Context<'_>) -> Result<bool, String> {
        match self {
            Self::And(rules) => {
                for rule in rules {
                    if !rule.holds(data, context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(rules) => {
                for rule in rules {
                    if rule.holds(data, context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(rule) => Ok(!rule.holds(data, context)?),
            Self::Test(path, Test::Is(Is::Present, wanted)) => {
                Ok(path.select(data, context).is_some() == *wanted)
            }
            Self::Test(path, test) => {
                let left = found(path, data, context)?;
                test.holds(&left, data, context)
            }
        }
    }
}

fn found<'v>(path: &Path, data: &'v Value, context: &Context<'v>) -> Result<Cow<'v, Value>, String> {
    path.select(data, context).ok_or_else(|| {
        format!("Invalid path '{path}': The choice state's condition path references an invalid value.")
    })
}

impl Test {
    fn holds(&self, left: &Value, data: &Value, context: &Context<'_>) -> Result<bool, String> {
        Ok(match self {
            Self::Compare(family, relation, Operand::Value(right)) => {
                relation.fits(family.compare(left, right))
            }
            Self::Compare(family, relation, Operand::Path(path)) => {
                let right = found(path, data, context)?;
                relation.fits(family.compare(left, &right))
            }
            Self::Matches(pattern) => left.as_str().is_some_and(|text| matches(pattern, text)),
            Self::Is(is, wanted) => is.holds(left) == *wanted,
        })
    }
}

impl Family {
    /// Whether a literal of a definition belongs to this family.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => value.as_str().and_then(timestamp).is_some(),
        }
    }

    fn compare(self, left: &Value, right: &Value) -> Option<Ordering> {
        match self {
            // Java's compareTo: by UTF-16 code units.
            Self::String => Some(left.as_str()?.encode_utf16().cmp(right.as_str()?.encode_utf16())),
            Self::Numeric => numbers(left.as_number()?, right.as_number()?),
            Self::Boolean => Some(left.as_bool()?.cmp(&right.as_bool()?)),
            Self::Timestamp => Some(timestamp(left.as_str()?)?.cmp(&timestamp(right.as_str()?)?)),
        }
    }
}

fn numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

impl Relation {
    fn fits(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Self::Equals => ordering.is_eq(),
            Self::LessThan => ordering.is_lt(),
            Self::LessThanEquals => ordering.is_le(),
            Self::GreaterThan => ordering.is_gt(),
            Self::GreaterThanEquals => ordering.is_ge(),
        })
    }
}

impl Is {
    fn holds(self, value: &Value) -> bool {
        match self {
            Self::Present => true,
            Self::Null => value.is_null(),
            Self::String => value.is_string(),
            Self::Numeric => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => value.as_str().and_then(timestamp).is_some(),
        }
    }
}

/// A moment in the profile of RFC 3339 that AWS demands: upper-case `T`, and `Z` or a numeric offset.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = bytes.len() > shape.len()
        && shape.iter().zip(bytes).all(|(s, b)| if *s == b'd' { b.is_ascii_digit() } else { s == b });
    if !fits {
        return None;
    }
    let mut rest = &bytes[shape.len()..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        rest = &fraction[digits..];
    }
    let zone = match rest {
        b"Z" => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    };
    if zone { text.parse().ok() } else { None }
}

/// Parses a `StringMatches` pattern: `*` stands for any text, `\*` and `\\` for themselves.
pub(crate) fn pattern(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
                pieces.push(Piece::Star);
            }
            '\\' => match chars.next() {
                Some(c @ ('*' | '\\')) => literal.push(c),
                _ => return Err(format!("pattern `{text}` holds an open escape `\\`")),
            },
            c => literal.push(c),
        }
    }
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

/// Greedy from the left, the last text from the right: enough, because stars match anything.
fn matches(pattern: &[Piece], text: &str) -> bool {
    let texts: Vec<&str> = pattern
        .iter()
        .filter_map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None })
        .collect();
    let [first, middle @ .., last] = texts.as_slice() else {
        return texts.first() == Some(&text);
    };
    let Some(mut rest) = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_matches_table() {
        let table = [
            ("log-*.txt", "log-1.txt", true),
            ("log-*.txt", "log-.txt", true),
            ("log-*.txt", "log.txt", false),
            ("*", "", true),
            ("*a*a*", "aa", true),
            ("*a*a*", "a", false),
            ("a*a", "a", false),
            ("plain", "plain", true),
            ("plain", "plain ", false),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"a\\*", r"a\b", true),
        ];
        for (text, value, expected) in table {
            assert_eq!(matches(&pattern(text).expect(text), value), expected, "{text} on {value}");
        }
        assert!(pattern(r"a\").is_err());
    }

    #[test]
    fn strings_compare_by_utf16_code_units() {
        let (surrogates, private_use) = (Value::from("\u{10000}"), Value::from("\u{e000}"));
        assert_eq!(Family::String.compare(&surrogates, &private_use), Some(Ordering::Less));
    }

    #[test]
    fn timestamps_follow_the_strict_profile() {
        for good in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05+02:00"] {
            assert!(timestamp(good).is_some(), "{good}");
        }
        for bad in [
            "2026-01-02t03:04:05Z",
            "2026-01-02T03:04:05z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04:05",
            "2026-01-02",
            "x",
        ] {
            assert!(timestamp(bad).is_none(), "{bad}");
        }
    }
}
