//! What is written behind STOPAT? A local time of the server, on a tick of `datetime`.
//!
//! Which local time a moment had is the word of the server's own backups: each tells the offset of its clock when it started.

use domain::backup::Backup;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::{Naming, Script};
use crate::import::SourceZone;

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// Ticks of `datetime` in a second (`datetime`, SQL Server documentation).
const TICKS: i128 = 300;

/// When the server prints a tick of a second: .000, .003, .007, .010, and so on; in nanoseconds.
const fn printed(tick: i128) -> i128 {
    (tick * 10 + 1) / 3 * 1_000_000
}

/// The tick that stands for a moment, as the server prints it.
///
/// Commits lie on ticks, so those strictly before a moment are those before the first tick that is not. A moment that
/// is printed like a tick was copied from the server and means that tick, although .007 lies behind its 6.67 ms.
fn tick(at: Timestamp) -> Timestamp {
    let (second, part) = (at.as_nanosecond().div_euclid(SECOND), at.as_nanosecond().rem_euclid(SECOND));
    let below = part * TICKS / SECOND;
    // Ticks that are whole nanoseconds, every third, are printed as what they are.
    let is_behind = printed(below) != part;
    let tick = below + i128::from(is_behind);
    Timestamp::from_nanosecond(second * SECOND + printed(tick)).unwrap_or(at)
}

/// `2026-11-16T10:00:00.003`.
fn datetime(local: DateTime) -> String {
    let whole = local.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{whole}.{:03}", local.subsec_nanosecond() / 1_000_000)
}

/// The offsets in quarter hours that the history knows nearest to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Around {
    /// Of the newest backup that started then or earlier.
    before: Option<i8>,
    /// Of the oldest backup that started later.
    after: Option<i8>,
}

impl Around {
    fn of(backups: &[Backup], at: Timestamp) -> Self {
        let mut before: Option<(Timestamp, i8)> = None;
        let mut after: Option<(Timestamp, i8)> = None;
        for backup in backups {
            let Some(quarters) = backup.time_zone_quarter_hours else { continue };
            let started = backup.started;
            if started <= at {
                if before.is_none_or(|(newest, _)| newest <= started) {
                    before = Some((started, quarters));
                }
            } else if after.is_none_or(|(oldest, _)| started < oldest) {
                after = Some((started, quarters));
            }
        }
        Self { before: before.map(|(_, quarters)| quarters), after: after.map(|(_, quarters)| quarters) }
    }

    fn nearest(self) -> Option<i8> {
        self.before.or(self.after)
    }

    /// Whether the clock was put forward or back in between.
    fn changes(self) -> bool {
        matches!((self.before, self.after), (Some(before), Some(after)) if before != after)
    }

    /// Whether a zone that the user tells for silent backups knows more than the backups do.
    fn yields_to(self, zone: &SourceZone) -> bool {
        self.nearest().is_none() || (self.changes() && !zone.is_fixed())
    }
}

/// A moment as the server that is to stop there reads it.
pub(super) fn stop(at: Timestamp, backups: &[Backup], naming: &Naming, script: &mut Script) -> String {
    let around = Around::of(backups, at);
    let at = tick(at);
    let source_zone = naming.source_zone.as_ref().filter(|zone| around.yields_to(zone));
    if let Some(zone) = naming.target_zone.as_ref().or(source_zone) {
        let (local, is_ambiguous) = zone.local(at);
        let local = datetime(local);
        if is_ambiguous {
            script.warn(format!(
                "{local} is a local time that comes twice: STOPAT cannot tell which of the two is meant"
            ));
        }
        return local;
    }
    let quarters = around.nearest();
    let offset = Offset::from_seconds(i32::from(quarters.unwrap_or(0)) * 900).unwrap_or(Offset::UTC);
    if quarters.is_none() {
        script.warn("the backups do not tell the server's time zone: STOPAT is written in UTC; name the zone with --target-zone");
    } else if around.changes() {
        script.warn(format!(
            "the server's clock was put forward or back between the backups before and after the moment: STOPAT is written at {offset}, as before; name the zone with --target-zone"
        ));
    }
    datetime(offset.to_datetime(at))
}

#[cfg(test)]
mod tests {
    use domain::notation;

    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_stop_is_the_first_tick_that_is_not_before_the_moment() {
        for (text, expected) in [
            ("10:00:00", "10:00:00.000"),
            ("10:00:00.000000001", "10:00:00.003"),
            ("10:00:00.001", "10:00:00.003"),
            ("10:00:00.003333333", "10:00:00.003"),
            ("10:00:00.003333334", "10:00:00.007"),
            ("10:00:00.004", "10:00:00.007"),
            ("10:00:00.006999999", "10:00:00.010"),
            ("10:00:00.008", "10:00:00.010"),
            ("10:00:00.010", "10:00:00.010"),
            ("10:00:00.500", "10:00:00.500"),
            // The server's own print of a tick is that tick.
            ("10:00:30.003", "10:00:30.003"),
            ("10:00:30.007", "10:00:30.007"),
            ("10:00:30.997", "10:00:30.997"),
            // Behind the last tick of a second comes the first of the next.
            ("10:00:30.997000001", "10:00:31.000"),
            ("10:59:59.998", "11:00:00.000"),
            ("23:59:59.999999999", "00:00:00.000"),
        ] {
            for day in ["1966-11-15", "2026-11-16"] {
                let ticked = datetime(Offset::UTC.to_datetime(tick(moment(&format!("{day}T{text}Z")))));
                assert_eq!(ticked.split_once('T').unwrap().1, expected, "{day} {text}");
            }
        }
        // A second that ends where the clock is put forward: there is no 02:00:00 on that day.
        let zone: SourceZone = "Europe/Berlin".parse().unwrap();
        let carried = zone.local(tick(moment("2026-03-29T00:59:59.999Z"))).0;
        assert_eq!(datetime(carried), "2026-03-29T03:00:00.000");
    }

    #[test]
    fn a_local_time_that_comes_twice_is_told() {
        let naming = Naming { target_zone: Some("Europe/Berlin".parse().unwrap()), ..Naming::default() };
        for (text, local, count) in [
            ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00.000", 1),
            ("2026-10-25T01:30:00Z", "2026-10-25T02:30:00.000", 1),
            ("2026-10-25T03:30:00Z", "2026-10-25T04:30:00.000", 0),
        ] {
            let mut script = Script::default();
            assert_eq!(stop(moment(text), &[], &naming, &mut script), local);
            assert_eq!(script.warnings.len(), count, "{text}: {script:?}");
        }
    }

    /// Backups at two o'clock, UTC, of some days of October with the offset they tell.
    fn told(days: &[(u32, Option<i8>)]) -> Vec<Backup> {
        let mut rows = notation::backups("F1").unwrap();
        let row = rows.remove(0);
        days.iter()
            .map(|(day, quarters)| {
                let started = moment(&format!("2026-10-{day:02}T02:00:00Z"));
                let finished = started + jiff::SignedDuration::from_hours(30);
                Backup { started, finished, time_zone_quarter_hours: *quarters, ..row.clone() }
            })
            .collect()
    }

    #[test]
    fn the_offset_is_the_one_in_force_at_the_moment() {
        let (summer, winter) = (Some(8), Some(4));
        let zone = |name: &str| Some(name.parse().unwrap());
        let rows = told(&[(26, winter), (10, summer), (24, summer), (27, None)]);
        // (rows, moment, target zone, source zone, local time, warnings)
        for (rows, at, target, source, expected, warned) in [
            // Before the change, with the log that holds it started in summer; and when all that is known comes later.
            (&rows[..], "2026-10-12T12:00:00Z", None, None, "2026-10-12T14:00:00.000", None),
            (&rows, "2026-10-01T12:00:00Z", None, None, "2026-10-01T14:00:00.000", None),
            // After it, whatever the rows before and the ones that do not tell.
            (&rows, "2026-10-26T02:00:00Z", None, None, "2026-10-26T03:00:00.000", None),
            (&rows, "2026-10-28T12:00:00Z", None, None, "2026-10-28T13:00:00.000", None),
            // In between: told, unless somebody knows.
            (&rows, "2026-10-25T12:00:00Z", None, None, "2026-10-25T14:00:00.000", Some("at +02, as before")),
            (
                &rows,
                "2026-10-25T12:00:00Z",
                None,
                zone("+01:00"),
                "2026-10-25T14:00:00.000",
                Some("--target-zone"),
            ),
            (
                &rows,
                "2026-10-25T12:00:00Z",
                None,
                zone("UTC"),
                "2026-10-25T14:00:00.000",
                Some("--target-zone"),
            ),
            (&rows, "2026-10-25T12:00:00Z", None, zone("Europe/Berlin"), "2026-10-25T13:00:00.000", None),
            (
                &rows,
                "2026-10-25T12:00:00Z",
                zone("Asia/Tokyo"),
                zone("Europe/Berlin"),
                "2026-10-25T21:00:00.000",
                None,
            ),
            // A zone for silent rows yields to rows that tell.
            (&rows, "2026-10-12T12:00:00Z", None, zone("Asia/Tokyo"), "2026-10-12T14:00:00.000", None),
            // Nobody tells.
            (&rows[3..], "2026-10-12T12:00:00Z", None, zone("Asia/Tokyo"), "2026-10-12T21:00:00.000", None),
            (&rows[3..], "2026-10-12T12:00:00Z", None, None, "2026-10-12T12:00:00.000", Some("in UTC")),
        ] {
            let mut script = Script::default();
            let naming = Naming { target_zone: target, source_zone: source, target_name: None };
            assert_eq!(stop(moment(at), rows, &naming, &mut script), expected, "{at} {naming:?}");
            let warnings = script.warnings.join("\n");
            match warned {
                None => assert_eq!(warnings, "", "{at} {naming:?}"),
                Some(part) => assert!(warnings.contains(part), "{at} {naming:?}: {warnings}"),
            }
        }
    }
}
