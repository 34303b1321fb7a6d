//! What do events come to that arrive in any order, twice, late, or in part, and whatever is in them?
//!
//! The oracle keeps every event that ever arrived and asks the whole list anew; whose lease is freed it finds by comparing names letter by
//! letter. The events of a night are told in every order that chance makes of them.

use domain::lease::{Lease, run_name, run_of_name};
use domain::observed::{
    Marks, Observed, RdsDetail, RunEnded, StatusChange, categories, freed, of_execution, of_rds,
    unnamed_snapshot,
};
use domain::reason::{Class, Reason};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{config, minute};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Began,
    Ended,
    FailedOver,
    Changed,
    Nothing,
}

fn observed((kind, at): (Kind, i64)) -> Observed {
    let (instance, at) = ("sales".to_owned(), minute(at));
    match kind {
        Kind::Began => Observed::BaseStale { instance, at, ended: false },
        Kind::Ended => Observed::BaseStale { instance, at, ended: true },
        Kind::FailedOver => Observed::FailedOver { instance, at },
        Kind::Changed => Observed::Changed { instance, at },
        Kind::Nothing => Observed::Ignored(Reason::new(Class::Never, "Nothing", "")),
    }
}

fn events() -> impl Strategy<Value = Vec<(Kind, i64)>> {
    let kinds = [Kind::Began, Kind::Ended, Kind::FailedOver, Kind::Changed, Kind::Nothing];
    prop::collection::vec((prop::sample::select(kinds.to_vec()), 0_i64..60), 0..12)
}

/// The same events in another order, some of them again.
fn told_again(events: &[(Kind, i64)], order: &[prop::sample::Index]) -> Vec<(Kind, i64)> {
    let mut told = events.to_vec();
    for index in order {
        if !told.is_empty() {
            let at = index.index(told.len());
            let event = told.remove(at);
            told.push(event);
            told.insert(index.index(told.len()), event);
        }
    }
    told
}

proptest! {
    #![proptest_config(config(0x0B5E_0001, 2_000))]

    #[test]
    fn order_and_repetition_of_events_do_not_matter(
        events in events(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        looks in prop::collection::vec(-30_i64..4_000, 0..12),
    ) {
        let fold = |events: &[(Kind, i64)]| {
            let mut marks = Marks::none("sales");
            let news = events.iter().filter(|event| marks.fold(&observed(**event))).count();
            (marks, news)
        };
        let (marks, news) = fold(&events);
        let (again, _) = fold(&told_again(&events, &order));
        prop_assert_eq!(&marks, &again);
        let (twice, more) = fold(&[events.clone(), events.clone()].concat());
        prop_assert_eq!((&marks, news), (&twice, more), "nothing is news twice");
        // A look is outdated by any backup that was told of, and that it did not see begin and end a minute before.
        for second in looks {
            let seen = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
            let is_backup = |kind: Kind| matches!(kind, Kind::Began | Kind::Ended);
            let expected = events.iter().any(|(kind, at)| is_backup(*kind) && second < at * 60 + 60);
            prop_assert_eq!(marks.outdate(seen), expected, "a look at second {}", second);
        }
    }

    #[test]
    fn a_lease_is_freed_by_the_end_of_its_own_run_and_by_no_other(
        groups in prop::collection::vec("[a-z][a-z0-9-]{0,6}", 1..4),
        holder in (any::<prop::sample::Index>(), 0_u64..130),
        over in (any::<prop::sample::Index>(), 0_u64..130),
        machine in prop::sample::select(vec!["instance", "discovery"]),
        is_held in any::<bool>(),
    ) {
        let run = |(group, generation): (prop::sample::Index, u64)| run_name(group.get::<String>(&groups), generation);
        let (holds, ended) = (run(holder), run(over));
        let lease = Lease {
            group: holder.0.get::<String>(&groups).clone(),
            generation: holder.1,
            holder: is_held.then(|| holds.clone()),
            expires_at: minute(15),
            offered: holder.1 + 3,
        };
        let detail = json!({"stateMachineArn": machine, "name": ended, "status": "TIMED_OUT"});
        let change: StatusChange = serde_json::from_value(detail).expect("a change of status");
        let free = match of_execution(&change, "instance") {
            Observed::RunEnded(RunEnded { run, instance, .. }) => {
                prop_assert_eq!((&run, &instance), (&ended, over.0.get::<String>(&groups)));
                freed(lease.clone(), &run, minute(1))
            }
            _ => None,
        };
        let own = is_held && machine == "instance" && holds.bytes().eq(ended.bytes());
        prop_assert_eq!(free.is_some(), own, "{} ended, {} holds", ended, holds);
        if let Some(free) = free {
            prop_assert!(!free.is_alive(minute(1)));
            // No name that was given out is given out again.
            prop_assert_eq!((free.generation, free.offered), (lease.generation, lease.offered));
        }
    }

    #[test]
    fn the_name_of_a_run_is_read_as_it_is_written(group in "\\PC{0,12}", generation in any::<u64>(), any in "\\PC{0,20}") {
        let name = run_name(&group, generation);
        prop_assert_eq!(run_of_name(&name), (!group.is_empty()).then_some((group.as_str(), generation)));
        if let Some((group, generation)) = run_of_name(&any) {
            prop_assert_eq!(run_name(group, generation), any);
        }
    }

    #[test]
    fn hostile_details_end_in_a_reason_or_name_an_instance(
        field in prop::sample::select(vec!["EventID", "EventCategories", "SourceType", "SourceIdentifier"]),
        value in prop_oneof![
            "\\PC{0,80}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            prop::collection::vec("\\PC{0,200}", 0..4).prop_map(Value::from),
            Just(Value::Null),
        ],
        source_type in prop::sample::select(vec!["DB_INSTANCE", "SNAPSHOT"]),
        owner in prop::option::of(prop_oneof![Just("sales".to_owned()), "\\PC{0,80}"]),
    ) {
        let mut detail = json!({
            "EventID": "RDS-EVENT-0002", "EventCategories": ["backup"], "SourceType": source_type,
            "SourceIdentifier": "rds:sales-2026-11-16-03-12"
        });
        detail[field] = value;
        let Ok(detail) = serde_json::from_value::<RdsDetail>(detail) else { return Ok(()) };
        if let Some(name) = unnamed_snapshot(&detail) {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b':';
            prop_assert!((1..=255).contains(&name.len()) && name.bytes().all(is_plain), "{}", name);
        }
        let (observed, note) = of_rds(&detail, minute(0), owner.as_deref());
        match observed {
            Observed::BaseStale { instance, .. } | Observed::FailedOver { instance, .. } | Observed::Changed { instance, .. } => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                prop_assert!((1..=63).contains(&instance.len()) && instance.bytes().all(is_plain), "{}", instance);
            }
            Observed::Ignored(reason) => prop_assert!(reason.message.chars().count() < 1_500, "{}", reason),
            Observed::RunEnded(ended) => prop_assert!(false, "{:?}", ended),
        }
        prop_assert!(note.is_none_or(|note| note.message.chars().count() < 1_500));
    }
}

#[test]
fn an_event_without_a_known_number_means_something_in_each_category_that_is_passed_on() {
    let names = categories();
    assert!(names.len() >= 8 && names.is_sorted());
    for category in names {
        let detail = RdsDetail {
            event_id: None,
            event_categories: vec![category.to_owned()],
            source_type: "DB_INSTANCE".to_owned(),
            source_identifier: "sales".to_owned(),
        };
        let (observed, note) = of_rds(&detail, minute(0), None);
        assert!(observed.is_over(), "{category}: {observed:?}");
        assert_eq!(note.map(|note| note.name.to_string()).as_deref(), Some("ByCategory"));
    }
}
