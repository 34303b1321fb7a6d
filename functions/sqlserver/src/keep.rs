//! What does a process keep from one invocation to the next? At most one session an endpoint, and the logins that were good.
//!
//! A connection costs five round trips (TCP, pre-login, two of TLS 1.2, login) and a handshake's arithmetic, a secret a call that is
//! billed; a warm Lambda sandbox has both already. Nothing doubtful is kept: see [`crate::Session`] for what makes a session one to keep, and
//! `SqlServer::open` for what is asked before it is used again. Ages are judged by the wall clock, because a monotonic
//! one may stand still while a sandbox is frozen.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ports::server::Endpoint;

use crate::connect::Login;

/// How old what is kept may become. Policy of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Since a session was opened, or a secret read: so long a changed secret or a moved endpoint goes unnoticed at most.
    pub age_max: Duration,
    /// Since a session was used last. Below the 350 s after which NAT gateways forget a silent connection
    /// (VPC user guide, "Troubleshoot NAT gateways", idle timeout, read 2026-11).
    pub rest_max: Duration,
    /// Sessions, over all endpoints: one sandbox meets every instance of a fleet sooner or later, and each session takes a
    /// file descriptor here and a worker there.
    pub sessions_max: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { age_max: Duration::from_mins(15), rest_max: Duration::from_mins(5), sessions_max: 16 }
    }
}

impl Keep {
    /// Whether something that began and rested then is good for use now. A clock that went back makes everything too old.
    fn allows(&self, began: SystemTime, rested: SystemTime, now: SystemTime) -> bool {
        let within = |since, most| now.duration_since(since).is_ok_and(|age| age <= most);
        within(began, self.age_max) && within(rested, self.rest_max)
    }
}

/// The time, for ages.
#[expect(
    clippy::disallowed_methods,
    reason = "asked only where something is kept, which the simulation never does"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Where a session belongs.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    pub(crate) peer: SocketAddr,
    pub(crate) opened: SystemTime,
}

struct Rested<L> {
    line: L,
    place: Place,
    since: SystemTime,
}

/// Connections that rest between invocations; clones share them.
pub(crate) struct Shelf<L> {
    keep: Keep,
    lines: Arc<Mutex<Vec<Rested<L>>>>,
}

impl<L> Clone for Shelf<L> {
    fn clone(&self) -> Self {
        Self { keep: self.keep, lines: Arc::clone(&self.lines) }
    }
}

impl<L> Shelf<L> {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, lines: Arc::default() }
    }

    /// Takes the connection to an endpoint, if one rests that is not too old. All that are too old are dropped.
    pub(crate) fn take(&self, endpoint: &Endpoint, now: SystemTime) -> Option<(L, Place)> {
        let mut lines = self.lines();
        lines.retain(|rested| self.keep.allows(rested.place.opened, rested.since, now));
        let at = lines.iter().position(|rested| rested.place.endpoint == *endpoint)?;
        let rested = lines.remove(at);
        Some((rested.line, rested.place))
    }

    /// Puts a connection to rest; another one of its endpoint, and the one that rests longest when there are too many, make room.
    pub(crate) fn put(&self, line: L, place: Place, now: SystemTime) {
        let mut lines = self.lines();
        lines.retain(|rested| {
            rested.place.endpoint != place.endpoint
                && self.keep.allows(rested.place.opened, rested.since, now)
        });
        if self.keep.sessions_max == 0 {
            return;
        }
        let over = (lines.len() + 1).saturating_sub(self.keep.sessions_max);
        lines.drain(..over);
        lines.push(Rested { line, place, since: now });
    }

    /// In the order in which they were put. What a panic left behind is whole: no step in between can panic.
    fn lines(&self) -> MutexGuard<'_, Vec<Rested<L>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logins that were good, by the ARN of their secret; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logins(Arc<Mutex<Vec<(String, Login, SystemTime)>>>);

impl Logins {
    /// The login of a secret, when it was read not too long ago.
    pub(crate) fn get(&self, secret_arn: &str, keep: Keep, now: SystemTime) -> Option<Login> {
        let mut logins = self.logins();
        logins.retain(|(_, _, read)| keep.allows(*read, now, now));
        logins.iter().find(|(arn, ..)| arn == secret_arn).map(|(_, login, _)| login.clone())
    }

    /// Remembers a login that was let in.
    pub(crate) fn put(&self, secret_arn: &str, login: &Login, now: SystemTime) {
        let mut logins = self.logins();
        if !logins.iter().any(|(arn, kept, _)| arn == secret_arn && kept == login) {
            logins.retain(|(arn, ..)| arn != secret_arn);
            logins.push((secret_arn.to_owned(), login.clone(), now));
        }
    }

    /// Forgets a login that was refused.
    pub(crate) fn forget(&self, secret_arn: &str) {
        self.logins().retain(|(arn, ..)| arn != secret_arn);
    }

    fn logins(&self) -> MutexGuard<'_, Vec<(String, Login, SystemTime)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::connect::Secret;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(1_000_000 + seconds)
    }

    fn place(host: &str, opened: u64) -> Place {
        let endpoint = Endpoint {
            instance: host.to_owned(),
            host: host.to_owned(),
            port: 1433,
            secret_arn: "arn:x".to_owned(),
        };
        Place { endpoint, peer: ([127, 0, 0, 1], 1433).into(), opened: at(opened) }
    }

    #[test]
    fn neither_too_old_nor_too_long_at_rest() {
        let keep = Keep::default();
        for (began, rested, now, expected) in [
            (0, 0, 0, true),
            (0, 600, 900, true),
            (0, 600, 901, false),
            (0, 0, 300, true),
            (0, 0, 301, false),
            // The clock went back.
            (10, 10, 9, false),
            (0, 10, 9, false),
        ] {
            assert_eq!(keep.allows(at(began), at(rested), at(now)), expected, "{began} {rested} {now}");
        }
    }

    #[test]
    fn one_connection_an_endpoint_and_few_over_all() {
        let shelf = Shelf::new(Keep { sessions_max: 2, ..Keep::default() });
        shelf.put("a1", place("a", 0), at(0));
        shelf.put("a2", place("a", 1), at(1));
        shelf.put("b", place("b", 2), at(2));
        shelf.put("c", place("c", 3), at(3));
        let take = |host: &str, now| shelf.take(&place(host, 0).endpoint, at(now)).map(|(line, _)| line);
        assert_eq!(take("a", 4), None, "it rested longest");
        assert_eq!((take("b", 4), take("b", 4)), (Some("b"), None));
        // Another secret is another endpoint.
        let mut other = place("c", 0).endpoint;
        other.secret_arn.push('y');
        assert!(shelf.take(&other, at(4)).is_none());
        assert_eq!(take("c", 304), None, "too long at rest");
        let none = Shelf::new(Keep { sessions_max: 0, ..Keep::default() });
        none.put("a", place("a", 0), at(0));
        assert!(none.take(&place("a", 0).endpoint, at(0)).is_none());
    }

    #[test]
    fn a_login_is_kept_until_it_is_old_or_refused() {
        let (logins, keep) = (Logins::default(), Keep::default());
        let login = |password| Login { user: "u".to_owned(), password: Secret::new(password) };
        logins.put("arn:a", &login("1"), at(0));
        logins.put("arn:a", &login("1"), at(800));
        assert_eq!(logins.get("arn:a", keep, at(900)), Some(login("1")));
        assert_eq!(logins.get("arn:a", keep, at(901)), None, "its age counts from when it was read");
        logins.put("arn:a", &login("2"), at(901));
        logins.put("arn:b", &login("3"), at(901));
        logins.forget("arn:a");
        assert_eq!(logins.get("arn:a", keep, at(901)), None);
        assert_eq!(logins.get("arn:b", keep, at(901)), Some(login("3")));
    }
    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(31),
            ..ProptestConfig::default()
        })]

        /// Against a list of all that was ever put: what is taken is the last one put for that endpoint, once, and neither too
        /// old nor pushed out by as many younger ones as there is room for.
        #[test]
        fn what_is_taken_is_the_last_that_may_be(
            steps in prop::collection::vec((any::<bool>(), 0_usize..4, 0_u64..200, 0_u64..1_200), 1..60),
        ) {
            const HOSTS: [&str; 4] = ["a", "b", "c", "d"];
            let keep = Keep { sessions_max: 2, ..Keep::default() };
            let shelf = Shelf::new(keep);
            // Endpoint, opened, put, number; the oldest first.
            let mut resting: Vec<(usize, u64, u64, usize)> = Vec::new();
            let mut now = 2_000;
            for (number, (puts, host, passes, age)) in steps.into_iter().enumerate() {
                now += passes;
                resting.retain(|(_, opened, put, _)| now - opened <= 900 && now - put <= 300);
                if puts {
                    resting.retain(|(other, ..)| *other != host);
                    resting.push((host, now - age, now, number));
                    while resting.len() > 2 {
                        resting.remove(0);
                    }
                    shelf.put(number, place(HOSTS[host], now - age), at(now));
                } else {
                    let expected = resting.iter().position(|(other, ..)| *other == host);
                    let expected = expected.map(|at| resting.remove(at).3);
                    let taken = shelf.take(&place(HOSTS[host], 0).endpoint, at(now));
                    prop_assert_eq!(taken.map(|(number, _)| number), expected);
                }
            }
        }
    }
}
