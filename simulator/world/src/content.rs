//! What is in a database, so that two databases can be compared?
//!
//! The set of transactions applied, by branch of history, and the newest version of each of 32 model pages. The set shows
//! any transaction lost or applied twice however long ago; the pages are what a full backup holds. It refuses to know
//! where content came from: a live database, a file, a restore.

/// Model pages in a database.
pub const PAGES: usize = 32;

/// The newest version of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageVersion {
    /// Number of the transaction that wrote it, in its database's history.
    pub transaction: u64,
    /// What it wrote.
    pub value: u64,
}

/// Transactions of one branch of history, `from` included, `until` excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rows {
    /// Branch.
    pub branch: u32,
    /// First transaction.
    pub from: u64,
    /// One after the last.
    pub until: u64,
}

/// Content of a database at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    rows: Vec<Rows>,
    pages: [Option<PageVersion>; PAGES],
}

impl Content {
    /// Transactions applied, as maximal ranges in the order applied.
    pub fn rows(&self) -> &[Rows] {
        &self.rows
    }

    /// How many transactions were applied.
    pub fn row_count(&self) -> u64 {
        self.rows.iter().map(|r| r.until - r.from).sum()
    }

    /// The newest version of each page, `None` where nothing was written.
    pub fn pages(&self) -> &[Option<PageVersion>; PAGES] {
        &self.pages
    }

    /// Notes that these transactions were applied.
    pub(crate) fn add_rows(&mut self, added: Rows) {
        if added.from >= added.until {
            return;
        }
        match self.rows.last_mut() {
            Some(last) if last.branch == added.branch && last.until == added.from => last.until = added.until,
            _ => self.rows.push(added),
        }
    }

    /// Writes a page.
    pub(crate) fn set_page(&mut self, page: usize, version: PageVersion) {
        if let Some(slot) = self.pages.get_mut(page) {
            *slot = Some(version);
        }
    }
}
