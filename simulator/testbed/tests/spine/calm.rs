//! Without trouble: the day holds, the same seed gives the same bytes, a promise that cannot be kept is not called kept.

use domain::task::Kind;

use crate::story::{
    Story, assert_nothing_was_asked_twice, assert_well, copies, day, minutes, native, objections, outcome,
    reported, tasks,
};

#[test]
fn a_calm_day_holds() {
    let mut simulation = Story::calm().simulation();
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    for database in ["orders", "parts"] {
        let fulls = tasks(&view, database, Kind::Full);
        assert_eq!(fulls.iter().map(|task| outcome(task)).collect::<Vec<_>>(), ["succeeded"]);
        assert_eq!(native(&mut simulation, database, true).len(), 1);
        // From 00:00 to 22:00, every two hours.
        assert_eq!(tasks(&view, database, Kind::LogCopy).len(), 12);
        let copies = copies(&view, database);
        assert!(copies.len() >= 11 && copies.iter().all(|outcome| outcome == "succeeded"), "{copies:?}");
    }
    assert_nothing_was_asked_twice(&report);
    assert_eq!(report.instances[0].runs.keys().copied().collect::<Vec<_>>(), ["succeeded"]);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let json = |seed: u64| {
        let mut story = Story::calm();
        story.seed = seed;
        let (report, view) = day(&mut story.simulation());
        assert_well(&report, &view);
        serde_json::to_string(&report).unwrap()
    };
    let first = json(3);
    assert_eq!(first, json(3));
    let other = json(4);
    assert_ne!(first.replace("\"seed\":3", ""), other.replace("\"seed\":4", ""));
}

#[test]
fn a_promise_that_cannot_be_kept_does_not_hold() {
    // Logs are copied every two hours, so an hour cannot be promised.
    let mut story = Story::calm();
    story.rpo_instance_minutes = 60;
    let (report, _) = day(&mut story.simulation());
    assert_eq!(objections(&report), [""; 0], "the checkers have nothing to do with promises");
    assert!(!report.holds);
    for database in ["orders", "parts"] {
        let rpo = reported(&report, database).rpo;
        assert!(rpo.damage.holds());
        assert!(!rpo.instance.holds());
        assert!(rpo.instance.reached_minutes > Some(120), "{rpo:?}");
    }
    assert!(report.to_string().contains("broken for 2 databases"));
}

#[test]
fn log_backups_that_pause_break_the_promise_for_damage_and_no_chain() {
    let mut simulation = Story::calm().simulation();
    let pause = crate::story::at("05:01");
    for (moment, paused) in [(pause, true), (pause + minutes(40), false)] {
        simulation.bed().at(moment, move |bed| {
            let id = crate::story::id_of(bed, "orders");
            bed.world_mut().break_log_backups(id, paused);
        });
    }
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert_eq!((report.measures["holes"], view.open.len()), (0, 0), "the next file covers the pause");
    assert!(!report.holds);
    let reached = |database| reported(&report, database).rpo.damage.reached_minutes.unwrap();
    assert!((40..=50).contains(&reached("orders")), "{}", reached("orders"));
    assert!(reached("parts") <= 6);
}
