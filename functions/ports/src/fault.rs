//! How asking can fail.
//!
//! Three kinds, because a caller can do three things: ask again, give up with a reason, or find out what happened. The
//! third is what makes double effects: a reply that was lost says nothing about the request.

use domain::reason::{Class, Reason};

/// What went wrong when a port was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing happened and the same request may succeed soon: throttled, refused connection, service unavailable.
    #[error("{0}")]
    Transient(String),
    /// The other side understood and said no.
    #[error("{0}")]
    Refused(Reason),
    /// The request may or may not have had its effect: the reply was lost, the connection died while waiting.
    #[error("{0}")]
    UnknownOutcome(String),
}

impl Fault {
    /// The reason a function ends with when it can do no better: reading again is harmless, so a caller that only read
    /// may treat an unknown outcome as one to retry.
    pub fn into_reason(self) -> Reason {
        match self {
            Self::Transient(what) => Reason::new(Class::Retry, "Unavailable", what),
            Self::Refused(reason) => reason,
            Self::UnknownOutcome(what) => Reason::new(Class::Retry, "UnknownOutcome", what),
        }
    }
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        fault.into_reason()
    }
}
