//! What do operators and functions of numbers yield?
//!
//! Exact numerics are whole numbers beside a scale; results are cut to the scale that their type has. Source: arithmetic
//! operators and mathematical functions in the T-SQL reference.

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query::types::{self, Operator},
        value,
    },
    time::DAY_NANOSECONDS,
};

/// 1900-01-01, the zero of datetime.
pub(super) const ZERO: i128 = -25_567 * DAY_NANOSECONDS;

pub(super) fn overflow(target: &str) -> EngineError {
    EngineError::new(8115, format!("Arithmetic overflow error converting expression to data type {target}."))
}

fn divided_by_zero() -> EngineError {
    EngineError::new(8134, "Divide by zero error encountered.")
}

/// A value as mantissa and scale.
fn exact(held: &Value) -> Result<(i128, u8), EngineError> {
    match held {
        Value::Numeric { mantissa, scale } => Ok((*mantissa, *scale)),
        Value::Text(text) => match value::parse_number(text.trim()) {
            Some(Value::Numeric { mantissa, scale }) => Ok((mantissa, scale)),
            Some(Value::Int(number)) => Ok((i128::from(number), 0)),
            _ => Err(EngineError::new(8114, "Error converting data type nvarchar to numeric.")),
        },
        other => Ok((i128::from(value::integer(other, "int")?.unwrap_or(0)), 0)),
    }
}

fn power(of_ten: u8) -> Result<i128, EngineError> {
    10_i128.checked_pow(u32::from(of_ten)).ok_or_else(|| overflow("numeric"))
}

/// Brings a mantissa from one scale to another, rounding half away from zero.
pub(in crate::sql) fn rescale(mantissa: i128, from: u8, to: u8) -> Result<i128, EngineError> {
    if to >= from {
        return mantissa.checked_mul(power(to - from)?).ok_or_else(|| overflow("numeric"));
    }
    let unit = power(from - to)?;
    let (whole, rest) = (mantissa / unit, mantissa % unit);
    let up = i128::from(rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2));
    Ok(whole + up * mantissa.signum())
}

/// `a / b` with so many digits behind the point, digit by digit: the dividend need not fit when it is shifted.
fn quotient(a: i128, b: i128, digits: i32) -> Result<i128, EngineError> {
    if b == 0 {
        return Err(divided_by_zero());
    }
    let overflow = || overflow("numeric");
    let (mut whole, mut rest) =
        (a.checked_div(b).ok_or_else(overflow)?, a.checked_rem(b).ok_or_else(overflow)?);
    for _ in 0..digits {
        let next = rest.checked_mul(10).ok_or_else(overflow)?;
        whole = whole.checked_mul(10).and_then(|w| w.checked_add(next / b)).ok_or_else(overflow)?;
        rest = next % b;
    }
    for _ in digits..0 {
        whole /= 10;
    }
    Ok(whole)
}

/// The value of `a operator b` as the type of the result has it. NULL beside anything is NULL.
pub(super) fn apply(operator: Operator, a: &Value, b: &Value, target: SqlType) -> Result<Value, EngineError> {
    if *a == Value::Null || *b == Value::Null {
        return Ok(Value::Null);
    }
    match target {
        SqlType::Float => floats(operator, a, b),
        SqlType::Numeric { scale, precision } => {
            let mantissa = exactly(operator, exact(a)?, exact(b)?, scale)?;
            fits(mantissa, precision, scale)
        }
        SqlType::DateTime => moments(operator, a, b),
        _ => {
            let number = |v: &Value| Ok::<i64, EngineError>(value::integer(v, "int")?.unwrap_or(0));
            let (x, y) = (i128::from(number(a)?), i128::from(number(b)?));
            let result = whole(operator, x, y, types::name(target))?;
            ranged(result, target)
        }
    }
}

/// Exact numerics, as a mantissa of the scale that the result has.
fn exactly(
    operator: Operator,
    (x, s): (i128, u8),
    (y, t): (i128, u8),
    scale: u8,
) -> Result<i128, EngineError> {
    match operator {
        Operator::Multiply => {
            let product = x.checked_mul(y).ok_or_else(|| overflow("numeric"))?;
            rescale(product, s.saturating_add(t), scale)
        }
        Operator::Divide => quotient(x, y, i32::from(scale) + i32::from(t) - i32::from(s)),
        _ => {
            let common = s.max(t);
            let result = whole(operator, rescale(x, s, common)?, rescale(y, t, common)?, "numeric")?;
            rescale(result, common, scale)
        }
    }
}

/// Whole numbers. Errors: 8134, 8115.
fn whole(operator: Operator, x: i128, y: i128, target: &str) -> Result<i128, EngineError> {
    let result = match operator {
        Operator::Add => x.checked_add(y),
        Operator::Subtract => x.checked_sub(y),
        Operator::Multiply => x.checked_mul(y),
        Operator::Divide | Operator::Modulo if y == 0 => return Err(divided_by_zero()),
        Operator::Divide => x.checked_div(y),
        Operator::Modulo => x.checked_rem(y),
    };
    result.ok_or_else(|| overflow(target))
}

fn floats(operator: Operator, a: &Value, b: &Value) -> Result<Value, EngineError> {
    let (x, y) = (float(a)?, float(b)?);
    let result = match operator {
        Operator::Add => x + y,
        Operator::Subtract => x - y,
        Operator::Multiply => x * y,
        Operator::Divide | Operator::Modulo if y == 0.0 => return Err(divided_by_zero()),
        Operator::Divide => x / y,
        Operator::Modulo => x % y,
    };
    if result.is_finite() { Ok(Value::Float(result)) } else { Err(overflow("float")) }
}

/// A number as a float. Error 8114.
pub(super) fn float(held: &Value) -> Result<f64, EngineError> {
    let refuse =
        || EngineError::new(8114, format!("Error converting data type {} to float.", value::type_name(held)));
    match held {
        Value::Float(number) => Ok(*number),
        other => value::text(other)
            .and_then(|t| t.trim().parse().ok())
            .filter(|f: &f64| f.is_finite())
            .ok_or_else(refuse),
    }
}

/// Moments and days: a number beside a datetime counts days.
fn moments(operator: Operator, a: &Value, b: &Value) -> Result<Value, EngineError> {
    let since_zero = |held: &Value| match held {
        Value::DateTime(_) | Value::Text(_) => Ok(value::moment(held)?.unwrap_or(ZERO) - ZERO),
        Value::Int(days) => Ok(i128::from(*days) * DAY_NANOSECONDS),
        #[expect(clippy::cast_possible_truncation, reason = "a float casts to the nearest number it can be")]
        other => Ok::<i128, EngineError>((float(other)? * DAY_NANOSECONDS as f64) as i128),
    };
    let (x, y) = (since_zero(a)?, since_zero(b)?);
    let moved = if operator == Operator::Subtract { x.checked_sub(y) } else { x.checked_add(y) };
    moved.and_then(|m| m.checked_add(ZERO)).and_then(value::in_calendar).ok_or_else(|| {
        EngineError::new(8115, "Arithmetic overflow error converting expression to data type datetime.")
    })
}

/// A whole number as its type takes it. Error 8115.
pub(in crate::sql) fn ranged(number: i128, target: SqlType) -> Result<Value, EngineError> {
    let range = match target {
        SqlType::TinyInt => 0..=255,
        SqlType::SmallInt => i128::from(i16::MIN)..=i128::from(i16::MAX),
        SqlType::BigInt => i128::from(i64::MIN)..=i128::from(i64::MAX),
        _ => i128::from(i32::MIN)..=i128::from(i32::MAX),
    };
    let name = types::name(target);
    if !range.contains(&number) {
        return Err(overflow(name));
    }
    i64::try_from(number).map(Value::Int).map_err(|_| overflow(name))
}

/// An exact numeric as its type takes it. Error 8115.
pub(in crate::sql) fn fits(mantissa: i128, precision: u8, scale: u8) -> Result<Value, EngineError> {
    let limit = 10_u128.checked_pow(u32::from(precision));
    if limit.is_some_and(|limit| mantissa.unsigned_abs() >= limit) {
        return Err(EngineError::new(
            8115,
            "Arithmetic overflow error converting numeric to data type numeric.",
        ));
    }
    Ok(Value::Numeric { mantissa, scale })
}

/// A function of a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Real {
    Logarithm,
    Logarithm10,
    Exponential,
    Square,
    Root,
}

/// Its value. Error 3623 where there is none.
pub(super) fn real(how: Real, held: &Value) -> Result<Value, EngineError> {
    let number = float(held)?;
    let found = match how {
        Real::Logarithm => number.ln(),
        Real::Logarithm10 => number.log10(),
        Real::Exponential => number.exp(),
        Real::Square => number * number,
        Real::Root => number.sqrt(),
    };
    if found.is_finite() {
        Ok(Value::Float(found))
    } else {
        Err(EngineError::new(3623, "An invalid floating point operation occurred."))
    }
}

/// A function of one number that keeps its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// ABS.
    Absolute,
    /// FLOOR.
    Floor,
    /// CEILING.
    Ceiling,
    /// SIGN.
    Sign,
    /// The minus before a number.
    Negative,
}

/// Its value.
pub(super) fn shape(how: Shape, held: &Value) -> Result<Value, EngineError> {
    if let Value::Float(number) = held {
        return Ok(Value::Float(match how {
            Shape::Absolute => number.abs(),
            Shape::Floor => number.floor(),
            Shape::Ceiling => number.ceil(),
            Shape::Sign => {
                if *number == 0.0 {
                    0.0
                } else {
                    number.signum()
                }
            }
            Shape::Negative => -number,
        }));
    }
    let (mantissa, scale) = exact(held)?;
    let unit = power(scale)?;
    let (mantissa, scale) = match how {
        Shape::Absolute => (mantissa.checked_abs().ok_or_else(|| overflow("numeric"))?, scale),
        Shape::Negative => (mantissa.checked_neg().ok_or_else(|| overflow("numeric"))?, scale),
        Shape::Floor => (mantissa.div_euclid(unit), 0),
        Shape::Ceiling => (mantissa.div_euclid(unit) + i128::from(mantissa.rem_euclid(unit) != 0), 0),
        Shape::Sign => (mantissa.signum() * unit, scale),
    };
    match held {
        Value::Numeric { .. } => Ok(Value::Numeric { mantissa, scale }),
        _ => i64::try_from(mantissa).map(Value::Int).map_err(|_| overflow("bigint")),
    }
}

/// `ROUND(number, digits[, truncate])`: the type stays.
pub(super) fn round(held: &Value, digits: i64, truncate: bool) -> Result<Value, EngineError> {
    if let Value::Float(number) = held {
        let unit = 10_f64.powi(i32::try_from(digits.clamp(-300, 300)).unwrap_or(0));
        let scaled = number * unit;
        let rounded = if truncate { scaled.trunc() } else { scaled.round() } / unit;
        return Ok(if rounded.is_finite() { Value::Float(rounded) } else { Value::Float(*number) });
    }
    let (mantissa, scale) = exact(held)?;
    let dropped = i64::from(scale) - digits;
    let mantissa = match u8::try_from(dropped.max(0)) {
        Ok(0) => mantissa,
        Ok(dropped) if dropped <= 38 => {
            let unit = power(dropped)?;
            let kept = if truncate { mantissa / unit } else { rescale(mantissa, dropped, 0)? };
            kept.checked_mul(unit).ok_or_else(|| overflow("numeric"))?
        }
        _ => 0,
    };
    match held {
        Value::Numeric { .. } => Ok(Value::Numeric { mantissa, scale }),
        _ => i64::try_from(mantissa).map(Value::Int).map_err(|_| overflow("bigint")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn n(mantissa: i128, scale: u8) -> Value {
        Value::Numeric { mantissa, scale }
    }

    #[test]
    fn arithmetic_as_the_reference_has_it() {
        let int = SqlType::Int;
        let exact = |precision, scale| SqlType::Numeric { precision, scale };
        for (operator, a, b, target, wanted) in [
            (Operator::Divide, Value::Int(7), Value::Int(2), int, Value::Int(3)),
            (Operator::Modulo, Value::Int(-7), Value::Int(2), int, Value::Int(-1)),
            (Operator::Divide, n(10_000_000_000, 0), n(10_485_760, 1), exact(30, 9), n(9_536_743_164_062, 9)),
            (Operator::Multiply, n(125, 2), n(15, 1), exact(6, 3), n(1_875, 3)),
            (Operator::Add, n(125, 2), Value::Int(1), exact(13, 2), n(225, 2)),
            (Operator::Add, Value::Null, Value::Int(1), int, Value::Null),
            (
                Operator::Subtract,
                Value::DateTime(DAY_NANOSECONDS),
                Value::Int(1),
                SqlType::DateTime,
                Value::DateTime(0),
            ),
        ] {
            assert_eq!(apply(operator, &a, &b, target).unwrap(), wanted, "{a:?} {operator:?} {b:?}");
        }
        let big = Value::Int(2_000_000_000);
        assert_eq!(apply(Operator::Add, &big, &big, int).unwrap_err().number, 8115);
        assert_eq!(apply(Operator::Divide, &big, &Value::Int(0), int).unwrap_err().number, 8134);
    }

    #[test]
    fn rounding() {
        assert_eq!(round(&n(12_345, 2), 1, false).unwrap(), n(12_350, 2));
        assert_eq!(round(&n(12_345, 2), 1, true).unwrap(), n(12_340, 2));
        assert_eq!(round(&Value::Int(-1_250), -2, false).unwrap(), Value::Int(-1_300));
        assert_eq!(shape(Shape::Ceiling, &n(-125, 2)).unwrap(), n(-1, 0));
        assert_eq!(shape(Shape::Floor, &n(-125, 2)).unwrap(), n(-2, 0));
    }
}
