//! What a user promises for a set of databases: objectives, schedule, retention, storage.
//!
//! The same type is the TOML file, the JSON of the API and the record of the task store. Every number has a range
//! ([`RANGES`]); a policy out of range is refused with the value, its range and the field. What is in range and still makes no
//! sense is a finding.

mod azure;
mod days;
mod findings;
mod retention;
mod storage;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use days::{MonthDay, Times, Week};
pub use findings::{Finding, Weight};
pub use retention::{Daily, Monthly, Retention, Weekly, Yearly};
pub use storage::Storage;

use crate::calendar::weekday;
use crate::reason::{Class, Reason};
use crate::record::Record;

/// What may be lost, in minutes, by the kind of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RpoMinutes {
    /// Data is damaged, the instance lives: logs that RDS still keeps help. 5 to 10,080.
    pub damage: u32,
    /// The instance is lost: only the vault helps. 5 to 10,080.
    pub instance: u32,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Days back from now in which every moment can be restored: what a log is kept for. 1 to 3,650.
    pub window_days: u32,
    /// What may be lost.
    pub rpo_minutes: RpoMinutes,
    /// How long a restore may take. 5 to 10,080; none is promised when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_minutes: Option<u32>,
}

/// When logs are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LogCopySchedule {
    /// Minutes between two copies. 5 to 5,760: a log copied every four days is well inside the seven that RDS keeps it.
    pub every_minutes: u32,
}

/// When what is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// IANA name of the zone the times are in: `Etc/UTC`, `Europe/Berlin`.
    pub time_zone: String,
    /// Fulls.
    pub full: Times,
    /// Differentials, on days without a full; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential: Option<Times>,
    /// Log copies.
    pub log_copy: LogCopySchedule,
    /// Hours in which no backup of data starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
}

/// Hours that belong to others: no full and no differential starts in them, and none starts that would run into them.
/// Logs are copied at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Days of the week on which it begins: `["mon"]`.
    pub days: Vec<String>,
    /// Local time at which it begins: `08:00`.
    pub from: Time,
    /// Local time at which it ends, on the next day when it is not later than `from`.
    pub to: Time,
}

impl Guard {
    /// Whether it holds a local minute of the week, counted from Monday.
    pub fn holds(&self, minute: u32) -> bool {
        findings::holds(self, minute)
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Policy {
    /// Name.
    pub name: String,
    /// What is promised.
    pub objectives: Objectives,
    /// When what is due.
    pub schedule: Schedule,
    /// What is kept beyond the promised window.
    #[serde(default)]
    pub retention: Retention,
    /// How backups are written.
    #[serde(default)]
    pub storage: Storage,
    /// Databases that are not protected, by name; `*` stands for any run of characters, case does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
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

impl Policy {
    /// Names of its fields. A record of the task store may carry more, of a later version; a file that a person wrote may not.
    pub const FIELDS: [&str; 9] = [
        "name",
        "objectives",
        "schedule",
        "retention",
        "storage",
        "exclude",
        "assumed_mib_per_second",
        "speed_margin_percent",
        "promotions_per_day",
    ];
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

/// The range of one number of a policy.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Where it stands.
    pub field: &'static str,
    /// The least value.
    pub min: u32,
    /// The greatest value.
    pub max: u32,
    /// Its value where the policy has it.
    pub read: fn(&Policy) -> Option<u32>,
}

/// Minutes between two log copies at most: four days, which leaves three until RDS no longer lists the oldest file.
pub const LOG_COPY_MINUTES_MAX: u32 = 5_760;

/// The ranges of all numbers of a policy.
pub const RANGES: [Range; 16] = [
    range("objectives.window_days", 1, 3_650, |p| Some(p.objectives.window_days)),
    range("objectives.rpo_minutes.damage", 5, 10_080, |p| Some(p.objectives.rpo_minutes.damage)),
    range("objectives.rpo_minutes.instance", 5, 10_080, |p| Some(p.objectives.rpo_minutes.instance)),
    range("objectives.rto_minutes", 5, 10_080, |p| p.objectives.rto_minutes),
    range("schedule.log_copy.every_minutes", 5, LOG_COPY_MINUTES_MAX, |p| {
        Some(p.schedule.log_copy.every_minutes)
    }),
    range("retention.daily.keep", 1, 9_999, |p| p.retention.daily.map(|daily| daily.keep)),
    range("retention.weekly.keep", 1, 5_163, |p| p.retention.weekly.map(|weekly| weekly.keep)),
    range("retention.monthly.keep", 1, 1_188, |p| p.retention.monthly.map(|monthly| monthly.keep)),
    range("retention.yearly.keep", 1, 99, |p| p.retention.yearly.map(|yearly| yearly.keep)),
    range("retention.differential_days", 1, 3_650, |p| p.retention.differential_days),
    range("retention.on_demand_days", 1, 36_500, |p| Some(p.retention.on_demand_days)),
    range("storage.stripes", 1, 64, |p| p.storage.stripes),
    range("storage.buffer_count", 1, 2_147_483_647, |p| p.storage.buffer_count),
    range("assumed_mib_per_second", 1, 10_000, |p| Some(p.assumed_mib_per_second)),
    range("speed_margin_percent", 0, 400, |p| Some(p.speed_margin_percent)),
    range("promotions_per_day", 0, 24, |p| Some(p.promotions_per_day)),
];

const fn range(field: &'static str, min: u32, max: u32, read: fn(&Policy) -> Option<u32>) -> Range {
    Range { field, min, max, read }
}

/// Sizes of a physical block that BACKUP knows, in bytes (BLOCKSIZE, "BACKUP" in the SQL Server documentation).
const BLOCK_BYTES: [u32; 8] = [512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536];

/// The unit of MAXTRANSFERSIZE, and the greatest on any device, S3 URLs ("BACKUP" in the SQL Server documentation). RDS ends
/// at 4 MiB.
const TRANSFER_UNIT_BYTES: u32 = 65_536;
const TRANSFER_BYTES_MAX: u32 = 20 * 1_048_576;

impl Policy {
    /// A policy with nothing but what must be said.
    pub fn new(name: impl Into<String>, objectives: Objectives, schedule: Schedule) -> Self {
        Self {
            name: name.into(),
            objectives,
            schedule,
            retention: Retention::default(),
            storage: Storage::default(),
            exclude: Vec::new(),
            assumed_mib_per_second: assumed_mib_per_second(),
            speed_margin_percent: speed_margin_percent(),
            promotions_per_day: promotions_per_day(),
        }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// `PolicyOutOfRange`: the first value that is out of its range, with the range.
    pub fn validate(&self) -> Result<(), Reason> {
        for Range { field, min, max, read } in RANGES {
            if let Some(value) = read(self).filter(|value| !(min..=max).contains(value)) {
                return Err(self.refuse(field, &format!("{value} is not in {min} to {max}")));
            }
        }
        self.check_times("schedule.full", &self.schedule.full)?;
        if let Some(differential) = &self.schedule.differential {
            self.check_times("schedule.differential", differential)?;
            if let Some(day) = differential.shared_day(&self.schedule.full) {
                let day = day.strftime("%A %Y-%m-%d");
                let what = format!("{day} is also a day of the full, which makes a differential needless");
                return Err(self.refuse("schedule.differential", &what));
            }
        }
        for guard in &self.schedule.guards {
            if let Some(day) = guard.days.iter().find(|day| weekday(day).is_none()) {
                let what = format!("{day:?} is no day: write mon, tue, ... sun");
                return Err(self.refuse("schedule.guards.days", &what));
            }
            if guard.days.is_empty() {
                return Err(self.refuse("schedule.guards.days", "no day is named"));
            }
        }
        if self.retention.yearly.is_some_and(|yearly| !(1..=12).contains(&yearly.month)) {
            return Err(self.refuse("retention.yearly.month", "no month: write 1 to 12"));
        }
        self.check_transfer()?;
        self.zone().map(|_| ())
    }

    fn check_times(&self, field: &str, times: &Times) -> Result<(), Reason> {
        times.fault().map_or(Ok(()), |(part, what)| Err(self.refuse(&format!("{field}.{part}"), &what)))
    }

    fn check_transfer(&self) -> Result<(), Reason> {
        let Storage { max_transfer_bytes: transfer, block_bytes: block, .. } = self.storage;
        let units = TRANSFER_UNIT_BYTES..=TRANSFER_BYTES_MAX;
        let odd = |bytes: &u32| !bytes.is_multiple_of(TRANSFER_UNIT_BYTES) || !units.contains(bytes);
        if let Some(bytes) = transfer.filter(odd) {
            let what = format!("{bytes} is no multiple of 65536 up to {TRANSFER_BYTES_MAX}");
            return Err(self.refuse("storage.max_transfer_bytes", &what));
        }
        match block.filter(|bytes| !BLOCK_BYTES.contains(bytes)) {
            Some(bytes) => {
                Err(self
                    .refuse("storage.block_bytes", &format!("{bytes} is no power of two in 512 to 65536")))
            }
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

    /// Whether a database is protected.
    pub fn protects(&self, database: &str) -> bool {
        !self.exclude.iter().any(|pattern| matches(pattern, database))
    }

    /// What may be lost of a database; nothing is promised of one that is not protected.
    pub fn rpo_of(&self, database: &str) -> Option<RpoMinutes> {
        self.protects(database).then_some(self.objectives.rpo_minutes)
    }

    fn refuse(&self, field: &str, what: &str) -> Reason {
        Reason::new(Class::Human, "PolicyOutOfRange", format!("policy {}: {field}: {what}", self.name))
            .guidance("correct the value in the policy and apply it again")
    }
}

/// Whether a name fits a pattern in which `*` stands for any run of characters. Case does not matter.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    // Without a star the pattern is the name.
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The leftmost place of each leaves the most room for those that follow.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Weekly full on Sunday at 01:00 UTC, log copy every two hours, seven days.
    pub(crate) fn weekly() -> Policy {
        let objectives = Objectives {
            window_days: 7,
            rpo_minutes: RpoMinutes { damage: 10, instance: 150 },
            rto_minutes: None,
        };
        let schedule = Schedule {
            time_zone: "Etc/UTC".to_owned(),
            full: Times::weekly(&["sun"], Time::constant(1, 0, 0, 0)),
            differential: None,
            log_copy: LogCopySchedule { every_minutes: 120 },
            guards: Vec::new(),
        };
        Policy::new("weekly", objectives, schedule)
    }

    /// The same with a differential at 20:00 UTC on every day without a full.
    pub(crate) fn with_differentials() -> Policy {
        let days = ["mon", "tue", "wed", "thu", "fri", "sat"];
        let mut policy = weekly();
        policy.schedule.differential = Some(Times::weekly(&days, Time::constant(20, 0, 0, 0)));
        policy
    }

    #[test]
    fn fields_are_those_that_are_written() {
        let mut policy = weekly();
        policy.exclude.push("scratch".to_owned());
        let written = serde_json::to_value(&policy).unwrap();
        let written: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
        let mut fields = Policy::FIELDS;
        fields.sort_unstable();
        assert_eq!(written, fields);
    }

    fn guard(days: &[&str]) -> Guard {
        let days = days.iter().map(|day| (*day).to_owned()).collect();
        Guard { days, from: Time::midnight(), to: Time::constant(8, 0, 0, 0) }
    }

    #[test]
    fn excluded_names_are_patterns_without_case() {
        for (pattern, name, excluded) in [
            ("scratch", "Scratch", true),
            ("scratch", "scratch2", false),
            ("tmp*", "TMP_1", true),
            ("*_old", "orders_old", true),
            ("*_old", "orders_older", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXc", false),
            ("ab*ba", "aba", false),
            ("*", "anything", true),
            ("", "", true),
            ("", "x", false),
            ("a**b", "ab", true),
        ] {
            let mut policy = weekly();
            policy.exclude.push(pattern.to_owned());
            assert_eq!(!policy.protects(name), excluded, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        type Spoil = fn(&mut Policy);
        fn differential(policy: &mut Policy) -> &mut Times {
            policy.schedule.differential.as_mut().unwrap()
        }
        assert_eq!(weekly().validate(), Ok(()));
        assert_eq!(with_differentials().validate(), Ok(()));
        let spoil: [(&str, Spoil); 20] = [
            ("window_days: 0", |p| p.objectives.window_days = 0),
            ("damage: 4", |p| p.objectives.rpo_minutes.damage = 4),
            ("every_minutes: 5761", |p| p.schedule.log_copy.every_minutes = 5_761),
            ("no day", |p| p.schedule.full.days.clear()),
            ("\"sunday\" is no day", |p| p.schedule.full.days = vec!["sunday".to_owned()]),
            ("speed_margin_percent: 401", |p| p.speed_margin_percent = 401),
            ("promotions_per_day: 25", |p| p.promotions_per_day = 25),
            ("rto_minutes: 4", |p| p.objectives.rto_minutes = Some(4)),
            ("differential.days: no day", |p| differential(p).days.clear()),
            ("differential: Sunday 2024-01-07 is also a day of the full", |p| {
                differential(p).days.push("Sun".to_owned());
            }),
            ("full.month_days: days and month_days exclude", |p| {
                p.schedule.full.month_days.push(MonthDay::Last);
            }),
            ("retention.weekly.keep: 0", |p| {
                p.retention.weekly = Some(Weekly { keep: 0, day: jiff::civil::Weekday::Sunday });
            }),
            ("retention.yearly.month: no month", |p| {
                p.retention.yearly = Some(Yearly { keep: 1, month: 13, day: MonthDay::Last });
            }),
            ("storage.max_transfer_bytes: 65535", |p| p.storage.max_transfer_bytes = Some(65_535)),
            ("storage.max_transfer_bytes: 0 is", |p| p.storage.max_transfer_bytes = Some(0)),
            ("storage.block_bytes: 513", |p| p.storage.block_bytes = Some(513)),
            ("guards.days: no day", |p| p.schedule.guards.push(guard(&[]))),
            ("guards.days: \"day\" is no day", |p| p.schedule.guards.push(guard(&["day"]))),
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
