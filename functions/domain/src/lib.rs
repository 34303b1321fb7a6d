//! What is true: rules over backups, chains, windows, plans. No I/O, no clock, no chance.

pub mod admission;
pub mod backup;
pub mod calendar;
pub mod catalogue;
pub mod chain;
pub mod coverage;
pub mod directory;
pub mod discovery;
pub mod event;
pub mod exposure;
pub mod facts;
pub mod forecast;
pub mod growth;
pub mod guards;
pub mod history;
pub mod hold;
pub mod id;
pub mod inventory;
pub mod lease;
pub mod limits;
pub mod lsn;
pub mod mailbox;
pub mod notation;
pub mod observed;
pub mod paths;
pub mod policy;
pub mod prices;
pub mod promotion;
pub mod reason;
pub mod record;
pub mod region;
pub mod request;
pub mod restore;
pub mod restore_time;
pub mod retention;
pub mod schedule;
#[cfg(feature = "schema")]
mod schema;
pub mod slots;
pub mod stripes;
pub mod task;
pub mod tick;

#[cfg(test)]
mod speed;
