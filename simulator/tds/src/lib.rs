//! A TDS 7.4 server front without I/O: bytes in, bytes out.
//!
//! It knows packets, tokens and types of MS-TDS and nothing of backups. A [`Connection`] is fed the bytes a client
//! sent, yields [`Request`]s, and is handed one [`Response`] for each; the bytes to send back are taken from it. Whoever
//! owns it decides when time passes and over what the bytes travel: an in-memory pipe, a socket, a test vector.

mod connection;
mod error;
mod headers;
pub mod limits;
mod login;
mod message;
mod options;
mod packet;
mod prelogin;
mod read;
mod requests;
mod response;
mod rpc;
mod token;
mod transaction;
mod types;
mod value;
mod write;

pub use connection::Connection;
pub use error::{EncodeError, ProtocolError, ValueError};
pub use login::{Login, TdsVersion};
pub use message::{Parameter, Procedure, Request, Response, ResultSet, ServerMessage, TransactionRequest};
pub use options::{Accepted, Event, Options, SessionChange};
pub use packet::Reset;
pub use prelogin::{Encryption, Transport};
pub use types::code_page::{Collation, SQL_LATIN1_GENERAL_CP1_CI_AS};
pub use value::{Column, SqlType, Value};
