//! What happens on one connection? Sends a statement or a procedure call, drains everything the server says, and turns
//! failures into faults.
//!
//! Knows no statement and no procedure: those are in the file of the port they serve. One request at a time, in autocommit;
//! the driver's own rule is that an answer has to be read to its end before the connection is used again.

use std::fmt;

use domain::reason::Reason;
use futures_util::TryStreamExt;
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use tiberius::{Client, Command, CommandItem, QueryItem, Row, ToSql};

use crate::cells::Cells;
use crate::errors::{self, Effect};
use crate::meter::{Meter, SentBytes};

/// A logged-in session on a stream.
pub struct Session<S: AsyncRead + AsyncWrite + Unpin + Send> {
    client: Client<Meter<S>>,
    sent: SentBytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> fmt::Debug for Session<S> {
    /// Without the driver's state, which holds whatever was received last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("sent", &self.sent).finish_non_exhaustive()
    }
}

/// A SELECT with its parameters as `@P1`, `@P2`, ...; never with a value in its text.
pub(crate) struct Select<'a> {
    /// What it reads, for messages.
    pub(crate) table: &'static str,
    /// The statement.
    pub(crate) text: &'a str,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(crate) fn new(client: Client<Meter<S>>, sent: SentBytes) -> Self {
        Self { client, sent }
    }

    /// Runs a SELECT and reads its rows. The answer is drained even when a row cannot be read; then the first such row
    /// is the refusal.
    pub(crate) async fn select<T>(
        &mut self,
        select: &Select<'_>,
        parameters: &[&dyn ToSql],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, Reason>,
    ) -> Result<Vec<T>, Fault> {
        let (before, sent) = (self.sent.count(), self.sent.clone());
        let fault = |error| errors::of_request(error, Effect::Read, sent.count() > before);
        let mut answer = self.client.query(select.text, parameters).await.map_err(&fault)?;
        let mut rows = Ok(Vec::new());
        while let Some(item) = answer.try_next().await.map_err(&fault)? {
            if let (QueryItem::Row(row), Ok(read_rows)) = (item, &mut rows) {
                match read(&mut Cells::new(select.table, &row)) {
                    Ok(value) => read_rows.push(value),
                    Err(reason) => rows = Err(Fault::Refused(reason)),
                }
            }
        }
        rows
    }

    /// Calls a procedure by name, shows every row of every result set to `see`, and returns the return status, where the
    /// server sent one.
    pub(crate) async fn call(
        &mut self,
        command: Command<'_>,
        effect: Effect,
        mut see: impl FnMut(&Row),
    ) -> Result<Option<i32>, Fault> {
        let (before, sent) = (self.sent.count(), self.sent.clone());
        let fault = |error| errors::of_request(error, effect, sent.count() > before);
        let mut answer = command.exec(&mut self.client).await.map_err(&fault)?;
        let mut status = None;
        while let Some(item) = answer.try_next().await.map_err(&fault)? {
            match item {
                CommandItem::Row(row) => see(&row),
                // The wire has a signed number; the driver hands over its bits.
                CommandItem::ReturnStatus(bits) => status = Some(bits.cast_signed()),
                CommandItem::Metadata(_) | CommandItem::ReturnValue(_) | CommandItem::RowsAffected(_) => {}
            }
        }
        Ok(status)
    }
}
