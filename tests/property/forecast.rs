//! Is what a forecast says of the vault what a vault comes to that is swept day by day? And does what it proposes do better?

use std::cell::RefCell;
use std::collections::BTreeMap;

use domain::facts::MultiAz;
use domain::forecast::{CloudWatch, Fleet, Forecast, Group, Network, Proposal, Server, forecast};
use domain::limits::Profile;
use domain::policy::{
    Daily, LogCopySchedule, MonthDay, Monthly, Objectives, Policy, RpoMinutes, Schedule, Times, Weekly,
    Yearly,
};
use jiff::ToSpan;
use jiff::civil::{Date, Time, Weekday};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::config;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Days of the week with a full (a bit each), window, keeps of the generations, day of the weekly and of the monthly one.
type Kept = (u8, u32, [Option<u32>; 4], usize, i64);

fn kept() -> impl Strategy<Value = Kept> {
    let keep = |most| prop::option::of(1_u32..most);
    let keeps = (keep(60), keep(20), keep(12), keep(3)).prop_map(|(d, w, m, y)| [d, w, m, y]);
    (1_u8..128, 1_u32..40, keeps, 0_usize..7, 1_i64..29)
}

fn policy((fulls, window, keeps, weekly, monthly): &Kept) -> Policy {
    let days: Vec<&str> = (0..7).filter(|day| fulls >> day & 1 == 1).map(|day| DAYS[day].0).collect();
    let objectives = Objectives {
        window_days: *window,
        rpo_minutes: RpoMinutes { damage: 10, instance: 600 },
        rto_minutes: None,
    };
    let schedule = Schedule {
        time_zone: "Etc/UTC".to_owned(),
        full: Times::weekly(&days, Time::midnight()),
        differential: None,
        log_copy: LogCopySchedule { every_minutes: 60 },
        guards: Vec::new(),
    };
    let mut policy = Policy::new("p", objectives, schedule);
    let [d, w, m, y] = *keeps;
    policy.retention.daily = d.map(|keep| Daily { keep });
    policy.retention.weekly = w.map(|keep| Weekly { keep, day: DAYS[*weekly].1 });
    let day = MonthDay::Number(i8::try_from(*monthly).expect("1 to 28"));
    policy.retention.monthly = m.map(|keep| Monthly { keep, day });
    policy.retention.yearly = y.map(|keep| Yearly { keep, month: 3, day });
    policy
}

fn server(databases: u32, size_gib: f64, mib_per_second: u32) -> Server {
    Server {
        name: "sales".to_owned(),
        engine: "sqlserver-se".to_owned(),
        multi_az: MultiAz::SingleAz,
        backup_window: Some("03:00-03:30".parse().expect("a window")),
        maintenance_window: Some("sun:04:30-sun:05:00".parse().expect("a window")),
        retention_days: 7,
        storage_encrypted: false,
        backup_mib_per_second: mib_per_second,
        restore_mib_per_second: None,
        databases: vec![Group {
            name: "orders".to_owned(),
            count: databases,
            size_gib,
            growth_gib_per_day: 0.0,
            change_mib_per_hour: 10.0,
            stored_percent: 100,
        }],
    }
}

fn fleet(server: Server) -> Fleet {
    Fleet {
        profile: Profile::Rds,
        network: Network::default(),
        cloudwatch: CloudWatch::default(),
        prices: BTreeMap::new(),
        instances: vec![server],
    }
}

fn said(policy: &Policy, server: Server) -> Forecast {
    forecast(policy, &fleet(server)).expect("in range")
}

/// A vault that lives through years: a full is put in on its day with the last day it is kept for, and every day all are thrown out
/// whose day is over and that no moment of the window needs. The most that it ever held after a sweep.
fn lived((fulls, window, keeps, weekly, monthly): &Kept) -> usize {
    let mut vault: Vec<(Date, Date)> = Vec::new();
    let (mut new_week, mut new_month, mut new_year) = (false, false, false);
    let mut most = 0;
    let start = Date::constant(2019, 1, 1);
    for date in start.series(1.day()).take(6 * 365) {
        new_week |= date.weekday() == DAYS[*weekly].1;
        new_month |= i64::from(date.day()) == *monthly;
        new_year |= i64::from(date.day()) == *monthly && date.month() == 3;
        let today = usize::try_from(date.weekday().to_monday_zero_offset()).expect("0 to 6");
        if fulls >> today & 1 == 1 {
            let lives = [
                Some(*window),
                keeps[0],
                keeps[1].filter(|_| new_week).map(|keep| keep * 7),
                keeps[2].filter(|_| new_month).map(|keep| keep * 31),
                keeps[3].filter(|_| new_year).map(|keep| keep * 366),
            ];
            (new_week, new_month, new_year) = (false, false, false);
            // A day more until the sweep comes.
            let days = lives.into_iter().flatten().max().unwrap_or(0) + 1;
            vault.push((date, date + i64::from(days).days()));
        }
        let begins = date - i64::from(*window + 1).days();
        let anchor = vault.iter().map(|(taken, _)| *taken).filter(|taken| *taken < begins).max();
        vault.retain(|(taken, until)| *until >= date || Some(*taken) == anchor);
        // The first years fill it.
        if date.year() >= 2023 {
            most = most.max(vault.len());
        }
    }
    most
}

#[test]
fn the_vault_holds_what_one_holds_that_is_swept_every_day() {
    let exact = RefCell::new((0_u32, 0_u32));
    let outcome = TestRunner::new(config(45, 80)).run(&kept(), |case| {
        let said = said(&policy(&case), server(1, 1.0, 100));
        let fulls = |name: &str| {
            let generation = |one: &&domain::forecast::Stored| {
                serde_json::to_value(one.generation).is_ok_and(|value| value == name)
            };
            said.storage.iter().find(generation).map_or(0, |one| one.backups)
        };
        let all: u64 = ["window", "daily", "weekly", "monthly", "yearly"].map(fulls).iter().sum();
        let lived = lived(&case) as u64;
        // Years differ by how their months and weeks lie.
        prop_assert!(all.abs_diff(lived) <= 1, "{} forecast, {} at most in {:?}", all, lived, case);
        let mut exact = exact.borrow_mut();
        *exact = (exact.0 + u32::from(all == lived), exact.1 + 1);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (same, all) = exact.into_inner();
    println!("{same} of {all} to the full");
    assert!(same * 10 >= all * 8, "{same} of {all}");
}

/// Databases, tenths of gibibytes each, mebibytes a second, minutes between copies, promised minutes of RPO and RTO.
type Asked = (u32, u32, u32, u32, u32, u32);

fn asked() -> impl Strategy<Value = Asked> {
    (1_u32..120, 1_u32..20_000, 5_u32..400, 5_u32..1_000, 5_u32..2_000, prop_oneof![Just(0), 60_u32..10_000])
}

fn of((databases, tenths, speed, every, rpo, rto): Asked) -> (Policy, Server) {
    let mut policy = policy(&(64, 7, [None; 4], 6, 1));
    policy.schedule.log_copy.every_minutes = every;
    policy.objectives.rpo_minutes.instance = rpo;
    policy.objectives.rto_minutes = Some(rto).filter(|rto| *rto > 0);
    (policy, server(databases, f64::from(tenths) / 10.0, speed))
}

/// Whether anything of that name stands against it.
fn stands(said: &Forecast, name: &str) -> bool {
    said.instances[0].findings.iter().any(|finding| finding.reason.name == name)
}

/// The policy and the instance with a proposal carried out.
fn carried_out(proposal: &Proposal, mut policy: Policy, mut server: Server) -> (Policy, Server) {
    let digits = proposal.value.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let numbers: Vec<u32> = digits.filter_map(|part| part.parse().ok()).collect();
    let Policy { schedule, objectives, .. } = &mut policy;
    match &*proposal.reason.name {
        "AnotherInterval" => schedule.log_copy.every_minutes = numbers[0],
        "PromiseLess" => {
            objectives.rpo_minutes.instance = numbers[0];
            schedule.log_copy.every_minutes = numbers[1];
        }
        "MoreInstances" => {
            server.databases[0].count = server.databases[0].count.div_ceil(numbers[0]);
        }
        "PromiseNoTime" => objectives.rto_minutes = None,
        "PromiseMoreTime" => objectives.rto_minutes = Some(numbers[0]),
        "DailyFulls" => {
            let days: Vec<&str> = DAYS.iter().map(|(day, _)| *day).collect();
            schedule.full = Times::weekly(&days, Time::constant(3, 30, 0, 0));
        }
        other => unreachable!("{other} is not known here"),
    }
    (policy, server)
}

fn restore_minutes(said: &Forecast) -> Option<u64> {
    said.instances[0].restore.as_ref().map(|restore| restore.most_minutes)
}

/// Whether a proposal that was carried out did what it is for.
fn did_better(proposal: &Proposal, before: &Forecast, after: &Forecast) -> bool {
    let grave = ["SlotsTooFew", "OpenHoursTooFew", "RpoMissed", "FullLongerThanGap"];
    match &*proposal.reason.name {
        "DailyFulls" => restore_minutes(after) < restore_minutes(before),
        "PromiseMoreTime" | "PromiseNoTime" => !stands(after, "RtoMissed"),
        "MoreInstances" => !stands(after, "SlotsTooFew"),
        _ => grave.iter().all(|name| !stands(after, name)),
    }
}

#[test]
fn what_is_proposed_does_better() {
    let shares: RefCell<BTreeMap<String, u32>> = RefCell::default();
    let outcome = TestRunner::new(config(46, 250)).run(&asked(), |case| {
        let (policy, server) = of(case);
        let before = said(&policy, server.clone());
        let proposals = &before.instances[0].proposals;
        if proposals.is_empty() {
            let kind = if before.feasible { "feasible" } else { "nothing helps" };
            *shares.borrow_mut().entry(kind.to_owned()).or_default() += 1;
        }
        let daily = proposals.iter().find(|proposal| proposal.reason.name == "DailyFulls");
        for proposal in proposals {
            *shares.borrow_mut().entry(proposal.reason.name.to_string()).or_default() += 1;
            let (mut policy, mut server) = carried_out(proposal, policy.clone(), server.clone());
            // Beside daily fulls it counts on them.
            if let (Some(daily), "PromiseMoreTime") = (daily, &*proposal.reason.name) {
                (policy, server) = carried_out(daily, policy, server);
            }
            let after = said(&policy, server);
            prop_assert!(
                did_better(proposal, &before, &after),
                "{:?}: {:?} {:?}",
                case,
                proposal,
                after.instances[0].findings
            );
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let shares = shares.into_inner();
    println!("{shares:?}");
    for name in [
        "AnotherInterval",
        "DailyFulls",
        "MoreInstances",
        "PromiseLess",
        "PromiseMoreTime",
        "PromiseNoTime",
        "feasible",
        "nothing helps",
    ] {
        assert!(shares.get(name).copied().unwrap_or(0) >= 3, "{name}: {shares:?}");
    }
}

#[test]
fn more_work_is_never_forecast_to_take_less() {
    let outcome = TestRunner::new(config(47, 100)).run(&asked(), |case| {
        let (policy, server) = of(case);
        let before = said(&policy, server.clone());
        let more: [fn(&mut Server); 4] = [
            |server| server.databases[0].count += 1,
            |server| server.databases[0].size_gib *= 1.5,
            |server| server.databases[0].change_mib_per_hour *= 3.0,
            |server| server.backup_mib_per_second -= server.backup_mib_per_second / 3,
        ];
        for (number, change) in more.into_iter().enumerate() {
            let mut larger = server.clone();
            change(&mut larger);
            let after = said(&policy, larger);
            let (one, two) = (&before.instances[0], &after.instances[0]);
            prop_assert!(one.losses.instance_minutes <= two.losses.instance_minutes, "{:?} {}", case, number);
            prop_assert!(one.slots.data_minutes <= two.slots.data_minutes, "{:?} {}", case, number);
            prop_assert!(one.slots.sweep_minutes <= two.slots.sweep_minutes, "{:?} {}", case, number);
            prop_assert!(before.storage_bytes <= after.storage_bytes, "{:?} {}", case, number);
            prop_assert!(before.cost_usd <= after.cost_usd + 1e-9, "{:?} {}", case, number);
            prop_assert!(restore_minutes(&before) <= restore_minutes(&after), "{:?} {}", case, number);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
