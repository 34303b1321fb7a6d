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
use stories::{Named, OBSERVER, Story, states};
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
    covers_the_calls(&cases);
}

/// Every state of the machine file that calls something is troubled in each way that means something there, and every state
/// was entered in some run.
fn covers_the_machine(cases: &[Case], runs: &[Run]) {
    for Named { machine, state, is_task } in states() {
        let of_state = cases.iter().filter(|case| case.place.state == state);
        let troubled: BTreeSet<&str> = of_state.map(|case| case.trouble.word()).collect();
        if is_task {
            let all: BTreeSet<&str> = trouble::Trouble::ALL.into_iter().map(trouble::Trouble::word).collect();
            assert_eq!(troubled, all, "{state}: a way to go wrong is never tried");
        } else {
            assert_eq!(troubled, BTreeSet::new(), "{state} calls nothing");
        }
        let entered = format!("{machine}.{state}");
        // A task at work under the old name of a database: `tests/spine/discovery.rs` tells of it.
        let is_elsewhere = entered == "discovery.WaitForTasks";
        assert!(
            is_elsewhere || runs.iter().any(|run| run.entered.contains(&entered)),
            "no run enters {entered}"
        );
    }
}

/// The calls of each state's function: what is troubled is exactly this, so that a call that comes or goes is noticed.
const CALLS: [(&str, &str); 16] = [
    ("TakeLease", "lambda.invoke store.get store.commit"),
    (
        "ValidateRegion",
        "lambda.invoke store.get store.commit rds.describe_db_instances s3.describe_bucket kms.describe_key",
    ),
    ("PlanBackups", "lambda.invoke store.get store.query store.commit"),
    (
        "CheckChains",
        "lambda.invoke store.get store.query store.commit secrets.get_secret_value sql.connect sql.login \
         sql.select_databases sql.select_rds_fn_task_status sql.select_rds_fn_list_tlog_backup_metadata events.put_events",
    ),
    (
        "DispatchTasks",
        "lambda.invoke store.get store.query store.commit secrets.get_secret_value sql.connect sql.login \
         sql.sp_getapplock sql.sp_releaseapplock sql.select_rds_fn_task_status sql.rds_show_configuration \
         sql.rds_tlog_copy_setup sql.rds_backup_database sql.rds_tlog_backup_copy_to_s3",
    ),
    (
        "PollTasks",
        "lambda.invoke store.get store.query store.commit secrets.get_secret_value sql.connect sql.login sql.select \
         sql.select_rds_fn_task_status sql.select_backupset sql.select_rds_fn_list_tlog_backup_metadata \
         s3.list_objects sql.rds_cancel_task events.put_events",
    ),
    ("ReleaseLease", "lambda.invoke store.get store.query store.commit events.put_events"),
    ("HandOverLease", "lambda.invoke store.get store.commit"),
    ("StartSuccessor", "states.start_execution"),
    ("ReleaseAfterTrouble", "lambda.invoke store.get store.query store.commit events.put_events"),
    ("ListInstances", "lambda.invoke store.get store.query store.commit rds.describe_db_instances"),
    (
        "Discover",
        "lambda.invoke store.get store.query store.commit secrets.get_secret_value sql.connect sql.login \
         sql.select_databases events.put_events",
    ),
    ("TellPeople", "lambda.invoke store.get store.commit sns.publish"),
    ("TellOfFailure", "lambda.invoke store.get store.commit sns.publish events.put_events"),
    ("TellOfListing", "lambda.invoke store.get"),
    ("TellOfListingFailure", "lambda.invoke store.get store.commit sns.publish"),
];

fn covers_the_calls(cases: &[Case]) {
    for (state, calls) in CALLS {
        let troubled: BTreeSet<String> = cases
            .iter()
            .filter(|case| case.place.state == state)
            .map(|case| case.place.call.replace(' ', "_"))
            .collect();
        let known: BTreeSet<String> = calls.split_whitespace().map(str::to_owned).collect();
        assert_eq!(troubled, known, "{state}");
    }
    let observed: BTreeSet<&str> = cases
        .iter()
        .filter(|case| case.place.function == OBSERVER)
        .map(|case| case.place.call.as_str())
        .collect();
    let known = ["events.put_events", "lambda.invoke", "states.start_execution", "store.commit", "store.get"];
    assert_eq!(observed, BTreeSet::from(known), "events");
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
