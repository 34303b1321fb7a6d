//! Keys, asked of KMS.
//!
//! A key is asked for in the Region that its ARN names: KMS calls the ARN of another Region invalid, and the rule wants to say
//! "in another Region" and not "not found". KMS API reference, `DescribeKey` and
//! `KeyMetadata`, read 2026-11.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{Config, Region};
use aws_sdk_kms::operation::describe_key::DescribeKeyError;
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType};
use domain::facts::KeyFacts;
use domain::paths::arn_parts;
use ports::Fault;
use ports::cloud::DescribeKey;

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the port of this adapter.
pub const ACTIONS: &[Capability] = &[Capability { port: "DescribeKey", actions: &["kms:DescribeKey"] }];

/// KMS, in whatever Region a key is.
#[derive(Debug, Clone)]
pub struct Kms {
    client: Client,
}

impl Kms {
    /// KMS as the configuration reaches it.
    pub fn new(config: &SdkConfig) -> Self {
        let settings = aws_sdk_kms::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()) }
    }
}

impl DescribeKey for Kms {
    async fn describe_key(&self, arn: &str) -> Result<KeyFacts, Fault> {
        let (_, region, _) = arn_parts(arn).map_err(Fault::Refused)?;
        let answer = self
            .client
            .describe_key()
            .key_id(arn)
            .customize()
            .config_override(Config::builder().region(Region::new(region.to_owned())))
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(DescribeKeyError::NotFoundException(_)) => {
                    refused("KeyNotFound", format!("there is no key {arn}"))
                }
                _ => fault::of(&format!("DescribeKey {arn}"), Effect::Read, &error),
            })?;
        let key = answer.key_metadata.as_ref().and_then(facts);
        key.ok_or_else(|| refused("KeyUnreadable", format!("KMS describes key {arn} without its ARN")))
    }
}

fn facts(key: &KeyMetadata) -> Option<KeyFacts> {
    Some(KeyFacts {
        arn: key.arn()?.to_owned(),
        enabled: key.key_state() == Some(&KeyState::Enabled),
        symmetric: key.key_spec() == Some(&KeySpec::SymmetricDefault)
            && key.key_usage() == Some(&KeyUsageType::EncryptDecrypt),
        customer_managed: key.key_manager() == Some(&KeyManagerType::Customer),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use {KeyManagerType as Manager, KeySpec as Spec, KeyState as State, KeyUsageType as Usage};

    #[test]
    fn only_a_symmetric_customer_key_in_state_enabled_is_all_three() {
        let key = |state, spec, usage, manager| {
            let key = KeyMetadata::builder().key_id("1").arn("arn:aws:kms:eu-west-1:1:key/1");
            let key =
                key.key_state(state).key_spec(spec).key_usage(usage).key_manager(manager).build().unwrap();
            facts(&key).map(|facts| (facts.enabled, facts.symmetric, facts.customer_managed)).unwrap()
        };
        let (on, plain, crypt, ours) =
            (State::Enabled, Spec::SymmetricDefault, Usage::EncryptDecrypt, Manager::Customer);
        assert_eq!(key(on.clone(), plain.clone(), crypt.clone(), ours.clone()), (true, true, true));
        for state in [State::Disabled, State::PendingDeletion, State::PendingImport, State::Unavailable] {
            assert_eq!(key(state, plain.clone(), crypt.clone(), ours.clone()), (false, true, true));
        }
        assert_eq!(key(on.clone(), Spec::Rsa2048, crypt.clone(), ours.clone()), (true, false, true));
        assert_eq!(key(on.clone(), Spec::Hmac256, Usage::GenerateVerifyMac, ours), (true, false, true));
        assert_eq!(key(on, plain, crypt, Manager::Aws), (true, true, false));
    }
}
