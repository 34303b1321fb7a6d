//! What does `task_info` say?
//!
//! One growing string of ` [YYYY-MM-DD HH:MM:SS.mmm] text` entries, milliseconds as datetime keeps them; files are named by
//! key without bucket. The words and their order are those of two logs pasted by their owners (2017, 2025): SQL's per cent
//! lead those of the S3 chunks, stripes are torn down one after the other. It is computed on reading, so that tens of
//! thousands of tasks keep no text.

use std::fmt::Write as _;

use crate::{
    knobs::Knobs,
    stream::{Purpose, Stream},
    tasks::task::{Line, Task, TaskType},
    time::{Ms, SECOND, print_datetime},
};

/// Bucket and key of `arn:{partition}:s3:::{bucket}/{key}`; `None` when it is none. For an access point or a directory bucket its
/// own ARN stands for the bucket, as in the API of S3.
pub(crate) fn split_arn(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (head, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, rest) = (parts.next()?, parts.nth(1)?);
    if head != "arn" || !partition.starts_with("aws") {
        return None;
    }
    let point = rest.strip_prefix("accesspoint/").filter(|_| !region.is_empty());
    match (service, point, rest.strip_prefix("bucket/")) {
        ("s3" | "s3express", Some(point), _) => split_behind(arn, point, "/object/"),
        ("s3express", None, Some(bucket)) => split_behind(arn, bucket, "/"),
        ("s3", None, _) => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            (!bucket.is_empty()).then_some((bucket, key))
        }
        _ => None,
    }
}

/// The ARN up to a name, and the key behind the mark that follows the name.
fn split_behind<'a>(arn: &'a str, path: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let (name, key) = path.split_once(mark).unwrap_or((path, ""));
    let end = arn.len() - (path.len() - name.len());
    (!name.is_empty() && !name.contains('/')).then(|| (&arn[..end], key))
}

/// Keys of the stripes of a backup: `*` in the file name becomes `i-of-n`.
pub(crate) fn stripe_keys(key: &str, stripes: u8, underscore: bool) -> Vec<String> {
    if stripes <= 1 {
        return vec![key.into()];
    }
    let mark = if underscore { "_" } else { "" };
    (1..=stripes).map(|i| key.replacen('*', &format!("{mark}{i}-of-{stripes}"), 1)).collect()
}

/// The device name of a stripe: native backups write to a virtual device, named by a guid.
pub(crate) fn device(seed: u64, instance: usize, task: u32, stripe: u8) -> crate::guid::Guid {
    Stream::of(seed, Purpose::Guid, &[u64::MAX - 2, instance as u64, u64::from(task), u64::from(stripe)])
        .guid()
}

/// `task_info` as a reader at `now` sees it; `shift` is what its times are moved by.
pub(crate) fn task_info(task: &Task, seed: u64, knobs: &Knobs, now: Ms, shift: Ms) -> String {
    let Some(started) = task.started.filter(|s| *s <= now) else {
        return print(task.lines.iter().filter(|(at, _)| *at <= now), shift);
    };
    let mut lines: Vec<Line> = vec![(started, "Task execution has started.".into())];
    let keys = stripe_keys(
        split_arn(&task.s3_arn).map_or("", |(_, key)| key),
        task.stripes,
        knobs.stripe_underscore,
    );
    if task.stripes > 1 {
        let text = format!(
            "{} task will initiate a multi-file task with {} file(s). \n The files are: {}",
            task.kind.name(knobs),
            task.stripes,
            keys.join(", ")
        );
        lines.push((started + 640, text));
    }
    if task.kind != TaskType::LogCopy && !task.kind.is_files() && !task.kind.is_of_certificate() {
        progress(task, seed, &keys, &mut lines, task.seen(knobs, now));
    }
    lines.extend(task.lines.iter().filter(|(at, _)| *at <= now).cloned());
    lines.sort_by_key(|(at, _)| *at);
    print(lines.iter(), shift)
}

fn progress(task: &Task, seed: u64, keys: &[String], lines: &mut Vec<Line>, until: Ms) {
    let limit = task.stopped.map_or(until, |s| s.min(until));
    let mut stream = Stream::of(seed, Purpose::TaskRun, &[u64::from(task.id), 5]);
    for step in 1..=20 {
        let at = task.step_at(step);
        let lag = stream.between(900, 68 * SECOND).min((task.data.1 - task.data.0) / 40 + 900);
        if task.data.1 <= task.data.0 || at > limit {
            break;
        }
        lines.push((at, format!("{} percent processed.", step * 5)));
        if let [key] = keys
            && at + lag <= limit
        {
            lines.push((at + lag, format!("{key}: Completed processing {}% of S3 chunks.", step * 5)));
        }
    }
}

fn print<'a>(lines: impl Iterator<Item = &'a Line>, shift: Ms) -> String {
    let mut text = String::new();
    for (at, line) in lines {
        let written = write!(text, " [{}] {line}", print_datetime(at + shift));
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    text
}

/// The lines of a backup that an automated backup kills at `at`, and the moment the last one is written.
pub(crate) fn abort_lines(
    task: &Task,
    seed: u64,
    instance: usize,
    knobs: &Knobs,
    at: Ms,
    cause: &str,
) -> (Vec<Line>, Ms) {
    let mut stream = Stream::of(seed, Purpose::Abort, &[instance as u64, u64::from(task.id)]);
    let keys = stripe_keys(
        split_arn(&task.s3_arn).map_or("", |(_, key)| key),
        task.stripes,
        knobs.stripe_underscore,
    );
    let os =
        "995(The I/O operation has been aborted because of either a thread exit or an application request.)";
    let name = device(seed, instance, task.id, 1);
    let mut lines = vec![(at, cause.to_owned())];
    let mut clock = at + stream.between(90, 300);
    lines.push((
        clock,
        format!(
            "Write on \"{name}\" failed: {os}  A nonrecoverable I/O error occurred on file \"{name}:\" {os}.  BACKUP DATABASE is terminating abnormally."
        ),
    ));
    clock += stream.between(400, 1_500);
    lines.push((clock, TRAILER.into()));
    for key in &keys {
        clock += stream.between(7, 40);
        lines
            .push((clock, format!("{key}: Aborting S3 upload, waiting for S3 workers to clean up and exit")));
    }
    for key in &keys {
        clock += stream.between(300, 2_900);
        lines.push((clock, format!("{key}: S3 processing has been aborted")));
    }
    clock += stream.between(500, 4_000);
    lines.push((clock, ABORTED.into()));
    (lines, clock)
}

/// The last line of a task that failed.
const ABORTED: &str = "Task has been aborted";

/// The line that RDS writes under any failure of a backup.
pub(crate) const TRAILER: &str = "Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup.";

/// Why an automated backup kills a native one.
pub(crate) const AUTOMATED_BACKUP: &str =
    "Aborting native backup because there is an RDS automated backup in progress.";

/// The lines of a task that fails by itself, and the moment the last one is written.
pub(crate) fn failure_lines(at: Ms, text: &str) -> (Vec<Line>, Ms) {
    aborted(at, vec![(at, text.to_owned()), (at + 117, TRAILER.to_owned())])
}

/// The lines of a task that is neither backup nor restore of a database and fails: its cause and the end.
pub(crate) fn plain_failure_lines(at: Ms, text: String) -> (Vec<Line>, Ms) {
    aborted(at, vec![(at, text)])
}

/// Puts the last line behind the others, and tells the moment it is written.
fn aborted(at: Ms, mut lines: Vec<Line>) -> (Vec<Line>, Ms) {
    let end = at + 1_340;
    lines.push((end, ABORTED.into()));
    (lines, end)
}

/// The line that RDS writes under any failure of a restore.
const RESTORE_TRAILER: &str =
    "Aborted the task because of a task failure or a concurrent RESTORE_DB request.";

/// The lines of a restore that fails by itself, and the moment the last one is written.
pub(crate) fn restore_failure_lines(at: Ms, id: u32, kind: &str, text: &str) -> (Vec<Line>, Ms) {
    let exception = format!("Task ID {id} ({kind}) exception: {text}");
    aborted(at, vec![(at, RESTORE_TRAILER.to_owned()), (at + 117, exception)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_stripes() {
        for (arn, parts) in [
            ("arn:aws:s3:::bucket/a/b.bak", Some(("bucket", "a/b.bak"))),
            ("arn:aws-cn:s3:::bucket/x", Some(("bucket", "x"))),
            ("arn:aws:s3:::bucket", Some(("bucket", ""))),
            (
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/point/object/a/b.bak",
                Some(("arn:aws:s3:eu-west-1:111122223333:accesspoint/point", "a/b.bak")),
            ),
            (
                "arn:aws:s3express:eu-west-1:111122223333:accesspoint/p--a-az1--xa-s3/object/b.bak",
                Some(("arn:aws:s3express:eu-west-1:111122223333:accesspoint/p--a-az1--xa-s3", "b.bak")),
            ),
            (
                "arn:aws:s3express:eu-west-1:111122223333:bucket/b--a-az1--x-s3/a/b.bak",
                Some(("arn:aws:s3express:eu-west-1:111122223333:bucket/b--a-az1--x-s3", "a/b.bak")),
            ),
            ("arn:aws:s3:eu-west-1:111122223333:accesspoint/", None),
            ("arn:aws:s3express:::bucket", None),
            ("arn:aws:sqs:::bucket/x", None),
            ("s3://bucket/x", None),
            ("arn:aws:s3:::", None),
            ("", None),
        ] {
            assert_eq!(split_arn(arn), parts, "{arn}");
        }
        assert_eq!(stripe_keys("d/backup*.bak", 2, false), ["d/backup1-of-2.bak", "d/backup2-of-2.bak"]);
        assert_eq!(stripe_keys("H_*", 2, true), ["H__1-of-2", "H__2-of-2"]);
        assert_eq!(stripe_keys("a*b*.bak", 1, false), ["a*b*.bak"]);
    }

    #[test]
    fn entries_look_as_recorded() {
        let at = crate::time::floor_ms("2017-08-04T23:46:23.689Z".parse().unwrap());
        let lines = [
            (at, "Task execution has started.".to_owned()),
            (at + 10_000, "5 percent processed.".to_owned()),
        ];
        let printed = print(lines.iter(), 0);
        assert_eq!(
            printed,
            " [2017-08-04 23:46:23.690] Task execution has started. [2017-08-04 23:46:33.690] 5 percent processed."
        );
    }
}
