//! Where a fault strikes, and how a call can go wrong.

use domain::reason::{Class, Reason};
use jiff::SignedDuration;
use ports::Fault;
use testbed::{Call, Moment, Verdict};

/// A call of a story: the n-th, from 1, that a function makes for a state under this name, over all its invocations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// State of the machine; empty where no machine asks.
    pub(crate) state: String,
    pub(crate) function: String,
    pub(crate) call: String,
    pub(crate) nth: usize,
    /// Whether its invocation has made a call of this name before.
    pub(crate) again: bool,
}

impl Place {
    pub(crate) fn is_at(&self, call: &Call<'_>) -> bool {
        self.state == call.state && self.function == call.function && self.call == call.name
    }

    pub(crate) fn same_call(&self, other: &Self) -> bool {
        (&self.state, &self.function, &self.call) == (&other.state, &other.function, &other.call)
    }

    /// Whether the call may change something. Reads are named; whatever else there may come is taken for a change.
    pub(crate) fn changes(&self) -> bool {
        const READS: [&str; 11] = [
            "store.get",
            "store.query",
            "store.due",
            "rds.describe_",
            "s3.",
            "kms.",
            "secrets.",
            "sql.connect",
            "sql.login",
            "sql.select",
            "sql.rds_show_configuration",
        ];
        !READS.iter().any(|read| self.call.starts_with(read))
    }

    fn is_sql(&self) -> bool {
        self.call.starts_with("sql.") && self.call != "sql.connect"
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Throttled; on a SQL session the connection breaks before the request.
    Throttled,
    /// Refused, for a reason that only people can mend; the next time it is mended.
    Denied,
    /// Never arrived, and the caller cannot know.
    Vanished,
    /// Done, and the reply is lost.
    LostReply,
    /// Done twice.
    Twice,
    /// The host dies before.
    CrashBefore,
    /// The host dies after.
    CrashAfter,
    /// Arrives after the function's timeout.
    Late,
}

/// Longer than a function (110 s) and a Task (120 s) wait.
const LATE: SignedDuration = SignedDuration::from_mins(3);

impl Trouble {
    pub(crate) const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Denied,
        Self::Vanished,
        Self::LostReply,
        Self::Twice,
        Self::CrashBefore,
        Self::CrashAfter,
        Self::Late,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Vanished => "vanished",
            Self::LostReply => "lost reply",
            Self::Twice => "twice",
            Self::CrashBefore => "crash before",
            Self::CrashAfter => "crash after",
            Self::Late => "late",
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Throttled => Verdict::Fail(Fault::Transient("throttled".to_owned())),
            Self::Denied => {
                let reason = Reason::new(Class::Human, "AccessDenied", "not authorised to do this");
                Verdict::Fail(Fault::Refused(reason))
            }
            Self::Vanished => Verdict::Fail(Fault::UnknownOutcome("connection reset".to_owned())),
            Self::LostReply => Verdict::LoseReply,
            Self::Twice => Verdict::Duplicate,
            Self::CrashBefore => Verdict::Crash(Moment::Before),
            Self::CrashAfter => Verdict::Crash(Moment::After),
            Self::Late => Verdict::Delay(LATE),
        }
    }

    /// Whether this trouble is one of its own at this call, by how the testbed carries verdicts out: a stream neither repeats
    /// itself nor tells why it broke; a read that is lost on its way back is a read that failed, a second one is nothing.
    pub(crate) fn matters(self, place: &Place) -> bool {
        match self {
            Self::Throttled | Self::CrashBefore | Self::Late => true,
            Self::Denied => !place.is_sql(),
            Self::Twice | Self::Vanished => !place.is_sql() && place.changes(),
            Self::LostReply | Self::CrashAfter => place.changes(),
        }
    }
}
