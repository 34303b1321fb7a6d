//! What has been enrolled, by name: instances, policies and vaults live in partitions of their own, and nothing scans the store
//! for them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Instances.
    Instance,
    /// Policies.
    Policy,
    /// Vaults.
    Vault,
    /// Settings of discovery.
    Discovery,
}

impl What {
    /// The word in keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Policy => "policy",
            Self::Vault => "vault",
            Self::Discovery => "discovery",
        }
    }
}

/// One line of the directory, written in one commit with the record that it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What it is.
    pub what: What,
    /// Its name.
    pub name: String,
    /// Who enrolled it: the ARN of a caller, or a word for who is none.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Record for Listed {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        (partition(self.what), self.name.clone())
    }
}

/// Partition of the names of one kind: about 150 bytes each, so that a page of 1,000 is one request.
pub fn partition(what: What) -> String {
    format!("directory#{}", what.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_kind_lie_together_and_in_order() {
        let line = |what, name: &str| {
            Listed { what, name: name.to_owned(), by: String::new(), at: Timestamp::UNIX_EPOCH }.key()
        };
        assert_eq!(line(What::Instance, "sales"), ("directory#instance".to_owned(), "sales".to_owned()));
        assert!(line(What::Vault, "a") < line(What::Vault, "b"));
        let words = [What::Instance, What::Policy, What::Vault, What::Discovery].map(What::as_str);
        assert!(words.iter().all(|word| partition(What::Policy).ends_with(word) == (*word == "policy")));
    }
}
