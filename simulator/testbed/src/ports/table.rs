//! What a DynamoDB table with one sparse index does, without time and without faults.
//!
//! It mirrors: conditional writes, all or none; versions; pages of 1 MB; sort keys in the order of their UTF-8 bytes; an
//! index that holds an item only while it is due. It leaves out: throughput, and an index that lags behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::store::{
    COMMIT_WRITES_MAX, CommitFault, Due, Expect, ITEM_BYTES_MAX, Item, Key, Page, Range, Write,
};

/// Bytes of bodies after which a page ends. DynamoDB: 1 MB a query (developer guide, "Query", read 2026-11).
pub const PAGE_BYTES_MAX: usize = 1_048_576;

/// Bytes of one commit. DynamoDB: 4 MB a transaction (developer guide, "Constraints", read 2026-11).
pub const COMMIT_BYTES_MAX: usize = 4_194_304;

#[derive(Debug, Clone)]
struct Stored {
    body: String,
    due: Option<Due>,
    version: u64,
}

impl Stored {
    fn item(&self, partition: &str, sort: &str) -> Item {
        Item {
            key: Key { partition: partition.to_owned(), sort: sort.to_owned() },
            body: self.body.clone(),
            due: self.due.clone(),
            version: self.version,
        }
    }
}

/// The items and their index.
#[derive(Debug, Clone, Default)]
pub struct Table {
    partitions: BTreeMap<String, BTreeMap<String, Stored>>,
    index: BTreeSet<(Due, Key)>,
}

impl Table {
    /// One item.
    pub fn get(&self, key: &Key) -> Option<Item> {
        self.stored(key).map(|stored| stored.item(&key.partition, &key.sort))
    }

    /// All items of a partition, in order of sort keys.
    pub fn partition(&self, partition: &str) -> impl Iterator<Item = Item> {
        let name = partition.to_owned();
        self.partitions
            .get(partition)
            .into_iter()
            .flatten()
            .map(move |(sort, stored)| stored.item(&name, sort))
    }

    /// Names of the partitions that hold an item.
    pub fn partitions(&self) -> impl Iterator<Item = &str> {
        self.partitions.keys().map(String::as_str)
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.partitions.values().map(BTreeMap::len).sum()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// One page of a partition. A limit outside of 1 to 1,000 is brought inside, bounds in the wrong order hold nothing: as
    /// the adapter for DynamoDB has it.
    pub fn query(&self, range: &Range) -> Page {
        let limit = range.limit.clamp(1, 1_000) as usize;
        let from = match &range.after {
            Some(after) if *after >= range.from => Bound::Excluded(after.as_str()),
            _ => Bound::Included(range.from.as_str()),
        };
        let mut page = Page { items: Vec::new(), after: None };
        // A range of the map with its bounds in the wrong order would panic.
        if range.from > range.to || range.after.as_ref().is_some_and(|after| *after >= range.to) {
            return page;
        }
        let Some(partition) = self.partitions.get(&range.partition) else { return page };
        let mut bytes = 0;
        for (sort, stored) in partition.range::<str, _>((from, Bound::Included(range.to.as_str()))) {
            page.items.push(stored.item(&range.partition, sort));
            bytes += stored.body.len();
            // As the service does: a page that is full names its last key, whether or not anything follows.
            if page.items.len() >= limit || bytes >= PAGE_BYTES_MAX {
                page.after = Some(sort.clone());
                break;
            }
        }
        page
    }

    /// Keys due at or before `until` in one shard, earliest first.
    pub fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Vec<Key> {
        let least = Key { partition: String::new(), sort: String::new() };
        let from = (Due { shard, at: Timestamp::MIN }, least);
        self.index
            .range(from..)
            .take_while(|(due, _)| due.shard == shard && due.at <= until)
            .take(limit as usize)
            .map(|(_, key)| key.clone())
            .collect()
    }

    /// Carries out all writes or none.
    ///
    /// # Errors
    /// `Conflict` names the first key whose expectation failed; `CommitMalformed` and `ItemTooLarge` are refused before
    /// anything is looked at.
    pub fn commit(&mut self, writes: &[Write]) -> Result<(), CommitFault> {
        check_shape(writes)?;
        for write in writes {
            let (key, expect) = target(write);
            let found = self.stored(key).map(|stored| stored.version);
            let met = match expect {
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(version),
            };
            if !met {
                return Err(CommitFault::Conflict { key: key.clone() });
            }
        }
        for write in writes {
            let (key, expect) = target(write);
            self.remove(key);
            if let Write::Put { item, .. } = write {
                let version = match expect {
                    Expect::Absent => 1,
                    Expect::Version(version) => version.saturating_add(1),
                };
                self.insert(item, version);
            }
        }
        Ok(())
    }

    fn stored(&self, key: &Key) -> Option<&Stored> {
        self.partitions.get(&key.partition)?.get(&key.sort)
    }

    fn insert(&mut self, item: &Item, version: u64) {
        if let Some(due) = &item.due {
            self.index.insert((due.clone(), item.key.clone()));
        }
        let stored = Stored { body: item.body.clone(), due: item.due.clone(), version };
        // Not by entry(): most writes are to a partition that exists, and need no copy of its name.
        if let Some(partition) = self.partitions.get_mut(&item.key.partition) {
            partition.insert(item.key.sort.clone(), stored);
        } else {
            let partition = BTreeMap::from([(item.key.sort.clone(), stored)]);
            self.partitions.insert(item.key.partition.clone(), partition);
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some(partition) = self.partitions.get_mut(&key.partition) else { return };
        if let Some(Stored { due: Some(due), .. }) = partition.remove(&key.sort) {
            self.index.remove(&(due, key.clone()));
        }
        if partition.is_empty() {
            self.partitions.remove(&key.partition);
        }
    }
}

fn target(write: &Write) -> (&Key, Expect) {
    match write {
        Write::Put { item, expect } => (&item.key, *expect),
        Write::Delete { key, expect } => (key, *expect),
    }
}

fn refused(name: &'static str, message: String) -> Fault {
    Fault::Refused(Reason::new(Class::Human, name, message))
}

fn check_shape(writes: &[Write]) -> Result<(), Fault> {
    if writes.is_empty() || writes.len() > COMMIT_WRITES_MAX {
        let message = format!("a commit has 1 to {COMMIT_WRITES_MAX} writes, this one has {}", writes.len());
        return Err(refused("CommitMalformed", message));
    }
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for write in writes {
        let (key, _) = target(write);
        if key.partition.is_empty() || key.sort.is_empty() {
            return Err(refused("CommitMalformed", format!("{key:?} has an empty part")));
        }
        if !seen.insert(key) {
            return Err(refused("CommitMalformed", format!("{key:?} is written twice in one commit")));
        }
        if let Write::Put { item, .. } = write {
            if item.body.len() > ITEM_BYTES_MAX {
                let message = format!("{key:?} has {} bytes, {ITEM_BYTES_MAX} are allowed", item.body.len());
                return Err(refused("ItemTooLarge", message));
            }
            bytes += item.body.len();
        }
    }
    if bytes > COMMIT_BYTES_MAX {
        let message = format!("the commit has {bytes} bytes, {COMMIT_BYTES_MAX} are allowed");
        return Err(refused("CommitMalformed", message));
    }
    Ok(())
}
