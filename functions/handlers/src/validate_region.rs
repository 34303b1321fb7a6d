//! validate-region: do instance, bucket and key fit together, and which windows does the instance have now?

use domain::facts::InstanceFacts;
use domain::paths::arn_parts;
use domain::reason::Reason;
use domain::region::findings;
use ports::Clock;
use ports::cloud::{DescribeBucket, DescribeInstance, DescribeKey};
use ports::store::{ReadItems, WriteItems};

use crate::contract::{InstanceRun, ValidateRegionOutput, check_schema};
use crate::handler::Handler;
use crate::scope::{Scope, commit};

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

impl<S: WriteItems, A, C: Clock> ValidateRegion<S, A, C> {
    /// Writes only what is news: most runs find the instance as the last one left it.
    async fn remember(&self, mut scope: Scope, facts: InstanceFacts) -> Result<(), Reason> {
        let instance = &mut scope.instance.record;
        if instance.facts.as_ref().is_some_and(|(_, known)| *known == facts) {
            return Ok(());
        }
        instance.facts = Some((self.clock.now(), facts));
        commit(&self.store, &[scope.instance.put()?]).await
    }
}
