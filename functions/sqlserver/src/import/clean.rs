//! From the bytes of a file to JSON text that a parser reads without losing digits.
//!
//! SSMS, bcp and PowerShell write byte order marks and UTF-16. `FOR JSON` writes `numeric(25,0)` as a bare number, and JSON
//! parsers read numbers beyond 64 bits as floats: where that happened, long integers are put in quotes and the text is parsed
//! again. A float is never taken for an LSN, so no digit is lost in between.

use std::borrow::Cow;

use super::{ImportError, Options, document};

/// Integers with at least so many digits may not fit 64 bits.
const LONG_DIGITS: usize = 19;

/// The text of the file: checked once, so that the parser need not check each string.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    Ok(match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(utf8(rest)?),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        _ => Cow::Borrowed(utf8(bytes)?),
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, ImportError> {
    let (valid, rest) = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => bytes.split_at(error.valid_up_to()),
    };
    // What can be read before it tells the row.
    let before = str::from_utf8(valid).unwrap_or_default();
    let place = document::read(before, &Options::default()).err().map(|error| error.place);
    let what = format!("byte {:#04x} at position {} is no UTF-8", rest[0], valid.len());
    let mend = "export the history again and save it whole, as UTF-8";
    Err(ImportError::new(place.unwrap_or_else(|| "the file".to_owned()), what, mend))
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, ImportError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(ImportError::new("the file", "begins as UTF-16 and is not", "save it as UTF-8")),
    }
}

/// The text with its long integers in quotes; `None` where it has none.
pub(super) fn quoted(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at),
            b'0'..=b'9' => {
                let from = at;
                while at < bytes.len() && bytes[at].is_ascii_digit() {
                    at += 1;
                }
                let integer = !matches!(bytes.get(at), Some(b'.' | b'e' | b'E' | b'+' | b'-'))
                    && !matches!(
                        from.checked_sub(1).map(|before| bytes[before]),
                        Some(b'-' | b'.' | b'e' | b'E' | b'+')
                    );
                if integer && at - from >= LONG_DIGITS {
                    // Digits and what is around them are ASCII: the text may be cut here.
                    let out = out.get_or_insert_with(|| String::with_capacity(text.len() + text.len() / 16));
                    out.push_str(&text[copied..from]);
                    out.push('"');
                    out.push_str(&text[from..at]);
                    out.push('"');
                    copied = at;
                }
            }
            _ => at += 1,
        }
    }
    let mut out = out?;
    out.push_str(&text[copied..]);
    Some(out)
}

/// The position after a string that begins at `from`.
fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_integers_are_quoted_and_nothing_else_is() {
        for (given, expected) in [
            (r#"{"a":17126658000000314600038}"#, r#"{"a":"17126658000000314600038"}"#),
            ("[1, 1234567890123456789 ,2]", r#"[1, "1234567890123456789" ,2]"#),
            (r#"{"a":"17126658000000314600038"}"#, r#"{"a":"17126658000000314600038"}"#),
            (r#"["\"17126658000000314600038"]"#, r#"["\"17126658000000314600038"]"#),
            ("[-17126658000000314600038]", "[-17126658000000314600038]"),
            ("[0.17126658000000314600038]", "[0.17126658000000314600038]"),
            ("[17126658000000314600038.5]", "[17126658000000314600038.5]"),
            ("\"17126658000000314600038", "\"17126658000000314600038"),
            ("", ""),
        ] {
            assert_eq!(quoted(given).as_deref().unwrap_or(given), expected);
        }
    }

    #[test]
    fn marks_of_encodings_are_understood() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        assert_eq!(&*text(b"\xEF\xBB\xBF{}").unwrap(), "{}");
        assert_eq!(&*text(&utf16("{\"\u{e9}\"}", false)).unwrap(), "{\"\u{e9}\"}");
        assert_eq!(&*text(&utf16("{}", true)).unwrap(), "{}");
        assert!(text(b"\xFF\xFE{").is_err());
        let latin = text(b"{\n \"a\": \"\xE9\"}").unwrap_err().to_string();
        assert!(latin.starts_with("line 2 column 7: byte 0xe9 at position 9 is no UTF-8; mend: "), "{latin}");
    }
}
