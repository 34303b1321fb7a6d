//! Who is connected?

use std::collections::BTreeMap;

use tds::ServerMessage;

use crate::{
    error::EngineError,
    sql::{ids::Prepared, tables::databases::database_number},
    world::World,
};

/// A session of a client. Numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// What the server keeps of a session.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) instance: usize,
    /// Current database.
    pub(crate) database: String,
    /// The database that the login asked for.
    initial: String,
    /// `@@TRANCOUNT`.
    pub(crate) transactions: u32,
    pub(crate) prepared: BTreeMap<i64, Prepared>,
    pub(crate) next_handle: i64,
}

impl World {
    /// Logs a client in. Errors: 18456 for a wrong login, 17187 while the instance is down ([`World::is_reachable`] tells
    /// beforehand; a real client would not even get a connection).
    pub fn connect(
        &mut self,
        instance: &str,
        user: &str,
        password: &str,
    ) -> Result<SessionId, ServerMessage> {
        let refuse = |error: EngineError| error.message(&instance.to_uppercase(), "");
        let failed = || refuse(EngineError::new(18_456, format!("Login failed for user '{user}'.")));
        let index = self.index_of(instance).ok_or_else(failed)?;
        let host = self.instances.get(index).ok_or_else(failed)?;
        if host.down_until.is_some() {
            let text = "SQL Server is not ready to accept new client connections. Wait a few minutes before trying again.";
            return Err(refuse(EngineError::new(17_187, text)));
        }
        if !host.config.user.eq_ignore_ascii_case(user) || host.config.password != password {
            return Err(failed());
        }
        self.session_serial += 1;
        let session = Session {
            instance: index,
            database: "master".into(),
            initial: "master".into(),
            transactions: 0,
            prepared: BTreeMap::new(),
            next_handle: 1,
        };
        self.sessions.insert(self.session_serial, session);
        Ok(SessionId(self.session_serial))
    }

    /// Ends a session; its locks are released.
    pub fn disconnect(&mut self, session: SessionId) {
        let Some(held) = self.sessions.remove(&session.0) else { return };
        if let Some(host) = self.instances.get_mut(held.instance) {
            host.release_locks(session.0, false);
        }
    }

    /// Makes a database the current one, as a login asks for it. Error 4060 where there is none; the login has failed then.
    pub fn enter(&mut self, session: SessionId, database: &str) -> Result<(), ServerMessage> {
        let Some(instance) = self.sessions.get(&session.0).map(|held| held.instance) else { return Ok(()) };
        if database_number(self, instance, database).is_none() {
            let server =
                self.instances.get(instance).map(|host| host.config.name.to_uppercase()).unwrap_or_default();
            let text =
                format!("Cannot open database \"{database}\" requested by the login. The login failed.");
            return Err(EngineError::new(4060, text).message(&server, ""));
        }
        if let Some(held) = self.sessions.get_mut(&session.0) {
            database.clone_into(&mut held.database);
            database.clone_into(&mut held.initial);
        }
        Ok(())
    }

    /// Starts a session afresh, as connection pools ask for: locks are given up, the database is that of the login, and so is a
    /// transaction unless it is to stay. MS-TDS 2.2.3.1.2.
    pub fn reset(&mut self, session: SessionId, keeps_transaction: bool) {
        let Some(held) = self.sessions.get_mut(&session.0) else { return };
        held.database.clone_from(&held.initial);
        held.prepared.clear();
        if !keeps_transaction {
            held.transactions = 0;
        }
        let instance = held.instance;
        if let Some(host) = self.instances.get_mut(instance).filter(|_| !keeps_transaction) {
            host.release_locks(session.0, false);
        }
    }

    /// The database that a session is in.
    pub fn session_database(&self, session: SessionId) -> Option<&str> {
        self.sessions.get(&session.0).map(|s| s.database.as_str())
    }

    /// Whether a session still exists: a failover ends all of an instance.
    pub fn is_connected(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session.0)
    }

    /// Whether an instance accepts connections now.
    pub fn is_reachable(&self, instance: &str) -> bool {
        self.index_of(instance).and_then(|i| self.instances.get(i)).is_some_and(|i| i.down_until.is_none())
    }
}
