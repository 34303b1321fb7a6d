//! RDS for SQL Server, as its user guide had it in 2019, in 2023, and has it now.

use super::{Limit, Name, Unit};

const TB: u64 = 1_000_000_000_000;
const TIB: u64 = 1 << 40;

const USING: &str = "RDS user guide, \"Using native backup and restore\"";
const LIMITATIONS: &str = "RDS user guide, \"Limitations and recommendations\"";
const LOGS: &str = "RDS user guide, \"Access to transaction log backups\"";
const OLD: &str = "RDS user guide, \"Importing and exporting SQL Server databases\"";

const fn row(
    name: Name,
    value: u64,
    unit: Unit,
    says: &'static str,
    (source, date): (&'static str, &'static str),
) -> Limit {
    Limit { name, value, unit, says, source, date }
}

/// What did not change since it was first said.
const TWO_TASKS: Limit = row(
    Name::TasksAtOnce,
    2,
    Unit::Tasks,
    "two tasks in progress at the same time, of any type",
    (LIMITATIONS, "2019-10"),
);
const PICK_UP: Limit = row(
    Name::PickUpMinutes,
    5,
    Unit::Minutes,
    "up to 5 minutes from CREATED to IN_PROGRESS",
    (USING, "2019-12"),
);
const HISTORY: Limit =
    row(Name::TaskHistoryDays, 36, Unit::Days, "task history is retained for 36 days", (USING, "2019-12"));
const COLUMNS: Limit = row(
    Name::StatusColumns,
    14,
    Unit::Columns,
    "rds_task_status: ARN and key since 2019-12",
    (USING, "2019-12"),
);
const EXPRESS: Limit = row(
    Name::ExpressBytes,
    10_000_000_000,
    Unit::Bytes,
    "Express restores are limited to 10 GB",
    (LIMITATIONS, "2019-01"),
);
const TEN_WRITTEN: Limit =
    row(Name::FilesPerBackup, 10, Unit::Files, "@number_of_files: 1 to 10", (USING, "2020-04"));
const TEN_READ: Limit = row(
    Name::FilesPerRestore,
    10,
    Unit::Files,
    "unable to restore from more than 10 backup files",
    (USING, "2019-10"),
);
const LOG_FILES: Limit = row(
    Name::LogFileMinutes,
    5,
    Unit::Minutes,
    "transaction logs are backed up every five minutes",
    (LOGS, "2022-11"),
);
const LOG_DAYS: Limit =
    row(Name::LogFileDays, 7, Unit::Days, "log backups of the last seven days are listed", (LOGS, "2022-11"));
const DATABASES: Limit = row(
    Name::DatabasesPerInstance,
    100,
    Unit::Databases,
    "up to 100 by class and availability: 30 up to large, 50 mirrored, 75 Always On",
    ("RDS user guide, limits of RDS for SQL Server", "2026"),
);

/// The newest documents.
pub(super) const NEWEST: &[Limit] = &[
    TWO_TASKS,
    PICK_UP,
    HISTORY,
    COLUMNS,
    LOG_FILES,
    LOG_DAYS,
    row(
        Name::RestoreBytes,
        64 * TIB,
        Unit::Bytes,
        "native restores of databases up to 64 TiB",
        (LIMITATIONS, "2026"),
    ),
    EXPRESS,
    row(
        Name::FileBytes,
        5 * TB,
        Unit::Bytes,
        "a size limit of 5 TB per file: use several",
        (LIMITATIONS, "2026"),
    ),
    TEN_WRITTEN,
    TEN_READ,
    row(
        Name::TransferBytesMin,
        65_536,
        Unit::Bytes,
        "@max_transfer_size: multiples of 65536",
        (USING, "2026"),
    ),
    row(Name::TransferBytes, 4_194_304, Unit::Bytes, "@max_transfer_size: up to 4194304", (USING, "2026")),
    DATABASES,
];

/// June 2023.
pub(super) const IN_2023: &[Limit] = &[
    TWO_TASKS,
    PICK_UP,
    HISTORY,
    COLUMNS,
    LOG_FILES,
    LOG_DAYS,
    row(
        Name::RestoreBytes,
        16 * TB,
        Unit::Bytes,
        "native restores of databases up to 16 TB",
        (LIMITATIONS, "2019-06"),
    ),
    EXPRESS,
    row(
        Name::FileBytes,
        5 * TB,
        Unit::Bytes,
        "Amazon S3 has a size limit of 5 TB per file",
        (LIMITATIONS, "2020-08"),
    ),
    TEN_WRITTEN,
    TEN_READ,
    DATABASES,
];

/// Spring 2019.
pub(super) const IN_2019: &[Limit] = &[
    row(Name::StatusColumns, 10, Unit::Columns, "rds_task_status: ten columns", (OLD, "2019-04")),
    row(
        Name::BackupBytes,
        TB,
        Unit::Bytes,
        "native backups of databases larger than 1 TB are not supported",
        (OLD, "2019-04"),
    ),
    row(Name::RestoreBytes, 5 * TB, Unit::Bytes, "native restores of databases up to 5 TB", (OLD, "2019-03")),
    row(
        Name::ExpressBytes,
        10_000_000_000,
        Unit::Bytes,
        "Express restores are limited to 10 GB",
        (OLD, "2019-01"),
    ),
    row(Name::FilesPerBackup, 1, Unit::Files, "one file; several came in 2020-04", (OLD, "2019-04")),
];
