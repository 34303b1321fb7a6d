//! Databases that share something: two with one identity on two instances, two that had one name. What one leaves in the vault is never
//! taken for the other's.

use domain::catalogue::Life;
use domain::discovery::former::{self, Former};
use domain::task::Kind;
use ports::Fault;
use ports::store::decode;
use testbed::{Call, Testbed, Verdict};
use world::DatabaseConfig;

use crate::story::{
    INSTANCE, Story, another_instance, at, day, id_of, look, objections, outcome, simulated, tasks,
};

/// Databases that had a name on the instance of every story.
pub(crate) fn formers(bed: &Testbed, name: &str) -> Vec<Former> {
    let partition = former::partition(INSTANCE, name);
    bed.store().look(|table| table.partition(&partition).map(|item| decode(&item).unwrap().record).collect())
}

#[test]
fn an_instance_restored_from_a_snapshot_has_a_catalogue_of_its_own() {
    let mut simulation = simulated(&(Story::calm().discovered("") + &another_instance("staging", "notes")));
    simulation.bed().at(at("05:32"), |bed| {
        let id = id_of(bed, "orders");
        bed.world_mut().break_twin(id, "staging").unwrap().unwrap();
        look(bed, "behind-the-snapshot");
    });
    let (report, view) = day(&mut simulation);
    let of = |instance: &str| {
        view.databases
            .iter()
            .find(|held| held.head.instance == instance && held.head.name == "orders")
            .unwrap()
    };
    let (own, twin) = (of(INSTANCE), of("staging"));
    assert_eq!(own.head.lineage, twin.head.lineage, "the premise");
    assert_ne!(Life::of(&own.head), Life::of(&twin.head));
    for held in [own, twin] {
        let instance = &held.head.instance;
        assert!(held.data.iter().all(|entry| entry.instance == *instance) && !held.data.is_empty());
        assert!(held.logs.iter().all(|day| day.instance == *instance) && !held.logs.is_empty());
    }
    let begins = |instance: &str| {
        let of =
            report.databases.iter().find(|one| one.instance == instance && &*one.window.database == "orders");
        let window = &of.unwrap().window;
        assert_eq!(window.holes, [], "{instance}");
        window.intervals.iter().map(|interval| interval.from).min().unwrap()
    };
    assert!(begins(INSTANCE) < at("01:00"));
    assert!(begins("staging") > at("05:32"), "what it was restored from is not in its window");
    // Brute force takes whatever log the engine accepts, and it accepts the twin's.
    let others = objections(&report).into_iter().filter(|objection| !objection.contains("orders"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_a_task_of_another_life_made_is_no_backup_of_the_one_that_has_the_name() {
    let mut story = Story::calm();
    // The full takes some twenty minutes.
    story.mib_per_second = 8;
    story.every_minutes = 240;
    let mut simulation = story.simulation();
    let refused = Fault::Transient("the server does not answer".to_owned());
    simulation.bed().set_gate(move |call: &Call<'_>| {
        let is_poll = call.function == "poll-tasks" && call.name == "sql.login";
        if is_poll && (at("00:20")..at("02:00")).contains(&call.now) {
            return Verdict::Fail(refused.clone());
        }
        Verdict::Pass
    });
    simulation.bed().at(at("00:10"), |bed| look(bed, "first"));
    // The full has ended, nobody has seen it yet, and the name is another's.
    simulation.bed().at(at("01:30"), |bed| {
        let id = id_of(bed, "orders");
        assert!(bed.world_mut().break_drop_database(id));
        bed.world_mut().add_database(INSTANCE, &DatabaseConfig::named("orders")).unwrap();
        look(bed, "second");
    });
    let (_, view) = day(&mut simulation);
    let held = view.databases.iter().find(|held| held.head.name == "orders").unwrap();
    let fulls = tasks(&view, "orders", Kind::Full);
    assert_eq!(fulls.iter().map(|task| outcome(task)).collect::<Vec<_>>(), ["succeeded"; 2]);
    let planned = fulls[1].planned_at;
    assert!((at("02:00")..at("02:20")).contains(&planned), "as soon as runs come to their end: {planned}");
    assert_eq!(held.data.len(), 1, "its catalogue has its own full alone");
    let full = held.head.last_full.as_ref().unwrap();
    assert_eq!(full.id, held.data[0].backup.id);

    // The one before is reached by the name it had, and its full is in its own catalogue.
    let former = formers(simulation.bed(), "orders");
    assert_eq!(former.len(), 1, "{former:?}");
    assert_ne!(Some(&former[0].lineage), held.head.lineage.as_ref());
    let life = former[0].clone().life();
    let left = simulation.bed().store().look(|table| table.partition(&life.partition()).count());
    assert_eq!(left, 1, "one full, and no logs");
}
