//! Whatever a server answers: no panic, a fault or what can be read, and the rest of the connection is not trusted.

use domain::request::CopyLogs;
use ports::server::{Fence, ReadClock, ReadTasks, SubmitTasks};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tds::{Connection, Event, Response, SqlType, Value};

use crate::answers::{Script, rows, word};
use crate::wire::{Reply, Wire};

/// Bytes as the payload of packets of an answer, of a length that the client has agreed to.
fn packets(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunks = payload.chunks(4_088).peekable();
    while let Some(chunk) = chunks.next() {
        let length = u16::try_from(chunk.len() + 8).expect("short");
        bytes.extend([4, u8::from(chunks.peek().is_none())]);
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 51, 1, 0]);
        bytes.extend(chunk);
    }
    bytes
}

/// A whole answer as a server sends it.
fn good() -> Vec<u8> {
    let row = vec![vec![
        Value::Int(17),
        Value::Text("x".repeat(300)),
        Value::DateTime(0),
        Value::Numeric { mantissa: 5, scale: 2 },
        Value::Null,
    ]];
    let columns = [
        ("task_id", SqlType::Int),
        ("task_info", SqlType::NVarChar(None)),
        ("utc_now", SqlType::DateTime2(7)),
        ("percent_complete", SqlType::Numeric { precision: 38, scale: 2 }),
        ("lifecycle", SqlType::UniqueIdentifier),
    ];
    let response = Response { results: vec![rows(&columns, row)], status: Some(0), ..Response::default() };
    let mut client = Wire::new(Script::new([Reply::Answer(response.clone())]));
    let mut session = client.open().expect("a script lets everybody in");
    let _ = client.drive(session.clock());
    // The same once more, without anybody behind it.
    let mut connection = Connection::new(tds::Options::default());
    connection.receive(&client.heard);
    while let Ok(Some(event)) = connection.next_event() {
        if let Event::Login(_) = event {
            connection.accept_login(tds::Accepted::default());
            connection.take_output();
        }
    }
    connection.respond(&response).expect("the row fits its columns");
    connection.take_output()
}

/// Asks in all ways, and tells what came of it.
fn ask(bytes: &[u8]) -> Result<(), TestCaseError> {
    let opened = || {
        let mut wire = Wire::new(Script::new([Reply::Raw(bytes.to_vec())]));
        let session = wire.open().expect("a script lets everybody in");
        (wire, session)
    };
    let (mut wire, mut session) = opened();
    if let Err(fault) = wire.drive(session.tasks(1)) {
        let word = word(&fault);
        prop_assert!(word == "transient" || word.starts_with("Human "), "{}", word);
    }
    let (mut wire, mut session) = opened();
    let _ = wire.drive(session.task_info(1));
    let (mut wire, mut session) = opened();
    let _ = wire.drive(session.clock());
    let (mut wire, mut session) = opened();
    let _ = wire.drive(session.lock("bakproof"));
    let (mut wire, mut session) = opened();
    let copy = CopyLogs { database: "orders".to_owned(), kms_key_arn: None, first_seq: 7, last_seq: 19 };
    if let Err(fault) = wire.drive(session.copy_logs(&copy)) {
        // A byte left: what became of it is not known, unless the server said so.
        prop_assert_ne!(word(&fault), "transient");
    }
    Ok(())
}

#[test]
fn what_is_tampered_with_was_good() {
    let mut wire = Wire::new(Script::new([Reply::Raw(good())]));
    let mut session = wire.open().unwrap();
    assert_eq!(wire.drive(session.task_info(1)), Ok("x".repeat(300)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(23),
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn any_bytes_for_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        ask(&bytes)?;
    }

    /// Tokens of any kind, in packets that are whole.
    #[test]
    fn any_tokens_for_an_answer(
        token in prop::sample::select(vec![0x79_u8, 0x81, 0x88, 0xA4, 0xA5, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xD1, 0xD2, 0xD3, 0xE3, 0xE4, 0xED, 0xEE, 0xFD, 0xFE, 0xFF]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let payload: Vec<u8> = std::iter::once(token).chain(rest).collect();
        ask(&packets(&payload))?;
    }

    /// A good answer of which a few bytes are others: what is most like one.
    #[test]
    fn an_answer_that_was_tampered_with(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = good();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        ask(&bytes)?;
    }
}
