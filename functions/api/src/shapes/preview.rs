//! What another policy would do.

use domain::coverage::Window;
use domain::forecast::{Assumed, Forecast};
use domain::policy::{Finding, Policy};
use domain::reason::Reason;
use domain::retention::Removed;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be tried, and on whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PreviewRequest")]
pub(crate) struct PreviewBody {
    /// The policy as it would be.
    pub(crate) policy: Policy,
    /// The instance whose databases are looked at; where it follows another policy, the answer says what moving it would do.
    pub(crate) instance: String,
}

/// What would become of a policy's promises and of some databases. Nothing is changed by asking.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub(crate) struct PreviewShape {
    /// As of when.
    pub(crate) now: Timestamp,
    /// Name of the policy that the instance follows: what is said of now is said of it, whichever policy would be put.
    pub(crate) follows: String,
    /// What is found in that one on the instance; absent where it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) findings_now: Option<Vec<Finding>>,
    /// What is found in the policy that was given.
    pub(crate) findings_then: Vec<Finding>,
    /// What the one that it follows comes to on the instance; on the first page, where that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forecast_now: Option<Forecasted>,
    /// What the one that was given would come to; on the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forecast_then: Option<Forecasted>,
    /// Databases by name.
    pub(crate) databases: Vec<PreviewDatabase>,
    /// Cursor of the next databases; absent behind the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What would become of one database.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PreviewDatabase {
    /// Name.
    pub(crate) name: String,
    /// What could be restored now.
    pub(crate) window: Vec<Window>,
    /// What retention would do by the policy that the instance follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<Swept>,
    /// What it would do by the one that was given.
    pub(crate) then: Swept,
}

/// What retention would do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Swept {
    /// Backups stay and go.
    Proposed {
        /// How many stay.
        kept_count: u64,
        /// How many go.
        removed_count: u64,
        /// Bytes that go with them.
        removed_bytes: u64,
        /// Those that go, in the order in which they are deleted; a hundred at most.
        removed: Vec<Removed>,
        /// What could be restored afterwards.
        window_after: Vec<Window>,
    },
    /// Nothing may be removed.
    Refused {
        /// Why.
        refused: Reason,
    },
}

/// What a policy comes to on an instance, by the arithmetic of `bakproof forecast`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Forecasted {
    /// It was reckoned.
    Reckoned {
        /// In the shape of `bakproof forecast --json`.
        forecast: Box<Forecast>,
        /// Numbers that nothing told: the forecast is no better than these.
        assumed: Vec<Assumed>,
        /// Databases that no full has measured yet, for which nothing was reckoned.
        unmeasured: Vec<String>,
    },
    /// It could not be.
    Refused {
        /// Why.
        refused: Reason,
    },
}
