//! Which backups share a file with one that stays? A file is deleted as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::words::{For, Why};
use crate::backup::Backup;

/// Backups whose files hold one that stays, too, stay with it: a file is deleted as a whole (several sets of a media set, or one name
/// that was written again).
pub(super) fn share_files(backups: &[Backup], reasons: &mut [Vec<Why>]) {
    fn files(backup: &Backup) -> impl Iterator<Item = &Arc<str>> {
        backup.stripes.files().iter().flatten()
    }
    if reasons.iter().all(|reasons| !reasons.is_empty()) {
        return;
    }
    // Nearly every file is of one backup: those that are not are found by their hashes, and looked at by name.
    let mut hashes: Vec<(u64, usize)> = Vec::with_capacity(backups.len());
    for (row, backup) in backups.iter().enumerate() {
        hashes.extend(backup.stripes.hashes().map(|hash| (hash, row)));
    }
    hashes.sort_unstable();
    let mut holders: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for alike in hashes.chunk_by(|left, right| left.0 == right.0).filter(|alike| alike.len() > 1) {
        let mut rows: Vec<usize> = alike.iter().map(|(_, row)| *row).collect();
        rows.dedup();
        for row in rows {
            let stripes = &backups[row].stripes;
            let alike = stripes.hashes().zip(files(&backups[row])).filter(|(hash, _)| *hash == alike[0].0);
            for (_, file) in alike {
                holders.entry(file).or_default().push(row);
            }
        }
    }
    holders.retain(|_, rows| rows.len() > 1);
    if holders.is_empty() {
        return;
    }
    let mut staying: Vec<usize> = (0..backups.len()).filter(|row| !reasons[*row].is_empty()).collect();
    while let Some(row) = staying.pop() {
        for file in files(&backups[row]) {
            for other in holders.remove(file).unwrap_or_default() {
                if reasons[other].is_empty() {
                    let what = For::SharedFile(backups[row].id.clone());
                    reasons[other].push(Why { what, until: None });
                    staying.push(other);
                }
            }
        }
    }
}
