//! What happened to an instance, asked of the RDS API.
//!
//! RDS API reference, `DescribeEvents` (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html>), read 2026-11:
//! pages of at most 100, `Marker` leads to the next; a source's name goes with its type. Both ends of the time are sent: without a
//! second one an hour is the default, and no source says whether a first one alone changes that.

use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{Event, SourceType};
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::{InstanceEvent, InstanceEvents, ListEvents};

use crate::Rds;
use crate::fault::{self, Effect, refused};
use crate::instance::said;

/// Events of one page: as many as RDS gives.
const PAGE_EVENTS: i32 = 100;

/// How RDS says that there is no such instance.
const MISSING: [&str; 2] = ["DBInstanceNotFound", "DBInstanceNotFoundFault"];

impl ListEvents for Rds {
    async fn list_events(
        &self,
        instance: &str,
        (since, until): (Timestamp, Timestamp),
        after: Option<&str>,
    ) -> Result<InstanceEvents, Fault> {
        let what = format!("DescribeEvents {instance}");
        let moment = |at: Timestamp| DateTime::from_secs(at.as_second());
        // Whole seconds outwards: an event that is told twice is known again, one that is left out is lost.
        let asked =
            self.client().describe_events().source_identifier(instance).source_type(SourceType::DbInstance);
        let answer = asked
            .start_time(moment(since))
            .end_time(DateTime::from_secs(until.as_second().saturating_add(1)))
            .max_records(PAGE_EVENTS)
            .set_marker(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| match fault::code(&error) {
                Some(code) if MISSING.contains(&code) => refused(
                    "InstanceNotFound",
                    format!("RDS has no instance {instance} in this account and Region"),
                ),
                _ => fault::of(&what, Effect::Read, &error),
            })?;
        let unreadable = |why: &str| refused("ListingUnreadable", format!("{what}: {why}"));
        let next = said(answer.marker());
        if next.is_some() && next == after {
            return Err(unreadable("the page leads to itself"));
        }
        let events = answer.events().iter().filter(|event| {
            let other =
                said(event.source_identifier()).is_some_and(|name| !name.eq_ignore_ascii_case(instance));
            !other
        });
        let events = events.map(read).collect::<Option<_>>();
        let events = events.ok_or_else(|| unreadable("an event without time or message"))?;
        Ok(InstanceEvents { events, after: next.map(str::to_owned) })
    }
}

fn read(event: &Event) -> Option<InstanceEvent> {
    let at = event.date()?;
    Some(InstanceEvent {
        at: Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()?,
        categories: event.event_categories().to_vec(),
        message: said(event.message())?.to_owned(),
    })
}
