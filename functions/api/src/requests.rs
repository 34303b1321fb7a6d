//! What is asked of the run of an instance: a backup now, a cancel. Written into its mailbox, then the run is woken.

use handlers::requests::{
    Accepted, BackupRequest, CancelAnswer, CancelOutcome, CancelRequest, request_backup, request_cancel,
};
use handlers::wake::wake;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, WriteItems};

use crate::Api;
use crate::http::{Request, Response};
use crate::problem::Refused;
use crate::read::{body, json};
use crate::shapes::{AcceptedShape, BackupBody, CancelShape, OutcomeShape};

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn request_backup(
        &self,
        request: &Request,
        caller: &str,
        on: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        let Some(key) = request.header("idempotency-key") else {
            return Err(Refused::new(400, "IdempotencyKeyMissing", "the request has no Idempotency-Key")
                .guidance("send one of your own, the same whenever you ask for the same thing again"));
        };
        let BackupBody { kind } = body(request)?;
        let asked = BackupRequest {
            instance: on.to_owned(),
            database: name.to_owned(),
            kind,
            requested_by: caller.to_owned(),
            idempotency_key: key.to_owned(),
        };
        let Accepted { task, is_new, notes } = request_backup(&self.store, &asked, self.clock.now()).await?;
        self.wake(on).await;
        json(202, &AcceptedShape { task, is_new, notes })
    }

    pub(crate) async fn cancel_task(&self, caller: &str, on: &str, task: &str) -> Result<Response, Refused> {
        let asked =
            CancelRequest { instance: on.to_owned(), task: task.to_owned(), requested_by: caller.to_owned() };
        let answer = request_cancel(&self.store, &asked, self.clock.now()).await?;
        let CancelAnswer { task, outcome, notes } = answer;
        let (status, outcome) = match outcome {
            CancelOutcome::Requested => (202, OutcomeShape::Requested),
            CancelOutcome::AlreadyEnded => (200, OutcomeShape::AlreadyEnded),
        };
        if status == 202 {
            self.wake(on).await;
        }
        json(status, &CancelShape { task, outcome, notes })
    }

    /// Starts the run where none is at work. The request is in the store by now and the instance is due: where this fails, the next look of
    /// the fleet starts the run, so the answer is the same.
    async fn wake(&self, instance: &str) {
        let _ = wake(&self.store, &self.executions, instance, self.clock.now()).await;
    }
}
