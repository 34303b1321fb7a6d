//! Server-local dates and what turns them into moments.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::ImportError;
use super::cell::{Cell, Place};

/// `time_zone` of a row that does not know it.
const UNKNOWN_TIME_ZONE: i64 = 127;

/// Quarter hours that a clock can differ from UTC: from -12 to +14 hours.
const QUARTER_HOURS: std::ops::RangeInclusive<i64> = -48..=56;

/// The zone of a server: an offset or a name of the IANA database.
#[derive(Debug, Clone)]
pub struct SourceZone(TimeZone);

/// A text that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is no time zone; mend: write UTC, an offset such as +02:00, or an IANA name such as Europe/Berlin"
)]
pub struct NoZone(String);

impl FromStr for SourceZone {
    type Err = NoZone;

    fn from_str(text: &str) -> Result<Self, NoZone> {
        let zone = match text.as_bytes() {
            b"UTC" | b"Z" => Some(TimeZone::UTC),
            [b'+' | b'-', ..] => offset(text).map(TimeZone::fixed),
            _ => TimeZone::get(text).ok(),
        };
        zone.map(Self).ok_or_else(|| NoZone(super::shown(text)))
    }
}

impl SourceZone {
    /// Whether it has one offset for all times: UTC or an offset, and no name.
    pub(crate) fn is_fixed(&self) -> bool {
        self.0.to_fixed_offset().is_ok()
    }

    /// The local time of a moment, and whether another moment has the same one because a clock was put back.
    pub fn local(&self, at: Timestamp) -> (DateTime, bool) {
        let local = self.0.to_datetime(at);
        (local, self.0.to_ambiguous_timestamp(local).is_ambiguous())
    }
}

/// `+02:00`, `-0530` or `+2`.
fn offset(text: &str) -> Option<Offset> {
    let digits = text[1..].replace(':', "");
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    let sign = if text.starts_with('-') { -1 } else { 1 };
    (hours <= 14 && minutes < 60)
        .then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())
        .flatten()
}

/// How the dates of one row are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Zone<'a> {
    /// The row tells its offset.
    Known(Offset),
    /// The user tells the zone.
    Given(&'a SourceZone),
    /// Nobody tells: UTC.
    Unknown,
}

/// The zone of a row, and the quarter hours it tells.
pub(super) fn zone<'a>(
    cell: &Cell<'_>,
    source_zone: Option<&'a SourceZone>,
    place: Place,
) -> Result<(Zone<'a>, Option<i8>), ImportError> {
    let told = cell.integer(place)?.filter(|quarters| *quarters != UNKNOWN_TIME_ZONE);
    let Some(quarters) = told else {
        return Ok((source_zone.map_or(Zone::Unknown, Zone::Given), None));
    };
    let offset = i32::try_from(quarters).ok().filter(|_| QUARTER_HOURS.contains(&quarters));
    let offset = offset.and_then(|quarters| Offset::from_seconds(quarters * 900).ok());
    match (offset, i8::try_from(quarters)) {
        (Some(offset), Ok(quarters)) => Ok((Zone::Known(offset), Some(quarters))),
        _ => Err(place.error(
            format!("{quarters} quarter hours are no offset from UTC"),
            "write quarter hours between -48 and 56, or 127 where it is not known",
        )),
    }
}

/// A date of a row; `None` where there is none.
pub(super) fn moment(
    cell: &Cell<'_>,
    zone: Zone<'_>,
    place: Place,
) -> Result<Option<Timestamp>, ImportError> {
    let text = match cell {
        Cell::Nothing => return Ok(None),
        Cell::Text(text) => text.trim(),
        _ => return Err(wrong(cell, place)),
    };
    if text.is_empty() {
        return Ok(None);
    }
    parse(text, zone).map(Some).ok_or_else(|| wrong(cell, place))
}

fn wrong(cell: &Cell<'_>, place: Place) -> ImportError {
    let given = match cell {
        Cell::Text(text) => super::shown(text),
        _ => "this".to_owned(),
    };
    place.error(format!("{given} is no date"), "write ISO 8601 as a string: 2026-01-31T23:59:59")
}

/// A text with its own offset means that moment, whatever the zone of the row.
fn parse(text: &str, zone: Zone<'_>) -> Option<Timestamp> {
    let time = text.get(10..)?;
    if time.contains(['Z', 'z', '+', '-', '[']) {
        return text.parse().ok();
    }
    let local: DateTime = text.parse().ok()?;
    match zone {
        Zone::Known(offset) => offset.to_timestamp(local).ok(),
        Zone::Given(zone) => zone.0.to_timestamp(local).ok(),
        Zone::Unknown => Offset::UTC.to_timestamp(local).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_offsets_or_names() {
        let zoned = |zone: &str| -> Result<Timestamp, NoZone> {
            let zone: SourceZone = zone.parse()?;
            Ok(parse("2026-07-01T12:00:00", Zone::Given(&zone)).unwrap())
        };
        for (zone, expected) in [
            ("UTC", "2026-07-01T12:00:00Z"),
            ("+02:00", "2026-07-01T10:00:00Z"),
            ("-0530", "2026-07-01T17:30:00Z"),
            ("+1", "2026-07-01T11:00:00Z"),
            ("Europe/Berlin", "2026-07-01T10:00:00Z"),
        ] {
            assert_eq!(zoned(zone).unwrap(), expected.parse().unwrap(), "{zone}");
        }
        for zone in ["", "+", "+99", "+01:77", "Mars/Base", "+é", "-123456"] {
            assert!(zoned(zone).is_err(), "{zone}");
        }
    }

    #[test]
    fn dates_are_local_unless_they_say_otherwise() {
        for (text, expected) in [
            ("2026-01-31T23:59:59", Some("2026-01-31T23:59:59Z")),
            ("2026-01-31 23:59:59.123", Some("2026-01-31T23:59:59.123Z")),
            ("2026-01-31T23:59:59Z", Some("2026-01-31T23:59:59Z")),
            ("2026-01-31T23:59:59+01:00", Some("2026-01-31T22:59:59Z")),
            ("2026-02-30T00:00:00", None),
            ("yesterday, at noon", None),
            ("é", None),
        ] {
            assert_eq!(parse(text, Zone::Unknown), expected.map(|at| at.parse().unwrap()), "{text}");
        }
    }
}
