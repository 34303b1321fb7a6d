//! What happened to an instance, in memory: what the world remembers as RDS does, without the ids that only EventBridge brings.

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::{InstanceEvent, InstanceEvents, ListEvents};
use world::RdsEvent;

use super::cloud::Cloud;
use crate::kernel::Kind;

/// Events of one page. RDS API reference, `DescribeEvents`: 100, read 2026-11.
const PAGE_EVENTS_MAX: usize = 100;

/// The category of an event. RDS user guide, "Amazon RDS event categories and event messages"
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html>), read 2026-11. Those of which we have no
/// source have none here.
pub(crate) fn category(id: &str) -> Option<&'static str> {
    Some(match id.strip_prefix("RDS-EVENT-")? {
        "0001" | "0002" => "backup",
        "0004" | "0006" => "availability",
        "0005" => "creation",
        "0007" | "0089" => "low storage",
        "0012" | "0014" | "0017" | "0018" | "0024" | "0025" | "0029" | "0030" => "configuration change",
        "0013" | "0015" | "0049" => "failover",
        _ => return None,
    })
}

fn told(event: &RdsEvent) -> InstanceEvent {
    let categories = category(event.id).map(str::to_owned).into_iter().collect();
    InstanceEvent { at: event.at, categories, message: event.message.clone() }
}

impl ListEvents for Cloud {
    async fn list_events(
        &self,
        instance: &str,
        between: (Timestamp, Timestamp),
        after: Option<&str>,
    ) -> Result<InstanceEvents, Fault> {
        let refused = |name, message| Err(Fault::Refused(Reason::new(Class::Human, name, message)));
        let Ok(skipped) = after.map_or(Ok(0), str::parse::<usize>) else {
            return refused("ServiceRefused", format!("DescribeEvents {instance}: {after:?} is no marker"));
        };
        self.change("rds.describe_events", Kind::Read, |world| {
            let Some(events) = world.describe_events(instance, between) else {
                let message = format!("RDS has no instance {instance} in this account and Region");
                return refused("InstanceNotFound", message);
            };
            let mut events = events.skip(skipped);
            let page: Vec<_> = events.by_ref().take(PAGE_EVENTS_MAX).map(told).collect();
            let after = events.next().map(|_| (skipped + page.len()).to_string());
            Ok(InstanceEvents { events: page, after })
        })
        .await
    }
}
