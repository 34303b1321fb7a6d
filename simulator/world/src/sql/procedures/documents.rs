//! What did the documents say at a time? Parameters, columns and texts that came or went.
//!
//! Sources: RDS user guide, "Importing and exporting SQL Server databases", text of spring 2019; the last public markdown of June
//! 2023; the newest text.

use std::ops::Range;

use super::status::CANCEL_OF_2019;
use crate::{
    error::EngineError,
    knobs::Documents,
    sql::calls::{Argument, Declared},
};

/// Since when a procedure has a parameter, where not from the beginning: (procedure, parameter, since).
const SINCE: &[(&str, &str, Documents)] = &[
    ("rds_backup_database", "@number_of_files", Documents::Of2023),
    ("rds_backup_database", "@block_size", Documents::Newest),
    ("rds_backup_database", "@max_transfer_size", Documents::Newest),
    ("rds_backup_database", "@buffer_count", Documents::Newest),
    ("rds_backup_database", "@enable_bucket_default_encryption", Documents::Newest),
    ("rds_restore_database", "@with_norecovery", Documents::Of2023),
    ("rds_restore_database", "@type", Documents::Of2023),
    ("rds_restore_database", "@keep_cdc", Documents::Newest),
    ("rds_restore_database", "@data_file_volume", Documents::Newest),
    ("rds_restore_database", "@log_file_volume", Documents::Newest),
    ("rds_restore_database", "@block_size", Documents::Newest),
    ("rds_restore_database", "@max_transfer_size", Documents::Newest),
    ("rds_restore_database", "@buffer_count", Documents::Newest),
    ("rds_restore_log", "@keep_cdc", Documents::Newest),
    ("rds_restore_log", "@block_size", Documents::Newest),
    ("rds_restore_log", "@max_transfer_size", Documents::Newest),
    ("rds_restore_log", "@buffer_count", Documents::Newest),
];

/// What came in June 2022 and is neither procedure nor function before.
const CERTIFICATES: &[&str] = &[
    "rds_backup_tde_certificate",
    "rds_restore_tde_certificate",
    "rds_drop_tde_certificate",
    "rds_fn_list_user_tde_certificates",
];

/// Restores that go on came in November 2019, access to log backups in November 2022.
const CHAINS: &[&str] = &[
    "rds_restore_log",
    "rds_finish_restore",
    "rds_tlog_copy_setup",
    "rds_tlog_backup_copy_to_s3",
    "rds_fn_list_tlog_backup_metadata",
];

/// S3 integration came in October 2019.
const S3_INTEGRATION: &[&str] = &[
    "rds_download_from_s3",
    "rds_upload_to_s3",
    "rds_gather_file_details",
    "rds_delete_from_filesystem",
    "rds_fn_list_file_details",
];

impl Documents {
    /// Whether a procedure or function of RDS, by its lower-case name, was there.
    pub(crate) fn knows(self, name: &str) -> bool {
        let later = [CERTIFICATES, CHAINS, S3_INTEGRATION];
        self > Self::Of2019 || !later.iter().any(|names| names.contains(&name))
    }

    /// The parameters of a procedure where another time had others.
    pub(super) fn parameters(self, procedure: &str, declared: &'static [Declared]) -> &'static [Declared] {
        match (self, procedure) {
            (Self::Of2019, "rds_cancel_task") => CANCEL_OF_2019,
            _ => declared,
        }
    }

    /// Refuses a parameter that was not there yet.
    pub(super) fn check(
        self,
        procedure: &str,
        written: &str,
        arguments: &[Argument],
    ) -> Result<(), EngineError> {
        let is_early = |argument: &&Argument| {
            SINCE.iter().any(|(of, parameter, since)| {
                *of == procedure && *since > self && parameter.eq_ignore_ascii_case(&argument.name)
            })
        };
        match arguments.iter().find(is_early) {
            Some(argument) => {
                let text = format!("{} is not a parameter for procedure {written}.", argument.name);
                Err(EngineError::new(8145, text))
            }
            None => Ok(()),
        }
    }

    /// Which of the fourteen columns `rds_task_status` has: in 2019 ten, with neither the ARN nor key, path and file; the eleventh of
    /// today was the last.
    pub(super) fn status_columns(self) -> Vec<usize> {
        let first: Range<usize> = 0..9;
        match self {
            Self::Of2019 => first.chain([10]).collect(),
            Self::Of2023 | Self::Newest => (0..14).collect(),
        }
    }

    /// Bytes of a database that a native backup takes: 1 TB until August 2020, then as many as its files hold.
    pub(crate) const fn backup_bytes_max(self) -> Option<u64> {
        match self {
            Self::Of2019 => Some(1_000_000_000_000),
            Self::Of2023 | Self::Newest => None,
        }
    }

    /// Bytes of a database that is restored: 5 TB, 16 TB since June 2019, 64 TiB.
    pub(crate) const fn restore_bytes_max(self) -> u64 {
        match self {
            Self::Of2019 => 5_000_000_000_000,
            Self::Of2023 => 16_000_000_000_000,
            Self::Newest => 64 << 40,
        }
    }

    /// The word of a compressed backup that an edition can't take: "isn't supported" since 2021.
    pub(crate) const fn is_not(self) -> &'static str {
        match self {
            Self::Of2019 => "is not",
            Self::Of2023 | Self::Newest => "isn't",
        }
    }
}
