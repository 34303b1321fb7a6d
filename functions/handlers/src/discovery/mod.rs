//! A look at the databases of an instance: what it is made from, what it decides, what is written. Made by discover-databases, and, as far
//! as names and their databases go, by check-chains when a database is not where it was.

mod carry_out;
mod remember;

use std::collections::{BTreeMap, BTreeSet};

use domain::admission::lineage_of;
use domain::directory::{self, Listed, What};
use domain::discovery::kin::{self, Kin};
use domain::discovery::seen::{self, Looked, Page, Seen, looked_key};
use domain::discovery::settings::{Settings, settings_key};
use domain::discovery::{Change, Ground, Known, Look, look};
use domain::facts::DatabaseState;
use domain::inventory::{Database, Lineage};
use domain::limits::Name;
use domain::reason::Reason;
use domain::task::Task;
use jiff::Timestamp;
use ports::store::{ReadItems, Versioned, WriteItems, load, load_range};

use crate::scope::{SORT_MAX, Scope, databases, open_tasks};

/// What a look came to.
pub(crate) struct Found {
    /// What it decided.
    pub(crate) look: Look,
    /// Whether something waits for a task to end.
    pub(crate) waits: bool,
    /// The look as a whole, as it is stored.
    pub(crate) looked: Looked,
}

/// Looks, and writes what came of it.
pub(crate) async fn discover<S: ReadItems + WriteItems>(
    store: &S,
    scope: &Scope,
    states: &[DatabaseState],
    now: Timestamp,
) -> Result<Found, Reason> {
    let discovery = Discovery { store };
    let sight = discovery.sight(scope, states, now).await?;
    let look = discovery.look(&sight).await?;
    let done = discovery.carry_out(&sight, &look).await?;
    let looked = discovery.remember(&sight, &look, &done).await?;
    Ok(Found { look, waits: done.waits, looked })
}

/// Follows what the server shows under another name than its head's, and what has taken a name. Made in passing, so it enrols nothing, and
/// takes nothing for gone because one look misses it.
pub(crate) async fn follow<S: ReadItems + WriteItems>(
    store: &S,
    scope: &Scope,
    states: &[DatabaseState],
    now: Timestamp,
) -> Result<(), Reason> {
    let discovery = Discovery { store };
    let sight = discovery.sight(scope, states, now).await?;
    // Kin elsewhere tells newcomers apart, which are discovery's.
    let mut look = look(&sight.ground(0), &sight.known(), states);
    look.shown.retain(|(_, change)| matches!(change, Change::Renamed { .. } | Change::Recreated));
    look.gone.clear();
    discovery.carry_out(&sight, &look).await.map(|_| ())
}

/// Whether the server shows a database under another name than its head's, or another database under its name: who sees it need not wait
/// for the next discovery, and must not take one for the other.
pub(crate) fn shows_displaced(heads: &[Versioned<Database>], states: &[DatabaseState]) -> bool {
    let shown: BTreeMap<&str, Option<String>> = states
        .iter()
        .map(|state| (state.name.as_str(), lineage_of(state).as_ref().map(Lineage::folded)))
        .collect();
    let lineages: BTreeSet<&String> = shown.values().flatten().collect();
    heads.iter().map(|head| &head.record).any(|head| {
        let Some(own) = head.lineage.as_ref().map(Lineage::folded) else { return false };
        match shown.get(head.name.as_str()) {
            // One that is not online tells no identity and is where it was.
            Some(None) => false,
            Some(Some(there)) if *there == own => false,
            // Another database has the name; of one that is gone that is discovery's to say.
            Some(Some(_)) if head.gone_at.is_none() => true,
            Some(Some(_)) | None => lineages.contains(&own),
        }
    })
}

struct Discovery<'a, S> {
    store: &'a S,
}

/// What a look is made from, all read before anything is decided.
struct Sight<'s> {
    scope: &'s Scope,
    settings: Settings,
    /// What the server shows.
    states: &'s [DatabaseState],
    /// Heads of the instance.
    heads: Vec<Versioned<Database>>,
    /// What was seen the last time.
    pages: Vec<Versioned<Page>>,
    now: Timestamp,
}

impl Sight<'_> {
    fn instance(&self) -> &str {
        &self.scope.instance.record.name
    }

    fn heads(&self) -> BTreeMap<&str, &Database> {
        self.heads.iter().map(|head| (head.record.name.as_str(), &head.record)).collect()
    }

    /// What was seen of a name the last time.
    fn before(&self) -> BTreeMap<&str, &Seen> {
        let seen = self.pages.iter().flat_map(|page| &page.record.seen);
        seen.map(|seen| (seen.name.as_str(), seen)).collect()
    }

    fn ground(&self, in_vault: u64) -> Ground<'_> {
        let profile = self.scope.vault.profile;
        Ground { instance: self.instance(), settings: &self.settings, profile, in_vault }
    }

    fn known(&self) -> Vec<Known> {
        self.heads.iter().map(|head| Known::of(&head.record)).collect()
    }
}

/// Whether a family is known to hold a head.
fn is_listed(before: &BTreeMap<&str, &Seen>, head: &Database) -> bool {
    before.get(head.name.as_str()).is_some_and(|seen| seen.listed && seen.lineage == head.lineage)
}

impl<S: ReadItems + WriteItems> Discovery<'_, S> {
    /// The settings that select the instance. One that a person enrolled and nothing selects is looked at and enrols nothing. What the
    /// policy excludes would get a head and never a backup.
    async fn settings(&self, scope: &Scope) -> Result<Settings, Reason> {
        let instance = &scope.instance.record;
        let mut found = None;
        if let Some(name) = &instance.discovery {
            found = load::<Settings>(self.store, settings_key(name)).await?;
        }
        let mut settings = found.map_or_else(
            || Settings { include: Vec::new(), ..Settings::new("none", &instance.policy, &instance.vault) },
            |found| found.record,
        );
        settings.exclude.extend(scope.policy.exclude.iter().cloned());
        Ok(settings)
    }

    async fn sight<'s>(
        &self,
        scope: &'s Scope,
        states: &'s [DatabaseState],
        now: Timestamp,
    ) -> Result<Sight<'s>, Reason> {
        let settings = self.settings(scope).await?;
        let instance = scope.instance.record.name.clone();
        let heads = databases(self.store, &instance).await?;
        let pages = load_range(self.store, &seen::partition(&instance), seen::PAGES).await?;
        Ok(Sight { scope, settings, states, heads, pages, now })
    }

    /// The look. Families and the vault are asked about only where a database is there that nobody knows.
    async fn look(&self, sight: &Sight<'_>) -> Result<Look, Reason> {
        let mut known = sight.known();
        let first = look(&sight.ground(0), &known, sight.states);
        let strangers: BTreeSet<&str> =
            first.shown.iter().filter(|(_, change)| change.enrols()).map(|(name, _)| name.as_str()).collect();
        if strangers.is_empty() {
            return Ok(first);
        }
        let families: BTreeSet<String> = sight
            .states
            .iter()
            .filter(|state| strangers.contains(state.name.as_str()))
            .filter_map(|state| state.family_guid.as_ref().map(kin::partition))
            .collect();
        for family in families {
            let members: Vec<Versioned<Kin>> = load_range(self.store, &family, ("", SORT_MAX)).await?;
            let elsewhere = members.into_iter().map(|member| member.record.known());
            known.extend(elsewhere.filter(|member| member.place.instance != sight.instance()));
        }
        let in_vault = self.in_vault(sight.scope).await?;
        Ok(look(&sight.ground(in_vault), &known, sight.states))
    }

    /// Databases that the vault protects, as the last looks counted them; not asked where no limit is set.
    async fn in_vault(&self, scope: &Scope) -> Result<u64, Reason> {
        if scope.vault.profile.value(Name::DatabasesPerVault).is_none() {
            return Ok(0);
        }
        let names: Vec<Versioned<Listed>> =
            load_range(self.store, &directory::partition(What::Instance), ("", SORT_MAX)).await?;
        let mut count = 0_u64;
        for listed in names {
            let looked: Option<Versioned<Looked>> = load(self.store, looked_key(&listed.record.name)).await?;
            let looked = looked.filter(|looked| looked.record.vault == scope.vault.name);
            count = count.saturating_add(looked.map_or(0, |looked| looked.record.protected));
        }
        Ok(count)
    }

    /// Open tasks, where one may stand in the way.
    async fn open_tasks(&self, sight: &Sight<'_>, are_asked: bool) -> Result<Vec<Versioned<Task>>, Reason> {
        if are_asked { open_tasks(self.store, sight.instance()).await } else { Ok(Vec::new()) }
    }
}
