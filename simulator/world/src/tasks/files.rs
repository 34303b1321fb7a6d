//! How does a task of S3 integration run?
//!
//! One after the other, in the queue of the native tasks: what is wrong is looked at when it starts, then the file moves at the
//! instance's speed and is there at the end. Source: RDS user guide, "Integrating an Amazon RDS for SQL Server DB instance with
//! Amazon S3"; no text of its refusals is recorded.

use std::sync::Arc;

use crate::{
    instance::disk::{File, below_root, shown_path},
    knobs::Documents,
    s3::{Body, StorageClass},
    tasks::{
        info::{plain_failure_lines, split_arn},
        queue::NewTask,
        task::{FileTask, Lifecycle, TaskType, Work},
    },
    time::SECOND,
    world::World,
};

/// Extensions of files that can be downloaded, and those that Integration Services and Analysis Services add: the newest text
/// names all without a condition.
const EXTENSIONS: [&str; 9] = ["bcp", "csv", "dat", "fmt", "info", "lst", "tbl", "txt", "xml"];
const EXTENSIONS_OF_SERVICES: [&str; 7] =
    ["abf", "asdatabase", "configsettings", "deploymentoptions", "deploymenttargets", "ispac", "xmla"];

/// What a task is asked for.
pub(crate) struct FileOrder<'a> {
    pub(crate) task: FileTask,
    /// Empty where nothing lies in S3.
    pub(crate) arn: &'a str,
    /// As asked for; empty means the file's name in S3.
    pub(crate) path: &'a str,
    /// `@overwrite_file`, or `@force_delete`.
    pub(crate) force: bool,
}

impl World {
    /// Somebody else queues a task of S3 integration, which may take a slot. Returns its id.
    pub fn break_file_task(&mut self, instance: &str, task: FileTask, arn: &str, path: &str) -> Option<u32> {
        let index = self.index_of(instance)?;
        Some(self.submit_files(index, &FileOrder { task, arn, path, force: true }))
    }

    /// Queues a task of S3 integration.
    pub(crate) fn submit_files(&mut self, instance: usize, order: &FileOrder<'_>) -> u32 {
        let (bucket, key) = split_arn(order.arn).unwrap_or(("", ""));
        let name = key.rsplit('/').next().unwrap_or_default();
        let path = if order.path.trim().is_empty() { name } else { order.path };
        let filepath = (order.task != FileTask::List)
            .then(|| below_root(path).map_or_else(|| path.to_owned(), |below| shown_path(&below)));
        let new = NewTask {
            kind: TaskType::Files(order.task),
            database: None,
            database_name: Arc::from(""),
            s3_arn: Arc::from(order.arn),
            kms: None,
            overwrite: order.force,
            stripes: 1,
            filepath: filepath.map(Arc::from),
            default_encryption: false,
            work: Work::Files {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                path: path.to_owned(),
                moving: None,
            },
        };
        self.submit(instance, new)
    }

    /// A task of S3 integration takes its slot.
    pub(crate) fn start_files(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let mut stream = self.run_stream(instance, id, 3);
        let from = now + stream.seconds(self.knobs.setup_seconds);
        let moving = match self.read_files(instance, id) {
            Ok(moving) => moving,
            Err(text) => {
                let (lines, end) = plain_failure_lines(from, text);
                self.replan(instance, id, Lifecycle::Error, lines, end);
                return;
            }
        };
        let bytes = moving.as_ref().map_or(0, |(_, bytes)| *bytes);
        let length = self.instances.get(instance).map_or(0, |host| host.transfer(bytes, 100));
        let work = self.instances.get_mut(instance).and_then(|host| host.work.get_mut(&id));
        if let Some(Work::Files { moving: planned, .. }) = work {
            *planned = moving;
        }
        let until = from + length.max(SECOND);
        self.plan_run(instance, id, (from, until), until + SECOND);
    }

    /// What a task moves, or why it fails.
    fn read_files(&self, instance: usize, id: u32) -> Result<Option<(Body, u64)>, String> {
        let texts = &self.knobs.texts;
        let lost = || texts.file_path.replace("{path}", "");
        let host = self.instances.get(instance).ok_or_else(lost)?;
        let (Some(task), Some(Work::Files { bucket, key, path, .. })) = (host.task(id), host.work.get(&id))
        else {
            return Err(lost());
        };
        let TaskType::Files(kind) = task.kind else { return Err(lost()) };
        if kind == FileTask::List {
            return Ok(None);
        }
        let Some(below) = below_root(path) else { return Err(texts.file_path.replace("{path}", path)) };
        let shown = shown_path(&below);
        let missing = || texts.file_missing.replace("{path}", &shown);
        match kind {
            FileTask::Download => {
                if let Some(text) = self.refuse_file_bucket(instance, bucket, key) {
                    return Err(text);
                }
                if !self.knobs.documents.takes_file(key) {
                    return Err(texts.file_type.replace("{path}", key));
                }
                if host.disk.has(&below) && !task.overwrite {
                    return Err(texts.file_exists.replace("{path}", &shown));
                }
                if !host.disk.has(&below) && host.disk.is_full() {
                    return Err(texts.file_limit.clone());
                }
                let data = self.s3.data(bucket, key, None).ok();
                let data = data.filter(|data| data.class != StorageClass::Glacier);
                data.map(|data| Some((data.body, data.size_bytes))).ok_or_else(|| "Access Denied".to_owned())
            }
            FileTask::Upload => {
                let file = host.disk.file(&below).ok_or_else(missing)?;
                if let Some(text) = self.refuse_file_bucket(instance, bucket, key) {
                    return Err(text);
                }
                if !task.overwrite && self.s3.bucket(bucket).is_ok_and(|held| held.exists(key)) {
                    return Err(texts.file_exists.replace("{path}", key));
                }
                Ok(Some((file.body.clone(), file.size_bytes)))
            }
            FileTask::Delete if !host.disk.has(&below) => Err(missing()),
            FileTask::Delete if below.ends_with('\\') && !task.overwrite => {
                Err(texts.file_directory.replace("{path}", &shown))
            }
            FileTask::Delete | FileTask::List => Ok(None),
        }
    }

    /// Why a bucket can't be used: as for native tasks, and it must have the owner of the role.
    fn refuse_file_bucket(&self, instance: usize, bucket: &str, key: &str) -> Option<String> {
        self.refuse_bucket(instance, bucket, key).or_else(|| {
            let owner = self.s3.describe_bucket(bucket).map(|held| held.account.as_str()).ok();
            let ours = self.instances.get(instance).map(|host| host.config.account.as_str());
            (owner != ours).then(|| "Access Denied".to_owned())
        })
    }

    /// The file is through.
    pub(crate) fn finish_files(
        &mut self,
        instance: usize,
        id: u32,
        (bucket, key): (&str, &str),
        path: &str,
        moving: Option<(Body, u64)>,
    ) {
        let now = self.now_ms;
        let Some(host) = self.instances.get_mut(instance) else { return };
        let Some(TaskType::Files(kind)) = host.task(id).map(|task| task.kind) else { return };
        let below = below_root(path).unwrap_or_default();
        match (kind, moving) {
            (FileTask::Download, Some((body, size_bytes))) => {
                host.disk.write(&below, File { body, size_bytes }, now);
            }
            (FileTask::Upload, Some((body, size_bytes))) => {
                // A bucket deleted meanwhile loses the object: nothing else could happen to it.
                let stored = self.s3.store(bucket, key, body, size_bytes);
                debug_assert!(
                    stored.is_ok() || self.s3.describe_bucket(bucket).is_err(),
                    "only a missing bucket refuses"
                );
            }
            (FileTask::List, _) => {
                let found = host.disk.list();
                host.listings.insert(id, found);
            }
            (FileTask::Delete, _) => host.disk.delete(&below),
            (FileTask::Download | FileTask::Upload, None) => {}
        }
    }
}

impl Documents {
    /// Whether a file of this name can be downloaded: by its extension, if it has one.
    fn takes_file(self, key: &str) -> bool {
        let name = key.rsplit('/').next().unwrap_or_default();
        let Some((_, extension)) = name.rsplit_once('.') else { return true };
        let among = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(extension));
        among(&EXTENSIONS) || self >= Self::Newest && among(&EXTENSIONS_OF_SERVICES)
    }
}
