//! What does a message of a logged-in client ask? Its requests, one by one, and what is needed to answer each.
//!
//! Refuses to know the session. One message may hold several requests: calls of an RPC batch, or a commit that begins the
//! next transaction.

use crate::{
    error::ProtocolError,
    headers,
    message::{Request, TransactionRequest},
    packet::{self, Message},
    read::{Reader, utf16_text},
    rpc::{self, OutputSlot},
    transaction,
};

/// What the answer to a request depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Batch,
    Procedure(Vec<OutputSlot>),
    Transaction(TransactionRequest),
    Attention,
}

/// What is left of a message when its first requests are answered.
#[derive(Debug)]
pub(crate) enum Rest {
    Calls { body: Vec<u8>, at: usize },
    Begin,
}

/// A request, and what follows it in its message.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) request: Request,
    pub(crate) asked: Asked,
    pub(crate) rest: Option<Rest>,
}

/// The first request of a message.
pub(crate) fn first(message: Message) -> Result<Read, ProtocolError> {
    match message.kind {
        packet::BATCH => batch(&message.body),
        packet::RPC => {
            let at = rpc::first_at(&message.body)?;
            next(Rest::Calls { body: message.body, at })
        }
        packet::TRANSACTION => {
            let (request, begin_next) = transaction::read(&message.body)?;
            Ok(transaction(request, begin_next.then_some(Rest::Begin)))
        }
        packet::ATTENTION => Ok(Read { request: Request::Attention, asked: Asked::Attention, rest: None }),
        found => Err(ProtocolError::UnexpectedPacket { found, when: "as a request" }),
    }
}

/// The next request of the same message.
pub(crate) fn next(rest: Rest) -> Result<Read, ProtocolError> {
    match rest {
        Rest::Calls { body, at } => {
            let call = rpc::read(&body, at)?;
            Ok(Read {
                request: Request::Rpc { procedure: call.procedure, parameters: call.parameters },
                asked: Asked::Procedure(call.outputs),
                rest: call.next_at.map(|at| Rest::Calls { body, at }),
            })
        }
        Rest::Begin => Ok(transaction(TransactionRequest::Begin, None)),
    }
}

fn transaction(request: TransactionRequest, rest: Option<Rest>) -> Read {
    Read { request: Request::Transaction(request), asked: Asked::Transaction(request), rest }
}

fn batch(body: &[u8]) -> Result<Read, ProtocolError> {
    let mut reader = Reader::new("SQLBatch", body, 0);
    headers::skip(&mut reader)?;
    let left = reader.left();
    if !left.is_multiple_of(2) {
        return Err(reader.malformed("bytes of SQLText", left as u64));
    }
    let text = utf16_text(reader.take(left, "SQLText")?);
    Ok(Read { request: Request::Batch(text), asked: Asked::Batch, rest: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-TDS 4.6, SQL Batch Client Request, without its packet header.
    #[test]
    fn the_example_of_the_specification_is_read() {
        let text = "\nselect 'foo' as 'bar'\n        ";
        let mut body = vec![0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        body.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(body.len() + 8, 0x5C);
        let message = Message { kind: packet::BATCH, body, reset: None, ignored: false };
        assert_eq!(first(message).unwrap().request, Request::Batch(text.into()));
    }

    #[test]
    fn half_a_character_is_refused() {
        let message = Message { kind: packet::BATCH, body: vec![4, 0, 0, 0, 1], reset: None, ignored: false };
        assert!(matches!(first(message), Err(ProtocolError::Malformed { what: "bytes of SQLText", .. })));
    }

    #[test]
    fn bulk_load_is_no_request() {
        let message = Message { kind: 7, body: vec![], reset: None, ignored: false };
        assert!(matches!(first(message), Err(ProtocolError::UnexpectedPacket { found: 7, .. })));
    }
}
