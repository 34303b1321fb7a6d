//! Who opens a session, and as whom? Endpoint to stream, secret to login, stream to session.
//!
//! Refuses to know sockets and secret stores: [`Connect`] and [`Credentials`] are handed in, so the same adapter talks
//! over a network or over a pipe inside one process.

use std::fmt;

use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::{Endpoint, OpenSession};
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};

use crate::errors;
use crate::meter::Meter;
use crate::options::{Encryption, Options};
use crate::session::Session;

/// The database of every session. Application locks belong to a database, so all sessions have to be in the same one,
/// whatever the login's default is.
const DATABASE: &str = "master";

/// Opens the byte stream to an endpoint.
pub trait Connect {
    /// The stream. The driver asks for `Send`; nothing here moves it between threads.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;
    /// Connects. `Transient` when nobody answers.
    async fn connect(&self, endpoint: &Endpoint) -> Result<Self::Stream, Fault>;
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

/// Opens sessions on SQL Server instances.
#[derive(Debug, Clone)]
pub struct SqlServer<C, K> {
    connect: C,
    credentials: K,
    options: Options,
}

impl<C, K> SqlServer<C, K> {
    /// An adapter over these streams, as these logins.
    pub const fn new(connect: C, credentials: K, options: Options) -> Self {
        Self { connect, credentials, options }
    }
}

impl<C: Connect, K: Credentials> OpenSession for SqlServer<C, K> {
    type Session = Session<C::Stream>;

    async fn open(&self, endpoint: &Endpoint) -> Result<Self::Session, Fault> {
        // The secret first: a connection that waits for it would run into the server's own login timeout.
        let login = self.credentials.credentials(&endpoint.secret_arn).await?;
        let stream = self.connect.connect(endpoint).await?;
        let (meter, sent) = Meter::new(stream);
        let config = config(endpoint, &login, &self.options);
        let client = Client::connect(config, meter).await.map_err(errors::of_login)?;
        Ok(Session::new(client, sent))
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
