//! SQL Server as installed: who backs up and restores by hand, without a service that does it by itself?
//!
//! A database of an instance without automated backups, whose BACKUP and RESTORE statements are calls of the world. A backup
//! begins and ends in two calls, so that writes, log backups and failures happen in between. Nothing happens by itself: no
//! log backup, no snapshot, no reset of a recovery model. Rules of data backups, files and restores are those of the rooms
//! `database` and `restore`, which it only drives.

pub(crate) mod backup;
pub(crate) mod chain;
pub(crate) mod recovery;

pub use backup::{BackupOrder, Device, Ticket};
