//! What did a finished log copy bring? Its files as they lie in the bucket, packed by day, up to the first that is not there.

use domain::catalogue::{LogDay, LogEntry, day_of, log_day_key};
use domain::facts::LogFile;
use domain::inventory::{Database, LogTail};
use domain::paths::{S3Arn, log_file_of_key, log_file_prefixes};
use domain::reason::{Class, Reason};
use domain::request::CopyLogs;
use domain::task::{Outcome, Seen, Task};
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::ListObjects;
use ports::server::ReadLogFiles;
use ports::store::{ReadItems, Versioned, Write, load};

use super::{Snag, head, objects, seen, settle};
use crate::scope::of_chain;

/// A finished log copy: the files of its range that are in the bucket, in order, up to the first that is not.
pub(crate) async fn finish_copy<T: ReadLogFiles>(
    store: &impl ReadItems,
    cloud: &impl ListObjects,
    session: &mut T,
    task: &Task,
    request: &CopyLogs,
    (target, now): (&S3Arn, Timestamp),
) -> Result<Vec<Write>, Snag> {
    let seen = seen(task)?;
    let count = request.last_seq.saturating_sub(request.first_seq).saturating_add(1);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    // What the server refuses to tell of one database is that database's trouble, and copying a range again is harmless.
    let listed = match session.log_files(&task.database, request.first_seq.saturating_sub(1), count).await {
        Err(Fault::Refused(reason)) => return Err(Snag::Task(reason)),
        listed => listed?,
    };
    let listed: Vec<LogFile> = listed.into_iter().filter(|file| file.seq <= request.last_seq).collect();
    let present = copied(cloud, target, &listed).await?;
    let entries: Vec<LogEntry> = listed
        .iter()
        .map_while(|file| {
            let key = present.binary_search_by_key(&(file.seq, file.epoch), |(id, _)| *id).ok()?;
            Some(LogEntry::new(file, seen.fork.clone(), present[key].1.clone()))
        })
        .collect();
    if entries.len() < listed.len() || listed.is_empty() {
        let missing = listed.get(entries.len()).map_or(request.first_seq, |file| file.seq);
        return Err(Reason::new(
            Class::Human,
            "LogFilesMissing",
            format!(
                "the service copied {} to {} of {} but file {missing} is not in the bucket",
                request.first_seq, request.last_seq, task.database
            ),
        )
        .guidance(
            "look for a lifecycle rule, a deletion, or another target that somebody set with rds_tlog_copy_setup: ours is set before the next \
             copy, and the range is copied again while the service keeps it",
        )
        .into());
    }
    let mut writes = log_days(store, task, seen, target, &entries).await?;
    let mut head = head(store, task).await?;
    if seen.is_former(&head.record) {
        return Ok(writes);
    }
    settle(&mut head.record, task, &Outcome::Succeeded);
    let before = head.record.broken.take();
    head.record.broken = broken(&head.record, &entries).or_else(|| before.clone());
    writes.extend(of_chain(before.as_ref(), &head.record, now)?);
    head.record.log_tail = entries.last().map(|entry| LogTail {
        seq: entry.seq,
        last_lsn: entry.last_lsn,
        made_at: entry.made_at,
        fork: entry.fork.clone(),
    });
    writes.push(head.put()?);
    Ok(writes)
}

/// Whether the files go on where the vault ends. The range did when it was admitted; by the time its copy has ended the
/// service may list its oldest files no more, and what is not listed has no LSNs that could be catalogued.
fn broken(head: &Database, entries: &[LogEntry]) -> Option<Reason> {
    let first = entries.first()?;
    let tail = head.log_tail.as_ref().map(|tail| tail.last_lsn);
    let goes_on_at = tail.or(head.anchor().map(|anchor| anchor.last_lsn))?;
    (first.first_lsn > goes_on_at).then(|| {
        Reason::new(
            Class::Wait,
            "LogsForgotten",
            format!(
                "logs of {} go on at {goes_on_at} in the vault, but the service lists none before {} any more",
                head.name, first.first_lsn
            ),
        )
    })
}

/// The objects of a range of files, by sequence number and epoch, in order. Listed by the prefixes of their names, not by the
/// folder, which holds a week and more of everything; under the other spelling of the guid only what the first lacks.
async fn copied(
    cloud: &impl ListObjects,
    target: &S3Arn,
    files: &[LogFile],
) -> Result<Vec<((u64, i64), String)>, Fault> {
    let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(Vec::new()) };
    let mut found: Vec<((u64, i64), String)> = Vec::new();
    for name in log_file_prefixes(&target.key, first.database_id, first.family_guid.as_str()) {
        for digits in number_prefixes(first.seq, last.seq) {
            for object in objects(cloud, &target.bucket, &format!("{name}{digits}")).await? {
                if let Some(id) = log_file_of_key(&object.key) {
                    found.push((id, object.key));
                }
            }
        }
        found.sort();
        found.dedup_by_key(|(id, _)| *id);
        let is_there =
            |file: &LogFile| found.binary_search_by_key(&(file.seq, file.epoch), |(id, _)| *id).is_ok();
        if files.iter().all(is_there) {
            break;
        }
    }
    Ok(found)
}

/// Decimal prefixes that between them match every number from `first` to `last` and few others: one for each number of
/// digits, the digits that both ends of that length share.
fn number_prefixes(first: u64, last: u64) -> Vec<String> {
    let mut prefixes = Vec::new();
    let mut from = first;
    while from <= last {
        let digits = from.to_string().len();
        let top =
            10_u64.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX)).map_or(u64::MAX, |next| next - 1);
        let (low, high) = (from.to_string(), last.min(top).to_string());
        let shared = low.bytes().zip(high.bytes()).take_while(|(a, b)| a == b).count();
        prefixes.push(low[..shared].to_owned());
        match top.checked_add(1) {
            Some(next) => from = next,
            None => break,
        }
    }
    prefixes
}

/// The records of the days that the entries fall on, with the entries in them.
async fn log_days(
    store: &impl ReadItems,
    task: &Task,
    seen: &Seen,
    target: &S3Arn,
    entries: &[LogEntry],
) -> Result<Vec<Write>, Snag> {
    let mut writes = Vec::new();
    for entries in entries.chunk_by(|a, b| day_of(a.made_at) == day_of(b.made_at)) {
        let Some(first) = entries.first() else { continue };
        let day = day_of(first.made_at);
        let stored: Option<Versioned<LogDay>> =
            load(store, log_day_key(&task.instance, &seen.lineage, day)).await?;
        let mut packed = stored.unwrap_or_else(|| {
            Versioned::new(LogDay {
                lineage: seen.lineage.clone(),
                instance: task.instance.clone(),
                database: task.database.clone(),
                partition: target.partition.clone(),
                bucket: target.bucket.clone(),
                day,
                files: Vec::new(),
            })
        });
        packed.record.add(entries.iter().cloned());
        writes.push(packed.put()?);
    }
    Ok(writes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use domain::id::Guid;
    use domain::lsn::Lsn;
    use ports::cloud::ObjectFacts;

    use super::*;

    /// A bucket, and how often it was listed.
    struct Bucket {
        keys: Vec<String>,
        lists: Cell<usize>,
    }

    impl ListObjects for Bucket {
        async fn list_objects(
            &self,
            _: &str,
            prefix: &str,
            after: Option<&str>,
        ) -> Result<(Vec<ObjectFacts>, bool), Fault> {
            self.lists.set(self.lists.get() + 1);
            let keys = self
                .keys
                .iter()
                .filter(|key| key.starts_with(prefix) && after.is_none_or(|last| key.as_str() > last));
            let facts = |key: &String| ObjectFacts {
                key: key.clone(),
                size_bytes: 1,
                etag: String::new(),
                modified: Timestamp::UNIX_EPOCH,
            };
            Ok((keys.map(facts).collect(), false))
        }
    }

    fn file(seq: u64) -> LogFile {
        LogFile {
            database_id: 7,
            family_guid: Guid::from("Ab12"),
            seq,
            epoch: 1_667_000_000,
            made_at: Timestamp::UNIX_EPOCH,
            first_lsn: Lsn::ZERO,
            last_lsn: Lsn::ZERO,
            chain_broken: false,
            size_bytes: 1,
            error: None,
        }
    }

    #[test]
    fn files_are_found_however_the_service_writes_the_guid() {
        let key = |guid: &str, seq: u64| format!("logs/7.{guid}/7.{guid}.{seq}.1667000000");
        let files = [file(15), file(16)];
        for (guids, found, lists) in [
            // The usual case costs one list.
            (["ab12", "ab12"], 2, 1),
            (["AB12", "AB12"], 2, 2),
            (["ab12", "AB12"], 2, 2),
            (["cd34", "ab12"], 1, 2),
            (["cd34", "cd34"], 0, 2),
        ] {
            let keys = vec![key(guids[0], 15), key(guids[1], 16)];
            let bucket = Bucket { keys: keys.clone(), lists: Cell::new(0) };
            let target = S3Arn::parse("arn:aws:s3:::b/logs").unwrap();
            let listed = pin!(copied(&bucket, &target, &files)).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Ok(listed)) = listed else { panic!("a bucket in memory answers at once") };
            assert_eq!((listed.len(), bucket.lists.get()), (found, lists), "{guids:?}");
            assert!(listed.iter().all(|(_, key)| keys.contains(key)), "{guids:?}");
        }
    }

    #[test]
    fn prefixes_match_the_whole_range_and_share_what_can_be_shared() {
        for (first, last, expected) in [
            (1200, 1223, vec!["12"]),
            (7, 7, vec!["7"]),
            (8, 12, vec!["", "1"]),
            (98, 1003, vec!["9", "", "100"]),
            (1, 2016, vec!["", "", "", ""]),
        ] {
            let prefixes = number_prefixes(first, last);
            assert_eq!(prefixes, expected, "{first}-{last}");
            let matched = |n: u64| prefixes.iter().any(|prefix| n.to_string().starts_with(prefix.as_str()));
            assert!((first..=last).all(matched));
        }
        assert_eq!(number_prefixes(u64::MAX, u64::MAX), [u64::MAX.to_string()]);
        assert!(number_prefixes(2, 1).is_empty());
    }
}
