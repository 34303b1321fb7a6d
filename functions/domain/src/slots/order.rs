//! In which order do databases need what waits? So that no promise breaks that need not, then so that all is done soonest.
//!
//! Several orders are played through on the slots as they are, and the best is taken: by the worst lateness against a promise,
//! then by the end of the last. Earliest promise first is best where promises are tight (Jackson), longest first where they are
//! not (Graham); what is urgent first and then the longest where some are. A database has one task at a time, so what stands
//! behind its own database's full waits for it, and that is counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{CREATED_DELAY_MAX, Candidate, known};

/// What an order comes to: minutes late at worst, and the end of the last. Smaller is better.
type Worth = (i64, Timestamp);

/// The candidates in the best of the orders that are tried. `slots`: how many run at a time; `ahead`: by when what is on the
/// server has ended.
pub(super) fn order(
    candidates: Vec<Candidate>,
    slots: usize,
    ahead: &[Option<Timestamp>],
    now: Timestamp,
) -> Vec<Candidate> {
    let free = free(slots, ahead, now);
    let mut by_promise: Vec<usize> = (0..candidates.len()).collect();
    by_promise.sort_by_key(|&at| {
        let candidate = &candidates[at];
        // At equal promises the log copy goes first: it is short, and a full behind it loses little.
        (candidate.promised_by, Reverse(candidate.kind), Reverse(candidate.duration), &candidate.key)
    });
    let mut longest: Vec<usize> = by_promise.clone();
    longest.sort_by_key(|&at| Reverse(candidates[at].duration));
    let (_, end) = worth(&candidates, &longest, &free, now);
    let urgent = |at: &usize| latest_start(&candidates[*at]) <= end;
    let mut urgent_first: Vec<usize> = by_promise.iter().copied().filter(urgent).collect();
    urgent_first.extend(longest.iter().copied().filter(|at| !urgent(at)));
    let tried = [by_promise, urgent_first, longest];
    // Of equals the first: what is promised soonest goes first where nothing speaks against it.
    let best =
        tried.into_iter().min_by_key(|order| worth(&candidates, order, &free, now)).unwrap_or_default();
    let mut waiting: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
    best.into_iter().filter_map(|at| waiting.get_mut(at)?.take()).collect()
}

/// From when on each slot is free. What should have ended and has not may end at once: nobody knows.
fn free(slots: usize, ahead: &[Option<Timestamp>], now: Timestamp) -> Vec<Timestamp> {
    let mut free = vec![now; slots.max(1)];
    for end in ahead {
        let end = known(*end, now).unwrap_or(now);
        if let Some(first) = free.iter_mut().min() {
            *first = (*first).max(end);
        }
    }
    free
}

/// The last moment at which a candidate can be asked for and still be done in time at worst.
pub(super) fn latest_start(candidate: &Candidate) -> Timestamp {
    let takes = candidate.duration.saturating_add(CREATED_DELAY_MAX);
    candidate.promised_by.saturating_sub(takes).unwrap_or(Timestamp::MIN)
}

/// Plays an order through: each takes the slot that is free first, when its database is free as well.
fn worth(candidates: &[Candidate], order: &[usize], free: &[Timestamp], now: Timestamp) -> Worth {
    let mut free = free.to_vec();
    let mut databases: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let (mut late, mut last) = (0, now);
    for candidate in order.iter().map(|&at| &candidates[at]) {
        let Some(slot) = free.iter_mut().min() else { break };
        let database = databases.entry(candidate.database.as_str()).or_insert(now);
        let begins = (*slot).max(*database).max(candidate.not_before.unwrap_or(now));
        let end = begins.saturating_add(candidate.duration.saturating_add(PICK_UP)).unwrap_or(Timestamp::MAX);
        (*slot, *database) = (end, end);
        late = late.max(end.duration_since(candidate.promised_by).as_mins());
        last = last.max(end);
    }
    (late, last)
}

/// What passes at worst until a task runs: the time in CREATED, and two minutes until a round sees that a slot is free. A promise is
/// kept at the service's worst, so orders are compared at its worst.
pub(super) const PICK_UP: SignedDuration = CREATED_DELAY_MAX.saturating_add(SignedDuration::from_mins(2));
