//! Same seed, same calls: the same world, byte for byte, however time is cut into steps.

use jiff::SignedDuration;
use world::{DatabaseConfig, Knobs, MultiAz, World};

use crate::lab::Lab;

/// A day with tasks, an automated backup, a failover and a changed recovery model. `steps` stops at every event.
fn day(seed: u64, steps: bool) -> World {
    let mut lab = Lab::with(Knobs::default(), |config| config.multi_az = MultiAz::Mirroring);
    let mut world = World::new(seed, lab.now(), Knobs::default());
    std::mem::swap(&mut lab.world, &mut world);
    lab.world.add_bucket(world.s3().describe_bucket("vault").unwrap().clone());
    lab.world.add_instance(world.describe_instance("prod").unwrap().config);
    lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
    let ids: Vec<_> = (0..5)
        .map(|n| lab.world.add_database("prod", &DatabaseConfig::named(&format!("D{n}"))).unwrap())
        .collect();
    lab.set_up_logs();
    for hour in 0..24 {
        let name = format!("D{}", hour % 5);
        if hour % 2 == 0 {
            lab.backup(&name, &format!("{hour}.bak"));
        } else {
            lab.copy_all(&name);
        }
        match hour {
            9 => {
                lab.world.break_failover("prod");
                lab.wait(121);
                lab.session = lab.world.connect("prod", "admin", "simulated").unwrap();
            }
            14 => lab.world.break_recovery_model(ids[1], world::RecoveryModel::Simple),
            _ => {}
        }
        let to = lab.now() + SignedDuration::from_hours(1);
        while let Some(next) = lab.world.next_event_at().filter(|next| steps && *next <= to) {
            lab.world.advance_to(next);
        }
        lab.world.advance_to(to);
    }
    lab.world
}

#[test]
fn a_world_is_a_function_of_its_seed_and_its_calls() {
    let show = |seed, steps| format!("{:?}", day(seed, steps));
    let once = show(1, false);
    assert!(once == show(1, false), "the same again");
    assert!(once == show(1, true), "stopping at events changes nothing");
    assert!(once != show(2, false), "another seed is another world");
}

#[test]
fn time_goes_one_way_and_events_are_due() {
    let mut lab = Lab::new();
    lab.database("A");
    let start = lab.now();
    lab.world.advance_to(start - SignedDuration::from_secs(5));
    assert_eq!(lab.now(), start);
    lab.backup("A", "a.bak");
    let due = lab.world.next_event_at().unwrap();
    assert!(due >= start && due <= start + SignedDuration::from_secs(300));
    for _ in 0..50 {
        let due = lab.world.next_event_at().unwrap();
        assert!(due >= lab.now());
        lab.world.advance_to(due);
        assert_eq!(lab.now(), due);
    }
}
