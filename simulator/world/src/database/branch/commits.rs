//! When did one transaction commit, where does its log end, and what did it write: what a file tells of it elsewhere.

use super::{Branch, BranchId, Branches, Law, Logged, Waypoint, lsn_of};
use crate::{lsn::Lsn, time::Ms};

impl Branches {
    /// A transaction as a log backup records it; `limit` is a moment known to lie after it. `None` where it never was.
    pub(crate) fn logged(&self, id: BranchId, number: u64, limit: Ms) -> Option<Logged> {
        let branch = self.get(self.owner(id, number));
        let (at, end) = match &branch.law {
            Law::Recorded(held) => return held.logged(number),
            Law::Imported(waypoints) => between(waypoints, number)?,
            Law::Generated { .. } => branch.generated(number, limit)?,
        };
        let (page, version) = self.record(id, number)?;
        Some(Logged { number, at, end, page: u8::try_from(page).ok()?, value: version.value })
    }

    /// A branch and those it comes from, oldest first: each with what it inherited and its start.
    pub(crate) fn lineage(&self, id: BranchId) -> Vec<(BranchId, u64, Ms)> {
        let mut lines = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next {
            let branch = self.get(id);
            lines.push((id, branch.first, branch.start));
            next = branch.parent;
        }
        lines.reverse();
        lines
    }
}

impl Branch {
    fn generated(&self, number: u64, limit: Ms) -> Option<(Ms, Lsn)> {
        let Law::Generated { writes, marks, sectors_per_transaction: each, first_vlf } = &self.law else {
            return None;
        };
        let own = number.checked_sub(self.first)?;
        let index = marks.partition_point(|m| m.generated + m.by_hand <= own);
        let (mark, next) = (marks.get(index.checked_sub(1)?)?, marks.get(index));
        let generated = own.checked_sub(mark.by_hand)?;
        let at = match next {
            // Those written by hand come behind what the write law brought by then.
            Some(next) if generated >= next.generated => next.at,
            _ => writes.commit_time(generated, limit)?,
        };
        let sector = mark.sector + (generated - mark.generated + 1) * each;
        Some((at, lsn_of(*first_vlf, sector)))
    }
}

/// A transaction between two waypoints: spread evenly, its log as long as the stretch.
fn between(waypoints: &[Waypoint], number: u64) -> Option<(Ms, Lsn)> {
    let index = waypoints.partition_point(|w| w.count <= number);
    let (a, b) = (waypoints.get(index.checked_sub(1)?)?, waypoints.get(index)?);
    let (width, place) = ((b.at - a.at).cast_unsigned(), number - a.count + 1);
    Some((a.at + (place * width / (b.count - a.count + 1)).cast_signed(), b.lsn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        database::{
            branch::ContentRef,
            writes::{Rhythm, Writes},
        },
        time::HOUR,
    };

    #[test]
    fn what_is_told_of_each_is_what_the_branch_counts() {
        let mut branches = Branches::default();
        let writes = Writes::new(5, 0, 20_000, Rhythm::Flat, &[]);
        let parent = branches.add_generated(5, None, 0, writes.clone(), 3, 34);
        branches.consume(parent, HOUR / 4, 9);
        branches.write(parent, HOUR / 2, 4);
        let here = branches.position_at(parent, HOUR);
        let at = ContentRef { branch: parent, count: here.count };
        let child = branches.add_generated(6, Some(at), 2 * HOUR, writes.again(6, 2 * HOUR), 3, 60);
        let until = branches.position_at(child, 3 * HOUR).count;
        assert!(until > at.count + 100);
        for number in 0..until {
            let logged = branches.logged(child, number, 3 * HOUR).unwrap();
            assert!(branches.commits_before(child, logged.at) <= number, "{number}");
            assert!(branches.commits_before(child, logged.at + 1) > number, "{number}");
            assert_eq!(branches.count_below(child, logged.end), number + 1, "{number}");
        }
        let lineage: Vec<_> = branches.lineage(child).iter().map(|(id, first, _)| (*id, *first)).collect();
        assert_eq!(lineage, [(parent, 0), (child, at.count)]);
    }

    #[test]
    fn imported_ones_lie_between_their_waypoints() {
        let of = |lsn, at, count| Waypoint { lsn: Lsn::new(0, 0, lsn), at, count };
        let mut branches = Branches::default();
        let id = branches.add_imported(1, None, vec![of(10, 0, 0), of(20, 1_000, 5), of(40, 4_000, 11)]);
        for number in 0..11 {
            let logged = branches.logged(id, number, 9_000).unwrap();
            assert!(branches.commits_before(id, logged.at) <= number, "{number}");
            assert!(branches.commits_before(id, logged.at + 1) > number, "{number}");
        }
        assert_eq!(branches.logged(id, 11, 9_000), None);
    }
}
