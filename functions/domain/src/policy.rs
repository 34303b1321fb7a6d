//! What a user promises for a set of databases: objectives and a schedule.
//!
//! The same type is the TOML file, the JSON of the API and the record of the task store. Every number has a range; a policy
//! out of range is refused with the value, its range and the field.

use jiff::civil::Time;
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
}

/// When fulls are due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullSchedule {
    /// Days of the week, by three letters: `["sun"]`.
    pub days: Vec<String>,
    /// Local time: `01:00`.
    pub at: Time,
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
    pub full: FullSchedule,
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
        ];
        for (field, value, min, max) in numbers {
            if !(min..=max).contains(&value) {
                return Err(self.refuse(field, &format!("{value} is not in {min} to {max}")));
            }
        }
        if self.schedule.full.days.is_empty() {
            return Err(self.refuse("schedule.full.days", "no day is named"));
        }
        if let Some(day) = self.schedule.full.days.iter().find(|day| weekday(day).is_none()) {
            return Err(
                self.refuse("schedule.full.days", &format!("{day:?} is no day: write mon, tue, ... sun"))
            );
        }
        self.zone().map(|_| ())
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
            objectives: Objectives { window_days: 7, rpo_minutes: RpoMinutes { damage: 10, instance: 150 } },
            schedule: Schedule {
                time_zone: "Etc/UTC".to_owned(),
                full: FullSchedule { days: vec!["sun".to_owned()], at: Time::constant(1, 0, 0, 0) },
                log_copy: LogCopySchedule { every_minutes: 120 },
            },
            assumed_mib_per_second: assumed_mib_per_second(),
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        type Spoil = fn(&mut Policy);
        assert_eq!(weekly().validate(), Ok(()));
        let spoil: [(&str, Spoil); 6] = [
            ("window_days: 0", |p| p.objectives.window_days = 0),
            ("damage: 4", |p| p.objectives.rpo_minutes.damage = 4),
            ("every_minutes: 5761", |p| p.schedule.log_copy.every_minutes = 5_761),
            ("no day", |p| p.schedule.full.days.clear()),
            ("\"sunday\" is no day", |p| p.schedule.full.days = vec!["sunday".to_owned()]),
            ("is no IANA time zone", |p| p.schedule.time_zone = "Moon/Crater".to_owned()),
        ];
        for (expected, change) in spoil {
            let mut policy = weekly();
            change(&mut policy);
            let reason = policy.validate().unwrap_err();
            assert!(reason.message.contains(expected), "{expected}: {}", reason.message);
        }
    }
}
