//! One row of `msdb.dbo.backupset`, column by column.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use domain::backup::{Backup, Evidence, HeldIn, Kind, RecoveryModel, Stripes};
use domain::history::Incomplete;
use domain::id::{BackupId, Guid};
use domain::lsn::Lsn;
use domain::tick::certainly_ended;

use super::cell::{Cell, Place, raw_row};
use super::dates::{Zone, moment, zone};
use super::{ImportError, Options, Origin, shown};
use crate::columns::backupset as column;

raw_row! {
    /// The columns of `backupset` that the rules read, and the files.
    RawBackup {
        backup_set_uuid: column::BACKUP_SET_UUID,
        database_name: column::DATABASE_NAME,
        family_guid: column::FAMILY_GUID,
        database_guid: column::DATABASE_GUID,
        kind: column::TYPE,
        first_lsn: column::FIRST_LSN,
        last_lsn: column::LAST_LSN,
        checkpoint_lsn: column::CHECKPOINT_LSN,
        database_backup_lsn: column::DATABASE_BACKUP_LSN,
        differential_base_lsn: column::DIFFERENTIAL_BASE_LSN,
        differential_base_guid: column::DIFFERENTIAL_BASE_GUID,
        is_copy_only: column::IS_COPY_ONLY,
        is_snapshot: column::IS_SNAPSHOT,
        is_damaged: column::IS_DAMAGED,
        has_bulk_logged_data: column::HAS_BULK_LOGGED_DATA,
        begins_log_chain: column::BEGINS_LOG_CHAIN,
        first_recovery_fork_guid: column::FIRST_RECOVERY_FORK_GUID,
        last_recovery_fork_guid: column::LAST_RECOVERY_FORK_GUID,
        fork_point_lsn: column::FORK_POINT_LSN,
        recovery_model: column::RECOVERY_MODEL,
        backup_start_date: column::BACKUP_START_DATE,
        backup_finish_date: column::BACKUP_FINISH_DATE,
        time_zone: column::TIME_ZONE,
        last_valid_restore_time: column::LAST_VALID_RESTORE_TIME,
        backup_size: column::BACKUP_SIZE,
        compressed_backup_size: column::COMPRESSED_BACKUP_SIZE,
        software_major_version: column::SOFTWARE_MAJOR_VERSION,
        first_family_number: column::FIRST_FAMILY_NUMBER,
        last_family_number: column::LAST_FAMILY_NUMBER,
        position: column::POSITION,
        files: column::FILES,
    }
}

/// What a row became.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart at once; a million rows in boxes would be a million allocations"
)]
pub(super) enum Taken {
    Backup(Backup),
    Incomplete(Incomplete),
    /// A file or partial backup.
    Skipped,
}

/// What is remembered from row to row: shared texts, and counts for warnings.
#[derive(Default)]
pub(super) struct Reader {
    texts: BTreeSet<Arc<str>>,
    /// The last few that were asked for, in a ring: rows repeat those of the row before.
    recent: [Option<Arc<str>>; RECENT],
    next: usize,
    skipped_count: u32,
    zoneless_count: u32,
    lacking_count: u32,
}

/// Names, guids and forks repeat; ids and files do not. More distinct texts than this are not worth looking up.
const SHARED_TEXTS_MAX: usize = 10_000;

/// As many as a row has columns of repeating texts, and a few more.
const RECENT: usize = 8;

impl Reader {
    /// The text, shared with the rows that had it before.
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.recent.iter().flatten().find(|known| known.as_ref() == text) {
            return Arc::clone(known);
        }
        let shared = self.look_up(text);
        self.recent[self.next] = Some(Arc::clone(&shared));
        self.next = (self.next + 1) % RECENT;
        shared
    }

    fn look_up(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(text);
        if self.texts.len() < SHARED_TEXTS_MAX {
            self.texts.insert(Arc::clone(&shared));
        }
        shared
    }

    pub(super) fn guid(&mut self, cell: Cell<'_>, place: Place) -> Result<Option<Guid>, ImportError> {
        let known = cell.text(place)?.filter(|text| Guid::known(text).is_some());
        Ok(known.map(|text| Guid::from(self.share(&text))))
    }

    pub(super) fn lacks(&mut self) {
        self.lacking_count += 1;
    }

    /// What was odd, one sentence each.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.skipped_count > 0 {
            let count = self.skipped_count;
            warnings
                .push(format!("{count} rows of types F, G, P and Q (file and partial backups) are skipped"));
        }
        if self.zoneless_count > 0 {
            let count = self.zoneless_count;
            warnings.push(format!(
                "{count} rows do not tell their time_zone and are read as UTC; --source-zone says better"
            ));
        }
        if self.lacking_count > 0 {
            let count = self.lacking_count;
            warnings
                .push(format!("{count} rows lack usable LSNs and prove nothing but that a backup was taken"));
        }
        warnings
    }
}

/// What the letter of a row says.
enum Letter {
    Data,
    Differential,
    Log,
    FileOrPartial,
}

fn letter(cell: Cell<'_>, place: Place) -> Result<Letter, ImportError> {
    const MEND: &str = "write D, I or L as msdb.dbo.backupset does (F, G, P and Q are skipped)";
    let Some(text) = cell.text(place)? else { return Err(place.error("is missing", MEND)) };
    match text.as_ref() {
        "D" | "d" => Ok(Letter::Data),
        "I" | "i" => Ok(Letter::Differential),
        "L" | "l" => Ok(Letter::Log),
        "F" | "G" | "P" | "Q" | "f" | "g" | "p" | "q" => Ok(Letter::FileOrPartial),
        other => Err(place.error(format!("{} is no type of backup", shown(other)), MEND)),
    }
}

fn recovery_model(cell: Cell<'_>, place: Place) -> Result<Option<RecoveryModel>, ImportError> {
    let Some(text) = cell.text(place)? else { return Ok(None) };
    let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    if is(&["FULL"]) {
        Ok(Some(RecoveryModel::Full))
    } else if is(&["BULK-LOGGED", "BULK_LOGGED"]) {
        Ok(Some(RecoveryModel::BulkLogged))
    } else if is(&["SIMPLE"]) {
        Ok(Some(RecoveryModel::Simple))
    } else if text.is_empty() {
        Ok(None)
    } else {
        let what = format!("{} is no recovery model", shown(&text.to_ascii_uppercase()));
        Err(place.error(what, "write FULL, BULK-LOGGED or SIMPLE"))
    }
}

/// The number of a set in its media set; the first one is what everybody means who names none.
fn position(cell: &Cell<'_>, place: Place) -> Result<Option<u32>, ImportError> {
    let Some(number) = cell.integer(place)? else { return Ok(None) };
    match u32::try_from(number) {
        Ok(0) | Err(_) => {
            Err(place
                .error(format!("{number} is no position"), "write a whole number from 1, or leave it out"))
        }
        Ok(position) => Ok(Some(position).filter(|position| *position > 1)),
    }
}

/// The device that keeps nothing: a log backup to it moves the chain and is gone.
const NUL: &str = "NUL";

/// The stripes: missing where the set has more families than files are given, or where a file is null or `NUL`.
fn stripes(cell: Cell<'_>, families: Option<u32>, place: Place) -> Result<Stripes, ImportError> {
    let list = match cell {
        Cell::Nothing => return Ok(Stripes::default()),
        Cell::List(list) => list,
        _ => {
            return Err(place
                .error("is no array", "write the files of the set as an array of strings, in stripe order"));
        }
    };
    let kept = |file: &Cow<'_, str>| !file.is_empty() && !file.eq_ignore_ascii_case(NUL);
    let read = |file: Cell<'_>| Ok(file.text(place)?.filter(kept).map(Arc::from));
    match <[Cell<'_>; 1]>::try_from(list) {
        Ok([file]) => Ok(Stripes::new([read(file)?], families)),
        Err(list) => {
            let files: Result<Vec<Option<Arc<str>>>, ImportError> = list.into_iter().map(read).collect();
            Ok(Stripes::new(files?, families))
        }
    }
}

fn required(cell: Cell<'_>, place: Place) -> Result<Cow<'_, str>, ImportError> {
    let text = cell.text(place)?.filter(|text| !text.is_empty());
    text.ok_or_else(|| place.error("is missing", "export this column of msdb.dbo.backupset, too"))
}

/// LSNs of a row; the name of the first one that lacks.
fn lsns(first: Option<Lsn>, last: Option<Lsn>) -> Result<(Lsn, Lsn), &'static str> {
    let last = last.filter(|last| !last.is_zero());
    match (first, last) {
        (Some(first), Some(last)) => Ok((first, last)),
        (None, _) => Err(column::FIRST_LSN),
        (_, None) => Err(column::LAST_LSN),
    }
}

/// Judges a row.
pub(super) fn take(
    raw: &mut RawBackup<'_>,
    origin: Origin,
    options: &Options,
    reader: &mut Reader,
) -> Result<Taken, ImportError> {
    let at = |column| Place { origin, column };
    let kind = match letter(std::mem::take(&mut raw.kind), at(column::TYPE))? {
        Letter::FileOrPartial => {
            reader.skipped_count += 1;
            return Ok(Taken::Skipped);
        }
        Letter::Log => Kind::Log,
        Letter::Differential => Kind::Differential,
        Letter::Data if raw.is_snapshot.bit(at(column::IS_SNAPSHOT))? => Kind::Snapshot,
        Letter::Data if raw.is_copy_only.bit(at(column::IS_COPY_ONLY))? => Kind::CopyOnly,
        Letter::Data => Kind::Full,
    };
    let id = required(std::mem::take(&mut raw.backup_set_uuid), at(column::BACKUP_SET_UUID))?;
    if Guid::known(&id).is_none() {
        return Err(at(column::BACKUP_SET_UUID).error("is all zeros", "export the backup set's own id"));
    }
    let database = required(std::mem::take(&mut raw.database_name), at(column::DATABASE_NAME))?;
    let database = reader.share(&database);
    let (zone, quarters) = zone(&raw.time_zone, options.source_zone.as_ref(), at(column::TIME_ZONE))?;
    reader.zoneless_count += u32::from(matches!(zone, Zone::Unknown));
    let started = moment(&raw.backup_start_date, zone, at(column::BACKUP_START_DATE))?;
    let finished = moment(&raw.backup_finish_date, zone, at(column::BACKUP_FINISH_DATE))?;
    let Some(finished) = finished.or(started) else {
        return Err(at(column::BACKUP_FINISH_DATE)
            .error("is missing", "export this column, server-local, as ISO 8601"));
    };
    let started = started.unwrap_or(finished);
    // The end of a log is as far as it reaches, and there a later moment would promise too much.
    let finished = if kind.is_data() { certainly_ended(finished) } else { finished };
    let first = raw.first_lsn.lsn(at(column::FIRST_LSN))?;
    let last = raw.last_lsn.lsn(at(column::LAST_LSN))?;
    let family_guid = reader.guid(std::mem::take(&mut raw.family_guid), at(column::FAMILY_GUID))?;
    let database_guid = reader.guid(std::mem::take(&mut raw.database_guid), at(column::DATABASE_GUID))?;
    let (first, last) = match lsns(first, last) {
        Ok(lsns) => lsns,
        Err(lacks) => {
            reader.lacks();
            let (name, lacks) = (id.into_owned(), lacks.to_owned());
            return Ok(Taken::Incomplete(Incomplete {
                name,
                database,
                kind,
                family_guid,
                database_guid,
                started,
                finished,
                lacks,
            }));
        }
    };
    if last < first {
        let what = format!("{last} lies before first_lsn {first}");
        return Err(
            at(column::LAST_LSN).error(what, "export the row again: a set ends where it begins or later")
        );
    }
    let mut backup = Backup::new(BackupId::new(&*id), database, kind, (first, last), finished);
    backup.started = started;
    (backup.family_guid, backup.database_guid) = (family_guid, database_guid);
    backup.time_zone_quarter_hours = quarters;
    backup.last_valid_restore_time =
        moment(&raw.last_valid_restore_time, zone, at(column::LAST_VALID_RESTORE_TIME))?;
    rest(&mut backup, raw, origin, reader)?;
    Ok(Taken::Backup(backup))
}

/// The columns that no row needs.
fn rest(
    backup: &mut Backup,
    raw: &mut RawBackup<'_>,
    origin: Origin,
    reader: &mut Reader,
) -> Result<(), ImportError> {
    let at = |column| Place { origin, column };
    let known = |lsn: Option<Lsn>| lsn.filter(|lsn| !lsn.is_zero());
    backup.evidence = Evidence::History;
    backup.held_in = HeldIn::Vault;
    backup.checkpoint_lsn = known(raw.checkpoint_lsn.lsn(at(column::CHECKPOINT_LSN))?);
    backup.database_backup_lsn = known(raw.database_backup_lsn.lsn(at(column::DATABASE_BACKUP_LSN))?);
    let base_lsn = known(raw.differential_base_lsn.lsn(at(column::DIFFERENTIAL_BASE_LSN))?);
    let base_guid =
        reader.guid(std::mem::take(&mut raw.differential_base_guid), at(column::DIFFERENTIAL_BASE_GUID))?;
    if backup.kind == Kind::Differential {
        (backup.differential_base_lsn, backup.differential_base_guid) = (base_lsn, base_guid);
    }
    backup.first_fork = reader
        .guid(std::mem::take(&mut raw.first_recovery_fork_guid), at(column::FIRST_RECOVERY_FORK_GUID))?;
    backup.last_fork =
        reader.guid(std::mem::take(&mut raw.last_recovery_fork_guid), at(column::LAST_RECOVERY_FORK_GUID))?;
    backup.fork_point_lsn = known(raw.fork_point_lsn.lsn(at(column::FORK_POINT_LSN))?);
    backup.damaged = raw.is_damaged.bit(at(column::IS_DAMAGED))?;
    backup.bulk_logged = raw.has_bulk_logged_data.bit(at(column::HAS_BULK_LOGGED_DATA))?;
    backup.begins_log_chain = raw.begins_log_chain.bit(at(column::BEGINS_LOG_CHAIN))?;
    backup.recovery_model =
        recovery_model(std::mem::take(&mut raw.recovery_model), at(column::RECOVERY_MODEL))?;
    backup.size_bytes = raw.backup_size.bytes(at(column::BACKUP_SIZE))?;
    backup.compressed_size_bytes = raw.compressed_backup_size.bytes(at(column::COMPRESSED_BACKUP_SIZE))?;
    let number = |cell: &Cell<'_>, column| -> Result<Option<u32>, ImportError> {
        let Some(number) = cell.integer(at(column))? else { return Ok(None) };
        let wrong = |_| at(column).error(format!("{number} is no count"), "write a whole number from 0");
        u32::try_from(number).map(Some).map_err(wrong)
    };
    let version = number(&raw.software_major_version, column::SOFTWARE_MAJOR_VERSION)?;
    backup.software_major_version = version.and_then(|version| u16::try_from(version).ok());
    let first = number(&raw.first_family_number, column::FIRST_FAMILY_NUMBER)?.unwrap_or(1);
    let last = number(&raw.last_family_number, column::LAST_FAMILY_NUMBER)?;
    let families = last.map(|last| last.saturating_sub(first.saturating_sub(1)));
    backup.position = position(&raw.position, at(column::POSITION))?;
    backup.stripes = stripes(std::mem::take(&mut raw.files), families, at(column::FILES))?;
    Ok(())
}
