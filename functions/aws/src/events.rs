//! Events, put on a bus of EventBridge.
//!
//! EventBridge API reference, `PutEvents`, read 2026-11: a request may succeed for some entries only; the answer tells them apart by
//! their place, each with an id or with an error code.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use ports::Fault;
use ports::events::{EVENTS_MAX, Event, PublishEvents};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the port of this adapter.
pub const ACTIONS: &[Capability] = &[Capability { port: "PublishEvents", actions: &["events:PutEvents"] }];

/// The source that all our events name; rules match on it.
pub const SOURCE: &str = "bakproof";

/// Codes of an entry that may be taken a moment later.
const NOT_NOW: [&str; 3] = ["InternalException", "InternalFailure", "ThrottlingException"];

/// One bus of EventBridge.
#[derive(Debug, Clone)]
pub struct EventBridge {
    client: Client,
    bus: String,
}

impl EventBridge {
    /// The bus of this name or ARN, as the configuration reaches it.
    pub fn new(config: &SdkConfig, bus: impl Into<String>) -> Self {
        let settings = aws_sdk_eventbridge::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()), bus: bus.into() }
    }

    fn entry(&self, event: &Event) -> Result<PutEventsRequestEntry, Fault> {
        let at = DateTime::from_nanos(event.at.as_nanosecond())
            .map_err(|error| refused("EventMalformed", format!("an event at {}: {error}", event.at)))?;
        let entry = PutEventsRequestEntry::builder().event_bus_name(&self.bus).source(SOURCE).time(at);
        Ok(entry
            .set_resources(Some(event.resources.clone()))
            .detail_type(event.detail_type)
            .detail(&event.detail)
            .build())
    }
}

impl PublishEvents for EventBridge {
    async fn publish(&self, events: &[Event]) -> Result<(), Fault> {
        if !(1..=EVENTS_MAX).contains(&events.len()) {
            let message = format!("{} events in a call that takes 1 to {EVENTS_MAX}", events.len());
            return Err(refused("EventsMalformed", message));
        }
        let entries = events.iter().map(|event| self.entry(event)).collect::<Result<_, _>>()?;
        let what = format!("PutEvents {}", self.bus);
        let answer = self
            .client
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Write, &error))?;
        judge(&what, events.len(), answer.entries())
    }
}

/// What became of `sent` events. Refused is refused for good; where some were taken, nobody may say that nothing happened.
fn judge(what: &str, sent: usize, entries: &[PutEventsResultEntry]) -> Result<(), Fault> {
    if entries.len() != sent {
        let message = format!("{what}: an answer about {} events to {sent}", entries.len());
        return Err(Fault::UnknownOutcome(message));
    }
    let failed: Vec<_> = entries.iter().filter(|entry| entry.event_id().is_none()).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let code = |entry: &PutEventsResultEntry| entry.error_code().unwrap_or_default().to_owned();
    // The worst is told: what will never be taken has to be mended, what is late comes by itself.
    let told = failed.iter().find(|entry| !NOT_NOW.contains(&code(entry).as_str()));
    let worst = told.unwrap_or(first);
    let said = worst.error_message().unwrap_or_default();
    let message = format!("{what}: {} of {sent} events not taken: {}: {said}", failed.len(), code(worst));
    Err(match told {
        Some(entry) if entry.error_code().is_some() => refused("EventRefused", message),
        None if failed.len() == sent => Fault::Transient(message),
        _ => Fault::UnknownOutcome(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_good_as_its_worst_entry() {
        let entry = |code: &str| {
            let entry = PutEventsResultEntry::builder();
            match code {
                "ok" => entry.event_id("1").build(),
                "" => entry.build(),
                code => entry.error_code(code).build(),
            }
        };
        for (codes, expected) in [
            (&["ok", "ok"][..], "ok"),
            (&["ThrottlingException", "InternalFailure"], "transient"),
            (&["ok", "ThrottlingException"], "unknown"),
            (&["ok", "MalformedDetail"], "refused"),
            (&["ThrottlingException", "MalformedDetail"], "refused"),
            // Neither id nor code: nobody knows.
            (&["ok", ""], "unknown"),
            (&["", ""], "unknown"),
            (&["ok"], "unknown"),
            (&["ok", "ok", "ok"], "unknown"),
            (&[], "unknown"),
        ] {
            let entries: Vec<_> = codes.iter().map(|code| entry(code)).collect();
            let said = match judge("PutEvents", 2, &entries) {
                Ok(()) => "ok",
                Err(Fault::Transient(_)) => "transient",
                Err(Fault::UnknownOutcome(_)) => "unknown",
                Err(Fault::Refused(_)) => "refused",
            };
            assert_eq!(said, expected, "{codes:?}");
        }
    }
}
