//! What happens next: entries at moments of virtual time.
//!
//! Entries of one moment come out in the order they were put in, so that nothing depends on how the heap is arranged.
//! This file knows neither what an entry means nor what happens when it fires.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use jiff::Timestamp;

/// Names one entry, for cancelling it. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(u64);

/// Entries in order of time, then of arrival.
#[derive(Debug)]
pub struct Agenda<E> {
    now: Timestamp,
    next_sequence: u64,
    order: BinaryHeap<Reverse<(Timestamp, u64)>>,
    // Cancelling takes the entry from here and leaves its place in `order`, which is skipped when it comes up.
    entries: BTreeMap<u64, E>,
}

impl<E> Agenda<E> {
    /// An empty agenda at a moment.
    pub fn new(now: Timestamp) -> Self {
        Self { now, next_sequence: 0, order: BinaryHeap::new(), entries: BTreeMap::new() }
    }

    /// The moment of the newest entry that fired, or the one given to [`Self::advance`] since.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Puts an entry at a moment. A moment that has passed means now: time does not go back.
    pub fn put(&mut self, at: Timestamp, entry: E) -> Token {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.order.push(Reverse((at.max(self.now), sequence)));
        self.entries.insert(sequence, entry);
        Token(sequence)
    }

    /// Takes an entry off, if it has not fired.
    pub fn cancel(&mut self, token: Token) -> Option<E> {
        self.entries.remove(&token.0)
    }

    /// Whether an entry still waits.
    pub fn waits(&self, token: Token) -> bool {
        self.entries.contains_key(&token.0)
    }

    /// Entries that wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the next entry fires.
    pub fn next_at(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((at, sequence))) = self.order.peek() {
            if self.entries.contains_key(sequence) {
                return Some(*at);
            }
            self.order.pop();
        }
        None
    }

    /// Takes the next entry off if it is due at or before `until`, and moves to its moment.
    pub fn take_next(&mut self, until: Timestamp) -> Option<E> {
        let at = self.next_at().filter(|at| *at <= until)?;
        let Reverse((_, sequence)) = self.order.pop()?;
        self.now = at;
        self.entries.remove(&sequence)
    }

    /// Moves to a moment, but not past the next entry and never back.
    pub fn advance(&mut self, to: Timestamp) {
        let limit = self.next_at().map_or(to, |at| at.min(to));
        self.now = self.now.max(limit);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn entries_fire_by_time_then_by_arrival() {
        let mut agenda = Agenda::new(at(0));
        for (seconds, name) in [(5, "c"), (1, "a"), (5, "d"), (3, "b")] {
            agenda.put(at(seconds), name);
        }
        let mut fired = Vec::new();
        while let Some(name) = agenda.take_next(at(9)) {
            fired.push((agenda.now().as_second(), name));
        }
        assert_eq!(fired, [(1, "a"), (3, "b"), (5, "c"), (5, "d")]);
    }

    #[test]
    fn a_cancelled_entry_neither_fires_nor_holds_time_back() {
        let mut agenda = Agenda::new(at(0));
        let first = agenda.put(at(1), "a");
        let second = agenda.put(at(2), "b");
        assert_eq!(agenda.cancel(first), Some("a"));
        assert_eq!(agenda.cancel(first), None);
        assert!(!agenda.waits(first) && agenda.waits(second));
        assert_eq!((agenda.next_at(), agenda.len()), (Some(at(2)), 1));
        assert_eq!(agenda.take_next(at(1)), None);
        assert_eq!(agenda.take_next(at(2)), Some("b"));
        assert!(agenda.is_empty());
    }

    #[test]
    fn it_agrees_with_a_sorted_list() {
        let mut draws = crate::stream::Stream::new(5, "agenda");
        let mut agenda = Agenda::new(at(0));
        let mut model: Vec<(i64, u64, Token)> = Vec::new();
        let mut now = 0;
        for entry in 0..5_000 {
            match draws.between(0, 3) {
                0 | 1 => {
                    let seconds = now + i64::try_from(draws.between(0, 30)).unwrap() - 5;
                    model.push((seconds.max(now), entry, agenda.put(at(seconds), entry)));
                }
                2 if !model.is_empty() => {
                    let index = draws.between(0, model.len() as u64 - 1);
                    let (_, cancelled, token) = model.remove(usize::try_from(index).unwrap());
                    assert_eq!(agenda.cancel(token), Some(cancelled));
                }
                _ => {
                    model.sort_unstable_by_key(|(seconds, entry, _)| (*seconds, *entry));
                    let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                    assert_eq!(agenda.take_next(Timestamp::MAX), expected.map(|(_, entry, _)| entry));
                    now = expected.map_or(now, |(seconds, ..)| seconds);
                    assert_eq!(agenda.now(), at(now));
                }
            }
            assert_eq!(agenda.len(), model.len());
        }
    }

    #[test]
    fn time_only_moves_forward() {
        let mut agenda = Agenda::new(at(10));
        agenda.put(at(3), "late");
        assert_eq!(agenda.next_at(), Some(at(10)));
        agenda.advance(at(20));
        assert_eq!(agenda.now(), at(10), "an entry that waits may not be passed");
        assert_eq!(agenda.take_next(at(10)), Some("late"));
        agenda.advance(at(20));
        agenda.advance(at(15));
        assert_eq!(agenda.now(), at(20));
        agenda.put(at(20) + SignedDuration::from_nanos(1), "x");
        assert_eq!(agenda.take_next(at(20)), None);
    }
}
