//! The task store: items under a partition and a sort key, each with a version; one sparse index of what is due.
//!
//! An item's body is the JSON of one domain record; the store never looks inside. Every write names the version it
//! expects, so two writers that read the same item cannot both win. Bodies stay below 400 KB with room to spare
//! ([`ITEM_BYTES_MAX`]); what grows is split by day or by lineage before it gets there.

use domain::record::Record;
use jiff::Timestamp;

use crate::fault::Fault;

/// Bytes of one item's body. DynamoDB holds 400 KB an item, names and keys included (developer guide, "Constraints",
/// read 2026-11); the rest is head-room for keys and index attributes.
pub const ITEM_BYTES_MAX: usize = 380_000;

/// Writes in one commit. DynamoDB: 100 actions a transaction (developer guide, "Transactions", read 2026-11).
pub const COMMIT_WRITES_MAX: usize = 100;

/// Where an item lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Partition key: `instance#sales`.
    pub partition: String,
    /// Sort key: `task#full-orders-20261122T010000Z`.
    pub sort: String,
}

/// An entry of the sparse index of what is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Shard, `0..domain::record::DUE_SHARDS`, or `domain::record::OUTBOX_SHARD`.
    pub shard: u8,
    /// When.
    pub at: Timestamp,
}

/// One stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it lives.
    pub key: Key,
    /// The record as JSON, its schema version inside.
    pub body: String,
    /// Present while the record waits for somebody to act at a time.
    pub due: Option<Due>,
    /// Version as stored: 1 for a new item, one more with every write.
    pub version: u64,
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No item under this key.
    Absent,
    /// The item at this version.
    Version(u64),
}

impl Expect {
    /// What is there once it was met and the item written.
    #[must_use]
    pub const fn written(self) -> Self {
        match self {
            Self::Absent => Self::Version(1),
            Self::Version(version) => Self::Version(version + 1),
        }
    }
}

/// One write of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Store the item. The stored version is the expected one plus one; `item.version` is not read.
    Put {
        /// What to store.
        item: Item,
        /// What must be there before.
        expect: Expect,
    },
    /// Remove the item.
    Delete {
        /// Which.
        key: Key,
        /// What must be there before.
        expect: Expect,
    },
}

/// How a commit can fail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitFault {
    /// Another writer was there first: nothing was written.
    #[error("another writer changed {key:?} first")]
    Conflict {
        /// The first key whose expectation failed.
        key: Key,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// One page of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Items in order of their sort keys.
    pub items: Vec<Item>,
    /// Sort key to go on after, when there is more.
    pub after: Option<String>,
}

/// Which items of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Partition key.
    pub partition: String,
    /// First sort key, inclusive.
    pub from: String,
    /// Last sort key, inclusive.
    pub to: String,
    /// Go on after this sort key.
    pub after: Option<String>,
    /// Items a page at most, 1 to 1,000; a page may hold fewer and still not be the last.
    pub limit: u32,
}

/// Reads items, always the newest committed state.
pub trait ReadItems {
    /// One item, or `None`.
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault>;
    /// One page of a partition, in order of sort keys.
    async fn query(&self, range: &Range) -> Result<Page, Fault>;
}

/// Writes items.
pub trait WriteItems {
    /// Carries out all writes or none: 1 to [`COMMIT_WRITES_MAX`], no key twice.
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault>;
}

/// Reads the index of what is due. It may lag behind the items for a moment: whoever acts on an entry reads the item.
pub trait ReadDue {
    /// Keys due at or before `until` in one shard, earliest first, at most `limit`.
    async fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Result<Vec<Key>, Fault>;
}

/// A record and the version it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<R> {
    /// The record.
    pub record: R,
    /// What a write of it expects.
    pub expect: Expect,
}

impl<R: Record> Versioned<R> {
    /// A record that is not stored yet.
    pub fn new(record: R) -> Self {
        Self { record, expect: Expect::Absent }
    }

    /// The write that stores the record as it is now.
    pub fn put(&self) -> Result<Write, Fault> {
        let body = crate::codec::encode(&self.record).map_err(Fault::Refused)?;
        let (partition, sort) = self.record.key();
        let due = self.record.due().map(|(shard, at)| Due { shard, at });
        Ok(Write::Put {
            item: Item { key: Key { partition, sort }, body, due, version: 0 },
            expect: self.expect,
        })
    }

    /// The write that removes the record.
    pub fn delete(&self) -> Write {
        let (partition, sort) = self.record.key();
        Write::Delete { key: Key { partition, sort }, expect: self.expect }
    }
}

/// Decodes an item as a record.
///
/// # Errors
/// As [`crate::codec::decode`]; the message begins with the item's key, so that somebody can go and look at it.
pub fn decode<R: Record>(item: &Item) -> Result<Versioned<R>, Fault> {
    let record = crate::codec::decode(&item.body).map_err(|mut reason| {
        reason.message = format!("{}/{}: {}", item.key.partition, item.key.sort, reason.message);
        Fault::Refused(reason)
    })?;
    Ok(Versioned { record, expect: Expect::Version(item.version) })
}

/// Reads one record by its key.
pub async fn load<R: Record>(
    store: &impl ReadItems,
    key: (String, String),
) -> Result<Option<Versioned<R>>, Fault> {
    let item = store.get(&Key { partition: key.0, sort: key.1 }).await?;
    item.as_ref().map(decode).transpose()
}

/// The write that puts a record in the place of whatever is stored under its key, on condition that nobody writes there meanwhile.
pub async fn replacing<R: Record>(store: &impl ReadItems, record: R) -> Result<Write, Fault> {
    let stored: Option<Versioned<R>> = load(store, record.key()).await?;
    let expect = stored.map_or(Expect::Absent, |stored| stored.expect);
    Versioned { record, expect }.put()
}

/// Reads all records of one partition between two sort keys, page by page. For ranges that are small by design: the open
/// tasks of an instance, its databases.
pub async fn load_range<R: Record>(
    store: &impl ReadItems,
    partition: &str,
    (from, to): (&str, &str),
) -> Result<Vec<Versioned<R>>, Fault> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let range = Range {
            partition: partition.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            after: after.take(),
            limit: 1_000,
        };
        let page = store.query(&range).await?;
        for item in &page.items {
            found.push(decode(item)?);
        }
        match page.after {
            Some(last) => after = Some(last),
            None => return Ok(found),
        }
    }
}
