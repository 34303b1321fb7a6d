//! What is a read replica, and what does it keep its source from?
//!
//! A replica shows the databases of its source, also those that were restored there, and backs nothing up. Making one takes a
//! snapshot of the source. While one lies in another Region the source restores nothing natively, and the restores that it had
//! in its queue are cancelled. Replication takes no time here, and no replica goes away. Source: RDS user guide, "Working with
//! read replicas for Microsoft SQL Server" and "Using native backup and restore".

use crate::{
    error::EngineError,
    instance::{
        config::{InstanceConfig, LogAccess},
        state::Instance,
    },
    tasks::task::Lifecycle,
    world::World,
};

impl World {
    /// Creates a read replica of an instance, with settings of its own. Errors: `DBInstanceNotFound` without the source.
    pub fn add_replica(&mut self, source: &str, config: InstanceConfig) -> Result<(), EngineError> {
        let Some(index) = self.index_of(source).filter(|index| !self.is_replica(*index)) else {
            return Err(EngineError::raised(format!("DBInstanceNotFound: DBInstance {source} not found.")));
        };
        let elsewhere = self.instances.get(index).is_some_and(|host| host.config.region != config.region);
        self.snapshot_instance(index);
        let name = config.name.clone();
        self.add_instance(InstanceConfig { retention_days: 0, replica_of: Some(source.into()), ..config });
        self.break_log_access(&name, LogAccess::Replica);
        if let Some(replica) = self.index_of(&name) {
            self.publish(replica, "RDS-EVENT-0005", "DB instance created.");
        }
        if elsewhere {
            self.cancel_restores(index);
        }
        Ok(())
    }

    /// Whether an instance is a read replica.
    pub(crate) fn is_replica(&self, instance: usize) -> bool {
        self.instances.get(instance).is_some_and(|host| host.config.replica_of.is_some())
    }

    /// The instance whose databases an instance shows: its own, or those of its source.
    pub(crate) fn shown(&self, instance: usize) -> Option<&Instance> {
        let host = self.instances.get(instance)?;
        match &host.config.replica_of {
            Some(source) => self.instances.get(self.index_of(source)?),
            None => Some(host),
        }
    }

    /// "All native restores aren't supported on instances that have cross-region read replicas."
    pub(crate) fn refuse_cross_region(&self, instance: usize) -> Result<(), EngineError> {
        let Some(host) = self.instances.get(instance) else { return Ok(()) };
        let is_far = |other: &Instance| {
            other.config.replica_of.as_ref() == Some(&host.config.name)
                && other.config.region != host.config.region
        };
        if self.instances.iter().any(is_far) {
            return Err(EngineError::raised(self.knobs.texts.cross_region_replica.clone()));
        }
        Ok(())
    }

    /// The native restores that have not ended are cancelled.
    fn cancel_restores(&mut self, instance: usize) {
        let Some(host) = self.instances.get(instance) else { return };
        let open = host.open_tasks().filter(|task| task.kind.is_restore());
        let open = open.filter(|task| task.lifecycle != Lifecycle::CancelRequested);
        let ids: Vec<u32> = open.map(|task| task.id).collect();
        for id in ids {
            self.request_cancel(instance, id);
        }
    }
}
