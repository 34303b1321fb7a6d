//! What people look at: tasks of one instance, open and ended.

use domain::reason::{Class, Reason};
use domain::task::{Task, done_partition, planned_at_of};
use jiff::{SignedDuration, Timestamp};
use ports::Fault;
use ports::store::{Range, ReadItems, decode, load_range};

use crate::scope;

/// Hours that one look goes back through at most, however few tasks ended in them.
const HOURS_MAX: u32 = 48;

/// Tasks that one page of a search reads, and pages: eight days of a hundred databases whose logs are copied hourly. A page of DynamoDB has
/// 1 MB at most: some ten milliseconds each, of the 29 seconds that API Gateway waits.
const SEARCH_PAGE: u32 = 1_000;
const SEARCH_PAGES_MAX: u32 = 20;

/// Tasks that ended, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedTasks {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Where a look at older ones begins. `None`: there is no time before.
    pub before: Option<Timestamp>,
}

/// The tasks of an instance that want something, by database.
///
/// # Errors
/// The store's own.
pub async fn open_tasks(store: &impl ReadItems, instance: &str) -> Result<Vec<Task>, Reason> {
    let tasks = scope::open_tasks(store, instance).await?;
    Ok(tasks.into_iter().map(|task| task.record).collect())
}

/// Tasks that ended before a moment: whole hours, newest first, until `limit` are found or two days are looked through. An hour is
/// read whole, and holds what two slots get done in it.
///
/// # Errors
/// The store's own.
pub async fn ended_tasks(
    store: &impl ReadItems,
    instance: &str,
    before: Timestamp,
    limit: u32,
) -> Result<EndedTasks, Reason> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let partition = done_partition(instance);
    let mut tasks: Vec<Task> = Vec::new();
    let mut until = before;
    for _ in 0..HOURS_MAX {
        let from = hour_before(until);
        if from >= until {
            return Ok(EndedTasks { tasks, before: None });
        }
        // Keys begin with the moment, to the millisecond; a key at `until` itself sorts behind its bare moment.
        let (first, last) = (format!("{from:.3}"), format!("{until:.3}"));
        let found = load_range::<Task>(store, &partition, (&first, &last)).await?;
        tasks.extend(found.into_iter().rev().map(|task| task.record));
        until = from;
        if tasks.len() >= limit {
            break;
        }
    }
    Ok(EndedTasks { tasks, before: Some(until) })
}

/// The beginning of the hour that ends at or holds a moment.
fn hour_before(until: Timestamp) -> Timestamp {
    let earlier = until.saturating_sub(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MIN);
    let second = earlier.as_second();
    Timestamp::from_second(second - second.rem_euclid(3_600)).unwrap_or(Timestamp::MIN)
}

/// One task by its key, wherever it is. An ended one is looked for from the moment its key tells on, through so many tasks that ended since.
///
/// # Errors
/// `TaskUnknown` (class `Human`): there is none. `TaskOutOfReach` (class `Human`): it is none of those that were looked through, and others
/// ended since. The store's own.
pub async fn one_task(store: &impl ReadItems, instance: &str, key: &str) -> Result<Task, Reason> {
    let Some(planned_at) = planned_at_of(key) else {
        return Err(unknown(instance, key, "which is no key of a task"));
    };
    let open = scope::open_tasks(store, instance).await?;
    if let Some(task) = open.into_iter().find(|task| task.record.key == key) {
        return Ok(task.record);
    }
    let mut range = Range {
        partition: done_partition(instance),
        from: format!("{planned_at:.3}"),
        to: scope::SORT_MAX.to_owned(),
        after: None,
        limit: SEARCH_PAGE,
    };
    for _ in 0..SEARCH_PAGES_MAX {
        let page = store.query(&range).await?;
        let found =
            page.items.iter().find(|item| item.key.sort.split_once('#').is_some_and(|(_, of)| of == key));
        if let Some(item) = found {
            return decode::<Task>(item).map(|task| task.record).map_err(Fault::into_reason);
        }
        range.after = page.after;
        if range.after.is_none() {
            let since = format!("which is not open and not among the tasks that ended since {planned_at}");
            return Err(unknown(instance, key, &since));
        }
    }
    let reached = range.after.as_deref().and_then(|last| last.split_once('#'));
    let until = reached.map_or("then", |(until, _)| until);
    let message = format!(
        "task {key} of {instance} is not open and not among the tasks that ended from {planned_at} to {until}"
    );
    Err(Reason::new(Class::Human, "TaskOutOfReach", message)
        .guidance("others ended since: look through those that ended, by when it may have"))
}

fn unknown(instance: &str, key: &str, why: &str) -> Reason {
    Reason::new(Class::Human, "TaskUnknown", format!("{instance} has no task {key}, {why}"))
        .guidance("compare the key with the list of tasks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_go_back_to_the_beginning_of_time_and_no_further() {
        for (until, from) in [
            ("2026-11-22T01:30:00Z", "2026-11-22T01:00:00Z"),
            ("2026-11-22T01:00:00Z", "2026-11-22T00:00:00Z"),
            ("2026-11-22T01:00:00.001Z", "2026-11-22T01:00:00Z"),
            ("1969-12-31T23:59:00Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(hour_before(until.parse().unwrap()), from.parse().unwrap(), "{until}");
        }
        assert_eq!(hour_before(Timestamp::MIN), Timestamp::MIN);
    }
}
