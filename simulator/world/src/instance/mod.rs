//! An RDS DB instance: its settings, its nodes, its automated backups, its failovers.

pub(crate) mod automated;
pub(crate) mod class;
pub(crate) mod config;
pub(crate) mod disk;
pub(crate) mod failover;
pub(crate) mod names;
pub(crate) mod replaced;
pub(crate) mod replica;
pub(crate) mod state;
pub(crate) mod storage;
