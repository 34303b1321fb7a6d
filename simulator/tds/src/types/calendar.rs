//! Which day and tick is a nanosecond, and back? The calendars of datetime, datetime2 and their relatives.
//!
//! Refuses to know zones and clocks: times here are a server's own wall clock, nanoseconds since 1970-01-01 00:00.
//! Sources: MS-TDS 2.2.5.5.1.8 (wire), Transact-SQL reference "datetime" (rounding to 0, 3 or 7 milliseconds; range from
//! 1753) and "datetime2" (range 0001 to 9999).

/// Nanoseconds of a day.
pub(crate) const DAY_NANOSECONDS: i128 = 86_400_000_000_000;
/// Days from 0001-01-01 to 1970-01-01.
const DAYS_0001_TO_1970: i128 = 719_162;
/// Days from 1900-01-01 to 1970-01-01.
const DAYS_1900_TO_1970: i128 = 25_567;
/// Days from 0001-01-01 to 9999-12-31.
const DAYS_0001_MAX: i128 = 3_652_058;
/// 1753-01-01 in days since 1900-01-01: where datetime begins.
const DAYS_1900_MIN: i128 = -53_690;
/// 9999-12-31 in days since 1900-01-01.
const DAYS_1900_MAX: i128 = DAYS_0001_MAX - DAYS_0001_TO_1970 + DAYS_1900_TO_1970;
/// Ticks of datetime in a day: 300 a second.
const DAY_TICKS: i128 = 300 * 86_400;
/// Minutes of a day, the unit of smalldatetime.
const DAY_MINUTES: i128 = 1_440;
/// Nanoseconds since 1970 of 1900-01-01 00:00, the day SQL Server gives a time converted to datetime.
pub(crate) const DAY_OF_TIME_NANOSECONDS: i128 = -DAYS_1900_TO_1970 * DAY_NANOSECONDS;

/// Units of time of day at a scale of 0 to 7: `10^scale` a second.
fn day_units(scale: u8) -> i128 {
    86_400 * 10_i128.pow(u32::from(scale.min(7)))
}

/// Nanoseconds of one unit at a scale of 0 to 7.
fn unit_nanoseconds(scale: u8) -> i128 {
    10_i128.pow(9 - u32::from(scale.min(7)))
}

/// Splits into a day of the given count and a fraction of it, rounded half up; rounding may reach the next day.
fn split(nanoseconds: i128, epoch_days: i128, units_per_day: i128) -> (i128, i128) {
    let day = nanoseconds.div_euclid(DAY_NANOSECONDS);
    let of_day = nanoseconds.rem_euclid(DAY_NANOSECONDS);
    let units = (2 * of_day * units_per_day + DAY_NANOSECONDS) / (2 * DAY_NANOSECONDS);
    if units == units_per_day { (day + 1 + epoch_days, 0) } else { (day + epoch_days, units) }
}

/// datetime: days since 1900-01-01 and ticks of 1/300 s, or nothing outside of 1753 to 9999.
pub(crate) fn to_datetime(nanoseconds: i128) -> Option<(i32, u32)> {
    let (days, ticks) = split(nanoseconds, DAYS_1900_TO_1970, DAY_TICKS);
    if !(DAYS_1900_MIN..=DAYS_1900_MAX).contains(&days) {
        return None;
    }
    Some((i32::try_from(days).ok()?, u32::try_from(ticks).ok()?))
}

/// Back from [`to_datetime`], to the millisecond that SQL Server prints.
pub(crate) fn from_datetime(days: i32, ticks: u32) -> Option<i128> {
    let (days, ticks) = (i128::from(days), i128::from(ticks));
    if !(DAYS_1900_MIN..=DAYS_1900_MAX).contains(&days) || ticks >= DAY_TICKS {
        return None;
    }
    let milliseconds = (20 * ticks + 3) / 6;
    Some((days - DAYS_1900_TO_1970) * DAY_NANOSECONDS + milliseconds * 1_000_000)
}

/// smalldatetime: days since 1900-01-01 and minutes.
pub(crate) fn from_small_datetime(days: u16, minutes: u16) -> Option<i128> {
    let minutes = i128::from(minutes);
    (minutes < DAY_MINUTES).then(|| {
        (i128::from(days) - DAYS_1900_TO_1970) * DAY_NANOSECONDS + minutes * (DAY_NANOSECONDS / DAY_MINUTES)
    })
}

/// datetime2: days since 0001-01-01 and units of `10^-scale` s, or nothing outside of 0001 to 9999.
pub(crate) fn to_datetime2(nanoseconds: i128, scale: u8) -> Option<(u32, u64)> {
    let (days, units) = split(nanoseconds, DAYS_0001_TO_1970, day_units(scale));
    if !(0..=DAYS_0001_MAX).contains(&days) {
        return None;
    }
    Some((u32::try_from(days).ok()?, u64::try_from(units).ok()?))
}

/// The day of a moment: days since 0001-01-01.
pub(crate) fn to_date(nanoseconds: i128) -> Option<u32> {
    let days = nanoseconds.div_euclid(DAY_NANOSECONDS) + DAYS_0001_TO_1970;
    u32::try_from(days).ok().filter(|days| i128::from(*days) <= DAYS_0001_MAX)
}

/// A date: days since 0001-01-01, as nanoseconds since 1970 of its midnight.
pub(crate) fn from_date(days: u32) -> Option<i128> {
    let days = i128::from(days);
    (days <= DAYS_0001_MAX).then_some((days - DAYS_0001_TO_1970) * DAY_NANOSECONDS)
}

/// A time of day in units of `10^-scale` s, as nanoseconds since midnight.
pub(crate) fn from_time(units: u64, scale: u8) -> Option<i128> {
    let units = i128::from(units);
    (units < day_units(scale)).then(|| units * unit_nanoseconds(scale))
}

/// Bytes that a time of day takes at a scale. MS-TDS 2.2.5.5.1.8.
pub(crate) fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: i128 = 1_000_000;

    #[test]
    fn datetime_ends_in_0_3_or_7_milliseconds() {
        // Transact-SQL reference, "Rounding of datetime fractional second precision".
        for (milliseconds, expected) in [
            (0, 0),
            (1, 0),
            (2, 3),
            (3, 3),
            (4, 3),
            (5, 7),
            (6, 7),
            (7, 7),
            (8, 7),
            (9, 10),
            (990, 990),
            (991, 990),
            (992, 993),
            (993, 993),
            (994, 993),
            (995, 997),
            (996, 997),
            (997, 997),
            (998, 997),
            (999, 1_000),
        ] {
            let (days, ticks) = to_datetime(milliseconds * MILLISECOND).unwrap();
            assert_eq!(from_datetime(days, ticks), Some(expected * MILLISECOND), "{milliseconds} ms");
        }
    }

    #[test]
    fn datetime_has_its_range() {
        let last = (2_932_896 + 1) * DAY_NANOSECONDS;
        assert_eq!(to_datetime(0), Some((25_567, 0)));
        assert_eq!(to_datetime(last - 3 * MILLISECOND), Some((2_958_463, 25_919_999)));
        assert_eq!(to_datetime(last - MILLISECOND), None, "rounds into year 10000");
        let first = (-DAYS_1900_TO_1970 + DAYS_1900_MIN) * DAY_NANOSECONDS;
        assert_eq!(to_datetime(first), Some((-53_690, 0)));
        assert_eq!(to_datetime(first - 4 * MILLISECOND), None);
        assert_eq!(from_datetime(0, 25_920_000), None);
        assert_eq!(from_datetime(i32::MIN, 0), None);
        assert_eq!(to_datetime(DAY_NANOSECONDS - 1), Some((25_568, 0)), "rounds into the next day");
    }

    #[test]
    fn datetime2_rounds_to_its_scale() {
        for (nanoseconds, scale, days, units) in [
            (0, 7, 719_162, 0),
            (149, 7, 719_162, 1),
            (150, 7, 719_162, 2),
            (1_499_999_999, 0, 719_162, 1),
            (1_500_000_000, 0, 719_162, 2),
            (DAY_NANOSECONDS - 1, 3, 719_163, 0),
            (-1, 7, 719_162, 0),
            (-100, 7, 719_161, 863_999_999_999),
        ] {
            assert_eq!(to_datetime2(nanoseconds, scale), Some((days, units)), "{nanoseconds} ns at {scale}");
        }
        assert_eq!(to_datetime2(-DAYS_0001_TO_1970 * DAY_NANOSECONDS, 7), Some((0, 0)));
        assert_eq!(to_datetime2(-DAYS_0001_TO_1970 * DAY_NANOSECONDS - 100, 7), None);
        assert_eq!(from_date(3_652_059), None);
        assert_eq!(from_time(86_400, 0), None);
        assert_eq!(from_time(1, 7), Some(100));
    }

    #[test]
    fn small_datetime_counts_minutes() {
        assert_eq!(from_small_datetime(25_567, 1), Some(60_000_000_000));
        assert_eq!(from_small_datetime(0, 1_440), None);
    }
}
