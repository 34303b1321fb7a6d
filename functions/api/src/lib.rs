//! The HTTP API: what people and programs ask of bakproof, as a function from request to answer.
//!
//! Routes, their document and what they do stand in one table (`routes`), so what is documented is what is there. Nothing here
//! listens: API Gateway and Lambda hand a [`Request`] in, `bakproof serve` does the same from a socket on loopback. Refuses to
//! know rules (they are asked) and authorization (the gateway's: IAM); whoever the gateway did not authenticate is refused.

mod database;
mod digest;
mod discovery;
mod document;
mod enrol;
mod fleet;
mod followers;
mod forecast;
mod happened;
mod holds;
mod http;
mod lists;
mod lives;
mod page;
mod policy;
mod preview;
mod problem;
mod read;
mod requests;
mod routes;
mod shapes;
mod task;

use domain::reason::Reason;
use handlers::Handler;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, WriteItems};

pub use document::document;
pub use http::{BODY_BYTES_MAX, Request, Response, query_of};
pub use problem::{MEDIA_TYPE, Problem};

use problem::Refused;
use routes::{Does, Found, Router};

/// Who may ask without being authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anonymous {
    /// Nobody: there is a gateway in front, and a request without a caller has passed it by.
    Refused,
    /// Whoever reaches the socket, which is on loopback; recorded by this name.
    Named(String),
}

/// Bytes of an answer. Lambda: 6 MB with the answer's own quotes escaped once more (developer guide, "Lambda quotas", read
/// 2026-11); text of ours grows by less than a third.
const ANSWER_BYTES_MAX: usize = 4_500_000;

/// An answer that Lambda can carry: a plan of ten thousand steps is longer.
fn fits(response: Response) -> Result<Response, Refused> {
    if response.body.len() <= ANSWER_BYTES_MAX {
        return Ok(response);
    }
    let message = format!("the answer has {} bytes, {ANSWER_BYTES_MAX} can be sent", response.body.len());
    Err(Refused::new(422, "AnswerTooLarge", message)
        .guidance("ask for a page with a smaller limit; for a plan ask for a point and for logs behind it, or use the command"))
}

/// The function `api`.
pub struct Api<S, X, E, C> {
    store: S,
    executions: X,
    cloud: E,
    clock: C,
    anonymous: Anonymous,
    router: Router,
}

impl<S, X, E, C> Api<S, X, E, C> {
    /// The API over a task store; it starts runs for what is asked of instances, and asks the control plane what happened to them.
    pub fn new(store: S, executions: X, cloud: E, clock: C, anonymous: Anonymous) -> Self {
        Self { store, executions, cloud, clock, anonymous, router: Router::new() }
    }
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Handler for Api<S, X, E, C> {
    type Input = Request;
    type Output = Response;
    const NAME: &'static str = "api";

    /// Every turn of events is an answer, so it never fails.
    async fn handle(&self, request: Request) -> Result<Response, Reason> {
        Ok(self.answer(&request).await.unwrap_or_else(|refused| refused.response(&request.request_id)))
    }
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    async fn answer(&self, request: &Request) -> Result<Response, Refused> {
        let caller = self.caller(request)?;
        if request.body.len() > BODY_BYTES_MAX {
            let message = format!("the body has {} bytes, {BODY_BYTES_MAX} are read", request.body.len());
            return Err(Refused::new(413, "BodyTooLarge", message));
        }
        read::accepts_json(request)?;
        let found = self.router.find(request)?;
        let response = self.perform(request, &found, caller).await?;
        let response = fits(response)?;
        let is_read = request.method == "GET";
        Ok(if is_read { digest::tagged(request, response) } else { response })
    }

    fn caller<'a>(&'a self, request: &'a Request) -> Result<&'a str, Refused> {
        let given = request.caller.as_deref().filter(|caller| !caller.is_empty());
        match (given, &self.anonymous) {
            (Some(caller), _) => Ok(caller),
            (None, Anonymous::Named(name)) => Ok(name),
            (None, Anonymous::Refused) => {
                Err(Refused::new(401, "CallerUnknown", "the gateway did not say who asks")
                    .guidance("sign the request with AWS Signature Version 4 and send it to the gateway"))
            }
        }
    }

    async fn perform(&self, request: &Request, found: &Found, caller: &str) -> Result<Response, Refused> {
        let name = |at: usize| found.names.get(at).map_or("", String::as_str);
        let (first, second, third) = (name(0), name(1), name(2));
        match found.does {
            Does::GetDocument => read::json(200, &document()),
            Does::GetFleet => self.fleet(request).await,
            Does::ListInstances => self.list_instances(request).await,
            Does::GetInstance => self.get_instance(first).await,
            Does::GetInstanceSettings => self.get_settings(first).await,
            Does::PutInstanceSettings => self.put_settings(request, caller, first).await,
            Does::ListDatabases => self.list_databases(request, first).await,
            Does::GetDatabase => self.get_database(first, second).await,
            Does::LetDatabaseGo => self.let_go(caller, first, second).await,
            Does::ListLives => self.list_lives(request, first, second).await,
            Does::GetWindow => self.window(request, first, second).await,
            Does::GetPlan => self.plan(request, first, second).await,
            Does::ListBackups => self.list_backups(request, first, second).await,
            Does::ListLogDays => self.list_log_days(request, first, second).await,
            Does::RequestBackup => self.request_backup(request, caller, first, second).await,
            Does::ListHolds => self.list_holds(request, first, second).await,
            Does::GetHold => self.get_hold(request, [first, second, third]).await,
            Does::PutHold => self.put_hold(request, caller, [first, second, third]).await,
            Does::DeleteHold => self.delete_hold(request, [first, second, third]).await,
            Does::ListTasks => self.list_tasks(request, first).await,
            Does::GetTask => self.get_task(first, second).await,
            Does::CancelTask => self.cancel_task(caller, first, second).await,
            Does::ListEvents => self.list_events(request, first).await,
            Does::ListPolicies => self.list_names(request, domain::directory::What::Policy).await,
            Does::GetPolicy => self.get_policy(first).await,
            Does::PutPolicy => self.put_policy(request, caller, first).await,
            Does::PreviewPolicy => self.preview(request, first).await,
            Does::ListVaults => self.list_names(request, domain::directory::What::Vault).await,
            Does::GetVault => self.get_vault(first).await,
            Does::PutVault => self.put_vault(request, caller, first).await,
            Does::ListDiscoveries => self.list_names(request, domain::directory::What::Discovery).await,
            Does::GetDiscovery => self.get_discovery(first).await,
            Does::PutDiscovery => self.put_discovery(request, caller, first).await,
            Does::LookNow => self.look_now(request, caller).await,
            Does::GetListed => self.listed().await,
            Does::GetDiscovered => self.discovered(request, first).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_lambda_would_drop_is_refused_by_name() {
        let of = |bytes| fits(Response::json(200, "x".repeat(bytes))).map_err(|refused| refused.status);
        assert!(of(ANSWER_BYTES_MAX).is_ok());
        assert_eq!(of(ANSWER_BYTES_MAX + 1), Err(422));
    }
}
