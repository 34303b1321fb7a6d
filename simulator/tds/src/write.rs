//! How are short texts and byte strings framed in a token? `B_VARCHAR`, `US_VARCHAR`, `B_VARBYTE`. MS-TDS 2.2.5.2.
//!
//! Refuses to know any token. A text longer than its field can count is cut at a character, as SQL Server cuts it.

/// Appends UTF-16LE.
pub(crate) fn utf16(out: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        out.extend_from_slice(&unit.to_le_bytes());
    }
}

/// The longest head of `text` that has at most so many UTF-16 units, and its length in units.
fn cut(text: &str, units_max: usize) -> (&str, usize) {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        if units + character.len_utf16() > units_max {
            return (&text[..at], units);
        }
        units += character.len_utf16();
    }
    (text, units)
}

/// Text behind a one-byte count of characters, cut at `units_max`.
pub(crate) fn b_varchar(out: &mut Vec<u8>, text: &str, units_max: usize) {
    let (text, units) = cut(text, units_max.min(usize::from(u8::MAX)));
    out.push(u8::try_from(units).unwrap_or(u8::MAX));
    utf16(out, text);
}

/// Text behind a two-byte count of characters, cut at `units_max`.
pub(crate) fn us_varchar(out: &mut Vec<u8>, text: &str, units_max: usize) {
    let (text, units) = cut(text, units_max.min(usize::from(u16::MAX)));
    out.extend_from_slice(&u16::try_from(units).unwrap_or(u16::MAX).to_le_bytes());
    utf16(out, text);
}

/// Bytes behind a one-byte count; anything over 255 is dropped.
pub(crate) fn b_varbyte(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u8::MAX))];
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

/// Writes a token whose two-byte length is known only at its end.
pub(crate) fn with_length(out: &mut Vec<u8>, token: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(token);
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    body(out);
    let length =
        u16::try_from(out.len() - at - 2).expect("bodies of tokens are bounded by the limits of their texts");
    out[at..at + 2].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        for (text, max, expected) in [
            ("ab", 9, vec![2, 0x61, 0, 0x62, 0]),
            ("ab", 1, vec![1, 0x61, 0]),
            ("a\u{1F600}", 2, vec![1, 0x61, 0]),
            ("", 9, vec![0]),
        ] {
            let mut out = Vec::new();
            b_varchar(&mut out, text, max);
            assert_eq!(out, expected, "{text:?} cut at {max}");
        }
        let mut out = Vec::new();
        b_varchar(&mut out, &"x".repeat(300), 1_000);
        assert_eq!((out[0], out.len()), (255, 511));
    }

    #[test]
    fn lengths_are_filled_in() {
        let mut out = Vec::new();
        with_length(&mut out, 0xAA, |out| us_varchar(out, "x", 5));
        b_varbyte(&mut out, &[7]);
        assert_eq!(out, [0xAA, 4, 0, 1, 0, 0x78, 0, 1, 7]);
    }
}
