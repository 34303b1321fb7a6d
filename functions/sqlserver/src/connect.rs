//! Who opens a session, and as whom? Endpoint to stream, secret to login, stream to session.
//!
//! Refuses to know sockets and secret stores: [`Connect`] and [`Credentials`] are handed in, so the same adapter talks
//! over a network or over a pipe inside one process.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::{Endpoint, OpenSession};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};

use crate::errors::login::{Attempt, LOGIN_FAILED};
use crate::keep::{self, Keep, Logins, Place, Shelf};
use crate::meter::Meter;
use crate::options::{Encryption, Options};
use crate::session::{Home, Line, Session};

/// The database of every session. Application locks belong to a database, so all sessions have to be in the same one,
/// whatever the login's default is.
const DATABASE: &str = "master";

/// Patience for a sign of life of a session that rested: it answers in a round trip or never.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens the byte stream to an endpoint.
pub trait Connect {
    /// The stream. The driver asks for `Send`; nothing here moves it between threads.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;
    /// Connects. `Transient` when nobody answers.
    async fn connect(&self, endpoint: &Endpoint) -> Result<Self::Stream, Fault>;
    /// The address at the other end. Sessions on a stream without one are not kept.
    fn peer(&self, _stream: &Self::Stream) -> Option<SocketAddr> {
        None
    }
    /// Whether the endpoint's name still leads to this address.
    async fn leads_to(&self, _endpoint: &Endpoint, _peer: SocketAddr) -> bool {
        false
    }
}

/// Reads a secret.
pub trait Credentials {
    /// User and password behind an ARN.
    async fn credentials(&self, secret_arn: &str) -> Result<Login, Fault>;
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one who has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// A SQL Server login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Name of the login.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// Opens sessions on SQL Server instances. Clones share what is kept between invocations.
pub struct SqlServer<C: Connect, K> {
    connect: C,
    credentials: K,
    options: Options,
    kept: Option<Kept<C>>,
}

/// What is kept, and how long.
struct Kept<C: Connect> {
    keep: Keep,
    shelf: Shelf<Line<C::Stream>>,
    logins: Logins,
}

impl<C: Connect> Clone for Kept<C> {
    fn clone(&self) -> Self {
        Self { keep: self.keep, shelf: self.shelf.clone(), logins: self.logins.clone() }
    }
}

impl<C: Connect + Clone, K: Clone> Clone for SqlServer<C, K> {
    fn clone(&self) -> Self {
        Self {
            connect: self.connect.clone(),
            credentials: self.credentials.clone(),
            options: self.options.clone(),
            kept: self.kept.clone(),
        }
    }
}

impl<C: Connect, K> fmt::Debug for SqlServer<C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlServer").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<C: Connect, K> SqlServer<C, K> {
    /// An adapter over these streams, as these logins. One for a whole process: it keeps what a next invocation can use.
    pub fn new(connect: C, credentials: K, options: Options) -> Self {
        let kept = options.keep.map(|keep| Kept { keep, shelf: Shelf::new(keep), logins: Logins::default() });
        Self { connect, credentials, options, kept }
    }
}

impl<C: Connect, K: Credentials> OpenSession for SqlServer<C, K> {
    type Session = Session<C::Stream>;

    async fn open(&self, endpoint: &Endpoint) -> Result<Self::Session, Fault> {
        if let Some(session) = self.rested(endpoint).await {
            return Ok(session);
        }
        let arn = &endpoint.secret_arn;
        // The secret first: a connection that waits for it would run into the server's own login timeout.
        let known = self.kept.as_ref().and_then(|kept| kept.logins.get(arn, kept.keep, keep::now()));
        let login = match known {
            Some(login) => login,
            None => self.credentials.credentials(arn).await?,
        };
        // Boxed: twice a future of many kilobytes.
        let refused = match Box::pin(self.log_in(endpoint, &login)).await {
            Err(refused) if refused.may_be_rotated => refused,
            entered => return entered.map_err(|refused| refused.fault),
        };
        if let Some(kept) = &self.kept {
            kept.logins.forget(arn);
        }
        // The password may have been rotated since the secret was read. Once only, and not with the same one: every
        // failure counts towards a lockout.
        let again = self.credentials.credentials(arn).await?;
        if again == login {
            return Err(refused.fault);
        }
        Box::pin(self.log_in(endpoint, &again)).await.map_err(|refused| refused.fault)
    }
}

/// Why nobody was let in.
struct Refused {
    fault: Fault,
    /// The server knows no such user and password: it does not tell which of the two.
    may_be_rotated: bool,
}

impl<C: Connect, K> SqlServer<C, K> {
    /// The session that rests, when it leads to where a new one would lead and somebody answers. A failover changes what the
    /// name resolves to, while the old primary may go on to answer: so the name is asked first.
    async fn rested(&self, endpoint: &Endpoint) -> Option<Session<C::Stream>> {
        let kept = self.kept.as_ref()?;
        let (line, place) = kept.shelf.take(endpoint, keep::now())?;
        if !self.connect.leads_to(endpoint, place.peer).await {
            return None;
        }
        let home = Home { shelf: kept.shelf.clone(), place };
        let mut session = Session::new(line, self.options.request_timeout, Some(home));
        session.is_alive(PROBE_TIMEOUT).await.then_some(session)
    }

    async fn log_in(&self, endpoint: &Endpoint, login: &Login) -> Result<Session<C::Stream>, Refused> {
        let stream = self.connect.connect(endpoint).await;
        let stream = stream.map_err(|fault| Refused { fault, may_be_rotated: false })?;
        let peer = self.connect.peer(&stream);
        let (meter, traffic) = Meter::new(stream, self.options.answer_bytes_max);
        let config = config(endpoint, login, &self.options);
        let client = Client::connect(config, meter).await.map_err(|error| Refused {
            may_be_rotated: matches!(&error, Error::Server(token) if token.code() == LOGIN_FAILED),
            fault: Attempt { endpoint, login, options: &self.options }.fault(error),
        })?;
        let home = self.kept.as_ref().zip(peer).map(|(kept, peer)| {
            let opened = keep::now();
            kept.logins.put(&endpoint.secret_arn, login, opened);
            Home { shelf: kept.shelf.clone(), place: Place { endpoint: endpoint.clone(), peer, opened } }
        });
        let line = Line::new(client, traffic, &login.user);
        Ok(Session::new(line, self.options.request_timeout, home))
    }
}

fn config(endpoint: &Endpoint, login: &Login, options: &Options) -> Config {
    let mut config = Config::new();
    config.host(&endpoint.host);
    config.port(endpoint.port);
    config.database(DATABASE);
    config.application_name(&options.application_name);
    config.authentication(AuthMethod::sql_server(&login.user, login.password.expose()));
    config.encryption(match options.encryption {
        Encryption::Required => EncryptionLevel::Required,
        Encryption::Strict => EncryptionLevel::Strict,
        Encryption::None => EncryptionLevel::NotSupported,
    });
    if let Some(bundle) = &options.trust_bundle {
        config.trust_cert_ca(bundle.display());
    }
    config.handshake_timeout(options.handshake_timeout);
    config.command_timeout(options.command_timeout);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let login = Login { user: "admin".to_owned(), password: Secret::new("hunter2") };
        let printed = format!("{login:?}");
        assert_eq!(printed, r#"Login { user: "admin", password: Secret(***) }"#);
        let endpoint = Endpoint {
            instance: "sales".to_owned(),
            host: "sales.example".to_owned(),
            port: 1433,
            secret_arn: "arn:x".to_owned(),
        };
        let config = config(&endpoint, &login, &Options::verified("/opt/rds.pem"));
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        assert_eq!(config.get_addr(), "sales.example:1433");
        assert_eq!(config.get_command_timeout(), Options::default().command_timeout);
        assert_eq!(config.get_handshake_timeout(), Options::default().handshake_timeout);
    }
}
