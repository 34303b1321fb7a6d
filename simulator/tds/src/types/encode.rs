//! How is a column described and a value written? `TYPE_INFO` and `TYPE_VARBYTE` of what this front sends.
//!
//! Refuses to know rows and tokens, and converts nothing but what loses nothing that SQL Server would keep: a number to a
//! wider type or to another scale, a time to the column's precision. Source: MS-TDS 2.2.5.4, 2.2.5.5, 2.2.5.6.

use super::{
    calendar,
    code_page::{self, Collation},
    decimal,
};
use crate::{
    error::ValueError,
    limits::MAX_TYPE_BYTES_MAX,
    value::{SqlType, Value},
    write,
};

const GUID: u8 = 0x24;
const INT_N: u8 = 0x26;
const DATE_N: u8 = 0x28;
const DATETIME2_N: u8 = 0x2A;
const BIT_N: u8 = 0x68;
const NUMERIC_N: u8 = 0x6C;
const FLOAT_N: u8 = 0x6D;
const DATETIME_N: u8 = 0x6F;
const BIG_VAR_BINARY: u8 = 0xA5;
const BIG_VAR_CHAR: u8 = 0xA7;
const N_VAR_CHAR: u8 = 0xE7;
/// Length of a max type, and NULL among two-byte lengths.
const MAX_OR_NULL: u16 = 0xFFFF;
/// NULL among eight-byte lengths of max types. MS-TDS 2.2.5.2.3.
const PLP_NULL: u64 = u64::MAX;

/// How a column of this type and nullability travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
}

/// The type of fixed length that stands for a NOT NULL column of this type, with its length in bytes.
fn fixed(sql_type: SqlType) -> Option<(u8, u8)> {
    match sql_type {
        SqlType::TinyInt => Some((0x30, 1)),
        SqlType::Bit => Some((0x32, 1)),
        SqlType::SmallInt => Some((0x34, 2)),
        SqlType::Int => Some((0x38, 4)),
        SqlType::DateTime => Some((0x3D, 8)),
        SqlType::Float => Some((0x3E, 8)),
        SqlType::BigInt => Some((0x7F, 8)),
        _ => None,
    }
}

/// Whether SQL Server has such a type.
pub(crate) fn check_type(sql_type: SqlType) -> Result<(), ValueError> {
    match sql_type {
        SqlType::Numeric { precision, scale } if !decimal::exists(precision, scale) => Err(
            ValueError::NoSuchType("numeric has 1 to 38 digits, and at most all of them behind the point"),
        ),
        SqlType::NVarChar(Some(length)) if !(1..=4_000).contains(&length) => {
            Err(ValueError::NoSuchType("nvarchar has 1 to 4000 characters or max"))
        }
        SqlType::VarChar(Some(length)) | SqlType::VarBinary(Some(length))
            if !(1..=8_000).contains(&length) =>
        {
            Err(ValueError::NoSuchType("varchar and varbinary have 1 to 8000 bytes or max"))
        }
        SqlType::DateTime2(scale) if scale > 7 => Err(ValueError::NoSuchType("datetime2 has 0 to 7 digits")),
        _ => Ok(()),
    }
}

/// Writes `TYPE_INFO`.
pub(crate) fn type_info(out: &mut Vec<u8>, wire: Wire, collation: Collation) {
    if !wire.nullable
        && let Some((token, _)) = fixed(wire.sql_type)
    {
        out.push(token);
        return;
    }
    let mut sized = |token: u8, bytes: Option<u16>| {
        out.push(token);
        out.extend_from_slice(&bytes.unwrap_or(MAX_OR_NULL).to_le_bytes());
    };
    match wire.sql_type {
        SqlType::Bit => out.extend_from_slice(&[BIT_N, 1]),
        SqlType::TinyInt => out.extend_from_slice(&[INT_N, 1]),
        SqlType::SmallInt => out.extend_from_slice(&[INT_N, 2]),
        SqlType::Int => out.extend_from_slice(&[INT_N, 4]),
        SqlType::BigInt => out.extend_from_slice(&[INT_N, 8]),
        SqlType::Float => out.extend_from_slice(&[FLOAT_N, 8]),
        SqlType::Date => out.push(DATE_N),
        SqlType::DateTime => out.extend_from_slice(&[DATETIME_N, 8]),
        SqlType::UniqueIdentifier => out.extend_from_slice(&[GUID, 16]),
        SqlType::DateTime2(scale) => out.extend_from_slice(&[DATETIME2_N, scale]),
        SqlType::Numeric { precision, scale } => {
            let length = u8::try_from(decimal::magnitude_bytes(precision) + 1).expect("at most 17");
            out.extend_from_slice(&[NUMERIC_N, length, precision, scale]);
        }
        SqlType::NVarChar(characters) => sized(N_VAR_CHAR, characters.map(|characters| characters * 2)),
        SqlType::VarChar(bytes) => sized(BIG_VAR_CHAR, bytes),
        SqlType::VarBinary(bytes) => sized(BIG_VAR_BINARY, bytes),
    }
    if matches!(wire.sql_type, SqlType::NVarChar(_) | SqlType::VarChar(_)) {
        out.extend_from_slice(&collation);
    }
}

/// Writes a value as its column travels. On an error `out` may hold a part of it.
pub(crate) fn value(out: &mut Vec<u8>, wire: Wire, value: &Value) -> Result<(), ValueError> {
    if *value == Value::Null {
        if !wire.nullable {
            return Err(ValueError::Null);
        }
        null(out, wire.sql_type);
        return Ok(());
    }
    let with_length = wire.nullable || fixed(wire.sql_type).is_none();
    let mut short = |bytes: &[u8]| {
        if with_length {
            write::b_varbyte(out, bytes);
        } else {
            out.extend_from_slice(bytes);
        }
    };
    match wire.sql_type {
        SqlType::Bit => short(&[u8::from(bit(wire.sql_type, value)?)]),
        SqlType::TinyInt => short(&integer::<u8>(wire.sql_type, value)?.to_le_bytes()),
        SqlType::SmallInt => short(&integer::<i16>(wire.sql_type, value)?.to_le_bytes()),
        SqlType::Int => short(&integer::<i32>(wire.sql_type, value)?.to_le_bytes()),
        SqlType::BigInt => short(&integer::<i64>(wire.sql_type, value)?.to_le_bytes()),
        SqlType::Float => short(&float(wire.sql_type, value)?.to_le_bytes()),
        SqlType::Numeric { precision, scale } => short(&numeric(precision, scale, value)?),
        SqlType::Date => short(&date(value)?),
        SqlType::DateTime => short(&datetime(value)?),
        SqlType::DateTime2(scale) => short(&datetime2(scale, value)?),
        SqlType::UniqueIdentifier => short(&guid(value)?),
        SqlType::NVarChar(characters) => {
            let mut bytes = Vec::new();
            write::utf16(&mut bytes, text(wire.sql_type, value)?);
            long(out, &bytes, characters.map(usize::from), 2)?;
        }
        SqlType::VarChar(length) => {
            long(out, &code_page::to_bytes(text(wire.sql_type, value)?), length.map(usize::from), 1)?;
        }
        SqlType::VarBinary(length) => match value {
            Value::Binary(bytes) => long(out, bytes, length.map(usize::from), 1)?,
            _ => return Err(mismatch(wire.sql_type, value)),
        },
    }
    Ok(())
}

fn null(out: &mut Vec<u8>, sql_type: SqlType) {
    match sql_type {
        SqlType::NVarChar(None) | SqlType::VarChar(None) | SqlType::VarBinary(None) => {
            out.extend_from_slice(&PLP_NULL.to_le_bytes());
        }
        SqlType::NVarChar(_) | SqlType::VarChar(_) | SqlType::VarBinary(_) => {
            out.extend_from_slice(&MAX_OR_NULL.to_le_bytes());
        }
        _ => out.push(0),
    }
}

/// Writes bytes behind a two-byte length, or as one PLP chunk when the type is max. `unit` is the bytes of a character.
fn long(out: &mut Vec<u8>, bytes: &[u8], max: Option<usize>, unit: usize) -> Result<(), ValueError> {
    let length = bytes.len() / unit;
    let limit = max.unwrap_or(MAX_TYPE_BYTES_MAX / unit);
    if length > limit {
        return Err(ValueError::TooLong { length, max: limit });
    }
    let byte_count = u32::try_from(bytes.len()).expect("bounded by the limit of max types");
    if let (Some(_), Ok(byte_count)) = (max, u16::try_from(byte_count)) {
        out.extend_from_slice(&byte_count.to_le_bytes());
        out.extend_from_slice(bytes);
    } else {
        out.extend_from_slice(&u64::from(byte_count).to_le_bytes());
        if byte_count > 0 {
            out.extend_from_slice(&byte_count.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out.extend_from_slice(&[0; 4]);
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bit(_) => "bit",
        Value::Int(_) => "integer",
        Value::Float(_) => "float",
        Value::Numeric { .. } => "numeric",
        Value::Text(_) => "text",
        Value::Binary(_) => "binary",
        Value::DateTime(_) => "datetime",
        Value::Guid(_) => "uniqueidentifier",
    }
}

fn mismatch(expected: SqlType, found: &Value) -> ValueError {
    ValueError::Kind { expected, found: kind(found) }
}

fn bit(sql_type: SqlType, value: &Value) -> Result<bool, ValueError> {
    match *value {
        Value::Bit(bit) => Ok(bit),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        Value::Int(_) => Err(ValueError::Range { expected: sql_type }),
        _ => Err(mismatch(sql_type, value)),
    }
}

fn integer<T: TryFrom<i64>>(sql_type: SqlType, value: &Value) -> Result<T, ValueError> {
    match *value {
        Value::Int(integer) => T::try_from(integer).map_err(|_| ValueError::Range { expected: sql_type }),
        _ => Err(mismatch(sql_type, value)),
    }
}

fn float(sql_type: SqlType, value: &Value) -> Result<f64, ValueError> {
    match *value {
        Value::Float(float) if float.is_finite() => Ok(float),
        Value::Float(_) => Err(ValueError::Range { expected: sql_type }),
        Value::Int(integer) => Ok(integer as f64),
        _ => Err(mismatch(sql_type, value)),
    }
}

fn numeric(precision: u8, scale: u8, value: &Value) -> Result<Vec<u8>, ValueError> {
    let expected = SqlType::Numeric { precision, scale };
    let (mantissa, from) = match *value {
        Value::Numeric { mantissa, scale } => (mantissa, scale),
        Value::Int(integer) => (i128::from(integer), 0),
        _ => return Err(mismatch(expected, value)),
    };
    let mantissa = decimal::rescale(mantissa, from, scale)
        .filter(|&mantissa| decimal::fits(mantissa, precision))
        .ok_or(ValueError::Range { expected })?;
    let mut bytes = vec![u8::from(mantissa >= 0)];
    bytes.extend_from_slice(&mantissa.unsigned_abs().to_le_bytes()[..decimal::magnitude_bytes(precision)]);
    Ok(bytes)
}

fn moment(sql_type: SqlType, value: &Value) -> Result<i128, ValueError> {
    match *value {
        // Far outside of any calendar; also keeps the arithmetic on days from overflowing.
        Value::DateTime(nanoseconds) if nanoseconds.unsigned_abs() > 1 << 100 => {
            Err(ValueError::Range { expected: sql_type })
        }
        Value::DateTime(nanoseconds) => Ok(nanoseconds),
        _ => Err(mismatch(sql_type, value)),
    }
}

fn datetime(value: &Value) -> Result<[u8; 8], ValueError> {
    let expected = SqlType::DateTime;
    let (days, ticks) =
        calendar::to_datetime(moment(expected, value)?).ok_or(ValueError::Range { expected })?;
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&days.to_le_bytes());
    bytes[4..].copy_from_slice(&ticks.to_le_bytes());
    Ok(bytes)
}

fn date(value: &Value) -> Result<Vec<u8>, ValueError> {
    let expected = SqlType::Date;
    let days = calendar::to_date(moment(expected, value)?).ok_or(ValueError::Range { expected })?;
    Ok(days.to_le_bytes()[..3].to_vec())
}

fn datetime2(scale: u8, value: &Value) -> Result<Vec<u8>, ValueError> {
    let expected = SqlType::DateTime2(scale);
    let (days, units) =
        calendar::to_datetime2(moment(expected, value)?, scale).ok_or(ValueError::Range { expected })?;
    let mut bytes = units.to_le_bytes()[..calendar::time_bytes(scale)].to_vec();
    bytes.extend_from_slice(&days.to_le_bytes()[..3]);
    Ok(bytes)
}

fn guid(value: &Value) -> Result<[u8; 16], ValueError> {
    match *value {
        Value::Guid(guid) => Ok(swap_guid(guid)),
        _ => Err(mismatch(SqlType::UniqueIdentifier, value)),
    }
}

/// Between printed order and wire order: the first three groups are little-endian. Its own inverse. MS-TDS 2.2.5.5.1.10.
pub(crate) fn swap_guid(mut guid: [u8; 16]) -> [u8; 16] {
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    guid
}

fn text(sql_type: SqlType, value: &Value) -> Result<&str, ValueError> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(mismatch(sql_type, value)),
    }
}

/// A nullable type that holds the value, for an output whose type nobody stated. NULL is an int, as SQL Server has it.
pub(crate) fn type_of(value: &Value) -> SqlType {
    match value {
        Value::Null => SqlType::Int,
        Value::Bit(_) => SqlType::Bit,
        Value::Int(integer) if i32::try_from(*integer).is_ok() => SqlType::Int,
        Value::Int(_) => SqlType::BigInt,
        Value::Float(_) => SqlType::Float,
        Value::Numeric { scale, .. } => SqlType::Numeric { precision: decimal::DIGITS_MAX, scale: *scale },
        Value::Text(text) if text.encode_utf16().count() <= 4_000 => SqlType::NVarChar(Some(4_000)),
        Value::Text(_) => SqlType::NVarChar(None),
        Value::Binary(bytes) if bytes.len() <= 8_000 => SqlType::VarBinary(Some(8_000)),
        Value::Binary(_) => SqlType::VarBinary(None),
        Value::DateTime(_) => SqlType::DateTime2(7),
        Value::Guid(_) => SqlType::UniqueIdentifier,
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
