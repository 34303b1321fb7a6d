//! What keeps a backup whatever retention says, as a record: who said so, why, until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalogue::Life;
use crate::id::BackupId;
use crate::inventory::Lineage;
use crate::record::Record;
use crate::retention;

/// A hold on one backup of one life. It holds what the backup needs as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Instance that took it.
    pub instance: String,
    /// Whose backup.
    pub lineage: Lineage,
    /// The backup.
    pub backup: BackupId,
    /// What for, in a few words.
    pub why: String,
    /// Who asked for it: the ARN of a caller.
    pub held_by: String,
    /// When it was asked for.
    pub held_at: Timestamp,
    /// The first moment at which it holds no more; for good when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Record for Hold {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        let life = Life { instance: self.instance.clone(), lineage: self.lineage.clone() };
        key(&life, &self.backup)
    }
}

/// Partition of the holds of a life. Of its own: a restore prefix or a catalogue never reads it by accident.
pub fn partition(Life { instance, lineage }: &Life) -> String {
    format!("holds#{instance}#{}", lineage.key())
}

/// Where the hold of a backup is stored. Ids are compared without case, so the key has none.
pub fn key(life: &Life, backup: &BackupId) -> (String, String) {
    (partition(life), backup.as_str().to_ascii_lowercase())
}

impl Hold {
    /// Whether it still holds at `now`.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// What retention is told of it.
    pub fn terms(&self) -> retention::Hold {
        retention::Hold { backup: self.backup.clone(), why: self.why.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Guid;

    #[test]
    fn a_hold_ends_at_its_moment_or_never() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lineage = Lineage { family_guid: Guid::from("AB"), database_guid: Guid::from("CD"), server: 0 };
        let hold = |until: Option<i64>| Hold {
            instance: "sales".to_owned(),
            lineage: lineage.clone(),
            backup: BackupId::from("F-1"),
            why: "audit".to_owned(),
            held_by: "arn:aws:iam::123456789012:user/ada".to_owned(),
            held_at: at(0),
            until: until.map(at),
        };
        for (until, now, in_force) in
            [(None, i64::MAX >> 30, true), (Some(10), 9, true), (Some(10), 10, false)]
        {
            assert_eq!(hold(until).is_in_force(at(now)), in_force, "{until:?} at {now}");
        }
        assert_eq!(
            hold(None).key(),
            key(&Life { instance: "sales".to_owned(), lineage }, &BackupId::from("f-1")),
            "one hold a backup, however its id is written"
        );
    }
}
