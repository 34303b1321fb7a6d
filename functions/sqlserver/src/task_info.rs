//! Why did a task end as it did? The grammar of `task_info`, the cumulative log of a native task.
//!
//! The log is one growing text of ` [YYYY-MM-DD HH:MM:SS.mmm] text` entries. An abort writes a cascade: the cause, then
//! the write that failed because of it (995), then a trailer that names two possible causes at once, then the clean-up of
//! every stripe. So the first entry that says something particular decides, and the trailer only when there is none. Knows
//! no lifecycle: a log of a task that succeeded is not asked for its cause. Source: two logs as published by
//! administrators (2017, 2025) and the troubleshooting page of the RDS user guide; the tail of a success is not known.

use domain::reason::{Class, Reason};
use jiff::civil::DateTime;

use crate::errors::{short, texts};

/// Length of `[YYYY-MM-DD HH:MM:SS.mmm]`.
const STAMP_BYTES: usize = 25;

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The task began to run; after a failover it may begin again.
    Started,
    /// Percent of the database that SQL Server read.
    Percent(u8),
    /// Percent of one file that reached S3: it lags behind [`Kind::Percent`].
    UploadedPercent(u8),
    /// The names of the files.
    Files,
    /// Torn down because of something else: failed writes, aborted uploads.
    Consequence,
    /// The trailer of every abort, which names two causes and decides for none.
    Trailer,
    /// Anything else: a cause, or a sentence that nobody published yet.
    Text,
}

/// One entry of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When, in a zone that is not documented. `None` before the first stamp of a log whose beginning was cut off.
    pub at: Option<DateTime>,
    /// What it says.
    pub kind: Kind,
    /// The words, trimmed.
    pub text: &'a str,
}

/// Takes a log apart. Every text is a log: what cannot be understood is an entry of the kind [`Kind::Text`].
pub fn entries(task_info: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    let mut begin = 0;
    let mut at = None;
    let mut search = 0;
    while let Some(found) = task_info.get(search..).and_then(|rest| rest.find('[')) {
        let bracket = search + found;
        search = bracket + 1;
        if let Some(stamp) = task_info.get(bracket..bracket + STAMP_BYTES).and_then(stamp) {
            push(&mut entries, at, task_info.get(begin..bracket));
            at = Some(stamp);
            begin = bracket + STAMP_BYTES;
            search = begin;
        }
    }
    push(&mut entries, at, task_info.get(begin..));
    entries
}

fn push<'a>(entries: &mut Vec<Entry<'a>>, at: Option<DateTime>, text: Option<&'a str>) {
    if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
        entries.push(Entry { at, kind: kind(text), text });
    }
}

/// Reads `[2017-08-04 23:46:23.690]`.
fn stamp(text: &str) -> Option<DateTime> {
    const SHAPE: &[u8; STAMP_BYTES] = b"[0000-00-00 00:00:00.000]";
    let bytes = text.as_bytes();
    let fits = bytes.len() == STAMP_BYTES
        && SHAPE
            .iter()
            .zip(bytes)
            .all(|(shape, byte)| if *shape == b'0' { byte.is_ascii_digit() } else { shape == byte });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i16>().ok());
    let small = |from: usize| number(from, from + 2).and_then(|value| i8::try_from(value).ok());
    let nanoseconds = i32::from(number(21, 24)?) * 1_000_000;
    DateTime::new(number(1, 5)?, small(6)?, small(9)?, small(12)?, small(15)?, small(18)?, nanoseconds).ok()
}

fn kind(text: &str) -> Kind {
    const CONSEQUENCES: [&str; 6] = [
        "failed: 995(",
        "nonrecoverable I/O error",
        "is terminating abnormally",
        "Aborting S3 upload",
        "S3 processing has been aborted",
        "S3 workers to clean up",
    ];
    const TRAILERS: [&str; 2] =
        ["Aborted the task because of a task failure or an overlap", "Task has been aborted"];
    let has = |needles: &[&str]| needles.iter().any(|needle| text.contains(needle));
    if text.starts_with("Task execution has started") {
        Kind::Started
    } else if let Some(percent) = text.strip_suffix("percent processed.").and_then(trailing_number) {
        Kind::Percent(percent)
    } else if let Some(percent) = text.strip_suffix("% of S3 chunks.").and_then(trailing_number) {
        Kind::UploadedPercent(percent)
    } else if text.contains("will initiate a multi-file task") || text.contains("The files are:") {
        Kind::Files
    } else if has(&TRAILERS) {
        Kind::Trailer
    } else if has(&CONSEQUENCES) && texts::known(text).is_none() {
        // A cause may stand in one entry with its consequence: "... not supported on Express Edition. BACKUP DATABASE is
        // terminating abnormally."
        Kind::Consequence
    } else {
        Kind::Text
    }
}

fn trailing_number(text: &str) -> Option<u8> {
    let digits = text.trim_end();
    let start = digits.bytes().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    digits.get(start..)?.parse().ok().filter(|percent| *percent <= 100)
}

/// Why the task of this log ended badly. `None` when the log says nothing about it.
///
/// Only the last run counts: a task that a failover began again has the failure of its first run in the same log.
pub fn cause(task_info: &str) -> Option<Reason> {
    let entries = entries(task_info);
    let begin = entries.iter().rposition(|entry| entry.kind == Kind::Started).map_or(0, |at| at + 1);
    let run = entries.get(begin..).unwrap_or_default();
    let particular =
        run.iter().filter(|entry| entry.kind == Kind::Text).find_map(|entry| texts::known(entry.text));
    if particular.is_some() {
        return particular;
    }
    let trailer = run.iter().position(|entry| entry.kind == Kind::Trailer);
    let before = run.get(..trailer.unwrap_or(run.len())).unwrap_or_default();
    let telling = before.iter().rfind(|entry| matches!(entry.kind, Kind::Text | Kind::Consequence));
    match (telling, trailer) {
        (Some(entry), _) if entry.kind == Kind::Text => Some(unknown(entry.text)),
        (_, Some(_)) => Some(
            Reason::new(
                Class::Retry,
                "TaskAborted",
                "the service aborted the task, because of a failure or of its automated backup; it does not say which",
            )
            .guidance("compare the time with the instance's backup window and events"),
        ),
        (Some(entry), None) => Some(unknown(entry.text)),
        (None, None) => None,
    }
}

fn unknown(text: &str) -> Reason {
    let line: Vec<&str> = short(text).split_whitespace().collect();
    Reason::new(Class::Human, "TaskFailed", line.join(" "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const ABORTED_2025: &str = " [2025-10-06 02:47:38.123] Task execution has started. \
        [2025-10-06 02:47:38.630] BACKUP_DB task will initiate a multi-file task with 8 file(s). \n The files are: FULL/H/Access Denied_1-of-8, FULL/H/H_2-of-8 \
        [2025-10-06 03:05:41.697] Aborting native backup because there is an RDS automated backup in progress. \
        [2025-10-06 03:05:41.823] Write on \"ABAC134A-14B8-43C5-AC05-4E9C7703613E\" failed: 995(The I/O operation has been aborted because of either a thread exit or an application request.)  A nonrecoverable I/O error occurred on file \"ABAC134A:\" 995(aborted).  BACKUP DATABASE is terminating abnormally. \
        [2025-10-06 03:05:42.713] Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup. \
        [2025-10-06 03:05:42.723] FULL/H/H_1-of-8: Aborting S3 upload, waiting for S3 workers to clean up and exit \
        [2025-10-06 03:05:45.573] FULL/H/H_1-of-8: S3 processing has been aborted \
        [2025-10-06 03:05:49.610] Task has been aborted";

    #[test]
    fn entries_have_their_time_and_kind() {
        use Kind::{Consequence, Files, Started, Text, Trailer};
        let kinds: Vec<Kind> = entries(ABORTED_2025).iter().map(|entry| entry.kind).collect();
        let expected = [Started, Files, Text, Consequence, Trailer, Consequence, Consequence, Trailer];
        assert_eq!(kinds, expected);
        let first = entries(ABORTED_2025)[0];
        assert_eq!(first.at.unwrap().to_string(), "2025-10-06T02:47:38.123");
    }

    #[test]
    fn progress_is_read_and_never_taken_for_a_cause() {
        let log = "[2017-08-04 23:55:48.560] 5 percent processed. [2017-08-04 23:56:56.220] Access Denied.bak: Completed processing 7% of S3 chunks.";
        let kinds: Vec<Kind> = entries(log).iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [Kind::Percent(5), Kind::UploadedPercent(7)]);
        assert_eq!(cause(log), None);
        for (text, expected) in [("100 percent processed.", true), ("101 percent processed.", false)] {
            assert_eq!(matches!(kind(text), Kind::Percent(_)), expected, "{text}");
        }
    }

    #[test]
    fn the_entry_before_the_trailer_decides() {
        const TRAILER: &str = "[2025-10-06 03:05:42.713] Aborted the task because of a task failure or an overlap with your preferred backup window for RDS automated backup. [2025-10-06 03:05:49.610] Task has been aborted";
        for (head, expected) in [
            ("Access Denied", "Human AccessDenied"),
            (
                "Please specify a bucket that is in the same region as RDS instance",
                "Human BucketInOtherRegion",
            ),
            ("The specified bucket does not exist", "Human BucketMissing"),
            ("Please reissue task with correct type and overwrite property", "Never ObjectExists"),
            ("User arn:x is not authorized to perform kms:Decrypt on resource arn:k", "Human KeyDenied"),
            (
                "BACKUP DATABASE WITH COMPRESSION is not supported on Web Edition. BACKUP DATABASE is terminating abnormally.",
                "Human CompressionUnsupported",
            ),
            ("Write on \"A\" failed: 995(x)", "Retry TaskAborted"),
            ("5 percent processed.", "Retry TaskAborted"),
            ("A sentence nobody published.", "Human TaskFailed"),
        ] {
            let log = format!(
                "[2025-10-06 03:05:00.000] Task execution has started. [2025-10-06 03:05:40.003] {head} {TRAILER}"
            );
            let reason = cause(&log).unwrap();
            assert_eq!(format!("{} {}", reason.class, reason.name), expected, "{head}");
        }
        let reason = cause(ABORTED_2025).unwrap();
        assert_eq!((reason.class, reason.name.as_ref()), (Class::Wait, "AutomatedBackup"));
    }

    #[test]
    fn only_the_last_run_counts() {
        let again = format!("{ABORTED_2025} [2025-10-06 03:10:00.000] Task execution has started.");
        assert_eq!(cause(&again), None);
        let again = format!("{again} [2025-10-06 03:11:00.000] Access Denied");
        assert_eq!(cause(&again).unwrap().name, "AccessDenied");
    }

    #[test]
    fn a_log_without_stamps_or_with_its_beginning_cut_off_is_still_read() {
        for (log, expected) in [
            ("", None),
            ("  \n ", None),
            ("Access Denied", Some("AccessDenied")),
            (
                "rcent processed. [2025-10-06 03:05:41.697] The specified bucket does not exist",
                Some("BucketMissing"),
            ),
            ("[2025-13-06 03:05:41.697] no such month", Some("TaskFailed")),
            ("[2025-10-06 03:05:41.697]", None),
            ("BACKUP DATABASE is terminating abnormally.", Some("TaskFailed")),
        ] {
            assert_eq!(cause(log).map(|reason| reason.name.into_owned()).as_deref(), expected, "{log}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(13),
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\[[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}\\]|[^a]|[0-9]+ percent processed\\.|\\[){0,12}") {
            let _ = cause(&text);
            let kept: usize = entries(&text).iter().map(|entry| entry.text.len()).sum();
            prop_assert!(kept <= text.len());
        }

        #[test]
        fn a_recorded_log_cut_anywhere_is_read(from in 0_usize..1_400, to in 0_usize..1_400) {
            let from = ABORTED_2025.floor_char_boundary(from.min(to));
            let to = ABORTED_2025.floor_char_boundary(to.max(from));
            let part = &ABORTED_2025[from..to];
            for entry in entries(part) {
                prop_assert!(part.contains(entry.text));
            }
            let _ = cause(part);
        }
    }
}
