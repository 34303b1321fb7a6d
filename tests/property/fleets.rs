//! How close does admission come to the best that could be done? Fleets played through minute by minute, against an ideal.
//!
//! The service here is a few lines of its own: two slots, first in, first out, minutes in CREATED. Every second minute the rules
//! are asked what to start, as a run asks them in each round. Lateness is against the promise of each; feasible is what an ideal
//! scheduler that shares no code with the rules can keep in time though the service be as slow as it may.

mod draw;
mod ideal;

use std::collections::{BTreeMap, VecDeque};

use domain::calendar::Span;
use domain::slots::{Candidate, Decision, Load, NextCopy, Slots, decide};
use domain::task::Kind;
use jiff::{SignedDuration, Timestamp};

use crate::chance::Chance;
use crate::minute;
use crate::seeds::{replay, seeds};
use draw::{Fleet, Minute, Scenario, Work, fleet};
use ideal::{Outcome, REAL, best, is_feasible, relaxed};

/// Things to do up to which every order is tried.
const EXHAUSTIVE: usize = 8;
/// What is done at most in a fleet, and how many fleets of each scenario.
const SIZES: [(Minute, u32); 2] = [(7, 100), (40, 600)];

fn at(minutes: Minute) -> Timestamp {
    minute(29_000_000 + minutes)
}

/// A fleet on its way.
struct Run<'a> {
    fleet: &'a Fleet,
    /// What the service has, in order: (work, asked for at).
    queue: VecDeque<(usize, Minute)>,
    /// What runs: (work, ends at).
    running: Vec<(usize, Minute)>,
    /// For each thing whether it was asked for, and by when the rules think that it has ended.
    asked: Vec<(bool, Option<Timestamp>)>,
    ended: Vec<Option<Minute>>,
}

impl<'a> Run<'a> {
    fn of(fleet: &'a Fleet) -> Self {
        let nothing = vec![None; fleet.works.len()];
        let asked = vec![(false, None); fleet.works.len()];
        Self { fleet, queue: VecDeque::new(), running: Vec::new(), asked, ended: nothing }
    }

    /// Plays the fleet through; also how late the latest log copy was.
    fn play(mut self) -> Result<(Outcome, Minute), String> {
        let mut now = 0;
        while self.ended.iter().any(Option::is_none) {
            self.service(now)?;
            if now % 2 == 0 {
                self.round(now);
            }
            self.service(now)?;
            now += 1;
            if now > 20_000 {
                return Err(format!("still not done: {:?}", self.ended));
            }
        }
        let works = self.fleet.works.iter().zip(&self.ended);
        let late = |copies_alone: bool| {
            let works = works.clone().filter(|(work, _)| !copies_alone || !work.is_full);
            works.filter_map(|(work, ended)| Some((*ended)? - work.promised)).max().unwrap_or(0).max(0)
        };
        let last = works.clone().filter_map(|(_, ended)| *ended).max();
        Ok(((late(false), last.unwrap_or(0)), late(true)))
    }

    /// What the service does in a minute: ends what has ended, and starts the first of its queue.
    fn service(&mut self, now: Minute) -> Result<(), String> {
        let ended = &mut self.ended;
        self.running.retain(|(work, end)| {
            if *end <= now {
                ended[*work] = Some(*end);
            }
            *end > now
        });
        while let Some(&(work, asked)) = self.queue.front() {
            let it = &self.fleet.works[work];
            if self.running.len() >= 2 || now < asked + it.delay {
                break;
            }
            if self.running.iter().any(|(other, _)| self.fleet.works[*other].database == it.database) {
                return Err(format!("two tasks of one database run at minute {now}"));
            }
            let end = now + it.takes;
            if it.is_full
                && let Some(window) = self.fleet.windows.iter().find(|(from, to)| now < *to && end > *from)
            {
                return Err(format!("a full from {now} to {end} runs into the window {window:?}"));
            }
            self.queue.pop_front();
            self.running.push((work, end));
        }
        Ok(())
    }

    /// Copies that are not due yet. A run knows them by the schedule, and their promises by the newest log of each database.
    fn next_copies(&self, now: Minute) -> BTreeMap<String, NextCopy> {
        let next = self.fleet.works.iter().filter(|work| !work.is_full && work.release > now);
        let copy = |work: &Work| NextCopy {
            due_at: at(work.release),
            promised_by: at(work.promised),
            // There is one of each: behind it every full has time.
            promise: SignedDuration::from_hours(7 * 24),
            duration: SignedDuration::from_mins(work.forecast),
        };
        next.map(|work| (format!("db{}", work.database), copy(work))).collect()
    }

    /// What a round asks for.
    fn round(&mut self, now: Minute) {
        let works = self.fleet.works.iter().enumerate();
        let waiting = works.filter(|(at, work)| work.release <= now && !self.asked[*at].0);
        let candidates: Vec<Candidate> = waiting
            .map(|(number, work)| Candidate {
                key: format!("{number:03}"),
                database: format!("db{}", work.database),
                kind: if work.is_full { Kind::Full } else { Kind::LogCopy },
                promised_by: at(work.promised),
                planned_at: at(work.release),
                not_before: None,
                duration: SignedDuration::from_mins(work.forecast),
                heals: false,
            })
            .collect();
        let there: Vec<usize> = self
            .running
            .iter()
            .map(|(work, _)| *work)
            .chain(self.queue.iter().map(|(work, _)| *work))
            .collect();
        let mut load = Load::default();
        for work in there {
            load.add(format!("db{}", self.fleet.works[work].database), self.asked[work].1);
        }
        let windows: Vec<Span> =
            self.fleet.windows.iter().map(|(from, to)| Span { from: at(*from), to: at(*to) }).collect();
        let next = self.next_copies(now);
        let decided = decide(candidates, Slots::default(), load, &windows, &next, at(now));
        for (candidate, decision) in decided {
            let number: usize = candidate.key.parse().expect("a number");
            if let Decision::Start { ends_by, .. } = decision {
                self.asked[number] = (true, ends_by);
                self.queue.push_back((number, now));
            }
        }
    }
}

/// What was seen of one scenario.
#[derive(Debug, Default)]
struct Seen {
    fleets: u32,
    feasible: u32,
    /// Per mille of the ideal's end, and minutes later than the ideal's lateness.
    ends: Vec<i64>,
    later: Vec<i64>,
}

impl Seen {
    fn note(&mut self, fleet: &Fleet, ideal: Outcome, came: Outcome) -> Result<(), String> {
        self.fleets += 1;
        if is_feasible(fleet) {
            self.feasible += 1;
            if came.0 > 0 {
                return Err(format!("{} minutes late, and nothing need be: {fleet:#?}", came.0));
            }
        }
        self.ends.push(came.1 * 1_000 / ideal.1.max(1));
        // Lateness of minutes is measured against the time that the ideal needs for everything.
        self.later.push((came.0 - ideal.0) * 1_000 / ideal.1.max(1));
        Ok(())
    }

    fn told(&mut self, scenario: Scenario, size: Minute) -> [i64; 2] {
        self.ends.sort_unstable();
        self.later.sort_unstable();
        let edges = |of: &[i64]| (of[of.len() / 2], of[of.len() - 1]);
        let ((median, worst), (late, latest)) = (edges(&self.ends), edges(&self.later));
        println!(
            "{scenario:?} up to {size}: {} fleets, {} feasible and in time; end in per mille of the ideal's: median \
             {median}, worst {worst}; later than the ideal in per mille of its time: median {late}, worst {latest}",
            self.fleets, self.feasible
        );
        [median, late]
    }
}

fn judged(scenario: Scenario, size: Minute, fleets: u32) -> Result<(Seen, [i64; 2]), String> {
    let mut seen = Seen::default();
    for seed in seeds(fleets) {
        let fleet = fleet(scenario, size, &mut Chance(seed));
        let ideal =
            if fleet.works.len() <= EXHAUSTIVE { best(&fleet, &REAL) } else { relaxed(&fleet, &REAL) };
        let came = Run::of(&fleet).play().and_then(|(came, copies_late)| match scenario {
            Scenario::Newcomers if copies_late > 0 => {
                Err(format!("a log copy came {copies_late} minutes late for new databases: {fleet:#?}"))
            }
            _ => seen.note(&fleet, ideal, came),
        });
        came.map_err(|what| format!("{scenario:?}: {what}\n{}", replay(seed, "fleets")))?;
    }
    let told = seen.told(scenario, size);
    Ok((seen, told))
}

#[test]
fn admission_comes_close_to_the_ideal_and_keeps_what_can_be_kept() {
    for scenario in Scenario::ALL {
        for (size, fleets) in SIZES {
            let (seen, [end, late]) = judged(scenario, size, fleets).unwrap();
            assert!(end <= 1_100, "{scenario:?} up to {size}: the end is {end} per mille of the ideal's");
            assert!(late <= 100, "{scenario:?} up to {size}: {late} per mille later than the ideal");
            // Neither declaring everything infeasible passes, nor asking for nothing hard.
            let share = seen.feasible * 100 / seen.fleets;
            assert!(
                (1..=99).contains(&share) || scenario != Scenario::Day,
                "{scenario:?}: {share} % feasible"
            );
        }
    }
}
