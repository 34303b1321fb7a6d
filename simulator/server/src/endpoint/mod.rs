//! Where are the objects of native tasks, when they lie on a real S3 endpoint?
//!
//! The world says what it has to know and what has to be there; here it is carried out, with path-style URLs that `rusty-s3`
//! signs. Plain HTTP is for loopback alone; over HTTPS certificates are verified with the roots of the system. Credentials and
//! signed URLs are in no message.

mod client;
mod courier;
mod transfer;

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

pub use client::Client;
pub(crate) use courier::Courier;
pub use transfer::carry_out;

/// Who asks an endpoint. `Debug` tells nothing of it.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub key: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: String,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// An S3-compatible endpoint, checked and not yet asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Url,
    region: String,
    credentials: Credentials,
}

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It is none, or holds what does not belong there.
    #[error("it is no URL of an endpoint, such as https://s3.eu-central-1.amazonaws.com")]
    NoUrl,
    /// Plain HTTP to somebody else's machine.
    #[error("http is for loopback alone: write https")]
    NotLoopback,
    /// The system has no roots to verify certificates with.
    #[error("the certificates of the system cannot be read: {0}")]
    Roots(std::io::Error),
    /// TLS that cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Endpoint {
    /// An endpoint by its URL; requests are signed for `region`.
    ///
    /// # Errors
    /// What is no such URL, and plain HTTP to other machines.
    pub fn new(url: &str, region: &str, credentials: Credentials) -> Result<Self, EndpointError> {
        let url: Url = url.parse().map_err(|_| EndpointError::NoUrl)?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(EndpointError::NoUrl),
        };
        match url.scheme() {
            "https" | "http" if !is_bare => Err(EndpointError::NoUrl),
            "http" if !is_loopback => Err(EndpointError::NotLoopback),
            "https" | "http" => Ok(Self { url, region: region.to_owned(), credentials }),
            _ => Err(EndpointError::NoUrl),
        }
    }

    /// The way to it.
    ///
    /// # Errors
    /// Of HTTPS: no certificates to verify with.
    pub fn client(&self) -> Result<Client, EndpointError> {
        Ok(Client::new(self, connector(self.url.scheme() == "https")?))
    }
}

fn connector(secure: bool) -> Result<HttpsConnector<HttpConnector>, EndpointError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    if secure {
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        return Ok(builder.map_err(EndpointError::Roots)?.https_only().enable_http1().build());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { key: "AKIDEXAMPLE".into(), secret: "hidden".into(), token: Some("hidden too".into()) }
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for (url, taken) in [
            ("http://127.0.0.1:9000", true),
            ("http://[::1]:9000", true),
            ("http://localhost:4566/s3", true),
            ("https://s3.eu-central-1.amazonaws.com", true),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("https://key:secret@example.com", false),
            ("https://example.com/?x=1", false),
            ("ftp://127.0.0.1", false),
            ("127.0.0.1:9000", false),
            ("", false),
        ] {
            let endpoint = Endpoint::new(url, "eu-central-1", credentials());
            assert_eq!(endpoint.is_ok(), taken, "{url}");
        }
    }

    #[test]
    fn nobody_prints_a_secret() {
        let endpoint = Endpoint::new("http://127.0.0.1:9000", "eu-central-1", credentials()).unwrap();
        let printed = format!("{endpoint:?} {:?}", endpoint.client().unwrap());
        assert!(!printed.contains("hidden") && !printed.contains("AKID"), "{printed}");
    }
}
