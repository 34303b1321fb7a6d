//! validate-region: do instance, bucket and key fit together, and which windows does the instance have now?

use domain::facts::InstanceFacts;
use domain::paths::arn_parts;
use domain::reason::{Class, Reason};
use domain::region::findings;
use domain::task::State;
use ports::Clock;
use ports::cloud::{DescribeBucket, DescribeInstance, DescribeKey};
use ports::store::{ReadItems, WriteItems};

use crate::contract::{InstanceRun, ValidateRegionOutput, check_schema};
use crate::handler::Handler;
use crate::scope::{Scope, commit, commit_groups, open_tasks};

/// Asks the control planes and remembers what the instance is.
pub struct ValidateRegion<S, A, C> {
    /// Task store.
    pub store: S,
    /// RDS, S3 and KMS.
    pub cloud: A,
    /// Clock.
    pub clock: C,
}

impl<S, A, C> Handler for ValidateRegion<S, A, C>
where
    S: ReadItems + WriteItems,
    A: DescribeInstance + DescribeBucket + DescribeKey,
    C: Clock,
{
    type Input = InstanceRun;
    type Output = ValidateRegionOutput;
    const NAME: &'static str = "validate-region";

    async fn handle(&self, input: InstanceRun) -> Result<ValidateRegionOutput, Reason> {
        check_schema(input.schema)?;
        let scope = Scope::load(&self.store, &input.instance).await?;
        let facts = self.cloud.describe_instance(&input.instance).await?;
        let mut buckets = vec![self.cloud.describe_bucket(&scope.vault.bucket, &scope.vault.account).await?];
        if scope.vault.log_bucket() != scope.vault.bucket {
            buckets.push(self.cloud.describe_bucket(scope.vault.log_bucket(), &scope.vault.account).await?);
        }
        let key = match scope.kms_key_arn() {
            Some(arn) => Some(self.cloud.describe_key(arn).await?),
            None => None,
        };
        let mut findings = findings(&facts, &scope.vault, &buckets, key.as_ref());
        let refusals = scope.policy.refusals(scope.vault.profile, Some(&facts));
        findings.extend(refusals.into_iter().map(|refusal| refusal.reason));
        let region = arn_parts(&facts.arn).map_or(String::new(), |(_, region, _)| region.to_owned());
        self.remember(scope, facts).await?;
        match findings.into_iter().next() {
            None => Ok(ValidateRegionOutput { region }),
            Some(first) => Err(first),
        }
    }
}

impl<S: ReadItems + WriteItems, A, C: Clock> ValidateRegion<S, A, C> {
    /// Writes only what is news: most runs find the instance as the last one left it.
    async fn remember(&self, mut scope: Scope, facts: InstanceFacts) -> Result<(), Reason> {
        let instance = &mut scope.instance.record;
        if instance.facts.as_ref().is_some_and(|(_, known)| *known == facts) {
            return Ok(());
        }
        if instance.learn(facts, self.clock.now()) {
            // Before the record says so: whoever starts over finds the server replaced once more.
            let (name, server) = (instance.name.clone(), instance.server);
            self.take_back(&name, server).await?;
        }
        commit(&self.store, &[scope.instance.put()?]).await
    }

    /// What another server was asked for, this one knows nothing of: back to the plan. An intent finds that out by itself.
    async fn take_back(&self, instance: &str, server: u32) -> Result<(), Reason> {
        let mut groups = Vec::new();
        for mut task in open_tasks(&self.store, instance).await? {
            let State::Submitted { task_id, .. } = task.record.state else { continue };
            // Another call of this function was quicker, and the run went on.
            if task.record.seen.as_ref().is_some_and(|seen| seen.lineage.server >= server) {
                continue;
            }
            let message = format!("{instance} is another server than the one that has task {task_id}");
            task.record.note(Reason::new(Class::Retry, "ServerReplaced", message));
            task.record.attempt += 1;
            task.record.advance(State::Planned)?;
            groups.push(vec![task.put()?]);
        }
        commit_groups(&self.store, groups).await
    }
}
