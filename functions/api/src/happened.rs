//! What happened to an instance, as RDS remembers it: read beside a task that failed or a run in trouble, it often says why.

use jiff::{SignedDuration, Timestamp};
use ports::cloud::{EVENTS_DAYS, ListEvents};
use ports::executions::StartExecution;
use ports::store::{ReadItems, WriteItems};
use ports::{Clock, Fault};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::{cursor, go_on, unknown};
use crate::problem::Refused;
use crate::read::{instance, json, moment};
use crate::shapes::{EventShape, Listing};

/// How far back a request looks that does not say.
const BACK: SignedDuration = SignedDuration::from_hours(24);

type Between = (Timestamp, Timestamp);

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn list_events(&self, request: &Request, on: &str) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        let place = format!("happened#{on}");
        // A page's place is one of the times that its first page was asked for: later ones must not ask for others.
        let (between, marker) = match go_on(request, &place)? {
            Some(after) => place_of(&after)?,
            None => (between(request, self.clock.now())?, None),
        };
        let found =
            self.cloud.list_events(on, between, marker.as_deref()).await.map_err(|fault| match fault {
                // A marker is RDS's own: that it is refused is seen when RDS is asked.
                Fault::Refused(reason) if marker.is_some() && reason.name == "ServiceRefused" => unknown(),
                fault => fault.into(),
            })?;
        let next = found.after.map(|marker| cursor(&place, format!("{} {} {marker}", between.0, between.1)));
        json(200, &Listing { items: found.events.into_iter().map(EventShape::from).collect(), next })
    }
}

/// From when to when a request asks.
fn between(request: &Request, now: Timestamp) -> Result<Between, Refused> {
    let until = moment(request, "until")?.unwrap_or(now);
    let since = match moment(request, "since")? {
        Some(since) => since,
        None => until.saturating_sub(BACK).unwrap_or(Timestamp::MIN),
    };
    if since > until {
        return Err(Refused::query(format!("since: {since} is after {until}, where the list ends")));
    }
    if now.duration_since(since) > SignedDuration::from_hours(24 * i64::from(EVENTS_DAYS)) {
        return Err(Refused::query(format!(
            "since: RDS remembers {EVENTS_DAYS} days, {since} is longer ago"
        )));
    }
    Ok((since, until))
}

/// What a cursor says.
fn place_of(after: &str) -> Result<(Between, Option<String>), Refused> {
    let mut parts = after.splitn(3, ' ');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let place = (|| Some(((next()?.parse().ok()?, next()?.parse().ok()?), Some(next()?.to_owned()))))();
    place.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_order_and_an_end() {
        let now: Timestamp = "2026-11-16T12:00:00Z".parse().unwrap();
        let asked = |query: &[(&str, &str)]| {
            let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            between(&Request { query, ..Request::new("GET", "/") }, now)
                .map(|(since, until)| format!("{since}..{until}"))
                .map_err(|refused| refused.reason.message)
        };
        let hours = |since: &str, until: &str| Ok(format!("2026-11-{since}:00:00Z..2026-11-{until}:00:00Z"));
        assert_eq!(asked(&[]), hours("15T12", "16T12"));
        assert_eq!(asked(&[("until", "2026-11-10T12:00:00Z")]), hours("09T12", "10T12"));
        assert_eq!(asked(&[("since", "2026-11-02T12:00:00Z")]), hours("02T12", "16T12"));
        for (query, why) in [
            (&[("since", "2026-11-02T11:59:59Z")][..], "14 days"),
            (&[("since", "2026-11-17T00:00:00Z")], "is after"),
            (&[("until", "-009999-01-02T01:59:59Z")], "14 days"),
            (&[("until", "yesterday")], "until: \"yesterday\" is no moment"),
        ] {
            let refused = asked(query).unwrap_err();
            assert!(refused.contains(why), "{query:?}: {refused}");
        }
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let marker = Some("a marker of two words".to_owned());
        let (since, until) = ("2026-11-15T12:00:00Z", "2026-11-16T12:00:00Z");
        let read = place_of(&format!("{since} {until} a marker of two words"));
        assert_eq!(read, Ok(((since.parse().unwrap(), until.parse().unwrap()), marker)));
        for made_up in ["", " ", since, "x y z", &format!("{since} {until}"), &format!("{since} {until} ")] {
            assert_eq!(place_of(made_up).unwrap_err().status, 400, "{made_up}");
        }
    }
}
