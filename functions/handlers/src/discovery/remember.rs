//! What was seen, written down for people.

use std::collections::BTreeMap;

use domain::admission::lineage_of;
use domain::discovery::seen::{
    Looked, PAGE_DATABASES, Page, Seen, looked_key, needs, needs_of, refused_anew,
};
use domain::discovery::support::log_copies;
use domain::discovery::{Change, Look};
use domain::event::{Event, What};
use domain::facts::DatabaseState;
use domain::reason::Reason;
use ports::store::{Expect, ReadItems, Versioned, Write, WriteItems, load};

use super::carry_out::Done;
use super::{Discovery, Sight};
use crate::outbox;
use crate::scope::commit;

impl<S: ReadItems + WriteItems> Discovery<'_, S> {
    /// Writes the pages that are not as they were, then the look as a whole, and returns that. Enrolments that fail are told in the commit
    /// in which they can be read.
    pub(super) async fn remember(
        &self,
        sight: &Sight<'_>,
        look: &Look,
        done: &Done,
    ) -> Result<Looked, Reason> {
        let pages = pages(sight, look, done);
        let before = sight.before();
        let mut stored: BTreeMap<u32, &Versioned<Page>> =
            sight.pages.iter().map(|page| (page.record.number, page)).collect();
        // One commit each: all pages of a large instance are more than a transaction holds.
        for page in pages {
            let known = stored.remove(&page.number);
            if known.is_none_or(|known| known.record != page) {
                let expect = known.map_or(Expect::Absent, |known| known.expect);
                let mut writes = Vec::new();
                for seen in &page.seen {
                    let name = seen.name.as_str();
                    if let Some(reason) = seen.fails_anew(before.get(name).copied(), &look.refused) {
                        writes.push(failed(sight, Some(name), reason)?);
                    }
                }
                writes.push(Versioned { record: page, expect }.put()?);
                commit(self.store, &writes).await?;
            }
        }
        for surplus in stored.into_values() {
            commit(self.store, &[surplus.delete()]).await?;
        }
        let known: Option<Versioned<Looked>> = load(self.store, looked_key(sight.instance())).await?;
        let expect = known.as_ref().map_or(Expect::Absent, |known| known.expect);
        let mut looked = known.map(|known| known.record).unwrap_or_default();
        let refused = refused_anew(look, &looked).into_iter().map(|reason| failed(sight, None, reason));
        let mut writes: Vec<Write> = refused.collect::<Result<_, _>>()?;
        let count = |fits: fn(&Change) -> bool| {
            u64::try_from(look.shown.iter().filter(|(_, change)| fits(change)).count()).unwrap_or(u64::MAX)
        };
        sight.instance().clone_into(&mut looked.instance);
        looked.vault.clone_from(&sight.scope.vault.name);
        looked.shown = count(|_| true);
        looked.skipped = count(|change| matches!(change, Change::Skipped(_)));
        looked.protected = looked.shown.saturating_sub(looked.skipped);
        let gone = sight.heads.iter().filter(|head| head.record.gone_at.is_some()).count() + look.gone.len();
        looked.gone = u64::try_from(gone).unwrap_or(u64::MAX);
        looked.succeed(sight.now, needs_of(done.refused.iter().cloned().chain(needs(look))));
        writes.push(Versioned { record: looked.clone(), expect }.put()?);
        commit(self.store, &writes).await?;
        Ok(looked)
    }
}

/// What is told of an enrolment that failed.
fn failed(sight: &Sight<'_>, database: Option<&str>, reason: &Reason) -> Result<Write, Reason> {
    let what = What::EnrolmentFailed { reason: reason.clone() };
    let mut event = Event::new(sight.instance(), database, sight.now, what);
    if database.is_none() {
        // More than one thing can be refused at once.
        event.id = format!("{}#{}", event.id, reason.name);
    }
    outbox::with(event)
}

/// The databases in order of their names, in pages.
fn pages(sight: &Sight<'_>, look: &Look, done: &Done) -> Vec<Page> {
    let states: BTreeMap<&str, &DatabaseState> =
        sight.states.iter().map(|state| (state.name.as_str(), state)).collect();
    let before = sight.before();
    let facts = sight.scope.instance.record.facts.as_ref().map(|(_, facts)| facts);
    let mut seen: Vec<Seen> = Vec::with_capacity(look.shown.len());
    for (name, change) in &look.shown {
        let Some(state) = states.get(name.as_str()) else { continue };
        let lineage = lineage_of(state);
        let was = before.get(name.as_str());
        // A database that is not online tells no identity and has not lost it.
        let lineage = lineage.or_else(|| was.and_then(|was| was.lineage.clone()));
        let was_listed = was.is_some_and(|was| was.listed && was.lineage == lineage);
        seen.push(Seen {
            name: name.clone(),
            state: state.state.clone(),
            recovery_model: state.recovery_model,
            data_bytes: state.data_bytes,
            files: state.files,
            listed: done.listed.contains(name) || was_listed,
            lineage,
            change: change.clone(),
            no_logs: facts.and_then(|facts| log_copies(facts, state).err()),
        });
    }
    let pages = seen.chunks(PAGE_DATABASES).enumerate();
    pages
        .map(|(number, seen)| Page {
            instance: sight.instance().to_owned(),
            number: u32::try_from(number).unwrap_or(u32::MAX),
            seen: seen.to_vec(),
        })
        .collect()
}
