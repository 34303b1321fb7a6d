//! Instances and vaults.

use domain::facts::InstanceFacts;
use domain::inventory::{Instance, Vault};
use domain::lease::Lease;
use domain::limits::Profile;
use domain::reason::Reason;
use domain::slots::Slots;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::task::AskedShape;

/// What a person sets of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InstanceSettings")]
pub(crate) struct InstanceBody {
    /// Host of the endpoint.
    pub(crate) host: String,
    /// Port of the endpoint.
    #[serde(default = "port")]
    pub(crate) port: u16,
    /// ARN of the secret with user and password.
    pub(crate) secret_arn: String,
    /// Name of the policy its databases follow.
    pub(crate) policy: String,
    /// Name of the vault it writes to.
    pub(crate) vault: String,
    /// Native tasks at a time.
    #[serde(default)]
    pub(crate) slots: Slots,
    /// Whether it is protected; without, no run starts, nothing is promised and discovery leaves it alone. What the vault has of it stays.
    #[serde(default = "is_protected")]
    pub(crate) is_protected: bool,
}

const fn is_protected() -> bool {
    true
}

const fn port() -> u16 {
    1433
}

/// The settings of an enrolled instance.
pub(crate) fn settings(instance: &Instance) -> InstanceBody {
    InstanceBody {
        host: instance.host.clone(),
        port: instance.port,
        secret_arn: instance.secret_arn.clone(),
        policy: instance.policy.clone(),
        vault: instance.vault.clone(),
        slots: instance.slots,
        is_protected: instance.stopped.is_none(),
    }
}

/// An instance: what was set, what is known of it, what happens to it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Instance")]
pub(crate) struct InstanceShape {
    /// Instance identifier.
    pub(crate) name: String,
    /// What was set.
    pub(crate) settings: InstanceBody,
    /// What the control plane said last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) facts: Option<InstanceFacts>,
    /// When it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) facts_at: Option<Timestamp>,
    /// Bytes of database a native full backup gets through in a second, as measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_second: Option<u64>,
    /// When it is looked at next; absent while nobody need look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<Timestamp>,
    /// Who ended its protection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<AskedShape>,
    /// Why the last run could not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Reason>,
    /// The run that is at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<RunShape>,
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(crate) struct RunShape {
    /// Name of the execution.
    pub(crate) name: String,
    /// When its lease ends unless it is renewed.
    pub(crate) expires_at: Timestamp,
}

impl InstanceShape {
    pub(crate) fn new(instance: Instance, lease: Option<&Lease>, now: Timestamp) -> Self {
        let settings = settings(&instance);
        let (facts_at, facts) = instance.facts.unzip();
        let run = lease
            .filter(|lease| lease.is_alive(now))
            .and_then(|lease| Some(RunShape { name: lease.holder.clone()?, expires_at: lease.expires_at }));
        Self {
            name: instance.name,
            settings,
            facts,
            facts_at,
            bytes_per_second: instance.bytes_per_second,
            due_at: instance.due_at.filter(|_| instance.stopped.is_none()),
            stopped: instance.stopped.map(AskedShape::new),
            trouble: instance.trouble,
            run,
        }
    }
}

/// A vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Vault")]
pub(crate) struct VaultBody {
    /// Bucket.
    pub(crate) bucket: String,
    /// Bucket for copied logs, where they have one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log_bucket: Option<String>,
    /// Prefix inside the buckets, without slashes at its ends; may be empty.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Account that owns the bucket: twelve digits.
    pub(crate) account: String,
    /// Customer managed key for client-side encryption.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key_arn: Option<String>,
    /// The limits that hold for it.
    #[serde(default)]
    pub(crate) profile: Profile,
}

impl VaultBody {
    pub(crate) fn of(vault: Vault) -> Self {
        let Vault { name: _, bucket, log_bucket, prefix, account, kms_key_arn, profile } = vault;
        Self { bucket, log_bucket, prefix, account, kms_key_arn, profile }
    }

    pub(crate) fn record(self, name: &str) -> Vault {
        let Self { bucket, log_bucket, prefix, account, kms_key_arn, profile } = self;
        Vault { name: name.to_owned(), bucket, log_bucket, prefix, account, kms_key_arn, profile }
    }
}
