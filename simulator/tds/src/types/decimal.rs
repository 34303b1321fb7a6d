//! How many digits has a number, and how is it rescaled? numeric, decimal and money. MS-TDS 2.2.5.5.1.5 and 2.2.5.5.1.2.
//!
//! Refuses to know columns. Rounding is SQL Server's: half away from zero.

/// Digits of the widest numeric.
pub(crate) const DIGITS_MAX: u8 = 38;

/// Whether a precision and a scale make a type.
pub(crate) fn exists(precision: u8, scale: u8) -> bool {
    (1..=DIGITS_MAX).contains(&precision) && scale <= precision
}

/// Whether a number has at most so many digits.
pub(crate) fn fits(mantissa: i128, precision: u8) -> bool {
    10_i128.checked_pow(u32::from(precision)).is_some_and(|limit| -limit < mantissa && mantissa < limit)
}

/// The mantissa at another scale, rounded half away from zero; nothing when it leaves the 38 digits.
pub(crate) fn rescale(mantissa: i128, from: u8, to: u8) -> Option<i128> {
    if !fits(mantissa, DIGITS_MAX) {
        return None;
    }
    if to >= from {
        if mantissa == 0 {
            return Some(0);
        }
        return mantissa.checked_mul(10_i128.checked_pow(u32::from(to - from))?);
    }
    let Some(divisor) = 10_i128.checked_pow(u32::from(from - to)) else {
        // More digits go than there are.
        return Some(0);
    };
    let (whole, rest) = (mantissa / divisor, mantissa % divisor);
    let up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    Some(if up { whole + mantissa.signum() } else { whole })
}

/// Bytes of a numeric's magnitude by its precision. MS-TDS 2.2.5.5.1.5.
pub(crate) fn magnitude_bytes(precision: u8) -> usize {
    match precision {
        0..=9 => 4,
        10..=19 => 8,
        20..=28 => 12,
        _ => 16,
    }
}

/// Reads sign and magnitude. Any length up to 16 bytes of magnitude is taken: `FreeTDS` sends as many as the digits need.
pub(crate) fn from_wire(bytes: &[u8]) -> Option<i128> {
    let (&sign, magnitude) = bytes.split_first()?;
    if magnitude.len() > 16 || sign > 1 {
        return None;
    }
    let mut whole = [0; 16];
    whole[..magnitude.len()].copy_from_slice(magnitude);
    let value = i128::try_from(u128::from_le_bytes(whole)).ok()?;
    fits(value, DIGITS_MAX).then_some(if sign == 1 { value } else { -value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_rounds_half_away_from_zero() {
        for (mantissa, from, to, expected) in [
            (12, 0, 2, Some(1_200)),
            (1_249, 3, 1, Some(12)),
            (1_250, 3, 1, Some(13)),
            (-1_250, 3, 1, Some(-13)),
            (-1_249, 3, 1, Some(-12)),
            (5, 1, 0, Some(1)),
            (0, 0, 200, Some(0)),
            (9, 200, 0, Some(0)),
            (1, 0, 39, None),
            (i128::MAX, 0, 0, None),
            (i128::MIN, 3, 0, None),
        ] {
            assert_eq!(rescale(mantissa, from, to), expected, "{mantissa} from {from} to {to}");
        }
    }

    #[test]
    fn digits_are_counted() {
        assert!(fits(999, 3) && fits(-999, 3) && !fits(1_000, 3) && !fits(-1_000, 3));
        assert!(fits(10_i128.pow(38) - 1, 38) && !fits(10_i128.pow(38), 38));
        assert!(exists(38, 38) && !exists(39, 0) && !exists(0, 0) && !exists(5, 6));
    }

    #[test]
    fn wire_numbers_have_sign_and_magnitude() {
        for (bytes, expected) in [
            (&[1, 0x39, 0x30, 0, 0][..], Some(12_345)),
            (&[0, 1], Some(-1)),
            (&[1], Some(0)),
            (&[2, 1], None),
            (&[], None),
            (&[1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], None),
        ] {
            assert_eq!(from_wire(bytes), expected, "{bytes:?}");
        }
    }
}
