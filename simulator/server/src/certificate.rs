//! Who vouches for the instances? An authority made at start, which signs a certificate for loopback.
//!
//! Nothing of it is kept: its certificate is written out for clients that verify, its key never is. Two certificates, because
//! clients refuse an authority's own as a server's.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// No certificate could be made: the machine gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made: {0}")]
pub struct CertificateError(#[from] rcgen::Error);

/// An authority and what it signed.
pub struct Authority {
    /// Its certificate, PEM, for clients.
    pub pem: String,
    /// The server's certificate.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Authority {
    /// An authority for `localhost`, 127.0.0.1 and the names of instances.
    ///
    /// # Errors
    /// Names that no certificate can hold, or no random numbers.
    pub fn new(instances: &[String]) -> Result<Self, CertificateError> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "bakproof simulated authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        names.extend(instances.iter().cloned());
        let mut server = CertificateParams::new(names)?;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let server = server.signed_by(&key, &authority)?;
        Ok(Self {
            pem: authority.pem(),
            chain: vec![server.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }
}
