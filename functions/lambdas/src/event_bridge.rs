//! Events of EventBridge as inputs.
//!
//! An asynchronous invocation: nobody reads the answer, and an error is tried again twice before it goes to the dead-letter queue
//! (Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation", read 2026-11).

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use domain::reason::Reason;
use handlers::Handler;
use handlers::contract::observe::ObserveEventInput;
use jiff::Timestamp;
use serde_json::Value;

use crate::edge::{Edge, decode, encode, unreadable};
use crate::subject::Subject;

/// EventBridge, as the caller of handlers whose input is made from an [`Event`].
#[derive(Debug, Clone, Copy)]
pub struct EventBridge;

/// One event. EventBridge user guide, "Events in Amazon EventBridge", read 2026-11: all of these are there, whoever sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The event's own id, the same at a second delivery.
    pub id: String,
    /// Who sent it: `aws.rds`.
    pub source: String,
    /// What kind of event: `RDS DB Instance Event`.
    pub detail_type: String,
    /// When it happened, as the sender says.
    pub time: Timestamp,
    /// Account of the sender.
    pub account: String,
    /// Region of the sender.
    pub region: String,
    /// ARNs of what it is about.
    pub resources: Vec<String>,
    /// What happened; of a shape that depends on source and type.
    pub detail: Value,
}

impl Event {
    /// Reads an event.
    fn read(function: &str, payload: &str) -> Result<Self, Reason> {
        let event: EventBridgeEvent = decode(function, payload)?;
        let there = |name: &str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| unreadable(function, &format!("no {name}")))
        };
        let time = event.time.ok_or_else(|| unreadable(function, "no time"))?;
        let nanoseconds = i32::try_from(time.timestamp_subsec_nanos());
        let time =
            nanoseconds.ok().and_then(|nanoseconds| Timestamp::new(time.timestamp(), nanoseconds).ok());
        Ok(Self {
            id: there("id", event.id)?,
            source: there("source", Some(event.source))?,
            detail_type: there("detail-type", Some(event.detail_type))?,
            time: time.ok_or_else(|| unreadable(function, "its time is beyond the calendar"))?,
            account: there("account", event.account)?,
            region: there("region", event.region)?,
            resources: event.resources.unwrap_or_default(),
            detail: event.detail,
        })
    }

    fn subject(&self) -> Subject {
        Subject::default()
            .name("event", Some(&self.id))
            .name("source", Some(&self.source))
            .name("detail_type", Some(&self.detail_type))
            .name("resource", self.resources.first().map(String::as_str))
    }
}

impl From<Event> for ObserveEventInput {
    fn from(event: Event) -> Self {
        let Event { id, source, detail_type, time, detail, account: _, region: _, resources: _ } = event;
        Self { id, source, detail_type, time, detail }
    }
}

impl<H: Handler<Input: From<Event>>> Edge<H> for EventBridge {
    fn read(payload: &str) -> (Subject, Result<H::Input, Reason>) {
        match Event::read(H::NAME, payload) {
            Ok(event) => (event.subject(), Ok(event.into())),
            Err(reason) => (Subject::default(), Err(reason)),
        }
    }

    fn write(output: H::Output) -> Result<Value, Reason> {
        encode(H::NAME, output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// After the example of the RDS user guide, "Overview of events for Amazon RDS".
    fn rds() -> Value {
        json!({
            "version": "0", "id": "844e2571-85d4-695f-b930-0153b71dcb42", "detail-type": "RDS DB Instance Event",
            "source": "aws.rds", "account": "123456789012", "time": "2018-10-06T17:26:13Z", "region": "us-east-1",
            "resources": ["arn:aws:rds:us-east-1:123456789012:db:mysql-instance-2018-10-06-12-24"],
            "detail": {
                "EventCategories": ["backup"], "SourceType": "DB_INSTANCE", "SourceIdentifier": "mysql-instance",
                "Date": "2018-10-06T17:26:13.882Z", "Message": "Backing up DB instance", "EventID": "RDS-EVENT-0001"
            }
        })
    }

    fn read(event: &Value) -> Result<Event, Reason> {
        Event::read("f", &event.to_string())
    }

    #[test]
    fn an_event_is_read_whole() {
        let event = read(&rds()).unwrap();
        assert_eq!(event.time.to_string(), "2018-10-06T17:26:13Z");
        assert_eq!((event.source.as_str(), event.detail_type.as_str()), ("aws.rds", "RDS DB Instance Event"));
        assert_eq!(event.detail["EventID"], "RDS-EVENT-0001");
        assert_eq!(
            serde_json::to_value(event.subject()).unwrap(),
            json!({"event": event.id, "source": "aws.rds", "detail_type": event.detail_type,
                "resource": event.resources[0]})
        );
    }

    #[test]
    fn what_is_no_event_is_refused_by_field() {
        for (field, value, said) in [
            ("id", json!(""), "no id"),
            ("id", json!(null), "no id"),
            ("id", json!(7), "`id` is not what it has to be"),
            ("time", json!("yesterday"), "`time` is not what it has to be"),
            ("time", json!("2016-12-31T23:59:60.5Z"), "its time is beyond the calendar"),
            ("region", json!(null), "no region"),
            ("resources", json!("arn"), "`resources` is not what it has to be"),
        ] {
            let mut event = rds();
            event[field] = value;
            let reason = read(&event).unwrap_err();
            assert!(reason.message.contains(said), "{field}: {reason}");
        }
        let mut event = rds();
        event.as_object_mut().unwrap().remove("detail-type");
        assert!(read(&event).unwrap_err().message.ends_with("missing field `detail-type`"));
    }

    proptest! {
        #[test]
        fn hostile_events_end_in_a_reason(
            field in prop::sample::select(vec!["id", "source", "time", "detail-type", "resources", "detail", "account"]),
            text in ".{0,40}", number in any::<i64>(), which in 0..4,
        ) {
            let mut event = rds();
            event[field] = match which { 0 => json!(text), 1 => json!(number), 2 => json!([text]), _ => json!({text: number}) };
            if let Ok(event) = read(&event) {
                prop_assert!(!event.id.is_empty());
            }
        }

        #[test]
        fn no_payload_makes_a_panic(payload in ".{0,200}") {
            prop_assert!(Event::read("f", &payload).is_err());
        }
    }
}
