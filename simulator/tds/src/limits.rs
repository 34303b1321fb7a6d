//! How much may a client send, and how much fits on the wire? Sizes of packets, messages and texts, each with its reason.
//!
//! Refuses to know what the bytes mean. Source: MS-TDS v39, sections named at each constant.

/// Bytes of a packet header. MS-TDS 2.2.3.1.
pub const PACKET_HEADER_BYTES: usize = 8;
/// Smallest packet size that can be negotiated. MS-TDS 2.2.3.1.3.
pub const PACKET_BYTES_MIN: u32 = 512;
/// Largest packet size that can be negotiated. MS-TDS 2.2.3.1.3.
pub const PACKET_BYTES_MAX: u32 = 32_767;
/// Packet size until another is negotiated, and for clients that ask for 0. MS-TDS 2.2.3.1.3.
pub const PACKET_BYTES_DEFAULT: u32 = 4_096;
/// Bytes of a message before the login: those of LOGIN7, "not longer than 128K-1". MS-TDS 2.2.6.4.
pub const LOGIN_BYTES_MAX: usize = 128 * 1024 - 1;
/// Bytes of a request of a logged-in client. SQL Server takes 65,536 packets; nothing that talks to a model of backups sends
/// more than a few kilobytes, so 16 MiB bounds memory and still takes any script.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes that may wait unread. One request may be running, another arriving: twice the largest request.
pub const UNREAD_BYTES_MAX: usize = 2 * REQUEST_BYTES_MAX;
/// Parameters of one procedure call: SQL Server's own maximum (Maximum capacity specifications, "Parameters per stored
/// procedure"). Also bounds memory: three bytes on the wire become one parameter.
pub const PARAMETERS_MAX: usize = 2_100;
/// Columns of one result set: SQL Server's "Columns per SELECT statement". Under the wire's 0xFFFF, which means no metadata.
pub const COLUMNS_MAX: usize = 4_096;
/// Characters of an identifier (sysname): columns, databases, procedures, servers.
pub const IDENTIFIER_CHARACTERS_MAX: usize = 128;
/// Characters of an INFO or ERROR text: what PRINT truncates to. Keeps the token inside its 16-bit length.
pub const MESSAGE_CHARACTERS_MAX: usize = 4_000;
/// Bytes of one value of a max type ("2^31-1").
pub const MAX_TYPE_BYTES_MAX: usize = 0x7FFF_FFFF;

const _: () = assert!(PACKET_BYTES_MIN as usize > PACKET_HEADER_BYTES);
const _: () = assert!(PACKET_BYTES_MIN <= PACKET_BYTES_DEFAULT && PACKET_BYTES_DEFAULT <= PACKET_BYTES_MAX);
const _: () = assert!(LOGIN_BYTES_MAX <= REQUEST_BYTES_MAX);
const _: () = assert!(COLUMNS_MAX < 0xFFFF);
// Text, two identifiers and 16 bytes of numbers must fit the 16-bit length of INFO and ERROR.
const _: () = assert!(2 * (MESSAGE_CHARACTERS_MAX + 2 * IDENTIFIER_CHARACTERS_MAX) + 16 < 0xFFFF);
