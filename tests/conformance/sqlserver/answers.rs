//! A server that answers from a script, and words to write one with.

use std::collections::VecDeque;

use ports::Fault;
use tds::{Column, Parameter, Procedure, Request, Response, ResultSet, ServerMessage, SqlType, Value};

use crate::wire::{PASSWORD, Reply, Server};

/// Answers in order, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) replies: VecDeque<Reply>,
    pub(crate) seen: Vec<Request>,
    pub(crate) refusal: Option<ServerMessage>,
}

impl Script {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: replies.into_iter().collect(), ..Self::default() }
    }
}

impl Server for Script {
    fn login(&mut self, login: &tds::Login) -> Result<(), ServerMessage> {
        assert_eq!((login.user.as_str(), login.database.as_str()), ("admin", "master"));
        assert_eq!(login.application, "bakproof");
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        self.seen.push(request.clone());
        self.replies.pop_front().expect("the script has a reply for each request")
    }
}

/// A column with its type.
pub(crate) fn column(name: &str, sql_type: SqlType) -> Column {
    Column { name: name.to_owned(), sql_type, nullable: true }
}

/// A text.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A moment as days and seconds after 1970-01-01.
pub(crate) fn moment(days: i128, seconds: i128) -> Value {
    Value::DateTime((days * 86_400 + seconds) * 1_000_000_000)
}

/// A result set.
pub(crate) fn rows(columns: &[(&str, SqlType)], rows: Vec<Vec<Value>>) -> ResultSet {
    let columns = columns.iter().map(|(name, kind)| column(name, *kind)).collect();
    ResultSet { columns, rows, affected: None }
}

/// An answer of one result set.
pub(crate) fn answer(set: ResultSet) -> Reply {
    Reply::Answer(Response { results: vec![set], ..Response::default() })
}

/// An answer of a procedure that returns nothing but a status.
pub(crate) fn status(status: Option<i32>) -> Reply {
    Reply::Answer(Response { status, ..Response::default() })
}

/// A message with a number, a severity and a text.
pub(crate) fn message(number: u32, severity: u8, text: &str) -> ServerMessage {
    ServerMessage {
        number,
        state: 1,
        severity,
        text: text.to_owned(),
        server: "sales".to_owned(),
        procedure: String::new(),
        line: 1,
    }
}

/// An answer that is an error.
pub(crate) fn error(number: u32, severity: u8, text: &str) -> Reply {
    Reply::Answer(Response { error: Some(message(number, severity, text)), ..Response::default() })
}

/// A fault in one word, and the reason's class and name.
pub(crate) fn word(fault: &Fault) -> String {
    assert!(!fault.to_string().contains(PASSWORD), "{fault}");
    match fault {
        Fault::Transient(_) => "transient".to_owned(),
        Fault::UnknownOutcome(_) => "unknown".to_owned(),
        Fault::Refused(reason) => format!("{} {}", reason.class, reason.name),
    }
}

/// Name and parameters of a call by name.
pub(crate) fn call(request: &Request) -> (&str, Vec<(&str, &Value)>) {
    let found = match request {
        Request::Rpc { procedure: Procedure::Name(name), parameters } => {
            Some((name.as_str(), named(parameters)))
        }
        _ => None,
    };
    found.expect("a call by name")
}

/// Statement and parameters of `sp_executesql`; the declaration of the parameters is left out.
pub(crate) fn statement(request: &Request) -> (&str, Vec<(&str, &Value)>) {
    let found = match request {
        Request::Rpc { procedure: Procedure::Id(10), parameters } => match parameters.as_slice() {
            [Parameter { value: Value::Text(statement), .. }, _, rest @ ..] => {
                Some((statement.as_str(), named(rest)))
            }
            _ => None,
        },
        _ => None,
    };
    found.expect("a statement with parameters")
}

fn named(parameters: &[Parameter]) -> Vec<(&str, &Value)> {
    parameters.iter().map(|parameter| (parameter.name.as_str(), &parameter.value)).collect()
}
