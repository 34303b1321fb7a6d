//! Are the findings those that the documents and the arithmetic give, and no others?

use super::super::tests::{weekly, with_differentials};
use super::super::{Daily, MonthDay, Monthly, Times, Weekly};
use super::*;
use crate::facts::{MultiAz, OptionState};

/// An instance whose automated backup begins between 03:00 and 03:30 UTC.
fn facts() -> InstanceFacts {
    InstanceFacts {
        name: "sales".to_owned(),
        arn: "arn:aws:rds:eu-west-1:111122223333:db:sales".to_owned(),
        status: "available".to_owned(),
        engine: "sqlserver-se".to_owned(),
        engine_version: "16.00.4215.2.v1".to_owned(),
        multi_az: MultiAz::SingleAz,
        backup_window: Some("03:00-03:30".parse().unwrap()),
        maintenance_window: Some("sun:04:30-sun:05:00".parse().unwrap()),
        retention_days: 7,
        backup_option: OptionState::Enabled,
        storage_encrypted: false,
        read_replica: false,
        resource_id: None,
    }
}

fn at(hour: i8, minute: i8) -> Time {
    Time::constant(hour, minute, 0, 0)
}

fn said(policy: &Policy, profile: Profile, facts: Option<&InstanceFacts>) -> String {
    let findings = policy.findings(profile, facts);
    assert!(findings.is_sorted_by_key(|finding| finding.weight), "refusals first");
    let refused: Vec<Finding> =
        findings.iter().filter(|finding| finding.weight == Weight::Refused).cloned().collect();
    assert_eq!(policy.refusals(profile, facts), refused, "every run asks for these alone");
    let weight = |weight| match weight {
        Weight::Refused => "!",
        Weight::Unkept => "?",
        Weight::Advice => "",
    };
    let said: Vec<String> =
        findings.iter().map(|finding| format!("{}{}", weight(finding.weight), finding.reason.name)).collect();
    said.join(" ")
}

type Change = fn(&mut Policy);

fn changed(mut policy: Policy, change: Change) -> Policy {
    change(&mut policy);
    policy
}

const EVERY_DAY: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn guard(days: &[&str], from: Time, to: Time) -> Guard {
    Guard { days: days.iter().map(|day| (*day).to_owned()).collect(), from, to }
}

#[test]
fn what_no_schedule_reaches_is_refused() {
    // Weekly: copies every two hours, 150 minutes promised.
    for (expected, profile, change) in [
        ("", Profile::Rds, (|_| {}) as Change),
        ("", Profile::Rds, |p| p.objectives.rpo_minutes.instance = 125),
        ("?RpoUnreachable", Profile::Rds, |p| p.objectives.rpo_minutes.instance = 124),
        // On a URL nobody but us takes logs.
        ("?RpoUnreachable", Profile::Url, |_| {}),
        ("", Profile::Url, |p| p.objectives.rpo_minutes.damage = 120),
        ("!PolicyOutOfRange", Profile::Rds, |p| p.objectives.window_days = 0),
    ] {
        assert_eq!(said(&changed(weekly(), change), profile, None), expected);
    }
}

#[test]
fn storage_is_held_against_the_profile_and_the_edition() {
    let (mut web, standard) = (facts(), facts());
    web.engine = "sqlserver-web".to_owned();
    for (expected, profile, facts, change) in [
        ("", Profile::Rds, &standard, (|p| p.storage.stripes = Some(10)) as Change),
        ("", Profile::Rds, &standard, |p| p.storage.buffer_count = Some(8)),
        ("!OptionNotOffered", Profile::Rds2023, &standard, |p| p.storage.buffer_count = Some(8)),
        ("!TooManyFiles", Profile::Rds, &standard, |p| p.storage.stripes = Some(11)),
        ("!TooManyFiles", Profile::Rds2019, &standard, |p| p.storage.stripes = Some(2)),
        ("", Profile::Rds, &standard, |p| p.storage.max_transfer_bytes = Some(4_194_304)),
        ("!TransferOutOfRange", Profile::Rds, &standard, |p| p.storage.max_transfer_bytes = Some(4_259_840)),
        ("", Profile::Rds, &standard, |p| p.storage.compression = Some(true)),
        ("", Profile::Rds, &web, |p| p.storage.compression = Some(false)),
        ("!CompressionNotSupported", Profile::Rds, &web, |p| p.storage.compression = Some(true)),
    ] {
        let policy = changed(weekly(), change);
        assert_eq!(said(&policy, profile, Some(facts)), expected, "{:?}", policy.storage);
    }
    let mut policy = weekly();
    policy.objectives.rpo_minutes.damage = 120;
    policy.storage.max_transfer_bytes = Some(20 << 20);
    assert_eq!(said(&policy, Profile::Url, None), "!TransferNeedsCompression");
    policy.storage.compression = Some(true);
    assert_eq!(said(&policy, Profile::Url, None), "");
    policy.storage.max_transfer_bytes = Some(65_536);
    assert_eq!(said(&policy, Profile::Url, None), "!TransferOutOfRange");
}

#[test]
fn differentials_that_lose_their_base_are_foretold() {
    for (expected, change) in [
        // Sunday 01:00, then 20:00 on six days: the backup of Sunday 03:00 comes between.
        ("DifferentialsUseless: 48 of 48", (|_| {}) as Change),
        // On Monday at 02:00 the full of Sunday 20:00 is still the base; on Tuesday it is not.
        ("DifferentialsPartlyUseless: 40 of 48", |p| {
            p.schedule.full.at = at(20, 0);
            p.schedule.differential.as_mut().unwrap().at = at(2, 0);
        }),
        ("", |p| {
            p.schedule.full.at = at(20, 0);
            p.schedule.differential = Some(Times::weekly(&["mon"], at(2, 0)));
        }),
        // The window of 03:00 ends at 03:30: a differential inside it is only unlucky.
        ("", |p| {
            p.schedule.full.at = at(20, 0);
            p.schedule.differential = Some(Times::weekly(&["mon"], at(3, 29)));
        }),
        ("DifferentialsUseless: 8 of 8", |p| {
            p.schedule.full.at = at(20, 0);
            p.schedule.differential = Some(Times::weekly(&["mon"], at(3, 30)));
        }),
    ] {
        let policy = changed(with_differentials(), change);
        let findings = policy.findings(Profile::Rds, Some(&facts()));
        let found = findings.iter().find(|finding| finding.reason.name.starts_with("Differentials"));
        let told = found.map_or(String::new(), |finding| finding.reason.to_string());
        assert!(told.starts_with(expected) && expected.is_empty() == told.is_empty(), "{expected:?}: {told}");
    }
    // Without automated backups nothing takes the base.
    let mut none = facts();
    none.retention_days = 0;
    assert_eq!(said(&with_differentials(), Profile::Rds, Some(&none)), "");
}

#[test]
fn times_inside_windows_and_guards_are_foretold() {
    for (expected, change) in [
        ("", (|_| {}) as Change),
        ("DueInsideWindow", |p| p.schedule.full.at = at(3, 10)),
        ("", |p| p.schedule.full.at = at(3, 30)),
        ("DueInsideWindow", |p| p.schedule.full.at = at(4, 45)),
        // 03:10 UTC in winter is 04:10 in Berlin, in summer 05:10.
        ("DueInsideWindow", |p| {
            p.schedule.time_zone = "Europe/Berlin".to_owned();
            p.schedule.full.at = at(5, 10);
        }),
        ("DueInsideGuard", |p| p.schedule.guards.push(guard(&["sun"], at(0, 0), at(2, 0)))),
        ("", |p| p.schedule.guards.push(guard(&["sun"], at(1, 1), at(23, 0)))),
        // A guard that begins on Saturday goes on into Sunday.
        ("DueInsideGuard", |p| p.schedule.guards.push(guard(&["sat"], at(22, 0), at(1, 30)))),
        ("", |p| p.schedule.guards.push(guard(&["sat"], at(22, 0), at(1, 0)))),
        ("!NothingMayStart", |p| p.schedule.guards.push(guard(&EVERY_DAY, at(0, 0), at(0, 0)))),
        ("DueInsideGuard", |p| {
            p.schedule.full = Times { days: vec![], month_days: vec![MonthDay::Last], at: at(1, 0) };
            p.schedule.guards.push(guard(&["wed"], at(0, 0), at(2, 0)));
        }),
    ] {
        let policy = changed(weekly(), change);
        assert_eq!(said(&policy, Profile::Rds, Some(&facts())), expected, "{:?}", policy.schedule);
    }
}

#[test]
fn generations_that_do_other_than_they_say_are_foretold() {
    for (expected, change) in [
        (
            "",
            (|p| p.retention.weekly = Some(Weekly { keep: 12, day: jiff::civil::Weekday::Sunday })) as Change,
        ),
        ("GenerationWithoutFulls", |p| p.retention.daily = Some(Daily { keep: 30 })),
        ("GenerationWithoutFulls GenerationWithinWindow", |p| p.retention.daily = Some(Daily { keep: 6 })),
        ("", |p| p.retention.monthly = Some(Monthly { keep: 12, day: MonthDay::Last })),
        ("DifferentialOutlivesFulls", |p| p.retention.differential_days = Some(8)),
        ("", |p| p.retention.differential_days = Some(7)),
    ] {
        assert_eq!(said(&changed(weekly(), change), Profile::Rds, None), expected);
    }
}

#[test]
fn chains_on_multi_az_are_advice() {
    let mut multi = facts();
    multi.multi_az = MultiAz::AlwaysOn;
    assert_eq!(said(&weekly(), Profile::Rds, Some(&multi)), "ChainRestoreUnproven");
    assert_eq!(said(&weekly(), Profile::Rds2023, Some(&multi)), "ChainRestoreRefused");
}

/// Weekly full, daily differential, logs every two hours, all for 30 days: the documents' own example.
fn azure() -> Policy {
    let mut policy = with_differentials();
    policy.objectives.window_days = 30;
    policy.objectives.rpo_minutes.damage = 120;
    policy.retention.differential_days = Some(30);
    policy.retention.weekly = Some(Weekly { keep: 5, day: jiff::civil::Weekday::Sunday });
    policy
}

#[test]
fn a_vault_of_azure_takes_what_azure_takes() {
    for (expected, change) in [
        ("", (|_| {}) as Change),
        ("!FullDailyOrWeekly !DifferentialNeedsWeeklyFull", |p| {
            p.schedule.full = Times::weekly(&["sun", "fri"], at(1, 0));
            p.schedule.differential = Some(Times::weekly(&["mon"], at(20, 0)));
        }),
        ("", |p| {
            p.schedule.full = Times::weekly(&EVERY_DAY, at(1, 0));
            p.schedule.differential = None;
        }),
        ("!FullDailyOrWeekly", |p| {
            p.schedule.full = Times { days: vec![], month_days: vec![MonthDay::Last], at: at(1, 0) };
            p.schedule.differential = None;
            p.retention.weekly = None;
        }),
        ("", |p| p.schedule.log_copy.every_minutes = 15),
        ("!LogIntervalNotOffered", |p| p.schedule.log_copy.every_minutes = 14),
        ("!LogIntervalNotOffered", |p| p.schedule.log_copy.every_minutes = 90),
        ("", |p| p.objectives.window_days = 35),
        ("!LogsKeptTooLong GenerationWithinWindow", |p| p.objectives.window_days = 36),
        ("!RetentionTooShort", |p| p.objectives.window_days = 6),
        ("!RetentionTooShort", |p| p.retention.differential_days = Some(6)),
        ("!RetentionTooShort", |p| p.retention.on_demand_days = 44),
        ("", |p| p.retention.differential_days = Some(35)),
        ("!DifferentialsKeptTooLong DifferentialOutlivesFulls", |p| p.retention.differential_days = Some(36)),
        ("!DifferentialsKeptTooLong", |p| {
            p.retention.weekly = Some(Weekly { keep: 52, day: jiff::civil::Weekday::Sunday });
            p.retention.differential_days = Some(181);
        }),
        ("", |p| {
            p.retention.weekly = Some(Weekly { keep: 52, day: jiff::civil::Weekday::Sunday });
            p.retention.differential_days = Some(180);
        }),
    ] {
        let policy = changed(azure(), change);
        let said = said(&policy, Profile::AzureVm, None);
        assert_eq!(said, expected, "{:?} {:?} {:?}", policy.objectives, policy.schedule, policy.retention);
    }
}

#[test]
fn a_policy_is_refused_everywhere_where_no_profile_takes_it() {
    let everywhere = |change: fn(&mut Policy)| {
        changed(weekly(), change).refused_everywhere().map(|finding| (finding.field, finding.reason.name))
    };
    let all_week = |p: &mut Policy| p.schedule.guards.push(guard(&EVERY_DAY, at(0, 0), at(0, 0)));
    assert_eq!(everywhere(all_week), Some(("schedule.guards", "NothingMayStart".into())));
    assert_eq!(everywhere(|_| ()), None);
    // One minute is enough to start in.
    assert_eq!(everywhere(|p| p.schedule.guards.push(guard(&EVERY_DAY, at(0, 1), at(0, 0)))), None);
    // RDS takes ten files, a URL 64.
    assert_eq!(everywhere(|p| p.storage.stripes = Some(64)), None);
    assert_eq!(everywhere(|p| p.objectives.window_days = 0), Some(("", "PolicyOutOfRange".into())));
}
