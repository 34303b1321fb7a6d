//! Enrolments that fail are events: of a database, of all that are too many at once, of an instance that cannot be looked at. Told once,
//! and again when another thing fails.

use ports::Fault;
use testbed::simulation::Simulation;
use testbed::{Call, Testbed, Verdict};
use world::DatabaseConfig;

use crate::story::{INSTANCE, Story, assert_well, at, day, look, simulated};

/// A story whose instance discovery selects: it has two databases, and one look enrols two more at most.
fn selected() -> Simulation {
    simulated(&Story::calm().discovered("enrol_max = 2\n"))
}

fn create(bed: &mut Testbed, name: &str) {
    bed.world_mut().add_database(INSTANCE, &DatabaseConfig::named(name)).unwrap();
}

/// What was told of databases and of enrolments that failed, in order.
fn told(bed: &Testbed) -> Vec<String> {
    let details = crate::told::told(bed);
    let words = details.iter().filter_map(|(_, detail)| {
        let word = detail["event"].as_str()?;
        let reason = detail["reason"]["name"].as_str().unwrap_or_default();
        let is_ours = word.starts_with("database_") || word == "enrolment_failed";
        let name = detail["database"].as_str().unwrap_or("*");
        is_ours.then(|| format!("{word} {name} {reason}").trim_end().to_owned())
    });
    words.collect()
}

#[test]
fn what_should_be_protected_and_is_not_is_told_once() {
    let mut simulation = selected();
    simulation.run_until(at("01:00"));
    let begun = ["database_enrolled orders", "database_enrolled parts"];
    assert_eq!(told(simulation.bed()), begun);

    // A name that discovery leaves to a person, and beside it one that it takes.
    for name in ["it's", "returns"] {
        create(simulation.bed(), name);
    }
    for (time, word) in [("01:00", "first"), ("01:30", "second")] {
        simulation.run_until(at(time));
        look(simulation.bed(), word);
    }
    simulation.run_until(at("02:00"));
    let mut expected: Vec<&str> =
        [begun.as_slice(), &["database_enrolled returns", "enrolment_failed it's NameNotSupported"]].concat();
    assert_eq!(told(simulation.bed()), expected);

    // Three at once are one mistake, whoever they are.
    for name in ["a", "b", "c"] {
        create(simulation.bed(), name);
    }
    for (time, word) in [("02:00", "third"), ("02:30", "fourth")] {
        simulation.run_until(at(time));
        look(simulation.bed(), word);
    }
    simulation.run_until(at("03:00"));
    expected.push("enrolment_failed * TooManyToEnrol");
    assert_eq!(told(simulation.bed()), expected);
    let people = simulation.bed().people().told();
    assert_eq!(people.len(), 2, "and people with it: {people:?}");
}

#[test]
fn an_instance_that_cannot_be_looked_at_is_told_when_it_begins() {
    let mut simulation = selected();
    simulation.run_until(at("01:00"));
    let before = told(simulation.bed()).len();
    simulation.bed().set_gate(|call: &Call<'_>| {
        let fails = call.function == "discover-databases" && call.name == "sql.login";
        if fails && call.now < at("06:00") {
            return Verdict::Fail(Fault::Transient("the server does not answer".to_owned()));
        }
        Verdict::Pass
    });
    for (time, word) in [("01:00", "first"), ("02:00", "second"), ("06:00", "third")] {
        simulation.run_until(at(time));
        look(simulation.bed(), word);
    }
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    let told = told(simulation.bed());
    assert_eq!(told[before..], ["enrolment_failed * LookFailed"]);
}
