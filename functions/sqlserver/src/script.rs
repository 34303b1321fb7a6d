//! What does a person type to carry out a restore plan? T-SQL for the engine that wrote the files.
//!
//! RDS restores its S3 objects by procedures only; everything else is RESTORE ... FROM. Texts are made for people to read and
//! run: names and values are quoted as SQL Server's QUOTENAME and literals are, and nothing here is sent to a server.
//! Sources: RDS user guide, "Using native backup and restore"; RESTORE arguments in the SQL Server documentation.

mod rds;
mod stop;

use std::sync::Arc;

use domain::backup::Backup;
use domain::history::Lineage;
use domain::id::caseless_cmp;
use domain::restore::{Action, Plan, Step};

use crate::import::SourceZone;

/// What the plan leaves to the person.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// Name of the restored database; the source's where `None`.
    pub target_name: Option<String>,
    /// Zone in which the server reads STOPAT; that of the backups where `None`.
    pub target_zone: Option<SourceZone>,
    /// Zone of backups that do not tell theirs.
    pub source_zone: Option<SourceZone>,
}

/// T-SQL, and what a person should know before running it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// In order.
    pub statements: Vec<String>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// The script of a plan. `lineage` is the one it was made for.
pub fn script(plan: &Plan, lineage: &Lineage, naming: &Naming) -> Script {
    let name = naming.target_name.clone().unwrap_or_else(|| plan.database.to_string());
    let mut writer = Writer { name: literal(&name), quoted: quote_name(&name), script: Script::default() };
    // The same on every log.
    let stop = plan.steps.iter().find_map(|step| step.stop_at);
    let stop = stop.map(|at| stop::stop(at, lineage.backups(), naming, &mut writer.script));
    let stop = stop.as_deref();
    if lineage.is_rds() {
        writer.rds(plan, lineage, stop);
    } else {
        writer.engine(plan, lineage, stop);
        writer.warn_of_the_target(plan, &name);
        writer.warn_of_devices(plan);
    }
    writer.script
}

struct Writer {
    /// The target as a literal.
    name: String,
    /// The target as an identifier.
    quoted: String,
    script: Script,
}

/// `N'it''s'`.
fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// `[a]]b]`.
fn quote_name(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

fn id(step: &Step) -> &str {
    step.backup.as_ref().map_or("", |id| id.as_str())
}

/// The backup of a step.
fn row<'a>(step: &Step, lineage: &'a Lineage) -> Option<&'a Backup> {
    lineage.find(step.backup.as_ref()?.as_str()).map(|(_, row)| row)
}

fn is_url(file: &str) -> bool {
    file.contains("://")
}

/// `{0F5A...}1`: a device of a backup program (VDI).
fn is_virtual(file: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let Some((guid, _)) = file.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return false };
    let is_hexadecimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    guid.split('-').map(str::len).eq(GROUPS) && guid.split('-').all(is_hexadecimal)
}

/// `\\.\tape0`.
fn is_tape(file: &str) -> bool {
    file.to_ascii_lowercase().starts_with(r"\\.\tape")
}

impl Script {
    fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(sentence.into());
    }
}

impl Writer {
    fn engine(&mut self, plan: &Plan, lineage: &Lineage, stop: Option<&str>) {
        let name = self.quoted.clone();
        for step in &plan.steps {
            let from = if step.action == Action::Recover {
                String::new()
            } else {
                self.devices(step, row(step, lineage))
            };
            let number = step.file_number.filter(|_| !step.files.iter().any(|file| is_url(file)));
            let number = number.map_or_else(String::new, |number| format!("FILE = {number}, "));
            let statement = match step.action {
                Action::Recover => format!("RESTORE DATABASE {name} WITH RECOVERY;"),
                Action::RestoreFull | Action::RestoreDifferential => {
                    format!("RESTORE DATABASE {name} FROM {from} WITH {number}NORECOVERY;")
                }
                Action::RestoreLog => {
                    let at = stop.filter(|_| step.stop_at.is_some());
                    let at = at.map_or_else(String::new, |stop| format!(", STOPAT = N'{stop}'"));
                    let before = step.stop_before_lsn;
                    let before =
                        before.map_or_else(String::new, |lsn| format!(", STOPBEFOREMARK = N'lsn:{lsn}'"));
                    format!("RESTORE LOG {name} FROM {from} WITH {number}NORECOVERY{at}{before};")
                }
            };
            self.script.statements.push(statement);
        }
    }

    fn devices(&mut self, step: &Step, backup: Option<&Backup>) -> String {
        if step.files.is_empty() {
            let noun = backup.map_or("backup", |backup| backup.kind.noun());
            self.script.warn(format!("no file of {noun} {} is known; put in its path", id(step)));
            return format!("DISK = {}", literal(&format!("<file of {noun} {}>", id(step))));
        }
        let device = |file: &Arc<str>| {
            let kind = if is_url(file) { "URL" } else { "DISK" };
            format!("{kind} = {}", literal(file))
        };
        step.files.iter().map(device).collect::<Vec<_>>().join(", ")
    }

    /// What a restore of a full meets on the server.
    fn warn_of_the_target(&mut self, plan: &Plan, name: &str) {
        if !plan.steps.iter().any(|step| step.action == Action::RestoreFull) {
            return;
        }
        let name_is_kept = caseless_cmp(name, &plan.database).is_eq();
        self.script.warn(if name_is_kept {
            "where a database of this name exists, back up the tail of its log first or restore the full WITH REPLACE, which gives that tail up (error 3159)"
        } else {
            "the database gets another name and the history does not name its files: add MOVE for each that RESTORE FILELISTONLY lists to the restore of the full"
        });
    }

    /// What cannot be read as the statements say.
    fn warn_of_devices(&mut self, plan: &Plan) {
        let files = plan.steps.iter().flat_map(|step| &step.files);
        let mut unreadable = files.filter(|file| is_virtual(file) || is_tape(file));
        if let Some(first) = unreadable.next() {
            let more = match unreadable.count() {
                0 => String::new(),
                more => format!(", as {more} more are"),
            };
            self.script.warn(format!(
                "{first} is a virtual or tape device{more}: RESTORE ... FROM DISK cannot read it; restore with the program that wrote it"
            ));
        }
        let at_url = |step: &&Step| step.files.iter().any(|file| is_url(file));
        let mut numbered =
            plan.steps.iter().filter(at_url).filter_map(|step| Some((id(step), step.file_number?)));
        if let Some((id, number)) = numbered.next() {
            self.script.warn(format!(
                "backup {id} is number {number} of its media set, and FILE is not supported on URLs: copy its files to a disk"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
