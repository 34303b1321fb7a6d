//! Transparent data encryption: certificates, the databases they encrypt, and the backups that need them.

use std::collections::BTreeMap;

use tds::{Request, Response, Value};
use world::{
    BackupKind, BackupOrder, Condition, DatabaseConfig, Device, Documents, Edition, InstanceConfig, Knobs,
    ObjectRef, OptionStatus, PASSWORD_METADATA, RecoveryModel, World,
};

use crate::{
    lab::{ACCOUNT, KEY, Lab, REGION, cell, error, prompt, string, task_id},
    pipe::{Pipe, Wired},
};

pub(crate) const KEY_OF_ORDERS: &str =
    "CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 ENCRYPTION BY SERVER CERTIFICATE";

pub(crate) fn with(knobs: Knobs, change: impl FnOnce(&mut InstanceConfig)) -> Lab {
    Lab::with(knobs, |config| {
        config.tde_option = OptionStatus::InSync;
        change(config);
    })
}

pub(crate) fn lab() -> Lab {
    with(prompt(), |_| {})
}

/// What an instance answers to a batch of a new session.
pub(crate) fn on(world: &mut World, instance: &str, sql: &str) -> Response {
    let session = world.connect(instance, "admin", "simulated").unwrap();
    world.execute(session, &Request::Batch(sql.into()))
}

#[track_caller]
pub(crate) fn done(world: &mut World, instance: &str, sql: &str) -> Response {
    let answer = on(world, instance, sql);
    assert_eq!(answer.error, None, "{sql}");
    answer
}

/// Encrypts a database, and waits until it is.
fn encrypt(world: &mut World, instance: &str, database: &str, certificate: &str) {
    let sql =
        format!("USE {database}; {KEY_OF_ORDERS} {certificate}; ALTER DATABASE {database} SET ENCRYPTION ON");
    done(world, instance, &sql);
    let to = world.now() + jiff::SignedDuration::from_mins(10);
    world.advance_to(to);
}

/// Name of the certificate that RDS generated for an instance.
pub(crate) fn own(world: &mut World, instance: &str) -> String {
    let sql = "SELECT name FROM sys.certificates WHERE name LIKE 'RDSTDECertificate%'";
    string(cell(&done(world, instance, sql).results[0], 0, "name"))
}

/// How a task of an instance ended, and what it said.
pub(crate) fn finish(world: &mut World, instance: &str, answer: &Response) -> (String, String) {
    assert_eq!(answer.error, None);
    let id = task_id(answer);
    let to = world.now() + jiff::SignedDuration::from_mins(30);
    world.advance_to(to);
    let sql = format!("SELECT lifecycle, task_info FROM msdb.dbo.rds_fn_task_status(NULL, {id})");
    let row = done(world, instance, &sql).results.remove(0);
    (string(cell(&row, 0, "lifecycle")), string(cell(&row, 0, "task_info")))
}

pub(crate) fn backup_certificate(name: &str, file: &str, more: &str) -> String {
    format!(
        "EXEC msdb.dbo.rds_backup_tde_certificate @certificate_name = '{name}', \
         @certificate_file_s3_arn = 'arn:aws:s3:::vault/{file}.cer', \
         @private_key_file_s3_arn = 'arn:aws:s3:::vault/{file}.pvk', @kms_password_key_arn = '{KEY}'{more}"
    )
}

pub(crate) fn restore_certificate(name: &str, file: &str, key: &str) -> String {
    format!(
        "EXEC msdb.dbo.rds_restore_tde_certificate @certificate_name = '{name}', \
         @certificate_file_s3_arn = 'arn:aws:s3:::vault/{file}.cer', \
         @private_key_file_s3_arn = 'arn:aws:s3:::vault/{file}.pvk', @kms_password_key_arn = '{key}'"
    )
}

/// An instance beside `prod` whose database Orders is encrypted and lies in the vault, with its certificate.
pub(crate) fn with_source() -> Lab {
    let mut lab = lab();
    let mut config = InstanceConfig::named("source", REGION, ACCOUNT);
    config.tde_option = OptionStatus::InSync;
    lab.world.add_instance(config);
    lab.world.add_database("source", &DatabaseConfig::named("Orders")).unwrap();
    let name = own(&mut lab.world, "source");
    encrypt(&mut lab.world, "source", "Orders", &name);
    for sql in [
        "EXEC msdb.dbo.rds_backup_database 'Orders', 'arn:aws:s3:::vault/orders.bak'".to_owned(),
        backup_certificate(&name, "tde", ""),
    ] {
        let answer = on(&mut lab.world, "source", &sql);
        let (ended, info) = finish(&mut lab.world, "source", &answer);
        assert_eq!(ended, "SUCCESS", "{info}");
    }
    lab
}

#[test]
fn rds_generates_a_certificate_where_the_option_is() {
    let names = |lab: &mut Lab| {
        let rows = lab.select("SELECT name FROM master.sys.certificates ORDER BY name", &[]);
        rows.rows.iter().map(|row| string(&row[0])).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut lab()), ["RDSTDECertificate20261102T100000"]);
    let mut without = Lab::new();
    assert!(names(&mut without).is_empty());
    without.wait(60);
    for _ in 0..2 {
        without.world.configure_instance("prod", |config| config.tde_option = OptionStatus::InSync);
        assert_eq!(names(&mut without), ["RDSTDECertificate20261102T100100"]);
    }
    for (edition, version, can) in [
        (Edition::Web, "16.00.4095.4.v1", false),
        (Edition::Standard, "14.00.3294.2.v1", false),
        (Edition::Enterprise, "14.00.3294.2.v1", true),
    ] {
        let mut lab = with(prompt(), |config| {
            (config.edition, config.engine_version) = (edition, version.into());
        });
        assert_eq!(!names(&mut lab).is_empty(), can, "{edition:?} {version}");
    }
    // The view is that of the current database, and certificates are in master.
    let mut lab = lab();
    lab.database("Orders");
    let rows = lab.batch("USE Orders; SELECT name FROM sys.certificates").results.remove(0).rows;
    assert!(rows.is_empty());
}

#[test]
fn a_database_is_encrypted_as_the_user_guide_shows() {
    let mut lab = lab();
    lab.database("Orders");
    let mut wired = Pipe::into(lab).client();
    let rows =
        wired.rows("USE [master] SELECT name FROM sys.certificates WHERE name LIKE 'RDSTDECertificate%'");
    let name = rows.unwrap()[0].get::<&str, _>("name").unwrap().to_owned();
    wired.rows(&format!("USE [Orders] {KEY_OF_ORDERS} [{name}]")).unwrap();
    let keys = "SELECT d.name AS named, k.encryption_state, k.percent_complete, k.encryptor_thumbprint \
                FROM sys.dm_database_encryption_keys k JOIN sys.databases d ON d.database_id = k.database_id \
                ORDER BY d.database_id";
    let states = |wired: &mut Wired| -> Vec<(String, i32)> {
        let rows = wired.rows(keys).unwrap();
        let state = |row: &tiberius::Row| {
            (row.get::<&str, _>("named").unwrap().to_owned(), row.get("encryption_state").unwrap())
        };
        rows.iter().map(state).collect()
    };
    let on = |tempdb: i32, orders: i32| vec![("tempdb".to_owned(), tempdb), ("Orders".to_owned(), orders)];
    assert_eq!(states(&mut wired), [("Orders".to_owned(), 1)]);
    wired.rows("ALTER DATABASE [Orders] SET ENCRYPTION ON").unwrap();
    // 10 GB at 200 MB a second.
    wired.pipe.wait(25);
    assert_eq!(states(&mut wired), on(3, 2));
    let percent: f64 = wired.rows(keys).unwrap()[1].get("percent_complete").unwrap();
    assert!((49.0..=50.0).contains(&percent), "{percent}");
    wired.pipe.wait(60);
    assert_eq!(states(&mut wired), on(3, 3));
    let rows = wired.rows("SELECT name FROM sys.databases WHERE is_encrypted = 1").unwrap();
    assert_eq!((rows.len(), rows[0].get("name")), (1, Some("Orders")));
    let thumbprint = wired.rows("SELECT thumbprint FROM master.sys.certificates").unwrap();
    let encryptor = wired.rows(keys).unwrap();
    assert_eq!(
        thumbprint[0].get::<&[u8], _>("thumbprint"),
        encryptor[1].get::<&[u8], _>("encryptor_thumbprint")
    );
    wired.rows("ALTER DATABASE Orders SET ENCRYPTION OFF").unwrap();
    assert_eq!(wired.rows("USE Orders; DROP DATABASE ENCRYPTION KEY").unwrap_err().0, 33_105);
    wired.pipe.wait(60);
    wired.rows("USE Orders; DROP DATABASE ENCRYPTION KEY").unwrap();
    assert!(states(&mut wired).is_empty());
}

#[test]
fn what_can_t_be_encrypted_has_sql_servers_numbers() {
    let mut lab = lab();
    lab.database("Orders");
    lab.database("Parts");
    let name = own(&mut lab.world, "prod");
    done(
        &mut lab.world,
        "prod",
        "CREATE CERTIFICATE UserTDECertificate_x WITH SUBJECT = N'Orders', EXPIRY_DATE = '2030-01-31'",
    );
    done(
        &mut lab.world,
        "prod",
        &format!("USE Parts; {KEY_OF_ORDERS} UserTDECertificate_x; ALTER DATABASE CURRENT SET ENCRYPTION ON"),
    );
    let key = |rest: &str| format!("USE Orders; {KEY_OF_ORDERS} {rest}");
    for (sql, number) in [
        (key("nothing"), 15_151),
        (format!("{KEY_OF_ORDERS} {name}"), 33_102),
        (format!("USE Parts; {KEY_OF_ORDERS} {name}"), 33_103),
        ("USE Orders; DROP DATABASE ENCRYPTION KEY".into(), 33_104),
        ("USE Parts; DROP DATABASE ENCRYPTION KEY".into(), 33_105),
        ("ALTER DATABASE Orders SET ENCRYPTION ON".into(), 33_106),
        ("ALTER DATABASE Parts SET ENCRYPTION ON".into(), 33_107),
        ("ALTER DATABASE Parts SET ENCRYPTION OFF".into(), 33_109),
        ("ALTER DATABASE msdb SET ENCRYPTION ON".into(), 33_102),
        ("ALTER DATABASE nowhere SET ENCRYPTION ON".into(), 5_011),
        ("BEGIN TRAN; ALTER DATABASE Parts SET ENCRYPTION OFF".into(), 226),
        ("CREATE CERTIFICATE usertdecertificate_X WITH SUBJECT = 'again'".into(), 15_232),
        ("CREATE CERTIFICATE RDSTDECertificate1 WITH SUBJECT = 'x'".into(), 50_000),
        ("USE Orders; CREATE CERTIFICATE y WITH SUBJECT = 'x'".into(), 50_000),
        ("CREATE CERTIFICATE y WITH SUBJECT = 'x', START_DATE = 'never'".into(), 241),
        ("CREATE CERTIFICATE y WITH SUBJECT = 'x', START_DATE = '0001-01-01'".into(), 241),
        (format!("CREATE CERTIFICATE [{}] WITH SUBJECT = 'x'", "y".repeat(129)), 103),
        ("CREATE CERTIFICATE y".into(), 102),
        ("CREATE CERTIFICATE y WITH START_DATE = '2026-01-01'".into(), 102),
        ("CREATE CERTIFICATE y WITH SUBJECT = @x".into(), 102),
        ("CREATE CERTIFICATE @y WITH SUBJECT = 'x'".into(), 102),
        (key("nothing").replace("AES_256", "ROT_13"), 102),
        ("CREATE DATABASE Bills".into(), 102),
        ("ALTER DATABASE Parts SET RECOVERY SIMPLE".into(), 102),
        ("DROP DATABASE Parts".into(), 102),
        ("ALTER DATABASE Parts SET ENCRYPTION".into(), 102),
        ("CREATE".into(), 102),
    ] {
        assert_eq!(error(&on(&mut lab.world, "prod", &sql)).0, number, "{sql}");
    }
    // "Encryption changes on a database must be serialized" with its backups.
    lab.wait(600);
    let task = lab.backup("Parts", "parts.bak");
    lab.wait(30);
    assert_eq!(lab.lifecycle(task), "IN_PROGRESS");
    assert_eq!(error(&lab.batch("ALTER DATABASE Parts SET ENCRYPTION OFF")).0, 3_023);
    lab.finish(task);
    assert_eq!(lab.batch("ALTER DATABASE Parts SET ENCRYPTION OFF").error, None);
    assert_eq!(error(&lab.batch("ALTER DATABASE Parts SET ENCRYPTION OFF")).0, 33_108);
    let mut web = Lab::with(prompt(), |config| config.edition = Edition::Web);
    web.database("Orders");
    done(&mut web.world, "prod", "CREATE CERTIFICATE x WITH SUBJECT = 'x'");
    assert_eq!(error(&web.batch(&key("x"))).0, 33_117);
}

#[test]
fn a_certificate_travels_in_two_objects_under_a_kms_key() {
    let mut lab = with_source();
    let s3 = lab.world.s3();
    let metadata = |key| s3.metadata("vault", key, None).unwrap();
    assert!(metadata("tde.cer").is_empty());
    assert_eq!(metadata("tde.pvk").keys().collect::<Vec<_>>(), [PASSWORD_METADATA]);
    let backed_up =
        "SELECT pvt_key_last_backup_date FROM sys.certificates WHERE pvt_key_last_backup_date IS NOT NULL";
    assert_eq!(done(&mut lab.world, "source", backed_up).results[0].rows.len(), 1);
    let mut wired = Pipe::into(lab).client();
    let info = wired.info(&restore_certificate("UserTDECertificate_Orders", "tde", KEY));
    assert!(info.contains("Command execution has completed successfully."), "{info}");
    let rows = wired.rows("SELECT * FROM msdb.dbo.rds_fn_list_user_tde_certificates()").unwrap();
    let columns: Vec<&str> = rows[0].columns().iter().map(tiberius::Column::name).collect();
    assert_eq!(
        columns,
        [
            "name",
            "certificate_id",
            "principal_id",
            "pvt_key_encryption_type_desc",
            "issuer_name",
            "cert_serial_number",
            "thumbprint",
            "subject",
            "start_date",
            "expiry_date",
            "pvt_key_last_backup_date"
        ]
    );
    let thumbprint = |wired: &mut Wired, name: &str| {
        let sql = format!("SELECT thumbprint FROM master.sys.certificates WHERE name = '{name}'");
        wired.rows(&sql).unwrap()[0].get::<&[u8], _>("thumbprint").unwrap().to_vec()
    };
    assert_eq!(rows[0].get("name"), Some("UserTDECertificate_Orders"));
    assert_eq!(rows[0].get("pvt_key_encryption_type_desc"), Some("ENCRYPTED_BY_MASTER_KEY"));
    let brought = thumbprint(&mut wired, "usertdecertificate_orders");
    let source = done(&mut wired.pipe.world(), "source", "SELECT thumbprint FROM sys.certificates");
    assert_eq!(source.results[0].rows[0][0], Value::Binary(brought));
    // What was brought opens backups and encrypts nothing.
    wired.pipe.world().add_database("prod", &DatabaseConfig::named("Bills")).unwrap();
    assert_eq!(
        wired.error(&format!("USE Bills; {KEY_OF_ORDERS} UserTDECertificate_Orders")),
        "Certificate UserTDECertificate_Orders can't be used to encrypt a database on this DB instance."
    );
    wired.rows("EXEC msdb.dbo.rds_drop_tde_certificate 'UserTDECertificate_Orders'").unwrap();
    assert!(wired.rows("SELECT * FROM msdb.dbo.rds_fn_list_user_tde_certificates()").unwrap().is_empty());
}

#[test]
fn a_backup_is_not_restored_without_its_certificate() {
    let lab = with_source();
    let print = lab.world.tde_thumbprint(&ObjectRef::newest("vault", "orders.bak")).unwrap().unwrap();
    let source = lab.world.find_database("source", "Orders").unwrap();
    let finished = lab.world.header(&ObjectRef::newest("vault", "orders.bak")).unwrap().finish();
    let restore = "EXEC msdb.dbo.rds_restore_database 'Orders', 'arn:aws:s3:::vault/orders.bak'";
    let mut wired = Pipe::into(lab).client();
    let info = wired.info(restore);
    let told = format!(
        "(RESTORE_DB) exception: Cannot find server certificate with thumbprint '{print}'.  RESTORE FILELIST is terminating abnormally. ["
    );
    assert!(info.contains(&told), "{info}");
    assert!(wired.pipe.world().find_database("prod", "Orders").is_none());
    wired.info(&restore_certificate("UserTDECertificate_Orders", "tde", KEY));
    let info = wired.info(restore);
    assert!(info.contains("Command execution has completed successfully."), "{info}");
    {
        let world = wired.pipe.world();
        let restored = world.find_database("prod", "Orders").unwrap();
        assert_eq!(world.truth(restored, world.now()), world.truth(source, finished));
    }
    // RDS has encrypted the key with a certificate of its own, and the next backup needs that one.
    let sql = "SELECT c.name, k.encryption_state FROM sys.dm_database_encryption_keys k \
               JOIN sys.certificates c ON c.thumbprint = k.encryptor_thumbprint";
    let rows = wired.rows(sql).unwrap();
    assert!(rows[0].get::<&str, _>("name").unwrap().starts_with("RDSTDECertificate"));
    assert_eq!(rows[0].get::<i32, _>("encryption_state"), Some(3));
    wired.rows("EXEC msdb.dbo.rds_drop_tde_certificate UserTDECertificate_Orders").unwrap();
    wired.info("EXEC msdb.dbo.rds_backup_database 'Orders', 'arn:aws:s3:::vault/again.bak'");
    let needed = wired.pipe.world().tde_thumbprint(&ObjectRef::newest("vault", "again.bak")).unwrap();
    assert!(needed.is_some_and(|needed| needed != print));
    let info = wired.info(&restore.replace("orders.bak", "again.bak").replace("'Orders'", "'Second'"));
    assert!(info.contains("Command execution has completed successfully."), "{info}");
}

/// Each set of a chain needs the certificate of its own moment.
#[test]
fn a_log_taken_under_encryption_needs_the_certificate_that_the_full_did_not() {
    let mut lab = lab();
    let mut config = InstanceConfig::named("source", REGION, ACCOUNT);
    config.tde_option = OptionStatus::InSync;
    lab.world.add_instance(config);
    lab.world.add_database("source", &DatabaseConfig::named("Orders")).unwrap();
    done(&mut lab.world, "source", "EXEC msdb.dbo.rds_tlog_copy_setup 'arn:aws:s3:::vault/logs'");
    let full = on(
        &mut lab.world,
        "source",
        "EXEC msdb.dbo.rds_backup_database 'Orders', 'arn:aws:s3:::vault/o.bak'",
    );
    finish(&mut lab.world, "source", &full);
    let name = own(&mut lab.world, "source");
    encrypt(&mut lab.world, "source", "Orders", &name);
    let copy = on(
        &mut lab.world,
        "source",
        "EXEC msdb.dbo.rds_tlog_backup_copy_to_S3 'Orders', @rds_backup_starting_seq_id = 1",
    );
    assert_eq!(finish(&mut lab.world, "source", &copy).0, "SUCCESS");
    let header = |key: &str| lab.world.header(&ObjectRef::newest("vault", key)).unwrap();
    let end = header("o.bak").last_lsn;
    let mut keys = lab.keys("logs/");
    keys.retain(|key| header(key).last_lsn > end);
    keys.sort_by_key(|key| header(key).last_lsn);
    let needed = |key: &String| lab.world.tde_thumbprint(&ObjectRef::newest("vault", key)).unwrap().is_some();
    let flags: Vec<bool> = keys.iter().map(needed).collect();
    let plain = flags.iter().take_while(|needed| !**needed).count();
    assert!(plain > 0 && plain < flags.len() && flags[plain..].iter().all(|needed| *needed), "{flags:?}");
    let first = on(
        &mut lab.world,
        "prod",
        "EXEC msdb.dbo.rds_restore_database 'O', 'arn:aws:s3:::vault/o.bak', @with_norecovery = 1",
    );
    assert_eq!(finish(&mut lab.world, "prod", &first).0, "SUCCESS");
    for (place, key) in keys.iter().enumerate().take(plain + 1) {
        let sql =
            format!("EXEC msdb.dbo.rds_restore_log 'O', 'arn:aws:s3:::vault/{key}', @with_norecovery = 1");
        let answer = on(&mut lab.world, "prod", &sql);
        let (ended, info) = finish(&mut lab.world, "prod", &answer);
        assert_eq!(ended == "SUCCESS", place < plain, "{info}");
        assert_eq!(info.contains("Cannot find server certificate with thumbprint '0x"), place == plain);
    }
}

#[test]
fn a_database_comes_from_a_server_as_installed_with_its_certificate() {
    let mut lab = lab();
    lab.world
        .add_instance(InstanceConfig { retention_days: 0, ..InstanceConfig::named("old", REGION, ACCOUNT) });
    let id = lab
        .world
        .add_installed_database("old", &DatabaseConfig::named("Orders"), RecoveryModel::Full)
        .unwrap();
    done(&mut lab.world, "old", "USE master; CREATE CERTIFICATE TDECert WITH SUBJECT = 'Orders'");
    encrypt(&mut lab.world, "old", "Orders", "TDECert");
    let object = ObjectRef::newest("vault", "orders.bak");
    let order = BackupOrder {
        kind: BackupKind::Full,
        copy_only: false,
        to: Device::Objects(vec![object.clone()]),
        damaged: false,
        kms_key: None,
    };
    let ticket = lab.world.begin_backup(id, order).unwrap();
    assert_eq!(error(&on(&mut lab.world, "old", "ALTER DATABASE Orders SET ENCRYPTION OFF")).0, 3_023);
    lab.wait(600);
    lab.world.end_backup(ticket).unwrap();
    let files = lab.world.export_certificate("old", "tdecert", KEY).unwrap();
    assert_eq!(lab.world.export_certificate("old", "tdecert", "nokey"), None);
    let s3 = lab.world.s3_mut();
    s3.put("vault", "c.CER", &files.certificate, &Condition::Always).unwrap();
    let metadata = BTreeMap::from([(PASSWORD_METADATA.to_owned(), files.encrypted_password)]);
    s3.put_with_metadata("vault", "c.pvk", &files.private_key, metadata).unwrap();
    let sql = restore_certificate("UserTDECertificate_old", "c", KEY).replace("c.cer", "c.CER");
    for sql in [&sql, "EXEC msdb.dbo.rds_restore_database 'Orders', 'arn:aws:s3:::vault/orders.bak'"] {
        let answer = on(&mut lab.world, "prod", sql);
        let (ended, info) = finish(&mut lab.world, "prod", &answer);
        assert_eq!(ended, "SUCCESS", "{info}");
    }
    // RESTORE over the database, where the certificate is and where it is not any more.
    lab.world.restore_over(id, std::slice::from_ref(&object), None).unwrap();
    let encrypted = "SELECT is_encrypted FROM sys.databases WHERE name = 'Orders'";
    assert_eq!(done(&mut lab.world, "old", encrypted).results[0].rows[0][0], Value::Bit(true));
    assert!(lab.world.break_certificate("old", "TDECert"));
    let refused = lab.world.restore_over(id, &[object], None).unwrap_err();
    assert!(
        refused.number == 33_111 && refused.text.starts_with("Cannot find server certificate"),
        "{refused}"
    );
}

#[test]
fn the_documents_of_2019_knew_no_certificates() {
    let mut lab = with(Knobs { documents: Documents::Of2019, ..prompt() }, |_| {});
    let drop = "EXEC msdb.dbo.rds_drop_tde_certificate 'UserTDECertificate_a'";
    assert_eq!(error(&lab.batch(drop)).0, 2_812);
    let list = "SELECT * FROM msdb.dbo.rds_fn_list_user_tde_certificates()";
    assert_eq!(error(&lab.batch(list)).0, 208);
    let mut later = with(Knobs { documents: Documents::Of2023, ..prompt() }, |_| {});
    assert_eq!(later.batch(list).error, None);
}
