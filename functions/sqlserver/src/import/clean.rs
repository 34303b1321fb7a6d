//! From the bytes of a file to JSON text that a parser reads without losing digits.
//!
//! SSMS, bcp and PowerShell write byte order marks and UTF-16. `FOR JSON` writes `numeric(25,0)` as a bare number, and JSON
//! parsers read numbers beyond 64 bits as floats: long integers are put in quotes before parsing.

use std::borrow::Cow;

use super::ImportError;

/// Integers with at least so many digits may not fit 64 bits.
const LONG_DIGITS: usize = 19;

/// The text of the file.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ImportError> {
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(rest),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        _ => Cow::Borrowed(bytes),
    };
    Ok(match quoted(&text) {
        Some(quoted) => Cow::Owned(quoted),
        None => text,
    })
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<Vec<u8>, ImportError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text.into_bytes()),
        _ => Err(ImportError::new("the file", "begins as UTF-16 and is not", "save it as UTF-8")),
    }
}

/// The text with its long integers in quotes; `None` where it has none.
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = string_end(text, at),
            b'0'..=b'9' => {
                let from = at;
                while at < text.len() && text[at].is_ascii_digit() {
                    at += 1;
                }
                let integer = !matches!(text.get(at), Some(b'.' | b'e' | b'E' | b'+' | b'-'))
                    && !matches!(
                        from.checked_sub(1).map(|before| text[before]),
                        Some(b'-' | b'.' | b'e' | b'E' | b'+')
                    );
                if integer && at - from >= LONG_DIGITS {
                    let out = out.get_or_insert_with(|| Vec::with_capacity(text.len() + text.len() / 16));
                    out.extend_from_slice(&text[copied..from]);
                    out.push(b'"');
                    out.extend_from_slice(&text[from..at]);
                    out.push(b'"');
                    copied = at;
                }
            }
            _ => at += 1,
        }
    }
    let mut out = out?;
    out.extend_from_slice(&text[copied..]);
    Some(out)
}

/// The position after a string that begins at `from`.
fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
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
            assert_eq!(String::from_utf8_lossy(&text(given.as_bytes()).unwrap()), expected);
        }
    }

    #[test]
    fn marks_of_encodings_are_understood() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
            units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        assert_eq!(&*text(b"\xEF\xBB\xBF{}").unwrap(), b"{}");
        assert_eq!(&*text(&utf16("{\"\u{e9}\"}", false)).unwrap(), "{\"\u{e9}\"}".as_bytes());
        assert_eq!(&*text(&utf16("{}", true)).unwrap(), b"{}");
        assert!(text(b"\xFF\xFE{").is_err());
    }
}
