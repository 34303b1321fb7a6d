//! Why something was refused, skipped, promoted, kept or removed.
//!
//! A [`Reason`] is a value that people and machines read alike: its class is the Lambda `errorType`, which Step Functions
//! compares whole and case-sensitively, so a machine needs four catchers and not forty; name and sentence travel in the
//! message, guidance says what to do next.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the caller should do about a [`Reason`]. The variant's name is the Lambda `errorType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Class {
    /// The same call may succeed soon: throttled, connection lost before anything was asked.
    Retry,
    /// Nothing is wrong, the time is: a window, a full queue, a task that runs.
    Wait,
    /// The same input will never succeed.
    Never,
    /// Somebody has to decide or repair.
    Human,
}

impl Class {
    /// All classes, in the order a machine lists its catchers.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Wait, Self::Never, Self::Human];

    /// The name a machine catches.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "Retry",
            Self::Wait => "Wait",
            Self::Never => "Never",
            Self::Human => "Human",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Name, class, sentence, guidance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{name}: {message}")]
pub struct Reason {
    /// Stable name in `CamelCase`, safe to build alarms on: `BucketInOtherRegion`.
    pub name: Cow<'static, str>,
    /// What to do about it, for machines.
    pub class: Class,
    /// One sentence that names the exact thing. Never holds a secret.
    pub message: String,
    /// What a person does next. Empty where the message says it all.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub guidance: Cow<'static, str>,
}

impl Reason {
    /// A reason without guidance.
    pub fn new(class: Class, name: &'static str, message: impl Into<String>) -> Self {
        Self { name: Cow::Borrowed(name), class, message: message.into(), guidance: Cow::Borrowed("") }
    }

    /// The same reason with what a person does next.
    #[must_use]
    pub fn guidance(mut self, guidance: impl Into<Cow<'static, str>>) -> Self {
        self.guidance = guidance.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_json_and_prints_its_name_once() {
        let reason =
            Reason::new(Class::Human, "KeyDisabled", "KMS key k is disabled").guidance("enable the key");
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
        assert_eq!(reason.to_string(), "KeyDisabled: KMS key k is disabled");
    }

    #[test]
    fn class_names_are_what_machines_catch() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }
}
