//! People who ask bakproof for something: the functions that the API calls, invoked as an API is, by a client that asks again when it
//! heard no answer.

use domain::reason::{Class, Reason};
use domain::task::Kind;
use handlers::Handler;
use handlers::requests::{BackupRequest, CancelRequest, request_backup, request_cancel};
use handlers::views::open_tasks;
use jiff::SignedDuration;
use ports::Clock;
use ports::store::{ReadItems, WriteItems};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::executor::Ending;
use crate::testbed::Testbed;

/// Name of the function.
pub const REQUESTS: &str = "requests";

/// How long a client waits before it asks again: longer than an answer takes.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Times that a client asks.
const TRIES: u32 = 5;

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "wish")]
pub enum Wish {
    /// A backup.
    Backup {
        /// Instance.
        instance: String,
        /// Database.
        database: String,
        /// What.
        kind: Kind,
        /// Who.
        by: String,
        /// Idempotency key.
        key: String,
    },
    /// The open task of a kind cancelled.
    Cancel {
        /// Instance.
        instance: String,
        /// Database.
        database: String,
        /// Which.
        kind: Kind,
        /// Who.
        by: String,
    },
}

/// The requests of the API without its HTTP.
pub(super) struct Requests<S, C> {
    pub(super) store: S,
    pub(super) clock: C,
}

impl<S: ReadItems + WriteItems, C: Clock> Handler for Requests<S, C> {
    type Input = Wish;
    type Output = Value;
    const NAME: &'static str = REQUESTS;

    async fn handle(&self, wish: Wish) -> Result<Value, Reason> {
        let now = self.clock.now();
        let answer = match wish {
            Wish::Backup { instance, database, kind, by, key } => {
                let request =
                    BackupRequest { instance, database, kind, requested_by: by, idempotency_key: key };
                serde_json::to_value(request_backup(&self.store, &request, now).await?)
            }
            Wish::Cancel { instance, database, kind, by } => {
                let open = open_tasks(&self.store, &instance).await?;
                let task = open.into_iter().find(|task| task.database == database && task.kind == kind);
                let Some(task) = task else { return Ok(Value::Null) };
                let request = CancelRequest { instance, task: task.key, requested_by: by };
                serde_json::to_value(request_cancel(&self.store, &request, now).await?)
            }
        };
        answer.map_err(|error| Reason::new(Class::Human, "AnswerUnwritable", error.to_string()))
    }
}

/// Somebody with a wish and some patience.
pub struct Client;

impl Client {
    /// Asks now, and again while no answer is heard or time or people may mend what stood against it.
    pub fn ask(bed: &mut Testbed, wish: Wish) {
        Self::try_once(bed, wish, 1);
    }

    fn try_once(bed: &mut Testbed, wish: Wish, tries: u32) {
        let Ok(payload) = serde_json::to_value(&wish) else { return };
        let Ok(id) = bed.invoke(REQUESTS, payload) else { return };
        let Ok(then) = bed.now().checked_add(PATIENCE) else { return };
        bed.at(then, move |bed| {
            let again = match bed.take_ending(id) {
                Some(Ending::Returned(Ok(_))) => false,
                Some(Ending::Returned(Err(reason))) => reason.class != Class::Never,
                Some(Ending::TimedOut { .. } | Ending::Crashed) | None => true,
            };
            if again && tries < TRIES {
                Self::try_once(bed, wish, tries + 1);
            }
        });
    }
}
