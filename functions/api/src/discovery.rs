//! Discovery: its settings, a look asked for now, and what the last one saw.

use domain::directory::What;
use domain::discovery::seen::{Looked, PAGES, Page, looked_key, partition};
use domain::discovery::settings::{Settings, settings_key};
use domain::mailbox::check_idempotency_key;
use handlers::contract::SCHEMA;
use handlers::contract::discovery::ListInstancesInput;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::{Machine, StartExecution, Started};
use ports::store::{Expect, ReadItems, Versioned, WriteItems, decode, load};

use crate::Api;
use crate::digest::{Replace, digest, may_replace, tag};
use crate::enrol::{check_name, check_secret};
use crate::http::{Request, Response};
use crate::page::page;
use crate::problem::Refused;
use crate::read::{body, instance, json, required};
use crate::shapes::{DiscoveredShape, DiscoveryBody, ListedShape, LookStarted};

/// Texts of one kind in the settings. Policy of ours: with 200 characters each the record stays far below what an item holds.
const TEXTS_MAX: usize = 200;

/// Characters of one of them. A tag has a key of 128 and a value of 256 (RDS API reference, `Tag`, read 2026-11).
const TEXT_CHARS_MAX: usize = 400;

fn check(body: &DiscoveryBody) -> Result<(), Refused> {
    let lists = [
        ("tags", &body.tags),
        ("instances", &body.instances),
        ("include", &body.include),
        ("exclude", &body.exclude),
    ];
    for (field, texts) in lists {
        if texts.len() > TEXTS_MAX || texts.iter().any(|text| text.chars().count() > TEXT_CHARS_MAX) {
            let message = format!("{field}: {TEXTS_MAX} at most, of {TEXT_CHARS_MAX} characters each");
            return Err(Refused::new(422, "ValueOutOfRange", message));
        }
    }
    body.secret_arn.as_deref().map_or(Ok(()), check_secret)
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn get_discovery(&self, name: &str) -> Result<Response, Refused> {
        let found: Versioned<Settings> = required(&self.store, settings_key(name), "discovery", name).await?;
        json(200, &DiscoveryBody::of(found.record))
    }

    pub(crate) async fn put_discovery(
        &self,
        request: &Request,
        caller: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        check_name(name)?;
        let given: DiscoveryBody = body(request)?;
        check(&given)?;
        let record = given.record(name);
        if let Some(finding) = record.findings().into_iter().next() {
            return Err(Refused::new(422, "ValueOutOfRange", finding.message));
        }
        self.must_fit(&record.policy, &record.vault).await?;
        let stored: Option<Versioned<Settings>> = load(&self.store, settings_key(name)).await?;
        let current =
            stored.clone().map(|stored| json(200, &DiscoveryBody::of(stored.record))).transpose()?;
        let (expect, status) = stored.map_or((Expect::Absent, 201), |stored| (stored.expect, 200));
        let answer = json(status, &DiscoveryBody::of(record.clone()))?;
        if may_replace(request, current.as_ref(), &answer)? == Replace::Write {
            self.enrol(What::Discovery, name, caller, Versioned { record, expect }.put()?).await?;
        }
        let tag = tag(&answer.body);
        Ok(answer.with("etag", tag))
    }

    /// Starts the machine. The execution is named after the caller's key, so that the same wish starts nothing twice however late it comes
    /// again (a name stays taken for 90 days); without a key after the minute.
    pub(crate) async fn look_now(&self, request: &Request, caller: &str) -> Result<Response, Refused> {
        let execution = match request.header("idempotency-key") {
            Some(key) => {
                check_idempotency_key(key)?;
                format!("asked-{}", digest(format!("{caller}\n{key}").as_bytes(), 16))
            }
            None => self.clock.now().strftime("asked-%Y%m%dT%H%MZ").to_string(),
        };
        let input = ListInstancesInput { schema: SCHEMA, after: None };
        let input = serde_json::to_string(&input)
            .map_err(|error| Refused::new(500, "AnswerUnwritable", error.to_string()))?;
        let started = self.executions.start_execution(Machine::Discovery, &execution, &input).await?;
        json(202, &LookStarted { execution, is_new: started == Started::Begun })
    }

    /// What the listing of the instances found that selected ones were not enrolled for.
    pub(crate) async fn listed(&self) -> Result<Response, Refused> {
        let looked: Option<Versioned<Looked>> = load(&self.store, looked_key("")).await?;
        json(200, &ListedShape::new(looked.map(|looked| looked.record).unwrap_or_default()))
    }

    pub(crate) async fn discovered(&self, request: &Request, name: &str) -> Result<Response, Refused> {
        instance(&self.store, name).await?;
        let looked: Option<Versioned<Looked>> = load(&self.store, looked_key(name)).await?;
        let (found, next) = page(&self.store, request, partition(name), PAGES, (1, 1)).await?;
        let seen = found.items.first().map(decode::<Page>).transpose()?;
        let looked = looked.map(|looked| looked.record).unwrap_or_default();
        json(200, &DiscoveredShape::new(looked, seen.map(|seen| seen.record), next))
    }
}
