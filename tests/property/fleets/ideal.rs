//! The best that could be done on two slots under the same service: every order tried up to eight things to do, beyond that what
//! no schedule can beat.
//!
//! Knows how long everything really takes and waits. Placing in each order as early as its slot, its database and the windows
//! allow finds a best schedule, because in the order of its starts every best schedule is found so.

use std::collections::BTreeMap;

use super::draw::{Fleet, Minute, Work};

/// Slots of an instance, stated a second time on purpose.
const SLOTS: usize = 2;

/// Minutes late at worst, zero where nothing is; the end of the last.
pub(crate) type Outcome = (Minute, Minute);

/// How things go: how long one thing takes with all its waits, and how long it must be clear of windows when it is asked for.
pub(crate) struct Service {
    pub(crate) takes: fn(&Work) -> Minute,
    pub(crate) waits: fn(&Work) -> Minute,
    pub(crate) clear: fn(&Work) -> Minute,
}

/// As it really goes: nothing is asked for between two rounds, which come in every second minute. That a full will be shorter than
/// forecast nobody can know when it is asked for: by its forecast it must keep out of windows.
pub(crate) const REAL: Service = Service {
    takes: |work| work.takes,
    waits: |work| work.release % 2 + work.delay,
    clear: |work| work.forecast,
};

/// As it may go at worst: as long as forecast, picked up as late as the service may, seen two minutes after the last has ended.
pub(crate) const WORST: Service =
    Service { takes: |work| work.forecast + 2 + 5, waits: |_| 0, clear: |work| work.forecast + 2 + 5 };

/// The first moment from one on at which a thing can start.
fn fits(windows: &[(Minute, Minute)], work: &Work, service: &Service, start: Minute) -> Minute {
    let (clear, mut start) = ((service.clear)(work), start);
    while let Some((_, to)) =
        windows.iter().find(|(from, to)| work.is_full && start < *to && start + clear > *from)
    {
        start = *to;
    }
    start
}

/// Places things in an order.
fn place(fleet: &Fleet, order: &[usize], service: &Service) -> Outcome {
    let mut slots = [0; SLOTS];
    let mut databases: BTreeMap<usize, Minute> = BTreeMap::new();
    let (mut late, mut last) = (0, 0);
    for work in order.iter().map(|&at| &fleet.works[at]) {
        let slot = slots.iter_mut().min().expect("there are slots");
        let database = databases.entry(work.database).or_insert(0);
        let takes = (service.takes)(work);
        let ready = (*slot).max(*database).max(work.release + (service.waits)(work));
        let end = fits(&fleet.windows, work, service, ready) + takes;
        (*slot, *database) = (end, end);
        late = late.max(end - work.promised);
        last = last.max(end);
    }
    (late, last)
}

/// The best of all orders by lateness, and the soonest end of all.
pub(crate) fn best(fleet: &Fleet, service: &Service) -> Outcome {
    let mut order: Vec<usize> = (0..fleet.works.len()).collect();
    let mut found = (Minute::MAX, Minute::MAX);
    permute(&mut order, 0, &mut |order| {
        let (late, last) = place(fleet, order, service);
        found = (found.0.min(late), found.1.min(last));
    });
    found
}

fn permute(order: &mut [usize], from: usize, look: &mut dyn FnMut(&[usize])) {
    if from == order.len() {
        return look(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        permute(order, from + 1, look);
        order.swap(from, other);
    }
}

/// What no schedule of many things can beat: half of the work that is promised by a moment, and the longest alone.
pub(crate) fn relaxed(fleet: &Fleet, service: &Service) -> Outcome {
    let takes = |work: &Work| (service.takes)(work);
    let ready = |work: &Work| work.release + (service.waits)(work);
    let first = fleet.works.iter().map(ready).min().unwrap_or(0);
    let until = |promised: Minute| {
        let due = fleet.works.iter().filter(|work| work.promised <= promised);
        let sum: Minute = due.map(takes).sum();
        first + (sum + 1) / 2 - promised
    };
    let late =
        fleet.works.iter().map(|work| until(work.promised).max(ready(work) + takes(work) - work.promised));
    let alone = fleet.works.iter().map(|work| fits(&fleet.windows, work, service, ready(work)) + takes(work));
    let half = first + (fleet.works.iter().map(takes).sum::<Minute>() + 1) / 2;
    (late.max().unwrap_or(0).max(0), alone.max().unwrap_or(0).max(half))
}

/// Whether some schedule keeps every promise though the service is as slow as it may be: one is shown.
pub(crate) fn is_feasible(fleet: &Fleet) -> bool {
    let late = if fleet.works.len() <= super::EXHAUSTIVE {
        best(fleet, &WORST).0
    } else {
        let mut order: Vec<usize> = (0..fleet.works.len()).collect();
        order.sort_by_key(|&at| (fleet.works[at].promised, fleet.works[at].release));
        place(fleet, &order, &WORST).0
    };
    late == 0
}
