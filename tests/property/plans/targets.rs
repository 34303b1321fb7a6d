//! Plans for what is no moment: the end of a fork, an LSN, a data backup alone, a database that is restoring already.

use std::collections::BTreeSet;

use domain::backup::{Backup, Kind};
use domain::chain::State;
use domain::restore::{Action, Request, Target};
use jiff::Timestamp;
use proptest::prelude::*;
use world::{Content, ObjectRef};

use super::execute::{carry_out, lsn};
use super::{Case, DATETIME, UNIT};

/// What a target other than a moment came to, in counts.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) latest: u32,
    pub(super) lsns: u32,
    pub(super) inside_logs: u32,
    pub(super) points: u32,
    pub(super) continued: u32,
    /// From a full alone: planned, and refused.
    pub(super) from_full: (u32, u32),
    pub(super) refused: u32,
}

fn guid(id: &str) -> world::Guid {
    world::Guid::parse(id).expect("an id of the world")
}

/// Objects of a row whose files are all known.
fn objects(row: &Backup) -> Option<Vec<ObjectRef>> {
    let object =
        |file: &str| file.strip_prefix("s3://")?.split_once('/').map(|(b, k)| ObjectRef::newest(b, k));
    let files: Option<Vec<ObjectRef>> =
        row.stripes.files().iter().map(|file| object(file.as_deref()?)).collect();
    files.filter(|files| !files.is_empty())
}

impl Case<'_> {
    /// Plans a target: the content, if there is a plan, which must pass the check and be carried out.
    fn planned(&self, request: &Request) -> Result<Option<(Content, Timestamp)>, TestCaseError> {
        let Ok(plan) = self.planner.plan(request) else { return Ok(None) };
        let objection = domain::restore::check(&plan, self.rows, request);
        prop_assert!(objection.is_ok(), "{request:?} {plan:#?}: {objection:?}\n{}", self.told());
        match carry_out(&self.grown.world, &plan.steps) {
            Ok(content) => Ok(Some((content, plan.recovers_to))),
            Err(error) => {
                Err(TestCaseError::fail(format!("{request:?} {plan:#?}: {error}\n{}", self.told())))
            }
        }
    }

    /// The latest plan brings everything that the fork of the newest backup holds, as far as anything can be restored.
    pub(super) fn latest(&self, moments: &[Timestamp], seen: &mut Targets) -> Result<(), TestCaseError> {
        let newest = self.rows.iter().max_by_key(|row| (row.finished, row.last_lsn)).expect("there are rows");
        let begun = self.grown.forks.iter().rev().find(|fork| **fork < newest.finished);
        let begun = begun.copied().unwrap_or(self.grown.created);
        let left = self.grown.forks.iter().find(|fork| **fork >= newest.finished).copied();
        let found = self.planned(&Request::at(Target::Latest))?;
        seen.latest += u32::from(found.is_some());
        if let Some((content, to)) = &found {
            let told = [to.to_owned(), *to + UNIT, *to + UNIT + UNIT, *to + DATETIME];
            let is_true = told.iter().any(|at| self.truth(*at).as_ref() == Some(content));
            prop_assert!(is_true, "latest is not what there was at {to}\n{}", self.told());
        }
        let on_fork = |at: &&Timestamp| **at > begun && left.is_none_or(|left| **at < left);
        // Where the engine accepts more than is documented, more can be restored than anybody may promise.
        for at in moments.iter().filter(on_fork).filter(|_| !self.story.joins_last_fork) {
            let later = found.as_ref().is_none_or(|(_, to)| *at > *to + DATETIME);
            let truth = self.truth(*at);
            let same = || found.as_ref().map(|(content, _)| content) == truth.as_ref();
            if later && !same() && self.restore(*at).is_ok_and(|way| Some(&way.content) == truth.as_ref()) {
                return Err(TestCaseError::fail(format!(
                    "{at} can be restored, latest stops before\n{}",
                    self.told()
                )));
            }
        }
        Ok(())
    }

    /// Each LSN that a header names is planned to what its fork held when the log had grown to it, or refused because no way
    /// leads there on any fork.
    pub(super) fn lsns(&self, seen: &mut Targets) -> Result<(), TestCaseError> {
        let named = self.rows.iter().flat_map(|row| [row.first_lsn, row.last_lsn]);
        let mut lsns: Vec<_> = named.chain(self.rows.iter().filter_map(|row| row.fork_point_lsn)).collect();
        lsns.sort_unstable();
        lsns.dedup();
        let forks = self.rows.iter().flat_map(|row| [row.first_fork.as_ref(), row.last_fork.as_ref()]);
        let forks: BTreeSet<world::Guid> = forks.flatten().map(|fork| guid(fork.as_str())).collect();
        for target in lsns {
            let request = Request::at(Target::Lsn(target));
            let Ok(plan) = self.planner.plan(&request) else {
                // Where the engine accepts more than is documented, more can be restored than anybody may promise.
                for fork in forks.iter().filter(|_| !self.story.joins_last_fork) {
                    let found = self.judge.restore_below(*fork, lsn(target));
                    prop_assert!(found.is_none(), "LSN {target} of {fork} is refused\n{}", self.told());
                }
                seen.refused += 1;
                continue;
            };
            let (content, _) = self.planned(&request)?.expect("planned above");
            let last = plan.steps.iter().rev().find_map(|step| step.backup.as_ref()).expect("a step");
            let last = self.rows.iter().find(|row| row.id == *last).expect("a row");
            let fork = guid(last.last_fork.as_ref().expect("rows have forks").as_str());
            let truth = self.grown.world.truth_below(self.grown.database, fork, lsn(target));
            prop_assert_eq!(Some(&content), truth.as_ref(), "LSN {} {:#?}\n{}", target, plan, self.told());
            seen.lsns += 1;
            seen.inside_logs += u32::from(plan.steps.iter().any(|step| step.stop_before_lsn.is_some()));
        }
        Ok(())
    }

    /// A data backup is a point if and only if its files restore: alone, or a differential on some full.
    pub(super) fn points(&self, seen: &mut Targets) -> Result<(), TestCaseError> {
        let world = &self.grown.world;
        let fulls = || self.rows.iter().filter(|row| matches!(row.kind, Kind::Full | Kind::CopyOnly));
        for row in self.rows.iter().filter(|row| row.kind.is_data()) {
            let brute = objects(row).and_then(|own| match row.kind {
                Kind::Differential => fulls()
                    .filter_map(objects)
                    .find_map(|full| world.restore(&[full.as_slice(), own.as_slice()].concat(), None).ok()),
                _ => world.restore(&own, None).ok(),
            });
            let planned = self.planned(&Request::at(Target::Point(row.id.clone())))?;
            prop_assert_eq!(planned.map(|(content, _)| content), brute, "point {}\n{}", row.id, self.told());
            seen.points += 1;
        }
        Ok(())
    }

    /// A restore that somebody began with a full goes on to a moment if and only if logs lead there, and to none before its end.
    pub(super) fn continued_from_fulls(
        &self,
        moments: &[Timestamp],
        seen: &mut Targets,
    ) -> Result<(), TestCaseError> {
        let unsure = |at: Timestamp| {
            let rows = self.rows.iter().filter(move |row| row.crosses_fork() && row.started > at);
            rows.map(|row| guid(row.id.as_str())).collect::<BTreeSet<_>>()
        };
        let data: BTreeSet<world::Guid> =
            self.rows.iter().filter(|row| row.kind.is_data()).map(|row| guid(row.id.as_str())).collect();
        for full in self.rows.iter().filter(|row| matches!(row.kind, Kind::Full | Kind::CopyOnly)) {
            let Ok(point) = self.planner.plan(&Request::at(Target::Point(full.id.clone()))) else { continue };
            let begun = &point.steps[..point.steps.len() - 1];
            let state = State { redo_lsn: full.last_lsn, fork: full.last_fork.clone() };
            // Where a log ends at the very LSN, it may be what was restored, and its last commit is what counts.
            let is_told = !self.rows.iter().any(|row| row.kind == Kind::Log && row.last_lsn == full.last_lsn);
            let told = |at: &&Timestamp| **at > full.finished || is_told && **at < full.finished;
            for at in moments.iter().filter(told) {
                let request = Request { at: Target::Moment(*at), continue_from: Some(state.clone()) };
                let rest = self.planner.plan(&request).ok();
                let (own, unsure) = (guid(full.id.as_str()), unsure(*at));
                let may_use = |id: world::Guid| id == own || !data.contains(&id) && !unsure.contains(&id);
                let way = self.judge.restore_to_using(*at, &may_use).ok();
                let is_true = way.is_some_and(|way| Some(way.content) == self.truth(*at));
                let agrees = rest.is_some() == is_true || self.story.joins_last_fork && is_true;
                prop_assert!(agrees, "{request:?}: {rest:#?}\n{}", self.told());
                let Some(rest) = rest else {
                    seen.from_full.1 += 1;
                    continue;
                };
                let content = carry_out(&self.grown.world, &[begun, rest.steps.as_slice()].concat());
                prop_assert_eq!(content.ok(), self.truth(*at), "{:?} {:#?}\n{}", request, rest, self.told());
                seen.from_full.0 += 1;
            }
        }
        Ok(())
    }

    /// A restore that somebody began as a plan begins goes on to the plan's moment.
    pub(super) fn continued(&self, moments: &[Timestamp], seen: &mut Targets) -> Result<(), TestCaseError> {
        for at in moments {
            let Ok(plan) = self.planner.plan(&Request::at(Target::Moment(*at))) else { continue };
            let logs = plan.steps.iter().filter(|step| step.action == Action::RestoreLog).count();
            let data = plan.steps.len() - 1 - logs;
            for applied in 0..logs {
                let (begun, _) = plan.steps.split_at(data + applied);
                let used: Vec<&Backup> = begun
                    .iter()
                    .filter_map(|step| self.rows.iter().find(|row| Some(&row.id) == step.backup.as_ref()))
                    .collect();
                let last = used.last().expect("a data backup at least");
                let state = State { redo_lsn: last.last_lsn, fork: last.last_fork.clone() };
                let request = Request { at: Target::Moment(*at), continue_from: Some(state) };
                let rest = self.planner.plan(&request);
                prop_assert!(rest.is_ok(), "{request:?} of {plan:#?}\n{}", self.told());
                let Ok(rest) = rest else { continue };
                let objection = domain::restore::check(&rest, self.rows, &request);
                prop_assert!(objection.is_ok(), "{request:?} {rest:#?}: {objection:?}\n{}", self.told());
                let steps = [begun, rest.steps.as_slice()].concat();
                let content = carry_out(&self.grown.world, &steps);
                prop_assert_eq!(content.ok(), self.truth(*at), "{:?} {:#?}\n{}", request, rest, self.told());
                seen.continued += 1;
            }
        }
        Ok(())
    }
}
