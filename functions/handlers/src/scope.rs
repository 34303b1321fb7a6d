//! What a run works on, read from the store; and the few store idioms that the functions share.

use domain::event::Event;
use domain::facts::DatabaseState;
use domain::inventory::{Database, Instance, Vault, databases_partition, instance_key, vault_key};
use domain::lease;
use domain::policy::{self, Policy};
use domain::reason::{Class, Reason};
use domain::record::Record;
use domain::task::{Task, open_partition};
use jiff::Timestamp;
use ports::server::{Endpoint, ReadDatabases};
use ports::store::{
    COMMIT_WRITES_MAX, CommitFault, ReadItems, Versioned, Write, WriteItems, load, load_range,
};

use crate::contract::{CaughtError, InstanceRun};
use crate::outbox;

/// Above every sort key there can be: names hold no character beyond it.
pub(crate) const SORT_MAX: &str = "\u{10FFFF}";

/// The instance with its policy and vault.
pub(crate) struct Scope {
    pub(crate) instance: Versioned<Instance>,
    pub(crate) policy: Policy,
    pub(crate) vault: Vault,
}

impl Scope {
    pub(crate) async fn load(store: &impl ReadItems, name: &str) -> Result<Self, Reason> {
        let instance: Versioned<Instance> = required(store, instance_key(name), "instance", name).await?;
        let record = &instance.record;
        let policy: Versioned<Policy> =
            required(store, policy::key(&record.policy), "policy", &record.policy).await?;
        policy.record.validate()?;
        let vault: Versioned<Vault> =
            required(store, vault_key(&record.vault), "vault", &record.vault).await?;
        Ok(Self { policy: policy.record, vault: vault.record, instance })
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        let instance = &self.instance.record;
        Endpoint {
            instance: instance.name.clone(),
            host: instance.host.clone(),
            port: instance.port,
            secret_arn: instance.secret_arn.clone(),
        }
    }

    /// ARN partition of the instance, `aws` until the control plane was asked.
    pub(crate) fn partition(&self) -> &str {
        let facts = self.instance.record.facts.as_ref();
        facts.and_then(|(_, facts)| domain::paths::arn_parts(&facts.arn).ok()).map_or("aws", |parts| parts.0)
    }

    /// ARN under which the service puts copied logs.
    pub(crate) fn log_copy_arn(&self) -> String {
        let prefix = domain::paths::log_prefix(&self.vault.prefix, &self.instance.record.name);
        format!("arn:{}:s3:::{}/{prefix}", self.partition(), self.vault.log_bucket())
    }

    /// The key that log copies name: storage-encrypted instances must, others must not.
    pub(crate) fn log_copy_key(&self) -> Option<String> {
        let encrypted = self.instance.record.facts.as_ref().is_some_and(|(_, facts)| facts.storage_encrypted);
        if encrypted { self.kms_key_arn().cloned() } else { None }
    }

    /// The key of client-side encryption: the policy's, else the vault's.
    pub(crate) fn kms_key_arn(&self) -> Option<&String> {
        self.policy.storage.kms_key_arn.as_ref().or(self.vault.kms_key_arn.as_ref())
    }
}

/// A record that must be there.
async fn required<R: Record>(
    store: &impl ReadItems,
    key: (String, String),
    what: &str,
    name: &str,
) -> Result<Versioned<R>, Reason> {
    load(store, key).await?.ok_or_else(|| {
        Reason::new(Class::Human, "RecordMissing", format!("the store has no {what} {name}"))
            .guidance("enrol it before its run is started")
    })
}

/// What the server shows of its databases.
pub(crate) async fn shown<T: ReadDatabases>(
    session: &mut T,
    scope: &Scope,
) -> Result<Vec<DatabaseState>, Reason> {
    let mut states = session.databases().await?;
    for state in &mut states {
        state.server = scope.instance.record.server;
    }
    Ok(states)
}

/// The heads of all databases of an instance, by name.
pub(crate) async fn databases(
    store: &impl ReadItems,
    instance: &str,
) -> Result<Vec<Versioned<Database>>, Reason> {
    Ok(load_range(store, &databases_partition(instance), ("", SORT_MAX)).await?)
}

/// All open tasks of an instance, by database.
pub(crate) async fn open_tasks(
    store: &impl ReadItems,
    instance: &str,
) -> Result<Vec<Versioned<Task>>, Reason> {
    Ok(load_range(store, &open_partition(instance), ("", SORT_MAX)).await?)
}

/// Whether two names are one database's. Instances compare names without case unless they were created with another
/// collation, and then two databases that differ by case alone are refused by RDS all the same.
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

/// Whether a reason says that the service copies logs to another place than it was told, or to none. It was told once: people change that, and
/// a server that was restored from a snapshot was never told.
pub(crate) fn no_target(reason: &Reason) -> bool {
    matches!(&*reason.name, "SetupMissing" | "LogFilesMissing")
}

/// Where the service copies logs to is asked again before the next copy.
pub(crate) async fn forget_target(
    store: &impl WriteItems,
    instance: &mut Versioned<Instance>,
) -> Result<(), Reason> {
    if instance.record.log_copy_target.take().is_none() {
        return Ok(());
    }
    commit(store, &[instance.put()?]).await?;
    instance.expect = instance.expect.written();
    Ok(())
}

/// Fails unless the run holds its lease now.
pub(crate) async fn check_lease(
    store: &impl ReadItems,
    run: &InstanceRun,
    now: Timestamp,
) -> Result<(), Reason> {
    let lease: Option<Versioned<lease::Lease>> = load(store, lease::key(&run.instance)).await?;
    let name = lease::run_name(&run.instance, run.generation);
    if lease.is_some_and(|lease| lease.record.is_held_by(&name, now)) { Ok(()) } else { Err(lost(&name)) }
}

/// The run does not hold its lease any more.
pub(crate) fn lost(run: &str) -> Reason {
    Reason::new(
        Class::Never,
        "LeaseLost",
        format!("run {run} does not hold the lease any more: another has taken over"),
    )
}

/// A commit as a function sees it: a conflict is a reason to start over from fresh records.
pub(crate) async fn commit(store: &impl WriteItems, writes: &[Write]) -> Result<(), Reason> {
    if writes.is_empty() {
        return Ok(());
    }
    store.commit(writes).await.map_err(|fault| match fault {
        CommitFault::Conflict { key } => Reason::new(
            Class::Retry,
            "Conflict",
            format!("{} / {} changed meanwhile", key.partition, key.sort),
        ),
        CommitFault::Fault(fault) => fault.into_reason(),
    })
}

/// Commits groups that belong together, as many groups at a time as one commit holds.
pub(crate) async fn commit_groups(store: &impl WriteItems, groups: Vec<Vec<Write>>) -> Result<(), Reason> {
    let mut batch: Vec<Write> = Vec::new();
    for group in groups {
        if batch.len() + group.len() > COMMIT_WRITES_MAX {
            commit(store, &std::mem::take(&mut batch)).await?;
        }
        batch.extend(group);
    }
    commit(store, &batch).await
}

/// The writes that end a task: out of the open partition, into the done one, and what is told of that.
pub(crate) fn end_task(open: &Versioned<Task>, done: Task) -> Result<Vec<Write>, Reason> {
    let told = Event::of_end(&done).map(outbox::with).transpose()?;
    let mut writes = vec![open.delete(), Versioned::new(done).put()?];
    writes.extend(told);
    Ok(writes)
}

/// What is told where a database's chain broke or goes on: `before` is why it was broken.
pub(crate) fn of_chain(
    before: Option<&Reason>,
    head: &Database,
    now: Timestamp,
) -> Result<Option<Write>, Reason> {
    Event::of_chain(before, head, now).map(outbox::with).transpose()
}

/// What is told where an instance's trouble begins or ends: `before` is what it was.
pub(crate) fn of_trouble(
    instance: &Instance,
    before: Option<&Reason>,
    now: Timestamp,
) -> Result<Option<Write>, Reason> {
    let Instance { name, trouble, .. } = instance;
    Event::of_trouble(name, before, trouble.as_ref(), now).map(outbox::with).transpose()
}

/// What a machine caught, as a reason of a name that people read. A function's cause is JSON with an `errorMessage`; anything else is kept
/// as it came, cut to a length that no item minds.
pub(crate) fn caught(name: &'static str, error: &CaughtError) -> Reason {
    #[derive(serde::Deserialize)]
    struct Cause {
        #[serde(rename = "errorMessage")]
        message: String,
    }
    let message = serde_json::from_str::<Cause>(&error.cause)
        .map_or_else(|_| error.cause.clone(), |cause| cause.message);
    let message: String = message.chars().take(1_000).collect();
    let class = Class::ALL.into_iter().find(|class| class.as_str() == error.error).unwrap_or(Class::Human);
    Reason::new(class, name, format!("{}: {message}", error.error))
}
