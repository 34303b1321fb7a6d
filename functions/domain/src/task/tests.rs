//! Transitions, keys and what is remembered of a task.

use super::*;

fn request(database: &str) -> Request {
    Request::Copy(CopyLogs { database: database.to_owned(), kms_key_arn: None, first_seq: 1, last_seq: 2 })
}

fn states() -> [State; 5] {
    let at = Timestamp::UNIX_EPOCH;
    [
        State::Planned,
        State::Admitted { request: request("a"), at },
        State::Intended { request: request("a"), at, above: 7 },
        State::Submitted { request: request("a"), task_id: 8, at, heard: None },
        State::Done { outcome: Outcome::Succeeded, at, task_id: Some(8), request: None },
    ]
}

#[test]
fn transitions_are_exactly_these() {
    // Row: from. Column: to. P A I S D
    let legal = ["PA..D", "PAI.D", "P..SD", "P...D", "....."];
    for (from, row) in states().iter().zip(legal) {
        for (to, letter) in states().iter().zip(row.chars()) {
            assert_eq!(is_legal(from, to), letter != '.', "{} to {}", name(from), name(to));
        }
    }
}

#[test]
fn a_key_tells_when_its_task_was_planned() {
    let planned_at: Timestamp = "2026-11-22T01:00:03.250Z".parse().unwrap();
    let item = DueItem { kind: Kind::LogCopy, moment: planned_at };
    let key = Task::plan("sales", "a-b 20261122T010003.250Z", &item, planned_at).key;
    assert_eq!(planned_at_of(&key), Some(planned_at), "{key}");
    for other in ["", "full", "full-orders-", "full-orders-2026", "full-orders-20261322T010003.250Z"] {
        assert_eq!(planned_at_of(other), None, "{other}");
    }
}

#[test]
fn what_was_admitted_is_what_is_asked() {
    let [_, admitted, ..] = states();
    let other = State::Intended { request: request("b"), at: Timestamp::UNIX_EPOCH, above: 0 };
    assert!(!is_legal(&admitted, &other));
}

#[test]
fn lifecycles_are_read_as_the_service_spells_them() {
    for (text, expected) in [
        ("CREATED", Some(Lifecycle::Created)),
        ("IN_PROGRESS", Some(Lifecycle::InProgress)),
        (" SUCCESS ", Some(Lifecycle::Success)),
        ("CANCEL_REQUESTED", Some(Lifecycle::CancelRequested)),
        ("success", None),
        ("", None),
    ] {
        assert_eq!(Lifecycle::parse(text), expected, "{text:?}");
    }
}

#[test]
fn a_done_task_moves_out_of_the_open_partition() {
    assert!(
        is_task(&open_partition("sales")) && is_task(&done_partition("sales")) && !is_task("instance#sales")
    );
    let [.., done] = states();
    let item = DueItem { kind: Kind::LogCopy, moment: Timestamp::UNIX_EPOCH };
    let mut task = Task::plan("sales", "a", &item, Timestamp::UNIX_EPOCH);
    assert_eq!(Record::key(&task), ("open#sales".to_owned(), "a#log_copy".to_owned()));
    assert_eq!(task.folder_name(), "log_copy-a-19700101T000000.000Z-1");
    task.advance(done).unwrap();
    assert_eq!(Record::key(&task).0, "done#sales");
    for n in 0..20 {
        task.note(Reason::new(Class::Wait, "Busy", n.to_string()));
    }
    assert_eq!(task.notes.len(), NOTES_MAX);
    assert_eq!(task.notes.last().unwrap().message, "19");
}
