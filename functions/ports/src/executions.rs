//! What Step Functions is asked: to start an execution under a name of ours.

use crate::fault::Fault;

/// The machines that functions start. Their ARNs are a matter of wiring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// Serves one instance.
    Instance,
    /// Looks which databases there are.
    Discovery,
}

impl Machine {
    /// Every machine.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Discovery];

    /// The name of its file under `statemachine/`, without the ending.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Discovery => "discovery",
        }
    }
}

/// What came of starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It runs.
    Begun,
    /// One of that name runs, or ran within the 90 days for which names are remembered.
    Already,
}

/// Starts executions.
pub trait StartExecution {
    /// Starts `machine` under `name` with a JSON input. A name that is taken is no fault: whoever names a run by what it is for
    /// may start it again after a lost reply.
    async fn start_execution(&self, machine: Machine, name: &str, input: &str) -> Result<Started, Fault>;
}
