//! What must be true when a story is over, and how it came to be.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use asl::{HistoryKind, Status, history};
use domain::inventory::{Instance, instance_key};
use domain::lease::{self, Lease};
use domain::record::Record;
use domain::task::{Kind, Outcome as Ended, State, Task, open_partition};
use jiff::{SignedDuration, Timestamp};
use ports::store::{Key, decode};
use testbed::ports::store::Store;
use testbed::report::{DatabaseReport, Report};
use testbed::simulation::{Simulation, View};
use testbed::stepfunctions::Summary;
use testbed::{Call, Testbed};

use crate::stories::{DATABASES, INSTANCE};

/// How a fault was healed, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Healed {
    /// Nothing was to be done.
    Absorbed,
    /// A machine or a schedule tried again.
    Retried,
    /// Dispatch found an intent of before and looked what had become of it.
    Settled,
    /// The run ended in trouble, and the next one went on.
    NextRun,
}

/// What is watched while a story is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    intents_found: Rc<Cell<u32>>,
    schedule_tries: Rc<Cell<u32>>,
}

impl Watch {
    pub(crate) fn see(&self, call: &Call<'_>, store: &Store) {
        if call.name == "scheduler.start_execution" && call.attempt > 1 {
            self.schedule_tries.set(self.schedule_tries.get() + 1);
        }
        if call.name == "lambda.invoke" && call.function == "dispatch-tasks" {
            let intents = store.look(|table| {
                let partition = open_partition(INSTANCE);
                let open = table.partition(&partition);
                open.filter(|item| is_intended(&decode::<Task>(item).unwrap().record)).count()
            });
            self.intents_found.set(self.intents_found.get() + u32::try_from(intents).unwrap());
        }
    }
}

const fn is_intended(task: &Task) -> bool {
    matches!(task.state, State::Intended { .. })
}

/// What a story came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) intents_found: u32,
    pub(crate) entered: BTreeSet<String>,
    schedule_tries: u32,
    /// Runs that failed.
    failed: usize,
    /// Calls of machines that failed.
    failed_calls: usize,
    /// What was done for each moment of the schedule.
    moments: BTreeMap<(String, Kind, Timestamp), Vec<String>>,
    /// Native tasks the service was asked for, by database and whether it is a backup.
    native: BTreeMap<(String, bool), usize>,
    view: View,
    report: Report,
}

/// Looks at a story that is over.
pub(crate) fn outcome(simulation: &mut Simulation, watch: &Watch) -> Outcome {
    let (report, view) = simulation.report_and_view().unwrap();
    let bed = simulation.bed();
    let mut moments: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for task in &view.done {
        // Whoever asks again asks later: what people want is told apart by what it is.
        let due_at = if task.on_demand.is_some() { Timestamp::UNIX_EPOCH } else { task.due_at };
        moments.entry((task.database.clone(), task.kind, due_at)).or_default().push(ended(task));
    }
    let mut native = BTreeMap::new();
    for fact in bed.world().tasks(INSTANCE) {
        *native.entry((fact.database.to_string(), fact.kind.is_backup())).or_default() += 1;
    }
    let runs = || bed.executions().iter().filter(|run| &*run.machine != "fleet");
    Outcome {
        intents_found: watch.intents_found.get(),
        schedule_tries: watch.schedule_tries.get(),
        entered: runs().flat_map(entered).collect(),
        failed: runs().filter(|run| matches!(run.status, Status::Failed { .. })).count(),
        failed_calls: bed.executions().iter().map(failed_calls).sum(),
        moments,
        native,
        view,
        report,
    }
}

fn entered(run: &Summary) -> impl Iterator<Item = String> + '_ {
    let entries = run.history.iter().filter(|event| matches!(event.kind, HistoryKind::StateEntered(_)));
    entries.map(|event| format!("{}.{}", run.machine, event.state))
}

fn failed_calls(run: &Summary) -> usize {
    let failed = |kind: &HistoryKind| {
        matches!(
            kind,
            HistoryKind::LambdaFunction(history::Outcome::Failed | history::Outcome::TimedOut)
                | HistoryKind::Task(history::Outcome::Failed | history::Outcome::TimedOut)
        )
    };
    run.history.iter().filter(|event| failed(&event.kind)).count()
}

/// `succeeded`, or how else a task ended and why.
fn ended(task: &Task) -> String {
    match &task.state {
        State::Done { outcome: Ended::Succeeded, .. } => "succeeded".to_owned(),
        State::Done { outcome: Ended::Failed(reason), .. } => format!("failed {}", reason.name),
        State::Done { outcome: Ended::Skipped(reason), .. } => format!("skipped {}", reason.name),
        State::Done { outcome: Ended::Cancelled, .. } if task.cancel.is_some() => "cancelled".to_owned(),
        other => format!("{other:?}"),
    }
}

impl Outcome {
    /// How this story was healed, against the calm one.
    pub(crate) fn healed(&self, calm: &Self) -> Healed {
        if self.failed > calm.failed {
            Healed::NextRun
        } else if self.intents_found > 0 {
            Healed::Settled
        } else if self.failed_calls > calm.failed_calls || self.schedule_tries > 0 {
            Healed::Retried
        } else {
            Healed::Absorbed
        }
    }
}

/// What is wrong when a story is over, one sentence each.
pub(crate) fn wrong(simulation: &mut Simulation, told: &Outcome, calm: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for checked in &told.report.checkers {
        let of = |objection: &String| format!("{}: {objection}", checked.checker);
        wrong.extend(checked.objections.iter().map(of));
    }
    let taken = taken(told, calm);
    // Whoever cancels the schedule's own was told what the promise loses; checkers have been asked above.
    let kept = |database: &DatabaseReport| {
        database.rpo.holds() || taken.iter().any(|(name, _)| **name == *database.window.database)
    };
    if !told.report.holds && (taken.is_empty() || !told.report.databases.iter().all(kept)) {
        wrong.push("the report does not hold".to_owned());
    }
    wrong.extend(told.view.open.iter().map(|task| format!("{} is open: {:?}", task.key, task.state)));
    wrong.extend(moments(told, calm, &taken));
    wrong.extend(native(told, calm));
    wrong.extend(windows(told));
    wrong.extend(left_behind(simulation.bed()));
    wrong
}

/// Where a request found the schedule's own task open, was answered with it, and the cancel was of that one: in the calm story the schedule
/// had done its own by then.
fn taken(told: &Outcome, calm: &Outcome) -> BTreeSet<(String, Kind)> {
    let asked = calm.moments.keys().filter(|(_, _, at)| *at == Timestamp::UNIX_EPOCH);
    let missing = asked.filter(|moment| !told.moments.contains_key(moment));
    missing
        .map(|(database, kind, _)| (database.clone(), *kind))
        .filter(|(database, kind)| {
            let mut of_schedule = told.view.done.iter().filter(|task| task.on_demand.is_none());
            of_schedule.any(|task| task.cancel.is_some() && task.database == *database && task.kind == *kind)
        })
        .collect()
}

/// Every moment that the calm story answers is answered once, by a task that came about or had nothing to do.
fn moments(told: &Outcome, calm: &Outcome, taken: &BTreeSet<(String, Kind)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (moment @ (database, kind, at), undisturbed) in &calm.moments {
        let what = format!("{} of {database} due at {at}", kind.as_str());
        let is_taken = taken.contains(&(database.clone(), *kind));
        match told.moments.get(moment).map(Vec::as_slice) {
            None if is_taken && *at == Timestamp::UNIX_EPOCH => {}
            Some([ended]) if is_taken && ended == "cancelled" => {}
            None => wrong.push(format!("the {what} is forgotten")),
            Some([ended]) if ended == "succeeded" => {}
            // A first log copy comes right after its full, before there is a log to copy.
            Some([ended]) if *kind == Kind::LogCopy && ended == "skipped NoNewLogs" => {}
            // One that succeeded before it could be cancelled is met above.
            Some([ended]) if ended == "cancelled" && undisturbed[..] == ["cancelled"] => {}
            Some(ended) => wrong.push(format!("the {what} ended {}", ended.join(" and "))),
        }
    }
    for moment @ (database, kind, at) in told.moments.keys() {
        if !calm.moments.contains_key(moment) {
            wrong.push(format!("a {} of {database} due at {at} is none of the schedule", kind.as_str()));
        }
    }
    wrong
}

/// The service was asked once for each task that came about, and once more for each that the story itself lets fail: nothing
/// twice, and no full that nobody needs.
fn native(told: &Outcome, calm: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for database in DATABASES {
        for kind in [Kind::Full, Kind::LogCopy] {
            let (what, calm) = (kind.as_str(), tries(calm, database, kind));
            let told_tries = tries(told, database, kind);
            if told_tries.failed != calm.failed {
                let notes: Vec<_> = told.view.done.iter().flat_map(|task| &task.notes).collect();
                wrong.push(format!("{} failed tries of {what} of {database}: {notes:?}", told_tries.failed));
            }
            let asked = told.native.get(&(database.to_owned(), kind == Kind::Full)).copied().unwrap_or(0);
            if asked != told_tries.good + told_tries.failed {
                wrong.push(format!("{asked} native tasks for {told_tries:?} of {what} of {database}"));
            }
        }
    }
    wrong
}

/// How often the service was needed.
#[derive(Debug)]
struct Tries {
    good: usize,
    failed: usize,
}

fn tries(told: &Outcome, database: &str, kind: Kind) -> Tries {
    let ours = || told.view.done.iter().filter(|task| task.database == database && task.kind == kind);
    Tries {
        good: ours().filter(|task| ended(task) == "succeeded" || was_sent_and_cancelled(task)).count(),
        failed: ours().map(|task| task.earlier_ids.len()).sum(),
    }
}

/// Whether the service had a task that ended cancelled.
fn was_sent_and_cancelled(task: &Task) -> bool {
    matches!(task.state, State::Done { outcome: Ended::Cancelled, task_id: Some(_), .. })
}

/// The window of each database is whole, from its first full up to now.
fn windows(told: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    for database in &told.report.databases {
        let window = &database.window;
        let whole = match &window.intervals[..] {
            [vault, service] => {
                let recent = told.report.end - SignedDuration::from_mins(10);
                vault.to == service.from && service.to > recent && window.holes.is_empty()
            }
            _ => false,
        };
        if !whole {
            wrong.push(format!("the window is not whole: {window:?}"));
        }
    }
    wrong
}

fn record<R: Record>(bed: &Testbed, (partition, sort): (String, String)) -> R {
    let item = bed.store().look(|table| table.get(&Key { partition, sort })).unwrap();
    decode(&item).unwrap().record
}

/// The lease is given back, nothing runs, and people are not told of trouble that is over.
fn left_behind(bed: &Testbed) -> Vec<String> {
    let mut wrong = Vec::new();
    let lease: Lease = record(bed, lease::key(INSTANCE));
    if let Some(holder) = lease.holder {
        wrong.push(format!("{holder} still holds the lease"));
    }
    let running = (bed.executions_running(), bed.invocations_running());
    if running != (0, 0) {
        wrong.push(format!("{} executions and {} invocations still run", running.0, running.1));
    }
    let instance: Instance = record(bed, instance_key(INSTANCE));
    wrong.extend(instance.trouble.map(|trouble| format!("people still read of trouble: {trouble}")));
    wrong
}
