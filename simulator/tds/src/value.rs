//! Types and values of columns and parameters. MS-TDS 2.2.5.4 and 2.2.5.5.

/// A column of a result set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name, as a client sees it; may be empty and may repeat.
    pub name: String,
    /// Type.
    pub sql_type: SqlType,
    /// Whether values may be NULL.
    pub nullable: bool,
}

/// The types this front can describe and send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// bit.
    Bit,
    /// tinyint.
    TinyInt,
    /// smallint.
    SmallInt,
    /// int.
    Int,
    /// bigint.
    BigInt,
    /// float(53).
    Float,
    /// numeric with precision and scale; LSNs are numeric(25,0).
    Numeric {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// nvarchar of at most so many characters; `None` is max.
    NVarChar(Option<u16>),
    /// varchar of at most so many bytes; `None` is max.
    VarChar(Option<u16>),
    /// varbinary of at most so many bytes; `None` is max.
    VarBinary(Option<u16>),
    /// date.
    Date,
    /// datetime: 1/300 s steps since 1900-01-01.
    DateTime,
    /// datetime2 with so many fractional digits.
    DateTime2(u8),
    /// uniqueidentifier.
    UniqueIdentifier,
}

/// A value. What a column cannot hold is an error of the server's owner, reported when the response is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL of whatever type the column has.
    Null,
    /// bit.
    Bit(bool),
    /// Any of the integer types; range-checked against the column when written.
    Int(i64),
    /// float.
    Float(f64),
    /// numeric: `mantissa / 10^scale`.
    Numeric {
        /// All digits as one integer.
        mantissa: i128,
        /// Digits behind the point.
        scale: u8,
    },
    /// Text, for nvarchar and varchar alike.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// date, datetime and datetime2: nanoseconds since 1970-01-01 00:00 in the server's own clock, without a zone; rounded to
    /// what the column can hold when written (datetime ends in 0, 3 or 7 milliseconds, as SQL Server rounds).
    DateTime(i128),
    /// uniqueidentifier, bytes in the order they are printed (`00112233-4455-...` is `[0x00, 0x11, ...]`).
    Guid([u8; 16]),
}
