//! Does every single fault at every single call end well? One story, told once without trouble to learn which calls each state
//! of the `instance` machine makes; then once for each call and each way it can go wrong, with exactly that one fault.
//!
//! After the trouble comes the calm, and then the story must have come to what it comes to undisturbed: every moment of the
//! schedule answered, nothing asked of the service twice, the chain whole, the lease given back. States and calls come from the
//! machine file and from what the functions do, so that a new state or a new call is troubled, too, or missed loudly.
//!
//! `cargo test --release -p testbed --test exhaustive -- --ignored --nocapture` tells every case and prints the table.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failed test")]

mod again;
mod cases;
mod judge;
mod stories;
mod table;
mod trouble;

use std::collections::BTreeSet;

use cases::{Case, Extent, Run, cases, run_all};
use stories::{Story, states};
use table::Table;

/// Runs an extent of the cases, prints what became of them and holds it against what must be.
fn prove(extent: Extent) {
    let calm: Vec<_> = Story::ALL.into_iter().map(|story| (story, cases::undisturbed(story))).collect();
    let cases: Vec<Case> = calm.iter().flat_map(|(story, calm)| cases(*story, calm, extent)).collect();
    let runs = run_all(&calm, &cases);
    let table = Table::new(&cases, &runs);
    println!("{table}");

    let objections = table.objections();
    assert!(objections.is_empty(), "{} of {} runs:\n{}", objections.len(), runs.len(), objections.join("\n"));
    assert!(runs.iter().all(|run| run.struck), "every fault is met");
    covers_the_machine(&cases, &runs);
}

/// Every state of the machine file that calls something is troubled in each way that means something there, and every state
/// was entered in some run.
fn covers_the_machine(cases: &[Case], runs: &[Run]) {
    for (state, is_task) in states() {
        let troubled: BTreeSet<&str> =
            cases.iter().filter(|case| case.place.state == state).map(|case| case.trouble.word()).collect();
        if is_task {
            let all: BTreeSet<&str> = trouble::Trouble::ALL.into_iter().map(trouble::Trouble::word).collect();
            assert_eq!(troubled, all, "{state}: a way to go wrong is never tried");
        } else {
            assert_eq!(troubled, BTreeSet::new(), "{state} calls nothing");
        }
        assert!(runs.iter().any(|run| run.entered.contains(&state)), "no run enters {state}");
    }
}

#[test]
fn one_fault_at_the_first_and_the_last_of_each_call_ends_well() {
    prove(Extent::FirstAndLast);
}

#[test]
#[ignore = "every single call: minutes in debug"]
fn one_fault_at_every_call_ends_well() {
    prove(Extent::Every);
}
