//! What becomes of those that follow a policy when it is put.

use schemars::JsonSchema;
use serde::Serialize;

/// Instances that follow a policy.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Followers")]
pub(crate) struct FollowersShape {
    /// How many are due now: the next look of the fleet starts their runs, which plan by the policy as it is now.
    pub(crate) due: u64,
    /// How many have a run at work, which plans by it anyway.
    pub(crate) at_work: u64,
    /// Where to go on, if these were not all: put the same policy once more with this as `cursor`. Those that are left take it up when they
    /// are due by the policy before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}
