//! What does AWS charge? Dated rows, on-demand prices of US East (N. Virginia) in US dollars; whoever pays others overrides them.
//!
//! A row is a value with unit, Region, source and date. Rows whose source is a published page say which; the others are
//! general knowledge, to be confirmed in the price list before anyone relies on them, and say that.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::reason::{Class, Reason};

/// What is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// S3 Standard.
    S3Standard,
    /// Requests of S3 that write or list.
    S3Put,
    /// State transitions of Standard workflows; retries count.
    Transition,
    /// Invocations of Lambda.
    Invocation,
    /// Memory of Lambda over time, arm64.
    LambdaGbSecond,
    /// Write request units of DynamoDB, on demand.
    WriteUnit,
    /// Read request units of DynamoDB, on demand.
    ReadUnit,
    /// Storage of DynamoDB.
    TableStorage,
    /// A key of KMS.
    KmsKey,
    /// Requests of KMS.
    KmsRequest,
    /// A secret.
    Secret,
    /// Calls of Secrets Manager.
    SecretCall,
    /// A custom metric of CloudWatch.
    Metric,
    /// An alarm of CloudWatch.
    Alarm,
    /// Logs that CloudWatch takes in.
    LogIngestion,
    /// An interface endpoint in one availability zone.
    EndpointHour,
}

/// A price.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Price {
    /// For what.
    pub item: Item,
    /// The name by which a fleet overrides it.
    pub name: &'static str,
    /// US dollars for `per` units.
    pub usd: f64,
    /// How many units the price is for.
    pub per: u32,
    /// The unit.
    pub unit: &'static str,
    /// Region it holds for.
    pub region: &'static str,
    /// Who says so.
    pub source: &'static str,
    /// Of when it is: year and month.
    pub date: &'static str,
}

/// The Region of the rows.
pub const REGION: &str = "us-east-1";

const UNCONFIRMED: &str = "general knowledge, to be confirmed in the AWS price list";
const DATE: &str = "2026-11";

const fn row(
    (item, name): (Item, &'static str),
    usd: f64,
    (per, unit): (u32, &'static str),
    source: &'static str,
) -> Price {
    Price { item, name, usd, per, unit, region: REGION, source, date: DATE }
}

/// All rows.
pub const PRICES: [Price; 16] = [
    row((Item::S3Standard, "s3_standard"), 0.023, (1, "GB-month, first 50 TB"), UNCONFIRMED),
    row((Item::S3Put, "s3_put"), 0.005, (1_000, "PUT or LIST requests"), UNCONFIRMED),
    row((Item::Transition, "transition"), 0.025, (1_000, "state transitions"), "AWS Step Functions pricing"),
    row((Item::Invocation, "invocation"), 0.20, (1_000_000, "requests"), "AWS Lambda pricing"),
    row(
        (Item::LambdaGbSecond, "lambda_gb_second"),
        0.000_013_333_4,
        (1, "GB-second, arm64"),
        "AWS Lambda pricing",
    ),
    row(
        (Item::WriteUnit, "write_unit"),
        0.625,
        (1_000_000, "write request units"),
        "Amazon DynamoDB pricing",
    ),
    row((Item::ReadUnit, "read_unit"), 0.125, (1_000_000, "read request units"), "Amazon DynamoDB pricing"),
    row((Item::TableStorage, "table_storage"), 0.25, (1, "GB-month"), UNCONFIRMED),
    row((Item::KmsKey, "kms_key"), 1.00, (1, "key a month"), UNCONFIRMED),
    row((Item::KmsRequest, "kms_request"), 0.03, (10_000, "requests"), UNCONFIRMED),
    row((Item::Secret, "secret"), 0.40, (1, "secret a month"), UNCONFIRMED),
    row((Item::SecretCall, "secret_call"), 0.05, (10_000, "calls"), UNCONFIRMED),
    row((Item::Metric, "metric"), 0.30, (1, "custom metric a month"), UNCONFIRMED),
    row((Item::Alarm, "alarm"), 0.10, (1, "alarm a month"), UNCONFIRMED),
    row((Item::LogIngestion, "log_ingestion"), 0.50, (1, "GB of logs"), UNCONFIRMED),
    row((Item::EndpointHour, "endpoint_hour"), 0.01, (1, "hour and availability zone"), UNCONFIRMED),
];

/// Prices, some of them overridden.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices(Vec<Price>);

impl Default for Prices {
    fn default() -> Self {
        Self(PRICES.to_vec())
    }
}

impl Prices {
    /// The rows with some values replaced, by name.
    ///
    /// # Errors
    /// `PriceUnknown`: no row has that name, or the value is no price.
    pub fn with(overrides: &BTreeMap<String, f64>) -> Result<Self, Reason> {
        let mut prices = Self::default();
        for (name, usd) in overrides {
            let refuse =
                |what: String| Reason::new(Class::Human, "PriceUnknown", format!("prices.{name}: {what}"));
            let Some(row) = prices.0.iter_mut().find(|row| row.name == name) else {
                let names: Vec<&str> = PRICES.iter().map(|row| row.name).collect();
                return Err(refuse(format!("no such price: write one of {}", names.join(", "))));
            };
            if !usd.is_finite() || *usd < 0.0 {
                return Err(refuse(format!(
                    "{usd} is no price: write US dollars for {} {}",
                    row.per, row.unit
                )));
            }
            (row.usd, row.source) = (*usd, "the fleet's own");
        }
        Ok(prices)
    }

    /// The rows.
    pub fn rows(&self) -> &[Price] {
        &self.0
    }

    /// US dollars for so many units.
    pub fn of(&self, item: Item, units: f64) -> f64 {
        self.0
            .iter()
            .find(|row| row.item == item)
            .map_or(0.0, |row| row.usd * units / f64::from(row.per.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_once_with_source_and_date() {
        for (at, row) in PRICES.iter().enumerate() {
            assert!(
                PRICES[..at].iter().all(|other| other.item != row.item && other.name != row.name),
                "{row:?}"
            );
            assert!(row.usd > 0.0 && row.per > 0 && !row.source.is_empty() && row.date.len() == 7, "{row:?}");
            assert_eq!(serde_json::to_value(row.item).unwrap(), row.name);
        }
    }

    #[test]
    fn prices_are_for_units_and_can_be_overridden() {
        let own = BTreeMap::from([("s3_standard".to_owned(), 0.05)]);
        let near = |usd: f64, expected: f64| assert!((usd - expected).abs() < 1e-9, "{usd} {expected}");
        near(Prices::default().of(Item::Transition, 4_000.0), 0.1);
        near(Prices::default().of(Item::S3Standard, 100.0), 2.3);
        near(Prices::with(&own).unwrap().of(Item::S3Standard, 100.0), 5.0);
        for (name, usd) in [("s3", 1.0), ("s3_put", -1.0), ("s3_put", f64::NAN)] {
            let refused = Prices::with(&BTreeMap::from([(name.to_owned(), usd)])).unwrap_err();
            assert_eq!(refused.name, "PriceUnknown");
            assert!(refused.message.starts_with(&format!("prices.{name}: ")), "{refused}");
        }
    }
}
