//! The API asked from outside while a story goes on: a request is an invocation, and takes its time in the story.

use api::{Api, Request, Response};
use handlers::Handler;
use jiff::Timestamp;

use super::Simulation;
use crate::executor::Ending;
use crate::ports::clock::VirtualClock;
use crate::ports::cloud::Cloud;
use crate::ports::executions::Executions;
use crate::ports::store::Store;
use crate::testbed::Step;

impl Simulation {
    /// Asks the API and lets the story go on until it has answered. `None`: the function died before, as a gate may have it.
    pub fn ask(&mut self, request: &Request) -> Option<Response> {
        let payload = serde_json::to_value(request).ok()?;
        let invocation =
            self.bed.invoke(<Api<Store, Executions, Cloud, VirtualClock> as Handler>::NAME, payload).ok()?;
        loop {
            if let Some(ending) = self.bed.take_ending(invocation) {
                let Ending::Returned(Ok(answer)) = ending else { return None };
                return serde_json::from_value(answer).ok();
            }
            if self.bed.step(Timestamp::MAX) == Step::Idle {
                return None;
            }
        }
    }
}
