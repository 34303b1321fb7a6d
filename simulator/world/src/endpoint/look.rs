//! What must be known of the endpoint before a task begins, and what is done with what was seen.
//!
//! A backup asks whether its keys are taken, a restore reads what it is to restore, a copy asks whether its bucket is there. Only
//! these keys are listed, so a bucket of millions costs what a task names. The model is set right by what was seen: objects that
//! others wrote, changed or deleted.

use std::{collections::BTreeMap, sync::Arc};

use super::{Awaited, EndpointFault, Look, Movement, NOT_YET, Owner, Seen, SeenBody, object::Unreadable};
use crate::{
    restore::ObjectRef,
    s3::{Body, BucketConfig, Health, StorageClass},
    tasks::{info::stripe_keys, restore::FILES_MAX, task::Work},
    world::World,
};

impl World {
    /// Asks what a task that took its slot has to know. `false`: there is nothing to ask, and it begins.
    pub(crate) fn looks_first(&mut self, instance: usize, id: u32) -> bool {
        let Some((bucket, looks)) = self.looks_of(instance, id) else { return false };
        let Some(task) = self.instances.get_mut(instance).and_then(|i| i.task_mut(id)) else { return false };
        task.data = NOT_YET;
        let owner = Owner { instance, task: id, plan: task.plan };
        self.ask_endpoint(owner, &bucket, Movement::Look(looks.clone()), Awaited::Look(looks));
        true
    }

    fn looks_of(&self, instance: usize, id: u32) -> Option<(String, Vec<Look>)> {
        let mirror = self.mirror.as_ref()?;
        let host = self.instances.get(instance)?;
        let task = host.task(id)?;
        let seen = |key: &str| Look {
            key: key.to_owned(),
            is_prefix: false,
            keys_max: 1,
            reads: false,
            known: BTreeMap::new(),
        };
        let (bucket, looks) = match host.work.get(&id)? {
            Work::Backup { bucket, key, .. } => {
                let keys = stripe_keys(key, task.stripes, self.knobs.stripe_underscore);
                (bucket, keys.iter().map(|key| seen(key)).collect())
            }
            // Any key: whether the bucket answers.
            Work::Copy { bucket, folder, .. } => (bucket, vec![Look { is_prefix: true, ..seen(folder) }]),
            Work::Restore { from: Some((bucket, key)), .. } => {
                let prefix = key.strip_suffix('*');
                let name = prefix.unwrap_or(key);
                let known = mirror
                    .etags
                    .range((bucket.clone(), name.to_owned())..)
                    .take_while(|((held, key), _)| held == bucket && key.starts_with(name))
                    .take(FILES_MAX + 1)
                    .filter(|((_, key), _)| self.s3.bucket(bucket).is_ok_and(|held| held.exists(key)))
                    .map(|((_, key), etag)| (key.clone(), etag.clone()));
                let look = Look {
                    is_prefix: prefix.is_some(),
                    keys_max: if prefix.is_some() { FILES_MAX + 1 } else { 1 },
                    reads: true,
                    known: known.collect(),
                    ..seen(name)
                };
                (bucket, vec![look])
            }
            // Files of people and of certificates stay in the model.
            Work::Restore { from: None, .. } | Work::Files { .. } | Work::Certificate { .. } => return None,
        };
        // A malformed ARN names no bucket: the task says so by itself.
        (!bucket.is_empty()).then(|| (bucket.clone(), looks))
    }

    /// The endpoint was looked at: the model learns, and the task begins.
    pub(super) fn looked(
        &mut self,
        owner: Owner,
        bucket: &str,
        looks: &[Look],
        seen: Result<Vec<Seen>, EndpointFault>,
    ) {
        let learnt = seen.map(|seen| self.learn(owner.instance, bucket, looks, seen));
        if !self.still_waits(owner) {
            return;
        }
        let Some(task) = self.instances.get_mut(owner.instance).and_then(|i| i.task_mut(owner.task)) else {
            return;
        };
        if let Err(fault) = learnt {
            self.fails_by_endpoint(owner, fault);
        } else {
            task.data = (0, 0);
            self.begin(owner.instance, owner.task);
        }
    }

    fn learn(&mut self, instance: usize, bucket: &str, looks: &[Look], seen: Vec<Seen>) {
        if self.s3.describe_bucket(bucket).is_err()
            && let Some(host) = self.instances.get(instance)
        {
            // A bucket that answers counts as one of the instance's Region and account.
            let config = BucketConfig::named(bucket, &host.config.region, &host.config.account);
            self.s3.add_bucket(config);
        }
        // Whoever asked only whether the bucket answers knows now.
        let looks: Vec<&Look> = looks.iter().filter(|look| look.reads || !look.is_prefix).collect();
        if looks.is_empty() {
            return;
        }
        for look in looks {
            let gone: Vec<String> = self.known_under(bucket, look, &seen);
            for key in gone {
                self.forget(bucket, &key);
            }
        }
        for seen in seen {
            self.learn_object(bucket, seen);
        }
    }

    /// Keys that the model has where the endpoint was looked at, and the endpoint has not.
    fn known_under(&self, bucket: &str, look: &Look, seen: &[Seen]) -> Vec<String> {
        let is_there = |key: &String| seen.iter().any(|seen| seen.key == *key);
        let Ok(held) = self.s3.bucket(bucket) else { return Vec::new() };
        if !look.is_prefix {
            let lost = held.exists(&look.key) && !is_there(&look.key);
            return if lost { vec![look.key.clone()] } else { Vec::new() };
        }
        // Of a full page nobody knows what follows it.
        if seen.len() >= look.keys_max {
            return Vec::new();
        }
        let page = self.s3.list(bucket, &look.key, None, usize::MAX - 1).unwrap_or_default();
        page.objects.into_iter().map(|object| object.key).filter(|key| !is_there(key)).collect()
    }

    /// Somebody deleted an object.
    fn forget(&mut self, bucket: &str, key: &str) {
        // The bucket is there, and deleting what is not there succeeds as well.
        let deleted = self.s3.delete_unchecked(bucket, key, None);
        debug_assert!(deleted.is_ok(), "the bucket was looked at");
        if let Some(mirror) = self.mirror.as_mut() {
            mirror.etags.remove(&(bucket.to_owned(), key.to_owned()));
        }
    }

    fn learn_object(&mut self, bucket: &str, seen: Seen) {
        let Seen { key, etag, size_bytes, body } = seen;
        let known = self.s3.bucket(bucket).is_ok_and(|held| held.exists(&key));
        let (body, size, class, health) = match body {
            SeenBody::Unread if known => return,
            SeenBody::Bytes(bytes) => {
                if self.is_as_known(bucket, &key, &bytes) {
                    self.note_etag(bucket, &key, &etag);
                    return;
                }
                match self.adopt_bytes(&bytes) {
                    Ok((file, index)) => {
                        let each = file.set.compressed_bytes / u64::from(file.set.stripes.max(1));
                        let body = Body::Stripe { file: Arc::new(file), index };
                        (body, each, StorageClass::Standard, Health::Good)
                    }
                    Err(error) => (nothing(), size_bytes, StorageClass::Standard, health(error)),
                }
            }
            SeenBody::Archived => (nothing(), size_bytes, StorageClass::Glacier, Health::Good),
            SeenBody::Unread | SeenBody::TooLarge => {
                (nothing(), size_bytes, StorageClass::Standard, Health::Good)
            }
        };
        let is_read = !matches!(&body, Body::Bytes(_)) || class == StorageClass::Glacier;
        let stored = self.s3.store(bucket, &key, body, size);
        let changed = self.s3.alter(bucket, &key, |data| (data.class, data.health) = (class, health));
        debug_assert!(stored.is_ok() && changed.is_ok(), "the bucket was looked at");
        // What could not be read is read again, whatever its ETag.
        if is_read && class == StorageClass::Standard {
            self.note_etag(bucket, &key, &etag);
        } else if let Some(mirror) = self.mirror.as_mut() {
            mirror.etags.remove(&(bucket.to_owned(), key));
        }
    }

    /// Whether an object is what the model has: its own history stays the one that it lives.
    fn is_as_known(&self, bucket: &str, key: &str, bytes: &[u8]) -> bool {
        let held = self.read_backup(&ObjectRef::newest(bucket, key));
        held.is_ok_and(|(file, family)| self.object_bytes(&file, family).as_deref() == Some(bytes))
    }
}

fn nothing() -> Body {
    Body::Bytes(Arc::from([]))
}

const fn health(error: Unreadable) -> Health {
    match error {
        Unreadable::NoBackup => Health::Good,
        Unreadable::Truncated => Health::Truncated,
        Unreadable::Damaged => Health::Corrupt,
    }
}
