//! How is a connection made? Encryption, trust, patience, and the name the server sees.
//!
//! Refuses to know where the values come from: `lambdas` reads the environment. Source of the facts: the TDS driver's own
//! defaults (tiberius 0.13 waits 30 s for each token and 15 s for a handshake, on the wall clock).

use std::path::PathBuf;
use std::time::Duration;

use crate::keep::Keep;

/// Patience between two tokens of an answer. The native procedures only enqueue, so an answer that takes longer is lost,
/// not slow; a table function over 36 days of tasks needs some of it before its first row. A function's own timeout must be
/// well above, so that a lost answer is still recorded as an unknown outcome.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(25);

/// Patience for pre-login, TLS and login together. A failover takes 60 to 120 s: waiting one out is the state machine's
/// business, not a function's that is paid by the millisecond.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Patience for one request and its whole answer, however steadily it drips. Below what dispatching wants to have left before a
/// call (45 s), so that a lost answer is still recorded before the function is ended.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);

/// Longest answer that is read, in bytes. Policy of ours, far below a function's memory: 36 days of tasks on two slots are 86,400
/// rows and a few tens of MiB.
pub const ANSWER_BYTES_MAX: u64 = 128 << 20;

/// Where functions find the authorities of RDS unless told otherwise: Lambda puts the files of a layer under `/opt` (Lambda
/// developer guide, "Adding layers to functions", read 2026-11).
pub const TRUST_BUNDLE: &str = "/opt/rds/global-bundle.pem";

/// How the bytes are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS inside pre-login, the server's certificate verified; a server without TLS is refused.
    Required,
    /// TDS 8.0: TLS first, the server's certificate verified.
    Strict,
    /// Clear text. Only for a stream that never leaves the process.
    None,
}

/// How a connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How the bytes are protected.
    pub encryption: Encryption,
    /// File of the authorities to trust besides those of the host, ending in `.pem`, `.crt` or `.der`; RDS signs with
    /// authorities of its own.
    pub trust_bundle: Option<PathBuf>,
    /// Patience between two tokens of an answer; `None` waits for ever.
    pub command_timeout: Option<Duration>,
    /// Patience for the handshake; `None` waits for ever.
    pub handshake_timeout: Option<Duration>,
    /// Patience for a request and its whole answer; `None` waits for ever.
    pub request_timeout: Option<Duration>,
    /// Bytes of an answer that are read at most.
    pub answer_bytes_max: u64,
    /// What a process keeps for its next invocation; `None`: nothing, each one is a cold start.
    pub keep: Option<Keep>,
    /// `program_name` of the session, as `sys.dm_exec_sessions` shows it.
    pub application_name: String,
}

impl Options {
    /// For a network: encryption required and verified against the bundle, all timeouts set, sessions kept.
    pub fn verified(trust_bundle: impl Into<PathBuf>) -> Self {
        Self { trust_bundle: Some(trust_bundle.into()), ..Self::default() }
    }

    /// For a stream inside one process: clear text, and no timeouts, because they run on the wall clock and a
    /// stream whose time is somebody else's would fail at random. Nothing is kept: a simulated invocation has a sandbox of its own.
    pub fn in_process() -> Self {
        Self {
            encryption: Encryption::None,
            trust_bundle: None,
            command_timeout: None,
            handshake_timeout: None,
            request_timeout: None,
            keep: None,
            ..Self::default()
        }
    }
}

impl Default for Options {
    /// Encryption required and verified against the authorities of the host, all timeouts set, sessions kept.
    fn default() -> Self {
        Self {
            encryption: Encryption::Required,
            trust_bundle: None,
            command_timeout: Some(COMMAND_TIMEOUT),
            handshake_timeout: Some(HANDSHAKE_TIMEOUT),
            request_timeout: Some(REQUEST_TIMEOUT),
            answer_bytes_max: ANSWER_BYTES_MAX,
            keep: Some(Keep::default()),
            application_name: "bakproof".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_verifies_and_does_not_wait_for_ever() {
        let options = Options::verified("/opt/rds.pem");
        assert_eq!(options.encryption, Encryption::Required);
        assert_eq!(options.trust_bundle.as_deref(), Some(std::path::Path::new("/opt/rds.pem")));
        assert!(options.command_timeout.is_some() && options.handshake_timeout.is_some());
        // A token that is awaited must run into its own timeout, which says more.
        assert!(options.command_timeout < options.request_timeout);
        assert_eq!(Options::default().encryption, Encryption::Required);
    }

    #[test]
    fn inside_a_process_no_wall_clock_runs() {
        let options = Options::in_process();
        assert_eq!((options.command_timeout, options.handshake_timeout), (None, None));
        assert_eq!((options.request_timeout, options.keep), (None, None));
    }
}
