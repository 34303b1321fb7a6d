//! No database is passed over: within the rhythm of discovery each is protected, or skipped with a reason that people can read; what is
//! gone is marked as gone.
//!
//! Which databases there are, the scenario tells, and the world is held against it: nothing here knows how they are recognised.

use domain::discovery::Change;
use jiff::SignedDuration;
use world::World;

use super::Checked;
use super::silence::{BACKUP_TAKES, fits, found_by};
use crate::scenario::Scenario;
use crate::scenario::lives::Life;
use crate::simulation::{DISCOVERY_EVERY, DatabaseView, View};

/// Nothing where everything was enrolled by hand.
pub(super) fn check(scenario: &Scenario, world: &World, view: &View) -> Option<Checked> {
    scenario.discovery.as_ref()?;
    let mut checked = Checked::new("discovery");
    // Nobody looks while the schedule is off; the first look behind it finds all.
    let outages = scenario.outages();
    let out = outages.iter().map(|(from, to)| to.duration_since(*from));
    let slack = out.fold(SignedDuration::ZERO, |all, one| all + one);
    let lives = scenario.lives();
    for life in lives.iter().filter(|life| is_selected(scenario, &life.instance)) {
        if life.is_at(view.now) {
            let age = view.now.duration_since(found_by(scenario, life)) - slack;
            alive(life, age, world, (scenario, view), &mut checked);
        } else {
            let again = lives.iter().any(|other| {
                other.instance == life.instance && other.name == life.name && other.is_at(view.now)
            });
            let until = life.until.filter(|_| !again);
            let settled = until.is_some_and(|until| view.now.duration_since(until) - slack > FOUND_WITHIN);
            let unmarked = head(view, life).is_some_and(|held| held.head.gone_at.is_none());
            checked.look(
                (settled && unmarked)
                    .then(|| format!("{} on {} is gone and nobody has marked it", life.name, life.instance)),
            );
        }
    }
    Some(checked)
}

/// Whether an instance is to be looked at: by a tag word for word, or by its name.
pub(super) fn is_selected(scenario: &Scenario, instance: &str) -> bool {
    let (Some(discovery), Some(spec)) =
        (&scenario.discovery, scenario.instances.iter().find(|spec| spec.name == instance))
    else {
        return false;
    };
    let tags: Vec<String> = spec.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let wanted = discovery.tags.iter().chain(&discovery.instances);
    wanted.into_iter().any(|pattern| {
        let fits = |text: &str| fits(pattern.as_bytes(), text.as_bytes());
        fits(instance) || tags.iter().any(|tag| fits(tag))
    })
}

/// A rhythm, and an hour for what it starts.
const FOUND_WITHIN: SignedDuration = SignedDuration::from_secs(DISCOVERY_EVERY.as_secs() + 60 * 60);

fn head<'v>(view: &'v View, life: &Life) -> Option<&'v DatabaseView> {
    view.databases.iter().find(|held| held.head.instance == life.instance && held.head.name == life.name)
}

/// A database that is there, and for how long somebody should have known it.
fn alive(
    life: &Life,
    age: SignedDuration,
    world: &World,
    (scenario, view): (&Scenario, &View),
    checked: &mut Checked,
) {
    let Life { instance, name, .. } = life;
    let missing = world.find_database(instance, name).is_none();
    checked.look(missing.then(|| format!("the scenario has {name} on {instance}, the world has not")));
    if age.is_negative() {
        return;
    }
    let discovery = scenario.discovery.iter().flat_map(|discovery| &discovery.exclude);
    let mut patterns = scenario.policy.exclude.iter().chain(discovery);
    let is_excluded = patterns.any(|pattern| fits(pattern.as_bytes(), name.as_bytes()));
    let head = head(view, life);
    let is_protected = head.is_some_and(|held| held.head.gone_at.is_none());
    let pages = view.seen.iter().filter(|page| page.instance == *instance);
    let seen = pages.flat_map(|page| &page.seen).find(|seen| seen.name == *name);
    let is_skipped = seen
        .is_some_and(|seen| matches!(&seen.change, Change::Skipped(reason) if !reason.message.is_empty()));
    checked.look((!is_protected && !is_skipped).then(|| {
        format!(
            "{name} on {instance} is there since {}, neither protected nor skipped with a reason",
            life.from
        )
    }));
    let protected_though = is_excluded && is_protected;
    checked.look(protected_though.then(|| format!("{name} on {instance} is excluded and protected")));
    let bare = age > BACKUP_TAKES && is_protected && head.is_some_and(|held| held.data.is_empty());
    checked.look(bare.then(|| format!("{name} on {instance} was found and has no backup")));
}
