//! How is a backup of data cut up? Its size by forecast, the policy's options, and what became of the last try.

use domain::facts::DatabaseState;
use domain::growth::{Expected, fit};
use domain::inventory::{Database, Vault};
use domain::paths::{S3Arn, backup_folder, backup_key};
use domain::policy::Policy;
use domain::request::{NativeBackup, TransferOptions};
use domain::slots::differential_bytes;
use domain::stripes::{Ask, Chosen, Layout, attempt};
use domain::task::{Kind, Task};
use jiff::Timestamp;

use crate::scope::Scope;

/// What a backup that starts now will read and write. Without any full to go by, what the server shows of its files, not
/// compressed.
fn expected(task: &Task, head: &Database, live: Option<&DatabaseState>, now: Timestamp) -> Expected {
    let shown = live.and_then(|live| live.data_bytes).unwrap_or(0);
    let growth = fit(&head.fulls);
    let full = growth.map_or(Expected::of(shown, 1_000), |growth| growth.at(now));
    let Some(last) = head.last_full.as_ref().filter(|_| task.kind == Kind::Differential) else { return full };
    let before = head.last_differential.as_ref().filter(|before| before.base == last.id);
    let before = before.map(|before| (before.size_bytes, before.finished_at.duration_since(last.started_at)));
    let bytes = differential_bytes(full.database_bytes, before, now.duration_since(last.started_at));
    Expected::of(bytes, growth.and_then(|growth| growth.stored_per_mille).unwrap_or(1_000))
}

/// Files and transfers of a backup, and what is to be said of them.
pub(crate) fn shape(
    task: &Task,
    head: &Database,
    live: Option<&DatabaseState>,
    (policy, vault): (&Policy, &Vault),
    now: Timestamp,
) -> Chosen {
    attempt(&Ask {
        profile: vault.profile,
        storage: &policy.storage,
        expected: expected(task, head, live, now),
        mirrors: 0,
        url_characters: 0,
        failed: task.outgrew,
    })
}

/// What the service is asked.
pub(crate) fn native_backup(task: &Task, scope: &Scope, layout: Layout) -> NativeBackup {
    let folder = backup_folder(&scope.vault.prefix, &task.instance, &task.database, &task.folder_name());
    let arn = S3Arn {
        partition: scope.partition().to_owned(),
        bucket: scope.vault.bucket.clone(),
        key: backup_key(&folder, layout.files),
    };
    NativeBackup {
        database: task.database.clone(),
        s3_arn: arn.to_string(),
        kms_key_arn: scope.kms_key_arn().cloned(),
        differential: task.kind == Kind::Differential,
        files: layout.files,
        options: TransferOptions {
            max_transfer_bytes: layout.max_transfer_bytes,
            block_bytes: scope.policy.storage.block_bytes,
            buffer_count: scope.policy.storage.buffer_count,
        },
    }
}

#[cfg(test)]
mod tests {
    use domain::growth::Sample;
    use domain::id::BackupId;
    use domain::inventory::{LastDifferential, LastFull};
    use domain::lsn::Lsn;
    use domain::schedule::DueItem;
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_full_is_forecast_from_the_last_ones_and_a_differential_from_its_predecessor() {
        let hour = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let task = |kind| Task::plan("sales", "orders", &DueItem { kind, moment: hour(0) }, hour(0));
        let mut head = Database::new("sales", "orders");
        let said = |head: &Database, kind, now| {
            let Expected { database_bytes, stored_bytes } = expected(&task(kind), head, None, now);
            (database_bytes, stored_bytes)
        };
        assert_eq!(said(&head, Kind::Full, hour(0)), (0, 0));
        for (at, size_bytes) in [(0, 1_000), (24, 1_100)] {
            head.remember_full(
                Sample { at: hour(at), size_bytes, stored_bytes: Some(size_bytes / 4) },
                false,
            );
        }
        let full = LastFull {
            id: BackupId::new("1"),
            started_at: hour(24),
            finished_at: hour(24),
            last_lsn: Lsn::ZERO,
            size_bytes: 1_100,
        };
        head.last_full = Some(full);
        assert_eq!(said(&head, Kind::Full, hour(48)), (1_200, 300));
        assert_eq!(
            said(&head, Kind::Differential, hour(36)),
            (1_150, 288),
            "nothing is known: as large as a full"
        );
        head.last_differential = Some(LastDifferential {
            id: BackupId::new("2"),
            base: BackupId::new("1"),
            finished_at: hour(30),
            last_lsn: Lsn::ZERO,
            size_bytes: 60,
        });
        // 60 in six hours: twice that pace for twelve.
        assert_eq!(said(&head, Kind::Differential, hour(36)), (240, 60));
    }
}
