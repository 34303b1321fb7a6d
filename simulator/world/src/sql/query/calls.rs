//! What can a translated query call back for?
//!
//! All that is T-SQL's own meaning: conversions, arithmetic, functions. SQLite joins, groups, sorts and windows; it computes
//! no value of ours by itself.

use std::cmp::Ordering;

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        convert::cast,
        query::{
            dates::{self, Part},
            numbers::{self, Real, Shape},
            texts::{self, Text},
            types::Operator,
        },
        select, value,
    },
};

/// A computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// CAST; `attempt` is `TRY_CAST`, which yields NULL for what does not convert.
    Cast {
        target: SqlType,
        attempt: bool,
    },
    /// CONVERT of a moment of a type to text; the second argument is the style.
    Styled {
        target: SqlType,
        of: SqlType,
    },
    Arithmetic(Operator, SqlType),
    /// `+` of text.
    Join,
    /// LIKE, with an escape character or not.
    Like,
    Text(Text),
    Shape(Shape),
    Round,
    /// POWER, as its type has it.
    Power(SqlType),
    DateAdd(Part),
    /// DATEDIFF and `DATEDIFF_BIG`, by the type of what they yield.
    DateDiff(Part, SqlType),
    DatePart(Part),
    DateName(Part),
    EndOfMonth,
    DateFromParts,
    /// A function of a float.
    Real(Real),
    /// GREATEST, or LEAST, which pass over NULL.
    Extreme {
        greatest: bool,
    },
    /// NULLIF of values of different types.
    NullIf,
    /// The value of a subquery that may have one row only; the second argument counts them.
    Single,
    /// One level deeper in a recursion that goes so deep at most.
    Deeper(i64),
}

/// The value of a call.
pub(super) fn evaluate(call: Call, given: &[Value]) -> Result<Value, EngineError> {
    let at = |place: usize| given.get(place).unwrap_or(&Value::Null);
    let (first, second) = (at(0), at(1));
    match call {
        Call::Cast { target, attempt } => match cast(first, target) {
            Err(_) if attempt => Ok(Value::Null),
            other => other,
        },
        Call::Styled { target, of } => match value::integer(second, "int")? {
            Some(style) => cast(&dates::styled(first, style, of)?, target),
            None => Ok(Value::Null),
        },
        Call::Arithmetic(operator, target) => numbers::apply(operator, first, second, target),
        Call::Join => match (value::text(first), value::text(second)) {
            (Some(a), Some(b)) => value::joined(a, &b),
            _ => Ok(Value::Null),
        },
        Call::Like => like(given),
        Call::Text(function) => texts::text(function, given),
        Call::Extreme { greatest } => Ok(extreme(greatest, given)),
        _ if *first == Value::Null => Ok(Value::Null),
        Call::Shape(how) => numbers::shape(how, first),
        Call::Round => {
            let digits = value::integer(second, "int")?.unwrap_or(0);
            numbers::round(first, digits, value::integer(at(2), "int")?.unwrap_or(0) != 0)
        }
        Call::Power(_) if *second == Value::Null => Ok(Value::Null),
        Call::Power(target) => {
            let power = numbers::float(first)?.powf(numbers::float(second)?);
            if power.is_finite() {
                cast(&Value::Float(power), target)
            } else {
                Err(numbers::overflow("float"))
            }
        }
        Call::DateAdd(part) => dates::add(part, first, second),
        Call::DateDiff(part, target) => difference(part, target, first, second),
        Call::DateFromParts => dates::from_parts(given),
        Call::Real(how) => numbers::real(how, first),
        Call::DatePart(part) => dates::part(part, first),
        Call::DateName(part) => dates::name(part, first),
        Call::EndOfMonth => dates::end_of_month(first, second),
        Call::NullIf => match value::compare(first, second)? {
            Some(Ordering::Equal) => Ok(Value::Null),
            _ => Ok(first.clone()),
        },
        Call::Single if matches!(second, Value::Int(2..)) => {
            let text = "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.";
            Err(EngineError::new(512, text))
        }
        Call::Single => Ok(first.clone()),
        Call::Deeper(most) => match value::integer(first, "int")?.unwrap_or(0) + 1 {
            depth if depth > most => {
                let text = format!(
                    "The statement terminated. The maximum recursion {most} has been exhausted before statement completion."
                );
                Err(EngineError::new(530, text))
            }
            depth => Ok(Value::Int(depth)),
        },
    }
}

/// The greatest or least value; NULL where there is none.
fn extreme(greatest: bool, given: &[Value]) -> Value {
    let known = given.iter().filter(|v| **v != Value::Null);
    let order = |a: &&Value, b: &&Value| value::order(a, b);
    let found = if greatest { known.max_by(order) } else { known.min_by(order) };
    found.cloned().unwrap_or(Value::Null)
}

/// DATEDIFF in the range of a type. Error 535.
fn difference(part: Part, target: SqlType, from: &Value, to: &Value) -> Result<Value, EngineError> {
    let borders = dates::difference(part, from, to)?;
    match value::integer(&borders, "int")? {
        None => Ok(Value::Null),
        Some(number) => numbers::ranged(i128::from(number), target).map_err(|_| too_far_apart()),
    }
}

fn too_far_apart() -> EngineError {
    let text = "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.";
    EngineError::new(535, text)
}

fn like(given: &[Value]) -> Result<Value, EngineError> {
    let at = |place: usize| given.get(place).and_then(value::text);
    let (Some(text), Some(mut pattern)) = (at(0), at(1)) else { return Ok(Value::Null) };
    if let Some(escape) = at(2) {
        pattern = texts::unescaped(&pattern, &escape)?;
    }
    Ok(Value::Int(i64::from(select::like(&text, &pattern))))
}
