//! Is the forecast the one that pencil and paper give?

use super::*;
use crate::policy::tests::{weekly, with_differentials};
use crate::policy::{Daily, Guard, MonthDay, Monthly, Times, Weekly, Yearly};
use jiff::civil::{Time, Weekday};

const EVERY_DAY: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// One instance with so many databases of so many gibibytes, at 100 MiB a second, 36 MiB of log an hour each.
fn server(databases: u32, size_gib: f64) -> Server {
    Server {
        name: "sales".to_owned(),
        engine: "sqlserver-se".to_owned(),
        multi_az: crate::facts::MultiAz::SingleAz,
        backup_window: Some("03:00-03:30".parse().unwrap()),
        maintenance_window: Some("sun:04:30-sun:05:00".parse().unwrap()),
        retention_days: 7,
        storage_encrypted: false,
        backup_mib_per_second: 100,
        restore_mib_per_second: None,
        databases: vec![Group {
            name: "orders".to_owned(),
            count: databases,
            size_gib,
            growth_gib_per_day: 0.0,
            change_mib_per_hour: 36.0,
            stored_percent: 50,
        }],
    }
}

fn fleet(server: Server) -> Fleet {
    Fleet {
        profile: Profile::Rds,
        network: Network::default(),
        cloudwatch: CloudWatch::default(),
        prices: std::collections::BTreeMap::new(),
        instances: vec![server],
    }
}

fn of(policy: &Policy, server: Server) -> OfInstance {
    forecast(policy, &fleet(server)).unwrap().instances.remove(0)
}

fn daily(at: Time) -> Policy {
    let mut policy = weekly();
    policy.schedule.full = Times::weekly(&EVERY_DAY, at);
    policy
}

/// Names of what stands against it, the gravest first, advice left out.
fn against(instance: &OfInstance) -> String {
    let grave = instance.findings.iter().filter(|finding| finding.weight != Weight::Advice);
    grave.map(|finding| finding.reason.name.to_string()).collect::<Vec<_>>().join(" ")
}

fn proposed(instance: &OfInstance) -> String {
    let said = instance.proposals.iter().map(|one| format!("{} {}", one.reason.name, one.value));
    said.collect::<Vec<_>>().join("; ")
}

#[test]
fn slots_are_what_the_tasks_take_and_what_windows_and_guards_leave() {
    // 100 GiB at 100 MiB/s: 1,024 s, half as much again, 300 in CREATED, 30 before the first byte: 1,866 s.
    let instance = of(&weekly(), server(2, 100.0));
    assert_eq!(instance.slots.longest_full_minutes, 32);
    assert_eq!(instance.slots.data_minutes, 63, "two fulls a week: 3,732 s");
    // 168 hours less 7 x 30 minutes of backup and 30 of maintenance, twice.
    assert_eq!(instance.slots.data_available_minutes, 2 * (10_080 - 210 - 30));
    // From Sunday's maintenance to Monday's backup, or any backup to the next: 23.5 hours.
    assert_eq!(instance.slots.longest_open_minutes, Some(23 * 60 + 30));
    // A copy: 25 files of 2 s, 72 MiB in a second, 300 and 30: 381 s; two of them at a time, and half of one.
    assert_eq!(instance.slots.sweep_minutes, 10);
    let mut guarded = weekly();
    let days = EVERY_DAY.iter().map(|day| (*day).to_owned()).collect();
    guarded.schedule.guards =
        vec![Guard { days, from: Time::constant(6, 0, 0, 0), to: Time::constant(22, 0, 0, 0) }];
    guarded.schedule.time_zone = "Europe/Berlin".to_owned();
    let instance = of(&guarded, server(2, 100.0));
    // Eight hours are left, 22:00 to 06:00: 21:00 to 05:00 UTC in winter, with the windows in their midst.
    assert_eq!(instance.slots.data_available_minutes, 2 * (7 * 8 * 60 - 210 - 30));
    assert_eq!(instance.slots.longest_open_minutes, Some(6 * 60), "in winter from 21:00 UTC to 03:00");
}

#[test]
fn what_cannot_be_kept_is_told_and_what_can_is_proposed() {
    let hourly = |promised| {
        let mut policy = daily(Time::constant(3, 30, 0, 0));
        policy.schedule.log_copy.every_minutes = 60;
        policy.objectives.rpo_minutes.instance = promised;
        policy
    };
    let mut roomy = weekly();
    roomy.objectives.rpo_minutes.instance = 200;
    for (what, policy, server, expected, change) in [
        ("fine, weekly", roomy.clone(), server(2, 100.0), "", "DailyFulls"),
        (
            "fine, daily",
            Policy { objectives: roomy.objectives, ..daily(Time::constant(3, 30, 0, 0)) },
            server(2, 100.0),
            "",
            "",
        ),
        // 100 GiB at 1 MiB/s: 42 hours and 40 minutes, and half as much again.
        (
            "slow",
            weekly(),
            Server { backup_mib_per_second: 1, ..server(1, 100.0) },
            "FullLongerThanGap RpoMissed",
            "",
        ),
        // A sweep of 90 takes more than four hours; one of half a day's files takes eight.
        ("many", hourly(1_440), server(90, 1.0), "SlotsTooFew", "AnotherInterval 720"),
        ("many, short promise", hourly(120), server(90, 1.0), "SlotsTooFew RpoMissed", "MoreInstances 9"),
        ("promise", hourly(70), server(2, 1.0), "RpoMissed", "AnotherInterval 30"),
        ("too many", weekly(), server(101, 0.1), "TooManyDatabases SlotsTooFew RpoMissed", "PromiseLess"),
        (
            "no logs",
            weekly(),
            Server { retention_days: 0, ..server(1, 1.0) },
            "NoLogFiles",
            "AutomatedBackups 1",
        ),
        (
            "huge",
            weekly(),
            Server { backup_mib_per_second: 9_000, ..server(1, 90_000.0) },
            "BackupTooLarge RestoreTooLarge RpoMissed",
            "PromiseLess 290",
        ),
    ] {
        let instance = of(&policy, server);
        assert_eq!(against(&instance), expected, "{what}");
        assert_eq!(instance.feasible, expected.is_empty(), "{what}");
        let said = proposed(&instance);
        assert!(if change.is_empty() { said.is_empty() } else { said.contains(change) }, "{what}: {said}");
    }
}

#[test]
fn every_step_of_a_restore_waits_to_be_picked_up() {
    let mut policy = weekly();
    policy.objectives.rto_minutes = Some(1_800);
    let instance = of(&policy, server(1, 10.0));
    let restore = instance.restore.as_ref().unwrap();
    // A week of five-minute files and those until the next full has ended.
    assert!((2_016..2_034).contains(&restore.steps.logs), "{restore:?}");
    assert_eq!(restore.step_count, restore.steps.logs + 2);
    assert!(restore.most_minutes >= u64::from(restore.step_count) * 5, "{restore:?}");
    assert_eq!(against(&instance), "RtoMissed");
    assert!(
        proposed(&instance).starts_with("DailyFulls full = { days = [\"mon\", "),
        "{}",
        proposed(&instance)
    );
    assert!(proposed(&instance).contains("at = \"03:30\""), "{}", proposed(&instance));
    let mut daily = daily(Time::constant(3, 30, 0, 0));
    daily.objectives.rto_minutes = Some(1_800);
    assert_eq!(against(&of(&daily, server(1, 10.0))), "", "what is proposed is feasible");
    daily.objectives.rto_minutes = Some(600);
    let instance = of(&daily, server(1, 10.0));
    assert_eq!(against(&instance), "RtoMissed");
    assert!(proposed(&instance).starts_with("PromiseMoreTime 1"), "{}", proposed(&instance));
}

#[test]
fn a_differential_counts_where_no_snapshot_takes_its_base() {
    // At 20:00 on every day but Sunday, the full on Sunday at 01:00: the backup window at 03:00 comes first, every day.
    let useless = of(&with_differentials(), server(1, 10.0));
    assert_eq!(
        (useless.activity.differentials, useless.restore.unwrap().steps.differential_bytes),
        (0, None)
    );
    // Without a backup window in the way there are six a week; from Sunday's full to Monday's differential are 43 hours.
    let windowless = Server { backup_window: None, ..server(1, 10.0) };
    let useful = of(&with_differentials(), windowless);
    assert_eq!(useful.activity.differentials, 27, "6 a week, 730 hours a month");
    let restore = useful.restore.unwrap();
    assert!(
        restore.steps.differential_bytes.is_none() && (516..540).contains(&restore.steps.logs),
        "{restore:?}"
    );
    let stored = useful.storage.iter().find(|one| one.generation == Generation::Differentials).unwrap();
    // Seven days and one for the sweep; the last is 163 hours behind its full: 36 MiB an hour, half of it stored.
    assert_eq!((stored.backups, stored.bytes), (7, 7 * 163 * 18 * (1 << 20)));
}

#[test]
fn excluded_databases_take_nothing() {
    let mut policy = daily(Time::constant(3, 30, 0, 0));
    policy.exclude = vec!["SCRATCH*".to_owned()];
    let mut both = server(3, 10.0);
    both.databases.push(Group { name: "scratch".to_owned(), size_gib: 5_000.0, ..both.databases[0].clone() });
    assert_eq!(of(&policy, both), of(&policy, server(3, 10.0)));
    policy.exclude = vec!["*".to_owned()];
    let none = of(&policy, server(3, 10.0));
    assert_eq!((none.databases, none.restore, none.slots.copy_minutes), (0, None, 0));
    assert!(none.storage.iter().all(|stored| stored.bytes == 0), "{:?}", none.storage);
}

#[test]
fn urls_have_no_pick_up_and_only_the_logs_that_we_take() {
    let mut policy = daily(Time::constant(3, 30, 0, 0));
    (policy.schedule.log_copy.every_minutes, policy.objectives.rpo_minutes.damage) = (15, 60);
    let mut fleet = fleet(server(2, 100.0));
    fleet.profile = Profile::Url;
    let said = forecast(&policy, &fleet).unwrap();
    let instance = &said.instances[0];
    let restore = instance.restore.as_ref().unwrap();
    assert_eq!(restore.least_minutes, restore.most_minutes);
    assert!((96..110).contains(&restore.steps.logs), "{restore:?}");
    assert_eq!(instance.slots.longest_open_minutes, None, "windows of RDS are nobody's");
    assert_eq!(instance.losses.damage_minutes, instance.losses.instance_minutes);
    // 50 GiB and 30 % more in files of 50 GB.
    assert_eq!(instance.layouts[0].layout.unwrap().files, 2);
}

#[test]
fn generations_are_counted_on_the_day_on_which_most_is_kept() {
    type Change = fn(&mut Policy);
    // Window, daily, weekly, monthly, yearly; fulls on Sundays, a window of 7 days and one for the sweep.
    for (expected, change) in [
        // On a Monday: 1 and 8 days old, and the anchor of 15.
        ([3, 0, 0, 0, 0], (|_| {}) as Change),
        // 28 days and one: those of 22 and 29.
        ([3, 0, 2, 0, 0], |p| p.retention.weekly = Some(Weekly { keep: 4, day: Weekday::Sunday })),
        // 93 days and one, the first Sunday on or after the 1st.
        ([3, 0, 0, 3, 0], |p| p.retention.monthly = Some(Monthly { keep: 3, day: MonthDay::Number(1) })),
        ([3, 0, 0, 0, 2], |p| {
            p.retention.yearly = Some(Yearly { keep: 2, month: 1, day: MonthDay::Number(1) });
        }),
        // Each is the first of its day; the generations share their fulls, the shorter one counts: 22 and 29 days old, then 36 to 64.
        ([3, 2, 5, 0, 0], |p| {
            p.retention.daily = Some(Daily { keep: 31 });
            p.retention.weekly = Some(Weekly { keep: 9, day: Weekday::Sunday });
        }),
        // Daily fulls of 0 to 8 days and the anchor of 9; then those of 10 to 31.
        ([10, 22, 0, 0, 0], |p| {
            p.schedule.full = Times::weekly(&EVERY_DAY, Time::midnight());
            p.retention.daily = Some(Daily { keep: 30 });
        }),
    ] {
        let mut policy = weekly();
        change(&mut policy);
        assert_eq!(storage::fulls(&policy), expected);
    }
}

#[test]
fn extreme_values_are_answered_too() {
    let mut policy = daily(Time::midnight());
    policy.objectives.window_days = 3_650;
    policy.schedule.log_copy.every_minutes = 5;
    policy.speed_margin_percent = 400;
    policy.retention.yearly = Some(Yearly { keep: 99, month: 2, day: MonthDay::Last });
    policy.objectives.rto_minutes = Some(5);
    let huge = Group {
        name: "x".to_owned(),
        count: 10_000,
        size_gib: 1_073_741_824.0,
        growth_gib_per_day: 1_073_741_824.0,
        change_mib_per_hour: 1_073_741_824.0,
        stored_percent: 200,
    };
    let slow = Server { backup_mib_per_second: 1, databases: vec![huge], ..server(1, 1.0) };
    for profile in Profile::ALL {
        let said = forecast(&policy, &Fleet { profile, ..fleet(slow.clone()) }).unwrap();
        assert!(!said.feasible && said.cost_usd.is_finite(), "{profile:?}");
        assert_eq!(said.storage_bytes, u64::MAX);
    }
}
