//! How are certificates and encryption keys listed?
//!
//! `sys.certificates` of master, `sys.dm_database_encryption_keys` of the instance with a row for tempdb while anything is
//! encrypted, and the table function of RDS over user certificates. Of its columns the user guide shows eleven and says that there
//! are more. Times of certificates are UTC, as the documentation of `sys.dm_database_encryption_keys` says of keys.

use tds::{SqlType, Value};

use crate::{
    database::state::Database,
    sql::tables::{ColumnSpec, Hint, NAME, Table, col, databases::system_id, int, maybe, text, time},
    tde::{
        certificate::{Certificate, is_of_user},
        key::ALGORITHMS,
    },
    world::World,
};

const NUMBER: SqlType = SqlType::NVarChar(Some(64));
const SUBJECT: SqlType = SqlType::NVarChar(Some(4_000));
const PRINT: SqlType = SqlType::VarBinary(Some(32));
const PROTECTION: SqlType = SqlType::NVarChar(Some(60));

const CERTIFICATES: &[ColumnSpec] = &[
    col("name", NAME),
    col("certificate_id", SqlType::Int),
    col("principal_id", SqlType::Int),
    col("pvt_key_encryption_type", SqlType::NVarChar(Some(2))),
    col("pvt_key_encryption_type_desc", PROTECTION),
    col("is_active_for_begin_dialog", SqlType::Bit),
    col("issuer_name", SUBJECT),
    col("cert_serial_number", NUMBER),
    col("subject", SUBJECT),
    col("expiry_date", SqlType::DateTime),
    col("start_date", SqlType::DateTime),
    col("thumbprint", PRINT),
    col("attested_by", SqlType::NVarChar(Some(260))),
    col("pvt_key_last_backup_date", SqlType::DateTime),
    col("key_length", SqlType::Int),
];

const LISTED: &[ColumnSpec] = &[
    CERTIFICATES[0],
    CERTIFICATES[1],
    CERTIFICATES[2],
    CERTIFICATES[4],
    CERTIFICATES[6],
    CERTIFICATES[7],
    CERTIFICATES[11],
    CERTIFICATES[8],
    col("start_date", SqlType::DateTime2(7)),
    col("expiry_date", SqlType::DateTime2(7)),
    col("pvt_key_last_backup_date", SqlType::DateTime2(7)),
];

/// Places in `sys.certificates` of the columns of the function.
const PLACES: [usize; 11] = [0, 1, 2, 4, 6, 7, 11, 8, 10, 9, 13];

fn shown(held: &Certificate, column: usize) -> Value {
    let issued = &held.issued;
    match column {
        0 => text(&held.name),
        1 => int(held.id),
        2 => int(1),
        3 => text("MK"),
        4 => text("ENCRYPTED_BY_MASTER_KEY"),
        5 => Value::Bit(true),
        // Whoever issues a certificate to itself is its subject.
        6 | 8 => text(&issued.subject),
        7 => text(&issued.serial.map(|byte| format!("{byte:02x}")).join(" ")),
        9 => time(issued.expiry),
        10 => time(issued.start),
        11 => Value::Binary(issued.thumbprint.0.to_vec()),
        13 => maybe(held.backed_up, time),
        14 => int(2_048),
        _ => Value::Null,
    }
}

/// `sys.certificates`.
pub(crate) struct Certificates<'w>(Vec<&'w Certificate>);

impl<'w> Certificates<'w> {
    pub(crate) fn new(world: &'w World, instance: usize, database: &str) -> Self {
        let host = world.instances.get(instance).filter(|_| system_id(database) == Some(1));
        Self(host.into_iter().flat_map(|host| &host.certificates).collect())
    }
}

impl Table for Certificates<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        CERTIFICATES
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.0.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let held = usize::try_from(row).ok().and_then(|row| self.0.get(row));
        maybe(held, |held| shown(held, column))
    }
}

/// `rds_fn_list_user_tde_certificates`.
pub(crate) struct UserCertificates<'w>(Vec<&'w Certificate>);

impl<'w> UserCertificates<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let all = world.instances.get(instance).into_iter().flat_map(|host| &host.certificates);
        Self(all.filter(|held| is_of_user(&held.name)).collect())
    }
}

impl Table for UserCertificates<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        LISTED
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.0.len() as u64).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let held = usize::try_from(row).ok().and_then(|row| self.0.get(row));
        maybe(held.zip(PLACES.get(column)), |(held, place)| shown(held, *place))
    }
}

/// `sys.dm_database_encryption_keys`.
pub(crate) struct EncryptionKeys<'w> {
    world: &'w World,
    databases: Vec<&'w Database>,
    tempdb: bool,
}

const KEYS: &[ColumnSpec] = &[
    col("database_id", SqlType::Int),
    col("encryption_state", SqlType::Int),
    col("create_date", SqlType::DateTime),
    col("regenerate_date", SqlType::DateTime),
    col("modify_date", SqlType::DateTime),
    col("set_date", SqlType::DateTime),
    col("opened_date", SqlType::DateTime),
    col("key_algorithm", SqlType::NVarChar(Some(32))),
    col("key_length", SqlType::Int),
    col("encryptor_thumbprint", PRINT),
    col("encryptor_type", SqlType::NVarChar(Some(32))),
    col("percent_complete", SqlType::Float),
    col("encryption_state_desc", SqlType::NVarChar(Some(32))),
];

impl<'w> EncryptionKeys<'w> {
    pub(crate) fn new(world: &'w World, instance: usize) -> Self {
        let host = world.instances.get(instance).into_iter();
        let all = host.flat_map(|host| host.databases.values()).filter_map(|id| world.database(*id));
        let mut databases: Vec<&Database> = all.filter(|held| held.encryption.key.is_some()).collect();
        databases.sort_by_key(|held| held.sql_id);
        let tempdb = databases.iter().any(|held| held.encryption.is_on());
        Self { world, databases, tempdb }
    }
}

impl Table for EncryptionKeys<'_> {
    fn columns(&self) -> &'static [ColumnSpec] {
        KEYS
    }

    fn rows(&self, _: &[Hint]) -> Vec<u64> {
        (0..self.databases.len() as u64 + u64::from(self.tempdb)).collect()
    }

    fn value(&self, row: u64, column: usize) -> Value {
        let place = row.checked_sub(u64::from(self.tempdb)).and_then(|place| usize::try_from(place).ok());
        let Some(place) = place else {
            // "The tempdb system database is encrypted if any other database on the instance is encrypted."
            return match column {
                0 => int(2),
                1 => int(3),
                7 => text("AES"),
                8 => int(256),
                11 => Value::Float(0.0),
                12 => text("ENCRYPTED"),
                _ => Value::Null,
            };
        };
        let now = self.world.now_ms;
        let held = self.databases.get(place).and_then(|held| Some((held, held.encryption.key?)));
        let Some((database, key)) = held else { return Value::Null };
        let (_, algorithm, bits) = ALGORITHMS.get(key.algorithm).copied().unwrap_or_default();
        match column {
            0 => int(database.sql_id),
            1 => int(key.state(now).0),
            2..=4 | 6 => time(key.created),
            5 => maybe(key.set, time),
            7 => text(algorithm),
            8 => int(bits),
            9 => Value::Binary(key.certificate.0.to_vec()),
            10 => text("CERTIFICATE"),
            11 => Value::Float(key.percent(now) as f64),
            12 => text(key.state(now).1),
            _ => Value::Null,
        }
    }
}
