//! Requests as tiberius sends them: parameters of every type, procedures with outputs, transactions, attention.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

use tds::{Options, Procedure, Request, Response, ResultSet, SqlType, TransactionRequest, Value};
use tiberius::{ColumnData, Command, IntoSql, Query, Uuid, numeric::Numeric, time, xml::XmlData};

use crate::{
    pipe::{Pieces, poll_once, run},
    server::{client, client_in_pieces, column, echo, query_parameters, rows, script, seen_row},
};

/// A parameter as tiberius holds it.
struct Sent(ColumnData<'static>);

impl<'a> IntoSql<'a> for Sent {
    fn into_sql(self) -> ColumnData<'a> {
        self.0
    }
}

/// A parameter of every type tiberius can send, and the value the owner is told.
fn every_parameter() -> Vec<(ColumnData<'static>, Value)> {
    let date = time::Date::new(719_163);
    let datetime2 = time::DateTime2::new(date, time::Time::new(10_000_001, 7));
    let moment = Value::DateTime(86_400_000_000_000 + 1_000_000_100);
    let text = |text: &str| Value::Text(text.to_owned());
    let long = "密\u{1F511}".repeat(5_000);
    vec![
        (ColumnData::U8(Some(255)), Value::Int(255)),
        (ColumnData::I16(Some(-1)), Value::Int(-1)),
        (ColumnData::I32(Some(i32::MIN)), Value::Int(i32::MIN.into())),
        (ColumnData::I64(Some(i64::MAX)), Value::Int(i64::MAX)),
        (ColumnData::F32(Some(0.5)), Value::Float(0.5)),
        (ColumnData::F64(Some(-0.1)), Value::Float(-0.1)),
        (ColumnData::Bit(Some(true)), Value::Bit(true)),
        (ColumnData::String(Some("zł".into())), text("zł")),
        (ColumnData::String(Some("".into())), text("")),
        (ColumnData::String(Some(long.clone().into())), text(&long)),
        (ColumnData::Guid(Some(Uuid::from_bytes(*b"0123456789abcdef"))), Value::Guid(*b"0123456789abcdef")),
        (ColumnData::Binary(Some(Cow::Borrowed(&[0, 255]))), Value::Binary(vec![0, 255])),
        (ColumnData::Binary(Some(vec![9; 9_000].into())), Value::Binary(vec![9; 9_000])),
        (
            ColumnData::Numeric(Some(Numeric::new_with_scale(-12_345, 2))),
            Value::Numeric { mantissa: -12_345, scale: 2 },
        ),
        (
            ColumnData::Numeric(Some(Numeric::new_with_scale(10_i128.pow(38) - 1, 0))),
            Value::Numeric { mantissa: 10_i128.pow(38) - 1, scale: 0 },
        ),
        (ColumnData::Xml(Some(Cow::Owned(XmlData::new("<a/>")))), text("<a/>")),
        (ColumnData::DateTime(Some(time::DateTime::new(25_568, 300))), Value::DateTime(86_401_000_000_000)),
        (
            ColumnData::SmallDateTime(Some(time::SmallDateTime::new(25_567, 1))),
            Value::DateTime(60_000_000_000),
        ),
        (ColumnData::Date(Some(date)), Value::DateTime(86_400_000_000_000)),
        (
            ColumnData::Time(Some(time::Time::new(10_000_000, 7))),
            Value::DateTime(-25_567 * 86_400_000_000_000 + 1_000_000_000),
        ),
        (ColumnData::DateTime2(Some(datetime2)), moment.clone()),
        (ColumnData::DateTimeOffset(Some(time::DateTimeOffset::new(datetime2, 0))), moment),
        (ColumnData::U8(None), Value::Null),
        (ColumnData::I64(None), Value::Null),
        (ColumnData::F64(None), Value::Null),
        (ColumnData::Bit(None), Value::Null),
        (ColumnData::String(None), Value::Null),
        (ColumnData::Guid(None), Value::Null),
        (ColumnData::Binary(None), Value::Null),
        (ColumnData::Numeric(None), Value::Null),
        (ColumnData::Xml(None), Value::Null),
        (ColumnData::DateTime(None), Value::Null),
        (ColumnData::Date(None), Value::Null),
        (ColumnData::Time(None), Value::Null),
        (ColumnData::DateTime2(None), Value::Null),
        (ColumnData::DateTimeOffset(None), Value::Null),
    ]
}

#[test]
fn parameters_of_every_type_are_understood_and_echoed() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let mut client = client(move |request| {
        let parameters = query_parameters(request);
        keep.lock().unwrap().extend(parameters.iter().map(|parameter| parameter.value.clone()));
        Some(echo(parameters))
    });
    let all = every_parameter();
    let mut query = Query::new("select all");
    for (parameter, _) in &all {
        query.bind(Sent(parameter.clone()));
    }
    let row = run(async { query.query(&mut client).await.unwrap().into_row().await.unwrap().unwrap() });
    let expected: Vec<Value> = all.into_iter().map(|(_, value)| value).collect();
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(seen_row(row), expected);
}

#[test]
fn queries_arrive_as_sp_executesql() {
    let mut client = client(|request| {
        let Request::Rpc { procedure: Procedure::Id(10), parameters } = request else {
            panic!("{request:?}")
        };
        assert_eq!(parameters[0].value, Value::Text("exec p @a=@P1".into()));
        assert_eq!((parameters[2].name.as_str(), &parameters[2].value), ("@P1", &Value::Text("db".into())));
        Some(Response::default())
    });
    run(async { client.execute("exec p @a=@P1", &[&"db"]).await.unwrap() });
}

#[test]
fn procedures_return_status_outputs_and_rows() {
    let mut client = client(|request| {
        let Request::Rpc { procedure, parameters } = request else { panic!("{request:?}") };
        assert_eq!(*procedure, Procedure::Name("msdb.dbo.rds_backup_database".into()));
        let names: Vec<_> = parameters.iter().map(|given| (given.name.as_str(), given.output)).collect();
        assert_eq!(names, [("@source_db_name", false), ("@task_id", true), ("@text", true), ("@lsn", true)]);
        let mut response = rows(vec![column("task_id", SqlType::Int, true)], vec![vec![Value::Int(7)]]);
        response.results.push(ResultSet { affected: Some(2), ..ResultSet::default() });
        response.status = Some(3);
        response.outputs = vec![
            ("@TASK_ID".into(), Value::Int(7)),
            ("@text".into(), Value::Text("x".repeat(5_000))),
            ("@lsn".into(), Value::Numeric { mantissa: 10_i128.pow(24), scale: 0 }),
            ("@unasked".into(), Value::Null),
        ];
        Some(response)
    });
    let result = run(async {
        let mut command = Command::new("msdb.dbo.rds_backup_database");
        command.bind_param("@source_db_name", "db");
        command.bind_out_param("@task_id", 0_i32);
        command.bind_out_param("@text", "");
        command.bind_out_param("@lsn", Sent(ColumnData::Numeric(Some(Numeric::new_with_scale(0, 0)))));
        command.exec(&mut client).await.unwrap().into_command_result().await.unwrap()
    });
    assert_eq!(result.return_code(), 3);
    assert_eq!(result.return_values_len(), 3);
    assert_eq!(result.try_return_value::<i32>("@TASK_ID").unwrap(), Some(7));
    assert_eq!(result.try_return_value::<&str>("@text").unwrap().unwrap().len(), 5_000);
    let lsn = result.try_return_value::<Numeric>("@lsn").unwrap().unwrap();
    assert_eq!(lsn.value(), 10_i128.pow(24));
    assert_eq!(result.rows_affected(), [1, 2]);
    let row: Option<i32> = result.to_query_result(0).unwrap()[0].get(0);
    assert_eq!(row, Some(7));
}

#[test]
fn transactions_begin_commit_and_roll_back() {
    use TransactionRequest::{Begin, Commit, Rollback};
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let (mut client, pipe) = client_in_pieces(
        Options::default(),
        Pieces::WHOLE,
        script(move |request| {
            keep.lock().unwrap().push(request.clone());
            Some(Response::default())
        }),
    );
    run(async {
        client.begin_transaction().await.unwrap();
        client.simple_query("x").await.unwrap().into_results().await.unwrap();
        client.rollback_transaction().await.unwrap();
        client.begin_transaction().await.unwrap();
        client.commit_transaction().await.unwrap();
    });
    let expected = [
        Request::Transaction(Begin),
        Request::Batch("x".into()),
        Request::Transaction(Rollback),
        Request::Transaction(Begin),
        Request::Transaction(Commit),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
    // The batch and the commit carry the descriptors that the server gave: 1, and 2 for the second transaction.
    let header = |descriptor: u8| [0x12, 0, 0, 0, 2, 0, descriptor, 0, 0, 0, 0, 0, 0, 0];
    let sent = pipe.sent();
    for descriptor in [1, 2] {
        assert!(sent.windows(14).any(|bytes| bytes == header(descriptor)), "descriptor {descriptor}");
    }
}

#[test]
fn a_refused_transaction_is_not_announced() {
    let mut client = client(|request| {
        let refused = matches!(request, Request::Transaction(_));
        let error = refused.then(|| crate::server::error(3_902, "no corresponding BEGIN TRANSACTION"));
        Some(Response { error, ..Response::default() })
    });
    let refusal = run(client.commit_transaction()).unwrap_err();
    assert!(refusal.to_string().contains("no corresponding"), "{refusal}");
    run(async { client.simple_query("x").await.unwrap().into_results().await.unwrap() });
}

#[test]
fn an_attention_takes_the_place_of_a_running_request() {
    let mut asked = Vec::new();
    let mut client = client(move |request| {
        asked.push(request.clone());
        // The first request runs for ever.
        (asked.len() > 1).then(|| {
            if asked.len() == 2 {
                assert_eq!(asked[1], Request::Attention);
            }
            Response::default()
        })
    });
    assert!(poll_once(client.simple_query("waitfor")).is_none(), "the server holds its answer");
    run(async {
        client.cancel_query().await.unwrap();
        client.simple_query("next").await.unwrap().into_results().await.unwrap();
    });
}

#[test]
fn an_attention_after_the_answer_is_acknowledged_too() {
    let mut client = client(|_| Some(Response::default()));
    run(async {
        let stream = client.simple_query("x").await.unwrap();
        drop(stream);
        client.cancel_query().await.unwrap();
        client.simple_query("y").await.unwrap().into_results().await.unwrap();
    });
}
