//! Which byte is which character in varchar? Windows-1252, the code page of SQL Server's Latin collations, and UTF-8.
//!
//! Refuses to know other code pages: a client that sends one reads back what its bytes mean in 1252. Source: the
//! Unicode Consortium's CP1252.TXT; undefined bytes are the C1 controls of the same number, as Windows maps them.

/// A collation as it travels: LCID and flags (4 bytes), sort id (1 byte). MS-TDS 2.2.5.1.2.
pub type Collation = [u8; 5];

/// `SQL_Latin1_General_CP1_CI_AS`, what a US English server is installed with.
pub const SQL_LATIN1_GENERAL_CP1_CI_AS: Collation = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// Characters of the bytes 0x80 to 0x9F.
const HIGH: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}',
    '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];

/// Whether a collation stores UTF-8: the flag fUTF8, bit 26 of its first four bytes. MS-TDS 2.2.5.1.2.
pub(crate) fn is_utf8(collation: Collation) -> bool {
    collation[3] & 0x04 != 0
}

/// Bytes of Windows-1252 as text.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
            _ => char::from(byte),
        })
        .collect()
}

/// Text as bytes of Windows-1252; what the code page lacks becomes a question mark, as SQL Server converts it.
pub(crate) fn to_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| match u8::try_from(character) {
            Ok(byte) if !(0x80..=0x9F).contains(&byte) => byte,
            _ => (0x80..=0x9F).find(|byte| HIGH[usize::from(byte - 0x80)] == character).unwrap_or(b'?'),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(to_bytes(&to_text(&all)), all);
    }

    #[test]
    fn foreign_characters_become_question_marks() {
        assert_eq!(to_bytes("a\u{20AC}\u{E9}\u{4E2D}"), [b'a', 0x80, 0xE9, b'?']);
        assert!(is_utf8([0x09, 0x04, 0xD0, 0x04, 0]) && !is_utf8(SQL_LATIN1_GENERAL_CP1_CI_AS));
    }
}
