//! FEATUREEXTACK: which of the features a client asked for it gets. MS-TDS 2.2.7.11.
//!
//! Only `UTF8_SUPPORT` is given: it asks nothing of a server but to know the flag in a collation. A feature that is not
//! acknowledged is off, so session recovery, data classification, DNS caching and the user agent need no answer.

const TOKEN: u8 = 0xAE;
const TERMINATOR: u8 = 0xFF;
/// `FeatureId` of `UTF8_SUPPORT`.
pub(crate) const UTF8_SUPPORT: u8 = 0x0A;

/// Writes the token if anything is acknowledged.
pub(crate) fn write(out: &mut Vec<u8>, asked: &[u8]) {
    if asked.contains(&UTF8_SUPPORT) {
        out.extend_from_slice(&[TOKEN, UTF8_SUPPORT, 1, 0, 0, 0, 1, TERMINATOR]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_acknowledged() {
        for (asked, expected) in [
            (&[][..], vec![]),
            (&[0x01, 0x09], vec![]),
            (&[0x01, UTF8_SUPPORT], vec![0xAE, 0x0A, 1, 0, 0, 0, 1, 0xFF]),
        ] {
            let mut out = Vec::new();
            write(&mut out, asked);
            assert_eq!(out, expected, "{asked:?}");
        }
    }
}
