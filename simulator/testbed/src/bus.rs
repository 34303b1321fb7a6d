//! `EventBridge`'s default bus: what RDS and Step Functions tell, brought to one function as an asynchronous invocation.
//!
//! Sources: EventBridge user guide, "How EventBridge retries delivering events" (at least once, in no order); Lambda developer guide,
//! "How Lambda handles errors and retries with asynchronous invocation": a minute after the first failure, two after the second, then
//! the dead-letter queue. Read 2026-11.

use std::sync::Arc;

use asl::Status;
use jiff::SignedDuration;
use serde_json::{Value, json};
use world::RdsEvent;

use crate::executor::Ending;
use crate::gate::{Call, Moment, Verdict};
use crate::stepfunctions::{ExecutionId, uuid};
use crate::stream::Stream;
use crate::testbed::{Caller, Testbed};

/// Knob: milliseconds until an event is delivered. The service promises no time; half a second is what its blog measured.
const DELIVERY_MS: (u64, u64) = (200, 30_000);

/// Waits before the second and the third try of an asynchronous invocation.
const RETRIES: [SignedDuration; 2] = [SignedDuration::from_secs(60), SignedDuration::from_secs(120)];

/// The function that hears, and what it could not take.
pub(crate) struct Bus {
    function: String,
    draws: Stream,
    dead: Vec<Value>,
}

/// A delivery: the event, and the tries so far.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    event: Arc<Value>,
    tries: usize,
}

impl Testbed {
    /// From now on a function hears of RDS and of executions that ended without success.
    pub fn hear_events(&mut self, function: &str) {
        // What happened before is nobody's any more.
        drop(self.world_mut().take_events());
        let draws = Stream::new(self.seed(), "bus");
        self.bus = Some(Bus { function: function.to_owned(), draws, dead: Vec::new() });
    }

    /// Events that the function could not take after three tries.
    pub fn dead_letters(&self) -> &[Value] {
        self.bus.as_ref().map_or(&[], |bus| &bus.dead)
    }

    /// Sends what the world has told since.
    pub(crate) fn send_events(&mut self) {
        if self.bus.is_none() {
            return;
        }
        let told = self.world_mut().take_events();
        for event in told {
            let event = of_rds(&event, &mut self.event_id());
            self.send_event(event);
        }
    }

    /// Sends how an execution ended, where the rule asks for it.
    pub(crate) fn send_ending(&mut self, id: ExecutionId, status: &Status) {
        let word = match status {
            Status::Failed { .. } => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
            Status::Running | Status::Succeeded { .. } => return,
        };
        let summary = self.execution(id);
        if self.bus.is_none() || &*summary.machine != "instance" {
            return;
        }
        let (name, machine) = (summary.name.clone(), self.machine_arn("instance"));
        let event = json!({
            "version": "0", "id": self.event_id(), "source": "aws.states", "detail-type": "Step Functions Execution Status Change",
            "time": self.now(), "detail": { "name": name, "stateMachineArn": machine, "status": word },
        });
        self.send_event(event);
    }

    fn event_id(&mut self) -> String {
        self.bus.as_mut().map_or_else(String::new, |bus| uuid(&mut bus.draws))
    }

    fn send_event(&mut self, event: Value) {
        let Some(bus) = &mut self.bus else { return };
        let (from, to) = DELIVERY_MS;
        let late = i64::try_from(bus.draws.between(from, to)).unwrap_or(0);
        self.deliver_later(SignedDuration::from_millis(late), Delivery { event: Arc::new(event), tries: 0 });
    }

    fn deliver_later(&mut self, after: SignedDuration, delivery: Delivery) {
        let at = self.now().saturating_add(after).unwrap_or(jiff::Timestamp::MAX);
        self.at(at, move |bed| bed.deliver_event(delivery));
    }

    fn deliver_event(&mut self, delivery: Delivery) {
        let Some(bus) = &self.bus else { return };
        let function = bus.function.clone();
        let arn = self.function_arn(&function);
        let Some(code) = self.functions.get(&arn).cloned() else { return };
        let attempt = self.executor.next_attempt(&code.name);
        let call = Call {
            name: "lambda.invoke_async",
            function: &function,
            state: "",
            attempt,
            ordinal: 0,
            now: self.now(),
        };
        // Delivered at least once: a lost answer is a second delivery.
        let times = match self.kernel.see(&call) {
            Verdict::Pass => 1,
            Verdict::Duplicate | Verdict::LoseReply | Verdict::Crash(Moment::After) => 2,
            Verdict::Delay(delay) => return self.deliver_later(delay, delivery),
            Verdict::Fail(_) | Verdict::Crash(Moment::Before) => return self.event_failed(delivery),
        };
        for _ in 0..times {
            let payload = (*delivery.event).clone();
            let invocation = self.executor.start(&code, &Arc::from(""), payload, SignedDuration::ZERO);
            self.callers.insert(invocation, Caller::Bus(delivery.clone()));
        }
    }

    /// An invocation for an event has ended.
    pub(crate) fn event_taken(&mut self, delivery: Delivery, ending: &Ending) {
        if !matches!(ending, Ending::Returned(Ok(_))) {
            self.event_failed(delivery);
        }
    }

    fn event_failed(&mut self, delivery: Delivery) {
        match RETRIES.get(delivery.tries) {
            Some(after) => {
                let tries = delivery.tries + 1;
                self.deliver_later(*after, Delivery { tries, ..delivery });
            }
            None => {
                if let Some(bus) = &mut self.bus {
                    bus.dead.push((*delivery.event).clone());
                }
            }
        }
    }
}

/// An event as RDS sends it: RDS user guide, "Overview of events for Amazon RDS".
fn of_rds(event: &RdsEvent, id: &mut String) -> Value {
    let snapshot = event.id == "RDS-EVENT-0042";
    let detail_type = if snapshot { "RDS DB Snapshot Event" } else { "RDS DB Instance Event" };
    // Whoever takes a manual snapshot calls it as he likes.
    let source = if snapshot { "manual".to_owned() } else { event.instance.clone() };
    json!({
        "version": "0", "id": std::mem::take(id), "source": "aws.rds", "detail-type": detail_type, "time": event.at,
        "detail": {
            "EventCategories": [category(event.id)], "SourceIdentifier": source, "Date": event.at, "Message": event.message,
            "EventID": event.id,
        },
    })
}

/// RDS user guide, "Amazon RDS event categories and event messages".
fn category(id: &str) -> &'static str {
    match id {
        "RDS-EVENT-0001" | "RDS-EVENT-0002" => "backup",
        "RDS-EVENT-0004" | "RDS-EVENT-0006" => "availability",
        "RDS-EVENT-0005" | "RDS-EVENT-0042" => "creation",
        "RDS-EVENT-0007" | "RDS-EVENT-0089" => "low storage",
        "RDS-EVENT-0013" | "RDS-EVENT-0049" => "failover",
        _ => "configuration change",
    }
}
