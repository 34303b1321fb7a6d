//! How long calls take: knobs, since nobody promises a number.
//!
//! Ranges in microseconds of virtual time, both ends inclusive, drawn evenly from one stream per service. They are what
//! makes two invocations interleave; no rule may depend on them.

use jiff::SignedDuration;

use crate::stream::Stream;

/// Services a call may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The task store.
    Store,
    /// Control planes: RDS, S3, KMS, Secrets Manager.
    Cloud,
    /// Opening a TCP connection to an instance.
    Connect,
    /// One round trip on a SQL session.
    Sql,
    /// From Step Functions to the first line of a handler.
    Invoke,
    /// From a call of `StartExecution` to the first state.
    States,
}

/// A range of microseconds, both ends inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Micros {
    /// Shortest.
    pub from: u64,
    /// Longest.
    pub to: u64,
}

/// The ranges of all services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// [`Service::Store`].
    pub store: Micros,
    /// [`Service::Cloud`].
    pub cloud: Micros,
    /// [`Service::Connect`].
    pub connect: Micros,
    /// [`Service::Sql`].
    pub sql: Micros,
    /// [`Service::Invoke`].
    pub invoke: Micros,
    /// [`Service::States`].
    pub states: Micros,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            store: Micros { from: 2_000, to: 12_000 },
            cloud: Micros { from: 15_000, to: 90_000 },
            connect: Micros { from: 500, to: 3_000 },
            sql: Micros { from: 700, to: 5_000 },
            invoke: Micros { from: 8_000, to: 60_000 },
            states: Micros { from: 20_000, to: 80_000 },
        }
    }
}

/// The ranges and their streams.
#[derive(Debug)]
pub(crate) struct Draws {
    ranges: [(Micros, Stream); 6],
}

impl Draws {
    pub(crate) fn new(seed: u64, latencies: &Latencies) -> Self {
        let of = |purpose, range| (range, Stream::new(seed, purpose));
        Self {
            ranges: [
                of("latency store", latencies.store),
                of("latency cloud", latencies.cloud),
                of("latency connect", latencies.connect),
                of("latency sql", latencies.sql),
                of("latency invoke", latencies.invoke),
                of("latency states", latencies.states),
            ],
        }
    }

    pub(crate) fn draw(&mut self, service: Service) -> SignedDuration {
        let (range, stream) = &mut self.ranges[service as usize];
        let micros = stream.between(range.from, range.to);
        SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
