//! Tables for [`super`]: bytes of each type, and what each column refuses.

use super::*;

fn bytes(sql_type: SqlType, nullable: bool, sent: &Value) -> Result<Vec<u8>, ValueError> {
    let mut out = Vec::new();
    value(&mut out, Wire { sql_type, nullable }, sent).map(|()| out)
}

fn info(sql_type: SqlType, nullable: bool) -> Vec<u8> {
    let mut out = Vec::new();
    type_info(&mut out, Wire { sql_type, nullable }, code_page::SQL_LATIN1_GENERAL_CP1_CI_AS);
    out
}

#[test]
fn types_are_described() {
    let collated = |head: &[u8]| [head, &[0x09, 0x04, 0xD0, 0x00, 0x34]].concat();
    for (sql_type, nullable, expected) in [
        (SqlType::Bit, true, vec![0x68, 1]),
        (SqlType::Bit, false, vec![0x32]),
        (SqlType::TinyInt, false, vec![0x30]),
        (SqlType::SmallInt, true, vec![0x26, 2]),
        (SqlType::Int, false, vec![0x38]),
        (SqlType::BigInt, true, vec![0x26, 8]),
        (SqlType::Float, true, vec![0x6D, 8]),
        (SqlType::Numeric { precision: 25, scale: 0 }, false, vec![0x6C, 13, 25, 0]),
        (SqlType::Date, true, vec![0x28]),
        (SqlType::DateTime, true, vec![0x6F, 8]),
        (SqlType::DateTime2(7), false, vec![0x2A, 7]),
        (SqlType::UniqueIdentifier, true, vec![0x24, 16]),
        (SqlType::VarBinary(Some(8_000)), true, vec![0xA5, 0x40, 0x1F]),
        (SqlType::VarBinary(None), true, vec![0xA5, 0xFF, 0xFF]),
        (SqlType::NVarChar(Some(4_000)), true, collated(&[0xE7, 0x40, 0x1F])),
        (SqlType::NVarChar(None), true, collated(&[0xE7, 0xFF, 0xFF])),
        (SqlType::VarChar(Some(3)), false, collated(&[0xA7, 3, 0])),
    ] {
        assert_eq!(info(sql_type, nullable), expected, "{sql_type:?} nullable {nullable}");
    }
}

#[test]
fn values_are_written() {
    let text = |text: &str| Value::Text(text.into());
    let lsn = SqlType::Numeric { precision: 25, scale: 0 };
    for (sql_type, nullable, sent, expected) in [
        (SqlType::Bit, true, Value::Bit(true), vec![1, 1]),
        (SqlType::TinyInt, false, Value::Int(255), vec![255]),
        (SqlType::Int, true, Value::Int(-2), vec![4, 0xFE, 0xFF, 0xFF, 0xFF]),
        (SqlType::Int, true, Value::Null, vec![0]),
        (SqlType::Float, false, Value::Float(1.0), vec![0, 0, 0, 0, 0, 0, 0xF0, 0x3F]),
        (lsn, true, Value::Int(-1), vec![13, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (
            SqlType::Numeric { precision: 5, scale: 2 },
            true,
            Value::Numeric { mantissa: 12_345, scale: 3 },
            vec![5, 1, 0xD3, 0x04, 0, 0],
        ),
        (SqlType::DateTime, true, Value::DateTime(0), vec![8, 0xDF, 0x63, 0, 0, 0, 0, 0, 0]),
        (SqlType::Date, true, Value::DateTime(86_399_999_999_999), vec![3, 0x3A, 0xF9, 0x0A]),
        (SqlType::Date, false, Value::DateTime(86_400_000_000_000), vec![3, 0x3B, 0xF9, 0x0A]),
        (SqlType::DateTime2(0), true, Value::DateTime(1_000_000_000), vec![6, 1, 0, 0, 0x3A, 0xF9, 0x0A]),
        (SqlType::NVarChar(Some(2)), true, text("ab"), vec![4, 0, 0x61, 0, 0x62, 0]),
        (SqlType::NVarChar(Some(2)), true, Value::Null, vec![0xFF, 0xFF]),
        (SqlType::VarChar(Some(2)), true, text("\u{20AC}"), vec![1, 0, 0x80]),
        (SqlType::VarChar(None), true, text("a"), vec![1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 0]),
        (SqlType::NVarChar(None), true, text(""), vec![0; 12]),
        (SqlType::VarBinary(None), true, Value::Null, vec![0xFF; 8]),
        (SqlType::VarBinary(Some(2)), false, Value::Binary(vec![7]), vec![1, 0, 7]),
    ] {
        assert_eq!(bytes(sql_type, nullable, &sent), Ok(expected), "{sql_type:?} {sent:?}");
    }
}

#[test]
fn guids_are_mixed_endian() {
    // {00112233-4455-6677-8899-AABBCCDDEEFF}, the layout of MS-DTYP GUID.
    let printed: [u8; 16] = std::array::from_fn(|at| u8::try_from(at * 0x11).unwrap());
    let wire = bytes(SqlType::UniqueIdentifier, true, &Value::Guid(printed)).unwrap();
    assert_eq!(
        wire,
        [16, 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF]
    );
}

#[test]
fn columns_refuse_what_they_cannot_hold() {
    let range = |expected| ValueError::Range { expected };
    for (sql_type, sent, expected) in [
        (SqlType::Int, Value::Null, ValueError::Null),
        (SqlType::TinyInt, Value::Int(-1), range(SqlType::TinyInt)),
        (SqlType::SmallInt, Value::Int(32_768), range(SqlType::SmallInt)),
        (SqlType::Int, Value::Int(1 << 31), range(SqlType::Int)),
        (SqlType::Bit, Value::Int(2), range(SqlType::Bit)),
        (SqlType::Float, Value::Float(f64::NAN), range(SqlType::Float)),
        (SqlType::DateTime, Value::DateTime(i128::MAX), range(SqlType::DateTime)),
        (SqlType::DateTime2(7), Value::DateTime(i128::MIN), range(SqlType::DateTime2(7))),
        (
            SqlType::NVarChar(Some(1)),
            Value::Text("\u{1F600}".into()),
            ValueError::TooLong { length: 2, max: 1 },
        ),
        (SqlType::VarBinary(Some(1)), Value::Binary(vec![0; 2]), ValueError::TooLong { length: 2, max: 1 }),
        (SqlType::Int, Value::Text("1".into()), ValueError::Kind { expected: SqlType::Int, found: "text" }),
        (
            SqlType::VarBinary(None),
            Value::Int(1),
            ValueError::Kind { expected: SqlType::VarBinary(None), found: "integer" },
        ),
    ] {
        assert_eq!(bytes(sql_type, false, &sent), Err(expected), "{sql_type:?} {sent:?}");
    }
    let narrow = SqlType::Numeric { precision: 3, scale: 1 };
    assert_eq!(bytes(narrow, true, &Value::Int(100)), Err(range(narrow)));
    for sql_type in [
        SqlType::Numeric { precision: 39, scale: 0 },
        SqlType::NVarChar(Some(0)),
        SqlType::NVarChar(Some(4_001)),
        SqlType::VarChar(Some(8_001)),
        SqlType::DateTime2(8),
    ] {
        assert!(matches!(check_type(sql_type), Err(ValueError::NoSuchType(_))), "{sql_type:?}");
    }
}

#[test]
fn every_value_has_a_type_that_holds_it() {
    for sent in [
        Value::Null,
        Value::Bit(false),
        Value::Int(1),
        Value::Int(i64::MIN),
        Value::Float(0.5),
        Value::Numeric { mantissa: 10_i128.pow(38) - 1, scale: 38 },
        Value::Text("x".repeat(4_001)),
        Value::Binary(vec![0; 8_001]),
        Value::DateTime(0),
        Value::Guid([1; 16]),
    ] {
        assert!(bytes(type_of(&sent), true, &sent).is_ok(), "{sent:?}");
    }
}
