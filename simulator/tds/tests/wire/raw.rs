//! What tiberius does not send: several calls in one message, resets, given up messages, other versions, wrong order.
//! Also the packets the other test files use as raw material.

use tds::{
    Accepted, Connection, EncodeError, Event, Options, Procedure, ProtocolError, Request, Reset, Response,
    TransactionRequest, Transport, Value,
};

/// One packet of a client.
pub(crate) fn packet(kind: u8, status: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 8).unwrap();
    [&[kind, status][..], &length.to_be_bytes(), &[0, 0, 1, 0], data].concat()
}

/// A pre-login that offers an encryption and nothing else.
pub(crate) fn prelogin(encryption: u8) -> Vec<u8> {
    packet(0x12, 1, &[1, 0, 6, 0, 1, 0xFF, encryption])
}

/// A LOGIN7 of `sa` without a password.
pub(crate) fn login(version: u32) -> Vec<u8> {
    let mut body = vec![0; 94];
    body[4..8].copy_from_slice(&version.to_le_bytes());
    body[40..44].copy_from_slice(&[94, 0, 2, 0]);
    body.extend_from_slice(&[b's', 0, b'a', 0]);
    body[0] = 98;
    packet(0x10, 1, &body)
}

/// A connection that `sa` is logged in to, its output taken.
pub(crate) fn ready() -> Connection {
    let mut connection = Connection::new(Options::default());
    connection.receive(&prelogin(2));
    connection.receive(&login(0x7400_0004));
    assert!(matches!(connection.next_event(), Ok(Some(Event::Login(_)))));
    connection.accept_login(Accepted::default());
    connection.take_output();
    connection
}

fn request(connection: &mut Connection) -> Request {
    match connection.next_event() {
        Ok(Some(Event::Request(request))) => request,
        other => panic!("{other:?}"),
    }
}

fn respond(connection: &mut Connection) -> Vec<u8> {
    connection.respond(&Response::default()).unwrap();
    connection.take_output()
}

/// The status of the last DONE of a message.
fn last_status(output: &[u8]) -> u16 {
    let done = &output[output.len() - 13..];
    assert!((0xFD..=0xFF).contains(&done[0]), "{output:02x?}");
    u16::from_le_bytes([done[1], done[2]])
}

const TWO_CALLS: [u8; 25] =
    [4, 0, 0, 0, 0xFF, 0xFF, 11, 0, 0, 0, 0, 1, 0x26, 4, 0, 0xFF, 1, 0, b'p', 0, 0, 0, 0, 0, 0x1F];

#[test]
fn calls_of_one_message_are_told_one_by_one_and_answered_in_one() {
    let mut connection = ready();
    connection.receive(&packet(3, 1, &TWO_CALLS));
    let first = request(&mut connection);
    assert!(matches!(first, Request::Rpc { procedure: Procedure::Id(11), .. }));
    assert_eq!(connection.next_event(), Ok(None), "the first is not answered yet");
    let outputs = vec![("@handle".into(), Value::Int(5))];
    connection.respond(&Response { outputs, ..Response::default() }).unwrap();
    assert!(!connection.has_output(), "the message is not complete");
    let second = request(&mut connection);
    assert!(matches!(second, Request::Rpc { procedure: Procedure::Name(ref name), .. } if name == "p"));
    let output = respond(&mut connection);
    let first_answer = [
        0x79, 0, 0, 0, 0, 0xAC, 0, 0, 7, b'@', 0, b'h', 0, b'a', 0, b'n', 0, b'd', 0, b'l', 0, b'e', 0, 1, 0,
        0, 0, 0, 1, 0, 0x26, 4, 4, 5, 0, 0, 0, 0xFE, 1, 0, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let second_answer = [0x79, 0, 0, 0, 0, 0xFE, 0, 0, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(output[..8], [4, 1, 0, u8::try_from(output.len()).unwrap(), 0, 51, 1, 0]);
    assert_eq!(output[8..], [&first_answer[..], &second_answer].concat());
    assert_eq!(connection.next_event(), Ok(None));
}

#[test]
fn an_attention_between_two_calls_ends_their_message() {
    let mut connection = ready();
    connection.receive(&packet(3, 1, &TWO_CALLS));
    request(&mut connection);
    respond(&mut connection);
    connection.receive(&packet(6, 1, &[]));
    assert_eq!(request(&mut connection), Request::Attention);
    let output = respond(&mut connection);
    assert_eq!(last_status(&output), 0x20);
    assert!(output.len() > 8 + 13, "the first call's answer is in it");
    assert_eq!(connection.next_event(), Ok(None), "the second call is forgotten");
}

#[test]
fn a_commit_may_begin_the_next_transaction() {
    let mut connection = ready();
    connection.receive(&packet(14, 1, &[4, 0, 0, 0, 5, 0, 0, 0]));
    assert_eq!(request(&mut connection), Request::Transaction(TransactionRequest::Begin));
    respond(&mut connection);
    connection.receive(&packet(14, 1, &[4, 0, 0, 0, 7, 0, 0, 1, 0, 0]));
    assert_eq!(request(&mut connection), Request::Transaction(TransactionRequest::Commit));
    assert!(respond(&mut connection).is_empty());
    assert_eq!(request(&mut connection), Request::Transaction(TransactionRequest::Begin));
    let output = respond(&mut connection);
    let committed = [0xE3, 11, 0, 9, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0];
    let begun = [0xE3, 11, 0, 8, 8, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!((&output[8..22], &output[35..49]), (&committed[..], &begun[..]));
}

#[test]
fn a_reset_is_told_once_and_acknowledged() {
    for (status, expected) in [(0x09, Reset::All), (0x11, Reset::KeepTransaction)] {
        let mut connection = ready();
        connection.receive(&packet(1, status, &[4, 0, 0, 0]));
        assert_eq!(request(&mut connection), Request::Batch(String::new()));
        assert_eq!((connection.take_reset(), connection.take_reset()), (Some(expected), None));
        let output = respond(&mut connection);
        assert_eq!(output[8..14], [0xE3, 3, 0, 18, 0, 0]);
        connection.receive(&packet(1, 1, &[4, 0, 0, 0]));
        request(&mut connection);
        assert_eq!((connection.take_reset(), respond(&mut connection)[8]), (None, 0xFD));
    }
}

#[test]
fn a_given_up_message_is_answered_with_an_error_and_not_told() {
    let mut connection = ready();
    connection.receive(&packet(1, 0, &[4, 0, 0, 0]));
    connection.receive(&packet(1, 3, &[1, 2, 3]));
    assert_eq!(connection.next_event(), Ok(None));
    let output = connection.take_output();
    assert_eq!((output.len(), last_status(&output)), (8 + 13, 2));
}

#[test]
fn a_second_request_waits_for_the_first_answer() {
    let mut connection = ready();
    connection.receive(&packet(1, 1, &[4, 0, 0, 0, b'a', 0]));
    connection.receive(&packet(1, 1, &[4, 0, 0, 0, b'b', 0]));
    assert_eq!(request(&mut connection), Request::Batch("a".into()));
    assert_eq!(connection.next_event(), Ok(None));
    respond(&mut connection);
    assert_eq!(request(&mut connection), Request::Batch("b".into()));
}

#[test]
fn versions_decide_about_null_bitmaps() {
    for (version, row) in [(0x730A_0003, [0xD1, 0]), (0x730B_0003, [0xD2, 1]), (0x7400_0004, [0xD2, 1])] {
        let mut connection = Connection::new(Options::default());
        connection.receive(&login(version));
        assert!(matches!(connection.next_event(), Ok(Some(Event::Login(_)))), "pre-login is optional");
        connection.accept_login(Accepted::default());
        let welcome = connection.take_output();
        assert!(welcome.windows(4).any(|bytes| bytes == version.to_be_bytes()));
        connection.receive(&packet(1, 1, &[4, 0, 0, 0]));
        request(&mut connection);
        let column = tds::Column { name: String::new(), sql_type: tds::SqlType::Int, nullable: true };
        let results =
            vec![tds::ResultSet { columns: vec![column], rows: vec![vec![Value::Null]], affected: None }];
        connection.respond(&Response { results, ..Response::default() }).unwrap();
        let output = connection.take_output();
        assert_eq!(output[output.len() - 15..output.len() - 13], row, "{version:#x}");
    }
}

#[test]
fn what_comes_at_the_wrong_time_ends_the_connection() {
    let mut batch_first = Connection::new(Options::default());
    batch_first.receive(&packet(1, 1, &[4, 0, 0, 0]));
    let early = ProtocolError::UnexpectedPacket { found: 1, when: "before the login" };
    assert_eq!(batch_first.next_event(), Err(early.clone()));
    assert!(batch_first.is_closed());
    batch_first.receive(&prelogin(2));
    assert_eq!(batch_first.next_event(), Err(early), "an error is told again");

    let mut twice = ready();
    twice.receive(&login(0x7400_0004));
    assert_eq!(
        twice.next_event(),
        Err(ProtocolError::UnexpectedPacket { found: 0x10, when: "as a request" })
    );

    let mut nobody = Connection::new(Options::default());
    assert_eq!(nobody.respond(&Response::default()), Err(EncodeError::NothingAsked));
    nobody.accept_login(Accepted::default());
    assert!(!nobody.has_output(), "nobody asked to log in");

    let mut large = ready();
    large.receive(&[1, 1, 0x7F, 0xFF, 0, 0, 1, 0]);
    assert_eq!(large.next_event(), Err(ProtocolError::PacketLength { length: 32_767, max: 4_096 }));
}

#[test]
fn tls_begins_where_the_prelogin_ends() {
    for (server, asked, agreed) in [
        (tds::Encryption::Off, 0, Transport::TlsForLogin),
        (tds::Encryption::Off, 1, Transport::Tls),
        (tds::Encryption::On, 0, Transport::Tls),
    ] {
        let mut connection = Connection::new(Options { encryption: server, ..Options::default() });
        connection.receive(&[prelogin(asked), b"hello TLS".to_vec()].concat());
        assert_eq!(connection.next_event(), Ok(None));
        assert_eq!((connection.transport(), connection.has_output()), (agreed, true));
        assert_eq!(connection.take_unread(), b"hello TLS");
        connection.receive(&login(0x7400_0004));
        assert!(matches!(connection.next_event(), Ok(Some(Event::Login(_)))));
        let after = if agreed == Transport::Tls { Transport::Tls } else { Transport::Clear };
        assert_eq!(connection.transport(), after);
    }
}

/// Multiple active result sets are not served: the answer to a pre-login that asks for them says so, as SQL Server does where they
/// are off, and a packet of theirs ends the connection. MS-TDS 2.2.6.5, MARS; MC-SMP 2.2.1: a packet of theirs begins with 0x53.
#[test]
fn multiple_active_result_sets_are_refused() {
    let mut connection = Connection::new(Options::default());
    connection.receive(&packet(0x12, 1, &[1, 0, 11, 0, 1, 4, 0, 12, 0, 1, 0xFF, 2, 1]));
    assert_eq!(connection.next_event(), Ok(None));
    let answer = connection.take_output();
    let option = answer[8..].chunks(5).find(|option| option[0] == 4).unwrap();
    let (offset, length) = (usize::from(option[2]) + usize::from(option[1]) * 256, option[4]);
    assert_eq!((length, answer[8 + offset]), (1, 0), "{answer:02x?}");
    let mut connection = ready();
    connection.receive(&[0x53, 1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]);
    assert!(connection.next_event().is_err() && connection.is_closed());
}
