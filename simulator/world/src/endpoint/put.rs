//! What must be on the endpoint before a task has succeeded, and what the task comes to when it is or is not.
//!
//! A backup's file is made when its data is through, and changes its database when all stripes are there: base, chain and
//! history move with SUCCESS. What was written before a failure is there, and the model has it too.

use std::sync::Arc;

use super::{Awaited, EndpointFault, Movement, Outgoing, Owner};
use crate::{
    backup_file::BackupFile,
    s3::Body,
    tasks::task::{Lifecycle, Work},
    world::World,
};

/// Log files on their way at a time.
const LOGS_AT_ONCE: u32 = 64;

impl World {
    /// Sends what a task that is through has written. `false`: there is nothing to send, and it ends.
    pub(crate) fn puts_first(&mut self, instance: usize, id: u32) -> bool {
        if self.mirror.is_none() {
            return false;
        }
        let host = self.instances.get(instance);
        let Some(task) = host.and_then(|host| host.task(id)) else { return false };
        let owner = Owner { instance, task: id, plan: task.plan };
        match host.and_then(|host| host.work.get(&id)) {
            Some(Work::Backup { running: Some(_), .. }) => self.puts_stripes(owner),
            Some(Work::Copy { .. }) => self.puts_logs(owner),
            _ => false,
        }
    }

    fn puts_stripes(&mut self, owner: Owner) -> bool {
        let host = self.instances.get(owner.instance);
        let Some(Work::Backup { bucket, running: Some(running), uploads, .. }) =
            host.and_then(|host| host.work.get(&owner.task))
        else {
            return false;
        };
        let (bucket, running) = (bucket.clone(), *running);
        let keys: Vec<String> = uploads.iter().map(|(key, _)| key.clone()).collect();
        let Some((file, each)) = self.native_file(owner.instance, owner.task, running) else { return false };
        let stripes = (1_u8..).zip(&keys).map(|(family, key)| {
            let bytes = Arc::from(self.object_bytes(&file, family)?);
            Some(Outgoing { key: key.clone(), bytes, size_bytes: each })
        });
        match stripes.collect::<Option<Vec<Outgoing>>>() {
            Some(stripes) => {
                let what = Awaited::Backup { file, keys };
                self.ask_endpoint(owner, &bucket, Movement::Put(stripes), what);
            }
            None => self.fails_by_endpoint(owner, EndpointFault::TooLarge),
        }
        true
    }

    fn puts_logs(&mut self, owner: Owner) -> bool {
        let host = self.instances.get(owner.instance);
        let (Some(task), Some(Work::Copy { bucket, folder, files, .. })) =
            (host.and_then(|host| host.task(owner.task)), host.and_then(|host| host.work.get(&owner.task)))
        else {
            return false;
        };
        let Some(database) = task.database.and_then(|id| self.database(id)) else { return false };
        let (bucket, overhead) = (bucket.clone(), self.knobs.log_file_overhead_bytes);
        let until = files.1.min(files.0.saturating_add(LOGS_AT_ONCE));
        let mut named = Vec::new();
        let mut objects = Vec::new();
        for number in files.0..until {
            let file = database.log_backup(&self.branches, self.seed, overhead, number);
            let (Some(file), Some(key)) = (file, self.log_key(database, folder, number)) else { continue };
            let Some(bytes) = self.object_bytes(&file, 1) else {
                self.fails_by_endpoint(owner, EndpointFault::TooLarge);
                return true;
            };
            named.push((number, key.clone()));
            objects.push(Outgoing { key, bytes: Arc::from(bytes), size_bytes: file.set.size_bytes });
        }
        if objects.is_empty() {
            return false;
        }
        self.ask_endpoint(owner, &bucket, Movement::Put(objects), Awaited::Logs(named));
        true
    }

    /// Stripes are there, or some are not.
    pub(super) fn stripes_put(
        &mut self,
        owner: Owner,
        bucket: &str,
        (file, keys): (&Arc<BackupFile>, &[String]),
        etags: &[Option<String>],
        fault: Option<EndpointFault>,
    ) {
        let each = file.set.compressed_bytes / u64::from(file.set.stripes.max(1));
        for ((index, key), etag) in (1_u8..).zip(keys).zip(etags) {
            let Some(etag) = etag else { continue };
            let body = Body::Stripe { file: Arc::clone(file), index };
            // A bucket that the model lost keeps nothing: the endpoint's own is looked at before the next task.
            if self.s3.store(bucket, key, body, each).is_ok() {
                self.note_etag(bucket, key, etag);
            }
        }
        let all = etags.len() == keys.len() && etags.iter().all(Option::is_some);
        if !self.still_waits(owner) {
            return;
        }
        if !all || fault.is_some() {
            self.fails_by_endpoint(owner, fault.unwrap_or(EndpointFault::Unreachable));
            return;
        }
        let work = self.instances.get_mut(owner.instance).and_then(|host| host.work.remove(&owner.task));
        if let Some(Work::Backup { running: Some(running), uploads, .. }) = work {
            for (key, serial) in uploads {
                self.s3.end_upload(bucket, &key, serial);
            }
            self.note_native(owner.instance, owner.task, file, running);
        }
        self.concludes(owner.instance, owner.task, Lifecycle::Success);
    }

    /// Log files are there, or some are not.
    pub(super) fn logs_put(
        &mut self,
        owner: Owner,
        bucket: &str,
        files: &[(u32, String)],
        etags: &[Option<String>],
        fault: Option<EndpointFault>,
    ) {
        let host = self.instances.get_mut(owner.instance);
        let work = host.and_then(|host| host.work.get_mut(&owner.task));
        let Some(Work::Copy { folder, files: range, .. }) = work else { return };
        let folder = folder.clone();
        range.0 = files.last().map_or(range.0, |(number, _)| number.saturating_add(1));
        let done = range.0 >= range.1;
        for ((number, key), etag) in files.iter().zip(etags) {
            if etag.is_some() {
                let next = number.saturating_add(1);
                self.finish_copy(owner.instance, owner.task, bucket, &folder, (*number, next));
                // Millions of them: what they hold is read again when somebody restores one.
                if let Some(mirror) = self.mirror.as_mut() {
                    mirror.etags.remove(&(bucket.to_owned(), key.clone()));
                }
            }
        }
        let all = etags.len() == files.len() && etags.iter().all(Option::is_some);
        if !self.still_waits(owner) {
            return;
        }
        if !all || fault.is_some() {
            self.fails_by_endpoint(owner, fault.unwrap_or(EndpointFault::Unreachable));
        } else if done || !self.puts_logs(owner) {
            if let Some(host) = self.instances.get_mut(owner.instance) {
                host.work.remove(&owner.task);
            }
            self.concludes(owner.instance, owner.task, Lifecycle::Success);
        }
    }
}
