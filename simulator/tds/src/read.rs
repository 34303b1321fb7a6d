//! Where in a message are we, and is there enough left? A cursor that checks every length and names what it was reading.
//!
//! Refuses to know any message. Numbers are little-endian unless the name says otherwise. MS-TDS 2.2.5.1.

use crate::error::ProtocolError;

/// A bounds-checked cursor over one message.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    part: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from `at`; `part` names the message in errors. An offset past the end reads as the end.
    pub(crate) fn new(part: &'static str, bytes: &'a [u8], at: usize) -> Self {
        Self { part, bytes, at: at.min(bytes.len()) }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], ProtocolError> {
        let left = self.left();
        if length > left {
            return Err(ProtocolError::Truncated {
                part: self.part,
                what,
                at: self.at,
                needed: length,
                left,
            });
        }
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ProtocolError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, ProtocolError> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, ProtocolError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u16_big_endian(&mut self, what: &'static str) -> Result<u16, ProtocolError> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, ProtocolError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A 32-bit length as `usize`.
    pub(crate) fn length32(&mut self, what: &'static str) -> Result<usize, ProtocolError> {
        let length = self.u32(what)?;
        usize::try_from(length).map_err(|_| self.malformed(what, u64::from(length)))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, ProtocolError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Text of so many UTF-16 code units.
    pub(crate) fn utf16(&mut self, units: usize, what: &'static str) -> Result<String, ProtocolError> {
        self.take(units.saturating_mul(2), what).map(utf16_text)
    }

    pub(crate) fn malformed(&self, what: &'static str, found: u64) -> ProtocolError {
        ProtocolError::Malformed { part: self.part, what, at: self.at, found }
    }

    pub(crate) fn unsupported(&self, what: &'static str, found: u64) -> ProtocolError {
        ProtocolError::Unsupported { part: self.part, what, at: self.at, found }
    }
}

/// UTF-16LE to text. SQL Server stores lone surrogates as they are; a Rust string cannot, so they become U+FFFD.
pub(crate) fn utf16_text(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_names_what_is_missing() {
        let mut reader = Reader::new("TEST", &[1, 2, 0, 3, 0, 0, 0, 0x61, 0], 0);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(2));
        assert_eq!(reader.length32("c"), Ok(3));
        assert_eq!(reader.utf16(1, "d"), Ok("a".into()));
        assert_eq!(
            reader.u16("e"),
            Err(ProtocolError::Truncated { part: "TEST", what: "e", at: 9, needed: 2, left: 0 })
        );
        assert_eq!(Reader::new("TEST", &[1], 7).left(), 0);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        assert_eq!(utf16_text(&[0x00, 0xD8, 0x61, 0x00]), "\u{FFFD}a");
        assert_eq!(utf16_text(&[0x3D, 0xD8, 0x00, 0xDE]), "\u{1F600}");
    }
}
