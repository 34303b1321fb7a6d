//! How full is the storage of an instance, and what happens when it is?
//!
//! Data files and a log file of each database lie on it, also of those that are being restored: a restore needs the space of
//! all data files when it begins, a native backup none, because it streams to S3. The service looks at it now and then: from nine
//! tenths on it warns, and what is full has the status `storage-full` and gets no automated backup. Writes go on all the same.
//! Source: RDS user guide, "Working with storage" and "Amazon RDS event categories and event messages".

use crate::{
    database::state::LOG_FILE_BYTES,
    instance::config::Edition,
    time::SECOND,
    world::{Event, World},
};

/// How full the storage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Fullness {
    /// Nobody needs to care.
    #[default]
    Free,
    /// More than nine tenths are used.
    Low,
    /// Nothing is left.
    Full,
}

impl World {
    /// Bytes that files use; a restore that runs has its files there already.
    fn storage_used(&self, instance: usize) -> u64 {
        let Some(host) = self.instances.get(instance) else { return 0 };
        let open = host.databases.values().filter_map(|id| self.database(*id));
        let open = open.map(|database| database.size_at(&self.branches, self.now_ms));
        let restoring = host.restoring.values().map(|held| held.state.begun_with.set.size_bytes);
        let arriving = host.arriving().map(|(_, restored)| restored.begun_with.set.size_bytes);
        open.chain(restoring).chain(arriving).fold(0, |sum, data| sum.saturating_add(data + LOG_FILE_BYTES))
    }

    /// Why files of so many bytes of data do not fit.
    pub(crate) fn refuse_space(&self, instance: usize, data: u64) -> Option<String> {
        let allocated = self.instances.get(instance)?.config.allocated_storage_bytes?;
        let (needed, free) =
            (data.saturating_add(LOG_FILE_BYTES), allocated.saturating_sub(self.storage_used(instance)));
        let text = &self.knobs.texts.no_space;
        let text = text.replace("{needed}", &needed.to_string()).replace("{free}", &free.to_string());
        (needed > free).then_some(text)
    }

    /// Puts the next look at the storage on the agenda, where it can fill.
    pub(crate) fn schedule_storage(&mut self, instance: usize) {
        if self.instances.get(instance).is_some_and(|host| host.config.allocated_storage_bytes.is_some()) {
            let at = self.now_ms + self.knobs.storage_look_seconds.max(1) * SECOND;
            self.schedule(at, Event::LookAtStorage { instance });
        }
    }

    /// The service looks at the storage.
    pub(crate) fn look_at_storage(&mut self, instance: usize) {
        self.note_storage(instance);
        self.schedule_storage(instance);
    }

    /// Tells by an event that storage became scarce, or ran out.
    fn note_storage(&mut self, instance: usize) {
        let used = self.storage_used(instance);
        let Some(host) = self.instances.get_mut(instance) else { return };
        let Some(allocated) = host.config.allocated_storage_bytes else { return };
        let free = allocated.saturating_sub(used);
        let now = match free {
            0 => Fullness::Full,
            _ if free < allocated.div_ceil(10) => Fullness::Low,
            _ => Fullness::Free,
        };
        let before = std::mem::replace(&mut host.storage, now);
        let name = host.config.name.clone();
        if now <= before {
            return;
        }
        if now == Fullness::Full {
            let text = "Allocated storage has been exhausted. Allocate additional storage to resolve.";
            self.publish(instance, "RDS-EVENT-0007", text);
        } else {
            let percent = u128::from(free) * 100 / u128::from(allocated.max(1));
            let (size, left) = (gigabytes(allocated), gigabytes(free));
            self.publish(
                instance,
                "RDS-EVENT-0089",
                format!(
                    "The free storage capacity for DB instance: {name} is low at {percent}% of the provisioned storage [Provisioned Storage: {size}, Free Storage: {left}]. You may want to increase the provisioned storage to address this issue."
                ),
            );
        }
    }

    /// Somebody allocates more storage, in bytes altogether; there is no way to less. It takes no snapshot. Returns whether it
    /// was done.
    pub fn break_storage(&mut self, instance: &str, bytes: u64) -> bool {
        let Some(index) = self.index_of(instance) else { return false };
        let Some(host) = self.instances.get_mut(index) else { return false };
        if host.config.allocated_storage_bytes.is_none_or(|allocated| bytes <= allocated) {
            return false;
        }
        host.config.allocated_storage_bytes = Some(bytes);
        self.publish(index, "RDS-EVENT-0018", "Applying modification to allocated storage.");
        self.note_storage(index);
        self.publish(index, "RDS-EVENT-0017", "Finished applying modification to allocated storage.");
        true
    }

    /// Somebody adds a storage volume of so many bytes, which Standard and Enterprise take: RDS snapshots the instance. Returns
    /// whether it was done.
    pub fn break_volume(&mut self, instance: &str, bytes: u64) -> bool {
        let Some(index) = self.index_of(instance) else { return false };
        let Some(config) = self.instances.get(index).map(|host| &host.config) else { return false };
        let takes = matches!(config.edition, Edition::Standard | Edition::Enterprise);
        let Some(allocated) = config.allocated_storage_bytes.filter(|_| takes) else { return false };
        self.snapshot_instance(index);
        self.break_storage(instance, allocated.saturating_add(bytes))
    }
}

/// As the event prints a size.
fn gigabytes(bytes: u64) -> String {
    let hundredths = (u128::from(bytes) * 100) >> 30;
    format!("{}.{:02} GB", hundredths / 100, hundredths % 100)
}
