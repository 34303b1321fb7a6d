//! A trouble that comes again and again: every invocation of a function twice, every third one turned away.

use std::collections::BTreeMap;

use testbed::{Call, Gate, Verdict};

use crate::cases::{Calm, undisturbed};
use crate::judge::{Watch, outcome, wrong};
use crate::stories::{Story, end, story_of};
use crate::trouble::Trouble;

/// Tells the story with a gate; how often each function was invoked.
fn tell(calm: &BTreeMap<Story, Calm>, gate: impl Gate + 'static, what: &str) -> BTreeMap<String, u64> {
    let story = story_of(what);
    let mut simulation = story.simulation();
    simulation.bed().set_gate(gate);
    simulation.run_until(end());
    simulation.bed().set_gate(testbed::gate::Open);
    let made = simulation.bed().invocations().map(|(name, made)| (name.to_owned(), made)).collect();
    let told = outcome(&mut simulation, &Watch::default());
    assert_eq!(wrong(&mut simulation, &told, &calm[&story].outcome), [""; 0], "{what}");
    made
}

#[test]
fn functions_that_are_invoked_twice_do_nothing_twice() {
    let calm = [Story::Day, Story::Discovery].map(|story| (story, undisturbed(story))).into();
    for function in handlers::NAMES {
        let gate = move |call: &Call<'_>| match call.name {
            "lambda.invoke" if call.function == function => Verdict::Duplicate,
            _ => Verdict::Pass,
        };
        let made = tell(&calm, gate, function);
        assert!(made[function] >= 2 && made[function].is_multiple_of(2), "{function}: {made:?}");
    }
}

#[test]
fn every_third_invocation_is_turned_away_and_the_story_ends_well() {
    let calm = [Story::Day, Story::Discovery].map(|story| (story, undisturbed(story))).into();
    for function in handlers::NAMES {
        let mut seen = 0;
        let gate = move |call: &Call<'_>| {
            if call.name != "lambda.invoke" || call.function != function {
                return Verdict::Pass;
            }
            seen += 1;
            if seen % 3 == 1 { Trouble::Throttled.verdict() } else { Verdict::Pass }
        };
        tell(&calm, gate, function);
    }
}
