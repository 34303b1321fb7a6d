//! Finding backups by id and fulls by checkpoint in logarithmic time, without a map of random order.

use std::cmp::Ordering;
use std::mem;
use std::sync::OnceLock;

use super::Conflict;
use crate::backup::{Backup, HeldIn, Kind, Stripes};
use crate::id::caseless_cmp;
use crate::lsn::Lsn;

/// Positions in the slice of backups that it was built from.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// (hash of the id, position) of data backups, sorted.
    data: Vec<(u64, u32)>,
    /// The same of logs: many, and rarely looked for, so it waits for the first question.
    logs: OnceLock<Vec<(u64, u32)>>,
    /// (checkpoint, position) of fulls, copy-only fulls and snapshots, sorted.
    by_checkpoint: Vec<(Lsn, u32)>,
}

/// FNV-1a over the lower-case bytes: fixed, so that nothing depends on a random seed.
fn hash(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn find<'a>(keys: &[(u64, u32)], backups: &'a [Backup], id: &str) -> Option<(usize, &'a Backup)> {
    let wanted = hash(id);
    let from = keys.partition_point(|(hash, _)| *hash < wanted);
    keys[from..]
        .iter()
        .take_while(|(hash, _)| *hash == wanted)
        .map(|(_, at)| (*at as usize, &backups[*at as usize]))
        .find(|(_, backup)| backup.id.as_str().eq_ignore_ascii_case(id))
}

impl Index {
    /// A data backup and its position. Who has pushed them all sorts them.
    pub(super) fn push(&mut self, at: u32, backup: &Backup) {
        self.data.push((hash(backup.id.as_str()), at));
        let checkpoint = backup.checkpoint_lsn.filter(|_| backup.kind != Kind::Differential);
        self.by_checkpoint.extend(checkpoint.map(|lsn| (lsn, at)));
    }

    pub(super) fn sort(&mut self) {
        self.data.sort_unstable();
        self.by_checkpoint.sort_unstable();
    }

    pub(super) fn find_data<'a>(&self, backups: &'a [Backup], id: &str) -> Option<&'a Backup> {
        find(&self.data, backups, id).map(|(_, backup)| backup)
    }

    pub(super) fn find<'a>(&self, backups: &'a [Backup], id: &str) -> Option<(usize, &'a Backup)> {
        let logs = || {
            let logs = (0_u32..).zip(backups).filter(|(_, backup)| !backup.kind.is_data());
            let mut keys: Vec<(u64, u32)> = logs.map(|(at, log)| (hash(log.id.as_str()), at)).collect();
            keys.sort_unstable();
            keys
        };
        find(&self.data, backups, id).or_else(|| find(self.logs.get_or_init(logs), backups, id))
    }

    pub(super) fn at_checkpoint(&self, checkpoint: Lsn) -> impl Iterator<Item = usize> {
        let from = self.by_checkpoint.partition_point(|(lsn, _)| *lsn < checkpoint);
        self.by_checkpoint[from..]
            .iter()
            .take_while(move |(lsn, _)| *lsn == checkpoint)
            .map(|(_, at)| *at as usize)
    }
}

/// Sorts large rows without moving each more than once: positions are sorted, then the rows follow.
pub(super) fn sort_by(backups: &mut [Backup], order: impl Fn(&Backup, &Backup) -> Ordering) {
    let mut from: Vec<(Lsn, u32)> =
        backups.iter().enumerate().map(|(index, backup)| (backup.last_lsn, position(index))).collect();
    from.sort_unstable_by(|(lsn, left), (other, right)| {
        lsn.cmp(other).then_with(|| order(&backups[*left as usize], &backups[*right as usize]))
    });
    // Each cycle of the permutation is walked once; a place that has its row points at itself.
    for start in 0..from.len() {
        let mut at = start;
        while from[at].1 as usize != start && from[at].1 as usize != at {
            let next = from[at].1 as usize;
            backups.swap(at, next);
            from[at].1 = position(at);
            at = next;
        }
        from[at].1 = position(at);
    }
}

/// One row per id. Order of the input is kept.
pub(super) fn without_duplicates(mut backups: Vec<Backup>) -> Result<Vec<Backup>, Conflict> {
    let mut keys: Vec<(u64, u32)> = backups
        .iter()
        .enumerate()
        .map(|(index, backup)| (hash(backup.id.as_str()), position(index)))
        .collect();
    keys.sort_unstable();
    let mut dropped: Vec<u32> = Vec::new();
    for run in keys.chunk_by(|left, right| left.0 == right.0).filter(|run| run.len() > 1) {
        let mut rows: Vec<u32> = run.iter().map(|(_, at)| *at).collect();
        let id = |at: u32| backups[at as usize].id.as_str();
        rows.sort_by(|left, right| caseless_cmp(id(*left), id(*right)).then(left.cmp(right)));
        let mut kept = rows[0];
        for &row in &rows[1..] {
            if backups[row as usize].id != backups[kept as usize].id {
                kept = row;
                continue;
            }
            let (first, second) = (&backups[kept as usize], &backups[row as usize]);
            if !same_content(first, second) {
                let (first_row, second_row) = (kept as usize, row as usize);
                return Err(Conflict { id: first.id.clone(), first_row, second_row });
            }
            let vault_second = second.held_in == HeldIn::Vault && first.held_in == HeldIn::Service;
            if vault_second {
                backups.swap(kept as usize, row as usize);
            }
            dropped.push(row);
        }
    }
    if dropped.is_empty() {
        return Ok(backups);
    }
    dropped.sort_unstable();
    let mut dropped = dropped.into_iter().peekable();
    let rows = mem::take(&mut backups);
    Ok(rows
        .into_iter()
        .enumerate()
        .filter(|(index, _)| dropped.next_if(|at| *at as usize == *index).is_none())
        .map(|(_, backup)| backup)
        .collect())
}

/// Whether two rows of one id tell the same; a log that the service still keeps and its copy in the vault do.
fn same_content(first: &Backup, second: &Backup) -> bool {
    if first == second {
        return true;
    }
    if first.held_in == second.held_in {
        return false;
    }
    let bare =
        |backup: &Backup| Backup { held_in: HeldIn::Vault, stripes: Stripes::default(), ..backup.clone() };
    bare(first) == bare(second)
}
