//! What is known of a branch whose files came from another world?
//!
//! Its transactions as log backups record them, and the pages that data backups hold: nothing else is ever asked of a branch
//! that nobody writes to. Files arrive in any order and with gaps. They must not contradict each other: what would is turned
//! down before anything is kept.

use std::collections::BTreeMap;

use super::{Branch, BranchId, Branches, ContentRef, Law, Position};
use crate::{content::PageVersion, lsn::Lsn, time::Ms};

/// A transaction as a log backup records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Its number in the history.
    pub(crate) number: u64,
    /// When it committed.
    pub(crate) at: Ms,
    /// The record behind its last one.
    pub(crate) end: Lsn,
    /// The page that it wrote.
    pub(crate) page: u8,
    /// What it wrote there.
    pub(crate) value: u64,
}

/// What files brought of one branch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recorded {
    /// Ascending by number, moment and LSN.
    log: Vec<Logged>,
    /// Pages by the number of the transaction that wrote them: page and value.
    pages: BTreeMap<u64, (u8, u64)>,
    /// Transactions that some file knows of.
    known: u64,
}

impl Recorded {
    /// Transactions that committed strictly before a moment, as far as the log tells. In a gap the number behind it is
    /// answered: no file that is there ends within one.
    pub(super) fn before(&self, at: Ms) -> u64 {
        self.number_at(self.log.partition_point(|logged| logged.at < at))
    }

    /// The same below an LSN.
    pub(super) fn below(&self, lsn: Lsn) -> u64 {
        self.number_at(self.log.partition_point(|logged| logged.end <= lsn))
    }

    fn number_at(&self, index: usize) -> u64 {
        self.log.get(index).map_or(self.known, |logged| logged.number)
    }

    /// A transaction of a log that came.
    pub(super) fn logged(&self, number: u64) -> Option<Logged> {
        let index = self.log.binary_search_by_key(&number, |logged| logged.number).ok()?;
        self.log.get(index).copied()
    }

    /// What a transaction wrote, and where.
    pub(super) fn page(&self, number: u64) -> Option<(usize, PageVersion)> {
        let logged = self.logged(number).map(|logged| (logged.page, logged.value));
        let (page, value) = logged.or_else(|| self.pages.get(&number).copied())?;
        Some((usize::from(page), PageVersion { transaction: number, value }))
    }

    /// How far the branch is known.
    pub(super) fn end(&self, first: u64) -> Position {
        let lsn = self.log.last().map_or(Lsn::ZERO, |logged| logged.end);
        Position { count: self.known.max(first), lsn }
    }

    /// Whether a stretch of log, numbered without gaps, contradicts nothing.
    pub(crate) fn agrees(&self, added: &[Logged]) -> bool {
        let (Some(first), Some(last)) = (added.first(), added.last()) else { return true };
        let from = self.log.partition_point(|logged| logged.number < first.number);
        let until = self.log.partition_point(|logged| logged.number <= last.number);
        let follows = |one: &Logged, other: &Logged| one.at <= other.at && one.end <= other.end;
        let held = self.log.get(from..until).unwrap_or_default();
        let place = |logged: &Logged| usize::try_from(logged.number - first.number).ok();
        from.checked_sub(1).and_then(|i| self.log.get(i)).is_none_or(|before| follows(before, first))
            && self.log.get(until).is_none_or(|after| follows(last, after))
            && held.iter().all(|logged| place(logged).and_then(|i| added.get(i)) == Some(logged))
            && added.iter().all(|logged| {
                self.pages.get(&logged.number).is_none_or(|held| *held == (logged.page, logged.value))
            })
    }

    /// Whether a page that a transaction wrote contradicts nothing.
    pub(crate) fn agrees_on(&self, number: u64, page: u8, value: u64) -> bool {
        self.page(number).is_none_or(|(held, version)| held == usize::from(page) && version.value == value)
    }

    /// Keeps a stretch of log that agrees.
    pub(crate) fn keep(&mut self, added: &[Logged]) {
        let in_order =
            self.log.last().is_none_or(|last| added.first().is_none_or(|a| last.number < a.number));
        self.log.extend_from_slice(added);
        if !in_order {
            self.log.sort_by_key(|logged| logged.number);
            self.log.dedup_by_key(|logged| logged.number);
        }
        self.knows(added.last().map_or(0, |logged| logged.number + 1));
    }

    /// Keeps a page that agrees.
    pub(crate) fn keep_page(&mut self, number: u64, page: u8, value: u64) {
        self.pages.insert(number, (page, value));
        self.knows(number + 1);
    }

    /// A file tells of so many transactions.
    pub(crate) fn knows(&mut self, count: u64) {
        self.known = self.known.max(count);
    }
}

impl Branches {
    /// A branch of which files tell.
    pub(crate) fn add_recorded(&mut self, parent: Option<ContentRef>, start: Ms) -> BranchId {
        let (parent, first) = (parent.map(|p| p.branch), parent.map_or(0, |p| p.count));
        self.add(Branch { seed: 0, parent, first, start, law: Law::Recorded(Recorded::default()) })
    }

    /// What files brought of a branch; `None` of one that is lived here.
    pub(crate) fn recorded(&self, id: BranchId) -> Option<&Recorded> {
        match &self.list.get(id.0 as usize)?.law {
            Law::Recorded(held) => Some(held),
            _ => None,
        }
    }

    /// The same, to add to it.
    pub(crate) fn recorded_mut(&mut self, id: BranchId) -> Option<&mut Recorded> {
        match &mut self.list.get_mut(id.0 as usize)?.law {
            Law::Recorded(held) => Some(held),
            _ => None,
        }
    }

    /// A count of a recorded branch, or its parent's where it does not reach beyond what was inherited.
    pub(super) fn or_inherited(
        &self,
        branch: &Branch,
        count: u64,
        of_parent: impl FnOnce(&Self, BranchId) -> u64,
    ) -> u64 {
        if count > branch.first {
            return count;
        }
        branch.parent.map_or(branch.first, |parent| of_parent(self, parent).min(branch.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u64, until: u64) -> Vec<Logged> {
        let of = |number: u64| Logged {
            number,
            at: number.cast_signed() * 10,
            end: Lsn::new(40, 16 + u32::try_from(number).unwrap(), 1),
            page: u8::try_from(number % 32).unwrap(),
            value: number * 7,
        };
        (from..until).map(of).collect()
    }

    #[test]
    fn stretches_come_in_any_order_and_more_than_once() {
        let mut held = Recorded::default();
        for (from, until) in [(20, 30), (0, 10), (5, 15), (20, 30)] {
            let added = stretch(from, until);
            assert!(held.agrees(&added), "{from}");
            held.keep(&added);
        }
        assert_eq!(held.log, [stretch(0, 15), stretch(20, 30)].concat());
        assert_eq!((held.before(0), held.before(51), held.before(10_000)), (0, 6, 30));
        assert_eq!(held.before(150), 20, "in the gap");
        assert_eq!(held.below(Lsn::new(40, 21, 1)), 6);
        assert_eq!(held.page(15), None);
    }

    #[test]
    fn what_contradicts_is_turned_down() {
        let mut held = Recorded::default();
        held.keep(&stretch(10, 20));
        let mut other = stretch(15, 25);
        other[0].value += 1;
        assert!(!held.agrees(&other), "another value");
        let mut earlier = stretch(20, 22);
        for logged in &mut earlier {
            logged.at = 5;
        }
        assert!(!held.agrees(&earlier), "later numbers, earlier moments");
        assert!(held.agrees_on(12, 12, 84) && !held.agrees_on(12, 13, 84) && held.agrees_on(30, 1, 1));
    }
}
