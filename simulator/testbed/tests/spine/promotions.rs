//! Fulls out of turn: taken where window or RTO demand them, never more often than the policy allows, and seen when it does not.

use domain::task::Kind;
use testbed::report::Report;
use testbed::simulation::{Simulation, View};
use world::RecoveryModel;

use crate::story::{Story, assert_well, at, copies, day, id_of, notes, objections, outcome, reported, tasks};

/// A day on which the differential at 05:00 finds its base taken by the automated backup; the next one is due a day later.
fn lost_base(policy: &'static str, objectives: &'static str) -> (Report, View) {
    let schedule = r#"differential = { days = ["mon", "tue"], at = "05:00" }"#;
    let story = Story { policy, objectives, schedule, ..Story::calm() };
    day(&mut story.simulation())
}

fn fulls(view: &View) -> Vec<String> {
    tasks(view, "orders", Kind::Full).into_iter().map(outcome).collect()
}

/// What was decided about the differential of `orders`.
fn decided(report: &Report) -> (&'static str, String) {
    let made = report.differentials.iter().find(|made| made.database == "orders").unwrap();
    (made.decision, made.reason.as_ref().map_or_else(String::new, |reason| reason.name.to_string()))
}

#[test]
fn a_full_takes_the_place_of_a_differential_where_the_rto_demands_it() {
    // With a full of now, a day of 288 logs, the full and the recovery are 290 steps of five minutes: 1,450, and the bytes.
    let (report, view) = lost_base("", "rto_minutes = 1460");
    assert_well(&report, &view);
    assert_eq!(decided(&report), ("promoted", "RtoDemandsFull".to_owned()));
    assert_eq!(fulls(&view), ["succeeded", "succeeded"]);
    let promoted = tasks(&view, "orders", Kind::Full)[1];
    assert_eq!(notes(promoted), ["RtoDemandsFull"], "the full says why it was taken");
    assert!(promoted.planned_at >= at("05:00"));
    let rto = reported(&report, "orders").rto.unwrap();
    assert!(rto.most_minutes <= 1_460 && rto.promised_minutes == Some(1_460), "{rto:?}");
}

#[test]
fn what_no_full_can_mend_demands_none() {
    // A day of logs alone takes longer.
    let (report, view) = lost_base("", "rto_minutes = 1440");
    assert_well(&report, &view);
    assert_eq!(decided(&report), ("skipped", "BaseIsSnapshot".to_owned()));
    assert_eq!(fulls(&view), ["succeeded"]);
    assert!(report.to_string().contains("24:00 promised: "), "{report}");
}

#[test]
fn a_policy_that_allows_no_promotion_sees_what_is_not_done() {
    let (report, view) = lost_base("promotions_per_day = 0", "rto_minutes = 1460");
    assert_well(&report, &view);
    assert_eq!(decided(&report), ("skipped", "PromotionLimit".to_owned()));
    assert_eq!(fulls(&view), ["succeeded"]);
}

/// Somebody's script switches `orders` to SIMPLE at these times; the service sets it back within minutes, and the chain is
/// broken.
fn with_a_script(policy: &'static str, clocks: &[&str]) -> Simulation {
    let mut simulation = Story { policy, ..Story::calm() }.simulation();
    for clock in clocks {
        simulation.bed().at(at(clock), |bed| {
            let id = id_of(bed, "orders");
            bed.world_mut().break_recovery_model(id, RecoveryModel::Simple);
        });
    }
    simulation
}

#[test]
fn a_chain_that_breaks_again_and_again_is_healed_as_often_as_the_policy_allows() {
    let mut simulation = with_a_script("", &["04:32", "08:32", "12:32"]);
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0], "nothing is passed over in silence");
    assert!(view.open.is_empty());
    // The first one, and two out of turn.
    assert_eq!(fulls(&view), ["succeeded"; 3]);
    let odd: Vec<String> =
        copies(&view, "orders").into_iter().filter(|outcome| outcome != "succeeded").collect();
    // After a break a copy takes what came before it and has it healed: those of 06:00 and 10:00. That of 14:00 may not; from
    // 16:00 to 22:00 every copy says that nothing heals it.
    assert_eq!(odd, ["skipped PromotionLimit"; 4]);
    let head = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().head;
    assert_eq!((head.promoted_at.len(), head.broken.as_ref().unwrap().name.as_ref()), (2, "ChainBroken"));
    assert!(!report.holds, "its promise is broken, and that is seen");
    assert!(copies(&view, "parts").iter().all(|outcome| outcome == "succeeded"));
}

#[test]
fn a_chain_that_nobody_may_heal_has_its_differential_ask_for_the_full_too() {
    let mut story = Story { policy: "promotions_per_day = 0", ..Story::calm() };
    story.schedule = r#"differential = { days = ["mon"], at = "09:00" }"#;
    let mut simulation = story.simulation();
    simulation.bed().at(at("04:32"), |bed| {
        let id = id_of(bed, "orders");
        bed.world_mut().break_recovery_model(id, RecoveryModel::Simple);
    });
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    let made = report.differentials.iter().find(|made| made.database == "orders").unwrap();
    let reason = made.reason.as_ref().unwrap();
    assert_eq!((made.decision, reason.name.as_ref()), ("skipped", "PromotionLimit"));
    assert!(reason.message.contains("no log leads on from it"), "{}", reason.message);
    assert_eq!(fulls(&view), ["succeeded"]);
}

#[test]
fn the_first_full_of_a_database_restored_over_another_is_no_promotion() {
    let story = Story { policy: "promotions_per_day = 0", ..Story::calm() };
    let mut simulation = story.simulation();
    // The chain breaks, nobody may heal it; then another database comes under the name.
    simulation.bed().at(at("04:32"), |bed| {
        let id = id_of(bed, "orders");
        bed.world_mut().break_recovery_model(id, RecoveryModel::Simple);
    });
    simulation.bed().at(at("10:11"), |bed| {
        let id = id_of(bed, "orders");
        bed.world_mut().break_restore_in_place(id, at("10:10")).unwrap();
    });
    let (report, view) = day(&mut simulation);
    assert_eq!(objections(&report), [""; 0]);
    assert_eq!(fulls(&view), ["succeeded"; 2]);
    let first = tasks(&view, "orders", Kind::Full)[1];
    assert!(
        (at("12:00")..at("12:10")).contains(&first.planned_at),
        "with the next copy: {}",
        first.planned_at
    );
    let odd: Vec<String> =
        copies(&view, "orders").into_iter().filter(|outcome| outcome != "succeeded").collect();
    assert_eq!(odd, ["skipped PromotionLimit", "skipped PromotionLimit", "skipped NoFullYet"]);
    let head = &view.databases.iter().find(|database| database.head.name == "orders").unwrap().head;
    assert_eq!((head.promoted_at.len(), head.broken.as_ref()), (0, None));
}
