//! Who may act for an instance, whatever order its runs take, renew, release and hand over in, and whatever replies get lost?
//!
//! The oracle is a list of who may act until when, kept by hand. A run reads, decides, and writes later: the store accepts
//! the write only if nobody wrote in between, as every store of leases must.

use domain::lease::{Claim, Lease, claim, renewed_until, run_name};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::{config, minute};

const GROUP: &str = "sales";

/// Runs are numbered by generation, from 1.
const RUNS: u64 = 7;

/// Minutes that a lease lives: stated here a second time, on purpose.
const LIVES: i64 = 15;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Take,
    Renew,
    Release,
    HandOver,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A run reads the lease and decides.
    Decide(u64, Wish),
    /// Its write reaches the store; whether it hears so.
    Write(u64, bool),
    /// Minutes pass.
    Pass(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let run = 1..=RUNS;
    let wish = prop_oneof![
        5 => Just(Wish::Take),
        3 => Just(Wish::Renew),
        2 => Just(Wish::Release),
        2 => Just(Wish::HandOver),
    ];
    let event = prop_oneof![
        4 => (run.clone(), wish).prop_map(|(run, wish)| Event::Decide(run, wish)),
        4 => (run, prop::bool::weighted(0.8)).prop_map(|(run, heard)| Event::Write(run, heard)),
        2 => (1_i64..20).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..120)
}

/// Who may act until which minute. The list never has two entries that overlap: that is what is to be shown.
#[derive(Debug, Default)]
struct MayAct {
    list: Vec<(u64, i64)>,
    ever: Vec<u64>,
}

impl MayAct {
    fn holds(&self, run: u64, now: i64) -> bool {
        self.list.iter().any(|(who, until)| *who == run && now < *until)
    }

    fn count(&self, now: i64) -> usize {
        self.list.iter().filter(|(_, until)| now < *until).count()
    }

    fn is_late(&self, run: u64) -> bool {
        self.ever.iter().any(|other| *other >= run)
    }

    fn grant(&mut self, run: u64, now: i64) {
        self.list.clear();
        self.list.push((run, now + LIVES));
        if !self.ever.contains(&run) {
            self.ever.push(run);
        }
    }
}

/// What a run has decided and not yet written.
#[derive(Debug, Clone)]
struct Intent {
    wish: Wish,
    read_version: u64,
    decided_at: i64,
    lease: Lease,
}

#[derive(Debug, Clone, Default)]
struct Run {
    intent: Option<Intent>,
    /// The lease as the run last heard of it.
    believes: Option<Lease>,
}

#[derive(Debug, Default)]
struct Fleet {
    stored: Option<Lease>,
    version: u64,
    now: i64,
    runs: Vec<Run>,
    oracle: MayAct,
}

impl Fleet {
    fn now(&self) -> Timestamp {
        minute(self.now)
    }

    fn run(&mut self, run: u64) -> &mut Run {
        let place = usize::try_from(run).expect("there are few runs");
        if self.runs.len() <= place {
            self.runs.resize(place + 1, Run::default());
        }
        &mut self.runs[place]
    }

    fn decide(&mut self, run: u64, wish: Wish) -> Result<(), TestCaseError> {
        let (now, at, name) = (self.now, self.now(), run_name(GROUP, run));
        let held = self.stored.clone().filter(|lease| lease.is_held_by(&name, at));
        let lease = match wish {
            Wish::Take => self.take(run)?,
            Wish::Renew => held.map(|lease| Lease { expires_at: renewed_until(at), ..lease }),
            Wish::Release => held.map(|lease| lease.released(at)),
            Wish::HandOver => held.map(|lease| lease.handed_over(at)),
        };
        let read_version = self.version;
        let actor = self.run(run);
        if matches!(wish, Wish::Release | Wish::HandOver) {
            // Whoever begins to give back stops acting, whether or not its write arrives.
            actor.believes = None;
        }
        actor.intent = lease.map(|lease| Intent { wish, read_version, decided_at: now, lease });
        Ok(())
    }

    /// What claiming says, against the list.
    fn take(&mut self, run: u64) -> Result<Option<Lease>, TestCaseError> {
        let listed = self.oracle.list.iter().any(|(who, _)| *who == run);
        let refused = self.oracle.is_late(run) || self.oracle.count(self.now) > 0;
        match claim(self.stored.clone(), GROUP, run, self.now()) {
            Claim::AlreadyOurs(lease) => {
                prop_assert!(listed, "run {run} is told that it holds what it was never given");
                self.run(run).believes = Some(lease);
                Ok(None)
            }
            Claim::Held(_) => {
                prop_assert!(!listed && refused, "run {run} is kept out for nothing");
                Ok(None)
            }
            Claim::Take(lease) => {
                prop_assert!(!listed && !refused, "run {run} is let in: {:?}", self.oracle);
                prop_assert_eq!(lease.generation, run);
                Ok(Some(lease))
            }
        }
    }

    fn write(&mut self, run: u64, heard: bool) -> Result<(), TestCaseError> {
        let version = self.version;
        let Some(intent) = self.run(run).intent.take() else { return Ok(()) };
        if intent.read_version != version {
            return Ok(());
        }
        match intent.wish {
            Wish::Take => {
                prop_assert!(!self.oracle.is_late(run), "generation {run} is used twice");
                self.oracle.grant(run, intent.decided_at);
            }
            Wish::Renew => self.oracle.grant(run, intent.decided_at),
            Wish::Release => self.oracle.list.clear(),
            Wish::HandOver => {
                prop_assert!(!self.oracle.is_late(run + 1), "generation {} is used twice", run + 1);
                self.oracle.grant(run + 1, intent.decided_at);
            }
        }
        if heard && matches!(intent.wish, Wish::Take | Wish::Renew) {
            self.run(run).believes = Some(intent.lease.clone());
        }
        self.stored = Some(intent.lease);
        self.version += 1;
        Ok(())
    }

    /// The store, every run's belief and the list agree on who may act.
    fn check(&self) -> Result<(), TestCaseError> {
        let at = self.now();
        let held = |run: &u64| {
            self.stored.as_ref().is_some_and(|lease| lease.is_held_by(&run_name(GROUP, *run), at))
        };
        for run in 1..=RUNS + 1 {
            prop_assert_eq!(held(&run), self.oracle.holds(run, self.now), "run {} at {}", run, self.now);
        }
        prop_assert!((1..=RUNS + 1).filter(held).count() <= 1);
        let mut believers = 0;
        for (run, actor) in (0_u64..).zip(&self.runs) {
            let name = run_name(GROUP, run);
            if actor.believes.as_ref().is_some_and(|lease| lease.is_held_by(&name, at)) {
                believers += 1;
                prop_assert!(self.oracle.holds(run, self.now), "run {run} acts without a lease");
            }
        }
        prop_assert!(believers <= 1, "{believers} runs act at once");
        Ok(())
    }
}

proptest! {
    #![proptest_config(config(1, 1_000))]

    #[test]
    fn one_run_acts_at_a_time_and_no_generation_comes_twice(events in events()) {
        let mut fleet = Fleet::default();
        for event in events {
            match event {
                Event::Decide(run, wish) => fleet.decide(run, wish)?,
                Event::Write(run, heard) => fleet.write(run, heard)?,
                Event::Pass(minutes) => fleet.now += minutes,
            }
            fleet.check()?;
        }
    }
}
