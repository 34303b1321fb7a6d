//! Azure Backup for SQL Server in Azure VMs: what its vaults and policies allow. A policy written for it keeps its rules here.

use super::{Limit, Name, Unit};

const VAULT: &str = "Azure Backup, \"Back up multiple SQL Server VMs from the Recovery Services vault\"";
const MATRIX: &str = "Azure Backup, support matrix for SQL Server in Azure VMs";

const fn row(
    name: Name,
    value: u64,
    unit: Unit,
    says: &'static str,
    (source, date): (&'static str, &'static str),
) -> Limit {
    Limit { name, value, unit, says, source, date }
}

/// The documents of 2023-05 to 2025-12.
pub(super) const LIMITS: &[Limit] = &[
    row(Name::DatabasesPerChange, 50, Unit::Databases, "databases in one backup job", (VAULT, "2023-05")),
    row(
        Name::DatabasesPerVault,
        2_000,
        Unit::Databases,
        "databases per server and per vault",
        (MATRIX, "2025-12"),
    ),
    row(Name::FilesPerDatabase, 1_000, Unit::Files, "files of a database", (MATRIX, "2025-12")),
    row(
        Name::DatabaseBytes,
        6 << 40,
        Unit::Bytes,
        "supported size; beyond it performance suffers",
        (MATRIX, "2025-12"),
    ),
    row(Name::RetentionDaysMin, 7, Unit::Days, "minimum retention of any type of backup", (VAULT, "2023-05")),
    row(
        Name::OnDemandDaysMin,
        45,
        Unit::Days,
        "an on-demand full is kept for 45 days at least",
        ("Azure Backup, \"Manage and monitor backed up SQL Server databases\"", "2026-04"),
    ),
    row(Name::LogDays, 35, Unit::Days, "logs are kept for up to 35 days", (VAULT, "2023-05")),
    row(
        Name::DifferentialDays,
        180,
        Unit::Days,
        "differentials are kept for a maximum of 180 days",
        (VAULT, "2023-05"),
    ),
    row(Name::LogMinutesMin, 15, Unit::Minutes, "logs as often as every 15 minutes", (VAULT, "2023-05")),
    row(
        Name::FullsPerDay,
        1,
        Unit::Backups,
        "only one full backup is triggered each day",
        (VAULT, "2023-05"),
    ),
    row(
        Name::ServerNameCharacters,
        84,
        Unit::Characters,
        "names of VM and resource group together",
        (VAULT, "2023-05"),
    ),
    row(Name::DiscoveryHours, 8, Unit::Hours, "discovery runs every eight hours", (VAULT, "2023-05")),
    row(
        Name::ProtectionHours,
        32,
        Unit::Hours,
        "auto-protection of a new database within 32 hours",
        (VAULT, "2023-05"),
    ),
];
