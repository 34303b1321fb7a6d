//! list-instances: which instances RDS has, which of them are enrolled now, and which are to be looked at.
//!
//! The first call of an execution asks RDS and enrols; every call then names a page of what is enrolled, by whomever.

use std::collections::{BTreeMap, BTreeSet};

use domain::directory::{self, Listed, What};
use domain::discovery::seen::{Looked, looked_key, needs_of};
use domain::discovery::selection::{Selection, select, within_limits};
use domain::discovery::settings::{Settings, settings_key};
use domain::facts::ListedInstance;
use domain::inventory::{Instance, Vault, instance_key, vault_key};
use domain::policy::{self, Policy};
use domain::reason::{Class, Reason};
use domain::record::Record;
use jiff::Timestamp;
use ports::store::{Expect, Range, ReadItems, Versioned, Write, WriteItems, decode, load, load_range};
use ports::{Clock, cloud};

use crate::contract::discovery::{
    INSTANCES_MAX, InstanceLook, ListInstancesInput, ListInstancesOutput, ListOutcome,
};
use crate::contract::{SCHEMA, check_schema};
use crate::handler::Handler;
use crate::scope::{SORT_MAX, commit, commit_groups};

/// Pages of RDS in one call, a hundred instances each: RDS allows 40 in a Region unless the quota was raised.
const PAGES_MAX: u32 = 50;

/// Who enrols, as the directory names it.
const BY: &str = "discovery";

/// Lists and enrols instances.
pub struct ListInstances<S, L, C> {
    /// Task store.
    pub store: S,
    /// RDS.
    pub cloud: L,
    /// Clock.
    pub clock: C,
}

impl<S: ReadItems + WriteItems, L: cloud::ListInstances, C: Clock> Handler for ListInstances<S, L, C> {
    type Input = ListInstancesInput;
    type Output = ListInstancesOutput;
    const NAME: &'static str = "list-instances";

    async fn handle(&self, input: ListInstancesInput) -> Result<ListInstancesOutput, Reason> {
        check_schema(input.schema)?;
        let (mut enrolled, mut skipped) = (0, 0);
        if input.after.is_none() {
            (enrolled, skipped) = self.enrol().await?;
        }
        let range = Range {
            partition: directory::partition(What::Instance),
            from: String::new(),
            to: SORT_MAX.to_owned(),
            after: input.after,
            limit: INSTANCES_MAX,
        };
        let page = self.store.query(&range).await?;
        let mut instances = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let instance = decode::<Listed>(item)?.record.name;
            instances.push(InstanceLook { schema: SCHEMA, instance, round: 0 });
        }
        let outcome = if page.after.is_some() { ListOutcome::More } else { ListOutcome::Last };
        Ok(ListInstancesOutput { schema: SCHEMA, outcome, after: page.after, instances, enrolled, skipped })
    }
}

/// What a pass over the instances of RDS found.
#[derive(Default)]
struct Pass {
    /// New ones by their settings, each with its record.
    new: BTreeMap<String, Vec<Instance>>,
    /// Records that follow other settings now.
    changed: Vec<Versioned<Instance>>,
    /// Why selected ones were not enrolled, and what is wrong with settings.
    reasons: Vec<Reason>,
    skipped: usize,
    listed: usize,
}

impl<S: ReadItems + WriteItems, L: cloud::ListInstances, C: Clock> ListInstances<S, L, C> {
    /// Enrols what the settings select; how many are enrolled and how many could not be.
    async fn enrol(&self) -> Result<(u32, u32), Reason> {
        let now = self.clock.now();
        let (settings, broken) = self.settings().await?;
        if settings.is_empty() && broken.is_empty() {
            return Ok((0, 0));
        }
        let mut pass = Pass { reasons: broken, ..Pass::default() };
        let listed = self.listed().await?;
        for one in &listed {
            self.consider(&settings, one, now, &mut pass).await?;
        }
        pass.reasons.extend(self.missing_instances(&listed).await?);
        let mut groups: Vec<Vec<Write>> = Vec::new();
        for changed in &pass.changed {
            groups.push(vec![changed.put()?]);
        }
        let mut enrolled = 0;
        for settings in &settings {
            let new = pass.new.remove(&settings.name).unwrap_or_default();
            if let Err(reason) = within_limits(settings, new.len()) {
                pass.skipped += new.len();
                pass.reasons.push(reason);
                continue;
            }
            enrolled += new.len();
            for instance in new {
                groups.push(self.newcomer(instance, now).await?);
            }
        }
        commit_groups(&self.store, groups).await?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let said = (count(enrolled), count(pass.skipped));
        self.remember(pass, now).await?;
        Ok(said)
    }

    /// Settings that can be followed, and what is wrong with the others.
    async fn settings(&self) -> Result<(Vec<Settings>, Vec<Reason>), Reason> {
        let names: Vec<Versioned<Listed>> =
            load_range(&self.store, &directory::partition(What::Discovery), ("", SORT_MAX)).await?;
        let (mut sound, mut broken) = (Vec::new(), Vec::new());
        for listed in names {
            let name = listed.record.name;
            let Some(stored) = load::<Settings>(&self.store, settings_key(&name)).await? else { continue };
            let settings = stored.record;
            let mut findings = settings.findings();
            if findings.is_empty() {
                let (policy, vault) = (&settings.policy, &settings.vault);
                findings.extend(
                    self.missing::<Policy>(&name, policy::key(policy), ("policy", policy.as_str())).await?,
                );
                findings
                    .extend(self.missing::<Vault>(&name, vault_key(vault), ("vault", vault.as_str())).await?);
            }
            if findings.is_empty() {
                sound.push(settings);
            }
            broken.append(&mut findings);
        }
        Ok((sound, broken))
    }

    async fn missing<R: Record>(
        &self,
        settings: &str,
        key: (String, String),
        (what, name): (&str, &str),
    ) -> Result<Option<Reason>, Reason> {
        if load::<R>(&self.store, key).await?.is_some() {
            return Ok(None);
        }
        let message = format!("discovery {settings}: the store has no {what} {name}");
        let reason = Reason::new(Class::Human, "RecordMissing", message);
        Ok(Some(reason.guidance("put it, or name another in the settings")))
    }

    /// All of them, page by page.
    async fn listed(&self) -> Result<Vec<ListedInstance>, Reason> {
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.cloud.list_instances(after.as_deref()).await?;
            found.extend(page.instances);
            after = page.after;
            if after.is_none() {
                return Ok(found);
            }
        }
        let message = format!("RDS lists more than {} instances", PAGES_MAX * 100);
        Err(Reason::new(Class::Human, "ListingTooLong", message)
            .guidance("discovery takes no more: enrol instances by hand"))
    }

    /// Instances that are protected and that RDS does not list any more.
    async fn missing_instances(&self, listed: &[ListedInstance]) -> Result<Vec<Reason>, Reason> {
        let listed: BTreeSet<String> = listed.iter().map(|one| one.name.to_ascii_lowercase()).collect();
        let names: Vec<Versioned<Listed>> =
            load_range(&self.store, &directory::partition(What::Instance), ("", SORT_MAX)).await?;
        let mut missing = Vec::new();
        for name in names.into_iter().map(|line| line.record.name) {
            if listed.contains(&name.to_ascii_lowercase()) {
                continue;
            }
            let stored: Option<Versioned<Instance>> = load(&self.store, instance_key(&name)).await?;
            if stored.is_some_and(|stored| stored.record.stopped.is_none()) {
                let message =
                    format!("RDS lists no instance {name}, which is protected: it was deleted or renamed");
                missing.push(Reason::new(Class::Human, "InstanceGone", message).guidance(
                    "end its protection in its settings (is_protected = false): what the vault has of it stays; one that was renamed \
                     is enrolled under its new name",
                ));
            }
        }
        Ok(missing)
    }

    async fn consider(
        &self,
        settings: &[Settings],
        listed: &ListedInstance,
        now: Timestamp,
        pass: &mut Pass,
    ) -> Result<(), Reason> {
        pass.listed += 1;
        let known: Option<Versioned<Instance>> = load(&self.store, instance_key(&listed.name)).await?;
        let record = known.as_ref().map(|known| &known.record);
        match (select(settings, listed, record, now), known) {
            (Selection::Unselected | Selection::Known, _) => {}
            (Selection::Store(record), Some(known)) => {
                pass.changed.push(Versioned { record: *record, expect: known.expect });
            }
            (Selection::Store(record), None) => {
                let settings = record.discovery.clone().unwrap_or_default();
                pass.new.entry(settings).or_default().push(*record);
            }
            (Selection::Skipped(reason), _) => {
                pass.skipped += 1;
                pass.reasons.push(reason);
            }
        }
        Ok(())
    }

    /// The writes that enrol an instance: its record and its line in the directory.
    async fn newcomer(&self, instance: Instance, at: Timestamp) -> Result<Vec<Write>, Reason> {
        let line = Listed { what: What::Instance, name: instance.name.clone(), by: BY.to_owned(), at };
        let known: Option<Versioned<Listed>> = load(&self.store, line.key()).await?;
        let mut writes = vec![Versioned::new(instance).put()?];
        if known.is_none() {
            writes.push(Versioned::new(line).put()?);
        }
        Ok(writes)
    }

    /// What people can look at: how many there are, and why which were not enrolled.
    async fn remember(&self, pass: Pass, now: Timestamp) -> Result<(), Reason> {
        let known: Option<Versioned<Looked>> = load(&self.store, looked_key("")).await?;
        let expect = known.as_ref().map_or(Expect::Absent, |known| known.expect);
        let mut looked = known.map(|known| known.record).unwrap_or_default();
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        (looked.shown, looked.skipped) = (count(pass.listed), count(pass.skipped));
        looked.succeed(now, needs_of(pass.reasons));
        commit(&self.store, &[Versioned { record: looked, expect }.put()?]).await
    }
}
