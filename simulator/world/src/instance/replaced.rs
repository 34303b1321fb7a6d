//! What is there under the name of an instance that was restored and renamed?
//!
//! People who need their data back restore a snapshot to an instance of another name, rename the one that they had and give the other one its name.
//! Endpoint and name lead to the new one: a server of its own, without a past of tasks or backups, with the databases as they were, which the old one
//! goes on with as well. Source: RDS user guide, "Restoring to a DB instance" and "Renaming a DB instance".

use crate::{error::EngineError, instance::config::InstanceConfig, world::World};

impl World {
    /// Somebody restores an instance from a snapshot of now and gives it the name of the one before, which is called `NAME-old` from then on and
    /// goes on. Whoever is connected is cut off.
    ///
    /// # Errors
    /// There is no such instance, or one called `NAME-old`.
    pub fn break_replaced(&mut self, instance: &str) -> Result<(), EngineError> {
        let missing = || EngineError::raised(format!("DBInstanceNotFound: DBInstance {instance} not found."));
        let before = self.index_of(instance).filter(|index| !self.is_replica(*index)).ok_or_else(missing)?;
        let old = format!("{instance}-old");
        if self.index_of(&old).is_some() {
            return Err(EngineError::raised(format!(
                "DBInstanceAlreadyExists: DB instance already exists: {old}"
            )));
        }
        let held = self.instances.get_mut(before).ok_or_else(missing)?;
        let config = held.config.clone();
        held.config = InstanceConfig {
            arn: config.arn.replace(&format!(":db:{instance}"), &format!(":db:{old}")),
            name: old.clone(),
            ..config.clone()
        };
        let databases: Vec<_> = held.databases.values().copied().collect();
        self.names.remove(instance);
        self.names.insert(old, before);
        self.sessions.retain(|_, session| session.instance != before);
        self.add_instance(config);
        for database in databases {
            self.break_twin(database, instance)?;
        }
        Ok(())
    }
}
