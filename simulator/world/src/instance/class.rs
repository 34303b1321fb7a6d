//! How many databases does an instance hold, and what happens when its class or its Multi-AZ mode changes?
//!
//! The limit depends on the size of the class and on the mode; system databases do not count, those that are being restored do.
//! A change beyond the limit is told by an event, in the recorded words, and nothing changes. Source: RDS user guide,
//! "Limitations for Microsoft SQL Server DB instances" and "Amazon RDS event categories and event messages".

use crate::{
    error::EngineError,
    instance::{config::MultiAz, state::Instance},
    world::World,
};

/// vCPU of one `xlarge`: `24xlarge` has 96.
const VCPUS_OF_XLARGE: u32 = 4;

/// Databases that a class holds in a mode; `None` where the documents give no number: any.
///
/// The smallest classes have a number without Multi-AZ only; it is taken for all modes `[INF]`.
pub(crate) fn databases_max(class: &str, vcpus: Option<u32>, mode: MultiAz) -> Option<usize> {
    let size = class.rsplit('.').next()?;
    let units = match size {
        "micro" | "small" | "medium" | "large" => return Some(30),
        "xlarge" => 1,
        _ => size.strip_suffix("xlarge")?.parse::<u32>().ok()?,
    };
    let vcpus = vcpus.unwrap_or(units.saturating_mul(VCPUS_OF_XLARGE));
    Some(match mode {
        MultiAz::Single => 100,
        MultiAz::Mirroring => 50,
        MultiAz::AlwaysOn if units >= 24 && vcpus >= 96 => 100,
        MultiAz::AlwaysOn => 75,
    })
}

impl Instance {
    /// Databases that it holds as it is now; `None` is any number.
    fn databases_max(&self) -> Option<usize> {
        databases_max(self.config.instance_class.as_deref()?, self.config.vcpus, self.config.multi_az)
    }

    /// Databases of its users, with those that restores other than one task are about to make.
    fn database_count(&self, other_than: u32) -> usize {
        let coming = self.arriving().filter(|(task, _)| *task != other_than).count();
        self.databases.len() + self.restoring.len() + coming
    }
}

impl World {
    /// Refuses one database too many, and any on a read replica.
    pub(crate) fn refuse_database(&self, instance: usize, name: &str) -> Result<(), EngineError> {
        if self.is_replica(instance) {
            return Err(EngineError::raised(self.knobs.texts.on_replica.clone()));
        }
        self.refuse_restored(instance, 0, name).map_or(Ok(()), |text| Err(EngineError::raised(text)))
    }

    /// Why a task may not bring one database more.
    pub(crate) fn refuse_restored(&self, instance: usize, task: u32, name: &str) -> Option<String> {
        let host = self.instances.get(instance)?;
        let limit = host.databases_max().filter(|limit| host.database_count(task) >= *limit)?;
        let text = &self.knobs.texts.too_many_databases;
        Some(text.replace("{name}", name).replace("{limit}", &limit.to_string()))
    }

    /// Somebody changes the class of an instance: it fails over, or restarts when it has one node. Returns whether it was done;
    /// with more databases than the new class holds an event says why not.
    pub fn break_instance_class(&mut self, instance: &str, class: &str) -> bool {
        let Some(index) = self.index_of(instance) else { return false };
        let Some(host) = self.instances.get(index) else { return false };
        let limit = databases_max(class, host.config.vcpus, host.config.multi_az);
        if let Some(why) = too_many(host, limit) {
            self.publish(index, "RDS-EVENT-0157", format!("Unable to modify database instance class. {why}"));
            return false;
        }
        self.publish(index, "RDS-EVENT-0012", "Applying modification to database instance class.");
        if let Some(host) = self.instances.get_mut(index) {
            host.config.instance_class = Some(class.to_owned());
        }
        self.break_failover(instance);
        self.publish(index, "RDS-EVENT-0014", "Finished applying modification to DB instance class.");
        true
    }

    /// Somebody converts an instance to or from Multi-AZ. To Multi-AZ a backup of the primary is made, which moves the
    /// differential base. Returns whether it was done; with more databases than the mode holds, or in-memory tables under mirroring, an event says why not.
    pub fn break_multi_az(&mut self, instance: &str, mode: MultiAz) -> bool {
        let Some(index) = self.index_of(instance) else { return false };
        let Some(host) = self.instances.get(index).filter(|host| host.config.multi_az != mode) else {
            return false;
        };
        if mode == MultiAz::Single {
            let begun = "Applying modification to convert to a standard (Single-AZ) DB instance.";
            let done = "Finished applying modification to convert to a standard (Single-AZ) DB instance.";
            self.set_multi_az(index, mode, ("RDS-EVENT-0030", begun), ("RDS-EVENT-0029", done));
            return true;
        }
        let class = host.config.instance_class.as_deref();
        let limit = class.and_then(|class| databases_max(class, host.config.vcpus, mode));
        if let Some(why) = too_many(host, limit) {
            let text = format!("Unable to convert the DB instance to Multi-AZ: {why}");
            self.publish(index, "RDS-EVENT-0084", text);
            return false;
        }
        let in_memory = |id| self.database(id).is_some_and(|held| held.features.in_memory);
        if mode == MultiAz::Mirroring && host.databases.values().copied().any(in_memory) {
            let why = &self.knobs.texts.in_memory_mirrored;
            let text = format!("Unable to convert the DB instance to Multi-AZ: {why}");
            self.publish(index, "RDS-EVENT-0084", text);
            return false;
        }
        let begun = "Applying modification to convert to a Multi-AZ DB instance.";
        let done = "Finished applying modification to convert to a Multi-AZ DB instance.";
        self.set_multi_az(index, mode, ("RDS-EVENT-0024", begun), ("RDS-EVENT-0025", done));
        true
    }

    fn set_multi_az(
        &mut self,
        index: usize,
        mode: MultiAz,
        begun: (&'static str, &str),
        done: (&'static str, &str),
    ) {
        self.publish(index, begun.0, begun.1);
        if mode != MultiAz::Single {
            self.snapshot_instance(index);
        }
        if let Some(host) = self.instances.get_mut(index) {
            host.config.multi_az = mode;
        }
        self.publish(index, done.0, done.1);
    }
}

/// The recorded words for more databases than there may be after a change.
fn too_many(host: &Instance, limit: Option<usize>) -> Option<String> {
    let (count, limit) = (host.database_count(0), limit?);
    (count > limit).then(|| {
        format!("The instance has {count} databases, but after conversion it would only support {limit}.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_by_class_and_mode() {
        let (single, mirrored, grouped) = (MultiAz::Single, MultiAz::Mirroring, MultiAz::AlwaysOn);
        for (class, vcpus, mode, limit) in [
            ("db.t3.micro", None, single, Some(30)),
            ("db.t3.medium", None, single, Some(30)),
            ("db.m6i.large", None, single, Some(30)),
            ("db.m6i.large", None, mirrored, Some(30)),
            ("db.m6i.large", None, grouped, Some(30)),
            ("db.m6i.xlarge", None, single, Some(100)),
            ("db.r5.2xlarge", None, mirrored, Some(50)),
            ("db.m6i.16xlarge", None, grouped, Some(75)),
            ("db.m6i.24xlarge", None, single, Some(100)),
            ("db.m6i.24xlarge", None, mirrored, Some(50)),
            ("db.m6i.24xlarge", None, grouped, Some(100)),
            ("db.m6i.32xlarge", Some(64), grouped, Some(75)),
            ("db.x2iedn.32xlarge", Some(128), grouped, Some(100)),
            ("db.x1.metal", None, single, None),
            ("", None, single, None),
        ] {
            assert_eq!(databases_max(class, vcpus, mode), limit, "{class} {vcpus:?} {mode:?}");
        }
    }
}
