//! Who answers for a failure: a retrier, a catcher, or nobody? Retriers come first, each with its own count over one
//! stay in the state; the first that names the error decides, even when it is used up.
//!
//! Source: developer guide, "Handling errors in Step Functions workflows", read 2026-11.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::data::place;
use super::strand::{Phase, Strand, StrandId};
use super::{Execution, Move, Purpose, Turn, later};
use crate::failure::Failure;
use crate::intrinsic::Draw;
use crate::machine::{Next, Retrier, State};
use crate::quotas::SECONDS_MAX;
use crate::size;

impl Execution {
    /// What a failed state does: nothing for now (it waits to retry), a move to a catcher's state, or the failure of
    /// its strand.
    pub(super) fn judge(
        &mut self,
        turn: &mut Turn<'_>,
        id: StrandId,
        strand: &mut Strand,
        state: &State,
        failure: Failure,
    ) -> Result<Option<Move>, Failure> {
        let Some(handling) = state.kind.handling().filter(|_| !failure.is_terminal()) else {
            return Err(failure);
        };
        let names = |errors: &[String]| errors.iter().any(|pattern| failure.matches(pattern));
        if let Some(at) = handling.retry.iter().position(|retrier| names(&retrier.errors)) {
            let retrier = &handling.retry[at];
            strand.retries.resize(handling.retry.len(), 0);
            let used = strand.retries[at];
            if used < retrier.attempts_max {
                strand.retries[at] += 1;
                strand.retry_count += 1;
                let at = later(turn.now, delay(retrier, used, &mut *turn.draw));
                strand.phase = Phase::Timer(self.timer(turn, id, Purpose::Backoff, at));
                return Ok(None);
            }
        }
        let Some(catcher) = handling.catch.iter().find(|catcher| names(&catcher.errors)) else {
            return Err(failure);
        };
        let output = place(&catcher.result_path, &strand.input, Arc::new(failure.output()))?;
        if !size::fits(&output) {
            return Err(Failure::data_limit(&format!(
                "The state/task '{}' returned a result which",
                state.name
            )));
        }
        Ok(Some(Move::Leave(Next::State(catcher.next), output)))
    }
}

/// Time before the retry after `used` earlier ones: `IntervalSeconds * BackoffRate ^ used`, at most `MaxDelaySeconds`;
/// with full jitter evenly drawn from zero to that, in milliseconds.
fn delay(retrier: &Retrier, used: u32, draw: Draw<'_>) -> SignedDuration {
    let power = i32::try_from(used).unwrap_or(i32::MAX);
    let seconds = f64::from(retrier.interval_seconds) * retrier.backoff_rate.powi(power);
    let most = f64::from(retrier.delay_max_seconds.unwrap_or(SECONDS_MAX));
    let delay = Duration::from_secs_f64(seconds.min(most));
    let delay = if retrier.full_jitter {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(draw() % (millis + 1))
    } else {
        delay
    };
    SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(interval: u32, rate: f64, most: Option<u32>, full_jitter: bool) -> Retrier {
        let errors = vec!["States.ALL".to_owned()];
        Retrier {
            errors,
            interval_seconds: interval,
            attempts_max: 3,
            backoff_rate: rate,
            delay_max_seconds: most,
            full_jitter,
        }
    }

    #[test]
    fn delays_table() {
        let table = [
            (retrier(3, 1.5, None, false), 0, 3000),
            (retrier(3, 1.5, None, false), 1, 4500),
            (retrier(1, 2.0, None, false), 5, 32_000),
            (retrier(3, 2.0, Some(5), false), 1, 5000),
            (retrier(2, 1.0, None, false), 7, 2000),
            (retrier(10, 1.0, None, true), 0, 7),
            (retrier(1, 2.0, None, false), u32::MAX, i128::from(SECONDS_MAX) * 1000),
        ];
        for (retrier, used, millis) in table {
            assert_eq!(delay(&retrier, used, &mut || 7).as_millis(), millis, "{retrier:?} after {used}");
        }
    }

    #[test]
    fn full_jitter_reaches_both_ends_and_no_further() {
        let retrier = retrier(2, 1.0, None, true);
        assert_eq!(delay(&retrier, 0, &mut || 0).as_millis(), 0);
        assert_eq!(delay(&retrier, 0, &mut || 2000).as_millis(), 2000);
        assert_eq!(delay(&retrier, 0, &mut || 2001).as_millis(), 0);
    }
}
