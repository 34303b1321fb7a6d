//! The tokens a server sends, one file each. MS-TDS 2.2.7.
//!
//! Each file writes its token and refuses to know when it is sent: that is `response.rs` and `connection.rs`.

pub(crate) mod col_metadata;
pub(crate) mod done;
pub(crate) mod env_change;
pub(crate) mod feature_ext_ack;
pub(crate) mod info_error;
pub(crate) mod login_ack;
pub(crate) mod return_status;
pub(crate) mod return_value;
pub(crate) mod row;
