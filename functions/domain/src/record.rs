//! Records of the task store: how each names itself, and how its schema version travels.
//!
//! A record is stored as JSON with a `"schema"` number in front. Version N reads N-1: runs outlive deployments.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Shards of the index of what is due. A constant of the store's layout: raising it means re-writing every due record.
pub const DUE_SHARDS: u8 = 8;

/// The shard of events that were not told. One of their own: however many a broken bus leaves behind, they keep nobody's work waiting.
pub const OUTBOX_SHARD: u8 = DUE_SHARDS;

/// Shard of the watches over promised RPOs. One is enough: a record is written once an hour, a partition takes 1,000 writes a
/// second (DynamoDB developer guide, "Partitions", read 2026-11).
pub const WATCH_SHARD: u8 = OUTBOX_SHARD + 1;

/// A record of the task store.
pub trait Record: Serialize + DeserializeOwned {
    /// Schema version that is written. `SCHEMA - 1` is read too.
    const SCHEMA: u32;
    /// Partition key and sort key.
    fn key(&self) -> (String, String);
    /// Shard and time at which somebody should look at the record; `None` keeps it out of the index.
    fn due(&self) -> Option<(u8, Timestamp)> {
        None
    }
}

/// The shard of a name: FNV-1a, because it must be the same on every build and machine.
pub fn shard_of(name: &str) -> u8 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u8::try_from(hash % u64::from(DUE_SHARDS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_in_range_used_and_fixed() {
        // Fixed values: a change of the hash would strand every due record.
        assert_eq!(["sales", "ledger", "a"].map(shard_of), [7, 4, 4]);
        assert!((0..1000).all(|n| shard_of(&n.to_string()) < DUE_SHARDS));
        assert!((0..DUE_SHARDS).all(|shard| (0..1000).any(|n| shard_of(&n.to_string()) == shard)));
    }
}
