//! `EventBridge` and Lambda's asynchronous invocation: what the services tell reaches a function late, twice, out of order, or never.
//!
//! Sources: RDS user guide, "Monitoring Amazon RDS events" (best effort: out of sequence or missing) and the shapes of its examples; Step
//! Functions developer guide, "Execution status changes"; Lambda developer guide, "How Lambda handles errors and retries with asynchronous
//! invocation" (errors of the function: two more tries, one minute and two minutes later; throttles and errors of the service: again for up
//! to six hours, from one second up to five minutes apart; then the dead-letter queue), read 2026-11.

use std::collections::BTreeMap;

use asl::Status;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use world::RdsEvent;

use crate::executor::Ending;
use crate::gate::{Call, Moment, Verdict};
use crate::kernel::Entry;
use crate::latency::Service;
use crate::ports::happened;
use crate::stepfunctions::{ExecutionId, uuid};
use crate::stream::Stream;
use crate::testbed::{Caller, Testbed};

/// Where the rule stands that passes events on.
const TEMPLATE: &str = include_str!("../../../infra/template.yaml");

/// Tries of one event, as the function errs.
const TRIES: u32 = 3;

/// For how long Lambda keeps an event that it could not hand over.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(6);

/// Knobs: how events are delivered. Nobody promises a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// Of a hundred events, how many never come.
    pub lost_percent: u8,
    /// How many come twice.
    pub twice_percent: u8,
    /// How many come late.
    pub late_percent: u8,
    /// Minutes by which the latest comes late.
    pub late_minutes_max: u16,
}

impl Default for Delivery {
    /// All, once, within seconds.
    fn default() -> Self {
        Self { lost_percent: 0, twice_percent: 0, late_percent: 0, late_minutes_max: 30 }
    }
}

impl Delivery {
    /// Whether the percentages are any.
    pub(crate) fn check(self) -> Result<(), String> {
        for (name, percent) in [
            ("lost_percent", self.lost_percent),
            ("twice_percent", self.twice_percent),
            ("late_percent", self.late_percent),
        ] {
            if percent > 100 {
                return Err(format!("{name}: {percent} is not in 0 to 100"));
            }
        }
        Ok(())
    }
}

/// An event on its way through Lambda's queue.
#[derive(Debug, Clone)]
struct Queued {
    function: String,
    event: Value,
    since: Timestamp,
    /// Tries that the function has begun.
    tries: u32,
    /// Times in a row that Lambda could not hand it over.
    held_back: u32,
}

/// One of the events that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueuedId(u64);

/// One rule with one function behind it.
pub(crate) struct Rule {
    function: String,
    delivery: Delivery,
}

pub(crate) struct EventBridge {
    rule: Option<Rule>,
    draws: Stream,
    queue: BTreeMap<QueuedId, Queued>,
    serial: u64,
    told: u64,
    dead: Vec<Value>,
}

impl EventBridge {
    pub(crate) fn new(seed: u64) -> Self {
        let draws = Stream::new(seed, "event bridge");
        Self { rule: None, draws, queue: BTreeMap::new(), serial: 0, told: 0, dead: Vec::new() }
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.draws.between(1, 100) <= u64::from(percent)
    }

    fn seconds(&mut self, from: u64, to: u64) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.draws.between(from, to)).unwrap_or(0))
    }
}

impl Testbed {
    /// Has a function told of what RDS and Step Functions say from now on. Without this, nobody is.
    pub fn deliver_events(&mut self, function: &str, delivery: Delivery) {
        self.world_mut().take_events();
        self.event_bridge.rule = Some(Rule { function: function.to_owned(), delivery });
    }

    /// Events that no try brought to an end.
    pub fn dead_letters(&self) -> &[Value] {
        &self.event_bridge.dead
    }

    /// Events that services told while there was somebody to tell, lost ones included.
    pub fn events_told(&self) -> u64 {
        self.event_bridge.told
    }

    /// Invokes a function and waits for nothing: its errors are tried again, and then the event is a dead letter.
    pub fn invoke_async(&mut self, function: &str, event: Value) {
        let bridge = &mut self.event_bridge;
        let id = QueuedId(bridge.serial);
        bridge.serial += 1;
        bridge.queue.insert(
            id,
            Queued { function: function.to_owned(), event, since: self.kernel.now(), tries: 0, held_back: 0 },
        );
        self.hand_over(id);
    }

    /// What the world told since the last look, on its way.
    pub(crate) fn collect_events(&mut self) {
        if self.event_bridge.rule.is_none() {
            return;
        }
        let events = self.world_mut().take_events();
        for event in events.into_iter().filter(|event| is_passed_on(category(event.id))) {
            let event = self.of_rds(&event);
            self.put_event(&event);
        }
    }

    /// An execution is over: what Step Functions tells of it where it ended badly.
    pub(crate) fn tell_status(&mut self, id: ExecutionId) {
        let summary = self.states.summary(id);
        let (status, error, cause) = match &summary.status {
            Status::Failed { error, cause } => ("FAILED", Some(error.clone()), Some(cause.clone())),
            Status::TimedOut => ("TIMED_OUT", None, None),
            Status::Aborted => ("ABORTED", None, None),
            Status::Running | Status::Succeeded { .. } => return,
        };
        if self.event_bridge.rule.is_none() {
            return;
        }
        let machine = self.machine_arn(&summary.machine);
        let arn = format!("{}:{}", machine.replacen(":stateMachine:", ":execution:", 1), summary.name);
        let detail = json!({
            "executionArn": arn, "stateMachineArn": machine, "name": summary.name, "status": status,
            "startDate": summary.started_at.as_millisecond(),
            "stopDate": summary.ended_at.map(Timestamp::as_millisecond),
            "input": null, "output": null, "error": error, "cause": cause
        });
        let event =
            self.event("aws.states", "Step Functions Execution Status Change", (&arn, self.now()), &detail);
        self.put_event(&event);
    }

    /// The event of one that RDS published. A manual snapshot is told of by its own name, which is anything.
    fn of_rds(&mut self, told: &RdsEvent) -> Value {
        let RdsEvent { at, instance, id, message, snapshot } = told;
        let (kind, source_type, of, name) = match snapshot {
            Some(snapshot) => ("RDS DB Snapshot Event", "SNAPSHOT", "snapshot", snapshot),
            None => ("RDS DB Instance Event", "DB_INSTANCE", "db", instance),
        };
        let (partition, region, account) = self.place();
        let arn = format!("arn:{partition}:rds:{region}:{account}:{of}:{name}");
        let detail = json!({
            "EventCategories": [category(id)], "SourceType": source_type, "SourceArn": arn, "Date": at.to_string(),
            "Message": message, "SourceIdentifier": name, "EventID": id
        });
        self.event("aws.rds", kind, (&arn, *at), &detail)
    }

    fn event(&mut self, source: &str, kind: &str, (about, at): (&str, Timestamp), detail: &Value) -> Value {
        let id = uuid(&mut self.event_bridge.draws);
        let (_, region, account) = self.place();
        // To the second, as the examples have it.
        let second = Timestamp::from_second(at.as_second()).unwrap_or(at);
        json!({
            "version": "0", "id": id, "detail-type": kind, "source": source, "account": account,
            "time": second.to_string(), "region": region, "resources": [about], "detail": detail
        })
    }

    /// Puts an event on the bus: it is lost, or comes once or twice, soon or late.
    fn put_event(&mut self, event: &Value) {
        let bridge = &mut self.event_bridge;
        let Some(Rule { delivery, function }) = &bridge.rule else { return };
        let (delivery, function) = (*delivery, function.clone());
        bridge.told += 1;
        if bridge.chance(delivery.lost_percent) {
            return;
        }
        let copies = if bridge.chance(delivery.twice_percent) { 2 } else { 1 };
        for _ in 0..copies {
            let late = bridge.chance(delivery.late_percent);
            let most = 60 * u64::from(delivery.late_minutes_max);
            let delay = if late { bridge.seconds(60, most) } else { bridge.seconds(1, 5) };
            let (event, function) = (event.clone(), function.clone());
            self.kernel.put_after(
                delay,
                Entry::Hook(Box::new(move |bed: &mut Self| bed.invoke_async(&function, event))),
            );
        }
    }

    /// Lambda takes an event from its queue and begins the function.
    fn hand_over(&mut self, id: QueuedId) {
        let Some(queued) = self.event_bridge.queue.get(&id) else { return };
        let Some(function) = self.functions.get(&self.function_arn(&queued.function)).cloned() else {
            return self.bury(id);
        };
        let name = &*function.name;
        let attempt = self.executor.next_attempt(name);
        let now = self.kernel.now();
        let call = Call { name: "lambda.invoke", function: name, state: "", attempt, ordinal: 0, now };
        let (times, delay) = match self.kernel.see(&call) {
            // Nobody waits for a reply that could be lost.
            Verdict::Pass | Verdict::LoseReply => (1, SignedDuration::ZERO),
            Verdict::Delay(delay) => (1, delay),
            Verdict::Duplicate => (2, SignedDuration::ZERO),
            Verdict::Fail(_) => return self.hold_back(id),
            Verdict::Crash(Moment::Before) => return self.try_again(id),
            Verdict::Crash(Moment::After) => {
                // It runs, and counts as failed: again later, whatever became of it.
                self.begin(&function, id, SignedDuration::ZERO, Caller::Nobody);
                return self.try_again(id);
            }
        };
        for _ in 0..times {
            self.begin(&function, id, delay, Caller::Queue(id));
        }
    }

    fn begin(
        &mut self,
        function: &crate::functions::Function,
        id: QueuedId,
        delay: SignedDuration,
        caller: Caller,
    ) {
        let Some(queued) = self.event_bridge.queue.get(&id) else { return };
        let delay = delay.saturating_add(self.kernel.latency(Service::Invoke));
        let invocation = self.executor.start(function, &"".into(), queued.event.clone(), delay);
        self.callers.insert(invocation, caller);
    }

    /// An invocation from the queue has ended. One that ran twice is over with its first good end.
    pub(crate) fn event_ended(&mut self, id: QueuedId, ending: &Ending) {
        if matches!(ending, Ending::Returned(Ok(_))) {
            self.event_bridge.queue.remove(&id);
        } else {
            self.try_again(id);
        }
    }

    fn try_again(&mut self, id: QueuedId) {
        let Some(queued) = self.event_bridge.queue.get_mut(&id) else { return };
        queued.tries += 1;
        queued.held_back = 0;
        if queued.tries >= TRIES {
            return self.bury(id);
        }
        let wait = SignedDuration::from_mins(i64::from(queued.tries));
        self.hand_over_after(wait, id);
    }

    fn hold_back(&mut self, id: QueuedId) {
        let now = self.kernel.now();
        let Some(queued) = self.event_bridge.queue.get_mut(&id) else { return };
        let wait = SignedDuration::from_secs((1_i64 << queued.held_back.min(9)).min(300));
        queued.held_back += 1;
        if now.duration_since(queued.since) > AGE_MAX {
            return self.bury(id);
        }
        self.hand_over_after(wait, id);
    }

    fn hand_over_after(&self, wait: SignedDuration, id: QueuedId) {
        let again = Entry::Hook(Box::new(move |bed: &mut Self| bed.hand_over(id)));
        self.kernel.put_after(wait, again);
    }

    fn bury(&mut self, id: QueuedId) {
        let bridge = &mut self.event_bridge;
        bridge.dead.extend(bridge.queue.remove(&id).map(|queued| queued.event));
    }
}

/// The category of an event: of a snapshot by its own, of an instance as it is remembered. One of which we have no source is taken for what
/// most are.
fn category(id: &str) -> &'static str {
    match id {
        "RDS-EVENT-0040" | "RDS-EVENT-0042" => "creation",
        _ => happened::category(id).unwrap_or("configuration change"),
    }
}

/// Whether the rule of the template passes on events of a category: the very pattern that is deployed.
fn is_passed_on(category: &str) -> bool {
    let pattern = TEMPLATE.lines().skip_while(|line| line.trim() != "RdsTells:");
    let mut listed = pattern.skip_while(|line| line.trim() != "EventCategories:").skip(1);
    let listed = listed.by_ref().map_while(|line| line.trim().strip_prefix("- "));
    listed.into_iter().any(|listed| listed == category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_template_passes_on_what_it_lists() {
        for id in ["0001", "0002", "0005", "0006", "0007", "0017", "0042", "0049", "0089"] {
            assert!(is_passed_on(category(&format!("RDS-EVENT-{id}"))), "{id}");
        }
        for other in ["notification", "read replica", "", "low", "EventCategories:"] {
            assert!(!is_passed_on(other), "{other}");
        }
    }
}
