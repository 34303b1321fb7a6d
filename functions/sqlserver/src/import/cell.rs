//! One value of a row, whatever its JSON type: rows are judged column by column, not by the parser.

use std::borrow::Cow;
use std::fmt;

use domain::lsn::{Lsn, LsnError};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{ImportError, Origin, shown};

/// A value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Cell<'a> {
    /// Absent or null.
    #[default]
    Nothing,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Real(f64),
    Text(Cow<'a, str>),
    List(Vec<Cell<'a>>),
    Object,
}

/// Where a value stands, to name it in an error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) origin: Origin,
    pub(super) column: &'static str,
}

impl Place {
    pub(super) fn error(self, what: impl Into<String>, mend: impl Into<String>) -> ImportError {
        ImportError::new(format!("{}.{}", self.origin, self.column), what, mend)
    }
}

impl<'a> Cell<'a> {
    /// What the value looks like.
    fn described(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Real(value) => format!("the floating number {value}"),
            Self::Text(text) => shown(text),
            Self::List(_) => "an array".to_owned(),
            Self::Object => "an object".to_owned(),
        }
    }

    fn wrong(&self, place: Place, wanted: &str, mend: &str) -> ImportError {
        place.error(format!("{} is no {wanted}", self.described()), mend)
    }

    /// A text; blanks at the end are `char(n)` padding.
    pub(super) fn text(self, place: Place) -> Result<Option<Cow<'a, str>>, ImportError> {
        match self {
            Self::Nothing => Ok(None),
            Self::Text(text) => Ok(Some(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
                Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
            })),
            other => Err(other.wrong(place, "text", "write it as a JSON string")),
        }
    }

    /// A bit: true and false, 0 and 1.
    pub(super) fn bit(&self, place: Place) -> Result<bool, ImportError> {
        match self {
            Self::Nothing | Self::Bool(false) | Self::Unsigned(0) => Ok(false),
            Self::Bool(true) | Self::Unsigned(1) => Ok(true),
            Self::Text(text) if text == "0" => Ok(false),
            Self::Text(text) if text == "1" => Ok(true),
            other => Err(other.wrong(place, "bit", "write true, false, 0 or 1")),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, place: Place) -> Result<Option<i64>, ImportError> {
        let number = match self {
            Self::Nothing => return Ok(None),
            Self::Integer(value) => Some(*value),
            Self::Unsigned(value) => i64::try_from(*value).ok(),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.wrong(place, "whole number", "write digits only"))
    }

    /// A size in bytes; `numeric(20,0)` columns may come with a fraction of zeros.
    pub(super) fn bytes(&self, place: Place) -> Result<u64, ImportError> {
        let size = match self {
            Self::Nothing => Some(0),
            Self::Unsigned(value) => Some(*value),
            Self::Text(text) => {
                let digits = text.trim();
                digits.parse().ok().or_else(|| digits.trim_end_matches(".0").parse().ok())
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "inside the range of exact floats"
            )]
            Self::Real(value) if (0.0..9e15).contains(value) => Some(*value as u64),
            _ => None,
        };
        size.ok_or_else(|| self.wrong(place, "size in bytes", "write digits only"))
    }

    /// An LSN as a string of digits or an integer.
    pub(super) fn lsn(&self, place: Place) -> Result<Option<Lsn>, ImportError> {
        const MEND: &str = "write LSNs as strings of up to 25 digits: CONVERT(varchar(25), the column)";
        let parsed = match self {
            Self::Nothing => return Ok(None),
            Self::Unsigned(value) => return Ok(Some(Lsn::from_u64(*value))),
            Self::Integer(_) => Err(LsnError::Negative),
            Self::Text(text) if text.trim().is_empty() => return Ok(None),
            Self::Text(text) => text.trim().parse(),
            other => return Err(other.wrong(place, "LSN", MEND)),
        };
        parsed.map(Some).map_err(|error| place.error(format!("{}: {error}", self.described()), MEND))
    }
}

/// Writes a value where it belongs: rows are wide and many, and a value that is returned is moved three times.
pub(super) struct Fill<'p, 'de>(pub(super) &'p mut Cell<'de>);

impl<'de> DeserializeSeed<'de> for Fill<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Fill<'_, 'de> {
    #[expect(clippy::unnecessary_wraps, reason = "what every visit returns")]
    fn with<E>(self, cell: Cell<'de>) -> Result<(), E> {
        *self.0 = cell;
        Ok(())
    }
}

impl<'de> Visitor<'de> for Fill<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.with(Cell::Nothing)
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.with(Cell::Bool(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.with(Cell::Integer(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.with(Cell::Unsigned(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.with(Cell::Real(value))
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.with(Cell::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.with(Cell::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut cells = Vec::new();
        let mut cell = Cell::Nothing;
        while seq.next_element_seed(Fill(&mut cell))?.is_some() {
            cells.push(std::mem::take(&mut cell));
        }
        self.with(Cell::List(cells))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.with(Cell::Object)
    }
}

/// A row with exactly these columns, by the names in `columns`; others are skipped. A column given twice keeps the last.
macro_rules! raw_row {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $column:path,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: $crate::import::cell::Cell<'a>,)*
        }

        impl<'de> serde::de::DeserializeSeed<'de> for &mut $name<'de> {
            type Value = ();
            fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                #[expect(non_camel_case_types, reason = "named as the columns are")]
                enum Column { $($field,)* Other }
                struct ColumnVisitor;
                impl serde::de::Visitor<'_> for ColumnVisitor {
                    type Value = Column;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("the name of a column")
                    }
                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Column, E> {
                        Ok(match name {
                            $($column => Column::$field,)*
                            _ => Column::Other,
                        })
                    }
                }
                impl<'de> serde::Deserialize<'de> for Column {
                    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        deserializer.deserialize_identifier(ColumnVisitor)
                    }
                }
                struct RowVisitor<'r, 'de>(&'r mut $name<'de>);
                impl<'de> serde::de::Visitor<'de> for RowVisitor<'_, 'de> {
                    type Value = ();
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a row: an object of columns")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                        let row = self.0;
                        while let Some(column) = map.next_key()? {
                            match column {
                                $(Column::$field => map.next_value_seed($crate::import::cell::Fill(&mut row.$field))?,)*
                                Column::Other => { map.next_value::<serde::de::IgnoredAny>()?; }
                            }
                        }
                        Ok(())
                    }
                }
                // Written in place, row after row: a row is a thousand bytes wide.
                $(self.$field = $crate::import::cell::Cell::Nothing;)*
                deserializer.deserialize_map(RowVisitor(self))
            }
        }
    };
}
pub(super) use raw_row;
