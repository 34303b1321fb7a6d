//! What happens on one connection? Sends a statement or a procedure call, drains everything the server says, and turns
//! failures into faults.
//!
//! Knows no statement and no procedure: those are in the file of the port they serve. One request at a time, in autocommit;
//! the driver's own rule is that an answer has to be read to its end before the connection is used again.
//!
//! A session that is dropped gives its connection back only when nothing about it is in doubt: every request was answered
//! to its end and without an error, none is under way, no application lock is or may be held. Anything else closes it,
//! and the server lets go of what it held. The driver can not ask for `sp_reset_connection`; there is nothing to reset,
//! because no request here leaves anything in a session but locks.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use domain::reason::Reason;
use futures_util::TryStreamExt;
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use tiberius::error::Error;
use tiberius::{Client, Command, CommandItem, QueryItem, Row, ToSql};

use crate::cells::Cells;
use crate::errors::{self, Effect};
use crate::grants;
use crate::keep::{self, Place, Shelf};
use crate::meter::{Meter, Traffic};
use crate::patience::within;

/// A connection that is logged in.
pub(crate) struct Line<S: AsyncRead + AsyncWrite + Unpin + Send> {
    client: Client<Meter<S>>,
    traffic: Traffic,
    /// As whom.
    user: Arc<str>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Line<S> {
    pub(crate) fn new(client: Client<Meter<S>>, traffic: Traffic, user: &str) -> Self {
        Self { client, traffic, user: user.into() }
    }
}

/// Where a connection goes when its session is dropped.
pub(crate) struct Home<S: AsyncRead + AsyncWrite + Unpin + Send> {
    pub(crate) shelf: Shelf<Line<S>>,
    pub(crate) place: Place,
}

/// A logged-in session on a stream.
pub struct Session<S: AsyncRead + AsyncWrite + Unpin + Send> {
    /// `None` once it is of no use: what was not read to its end stands between any request and its answer.
    line: Option<Line<S>>,
    /// Patience for a request and its whole answer.
    patience: Option<Duration>,
    home: Option<Home<S>>,
    /// A request is under way, or whoever waited for it has gone.
    asking: bool,
    /// Application locks that are or may be held, as often as they were asked for: the server counts.
    locks: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> fmt::Debug for Session<S> {
    /// Without the driver's state, which holds whatever was received last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("asking", &self.asking)
            .field("locks", &self.locks)
            .finish_non_exhaustive()
    }
}

/// A SELECT with its parameters as `@P1`, `@P2`, ...; never with a value in its text.
pub(crate) struct Select<'a> {
    /// What it reads, for messages.
    pub(crate) table: &'static str,
    /// The statement.
    pub(crate) text: &'a str,
}

/// Asks nothing: an answer shows that somebody is there.
const PROBE: Select<'static> = Select { table: "probe", text: "SELECT 1 AS alive" };

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(crate) fn new(line: Line<S>, patience: Option<Duration>, home: Option<Home<S>>) -> Self {
        Self { line: Some(line), patience, home, asking: false, locks: Vec::new() }
    }

    /// Whether the server answers, and soon.
    pub(crate) async fn is_alive(&mut self, soon: Duration) -> bool {
        let patience = self.patience.replace(soon);
        let answered = self.select(&PROBE, &[], |cells| cells.some_int::<i64>("alive")).await;
        self.patience = patience;
        answered.is_ok()
    }

    /// An application lock may be held from now on.
    pub(crate) fn may_hold(&mut self, resource: &str) {
        self.locks.push(resource.to_owned());
    }

    /// One is certainly not held any more, or never was.
    pub(crate) fn holds_not(&mut self, resource: &str) {
        if let Some(at) = self.locks.iter().position(|lock| lock == resource) {
            self.locks.swap_remove(at);
        }
    }

    /// Runs a SELECT and reads its rows. The answer is drained even when a row cannot be read; then the first such row
    /// is the refusal.
    pub(crate) async fn select<T>(
        &mut self,
        select: &Select<'_>,
        parameters: &[&dyn ToSql],
        mut read: impl FnMut(&mut Cells<'_>) -> Result<T, Reason>,
    ) -> Result<Vec<T>, Fault> {
        let patience = self.patience;
        let line = self.begin()?;
        let before = line.traffic.sent();
        let asked = within(patience, async {
            let mut answer = line.client.query(select.text, parameters).await?;
            let mut rows = Ok(Vec::new());
            while let Some(item) = answer.try_next().await? {
                if let (QueryItem::Row(row), Ok(read_rows)) = (item, &mut rows) {
                    match read(&mut Cells::new(select.table, &row)) {
                        Ok(value) => read_rows.push(value),
                        Err(reason) => rows = Err(Fault::Refused(reason)),
                    }
                }
            }
            Ok(rows)
        });
        let asked = asked.await;
        self.end(asked, Effect::Read, before)?
    }

    /// Calls a procedure by name, shows every row of every result set to `see`, and returns the return status, where the
    /// server sent one.
    pub(crate) async fn call(
        &mut self,
        command: Command<'_>,
        effect: Effect,
        mut see: impl FnMut(&Row),
    ) -> Result<Option<i32>, Fault> {
        let patience = self.patience;
        let line = self.begin()?;
        let before = line.traffic.sent();
        let asked = within(patience, async {
            let mut answer = command.exec(&mut line.client).await?;
            let mut status = None;
            while let Some(item) = answer.try_next().await? {
                match item {
                    CommandItem::Row(row) => see(&row),
                    // The wire has a signed number; the driver hands over its bits.
                    CommandItem::ReturnStatus(bits) => status = Some(bits.cast_signed()),
                    CommandItem::Metadata(_) | CommandItem::ReturnValue(_) | CommandItem::RowsAffected(_) => {
                    }
                }
            }
            Ok(status)
        });
        let asked = asked.await;
        self.end(asked, effect, before)
    }

    /// The connection, for one request. `Transient` when there is none any more, or when an earlier request was given up
    /// half-way: nothing is sent then.
    fn begin(&mut self) -> Result<&mut Line<S>, Fault> {
        if self.asking {
            self.line = None;
        }
        let over = || Fault::Transient("the session is over: an earlier request failed".to_owned());
        let line = self.line.as_mut().ok_or_else(over)?;
        // `end` says what became of it, if anybody is left to hear.
        self.asking = true;
        line.traffic.allow();
        Ok(line)
    }

    /// Judges how a request ended; `None`: patience did. `before`: bytes that had left before it.
    fn end<T>(&mut self, asked: Option<Result<T, Error>>, effect: Effect, before: u64) -> Result<T, Fault> {
        let error = match asked {
            Some(Ok(answer)) => {
                self.asking = false;
                return Ok(answer);
            }
            Some(Err(error)) => error,
            None => Error::Io {
                kind: ErrorKind::TimedOut,
                message: format!("the answer took longer than {:?}", self.patience.unwrap_or_default()),
            },
        };
        let sent = self.line.as_ref().is_some_and(|line| line.traffic.sent() > before);
        let goes_on = matches!(&error, Error::Server(token) if !errors::ends_session(token));
        let fault = errors::of_request(error, effect, sent);
        if goes_on {
            self.asking = false;
            // It can be asked on, but what the refusal left unread is not for another invocation.
            self.home = None;
            let user = self.line.as_ref().map(|line| Arc::clone(&line.user));
            return Err(grants::explained(fault, user.as_deref().unwrap_or_default()));
        }
        self.line = None;
        Err(fault)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Drop for Session<S> {
    fn drop(&mut self) {
        let doubtful = self.asking || !self.locks.is_empty() || std::thread::panicking();
        if let (false, Some(line), Some(home)) = (doubtful, self.line.take(), self.home.take()) {
            home.shelf.put(line, home.place, keep::now());
        }
    }
}
