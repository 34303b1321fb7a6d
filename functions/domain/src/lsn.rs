//! What is a log sequence number, and how is it written and ordered?
//!
//! Refuses to know what an LSN points at: VLF, block and slot are the world's business, rules compare numbers only.
//! Source: `msdb.dbo.backupset` declares every LSN column as `numeric(25,0)` (Microsoft Learn, backupset).

use std::fmt;
use std::num::NonZeroU128;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits of `numeric(25,0)`.
pub const LSN_DIGITS_MAX: usize = 25;

/// Digits that always fit an unsigned number of 64 bits.
const DIGITS_OF_U64: usize = 19;

/// One past the largest value of `numeric(25,0)`.
const LSN_END: u128 = 10_u128.pow(25);

/// A log sequence number: `numeric(25,0)`, ordered as a number, written as a decimal string.
///
/// Stored plus one, so that `Option<Lsn>` costs nothing: a history of a million rows holds millions of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(NonZeroU128);

/// Why a text is no LSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LsnError {
    /// The text is empty.
    #[error("an LSN is empty")]
    Empty,
    /// A minus sign: LSNs start at zero.
    #[error("an LSN is negative")]
    Negative,
    /// Something that is no decimal digit.
    #[error("an LSN holds something else than decimal digits")]
    NotDigits,
    /// More digits than `numeric(25,0)` has.
    #[error("an LSN has more than 25 digits")]
    TooLong,
}

impl Lsn {
    /// Zero: msdb's way of saying "none" in `database_backup_lsn` of a first full.
    pub const ZERO: Self = Self(NonZeroU128::MIN);

    /// The LSN of this number; `None` beyond 25 digits.
    pub const fn new(value: u128) -> Option<Self> {
        if value >= LSN_END {
            return None;
        }
        match NonZeroU128::new(value + 1) {
            Some(stored) => Some(Self(stored)),
            None => None,
        }
    }

    /// The LSN of a 64-bit number, which always fits.
    pub const fn from_u64(value: u64) -> Self {
        match NonZeroU128::new(value as u128 + 1) {
            Some(stored) => Self(stored),
            None => Self::ZERO,
        }
    }

    /// The number.
    pub const fn value(self) -> u128 {
        self.0.get() - 1
    }

    /// Whether this is zero, msdb's "none".
    pub const fn is_zero(self) -> bool {
        self.value() == 0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lsn({})", self.value())
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    /// Decimal digits only: no sign, no blanks, no exponent. Leading zeros count as digits, as the column prints none.
    fn from_str(text: &str) -> Result<Self, LsnError> {
        if text.is_empty() {
            return Err(LsnError::Empty);
        }
        if text.starts_with('-') {
            return Err(LsnError::Negative);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LsnError::NotDigits);
        }
        if text.len() > LSN_DIGITS_MAX {
            return Err(LsnError::TooLong);
        }
        // What fits 64 bits is added up there: a million rows hold millions of these.
        let number =
            |digits: &[u8]| digits.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        let (high, low) = text.as_bytes().split_at(text.len().saturating_sub(DIGITS_OF_U64));
        let value = u128::from(number(high)) * 10_u128.pow(19) + u128::from(number(low));
        Self::new(value).ok_or(LsnError::TooLong)
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Lsn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an LSN as a string of at most 25 decimal digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lsn, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_number_or_a_named_refusal() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("7", Ok(7)),
            ("0042", Ok(42)),
            ("17126658000000314600038", Ok(17_126_658_000_000_314_600_038)),
            ("9999999999999999999999999", Ok(LSN_END - 1)),
            ("10000000000000000000000000", Err(LsnError::TooLong)),
            ("1111111111111111111111111111111111111111", Err(LsnError::TooLong)),
            ("", Err(LsnError::Empty)),
            ("-1", Err(LsnError::Negative)),
            ("+1", Err(LsnError::NotDigits)),
            (" 1", Err(LsnError::NotDigits)),
            ("1e3", Err(LsnError::NotDigits)),
            ("\u{0661}", Err(LsnError::NotDigits)),
        ] {
            assert_eq!(text.parse::<Lsn>().map(Lsn::value), expected, "{text}");
        }
    }

    #[test]
    fn order_is_that_of_numbers_and_options_are_free() {
        assert!("9".parse::<Lsn>().unwrap() < "10".parse::<Lsn>().unwrap());
        assert_eq!(size_of::<Option<Lsn>>(), size_of::<Lsn>());
        assert_eq!(Lsn::new(LSN_END), None);
        assert_eq!(Lsn::from_u64(u64::MAX).value(), u128::from(u64::MAX));
        assert!(Lsn::ZERO.is_zero());
    }

    #[test]
    fn json_is_a_decimal_string() {
        let lsn: Lsn = "9999999999999999999999999".parse().unwrap();
        let json = serde_json::to_string(&lsn).unwrap();
        assert_eq!(json, "\"9999999999999999999999999\"");
        assert_eq!(serde_json::from_str::<Lsn>(&json).unwrap(), lsn);
        assert!(serde_json::from_str::<Lsn>("\"-3\"").is_err());
    }
}
