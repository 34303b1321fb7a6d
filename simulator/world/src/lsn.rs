//! What is a log sequence number, and how is it printed?
//!
//! A triple of virtual log file, log block (counted in sectors of 512 bytes) and slot in the block. It knows nothing of
//! what a log holds. Source: the histories measured in the fixtures (`17126658000000314600038` is file 17126658, block
//! 3146, slot 38) and `backupset` in the SQL Server documentation.

use std::fmt;

/// A log sequence number. Ordered as SQL Server orders it; `Lsn::ZERO` is what a first full carries as its
/// `database_backup_lsn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn {
    /// Sequence number of the virtual log file.
    pub vlf: u32,
    /// Log block, in sectors of 512 bytes from the start of the virtual log file.
    pub block: u32,
    /// Record in the block, from 1.
    pub slot: u32,
}

impl Lsn {
    /// No position: smaller than every real one.
    pub const ZERO: Self = Self { vlf: 0, block: 0, slot: 0 };

    /// A position from its three parts.
    pub const fn new(vlf: u32, block: u32, slot: u32) -> Self {
        Self { vlf, block, slot }
    }

    /// The same block, another slot.
    #[must_use]
    pub const fn with_slot(self, slot: u32) -> Self {
        Self { slot, ..self }
    }

    /// As numeric(25,0): ten digits of file, ten of block, five of slot.
    pub fn numeric(self) -> i128 {
        i128::from(self.vlf) * 1_000_000_000_000_000
            + i128::from(self.block) * 100_000
            + i128::from(self.slot)
    }

    /// Back from numeric(25,0); `None` when a part does not fit.
    pub fn from_numeric(number: i128) -> Option<Self> {
        let slot = u32::try_from(number.rem_euclid(100_000)).ok()?;
        let block = u32::try_from((number / 100_000).rem_euclid(10_000_000_000)).ok()?;
        let vlf = u32::try_from(number / 1_000_000_000_000_000).ok()?;
        (number >= 0).then_some(Self { vlf, block, slot })
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.numeric())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_as_numeric_25() {
        for (vlf, block, slot, printed) in [
            (17_126_658, 3146, 38, "17126658000000314600038"),
            (34, 69, 179, "34000000006900179"),
            (0, 0, 450, "450"),
            (0, 0, 0, "0"),
        ] {
            let lsn = Lsn::new(vlf, block, slot);
            assert_eq!(lsn.to_string(), printed);
            assert_eq!(Lsn::from_numeric(printed.parse().unwrap()), Some(lsn));
        }
        assert_eq!(Lsn::from_numeric(-1), None);
        assert_eq!(Lsn::from_numeric(i128::MAX), None);
    }

    #[test]
    fn orders_by_file_then_block_then_slot() {
        assert!(Lsn::new(34, 69, 179) < Lsn::new(34, 144, 1));
        assert!(Lsn::new(34, 9999, 1) < Lsn::new(35, 16, 1));
    }
}
