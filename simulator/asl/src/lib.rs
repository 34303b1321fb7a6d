//! Interpreter of the Amazon States Language: (state, event, now, draw) to effects.
//!
//! Answers what a Step Functions Standard execution does next. Refuses to know who carries its effects out: time, chance,
//! functions and other executions belong to the caller. Knows no backups, and nothing of `functions/`.

mod choice;
mod context;
pub mod failure;
pub mod history;
mod intrinsic;
mod load;
mod machine;
mod name;
mod path;
pub mod quotas;
mod refusal;
mod run;
pub mod script;
mod size;
mod template;

pub use context::Identity;
pub use failure::TaskError;
pub use history::{HistoryEvent, HistoryKind, Visit};
pub use machine::{Machine, StateType};
pub use refusal::Refusal;
pub use run::{Effect, Event, Execution, Record, Resource, StartError, Status, Token};
