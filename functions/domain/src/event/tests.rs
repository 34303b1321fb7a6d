//! What is each event, to the letter, and when is there none?

use serde_json::{Value, json};

use super::*;
use crate::mailbox::Requested;
use crate::reason::Class;
use crate::schedule::DueItem;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-16T01:30:00.25Z")
}

fn reason() -> Reason {
    Reason::new(Class::Human, "DiskFull", "no space is left")
}

fn reason_told() -> Value {
    json!({ "name": "DiskFull", "class": "Human", "message": "no space is left" })
}

fn ended(outcome: Outcome, by: Option<&str>) -> Task {
    let asked = |by: &str| Requested { by: by.to_owned(), at: now() };
    let item = DueItem { kind: Kind::Full, moment: at("2026-11-16T01:00:00Z") };
    let mut task = Task::plan("sales", "orders", &item, at("2026-11-16T01:00:01Z"));
    task.on_demand = by.map(asked);
    task.cancel = by.map(asked);
    task.state = State::Done { outcome, at: now(), task_id: Some(7), request: None };
    task
}

fn told(event: &Event) -> Value {
    serde_json::to_value(event).unwrap()
}

/// The contract, field by field: what receivers were written against.
#[test]
fn each_end_of_a_task_is_told_as_what_it_is() {
    let key = "full-orders-20261116T010001.000Z";
    let task = json!({ "key": key, "kind": "full", "due_at": "2026-11-16T01:00:00Z", "task_id": 7 });
    let mut on_demand = task.clone();
    on_demand["requested_by"] = json!("ops");
    for (outcome, by, detail_type, expected) in [
        (
            Outcome::Succeeded,
            None,
            "Backup Finished",
            json!({ "event": "backup_finished", "id": format!("backup_finished#sales#{key}"), "task": task }),
        ),
        (
            Outcome::Failed(reason()),
            None,
            "Task Failed",
            json!({
                "event": "task_failed", "id": format!("task_failed#sales#{key}"), "task": task, "reason": reason_told()
            }),
        ),
        (
            Outcome::Cancelled,
            Some("ops"),
            "Task Cancelled",
            json!({
                "event": "task_cancelled", "id": format!("task_cancelled#sales#{key}"), "task": on_demand, "by": "ops"
            }),
        ),
        (
            Outcome::Cancelled,
            None,
            "Task Cancelled",
            json!({ "event": "task_cancelled", "id": format!("task_cancelled#sales#{key}"), "task": task }),
        ),
    ] {
        let mut expected = expected;
        expected["at"] = json!("2026-11-16T01:30:00.25Z");
        expected["instance"] = json!("sales");
        expected["database"] = json!("orders");
        let event = Event::of_end(&ended(outcome, by)).unwrap();
        assert_eq!((event.what.detail_type(), told(&event)), (detail_type, expected));
    }
    assert_eq!(Event::of_end(&ended(Outcome::Skipped(reason()), None)), None, "nothing was to be done");
    let open = Task { state: State::Planned, ..ended(Outcome::Succeeded, None) };
    assert_eq!(Event::of_end(&open), None, "it has not ended");
}

#[test]
fn chains_and_trouble_are_told_where_they_turn() {
    for (before, after, chain, trouble) in [
        (None, None, None, None),
        (None, Some(reason()), Some("window_hole_opened"), Some("instance_trouble_began")),
        (Some(reason()), None, Some("window_hole_closed"), Some("instance_trouble_ended")),
        (Some(reason()), Some(Reason::new(Class::Wait, "Other", "other")), None, None),
    ] {
        let head = Database { broken: after.clone(), ..Database::new("sales", "orders") };
        let event = Event::of_chain(before.as_ref(), &head, now());
        let expected = chain.map(|event| {
            json!({
                "event": event, "id": format!("{event}#sales#orders#2026-11-16T01:30:00.25Z"), "at": "2026-11-16T01:30:00.25Z",
                "instance": "sales", "database": "orders", "reason": reason_told()
            })
        });
        assert_eq!(event.as_ref().map(told), expected);

        let event = Event::of_trouble("sales", before.as_ref(), after.as_ref(), now());
        let expected = trouble.map(|event| {
            json!({
                "event": event, "id": format!("{event}#sales#2026-11-16T01:30:00.25Z"), "at": "2026-11-16T01:30:00.25Z",
                "instance": "sales", "reason": reason_told()
            })
        });
        assert_eq!(event.as_ref().map(told), expected);
    }
}

#[test]
fn what_discovery_finds_is_told_by_database() {
    for (what, detail_type, fields) in [
        (What::DatabaseEnrolled, "Database Enrolled", json!({ "event": "database_enrolled" })),
        (What::DatabaseGone, "Database Gone", json!({ "event": "database_gone" })),
        (
            What::DatabaseRenamed { from: "sales".to_owned() },
            "Database Renamed",
            json!({ "event": "database_renamed", "from": "sales" }),
        ),
        (
            What::EnrolmentFailed { reason: reason() },
            "Enrolment Failed",
            json!({ "event": "enrolment_failed", "reason": reason_told() }),
        ),
    ] {
        let event = Event::new("sales", Some("orders"), now(), what);
        let mut expected = fields;
        let name = expected["event"].as_str().unwrap().to_owned();
        expected["id"] = json!(format!("{name}#sales#orders#2026-11-16T01:30:00.25Z"));
        expected["at"] = json!("2026-11-16T01:30:00.25Z");
        expected["instance"] = json!("sales");
        expected["database"] = json!("orders");
        assert_eq!((event.what.detail_type(), told(&event)), (detail_type, expected));
    }
}

#[test]
fn what_is_stored_is_read_again_and_lies_in_the_outbox_until_it_is_left_over() {
    for event in [
        Event::of_end(&ended(Outcome::Failed(reason()), Some("ops"))).unwrap(),
        Event::new("sales", None, now(), What::InstanceTroubleBegan { reason: reason() }),
        Event::new("sales", Some("a"), now(), What::DatabaseGone),
    ] {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        assert_eq!(event.key(), ("outbox#sales".to_owned(), event.id.clone()));
        assert!(is_outbox(&event.key().0) && !is_outbox("instance#sales"));
        assert_eq!(event.due(), Some((OUTBOX_SHARD, at("2026-11-16T01:35:00.25Z"))));
    }
}

/// A server may say a book; ten events of the longest sentences fit one call of the bus with room to spare.
#[test]
fn sentences_are_cut_between_characters() {
    let book = "ß".repeat(100_000);
    let reason = Reason::new(Class::Human, "Book", book.clone()).guidance(book);
    let event = Event::of_end(&ended(Outcome::Failed(reason), None)).unwrap();
    let What::TaskFailed { reason, .. } = &event.what else { panic!("a failed task: {event:?}") };
    assert_eq!(reason.message.chars().count(), SENTENCE_MAX);
    assert_eq!(reason.guidance.chars().count(), SENTENCE_MAX);
    assert!(told(&event).to_string().len() * 10 < 256_000);
}
