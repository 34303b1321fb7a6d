//! Which databases are of one family, wherever they are: what tells a database that was moved from one that is new, without a look
//! at every instance.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Known, Place};
use crate::id::Guid;
use crate::inventory::{Database, Lineage};
use crate::record::Record;

/// One member of a family, written in one commit with the head that it tells of. One whose head was replaced by another database
/// stays, marked as gone: it is the only way from a name to the catalogue of what had it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kin {
    /// Identity.
    pub lineage: Lineage,
    /// Where it was seen last.
    pub place: Place,
    /// Since when it has not been seen, if so.
    pub gone_at: Option<Timestamp>,
}

impl Record for Kin {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        let Place { instance, name } = &self.place;
        let database = self.lineage.incarnation();
        (partition(&self.lineage.family_guid), format!("{database}#{instance}#{name}"))
    }
}

/// Partition of the members of a family. Copies of one template are one family, so it may hold thousands; it is read for databases
/// that nobody knows alone.
pub fn partition(family: &Guid) -> String {
    format!("family#{}", family.as_str().to_ascii_lowercase())
}

impl Kin {
    /// What a head says of its family; `None` while its identity is not known.
    pub fn of(head: &Database) -> Option<Self> {
        let Known { place, lineage, gone_at } = Known::of(head);
        Some(Self { lineage: lineage?, place, gone_at })
    }

    /// As a look takes it.
    pub fn known(self) -> Known {
        Known { place: self.place, lineage: Some(self.lineage), gone_at: self.gone_at }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::guids;
    use super::*;

    #[test]
    fn a_family_lies_together_whatever_the_case_of_its_guids() {
        let kin = |lineage, name: &str| {
            let mut head = Database::new("a", name);
            head.lineage = guids(lineage);
            Kin::of(&head)
        };
        assert_eq!(kin("", "x"), None);
        let (one, other) = (kin("F.D", "x").unwrap().key(), kin("f.d", "x").unwrap().key());
        assert_eq!(one, ("family#f".to_owned(), "d#a#x".to_owned()));
        assert_eq!(one, other);
        assert_ne!(one, kin("f.e", "x").unwrap().key(), "two lives of a name are two members");
    }
}
