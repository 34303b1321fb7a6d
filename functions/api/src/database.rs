//! One instance or database; the window of a database, and plans to restore it.

use domain::backup::Backup;
use domain::catalogue::{DATA_RANGE, DataBackup, LOG_RANGE, Life, LogDay};
use domain::coverage;
use domain::exposure::{self, Watch};
use domain::history::History;
use domain::inventory::instance_key;
use domain::lease::{self, Lease};
use domain::restore::{Request as Wanted, Target};
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, Versioned, WriteItems, load, load_range};
use sqlserver::import::SourceZone;
use sqlserver::plan::plan;
use sqlserver::script::Naming;

use crate::Api;
use crate::http::{Request, Response};
use crate::lives::life;
use crate::problem::Refused;
use crate::read::{database, instance, json, required};
use crate::shapes::{DatabaseShape, ExposureShape, InstanceShape};

/// What a window from the store does not know.
const SERVICE_LOGS: &str = "logs that RDS keeps and that are not copied yet are not in here: they help after damage, as long as the \
                            database lives";

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn get_instance(&self, name: &str) -> Result<Response, Refused> {
        let found = required(&self.store, instance_key(name), "instance", name).await?;
        let lease: Option<Versioned<Lease>> = load(&self.store, lease::key(name)).await?;
        let lease = lease.map(|lease| lease.record);
        json(200, &InstanceShape::new(found.record, lease.as_ref(), self.clock.now()))
    }

    pub(crate) async fn get_database(&self, on: &str, name: &str) -> Result<Response, Refused> {
        let found = database(&self.store, on, name).await?;
        let instance = instance(&self.store, on).await?.record;
        let policy = self.promises_of(&instance).await?;
        let (watch, now) = (self.watch_of(on).await?, self.clock.now());
        let exposure = ExposureShape::new(&found, policy.as_ref(), &watch, now)?;
        json(200, &DatabaseShape::new(found, exposure))
    }

    /// What is known of the promises of an instance; before its first run, nothing is.
    pub(crate) async fn watch_of(&self, on: &str) -> Result<Watch, Refused> {
        let found: Option<Versioned<Watch>> = load(&self.store, exposure::key(on)).await?;
        Ok(found.map_or_else(|| Watch::new(on, self.clock.now()), |found| found.record))
    }

    pub(crate) async fn window(&self, request: &Request, on: &str, name: &str) -> Result<Response, Refused> {
        let life = life(&self.store, request, on, name).await?;
        let history = self.history(&life).await?;
        let mut report = coverage::report(&history, self.clock.now(), |_| true);
        report.warnings.push(SERVICE_LOGS.to_owned());
        json(200, &report)
    }

    /// Plans; a refusal is an answer as good as a plan.
    pub(crate) async fn plan(&self, request: &Request, on: &str, name: &str) -> Result<Response, Refused> {
        let malformed = |parameter: &str, why: String| Refused::query(format!("{parameter}: {why}"));
        let at = request.parameter("at").unwrap_or_default();
        let at: Target = at.parse().map_err(|why| malformed("at", why))?;
        let zone = request.parameter("target_zone").map(str::parse::<SourceZone>).transpose();
        let naming = Naming {
            target_name: request.parameter("target_name").filter(|name| !name.is_empty()).map(str::to_owned),
            target_zone: zone.map_err(|why| malformed("target_zone", why.to_string()))?,
            source_zone: None,
        };
        let life = life(&self.store, request, on, name).await?;
        let history = self.history(&life).await?;
        let Some(lineage) = history.lineages().first() else {
            return Err(Refused::new(
                404,
                "NothingInVault",
                format!("the vault holds no backup of {name:?}"),
            ));
        };
        json(200, &plan(lineage, &Wanted::at(at), &naming, history.warnings()))
    }

    /// All backups of a life that are in the vault. Reads its catalogue whole: a day of logs is one item, so 35 days with hourly
    /// copies are two pages.
    pub(crate) async fn history(&self, life: &Life) -> Result<History, Refused> {
        let partition = life.partition();
        let data: Vec<Versioned<DataBackup>> = load_range(&self.store, &partition, DATA_RANGE).await?;
        let days: Vec<Versioned<LogDay>> = load_range(&self.store, &partition, LOG_RANGE).await?;
        let mut headers: Vec<Backup> = data.into_iter().map(|entry| entry.record.backup).collect();
        headers.extend(days.iter().flat_map(|day| day.record.backups()));
        History::build(headers, Vec::new(), self.clock.now()).map_err(|conflict| {
            let message = format!("{partition}: two backups share the id {} and differ", conflict.id);
            Refused::new(500, "CatalogueContradictory", message)
                .guidance("look at both items of the table: one of them was not written by bakproof")
        })
    }
}
