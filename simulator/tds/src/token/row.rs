//! ROW and NBCROW: one row, with its NULLs in place or in a bitmap ahead. MS-TDS 2.2.7.20 and 2.2.7.14.

use crate::{
    error::ValueError,
    types::encode::{self, Wire},
    value::{Column, Value},
};

const ROW: u8 = 0xD1;
const NBC_ROW: u8 = 0xD2;

/// Writes a row; an error names the column by its place. With `null_bitmap` (clients since TDS 7.3B) a row that has NULLs
/// is sent the shorter way. There is one value per column.
pub(crate) fn write(
    out: &mut Vec<u8>,
    columns: &[Column],
    row: &[Value],
    null_bitmap: bool,
) -> Result<(), (usize, ValueError)> {
    let bitmap = null_bitmap && row.contains(&Value::Null);
    out.push(if bitmap { NBC_ROW } else { ROW });
    if bitmap {
        for eight in row.chunks(8) {
            out.push(
                eight
                    .iter()
                    .enumerate()
                    .fold(0, |bits, (at, value)| bits | u8::from(*value == Value::Null) << at),
            );
        }
    }
    for (at, (column, value)) in columns.iter().zip(row).enumerate() {
        if bitmap && *value == Value::Null && column.nullable {
            continue;
        }
        let wire = Wire { sql_type: column.sql_type, nullable: column.nullable };
        encode::value(out, wire, value).map_err(|why| (at, why))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::SqlType;

    fn columns(count: usize) -> Vec<Column> {
        vec![Column { name: String::new(), sql_type: SqlType::TinyInt, nullable: true }; count]
    }

    #[test]
    fn nulls_travel_in_place_or_in_a_bitmap() {
        let mut row = vec![Value::Int(7); 9];
        row[1] = Value::Null;
        row[8] = Value::Null;
        let mut short = Vec::new();
        write(&mut short, &columns(9), &row, true).unwrap();
        assert_eq!(short, [&[0xD2, 0b10, 1][..], &[1, 7].repeat(7)].concat());
        let mut plain = Vec::new();
        write(&mut plain, &columns(2), &row[..2], false).unwrap();
        assert_eq!(plain, [0xD1, 1, 7, 0]);
        let mut full = Vec::new();
        write(&mut full, &columns(1), &row[..1], true).unwrap();
        assert_eq!(full, [0xD1, 1, 7]);
    }

    #[test]
    fn the_column_at_fault_is_named() {
        let row = [Value::Int(1), Value::Int(256)];
        let range = ValueError::Range { expected: SqlType::TinyInt };
        assert_eq!(write(&mut Vec::new(), &columns(2), &row, true), Err((1, range)));
        let mut not_null = columns(1);
        not_null[0].nullable = false;
        assert_eq!(write(&mut Vec::new(), &not_null, &[Value::Null], true), Err((0, ValueError::Null)));
    }
}
