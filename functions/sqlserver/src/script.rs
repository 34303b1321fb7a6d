//! What does a person type to carry out a restore plan? T-SQL for the engine that wrote the files.
//!
//! RDS restores its S3 objects by procedures only; everything else is RESTORE ... FROM. Texts are made for people to read and
//! run: names and values are quoted as SQL Server's QUOTENAME and literals are, and nothing here is sent to a server. STOPAT
//! is written in the local time of the server whose log it stops, floored to what `datetime` holds (a 300th of a second), so
//! that it never lets in what a plan leaves out. Sources: RDS user guide, "Using native backup and restore"; RESTORE
//! arguments in the SQL Server documentation.

use domain::backup::{Backup, HeldIn};
use domain::history::Lineage;
use domain::restore::{Action, Plan, Step};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

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
    let row = |step: &Step| step.backup.as_ref().and_then(|id| lineage.find(id.as_str())).map(|(_, row)| row);
    let mut writer = Writer { name: literal(&name), quoted: quote_name(&name), script: Script::default() };
    let stop = writer.stop(plan, &row, naming);
    let stop = stop.as_deref();
    if plan.steps.iter().any(|step| step.files.iter().any(|file| file.starts_with("arn:"))) {
        writer.rds(plan, &row, stop);
    } else {
        writer.engine(plan, &row, stop);
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

/// What `datetime` holds of a local time, and no more: `2026-11-16T10:00:00.003`.
fn datetime(local: DateTime) -> String {
    let ticks = i64::from(local.subsec_nanosecond()) * 300 / 1_000_000_000;
    let milliseconds = (ticks * 10 + 1) / 3;
    let whole = local.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{whole}.{milliseconds:03}")
}

impl Writer {
    fn warn(&mut self, sentence: impl Into<String>) {
        self.script.warnings.push(sentence.into());
    }

    /// STOPAT as the server reads it.
    fn stop<'a>(
        &mut self,
        plan: &Plan,
        row: &impl Fn(&Step) -> Option<&'a Backup>,
        naming: &Naming,
    ) -> Option<String> {
        let last = plan.steps.iter().rev().find(|step| step.stop_at.is_some())?;
        let at: Timestamp = last.stop_at?;
        let quarters = row(last).and_then(|backup| backup.time_zone_quarter_hours);
        let told = naming.target_zone.as_ref().or(naming.source_zone.as_ref().filter(|_| quarters.is_none()));
        if let Some(zone) = told {
            let (local, is_ambiguous) = zone.local(at);
            if is_ambiguous {
                self.warn(format!(
                    "{} is a local time that comes twice: STOPAT cannot tell which of the two is meant",
                    datetime(local)
                ));
            }
            return Some(datetime(local));
        }
        if quarters.is_none() {
            self.warn("the backups do not tell the server's time zone: STOPAT is written in UTC; name the zone with --target-zone");
        }
        let offset = Offset::from_seconds(i32::from(quarters.unwrap_or(0)) * 900).unwrap_or(Offset::UTC);
        Some(datetime(offset.to_datetime(at)))
    }

    fn rds<'a>(&mut self, plan: &Plan, row: &impl Fn(&Step) -> Option<&'a Backup>, stop: Option<&str>) {
        self.copy_kept_logs(plan, row);
        let restores = plan.steps.iter().filter(|step| step.action != Action::Recover).count();
        for step in &plan.steps {
            // One restore recovers by itself, which Multi-AZ instances allow as well.
            let norecovery = u8::from(step.norecovery && restores > 1);
            let name = &self.name;
            let statement = match step.action {
                Action::RestoreFull | Action::RestoreDifferential => {
                    let kind = if step.action == Action::RestoreFull { "FULL" } else { "DIFFERENTIAL" };
                    let arn = literal(&self.common_arn(step));
                    format!(
                        "EXEC msdb.dbo.rds_restore_database @restore_db_name = {name}, @s3_arn_to_restore_from = {arn}, @type = N'{kind}', @with_norecovery = {norecovery};",
                        name = self.name
                    )
                }
                Action::RestoreLog => {
                    let arn = match step.files.first() {
                        Some(file) => literal(file),
                        None => literal(&format!("<ARN of log {}>", id(step))),
                    };
                    let stop = stop.map_or_else(String::new, |stop| format!(", @stopat = '{stop}'"));
                    format!(
                        "EXEC msdb.dbo.rds_restore_log @restore_db_name = {name}, @s3_arn_to_restore_from = {arn}{stop}, @with_norecovery = 1;"
                    )
                }
                Action::Recover if restores == 1 => continue,
                Action::Recover => format!("EXEC msdb.dbo.rds_finish_restore @db_name = {name};"),
            };
            self.script.statements.push(statement);
        }
        self.warn(
            "each statement is a task of its own: wait for it with EXEC msdb.dbo.rds_task_status, and pass @kms_master_key_arn where a backup is encrypted",
        );
    }

    /// One ARN for all stripes: what they begin with alike, and `*`.
    fn common_arn(&mut self, step: &Step) -> String {
        let Some((first, others)) = step.files.split_first() else {
            self.warn(format!("no file of backup {} is known; put in its ARN", id(step)));
            return format!("<ARN of backup {}>", id(step));
        };
        if others.is_empty() {
            return first.to_string();
        }
        let alike = |end: &usize| {
            first.is_char_boundary(*end) && others.iter().all(|file| file.starts_with(&first[..*end]))
        };
        let end = (0..=first.len()).rev().find(alike).unwrap_or(0);
        format!("{}*", &first[..end])
    }

    /// Logs that RDS still keeps are copied first; their ARNs are known only then.
    fn copy_kept_logs<'a>(&mut self, plan: &Plan, row: &impl Fn(&Step) -> Option<&'a Backup>) {
        let kept = plan.steps.iter().filter_map(row).filter(|log| log.held_in == HeldIn::Service);
        let numbers: Vec<u64> =
            kept.filter_map(|log| log.id.as_str().rsplit_once('.')?.1.parse().ok()).collect();
        let source = literal(&plan.database);
        for run in numbers.chunk_by(|one, next| one + 1 == *next) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            self.script.statements.push(format!(
                "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = {source}, @rds_backup_starting_seq_id = {first}, @rds_backup_ending_seq_id = {last};"
            ));
        }
        if !numbers.is_empty() {
            self.warn("logs that RDS still keeps get their ARNs when they are copied: put them in where the script says <ARN of log ...>");
        }
    }

    fn engine<'a>(&mut self, plan: &Plan, row: &impl Fn(&Step) -> Option<&'a Backup>, stop: Option<&str>) {
        let name = self.quoted.clone();
        for step in &plan.steps {
            let from =
                if step.action == Action::Recover { String::new() } else { self.devices(step, row(step)) };
            let statement = match step.action {
                Action::Recover => format!("RESTORE DATABASE {name} WITH RECOVERY;"),
                Action::RestoreFull | Action::RestoreDifferential => {
                    format!("RESTORE DATABASE {name} FROM {from} WITH NORECOVERY;")
                }
                Action::RestoreLog => {
                    let at = stop.filter(|_| step.stop_at.is_some());
                    let at = at.map_or_else(String::new, |stop| format!(", STOPAT = N'{stop}'"));
                    let before = step.stop_before_lsn;
                    let before =
                        before.map_or_else(String::new, |lsn| format!(", STOPBEFOREMARK = N'lsn:{lsn}'"));
                    format!("RESTORE LOG {name} FROM {from} WITH NORECOVERY{at}{before};")
                }
            };
            self.script.statements.push(statement);
        }
    }

    fn devices(&mut self, step: &Step, backup: Option<&Backup>) -> String {
        if step.files.is_empty() {
            let noun = backup.map_or("backup", |backup| backup.kind.noun());
            self.warn(format!("no file of {noun} {} is known; put in its path", id(step)));
            return format!("DISK = {}", literal(&format!("<file of {noun} {}>", id(step))));
        }
        let device = |file: &std::sync::Arc<str>| {
            let kind = if file.contains("://") { "URL" } else { "DISK" };
            format!("{kind} = {}", literal(file))
        };
        step.files.iter().map(device).collect::<Vec<_>>().join(", ")
    }
}

fn id(step: &Step) -> &str {
    step.backup.as_ref().map_or("", |id| id.as_str())
}

#[cfg(test)]
mod tests {
    use domain::backup::Stripes;
    use domain::history::History;
    use domain::lsn::Lsn;
    use domain::notation;
    use domain::restore::{Planner, Request, Target};

    use super::*;

    fn rows(line: &str, file: impl Fn(&str) -> Vec<String>) -> History {
        let mut rows = notation::backups(line).unwrap();
        for row in &mut rows {
            row.stripes = Stripes::present(file(row.id.as_str()));
            row.time_zone_quarter_hours = Some(4);
        }
        History::build(rows, vec![], Timestamp::MAX).unwrap()
    }

    fn of(history: &History, at: Target, naming: &Naming) -> Script {
        let lineage = &history.lineages()[0];
        let plan = Planner::new(lineage).plan(&Request::at(at)).unwrap();
        script(&plan, lineage, naming)
    }

    fn inside(number: u32) -> Target {
        Target::Moment(notation::finished(number) - jiff::SignedDuration::from_micros(1_500_000_999))
    }

    #[test]
    fn an_engine_restores_from_urls_and_disks_in_local_time() {
        let history = rows("F1 D2 L3", |id| match id {
            "1" => vec!["s3://b/1-of-2".to_owned(), "s3://b/2-of-2".to_owned()],
            _ => vec![format!(r"D:\it's\{id}.bak")],
        });
        let naming = Naming { target_name: Some("a]b".to_owned()), ..Naming::default() };
        let script = of(&history, inside(3), &naming);
        assert_eq!(
            script.statements,
            [
                "RESTORE DATABASE [a]]b] FROM URL = N's3://b/1-of-2', URL = N's3://b/2-of-2' WITH NORECOVERY;",
                r"RESTORE DATABASE [a]]b] FROM DISK = N'D:\it''s\2.bak' WITH NORECOVERY;",
                r"RESTORE LOG [a]]b] FROM DISK = N'D:\it''s\3.bak' WITH NORECOVERY, STOPAT = N'2026-01-01T03:44:59.997';",
                "RESTORE DATABASE [a]]b] WITH RECOVERY;",
            ]
        );
        assert_eq!(script.warnings, [""; 0]);
        let lsn = of(&history, Target::Lsn(Lsn::from_u64(26)), &Naming::default());
        assert!(lsn.statements[2].ends_with("WITH NORECOVERY, STOPBEFOREMARK = N'lsn:26';"), "{lsn:?}");
    }

    #[test]
    fn rds_restores_by_procedures() {
        let arn = |id: &str| match id {
            "1" => vec![
                "arn:aws:s3:::v/o/part1-of-2.bak".to_owned(),
                "arn:aws:s3:::v/o/part2-of-2.bak".to_owned(),
            ],
            _ => vec![format!("arn:aws:s3:::v/{id}")],
        };
        let history = rows("F1 D2 L3", arn);
        let zone = Naming { target_zone: Some("Europe/Berlin".parse().unwrap()), ..Naming::default() };
        let script = of(&history, inside(3), &zone);
        assert_eq!(
            script.statements,
            [
                "EXEC msdb.dbo.rds_restore_database @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/o/part*', @type = N'FULL', @with_norecovery = 1;",
                "EXEC msdb.dbo.rds_restore_database @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/2', @type = N'DIFFERENTIAL', @with_norecovery = 1;",
                "EXEC msdb.dbo.rds_restore_log @restore_db_name = N'db', @s3_arn_to_restore_from = N'arn:aws:s3:::v/3', @stopat = '2026-01-01T03:44:59.997', @with_norecovery = 1;",
                "EXEC msdb.dbo.rds_finish_restore @db_name = N'db';",
            ]
        );
        let alone = of(&history, Target::Point(notation::id(1)), &Naming::default());
        assert_eq!(alone.statements.len(), 1, "{alone:?}");
        assert!(alone.statements[0].ends_with("@type = N'FULL', @with_norecovery = 0;"), "{alone:?}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut rows = notation::backups("F1 L2").unwrap();
        rows[0].stripes = Stripes::present(["arn:aws:s3:::v/1"]);
        rows[1].held_in = HeldIn::Service;
        rows[1].id = "family.17".into();
        let history = History::build(rows, vec![], Timestamp::MAX).unwrap();
        let script = of(&history, inside(2), &Naming::default());
        assert_eq!(
            script.statements[0],
            "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 @db_name = N'db', @rds_backup_starting_seq_id = 17, @rds_backup_ending_seq_id = 17;"
        );
        assert!(script.statements[2].contains("N'<ARN of log family.17>'"), "{script:?}");
        let told = script.warnings.join("\n");
        assert!(told.contains("--target-zone") && told.contains("put them in"), "{told}");
        let history = notation::history("F1").unwrap();
        let script = of(&history, Target::Latest, &Naming::default());
        assert_eq!(
            script.statements[0],
            "RESTORE DATABASE [db] FROM DISK = N'<file of full 1>' WITH NORECOVERY;"
        );
    }

    #[test]
    fn a_local_time_that_comes_twice_is_told() {
        let zone: SourceZone = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| zone.local(text.parse().unwrap());
        let twice = DateTime::constant(2026, 10, 25, 2, 30, 0, 0);
        assert_eq!(at("2026-10-25T00:30:00Z"), (twice, true));
        assert_eq!(at("2026-10-25T01:30:00Z"), (twice, true));
        assert!(!at("2026-10-25T03:30:00Z").1);
    }

    #[test]
    fn stops_are_floored_to_what_datetime_holds() {
        for (nanosecond, expected) in [
            (0, ".000"),
            (3_333_332, ".000"),
            (3_333_334, ".003"),
            (6_666_667, ".007"),
            (9_999_999, ".007"),
            (999_999_999, ".997"),
        ] {
            let local = DateTime::constant(2026, 1, 1, 0, 0, 0, 0)
                .with()
                .subsec_nanosecond(nanosecond)
                .build()
                .unwrap();
            assert_eq!(datetime(local), format!("2026-01-01T00:00:00{expected}"));
        }
    }
}
