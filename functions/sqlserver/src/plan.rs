//! What is answered to "can I restore to then?": a plan with its T-SQL, or a refusal. In the shape of the JSON contract.

use domain::history::Lineage;
use domain::restore::{Plan, Planner, Refusal, Request, check};
use serde::Serialize;

use crate::script::{Naming, script};

/// A plan with its T-SQL, or why there is none.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PlanAnswer"))]
#[serde(untagged)]
pub enum Answer {
    /// How the target is restored.
    Plan {
        /// The steps.
        #[serde(flatten)]
        plan: Plan,
        /// What a person types to carry them out.
        tsql: Vec<String>,
    },
    /// Why it cannot be, and what is nearest.
    Refused {
        /// The refusal.
        refused: Box<Refusal>,
    },
}

/// Plans, judges the plan and writes it out. `read`: what was odd about the history, told before the plan's own warnings.
pub fn plan(lineage: &Lineage, request: &Request, naming: &Naming, read: &[String]) -> Answer {
    let planned = Planner::new(lineage).plan(request).and_then(|plan| {
        // Nobody restores by a plan that its own judge objects to.
        match check(&plan, lineage.backups(), request) {
            Ok(()) => Ok(plan),
            Err(objection) => Err(Box::new(Refusal::of_unsound(&objection))),
        }
    });
    match planned {
        Ok(mut plan) => {
            let script = script(&plan, lineage, naming);
            plan.warnings.splice(0..0, read.iter().cloned());
            plan.warnings.extend(script.warnings);
            Answer::Plan { plan, tsql: script.statements }
        }
        Err(refused) => Answer::Refused { refused },
    }
}
