//! What does a plan do when it is carried out? The world restores the files it names, in its order, and recovers.

use domain::backup::{Backup, Kind};
use domain::restore::{Action, Plan, Step};
use world::{Content, Lsn, ObjectRef, RestoreStep, World};

/// The object that a file of a header is.
fn object(file: &str) -> Option<ObjectRef> {
    let path = file.strip_prefix("s3://").or_else(|| file.strip_prefix("arn:aws:s3:::"))?;
    let (bucket, key) = path.split_once('/')?;
    Some(ObjectRef::newest(bucket, key))
}

pub(super) fn lsn(lsn: domain::lsn::Lsn) -> Lsn {
    let number = i128::try_from(lsn.value()).expect("25 digits");
    Lsn::from_numeric(number).expect("an LSN of the world")
}

/// Carries out steps in the world: the content, or what stood in the way.
pub(crate) fn carry_out(world: &World, steps: &[Step]) -> Result<Content, String> {
    let Some((recover, restores)) = steps.split_last().filter(|(last, _)| last.action == Action::Recover)
    else {
        return Err("the database is left restoring".to_owned());
    };
    if recover.norecovery {
        return Err("the database is left restoring".to_owned());
    }
    let mut statements = Vec::new();
    for step in restores {
        let files: Option<Vec<ObjectRef>> = step.files.iter().map(|file| object(file)).collect();
        match (step.action, files) {
            (Action::Recover, _) => return Err("nothing follows recovery (3117)".to_owned()),
            (_, Some(objects)) if step.norecovery => statements.push(RestoreStep {
                objects,
                stop_at: step.stop_at,
                stop_before_lsn: step.stop_before_lsn.map(lsn),
            }),
            _ => return Err("its files are nowhere, or it recovers too early".to_owned()),
        }
    }
    world.restore_steps(&statements).map_err(|error| error.to_string())
}

fn action(kind: Kind) -> Action {
    match kind {
        Kind::Full | Kind::CopyOnly | Kind::Snapshot => Action::RestoreFull,
        Kind::Differential => Action::RestoreDifferential,
        Kind::Log => Action::RestoreLog,
    }
}

/// Every plan that lacks a step, has two swapped, or another backup of the history in place of one; each with its name.
pub(super) fn tampered<'a>(plan: &'a Plan, rows: &'a [Backup]) -> impl Iterator<Item = (String, Plan)> + 'a {
    let count = plan.steps.len();
    let with = move |steps| Plan { steps, ..plan.clone() };
    let deleted = (0..count).map(move |at| {
        let mut steps = plan.steps.clone();
        steps.remove(at);
        (format!("without step {}", at + 1), with(steps))
    });
    let swapped = (0..count).flat_map(move |left| (left + 1..count).map(move |right| (left, right)));
    let swapped = swapped.map(move |(left, right)| {
        let mut steps = plan.steps.clone();
        steps.swap(left, right);
        (format!("steps {} and {} swapped", left + 1, right + 1), with(steps))
    });
    let restores = (0..count).filter(move |at| plan.steps[*at].backup.is_some());
    let replaced = restores.flat_map(move |at| rows.iter().map(move |row| (at, row)));
    let replaced = replaced.filter(move |(at, row)| plan.steps[*at].backup.as_ref() != Some(&row.id));
    let replaced = replaced.map(move |(at, row)| {
        let mut steps = plan.steps.clone();
        steps[at].action = action(row.kind);
        steps[at].backup = Some(row.id.clone());
        steps[at].files = row.stripes.files().iter().flatten().cloned().collect();
        (format!("step {} with {}", at + 1, row.id), with(steps))
    });
    deleted.chain(swapped).chain(replaced)
}
