//! For all bytes and all values: no panic, no dependence on how bytes are cut, and what is written is what is read.

use proptest::{collection::vec, option, prelude::*, test_runner::RngSeed};
use tds::{Accepted, Column, Connection, Event, Options, Response, SqlType, Value};

use crate::{
    pipe::{Pieces, run},
    raw::{login, packet, prelogin, ready},
    server::{client_in_pieces, column, echo, rows, script, seen_row},
};

fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

/// Everything the connection does with the bytes, cut into these pieces; requests are echoed.
fn transcript(
    mut connection: Connection,
    bytes: &[u8],
    pieces: impl Iterator<Item = usize>,
) -> (Vec<String>, Vec<u8>) {
    let mut events = Vec::new();
    let mut output = Vec::new();
    let mut rest = bytes;
    for piece in pieces.chain(std::iter::once(usize::MAX)) {
        let (head, tail) = rest.split_at(piece.min(rest.len()));
        rest = tail;
        connection.receive(head);
        loop {
            let event = connection.next_event();
            let Ok(Some(told)) = &event else {
                if event.is_err() && events.last() != Some(&format!("{event:?}")) {
                    events.push(format!("{event:?}"));
                }
                break;
            };
            events.push(format!("{told:?}"));
            match told {
                Event::Login(_) => connection.accept_login(Accepted::default()),
                Event::Request(tds::Request::Rpc { parameters, .. }) => {
                    let mut response = echo(parameters);
                    response.results.retain(|result| !result.columns.is_empty());
                    // Names of parameters may be longer than those of columns.
                    if connection.respond(&response).is_err() {
                        connection.respond(&Response::default()).unwrap();
                    }
                }
                Event::Request(_) => connection.respond(&Response::default()).unwrap(),
            }
        }
        output.extend(connection.take_output());
    }
    (events, output)
}

/// A valid session of raw packets: pre-login, login, and requests of each kind.
fn raw_session() -> Vec<u8> {
    let headers = [0x16, 0, 0, 0, 0x12, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    let typed = [
        &[0, 0, 0x26, 4, 4, 1, 0, 0, 0][..],
        &[
            1, b'@', 0, 1, 0xE7, 0xFF, 0xFF, 9, 4, 0xD0, 0, 0x34, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a',
            0, 0, 0, 0, 0,
        ],
        &[0, 0, 0x6C, 17, 38, 2, 5, 1, 0x39, 0x30, 0, 0],
        &[0, 0, 0x2A, 7, 8, 1, 0, 0, 0, 0, 0x3A, 0xF9, 0x0A],
        &[0, 0, 0xA5, 3, 0, 2, 0, 1, 2],
        &[0, 0, 0x24, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    ]
    .concat();
    let call =
        [&headers[..], &[0xFF, 0xFF, 13, 0, 0, 0], &typed, &[0xFF, 1, 0, b'p', 0, 0, 0], &typed].concat();
    [
        prelogin(2),
        login(0x7400_0004),
        packet(1, 1, &[&headers[..], &[b'x', 0, b'y', 0]].concat()),
        packet(3, 1, &call),
        packet(14, 1, &[&headers[..], &[5, 0, 2, 0]].concat()),
        packet(1, 0, &headers),
        packet(6, 1, &[]),
        packet(14, 1, &[&headers[..], &[7, 0, 0, 1, 0, 0]].concat()),
        packet(1, 9, &headers),
    ]
    .concat()
}

/// What tiberius itself sends: its login, a batch, a query with parameters, a transaction.
fn recorded_session() -> Vec<u8> {
    let (mut client, pipe) =
        client_in_pieces(Options::default(), Pieces::WHOLE, script(|_| Some(Response::default())));
    run(async {
        client.simple_query("select 1").await.unwrap().into_results().await.unwrap();
        let long = "x".repeat(5_000);
        client
            .execute("p", &[&1_i32, &"text", &long, &Option::<i64>::None, &[1_u8, 2].as_slice()])
            .await
            .unwrap();
        client.begin_transaction().await.unwrap();
        client.rollback_transaction().await.unwrap();
    });
    pipe.sent()
}

fn value_of(sql_type: SqlType) -> BoxedStrategy<Value> {
    let power = |precision: u8| 10_i128.pow(u32::from(precision)) - 1;
    match sql_type {
        SqlType::Bit => any::<bool>().prop_map(Value::Bit).boxed(),
        SqlType::TinyInt => any::<u8>().prop_map(|value| Value::Int(value.into())).boxed(),
        SqlType::SmallInt => any::<i16>().prop_map(|value| Value::Int(value.into())).boxed(),
        SqlType::Int => any::<i32>().prop_map(|value| Value::Int(value.into())).boxed(),
        SqlType::BigInt => any::<i64>().prop_map(Value::Int).boxed(),
        SqlType::Float => {
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::Float).boxed()
        }
        SqlType::Numeric { precision, scale } => (-power(precision)..=power(precision))
            .prop_map(move |mantissa| Value::Numeric { mantissa, scale })
            .boxed(),
        SqlType::NVarChar(length) => {
            vec(any::<char>(), 0..length.map_or(3_000, |length| usize::from(length) / 2 + 1))
                .prop_map(move |characters| {
                    let units = length.map_or(usize::MAX, usize::from);
                    let mut text: String = characters.into_iter().collect();
                    while text.encode_utf16().count() > units {
                        text.pop();
                    }
                    Value::Text(text)
                })
                .boxed()
        }
        SqlType::VarChar(length) => vec(b' '..=b'~', 0..=length.map_or(3_000, usize::from))
            .prop_map(|bytes| Value::Text(bytes.into_iter().map(char::from).collect()))
            .boxed(),
        SqlType::VarBinary(length) => {
            vec(any::<u8>(), 0..=length.map_or(3_000, usize::from)).prop_map(Value::Binary).boxed()
        }
        SqlType::Date => {
            (-719_162_i128..2_932_897).prop_map(|day| Value::DateTime(day * 86_400_000_000_000)).boxed()
        }
        // What is no tick of a datetime is rounded; whole ticks come back as they are.
        SqlType::DateTime => (-53_690_i128..=2_958_463, 0..25_920_000_i128)
            .prop_map(|(day, tick)| {
                let milliseconds = (20 * tick + 3) / 6;
                Value::DateTime((day - 25_567) * 86_400_000_000_000 + milliseconds * 1_000_000)
            })
            .boxed(),
        SqlType::DateTime2(scale) => {
            let unit = 10_i128.pow(9 - u32::from(scale));
            let (first, last) = (-719_162 * 86_400_000_000_000_i128, 2_932_897 * 86_400_000_000_000_i128);
            (first / unit..last / unit).prop_map(move |units| Value::DateTime(units * unit)).boxed()
        }
        SqlType::UniqueIdentifier => any::<[u8; 16]>().prop_map(Value::Guid).boxed(),
    }
}

fn sql_type() -> impl Strategy<Value = SqlType> {
    prop_oneof![
        Just(SqlType::Bit),
        Just(SqlType::TinyInt),
        Just(SqlType::SmallInt),
        Just(SqlType::Int),
        Just(SqlType::BigInt),
        Just(SqlType::Float),
        (1..=38_u8).prop_flat_map(|precision| {
            (0..=precision).prop_map(move |scale| SqlType::Numeric { precision, scale })
        }),
        option::of(1..=4_000_u16).prop_map(SqlType::NVarChar),
        option::of(1..=8_000_u16).prop_map(SqlType::VarChar),
        option::of(1..=8_000_u16).prop_map(SqlType::VarBinary),
        Just(SqlType::DateTime),
        (0..=7_u8).prop_map(SqlType::DateTime2),
        Just(SqlType::UniqueIdentifier),
        Just(SqlType::Date),
    ]
}

/// Columns with rows that fit them.
fn table() -> impl Strategy<Value = (Vec<Column>, Vec<Vec<Value>>)> {
    vec((sql_type(), any::<bool>()), 1..12).prop_flat_map(|types| {
        let row: Vec<_> = types
            .iter()
            .map(|&(sql_type, nullable)| {
                let value = value_of(sql_type);
                if nullable { prop_oneof![1 => Just(Value::Null), 2 => value].boxed() } else { value }
            })
            .collect();
        let columns: Vec<_> =
            types.iter().map(|&(sql_type, nullable)| column("c", sql_type, nullable)).collect();
        (Just(columns), vec(row, 0..4))
    })
}

proptest! {
    #![proptest_config(config(64, 1))]

    #[test]
    fn what_is_written_is_what_tiberius_reads((columns, sent) in table(), to_client in 1..5_000_usize) {
        let response = rows(columns, sent.clone());
        let pieces = Pieces { to_server: usize::MAX, to_client };
        let (mut client, _) =
            client_in_pieces(Options::default(), pieces, script(move |_| Some(response.clone())));
        let read = run(async { client.simple_query("x").await.unwrap().into_first_result().await.unwrap() });
        prop_assert_eq!(read.into_iter().map(seen_row).collect::<Vec<_>>(), sent);
    }
}

proptest! {
    #![proptest_config(config(256, 2))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600), logged_in in any::<bool>()) {
        let connection = if logged_in { ready() } else { Connection::new(Options::default()) };
        transcript(connection, &bytes, std::iter::empty());
    }

    #[test]
    fn random_messages_never_panic(
        kind in prop_oneof![Just(0x01_u8), Just(0x03), Just(0x0E), Just(0x10), Just(0x12)],
        headers in any::<bool>(),
        body in vec(prop_oneof![any::<u8>(), Just(0), Just(4), Just(0x26), Just(0xE7), Just(0xFF)], 0..200),
    ) {
        let body = if headers { [&[4, 0, 0, 0][..], &body].concat() } else { body };
        let connection = if kind < 0x10 { ready() } else { Connection::new(Options::default()) };
        transcript(connection, &packet(kind, 1, &body), std::iter::empty());
    }

    #[test]
    fn fragments_make_no_difference(pieces in vec(1..40_usize, 0..60), recorded in any::<bool>()) {
        let session = if recorded { recorded_session() } else { raw_session() };
        let whole = transcript(Connection::new(Options::default()), &session, std::iter::empty());
        let cut = transcript(Connection::new(Options::default()), &session, pieces.into_iter());
        prop_assert!(whole.0.len() > 4 && whole.0.iter().all(|event| !event.starts_with("Err")), "{:?}", whole.0);
        prop_assert_eq!(whole, cut);
    }
}

proptest! {
    #![proptest_config(config(1_000, 3))]

    #[test]
    fn mutated_sessions_never_panic(
        recorded in any::<bool>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        use std::sync::OnceLock;
        static RECORDED: OnceLock<Vec<u8>> = OnceLock::new();
        let mut session = if recorded { RECORDED.get_or_init(recorded_session).clone() } else { raw_session() };
        for (at, byte) in changes {
            let at = at.index(session.len());
            session[at] = byte;
        }
        if let Some(cut) = cut {
            session.truncate(cut.index(session.len()));
        }
        transcript(Connection::new(Options::default()), &session, std::iter::empty());
    }
}
