//! Gates for tests: one trouble at one call.

use std::cell::Cell;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use jiff::SignedDuration;
use ports::Fault;
use testbed::simulation::Simulation;
use testbed::{Call, Gate, Verdict};

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
