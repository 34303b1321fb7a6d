//! Much at once: more instances due than one look takes, more questions to a server than one call has time for, a request while runs fail.

use domain::inventory::Instance;
use domain::lease::{Lease, run_name};
use domain::record::shard_of;
use domain::task::Kind;
use jiff::{SignedDuration, Timestamp};
use ports::store::Versioned;
use testbed::simulation::Wish;
use testbed::{Call, Verdict};

use crate::story::{
    INSTANCE, Story, assert_well, at, database, day, instance, minutes, outcome, runs, tasks,
};
use crate::trouble::throttled;

#[test]
fn instances_that_are_at_work_keep_no_other_waiting() {
    let mut simulation = Story::calm().simulation();
    let store = simulation.bed().store();
    let shard = shard_of(INSTANCE);
    let same_shard = (0..).map(|number| format!("busy-{number}")).filter(|name| shard_of(name) == shard);
    for name in same_shard.take(150) {
        // Due for long, because a run moves that when it ends; these work all day.
        let busy = Instance {
            policy: "weekly".to_owned(),
            vault: "main".to_owned(),
            ..Instance::new(&name, ("h", 1433), "arn:x", Timestamp::UNIX_EPOCH)
        };
        let holder = Some(run_name(&name, 1));
        let lease = Lease { group: name, generation: 1, holder, expires_at: at("23:59"), offered: 1 };
        store.put(&[Versioned::new(busy).put().unwrap(), Versioned::new(lease).put().unwrap()]).unwrap();
    }
    simulation.run_until(at("00:15"));
    let view = simulation.view().unwrap();
    let fulls = tasks(&view, "orders", Kind::Full);
    assert_eq!(fulls.iter().map(|task| outcome(task)).collect::<Vec<_>>(), ["succeeded"]);
}

#[test]
fn a_call_that_cannot_ask_everything_keeps_what_it_asked() {
    let databases = (0..12).map(|number| database(&format!("d{number:02}"), 1)).collect();
    let schedule = r#"differential = { days = ["mon"], at = "05:00" }"#;
    let mut simulation =
        Story { databases, schedule, rpo_instance_minutes: 480, ..Story::calm() }.simulation();
    // A look at each of twelve logs takes more than the 110 seconds that a call has.
    simulation.bed().set_gate(|call: &Call<'_>| {
        let asks = call.function == "check-chains" && call.name.starts_with("sql.select");
        if asks { Verdict::Delay(SignedDuration::from_secs(12)) } else { Verdict::Pass }
    });
    let (report, view) = day(&mut simulation);
    assert_well(&report, &view);
    assert!(runs(&mut simulation).iter().all(|run| matches!(run.status, asl::Status::Succeeded { .. })));
}

#[test]
fn a_request_that_waits_is_tried_with_every_look_of_the_fleet_while_runs_fail() {
    let due = |asks: bool| {
        let mut simulation = Story::calm().simulation();
        simulation.run_until(at("05:59"));
        if asks {
            let (instance, database) = (INSTANCE.to_owned(), "orders".to_owned());
            let (by, key) = ("ops".to_owned(), "k".to_owned());
            let wish = Wish::Backup { instance, database, kind: Kind::Full, by, key };
            simulation.bed().at(at("06:00"), |bed| testbed::simulation::Client::ask(bed, wish));
        }
        simulation.bed().set_gate(|call: &Call<'_>| {
            let fails = call.name == "sql.login" && call.now < at("06:40");
            if fails { throttled() } else { Verdict::Pass }
        });
        simulation.run_until(at("06:10"));
        let known = instance(simulation.bed());
        assert!(known.trouble.is_some(), "the premise");
        known.due_at.unwrap().duration_since(simulation.bed().now())
    };
    assert!(due(false) > minutes(5), "a quarter of an hour behind the end of the run");
    assert!(due(true) <= minutes(1));
}
