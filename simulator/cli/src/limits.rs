//! `bakproof limits`: every limit with value, source and date.

use std::io::Write;

use clap::ValueEnum;
use domain::limits::{Limit, Profile};
use domain::policy::{RANGES, Range};
use serde::Serialize;

use crate::{DONE, Stop, output};

/// Options of the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Of these documents only
    #[arg(long)]
    profile: Option<Documents>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A profile, as the command line names it.
#[derive(Debug, Clone, Copy)]
struct Documents(Profile);

impl ValueEnum for Documents {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Documents; Profile::ALL.len()] = {
            let mut all = [Documents(Profile::Rds); Profile::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = Documents(Profile::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

/// The JSON answer.
#[derive(Serialize)]
struct Answer {
    profiles: Vec<OfProfile>,
    policy: Vec<OfPolicy>,
}

#[derive(Serialize)]
struct OfProfile {
    profile: &'static str,
    limits: &'static [Limit],
}

#[derive(Serialize)]
struct OfPolicy {
    field: &'static str,
    min: u32,
    max: u32,
}

/// Prints the limits of all profiles, or of one, and the ranges of a policy's numbers.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Stop> {
    let chosen = |profile: &Profile| arguments.profile.is_none_or(|only| only.0 == *profile);
    let profiles = Profile::ALL.into_iter().filter(chosen);
    if arguments.json {
        let profiles = profiles
            .map(|profile| OfProfile { profile: profile.as_str(), limits: profile.limits() })
            .collect();
        let policy =
            RANGES.iter().map(|Range { field, min, max, .. }| OfPolicy { field, min: *min, max: *max });
        let answer = Answer { profiles, policy: policy.collect() };
        output::json(&answer, out)?;
        return Ok(DONE);
    }
    for profile in profiles {
        let default = if profile == Profile::default() { ", the default of a vault" } else { "" };
        writeln!(out, "Profile {}{default}", profile.as_str())?;
        for Limit { value, unit, says, source, date, .. } in profile.limits() {
            writeln!(
                out,
                "  {:>22} {:<12}{says}\n{:>37}{source}, {date}",
                grouped(*value),
                unit.as_str(),
                ""
            )?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Ranges of a policy's numbers")?;
    for Range { field, min, max, .. } in RANGES {
        writeln!(out, "  {field:<36}{:>6} to {}", grouped(u64::from(min)), grouped(u64::from(max)))?;
    }
    Ok(DONE)
}

/// `12,345,678`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        let said = [0, 12, 123, 1_234, 12_345, 1_234_567, u64::MAX].map(grouped);
        let expected = ["0", "12", "123", "1,234", "12,345", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(said, expected);
    }
}
