//! What may start now? Slots and databases by counting; windows by trying every minute of the next day as a start. In which order
//! is asked in `fleets`.
//!
//! The oracle knows the windows as a user does, a daily and a weekly one, and marks every minute in which one is open. A full
//! could avoid them if some start within a day meets no such minute: longer than that no policy lets a full wait. Behind tasks
//! of unknown end every wait within the patience is tried.

use std::collections::{BTreeMap, BTreeSet};

use domain::calendar::{DailyWindow, Span, WeeklyWindow};
use domain::slots::{Candidate, Decision, Load, Slots, decide};
use domain::task::Kind;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::{config, minute};

/// Monday 2026-11-16T00:00:00Z in minutes since 1970.
const MONDAY: i64 = 1_794_787_200 / 60;
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;
/// As far as anybody looks: a day of waiting, and the longest full after it.
const AHEAD: i64 = 4 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Tasks that wait or run on the server at a time: two slots and as many waiting; twice as many where log copies follow, and
/// no backup of data waits for a place. Stated a second time, on purpose.
const DEPTH: usize = 4;
/// Minutes that a task may wait in CREATED.
const CREATED: i64 = 5;
/// Minutes that a backup is thought to wait behind tasks whose end nobody knows.
const PATIENCE: i64 = 4 * 60;

/// The two windows, by their first minute and length, both counted from Monday.
#[derive(Debug, Clone)]
struct Windows {
    daily: (i64, i64),
    weekly: Option<(i64, i64)>,
}

impl Windows {
    /// The occurrences of the next days, one after the other.
    fn spans(&self, now: i64) -> Vec<Span> {
        let clock = |at: i64| format!("{:02}:{:02}", at % DAY / 60, at % 60);
        let day = |at: i64| DAYS[usize::try_from(at % WEEK / DAY).expect("not negative")];
        let (start, length) = self.daily;
        let daily: DailyWindow =
            format!("{}-{}", clock(start), clock(start + length)).parse().expect("a window");
        let mut spans = occurrences(now, |at| daily.current_or_next(at));
        if let Some((start, length)) = self.weekly {
            let end = start + length;
            let text = format!("{}:{}-{}:{}", day(start), clock(start), day(end), clock(end));
            let weekly: WeeklyWindow = text.parse().expect("a window");
            spans.extend(occurrences(now, |at| weekly.current_or_next(at)));
        }
        spans
    }

    fn is_open(&self, at: i64) -> bool {
        let inside = |(start, length): (i64, i64), period| (at - start).rem_euclid(period) < length;
        inside(self.daily, DAY) || self.weekly.is_some_and(|weekly| inside(weekly, WEEK))
    }

    /// For every minute from `from` on, the next open minute at or after it.
    fn next_open(&self, from: i64) -> Vec<i64> {
        let mut next = Vec::new();
        let mut seen = i64::MAX;
        for at in (from..from + AHEAD).rev() {
            if self.is_open(at) {
                seen = at;
            }
            next.push(seen);
        }
        next.reverse();
        next
    }
}

/// The occurrences that are open at `now` or open within [`AHEAD`], each found from the end of the one before.
fn occurrences(now: i64, next: impl Fn(Timestamp) -> Option<Span>) -> Vec<Span> {
    let last = minute(MONDAY + now + AHEAD);
    let all = std::iter::successors(next(minute(MONDAY + now)), |span| next(span.to));
    all.take_while(|span| span.from < last).collect()
}

fn windows() -> impl Strategy<Value = Windows> {
    let daily = (0..DAY / 5, 6_i64..24).prop_map(|(start, length)| (start * 5, length * 5));
    let weekly = (0..WEEK / 5, 6_i64..24).prop_map(|(start, length)| (start * 5, length * 5));
    // Maintenance close after the backup, as people set them, and anywhere.
    let close = (-40_i64..40, 0_i64..7, 6_i64..24);
    prop_oneof![
        (daily.clone(), prop::option::of(weekly)).prop_map(|(daily, weekly)| Windows { daily, weekly }),
        (daily, close).prop_map(|(daily, (shift, day, length))| {
            let start = (daily.0 + shift * 5 + day * DAY).rem_euclid(WEEK);
            Windows { daily, weekly: Some((start, length * 5)) }
        }),
    ]
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let duration = prop_oneof![5 => 1_i64..180, 1 => 180_i64..1_700];
    let put_off = prop::option::weighted(0.2, -30_i64..60);
    let planned = prop_oneof![3 => -DAY..1, 1 => -2 * DAY..-DAY, 1 => -DAY - 2..-DAY + 3];
    let kind = prop::sample::select(vec![Kind::Full, Kind::Differential, Kind::LogCopy]);
    (0_u8..4, kind, 0_u64..4, duration, put_off, planned).prop_map(
        |(database, kind, risk, duration, put_off, planned)| {
            Candidate {
                key: String::new(),
                database: format!("db{database}"),
                kind,
                promised_by: minute(planned + 10_000 - 1_000 * i64::try_from(risk).unwrap_or(0)),
                // Relative until the moment of the question is known.
                planned_at: minute(planned),
                not_before: put_off.map(minute),
                duration: SignedDuration::from_mins(duration),
                heals: false,
            }
        },
    )
}

/// Tasks on the server, by how many minutes from the question on each has ended; `None`: nobody knows.
fn ahead() -> impl Strategy<Value = Vec<Option<i64>>> {
    let ends =
        prop_oneof![3 => (0_i64..400).prop_map(Some), 1 => Just(None), 1 => (-60_i64..1).prop_map(Some)];
    prop::collection::vec(ends, 0..6)
}

/// The minute in which a task that is asked for now has a slot at worst: two slots, first in, first out, played through minute
/// by minute. `None` when what is ahead of it may never end.
fn slot_at(ahead: &[Option<i64>]) -> Option<i64> {
    let unfinished = |at: i64| ahead.iter().filter(|end| end.is_none_or(|end| end <= 0 || end > at)).count();
    (0..=5_000).find(|at| unfinished(*at) < 2)
}

/// The candidates of a question asked at minute `now`: keys by number, times absolute.
fn asked(mut candidates: Vec<Candidate>, now: i64) -> Vec<Candidate> {
    for (number, candidate) in candidates.iter_mut().enumerate() {
        candidate.key = format!("task{number}");
        let shift = SignedDuration::from_mins(MONDAY + now);
        candidate.planned_at += shift;
        candidate.promised_by += shift;
        candidate.not_before = candidate.not_before.map(|at| at + shift);
    }
    candidates
}

/// What the windows mean for one full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// It meets none.
    Free,
    /// It is inside one, or would meet one and need not.
    Waits,
    /// It meets one whenever it starts.
    Meets,
}

fn outlook(next_open: &[i64], now: i64, candidate: &Candidate) -> Outlook {
    let reach = candidate.duration.as_mins() + CREATED;
    let free = |start: &i64| {
        let place = usize::try_from(start - now).expect("starts lie after now");
        next_open[place] >= start + reach
    };
    if candidate.kind == Kind::LogCopy || free(&now) {
        Outlook::Free
    } else if next_open[0] == now || (now..=now + DAY).any(|start| free(&start)) {
        Outlook::Waits
    } else {
        Outlook::Meets
    }
}

proptest! {
    #![proptest_config(config(2, 3_000))]

    #[test]
    fn no_start_breaks_slots_databases_windows_or_order(
        candidates in prop::collection::vec(candidate(), 0..9),
        busy in prop::collection::btree_set(0_u8..4, 0..2),
        ahead in ahead(),
        windows in windows(),
        now in 0..WEEK,
    ) {
        let candidates = asked(candidates, now);
        let mut taken: BTreeSet<String> = busy.iter().map(|database| format!("db{database}")).collect();
        let (spans, at) = (windows.spans(now), minute(MONDAY + now));
        let next_open = windows.next_open(now);
        let load = Load {
            busy: taken.iter().map(|database| (database.clone(), None)).collect(),
            ahead: ahead.iter().map(|end| end.map(|end| minute(MONDAY + now + end))).collect(),
        };
        let decided = decide(candidates.clone(), Slots::default(), load, &spans, &BTreeMap::new(), at);
        prop_assert_eq!(decided.len(), candidates.len());
        let (mut ahead, before, mut data_waits) = (ahead.clone(), ahead.len(), false);
        for (candidate, decision) in &decided {
            let put_off = candidate.not_before.is_some_and(|until| at < until);
            let outlook = outlook(&next_open, now, candidate);
            let held = put_off || outlook == Outlook::Waits;
            let is_copy = candidate.kind == Kind::LogCopy;
            let depth = if is_copy && !data_waits { 2 * DEPTH } else { DEPTH };
            let free = ahead.len() < depth && !taken.contains(&candidate.database);
            data_waits |= !held && !is_copy && !free && !taken.contains(&candidate.database);
            let length = candidate.duration.as_mins() + CREATED;
            let ends_by = slot_at(&ahead).map(|slot| slot + length);
            // In a free slot it meets none, and behind what is ahead it may.
            let carried = candidate.kind != Kind::LogCopy && outlook == Outlook::Free
                && ends_by.is_none_or(|end| next_open[0] < now + end);
            // Nobody knows how far: no harm within the patience, or patience was had for a day.
            let unknown = carried && ends_by.is_none();
            let roomy = (0..=PATIENCE).all(|wait| next_open[0] >= now + wait + length);
            let late = candidate.planned_at.as_second() / 60 <= MONDAY + now - DAY;
            let queued = unknown && (roomy || late);
            let context = format!("{candidate:?} {decision:?} {outlook:?} {windows:?} {spans:?}");
            match decision {
                Decision::Start { ends_by: told, note } => {
                    prop_assert!(!held && free && (!carried || queued), "{}", context);
                    prop_assert_eq!(*told, ends_by.map(|end| minute(MONDAY + now + end)), "{}", context);
                    let named = note.as_ref().map(|reason| reason.name.as_ref());
                    let expected = match outlook {
                        Outlook::Meets => Some("WindowUnavoidable"),
                        _ => queued.then_some("QueuedBehindUnknownTasks"),
                    };
                    prop_assert_eq!(named, expected, "{}", context);
                    ahead.push(ends_by);
                    taken.insert(candidate.database.clone());
                }
                Decision::Hold { until, .. } => prop_assert!(held && *until > at, "{}", context),
                Decision::Wait { reason } => {
                    prop_assert!(!held && free && unknown && !queued, "{}", context);
                    prop_assert_eq!(reason.name.as_ref(), "BehindUnknownTasks");
                }
                Decision::Queue { .. } => {
                    prop_assert!(!held && (!free || (carried && !unknown)), "{}", context);
                }
            }
        }
        prop_assert!(ahead.len() <= (2 * DEPTH).max(before));
        let mut keys: Vec<_> = decided.iter().map(|(candidate, _)| candidate.key.clone()).collect();
        keys.sort();
        let given: Vec<_> = candidates.iter().map(|candidate| candidate.key.clone()).collect();
        prop_assert_eq!(keys, given);
    }

    /// A full that is told to wait is started in the end, within a day and a window, and free of windows if it could be.
    #[test]
    fn whoever_waits_as_told_starts(candidate in candidate(), windows in windows(), asked_at in 0..WEEK) {
        let mut candidate = asked(vec![candidate], asked_at).remove(0);
        candidate.not_before = None;
        let (mut now, expected) = (asked_at, outlook(&windows.next_open(asked_at), asked_at, &candidate));
        for _ in 0..8 {
            let at = minute(MONDAY + now);
            let decided = decide(vec![candidate.clone()], Slots::default(), Load::default(), &windows.spans(now), &BTreeMap::new(), at);
            match &decided[0].1 {
                Decision::Start { note, .. } => {
                    prop_assert!(now <= asked_at + DAY + 4 * 60, "{} minutes late", now - asked_at);
                    if expected == Outlook::Free {
                        prop_assert!(note.is_none() && now == asked_at);
                    }
                    return Ok(());
                }
                Decision::Hold { until, .. } => now = until.as_second() / 60 - MONDAY,
                Decision::Wait { .. } | Decision::Queue { .. } => {
                    prop_assert!(false, "a free server queues nothing");
                }
            }
        }
        prop_assert!(false, "{candidate:?} waits for ever: {windows:?} from {asked_at}");
    }

    /// Behind other people's tasks that never end, whoever waits as told is queued in the end: with a day of patience, and then
    /// as soon as a free slot would do.
    #[test]
    fn nobody_is_starved_by_tasks_that_never_end(
        candidate in candidate(),
        theirs in 2_usize..4,
        windows in windows(),
        asked_at in 0..WEEK,
    ) {
        let mut candidate = asked(vec![candidate], asked_at).remove(0);
        (candidate.not_before, candidate.planned_at) = (None, minute(MONDAY + asked_at));
        let mut now = asked_at;
        loop {
            let at = minute(MONDAY + now);
            let load = Load { busy: BTreeMap::new(), ahead: vec![None; theirs] };
            let decided = decide(vec![candidate.clone()], Slots::default(), load, &windows.spans(now), &BTreeMap::new(), at);
            match &decided[0].1 {
                Decision::Start { note, .. } => {
                    prop_assert!(note.is_some() || candidate.kind == Kind::LogCopy, "in silence: {:?}", candidate);
                    break;
                }
                Decision::Hold { until, .. } => now = until.as_second() / 60 - MONDAY,
                Decision::Wait { .. } => {
                    prop_assert!(now < asked_at + DAY, "{:?} is still told to wait", candidate);
                    now += 1;
                }
                Decision::Queue { .. } => prop_assert!(false, "there is room, and no end is known"),
            }
            prop_assert!(now <= asked_at + 2 * DAY + 4 * 60, "{:?} waits for ever: {:?}", candidate, windows);
        }
    }
}

/// Two windows close together: what waits for the end of the first must not start into the second.
#[test]
fn a_full_before_two_windows_waits_for_the_end_of_both() {
    // Sunday: backup 03:00 to 03:30, maintenance 04:00 to 04:30. At 02:30 a full of 40 minutes is due.
    let sunday = 6 * DAY;
    let windows = Windows { daily: (180, 30), weekly: Some((sunday + 240, 30)) };
    let now = sunday + 150;
    let full = Candidate {
        key: "f".to_owned(),
        database: "db".to_owned(),
        kind: Kind::Full,
        promised_by: minute(MONDAY + now + WEEK),
        planned_at: minute(MONDAY + now),
        not_before: None,
        duration: SignedDuration::from_mins(40),
        heals: false,
    };
    let decided = decide(
        vec![full],
        Slots::default(),
        Load::default(),
        &windows.spans(now),
        &BTreeMap::new(),
        minute(MONDAY + now),
    );
    let Decision::Hold { until, .. } = &decided[0].1 else {
        panic!("it must wait: {:?}", decided[0].1);
    };
    assert_eq!(*until, minute(MONDAY + sunday + 270));
}
