//! Which node of an availability group is asked for a backup? What the documents said, and when.
//!
//! Sources: Azure Backup, "About SQL Server backup in Azure VMs" (2019-04: copy-only fulls and logs of all but `primary` on a
//! secondary) and "Back up SQL Server availability groups" (2026-04: any replica where there is no preference; fulls and
//! differentials on secondaries from SQL Server 2025 on). The engine refuses the rest: up to SQL Server 2022 a secondary takes
//! copy-only fulls and logs alone ("Offload supported backups to secondary replicas", 2025-11).

use serde::{Deserialize, Serialize};

/// The preference of the group, advisory in SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// PRIMARY.
    Primary,
    /// `SECONDARY_ONLY`.
    SecondaryOnly,
    /// SECONDARY: preferred.
    Secondary,
    /// NONE.
    None,
}

/// What is to be backed up, as far as it decides the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A full or a differential.
    Data,
    /// A copy-only full or a log.
    CopyOnlyOrLog,
}

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// The primary.
    Primary,
    /// A secondary, and no other.
    Secondary,
    /// A secondary where one can, else the primary.
    SecondaryElsePrimary,
    /// Any replica.
    Any,
}

/// Which text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Table {
    /// 2019-04.
    #[serde(rename = "2019")]
    Of2019,
    /// 2026-04.
    #[default]
    #[serde(rename = "2026")]
    Of2026,
}

/// The first major version whose secondaries take fulls and differentials: SQL Server 2025.
pub const DATA_ON_SECONDARY_MAJOR: u16 = 17;

/// The node for a backup. `oldest_major`: the lowest major version of any replica, which decides for the group.
pub const fn node(table: Table, preference: Preference, wanted: Wanted, oldest_major: u16) -> Node {
    match (table, wanted, preference) {
        (_, _, Preference::Primary) | (Table::Of2019, Wanted::Data, _) => Node::Primary,
        (Table::Of2026, Wanted::Data, _) if oldest_major < DATA_ON_SECONDARY_MAJOR => Node::Primary,
        (Table::Of2019, Wanted::CopyOnlyOrLog, _) | (Table::Of2026, _, Preference::SecondaryOnly) => {
            Node::Secondary
        }
        (Table::Of2026, _, Preference::Secondary) => Node::SecondaryElsePrimary,
        (Table::Of2026, _, Preference::None) => Node::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_the_documents() {
        use Node::{Any, Primary, Secondary, SecondaryElsePrimary};
        use Preference as P;
        // Full and differential up to 2022, from 2025 on; copy-only full and log.
        for (table, preference, old, new, log) in [
            (Table::Of2019, P::Primary, Primary, Primary, Primary),
            (Table::Of2019, P::SecondaryOnly, Primary, Primary, Secondary),
            (Table::Of2019, P::Secondary, Primary, Primary, Secondary),
            (Table::Of2019, P::None, Primary, Primary, Secondary),
            (Table::Of2026, P::Primary, Primary, Primary, Primary),
            (Table::Of2026, P::SecondaryOnly, Primary, Secondary, Secondary),
            (Table::Of2026, P::Secondary, Primary, SecondaryElsePrimary, SecondaryElsePrimary),
            (Table::Of2026, P::None, Primary, Any, Any),
        ] {
            let at = |wanted, major| node(table, preference, wanted, major);
            let said = (at(Wanted::Data, 16), at(Wanted::Data, 17), at(Wanted::CopyOnlyOrLog, 16));
            assert_eq!(said, (old, new, log), "{table:?} {preference:?}");
        }
    }
}
