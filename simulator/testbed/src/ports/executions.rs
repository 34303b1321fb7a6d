//! Step Functions as functions see it: they start executions.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use ports::Fault;
use ports::executions::{Machine, StartExecution, Started};

use crate::kernel::{Entry, Kernel, Kind};
use crate::latency::Service;

/// A handle of the one service of a testbed; clones share it.
#[derive(Clone)]
pub struct Executions {
    kernel: Rc<Kernel>,
    /// Names that were given to it. Names that machines gave are others: a generation is offered once.
    taken: Rc<RefCell<BTreeSet<(Machine, String)>>>,
}

impl Executions {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel, taken: Rc::default() }
    }
}

impl StartExecution for Executions {
    async fn start_execution(&self, machine: Machine, name: &str, input: &str) -> Result<Started, Fault> {
        let effect = || {
            let input = serde_json::from_str(input).map_err(|error| {
                let message =
                    format!("StartExecution {} {name}: InvalidExecutionInput: {error}", machine.as_str());
                Fault::Refused(Reason::new(Class::Human, "ServiceRefused", message))
            })?;
            if !self.taken.borrow_mut().insert((machine, name.to_owned())) {
                return Ok(Started::Already);
            }
            let name = name.to_owned();
            // Executions belong to the testbed, which is in the midst of polling the function that asks.
            let start = Entry::Hook(Box::new(move |bed| {
                let _ = bed.start_execution(machine.as_str(), Some(&name), input);
            }));
            self.kernel.put(self.kernel.now(), start);
            Ok(Started::Begun)
        };
        self.kernel.call("states.start_execution", (Service::States, Kind::Write), effect).await
    }
}
