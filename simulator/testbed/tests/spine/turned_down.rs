//! Databases that cannot be backed up, beside one that can: they take no place from it.

use domain::task::Kind;

use crate::story::{Story, database, day, id_of, native, notes};

/// When the first full of the last of the databases is asked for, where so many before it are offline.
fn asked_at(offline: usize) -> jiff::Timestamp {
    let names: Vec<String> = (0..offline).map(|number| format!("offline{number:02}")).collect();
    let databases = names.iter().map(|name| database(name, 1)).collect::<String>() + &database("there", 1);
    let mut simulation = Story { databases, ..Story::calm() }.simulation();
    for name in &names {
        let id = id_of(simulation.bed(), name);
        simulation.bed().world_mut().break_offline(id);
    }
    let (_, view) = day(&mut simulation);
    for name in &names {
        let full = view.open.iter().find(|task| task.database == *name && task.kind == Kind::Full);
        let notes = full.map(notes);
        assert!(notes.is_some_and(|notes| notes.contains(&"DatabaseNotOnline")), "{name} was looked at");
    }
    native(&mut simulation, "there", true)[0].created_at
}

#[test]
fn what_cannot_be_backed_up_takes_nobody_s_place() {
    assert_eq!(asked_at(30), asked_at(0));
}
