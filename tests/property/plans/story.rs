//! What can happen to a database that people back up by hand, drawn so that every kind of hole occurs and shrinks well.

use proptest::prelude::*;
use world::{Damage, RecoveryModel};

/// Where the files of a backup end up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In our bucket, in so many stripes.
    Vault(u8),
    /// With somebody else.
    Foreign,
    /// In `NUL`.
    Nul,
}

/// What is backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Full,
    CopyOnly,
    Differential,
    Log,
    CopyOnlyLog,
}

/// What happens next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A backup begins and takes so many seconds, while other things happen.
    Back { kind: Kind, to: Place, seconds: i64, damaged: bool, encrypted: bool },
    /// Somebody takes a volume snapshot that is not copy-only.
    Snapshot,
    /// Somebody changes the recovery model.
    Model(RecoveryModel),
    /// Somebody writes, in the way that `BULK_LOGGED` logs minimally or in the usual one.
    Write { transactions: u64, bulk: bool },
    /// Somebody restores the database over itself: to a moment since the so-manieth newest data backup that we hold, in
    /// thousandths of the time since then, or to the end of the files used.
    Restore { since: usize, to: i64, whole: bool },
    /// An object, counted from the newest of its sort, is lost or spoilt.
    Break { number: usize, of_log: bool, damage: Damage },
}

impl Step {
    /// The same where nothing goes wrong.
    pub(crate) fn calm(&self) -> Self {
        match self {
            Self::Back { kind, to, seconds, .. } => {
                let files = if let Place::Vault(files) = to { *files } else { 1 };
                let (kind, to, seconds) = (*kind, Place::Vault(files), *seconds);
                Self::Back { kind, to, seconds, damaged: false, encrypted: false }
            }
            Self::Break { .. } => Self::Write { transactions: 1, bulk: false },
            other => other.clone(),
        }
    }
}

/// A world and what happens in it.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one unknown of the server, or one thing that happens or not"
)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) transactions_per_minute_milli: u64,
    /// 15 has no `last_valid_restore_time`, 16 has.
    pub(crate) major_version: u8,
    /// Backups whose first LSN lies before the checkpoint, parts in a million.
    pub(crate) long_transaction_ppm: u32,
    /// Whether the server refuses a differential on a snapshot.
    pub(crate) refuses_on_snapshot: bool,
    /// Whether a log that crosses a fork applies behind it too: undocumented, so nobody may rely on it.
    pub(crate) joins_last_fork: bool,
    /// Whether the key of encrypted backups is lost in the end.
    pub(crate) key_lost: bool,
    /// Whether nothing is lost, spoilt or taken by others: chains grow long.
    pub(crate) calm: bool,
    /// Whether it begins with a volume snapshot: a log chain, a differential base, and nothing to restore.
    pub(crate) begins_with_snapshot: bool,
    /// The model the database is created with.
    pub(crate) model: RecoveryModel,
    /// Each with the seconds that pass before it.
    pub(crate) steps: Vec<(i64, Step)>,
    /// Random moments, in millionths of the history.
    pub(crate) looks: Vec<u32>,
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        12 => (1_u8..4).prop_map(Place::Vault),
        1 => Just(Place::Foreign),
        1 => Just(Place::Nul),
    ]
}

fn back(kind: Kind) -> impl Strategy<Value = Step> {
    let seconds = prop_oneof![2 => 0_i64..90, 1 => 90_i64..2_000];
    (place(), seconds, prop::bool::weighted(0.03), prop::bool::weighted(0.25)).prop_map(
        move |(to, seconds, damaged, encrypted)| Step::Back { kind, to, seconds, damaged, encrypted },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let damage = prop::sample::select(
        &[
            Damage::Delete,
            Damage::Delete,
            Damage::Corrupt,
            Damage::Truncate,
            Damage::Archive,
            Damage::Archive,
        ][..],
    );
    let model = prop::sample::select(
        &[RecoveryModel::Full, RecoveryModel::Full, RecoveryModel::BulkLogged, RecoveryModel::Simple][..],
    );
    prop_oneof![
        6 => back(Kind::Full),
        2 => back(Kind::CopyOnly),
        4 => back(Kind::Differential),
        16 => back(Kind::Log),
        3 => back(Kind::CopyOnlyLog),
        3 => Just(Step::Snapshot),
        3 => model.prop_map(Step::Model),
        3 => (1_u64..60, prop::bool::weighted(0.7)).prop_map(|(transactions, bulk)| Step::Write { transactions, bulk }),
        3 => (0_usize..5, 0_i64..1_000, any::<bool>()).prop_map(|(since, to, whole)| Step::Restore { since, to, whole }),
        3 => (0_usize..6, any::<bool>(), damage).prop_map(|(number, of_log, damage)| Step::Break { number, of_log, damage }),
    ]
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let steps = prop::collection::vec((0_i64..1_800, step()), 4..32);
    let rate = prop_oneof![1 => Just(0_u64), 3 => 20_u64..500, 3 => 500_u64..20_000];
    let looks = prop::collection::vec(0_u32..1_000_000, 10);
    let model = prop_oneof![
        4 => Just(RecoveryModel::Full),
        3 => Just(RecoveryModel::BulkLogged),
        1 => Just(RecoveryModel::Simple),
    ];
    let long = prop::sample::select(&[0_u32, 300_000, 1_000_000][..]);
    let knobs = (
        15_u8..17,
        long,
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.25),
    );
    (any::<u64>(), rate, knobs, model, steps, looks).prop_map(
        |(seed, transactions_per_minute_milli, knobs, model, steps, looks)| {
            let (
                major_version,
                long_transaction_ppm,
                refuses_on_snapshot,
                joins_last_fork,
                key_lost,
                calm,
                begins_with_snapshot,
            ) = knobs;
            Story {
                seed,
                transactions_per_minute_milli,
                major_version,
                long_transaction_ppm,
                refuses_on_snapshot,
                joins_last_fork,
                key_lost: key_lost && !calm,
                calm,
                begins_with_snapshot,
                model,
                steps,
                looks,
            }
        },
    )
}
