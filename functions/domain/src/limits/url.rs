//! SQL Server 2022 and later, BACKUP TO URL on S3-compatible storage.

use super::{Limit, Name, Unit};

const S3: &str = "SQL Server backup to URL for S3-compatible object storage";
const MIB: u64 = 1 << 20;

/// The documents of 2026-05.
pub(super) const LIMITS: &[Limit] = &[
    Limit {
        name: Name::FilesPerBackup,
        value: 64,
        unit: Unit::Files,
        says: "64 URLs per command, mirrors counted",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::FilesPerRestore,
        value: 64,
        unit: Unit::Files,
        says: "every URL of the set, 64 at most",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::PartsPerFile,
        value: 10_000,
        unit: Unit::Parts,
        says: "10,000 parts per URL",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::PartBytes,
        value: 5_000_000,
        unit: Unit::Bytes,
        says: "parts can be smaller than MAXTRANSFERSIZE, at least 5 MB",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::TransferBytesMin,
        value: 5 * MIB,
        unit: Unit::Bytes,
        says: "MAXTRANSFERSIZE from 5 MiB; changing it needs COMPRESSION",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::TransferBytes,
        value: 20 * MIB,
        unit: Unit::Bytes,
        says: "MAXTRANSFERSIZE up to 20 MiB, 10 by default",
        source: S3,
        date: "2026-05",
    },
    Limit {
        name: Name::UrlCharacters,
        value: 259,
        unit: Unit::Characters,
        says: "the whole URL has 259 characters at most",
        source: S3,
        date: "2026-05",
    },
];
