//! What is kept beyond the promised window: fulls by generation, differentials, backups on demand.
//!
//! The window itself is `objectives.window_days`: it keeps every log in it and what those logs need. A generation keeps single
//! fulls for longer, as restore points: the first good one of each period on or after its anchor day. Ranges as Azure Backup
//! for SQL Server has them (days 7 to 9,999, weeks to 5,163, months to 1,188, years to 99), without its minimum.

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use super::MonthDay;
use crate::calendar::{weekday, weekday_letters};

/// What is kept beyond the promised window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The first full of each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Daily>,
    /// The first full of each week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// The first full of each month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Monthly>,
    /// The first full of each year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yearly: Option<Yearly>,
    /// Days for which a differential stays a restore point, its base with it. 1 to 3,650; as long as the window when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differential_days: Option<u32>,
    /// Days for which a copy-only full is kept: somebody asked for it, no schedule did. 1 to 36,500. Azure Backup keeps one for
    /// 45 days at least.
    #[serde(default = "on_demand_days")]
    pub on_demand_days: u32,
}

const fn on_demand_days() -> u32 {
    45
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            daily: None,
            weekly: None,
            monthly: None,
            yearly: None,
            differential_days: None,
            on_demand_days: on_demand_days(),
        }
    }
}

/// The first full of each day of the schedule's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Daily {
    /// Days for which it is kept. 1 to 9,999.
    pub keep: u32,
}

/// The first full of each week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// Weeks for which it is kept. 1 to 5,163.
    pub keep: u32,
    /// The day on which a week begins: `"sun"`. What is taken later in the week serves when that day's full did not come about.
    #[serde(with = "letters", default = "sunday")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub day: Weekday,
}

/// The first full of each month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Monthly {
    /// Months for which it is kept. 1 to 1,188.
    pub keep: u32,
    /// The day on which a period begins: `1`, `"last"`, `"first sun"`.
    #[serde(default = "first")]
    pub day: MonthDay,
}

/// The first full of each year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Yearly {
    /// Years for which it is kept. 1 to 99.
    pub keep: u32,
    /// The month in which a period begins, 1 to 12.
    #[serde(default = "january")]
    pub month: i8,
    /// The day of that month on which it begins.
    #[serde(default = "first")]
    pub day: MonthDay,
}

const fn sunday() -> Weekday {
    Weekday::Sunday
}

const fn first() -> MonthDay {
    MonthDay::Number(1)
}

const fn january() -> i8 {
    1
}

/// A day of the week by its three letters.
mod letters {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Weekday, weekday, weekday_letters};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(day: &Weekday, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(weekday_letters(*day))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Weekday, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refuse = || serde::de::Error::custom(format!("{text:?} is no day: write mon, tue, ... sun"));
        weekday(&text).ok_or_else(refuse)
    }
}
