//! Tasks: those that are open, those that ended, one of them.

use domain::task::{Task, done_partition, open_partition};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::store::{Range, ReadItems, Versioned, WriteItems, decode, load_range};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::EVERYTHING;
use crate::problem::Refused;
use crate::read::{instance, json};
use crate::shapes::TaskShape;

/// How far back tasks that ended are listed unless the request says otherwise.
const SINCE_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// Pages of 1,000 tasks that are read to find one that ended: what an instance ends in weeks.
const PAGES_MAX: u32 = 8;

impl<S: ReadItems + WriteItems, C: Clock> Api<S, C> {
    pub(crate) async fn list_tasks(&self, request: &Request, on: &str) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        match request.parameter("state") {
            None | Some("open") => {
                if request.parameter("since").is_some() {
                    return Err(Refused::new(400, "QueryMalformed", "query: since is for tasks that ended"));
                }
                self.list(request, (open_partition(on), EVERYTHING), TaskShape::new).await
            }
            Some("ended") => {
                let since = self.since(request)?;
                self.list(request, (done_partition(on), (&since, EVERYTHING.1)), TaskShape::new).await
            }
            Some(other) => {
                let message = format!("query: state: {other:?} is neither open nor ended");
                Err(Refused::new(400, "QueryMalformed", message))
            }
        }
    }

    /// Where tasks that ended begin. A page that goes on names the same moment, or its cursor is one of another list: so what is not
    /// said is rounded to the day, and stays the same while somebody turns pages.
    fn since(&self, request: &Request) -> Result<String, Refused> {
        let since = match request.parameter("since") {
            Some(text) => text.parse::<Timestamp>().map_err(|_| {
                Refused::new(400, "QueryMalformed", format!("query: since: {text:?} is no moment such as 2026-11-16T14:07:00Z"))
            })?,
            None => {
                let day = self.clock.now().saturating_sub(SINCE_DEFAULT).unwrap_or(Timestamp::MIN);
                let seconds = day.as_second().div_euclid(86_400).saturating_mul(86_400);
                Timestamp::from_second(seconds).unwrap_or(Timestamp::MIN)
            }
        };
        Ok(format!("{since:.3}"))
    }

    pub(crate) async fn get_task(&self, on: &str, key: &str) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        match self.task(on, key).await? {
            Some(task) => json(200, &TaskShape::new(task)),
            None => Err(Refused::new(404, "NotFound", format!("there is no task {key:?} on {on:?}"))
                .guidance("of tasks that ended those of some weeks are found, from the moment in their key on")),
        }
    }

    /// A task by its key: an open one, or one that ended behind the moment that its key names.
    async fn task(&self, on: &str, key: &str) -> Result<Option<Task>, Refused> {
        let open: Vec<Versioned<Task>> = load_range(&self.store, &open_partition(on), EVERYTHING).await?;
        if let Some(task) = open.into_iter().map(|task| task.record).find(|task| task.key == key) {
            return Ok(Some(task));
        }
        let Some(planned_at) = planned_at(key) else { return Ok(None) };
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let range = Range {
                partition: done_partition(on),
                from: format!("{planned_at:.3}"),
                to: EVERYTHING.1.to_owned(),
                after: after.take(),
                limit: 1_000,
            };
            let page = self.store.query(&range).await?;
            if let Some(item) = page.items.iter().find(|item| item.key.sort.ends_with(&format!("#{key}"))) {
                return Ok(Some(decode(item)?.record));
            }
            match page.after {
                Some(last) => after = Some(last),
                None => break,
            }
        }
        Ok(None)
    }
}

/// The moment in a task's key: `full-orders-20261122T010003.250Z`.
fn planned_at(key: &str) -> Option<Timestamp> {
    let (_, moment) = key.rsplit_once('-')?;
    let (date, time) = moment.split_once('T')?;
    let digits = |text: &str, length: usize| {
        text.len() >= length && text.as_bytes()[..length].iter().all(u8::is_ascii_digit)
    };
    if date.len() != 8 || !digits(date, 8) || !digits(time, 6) {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, rest) = (&time[..2], &time[2..4], &time[4..]);
    format!("{year}-{month}-{day}T{hour}:{minute}:{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_when_its_task_was_planned() {
        for (key, moment) in [
            ("full-orders-20261122T010003.250Z", Some("2026-11-22T01:00:03.25Z")),
            ("log_copy-a-b-20261122T010003Z", Some("2026-11-22T01:00:03Z")),
            ("full-orders", None),
            ("full-orders-20261322T010003Z", None),
            ("full-orders-2026ß122T010003Z", None),
            ("full-orders-20261122Tß10003Z", None),
            ("-T", None),
            ("", None),
        ] {
            let moment = moment.map(|moment| moment.parse::<Timestamp>().unwrap());
            assert_eq!(planned_at(key), moment, "{key}");
        }
    }
}
