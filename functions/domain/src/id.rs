//! Who is who: ids as the server gave them.
//!
//! Compared without regard to ASCII case, because msdb prints GUIDs upper case, AWS's log copies lower case and tools
//! either; printed as given. Refuses to know whether a text is a well-formed GUID: exports of other tools name backups
//! as they like, and identity is all the rules need.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id with this text, shared where the text already is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The shared text, to be used again without a copy.
            pub fn shared(&self) -> &Arc<str> {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { caseless_cmp(&self.0, &other.0) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }
    };
}

identity! {
    /// One backup set: `backup_set_uuid` of msdb, or the name that the catalogue gave an RDS log file.
    BackupId
}

identity! {
    /// A GUID of SQL Server: a family, a database, a recovery fork, a differential base.
    Guid
}

impl Guid {
    /// The GUID, unless the text is empty or all zeros: SQL Server writes zeros where it has nothing to say.
    pub fn known(text: &str) -> Option<Self> {
        let empty = text.bytes().all(|byte| matches!(byte, b'0' | b'-' | b'{' | b'}' | b' '));
        if empty { None } else { Some(Self::new(text)) }
    }
}

/// Orders texts by their ASCII-lower-case bytes.
pub fn caseless_cmp(left: &str, right: &str) -> Ordering {
    left.bytes()
        .map(|byte| byte.to_ascii_lowercase())
        .cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_makes_no_difference_to_identity_and_order() {
        assert_eq!(Guid::from("ABC-1"), Guid::from("abc-1"));
        assert_eq!(BackupId::from("b").cmp(&BackupId::from("A")), Ordering::Greater);
        assert_eq!(BackupId::from("B").cmp(&BackupId::from("b")), Ordering::Equal);
        assert_ne!(Guid::from("a"), Guid::from("ab"));
        assert_eq!(Guid::from("ABC-1").to_string(), "ABC-1", "printed as given");
    }

    #[test]
    fn zeros_and_nothing_are_unknown() {
        for (text, known) in [
            ("00000000-0000-0000-0000-000000000000", false),
            ("{00000000-0000-0000-0000-000000000000}", false),
            ("", false),
            ("00000000-0000-0000-0000-000000000001", true),
            ("fork-a", true),
        ] {
            assert_eq!(Guid::known(text).is_some(), known, "{text}");
        }
    }

    #[test]
    fn json_is_the_text() {
        let id = BackupId::from("X-1");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"X-1\"");
        assert_eq!(serde_json::from_str::<BackupId>("\"x-1\"").unwrap(), id);
    }
}
