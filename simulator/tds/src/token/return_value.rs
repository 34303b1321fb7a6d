//! RETURNVALUE: an output parameter on its way back. MS-TDS 2.2.7.19.

use super::col_metadata::NULLABLE;
use crate::{
    error::ValueError,
    limits::IDENTIFIER_CHARACTERS_MAX,
    types::{
        code_page::Collation,
        encode::{self, Wire},
    },
    value::{SqlType, Value},
    write,
};

const TOKEN: u8 = 0xAC;
/// The value is an output parameter, not the result of a function.
const OUTPUT_PARAMETER: u8 = 1;

/// Writes the value as `sql_type` if it fits, else as the type that holds it. `ordinal` is the parameter's place in the call.
pub(crate) fn write(
    out: &mut Vec<u8>,
    ordinal: u16,
    name: &str,
    sql_type: Option<SqlType>,
    value: &Value,
    collation: Collation,
) -> Result<(), ValueError> {
    out.push(TOKEN);
    out.extend_from_slice(&ordinal.to_le_bytes());
    write::b_varchar(out, name, IDENTIFIER_CHARACTERS_MAX);
    out.push(OUTPUT_PARAMETER);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&NULLABLE.to_le_bytes());
    let at = out.len();
    let inferred = encode::type_of(value);
    for sql_type in [sql_type.unwrap_or(inferred), inferred] {
        encode::check_type(sql_type)?;
        let wire = Wire { sql_type, nullable: true };
        encode::type_info(out, wire, collation);
        match encode::value(out, wire, value) {
            Ok(()) => return Ok(()),
            Err(why) if sql_type == inferred => return Err(why),
            Err(_) => out.truncate(at),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::code_page::SQL_LATIN1_GENERAL_CP1_CI_AS;

    fn written(sql_type: Option<SqlType>, value: &Value) -> Result<Vec<u8>, ValueError> {
        let mut out = Vec::new();
        write(&mut out, 2, "@a", sql_type, value, SQL_LATIN1_GENERAL_CP1_CI_AS).map(|()| out)
    }

    #[test]
    fn the_asked_type_is_kept_where_the_value_fits() {
        let head = [0xAC, 2, 0, 2, 0x40, 0, 0x61, 0, 1, 0, 0, 0, 0, 1, 0];
        let tail = |tail: &[u8]| Ok([&head[..], tail].concat());
        assert_eq!(written(Some(SqlType::TinyInt), &Value::Int(1)), tail(&[0x26, 1, 1, 1]));
        assert_eq!(written(Some(SqlType::TinyInt), &Value::Int(256)), tail(&[0x26, 4, 4, 0, 1, 0, 0]));
        assert_eq!(written(None, &Value::Null), tail(&[0x26, 4, 0]));
        assert!(written(None, &Value::Float(f64::INFINITY)).is_err());
    }
}
