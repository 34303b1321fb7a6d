//! Result sets as tiberius reads them: every type with and without NULLs, many sets, large rows, messages and errors.

use tds::{Column, EncodeError, Options, Response, ResultSet, SqlType, Value, ValueError};
use tiberius::ColumnType;

use crate::{
    pipe::{Pieces, run},
    server::{client, client_in_pieces, column, error, rows, script, seen_row},
};

/// A value of every type, and what tiberius calls the column when it is NOT NULL and when it is nullable.
/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;

fn every_type() -> Vec<(SqlType, Value, ColumnType, ColumnType)> {
    let text = Value::Text("zł \u{1F600}".into());
    vec![
        (SqlType::Bit, Value::Bit(true), ColumnType::Bit, ColumnType::Bitn),
        (SqlType::TinyInt, Value::Int(255), ColumnType::Int1, ColumnType::Int1),
        (SqlType::SmallInt, Value::Int(-32_768), ColumnType::Int2, ColumnType::Int2),
        (SqlType::Int, Value::Int(-2_147_483_648), ColumnType::Int4, ColumnType::Int4),
        (SqlType::BigInt, Value::Int(i64::MIN), ColumnType::Int8, ColumnType::Int8),
        (SqlType::Float, Value::Float(-0.1), ColumnType::Float8, ColumnType::Float8),
        (
            SqlType::Numeric { precision: 25, scale: 0 },
            Value::Numeric { mantissa: 44_000_000_031_600_001, scale: 0 },
            ColumnType::Numericn,
            ColumnType::Numericn,
        ),
        (
            SqlType::Numeric { precision: 38, scale: 10 },
            Value::Numeric { mantissa: -(10_i128.pow(38) - 1), scale: 10 },
            ColumnType::Numericn,
            ColumnType::Numericn,
        ),
        (SqlType::NVarChar(Some(128)), text.clone(), ColumnType::NVarchar, ColumnType::NVarchar),
        (SqlType::NVarChar(None), text, ColumnType::NVarchar, ColumnType::NVarchar),
        (
            SqlType::VarChar(Some(20)),
            Value::Text("\u{20AC}\u{E9}".into()),
            ColumnType::BigVarChar,
            ColumnType::BigVarChar,
        ),
        (SqlType::VarChar(None), Value::Text(String::new()), ColumnType::BigVarChar, ColumnType::BigVarChar),
        (
            SqlType::VarBinary(Some(8_000)),
            Value::Binary(vec![7; 8_000]),
            ColumnType::BigVarBin,
            ColumnType::BigVarBin,
        ),
        (SqlType::VarBinary(None), Value::Binary(vec![]), ColumnType::BigVarBin, ColumnType::BigVarBin),
        (
            SqlType::DateTime,
            Value::DateTime(1_763_683_200_997_000_000),
            ColumnType::Datetime,
            ColumnType::Datetimen,
        ),
        (
            SqlType::DateTime2(7),
            Value::DateTime(-62_135_596_799_999_999_900),
            ColumnType::Datetime2,
            ColumnType::Datetime2,
        ),
        (
            SqlType::DateTime2(3),
            Value::DateTime(1_763_683_200_123_000_000),
            ColumnType::Datetime2,
            ColumnType::Datetime2,
        ),
        (
            SqlType::Date,
            Value::DateTime(1_763_683_200_000_000_000 / DAY * DAY),
            ColumnType::Daten,
            ColumnType::Daten,
        ),
        (SqlType::UniqueIdentifier, Value::Guid(*b"0123456789abcdef"), ColumnType::Guid, ColumnType::Guid),
    ]
}

#[test]
fn every_type_arrives_with_and_without_nulls() {
    let types = every_type();
    let values: Vec<Value> = types.iter().map(|(_, value, ..)| value.clone()).collect();
    let nulls = vec![Value::Null; values.len()];
    let mixed: Vec<Value> = values
        .iter()
        .enumerate()
        .map(|(at, value)| if at % 3 == 0 { Value::Null } else { value.clone() })
        .collect();
    for nullable in [true, false] {
        let columns: Vec<Column> = types
            .iter()
            .enumerate()
            .map(|(at, (sql_type, ..))| column(&format!("c{at}"), *sql_type, nullable))
            .collect();
        let sent =
            if nullable { vec![values.clone(), nulls.clone(), mixed.clone()] } else { vec![values.clone()] };
        let response = rows(columns.clone(), sent.clone());
        let mut client = client(move |_| Some(response.clone()));
        let (names, result) = run(async {
            let mut stream = client.simple_query("select").await.unwrap();
            let columns = stream.columns().await.unwrap().unwrap().to_vec();
            (columns, stream.into_first_result().await.unwrap())
        });
        for ((at, column), (.., fixed, nullable_type)) in names.iter().enumerate().zip(&types) {
            let expected = if nullable { nullable_type } else { fixed };
            assert_eq!(
                (column.name(), column.column_type()),
                (format!("c{at}").as_str(), *expected),
                "column {at}"
            );
        }
        assert_eq!(result.into_iter().map(seen_row).collect::<Vec<_>>(), sent, "nullable {nullable}");
    }
}

#[test]
fn result_sets_keep_their_order_and_counts() {
    let one = |number| ResultSet {
        columns: vec![column("n", SqlType::Int, false)],
        rows: vec![vec![Value::Int(number)]; usize::try_from(number).unwrap()],
        affected: None,
    };
    let results = vec![one(1), ResultSet { affected: Some(9), ..ResultSet::default() }, one(0), one(3)];
    let response = Response { results, ..Response::default() };
    let mut client = client(move |_| Some(response.clone()));
    for _ in 0..2 {
        let results = run(async { client.simple_query("x").await.unwrap().into_results().await.unwrap() });
        assert_eq!(results.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 3]);
    }
    let affected = run(async { client.execute("x", &[]).await.unwrap() });
    assert_eq!(affected.rows_affected(), [1, 9, 0, 3]);
}

#[test]
fn rows_larger_than_a_packet_are_split_and_joined() {
    let values = vec![
        Value::Text("密\u{1F511}x".repeat(40_000)),
        Value::Binary((0..100_000).map(|at: u32| at.to_le_bytes()[0]).collect()),
        Value::Null,
    ];
    let columns = vec![
        column("t", SqlType::NVarChar(None), true),
        column("b", SqlType::VarBinary(None), true),
        column("n", SqlType::Int, true),
    ];
    for packet_size_default in [512, 4_096, 32_767] {
        for to_client in [1_000, usize::MAX] {
            let response = rows(columns.clone(), vec![values.clone(); 3]);
            let options = Options { packet_size_default, ..Options::default() };
            let pieces = Pieces { to_server: 700, to_client };
            let (mut client, _) = client_in_pieces(options, pieces, script(move |_| Some(response.clone())));
            let result =
                run(async { client.simple_query("x").await.unwrap().into_first_result().await.unwrap() });
            assert_eq!(result.into_iter().map(seen_row).collect::<Vec<_>>(), vec![values.clone(); 3]);
        }
    }
}

#[test]
fn a_long_batch_is_joined() {
    let text = "select '密' ".repeat(10_000);
    let expected = text.clone();
    let mut client = client(move |request| {
        assert_eq!(*request, tds::Request::Batch(expected.clone()));
        Some(Response::default())
    });
    run(async { client.simple_query(text).await.unwrap().into_results().await.unwrap() });
}

#[test]
fn errors_come_after_what_came_before_and_the_session_lives_on() {
    let mut asked = 0;
    let mut client = client(move |_| {
        asked += 1;
        let mut response = rows(vec![column("n", SqlType::Int, false)], vec![vec![Value::Int(1)]]);
        let mut note = error(5_000, "a note");
        note.severity = 0;
        response.messages.push(note);
        response.error = (asked == 1).then(|| error(50_000, "Task execution was denied. käse 密"));
        Some(response)
    });
    let failed = run(async { client.simple_query("x").await.unwrap().into_results().await }).unwrap_err();
    match failed {
        tiberius::error::Error::Server(error) => {
            assert_eq!((error.code(), error.message()), (50_000, "Task execution was denied. käse 密"));
            assert_eq!((error.server(), error.procedure(), error.line()), ("sql-1", "p", 7));
        }
        other => panic!("{other:?}"),
    }
    let results = run(async { client.simple_query("x").await.unwrap().into_results().await.unwrap() });
    assert_eq!(results.len(), 1);
}

#[test]
fn a_response_that_does_not_fit_leaves_the_request_open() {
    let script = Box::new(|connection: &mut tds::Connection, event| match event {
        tds::Event::Login(_) => connection.accept_login(tds::Accepted::default()),
        tds::Event::Request(_) => {
            let wrong = rows(vec![column("n", SqlType::TinyInt, true)], vec![vec![Value::Int(-1)]]);
            let why = ValueError::Range { expected: SqlType::TinyInt };
            let fault = EncodeError::Value { result: 0, row: 0, column: "n".into(), why };
            assert_eq!(connection.respond(&wrong), Err(fault));
            connection
                .respond(&Response { error: Some(error(8_115, "overflow")), ..Response::default() })
                .unwrap();
            assert_eq!(connection.respond(&Response::default()), Err(EncodeError::NothingAsked));
        }
    });
    let (mut client, _) = client_in_pieces(Options::default(), Pieces::WHOLE, script);
    let failed = run(client.simple_query("x")).err().unwrap();
    assert!(failed.to_string().contains("overflow"), "{failed}");
}
