//! Histories that a rule once got wrong, as small as they shrank, and traps that chance sets too seldom. Tried before all
//! others.
//!
//! They are values and no seeds: a seed tells another story as soon as the strategy changes.

use world::{Damage, RecoveryModel};

use super::story::{Kind, Place, Step, Story};

/// A backup of ours that takes so many seconds.
fn back(kind: Kind, seconds: i64) -> Step {
    Step::Back { kind, to: Place::Vault(1), seconds, damaged: false, encrypted: false }
}

/// The database restored over itself to the end of its newest data backup.
fn restore() -> Step {
    Step::Restore { since: 0, to: 0, whole: false }
}

fn write(bulk: bool) -> Step {
    Step::Write { transactions: 1, bulk }
}

/// A story on an idle database.
fn story(major_version: u8, model: RecoveryModel, steps: Vec<(i64, Step)>) -> Story {
    Story {
        seed: 1,
        transactions_per_minute_milli: 0,
        major_version,
        long_transaction_ppm: 0,
        refuses_on_snapshot: false,
        joins_last_fork: false,
        key_lost: false,
        calm: false,
        begins_with_snapshot: false,
        model,
        steps,
        looks: Vec::new(),
    }
}

/// What a rule could get wrong, and the history that shows it.
pub(super) fn traps() -> Vec<(&'static str, Story)> {
    let back_to_first = Step::Restore { since: 1, to: 100, whole: false };
    let steps = vec![
        (0, back(Kind::Full, 0)),
        (60, back(Kind::Log, 0)),
        (60, back(Kind::Full, 0)),
        (60, back_to_first),
        (60, Step::Write { transactions: 60, bulk: false }),
        (60, back(Kind::Log, 0)),
        (60, Step::Break { number: 1, of_log: false, damage: Damage::Delete }),
    ];
    vec![(
        "a full that ended behind the fork point takes no log that crosses the fork before it",
        story(15, RecoveryModel::Full, steps),
    )]
}

/// What was wrong, and the history that showed it.
pub(super) fn stories() -> Vec<(&'static str, Story)> {
    forks().into_iter().chain(bulk_logged()).collect()
}

fn forks() -> Vec<(&'static str, Story)> {
    use Kind::{Full, Log};
    use RecoveryModel::Full as FullModel;
    vec![
        (
            "a log that crossed a fork without a commit since it began was claimed at its start",
            story(
                16,
                FullModel,
                vec![
                    (0, back(Full, 0)),
                    (60, back(Log, 0)),
                    (60, restore()),
                    (60, write(false)),
                    (60, back(Log, 30)),
                ],
            ),
        ),
        (
            "an empty log joined a full behind a fork to the log that crossed it, and the full's own moments were lost",
            story(
                15,
                FullModel,
                vec![
                    (0, back(Full, 0)),
                    (482, back(Log, 0)),
                    (60, restore()),
                    (60, back(Full, 0)),
                    (60, back(Log, 0)),
                    (60, back(Log, 0)),
                ],
            ),
        ),
        (
            "a moment before the start of a log that crossed a fork was planned through it",
            story(
                16,
                FullModel,
                vec![
                    (0, back(Full, 0)),
                    (60, restore()),
                    (60, back(Full, 0)),
                    (60, write(false)),
                    (60, back(Log, 0)),
                    (60, back(Log, 0)),
                ],
            ),
        ),
    ]
}

fn bulk_logged() -> Vec<(&'static str, Story)> {
    use Kind::{CopyOnlyLog, Full, Log};
    use RecoveryModel::BulkLogged;
    vec![
        (
            "a second log over the same bulk-logged changes was refused at its end",
            story(
                16,
                BulkLogged,
                vec![
                    (0, back(Full, 0)),
                    (0, write(true)),
                    (0, back(CopyOnlyLog, 0)),
                    (0, back(Log, 0)),
                    (0, Step::Snapshot),
                ],
            ),
        ),
        (
            "the check let a bulk-logged log that ends behind the stop pass where it was not the last",
            story(
                16,
                BulkLogged,
                vec![
                    (0, back(Full, 0)),
                    (0, write(true)),
                    (0, back(CopyOnlyLog, 0)),
                    (1, back(CopyOnlyLog, 1)),
                    (0, back(Log, 0)),
                    (0, Step::Snapshot),
                    (0, back(Log, 0)),
                ],
            ),
        ),
        (
            "the end of bulk-logged changes was claimed and not planned",
            story(
                16,
                BulkLogged,
                vec![(0, back(Full, 0)), (0, write(true)), (0, back(Log, 0)), (0, Step::Snapshot)],
            ),
        ),
    ]
}
