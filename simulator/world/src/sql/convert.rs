//! What does a value become in another type?
//!
//! CAST and CONVERT, and whatever is assigned to a variable. Source: "CAST and CONVERT" in the T-SQL reference.

use tds::{SqlType, Value};

use crate::{
    error::EngineError,
    sql::{
        query::{fits, ranged, rescale, type_name},
        value,
    },
    time::{DAY_NANOSECONDS, Ms, nanoseconds, round_datetime},
};

/// CAST, in the range of its type. Errors: 241, 242, 245, 8114, 8115, 8169.
pub(crate) fn cast(held: &Value, target: SqlType) -> Result<Value, EngineError> {
    if *held == Value::Null {
        return Ok(Value::Null);
    }
    match target {
        SqlType::Bit => bit(held),
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => whole(held, target),
        SqlType::Float => value::text(held)
            .and_then(|text| text.parse().ok())
            .map(Value::Float)
            .ok_or_else(|| EngineError::new(8114, "Error converting data type nvarchar to float.")),
        SqlType::Numeric { precision, scale } => numeric(held, precision, scale),
        SqlType::NVarChar(width) | SqlType::VarChar(width) => {
            let text = value::text(held).unwrap_or_default();
            Ok(Value::Text(text.chars().take(width.map_or(usize::MAX, usize::from)).collect()))
        }
        SqlType::VarBinary(_) => Ok(match held {
            Value::Binary(bytes) => Value::Binary(bytes.clone()),
            other => Value::Binary(value::text(other).unwrap_or_default().into_bytes()),
        }),
        SqlType::Date | SqlType::DateTime | SqlType::DateTime2(_) => moment(held, target),
        SqlType::UniqueIdentifier => guid(held),
    }
}

fn bit(held: &Value) -> Result<Value, EngineError> {
    if let Value::Float(number) = held {
        return Ok(Value::Bit(*number != 0.0));
    }
    match value::truth(held) {
        Some(truth) => Ok(Value::Bit(truth)),
        None => Ok(value::integer(held, "bit")?.map_or(Value::Null, |n| Value::Bit(n != 0))),
    }
}

fn whole(held: &Value, target: SqlType) -> Result<Value, EngineError> {
    let number = match held {
        // 2^100 is far outside of all of them and still a whole number of i128.
        #[expect(clippy::cast_possible_truncation, reason = "cut to the whole number, as a CAST does")]
        Value::Float(number) => number.clamp(-1.2e30, 1.2e30) as i128,
        Value::Text(text) if !text.trim().is_empty() && text.trim().parse::<i64>().is_err() => {
            return Err(value::no_conversion(held, type_name(target)));
        }
        Value::Binary(bytes) => {
            // The last bytes, the highest first.
            let last = bytes.iter().rev().take(8).rev();
            i128::from(last.fold(0_i64, |number, byte| (number << 8) | i64::from(*byte)))
        }
        other => i128::from(value::integer(other, "int")?.unwrap_or(0)),
    };
    ranged(number, target)
}

fn numeric(held: &Value, precision: u8, scale: u8) -> Result<Value, EngineError> {
    let refuse = || {
        EngineError::new(8114, format!("Error converting data type {} to numeric.", value::type_name(held)))
    };
    let parsed = match held {
        Value::Numeric { mantissa, scale } => Some(Value::Numeric { mantissa: *mantissa, scale: *scale }),
        Value::Float(number) => value::parse_number(&format!("{number:.12}")),
        other => value::text(other).and_then(|text| value::parse_number(text.trim())),
    };
    let mantissa = match parsed {
        Some(Value::Int(number)) => rescale(i128::from(number), 0, scale)?,
        Some(Value::Numeric { mantissa, scale: from }) => rescale(mantissa, from, scale)?,
        _ => return Err(refuse()),
    };
    fits(mantissa, precision, scale)
}

fn moment(held: &Value, target: SqlType) -> Result<Value, EngineError> {
    let Some(at) = value::moment(held)? else { return Ok(Value::Null) };
    Ok(match target {
        SqlType::Date => Value::DateTime(at.div_euclid(DAY_NANOSECONDS) * DAY_NANOSECONDS),
        SqlType::DateTime2(digits) => {
            let unit = 10_i128.pow(9 - u32::from(digits.min(7)));
            Value::DateTime((at + unit / 2).div_euclid(unit) * unit)
        }
        _ => {
            let rounded = Ms::try_from(at.div_euclid(1_000_000)).map(round_datetime);
            rounded.map_or(Value::Null, |at| Value::DateTime(nanoseconds(at)))
        }
    })
}

fn guid(held: &Value) -> Result<Value, EngineError> {
    match held {
        Value::Guid(bytes) => Ok(Value::Guid(*bytes)),
        other => value::guid(&value::text(other).unwrap_or_default()).map(Value::Guid),
    }
}
