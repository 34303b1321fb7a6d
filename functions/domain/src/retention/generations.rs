//! Which fulls does the policy keep by generation, and until when?
//!
//! Of every day, week, month and year of the policy's zone the first good full that started in it: on its anchor day, or later
//! in the period where that day's full did not come about (Azure Backup for SQL Server tags by the anchor day and does not say
//! what follows a failed one). A tag lasts from the finish of its full, so a full that is late is kept as long as one on time.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde::Serialize;

use crate::backup::Backup;
use crate::policy::{MonthDay, Retention};

/// A generation of fulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Generation {
    /// One a day.
    Daily,
    /// One a week.
    Weekly,
    /// One a month.
    Monthly,
    /// One a year.
    Yearly,
}

impl Generation {
    /// The word of reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

/// That a full is the one of its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) row: u32,
    pub(super) generation: Generation,
    /// When it ends; `None` beyond representable time.
    pub(super) until: Option<Timestamp>,
}

/// One generation as a policy has it.
struct Rule {
    generation: Generation,
    keep: Span,
    period: fn(Date, &Retention) -> Option<Date>,
}

fn rules(retention: &Retention) -> Vec<Rule> {
    let days = retention.daily.map(|daily| Rule {
        generation: Generation::Daily,
        keep: i64::from(daily.keep).days(),
        period: |date, _| Some(date),
    });
    let weeks = retention.weekly.map(|weekly| Rule {
        generation: Generation::Weekly,
        keep: i64::from(weekly.keep).weeks(),
        period: |date, retention| week(date, retention.weekly?.day),
    });
    let months = retention.monthly.map(|monthly| Rule {
        generation: Generation::Monthly,
        keep: i64::from(monthly.keep).months(),
        period: |date, retention| month(date, retention.monthly?.day),
    });
    let years = retention.yearly.map(|yearly| Rule {
        generation: Generation::Yearly,
        keep: i64::from(yearly.keep).years(),
        period: |date, retention| year(date, retention.yearly?.month, retention.yearly?.day),
    });
    [days, weeks, months, years].into_iter().flatten().collect()
}

/// The tags of fulls, given as (row, backup) in any order.
pub(super) fn tags<'a>(
    fulls: impl Iterator<Item = (u32, &'a Backup)>,
    retention: &Retention,
    zone: &TimeZone,
) -> Vec<Tag> {
    let rules = rules(retention);
    if rules.is_empty() {
        return Vec::new();
    }
    let mut fulls: Vec<(u32, &Backup)> = fulls.collect();
    fulls.sort_by(|left, right| (left.1.started, &left.1.id).cmp(&(right.1.started, &right.1.id)));
    let mut tags = Vec::new();
    for rule in rules {
        let mut last = None;
        for (row, full) in &fulls {
            let period = (rule.period)(full.started.to_zoned(zone.clone()).date(), retention);
            if period.is_none() || period != last {
                let until = full.finished.to_zoned(zone.clone()).checked_add(rule.keep);
                let until = until.ok().map(|until| until.timestamp());
                tags.push(Tag { row: *row, generation: rule.generation, until });
            }
            last = period;
        }
    }
    tags
}

/// The day on which the week of a date began.
fn week(date: Date, first: Weekday) -> Option<Date> {
    let days = first.until(date.weekday());
    date.checked_sub(i64::from(days).days()).ok()
}

/// The day on which the month of a date began: this month's anchor day, or the one before.
fn month(date: Date, day: MonthDay) -> Option<Date> {
    let before = date.first_of_month().yesterday().ok();
    let here = day.in_month_of(date).filter(|anchor| *anchor <= date);
    here.or_else(|| day.in_month_of(before?))
}

/// The day on which the year of a date began.
fn year(date: Date, month: i8, day: MonthDay) -> Option<Date> {
    let anchor = |year: i16| day.in_month_of(Date::new(year, month, 1).ok()?);
    let here = anchor(date.year()).filter(|anchor| *anchor <= date);
    here.or_else(|| anchor(date.year().checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Kind;
    use crate::lsn::Lsn;
    use crate::policy::{Daily, Monthly, Week, Weekly, Yearly};

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_on_their_anchor_day() {
        for (on, expected) in [("2026-11-21", "2026-11-15"), ("2026-11-22", "2026-11-22")] {
            assert_eq!(week(date(on), Weekday::Sunday), Some(date(expected)), "{on}");
        }
        let first_sunday = MonthDay::Of(Week::First, Weekday::Sunday);
        for (on, day, expected) in [
            ("2026-11-15", MonthDay::Number(15), "2026-11-15"),
            ("2026-11-14", MonthDay::Number(15), "2026-10-15"),
            ("2026-03-30", MonthDay::Last, "2026-02-28"),
            ("2026-11-30", MonthDay::Last, "2026-11-30"),
            ("2026-11-01", first_sunday, "2026-11-01"),
            ("2026-10-03", first_sunday, "2026-09-06"),
        ] {
            assert_eq!(month(date(on), day), Some(date(expected)), "{on} {day:?}");
        }
        for (on, expected) in
            [("2026-02-27", "2025-02-28"), ("2026-02-28", "2026-02-28"), ("2028-03-01", "2028-02-29")]
        {
            assert_eq!(year(date(on), 2, MonthDay::Last), Some(date(expected)), "{on}");
        }
    }

    /// Fulls that start at these local times of New York and take half an hour.
    fn tagged(retention: &Retention, starts: &[&str]) -> Vec<(u32, Generation, String)> {
        let zone = TimeZone::get("America/New_York").unwrap();
        let fulls: Vec<Backup> = starts
            .iter()
            .map(|start| {
                let start = start.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone.clone()).unwrap();
                let finished = start.timestamp() + jiff::SignedDuration::from_mins(30);
                let mut full =
                    Backup::new(start.to_string(), "db", Kind::Full, (Lsn::ZERO, Lsn::ZERO), finished);
                full.started = start.timestamp();
                full
            })
            .collect();
        let told = |tag: Tag| {
            let until = tag.until.unwrap().to_zoned(zone.clone()).datetime().to_string();
            (tag.row, tag.generation, until)
        };
        tags((0_u32..).zip(&fulls), retention, &zone).into_iter().map(told).collect()
    }

    #[test]
    fn the_first_full_of_a_period_is_kept_by_the_calendar_of_its_zone() {
        let retention = Retention { daily: Some(Daily { keep: 7 }), ..Retention::default() };
        // The day on which clocks go back has 25 hours: seven days later is the same local time.
        assert_eq!(
            tagged(&retention, &["2026-10-31T23:00", "2026-11-01T00:10", "2026-11-01T23:50"]),
            [
                (0, Generation::Daily, "2026-11-07T23:30:00".to_owned()),
                (1, Generation::Daily, "2026-11-08T00:40:00".to_owned())
            ]
        );
        let retention = Retention {
            weekly: Some(Weekly { keep: 2, day: Weekday::Sunday }),
            monthly: Some(Monthly { keep: 1, day: MonthDay::Number(1) }),
            yearly: Some(Yearly { keep: 1, month: 1, day: MonthDay::Number(1) }),
            ..Retention::default()
        };
        // No full on Sunday: that of Monday serves for the week, and being the first of the year for month and year.
        assert_eq!(
            tagged(
                &retention,
                &["2027-01-04T01:00", "2027-01-06T01:00", "2027-01-31T01:00", "2027-02-01T01:00"]
            ),
            [
                (0, Generation::Weekly, "2027-01-18T01:30:00".to_owned()),
                (2, Generation::Weekly, "2027-02-14T01:30:00".to_owned()),
                (0, Generation::Monthly, "2027-02-04T01:30:00".to_owned()),
                (3, Generation::Monthly, "2027-03-01T01:30:00".to_owned()),
                (0, Generation::Yearly, "2028-01-04T01:30:00".to_owned()),
            ]
        );
    }
}
