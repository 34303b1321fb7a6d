//! Logging in: accepted, refused, refused for want of encryption, and what the owner is told.

use std::sync::{Arc, Mutex};

use tds::{Accepted, Encryption, Event, Login, Options, ProtocolError, Response, SessionChange, TdsVersion};
use tiberius::{Client, EncryptionLevel};

use crate::{
    pipe::{Pieces, Pipe, run},
    server::{PASSWORD, client_in_pieces, config, script},
};

#[test]
fn the_owner_is_told_who_logs_in() {
    let told: Arc<Mutex<Option<Login>>> = Arc::default();
    let keep = Arc::clone(&told);
    let script = Box::new(move |connection: &mut tds::Connection, event| {
        if let Event::Login(login) = event {
            *keep.lock().unwrap() = Some(login);
            connection.accept_login(Accepted::default());
        }
    });
    client_in_pieces(Options::default(), Pieces::WHOLE, script);
    let login = told.lock().unwrap().take().unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("sa", PASSWORD));
    assert_eq!((login.database.as_str(), login.application.as_str()), ("msdb", "wire test"));
    assert_eq!((login.version, login.packet_bytes, login.integrated), (TdsVersion::V7_4, Some(4_096), false));
}

#[test]
fn a_refusal_reaches_the_client() {
    let pipe = Pipe::new(Options::default(), Pieces::WHOLE, script(|_| None));
    match run(Client::connect(config("wrong"), pipe)) {
        Err(tiberius::error::Error::Server(error)) => {
            assert_eq!((error.code(), error.message()), (18_456, "Login failed for user 'sa'."));
            assert_eq!((error.class(), error.state(), error.line()), (16, 1, 7));
        }
        other => panic!("{:?}", other.map(|_| "logged in")),
    }
}

#[test]
fn a_client_that_demands_encryption_is_refused_by_the_protocol() {
    let pipe = Pipe::new(Options::default(), Pieces::WHOLE, script(|_| None));
    let mut config = config(PASSWORD);
    config.encryption(EncryptionLevel::Required);
    let refusal = run(Client::connect(config, pipe.clone())).err().unwrap();
    assert!(refusal.to_string().contains("does not allow the requested encryption level"), "{refusal}");
    assert_eq!(pipe.failure(), Some(ProtocolError::Encryption { asked: 3, server: "not supported" }));
}

#[test]
fn a_client_without_encryption_is_refused_where_it_is_required() {
    let options = Options { encryption: Encryption::On, ..Options::default() };
    let pipe = Pipe::new(options, Pieces::WHOLE, script(|_| None));
    assert!(run(Client::connect(config(PASSWORD), pipe.clone())).is_err());
    assert_eq!(pipe.failure(), Some(ProtocolError::Encryption { asked: 2, server: "on" }));
}

#[test]
fn bytes_may_come_one_by_one() {
    let pieces = Pieces { to_server: 1, to_client: 1 };
    let (mut client, pipe) =
        client_in_pieces(Options::default(), pieces, script(|_| Some(Response::default())));
    assert!(run(client.simple_query("x")).is_ok());
    assert_eq!(pipe.failure(), None);
}

#[test]
fn a_change_of_database_reaches_the_client_with_the_next_response() {
    let script = Box::new(|connection: &mut tds::Connection, event| match event {
        Event::Login(_) => connection.accept_login(Accepted::default()),
        Event::Request(_) => {
            connection.note(SessionChange::Database("other".into()));
            connection.note(SessionChange::TransactionBegun);
            connection.respond(&Response::default()).unwrap();
        }
    });
    let (mut client, _) = client_in_pieces(Options::default(), Pieces::WHOLE, script);
    run(async { client.simple_query("USE other; BEGIN TRAN").await.unwrap().into_results().await.unwrap() });
}
