//! Is what is told of a chain and of trouble a story that can be read without anything else? Histories of heads and instances, whatever
//! breaks and heals, however often; and whatever a server says in between.
//!
//! The oracle reads the history as a receiver would: from the events alone, in the order of `at`, it works out what was broken when.

use std::collections::BTreeSet;

use domain::event::{Event, SENTENCE_MAX};
use domain::inventory::Database;
use domain::reason::{Class, Reason};
use domain::record::Record;
use domain::schedule::DueItem;
use domain::task::{Kind, Outcome, State, Task};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

use crate::{config, minute};

/// What was broken, moment by moment.
type History = Vec<Option<u8>>;

fn reason(name: u8) -> Reason {
    Reason::new(Class::Human, "ChainBroken", format!("break {name}"))
}

/// What a receiver takes to be broken after all of these, one event after the other.
fn read(events: &[Value], on: &str, off: &str) -> Result<bool, String> {
    let mut is_on = false;
    for event in events {
        let turns = match event["event"].as_str() {
            Some(word) if word == on => true,
            Some(word) if word == off => false,
            other => return Err(format!("{other:?}")),
        };
        if turns == is_on {
            return Err(format!("{event} says nothing new"));
        }
        is_on = turns;
    }
    Ok(is_on)
}

fn stored(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

proptest! {
    #![proptest_config(config(0x701d, 300))]

    #[test]
    fn a_receiver_knows_at_every_moment_what_is_broken(
        history in prop::collection::vec(prop::option::weighted(0.5, 0_u8..3), 1..40)
    ) {
        let history: History = history;
        let mut head = Database::new("sales", "orders");
        let (mut chain, mut trouble, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (n, broken) in history.iter().enumerate() {
            let at = minute(i64::try_from(n).unwrap());
            let before = head.broken.take();
            head.broken = broken.map(reason);
            let of_chain = Event::of_chain(before.as_ref(), &head, at);
            let of_trouble = Event::of_trouble("sales", before.as_ref(), head.broken.as_ref(), at);
            prop_assert_eq!(of_chain.is_some(), before.is_some() != head.broken.is_some());
            for event in of_chain.iter().chain(&of_trouble) {
                prop_assert!(ids.insert(event.key()), "{} is told twice", event.id);
            }
            chain.extend(of_chain.as_ref().map(stored));
            trouble.extend(of_trouble.as_ref().map(stored));
            let opened = read(&chain, "window_hole_opened", "window_hole_closed");
            prop_assert_eq!(opened, Ok(head.broken.is_some()));
            let began = read(&trouble, "instance_trouble_began", "instance_trouble_ended");
            prop_assert_eq!(began, Ok(head.broken.is_some()));
        }
    }

    #[test]
    fn whatever_a_server_says_an_event_is_one_bounded_object_that_is_read_as_it_was_written(
        message in ".{0,3000}", guidance in ".{0,3000}", name in "\\PC{1,128}", by in prop::option::of("\\PC{1,64}"),
        end in 0_u8..4, at in 0_i64..500_000,
    ) {
        let at = minute(at);
        let item = DueItem { kind: Kind::LogCopy, moment: at };
        let mut task = Task::plan("sales", &name, &item, at);
        task.cancel = by.map(|by| domain::mailbox::Requested { by, at });
        let reason = Reason::new(Class::Human, "Said", message.clone()).guidance(guidance);
        let outcome = match end {
            0 => Outcome::Succeeded,
            1 => Outcome::Failed(reason),
            2 => Outcome::Skipped(reason),
            _ => Outcome::Cancelled,
        };
        let skipped = matches!(outcome, Outcome::Skipped(_));
        task.state = State::Done { outcome, at, task_id: None, request: None };
        let Some(event) = Event::of_end(&task) else {
            prop_assert!(skipped);
            return Ok(());
        };
        prop_assert_eq!(Event::of_end(&task), Some(event.clone()), "the same end is the same event");
        let text = serde_json::to_string(&event).unwrap();
        prop_assert!(text.len() < 25_000, "ten of these fit into a call: {}", text.len());
        prop_assert_eq!(&serde_json::from_str::<Event>(&text).unwrap(), &event);
        let told = stored(&event);
        prop_assert_eq!(told["task"]["key"].as_str(), Some(task.key.as_str()));
        if let Some(said) = told["reason"]["message"].as_str() {
            let whole: String = message.chars().take(SENTENCE_MAX).collect();
            prop_assert_eq!(said, whole);
        }
        prop_assert_eq!(told["at"].as_str().unwrap().parse::<Timestamp>().unwrap(), at);
    }
}
