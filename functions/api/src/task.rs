//! Tasks: those that are open, those that ended, one of them.

use domain::task::{Task, open_partition};
use handlers::views::{ended_tasks, one_task};
use jiff::Timestamp;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, WriteItems};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::{EVERYTHING, LIMIT_DEFAULT, LIMIT_MAX, cursor, go_on, limit};
use crate::problem::Refused;
use crate::read::{instance, json, moment};
use crate::shapes::{Listing, TaskShape};

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn list_tasks(&self, request: &Request, on: &str) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        match request.parameter("state") {
            None | Some("open") => {
                if request.parameter("before").is_some() {
                    return Err(Refused::query("before is for tasks that ended: say state=ended"));
                }
                self.list(request, (open_partition(on), EVERYTHING), |task: Task| Ok(TaskShape::new(task)))
                    .await
            }
            Some("ended") => self.list_ended(request, on).await,
            Some(other) => Err(Refused::query(format!("state: {other:?} is neither open nor ended"))),
        }
    }

    async fn list_ended(&self, request: &Request, on: &str) -> Result<Response, Refused> {
        let place = format!("ended#{on}");
        let before = match go_on(request, &place)? {
            Some(after) => {
                after.parse().map_err(|_| Refused::query("cursor: it was not given out with a page"))?
            }
            None => moment(request, "before")?.unwrap_or_else(|| self.clock.now()),
        };
        let most = limit(request, (LIMIT_DEFAULT, LIMIT_MAX))?;
        let found = ended_tasks(&self.store, on, before, most).await?;
        let next = found.before.filter(|before| *before > Timestamp::MIN);
        let next = next.map(|before| cursor(&place, before.to_string()));
        json(200, &Listing { items: found.tasks.into_iter().map(TaskShape::new).collect(), next })
    }

    pub(crate) async fn get_task(&self, on: &str, key: &str) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        json(200, &TaskShape::new(one_task(&self.store, on, key).await?))
    }
}
