//! A small server over [`tds`] for the tests: it logs in `sa`, answers by a function, and can turn values around.

use tds::{
    Accepted, Column, Connection, Event, Options, Parameter, Procedure, Request, Response, ResultSet,
    ServerMessage, SqlType, Value,
};
use tiberius::{AuthMethod, Client, ColumnData, Config, EncryptionLevel};

use crate::pipe::{Pieces, Pipe, Script, run};

pub(crate) const PASSWORD: &str = "pä$$w0rd 密\u{1F511}";

/// An error as SQL Server sends it.
pub(crate) fn error(number: u32, text: &str) -> ServerMessage {
    ServerMessage {
        number,
        state: 1,
        severity: 16,
        text: text.into(),
        server: "sql-1".into(),
        procedure: "p".into(),
        line: 7,
    }
}

pub(crate) fn column(name: &str, sql_type: SqlType, nullable: bool) -> Column {
    Column { name: name.into(), sql_type, nullable }
}

/// A response of one result set.
pub(crate) fn rows(columns: Vec<Column>, rows: Vec<Vec<Value>>) -> Response {
    Response { results: vec![ResultSet { columns, rows, affected: None }], ..Response::default() }
}

/// Logs in `sa` with [`PASSWORD`] and answers each request by the function; nothing leaves a request open.
pub(crate) fn script(mut answer: impl FnMut(&Request) -> Option<Response> + Send + 'static) -> Script {
    Box::new(move |connection: &mut Connection, event| match event {
        Event::Login(login) if login.user == "sa" && login.password == PASSWORD => {
            connection.accept_login(Accepted { database: login.database, ..Accepted::default() });
        }
        Event::Login(login) => {
            connection.refuse_login(&error(18_456, &format!("Login failed for user '{}'.", login.user)));
        }
        Event::Request(request) => {
            if let Some(response) = answer(&request) {
                connection.respond(&response).unwrap();
            }
        }
    })
}

pub(crate) fn config(password: &str) -> Config {
    let mut config = Config::new();
    config.host("sql-1.example");
    config.database("msdb");
    config.application_name("wire test");
    config.authentication(AuthMethod::sql_server("sa", password));
    config.encryption(EncryptionLevel::NotSupported);
    config.handshake_timeout(None);
    config.command_timeout(None);
    config
}

/// A logged-in client, and its pipe.
pub(crate) fn client_in_pieces(options: Options, pieces: Pieces, script: Script) -> (Client<Pipe>, Pipe) {
    let pipe = Pipe::new(options, pieces, script);
    let client = run(Client::connect(config(PASSWORD), pipe.clone())).unwrap();
    (client, pipe)
}

/// A logged-in client of a server that answers by the function.
pub(crate) fn client(answer: impl FnMut(&Request) -> Option<Response> + Send + 'static) -> Client<Pipe> {
    client_in_pieces(Options::default(), Pieces::WHOLE, script(answer)).0
}

/// The type that holds a value, nullable.
pub(crate) fn type_of(value: &Value) -> SqlType {
    match value {
        Value::Null | Value::Int(_) => SqlType::BigInt,
        Value::Bit(_) => SqlType::Bit,
        Value::Float(_) => SqlType::Float,
        Value::Numeric { scale, .. } => SqlType::Numeric { precision: 38, scale: *scale },
        Value::Text(_) => SqlType::NVarChar(None),
        Value::Binary(_) => SqlType::VarBinary(None),
        Value::DateTime(_) => SqlType::DateTime2(7),
        Value::Guid(_) => SqlType::UniqueIdentifier,
    }
}

/// One row of the values of these parameters, under their names.
pub(crate) fn echo(parameters: &[Parameter]) -> Response {
    rows(
        parameters.iter().map(|parameter| column(&parameter.name, type_of(&parameter.value), true)).collect(),
        vec![parameters.iter().map(|parameter| parameter.value.clone()).collect()],
    )
}

/// Parameters of a query: those of `sp_executesql` behind the text and the declarations.
pub(crate) fn query_parameters(request: &Request) -> &[Parameter] {
    match request {
        Request::Rpc { procedure: Procedure::Id(10), parameters } => &parameters[2..],
        other => panic!("no sp_executesql: {other:?}"),
    }
}

/// What the client decoded, as a [`Value`].
pub(crate) fn seen(data: &ColumnData<'_>) -> Value {
    const DAY: i128 = 86_400_000_000_000;
    let option = |value: Option<Value>| value.unwrap_or(Value::Null);
    match data {
        ColumnData::U8(value) => option(value.map(|value| Value::Int(value.into()))),
        ColumnData::I16(value) => option(value.map(|value| Value::Int(value.into()))),
        ColumnData::I32(value) => option(value.map(|value| Value::Int(value.into()))),
        ColumnData::I64(value) => option(value.map(Value::Int)),
        ColumnData::F64(value) => option(value.map(Value::Float)),
        ColumnData::Bit(value) => option(value.map(Value::Bit)),
        ColumnData::String(value) => option(value.as_ref().map(|value| Value::Text(value.to_string()))),
        ColumnData::Binary(value) => option(value.as_ref().map(|value| Value::Binary(value.to_vec()))),
        ColumnData::Guid(value) => option(value.map(|value| Value::Guid(value.into_bytes()))),
        ColumnData::Numeric(value) => {
            option(value.map(|value| Value::Numeric { mantissa: value.value(), scale: value.scale() }))
        }
        ColumnData::DateTime(value) => option(value.map(|value| {
            let days = i128::from(value.days()) - 25_567;
            let milliseconds = (f64::from(value.seconds_fragments()) / 0.3).round();
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
            Value::DateTime(days * DAY + i128::from(milliseconds as i64) * 1_000_000)
        })),
        ColumnData::DateTime2(value) => option(value.map(|value| {
            let days = i128::from(value.date().days()) - 719_162;
            let units = i128::from(value.time().increments());
            Value::DateTime(days * DAY + units * 10_i128.pow(9 - u32::from(value.time().scale())))
        })),
        ColumnData::Date(value) => {
            option(value.map(|value| Value::DateTime((i128::from(value.days()) - 719_162) * DAY)))
        }
        other => panic!("no type of this front: {other:?}"),
    }
}

/// The values of one row.
pub(crate) fn seen_row(row: tiberius::Row) -> Vec<Value> {
    row.into_iter().map(|data| seen(&data)).collect()
}
