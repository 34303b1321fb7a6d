//! What people are told.

use crate::fault::Fault;

/// Something a human should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One line. What does not fit a subject of mail is cut off.
    pub subject: String,
    /// The whole of it, never empty.
    pub text: String,
}

/// Tells people.
pub trait Notify {
    /// Sends a notice to whoever subscribed. After an unknown outcome it may be sent again: reading a thing twice hurts nobody.
    async fn notify(&self, notice: &Notice) -> Result<(), Fault>;
}
