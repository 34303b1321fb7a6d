//! What can a translated query call back for?
//!
//! All that is T-SQL's own meaning: conversions, arithmetic, functions. SQLite joins, groups, sorts and windows; it computes
//! no value of ours by itself.

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query::{
            dates::{self, Part},
            numbers::{self, Shape},
            texts::{self, Text},
            types::{Class, Operator, class},
        },
        select, value,
    },
};

/// How deep a common table expression may refer to itself: MAXRECURSION where nothing else is said.
const RECURSION_MAX: i64 = 100;

/// A computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// CAST; `attempt` is `TRY_CAST`, which yields NULL for what does not convert.
    Cast {
        target: SqlType,
        attempt: bool,
    },
    /// CONVERT of a moment to text; the second argument is the style.
    Styled(SqlType),
    Arithmetic(Operator, SqlType),
    /// `+` of text.
    Join,
    /// LIKE, with an escape character or not.
    Like,
    Text(Text),
    Shape(Shape),
    Round,
    /// SQRT.
    Root,
    /// POWER, as its type has it.
    Power(SqlType),
    DateAdd(Part),
    DateDiff(Part),
    DatePart(Part),
    DateName(Part),
    EndOfMonth,
    /// The value of a subquery that may have one row only; the second argument counts them.
    Single,
    /// One level deeper in a recursion.
    Deeper,
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
        Call::Styled(target) => match value::integer(second, "int")? {
            Some(style) => select::cast(&dates::styled(first, style)?, target),
            None => Ok(Value::Null),
        },
        Call::Arithmetic(operator, target) => numbers::apply(operator, first, second, target),
        Call::Join => match (value::text(first), value::text(second)) {
            (Some(a), Some(b)) => Ok(Value::Text(a + &b)),
            _ => Ok(Value::Null),
        },
        Call::Like => like(given),
        Call::Text(function) => texts::text(function, given),
        _ if *first == Value::Null => Ok(Value::Null),
        Call::Shape(how) => numbers::shape(how, first),
        Call::Round => {
            let digits = value::integer(second, "int")?.unwrap_or(0);
            numbers::round(first, digits, value::integer(at(2), "int")?.unwrap_or(0) != 0)
        }
        Call::Root => {
            let root = numbers::float(first)?.sqrt();
            if root.is_nan() {
                Err(EngineError::new(3623, "An invalid floating point operation occurred."))
            } else {
                Ok(Value::Float(root))
            }
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
        Call::DateDiff(part) => {
            let borders = dates::difference(part, first, second)?;
            let count = value::integer(&borders, "int")?;
            count.map_or(Ok(Value::Null), |n| {
                numbers::ranged(i128::from(n), SqlType::Int).map_err(|_| too_far_apart())
            })
        }
        Call::DatePart(part) => dates::part(part, first),
        Call::DateName(part) => dates::name(part, first),
        Call::EndOfMonth => dates::end_of_month(first, second),
        Call::Single if matches!(second, Value::Int(2..)) => {
            let text = "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.";
            Err(EngineError::new(512, text))
        }
        Call::Single => Ok(first.clone()),
        Call::Deeper => match value::integer(first, "int")?.unwrap_or(0) + 1 {
            depth if depth > RECURSION_MAX => {
                let text = "The statement terminated. The maximum recursion 100 has been exhausted before statement completion.";
                Err(EngineError::new(530, text))
            }
            depth => Ok(Value::Int(depth)),
        },
    }
}

fn too_far_apart() -> EngineError {
    let text = "The datediff function resulted in an overflow. The number of dateparts separating two date/time instances is too large. Try to use datediff with a less precise datepart.";
    EngineError::new(535, text)
}

/// CAST with the ranges of its types; what it shares with the native queries is done there.
pub(super) fn cast(held: &Value, target: SqlType) -> Result<Value, EngineError> {
    let converted = match (held, target) {
        (Value::Null, _) => return Ok(Value::Null),
        (Value::Float(number), SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt) => {
            // 2^100 is far outside of all of them and still a whole number of i128.
            #[expect(clippy::cast_possible_truncation, reason = "cut to the whole number, as a CAST does")]
            let whole = number.clamp(-1.2e30, 1.2e30) as i128;
            return numbers::ranged(whole, target);
        }
        (Value::Float(number), SqlType::Numeric { .. }) => {
            select::cast(&Value::Text(format!("{number:.12}")), target)?
        }
        (Value::Float(number), SqlType::Bit) => Value::Bit(*number != 0.0),
        (Value::Numeric { mantissa, scale: from }, SqlType::Numeric { scale, .. }) => {
            Value::Numeric { mantissa: numbers::rescale(*mantissa, *from, scale)?, scale }
        }
        _ => select::cast(held, target)?,
    };
    match (&converted, target) {
        (Value::Int(number), _) if class(target) == Class::Whole => {
            numbers::ranged(i128::from(*number), target)
        }
        (Value::Numeric { mantissa, scale }, SqlType::Numeric { precision, .. }) => {
            numbers::fits(*mantissa, precision, *scale)
        }
        _ => Ok(converted),
    }
}

fn like(given: &[Value]) -> Result<Value, EngineError> {
    let at = |place: usize| given.get(place).and_then(value::text);
    let (Some(text), Some(mut pattern)) = (at(0), at(1)) else { return Ok(Value::Null) };
    if let Some(escape) = at(2) {
        pattern = texts::unescaped(&pattern, &escape)?;
    }
    Ok(Value::Int(i64::from(select::like(&text, &pattern))))
}
