//! Events, put on a bus of EventBridge.
//!
//! EventBridge API reference, `PutEvents`, read 2026-11: a request may succeed for some entries only; the answer tells them apart by
//! their place, each with an id or with an error code.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use domain::reason::{Class, Reason};
use ports::Fault;
use ports::events::{EVENTS_MAX, Event, PublishEvents, Put};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused, short};

/// IAM actions behind the port of this adapter.
pub const ACTIONS: &[Capability] = &[Capability { port: "PublishEvents", actions: &["events:PutEvents"] }];

/// The source that all our events name; rules match on it.
pub const SOURCE: &str = "bakproof";

/// Codes of an entry that no bus takes, whenever it is told (API reference, `PutEventsResultEntry`). What else is said, passes by itself or
/// is about the bus and the role, which a person can mend.
const REFUSED: [&str; 2] = ["InvalidArgument", "MalformedDetail"];

/// Bytes of one request. EventBridge: "The total entry size must be less than 256KB" (user guide, "Calculating Amazon EventBridge `PutEvents`
/// event entry size", read 2026-11), which may mean an entry or all of them: here it is all of them.
const REQUEST_BYTES_MAX: usize = 256 * 1_024 - 1;

/// What the time of an entry counts for; likewise.
const TIME_BYTES: usize = 14;

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

impl EventBridge {
    /// One request.
    async fn put(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Vec<Put>, Fault> {
        let (what, sent) = (format!("PutEvents {}", self.bus), entries.len());
        let answer = self
            .client
            .put_events()
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Write, &error))?;
        judge(&what, sent, answer.entries())
    }
}

impl PublishEvents for EventBridge {
    async fn publish(&self, events: &[Event]) -> Result<Vec<Put>, Fault> {
        if !(1..=EVENTS_MAX).contains(&events.len()) {
            let message = format!("{} events in a call that takes 1 to {EVENTS_MAX}", events.len());
            return Err(refused("EventsMalformed", message));
        }
        let entries = events.iter().map(|event| self.entry(event)).collect::<Result<Vec<_>, _>>()?;
        let mut entries = entries.into_iter();
        let (mut put, mut told) = (Vec::with_capacity(events.len()), false);
        for request in requests(events) {
            let now = entries.by_ref().take(request.len()).collect();
            if let [large] = request
                && bytes(large) > REQUEST_BYTES_MAX
            {
                put.push(Put::Refused(too_large(large)));
                continue;
            }
            match self.put(now).await {
                Ok(judged) => put.extend(judged),
                // Nothing is known of any event yet: the call as a whole failed.
                Err(fault) if !told => return Err(fault),
                Err(fault) => put.extend(request.iter().map(|_| Put::Left(fault.to_string()))),
            }
            told = true;
        }
        Ok(put)
    }
}

/// What EventBridge counts of an event.
fn bytes(event: &Event) -> usize {
    let resources: usize = event.resources.iter().map(String::len).sum();
    TIME_BYTES + SOURCE.len() + event.detail_type.len() + event.detail.len() + resources
}

/// Events request by request, as many as fit into each.
fn requests(events: &[Event]) -> Vec<&[Event]> {
    let (mut requests, mut from, mut size) = (Vec::new(), 0, 0);
    for (at, event) in events.iter().enumerate() {
        size += bytes(event);
        if at > from && size > REQUEST_BYTES_MAX {
            requests.push(&events[from..at]);
            (from, size) = (at, bytes(event));
        }
    }
    requests.push(&events[from..]);
    requests
}

fn too_large(event: &Event) -> Reason {
    let message = format!(
        "PutEvents: {} bytes of an event, of which EventBridge takes {REQUEST_BYTES_MAX}",
        bytes(event)
    );
    Reason::new(Class::Human, "EventRefused", message)
}

/// What became of `sent` events.
fn judge(what: &str, sent: usize, entries: &[PutEventsResultEntry]) -> Result<Vec<Put>, Fault> {
    if entries.len() != sent {
        let message = format!("{what}: an answer about {} events to {sent}", entries.len());
        return Err(Fault::UnknownOutcome(message));
    }
    let judged = entries.iter().map(|entry| {
        if entry.event_id().is_some() {
            return Put::Taken;
        }
        let Some(code) = entry.error_code() else {
            return Put::Left(format!("{what}: an event with neither an id nor an error"));
        };
        let said = format!("{what}: {}: {}", short(code), short(entry.error_message().unwrap_or_default()));
        if REFUSED.contains(&code) {
            return Put::Refused(Reason::new(Class::Human, "EventRefused", said));
        }
        Put::Left(said)
    });
    Ok(judged.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_told_apart() {
        let entry = |code: &str| {
            let entry = PutEventsResultEntry::builder();
            match code {
                "ok" => entry.event_id("1").build(),
                "" => entry.build(),
                code => entry.error_code(code).build(),
            }
        };
        for (codes, expected) in [
            (&["ok", "ok"][..], "taken taken"),
            (&["ThrottlingException", "InternalFailure"], "left left"),
            (&["ok", "ThrottlingException"], "taken left"),
            (&["ok", "MalformedDetail"], "taken refused"),
            (&["InvalidArgument", "ok"], "refused taken"),
            // A person can mend these, and then the same event is taken.
            (&["AccessDeniedException", "NotAuthorizedForSourceException"], "left left"),
            // Neither id nor code: nobody knows.
            (&["ok", ""], "taken left"),
            (&["ok"], "unknown"),
            (&["ok", "ok", "ok"], "unknown"),
            (&[], "unknown"),
        ] {
            let entries: Vec<_> = codes.iter().map(|code| entry(code)).collect();
            let said = match judge("PutEvents", 2, &entries) {
                Ok(judged) => judged.iter().map(word).collect::<Vec<_>>().join(" "),
                Err(Fault::UnknownOutcome(_)) => "unknown".to_owned(),
                Err(other) => format!("{other:?}"),
            };
            assert_eq!(said, expected, "{codes:?}");
        }
    }

    fn word(put: &Put) -> &'static str {
        match put {
            Put::Taken => "taken",
            Put::Left(_) => "left",
            Put::Refused(_) => "refused",
        }
    }

    #[test]
    fn a_request_holds_what_fits_and_leaves_no_event_out() {
        let event = |bytes: usize| Event {
            detail_type: "t",
            at: jiff::Timestamp::UNIX_EPOCH,
            resources: vec!["r".to_owned()],
            detail: "x".repeat(bytes - TIME_BYTES - SOURCE.len() - 2),
        };
        let max = REQUEST_BYTES_MAX;
        for (sizes, expected) in [
            (&[100, 100][..], &[2][..]),
            (&[max], &[1]),
            (&[max - 100, 100, 100], &[2, 1]),
            (&[max, max, 100], &[1, 1, 1]),
            (&[max + 1, 100], &[1, 1]),
            (&[100, max + 1, 100, 100], &[1, 1, 2]),
        ] {
            let events: Vec<_> = sizes.iter().map(|size| event(*size)).collect();
            assert!(events.iter().zip(sizes).all(|(event, size)| bytes(event) == *size));
            let parts = requests(&events);
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), expected, "{sizes:?}");
            assert_eq!(parts.concat(), events);
        }
    }
}
