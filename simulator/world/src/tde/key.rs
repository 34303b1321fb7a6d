//! What does a database encryption key say, and which certificate does a backup of that moment need?
//!
//! A backup needs the certificate from SET ENCRYPTION ON until the key is dropped: turned off, the log still holds what was
//! encrypted. Sources: "Transparent data encryption (TDE)" and `sys.dm_database_encryption_keys` in the SQL Server documentation.

use crate::{tde::certificate::Thumbprint, time::Ms};

/// Algorithms of a key: name in the statement, name and bits in the view.
pub(crate) const ALGORITHMS: [(&str, &str, i64); 4] = [
    ("AES_128", "AES", 128),
    ("AES_192", "AES", 192),
    ("AES_256", "AES", 256),
    ("TRIPLE_DES_3KEY", "TRIPLE_DES", 192),
];

/// The encryption key of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncryptionKey {
    /// The certificate that encrypts it.
    pub(crate) certificate: Thumbprint,
    /// Place in [`ALGORITHMS`].
    pub(crate) algorithm: usize,
    pub(crate) created: Ms,
    /// When encryption was last turned on or off.
    pub(crate) set: Option<Ms>,
    pub(crate) is_on: bool,
    /// When all pages are rewritten.
    pub(crate) scanned: Ms,
}

impl EncryptionKey {
    /// A key, with encryption off.
    pub(crate) fn new(certificate: Thumbprint, algorithm: usize, now: Ms) -> Self {
        Self { certificate, algorithm, created: now, set: None, is_on: false, scanned: now }
    }

    /// Whether pages are still rewritten.
    pub(crate) fn is_scanning(&self, now: Ms) -> bool {
        now < self.scanned
    }

    /// `encryption_state` and `encryption_state_desc`.
    pub(crate) fn state(&self, now: Ms) -> (i64, &'static str) {
        match (self.is_on, self.is_scanning(now)) {
            (false, false) => (1, "UNENCRYPTED"),
            (true, true) => (2, "ENCRYPTION_IN_PROGRESS"),
            (true, false) => (3, "ENCRYPTED"),
            (false, true) => (5, "DECRYPTION_IN_PROGRESS"),
        }
    }

    /// `percent_complete`: 0 where nothing changes.
    pub(crate) fn percent(&self, now: Ms) -> i64 {
        let Some(set) = self.set.filter(|_| self.is_scanning(now)) else { return 0 };
        (now - set).max(0).saturating_mul(100) / (self.scanned - set).max(1)
    }
}

/// The encryption of a database: its key, and what its backups needed when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Encryption {
    pub(crate) key: Option<EncryptionKey>,
    /// From when which certificate is needed; ascending.
    needs: Vec<(Ms, Option<Thumbprint>)>,
}

impl Encryption {
    /// Of a database that was restored encrypted: everything is encrypted already.
    pub(crate) fn restored(certificate: Thumbprint, now: Ms) -> Self {
        let key = EncryptionKey { set: Some(now), is_on: true, ..EncryptionKey::new(certificate, 2, now) };
        Self { key: Some(key), needs: vec![(now, Some(certificate))] }
    }

    /// `sys.databases.is_encrypted`.
    pub(crate) fn is_on(&self) -> bool {
        self.key.is_some_and(|key| key.is_on)
    }

    /// The certificate that a backup of a moment needs.
    pub(crate) fn needed_at(&self, at: Ms) -> Option<Thumbprint> {
        let place = self.needs.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        self.needs.get(place)?.1
    }

    /// Turns encryption on or off; `scan` is how long rewriting takes.
    pub(crate) fn switch(&mut self, on: bool, scan: Ms, now: Ms) {
        let Some(key) = &mut self.key else { return };
        (key.is_on, key.set, key.scanned) = (on, Some(now), now.saturating_add(scan));
        if on {
            self.needs.push((now, Some(key.certificate)));
        }
    }

    /// Drops the key.
    pub(crate) fn drop_key(&mut self, now: Ms) {
        if self.key.take().is_some() {
            self.needs.push((now, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_need_the_certificate_until_the_key_is_gone() {
        let print = Thumbprint([7; 20]);
        let mut held = Encryption { key: Some(EncryptionKey::new(print, 2, 0)), ..Encryption::default() };
        assert_eq!(held.needed_at(5), None);
        held.switch(true, 100, 10);
        held.switch(false, 100, 200);
        held.drop_key(400);
        let needed: Vec<bool> = [9, 10, 150, 250, 399, 400].map(|at| held.needed_at(at).is_some()).to_vec();
        assert_eq!(needed, [false, true, true, true, true, false]);
    }

    #[test]
    fn a_scan_shows_how_far_it_is() {
        let key = EncryptionKey::new(Thumbprint([1; 20]), 0, 0);
        let mut held = Encryption { key: Some(key), ..Encryption::default() };
        held.switch(true, 200, 1_000);
        let key = held.key.unwrap();
        assert_eq!((key.state(1_050).0, key.percent(1_050)), (2, 25));
        assert_eq!((key.state(1_200).0, key.percent(1_200)), (3, 0));
    }
}
