//! Which cases there are, and what each comes to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testbed::simulation::Simulation;
use testbed::{Call, Verdict};

use crate::judge::{Healed, Outcome, Watch, outcome, wrong};
use crate::stories::{Story, end};
use crate::trouble::{Place, Trouble};

/// How many of the calls are troubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Of each name in each state the first, and of what may change something the last.
    FirstAndLast,
    /// All.
    Every,
}

/// One fault at one call.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) story: Story,
    pub(crate) place: Place,
    pub(crate) trouble: Trouble,
}

/// What a case came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) struck: bool,
    pub(crate) healed: Healed,
    pub(crate) wrong: Vec<String>,
    /// States of the machine that were entered.
    pub(crate) entered: BTreeSet<String>,
}

/// What a story comes to without trouble.
#[derive(Debug)]
pub(crate) struct Calm {
    pub(crate) places: Vec<Place>,
    pub(crate) outcome: Outcome,
}

/// Tells a story without trouble and writes down its calls.
pub(crate) fn undisturbed(story: Story) -> Calm {
    let mut simulation = story.simulation();
    let heard: Rc<RefCell<Vec<(u64, Place)>>> = Rc::default();
    let list = Rc::clone(&heard);
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let mut list = list.borrow_mut();
        let before = || list.iter().filter(|(_, place)| place.is_at(call));
        let nth = 1 + before().count();
        let again = call.ordinal > 0 && before().any(|(attempt, _)| *attempt == call.attempt);
        let [state, function, name] = [call.state, call.function, call.name].map(str::to_owned);
        list.push((call.attempt, Place { state, function, call: name, nth, again }));
        Verdict::Pass
    });
    simulation.run_until(end());
    simulation.bed().set_gate(testbed::gate::Open);
    let outcome = outcome(&mut simulation, &Watch::default());
    assert_eq!(wrong(&mut simulation, &outcome, &outcome), [""; 0], "{}, undisturbed", story.word());
    assert_eq!(outcome.intents_found, 0, "{}: undisturbed nothing is to be settled", story.word());
    Calm { places: heard.take().into_iter().map(|(_, place)| place).collect(), outcome }
}

/// The cases of a story.
pub(crate) fn cases(story: Story, calm: &Calm, extent: Extent) -> Vec<Case> {
    let about = calm.places.iter().filter(|place| story.is_about(place));
    let chosen =
        about.filter(|place| extent == Extent::Every && !is_idle(place) || is_edge(place, story, calm));
    chosen
        .flat_map(|place| {
            let troubles = Trouble::ALL.into_iter().filter(|trouble| trouble.matters(place));
            troubles.map(|trouble| Case { story, place: place.clone(), trouble })
        })
        .collect()
}

/// Calls of the fleet's machine, which looks for work every five minutes and mostly finds none.
fn is_idle(place: &Place) -> bool {
    matches!(place.function.as_str(), "list-work" | "fleet")
}

fn is_edge(place: &Place, story: Story, calm: &Calm) -> bool {
    let mut same = calm.places.iter().filter(|other| other.same_call(place) && story.is_about(other));
    let is_first = same.next() == Some(place);
    is_first || same.next_back() == Some(place) && place.changes()
}

/// Tells a story with one fault.
fn run(case: &Case, calm: &Calm) -> Run {
    let mut simulation = case.story.simulation();
    let struck = strike(&mut simulation, case.place.clone(), case.trouble.verdict());
    let watch = struck.1;
    simulation.run_until(end());
    simulation.bed().set_gate(testbed::gate::Open);
    let outcome = outcome(&mut simulation, &watch);
    let healed = outcome.healed(&calm.outcome);
    let wrong = wrong(&mut simulation, &outcome, &calm.outcome);
    Run { struck: struck.0.get(), healed, wrong, entered: outcome.entered }
}

fn strike(simulation: &mut Simulation, place: Place, verdict: Verdict) -> (Rc<Cell<bool>>, Watch) {
    let (struck, watch) = (Rc::new(Cell::new(false)), Watch::default());
    let (flag, eyes, store) = (Rc::clone(&struck), watch.clone(), simulation.bed().store());
    let mut met = 0;
    simulation.bed().set_gate(move |call: &Call<'_>| {
        eyes.see(call, &store);
        met += usize::from(place.is_at(call));
        if met != place.nth || flag.get() {
            return Verdict::Pass;
        }
        flag.set(true);
        verdict.clone()
    });
    (struck, watch)
}

/// Runs all cases, on as many threads as there are cores; each run has its own world and its own thread.
pub(crate) fn run_all(calm: &[(Story, Calm)], cases: &[Case]) -> Vec<Run> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(cases.len())));
    let work = || {
        while let Some((at, case)) = take(&next, cases) {
            let (_, calm) = calm.iter().find(|(story, _)| *story == case.story).unwrap();
            let run = run(case, calm);
            done.lock().unwrap().push((at, run));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, run)| run).collect()
}

fn take<'c>(next: &AtomicUsize, cases: &'c [Case]) -> Option<(usize, &'c Case)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    cases.get(at).map(|case| (at, case))
}
