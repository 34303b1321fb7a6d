//! observe-event: what AWS tells by events, written down, and a run woken where something waits.
//!
//! EventBridge delivers at least once, late, out of order, or not at all, so nothing depends on it: an event marks that a look of before
//! may be worth nothing any more, or has the next look come sooner. What is true, the server says in that look. All effects are
//! conditional on what is stored: the same event again, or an older one, finds nothing to do.

use domain::inventory::{Instance, instance_key};
use domain::lease::{self, Lease};
use domain::observed::{
    Marks, Observed, RdsDetail, RunEnded, freed, marks_key, of_execution, of_rds, unnamed_snapshot,
};
use domain::paths::arn_parts;
use domain::reason::{Class, Reason};
use domain::task::open_partition;
use jiff::Timestamp;
use ports::Clock;
use ports::cloud::DescribeSnapshot;
use ports::events::PublishEvents;
use ports::executions::StartExecution;
use ports::store::{Range, ReadItems, Versioned, WriteItems, load};
use serde::de::DeserializeOwned;

use crate::contract::{Event, ObserveEventOutput, ObserveOutcome};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{SORT_MAX, commit, of_trouble};
use crate::wake::wake;

/// Times that an event is written anew because others wrote first. Policy of ours: behind it, whoever invokes tries again.
const TRIES: u32 = 3;

/// Takes events in.
pub struct ObserveEvent<S, R, X, C, P> {
    /// Task store.
    pub store: S,
    /// RDS, asked where the name of a snapshot does not tell its instance.
    pub cloud: R,
    /// Step Functions.
    pub executions: X,
    /// Clock.
    pub clock: C,
    /// ARN of the machine that serves instances: executions of no other free a lease.
    pub instance_machine: String,
    /// The bus that is told, if there is one.
    pub events: Option<P>,
}

impl<S, R, X, C, P> Handler for ObserveEvent<S, R, X, C, P>
where
    S: ReadItems + WriteItems,
    R: DescribeSnapshot,
    X: StartExecution,
    C: Clock,
    P: PublishEvents,
{
    type Input = Event;
    type Output = ObserveEventOutput;
    const NAME: &'static str = "observe-event";

    async fn handle(&self, input: Event) -> Result<ObserveEventOutput, Reason> {
        let owner = self.owner(&input).await?;
        let (observed, note) = meaning(&input, &self.instance_machine, owner.as_deref());
        let mut tries = 1;
        loop {
            let told = match &observed {
                Observed::Ignored(reason) => Ok(ignored(reason.clone())),
                Observed::RunEnded(ended) => self.free(ended).await,
                Observed::BaseStale { instance, .. }
                | Observed::FailedOver { instance, .. }
                | Observed::Changed { instance, .. } => self.record(instance, &observed, &input).await,
            };
            match told {
                Err(reason) if reason.name == "Conflict" && tries < TRIES => tries += 1,
                told => return told.map(|told| ObserveEventOutput { note: told.note.or(note), ..told }),
            }
        }
    }
}

/// What an event means, and what has to be said of how it was understood. `owner`: the instance of its snapshot, where RDS was asked.
fn meaning(event: &Event, instance_machine: &str, owner: Option<&str>) -> (Observed, Option<Reason>) {
    let said = match event.source.as_str() {
        "aws.rds" => detail(event).map(|detail| of_rds(&detail, event.time, owner)),
        "aws.states" => detail(event).map(|change| (of_execution(&change, instance_machine), None)),
        _ => {
            Err(Reason::new(Class::Never, "OtherSource", "the event is neither of RDS nor of Step Functions"))
        }
    };
    said.unwrap_or_else(|reason| (Observed::Ignored(reason), None))
}

/// The detail by its shape. What is wrong with it is told by place: it may hold anything.
fn detail<T: DeserializeOwned>(event: &Event) -> Result<T, Reason> {
    T::deserialize(&event.detail).map_err(|_| {
        Reason::new(
            Class::Never,
            "DetailMalformed",
            "the event's detail is not of the shape that its source tells",
        )
        .guidance("compare it with the source's own documentation, by the event's id in the log of the bus")
    })
}

const fn said(outcome: ObserveOutcome) -> ObserveEventOutput {
    ObserveEventOutput { outcome, note: None }
}

fn ignored(reason: Reason) -> ObserveEventOutput {
    ObserveEventOutput { outcome: ObserveOutcome::Ignored, note: Some(reason) }
}

impl<S, R, X, C, P> ObserveEvent<S, R, X, C, P>
where
    S: ReadItems + WriteItems,
    R: DescribeSnapshot,
    X: StartExecution,
    C: Clock,
    P: PublishEvents,
{
    /// The instance of a snapshot that an event tells of without naming it. Where RDS cannot be asked, the event is delivered again.
    async fn owner(&self, event: &Event) -> Result<Option<String>, Reason> {
        let detail: Option<RdsDetail> = if event.source == "aws.rds" { detail(event).ok() } else { None };
        match detail.as_ref().and_then(unnamed_snapshot) {
            Some(snapshot) => Ok(self.cloud.instance_of_snapshot(snapshot).await?),
            None => Ok(None),
        }
    }

    /// Writes down what an event says of an instance, and wakes a run where something waits for what is over now.
    async fn record(
        &self,
        name: &str,
        observed: &Observed,
        event: &Event,
    ) -> Result<ObserveEventOutput, Reason> {
        let now = self.clock.now();
        let stored: Option<Versioned<Instance>> = load(&self.store, instance_key(name)).await?;
        let Some(mut instance) = stored else {
            return Ok(ignored(unknown(name)));
        };
        if !is_of(&instance.record, event) {
            return Ok(ignored(unknown(name)));
        }
        let marks: Option<Versioned<Marks>> = load(&self.store, marks_key(name)).await?;
        let mut marks = marks.unwrap_or_else(|| Versioned::new(Marks::none(name)));
        let is_news = marks.record.fold(observed);
        let is_due = instance.record.due_at.is_some_and(|at| at <= now);
        // Told before, and whoever wrote it down may have died before it woke anybody: then the instance is due.
        let may_wake = observed.is_over() && (is_news || is_due) && instance.record.stopped.is_none();
        let wakes = may_wake && self.waits(&instance.record, now).await?;
        if is_news {
            let mut writes = vec![marks.put()?];
            if wakes && !is_due {
                instance.record.due_at = Some(now);
                writes.push(instance.put()?);
            }
            commit(&self.store, &writes).await?;
        }
        if wakes {
            return Ok(self.wake(name, now).await);
        }
        Ok(said(if is_news { ObserveOutcome::Recorded } else { ObserveOutcome::Known }))
    }

    /// Whether something on an instance waits that no run is at work on: trouble, or an open task. A run at work looks at the server in
    /// every round.
    async fn waits(&self, instance: &Instance, now: Timestamp) -> Result<bool, Reason> {
        let lease: Option<Versioned<Lease>> = load(&self.store, lease::key(&instance.name)).await?;
        if lease.is_some_and(|lease| lease.record.is_alive(now)) {
            return Ok(false);
        }
        if instance.trouble.is_some() {
            return Ok(true);
        }
        let first = Range {
            partition: open_partition(&instance.name),
            from: String::new(),
            to: SORT_MAX.to_owned(),
            after: None,
            limit: 1,
        };
        Ok(!self.store.query(&first).await?.items.is_empty())
    }

    /// A run that cannot be started now is started by the fleet: the instance is due, which is written already.
    async fn wake(&self, name: &str, now: Timestamp) -> ObserveEventOutput {
        match wake(&self.store, &self.executions, name, now).await {
            Ok(true) => said(ObserveOutcome::Woken),
            Ok(false) => said(ObserveOutcome::Recorded),
            Err(reason) => ObserveEventOutput { outcome: ObserveOutcome::Due, note: Some(reason) },
        }
    }

    /// Takes the lease from a run that is over. Its successor is the fleet's to start: what ends every run would otherwise have one
    /// start right behind the other.
    async fn free(&self, ended: &RunEnded) -> Result<ObserveEventOutput, Reason> {
        let now = self.clock.now();
        let stored: Option<Versioned<Lease>> = load(&self.store, lease::key(&ended.instance)).await?;
        let free = stored.and_then(|lease| {
            let expect = lease.expect;
            freed(lease.record, &ended.run, now).map(|record| Versioned { record, expect })
        });
        let Some(free) = free else { return Ok(said(ObserveOutcome::Known)) };
        let mut writes = vec![free.put()?];
        let instance: Option<Versioned<Instance>> = load(&self.store, instance_key(&ended.instance)).await?;
        if let Some(mut instance) = instance {
            instance.record.due_by(now);
            let before = instance.record.trouble.replace(ended.trouble.clone());
            writes.push(instance.put()?);
            writes.extend(of_trouble(&instance.record, before.as_ref(), now)?);
        }
        let outbox = Outbox::new(&self.store, self.events.as_ref());
        commit(&outbox, &writes).await?;
        outbox.tell(&self.clock).await;
        Ok(said(ObserveOutcome::Freed))
    }
}

fn unknown(name: &str) -> Reason {
    Reason::new(
        Class::Never,
        "InstanceUnknown",
        format!("no instance {name} of the event's account and Region is enrolled"),
    )
}

/// Whether an event is of the account and Region that the instance was last found in; identifiers repeat between them.
fn is_of(instance: &Instance, event: &Event) -> bool {
    let arn = instance.facts.as_ref().and_then(|(_, facts)| arn_parts(&facts.arn).ok());
    arn.is_none_or(|(_, region, account)| region == event.region && account == event.account)
}

#[cfg(test)]
mod tests {
    use domain::observed::Status;
    use serde_json::{Value, json};

    use super::*;

    const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:instance";

    fn event(source: &str, detail: &Value) -> Event {
        let event = json!({
            "version": "0", "id": "1", "source": source, "detail-type": "any", "time": "2026-11-16T03:12:00Z",
            "account": "123456789012", "region": "eu-west-1", "resources": [], "detail": detail
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn details_are_read_by_their_source() {
        let rds = json!({
            "EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": "sales",
            "SourceArn": "arn:aws:rds:eu-west-1:123456789012:db:sales", "Date": "2026-11-16T03:12:00.882Z",
            "Message": "Backing up DB instance", "EventID": "RDS-EVENT-0001", "Tags": {}
        });
        let (observed, note) = meaning(&event("aws.rds", &rds), MACHINE, None);
        let at = "2026-11-16T03:12:00Z".parse().unwrap();
        assert_eq!(observed, Observed::BaseStale { instance: "sales".to_owned(), at, ended: false });
        assert_eq!(note, None);
        let run = json!({
            "executionArn": "arn:aws:states:eu-west-1:123456789012:execution:instance:sales-7",
            "stateMachineArn": MACHINE, "name": "sales-7", "status": "ABORTED", "startDate": 1, "stopDate": 2,
            "input": "{}", "output": null
        });
        let (observed, _) = meaning(&event("aws.states", &run), MACHINE, None);
        assert!(matches!(observed, Observed::RunEnded(ended) if ended.run == "sales-7"));
        let change: domain::observed::StatusChange = serde_json::from_value(run.clone()).unwrap();
        assert_eq!(change.status, Status::Aborted);
        for (source, detail, expected) in [
            ("aws.rds", run, "DetailMalformed"),
            ("aws.states", rds.clone(), "DetailMalformed"),
            ("aws.rds", json!("hush"), "DetailMalformed"),
            ("aws.rds", Value::Null, "DetailMalformed"),
            ("aws.ec2", rds, "OtherSource"),
        ] {
            let (observed, _) = meaning(&event(source, &detail), MACHINE, None);
            let Observed::Ignored(reason) = observed else { panic!("{source}: {observed:?}") };
            assert_eq!(reason.name, expected, "{source}");
            assert!(!reason.message.contains("hush"), "{reason}");
        }
    }
}
