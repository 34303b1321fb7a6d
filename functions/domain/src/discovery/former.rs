//! Which databases had a name before? What the vault has of them is reached by their name, as long as it is there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::Life;
use crate::inventory::{Database, Lineage};
use crate::mailbox::Requested;
use crate::record::Record;

/// A database that had a name, written in the commit that gave the name to another one or let it go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Instance.
    pub instance: String,
    /// Name.
    pub name: String,
    /// Identity.
    pub lineage: Lineage,
    /// Since when it has not the name any more, as we learned it.
    pub until: Timestamp,
    /// Who let it go; absent where another database took its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_go: Option<Requested>,
}

impl Record for Former {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        (partition(&self.instance, &self.name), self.lineage.incarnation())
    }
}

impl Former {
    /// What a head leaves behind that gives up its name at `now`; `None` where its identity was never known: then nothing is in the vault.
    pub fn of(head: &Database, now: Timestamp) -> Option<Self> {
        let lineage = head.lineage.clone()?;
        let until = head.gone_at.unwrap_or(now);
        Some(Self { instance: head.instance.clone(), name: head.name.clone(), lineage, until, let_go: None })
    }

    /// Whose catalogue and holds those are.
    pub fn life(self) -> Life {
        Life { instance: self.instance, lineage: self.lineage }
    }
}

/// Partition of those that had a name. An identifier of an instance has no `#`, so no two names share one.
pub fn partition(instance: &str, name: &str) -> String {
    format!("former#{instance}#{name}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::guids;
    use super::*;

    #[test]
    fn what_gives_up_its_name_is_found_by_it() {
        let mut head = Database::new("sales", "orders");
        assert_eq!(Former::of(&head, Timestamp::UNIX_EPOCH), None, "nothing was ever seen of it");
        head.lineage = guids("F.D");
        let now: Timestamp = "2026-11-16T03:00:00Z".parse().unwrap();
        let former = Former::of(&head, now).unwrap();
        assert_eq!(former.key(), ("former#sales#orders".to_owned(), "d".to_owned()));
        assert_eq!(former.until, now);
        head.gone_at = Some(Timestamp::UNIX_EPOCH);
        assert_eq!(Former::of(&head, now).unwrap().until, Timestamp::UNIX_EPOCH, "it was gone before");
        assert_eq!(Some(former.life()), Life::of(&head));
    }
}
