//! Tables for [`super`]: types as clients send them, and what is no type or no value.

use super::*;

const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];
const DAY: i128 = calendar::DAY_NANOSECONDS;

fn read(bytes: &[u8]) -> Result<Value, ProtocolError> {
    let mut reader = Reader::new("TEST", bytes, 0);
    let value = TypeInfo::read(&mut reader)?.value(&mut reader)?;
    assert_eq!(reader.left(), 0, "all of {bytes:02x?} is read");
    Ok(value)
}

fn collated(token: u8, length: &[u8], value: &[u8]) -> Vec<u8> {
    [&[token][..], length, &COLLATION, value].concat()
}

#[test]
fn values_of_every_type_are_read() {
    let text = |text: &str| Value::Text(text.into());
    let numeric = |mantissa, scale| Value::Numeric { mantissa, scale };
    for (bytes, expected) in [
        (vec![0x1F], Value::Null),
        (vec![0x30, 200], Value::Int(200)),
        (vec![0x26, 1, 1, 200], Value::Int(200)),
        (vec![0x34, 0xFE, 0xFF], Value::Int(-2)),
        (vec![0x38, 1, 0, 0, 0], Value::Int(1)),
        (vec![0x26, 4, 4, 0xFF, 0xFF, 0xFF, 0xFF], Value::Int(-1)),
        (vec![0x26, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0x80], Value::Int(i64::MIN)),
        (vec![0x26, 2, 0], Value::Null),
        (vec![0x68, 1, 1, 1], Value::Bit(true)),
        (vec![0x32, 0], Value::Bit(false)),
        (vec![0x6D, 4, 4, 0, 0, 0x80, 0x3F], Value::Float(1.0)),
        (vec![0x3E, 0, 0, 0, 0, 0, 0, 0xF0, 0xBF], Value::Float(-1.0)),
        (vec![0x6E, 8, 8, 0, 0, 0, 0, 0x10, 0x27, 0, 0], numeric(10_000, 4)),
        (vec![0x6E, 8, 8, 1, 0, 0, 0, 0, 0, 0, 0], numeric(1 << 32, 4)),
        (vec![0x7A, 0xF0, 0xD8, 0xFF, 0xFF], numeric(-10_000, 4)),
        (vec![0x6C, 17, 38, 2, 5, 1, 0x39, 0x30, 0, 0], numeric(12_345, 2)),
        (vec![0x6A, 5, 9, 0, 5, 0, 1, 0, 0, 0], numeric(-1, 0)),
        (vec![0x6F, 4, 4, 0xDF, 0x63, 1, 0], Value::DateTime(60_000_000_000)),
        (vec![0x3D, 0xDF, 0x63, 0, 0, 1, 0, 0, 0], Value::DateTime(3_000_000)),
        (vec![0x28, 3, 0x3A, 0xF9, 0x0A], Value::DateTime(0)),
        (vec![0x28, 0], Value::Null),
        (vec![0x29, 0, 3, 1, 0, 0], Value::DateTime(-25_567 * DAY + 1_000_000_000)),
        (vec![0x2A, 7, 8, 1, 0, 0, 0, 0, 0x3A, 0xF9, 0x0A], Value::DateTime(100)),
        (vec![0x2B, 0, 8, 0, 0, 0, 0x3A, 0xF9, 0x0A, 0x3C, 0], Value::DateTime(3_600_000_000_000)),
        (vec![0x2F, 2, 2, b'a', b' '], text("a ")),
        (vec![0x25, 2, 1, 9], Value::Binary(vec![9])),
        (collated(0xA7, &[2, 0], &[1, 0, 0x80]), text("\u{20AC}")),
        (
            [&[0xA7, 4, 0, 0x09, 0x04, 0xD0, 0x04, 0, 3, 0][..], "\u{20AC}".as_bytes()].concat(),
            text("\u{20AC}"),
        ),
        (collated(0xE7, &[2, 0], &[2, 0, 0x61, 0]), text("a")),
        (collated(0xEF, &[2, 0], &[0xFF, 0xFF]), Value::Null),
        (collated(0xE7, &[0xFF, 0xFF], &[0xFF; 8]), Value::Null),
        (collated(0xE7, &[0xFF, 0xFF], &[0; 12]), text("")),
        (
            collated(
                0xE7,
                &[0xFF, 0xFF],
                &[
                    0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0x61, 1, 0, 0, 0, 0, 0, 0, 0,
                    0,
                ],
            ),
            text("a"),
        ),
        (vec![0xA5, 3, 0, 2, 0, 1, 2], Value::Binary(vec![1, 2])),
        (vec![0x22, 9, 0, 0, 0, 1, 0, 0, 0, 7], Value::Binary(vec![7])),
        (collated(0x63, &[1, 0, 0, 0], &[2, 0, 0, 0, 0x61, 0]), text("a")),
        (collated(0x23, &[8, 0, 0, 0], &[0xFF; 4]), Value::Null),
        (vec![0xF1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0x61, 0, 0, 0, 0, 0], text("a")),
    ] {
        assert_eq!(read(&bytes), Ok(expected), "{bytes:02x?}");
    }
    let guid: Vec<u8> = [0x24, 16, 16].into_iter().chain(0..16).collect();
    assert_eq!(read(&guid), Ok(Value::Guid([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15])));
}

#[test]
fn what_is_no_value_is_refused() {
    for (bytes, part) in [
        (vec![0x00], "TYPE_INFO"),
        (vec![0x26, 3], "length of type"),
        (vec![0x26, 4, 8], "length of value"),
        (vec![0x26, 8, 3, 0, 0, 0], "value of parameter"),
        (vec![0x6D, 8, 8, 0, 0, 0, 0, 0, 0, 0xF0, 0x7F], "value of parameter"),
        (vec![0x6C, 17, 39, 0], "precision and scale"),
        (vec![0x6C, 17, 38, 0, 1, 2], "value of parameter"),
        (vec![0x2A, 8], "scale"),
        (vec![0x29, 0, 3, 0x80, 0x51, 1], "value of parameter"),
        (vec![0x28, 3, 0xFF, 0xFF, 0xFF], "value of parameter"),
        (vec![0x2B, 0, 8, 0, 0, 0, 0x3A, 0xF9, 0x0A, 0x49, 3], "value of parameter"),
        (vec![0x2B, 0, 1, 0], "value of parameter"),
        (collated(0xE7, &[2, 0], &[1, 0, 0x61]), "value of parameter"),
        (collated(0xE7, &[2, 0], &[4, 0, 0x61, 0, 0x61, 0]), "length of value"),
        (collated(0xE7, &[0xFF, 0xFF], &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "PLP length"),
    ] {
        match read(&bytes) {
            Err(ProtocolError::Malformed { what, .. }) => assert_eq!(what, part, "{bytes:02x?}"),
            other => panic!("{bytes:02x?} gave {other:?}"),
        }
    }
    for (token, name) in [(0x62, "sql_variant"), (0xF0, "CLR type"), (0xF3, "table-valued parameter")] {
        assert!(matches!(read(&[token]), Err(ProtocolError::Unsupported { what, .. }) if what == name));
    }
    assert!(matches!(read(&[0xA5, 9, 0, 9, 0, 1]), Err(ProtocolError::Truncated { needed: 9, left: 1, .. })));
}

#[test]
fn outputs_go_back_as_they_came() {
    for (bytes, expected) in [
        (vec![0x1F], None),
        (vec![0x26, 4], Some(SqlType::Int)),
        (vec![0x68, 1], Some(SqlType::Bit)),
        (vec![0x6C, 17, 25, 0], Some(SqlType::Numeric { precision: 25, scale: 0 })),
        (collated(0xE7, &[0x40, 0x1F], &[]), Some(SqlType::NVarChar(Some(4_000)))),
        (collated(0xE7, &[0, 0], &[]), Some(SqlType::NVarChar(Some(1)))),
        (collated(0xE7, &[0xFF, 0xFF], &[]), Some(SqlType::NVarChar(None))),
        (collated(0x23, &[1, 0, 0, 0], &[]), Some(SqlType::VarChar(None))),
        (vec![0x2A, 3], Some(SqlType::DateTime2(3))),
    ] {
        let parsed = TypeInfo::read(&mut Reader::new("TEST", &bytes, 0)).unwrap();
        assert_eq!(parsed.output_type(), expected, "{bytes:02x?}");
    }
}
