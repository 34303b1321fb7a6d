//! What does KMS say of a key?

use std::collections::BTreeMap;

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
