//! What a task was admitted for, and whether a head is still that database's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::Guid;
use crate::inventory::{Database, Lineage};

/// What the live database was when a task was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its identity.
    pub lineage: Lineage,
    /// Its recovery fork: log metadata carries none, so it is sampled here.
    pub fork: Option<Guid>,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

impl Seen {
    /// Whether the head is another database's than that of the look.
    pub fn is_other(&self, head: &Database) -> bool {
        head.lineage.as_ref().is_some_and(|own| *own != self.lineage)
    }

    /// Whether the head is another database's that took the name after this look: it is not for this task to write.
    pub fn is_former(&self, head: &Database) -> bool {
        self.is_other(head) && head.begun_at.is_some_and(|begun| self.at.is_none_or(|at| at <= begun))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_began_behind_the_look_is_not_the_tasks() {
        let lineage =
            |text: &str| Lineage { family_guid: Guid::from("F"), database_guid: Guid::from(text), server: 0 };
        let at = |second| Timestamp::from_second(second).unwrap();
        for (known, begun, looked, former) in [
            (Some("D"), None, Some(5), false),
            (Some("d"), Some(9), Some(5), false),
            (Some("other"), Some(9), Some(5), true),
            (Some("other"), Some(9), None, true),
            // The look is newer than the head: the head has not heard of it yet.
            (Some("other"), Some(4), Some(5), false),
            (Some("other"), None, Some(5), false),
            (None, Some(9), Some(5), false),
        ] {
            let mut head = Database::new("sales", "orders");
            (head.lineage, head.begun_at) = (known.map(lineage), begun.map(at));
            let seen = Seen { lineage: lineage("D"), fork: None, at: looked.map(at) };
            assert_eq!(seen.is_former(&head), former, "{known:?} {begun:?} {looked:?}");
        }
    }
}
