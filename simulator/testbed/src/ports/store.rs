//! The task store in memory: a [`Table`] behind latencies and the gate.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use ports::Fault;
use ports::store::{CommitFault, Item, Key, Page, Range, ReadDue, ReadItems, Write, WriteItems};

use crate::kernel::{Kernel, Kind};
use crate::latency::Service;
use crate::ports::table::Table;

/// A handle of the one task store of a testbed; clones share it.
#[derive(Clone)]
pub struct Store {
    kernel: Rc<Kernel>,
    table: Rc<RefCell<Table>>,
}

impl Store {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel, table: Rc::default() }
    }

    /// Looks at the items from outside, without a call: for checkers and reports.
    pub fn look<T>(&self, at: impl FnOnce(&Table) -> T) -> T {
        at(&self.table.borrow())
    }

    /// Writes from outside, without a call: what a scenario puts there before it begins.
    ///
    /// # Errors
    /// As [`Table::commit`].
    pub fn put(&self, writes: &[Write]) -> Result<(), CommitFault> {
        self.table.borrow_mut().commit(writes)
    }
}

impl ReadItems for Store {
    async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.kernel.call("store.get", (Service::Store, Kind::Read), || Ok(self.table.borrow().get(key))).await
    }

    async fn query(&self, range: &Range) -> Result<Page, Fault> {
        self.kernel
            .call("store.query", (Service::Store, Kind::Read), || Ok(self.table.borrow().query(range)))
            .await
    }
}

impl WriteItems for Store {
    async fn commit(&self, writes: &[Write]) -> Result<(), CommitFault> {
        self.kernel
            .call("store.commit", (Service::Store, Kind::Write), || self.table.borrow_mut().commit(writes))
            .await
    }
}

impl ReadDue for Store {
    async fn due(&self, shard: u8, until: Timestamp, limit: u32) -> Result<Vec<Key>, Fault> {
        self.kernel
            .call("store.due", (Service::Store, Kind::Read), || {
                Ok(self.table.borrow().due(shard, until, limit))
            })
            .await
    }
}
