//! What may go wrong: every call is shown to a gate, and the gate says what becomes of it.
//!
//! The testbed carries verdicts out and holds no opinion on when trouble should come; a fault plan does.

use jiff::{SignedDuration, Timestamp};
use ports::Fault;

/// One invocation of one function. Numbers are given in order of start and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvocationId(pub u64);

/// A call that is about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// What is asked. Ports: `store.commit`. SQL: `sql.connect`, `sql.login`, `sql.rds_backup_database`,
    /// `sql.select rds_fn_task_status`. The services' own calls: `lambda.invoke`, `states.start_execution`,
    /// `scheduler.start_execution`.
    pub name: &'a str,
    /// Function that asks; for `lambda.invoke` the function asked, for the two `start_execution` the machine asked.
    pub function: &'a str,
    /// State of the machine that asks, or whose invocation does; empty for whatever no machine asked for.
    pub state: &'a str,
    /// How many times this function has been invoked so far, this invocation included: 1 for the first. For a schedule
    /// how many times this firing has been tried, this time included; for `states.start_execution` 0.
    pub attempt: u64,
    /// How many calls this invocation has made so far, this one included; 0 for the services' own calls.
    pub ordinal: u32,
    /// When.
    pub now: Timestamp,
}

/// On which side of the effect something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The request never arrived.
    Before,
    /// The request had its effect, the caller never learns.
    After,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through.
    Pass,
    /// It goes through, later by so much.
    Delay(SignedDuration),
    /// It fails and has no effect. On a SQL session the connection breaks before the request arrives, whatever the fault.
    Fail(Fault),
    /// It has its effect and the answer is lost: a write gets [`Fault::UnknownOutcome`], a read [`Fault::Transient`], as the
    /// adapters have it; on a SQL session the connection breaks.
    LoseReply,
    /// It has its effect twice and the caller gets the second answer, as after a retry below the adapter. A stream cannot
    /// repeat itself: on a SQL session this is [`Verdict::Pass`].
    Duplicate,
    /// The invocation that asked dies: its host is gone, no code of it runs any more.
    Crash(Moment),
}

/// Sees each call before it leaves.
pub trait Gate {
    /// What becomes of this one.
    fn see(&mut self, call: &Call<'_>) -> Verdict;
}

/// A gate that lets everything through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open;

impl Gate for Open {
    fn see(&mut self, _: &Call<'_>) -> Verdict {
        Verdict::Pass
    }
}

impl<F: FnMut(&Call<'_>) -> Verdict> Gate for F {
    fn see(&mut self, call: &Call<'_>) -> Verdict {
        self(call)
    }
}
