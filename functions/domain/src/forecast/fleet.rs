//! What is to be protected, as far as anybody can say before anything runs: a TOML document of instances and databases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::{DailyWindow, WeeklyWindow};
use crate::facts::{InstanceFacts, MultiAz, OptionState};
use crate::limits::Profile;
use crate::prices::Prices;
use crate::reason::{Class, Reason};

/// A fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fleet {
    /// The limits that hold for its vault: `rds`, `url`.
    #[serde(default)]
    pub profile: Profile,
    /// Interface endpoints of the functions' network.
    #[serde(default)]
    pub network: Network,
    /// What of CloudWatch is charged beside the functions' logs.
    #[serde(default)]
    pub cloudwatch: CloudWatch,
    /// Prices that are not the ones of the table, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prices: BTreeMap<String, f64>,
    /// Instances.
    #[serde(rename = "instance")]
    pub instances: Vec<Server>,
}

/// Interface endpoints: S3 and DynamoDB have gateways, which cost nothing; RDS, KMS and Secrets Manager need one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Endpoints. 0 to 50.
    #[serde(default = "endpoints")]
    pub interface_endpoints: u32,
    /// Availability zones that each is in. 1 to 6.
    #[serde(default = "zones")]
    pub availability_zones: u32,
}

const fn endpoints() -> u32 {
    3
}

const fn zones() -> u32 {
    2
}

impl Default for Network {
    fn default() -> Self {
        Self { interface_endpoints: endpoints(), availability_zones: zones() }
    }
}

/// Custom metrics and alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudWatch {
    /// Custom metrics. 0 to 100,000.
    #[serde(default)]
    pub metrics: u32,
    /// Alarms. 0 to 100,000.
    #[serde(default)]
    pub alarms: u32,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Identifier.
    pub name: String,
    /// Engine with its edition as RDS spells it: `sqlserver-se`, `sqlserver-ee`, `sqlserver-web`, `sqlserver-ex`.
    #[serde(default = "standard")]
    pub engine: String,
    /// Standby.
    #[serde(default = "single")]
    pub multi_az: MultiAz,
    /// Window of the automated backup, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_window: Option<DailyWindow>,
    /// Maintenance window, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_window: Option<WeeklyWindow>,
    /// Days of automated backups, 0 to 35: none means no log files on RDS.
    #[serde(default = "retention")]
    pub retention_days: u16,
    /// Whether storage is encrypted: then log copies need a KMS key.
    #[serde(default)]
    pub storage_encrypted: bool,
    /// Mebibytes of database that a backup gets through in a second. 1 to 100,000.
    pub backup_mib_per_second: u32,
    /// The same of a restore; as a backup when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_mib_per_second: Option<u32>,
    /// Databases.
    #[serde(rename = "database")]
    pub databases: Vec<Group>,
}

fn standard() -> String {
    "sqlserver-se".to_owned()
}

const fn single() -> MultiAz {
    MultiAz::SingleAz
}

const fn retention() -> u16 {
    7
}

/// One database, or several alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name, or what they are called together.
    pub name: String,
    /// How many. 1 to 10,000.
    #[serde(default = "one")]
    pub count: u32,
    /// Gibibytes of each.
    pub size_gib: f64,
    /// Gibibytes that each gains a day.
    #[serde(default)]
    pub growth_gib_per_day: f64,
    /// Mebibytes of log that each writes in an hour, over the week.
    pub change_mib_per_hour: f64,
    /// Bytes of a full in the vault, per cent of the database. 1 to 200.
    #[serde(default = "whole")]
    pub stored_percent: u32,
}

const fn one() -> u32 {
    1
}

const fn whole() -> u32 {
    100
}

/// The largest size and rate that are taken, in gibibytes: an exbibyte.
const GIB_MAX: f64 = 1_073_741_824.0;

impl Fleet {
    /// Checks every value.
    ///
    /// # Errors
    /// `FleetOutOfRange`: the first value that cannot be, with its place and range.
    pub fn validate(&self) -> Result<(), Reason> {
        in_range("network.interface_endpoints", self.network.interface_endpoints, 0, 50)?;
        in_range("network.availability_zones", self.network.availability_zones, 1, 6)?;
        in_range("cloudwatch.metrics", self.cloudwatch.metrics, 0, 100_000)?;
        in_range("cloudwatch.alarms", self.cloudwatch.alarms, 0, 100_000)?;
        if self.instances.is_empty() {
            return Err(refuse("instance", "the fleet has none: add [[instance]]"));
        }
        let mut names: Vec<&str> = self.instances.iter().map(|server| server.name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(refuse("instance", &format!("two are called {name}: rename one")));
        }
        self.instances.iter().try_for_each(Server::validate)?;
        Prices::with(&self.prices).map(|_| ())
    }
}

impl Server {
    fn validate(&self) -> Result<(), Reason> {
        let at = |field: &str| format!("instance {}: {field}", self.name);
        in_range(&at("retention_days"), u32::from(self.retention_days), 0, 35)?;
        in_range(&at("backup_mib_per_second"), self.backup_mib_per_second, 1, 100_000)?;
        if let Some(speed) = self.restore_mib_per_second {
            in_range(&at("restore_mib_per_second"), speed, 1, 100_000)?;
        }
        if self.databases.is_empty() {
            return Err(refuse(&at("database"), "there is none: add [[instance.database]]"));
        }
        for group in &self.databases {
            let at = |field: &str| format!("instance {}, database {}: {field}", self.name, group.name);
            in_range(&at("count"), group.count, 1, 10_000)?;
            in_range(&at("stored_percent"), group.stored_percent, 1, 200)?;
            positive(&at("size_gib"), group.size_gib, f64::MIN_POSITIVE)?;
            positive(&at("growth_gib_per_day"), group.growth_gib_per_day, 0.0)?;
            positive(&at("change_mib_per_hour"), group.change_mib_per_hour, 0.0)?;
        }
        Ok(())
    }

    /// What rules about instances read, as the control plane would tell it.
    pub fn facts(&self) -> InstanceFacts {
        InstanceFacts {
            name: self.name.clone(),
            arn: String::new(),
            status: "available".to_owned(),
            engine: self.engine.clone(),
            engine_version: String::new(),
            multi_az: self.multi_az,
            backup_window: self.backup_window,
            maintenance_window: self.maintenance_window,
            retention_days: self.retention_days,
            backup_option: OptionState::Enabled,
            storage_encrypted: self.storage_encrypted,
            read_replica: false,
            resource_id: None,
        }
    }

    /// Databases.
    pub fn count(&self) -> u64 {
        self.databases.iter().map(|group| u64::from(group.count)).sum()
    }

    /// Bytes a second of a backup.
    pub fn backup_bytes_per_second(&self) -> u64 {
        u64::from(self.backup_mib_per_second) << 20
    }

    /// Bytes a second of a restore.
    pub fn restore_bytes_per_second(&self) -> u64 {
        u64::from(self.restore_mib_per_second.unwrap_or(self.backup_mib_per_second)) << 20
    }
}

impl Group {
    /// Bytes of each so many days from now.
    pub fn bytes_in(&self, days: u32) -> u64 {
        whole_bytes((self.size_gib + self.growth_gib_per_day * f64::from(days)) * f64::from(1 << 30))
    }

    /// Bytes of log in so many hours.
    pub fn log_bytes(&self, hours: f64) -> u64 {
        whole_bytes(self.change_mib_per_hour * hours * f64::from(1 << 20))
    }

    /// Bytes of a full in the vault.
    pub fn stored(&self, bytes: u64) -> u64 {
        let stored = u128::from(bytes) * u128::from(self.stored_percent) / 100;
        u64::try_from(stored).unwrap_or(u64::MAX)
    }
}

/// Rounds up to whole bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked not to be negative; a float cast saturates"
)]
pub(super) fn whole_bytes(bytes: f64) -> u64 {
    bytes.ceil() as u64
}

fn refuse(field: &str, what: &str) -> Reason {
    Reason::new(Class::Human, "FleetOutOfRange", format!("{field}: {what}"))
}

fn in_range(field: &str, value: u32, min: u32, max: u32) -> Result<(), Reason> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(refuse(field, &format!("{value} is not in {min} to {max}")))
}

fn positive(field: &str, value: f64, least: f64) -> Result<(), Reason> {
    if value.is_finite() && (least..=GIB_MAX).contains(&value) {
        return Ok(());
    }
    let bound = if least > 0.0 { "above 0" } else { "0 or more" };
    Err(refuse(field, &format!("{value} is not {bound} and at most {GIB_MAX}")))
}
