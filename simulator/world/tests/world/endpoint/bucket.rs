//! An S3 endpoint in memory, of one bucket: carries out what a world asks, and refuses when it is told to.

use std::collections::BTreeMap;

use world::{EndpointFault, Look, Movement, Outcome, Outgoing, Seen, SeenBody, Transfer, World};

#[derive(Default)]
pub(super) struct Endpoint {
    bucket: String,
    objects: BTreeMap<String, (u64, Vec<u8>)>,
    writes: u64,
    /// Objects read so far.
    pub(super) reads: usize,
    /// Looks so far.
    pub(super) looks: usize,
    /// Most keys of one look.
    pub(super) looks_max: usize,
    pub(super) refuses_looks: Option<EndpointFault>,
    /// After so many objects of one movement.
    pub(super) refuses_puts: Option<(usize, EndpointFault)>,
    pub(super) archived: Option<String>,
    kept: Vec<Transfer>,
}

impl Endpoint {
    pub(super) fn with(bucket: &str) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }

    pub(super) fn put(&mut self, key: &str, bytes: &[u8]) {
        self.writes += 1;
        self.objects.insert(key.into(), (self.writes, bytes.to_vec()));
    }

    pub(super) fn get(&self, key: &str) -> Vec<u8> {
        self.objects[key].1.clone()
    }

    pub(super) fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.objects.keys().map(String::as_str).collect()
    }

    /// Carries everything out, and what is asked because of it.
    pub(super) fn carry(&mut self, world: &mut World) {
        loop {
            let mut transfers = std::mem::take(&mut self.kept);
            transfers.extend(world.take_transfers());
            if transfers.is_empty() {
                return;
            }
            for transfer in transfers {
                let outcome = self.carried(&transfer);
                world.settle(transfer.ticket, outcome);
            }
        }
    }

    /// Carries out what is looked at alone; writes wait.
    pub(super) fn carry_looks(&mut self, world: &mut World) {
        let transfers = world.take_transfers();
        let (looks, puts): (Vec<_>, Vec<_>) =
            transfers.into_iter().partition(|transfer| matches!(transfer.movement, Movement::Look(_)));
        self.kept.extend(puts);
        for transfer in looks {
            let outcome = self.carried(&transfer);
            world.settle(transfer.ticket, outcome);
        }
    }

    fn carried(&mut self, transfer: &Transfer) -> Outcome {
        let is_there = transfer.bucket == self.bucket;
        match &transfer.movement {
            Movement::Look(_) if !is_there => Outcome::Looked(Err(EndpointFault::NoSuchBucket)),
            Movement::Look(looks) => match self.refuses_looks {
                Some(fault) => Outcome::Looked(Err(fault)),
                None => Outcome::Looked(Ok(looks.iter().flat_map(|look| self.seen(look)).collect())),
            },
            Movement::Put(objects) => self.written(objects),
        }
    }

    fn seen(&mut self, look: &Look) -> Vec<Seen> {
        self.looks += 1;
        self.looks_max = self.looks_max.max(look.keys_max);
        let matching = self
            .objects
            .iter()
            .filter(|(key, _)| if look.is_prefix { key.starts_with(&look.key) } else { **key == look.key });
        let mut seen = Vec::new();
        for (key, (etag, bytes)) in matching.take(look.keys_max) {
            let etag = etag.to_string();
            let body = if !look.reads || look.known.get(key) == Some(&etag) {
                SeenBody::Unread
            } else if self.archived.as_ref() == Some(key) {
                SeenBody::Archived
            } else {
                self.reads += 1;
                SeenBody::Bytes(bytes.clone())
            };
            seen.push(Seen { key: key.clone(), etag, size_bytes: bytes.len() as u64, body });
        }
        seen
    }

    fn written(&mut self, objects: &[Outgoing]) -> Outcome {
        let mut etags = Vec::new();
        let mut fault = None;
        for (index, object) in objects.iter().enumerate() {
            if let Some((_, refusal)) = self.refuses_puts.filter(|(after, _)| index >= *after) {
                fault = Some(refusal);
                etags.push(None);
                continue;
            }
            assert!(object.size_bytes > 0);
            self.put(&object.key, &object.bytes);
            etags.push(Some(self.writes.to_string()));
        }
        Outcome::Put { etags, fault }
    }
}
