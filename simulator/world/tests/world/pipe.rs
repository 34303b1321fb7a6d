//! tiberius, unchanged, over an in-memory pipe into the TDS front and a world.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use tds::{Accepted, Connection, Event, Options};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel, Row};
use world::{SessionId, World};

pub(crate) use crate::bytes::run;
use crate::{
    bytes::{self, Pieces},
    lab::Lab,
};

/// A world that clients log in to, one after the other.
#[derive(Clone)]
pub(crate) struct Pipe(Arc<Mutex<World>>);

/// What the world does with an event of a connection.
fn answer(world: &mut World, session: &mut Option<SessionId>, connection: &mut Connection, event: Event) {
    match event {
        Event::Login(login) => match world.connect("prod", &login.user, &login.password) {
            Ok(opened) => {
                *session = Some(opened);
                connection.accept_login(Accepted::default());
            }
            Err(refusal) => connection.refuse_login(&refusal),
        },
        Event::Request(request) => {
            let answer = world.execute(session.unwrap(), &request);
            connection.respond(&answer).unwrap();
        }
    }
}

pub(crate) fn config(password: &str) -> Config {
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server("admin", password));
    config.encryption(EncryptionLevel::NotSupported);
    config.command_timeout(None);
    config.handshake_timeout(None);
    config
}

impl Pipe {
    /// A pipe into the world of a lab.
    pub(crate) fn into(lab: Lab) -> Self {
        Self(Arc::new(Mutex::new(lab.world)))
    }

    /// The client's end of a connection to a server that has heard nothing yet.
    pub(crate) fn connect(&self) -> bytes::Pipe {
        let (world, mut session) = (Arc::clone(&self.0), None);
        let script = move |connection: &mut Connection, event| {
            answer(&mut world.lock().unwrap(), &mut session, connection, event);
        };
        bytes::Pipe::new(Options::default(), Pieces::WHOLE, Box::new(script))
    }

    /// The server's end of a connection, for who has the client's bytes.
    pub(crate) fn raw(&self) -> Raw {
        Raw { world: Arc::clone(&self.0), session: None, connection: Connection::new(Options::default()) }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Lets time pass; the moment that it is then.
    pub(crate) fn wait(&self, seconds: i64) -> Timestamp {
        let mut world = self.world();
        let to = world.now() + SignedDuration::from_secs(seconds);
        world.advance_to(to);
        to
    }

    /// A client that has logged in.
    pub(crate) fn client(&self) -> Wired {
        let client = run(async { Box::pin(Client::connect(config("simulated"), self.connect())).await });
        Wired { pipe: self.clone(), client: client.unwrap() }
    }
}

/// A connection without a client.
pub(crate) struct Raw {
    world: Arc<Mutex<World>>,
    session: Option<SessionId>,
    connection: Connection,
}

impl Raw {
    /// The bytes that bytes are answered with.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.connection.receive(bytes);
        while let Some(event) = self.connection.next_event().unwrap() {
            answer(&mut self.world.lock().unwrap(), &mut self.session, &mut self.connection, event);
        }
        self.connection.take_output()
    }
}

/// A client of tiberius and the world at the other end.
pub(crate) struct Wired {
    pub(crate) pipe: Pipe,
    client: Client<bytes::Pipe>,
}

impl Wired {
    /// The rows of the first result of a batch, or number and text of the error.
    pub(crate) fn rows(&mut self, sql: &str) -> Result<Vec<Row>, (u32, String)> {
        let answer = run(async {
            match self.client.simple_query(sql).await {
                Ok(stream) => stream.into_first_result().await,
                Err(error) => Err(error),
            }
        });
        answer.map_err(|error| match error {
            tiberius::error::Error::Server(token) => (token.code(), token.message().to_owned()),
            other => panic!("{sql}: {other}"),
        })
    }

    /// The text of the error that a batch is answered with.
    pub(crate) fn error(&mut self, sql: &str) -> String {
        match self.rows(sql) {
            Ok(rows) => panic!("{sql} is answered with {} rows", rows.len()),
            Err((_, text)) => text,
        }
    }

    /// The texts of `task_info` of the task that a batch queues, when it has ended: each behind its time.
    pub(crate) fn info(&mut self, sql: &str) -> String {
        let id = self.rows(sql).unwrap()[0].get::<i32, _>("task_id").unwrap();
        self.pipe.wait(3_600);
        let status = format!("SELECT lifecycle, task_info FROM msdb.dbo.rds_fn_task_status(NULL, {id})");
        let row = self.rows(&status).unwrap().remove(0);
        assert!(
            matches!(row.get("lifecycle"), Some("ERROR" | "SUCCESS" | "CANCELLED")),
            "{sql} has not ended"
        );
        row.get::<&str, _>("task_info").unwrap().to_owned()
    }
}
