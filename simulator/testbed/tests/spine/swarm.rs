//! A calm day in worlds that the sources allow: whatever nobody knows of the service, nobody objects and promises are kept.

use domain::task::Kind;
use world::{Documents, Knobs};

use crate::story::{Story, assert_well, day, tasks};

/// The worlds that the functions are at home in today. A knob that is held is a shortcoming of theirs, found here.
fn drawn(seed: u64) -> Knobs {
    // They speak to the newest service.
    Knobs { documents: Documents::Newest, ..Knobs::drawn(seed) }
}

#[test]
fn a_calm_day_holds_whatever_nobody_knows() {
    for seed in 0..12 {
        let mut story = Story::calm();
        story.knobs = drawn(seed);
        if seed % 2 == 1 {
            story.multi_az = "always_on";
        }
        let (report, view) = day(&mut story.simulation());
        // Seen where it fails.
        println!("seed {seed}: {:?}", story.knobs);
        assert_well(&report, &view);
    }
}

#[test]
fn copied_logs_are_found_however_the_service_writes_their_guid() {
    for log_key_guid_upper in [false, true] {
        let mut story = Story::calm();
        story.knobs = Knobs { log_key_guid_upper, ..Knobs::default() };
        let (report, view) = day(&mut story.simulation());
        assert_well(&report, &view);
        assert!(report.measures["log_copies_succeeded"] >= 22, "{report}");
    }
}

#[test]
fn a_window_begins_when_its_full_had_certainly_ended() {
    let mut whole = 0;
    for seed in 0..8 {
        let mut story = Story::calm();
        story.seed = seed;
        story.knobs = Knobs { whole_seconds: false, ..Knobs::default() };
        let mut simulation = story.simulation();
        let (report, view) = day(&mut simulation);
        assert_well(&report, &view);
        for database in &report.databases {
            let name = &*database.window.database;
            assert_eq!(tasks(&view, name, Kind::Full).len(), 1, "{name}");
            whole += u32::from(database.window.intervals[0].from.subsec_nanosecond() == 0);
        }
    }
    // A tick is a three hundredth: of sixteen ends one may be that of a second by chance, not two.
    assert!(whole <= 1, "{whole} were rounded to a second");
}
