//! What stands before a request? `ALL_HEADERS`: lengths that must add up, and contents this front has no use for.
//!
//! Refuses to know transactions: a session here has one, so the descriptor a client repeats decides nothing, and query
//! notifications and trace activities are for others. MS-TDS 2.2.5.3.

use crate::{error::ProtocolError, read::Reader};

/// Skips `ALL_HEADERS`, checking that its parts fill it exactly.
pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
    let total = reader.length32("ALL_HEADERS.TotalLength")?;
    let Some(mut rest) = total.checked_sub(4) else {
        return Err(reader.malformed("ALL_HEADERS.TotalLength", total as u64));
    };
    while rest > 0 {
        let length = reader.length32("HeaderLength")?;
        // Four bytes of length and two of type are the least a header has.
        if length < 6 || length > rest {
            return Err(reader.malformed("HeaderLength", length as u64));
        }
        reader.take(length - 4, "HeaderData")?;
        rest -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_must_fill_their_total() {
        let transaction = [0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xAA];
        let mut reader = Reader::new("TEST", &transaction, 0);
        assert_eq!((skip(&mut reader), reader.left()), (Ok(()), 1));
        for wrong in
            [&[3, 0, 0, 0][..], &[8, 0, 0, 0, 5, 0, 0, 0], &[9, 0, 0, 0, 6, 0, 0, 0, 2, 0], &[8, 0, 0, 0, 4]]
        {
            assert!(skip(&mut Reader::new("TEST", wrong, 0)).is_err(), "{wrong:?}");
        }
        assert_eq!(skip(&mut Reader::new("TEST", &[4, 0, 0, 0], 0)), Ok(()));
    }
}
