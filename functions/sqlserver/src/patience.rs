//! How long is something waited for? On the wall clock, as the driver's own timeouts run, so no runtime is needed; without a
//! limit no clock is touched.

use std::pin::pin;
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, select};

/// What `work` makes, or `None` when it takes longer than `patience`; then it is dropped.
pub(crate) async fn within<T>(patience: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    let Some(patience) = patience else { return Some(work.await) };
    match select(pin!(work), Delay::new(patience)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_is_done_counts_and_what_is_not_is_given_up() {
        for patience in [None, Some(Duration::ZERO), Some(Duration::from_mins(1))] {
            assert_eq!(within(patience, ready(7)).await, Some(7));
        }
        for patience in [Duration::ZERO, Duration::from_millis(5)] {
            assert_eq!(within(Some(patience), pending::<()>()).await, None);
        }
    }
}
