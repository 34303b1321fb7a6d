//! Is a missed promise told at the next look, whatever backups end meanwhile, though nobody writes down that they do?
//!
//! The oracle goes through all databases at every look and subtracts. The watch is looked at only when its own moment has passed, as
//! an index finds it. Minutes are numbers here; the calendar of the oracle is one full a day at one o'clock.

use std::collections::BTreeMap;

use domain::exposure::Watch;
use domain::facts::RecoveryModel;
use domain::id::BackupId;
use domain::inventory::{Database, LastFull, LogTail};
use domain::lsn::Lsn;
use domain::policy::{LogCopySchedule, Objectives, Policy, RpoMinutes, Schedule, Times};
use domain::record::Record;
use jiff::civil::Time;
use proptest::prelude::*;

use crate::{config, minute};

/// Minutes between two looks of the fleet.
const LOOK: i64 = 5;
const DAY: i64 = 24 * 60;

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A full of a database ends.
    Full(usize),
    /// Its logs up to five minutes ago are copied, if it has a full and logs.
    Copy(usize),
    /// It comes, or comes back.
    Comes(usize),
    /// It goes.
    Goes(usize),
    /// Minutes pass.
    Pass(i64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => (0_usize..4).prop_map(Event::Full),
        5 => (0_usize..4).prop_map(Event::Copy),
        3 => (0_usize..4).prop_map(Event::Comes),
        1 => (0_usize..4).prop_map(Event::Goes),
        6 => (1_i64..300).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..80)
}

/// What the oracle knows of a database: when it came, since when one of its name may have been seen without a full (it went and came back
/// between two looks), and its newest moment in the vault.
#[derive(Debug, Clone, Copy)]
struct Known {
    came: i64,
    may_be_seen_since: i64,
    newest: Option<i64>,
}

fn policy(rpo: u32) -> Policy {
    let rpo_minutes = RpoMinutes { damage: 10, instance: rpo };
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let schedule = Schedule {
        time_zone: "Etc/UTC".to_owned(),
        full: Times::weekly(&days, Time::constant(1, 0, 0, 0)),
        differential: None,
        log_copy: LogCopySchedule { every_minutes: 60 },
        guards: Vec::new(),
    };
    Policy::new("p", Objectives { window_days: 7, rpo_minutes, rto_minutes: None }, schedule)
}

/// The third database is in simple recovery.
fn is_simple(database: usize) -> bool {
    database == 2
}

fn head(database: usize, full: Option<i64>, tail: Option<i64>) -> Database {
    let mut head = Database::new("sales", &database.to_string());
    head.recovery_model = Some(if is_simple(database) { RecoveryModel::Simple } else { RecoveryModel::Full });
    head.last_full = full.map(|at| LastFull {
        id: BackupId::new("1"),
        started_at: minute(at - 1),
        finished_at: minute(at),
        last_lsn: Lsn::ZERO,
        size_bytes: 1,
    });
    head.log_tail = tail.map(|at| LogTail { seq: 1, last_lsn: Lsn::ZERO, made_at: minute(at), fork: None });
    head
}

/// Minutes by which the worst promise is missed at least and at most: a database without a full is first seen some time after it came.
fn oracle(known: &BTreeMap<usize, Known>, rpo: i64, now: i64) -> (i64, i64) {
    let each = known.iter().map(|(database, known)| match known.newest {
        None => (now - known.came - seen_within(rpo) - rpo, now - known.may_be_seen_since - rpo),
        Some(newest) if is_simple(*database) => {
            let asked = (newest + 1..=newest + DAY).find(|at| at.rem_euclid(DAY) == 60).expect("one a day");
            (now - asked - rpo, now - asked - rpo)
        }
        Some(newest) => (now - newest - rpo, now - newest - rpo),
    });
    each.fold((0, 0), |(least, most), (low, high)| (least.max(low), most.max(high)))
}

/// Minutes after which a database that came has been seen.
fn seen_within(rpo: i64) -> i64 {
    rpo.min(60) + LOOK
}

fn told(events: &[Event], rpo: u32) -> Result<(), TestCaseError> {
    let policy = policy(rpo);
    let (mut now, mut known, mut heads) = (10 * DAY, BTreeMap::<usize, Known>::new(), BTreeMap::new());
    let mut went = BTreeMap::new();
    let mut watch = Watch::new("sales", minute(now));
    for event in events {
        match *event {
            Event::Comes(database) => {
                known.entry(database).or_insert_with(|| {
                    let before =
                        went.get(&database).filter(|(at, _)| now - at <= seen_within(i64::from(rpo)));
                    let may_be_seen_since = before.map_or(now, |(_, since)| *since);
                    Known { came: now, may_be_seen_since, newest: None }
                });
                heads.entry(database).or_insert_with(|| head(database, None, None)).gone_at = None;
            }
            Event::Goes(database) => {
                if let Some(known) = known.remove(&database) {
                    went.insert(database, (now, known.may_be_seen_since));
                }
                heads.remove(&database);
            }
            Event::Full(database) => {
                if let Some(known) = known.get_mut(&database) {
                    known.newest = Some(now);
                    heads.insert(database, head(database, Some(now), None));
                }
            }
            Event::Copy(database) => {
                if let (Some(known), Some(head)) = (known.get_mut(&database), heads.get_mut(&database))
                    && let (Some(newest), false) = (known.newest, is_simple(database))
                    && newest < now - 5
                {
                    known.newest = Some(now - 5);
                    let log = LogTail { seq: 1, last_lsn: Lsn::ZERO, made_at: minute(now - 5), fork: None };
                    head.log_tail = Some(log);
                }
            }
            Event::Pass(minutes) => {
                let until = now + minutes;
                while now < until {
                    now += 1;
                    if now % LOOK != 0 {
                        continue;
                    }
                    let (_, look_at) = watch.due().expect("a watch is always in the index");
                    if look_at <= minute(now) {
                        watch = watch
                            .looked(&policy, heads.values(), minute(now))
                            .expect("a policy that is right");
                    }
                    let told = watch.due().filter(|(_, look_at)| *look_at <= minute(now));
                    let told = told.and_then(|_| watch.overdue(minute(now))).map_or(0, |late| late.as_mins());
                    let (least, most) = oracle(&known, i64::from(rpo), now);
                    prop_assert!(
                        (least..=most).contains(&told),
                        "at {now} {told} minutes are told, {least} to {most} it is: {known:?} {watch:?}"
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(0x0E_C0_5E_D0, 400))]

    #[test]
    fn a_missed_promise_is_told_at_the_next_look(events in events(), rpo in prop_oneof![5_u32..90, 90_u32..700]) {
        told(&events, rpo)?;
    }
}
