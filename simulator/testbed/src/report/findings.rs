//! What does the policy ask for that these instances will not give? Said by the rules, before the story shows it.

use domain::policy::Finding;
use serde::Serialize;

use super::windows;
use crate::scenario::Scenario;
use crate::testbed::Testbed;

/// A finding, and the instances that it holds for.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyFinding {
    /// Instances.
    pub instances: Vec<String>,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// The findings of all instances, each said once.
pub(super) fn findings(scenario: &Scenario, bed: &Testbed) -> Vec<PolicyFinding> {
    let mut findings: Vec<PolicyFinding> = Vec::new();
    for instance in &scenario.instances {
        let facts = bed.store().look(|table| windows::facts(table, &instance.name));
        for finding in scenario.policy.findings(scenario.vault.profile, facts.as_ref()) {
            match findings.iter_mut().find(|known| known.finding == finding) {
                Some(known) => known.instances.push(instance.name.clone()),
                None => findings.push(PolicyFinding { instances: vec![instance.name.clone()], finding }),
            }
        }
    }
    findings
}
