//! What moves between the world and a real S3 endpoint, when there is one?
//!
//! The world has no I/O. It says what it has to know before a task begins ([`Movement::Look`]) and what has to be there before
//! a task has succeeded ([`Movement::Put`]); whoever has sockets carries it out and answers ([`World::settle`]). Until then the
//! task waits in its slot. Objects are self-contained (`object`), so a world that never saw their database restores them.
//!
//! Branches of history have names in objects: the life of the process that lived them, and their number in it. Two processes
//! of one story live the same past twice, and their files are never taken for one history.

mod adopt;
mod export;
mod look;
mod object;
mod put;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    backup_file::BackupFile,
    database::branch::BranchId,
    hex::hexadecimal,
    tasks::{
        info::{failure_lines, restore_failure_lines},
        task::Lifecycle,
    },
    time::Ms,
    world::World,
};

/// Why an endpoint does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// `NoSuchBucket`, in the words of the user guide.
    #[error("The specified bucket does not exist")]
    NoSuchBucket,
    /// 403, in the words of the user guide.
    #[error("Access Denied")]
    AccessDenied,
    /// Redirected: the bucket is somewhere else, in the words of the user guide.
    #[error("Please specify a bucket that is in the same region as RDS instance")]
    OtherRegion,
    /// It does not answer, or with errors of its own: no document has the words.
    #[error("Unable to reach Amazon S3. Try again later.")]
    Unreachable,
    /// The backup is beyond what an object of this simulator holds.
    #[error("The backup does not fit into an object of the simulator.")]
    TooLarge,
}

/// Something to carry out on the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What [`World::settle`] is answered with.
    pub ticket: u64,
    /// Bucket.
    pub bucket: String,
    /// What.
    pub movement: Movement,
}

/// What is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Movement {
    /// Find out what is there.
    Look(Vec<Look>),
    /// Write these objects, over whatever is there.
    Put(Vec<Outgoing>),
}

/// One place to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// A key, or what keys begin with.
    pub key: String,
    /// Whether it is what keys begin with.
    pub is_prefix: bool,
    /// So many keys at most, first ones first.
    pub keys_max: usize,
    /// Whether objects are read, or only seen.
    pub reads: bool,
    /// Objects that need not be read again while they have this `ETag`.
    pub known: BTreeMap<String, String>,
}

/// An object to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Key.
    pub key: String,
    /// All of it.
    pub bytes: Arc<[u8]>,
    /// Bytes that the file would have on the service.
    pub size_bytes: u64,
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Key.
    pub key: String,
    /// `ETag`, as the endpoint words it.
    pub etag: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// What is in it.
    pub body: SeenBody,
}

/// What is known of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenBody {
    /// Nobody asked, or they are those of the `ETag` that is known.
    Unread,
    /// All of them.
    Bytes(Vec<u8>),
    /// More than any backup of this simulator has: [`OBJECT_BYTES_MAX`].
    TooLarge,
    /// `InvalidObjectState`: archived.
    Archived,
}

/// Most bytes of an object that is written or read.
pub const OBJECT_BYTES_MAX: u64 = 64 << 20;

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Of [`Movement::Look`]: everything that is there, or why nobody knows.
    Looked(Result<Vec<Seen>, EndpointFault>),
    /// Of [`Movement::Put`]: `ETag` of each object that is there now, in their order, and why others are not.
    Put {
        /// `None`: not written, or nobody knows.
        etags: Vec<Option<String>>,
        /// Why not all are.
        fault: Option<EndpointFault>,
    },
}

/// A task that waits for the endpoint.
#[derive(Debug, Clone)]
struct Waiting {
    instance: usize,
    task: u32,
    /// A task whose plan changed does not wait any more.
    plan: u16,
    bucket: String,
    what: Awaited,
}

#[derive(Debug, Clone)]
enum Awaited {
    /// It has not begun.
    Look(Vec<Look>),
    /// A backup whose stripes are on their way, with their keys.
    Backup { file: Arc<BackupFile>, keys: Vec<String> },
    /// Log files on their way, by number and key.
    Logs(Vec<(u32, String)>),
}

/// The world's side of an endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    life: String,
    /// Recorded branches by name, and back.
    named: BTreeMap<String, BranchId>,
    names: BTreeMap<BranchId, String>,
    /// What was last seen of objects: `ETag` by bucket and key.
    etags: BTreeMap<(String, String), String>,
    tickets: u64,
    waiting: BTreeMap<u64, Waiting>,
    transfers: Vec<Transfer>,
}

impl World {
    /// From now on objects of native tasks lie on an endpoint; `life` names this process and no other.
    pub fn mirror(&mut self, life: [u8; 16]) {
        self.mirror = Some(Box::new(Mirror {
            life: hexadecimal(&life),
            named: BTreeMap::new(),
            names: BTreeMap::new(),
            etags: BTreeMap::new(),
            tickets: 0,
            waiting: BTreeMap::new(),
            transfers: Vec::new(),
        }));
    }

    /// What there is to carry out since the last call. Each is to be answered.
    pub fn take_transfers(&mut self) -> Vec<Transfer> {
        self.mirror.as_mut().map_or(Vec::new(), |mirror| std::mem::take(&mut mirror.transfers))
    }

    /// How many transfers are not answered yet.
    pub fn open_transfers(&self) -> usize {
        self.mirror.as_ref().map_or(0, |mirror| mirror.waiting.len())
    }

    /// A transfer was carried out, or was not. Answers to what nobody asked are ignored.
    pub fn settle(&mut self, ticket: u64, outcome: Outcome) {
        let waiting = self.mirror.as_mut().and_then(|mirror| mirror.waiting.remove(&ticket));
        let Some(Waiting { instance, task, plan, bucket, what }) = waiting else { return };
        let owner = Owner { instance, task, plan };
        match (what, outcome) {
            (Awaited::Look(looks), Outcome::Looked(seen)) => self.looked(owner, &bucket, &looks, seen),
            (Awaited::Backup { file, keys }, Outcome::Put { etags, fault }) => {
                self.stripes_put(owner, &bucket, (&file, &keys), &etags, fault);
            }
            (Awaited::Logs(files), Outcome::Put { etags, fault }) => {
                self.logs_put(owner, &bucket, &files, &etags, fault);
            }
            // An answer to another question is no answer.
            _ => self.fails_by_endpoint(owner, EndpointFault::Unreachable),
        }
    }

    fn ask_endpoint(&mut self, owner: Owner, bucket: &str, movement: Movement, what: Awaited) {
        let Some(mirror) = self.mirror.as_mut() else { return };
        mirror.tickets += 1;
        let ticket = mirror.tickets;
        let Owner { instance, task, plan } = owner;
        mirror.waiting.insert(ticket, Waiting { instance, task, plan, bucket: bucket.into(), what });
        mirror.transfers.push(Transfer { ticket, bucket: bucket.into(), movement });
    }

    /// Whether a task still waits for what was asked on its behalf.
    fn still_waits(&self, owner: Owner) -> bool {
        let host = self.instances.get(owner.instance);
        host.is_some_and(|host| {
            host.running.contains(&owner.task)
                && host.task(owner.task).is_some_and(|t| t.plan == owner.plan && !t.lifecycle.is_ended())
        })
    }

    /// The task ends in ERROR, as it does where the model refuses.
    fn fails_by_endpoint(&mut self, owner: Owner, fault: EndpointFault) {
        if !self.still_waits(owner) {
            return;
        }
        let (now, text) = (self.now_ms, fault.to_string());
        let Some(task) = self.instances.get(owner.instance).and_then(|i| i.task(owner.task)) else { return };
        let (lines, end) = if task.kind.is_restore() {
            restore_failure_lines(now, task.id, task.kind.name(&self.knobs), &text)
        } else {
            failure_lines(now, &text)
        };
        self.replan(owner.instance, owner.task, Lifecycle::Error, lines, end);
    }

    fn note_etag(&mut self, bucket: &str, key: &str, etag: &str) {
        if let Some(mirror) = self.mirror.as_mut() {
            mirror.etags.insert((bucket.into(), key.into()), etag.into());
        }
    }
}

/// The task that something is asked for, as it was planned then.
#[derive(Debug, Clone, Copy)]
struct Owner {
    instance: usize,
    task: u32,
    plan: u16,
}

/// When data will move of a task that waits: not before it is told.
pub(crate) const NOT_YET: (Ms, Ms) = (Ms::MAX / 4, Ms::MAX / 4);
