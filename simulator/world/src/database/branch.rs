//! Which transaction has which number, LSN, commit time and content?
//!
//! A branch is one line of history: transactions numbered from 0, the first of them inherited from a parent branch. Where
//! a database is restored to a moment, a new branch starts, and both share LSN ranges afterwards, as real recovery paths
//! do. A branch is append-only: whatever a file once held can be computed again at any time, so files hold numbers
//! instead of records. What files of another world brought is kept as they brought it (`recorded`). It refuses to know
//! backups, files and servers.

mod commits;
mod recorded;

use crate::{
    content::{Content, PAGES, PageVersion, Rows},
    database::writes::Writes,
    lsn::Lsn,
    stream::{Purpose, draw},
    time::Ms,
};

pub(crate) use recorded::{Logged, Recorded};

/// A branch of history, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BranchId(pub(crate) u32);

/// A place in a branch: the transactions before it, and the LSN of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Transactions before it.
    pub(crate) count: u64,
    /// The next record.
    pub(crate) lsn: Lsn,
}

/// Content of a branch after so many transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRef {
    /// Branch.
    pub(crate) branch: BranchId,
    /// Transactions in it.
    pub(crate) count: u64,
}

/// Something other than the write law that used log: a backup, a checkpoint, writes made by hand.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Ms,
    /// Transactions of the write law before it.
    generated: u64,
    /// Transactions written by hand up to and with it.
    by_hand: u64,
    /// Sectors of log before the next record.
    sector: u64,
}

/// A known place of an imported history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waypoint {
    /// LSN.
    pub(crate) lsn: Lsn,
    /// When the log had grown to it.
    pub(crate) at: Ms,
    /// Transactions before it.
    pub(crate) count: u64,
}

/// How a branch grows.
#[derive(Debug, Clone)]
enum Law {
    Generated { writes: Writes, marks: Vec<Mark>, sectors_per_transaction: u64, first_vlf: u32 },
    Imported(Vec<Waypoint>),
    Recorded(Recorded),
}

/// One line of history.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    seed: u64,
    parent: Option<BranchId>,
    /// Transactions inherited from the parent.
    first: u64,
    start: Ms,
    law: Law,
}

/// All branches of a world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Branches {
    list: Vec<Branch>,
}

/// Sectors in a virtual log file: 64 MiB, a common size.
const SECTORS_PER_VLF: u64 = 131_072;
/// A virtual log file starts with a header of 8 KiB.
const FIRST_BLOCK: u64 = 16;

/// The LSN of a sector: its first record.
fn lsn_of(first_vlf: u32, sector: u64) -> Lsn {
    let vlf = u64::from(first_vlf) + sector / SECTORS_PER_VLF;
    let block = FIRST_BLOCK + sector % SECTORS_PER_VLF;
    Lsn::new(u32::try_from(vlf).unwrap_or(u32::MAX), u32::try_from(block).unwrap_or(u32::MAX), 1)
}

/// The sector of an LSN; `None` before the first virtual log file of a branch.
fn sector_of(first_vlf: u32, lsn: Lsn) -> Option<u64> {
    let vlf = lsn.vlf.checked_sub(first_vlf)?;
    Some(u64::from(vlf) * SECTORS_PER_VLF + u64::from(lsn.block).checked_sub(FIRST_BLOCK)?)
}

impl Branches {
    fn get(&self, id: BranchId) -> &Branch {
        self.list.get(id.0 as usize).expect("a branch id is only made by add, and branches are never removed")
    }

    fn add(&mut self, branch: Branch) -> BranchId {
        self.list.push(branch);
        BranchId(u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX))
    }

    /// A branch that grows by a write law from `start` on, after `parent` if given.
    pub(crate) fn add_generated(
        &mut self,
        seed: u64,
        parent: Option<ContentRef>,
        start: Ms,
        writes: Writes,
        sectors_per_transaction: u64,
        first_vlf: u32,
    ) -> BranchId {
        let law = Law::Generated {
            writes,
            marks: vec![Mark { at: start, generated: 0, by_hand: 0, sector: 0 }],
            sectors_per_transaction: sectors_per_transaction.max(1),
            first_vlf,
        };
        let (parent, first) = (parent.map(|p| p.branch), parent.map_or(0, |p| p.count));
        self.add(Branch { seed, parent, first, start, law })
    }

    /// A branch that leaves another at a place and writes as that one did; its LSNs go on behind the place, so that both
    /// branches use the same ones afterwards. `None` where the parent is known by waypoints only.
    pub(crate) fn add_fork(
        &mut self,
        seed: u64,
        parent: ContentRef,
        from: Lsn,
        start: Ms,
        recovery_sectors: u64,
    ) -> Option<BranchId> {
        let Law::Generated { writes, sectors_per_transaction, .. } = &self.get(parent.branch).law else {
            return None;
        };
        let sector = u64::from(from.block).saturating_sub(FIRST_BLOCK) + recovery_sectors;
        let law = Law::Generated {
            writes: writes.again(seed, start),
            marks: vec![Mark { at: start, generated: 0, by_hand: 0, sector }],
            sectors_per_transaction: *sectors_per_transaction,
            first_vlf: from.vlf,
        };
        Some(self.add(Branch { seed, parent: Some(parent.branch), first: parent.count, start, law }))
    }

    /// A branch that is known by its waypoints only, in ascending order of everything.
    pub(crate) fn add_imported(
        &mut self,
        seed: u64,
        parent: Option<ContentRef>,
        waypoints: Vec<Waypoint>,
    ) -> BranchId {
        let start = waypoints.first().map_or(Ms::MIN, |w| w.at);
        let (parent, first) = (parent.map(|p| p.branch), parent.map_or(0, |p| p.count));
        self.add(Branch { seed, parent, first, start, law: Law::Imported(waypoints) })
    }

    /// The place a branch has reached at a moment. Marks of the very millisecond count, commits of it do not.
    pub(crate) fn position_at(&self, id: BranchId, at: Ms) -> Position {
        let branch = self.get(id);
        match &branch.law {
            Law::Generated { writes, marks, sectors_per_transaction, first_vlf } => {
                let index = marks.partition_point(|m| m.at <= at).saturating_sub(1);
                let Some(mark) = marks.get(index) else {
                    return Position { count: branch.first, lsn: Lsn::ZERO };
                };
                let generated = writes.committed_before(at).max(mark.generated);
                let sector = mark.sector + (generated - mark.generated) * sectors_per_transaction;
                Position { count: branch.first + generated + mark.by_hand, lsn: lsn_of(*first_vlf, sector) }
            }
            Law::Imported(waypoints) => {
                let index = waypoints.partition_point(|w| w.at <= at).saturating_sub(1);
                waypoints.get(index).map_or(Position { count: branch.first, lsn: Lsn::ZERO }, |w| Position {
                    count: w.count,
                    lsn: w.lsn,
                })
            }
            Law::Recorded(held) => held.end(branch.first),
        }
    }

    /// The start of an open transaction that lies `back` transactions before the place reached at `at`, as far as no mark
    /// lies in between.
    pub(crate) fn position_back(&self, id: BranchId, at: Ms, back: u64) -> Position {
        let here = self.position_at(id, at);
        let branch = self.get(id);
        let Law::Generated { writes, marks, sectors_per_transaction, first_vlf } = &branch.law else {
            return here;
        };
        let index = marks.partition_point(|m| m.at <= at).saturating_sub(1);
        let Some(mark) = marks.get(index) else { return here };
        let since = writes.committed_before(at).max(mark.generated) - mark.generated;
        let back = back.min(since);
        let sector = mark.sector + (since - back) * sectors_per_transaction;
        Position { count: here.count - back, lsn: lsn_of(*first_vlf, sector) }
    }

    /// Transactions whose last record lies below an LSN, along the branch and its ancestors.
    pub(crate) fn count_below(&self, id: BranchId, lsn: Lsn) -> u64 {
        let branch = self.get(id);
        let Law::Generated { marks, sectors_per_transaction: each, first_vlf, .. } = &branch.law else {
            return self.imported_below(id, lsn);
        };
        let place = sector_of(*first_vlf, lsn);
        let index = place.map_or(0, |sector| marks.partition_point(|m| m.sector <= sector));
        let Some(mark) = index.checked_sub(1).and_then(|i| marks.get(i)) else {
            return branch.parent.map_or(0, |p| self.count_below(p, lsn).min(branch.first));
        };
        let written = place.unwrap_or(mark.sector) - mark.sector;
        let next = marks.get(index);
        let generated = (written / each).min(next.map_or(u64::MAX, |n| n.generated - mark.generated));
        let by_hand = next.map_or(0, |n| {
            (written.saturating_sub((n.generated - mark.generated) * each) / each)
                .min(n.by_hand - mark.by_hand)
        });
        branch.first + mark.generated + mark.by_hand + generated + by_hand
    }

    fn imported_below(&self, id: BranchId, lsn: Lsn) -> u64 {
        let branch = self.get(id);
        if let Law::Recorded(held) = &branch.law {
            return self.or_inherited(branch, held.below(lsn), |branches, p| branches.count_below(p, lsn));
        }
        let Law::Imported(waypoints) = &branch.law else { return branch.first };
        let index = waypoints.partition_point(|w| w.lsn <= lsn);
        index.checked_sub(1).and_then(|i| waypoints.get(i)).map_or(branch.first, |w| w.count)
    }

    /// Uses log at a moment not before the last mark. Returns the places before and after.
    pub(crate) fn consume(&mut self, id: BranchId, at: Ms, sectors: u64) -> (Position, Position) {
        let before = self.position_at(id, at);
        self.mark(id, at, sectors, 0);
        (before, self.position_at(id, at))
    }

    /// Commits transactions by hand at a moment not before the last mark.
    pub(crate) fn write(&mut self, id: BranchId, at: Ms, transactions: u64) {
        let each = match &self.get(id).law {
            Law::Generated { sectors_per_transaction, .. } => *sectors_per_transaction,
            Law::Imported(_) | Law::Recorded(_) => return,
        };
        self.mark(id, at, transactions * each, transactions);
    }

    fn mark(&mut self, id: BranchId, at: Ms, sectors: u64, by_hand: u64) {
        let Some(branch) = self.list.get_mut(id.0 as usize) else { return };
        let Law::Generated { writes, marks, sectors_per_transaction, .. } = &mut branch.law else { return };
        let Some(last) = marks.last().copied() else { return };
        let at = at.max(last.at);
        let generated = writes.committed_before(at).max(last.generated);
        marks.push(Mark {
            at,
            generated,
            by_hand: last.by_hand + by_hand,
            sector: last.sector + (generated - last.generated) * *sectors_per_transaction + sectors,
        });
    }

    /// Transactions that committed strictly before a moment, along the branch and its ancestors.
    pub(crate) fn commits_before(&self, id: BranchId, at: Ms) -> u64 {
        let branch = self.get(id);
        if at <= branch.start {
            return branch.parent.map_or(0, |p| self.commits_before(p, at).min(branch.first));
        }
        match &branch.law {
            Law::Generated { writes, marks, .. } => {
                let index = marks.partition_point(|m| m.at < at).saturating_sub(1);
                branch.first + writes.committed_before(at) + marks.get(index).map_or(0, |m| m.by_hand)
            }
            Law::Imported(waypoints) => imported_before(waypoints, at, branch.first),
            Law::Recorded(held) => {
                self.or_inherited(branch, held.before(at), |branches, p| branches.commits_before(p, at))
            }
        }
    }

    /// When the last of the first `count` transactions committed; `limit` is a moment known to lie after it.
    pub(crate) fn last_commit(&self, id: BranchId, count: u64, limit: Ms) -> Option<Ms> {
        let number = count.checked_sub(1)?;
        let branch = self.get(id);
        if number < branch.first {
            return branch.parent.and_then(|p| self.last_commit(p, count, limit));
        }
        if let Law::Recorded(held) = &branch.law {
            return held.logged(number).map(|logged| logged.at);
        }
        // Commit times ascend with numbers, so the first moment with more than `number` commits before it is just after it.
        let (mut low, mut high) = (branch.start.max(limit - 40 * crate::time::DAY), limit);
        if let Law::Generated { writes, marks, .. } = &branch.law
            && marks.last().is_some_and(|m| m.by_hand == 0)
        {
            return writes.commit_time(number - branch.first, limit);
        }
        if self.commits_before(id, low) > number {
            low = branch.start;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.commits_before(id, middle) > number { high = middle } else { low = middle + 1 }
        }
        Some(low - 1)
    }

    /// The branch that wrote a transaction: this one or an ancestor.
    fn owner(&self, mut id: BranchId, number: u64) -> BranchId {
        loop {
            let branch = self.get(id);
            match branch.parent {
                Some(parent) if number < branch.first => id = parent,
                _ => return id,
            }
        }
    }

    /// What a transaction wrote, and where. Any 32 transactions in a row from a multiple of 32 write each page once.
    /// `None` where no file brought it.
    fn record(&self, id: BranchId, number: u64) -> Option<(usize, PageVersion)> {
        let pages = PAGES as u64;
        let owner = self.get(self.owner(id, number));
        if let Law::Recorded(held) = &owner.law {
            return held.page(number);
        }
        let seed = owner.seed;
        // The order of pages is the same in all branches: a group that two of them share still writes each page.
        let page = (number * 5 + draw(0, Purpose::Value, &[number / pages])) % pages;
        let version = PageVersion { transaction: number, value: draw(seed, Purpose::Value, &[number, 1]) };
        Some((usize::try_from(page).unwrap_or(0), version))
    }

    /// Applies transactions `from..until` of a branch to content.
    pub(crate) fn apply(&self, content: &mut Content, id: BranchId, from: u64, until: u64) {
        let mut start = from;
        while start < until {
            let owner = self.owner(id, start);
            let end = self.end_of_owner(id, owner).min(until);
            content.add_rows(Rows { branch: owner.0, from: start, until: end });
            start = end;
        }
        // Older records are overwritten by these: two groups of 32 hold each page at least once.
        for number in from.max(until.saturating_sub(2 * PAGES as u64))..until {
            if let Some((page, version)) = self.record(id, number) {
                content.set_page(page, version);
            }
        }
    }

    /// One after the last transaction that `id` has from `owner`.
    fn end_of_owner(&self, mut id: BranchId, owner: BranchId) -> u64 {
        let mut end = u64::MAX;
        while id != owner {
            let branch = self.get(id);
            end = branch.first;
            match branch.parent {
                Some(parent) => id = parent,
                None => break,
            }
        }
        end
    }

    /// Content after so many transactions.
    pub(crate) fn content(&self, at: ContentRef) -> Content {
        let mut content = Content::default();
        self.apply(&mut content, at.branch, 0, at.count);
        content
    }
}

/// Commits between two waypoints are spread evenly, strictly before the second.
fn imported_before(waypoints: &[Waypoint], at: Ms, first: u64) -> u64 {
    let index = waypoints.partition_point(|w| w.at < at);
    let Some(a) = index.checked_sub(1).and_then(|i| waypoints.get(i)) else { return first };
    let Some(b) = waypoints.get(index) else { return a.count };
    let between = b.count - a.count;
    let (width, into) = ((b.at - a.at).cast_unsigned().max(1), (at - a.at).cast_unsigned());
    // Transaction j commits at a + (j + 1) * width / (between + 1).
    let mut passed = into * (between + 1) / width;
    while passed > 0 && passed * width / (between + 1) >= into {
        passed -= 1;
    }
    a.count + passed.min(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{database::writes::Rhythm, time::HOUR};

    fn branches() -> (Branches, BranchId) {
        let mut branches = Branches::default();
        let writes = Writes::new(5, 0, 20_000, Rhythm::Flat, &[]);
        let id = branches.add_generated(5, None, 0, writes, 3, 34);
        (branches, id)
    }

    #[test]
    fn positions_ascend_across_marks() {
        let (mut branches, id) = branches();
        let mut last = branches.position_at(id, 0);
        for minute in 1..200_i64 {
            let at = minute * 60_000;
            if minute % 50 == 0 {
                let (before, after) = branches.consume(id, at, 9);
                assert!(before.count == after.count && before.lsn < after.lsn);
            }
            let here = branches.position_at(id, at);
            assert!(here.count >= last.count && here.lsn >= last.lsn);
            assert_eq!(here.count == last.count && minute % 50 != 0, here.lsn == last.lsn);
            last = here;
        }
    }

    #[test]
    fn what_lies_below_a_place_is_what_came_before_it() {
        let (mut branches, id) = branches();
        for minute in 1..120_i64 {
            let at = minute * 60_000;
            match minute % 50 {
                0 => drop(branches.consume(id, at, 9)),
                25 => branches.write(id, at, 4),
                _ => {}
            }
            let here = branches.position_at(id, at);
            assert_eq!(branches.count_below(id, here.lsn), here.count, "minute {minute}");
        }
        let at = branches.position_at(id, HOUR);
        let parent = ContentRef { branch: id, count: at.count };
        let child = branches.add_fork(9, parent, at.lsn, 3 * HOUR, 2).unwrap();
        assert_eq!(branches.count_below(child, at.lsn), at.count);
        let later = branches.position_at(child, 4 * HOUR);
        assert!(later.count > at.count && branches.count_below(child, later.lsn) == later.count);
        let before = branches.position_at(id, HOUR / 2);
        assert_eq!(branches.count_below(child, before.lsn), before.count, "inherited");
    }

    #[test]
    fn content_is_the_same_in_one_step_or_many() {
        let (branches, id) = branches();
        let whole = branches.content(ContentRef { branch: id, count: 1_000 });
        let mut parts = Content::default();
        for (from, until) in [(0, 1), (1, 40), (40, 999), (999, 1_000)] {
            branches.apply(&mut parts, id, from, until);
        }
        assert_eq!(whole, parts);
        assert_eq!(whole.row_count(), 1_000);
        assert!(whole.pages().iter().all(Option::is_some));
        let mut gap = branches.content(ContentRef { branch: id, count: 500 });
        branches.apply(&mut gap, id, 501, 1_000);
        assert_ne!(whole, gap, "one lost transaction shows even when every page was overwritten since");
    }

    #[test]
    fn a_child_shares_the_past_and_nothing_else() {
        let (mut branches, id) = branches();
        let fork = branches.position_at(id, HOUR);
        let parent = ContentRef { branch: id, count: fork.count };
        let child = branches.add_generated(
            6,
            Some(parent),
            2 * HOUR,
            Writes::new(6, 2 * HOUR, 20_000, Rhythm::Flat, &[]),
            3,
            35,
        );
        assert_eq!(branches.content(ContentRef { branch: child, ..parent }), branches.content(parent));
        let more = fork.count + 10;
        assert_ne!(
            branches.content(ContentRef { branch: child, count: more }),
            branches.content(ContentRef { branch: id, count: more })
        );
        assert_eq!(branches.commits_before(child, HOUR), branches.commits_before(id, HOUR));
        assert_eq!(branches.commits_before(child, 2 * HOUR), fork.count);
    }

    #[test]
    fn commits_by_hand_are_out_at_their_own_moment() {
        let (mut branches, id) = branches();
        branches.write(id, HOUR, 7);
        let (at, after) = (branches.commits_before(id, HOUR), branches.commits_before(id, HOUR + 1));
        assert!(after >= at + 7);
        assert_eq!(branches.position_at(id, HOUR).count, at + 7);
        let last = branches.last_commit(id, after, HOUR + 1).unwrap();
        assert_eq!(last, HOUR);
    }

    #[test]
    fn imported_waypoints_hold() {
        let points = [(10, 0, 0), (20, 1_000, 5), (30, 1_000, 5), (40, 4_000, 11)];
        let waypoints: Vec<_> = points
            .iter()
            .map(|(l, at, count)| Waypoint { lsn: Lsn::new(0, 0, *l), at: *at, count: *count })
            .collect();
        let mut branches = Branches::default();
        let id = branches.add_imported(1, None, waypoints);
        for (at, count) in [(-5, 0), (0, 0), (1_000, 5), (4_000, 11), (9_000, 11)] {
            assert_eq!(branches.commits_before(id, at), count, "{at}");
        }
        for at in 0..4_100 {
            assert!(branches.commits_before(id, at) <= branches.commits_before(id, at + 1));
        }
    }
}
