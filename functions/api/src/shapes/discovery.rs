//! Discovery: its settings, and what it saw last of an instance.

use domain::discovery::seen::{Looked, Page, Seen};
use domain::discovery::settings::Settings;
use domain::discovery::{Change, Place};
use domain::facts::RecoveryModel;
use domain::id::Guid;
use domain::reason::Reason;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which instances and databases are enrolled, under which policy, how many at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Discovery")]
pub(crate) struct DiscoveryBody {
    /// Tags of which one selects an instance: `key=value`; `*` in the value stands for any run of characters.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Identifiers that select an instance; `*` likewise, case does not matter.
    #[serde(default)]
    pub(crate) instances: Vec<String>,
    /// Databases that are enrolled, by name, likewise.
    #[serde(default = "everything")]
    pub(crate) include: Vec<String>,
    /// Databases that are not, whatever `include` says.
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    /// Policy of the instances that discovery enrols.
    pub(crate) policy: String,
    /// Vault that they write to.
    pub(crate) vault: String,
    /// ARN of the secret that opens an instance, `{instance}` for its name; without, the one that RDS keeps for its master user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secret_arn: Option<String>,
    /// Instances that one discovery enrols: 1 to 5,000; 50 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instances_max: Option<u32>,
    /// Databases of an instance that one discovery enrols: 1 to 5,000; 100 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrol_max: Option<u32>,
    /// Databases of an instance that one discovery marks as gone or replaces: 1 to 5,000; 10 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) let_go_max: Option<u32>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

impl DiscoveryBody {
    pub(crate) fn of(settings: Settings) -> Self {
        Self {
            tags: settings.tags,
            instances: settings.instances,
            include: settings.include,
            exclude: settings.exclude,
            policy: settings.policy,
            vault: settings.vault,
            secret_arn: settings.secret_arn,
            instances_max: Some(settings.instances_max),
            enrol_max: Some(settings.enrol_max),
            let_go_max: Some(settings.let_go_max),
        }
    }

    pub(crate) fn record(self, name: &str) -> Settings {
        let standard = Settings::new(name, &self.policy, &self.vault);
        Settings {
            tags: self.tags,
            instances: self.instances,
            include: self.include,
            exclude: self.exclude,
            secret_arn: self.secret_arn,
            instances_max: self.instances_max.unwrap_or(standard.instances_max),
            enrol_max: self.enrol_max.unwrap_or(standard.enrol_max),
            let_go_max: self.let_go_max.unwrap_or(standard.let_go_max),
            ..standard
        }
    }
}

/// Whether a look was started.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LookStarted")]
pub(crate) struct LookStarted {
    /// Name of the execution.
    pub(crate) execution: String,
    /// `false` where one of that name was started before: what is asked for again with the same Idempotency-Key, or without one within a
    /// minute, is one look.
    pub(crate) is_new: bool,
}

/// What discovery found last when it listed the instances that there are.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Listed")]
pub(crate) struct ListedShape {
    /// When; absent until it did, which it does where there are settings of discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    /// Instances that RDS listed.
    pub(crate) shown: u64,
    /// Those that settings select and that could not be enrolled.
    pub(crate) skipped: u64,
    /// Why, and what is wrong with settings; the first few.
    pub(crate) needs: Vec<Reason>,
    /// How many reasons there are.
    pub(crate) needs_count: u64,
    /// Why the last listing failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Reason>,
    /// Listings in a row that failed.
    pub(crate) failures: u32,
}

impl ListedShape {
    pub(crate) fn new(looked: Looked) -> Self {
        let Looked { at, shown, skipped, needs, needs_count, trouble, failures, .. } = looked;
        Self { at, shown, skipped, needs, needs_count, trouble, failures }
    }
}

/// What discovery saw last of an instance, a hundred databases a page.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Discovered")]
pub(crate) struct DiscoveredShape {
    /// When the server was last seen; absent until it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Timestamp>,
    /// Databases that it showed.
    pub(crate) shown: u64,
    /// Databases that are protected.
    pub(crate) protected: u64,
    /// Databases that are not, each with its reason.
    pub(crate) skipped: u64,
    /// Protected databases that are gone from the server.
    pub(crate) gone: u64,
    /// What needs a person, the first few.
    pub(crate) needs: Vec<Reason>,
    /// How many need one.
    pub(crate) needs_count: u64,
    /// Why the last look failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Reason>,
    /// Looks in a row that failed.
    pub(crate) failures: u32,
    /// Databases in order of their names.
    pub(crate) items: Vec<SeenShape>,
    /// Cursor of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// One database as the server showed it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeenDatabase")]
pub(crate) struct SeenShape {
    /// Name.
    pub(crate) name: String,
    /// State, as `sys.databases` spells it.
    pub(crate) state: String,
    /// Recovery model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery_model: Option<RecoveryModel>,
    /// Bytes of its data files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_bytes: Option<u64>,
    /// Its files.
    pub(crate) files: u64,
    /// Original database; absent while it is not online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) family_guid: Option<Guid>,
    /// Physical incarnation, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_guid: Option<Guid>,
    /// What became of it since the look before.
    pub(crate) change: ChangeShape,
    /// Why it is not protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<Reason>,
    /// Why its logs are not copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_logs: Option<Reason>,
}

/// What became of a database.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
#[schemars(rename = "Change")]
pub(crate) enum ChangeShape {
    /// As it was.
    Unchanged,
    /// Marked as gone, and there again.
    Returned,
    /// The same under another name.
    Renamed {
        /// Its name before.
        from: String,
    },
    /// Kin of one that was on another instance and is gone there.
    Moved {
        /// Where it was.
        from_instance: String,
        /// Its name there.
        from: String,
    },
    /// A copy.
    Restored {
        /// Where the other is or was.
        from_instance: String,
        /// Its name there.
        from: String,
    },
    /// Another database under a name that was known.
    Recreated,
    /// Nobody knew it.
    New,
    /// Not protected.
    Skipped,
}

impl ChangeShape {
    fn of(change: Change) -> (Self, Option<Reason>) {
        let change = match change {
            Change::Unchanged => Self::Unchanged,
            Change::Returned => Self::Returned,
            Change::Renamed { from } => Self::Renamed { from },
            Change::Moved { from: Place { instance, name } } => {
                Self::Moved { from_instance: instance, from: name }
            }
            Change::Restored { from: Place { instance, name } } => {
                Self::Restored { from_instance: instance, from: name }
            }
            Change::Recreated => Self::Recreated,
            Change::New => Self::New,
            Change::Skipped(reason) => return (Self::Skipped, Some(reason)),
        };
        (change, None)
    }
}

impl SeenShape {
    fn of(seen: Seen) -> Self {
        let (change, skipped) = ChangeShape::of(seen.change);
        let (family_guid, database_guid) =
            seen.lineage.map(|lineage| (lineage.family_guid, lineage.database_guid)).unzip();
        Self {
            name: seen.name,
            state: seen.state,
            recovery_model: seen.recovery_model,
            data_bytes: seen.data_bytes,
            files: seen.files,
            family_guid,
            database_guid,
            change,
            skipped,
            no_logs: seen.no_logs,
        }
    }
}

impl DiscoveredShape {
    pub(crate) fn new(looked: Looked, page: Option<Page>, next: Option<String>) -> Self {
        Self {
            at: looked.at,
            shown: looked.shown,
            protected: looked.protected,
            skipped: looked.skipped,
            gone: looked.gone,
            needs: looked.needs,
            needs_count: looked.needs_count,
            trouble: looked.trouble,
            failures: looked.failures,
            items: page.map(|page| page.seen).unwrap_or_default().into_iter().map(SeenShape::of).collect(),
            next,
        }
    }
}
