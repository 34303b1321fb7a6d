//! What does an owner set, hear and tell? The plain values around [`Connection`](crate::Connection).
//!
//! Refuses to know how they travel.

use crate::{
    limits::PACKET_BYTES_DEFAULT,
    login::Login,
    message::Request,
    prelogin::Encryption,
    types::code_page::{Collation, SQL_LATIN1_GENERAL_CP1_CI_AS},
};

/// How the server presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Name in the messages of the login.
    pub server_name: String,
    /// Instance; `MSSQLServer` is taken as well. Clients that ask for another are told so.
    pub instance: String,
    /// Product name in LOGINACK.
    pub program: String,
    /// Major, minor, build high, build low: 16.0.4215 is `[16, 0, 0x10, 0x77]`.
    pub version: [u8; 4],
    /// Packet size for clients that leave it to the server, in bytes; brought within 512 to 32,767.
    pub packet_size_default: u32,
    /// The session's number (SPID), in every packet header.
    pub session_id: u16,
    /// Collation of the server, of all columns and of varchar.
    pub collation: Collation,
    /// What the server does about encryption.
    pub encryption: Encryption,
}

impl Default for Options {
    /// SQL Server 2022 without TLS: 16.0.4215, named `localhost`.
    fn default() -> Self {
        Self {
            server_name: "localhost".into(),
            instance: "MSSQLSERVER".into(),
            program: "Microsoft SQL Server".into(),
            version: [16, 0, 0x10, 0x77],
            packet_size_default: PACKET_BYTES_DEFAULT,
            session_id: 51,
            collation: SQL_LATIN1_GENERAL_CP1_CI_AS,
            encryption: Encryption::NotSupported,
        }
    }
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one event at a time and it is taken apart where it is told"
)]
pub enum Event {
    /// To log in. Answered by [`accept_login`](crate::Connection::accept_login) or
    /// [`refuse_login`](crate::Connection::refuse_login).
    Login(Login),
    /// An answer. Given by [`respond`](crate::Connection::respond).
    Request(Request),
}

/// What a login gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Database it starts in.
    pub database: String,
    /// Its language.
    pub language: String,
}

impl Default for Accepted {
    /// `master` in `us_english`.
    fn default() -> Self {
        Self { database: "master".into(), language: "us_english".into() }
    }
}

/// A change that a statement made to the session. Clients keep it: ENVCHANGE, MS-TDS 2.2.7.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// `USE`: the session is in another database now. Also sends message 5701.
    Database(String),
    /// `BEGIN TRANSACTION` in a batch. Nested ones may be noted; only the outermost is told.
    TransactionBegun,
    /// `COMMIT` in a batch.
    TransactionCommitted,
    /// `ROLLBACK` in a batch.
    TransactionRolledBack,
}
