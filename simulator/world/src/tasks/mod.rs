//! Native tasks: the queue of two slots, what runs in it, and what it says of itself.

pub(crate) mod backup;
mod certificate;
pub(crate) mod copy;
pub(crate) mod fact;
pub(crate) mod files;
pub(crate) mod info;
pub(crate) mod limits;
pub(crate) mod queue;
pub(crate) mod restore;
pub(crate) mod task;
