//! RDS: its procedures restore S3 objects, name by name, and copy the logs that it still keeps.
//!
//! Source: RDS user guide, "Using native backup and restore" and "Access to transaction log backups".

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::backup::{Backup, HeldIn};
use domain::history::Lineage;
use domain::paths::is_arn;
use domain::restore::{Action, Plan, Step};

use super::{Writer, id, literal};

/// Files of one native backup (`@number_of_files`, RDS user guide, "Using native backup and restore", 2026).
const STRIPES_MAX: usize = 10;

/// The bucket or access point of an ARN, up to where keys begin.
fn root(arn: &str) -> &str {
    let mark = if arn.contains(":accesspoint/") { "/object/" } else { "/" };
    arn.find(mark).map_or(arn, |at| &arn[..at + mark.len()])
}

/// The sequence number of a log that RDS keeps.
fn number(log: &Backup) -> Option<u64> {
    log.id.as_str().rsplit_once('.')?.1.parse().ok()
}

impl Writer {
    pub(super) fn rds(&mut self, plan: &Plan, lineage: &Lineage, stop: Option<&str>) {
        self.copy_kept_logs(plan, lineage);
        let restores = plan.steps.iter().map(|step| step.action).filter(|action| *action != Action::Recover);
        // A full alone recovers by itself, which Multi-AZ instances allow as well.
        let is_alone = restores.eq([Action::RestoreFull]);
        for step in &plan.steps {
            let norecovery = u8::from(step.norecovery && !is_alone);
            let name = self.name.clone();
            let statement = match step.action {
                Action::RestoreFull | Action::RestoreDifferential => {
                    let kind = if step.action == Action::RestoreFull { "FULL" } else { "DIFFERENTIAL" };
                    let arn = literal(&self.common_arn(step, lineage));
                    format!(
                        "EXEC msdb.dbo.rds_restore_database @restore_db_name = {name}, @s3_arn_to_restore_from = {arn}, @type = N'{kind}', @with_norecovery = {norecovery};"
                    )
                }
                Action::RestoreLog => {
                    let arn = match step.files.as_slice() {
                        [file] if is_arn(file) => literal(file),
                        _ => literal(&format!("<ARN of log {}>", id(step))),
                    };
                    let stop = stop.map_or_else(String::new, |stop| format!(", @stopat = '{stop}'"));
                    format!(
                        "EXEC msdb.dbo.rds_restore_log @restore_db_name = {name}, @s3_arn_to_restore_from = {arn}{stop}, @with_norecovery = 1;"
                    )
                }
                Action::Recover if is_alone => continue,
                Action::Recover => format!("EXEC msdb.dbo.rds_finish_restore @db_name = {name};"),
            };
            self.script.statements.push(statement);
        }
        self.warn_of_unknown_logs(plan, lineage);
        self.script.warn(
            "each statement is a task of its own: wait for it with EXEC msdb.dbo.rds_task_status, and pass @kms_master_key_arn to restores of encrypted backups",
        );
    }

    /// Logs that RDS does not keep and that are no single object of S3.
    fn warn_of_unknown_logs(&mut self, plan: &Plan, lineage: &Lineage) {
        let mut unknown = plan.steps.iter().filter(|step| {
            step.action == Action::RestoreLog
                && !matches!(step.files.as_slice(), [file] if is_arn(file))
                && super::row(step, lineage).is_none_or(|log| log.held_in != HeldIn::Service)
        });
        let Some(first) = unknown.next() else { return };
        let more = match unknown.count() {
            0 => String::new(),
            more => format!(", nor those of {more} more"),
        };
        self.script.warn(format!(
            "the ARN of log {} is not known{more}: put it in where the script says <ARN of log ...>; RDS restores a log from one S3 object",
            id(first)
        ));
    }

    /// One ARN for all stripes: what they begin with alike, and `*`.
    fn common_arn(&mut self, step: &Step, lineage: &Lineage) -> String {
        let (first, others) = match step.files.split_first() {
            Some(stripes) if step.files.iter().all(|file| is_arn(file)) => stripes,
            _ => {
                self.script.warn(format!("no ARN of backup {} is known; put it in", id(step)));
                return format!("<ARN of backup {}>", id(step));
            }
        };
        if others.is_empty() {
            return first.to_string();
        }
        if step.files.len() > STRIPES_MAX {
            self.script.warn(format!(
                "backup {} has {} files: RDS restores up to {STRIPES_MAX}",
                id(step),
                step.files.len()
            ));
        }
        let alike = |end: &usize| {
            first.is_char_boundary(*end) && others.iter().all(|file| file.starts_with(&first[..*end]))
        };
        let end = (0..=first.len()).rev().find(alike).unwrap_or(0);
        let mut prefix = &first[..end];
        if end < root(first).len() {
            self.script.warn(format!(
                "the files of backup {} lie in several buckets: copy them to one folder and put in its ARN",
                id(step)
            ));
            return format!("<ARN of backup {}>", id(step));
        }
        let folder = |arn: &str| arn.rfind('/').map_or(0, |slash| slash + 1);
        if end < folder(first) {
            prefix = &prefix[..folder(prefix)];
            self.script.warn(format!(
                "the files of backup {} lie in several folders, and RDS takes all that begins with {prefix} for its stripes: copy them to a folder of their own and put in its ARN",
                id(step)
            ));
        }
        self.warn_of_strangers(step, prefix, lineage);
        format!("{prefix}*")
    }

    /// RDS reads every object that begins with the prefix: "make sure ... no other files use that prefix".
    fn warn_of_strangers(&mut self, step: &Step, prefix: &str, lineage: &Lineage) {
        let stripes: BTreeSet<&Arc<str>> = step.files.iter().collect();
        let files = lineage.backups().iter().flat_map(|row| row.stripes.files().iter().flatten());
        let mut strangers = files.filter(|file| file.starts_with(prefix) && !stripes.contains(file));
        if let Some(stranger) = strangers.next() {
            self.script.warn(format!(
                "{stranger} begins with {prefix} as well and is no stripe of backup {}: move the stripes to a prefix of their own",
                id(step)
            ));
        }
    }

    /// Logs that RDS still keeps are copied first; their ARNs are known only then.
    fn copy_kept_logs(&mut self, plan: &Plan, lineage: &Lineage) {
        let is_kept = |log: &&Backup| log.held_in == HeldIn::Service;
        let rows = plan.steps.iter().filter_map(|step| super::row(step, lineage));
        let numbers: Vec<u64> = rows.filter(is_kept).filter_map(number).collect();
        if numbers.is_empty() {
            return;
        }
        // No plan needs a log without a record; copied with the others it costs nothing.
        let empty = lineage.backups().iter().filter(is_kept).filter(|log| log.is_empty_log());
        let empty: BTreeSet<u64> = empty.filter_map(number).collect();
        let follows =
            |one: &u64, next: &u64| one < next && (one + 1..*next).all(|between| empty.contains(&between));
        let source = literal(&plan.database);
        for run in numbers.chunk_by(follows) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            self.script.statements.push(format!(
                "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = {source}, @rds_backup_starting_seq_id = {first}, @rds_backup_ending_seq_id = {last};"
            ));
        }
        self.script.warn("logs that RDS still keeps get their ARNs when they are copied: put them in where the script says <ARN of log ...>; on encrypted storage pass @kms_key_arn to rds_tlog_backup_copy_to_S3");
    }
}
