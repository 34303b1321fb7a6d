//! Physics: RDS for SQL Server, its SQL front, S3 and KMS as they behave.
//!
//! A single-threaded deterministic model. Whoever owns a [`World`] lets time pass ([`World::advance_to`]), hands it the
//! requests of clients ([`World::execute`]) and asks what is true ([`World::truth`], [`World::restore`],
//! [`World::judge`]). It depends on the TDS message types and on nothing of the product: it cannot borrow its reasoning.

mod backup_file;
mod content;
mod database;
mod endpoint;
mod error;
mod guid;
mod hex;
mod installed;
mod instance;
mod judge;
mod kms;
mod knobs;
mod levers;
mod lsn;
mod restore;
mod s3;
mod sql;
mod stream;
mod tasks;
mod tde;
mod time;
mod world;

pub use backup_file::{BackupFile, BackupKind, BackupSet, RecoveryModel};
pub use content::{Content, PAGES, PageVersion, Rows};
pub use database::{
    config::{DatabaseConfig, Features},
    import::HistoryHeader,
    state::DatabaseId,
    writes::{Burst, Rhythm},
};
pub use endpoint::{
    EndpointFault, Look, Movement, OBJECT_BYTES_MAX, Outcome, Outgoing, Seen, SeenBody, Transfer,
};
pub use error::EngineError;
pub use guid::Guid;
pub use installed::{BackupOrder, Device, Ticket};
pub use instance::config::{
    Edition, InstanceConfig, InstanceDescription, LogAccess, MultiAz, OptionStatus, RdsEvent,
};
pub use judge::{Judge, Restored};
pub use kms::{KeyConfig, Kms};
pub use knobs::{Documents, FailoverFate, Knobs, MaintenanceRule, SnapshotBase, Span, Texts};
pub use levers::Damage;
pub use lsn::Lsn;
pub use restore::{ObjectRef, RestoreStep};
pub use s3::{
    BucketConfig, Condition, Deleted, ListPage, ObjectHead, S3, S3Error, StorageClass, UploadHead,
    UploadPage, VersionHead, VersionPage,
};
pub use sql::session::SessionId;
pub use tasks::{
    fact::TaskFact,
    task::{FileTask, Lifecycle, TaskType},
};
pub use tde::{
    certificate::Thumbprint,
    files::{CertificateFiles, PASSWORD_METADATA},
};
pub use world::World;
