//! Gates for tests: one trouble at one call, and a list of the calls that were made.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use domain::reason::{Class, Reason};
use jiff::SignedDuration;
use ports::Fault;
use testbed::simulation::Simulation;
use testbed::{Call, Gate, Moment, Verdict};

/// Where a trouble strikes: the n-th time that a function makes a call of this name, from 1, over all its invocations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) function: String,
    pub(crate) call: String,
    pub(crate) nth: u32,
}

impl Place {
    pub(crate) fn new(function: &str, call: &str, nth: u32) -> Self {
        Self { function: function.to_owned(), call: call.to_owned(), nth }
    }
}

struct Once {
    place: Place,
    verdict: Verdict,
    met: u32,
    struck: Rc<Cell<bool>>,
}

impl Gate for Once {
    fn see(&mut self, call: &Call<'_>) -> Verdict {
        if call.function != self.place.function || call.name != self.place.call {
            return Verdict::Pass;
        }
        self.met += 1;
        if self.met != self.place.nth {
            return Verdict::Pass;
        }
        self.struck.set(true);
        self.verdict.clone()
    }
}

/// Lets one trouble strike; the cell says whether it has.
pub(crate) fn strike(simulation: &mut Simulation, place: Place, verdict: Verdict) -> Rc<Cell<bool>> {
    let struck = Rc::new(Cell::new(false));
    simulation.bed().set_gate(Once { place, verdict, met: 0, struck: Rc::clone(&struck) });
    struck
}

/// A call as a list holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) place: Place,
    /// Invocation of the function, from 1.
    pub(crate) attempt: u64,
}

/// Writes down every call of functions that is made from now on.
pub(crate) fn listen(simulation: &mut Simulation) -> Rc<RefCell<Vec<Made>>> {
    let heard: Rc<RefCell<Vec<Made>>> = Rc::default();
    let list = Rc::clone(&heard);
    simulation.bed().set_gate(move |call: &Call<'_>| {
        // Services' own calls have no ordinal.
        if call.ordinal > 0 {
            let same = |made: &&Made| made.place.function == call.function && made.place.call == call.name;
            let before = u32::try_from(list.borrow().iter().filter(same).count()).unwrap();
            let place = Place::new(call.function, call.name, before + 1);
            list.borrow_mut().push(Made { place, attempt: call.attempt });
        }
        Verdict::Pass
    });
    heard
}

pub(crate) fn throttled() -> Verdict {
    Verdict::Fail(Fault::Transient("throttled".to_owned()))
}

/// The connection broke before the request arrived, and the caller cannot know.
pub(crate) fn reset_before() -> Verdict {
    Verdict::Fail(Fault::UnknownOutcome("connection reset".to_owned()))
}

/// An answer of class `Wait`.
pub(crate) fn told_to_wait() -> Verdict {
    Verdict::Fail(Fault::Refused(Reason::new(Class::Wait, "Busy", "come back later")))
}

pub(crate) fn later(minutes: i64) -> Verdict {
    Verdict::Delay(SignedDuration::from_mins(minutes))
}

/// Every way in which a call can go wrong for good or be repeated.
pub(crate) fn troubles() -> [Verdict; 5] {
    [
        throttled(),
        Verdict::LoseReply,
        Verdict::Duplicate,
        Verdict::Crash(Moment::Before),
        Verdict::Crash(Moment::After),
    ]
}
