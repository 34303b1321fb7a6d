//! What did the client send for a parameter? `TYPE_INFO` and `TYPE_VARBYTE` of everything that clients send, as [`Value`]s.
//!
//! Refuses to know procedures. What [`Value`] has no kind for is converted as SQL Server would convert it: date to its
//! midnight, time to that time on 1900-01-01, datetimeoffset to its local time, money to numeric with four digits. Table-valued
//! parameters, CLR types and `sql_variant` are refused by name. Source: MS-TDS 2.2.5.4, 2.2.5.5.

use std::borrow::Cow;

use super::{calendar, code_page, decimal, encode};
use crate::{
    error::ProtocolError,
    read::{Reader, utf16_text},
    value::{SqlType, Value},
};

/// How the characters of a text travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Characters {
    Utf16,
    Utf8,
    Windows1252,
}

/// What the bytes of a value mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bit,
    Integer,
    Float,
    Money,
    DateTime,
    Guid,
    Numeric { precision: u8, scale: u8 },
    Date,
    Time(u8),
    DateTime2(u8),
    DateTimeOffset(u8),
    Text(Characters),
    Binary,
}

/// How the length of a value travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Not at all: the type has one length, in bytes.
    Fixed(usize),
    /// One byte; 0 is NULL. The type's own length bounds it.
    Byte(u8),
    /// Two bytes; 0xFFFF is NULL.
    Short(u16),
    /// Four bytes; 0xFFFFFFFF is NULL. The type's own length says nothing: tedious counts characters there.
    Long,
    /// Chunks of a max type. MS-TDS 2.2.5.2.3.
    Chunks,
}

/// A parsed `TYPE_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeInfo {
    kind: Kind,
    length: Length,
}

impl TypeInfo {
    /// Reads `TYPE_INFO` of an RPC parameter.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let token = reader.u8("TYPE_INFO")?;
        let fixed = |kind, length| Ok(Self { kind, length: Length::Fixed(length) });
        match token {
            0x1F => fixed(Kind::Null, 0),
            0x30 => fixed(Kind::Integer, 1),
            0x32 => fixed(Kind::Bit, 1),
            0x34 => fixed(Kind::Integer, 2),
            0x38 => fixed(Kind::Integer, 4),
            0x3A => fixed(Kind::DateTime, 4),
            0x3B => fixed(Kind::Float, 4),
            0x3C => fixed(Kind::Money, 8),
            0x3D => fixed(Kind::DateTime, 8),
            0x3E => fixed(Kind::Float, 8),
            0x7A => fixed(Kind::Money, 4),
            0x7F => fixed(Kind::Integer, 8),
            0x24 => Self::sized(reader, Kind::Guid, &[16]),
            0x26 => Self::sized(reader, Kind::Integer, &[1, 2, 4, 8]),
            0x68 => Self::sized(reader, Kind::Bit, &[1]),
            0x6D => Self::sized(reader, Kind::Float, &[4, 8]),
            0x6E => Self::sized(reader, Kind::Money, &[4, 8]),
            0x6F => Self::sized(reader, Kind::DateTime, &[4, 8]),
            0x37 | 0x3F | 0x6A | 0x6C => Self::numeric(reader),
            0x28 => Ok(Self { kind: Kind::Date, length: Length::Byte(3) }),
            0x29 => Self::scaled(reader, Kind::Time, 0),
            0x2A => Self::scaled(reader, Kind::DateTime2, 3),
            0x2B => Self::scaled(reader, Kind::DateTimeOffset, 5),
            0x25 | 0x2D => {
                Ok(Self { kind: Kind::Binary, length: Length::Byte(reader.u8("length of type")?) })
            }
            0x27 | 0x2F => Ok(Self {
                kind: Kind::Text(Characters::Windows1252),
                length: Length::Byte(reader.u8("length of type")?),
            }),
            0xA5 | 0xAD => Ok(Self { length: Self::short(reader)?, kind: Kind::Binary }),
            0xA7 | 0xAF => Ok(Self { length: Self::short(reader)?, kind: Self::varchar(reader)? }),
            0xE7 | 0xEF => Ok(Self { length: Self::short(reader)?, kind: Self::nvarchar(reader)? }),
            0x22 => Ok(Self { length: Self::long(reader)?, kind: Kind::Binary }),
            0x23 => Ok(Self { length: Self::long(reader)?, kind: Self::varchar(reader)? }),
            0x63 => Ok(Self { length: Self::long(reader)?, kind: Self::nvarchar(reader)? }),
            0xF1 => Self::xml(reader),
            0x62 => Err(reader.unsupported("sql_variant", u64::from(token))),
            0xF0 => Err(reader.unsupported("CLR type", u64::from(token))),
            0xF3 => Err(reader.unsupported("table-valued parameter", u64::from(token))),
            _ => Err(reader.malformed("TYPE_INFO", u64::from(token))),
        }
    }

    fn sized(reader: &mut Reader<'_>, kind: Kind, lengths: &[u8]) -> Result<Self, ProtocolError> {
        let length = reader.u8("length of type")?;
        if !lengths.contains(&length) {
            return Err(reader.malformed("length of type", u64::from(length)));
        }
        Ok(Self { kind, length: Length::Byte(length) })
    }

    fn numeric(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        let length = reader.u8("length of type")?;
        let (precision, scale) = (reader.u8("precision")?, reader.u8("scale")?);
        if !decimal::exists(precision, scale) {
            return Err(reader.malformed("precision and scale", u64::from(precision) << 8 | u64::from(scale)));
        }
        Ok(Self { kind: Kind::Numeric { precision, scale }, length: Length::Byte(length) })
    }

    fn scaled(reader: &mut Reader<'_>, kind: fn(u8) -> Kind, more_bytes: u8) -> Result<Self, ProtocolError> {
        let scale = reader.u8("scale")?;
        if scale > 7 {
            return Err(reader.malformed("scale", u64::from(scale)));
        }
        let time_bytes = u8::try_from(calendar::time_bytes(scale)).expect("3 to 5");
        Ok(Self { kind: kind(scale), length: Length::Byte(time_bytes + more_bytes) })
    }

    fn short(reader: &mut Reader<'_>) -> Result<Length, ProtocolError> {
        let length = reader.u16("length of type")?;
        Ok(if length == u16::MAX { Length::Chunks } else { Length::Short(length) })
    }

    fn long(reader: &mut Reader<'_>) -> Result<Length, ProtocolError> {
        reader.u32("length of type").map(|_| Length::Long)
    }

    fn varchar(reader: &mut Reader<'_>) -> Result<Kind, ProtocolError> {
        let mut collation = [0; 5];
        collation.copy_from_slice(reader.take(5, "collation")?);
        let utf8 = code_page::is_utf8(collation);
        Ok(Kind::Text(if utf8 { Characters::Utf8 } else { Characters::Windows1252 }))
    }

    fn nvarchar(reader: &mut Reader<'_>) -> Result<Kind, ProtocolError> {
        reader.take(5, "collation")?;
        Ok(Kind::Text(Characters::Utf16))
    }

    fn xml(reader: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        if reader.u8("SCHEMA_PRESENT")? != 0 {
            for what in ["schema database", "schema owner"] {
                let characters = usize::from(reader.u8(what)?);
                reader.utf16(characters, what)?;
            }
            let characters = usize::from(reader.u16("schema collection")?);
            reader.utf16(characters, "schema collection")?;
        }
        Ok(Self { kind: Kind::Text(Characters::Utf16), length: Length::Chunks })
    }

    /// Reads the value that follows.
    pub(crate) fn value(self, reader: &mut Reader<'_>) -> Result<Value, ProtocolError> {
        let Some(bytes) = self.bytes(reader)? else { return Ok(Value::Null) };
        self.kind.decode(&bytes).ok_or_else(|| reader.malformed("value of parameter", bytes.len() as u64))
    }

    /// The bytes of the value; nothing for NULL.
    fn bytes<'a>(self, reader: &mut Reader<'a>) -> Result<Option<Cow<'a, [u8]>>, ProtocolError> {
        const WHAT: &str = "length of value";
        let (length, max) = match self.length {
            _ if self.kind == Kind::Null => return Ok(None),
            Length::Fixed(length) => (length, length),
            Length::Byte(max) => match reader.u8(WHAT)? {
                0 => return Ok(None),
                length => (usize::from(length), usize::from(max)),
            },
            Length::Short(max) => match reader.u16(WHAT)? {
                u16::MAX => return Ok(None),
                length => (usize::from(length), usize::from(max)),
            },
            Length::Long => match reader.u32(WHAT)? {
                u32::MAX => return Ok(None),
                length => (length as usize, usize::MAX),
            },
            Length::Chunks => return chunks(reader),
        };
        if length > max {
            return Err(reader.malformed(WHAT, length as u64));
        }
        reader.take(length, "value of parameter").map(|bytes| Some(Cow::Borrowed(bytes)))
    }

    /// The type an output of this parameter goes back as; nothing for the untyped NULL.
    pub(crate) fn output_type(self) -> Option<SqlType> {
        let bytes = match self.length {
            Length::Fixed(bytes) => bytes,
            Length::Byte(bytes) => usize::from(bytes),
            Length::Short(bytes) => usize::from(bytes),
            Length::Long | Length::Chunks => usize::MAX,
        };
        let capacity = |unit: usize, max: usize| {
            (bytes <= max).then(|| u16::try_from((bytes / unit).max(1)).expect("at most 8000"))
        };
        Some(match self.kind {
            Kind::Null => return None,
            Kind::Bit => SqlType::Bit,
            Kind::Integer => match bytes {
                1 => SqlType::TinyInt,
                2 => SqlType::SmallInt,
                4 => SqlType::Int,
                _ => SqlType::BigInt,
            },
            Kind::Float => SqlType::Float,
            Kind::Money => SqlType::Numeric { precision: 19, scale: 4 },
            Kind::Numeric { precision, scale } => SqlType::Numeric { precision, scale },
            Kind::DateTime => SqlType::DateTime,
            Kind::Date => SqlType::DateTime2(0),
            Kind::Time(scale) | Kind::DateTime2(scale) | Kind::DateTimeOffset(scale) => {
                SqlType::DateTime2(scale)
            }
            Kind::Guid => SqlType::UniqueIdentifier,
            Kind::Text(Characters::Utf16) => SqlType::NVarChar(capacity(2, 8_000)),
            Kind::Text(_) => SqlType::VarChar(capacity(1, 8_000)),
            Kind::Binary => SqlType::VarBinary(capacity(1, 8_000)),
        })
    }
}

/// Reads a max type: a total, or NULL, or "unknown", then chunks up to an empty one.
fn chunks<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, [u8]>>, ProtocolError> {
    const UNKNOWN: u64 = u64::MAX - 1;
    let total = reader.u64("PLP length")?;
    if total == u64::MAX {
        return Ok(None);
    }
    let mut whole: Cow<'a, [u8]> = Cow::Borrowed(&[]);
    loop {
        let length = reader.length32("PLP chunk length")?;
        if length == 0 {
            break;
        }
        let chunk = reader.take(length, "PLP chunk")?;
        if whole.is_empty() {
            whole = Cow::Borrowed(chunk);
        } else {
            whole.to_mut().extend_from_slice(chunk);
        }
    }
    if total != UNKNOWN && total != whole.len() as u64 {
        return Err(reader.malformed("PLP length", total));
    }
    Ok(Some(whole))
}

/// An unsigned little-endian number of at most eight bytes.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Kind {
    /// The value in bytes of any length; nothing when they mean none.
    fn decode(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Kind::Null => Value::Null,
            Kind::Bit => match *bytes {
                [bit] => Value::Bit(bit != 0),
                _ => return None,
            },
            Kind::Integer => Value::Int(integer(bytes)?),
            Kind::Float => Value::Float(float(bytes)?),
            Kind::Money => Value::Numeric { mantissa: money(bytes)?, scale: 4 },
            Kind::DateTime => Value::DateTime(datetime(bytes)?),
            Kind::Guid => Value::Guid(encode::swap_guid(bytes.try_into().ok()?)),
            Kind::Numeric { scale, .. } => Value::Numeric { mantissa: decimal::from_wire(bytes)?, scale },
            Kind::Date => Value::DateTime(date(bytes)?),
            Kind::Time(scale) => {
                let time = (bytes.len() == calendar::time_bytes(scale)).then(|| unsigned(bytes))?;
                Value::DateTime(calendar::DAY_OF_TIME_NANOSECONDS + calendar::from_time(time, scale)?)
            }
            Kind::DateTime2(scale) => Value::DateTime(datetime2(bytes, scale)?),
            Kind::DateTimeOffset(scale) => Value::DateTime(datetime_offset(bytes, scale)?),
            Kind::Text(Characters::Utf16) if !bytes.len().is_multiple_of(2) => return None,
            Kind::Text(Characters::Utf16) => Value::Text(utf16_text(bytes)),
            Kind::Text(Characters::Utf8) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            Kind::Text(Characters::Windows1252) => Value::Text(code_page::to_text(bytes)),
            Kind::Binary => Value::Binary(bytes.to_vec()),
        })
    }
}

fn integer(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [byte] => i64::from(byte),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        _ => i64::from_le_bytes(bytes.try_into().ok()?),
    })
}

/// A finite float; SQL Server has no others.
fn float(bytes: &[u8]) -> Option<f64> {
    let float = match *bytes {
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => f64::from_le_bytes(bytes.try_into().ok()?),
    };
    float.is_finite().then_some(float)
}

/// money in ten-thousandths. The eight bytes are two words, the high one first.
fn money(bytes: &[u8]) -> Option<i128> {
    match bytes.as_chunks::<4>() {
        (&[small], []) => Some(i128::from(i32::from_le_bytes(small))),
        (&[high, low], []) => {
            Some(i128::from(i32::from_le_bytes(high)) << 32 | i128::from(u32::from_le_bytes(low)))
        }
        _ => None,
    }
}

/// smalldatetime in four bytes, datetime in eight.
fn datetime(bytes: &[u8]) -> Option<i128> {
    match (bytes.as_chunks::<2>(), bytes.as_chunks::<4>()) {
        ((&[days, minutes], []), _) => {
            calendar::from_small_datetime(u16::from_le_bytes(days), u16::from_le_bytes(minutes))
        }
        (_, (&[days, ticks], [])) => {
            calendar::from_datetime(i32::from_le_bytes(days), u32::from_le_bytes(ticks))
        }
        _ => None,
    }
}

fn date(bytes: &[u8]) -> Option<i128> {
    match *bytes {
        [a, b, c] => calendar::from_date(u32::from_le_bytes([a, b, c, 0])),
        _ => None,
    }
}

fn datetime2(bytes: &[u8], scale: u8) -> Option<i128> {
    let (time, day) = bytes.split_at_checked(calendar::time_bytes(scale))?;
    Some(date(day)? + calendar::from_time(unsigned(time), scale)?)
}

/// The time on the wire is UTC; the offset, in minutes, makes it local. At most 14 hours.
fn datetime_offset(bytes: &[u8], scale: u8) -> Option<i128> {
    let (utc, offset) = bytes.split_last_chunk::<2>()?;
    let minutes = i16::from_le_bytes(*offset);
    (-840..=840).contains(&minutes).then_some(datetime2(utc, scale)? + i128::from(minutes) * 60_000_000_000)
}

#[cfg(test)]
#[path = "parameter_tests.rs"]
mod tests;
