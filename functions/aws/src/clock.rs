//! The host's clock, for functions that run on a host.

use jiff::Timestamp;
use ports::Clock;

/// Reads the clock of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClock;

impl Clock for HostClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter behind the Clock port: the one place that asks the host"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
