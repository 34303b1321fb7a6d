//! plan-backups: what is due, written down as tasks.
//!
//! A task in the store is a promise that its database is looked at; order, slots and windows are decided when it is about to
//! be started, because by then more is known.

use std::collections::BTreeSet;

use domain::reason::Reason;
use domain::schedule::{due, next_due};
use domain::task::{Kind, Task};
use ports::Clock;
use ports::store::{ReadItems, Versioned, WriteItems};

use crate::contract::{InstanceRun, PlanBackupsOutput, PlanOutcome, check_schema};
use crate::handler::Handler;
use crate::scope::{Scope, check_lease, commit_groups, databases, open_tasks};

/// Plans what is due.
pub struct PlanBackups<S, C> {
    /// Task store.
    pub store: S,
    /// Clock.
    pub clock: C,
}

impl<S: ReadItems + WriteItems, C: Clock> Handler for PlanBackups<S, C> {
    type Input = InstanceRun;
    type Output = PlanBackupsOutput;
    const NAME: &'static str = "plan-backups";

    async fn handle(&self, input: InstanceRun) -> Result<PlanBackupsOutput, Reason> {
        check_schema(input.schema)?;
        let now = self.clock.now();
        check_lease(&self.store, &input, now).await?;
        let scope = Scope::load(&self.store, &input.instance).await?;
        let databases = databases(&self.store, &input.instance).await?;
        let open = open_tasks(&self.store, &input.instance).await?;
        let busy: BTreeSet<(&str, Kind)> =
            open.iter().map(|task| (task.record.database.as_str(), task.record.kind)).collect();
        let mut groups = Vec::new();
        for database in databases.iter().filter(|database| scope.policy.protects(&database.record.name)) {
            let name = database.record.name.as_str();
            for item in due(&scope.policy, &database.record, now)? {
                if !busy.contains(&(name, item.kind)) {
                    let task = Versioned::new(Task::plan(&input.instance, name, &item, now));
                    groups.push(vec![task.put()?]);
                }
            }
        }
        let planned = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        commit_groups(&self.store, groups).await?;
        let open = planned.saturating_add(u32::try_from(open.len()).unwrap_or(u32::MAX));
        let outcome = if open == 0 { PlanOutcome::Idle } else { PlanOutcome::Work };
        Ok(PlanBackupsOutput { outcome, planned, open, next_due_at: next_due(&scope.policy, now)? })
    }
}
