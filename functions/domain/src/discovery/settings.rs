//! Which instances and databases are enrolled, under which policy, how many at once: the settings of discovery, as a record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::matches;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// What one discovery enrols or lets go, by setting: 1 to this.
pub const AT_ONCE_MAX: u32 = 5_000;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Name.
    pub name: String,
    /// Tags of which one selects an instance: `key=value`; `*` in the value stands for any run of characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Identifiers that select an instance; patterns as in `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    /// Databases that are enrolled, by name; `*` stands for any run of characters, case does not matter.
    #[serde(default = "everything")]
    pub include: Vec<String>,
    /// Databases that are not, whatever `include` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Policy of the instances that discovery enrols.
    pub policy: String,
    /// Vault that they write to.
    pub vault: String,
    /// ARN of the secret that opens an instance, `{instance}` for its name; without, the one that RDS keeps for its master user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_arn: Option<String>,
    /// Instances that one discovery enrols. 1 to 5,000.
    #[serde(default = "instances_max")]
    pub instances_max: u32,
    /// Databases that one discovery of an instance enrols. 1 to 5,000.
    #[serde(default = "enrol_max")]
    pub enrol_max: u32,
    /// Databases that one discovery of an instance marks as gone or replaces. 1 to 5,000.
    #[serde(default = "let_go_max")]
    pub let_go_max: u32,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// An instance of RDS holds no more (RDS user guide, limits of RDS for SQL Server, 2026).
const fn enrol_max() -> u32 {
    100
}

/// More than an account has in a Region unless its quota was raised: 40 (RDS user guide, quotas, 2026).
const fn instances_max() -> u32 {
    50
}

const fn let_go_max() -> u32 {
    10
}

impl Record for Settings {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        settings_key(&self.name)
    }
}

/// Where settings of discovery are stored.
pub fn settings_key(name: &str) -> (String, String) {
    (format!("discovery#{name}"), "settings".to_owned())
}

impl Settings {
    /// Settings that select no instance and every database.
    pub fn new(name: &str, policy: &str, vault: &str) -> Self {
        Self {
            name: name.to_owned(),
            tags: Vec::new(),
            instances: Vec::new(),
            include: everything(),
            exclude: Vec::new(),
            policy: policy.to_owned(),
            vault: vault.to_owned(),
            secret_arn: None,
            instances_max: instances_max(),
            enrol_max: enrol_max(),
            let_go_max: let_go_max(),
        }
    }

    /// Everything that is out of range.
    pub fn findings(&self) -> Vec<Reason> {
        let refuse = |field: &str, what: &str| {
            let message = format!("discovery {}: {field}: {what}", self.name);
            Reason::new(Class::Human, "DiscoveryOutOfRange", message)
                .guidance("correct the value in the settings and apply them again")
        };
        let mut findings = Vec::new();
        for (field, value) in [
            ("instances_max", self.instances_max),
            ("enrol_max", self.enrol_max),
            ("let_go_max", self.let_go_max),
        ] {
            if !(1..=AT_ONCE_MAX).contains(&value) {
                findings.push(refuse(field, &format!("{value} is not within 1 and {AT_ONCE_MAX}")));
            }
        }
        for tag in &self.tags {
            if tag.split_once('=').is_none_or(|(key, _)| key.is_empty()) {
                findings.push(refuse("tags", &format!("{tag:?} is not key=value")));
            }
        }
        for (field, value) in [("name", &self.name), ("policy", &self.policy), ("vault", &self.vault)] {
            if value.is_empty() {
                findings.push(refuse(field, "is empty"));
            }
        }
        findings
    }

    /// Whether an instance is enrolled, by its identifier or by one of its tags. Keys of tags are compared with their case, as
    /// AWS does.
    pub fn selects(&self, instance: &str, tags: &BTreeMap<String, String>) -> bool {
        let tagged = |wanted: &String| {
            let pair = wanted.split_once('=');
            pair.is_some_and(|(key, value)| tags.get(key).is_some_and(|tag| matches(value, tag)))
        };
        self.instances.iter().any(|pattern| matches(pattern, instance)) || self.tags.iter().any(tagged)
    }

    /// Whether a database is enrolled, by its name.
    pub fn includes(&self, database: &str) -> bool {
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, database));
        fits(&self.include) && !fits(&self.exclude)
    }
}
