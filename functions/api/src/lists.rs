//! Lists, a page at a time: names from the directory, databases of an instance, backups of a lineage.

use domain::catalogue::{DATA_RANGE, DataBackup, LOG_RANGE, LogDay};
use domain::directory::{self, Listed, What};
use domain::inventory::{Database, databases_partition};
use domain::record::Record;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, WriteItems, decode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Api;
use crate::http::{Request, Response};
use crate::lives::life;
use crate::page::{EVERYTHING, LIMIT_DEFAULT, LIMIT_MAX, page};
use crate::problem::Refused;
use crate::read::{instance, json};
use crate::shapes::{BackupShape, DatabaseShape, ExposureShape, Listing, LogsShape, NameShape};

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    /// One page of records, each in its shape.
    pub(crate) async fn list<R: Record, T: Serialize + JsonSchema>(
        &self,
        request: &Request,
        (partition, range): (String, (&str, &str)),
        shape: impl Fn(R) -> Result<T, Refused>,
    ) -> Result<Response, Refused> {
        let limits = (LIMIT_DEFAULT, LIMIT_MAX);
        let (page, next) = page(&self.store, request, partition, range, limits).await?;
        let items = page.items.iter().map(|item| shape(decode::<R>(item)?.record));
        json(200, &Listing { items: items.collect::<Result<_, Refused>>()?, next })
    }

    pub(crate) async fn list_names(&self, request: &Request, what: What) -> Result<Response, Refused> {
        let range = (directory::partition(what), EVERYTHING);
        self.list(request, range, |listed: Listed| Ok(NameShape { name: listed.name })).await
    }

    pub(crate) async fn list_instances(&self, request: &Request) -> Result<Response, Refused> {
        self.list_names(request, What::Instance).await
    }

    pub(crate) async fn list_databases(&self, request: &Request, name: &str) -> Result<Response, Refused> {
        let now = self.clock.now();
        let instance = instance(&self.store, name).await?.record;
        let policy = self.promises_of(&instance).await?;
        let range = (databases_partition(name), EVERYTHING);
        let watch = self.watch_of(name).await?;
        self.list(request, range, |database: Database| {
            let exposure = ExposureShape::new(&database, policy.as_ref(), &watch, now)?;
            Ok(DatabaseShape::new(database, exposure))
        })
        .await
    }

    pub(crate) async fn list_backups(
        &self,
        request: &Request,
        instance: &str,
        database: &str,
    ) -> Result<Response, Refused> {
        let partition = life(&self.store, request, instance, database).await?.partition();
        self.list(request, (partition, DATA_RANGE), |entry: DataBackup| Ok(BackupShape::new(&entry))).await
    }

    pub(crate) async fn list_log_days(
        &self,
        request: &Request,
        instance: &str,
        database: &str,
    ) -> Result<Response, Refused> {
        let partition = life(&self.store, request, instance, database).await?.partition();
        self.list(request, (partition, LOG_RANGE), |day: LogDay| Ok(LogsShape::new(&day))).await
    }
}
