//! How does a user of the model describe an instance, and what does the RDS API say of it?

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Edition of SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Express.
    Express,
    /// Web.
    Web,
    /// Standard.
    Standard,
    /// Enterprise.
    Enterprise,
}

impl Edition {
    /// As SERVERPROPERTY('Edition') and error texts name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Express => "Express",
            Self::Web => "Web",
            Self::Standard => "Standard",
            Self::Enterprise => "Enterprise",
        }
    }

    /// The `Engine` of the RDS API.
    pub fn engine(self) -> &'static str {
        match self {
            Self::Express => "sqlserver-ex",
            Self::Web => "sqlserver-web",
            Self::Standard => "sqlserver-se",
            Self::Enterprise => "sqlserver-ee",
        }
    }
}

/// Multi-AZ mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiAz {
    /// One node.
    Single,
    /// Database mirroring.
    Mirroring,
    /// An Always On availability group.
    AlwaysOn,
}

/// State of an option, such as `SQLSERVER_BACKUP_RESTORE`, and of the option group that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionStatus {
    /// `in-sync`.
    InSync,
    /// `pending-apply` or `applying`.
    Applying,
    /// The group lacks the option.
    Absent,
}

/// What stands in the way of access to log backups, beside what can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogAccess {
    /// Nothing.
    #[default]
    Open,
    /// The service itself fails.
    Internal,
    /// The login is no member of `db_owner` in the database.
    NotOwner,
    /// The instance is a read replica.
    Replica,
}

/// An instance to create.
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    /// `DBInstanceIdentifier`; how the world's API names it.
    pub name: String,
    /// `DBInstanceArn`.
    pub arn: String,
    /// Region.
    pub region: String,
    /// Account, twelve digits.
    pub account: String,
    /// Edition.
    pub edition: Edition,
    /// Engine version, such as `16.00.4095.4.v1`.
    pub engine_version: String,
    /// Multi-AZ mode.
    pub multi_az: MultiAz,
    /// Minutes of the server's local time east of UTC.
    pub utc_offset_minutes: i32,
    /// `PreferredBackupWindow`, `hh24:mi-hh24:mi` UTC.
    pub backup_window: String,
    /// `PreferredMaintenanceWindow`, `ddd:hh24:mi-ddd:hh24:mi` UTC.
    pub maintenance_window: String,
    /// `BackupRetentionPeriod`, days; 0 turns automated backups, log backups and the FULL model off.
    pub retention_days: u32,
    /// The option that native backups need.
    pub option: OptionStatus,
    /// The role in that option.
    pub role_arn: String,
    /// Whether the storage is encrypted.
    pub storage_encrypted: bool,
    /// The key of that encryption.
    pub storage_kms_key: Option<String>,
    /// Login of the master user.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Bytes of data that one native task moves in a second.
    pub throughput_bytes: u64,
    /// `DBInstanceClass`, such as `db.m6i.xlarge`; `None` holds any number of databases.
    pub instance_class: Option<String>,
    /// Cores times threads where `ProcessorFeatures` turns some off; `None` are all of the class.
    pub vcpus: Option<u32>,
    /// `AllocatedStorage`, in bytes and of all volumes together; `None` never fills.
    pub allocated_storage_bytes: Option<u64>,
    /// `ReadReplicaSourceDBInstanceIdentifier` of a read replica, which `World::add_replica` makes.
    pub replica_of: Option<String>,
    /// Whether a role for the feature `S3_INTEGRATION` is associated with it.
    pub s3_integration: bool,
    /// The option `TRANSPARENT_DATA_ENCRYPTION`, in the RDS API `TDE`. RDS generates a certificate when it is there.
    pub tde_option: OptionStatus,
    /// `TagList`.
    pub tags: BTreeMap<String, String>,
    /// `MasterUserSecret`, where RDS keeps the master password in Secrets Manager.
    pub master_secret_arn: Option<String>,
}

impl InstanceConfig {
    /// A Single-AZ Standard instance of SQL Server 2022 on UTC with everything in order.
    pub fn named(name: &str, region: &str, account: &str) -> Self {
        Self {
            name: name.into(),
            arn: format!("arn:aws:rds:{region}:{account}:db:{name}"),
            region: region.into(),
            account: account.into(),
            edition: Edition::Standard,
            engine_version: "16.00.4095.4.v1".into(),
            multi_az: MultiAz::Single,
            utc_offset_minutes: 0,
            backup_window: "03:00-03:30".into(),
            maintenance_window: "Sun:05:00-Sun:05:30".into(),
            retention_days: 7,
            option: OptionStatus::InSync,
            role_arn: format!("arn:aws:iam::{account}:role/native-backup"),
            storage_encrypted: false,
            storage_kms_key: None,
            user: "admin".into(),
            password: "simulated".into(),
            throughput_bytes: 200_000_000,
            instance_class: None,
            vcpus: None,
            allocated_storage_bytes: None,
            replica_of: None,
            s3_integration: true,
            tde_option: OptionStatus::Absent,
            tags: BTreeMap::new(),
            master_secret_arn: None,
        }
    }

    /// First number of the engine version; 0 when it has none.
    pub(crate) fn major_version(&self) -> u8 {
        self.engine_version.split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0)
    }
}

/// `DescribeDBInstances` of one instance.
#[derive(Debug, Clone)]
pub struct InstanceDescription {
    /// Its settings as they are now.
    pub config: InstanceConfig,
    /// `DbiResourceId`: an instance keeps it whatever it is called.
    pub resource_id: String,
    /// `DBInstanceStatus`.
    pub status: &'static str,
    /// `LatestRestorableTime` of point-in-time recovery, while log backups run.
    pub latest_restorable_time: Option<Timestamp>,
}

/// An event as RDS publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsEvent {
    /// When.
    pub at: Timestamp,
    /// Instance name.
    pub instance: String,
    /// `RDS-EVENT-0001` and so on.
    pub id: &'static str,
    /// Message.
    pub message: String,
    /// The manual snapshot that it is about, where it is about one: its name is its owner's to choose and names no instance.
    pub snapshot: Option<String>,
}
