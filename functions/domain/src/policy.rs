//! What a user promises for a set of databases: objectives and a schedule.
//!
//! The same type is the TOML file, the JSON of the API and the record of the task store. Every number has a range; a policy
//! out of range is refused with the value, its range and the field.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::calendar::weekday;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// What may be lost, in minutes, by the kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RpoMinutes {
    /// Data is damaged, the instance lives: logs that RDS still keeps help. 5 to 10,080.
    pub damage: u32,
    /// The instance is lost: only the vault helps. 5 to 10,080.
    pub instance: u32,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Days back from now in which every moment can be restored. 1 to 3,650.
    pub window_days: u32,
    /// What may be lost.
    pub rpo_minutes: RpoMinutes,
    /// How long a restore may take. 5 to 10,080; none is promised when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_minutes: Option<u32>,
}

/// Days of the week and the time of day at which something is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyTimes {
    /// Days of the week, by three letters: `["sun"]`.
    pub days: Vec<String>,
    /// Local time: `01:00`.
    pub at: Time,
}

impl WeeklyTimes {
    /// Whether a day of the week is named.
    pub fn asks_for(&self, day: Option<Weekday>) -> bool {
        day.is_some() && self.days.iter().any(|named| weekday(named) == day)
    }
}

/// When logs are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogCopySchedule {
    /// Minutes between two copies. 5 to 5,760: a log copied every four days is well inside the seven that RDS keeps it.
    pub every_minutes: u32,
}

/// When what is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// IANA name of the zone the times are in: `Etc/UTC`, `Europe/Berlin`.
    pub time_zone: String,
    /// Fulls.
    pub full: WeeklyTimes,
    /// Differentials, on days without a full; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential: Option<WeeklyTimes>,
    /// Log copies.
    pub log_copy: LogCopySchedule,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// What is promised.
    pub objectives: Objectives,
    /// When what is due.
    pub schedule: Schedule,
    /// Mebibytes of database that a native full backup gets through in a second, until the instance's own speed has been
    /// measured: cautious, so that a first full does not run into a window. 1 to 10,000.
    #[serde(default = "assumed_mib_per_second")]
    pub assumed_mib_per_second: u32,
    /// Per cent by which a backup is given more time than its size and the speed say, because nobody promises a speed. 0 to 400.
    #[serde(default = "speed_margin_percent")]
    pub speed_margin_percent: u32,
    /// Fulls out of turn in place of a differential or a log copy, of one database within 24 hours: one heals a chain, one
    /// more may follow when the first does not come about or the chain breaks again. 0 to 24.
    #[serde(default = "promotions_per_day")]
    pub promotions_per_day: u32,
}

const fn speed_margin_percent() -> u32 {
    50
}

const fn promotions_per_day() -> u32 {
    2
}

const fn assumed_mib_per_second() -> u32 {
    40
}

impl Record for Policy {
    const SCHEMA: u32 = 1;
    fn key(&self) -> (String, String) {
        key(&self.name)
    }
}

/// Where a policy is stored.
pub fn key(name: &str) -> (String, String) {
    (format!("policy#{name}"), "policy".to_owned())
}

impl Policy {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// `PolicyOutOfRange`: the first value that is out of its range, with the range.
    pub fn validate(&self) -> Result<(), Reason> {
        let rpo = self.objectives.rpo_minutes;
        let numbers = [
            ("objectives.window_days", self.objectives.window_days, 1, 3_650),
            ("objectives.rpo_minutes.damage", rpo.damage, 5, 10_080),
            ("objectives.rpo_minutes.instance", rpo.instance, 5, 10_080),
            ("schedule.log_copy.every_minutes", self.schedule.log_copy.every_minutes, 5, 5_760),
            ("assumed_mib_per_second", self.assumed_mib_per_second, 1, 10_000),
            ("speed_margin_percent", self.speed_margin_percent, 0, 400),
            ("promotions_per_day", self.promotions_per_day, 0, 24),
            ("objectives.rto_minutes", self.objectives.rto_minutes.unwrap_or(5), 5, 10_080),
        ];
        for (field, value, min, max) in numbers {
            if !(min..=max).contains(&value) {
                return Err(self.refuse(field, &format!("{value} is not in {min} to {max}")));
            }
        }
        self.check_days("schedule.full.days", &self.schedule.full.days)?;
        if let Some(differential) = &self.schedule.differential {
            self.check_days("schedule.differential.days", &differential.days)?;
            let full = |day: &&String| self.schedule.full.asks_for(weekday(day.as_str()));
            if let Some(day) = differential.days.iter().find(full) {
                let what = format!("{day:?} is a day of the full, which makes a differential needless");
                return Err(self.refuse("schedule.differential.days", &what));
            }
        }
        self.zone().map(|_| ())
    }

    fn check_days(&self, field: &str, days: &[String]) -> Result<(), Reason> {
        if days.is_empty() {
            return Err(self.refuse(field, "no day is named"));
        }
        match days.iter().find(|day| weekday(day).is_none()) {
            Some(day) => Err(self.refuse(field, &format!("{day:?} is no day: write mon, tue, ... sun"))),
            None => Ok(()),
        }
    }

    /// The zone of the schedule.
    ///
    /// # Errors
    /// `PolicyOutOfRange`: no such zone.
    pub fn zone(&self) -> Result<TimeZone, Reason> {
        TimeZone::get(&self.schedule.time_zone).map_err(|_| {
            self.refuse("schedule.time_zone", &format!("{:?} is no IANA time zone", self.schedule.time_zone))
        })
    }

    fn refuse(&self, field: &str, what: &str) -> Reason {
        Reason::new(Class::Human, "PolicyOutOfRange", format!("policy {}: {field}: {what}", self.name))
            .guidance("correct the value in the policy and apply it again")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Weekly full on Sunday at 01:00 UTC, log copy every two hours, seven days.
    pub(crate) fn weekly() -> Policy {
        Policy {
            name: "weekly".to_owned(),
            objectives: Objectives {
                window_days: 7,
                rpo_minutes: RpoMinutes { damage: 10, instance: 150 },
                rto_minutes: None,
            },
            schedule: Schedule {
                time_zone: "Etc/UTC".to_owned(),
                full: WeeklyTimes { days: vec!["sun".to_owned()], at: Time::constant(1, 0, 0, 0) },
                differential: None,
                log_copy: LogCopySchedule { every_minutes: 120 },
            },
            assumed_mib_per_second: assumed_mib_per_second(),
            speed_margin_percent: speed_margin_percent(),
            promotions_per_day: promotions_per_day(),
        }
    }

    /// The same with a differential at 20:00 UTC on every day without a full.
    pub(crate) fn with_differentials() -> Policy {
        let days = ["mon", "tue", "wed", "thu", "fri", "sat"].map(str::to_owned).to_vec();
        let mut policy = weekly();
        policy.schedule.differential = Some(WeeklyTimes { days, at: Time::constant(20, 0, 0, 0) });
        policy
    }

    #[test]
    fn values_out_of_range_are_named() {
        type Spoil = fn(&mut Policy);
        fn differential(policy: &mut Policy) -> &mut WeeklyTimes {
            policy.schedule.differential.as_mut().unwrap()
        }
        assert_eq!(weekly().validate(), Ok(()));
        assert_eq!(with_differentials().validate(), Ok(()));
        let spoil: [(&str, Spoil); 12] = [
            ("window_days: 0", |p| p.objectives.window_days = 0),
            ("damage: 4", |p| p.objectives.rpo_minutes.damage = 4),
            ("every_minutes: 5761", |p| p.schedule.log_copy.every_minutes = 5_761),
            ("no day", |p| p.schedule.full.days.clear()),
            ("\"sunday\" is no day", |p| p.schedule.full.days = vec!["sunday".to_owned()]),
            ("speed_margin_percent: 401", |p| p.speed_margin_percent = 401),
            ("promotions_per_day: 25", |p| p.promotions_per_day = 25),
            ("rto_minutes: 4", |p| p.objectives.rto_minutes = Some(4)),
            ("differential.days: no day", |p| differential(p).days.clear()),
            ("differential.days: \"Sun\" is a day of the full", |p| {
                differential(p).days.push("Sun".to_owned());
            }),
            ("differential.days: \"monday\" is no day", |p| differential(p).days[0] = "monday".to_owned()),
            ("is no IANA time zone", |p| p.schedule.time_zone = "Moon/Crater".to_owned()),
        ];
        for (expected, change) in spoil {
            let mut policy = with_differentials();
            change(&mut policy);
            let reason = policy.validate().unwrap_err();
            assert!(reason.message.contains(expected), "{expected}: {}", reason.message);
        }
    }

    #[test]
    fn a_policy_written_before_differentials_is_read_and_one_without_them_is_written_as_before() {
        let json = serde_json::to_value(weekly()).unwrap();
        let mut before = json.clone();
        for field in ["promotions_per_day", "speed_margin_percent"] {
            before.as_object_mut().unwrap().remove(field).unwrap();
        }
        assert_eq!(serde_json::from_value::<Policy>(before).unwrap(), weekly());
        assert_eq!(
            (&json["schedule"].get("differential"), json["objectives"].get("rto_minutes")),
            (&None, None)
        );
    }
}
