//! What a run left behind, read as an operator would read it: the records of the store, and what the servers still list.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::backup::{Backup, HeldIn, Kind, Stripes};
use domain::catalogue::{DataBackup, Life, LogDay};
use domain::discovery::seen::{self, Page};
use domain::facts::{DatabaseState, LogFile};
use domain::inventory::{Database, databases_partition};
use domain::record::Record;
use domain::task::{Task, done_partition, open_partition};
use jiff::{SignedDuration, Timestamp};
use ports::server::{OpenSession, ReadDatabases, ReadLogFiles};
use ports::store::decode;

use super::{SimulationError, deploy};
use crate::executor::Ending;
use crate::ports::table::Table;
use crate::scenario::{InstanceSpec, Scenario};
use crate::testbed::Testbed;

/// One protected database.
#[derive(Debug, Clone)]
pub struct DatabaseView {
    /// Its head.
    pub head: Database,
    /// Its data backups in the vault.
    pub data: Vec<DataBackup>,
    /// Its log files in the vault.
    pub logs: Vec<LogDay>,
    /// Headers of what the service still keeps beyond them.
    pub in_service: Vec<Backup>,
}

/// Everything a run left behind.
#[derive(Debug, Clone)]
pub struct View {
    /// When it was looked at.
    pub now: Timestamp,
    /// Databases, by instance and name.
    pub databases: Vec<DatabaseView>,
    /// Tasks that ended, by instance, in order of their end.
    pub done: Vec<Task>,
    /// Tasks that are open.
    pub open: Vec<Task>,
    /// What discovery saw last.
    pub seen: Vec<Page>,
}

fn records<R: Record>(table: &Table, partition: &str, sort: &str) -> Result<Vec<R>, SimulationError> {
    table
        .partition(partition)
        .filter(|item| item.key.sort.starts_with(sort))
        .map(|item| decode(&item).map(|versioned| versioned.record))
        .collect::<Result<_, _>>()
        .map_err(|fault| SimulationError::Store(fault.to_string()))
}

pub(super) fn view(scenario: &Scenario, bed: &mut Testbed) -> Result<View, SimulationError> {
    let now = bed.now();
    let mut view = View { now, databases: Vec::new(), done: Vec::new(), open: Vec::new(), seen: Vec::new() };
    for instance in &scenario.instances {
        let mut listed = listed(instance, bed);
        let store = bed.store();
        store.look(|table| -> Result<(), SimulationError> {
            view.done.extend(records::<Task>(table, &done_partition(&instance.name), "")?);
            view.open.extend(records::<Task>(table, &open_partition(&instance.name), "")?);
            view.seen.extend(records::<Page>(table, &seen::partition(&instance.name), "page#")?);
            for head in records::<Database>(table, &databases_partition(&instance.name), "")? {
                let (mut data, mut logs) = (Vec::new(), Vec::new());
                if let Some(life) = Life::of(&head) {
                    data = records(table, &life.partition(), "data#")?;
                    logs = records(table, &life.partition(), "log#")?;
                }
                let (state, files) = listed.remove(&head.name).unwrap_or_default();
                let in_service = in_service(&head, state.as_ref(), &files);
                view.databases.push(DatabaseView { head, data, logs, in_service });
            }
            Ok(())
        })?;
    }
    Ok(view)
}

type Listed = BTreeMap<String, (Option<DatabaseState>, Vec<LogFile>)>;

/// What the server lists now, asked through the adapter like everything else. An instance that cannot be asked lists nothing.
fn listed(instance: &InstanceSpec, bed: &mut Testbed) -> Listed {
    const NAME: &str = "operator";
    let answer: Rc<RefCell<Listed>> = Rc::default();
    let servers = Rc::new(deploy::servers(bed));
    let endpoint = super::setup::endpoint(instance);
    let out = Rc::clone(&answer);
    bed.deploy_function(
        NAME,
        SignedDuration::from_mins(10),
        Rc::new(move |_| {
            let (servers, endpoint, out) = (Rc::clone(&servers), endpoint.clone(), Rc::clone(&out));
            Box::pin(async move {
                // Boxed: opening a session is a future of many kilobytes.
                let mut session = Box::pin(servers.open(&endpoint)).await?;
                let states = session.databases().await?;
                for state in states {
                    let files = session.log_files(&state.name, 0, u32::MAX).await?;
                    out.borrow_mut().insert(state.name.clone(), (Some(state), files));
                }
                Ok(serde_json::Value::Null)
            })
        }),
    );
    if let Ok(invocation) = bed.invoke(NAME, serde_json::Value::Null) {
        let mut ending: Option<Ending> = None;
        while ending.is_none() && bed.step(Timestamp::MAX) != crate::testbed::Step::Idle {
            ending = bed.take_ending(invocation);
        }
    }
    answer.take()
}

/// Headers of the files beyond the newest one in the vault, on the fork that was sampled now.
fn in_service(head: &Database, state: Option<&DatabaseState>, files: &[LogFile]) -> Vec<Backup> {
    let (Some(state), Some(lineage)) = (state, &head.lineage) else { return Vec::new() };
    let after = head.log_tail.as_ref().map_or(0, |tail| tail.seq);
    files
        .iter()
        .filter(|file| file.seq > after && file.error.is_none())
        .map(|file| {
            let id = format!("{}.{}.{}.{}", file.database_id, file.family_guid, file.seq, file.epoch);
            let lsns = (file.first_lsn, file.last_lsn);
            let mut backup = Backup::new(id, head.name.as_str(), Kind::Log, lsns, file.made_at);
            backup.first_fork.clone_from(&state.recovery_fork_guid);
            backup.last_fork.clone_from(&state.recovery_fork_guid);
            backup.database_guid = Some(lineage.database_guid.clone());
            backup.family_guid = Some(lineage.family_guid.clone());
            backup.size_bytes = file.size_bytes;
            backup.held_in = HeldIn::Service;
            backup.stripes = Stripes::default();
            backup
        })
        .collect()
}
