//! Holds: what keeps a backup whatever retention says.

use domain::catalogue::{DATA_RANGE, DataBackup, Life};
use domain::hold::{self, Hold};
use domain::id::BackupId;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{Expect, ReadItems, Versioned, WriteItems, load, load_range};

use crate::Api;
use crate::digest::{Replace, may_replace, tag};
use crate::http::{Request, Response};
use crate::lives::life;
use crate::page::EVERYTHING;
use crate::problem::Refused;
use crate::read::{body, json, required};
use crate::shapes::{HoldBody, HoldShape};

/// Characters of a hold's `why`. Policy of ours: some words.
const WHY_CHARS_MAX: usize = 200;

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn list_holds(
        &self,
        request: &Request,
        on: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        let life = life(&self.store, request, on, name).await?;
        let now = self.clock.now();
        self.list(request, (hold::partition(&life), EVERYTHING), |hold: Hold| Ok(HoldShape::new(hold, now)))
            .await
    }

    pub(crate) async fn put_hold(
        &self,
        request: &Request,
        caller: &str,
        [on, name, backup]: [&str; 3],
    ) -> Result<Response, Refused> {
        let HoldBody { why, until } = body(request)?;
        let now = self.clock.now();
        if why.trim().is_empty() || why.chars().count() > WHY_CHARS_MAX {
            return Err(Refused::new(
                422,
                "ValueOutOfRange",
                format!("why: 1 to {WHY_CHARS_MAX} characters"),
            ));
        }
        if until.is_some_and(|until| until <= now) {
            return Err(Refused::new(422, "ValueOutOfRange", format!("until: {now} is past it already")));
        }
        let life = life(&self.store, request, on, name).await?;
        let backup = self.held_backup(&life, backup).await?;
        let stored: Option<Versioned<Hold>> = load(&self.store, hold::key(&life, &backup)).await?;
        let current =
            stored.clone().map(|stored| json(200, &HoldShape::new(stored.record, now))).transpose()?;
        let Life { instance, lineage } = life;
        let (expect, status) = stored.as_ref().map_or((Expect::Absent, 201), |stored| (stored.expect, 200));
        // What a person says of it is why and until when; who said so first stays.
        let says_the_same =
            stored.map(|stored| stored.record).filter(|held| held.why == why && held.until == until);
        let news =
            || Hold { instance, lineage, backup, why, held_by: caller.to_owned(), held_at: now, until };
        let record = says_the_same.unwrap_or_else(news);
        let answer = json(status, &HoldShape::new(record.clone(), now))?;
        if may_replace(request, current.as_ref(), &answer)? == Replace::Write {
            self.store.commit(&[Versioned { record, expect }.put()?]).await?;
        }
        let tag = tag(&answer.body);
        Ok(answer.with("etag", tag))
    }

    pub(crate) async fn get_hold(&self, request: &Request, names: [&str; 3]) -> Result<Response, Refused> {
        let key = self.hold_key(request, names).await?;
        let found: Versioned<Hold> = required(&self.store, key, "hold", names[2]).await?;
        json(200, &HoldShape::new(found.record, self.clock.now()))
    }

    /// Where the hold is stored that a path names by instance, database and backup.
    async fn hold_key(
        &self,
        request: &Request,
        [on, name, backup]: [&str; 3],
    ) -> Result<(String, String), Refused> {
        let life = life(&self.store, request, on, name).await?;
        Ok(hold::key(&life, &BackupId::new(backup)))
    }

    /// The backup as the catalogue spells it. A hold on what is not there would let a person believe that something is held.
    async fn held_backup(&self, life: &Life, backup: &str) -> Result<BackupId, Refused> {
        let wanted = BackupId::new(backup);
        let known: Vec<Versioned<DataBackup>> =
            load_range(&self.store, &life.partition(), DATA_RANGE).await?;
        let known = known.into_iter().map(|entry| entry.record.backup.id).find(|id| *id == wanted);
        known.ok_or_else(|| {
            Refused::new(
                404,
                "NotFound",
                format!("there is no full or differential {backup:?} of this database"),
            )
            .guidance("a hold on a full or differential keeps the logs that it needs as well")
        })
    }

    pub(crate) async fn delete_hold(&self, request: &Request, names: [&str; 3]) -> Result<Response, Refused> {
        let key = self.hold_key(request, names).await?;
        let stored: Option<Versioned<Hold>> = load(&self.store, key).await?;
        if let Some(stored) = stored {
            self.store.commit(&[stored.delete()]).await?;
        }
        Ok(Response::empty(204))
    }

    /// The holds of a life that are in force.
    pub(crate) async fn holds(&self, life: &Life) -> Result<Vec<domain::retention::Hold>, Refused> {
        let now = self.clock.now();
        let stored: Vec<Versioned<Hold>> =
            load_range(&self.store, &hold::partition(life), EVERYTHING).await?;
        let in_force = stored.iter().filter(|hold| hold.record.is_in_force(now));
        Ok(in_force.map(|hold| hold.record.terms()).collect())
    }
}
