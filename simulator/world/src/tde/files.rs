//! What is in the files of a certificate and its private key?
//!
//! Lines of text that anybody may copy, damage or make up: reading expects nothing. The private key is locked with a
//! password, of which the file holds only a check; the password lies beside it under a KMS key, in the metadata of its object.
//! Source: RDS user guide, "Backing up and restoring TDE certificates for on-premises databases".

use crate::{
    hex::{bytes, hexadecimal},
    stream::{Purpose, draw},
    tde::certificate::{Issued, Thumbprint, is_a_date, subject},
};

/// The metadata of the private key's object that holds the password under a KMS key.
pub const PASSWORD_METADATA: &str = "x-amz-meta-rds-tde-pwd";

const CERTIFICATE: &str = "SIMULATED CERTIFICATE";
const PRIVATE_KEY: &str = "SIMULATED PRIVATE KEY";

/// The files of one certificate, as BACKUP CERTIFICATE writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The `.cer` file.
    pub certificate: Vec<u8>,
    /// The `.pvk` file.
    pub private_key: Vec<u8>,
    /// The password of the private key, encrypted under a KMS key: the value of [`PASSWORD_METADATA`].
    pub encrypted_password: String,
}

/// The check that a password is the one that locks a private key.
fn lock(thumbprint: Thumbprint, password: u64) -> u64 {
    thumbprint.0.iter().fold(password, |state, byte| draw(state, Purpose::Certificate, &[u64::from(*byte)]))
}

/// The files of a certificate, locked with a password that is encrypted under a key.
pub(crate) fn write(issued: &Issued, password: u64, key: &str) -> CertificateFiles {
    let Issued { thumbprint, serial, subject, start, expiry } = issued;
    let print = hexadecimal(&thumbprint.0);
    let certificate =
        format!("{CERTIFICATE}\n{print}\n{}\n{start}\n{expiry}\n{subject}", hexadecimal(serial));
    let private_key = format!("{PRIVATE_KEY}\n{print}\n{:016x}", lock(*thumbprint, password));
    CertificateFiles {
        certificate: certificate.into_bytes(),
        private_key: private_key.into_bytes(),
        encrypted_password: crate::kms::encrypt(key, password),
    }
}

/// The certificate that a file holds; `None` when it is none.
pub(crate) fn read(file: &[u8]) -> Option<Issued> {
    let mut lines = std::str::from_utf8(file).ok()?.splitn(6, '\n');
    if lines.next()? != CERTIFICATE {
        return None;
    }
    let (thumbprint, serial) = (Thumbprint(bytes(lines.next()?)?), bytes(lines.next()?)?);
    let mut date = || lines.next()?.parse().ok().filter(|at| is_a_date(*at));
    let (start, expiry) = (date()?, date()?);
    Some(Issued { thumbprint, serial, subject: subject(lines.next()?), start, expiry })
}

/// What a private key is: the certificate it belongs to, and its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PrivateKey {
    pub(crate) of: Thumbprint,
    lock: u64,
}

impl PrivateKey {
    /// The private key that a file holds; `None` when it is none.
    pub(crate) fn read(file: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(file).ok()?.splitn(3, '\n');
        if lines.next()? != PRIVATE_KEY {
            return None;
        }
        let of = Thumbprint(bytes(lines.next()?)?);
        Some(Self { of, lock: u64::from_be_bytes(bytes(lines.next()?)?) })
    }

    /// Whether a password opens it.
    pub(crate) fn opens_with(self, password: u64) -> bool {
        self.lock == lock(self.of, password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_written_and_nothing_else_is() {
        let issued = Issued::fresh(7, (0, 1), "two\nlines", 12);
        let files = write(&issued, 99, "arn:aws:kms:x:1:key/a");
        assert_eq!(read(&files.certificate), Some(issued.clone()));
        let key = PrivateKey::read(&files.private_key).unwrap();
        assert!(key.of == issued.thumbprint && key.opens_with(99) && !key.opens_with(98));
        assert_eq!(crate::kms::decrypt("arn:aws:kms:x:1:key/a", &files.encrypted_password), Some(99));
        assert_eq!(crate::kms::decrypt("arn:aws:kms:x:1:key/b", &files.encrypted_password), None);
        assert_eq!((read(&files.private_key), PrivateKey::read(&files.certificate)), (None, None));
        for end in 0..files.private_key.len() {
            assert_eq!(PrivateKey::read(&files.private_key[..end]), None, "{end}");
            assert_eq!(read(&files.certificate[..end.min(60)]), None, "{end}");
        }
        let written = String::from_utf8(files.certificate).unwrap();
        assert_eq!(read(written.replacen("\n12\n", &format!("\n{}\n", i64::MAX), 1).as_bytes()), None);
        for odd in ["", "é", "zz", "0", "é0é0"] {
            assert_eq!(bytes::<2>(odd), None, "{odd}");
        }
    }
}
