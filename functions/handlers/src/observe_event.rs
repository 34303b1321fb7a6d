//! observe-event: what AWS tells of instances and runs, heard once.
//!
//! Everything it does, the next look would do as well; it does it sooner. An event is delivered at least once and nobody reads the
//! answer: what cannot be understood is no error, or it would be delivered again for nothing.

use domain::inventory::{Instance, instance_key};
use domain::lease;
use domain::observed::{Meaning, Observed, freed, instance_of_snapshot, meaning, observed_key, run_ended};
use domain::reason::Reason;
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::events::PublishEvents;
use ports::executions::StartExecution;
use ports::store::{Expect, ReadItems, Versioned, WriteItems, load};
use serde::Deserialize;

use crate::contract::observe::{Observation, ObserveEventInput, ObserveEventOutput};
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{commit, of_trouble};
use crate::wake::wake;

/// Oldest event that wakes a run: what an older one tells, a look has found since. `EventBridge` tries for a day.
const WAKES_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// Hears events.
pub struct ObserveEvent<S, X, C, P> {
    /// Task store.
    pub store: S,
    /// Step Functions.
    pub executions: X,
    /// Clock.
    pub clock: C,
    /// The bus of our own, where there is one.
    pub events: Option<P>,
}

const fn said(outcome: Observation) -> ObserveEventOutput {
    ObserveEventOutput { outcome, woken: false }
}

impl<S, X, C, P> Handler for ObserveEvent<S, X, C, P>
where
    S: ReadItems + WriteItems,
    X: StartExecution,
    C: Clock,
    P: PublishEvents,
{
    type Input = ObserveEventInput;
    type Output = ObserveEventOutput;
    const NAME: &'static str = "observe-event";

    async fn handle(&self, input: ObserveEventInput) -> Result<ObserveEventOutput, Reason> {
        match input.source.as_str() {
            "aws.rds" => match OfRds::read(&input) {
                Some(event) => self.hear(event).await,
                None => Ok(said(Observation::Ignored)),
            },
            "aws.states" => match OfStates::read(&input) {
                Some(ended) => self.run_ended(&ended).await,
                None => Ok(said(Observation::Ignored)),
            },
            _ => Ok(said(Observation::Ignored)),
        }
    }
}

impl<S, X, C, P> ObserveEvent<S, X, C, P>
where
    S: ReadItems + WriteItems,
    X: StartExecution,
    C: Clock,
    P: PublishEvents,
{
    async fn hear(&self, event: OfRds) -> Result<ObserveEventOutput, Reason> {
        let now = self.clock.now();
        let known: Option<Versioned<Instance>> = load(&self.store, instance_key(&event.instance)).await?;
        if known.is_none() {
            return Ok(said(Observation::Ignored));
        }
        let stored: Option<Versioned<Observed>> = load(&self.store, observed_key(&event.instance)).await?;
        let mut observed = stored.unwrap_or_else(|| Versioned {
            record: Observed { instance: event.instance.clone(), ..Observed::default() },
            expect: Expect::Absent,
        });
        let meaning = meaning(&event.id, &event.categories);
        let is_new = observed.record.hear(meaning, event.at, &event.id, &event.message);
        if is_new {
            commit(&self.store, &[observed.put()?]).await?;
        }
        let wakes = meaning == Meaning::Interrupted && now.duration_since(event.at) <= WAKES_WITHIN;
        // Heard before and not carried out: an invocation that died in between comes again.
        let woken = wakes && wake(&self.store, &self.executions, &event.instance, now).await?;
        let outcome = if is_new || woken { Observation::Heard } else { Observation::Ignored };
        Ok(ObserveEventOutput { outcome, woken })
    }

    /// Frees the lease of a run that could not give it back. The instance is due at once, and the fleet starts the next run: one that was
    /// started from here would end the same way again and again as fast as events come.
    async fn run_ended(&self, ended: &OfStates) -> Result<ObserveEventOutput, Reason> {
        let now = self.clock.now();
        let Some((group, _)) = ended.name.rsplit_once('-') else { return Ok(said(Observation::Ignored)) };
        let Some(stored) = load::<lease::Lease>(&self.store, lease::key(group)).await? else {
            return Ok(said(Observation::Ignored));
        };
        let Some(free) = freed(&stored.record, &ended.name, now) else {
            return Ok(said(Observation::Ignored));
        };
        let mut writes = vec![Versioned { record: free, expect: stored.expect }.put()?];
        let instance: Option<Versioned<Instance>> = load(&self.store, instance_key(group)).await?;
        if let Some(mut instance) = instance {
            instance.record.due_at = Some(instance.record.due_at.map_or(now, |at| at.min(now)));
            let before = instance.record.trouble.replace(run_ended(&ended.name, &ended.status));
            writes.push(instance.put()?);
            writes.extend(of_trouble(&instance.record, before.as_ref(), now)?);
        }
        let outbox = Outbox::new(&self.store, self.events.as_ref());
        commit(&outbox, &writes).await?;
        outbox.tell(&self.clock).await;
        Ok(said(Observation::Freed))
    }
}

/// An event of RDS about an instance.
struct OfRds {
    instance: String,
    id: String,
    categories: Vec<String>,
    message: String,
    at: Timestamp,
}

impl OfRds {
    fn read(input: &ObserveEventInput) -> Option<Self> {
        /// RDS user guide, "Overview of events for Amazon RDS".
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Detail {
            source_identifier: String,
            #[serde(rename = "EventID", default)]
            id: String,
            #[serde(default)]
            event_categories: Vec<String>,
            #[serde(default)]
            message: String,
            #[serde(default)]
            date: Option<Timestamp>,
        }
        let detail = Detail::deserialize(&input.detail).ok()?;
        let instance = match input.detail_type.as_str() {
            "RDS DB Instance Event" => detail.source_identifier,
            "RDS DB Snapshot Event" => instance_of_snapshot(&detail.source_identifier)?.to_owned(),
            _ => return None,
        };
        Some(Self {
            instance,
            id: detail.id,
            categories: detail.event_categories,
            message: detail.message,
            at: detail.date.unwrap_or(input.time),
        })
    }
}

/// A run that has ended, and how.
struct OfStates {
    name: String,
    status: String,
}

impl OfStates {
    fn read(input: &ObserveEventInput) -> Option<Self> {
        /// Step Functions developer guide, "Automating Step Functions event delivery with EventBridge".
        #[derive(Deserialize)]
        struct Detail {
            name: String,
            status: String,
        }
        let Detail { name, status } = Detail::deserialize(&input.detail).ok()?;
        let ended = matches!(status.as_str(), "FAILED" | "TIMED_OUT" | "ABORTED");
        (ended && input.detail_type == "Step Functions Execution Status Change")
            .then_some(Self { name, status })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(source: &str, detail_type: &str, detail: serde_json::Value) -> ObserveEventInput {
        let (id, time) = ("1".to_owned(), Timestamp::UNIX_EPOCH);
        ObserveEventInput { id, source: source.to_owned(), detail_type: detail_type.to_owned(), time, detail }
    }

    #[test]
    fn events_are_read_by_source_and_type() {
        let rds =
            |kind: &str, detail| OfRds::read(&event("aws.rds", kind, detail)).map(|event| event.instance);
        let (instance, snapshot) = ("RDS DB Instance Event", "RDS DB Snapshot Event");
        for (kind, detail, expected) in [
            (instance, json!({"SourceIdentifier": "sales", "EventID": "RDS-EVENT-0013"}), Some("sales")),
            (
                instance,
                json!({"SourceIdentifier": "sales", "Date": "2018-10-06T17:26:13.882Z"}),
                Some("sales"),
            ),
            (snapshot, json!({"SourceIdentifier": "rds:sales-2026-11-27-03-04"}), Some("sales")),
            (snapshot, json!({"SourceIdentifier": "before-release"}), None),
            ("RDS DB Cluster Event", json!({"SourceIdentifier": "sales"}), None),
            (instance, json!({}), None),
            (instance, json!({"SourceIdentifier": 7}), None),
            (instance, json!("sales"), None),
        ] {
            assert_eq!(rds(kind, detail.clone()).as_deref(), expected, "{kind} {detail}");
        }
        let kind = "Step Functions Execution Status Change";
        let states = |detail| OfStates::read(&event("aws.states", kind, detail)).map(|ended| ended.status);
        for (status, expected) in [
            ("FAILED", true),
            ("TIMED_OUT", true),
            ("ABORTED", true),
            ("SUCCEEDED", false),
            ("RUNNING", false),
        ] {
            let told = states(json!({"name": "sales-7", "status": status}));
            assert_eq!(told.is_some(), expected, "{status}");
        }
        assert!(states(json!({"status": "FAILED"})).is_none());
    }

    proptest! {
        #[test]
        fn no_detail_makes_a_panic(
            field in prop::sample::select(vec!["SourceIdentifier", "EventID", "EventCategories", "Message", "Date", "name", "status"]),
            text in ".{0,60}", number in any::<i64>(), which in 0..4, snapshot in any::<bool>(),
        ) {
            let mut detail = json!({"SourceIdentifier": "sales", "name": "sales-7", "status": "FAILED"});
            detail[field] = match which { 0 => json!(text), 1 => json!(number), 2 => json!([text]), _ => json!({text: number}) };
            let kind = if snapshot { "RDS DB Snapshot Event" } else { "RDS DB Instance Event" };
            let _ = OfRds::read(&event("aws.rds", kind, detail.clone()));
            let _ = OfStates::read(&event("aws.states", "Step Functions Execution Status Change", detail));
        }
    }
}
