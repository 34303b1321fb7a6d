//! What everybody who puts events on a bus or starts executions must do.
//!
//! Included by path from the tests of each implementation. The contract is the documentation of `ports::events` and `ports::executions`.

use jiff::Timestamp;
use ports::Fault;
use ports::events::{EVENTS_MAX, Event, PublishEvents, Put};
use ports::executions::{Machine, StartExecution, Started};

/// An event of this number.
pub(crate) fn event(number: usize) -> Event {
    Event {
        detail_type: "Backup Finished",
        at: Timestamp::UNIX_EPOCH,
        resources: Vec::new(),
        detail: format!("{{\"id\":\"{number}\"}}"),
    }
}

/// Each call of as many as one takes tells what became of each of them, and of no others.
pub(crate) async fn one_event_to_ten_are_taken_and_no_other_number(bus: &impl PublishEvents) {
    for count in 1..=EVENTS_MAX {
        let events: Vec<_> = (0..count).map(event).collect();
        assert_eq!(bus.publish(&events).await, Ok(vec![Put::Taken; count]), "{count}");
    }
    for count in [0, EVENTS_MAX + 1] {
        let events: Vec<_> = (0..count).map(event).collect();
        let Err(Fault::Refused(reason)) = bus.publish(&events).await else { unreachable!("{count} events") };
        assert_eq!(reason.name, "EventsMalformed", "{count}");
    }
}

/// A name is taken by its first start. The same name and input again is the execution that runs, which either word says.
pub(crate) async fn a_name_begins_one_execution(states: &impl StartExecution) {
    let start = async |name: &str, input: &str| states.start_execution(Machine::Instance, name, input).await;
    assert_eq!(start("sql-000-1", r#"{"schema":1}"#).await, Ok(Started::Begun));
    let again = start("sql-000-1", r#"{"schema":1}"#).await;
    assert!(matches!(again, Ok(Started::Begun | Started::Already)), "{again:?}");
    assert_eq!(start("sql-000-1", r#"{"schema":2}"#).await, Ok(Started::Already));
    assert_eq!(start("sql-000-2", r#"{"schema":1}"#).await, Ok(Started::Begun));
    let no_json = start("sql-000-3", "no JSON").await;
    assert!(matches!(no_json, Err(Fault::Refused(_))), "{no_json:?}");
}
