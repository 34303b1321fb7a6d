//! How do values look on the wire? Types described, values read and written. MS-TDS 2.2.5.4 to 2.2.5.6.
//!
//! Refuses to know tokens and messages.

pub(crate) mod calendar;
pub(crate) mod code_page;
pub(crate) mod decimal;
pub(crate) mod encode;
pub(crate) mod parameter;
