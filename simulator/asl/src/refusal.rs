//! Why was a definition not loaded? One value per finding: machine, state, field, sentence. All findings of a text are
//! reported together, so that a machine is mended in one go.

use std::fmt;

/// One thing in a definition that this interpreter does not implement, or that AWS would reject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Name of the machine, as given to [`crate::Machine::parse`].
    pub machine: String,
    /// Name of the state; empty for the machine itself.
    pub state: String,
    /// Path of the field inside the state, as `Retry[0].ErrorEquals`; empty where the state as a whole is meant.
    pub field: String,
    /// One sentence.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine `{}`", self.machine)?;
        if !self.state.is_empty() {
            write!(f, ", state `{}`", self.state)?;
        }
        if !self.field.is_empty() {
            write!(f, ", field `{}`", self.field)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl std::error::Error for Refusal {}
