//! LOGINACK: welcome, and which server speaks which version. MS-TDS 2.2.7.14.

use crate::{limits::IDENTIFIER_CHARACTERS_MAX, write};

const TOKEN: u8 = 0xAD;
/// `SQL_TSQL`: what is sent is Transact-SQL.
const INTERFACE: u8 = 1;

/// `tds_version` as in LOGIN7 (0x74000004); on the wire it is big-endian here and little-endian there. The name ends in
/// two NULs, as SQL Server sends it.
pub(crate) fn write(out: &mut Vec<u8>, tds_version: u32, program: &str, program_version: [u8; 4]) {
    write::with_length(out, TOKEN, |out| {
        out.push(INTERFACE);
        out.extend_from_slice(&tds_version.to_be_bytes());
        write::b_varchar(out, &format!("{program}\0\0"), IDENTIFIER_CHARACTERS_MAX);
        out.extend_from_slice(&program_version);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_big_endian() {
        let mut out = Vec::new();
        write(&mut out, 0x7400_0004, "S", [16, 0, 0x10, 0x77]);
        assert_eq!(out, [0xAD, 16, 0, 1, 0x74, 0, 0, 4, 3, 0x53, 0, 0, 0, 0, 0, 16, 0, 0x10, 0x77]);
    }
}
