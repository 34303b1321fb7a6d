//! How many files does a backup need, and how large are its transfers?
//!
//! RDS limits a file to 5 TB and a backup to ten files. On S3 URLs a file is an upload of at most 10,000 parts, 64 URLs a
//! command, mirrors counted; a part may be smaller than MAXTRANSFERSIZE and has 5 MB at least, so 50 GB a file is all that can
//! be counted on. Up to there the least number of files is taken that holds the forecast with its margin. Beyond, no number of
//! files is certain: then every file that is allowed is used, each transfer as large as it must be, and that is said. A failure
//! at the part limit doubles the files of the next try. Numbers are rows of `limits`; sources stand there.

use serde::{Deserialize, Serialize};

use crate::growth::Expected;
use crate::limits::{Name, Profile};
use crate::policy::Storage;
use crate::reason::{Class, Reason};

/// Per cent by which a backup may come out larger than forecast. Policy of ours: the database grows while it is saved, and no
/// source promises a compression ratio.
pub const MARGIN_PERCENT: u64 = 30;

/// Per cent of a transfer that a part is thought to fill where nothing certain is left. Policy of ours: extents that do not lie
/// beside each other make parts smaller.
pub const PART_FILL_PERCENT: u64 = 70;

/// MAXTRANSFERSIZE of an S3 URL where nobody sets it, in bytes. "SQL Server backup to URL for S3-compatible object storage".
pub const TRANSFER_BYTES_DEFAULT: u32 = 10 << 20;

/// The unit of MAXTRANSFERSIZE, in bytes. "BACKUP" in the SQL Server documentation.
const TRANSFER_UNIT_BYTES: u64 = 65_536;

/// How a backup is cut up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Layout {
    /// Files.
    pub files: u8,
    /// Bytes of a transfer; the server's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer_bytes: Option<u32>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The limits that hold.
    pub profile: Profile,
    /// What the policy says: its files win where they do.
    pub storage: &'a Storage,
    /// What the backup is forecast to read and to write.
    pub expected: Expected,
    /// Mirrors of the media set: each takes as many URLs again.
    pub mirrors: u8,
    /// Characters of the longest URL of the set; 0 where files have none.
    pub url_characters: u32,
    /// The layout of the last try, where that failed at the limit of a file.
    pub failed: Option<Layout>,
}

/// A layout, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The layout.
    pub layout: Layout,
    /// Why it is not as the policy asks, or is not certain to hold.
    pub notes: Vec<Reason>,
}

/// How far a capacity can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Guaranteed,
    Likely,
}

/// Bytes with their margin.
fn with_margin(bytes: u64) -> u128 {
    (u128::from(bytes) * u128::from(100 + MARGIN_PERCENT)).div_ceil(100)
}

/// Bytes that one file holds.
fn file_bytes(profile: Profile, transfer: u32, trust: Trust) -> u128 {
    let Some(parts) = profile.value(Name::PartsPerFile) else {
        return profile.value(Name::FileBytes).map_or(u128::MAX, u128::from);
    };
    let certain = profile.value(Name::PartBytes).unwrap_or(0);
    let part = match trust {
        Trust::Guaranteed => certain,
        Trust::Likely => certain.max(u64::from(transfer) * PART_FILL_PERCENT / 100),
    };
    u128::from(parts) * u128::from(part)
}

/// Whether so many files hold so many bytes.
fn holds(files: u8, each: u128, bytes: u128) -> bool {
    bytes.div_ceil(u128::from(files.max(1))) <= each
}

/// What to ask for, whatever is forecast: a forecast is no measurement, so where nothing holds it everything there is is tried, and
/// the reason is a note.
pub fn attempt(ask: &Ask<'_>) -> Chosen {
    // A backup that outgrew its files may not be compressed at all.
    let uncompressed =
        Expected { stored_bytes: ask.expected.stored_bytes.max(ask.expected.database_bytes), ..ask.expected };
    let larger = Ask { expected: uncompressed, ..*ask };
    let chosen = ask.failed.and_then(|_| layout(&larger).ok()).map_or_else(|| layout(ask), Ok);
    chosen.unwrap_or_else(|reason| {
        let layout = Layout {
            files: files_max(ask).unwrap_or(1),
            max_transfer_bytes: ask.storage.max_transfer_bytes.or(transfer_max(ask)),
        };
        Chosen { layout, notes: vec![reason] }
    })
}

/// The number of files and the size of transfers of a backup.
///
/// # Errors
/// `DatabaseTooLarge`, `BackupTooLarge` (no number of files holds it), `TooManyFiles` (the policy's, or the mirrors),
/// `UrlTooLong`, `StripesExhausted` (it failed with all files there are).
pub fn layout(ask: &Ask<'_>) -> Result<Chosen, Reason> {
    check_database(ask)?;
    check_url(ask)?;
    let most = files_max(ask)?;
    let bytes = with_margin(ask.expected.stored_bytes);
    let Chosen { mut layout, mut notes } = wanted(ask, most, bytes)?;
    if let Some(failed) = ask.failed {
        layout = promoted(ask, layout, failed, most, &mut notes)?;
    }
    Ok(Chosen { layout, notes })
}

/// As the policy asks where that holds the bytes, otherwise by the forecast.
fn wanted(ask: &Ask<'_>, most: u8, bytes: u128) -> Result<Chosen, Reason> {
    let Some(files) = asked_files(ask, most)? else { return forecast(ask, most, bytes) };
    if let Some((layout, trust)) = with_files(ask, files, bytes) {
        let uncertain = (trust == Trust::Likely).then(|| parts_uncertain(ask, layout));
        return Ok(Chosen { layout, notes: uncertain.into_iter().collect() });
    }
    let mut chosen = forecast(ask, most, bytes)?;
    chosen.notes.push(too_few(ask, files, chosen.layout));
    Ok(chosen)
}

/// By the forecast alone.
fn forecast(ask: &Ask<'_>, most: u8, bytes: u128) -> Result<Chosen, Reason> {
    let transfer = ask.storage.max_transfer_bytes;
    let each = file_bytes(ask.profile, transfer.unwrap_or(TRANSFER_BYTES_DEFAULT), Trust::Guaranteed);
    let needed = bytes.div_ceil(each.max(1)).max(1);
    if let Ok(files) = u8::try_from(needed)
        && files <= most
    {
        let layout = Layout { files, max_transfer_bytes: transfer };
        return Ok(Chosen { layout, notes: Vec::new() });
    }
    let (layout, _) = with_files(ask, most, bytes).ok_or_else(|| too_large(ask, most))?;
    Ok(Chosen { layout, notes: vec![parts_uncertain(ask, layout)] })
}

/// So many files, with the least transfer that holds the bytes; `None` where none does.
fn with_files(ask: &Ask<'_>, files: u8, bytes: u128) -> Option<(Layout, Trust)> {
    let fits = |transfer: u32, trust| holds(files, file_bytes(ask.profile, transfer, trust), bytes);
    let asked = ask.storage.max_transfer_bytes;
    let own = asked.unwrap_or(TRANSFER_BYTES_DEFAULT);
    for trust in [Trust::Guaranteed, Trust::Likely] {
        if fits(own, trust) {
            return Some((Layout { files, max_transfer_bytes: asked }, trust));
        }
    }
    let largest = transfer_max(ask)?;
    // Each part must bring its share: rounded up to what it fills of a transfer, and to the unit.
    let parts = u128::from(ask.profile.value(Name::PartsPerFile)?.max(1));
    let part = bytes.div_ceil(u128::from(files.max(1))).div_ceil(parts);
    let transfer = (part * 100).div_ceil(u128::from(PART_FILL_PERCENT));
    let transfer = transfer.div_ceil(u128::from(TRANSFER_UNIT_BYTES)) * u128::from(TRANSFER_UNIT_BYTES);
    let transfer = u32::try_from(transfer).ok().filter(|transfer| *transfer <= largest)?;
    fits(transfer, Trust::Likely)
        .then_some((Layout { files, max_transfer_bytes: Some(transfer) }, Trust::Likely))
}

/// The largest transfer that may be asked for, where parts are made of transfers and it may be changed: not beside a policy that
/// sets one, and only with COMPRESSION.
fn transfer_max(ask: &Ask<'_>) -> Option<u32> {
    let parts = ask.profile.value(Name::PartsPerFile).is_some();
    let free = ask.storage.max_transfer_bytes.is_none() && ask.storage.compression == Some(true);
    let most = ask.profile.value(Name::TransferBytes).filter(|_| parts && free)?;
    u32::try_from(most).ok()
}

/// The layout of the next try after one that failed at the limit of a file.
fn promoted(
    ask: &Ask<'_>,
    wanted: Layout,
    failed: Layout,
    most: u8,
    notes: &mut Vec<Reason>,
) -> Result<Layout, Reason> {
    let doubled = failed.files.saturating_mul(2).min(most);
    let next = if failed.files < most {
        Layout { files: wanted.files.max(doubled), ..wanted }
    } else {
        let before = failed.max_transfer_bytes.unwrap_or(TRANSFER_BYTES_DEFAULT);
        let larger = transfer_max(ask).filter(|largest| before < *largest);
        let Some(transfer) = larger else { return Err(exhausted(failed)) };
        Layout { files: most, max_transfer_bytes: Some(transfer) }
    };
    let message =
        format!("the last try failed at the limit of a file with {}: now {}", said(failed), said(next));
    notes
        .push(Reason::new(Class::Retry, "StripesPromoted", message).guidance(
            "set storage.stripes in the policy to what succeeds, so that no backup begins in vain",
        ));
    Ok(next)
}

fn check_database(ask: &Ask<'_>) -> Result<(), Reason> {
    let bytes = ask.expected.database_bytes;
    match ask.profile.value(Name::BackupBytes).filter(|limit| bytes > *limit) {
        None => Ok(()),
        Some(limit) => Err(Reason::new(
            Class::Human,
            "DatabaseTooLarge",
            format!("the database has {bytes} bytes, native backups take {limit} at most"),
        )
        .guidance("split the database, or protect it by snapshots of the instance")),
    }
}

fn check_url(ask: &Ask<'_>) -> Result<(), Reason> {
    let characters = u64::from(ask.url_characters);
    match ask.profile.value(Name::UrlCharacters).filter(|limit| characters > *limit) {
        None => Ok(()),
        Some(limit) => Err(Reason::new(
            Class::Human,
            "UrlTooLong",
            format!("the longest URL has {characters} characters, at most {limit} are taken"),
        )
        .guidance("shorten the prefix of the vault")),
    }
}

/// The most files that one copy of the backup may have.
fn files_max(ask: &Ask<'_>) -> Result<u8, Reason> {
    let urls = ask.profile.value(Name::FilesPerBackup).unwrap_or(1);
    let each = urls / (1 + u64::from(ask.mirrors));
    match u8::try_from(each).unwrap_or(u8::MAX) {
        0 => Err(too_many(&format!("{} mirrors", ask.mirrors), urls)),
        most => Ok(most),
    }
}

/// The policy's files.
fn asked_files(ask: &Ask<'_>, most: u8) -> Result<Option<u8>, Reason> {
    let Some(files) = ask.storage.stripes else { return Ok(None) };
    match u8::try_from(files) {
        Ok(files) if (1..=most).contains(&files) => Ok(Some(files)),
        _ => Err(too_many(&format!("{files} files"), u64::from(most))),
    }
}

fn too_many(what: &str, most: u64) -> Reason {
    let message = format!("the policy asks for {what}, a backup has {most} files at most");
    Reason::new(Class::Human, "TooManyFiles", message).guidance("lower storage.stripes in the policy")
}

fn too_large(ask: &Ask<'_>, most: u8) -> Reason {
    let mut largest = ask.storage.max_transfer_bytes.unwrap_or(TRANSFER_BYTES_DEFAULT);
    largest = largest.max(transfer_max(ask).unwrap_or(0));
    let each = file_bytes(ask.profile, largest, Trust::Likely);
    let message = format!(
        "a backup of {} bytes, {MARGIN_PERCENT} % more at worst, does not fit into {most} files of {each} bytes",
        ask.expected.stored_bytes
    );
    Reason::new(Class::Human, "BackupTooLarge", message)
        .guidance("compress backups (storage.compression), or split the database")
}

fn too_few(ask: &Ask<'_>, asked: u8, needed: Layout) -> Reason {
    let message = format!(
        "the policy asks for {asked} files, which do not hold {} bytes and {MARGIN_PERCENT} % more: {} are taken",
        ask.expected.stored_bytes, needed.files
    );
    Reason::new(Class::Human, "StripesTooFew", message)
        .guidance("raise storage.stripes in the policy, or leave it to the forecast")
}

fn parts_uncertain(ask: &Ask<'_>, layout: Layout) -> Reason {
    let each = file_bytes(ask.profile, 0, Trust::Guaranteed);
    let message = format!(
        "{} hold {} bytes only where parts fill {PART_FILL_PERCENT} % of a transfer: {each} bytes a file can be counted on",
        said(layout),
        ask.expected.stored_bytes
    );
    Reason::new(Class::Human, "PartsNotGuaranteed", message).guidance(
        "split the database, or watch its first full: a failure at the part limit is tried again with more",
    )
}

fn exhausted(failed: Layout) -> Reason {
    let message =
        format!("the backup failed at the limit of a file with {}, and no more are allowed", said(failed));
    Reason::new(Class::Human, "StripesExhausted", message)
        .guidance("compress backups (storage.compression), or split the database")
}

fn said(layout: Layout) -> String {
    let files = if layout.files == 1 { "1 file".to_owned() } else { format!("{} files", layout.files) };
    match layout.max_transfer_bytes {
        Some(bytes) => format!("{files} and transfers of {bytes} bytes"),
        None => files,
    }
}

#[cfg(test)]
#[path = "stripes_tests.rs"]
mod tests;
