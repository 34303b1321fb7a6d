//! Databases that cannot be backed up, beside one that can: they take no place from it.

use domain::task::Kind;

use crate::story::{Story, database, day, id_of, native, outcome, tasks};

/// When the first full of the last of the databases is asked for, where so many before it are gone.
fn asked_at(gone: usize) -> jiff::Timestamp {
    let names: Vec<String> = (0..gone).map(|number| format!("gone{number:02}")).collect();
    let databases = names.iter().map(|name| database(name, 1)).collect::<String>() + &database("there", 1);
    let mut simulation = Story { databases, ..Story::calm() }.simulation();
    for name in &names {
        let id = id_of(simulation.bed(), name);
        assert!(simulation.bed().world_mut().break_drop_database(id));
    }
    let (_, view) = day(&mut simulation);
    for name in &names {
        let fulls = tasks(&view, name, Kind::Full);
        assert!(fulls.iter().all(|task| outcome(task) == "skipped DatabaseMissing"), "{fulls:?}");
        assert!(!fulls.is_empty(), "{name} was looked at");
    }
    native(&mut simulation, "there", true)[0].created_at
}

#[test]
fn what_cannot_be_backed_up_takes_nobody_s_place() {
    assert_eq!(asked_at(30), asked_at(0));
}
