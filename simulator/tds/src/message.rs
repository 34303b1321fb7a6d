//! What travels once the bytes are understood: requests of a client, responses of a server.

use crate::value::{Column, Value};

/// One request of a logged-in client. MS-TDS 2.2.1.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A SQL batch: the text as sent. MS-TDS 2.2.6.7.
    Batch(String),
    /// A remote procedure call. MS-TDS 2.2.6.6.
    Rpc {
        /// Which procedure.
        procedure: Procedure,
        /// Its parameters, in the order sent.
        parameters: Vec<Parameter>,
    },
    /// A transaction manager request: begin (5), commit (7), rollback (8). MS-TDS 2.2.6.9. The connection answers the
    /// ENVCHANGE itself when the response carries no error; the owner keeps the session's transaction count.
    Transaction(TransactionRequest),
    /// The client asked to give up the running request. MS-TDS 2.2.6.1. The owner drops what it was doing and responds
    /// with an empty [`Response`]; the connection adds the attention acknowledgement.
    Attention,
}

/// What a transaction manager request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionRequest {
    /// `TM_BEGIN_XACT`.
    Begin,
    /// `TM_COMMIT_XACT`.
    Commit,
    /// `TM_ROLLBACK_XACT`.
    Rollback,
}

/// How a remote procedure call names its procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Procedure {
    /// By name, as sent: `msdb.dbo.rds_backup_database`.
    Name(String),
    /// By the number of a well-known procedure: 10 `sp_executesql`, 11 to 15 the prepared family.
    Id(u16),
}

/// One parameter of a remote procedure call.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name with its `@`, as sent; empty when the parameter is positional.
    pub name: String,
    /// Whether the caller wants the value back.
    pub output: bool,
    /// The value sent.
    pub value: Value,
}

/// What the owner answers to one request, in the order it is written: messages, result sets, outputs, status, error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    /// Informational messages (PRINT, severity 10 and below), sent before the result sets.
    pub messages: Vec<ServerMessage>,
    /// Result sets, each ended by DONE (batch) or DONEINPROC (procedure).
    pub results: Vec<ResultSet>,
    /// Values of output parameters, by name with `@`.
    pub outputs: Vec<(String, Value)>,
    /// Return status of a procedure; batches leave it empty.
    pub status: Option<i32>,
    /// The error the request ended with, after whatever came before it.
    pub error: Option<ServerMessage>,
}

/// Rows under their columns, or the bare count of a statement that returns none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResultSet {
    /// Columns, empty for a statement without rows.
    pub columns: Vec<Column>,
    /// Rows; every row has one value per column.
    pub rows: Vec<Vec<Value>>,
    /// Rows a statement without a result touched, when it says so.
    pub affected: Option<u64>,
}

/// An ERROR (severity above 10) or INFO token. MS-TDS 2.2.7.10 and 2.2.7.13.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMessage {
    /// Message number, such as 229 or 50000.
    pub number: u32,
    /// State.
    pub state: u8,
    /// Severity.
    pub severity: u8,
    /// Text.
    pub text: String,
    /// Server name.
    pub server: String,
    /// Procedure it was raised in, or empty.
    pub procedure: String,
    /// Line, from 1.
    pub line: u32,
}
