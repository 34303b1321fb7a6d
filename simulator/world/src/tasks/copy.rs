//! How does a copy of log files run?
//!
//! The range is resolved against the files that the service holds when the task starts; each file becomes an object
//! `{target}/{db_id}.{family_guid}/{db_id}.{family_guid}.{seq}.{epoch}`, overwriting what is there. A broken chain is not
//! looked at. Source: RDS user guide, "Access to transaction log backups".

use crate::{
    database::state::{Database, DatabaseId},
    s3::PackedLog,
    tasks::{
        info::failure_lines,
        task::{CopyRange, Lifecycle, Work},
    },
    time::{DAY, Ms, SECOND},
    world::World,
};

impl World {
    /// Oldest moment whose log files are still listed.
    pub(crate) fn log_horizon(&self) -> Ms {
        self.now_ms - self.knobs.log_list_days * DAY
    }

    /// Numbers of the listed files that a range names: `(first, one after last)`.
    pub(crate) fn copy_range(&self, id: DatabaseId, range: CopyRange) -> (u32, u32) {
        let Some(database) = self.database(id).filter(|d| d.dropped.is_none()) else { return (0, 0) };
        let (low, high) = database.logs.numbers(self.now_ms, self.log_horizon());
        let first_where = |holds: &dyn Fn(u32) -> bool| {
            let (mut from, mut until) = (low, high);
            while from < until {
                let middle = from + (until - from) / 2;
                if holds(middle) { until = middle } else { from = middle + 1 }
            }
            from
        };
        let taken = |number: u32| database.logs.taken_at(number).unwrap_or(Ms::MAX);
        let (first, end) = match range {
            CopyRange::Number(from, until) => {
                (from.unwrap_or(low), until.map_or(high, |u| u.saturating_add(1)))
            }
            CopyRange::Time(from, until) => (
                from.map_or(low, |from| first_where(&|n| taken(n) >= from)),
                until.map_or(high, |until| first_where(&|n| taken(n) > until)),
            ),
            CopyRange::Lsn(from, until) => {
                let file = |number| database.log_file(&self.branches, number);
                (
                    from.map_or(low, |from| first_where(&|n| file(n).is_some_and(|f| f.end.lsn > from))),
                    until.map_or(high, |until| {
                        first_where(&|n| file(n).is_some_and(|f| f.start.lsn >= until))
                    }),
                )
            }
        };
        (first.clamp(low, high), end.clamp(low, high))
    }

    /// A copy takes its slot.
    pub(crate) fn start_copy(&mut self, instance: usize, id: u32) {
        let now = self.now_ms;
        let mut stream = self.run_stream(instance, id, 1);
        let Some(host) = self.instances.get(instance) else { return };
        let (Some(task), Some(Work::Copy { bucket, range, .. })) = (host.task(id), host.work.get(&id)) else {
            return;
        };
        let Some(database) = task.database else { return };
        let bucket = bucket.clone();
        let setup = stream.seconds(self.knobs.setup_seconds);
        let files = self.copy_range(database, *range);
        if let Some(text) = self.refuse_bucket(instance, &bucket, "log") {
            let (lines, end) = failure_lines(now + setup, &text);
            self.replan(instance, id, Lifecycle::Error, lines, end);
            return;
        }
        let each = stream.between(self.knobs.copy_file_ms.min, self.knobs.copy_file_ms.max);
        let bytes = self.bytes_of(database, files);
        let moving = self.instances.get(instance).map_or(0, |host| host.transfer(bytes, 100));
        if let Some(Work::Copy { files: planned, .. }) =
            self.instances.get_mut(instance).and_then(|i| i.work.get_mut(&id))
        {
            *planned = files;
        }
        let from = now + setup;
        let until = from + (i64::from(files.1 - files.0) * each + moving).max(SECOND);
        self.plan_run(instance, id, (from, until), until + SECOND);
    }

    /// Bytes of a run of files, from its two ends.
    fn bytes_of(&self, id: DatabaseId, (first, end): (u32, u32)) -> u64 {
        let overhead = self.knobs.log_file_overhead_bytes;
        let Some(database) = self.database(id).filter(|_| first < end) else { return 0 };
        let ends = (database.log_file(&self.branches, first), database.log_file(&self.branches, end - 1));
        let (Some(from), Some(until)) = ends else { return 0 };
        let whole = crate::database::logs::LogFile { end: until.end, ..from };
        Database::log_file_bytes(&whole, overhead) + u64::from(end - first - 1) * overhead
    }

    /// The key that a log file is copied to.
    pub(crate) fn log_key(&self, database: &Database, folder: &str, number: u32) -> Option<String> {
        let stem = log_stem(database, self.knobs.log_key_guid_upper);
        let epoch = database.log_file(&self.branches, number)?.at.div_euclid(SECOND);
        Some(format!("{folder}{stem}/{stem}.{number}.{epoch}"))
    }

    /// The files are through.
    pub(crate) fn finish_copy(
        &mut self,
        instance: usize,
        id: u32,
        bucket: &str,
        folder: &str,
        files: (u32, u32),
    ) {
        let Some(target) = self.instances.get(instance).and_then(|i| i.task(id)).and_then(|t| t.database)
        else {
            return;
        };
        let overhead = self.knobs.log_file_overhead_bytes;
        let Some(database) = self.databases.get(target.0 as usize) else { return };
        let stem = log_stem(database, self.knobs.log_key_guid_upper);
        let directory = format!("{folder}{stem}/");
        for number in files.0..files.1 {
            let Some(file) = database.log_file(&self.branches, number) else { continue };
            let log = PackedLog {
                directory: &directory,
                stem: &stem,
                database: target,
                number,
                taken: file.at,
                size_bytes: Database::log_file_bytes(&file, overhead),
            };
            if self.s3.store_log(bucket, log).is_err() {
                return;
            }
        }
    }
}

/// What the names of a database's log files begin with.
fn log_stem(database: &Database, upper: bool) -> String {
    let mut family = database.family_guid.to_string();
    if !upper {
        family.make_ascii_lowercase();
    }
    format!("{}.{family}", database.sql_id)
}
