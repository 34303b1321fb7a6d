//! How does a backup look as an object that nobody but its bytes can explain?
//!
//! One line, `BAKPROOF-BACKUP {version} {CRC-32} {length}`, then that many bytes of JSON: header, place among the stripes, the
//! branches of history by name, and pages or records. It holds what the model knows, not the gigabytes that the real file
//! would have. Whatever comes from an endpoint may be anything: bounds are checked here, so that nobody behind has to. What
//! is allocated is of the order of the input.

use serde::{Deserialize, Serialize};

use crate::{content::PAGES, tde::certificate::Thumbprint};

const MAGIC: &str = "BAKPROOF-BACKUP";

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Longest first line, bytes.
const LINE_MAX: usize = 64;

/// Branches of one history, more than any story has: each restore adds one.
const BRANCHES_MAX: usize = 256;

/// Transactions of one history: numbers stay far from where sums overflow.
const TRANSACTIONS_MAX: u64 = 1 << 48;

/// Bytes that a header may claim: 64 PiB.
const SIZE_MAX: u64 = 1 << 56;

/// `datetime` reaches from 1753; moments here from the year 1 to 9999, in milliseconds since 1970.
pub(super) const MOMENTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Stripes of a media set: what SQL Server takes, of which RDS uses ten. "Media sets, media families, and backup sets".
const STRIPES_MAX: u8 = 64;

/// An LSN as numeric(25,0): a string, because numbers of JSON end earlier.
pub(super) type LsnText = String;

/// A backup, or one stripe of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    /// The stripe, from 1.
    pub(super) family: u8,
    pub(super) kms_key: Option<String>,
    /// Thumbprint of the certificate that a restore needs, as SQL Server prints it: `0x` and forty digits.
    pub(super) tde_thumbprint: Option<String>,
    pub(super) header: Header,
    /// Oldest first, never empty.
    pub(super) branches: Vec<Line>,
    pub(super) payload: Payload,
}

/// One branch of history, known by its name in any world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) name: String,
    /// Transactions inherited from the one before.
    pub(super) first: u64,
    pub(super) start: i64,
}

/// What a restore applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Payload {
    /// A data backup: transactions in it, and the newest version of each page: page, transaction, value.
    Pages { count: u64, pages: Vec<(u8, u64, u64)> },
    /// A log backup: transactions `from` and on, each with commit time, end, page and value.
    Records { from: u64, reaches: i64, records: Vec<(i64, LsnText, u8, u64)> },
}

/// `backupset`, in its own words. Moments are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of backupset are bits")]
pub(super) struct Header {
    pub(super) backup_set_uuid: String,
    pub(super) database_name: String,
    pub(super) server_name: String,
    pub(super) database_guid: String,
    pub(super) family_guid: String,
    pub(super) r#type: char,
    pub(super) first_lsn: LsnText,
    pub(super) last_lsn: LsnText,
    pub(super) checkpoint_lsn: LsnText,
    pub(super) database_backup_lsn: LsnText,
    pub(super) differential_base: Option<(LsnText, String)>,
    pub(super) is_copy_only: bool,
    pub(super) is_snapshot: bool,
    pub(super) is_damaged: bool,
    pub(super) has_bulk_logged_data: bool,
    pub(super) begins_log_chain: bool,
    pub(super) first_recovery_fork_guid: String,
    pub(super) last_recovery_fork_guid: String,
    pub(super) fork_point_lsn: Option<LsnText>,
    pub(super) recovery_model: String,
    pub(super) backup_start_date: i64,
    pub(super) backup_finish_date: i64,
    pub(super) time_zone: i64,
    pub(super) last_valid_restore_time: Option<i64>,
    pub(super) backup_size: u64,
    pub(super) compressed_backup_size: u64,
    pub(super) software_major_version: u8,
    pub(super) stripes: u8,
    /// What the database has that native restores do not take.
    pub(super) has_filestream: bool,
    pub(super) has_memory_optimized_data: bool,
    pub(super) has_null_file_guid: bool,
    /// Absent from what was written before the model knew of it.
    #[serde(default)]
    pub(super) is_cdc_enabled: bool,
}

/// Why bytes are no backup that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// Something else.
    #[error("not a backup")]
    NoBackup,
    /// The end is missing.
    #[error("truncated")]
    Truncated,
    /// It says that it is a backup, and is not what was written, or of a version that is not known here.
    #[error("damaged")]
    Damaged,
}

impl Object {
    /// As bytes. `None`: it is out of the bounds that reading holds it to.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let body = serde_json::to_vec(self).ok().filter(|_| self.is_within_bounds())?;
        let line = format!("{MAGIC} {VERSION} {:08x} {}\n", crc32fast::hash(&body), body.len());
        Some([line.as_bytes(), &body].concat())
    }

    /// From bytes that anybody may have written.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or(Unreadable::NoBackup)?;
        let end = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n');
        let Some((line, body)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return Err(if rest.len() < LINE_MAX { Unreadable::Truncated } else { Unreadable::Damaged });
        };
        let line = std::str::from_utf8(line).map_err(|_| Unreadable::Damaged)?;
        let body = body.get(1..).unwrap_or_default();
        let mut words = line.split(' ').skip(1);
        let (version, checksum, length) = (words.next(), words.next(), words.next());
        let length: usize = length.and_then(|length| length.parse().ok()).ok_or(Unreadable::Damaged)?;
        if version.and_then(|version| version.parse().ok()) != Some(VERSION) {
            return Err(Unreadable::Damaged);
        }
        if body.len() < length {
            return Err(Unreadable::Truncated);
        }
        let checksum = checksum.and_then(|sum| u32::from_str_radix(sum, 16).ok());
        if body.len() > length || checksum != Some(crc32fast::hash(body)) {
            return Err(Unreadable::Damaged);
        }
        let object: Self = serde_json::from_slice(body).map_err(|_| Unreadable::Damaged)?;
        if object.is_within_bounds() { Ok(object) } else { Err(Unreadable::Damaged) }
    }

    fn is_within_bounds(&self) -> bool {
        let header = &self.header;
        let moments = [header.backup_start_date, header.backup_finish_date];
        let moments = moments.iter().chain(&header.last_valid_restore_time);
        (1..=header.stripes).contains(&self.family)
            && header.stripes <= STRIPES_MAX
            && [&header.database_name, &header.server_name].iter().all(|name| name.chars().count() <= 128)
            && self.kms_key.as_ref().is_none_or(|arn| arn.len() <= 2_048)
            && self.tde_thumbprint.as_ref().is_none_or(|text| Thumbprint::parse(text).is_some())
            && moments.into_iter().all(|at| MOMENTS.contains(at))
            && (-56..=56).contains(&header.time_zone)
            && header.backup_size.max(header.compressed_backup_size) <= SIZE_MAX
            && self.has_a_lineage()
            && self.payload.is_within_bounds()
    }

    fn has_a_lineage(&self) -> bool {
        let lines = &self.branches;
        let ascends = |pair: &[Line]| pair.first().map(|l| l.first) <= pair.last().map(|l| l.first);
        (1..=BRANCHES_MAX).contains(&lines.len())
            && lines.first().is_some_and(|line| line.first == 0)
            && lines.windows(2).all(ascends)
            && lines.iter().all(|line| {
                line.name.len() <= LINE_MAX && line.first <= TRANSACTIONS_MAX && MOMENTS.contains(&line.start)
            })
    }
}

impl Payload {
    fn is_within_bounds(&self) -> bool {
        let is_a_page = |page: u8| usize::from(page) < PAGES;
        match self {
            Self::Pages { count, pages } => {
                *count <= TRANSACTIONS_MAX
                    && pages.len() <= PAGES
                    && pages.windows(2).all(|two| two.first().map(|p| p.0) < two.last().map(|p| p.0))
                    && pages.iter().all(|(page, number, _)| is_a_page(*page) && number < count)
            }
            Self::Records { from, reaches, records } => {
                *from <= TRANSACTIONS_MAX
                    && MOMENTS.contains(reaches)
                    && u64::try_from(records.len()).is_ok_and(|many| many <= TRANSACTIONS_MAX - from)
                    && records.windows(2).all(|two| two.first().map(|r| r.0) <= two.last().map(|r| r.0))
                    && records.iter().all(|(at, _, page, _)| MOMENTS.contains(at) && is_a_page(*page))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::endpoint) fn header(kind: char) -> Header {
        let guid = "ABAC134A-14B8-43C5-AC05-4E9C7703613E".to_owned();
        Header {
            backup_set_uuid: guid.clone(),
            database_name: "A".into(),
            server_name: "PROD".into(),
            database_guid: guid.clone(),
            family_guid: guid.clone(),
            r#type: kind,
            first_lsn: "34000000006900179".into(),
            last_lsn: "34000000007900001".into(),
            checkpoint_lsn: "34000000006900179".into(),
            database_backup_lsn: "0".into(),
            differential_base: None,
            is_copy_only: false,
            is_snapshot: false,
            is_damaged: false,
            has_bulk_logged_data: false,
            begins_log_chain: false,
            first_recovery_fork_guid: guid.clone(),
            last_recovery_fork_guid: guid,
            fork_point_lsn: None,
            recovery_model: "FULL".into(),
            backup_start_date: 1_000,
            backup_finish_date: 2_000,
            time_zone: 0,
            last_valid_restore_time: None,
            backup_size: 1_000_000,
            compressed_backup_size: 1_000_000,
            software_major_version: 16,
            stripes: 2,
            has_filestream: false,
            has_memory_optimized_data: true,
            has_null_file_guid: false,
            is_cdc_enabled: true,
        }
    }

    pub(in crate::endpoint) fn full() -> Object {
        Object {
            family: 2,
            kms_key: None,
            tde_thumbprint: Some(format!("0x{}", "1F".repeat(20))),
            header: header('D'),
            branches: vec![Line { name: "a/0".into(), first: 0, start: 0 }],
            payload: Payload::Pages { count: 50, pages: vec![(0, 48, u64::MAX), (31, 49, 3)] },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut object = full();
        assert_eq!(Object::decode(&object.encode().unwrap()), Ok(object.clone()));
        object.payload = Payload::Records {
            from: 50,
            reaches: 9_000,
            records: vec![(2_500, "34000000008000001".into(), 4, 7)],
        };
        assert_eq!(Object::decode(&object.encode().unwrap()), Ok(object));
    }

    #[test]
    fn what_is_wrong_with_bytes_is_told_apart() {
        let good = full().encode().unwrap();
        assert_eq!(Object::decode(b""), Err(Unreadable::NoBackup));
        assert_eq!(Object::decode(b"PK\x03\x04"), Err(Unreadable::NoBackup));
        assert_eq!(Object::decode(&good[..good.len() - 1]), Err(Unreadable::Truncated));
        assert_eq!(Object::decode(&good[..20]), Err(Unreadable::Truncated));
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        assert_eq!(Object::decode(&bad), Err(Unreadable::Damaged));
        assert_eq!(Object::decode(&[&good[..], b"x"].concat()), Err(Unreadable::Damaged));
        let newer = String::from_utf8(good).unwrap().replacen(" 1 ", " 2 ", 1);
        assert_eq!(Object::decode(newer.as_bytes()), Err(Unreadable::Damaged));
    }

    #[test]
    fn what_is_out_of_bounds_is_neither_written_nor_read() {
        let changes: [fn(&mut Object); 9] = [
            |o| o.tde_thumbprint = Some("0x12".into()),
            |o| o.family = 3,
            |o| o.family = 0,
            |o| o.branches.clear(),
            |o| o.branches[0].first = 1,
            |o| o.header.backup_finish_date = i64::MAX,
            |o| o.header.backup_size = u64::MAX,
            |o| o.payload = Payload::Pages { count: 50, pages: vec![(32, 1, 1)] },
            |o| o.payload = Payload::Pages { count: 50, pages: vec![(1, 50, 1)] },
        ];
        for change in changes {
            let mut object = full();
            change(&mut object);
            assert_eq!(object.encode(), None);
            let body = serde_json::to_vec(&object).unwrap();
            let line = format!("{MAGIC} 1 {:08x} {}\n", crc32fast::hash(&body), body.len());
            assert_eq!(Object::decode(&[line.as_bytes(), &body].concat()), Err(Unreadable::Damaged));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_turned_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Object::decode(&bytes);
            let _ = Object::decode(&[MAGIC.as_bytes(), &bytes].concat());
            let line = format!("{MAGIC} 1 {:08x} {}\n", crc32fast::hash(&bytes), bytes.len());
            let _ = Object::decode(&[line.as_bytes(), &bytes].concat());
        }

        #[test]
        fn a_changed_byte_is_noticed(place in 0_usize..2_000, with in 1_u8..) {
            let mut bytes = full().encode().unwrap();
            let place = place % bytes.len();
            bytes[place] ^= with;
            prop_assert!(Object::decode(&bytes).is_err() || bytes[..place].iter().all(|b| *b != b'\n'));
        }
    }
}
