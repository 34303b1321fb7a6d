//! What does KMS say of a key?

use std::collections::BTreeMap;

use crate::stream::scatter;

/// A key to create.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate property of a key that KMS describes")]
pub struct KeyConfig {
    /// `arn:aws:kms:{region}:{account}:key/{id}`.
    pub arn: String,
    /// Region.
    pub region: String,
    /// `KeyState` Enabled.
    pub enabled: bool,
    /// `KeySpec` `SYMMETRIC_DEFAULT`.
    pub symmetric: bool,
    /// `KeyManager` CUSTOMER; otherwise AWS.
    pub customer_managed: bool,
    /// Whether its policy lets the role of the instances use it.
    pub rds_access: bool,
}

impl KeyConfig {
    /// A key that works.
    pub fn usable(arn: &str, region: &str) -> Self {
        Self {
            arn: arn.into(),
            region: region.into(),
            enabled: true,
            symmetric: true,
            customer_managed: true,
            rds_access: true,
        }
    }
}

/// All of KMS.
#[derive(Debug, Clone, Default)]
pub struct Kms {
    pub(crate) keys: BTreeMap<String, KeyConfig>,
}

impl Kms {
    /// `DescribeKey`; `None` is `NotFoundException`.
    pub fn describe(&self, arn: &str) -> Option<&KeyConfig> {
        self.keys.get(arn)
    }

    /// Changes a key, as its administrator may. Returns whether it exists.
    pub fn configure(&mut self, arn: &str, change: impl FnOnce(&mut KeyConfig)) -> bool {
        self.keys.get_mut(arn).map(change).is_some()
    }
}

/// What `GenerateDataKey` gives as ciphertext of a password under a key. Not a cipher: enough that another key does not
/// open it.
pub(crate) fn encrypt(arn: &str, password: u64) -> String {
    let mask = mask(arn);
    format!("{:016x}{:016x}", password ^ mask, scatter(password.wrapping_add(mask)))
}

/// `Decrypt` under a key; `None` is `IncorrectKeyException` or `InvalidCiphertextException`.
pub(crate) fn decrypt(arn: &str, ciphertext: &str) -> Option<u64> {
    let (hidden, check) = ciphertext.split_at_checked(16)?;
    let password = u64::from_str_radix(hidden, 16).ok()? ^ mask(arn);
    (encrypt(arn, password) == format!("{hidden}{check}")).then_some(password)
}

fn mask(arn: &str) -> u64 {
    arn.bytes().fold(0, |state, byte| scatter(state ^ u64::from(byte)))
}
