//! What stands in a row? Cells by column name, as the types the rules use; never a panic, whatever the server sent.
//!
//! A cell that is NULL is `None`; a cell of another type, or with a value that cannot be, is a `RowUnreadable` that names
//! table and column. Wider than the documented types on purpose: an int may come as bigint, a number as text with a `%`,
//! because only some of the service's column types are documented.

use domain::id::Guid;
use domain::lsn::Lsn;
use domain::reason::{Class, Reason};
use jiff::civil::DateTime;
use tiberius::{ColumnData, Row};

use crate::dates;

/// One row being read.
pub(crate) struct Cells<'a> {
    table: &'static str,
    row: &'a Row,
    /// Column expected next: rows are read in the order they were asked for, so a name costs one comparison.
    next: usize,
}

impl<'a> Cells<'a> {
    /// `table` is for messages.
    pub(crate) fn new(table: &'static str, row: &'a Row) -> Self {
        Self { table, row, next: 0 }
    }

    /// The reason that a cell cannot be read.
    pub(crate) fn unreadable(&self, column: &str, what: impl std::fmt::Display) -> Reason {
        Reason::new(Class::Human, "RowUnreadable", format!("{}.{column}: {what}", self.table))
            .guidance("run the query by hand and compare the row with the documented columns")
    }

    fn cell(&mut self, column: &str) -> Result<&'a ColumnData<'static>, Reason> {
        let columns = self.row.columns();
        let named =
            |at: usize| columns.get(at).is_some_and(|found| found.name().eq_ignore_ascii_case(column));
        let found = if named(self.next) { Some(self.next) } else { (0..columns.len()).find(|at| named(*at)) };
        let at = found.ok_or_else(|| self.unreadable(column, "the column is missing"))?;
        self.next = at + 1;
        self.row.get_column_data(at).map_err(|error| self.unreadable(column, error))
    }

    fn wrong(&self, column: &str, cell: &ColumnData<'static>, wanted: &str) -> Reason {
        self.unreadable(column, format_args!("{} is no {wanted}", kind(cell)))
    }

    /// The value of a cell that must not be NULL.
    pub(crate) fn required<T>(&self, column: &str, value: Option<T>) -> Result<T, Reason> {
        value.ok_or_else(|| self.unreadable(column, "is NULL"))
    }

    /// A text.
    pub(crate) fn text(&mut self, column: &str) -> Result<Option<&'a str>, Reason> {
        match self.cell(column)? {
            ColumnData::String(text) => Ok(text.as_deref()),
            cell if is_null(cell) => Ok(None),
            cell => Err(self.wrong(column, cell, "text")),
        }
    }

    /// A text that must not be NULL.
    pub(crate) fn some_text(&mut self, column: &str) -> Result<&'a str, Reason> {
        let text = self.text(column)?;
        self.required(column, text)
    }

    /// A whole number.
    pub(crate) fn int(&mut self, column: &str) -> Result<Option<i64>, Reason> {
        let cell = self.cell(column)?;
        match cell {
            ColumnData::String(Some(_)) | ColumnData::F32(Some(_)) | ColumnData::F64(Some(_)) => {
                Err(self.wrong(column, cell, "whole number"))
            }
            cell => match whole(cell) {
                Some(value) => i64::try_from(value)
                    .map(Some)
                    .map_err(|_| self.unreadable(column, format_args!("{value} is out of range"))),
                None if is_null(cell) => Ok(None),
                None => Err(self.wrong(column, cell, "whole number")),
            },
        }
    }

    /// A whole number that fits `T` and must not be NULL.
    pub(crate) fn some_int<T: TryFrom<i64>>(&mut self, column: &str) -> Result<T, Reason> {
        let value = self.int(column)?;
        let value = self.required(column, value)?;
        T::try_from(value).map_err(|_| self.unreadable(column, format_args!("{value} is out of range")))
    }

    /// A count that is not negative.
    pub(crate) fn count(&mut self, column: &str) -> Result<Option<u64>, Reason> {
        self.int(column)?
            .map(|value| {
                u64::try_from(value)
                    .map_err(|_| self.unreadable(column, format_args!("{value} is out of range")))
            })
            .transpose()
    }

    /// A number; a text such as `35 %` counts.
    pub(crate) fn number(&mut self, column: &str) -> Result<Option<f64>, Reason> {
        let cell = self.cell(column)?;
        let value = match cell {
            ColumnData::F32(value) => value.map(f64::from),
            ColumnData::F64(value) => *value,
            ColumnData::Numeric(Some(value)) => {
                Some(value.value() as f64 / 10_f64.powi(i32::from(value.scale())))
            }
            ColumnData::String(Some(text)) => {
                let digits = text.trim().trim_end_matches('%').trim_end();
                Some(digits.parse().map_err(|_| self.unreadable(column, "the text is no number"))?)
            }
            cell => match whole(cell) {
                Some(value) => Some(value as f64),
                None if is_null(cell) => None,
                None => return Err(self.wrong(column, cell, "number")),
            },
        };
        Ok(value)
    }

    /// A bit.
    pub(crate) fn flag(&mut self, column: &str) -> Result<Option<bool>, Reason> {
        let cell = self.cell(column)?;
        match (cell, whole(cell)) {
            (ColumnData::Bit(flag), _) => Ok(*flag),
            (_, Some(0)) => Ok(Some(false)),
            (_, Some(1)) => Ok(Some(true)),
            (cell, None) if is_null(cell) => Ok(None),
            (cell, _) => Err(self.wrong(column, cell, "bit")),
        }
    }

    /// A GUID, as SQL Server prints it, upper case; `None` for NULL, for nothing and for zeros.
    pub(crate) fn guid(&mut self, column: &str) -> Result<Option<Guid>, Reason> {
        match self.cell(column)? {
            ColumnData::Guid(guid) => {
                let mut text = [0; 36];
                Ok(guid.and_then(|guid| Guid::known(guid.hyphenated().encode_upper(&mut text))))
            }
            ColumnData::String(Some(text)) => Ok(Guid::known(text.trim())),
            cell if is_null(cell) => Ok(None),
            cell => Err(self.wrong(column, cell, "GUID")),
        }
    }

    /// A log sequence number, `numeric(25,0)`.
    pub(crate) fn lsn(&mut self, column: &str) -> Result<Option<Lsn>, Reason> {
        let cell = self.cell(column)?;
        if let ColumnData::String(Some(text)) = cell {
            return text.trim().parse().map(Some).map_err(|error| self.unreadable(column, error));
        }
        match whole(cell) {
            Some(value) => u128::try_from(value)
                .ok()
                .and_then(Lsn::new)
                .map(Some)
                .ok_or_else(|| self.unreadable(column, format_args!("{value} is no LSN"))),
            None if is_null(cell) => Ok(None),
            None => Err(self.wrong(column, cell, "LSN")),
        }
    }

    /// A date and time without a zone.
    pub(crate) fn moment(&mut self, column: &str) -> Result<Option<DateTime>, Reason> {
        let cell = self.cell(column)?;
        let moment = match cell {
            ColumnData::DateTime(Some(value)) => dates::from_datetime(*value),
            ColumnData::SmallDateTime(Some(value)) => dates::from_smalldatetime(*value),
            ColumnData::DateTime2(Some(value)) => dates::from_datetime2(*value),
            cell if is_null(cell) => return Ok(None),
            cell => return Err(self.wrong(column, cell, "date")),
        };
        moment.map(Some).ok_or_else(|| self.unreadable(column, "there is no such date"))
    }

    /// A date and time that must not be NULL.
    pub(crate) fn some_moment(&mut self, column: &str) -> Result<DateTime, Reason> {
        let moment = self.moment(column)?;
        self.required(column, moment)
    }
}

/// A whole number of any width, when the cell holds one.
fn whole(cell: &ColumnData<'static>) -> Option<i128> {
    match cell {
        ColumnData::U8(value) => value.map(i128::from),
        ColumnData::I16(value) => value.map(i128::from),
        ColumnData::I32(value) => value.map(i128::from),
        ColumnData::I64(value) => value.map(i128::from),
        ColumnData::Numeric(Some(value)) if value.dec_part() == 0 => Some(value.int_part()),
        _ => None,
    }
}

fn is_null(cell: &ColumnData<'static>) -> bool {
    kind_and_null(cell).1
}

fn kind(cell: &ColumnData<'static>) -> &'static str {
    kind_and_null(cell).0
}

/// The SQL type a cell came as, and whether it is NULL.
fn kind_and_null(cell: &ColumnData<'static>) -> (&'static str, bool) {
    match cell {
        ColumnData::U8(value) => ("tinyint", value.is_none()),
        ColumnData::I16(value) => ("smallint", value.is_none()),
        ColumnData::I32(value) => ("int", value.is_none()),
        ColumnData::I64(value) => ("bigint", value.is_none()),
        ColumnData::F32(value) => ("real", value.is_none()),
        ColumnData::F64(value) => ("float", value.is_none()),
        ColumnData::Bit(value) => ("bit", value.is_none()),
        ColumnData::String(value) => ("nvarchar", value.is_none()),
        ColumnData::Guid(value) => ("uniqueidentifier", value.is_none()),
        ColumnData::Binary(value) => ("varbinary", value.is_none()),
        ColumnData::Numeric(value) => ("numeric", value.is_none()),
        ColumnData::Xml(value) => ("xml", value.is_none()),
        ColumnData::DateTime(value) => ("datetime", value.is_none()),
        ColumnData::SmallDateTime(value) => ("smalldatetime", value.is_none()),
        ColumnData::Time(value) => ("time", value.is_none()),
        ColumnData::Date(value) => ("date", value.is_none()),
        ColumnData::DateTime2(value) => ("datetime2", value.is_none()),
        ColumnData::DateTimeOffset(value) => ("datetimeoffset", value.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use tiberius::numeric::Numeric;
    use tiberius::{ColumnType, Uuid, time};

    use super::*;

    fn row(cell: ColumnData<'static>) -> Row {
        Row::builder()
            .column("before", ColumnType::Int4, ColumnData::I32(Some(7)))
            .column("c", ColumnType::SSVariant, cell)
            .build()
    }

    fn with<T>(
        cell: ColumnData<'static>,
        read: impl FnOnce(&mut Cells<'_>) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let row = row(cell);
        read(&mut Cells::new("t", &row))
    }

    #[test]
    fn numbers_of_every_width_are_read_and_others_refused() {
        for (cell, expected) in [
            (ColumnData::U8(Some(1)), Ok(Some(1))),
            (ColumnData::I16(Some(-2)), Ok(Some(-2))),
            (ColumnData::I64(Some(i64::MIN)), Ok(Some(i64::MIN))),
            (ColumnData::Numeric(Some(Numeric::new_with_scale(500, 2))), Ok(Some(5))),
            (
                ColumnData::Numeric(Some(Numeric::new_with_scale(505, 2))),
                Err("t.c: numeric is no whole number"),
            ),
            (
                ColumnData::Numeric(Some(Numeric::new_with_scale(i128::from(i64::MAX) + 1, 0))),
                Err("t.c: 9223372036854775808 is out of range"),
            ),
            (ColumnData::I32(None), Ok(None)),
            (ColumnData::String(None), Ok(None)),
            (ColumnData::String(Some("5".into())), Err("t.c: nvarchar is no whole number")),
        ] {
            let read = with(cell, |cells| cells.int("c")).map_err(|reason| reason.message);
            assert_eq!(read, expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn percent_may_come_as_any_number_or_as_text() {
        for (cell, expected) in [
            (ColumnData::Numeric(Some(Numeric::new_with_scale(3_550, 2))), Ok(Some(35.5))),
            (ColumnData::String(Some(" 35 % ".into())), Ok(Some(35.0))),
            (ColumnData::F32(Some(0.5)), Ok(Some(0.5))),
            (ColumnData::I32(Some(100)), Ok(Some(100.0))),
            (ColumnData::F64(None), Ok(None)),
            (ColumnData::String(Some("half".into())), Err("t.c: the text is no number".to_owned())),
        ] {
            assert_eq!(with(cell, |cells| cells.number("c")).map_err(|reason| reason.message), expected);
        }
    }

    #[test]
    fn guids_are_upper_case_and_zeros_are_unknown() {
        let guid = Uuid::from_u128(0xABCD);
        let read = |cell| with(cell, |cells| cells.guid("c")).unwrap();
        assert_eq!(
            read(ColumnData::Guid(Some(guid))).unwrap().as_str(),
            "00000000-0000-0000-0000-00000000ABCD"
        );
        assert_eq!(read(ColumnData::Guid(Some(Uuid::nil()))), None);
        assert_eq!(read(ColumnData::Guid(None)), None);
        assert_eq!(read(ColumnData::String(Some("x".into()))), Some(Guid::from("X")));
    }

    #[test]
    fn lsns_have_at_most_25_digits() {
        let numeric = |value| ColumnData::Numeric(Some(Numeric::new_with_scale(value, 0)));
        for (cell, expected) in [
            (numeric(17_126_658_000_000_314_600_038), Ok(Some("17126658000000314600038"))),
            (numeric(10_i128.pow(25)), Err("t.c: 10000000000000000000000000 is no LSN")),
            (numeric(-1), Err("t.c: -1 is no LSN")),
            (ColumnData::String(Some("12".into())), Ok(Some("12"))),
            (ColumnData::Numeric(None), Ok(None)),
            (ColumnData::Bit(Some(true)), Err("t.c: bit is no LSN")),
        ] {
            let read = with(cell, |cells| cells.lsn("c")).map_err(|reason| reason.message);
            assert_eq!(
                read.map(|lsn| lsn.map(|lsn| lsn.to_string())),
                expected.map(|lsn| lsn.map(str::to_owned)).map_err(str::to_owned)
            );
        }
    }

    #[test]
    fn a_missing_column_and_a_null_are_named() {
        assert_eq!(with(ColumnData::I32(Some(2)), |cells| cells.int("C")), Ok(Some(2)), "names have no case");
        let read = with(ColumnData::I32(None), |cells| cells.some_int::<i64>("c"));
        assert_eq!(read.unwrap_err().message, "t.c: is NULL");
        let read = with(ColumnData::I32(None), |cells| cells.some_text("d").map(str::len));
        assert_eq!(read.unwrap_err().message, "t.d: the column is missing");
        let read = with(ColumnData::I32(Some(2)), |cells| cells.flag("c"));
        assert_eq!(read.unwrap_err().message, "t.c: int is no bit");
        let read = with(ColumnData::I32(Some(-1)), |cells| cells.count("c"));
        assert_eq!(read.unwrap_err().message, "t.c: -1 is out of range");
        let read =
            with(ColumnData::DateTime(Some(time::DateTime::new(i32::MAX, 0))), |cells| cells.moment("c"));
        assert_eq!(read.unwrap_err().message, "t.c: there is no such date");
    }

    fn any_cell() -> impl Strategy<Value = ColumnData<'static>> {
        prop_oneof![
            any::<Option<u8>>().prop_map(ColumnData::U8),
            any::<Option<i64>>().prop_map(ColumnData::I64),
            any::<Option<f64>>().prop_map(ColumnData::F64),
            any::<Option<bool>>().prop_map(ColumnData::Bit),
            any::<Option<String>>().prop_map(|text| ColumnData::String(text.map(Into::into))),
            any::<Option<u128>>().prop_map(|guid| ColumnData::Guid(guid.map(Uuid::from_u128))),
            any::<Option<Vec<u8>>>().prop_map(|bytes| ColumnData::Binary(bytes.map(Into::into))),
            any::<(i128, u8)>().prop_map(|(value, scale)| ColumnData::Numeric(Some(
                Numeric::new_with_scale(value, scale % 39)
            ))),
            any::<(i32, u32)>()
                .prop_map(|(days, part)| ColumnData::DateTime(Some(time::DateTime::new(days, part)))),
            any::<(u16, u16)>().prop_map(|(days, part)| ColumnData::SmallDateTime(Some(
                time::SmallDateTime::new(days, part)
            ))),
            any::<(u32, u64, u8)>().prop_map(|(days, ticks, scale)| ColumnData::DateTime2(Some(
                time::DateTime2::new(time::Date::new(days >> 8), time::Time::new(ticks, scale))
            ))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(11),
            ..ProptestConfig::default()
        })]
        #[test]
        fn no_cell_makes_a_reader_panic(cell in any_cell()) {
            let row = row(cell);
            let cells = &mut Cells::new("t", &row);
            let _ = cells.text("c");
            let _ = cells.int("c");
            let _ = cells.count("c");
            let _ = cells.number("c");
            let _ = cells.flag("c");
            let _ = cells.guid("c");
            let _ = cells.lsn("c");
            let _ = cells.moment("c");
        }
    }
}
