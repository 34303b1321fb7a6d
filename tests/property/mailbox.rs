//! Does the schedule go on as it should behind whatever ends people wish upon its tasks? Weeks of one database, whose fulls succeed, fail or
//! are cancelled, of the schedule and on demand, in any order.
//!
//! The oracle keeps the whole history and reads it anew at each moment; it finds Sundays by walking back hour by hour.

use domain::facts::RecoveryModel;
use domain::id::BackupId;
use domain::inventory::{Database, LastFull};
use domain::lsn::Lsn;
use domain::mailbox::{Asked, Asking, Requested, ask};
use domain::policy::{LogCopySchedule, Objectives, Policy, RpoMinutes, Schedule, Times};
use domain::reason::{Class, Reason};
use domain::schedule::{DueItem, due};
use domain::task::{Kind, Outcome, Task};
use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::{config, minute};

/// Minutes of the log grid.
const GRID: i64 = 120;
const DAY: i64 = 24 * 60;

/// Fulls on Sunday at one, logs every two hours.
fn policy() -> Policy {
    let rpo_minutes = RpoMinutes { damage: 10, instance: 300 };
    let objectives = Objectives { window_days: 7, rpo_minutes, rto_minutes: None };
    let schedule = Schedule {
        time_zone: "Etc/UTC".to_owned(),
        full: Times::weekly(&["sun"], Time::constant(1, 0, 0, 0)),
        differential: None,
        log_copy: LogCopySchedule { every_minutes: 120 },
        guards: Vec::new(),
    };
    Policy::new("weekly", objectives, schedule)
}

/// How a full ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
    Cancelled,
    /// Asked to cancel, and failed first.
    FailedFirst,
}

/// One full of the past.
#[derive(Debug, Clone, Copy)]
struct Past {
    /// Minute of its moment.
    moment: i64,
    /// Minute when it was asked for.
    started: i64,
    on_demand: bool,
    end: End,
}

/// The newest Sunday at one, found by walking.
fn sunday(now: i64) -> i64 {
    let is_sunday = |minutes: i64| {
        let local = minute(minutes).to_zoned(TimeZone::UTC);
        local.weekday() == Weekday::Sunday && local.hour() == 1
    };
    let hour = now - now.rem_euclid(60);
    (0..=7 * 24).map(|back| hour - back * 60).find(|at| is_sunday(*at)).expect("there was a Sunday")
}

/// The moment of the full that is due, read from the whole past.
fn expected(past: &[Past], now: i64) -> Option<i64> {
    let grid = now - now.rem_euclid(GRID);
    // What was asked for on demand and did not come about was never there.
    let counts = |full: &&Past| !full.on_demand || full.end == End::Succeeded;
    let ended_since = |moment: i64| past.iter().filter(counts).any(|full| full.moment >= moment);
    let Some(last) = past.iter().rev().find(|full| full.end == End::Succeeded) else {
        return (!ended_since(grid)).then_some(grid);
    };
    let calendar = sunday(now);
    let unwanted = |full: &Past| {
        !full.on_demand && matches!(full.end, End::Cancelled | End::FailedFirst) && full.moment >= calendar
    };
    if last.started >= calendar || past.iter().any(unwanted) {
        return None;
    }
    let moment = if ended_since(calendar) { grid.max(calendar) } else { calendar };
    (!ended_since(moment)).then_some(moment)
}

fn full_due(policy: &Policy, database: &Database, now: i64) -> Option<Timestamp> {
    let items = due(policy, database, minute(now)).expect("the policy is sound");
    items.into_iter().find(|item| item.kind == Kind::Full).map(|item| item.moment)
}

/// A full of `moment` ended now.
fn end(database: &mut Database, full: Past, now: i64) {
    let item = DueItem { kind: Kind::Full, moment: minute(full.moment) };
    let mut task = Task::plan("sales", "orders", &item, minute(now));
    let asked = || Some(Requested { by: "ops".to_owned(), at: minute(now) });
    task.on_demand = if full.on_demand { asked() } else { None };
    task.cancel = if matches!(full.end, End::Cancelled | End::FailedFirst) { asked() } else { None };
    let outcome = match full.end {
        End::Succeeded => Outcome::Succeeded,
        End::Cancelled => Outcome::Cancelled,
        End::Failed | End::FailedFirst => Outcome::Failed(Reason::new(Class::Human, "X", "x")),
    };
    database.answered.learn(&task, &outcome);
    if full.end == End::Succeeded {
        database.last_full = Some(LastFull {
            id: BackupId::new(now.to_string()),
            started_at: minute(full.started),
            finished_at: minute(now),
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
    }
}

fn ends() -> impl Strategy<Value = (i64, bool, End)> {
    let end = prop_oneof![
        3 => Just(End::Succeeded),
        2 => Just(End::Failed),
        4 => Just(End::Cancelled),
        1 => Just(End::FailedFirst),
    ];
    (1_i64..2_000, prop::bool::weighted(0.25), end)
}

proptest! {
    #![proptest_config(config(31, 1_500))]

    #[test]
    fn a_cancelled_full_neither_comes_back_at_once_nor_stays_away_for_good(
        steps in prop::collection::vec(ends(), 1..60),
    ) {
        let policy = policy();
        let mut database = Database::new("sales", "orders");
        let mut past: Vec<Past> = Vec::new();
        let mut now = 30 * DAY;
        for (wait, on_demand, how) in steps {
            now += wait;
            let is_due = full_due(&policy, &database, now);
            prop_assert_eq!(is_due, expected(&past, now).map(minute), "at {} behind {:?}", minute(now), past);
            let moment = match is_due {
                Some(_) if !on_demand => expected(&past, now).expect("as above"),
                _ if on_demand => now,
                _ => continue,
            };
            let full = Past { moment, started: now, on_demand, end: how };
            end(&mut database, full, now);
            past.push(full);
            // One that failed may be tried again in an interval of the logs that has begun meanwhile.
            if !on_demand && how != End::Failed {
                prop_assert_eq!(full_due(&policy, &database, now), None, "planned again at once: {:?}", full);
            }
        }
        // Left alone, it comes with the next Sunday at the latest.
        let hours = (0..=7 * 24 + 1).map(|hours| now + hours * 60);
        let comes = hours.into_iter().any(|at| full_due(&policy, &database, at).is_some());
        prop_assert!(comes, "it never comes: {:?}", past);
    }
}

/// A database and the open tasks around it, as they may be when somebody asks.
#[derive(Debug, Clone)]
struct Moment {
    is_gone: bool,
    is_simple: bool,
    has_full: bool,
    kind: Kind,
    /// Kind, whether it is of that database, whether somebody asked for it, whether it is being cancelled.
    open: Vec<(Kind, bool, bool, bool)>,
    /// Tasks on demand of other databases.
    others: usize,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Full), Just(Kind::Differential), Just(Kind::LogCopy)]
}

fn moments() -> impl Strategy<Value = Moment> {
    let open = prop::collection::vec((kinds(), any::<bool>(), any::<bool>(), any::<bool>()), 0..5);
    let others = prop_oneof![4 => 0_usize..5, 1 => 95_usize..105];
    let flags = (prop::bool::weighted(0.2), any::<bool>(), any::<bool>());
    (flags, kinds(), open, others).prop_map(|((is_gone, is_simple, has_full), kind, open, others)| Moment {
        is_gone,
        is_simple,
        has_full,
        kind,
        open,
        others,
    })
}

proptest! {
    #![proptest_config(config(48, 2_000))]

    /// Of what is gone nothing is ever planned, what is open answers, and who asks for logs of a database that keeps none is told.
    #[test]
    fn what_is_asked_for_is_planned_answered_or_refused_by_name(moment in moments()) {
        let Moment { is_gone, is_simple, has_full, kind, ref open, others } = moment;
        let mut head = Database::new("sales", "orders");
        head.gone_at = is_gone.then(|| minute(0));
        head.recovery_model = Some(if is_simple { RecoveryModel::Simple } else { RecoveryModel::Full });
        head.last_full = has_full.then(|| LastFull {
            id: BackupId::from("1"),
            started_at: minute(0),
            finished_at: minute(0),
            last_lsn: Lsn::ZERO,
            size_bytes: 1,
        });
        let asked = |at: i64| Requested { by: "ops".to_owned(), at: minute(at) };
        let mut tasks: Vec<Task> = Vec::new();
        for (number, (kind, same, on_demand, cancelled)) in (1_i64..).zip(open) {
            let name = if *same { "orders".to_owned() } else { format!("o{number}") };
            let mut task = Task::on_demand("sales", &name, *kind, asked(number));
            task.on_demand = on_demand.then(|| asked(number));
            task.cancel = cancelled.then(|| asked(number));
            tasks.push(task);
        }
        tasks.extend((0..others).map(|number| {
            Task::on_demand("sales", &format!("x{number}"), Kind::Full, asked(0))
        }));
        let refs: Vec<&Task> = tasks.iter().collect();
        let policy = policy();
        let said = ask(&Asking { policy: &policy, head: &head, kind, open: &refs });

        let first = tasks.iter().position(|task| task.database == "orders" && task.kind == kind);
        let on_demand = tasks.iter().filter(|task| task.on_demand.is_some()).count();
        let expected = match first {
            _ if is_gone => Err("DatabaseGone"),
            Some(at) if tasks[at].cancel.is_some() => Err("CancelPending"),
            Some(at) => Ok(Some(tasks[at].key.as_str())),
            None if on_demand >= 100 => Err("TooManyRequests"),
            None => Ok(None),
        };
        let notes = match &said {
            Ok(Asked::Plan(notes)) => { prop_assert_eq!(expected, Ok(None)); notes }
            Ok(Asked::Open(task, notes)) => { prop_assert_eq!(expected, Ok(Some(task.key.as_str()))); notes }
            Err(reason) => { prop_assert_eq!(expected, Err(&*reason.name)); return Ok(()) }
        };
        let told = |name: &str| notes.iter().any(|note| note.name == name);
        prop_assert_eq!(told("SimpleRecovery"), kind == Kind::LogCopy && is_simple);
        prop_assert_eq!(told("BecomesBase"), kind == Kind::Full);
    }
}
