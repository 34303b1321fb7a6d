//! A set of moments as runs: what a window holds, without how each is restored.

use jiff::Timestamp;

use super::Window;

/// Runs of moments that neither overlap nor touch, by time. Both ends of a run are in; a single moment is a run of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moments(Vec<(Timestamp, Timestamp)>);

impl Moments {
    /// Joins runs that overlap or touch, in any order.
    pub(super) fn of(runs: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Self {
        let mut runs: Vec<_> = runs.into_iter().collect();
        runs.sort_unstable();
        let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, to) in runs {
            match joined.last_mut() {
                Some(run) if from <= run.1 => run.1 = run.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self(joined)
    }

    /// The runs, by time.
    pub fn runs(&self) -> &[(Timestamp, Timestamp)] {
        &self.0
    }

    /// Whether the moment is one of them.
    pub fn hold(&self, moment: Timestamp) -> bool {
        let begun = self.0.partition_point(|(from, _)| *from <= moment);
        begun > 0 && moment <= self.0[begun - 1].1
    }

    /// The nearest of them at or before, and at or after.
    pub fn nearest(&self, moment: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let begun = self.0.partition_point(|(from, _)| *from <= moment);
        let before = begun.checked_sub(1).map(|run| self.0[run].1.min(moment));
        let next = self.0.partition_point(|(_, to)| *to < moment);
        let after = self.0.get(next).map(|(from, _)| (*from).max(moment));
        (before, after)
    }

    /// The parts of a run that they leave out.
    pub(super) fn missing_from(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut parts = Vec::new();
        let mut at = from;
        let first = self.0.partition_point(|(_, end)| *end < from);
        for (start, end) in self.0[first..].iter().take_while(|(start, _)| *start <= to) {
            if *start > at {
                parts.push((at, *start));
            }
            at = at.max(*end);
        }
        if at < to {
            parts.push((at, to));
        }
        parts
    }
}

impl Window {
    /// Every moment that can be restored. Made in one pass; ask it, and not the intervals, where many moments are asked for.
    pub fn moments(&self) -> Moments {
        let intervals = self.intervals.iter().map(|interval| (interval.from, interval.to));
        Moments::of(intervals.chain(self.points.iter().map(|point| (point.at, point.at))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a small number")
    }

    fn moments(runs: &[(i64, i64)]) -> Moments {
        Moments::of(runs.iter().map(|(from, to)| (at(*from), at(*to))))
    }

    #[test]
    fn runs_that_overlap_or_touch_are_one() {
        let set = moments(&[(1, 5), (2, 3), (5, 7), (8, 8)]);
        assert_eq!(set.runs(), [(at(1), at(7)), (at(8), at(8))]);
    }

    #[test]
    fn a_moment_is_held_or_lies_between_two() {
        let set = moments(&[(2, 4), (7, 7)]);
        let nearest = [
            (1, false, None, Some(2)),
            (2, true, Some(2), Some(2)),
            (5, false, Some(4), Some(7)),
            (7, true, Some(7), Some(7)),
            (9, false, Some(7), None),
        ];
        for (moment, held, before, after) in nearest {
            assert_eq!(set.hold(at(moment)), held, "{moment}");
            assert_eq!(set.nearest(at(moment)), (before.map(at), after.map(at)), "{moment}");
        }
        assert_eq!(moments(&[]).nearest(at(1)), (None, None));
    }

    #[test]
    fn what_a_set_leaves_out_of_a_run() {
        let set = moments(&[(2, 4), (6, 9)]);
        assert_eq!(set.missing_from(at(0), at(10)), [(at(0), at(2)), (at(4), at(6)), (at(9), at(10))]);
        assert_eq!(set.missing_from(at(6), at(8)), []);
    }
}
