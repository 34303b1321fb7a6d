//! The time of the host a function runs on.

use jiff::{SignedDuration, Timestamp};

/// Reads the host's clock. Leases and schedules compare its answers; server times are calibrated against it.
pub trait Clock {
    /// Now, as this host believes.
    fn now(&self) -> Timestamp;
    /// When the host ends this invocation, if it told. What must not be cut off half-way is not begun shortly before.
    fn deadline(&self) -> Option<Timestamp> {
        None
    }
    /// Whether less than this is left of the invocation; never where the host tells no end.
    fn runs_out(&self, least: SignedDuration) -> bool {
        self.deadline().is_some_and(|end| end.duration_since(self.now()) < least)
    }
}
