//! Can the place that the log of a fork had reached be restored: everything below an LSN?
//!
//! Brute force like that for moments: every full, with and without every differential, then whatever log the engine accepts,
//! whole while it ends at or below the LSN, stopped before it otherwise. A log that crosses a fork is not stopped inside.

use crate::{
    backup_file::BackupKind, content::Content, guid::Guid, judge::Judge, lsn::Lsn, restore::Restoring,
};

impl Judge<'_> {
    /// What a restore that ends before an LSN of a fork holds; `None` where no way leads there.
    pub fn restore_below(&self, fork: Guid, lsn: Lsn) -> Option<Content> {
        let engine = self.world.engine();
        let mut open: Vec<Restoring> = Vec::new();
        for (full, _) in self.data.iter().filter(|(file, _)| file.set.kind == BackupKind::Full) {
            let Ok(state) = Restoring::full(engine, full, None) else { continue };
            for (differential, _) in self.data.iter().filter(|(f, _)| f.set.kind == BackupKind::Differential)
            {
                let mut with = state.clone();
                if with.apply(engine, differential, None).is_ok() {
                    open.push(with);
                }
            }
            open.push(state);
        }
        let mut seen: Vec<(Lsn, Guid)> = Vec::new();
        while let Some(state) = open.pop() {
            if state.redo == lsn && state.fork == fork {
                return Some(state.content(engine.branches));
            }
            if state.redo > lsn || state.by_log || seen.contains(&(state.redo, state.fork)) {
                continue;
            }
            seen.push((state.redo, state.fork));
            for log in self.logs.iter().filter(|log| log.first <= state.redo && log.last > state.redo) {
                let Some(file) = self.read(&log.place) else { continue };
                let inside = log.last > lsn;
                if inside && file.set.fork_point.is_some() {
                    continue;
                }
                let mut next = state.clone();
                let stop = inside.then_some(lsn);
                let applied = match stop {
                    Some(lsn) => next.apply_below(engine, &file, lsn),
                    None => next.apply(engine, &file, None),
                };
                if applied.is_ok() {
                    open.push(next);
                }
            }
        }
        None
    }
}
