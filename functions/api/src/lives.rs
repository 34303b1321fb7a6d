//! Databases that had a name before, and those that are let go: what the vault has of them is found by the name they had.

use domain::catalogue::Life;
use domain::discovery::former::{self, Former};
use domain::id::Guid;
use domain::inventory::{Database, Lineage, database_key};
use domain::mailbox::Requested;
use handlers::views::open_tasks;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{ReadItems, Versioned, WriteItems, load, load_range, replacing};

use crate::Api;
use crate::http::{Request, Response};
use crate::page::EVERYTHING;
use crate::problem::Refused;
use crate::read::instance;
use crate::shapes::LifeShape;

/// Which of the databases that had a name a request is about.
pub(crate) const WHICH: &str = "database_guid";

/// On which of the servers that had the instance's name it was.
pub(crate) const SERVER: &str = "server";

const GUIDANCE: &str =
    "GET …/lives lists those that had the name before; ?database_guid= asks for one of them";

/// The life that a request is about: by `database_guid` where it is given, else the one that has the name now. Of those with the same guids on
/// several servers, which only an instance that was restored and renamed has, the newest, or that of `server`.
///
/// # Errors
/// 404 where there is no such database, or nothing was ever seen of it; 400 where `server` is no number, or there is no `database_guid` with it.
pub(crate) async fn life(
    store: &impl ReadItems,
    request: &Request,
    on: &str,
    name: &str,
) -> Result<Life, Refused> {
    let head: Option<Versioned<Database>> = load(store, database_key(on, name)).await?;
    let is_known = head.is_some();
    let current = head.as_ref().and_then(|head| Life::of(&head.record));
    let server = server_of(request)?;
    let Some(wanted) = request.parameter(WHICH) else {
        return current.ok_or_else(|| nothing(name, is_known));
    };
    let wanted = Guid::new(wanted);
    let fits = |life: &Life| {
        let Lineage { database_guid, server: on, .. } = &life.lineage;
        *database_guid == wanted && server.is_none_or(|server| server == *on)
    };
    if let Some(current) = current.filter(fits) {
        return Ok(current);
    }
    // Few: as often as somebody restored the database or its instance.
    let formers: Vec<Versioned<Former>> = load_range(store, &former::partition(on, name), EVERYTHING).await?;
    let lives = formers.into_iter().map(|former| former.record.life()).filter(fits);
    lives.max_by_key(|life| life.lineage.server).ok_or_else(|| {
        let message = format!("no database {wanted} has or had the name {name:?} on {on}");
        Refused::new(404, "NotFound", message).guidance(GUIDANCE)
    })
}

fn server_of(request: &Request) -> Result<Option<u32>, Refused> {
    let Some(text) = request.parameter(SERVER) else { return Ok(None) };
    if request.parameter(WHICH).is_none() {
        return Err(Refused::query("server: it goes with database_guid"));
    }
    text.parse()
        .map(Some)
        .map_err(|_| Refused::query(format!("server: {text:?} is no number as GET …/lives has it")))
}

fn nothing(name: &str, is_known: bool) -> Refused {
    if !is_known {
        return Refused::new(404, "NotFound", format!("there is no database {name:?}")).guidance(GUIDANCE);
    }
    let message = format!("database {name:?} was not seen on its server yet: nothing is backed up");
    Refused::new(404, "NothingInVault", message)
        .guidance("its first full is taken by the next run of the instance; GET …/lives lists those that had the name before")
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    pub(crate) async fn list_lives(
        &self,
        request: &Request,
        on: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        instance(&self.store, on).await?;
        let range = (former::partition(on, name), EVERYTHING);
        self.list(request, range, |former: Former| Ok(LifeShape::new(former))).await
    }

    /// Lets a database go that is gone from its server: its name is free, what the vault has of it stays. Asked again it changes nothing.
    pub(crate) async fn let_go(&self, caller: &str, on: &str, name: &str) -> Result<Response, Refused> {
        let now = self.clock.now();
        let stored: Option<Versioned<Database>> = load(&self.store, database_key(on, name)).await?;
        let Some(head) = stored else {
            instance(&self.store, on).await?;
            return Ok(Response::empty(204));
        };
        if head.record.gone_at.is_none() {
            let message = format!("database {name:?} was on {on} when it was last looked for");
            return Err(Refused::new(409, "DatabaseThere", message).guidance(
                "exclude it in its policy to end its protection; what was dropped is found gone by the next discovery",
            ));
        }
        if open_tasks(&self.store, on).await?.iter().any(|task| task.database == name) {
            return Err(Refused::new(409, "TasksPending", format!("database {name:?} has an open task"))
                .guidance("wait for its end, or cancel it"));
        }
        let mut writes = vec![head.delete()];
        if let Some(former) = Former::of(&head.record, now) {
            let former = Former { let_go: Some(Requested { by: caller.to_owned(), at: now }), ..former };
            writes.push(replacing(&self.store, former).await?);
        }
        self.store.commit(&writes).await?;
        Ok(Response::empty(204))
    }
}
