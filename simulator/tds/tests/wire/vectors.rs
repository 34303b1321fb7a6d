//! The examples of MS-TDS section 4, byte by byte, through the public door.

use tds::{Accepted, Connection, Event, Options, Request};

use crate::raw::{login, packet, prelogin, ready};

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// MS-TDS 4.1: the client's ENCRYPTION is ON, so a server without TLS answers and ends.
#[test]
fn pre_login_request() {
    let mut connection = Connection::new(Options::default());
    connection.receive(&bytes(
        "12 01 00 2F 00 00 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 00
         01 FF 09 00 00 00 00 00 01 00 B8 0D 00 00 01",
    ));
    assert!(connection.next_event().is_err());
    let answer = connection.take_output();
    assert_eq!(
        answer,
        bytes(
            "04 01 00 2B 00 33 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 00 04 00 22 00
             01 FF 10 00 10 77 00 00 02 00 00"
        )
    );
}

/// MS-TDS 4.4, Login Response: all of it, but for the version, which is 7.3 here where the example has 7.2.
#[test]
fn login_response() {
    let options =
        Options { server_name: String::new(), version: [0; 4], session_id: 0, ..Options::default() };
    let mut connection = Connection::new(options);
    connection.receive(&prelogin(2));
    connection.receive(&login(0x730B_0003));
    assert!(matches!(connection.next_event(), Ok(Some(Event::Login(_)))));
    connection.take_output();
    connection.accept_login(Accepted::default());
    let example = bytes(
        "04 01 01 61 00 00 01 00 E3 1B 00 01 06 6D 00 61 00 73 00 74 00 65 00 72 00 06 6D 00 61 00 73 00
         74 00 65 00 72 00 AB 58 00 45 16 00 00 02 00 25 00 43 00 68 00 61 00 6E 00 67 00 65 00 64 00 20
         00 64 00 61 00 74 00 61 00 62 00 61 00 73 00 65 00 20 00 63 00 6F 00 6E 00 74 00 65 00 78 00 74
         00 20 00 74 00 6F 00 20 00 27 00 6D 00 61 00 73 00 74 00 65 00 72 00 27 00 2E 00 00 00 00 00 00
         00 E3 08 00 07 05 09 04 D0 00 34 00 E3 17 00 02 0A 75 00 73 00 5F 00 65 00 6E 00 67 00 6C 00 69
         00 73 00 68 00 00 E3 13 00 04 04 34 00 30 00 39 00 36 00 04 34 00 30 00 39 00 36 00 AB 5C 00 47
         16 00 00 01 00 27 00 43 00 68 00 61 00 6E 00 67 00 65 00 64 00 20 00 6C 00 61 00 6E 00 67 00 75
         00 61 00 67 00 65 00 20 00 73 00 65 00 74 00 74 00 69 00 6E 00 67 00 20 00 74 00 6F 00 20 00 75
         00 73 00 5F 00 65 00 6E 00 67 00 6C 00 69 00 73 00 68 00 2E 00 00 00 00 00 00 00 AD 36 00 01 73
         0B 00 03 16 4D 00 69 00 63 00 72 00 6F 00 73 00 6F 00 66 00 74 00 20 00 53 00 51 00 4C 00 20 00
         53 00 65 00 72 00 76 00 65 00 72 00 00 00 00 00 00 00 00 00 FD 00 00 00 00 00 00 00 00 00 00 00
         00",
    );
    assert_eq!(connection.take_output(), example);
}

/// MS-TDS 4.6 and 4.8: a batch and a call.
#[test]
fn batch_and_call() {
    let mut connection = ready();
    connection.receive(&bytes(
        "01 01 00 5C 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 0A 00
         73 00 65 00 6C 00 65 00 63 00 74 00 20 00 27 00 66 00 6F 00 6F 00 27 00 20 00 61 00 73 00 20 00
         27 00 62 00 61 00 72 00 27 00 0A 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00",
    ));
    let text = "\nselect 'foo' as 'bar'\n        ";
    assert_eq!(connection.next_event(), Ok(Some(Event::Request(Request::Batch(text.into())))));
    connection.respond(&tds::Response::default()).unwrap();
    connection.receive(&bytes(
        "03 01 00 2F 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 04 00
         66 00 6F 00 6F 00 33 00 00 00 00 02 26 02 00",
    ));
    let expected = Request::Rpc {
        procedure: tds::Procedure::Name("foo3".into()),
        parameters: vec![tds::Parameter { name: String::new(), output: false, value: tds::Value::Null }],
    };
    assert_eq!(connection.next_event(), Ok(Some(Event::Request(expected))));
}

/// MS-TDS 4.10: an attention is a header and nothing else.
#[test]
fn attention_request() {
    let mut connection = ready();
    let attention = bytes("06 01 00 08 00 00 01 00");
    assert_eq!(attention, packet(6, 1, &[]));
    connection.receive(&attention);
    assert_eq!(connection.next_event(), Ok(Some(Event::Request(Request::Attention))));
}
