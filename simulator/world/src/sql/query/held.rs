//! How does SQLite hold our values?
//!
//! It knows whole numbers, floats, text and bytes. What it lacks becomes bytes behind a mark, in an order that is that of the
//! values: moments, exact numerics of one scale, guids. Text keeps its collation by name.

use std::cmp::Ordering;

use rusqlite::types::{Value as Held, ValueRef};
use tds::Value;

const NUMERIC: u8 = b'n';
const MOMENT: u8 = b't';
const GUID: u8 = b'g';
const BYTES: u8 = b'b';

/// Sixteen bytes that sort as numbers do.
fn ordered(number: i128) -> [u8; 16] {
    (number.cast_unsigned() ^ (1 << 127)).to_be_bytes()
}

fn number(bytes: &[u8]) -> Option<i128> {
    Some((u128::from_be_bytes(bytes.try_into().ok()?) ^ (1 << 127)).cast_signed())
}

fn marked(mark: &[u8], bytes: &[u8]) -> Held {
    Held::Blob([mark, bytes].concat())
}

/// A value as SQLite holds it.
pub(super) fn hold(value: Value) -> Held {
    match value {
        Value::Null => Held::Null,
        Value::Bit(bit) => Held::Integer(i64::from(bit)),
        Value::Int(number) => Held::Integer(number),
        Value::Float(number) => Held::Real(number),
        Value::Text(text) => Held::Text(text),
        Value::Numeric { mantissa, scale } => marked(&[NUMERIC, scale], &ordered(mantissa)),
        Value::DateTime(nanoseconds) => marked(&[MOMENT], &ordered(nanoseconds)),
        Value::Guid(bytes) => marked(&[GUID], &bytes),
        Value::Binary(bytes) => marked(&[BYTES], &bytes),
    }
}

/// The value that SQLite holds; NULL for bytes that are none of ours.
pub(super) fn release(held: ValueRef<'_>) -> Value {
    match held {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Float(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => match bytes {
            [NUMERIC, scale, rest @ ..] => {
                number(rest).map_or(Value::Null, |mantissa| Value::Numeric { mantissa, scale: *scale })
            }
            [MOMENT, rest @ ..] => number(rest).map_or(Value::Null, Value::DateTime),
            [GUID, rest @ ..] => rest.try_into().map_or(Value::Null, Value::Guid),
            [BYTES, rest @ ..] => Value::Binary(rest.to_vec()),
            _ => Value::Null,
        },
    }
}

/// The collation of the server, `SQL_Latin1_General_CP1_CI_AS`: no case, no trailing blanks.
pub(super) fn collate(a: &str, b: &str) -> Ordering {
    let plain = |text: &str| text.trim_end_matches(' ').len();
    let (a, b) = (a.get(..plain(a)).unwrap_or(a), b.get(..plain(b)).unwrap_or(b));
    a.chars().flat_map(char::to_lowercase).cmp(b.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::value;

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("a number", |f| f.is_finite()).prop_map(Value::Float),
            any::<i128>().prop_map(|mantissa| Value::Numeric { mantissa, scale: 3 }),
            any::<i128>().prop_map(Value::DateTime),
            any::<[u8; 16]>().prop_map(Value::Guid),
            any::<Vec<u8>>().prop_map(Value::Binary),
            any::<String>().prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn what_is_held_comes_back(value in values()) {
            let held = hold(value.clone());
            prop_assert_eq!(release(ValueRef::from(&held)), value);
        }

        #[test]
        fn bytes_sort_as_values(a in any::<i128>(), b in any::<i128>()) {
            for make in [|n| Value::DateTime(n), |n| Value::Numeric { mantissa: n, scale: 0 }] {
                let (Held::Blob(x), Held::Blob(y)) = (hold(make(a)), hold(make(b))) else { panic!("bytes") };
                prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            }
        }

        #[test]
        fn the_collation_is_that_of_comparisons(a in any::<String>(), b in any::<String>()) {
            let (x, y) = (Value::Text(a.clone()), Value::Text(b.clone()));
            let compared = value::compare(&x, &y).unwrap();
            prop_assert_eq!(Some(collate(&a, &b)), compared);
        }
    }
}
