//! What can be wrong: bytes of a client ([`ProtocolError`]), values of the owner ([`EncodeError`], [`ValueError`]).
//!
//! Refuses to know what a server does about it: whoever owns the connection closes it after a protocol error, and may
//! answer an encode error with a message of its own, since nothing of the failed response was written.

use thiserror::Error;

use crate::value::SqlType;

/// Bytes that are no TDS, or TDS this front does not speak. The connection is finished: send what output there is, close.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// A message ended inside a field.
    #[error("{part}: {what} at byte {at} needs {needed} bytes, {left} are left")]
    Truncated {
        /// Message it happened in.
        part: &'static str,
        /// Field that was read.
        what: &'static str,
        /// Offset in the message, in bytes.
        at: usize,
        /// Bytes the field needs.
        needed: usize,
        /// Bytes there were.
        left: usize,
    },
    /// A field holds what it may not hold.
    #[error("{part}: {what} at byte {at} cannot be {found:#x}")]
    Malformed {
        /// Message it happened in.
        part: &'static str,
        /// Field that was read.
        what: &'static str,
        /// Offset in the message, in bytes.
        at: usize,
        /// What was found.
        found: u64,
    },
    /// Something that is TDS but that this front does not serve.
    #[error("{part}: {what} ({found:#x}) at byte {at} is not served")]
    Unsupported {
        /// Message it happened in.
        part: &'static str,
        /// What is not served.
        what: &'static str,
        /// Offset in the message, in bytes.
        at: usize,
        /// The value that names it on the wire.
        found: u64,
    },
    /// A packet's length is outside of what is allowed now. MS-TDS 2.2.3.1.3.
    #[error("packet of {length} bytes; allowed are 8 to {max}")]
    PacketLength {
        /// Length in the header, in bytes.
        length: usize,
        /// Longest allowed now, in bytes.
        max: usize,
    },
    /// A packet type that does not belong here: unknown, or known but not at this time.
    #[error("packet type {found:#04x} is not expected {when}")]
    UnexpectedPacket {
        /// Type in the header.
        found: u8,
        /// What the connection was waiting for.
        when: &'static str,
    },
    /// A message grew over its limit.
    #[error("message of type {kind:#04x} is longer than {max} bytes")]
    MessageTooLong {
        /// Packet type.
        kind: u8,
        /// The limit, in bytes.
        max: usize,
    },
    /// More bytes wait unread than any client needs to send.
    #[error("more than {max} bytes sent without waiting for an answer")]
    TooMuchUnread {
        /// The limit, in bytes.
        max: usize,
    },
    /// The encryption a client insists on and the server's own do not meet. The pre-login answer is in the output.
    #[error("client asked for encryption {asked:#04x}, the server's is {server}")]
    Encryption {
        /// The client's ENCRYPTION option.
        asked: u8,
        /// The server's setting.
        server: &'static str,
    },
    /// The client speaks a version before TDS 7.3.
    #[error("client speaks TDS {version:#010x}; 7.3 is the oldest served")]
    ClientTooOld {
        /// Version of its LOGIN7.
        version: u32,
    },
}

/// A response that cannot be written. Nothing of it was: the request is still open.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EncodeError {
    /// There is no request to respond to.
    #[error("a response without a request")]
    NothingAsked,
    /// A value does not fit its column.
    #[error("result {result}, row {row}, column {column:?}: {why}")]
    Value {
        /// Result set, from 0.
        result: usize,
        /// Row, from 0.
        row: usize,
        /// Column.
        column: String,
        /// Why.
        #[source]
        why: ValueError,
    },
    /// An output parameter's value cannot be sent.
    #[error("output {name:?}: {why}")]
    Output {
        /// Parameter.
        name: String,
        /// Why.
        #[source]
        why: ValueError,
    },
    /// A column that cannot be described.
    #[error("result {result}, column {column:?}: {why}")]
    Column {
        /// Result set, from 0.
        result: usize,
        /// Column.
        column: String,
        /// Why.
        #[source]
        why: ValueError,
    },
    /// A row has more or fewer values than there are columns.
    #[error("result {result}, row {row}: {values} values for {columns} columns")]
    RowWidth {
        /// Result set, from 0.
        result: usize,
        /// Row, from 0.
        row: usize,
        /// Values in the row.
        values: usize,
        /// Columns.
        columns: usize,
    },
    /// More columns than a result set may have.
    #[error("result {result}: {columns} columns; {max} are allowed")]
    TooManyColumns {
        /// Result set, from 0.
        result: usize,
        /// Columns.
        columns: usize,
        /// The limit.
        max: usize,
    },
}

/// Why a value and its type do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ValueError {
    /// NULL where the column says it is not.
    #[error("NULL in a column that is NOT NULL")]
    Null,
    /// Another kind of value.
    #[error("a {found} value is no {expected:?}")]
    Kind {
        /// Type of the column.
        expected: SqlType,
        /// Kind of the value.
        found: &'static str,
    },
    /// Outside of the type's range, or more digits than the precision.
    #[error("out of range for {expected:?}")]
    Range {
        /// Type of the column.
        expected: SqlType,
    },
    /// Longer than the column: characters for nvarchar, bytes for varchar and varbinary.
    #[error("length {length}; the column takes {max}")]
    TooLong {
        /// Length of the value.
        length: usize,
        /// Length of the column.
        max: usize,
    },
    /// The type itself does not exist: numeric(40,0), nvarchar(0), a name over 128 characters.
    #[error("no such column: {0}")]
    NoSuchType(&'static str),
}
