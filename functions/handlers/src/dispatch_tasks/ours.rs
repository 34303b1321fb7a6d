//! Which task of the server's list is ours?

use domain::task::{Request, TaskId, TaskRow};

use crate::scope::same_name;

/// The id of our task in the server's list: for a backup by the S3 ARN, which no other task ever names; for a log copy, whose
/// files the service names, by database among the tasks that came after the intent. Nobody else's copy does harm if it is
/// taken for ours: copying a range again overwrites the same files.
pub(super) fn ours(rows: &[TaskRow], request: &Request, above: TaskId) -> Option<TaskId> {
    let matches = |row: &&TaskRow| match request {
        Request::Backup(backup) => row.s3_arn.as_deref().is_some_and(|arn| is_of(arn, &backup.s3_arn)),
        Request::Copy(copy) => {
            let other_kind = ["BACKUP_DB", "RESTORE_DB", "FINISH_RESTORE"]
                .iter()
                .any(|kind| row.task_type.starts_with(kind));
            row.database.as_deref().is_some_and(|name| same_name(name, &copy.database)) && !other_kind
        }
    };
    rows.iter().filter(|row| row.id > above).find(matches).map(|row| row.id)
}

/// Whether the service's ARN names a backup of ours: as it was asked for, or as one of its numbered files (no source says which the
/// list shows); its folder is its own.
fn is_of(arn: &str, asked: &str) -> bool {
    let folder = asked.rsplit_once('/').filter(|_| asked.contains('*')).map(|(folder, _)| folder);
    let inside = |folder: &str| arn.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    arn == asked || folder.is_some_and(inside)
}

#[cfg(test)]
mod tests {
    use domain::request::{CopyLogs, NativeBackup};

    use super::*;

    fn row(id: TaskId, task_type: &str, database: &str, s3_arn: Option<&str>) -> TaskRow {
        TaskRow {
            id,
            task_type: task_type.to_owned(),
            database: Some(database.to_owned()),
            lifecycle: None,
            percent: None,
            last_updated: None,
            created_at: None,
            s3_arn: s3_arn.map(str::to_owned),
        }
    }

    #[test]
    fn a_task_is_found_again_by_what_only_it_can_have() {
        let rows = [
            row(5, "TLOG_COPY", "a", None),
            row(6, "BACKUP_DB", "a", Some("arn:1")),
            row(7, "TLOG_COPY", "b", None),
            row(8, "TLOG_COPY", "a", None),
            row(9, "BACKUP_DB", "a", Some("arn:2")),
        ];
        let backup = |arn: &str| {
            let s3_arn = arn.to_owned();
            Request::Backup(NativeBackup {
                database: "a".to_owned(),
                s3_arn,
                kms_key_arn: None,
                differential: false,
                files: 1,
                options: domain::request::TransferOptions::default(),
            })
        };
        let copy = Request::Copy(CopyLogs {
            database: "a".to_owned(),
            kms_key_arn: None,
            first_seq: 1,
            last_seq: 2,
        });
        assert_eq!(ours(&rows, &backup("arn:2"), 5), Some(9));
        assert_eq!(ours(&rows, &backup("arn:3"), 0), None);
        assert_eq!(ours(&rows, &copy, 5), Some(8), "task 5 is older than the intent, task 6 is a backup");
        assert_eq!(ours(&rows, &copy, 8), None);
        for (listed, expected) in [
            ("arn:aws:s3:::v/a/full-1/part*.bak", true),
            ("arn:aws:s3:::v/a/full-1/part_2-of-4.bak", true),
            ("arn:aws:s3:::v/a/full-10/part*.bak", false),
            ("arn:aws:s3:::v/a", false),
        ] {
            assert_eq!(is_of(listed, "arn:aws:s3:::v/a/full-1/part*.bak"), expected, "{listed}");
        }
        assert!(!is_of("arn:aws:s3:::v/a/full-1/x.bak", "arn:aws:s3:::v/a/full-1/all.bak"));
    }
}
