//! What does the server answer?
//!
//! Requests of a logged-in client become calls of procedures and SELECTs over the system tables that a backup tool
//! reads. Anything else is refused with SQL Server's own kind of error. It refuses to know how bytes travel.

mod applock;
mod batch;
pub(crate) mod calls;
mod convert;
pub(crate) mod encryption;
mod exec;
mod flow;
mod hints;
mod ids;
pub(crate) mod procedures;
mod query;
pub(crate) mod select;
pub(crate) mod session;
pub(crate) mod statements;
pub(crate) mod tables;
mod tokens;
pub(crate) mod value;
mod variables;

use tds::{Request, Response, TransactionRequest};

pub(crate) use variables::Variables;

use crate::{error::EngineError, sql::session::SessionId, world::World};

/// An error and the procedure that raised it.
#[derive(Debug)]
pub(crate) struct Raised {
    pub(crate) error: EngineError,
    pub(crate) procedure: String,
}

impl From<EngineError> for Raised {
    fn from(error: EngineError) -> Self {
        Self { error, procedure: String::new() }
    }
}

impl World {
    /// Answers one request of a session, now. A session that does not exist (any more) gets an error that a client sees
    /// as a broken connection would be: whoever owns the bytes should have dropped it, see [`World::is_connected`].
    pub fn execute(&mut self, session: SessionId, request: &Request) -> Response {
        let mut answer = Response::default();
        let Some(held) = self.sessions.get(&session.0) else {
            let error = EngineError::new(
                596,
                "Cannot continue the execution because the session is in the kill state.",
            );
            answer.error = Some(error.message("", ""));
            return answer;
        };
        let server =
            self.instances.get(held.instance).map(|i| i.config.name.to_uppercase()).unwrap_or_default();
        let done = match request {
            Request::Batch(text) => self.run_batch(session, text, &mut Variables::new(), &mut answer, 0),
            Request::Rpc { procedure, parameters } => {
                self.run_rpc(session, procedure, parameters, &mut answer)
            }
            Request::Transaction(transaction) => {
                self.run_transaction(session, *transaction);
                Ok(())
            }
            Request::Attention => Ok(()),
        };
        if let Err(raised) = done {
            answer.error = Some(raised.error.message(&server, &raised.procedure));
        }
        answer
    }

    pub(crate) fn run_transaction(&mut self, session: SessionId, transaction: TransactionRequest) {
        let Some(held) = self.sessions.get_mut(&session.0) else { return };
        match transaction {
            TransactionRequest::Begin => held.transactions += 1,
            TransactionRequest::Commit => held.transactions = held.transactions.saturating_sub(1),
            TransactionRequest::Rollback => held.transactions = 0,
        }
        let (ended, instance) = (held.transactions == 0, held.instance);
        if let Some(host) = self.instances.get_mut(instance).filter(|_| ended) {
            host.release_locks(session.0, true);
        }
    }
}
