//! A calm day in worlds that the sources allow: whatever nobody knows of the service, nobody objects and promises are kept.

use world::{Documents, Knobs};

use crate::story::{Story, assert_well, day};

/// The worlds that the functions are at home in today. Each knob that is held is a shortcoming of theirs, found here.
fn drawn(seed: u64) -> Knobs {
    Knobs {
        // They speak to the newest service.
        documents: Documents::Newest,
        // Copied logs are looked for under the guid in lower case, and are not found otherwise.
        log_key_guid_upper: false,
        // A full that ends between two seconds ends, in msdb, up to two milliseconds too early to restore to.
        whole_seconds: true,
        ..Knobs::drawn(seed)
    }
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
