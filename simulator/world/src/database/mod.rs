//! A database: its identity, its log, its history. No servers, no tasks, no SQL.

pub(crate) mod backups;
pub(crate) mod branch;
pub(crate) mod config;
pub(crate) mod import;
pub(crate) mod logs;
pub(crate) mod state;
pub(crate) mod writes;
