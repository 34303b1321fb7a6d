//! check-chains: the last look before dispatch, against the server's live state.
//!
//! Chooses what could start now (slots, windows, risk) and looks at each of those once more: identity, recovery model, fork,
//! for a differential its base, and for a log copy the files that the service lists. Answers admit, promote, put off or
//! skip, each with a Reason in the task's record. A promotion plans a full, within the limit of the policy.

mod answer;
mod verdict;

use std::collections::BTreeSet;

use domain::admission::Verdict;
use domain::reason::Reason;
use domain::slots::{Decision, Load};
use domain::task::{Kind, State, Task, TaskRow};
use jiff::{SignedDuration, Timestamp};
use ports::Clock;
use ports::events::PublishEvents;
use ports::server::{OpenSession, ReadDatabases, ReadHistory, ReadLogFiles, ReadTasks};
use ports::store::{ReadItems, Versioned, Write, WriteItems};

use self::answer::{carry_out, orphaned, waits, warn_of_horizon};
use self::verdict::{Look, verdict};
use crate::cancel::end_waiting;
use crate::choose::Chosen;
use crate::contract::{CheckChainsOutput, InstanceRun, check_schema};
use crate::discovery;
use crate::handler::Handler;
use crate::outbox::Outbox;
use crate::scope::{Scope, check_lease, commit_groups, open_tasks, shown};

/// How many tasks are looked at in vain in one call: each is a question to the server. The rest is looked at in the next round.
const VAIN_LOOKS_MAX: u32 = 200;

/// Invocation time that must be left before a look: the longest question, and the writes that remember what all looks came to. Without it a call
/// that asks much would lose all of it, and ask it again.
const TIME_LEFT_MIN: SignedDuration = SignedDuration::from_secs(45);

/// Checks tasks against the live server.
pub struct CheckChains<S, Q, C, P> {
    /// Task store.
    pub store: S,
    /// SQL Server.
    pub servers: Q,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, Q, C, P> Handler for CheckChains<S, Q, C, P>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: ReadDatabases + ReadTasks + ReadLogFiles + ReadHistory,
    C: Clock,
    P: PublishEvents,
{
    type Input = InstanceRun;
    type Output = CheckChainsOutput;
    const NAME: &'static str = "check-chains";

    async fn handle(&self, input: InstanceRun) -> Result<CheckChainsOutput, Reason> {
        check_schema(input.schema)?;
        let outbox = Outbox::new(&self.store, self.events.as_ref());
        let said = check(&outbox, &self.servers, &self.clock, &input).await;
        outbox.tell(&self.clock).await;
        said
    }
}

async fn check<S, Q, C>(
    store: &S,
    servers: &Q,
    clock: &C,
    input: &InstanceRun,
) -> Result<CheckChainsOutput, Reason>
where
    S: ReadItems + WriteItems,
    Q: OpenSession,
    Q::Session: ReadDatabases + ReadTasks + ReadLogFiles + ReadHistory,
    C: Clock,
{
    let now = clock.now();
    check_lease(store, input, now).await?;
    let mut said = CheckChainsOutput { admitted: 0, skipped: 0, promoted: 0, held: 0 };
    let mut tasks = open_tasks(store, &input.instance).await?;
    said.skipped += end_waiting(store, &mut tasks, now).await?;
    if !tasks.iter().any(is_waiting) {
        return Ok(said);
    }
    let mut scope = Scope::load(store, &input.instance).await?;
    let mut session = servers.open(&scope.endpoint()).await?;
    let rows = session.tasks(scope.instance.record.tasks_from).await?;
    let databases = shown(&mut session, &scope).await?;
    let mut heads = crate::scope::databases(store, &input.instance).await?;
    if discovery::shows_displaced(&heads, &databases) {
        // What they are called now decides what is due.
        discovery::follow(store, &scope, &databases, now).await?;
        scope = Scope::load(store, &input.instance).await?;
        tasks = open_tasks(store, &input.instance).await?;
        heads = crate::scope::databases(store, &input.instance).await?;
    }
    let (waiting, asked): (Vec<_>, Vec<_>) = tasks.into_iter().partition(is_waiting);
    let load = load(&asked, &rows);
    let open = || waiting.iter().chain(&asked);
    let (fulls, differentials) = (of_kind(open(), Kind::Full), of_kind(open(), Kind::Differential));
    let mut chosen = Chosen::new(&scope, now, &databases)?;
    let mut groups = Vec::new();
    let copied = of_kind(asked.iter(), Kind::LogCopy);
    for orphan in chosen.weigh(waiting, &copied, heads) {
        said.skipped += 1;
        groups.push(orphaned(&orphan, now)?);
    }
    let mut looks = Looks { scope: &scope, fulls, differentials, now, groups, said: &mut said };
    let runs_out = || clock.runs_out(TIME_LEFT_MIN);
    let rest = looks.start(&mut session, &mut chosen, load, runs_out).await?;
    for (key, decision) in rest {
        let Some(open) = chosen.take(&key) else { continue };
        looks.groups.push(waits(open, decision, now, looks.said)?);
    }
    commit_groups(store, looks.groups).await?;
    Ok(said)
}

/// Whether a task has not been asked for yet.
fn is_waiting(task: &Versioned<Task>) -> bool {
    matches!(task.record.state, State::Planned | State::Admitted { .. })
}

/// The looks of one call.
struct Looks<'a> {
    scope: &'a Scope,
    /// Databases with an open full.
    fulls: BTreeSet<String>,
    /// Databases with an open differential.
    differentials: BTreeSet<String>,
    now: Timestamp,
    groups: Vec<Vec<Write>>,
    said: &'a mut CheckChainsOutput,
}

impl Looks<'_> {
    /// Looks at what could start, in the order that was decided, and returns what was decided of the rest. Whatever is not admitted
    /// takes no place from what stands behind it: without it all is decided again. What there is no time for is left as it is.
    async fn start<T: ReadLogFiles + ReadHistory>(
        &mut self,
        session: &mut T,
        chosen: &mut Chosen<'_>,
        mut load: Load,
        runs_out: impl Fn() -> bool,
    ) -> Result<Vec<(String, Decision)>, Reason> {
        let (mut place, mut vain) = (0, 0);
        loop {
            let mut decided = chosen.decide(load.clone())?.into_iter();
            let mut rest = Vec::new();
            let turned_down = loop {
                let Some((key, decision)) = decided.next() else { break false };
                let Decision::Start { ends_by, note } = decision else {
                    rest.push((key, decision));
                    continue;
                };
                if runs_out() {
                    return Ok(rest);
                }
                let Some(mut open) = chosen.take(&key) else { continue };
                warn_of_horizon(&mut open, self.now);
                let task = &mut open.task.record;
                (task.ends_by, task.place) = (ends_by, Some(place));
                if let Some(note) = note {
                    task.note(note);
                }
                let database = task.database.clone();
                let live = chosen.live(&database);
                let look = Look {
                    scope: self.scope,
                    full_waits: self.fulls.contains(&database),
                    differential_waits: self.differentials.contains(&database),
                    bytes_per_second: chosen.bytes_per_second(),
                    now: self.now,
                };
                let verdict = verdict(session, &mut open, live, &look).await?;
                let admitted = matches!(verdict, Verdict::Admit(_));
                self.groups.push(carry_out(open, verdict, live, &look, self.said)?);
                if !admitted {
                    // The head of its database is written already, so nothing else of it is looked at in this call.
                    load.busy.insert(database, Some(self.now));
                    break true;
                }
                load.add(database, ends_by);
                place += 1;
            };
            vain += u32::from(turned_down);
            if !turned_down || vain >= VAIN_LOOKS_MAX {
                return Ok(rest);
            }
        }
    }
}

/// Databases that have a task of a kind.
fn of_kind<'t>(tasks: impl Iterator<Item = &'t Versioned<Task>>, kind: Kind) -> BTreeSet<String> {
    let of_kind = tasks.filter(|task| task.record.kind == kind);
    of_kind.map(|task| task.record.database.clone()).collect()
}

/// What the service has to do: ours end as forecast, everybody else's nobody knows when. An intent whose call never arrived is not
/// on the server; it will want a place all the same.
fn load(asked: &[Versioned<Task>], rows: &[TaskRow]) -> Load {
    let ours = |row: &TaskRow| {
        let mine = asked.iter().find(
            |task| matches!(&task.record.state, State::Submitted { task_id, .. } if *task_id == row.id),
        );
        mine.and_then(|task| task.record.ends_by)
    };
    let mut load = Load::default();
    for task in asked {
        load.busy.insert(task.record.database.clone(), task.record.ends_by);
    }
    for row in rows.iter().filter(|row| row.is_unfinished()) {
        let ends_by = ours(row);
        load.ahead.push(ends_by);
        if let Some(database) = &row.database {
            load.busy.insert(database.clone(), ends_by);
        }
    }
    let intended = asked.iter().filter(|task| matches!(task.record.state, State::Intended { .. }));
    load.ahead.extend(intended.map(|task| task.record.ends_by));
    load
}
