//! What an instance of a story holds: its class and its storage reach the world.

use std::path::Path;

use testbed::scenario::{QUICKSTART, Scenario};
use testbed::simulation::Simulation;

fn sales_with(fields: &str, tenants: u32) -> Scenario {
    let text = QUICKSTART.replacen("mib_per_second", &format!("{fields}\nmib_per_second"), 1).replacen(
        "count = 17",
        &format!("count = {tenants}"),
        1,
    );
    Scenario::parse(&text, "story.toml", Path::new("")).unwrap()
}

#[test]
fn a_story_with_more_databases_than_the_class_holds_is_refused() {
    let small = sales_with("class = \"db.m6i.large\"", 30);
    let said = Simulation::new(small).err().unwrap().to_string();
    assert!(said.contains("supports up to 30 databases"), "{said}");
    assert!(Simulation::new(sales_with("class = \"db.m6i.large\"", 29)).is_ok());
}

#[test]
fn storage_that_is_too_small_is_full_from_the_start() {
    let mut simulation = Simulation::new(sales_with("storage_gib = 100", 17)).unwrap();
    let soon = simulation.bed().now() + jiff::SignedDuration::from_mins(10);
    simulation.run_until(soon);
    let status = |simulation: &mut Simulation, name: &str| {
        simulation.bed().world().describe_instance(name).map(|told| told.status)
    };
    assert_eq!(status(&mut simulation, "sales"), Some("storage-full"));
    assert_eq!(status(&mut simulation, "ledger"), Some("available"));
}
