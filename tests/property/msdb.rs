//! What does a server tell of its backups? Rows of msdb, read by SELECT and written as `FOR JSON` writes them.

use jiff::{Timestamp, tz::Offset};
use serde_json::{Map, Value as Json, json};
use sqlserver::columns::backupset;
use tds::{Request, Value};
use world::{SessionId, World};

const BACKUP_COLUMNS: [&str; 26] = [
    backupset::BACKUP_SET_UUID,
    backupset::DATABASE_NAME,
    backupset::FAMILY_GUID,
    backupset::DATABASE_GUID,
    backupset::TYPE,
    backupset::FIRST_LSN,
    backupset::LAST_LSN,
    backupset::CHECKPOINT_LSN,
    backupset::DATABASE_BACKUP_LSN,
    backupset::DIFFERENTIAL_BASE_LSN,
    backupset::DIFFERENTIAL_BASE_GUID,
    backupset::IS_COPY_ONLY,
    backupset::IS_SNAPSHOT,
    backupset::IS_DAMAGED,
    backupset::HAS_BULK_LOGGED_DATA,
    backupset::BEGINS_LOG_CHAIN,
    backupset::FIRST_RECOVERY_FORK_GUID,
    backupset::LAST_RECOVERY_FORK_GUID,
    backupset::FORK_POINT_LSN,
    backupset::RECOVERY_MODEL,
    backupset::BACKUP_START_DATE,
    backupset::BACKUP_FINISH_DATE,
    backupset::TIME_ZONE,
    backupset::LAST_VALID_RESTORE_TIME,
    backupset::BACKUP_SIZE,
    backupset::COMPRESSED_BACKUP_SIZE,
];

/// A value as `FOR JSON` writes it; LSNs and other decimals as strings.
fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bit(bit) => json!(bit),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Numeric { mantissa, .. } => json!(mantissa.to_string()),
        Value::Text(text) => json!(text),
        Value::Binary(bytes) => json!(hex(bytes)),
        Value::DateTime(nanoseconds) => {
            let at = Timestamp::from_nanosecond(*nanoseconds).expect("a date of our time");
            json!(Offset::UTC.to_datetime(at).to_string())
        }
        Value::Guid(bytes) => {
            let text = hex(bytes);
            let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
            json!(parts.join("-"))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit =
        |half: u8| char::from_digit(u32::from(half), 16).map_or('?', |digit| digit.to_ascii_uppercase());
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The rows of a SELECT as objects.
pub(crate) fn select(world: &mut World, session: SessionId, text: &str) -> Vec<Map<String, Json>> {
    let response = world.execute(session, &Request::Batch(text.to_owned()));
    assert_eq!(response.error, None, "{text}");
    let set = response.results.into_iter().next().unwrap_or_default();
    let names: Vec<String> = set.columns.into_iter().map(|column| column.name).collect();
    set.rows.iter().map(|row| names.iter().cloned().zip(row.iter().map(json)).collect()).collect()
}

/// All rows of `backupset` of a database name.
pub(crate) fn backup_rows(world: &mut World, session: SessionId, database: &str) -> Vec<Map<String, Json>> {
    let columns = BACKUP_COLUMNS.join(", ");
    let text = format!("SELECT {columns} FROM msdb.dbo.backupset WHERE database_name = N'{database}'");
    select(world, session, &text)
}
