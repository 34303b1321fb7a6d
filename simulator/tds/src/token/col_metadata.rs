//! COLMETADATA: the columns of the rows that follow. MS-TDS 2.2.7.4.

use crate::{
    types::{
        code_page::Collation,
        encode::{self, Wire},
    },
    value::Column,
    write,
};

const TOKEN: u8 = 0x81;
pub(crate) const NULLABLE: u16 = 0x0001;
/// Nobody may update through a column of this front: all of them are expressions, as SQL Server marks those.
const COMPUTED: u16 = 0x0020;

/// Columns were counted and their types checked by the caller.
pub(crate) fn write(out: &mut Vec<u8>, columns: &[Column], collation: Collation) {
    out.push(TOKEN);
    let count = u16::try_from(columns.len()).expect("the caller keeps to the limit of columns");
    out.extend_from_slice(&count.to_le_bytes());
    for column in columns {
        let flags = COMPUTED | if column.nullable { NULLABLE } else { 0 };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&flags.to_le_bytes());
        encode::type_info(out, Wire { sql_type: column.sql_type, nullable: column.nullable }, collation);
        write::b_varchar(out, &column.name, usize::from(u8::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{types::code_page::SQL_LATIN1_GENERAL_CP1_CI_AS, value::SqlType};

    #[test]
    fn columns_are_described_in_order() {
        let column = |name: &str, nullable| Column { name: name.into(), sql_type: SqlType::Int, nullable };
        let mut out = Vec::new();
        write(&mut out, &[column("a", true), column("", false)], SQL_LATIN1_GENERAL_CP1_CI_AS);
        assert_eq!(out, [0x81, 2, 0, 0, 0, 0, 0, 0x21, 0, 0x26, 4, 1, 0x61, 0, 0, 0, 0, 0, 0x20, 0, 0x38, 0]);
    }
}
