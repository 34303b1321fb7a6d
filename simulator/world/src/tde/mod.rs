//! Transparent data encryption: certificates, database encryption keys, and the files that certificates travel in.
//!
//! Nothing is encrypted here. What counts is who can open what: a thumbprint says which certificate a database or a backup
//! needs, and a password under a KMS key says who may read a private key.

pub(crate) mod certificate;
pub(crate) mod files;
pub(crate) mod key;
