//! What does a client ask of the transaction manager, and which transaction is it in? MS-TDS 2.2.6.9.
//!
//! Refuses to know what a transaction protects. Names and isolation levels are read and dropped: one session, one level.
//! Distributed transactions and savepoints are not served.

use crate::{
    error::ProtocolError, headers, message::TransactionRequest, read::Reader, token::env_change::EnvChange,
};

const PART: &str = "TransMgrReq";
const BEGIN: u16 = 5;
const COMMIT: u16 = 7;
const ROLLBACK: u16 = 8;
/// `XACT_FLAGS.fBeginXact`: begin the next transaction at once.
const BEGIN_NEXT: u8 = 0x01;

/// Reads a request, and whether a new transaction is to begin after it.
pub(crate) fn read(body: &[u8]) -> Result<(TransactionRequest, bool), ProtocolError> {
    let mut reader = Reader::new(PART, body, 0);
    headers::skip(&mut reader)?;
    let request = match reader.u16("RequestType")? {
        BEGIN => {
            isolation_level(&mut reader)?;
            name(&mut reader)?;
            return Ok((TransactionRequest::Begin, false));
        }
        COMMIT => TransactionRequest::Commit,
        ROLLBACK => TransactionRequest::Rollback,
        other @ (0 | 1 | 6 | 9) => return Err(reader.unsupported("RequestType", u64::from(other))),
        other => return Err(reader.malformed("RequestType", u64::from(other))),
    };
    name(&mut reader)?;
    let begin_next = reader.u8("XACT_FLAGS")? & BEGIN_NEXT != 0;
    if begin_next {
        isolation_level(&mut reader)?;
        name(&mut reader)?;
    }
    Ok((request, begin_next))
}

fn isolation_level(reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
    match reader.u8("ISOLATION_LEVEL")? {
        0..=5 => Ok(()),
        other => Err(reader.malformed("ISOLATION_LEVEL", u64::from(other))),
    }
}

fn name(reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
    let length = usize::from(reader.u8("length of transaction name")?);
    reader.take(length, "transaction name").map(|_| ())
}

/// How deep a session is in its transaction, and what the transaction is called on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Transactions {
    depth: u32,
    /// Descriptor of the running or else the last transaction; they count up from 1.
    descriptor: u64,
}

impl Transactions {
    /// Carries a request out that was not refused. A nested begin and its commit only count, so nothing is announced.
    pub(crate) fn apply(&mut self, request: TransactionRequest) -> Option<EnvChange<'static>> {
        match (request, self.depth) {
            (TransactionRequest::Begin, 0) => {
                self.depth = 1;
                self.descriptor += 1;
                Some(EnvChange::TransactionBegun(self.descriptor))
            }
            (TransactionRequest::Begin, depth) => {
                self.depth = depth.saturating_add(1);
                None
            }
            (TransactionRequest::Commit | TransactionRequest::Rollback, 0) => None,
            (TransactionRequest::Commit, 2..) => {
                self.depth -= 1;
                None
            }
            (TransactionRequest::Commit, _) => {
                self.depth = 0;
                Some(EnvChange::TransactionCommitted(self.descriptor))
            }
            (TransactionRequest::Rollback, _) => {
                self.depth = 0;
                Some(EnvChange::TransactionRolledBack(self.descriptor))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tail: &[u8]) -> Result<(TransactionRequest, bool), ProtocolError> {
        read(&[&[4, 0, 0, 0][..], tail].concat())
    }

    #[test]
    fn requests_are_read() {
        for (tail, expected) in [
            (&[5, 0, 2, 0][..], (TransactionRequest::Begin, false)),
            (&[5, 0, 0, 2, 0x61, 0], (TransactionRequest::Begin, false)),
            (&[7, 0, 0, 0], (TransactionRequest::Commit, false)),
            (&[7, 0, 0, 1, 0, 0], (TransactionRequest::Commit, true)),
            (&[8, 0, 2, 0x61, 0, 0], (TransactionRequest::Rollback, false)),
        ] {
            assert_eq!(request(tail), Ok(expected), "{tail:?}");
        }
    }

    /// MS-TDS 4.13, Transaction Manager Request, as printed there: its `RequestType` is 0x16, which 2.2.6.9 does not list.
    #[test]
    fn the_example_of_the_specification_is_no_known_request() {
        let example = [
            0x16, 0, 0, 0, 0x12, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0x16, 0, //
        ];
        assert_eq!(
            read(&example),
            Err(ProtocolError::Malformed { part: PART, what: "RequestType", at: 24, found: 0x16 })
        );
    }

    #[test]
    fn distributed_transactions_and_savepoints_are_not_served() {
        for kind in [0, 1, 6, 9] {
            assert!(matches!(request(&[kind, 0]), Err(ProtocolError::Unsupported { .. })), "{kind}");
        }
        assert!(matches!(request(&[5, 0, 6, 0]), Err(ProtocolError::Malformed { .. })));
        assert!(matches!(request(&[7, 0, 9, 0]), Err(ProtocolError::Truncated { .. })));
    }

    #[test]
    fn only_the_outermost_transaction_is_announced() {
        use TransactionRequest::{Begin, Commit, Rollback};
        let mut transactions = Transactions::default();
        for (request, expected) in [
            (Commit, None),
            (Begin, Some(EnvChange::TransactionBegun(1))),
            (Begin, None),
            (Commit, None),
            (Commit, Some(EnvChange::TransactionCommitted(1))),
            (Begin, Some(EnvChange::TransactionBegun(2))),
            (Begin, None),
            (Rollback, Some(EnvChange::TransactionRolledBack(2))),
            (Rollback, None),
        ] {
            assert_eq!(transactions.apply(request), expected, "{request:?}");
        }
    }
}
