//! One invocation: until when it may last, and the clock that says so.

use std::time::Duration;

use aws::HostClock;
use jiff::{SignedDuration, Timestamp};
use ports::Clock;

tokio::task_local! {
    /// When Lambda ends the invocation that this task serves. Local to the task and not the process: an adapter outlives
    /// invocations, a deadline must not.
    static DEADLINE: Option<Timestamp>;
}

/// What is kept of an invocation's time for its last words: a function that Lambda cuts off leaves no log, no metric and no
/// reason, and its process is lost. Policy.
pub const LAST_WORDS: SignedDuration = SignedDuration::from_millis(500);

/// The host's clock, and the deadline of the invocation that asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct InvocationClock;

impl Clock for InvocationClock {
    fn now(&self) -> Timestamp {
        HostClock.now()
    }

    fn deadline(&self) -> Option<Timestamp> {
        DEADLINE.try_with(|deadline| *deadline).ok().flatten()
    }
}

/// Runs the work of one invocation: it knows the deadline, and ends [`LAST_WORDS`] before it. `None` when it was not done by
/// then: dropped where it waited, as if the process had died there.
pub(crate) async fn within<T>(deadline: Option<Timestamp>, work: impl Future<Output = T>) -> Option<T> {
    let work = DEADLINE.scope(deadline, work);
    let Some(deadline) = deadline else { return Some(work.await) };
    let left = deadline.duration_since(InvocationClock.now()).saturating_sub(LAST_WORDS);
    let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
    tokio::time::timeout(left, work).await.ok()
}

/// The deadline as the Runtime API tells it: milliseconds since 1970. One beyond the calendar is none.
pub(crate) fn deadline(milliseconds: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_deadline_is_that_of_the_invocation_that_asks() {
        block_on(async {
            let (near, far) =
                (InvocationClock.now() + LAST_WORDS * 20, InvocationClock.now() + LAST_WORDS * 40);
            assert_eq!(InvocationClock.deadline(), None);
            let both = futures_util::future::join(
                within(Some(near), async {
                    tokio::task::yield_now().await;
                    InvocationClock.deadline()
                }),
                within(Some(far), async { InvocationClock.deadline() }),
            );
            assert_eq!(both.await, (Some(Some(near)), Some(Some(far))));
            assert_eq!(within(None, async { InvocationClock.deadline() }).await, Some(None));
            assert_eq!(InvocationClock.deadline(), None);
        });
    }

    #[test]
    fn what_would_be_cut_off_ends_before() {
        block_on(async {
            let now = InvocationClock.now();
            let never = std::future::pending::<()>();
            assert_eq!(within(Some(now + LAST_WORDS), never).await, None);
            // Late from the start: what needs no waiting is still done.
            assert_eq!(within(Some(now - LAST_WORDS), async { 1 }).await, Some(1));
        });
    }

    #[test]
    fn any_number_of_milliseconds_is_a_deadline_or_none() {
        assert_eq!(deadline(0), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(deadline(u64::MAX), None);
        assert!(deadline(99_999_999_999_999).is_some());
    }
}
