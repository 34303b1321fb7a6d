//! Schedules: they fire at their rate, close to their time, and not less often because a start failed.

use std::collections::BTreeMap;

use asl::{Machine, Status};
use jiff::SignedDuration;
use ports::Fault;
use serde_json::{Value, json};

use super::{MINUTE, after, start, testbed};
use crate::scheduler::Schedule;
use crate::{Call, Testbed, Verdict};

fn scheduled(gate: impl FnMut(&Call<'_>) -> Verdict + 'static) -> Testbed {
    let mut testbed = testbed(1);
    let text = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "End": true } } }).to_string();
    testbed.deploy_machine(Machine::parse("fleet", &text, &BTreeMap::new()).unwrap());
    testbed.set_gate(gate);
    let schedule = Schedule {
        name: "fleet".into(),
        machine_arn: testbed.machine_arn("fleet"),
        first_at: start() + MINUTE,
        every: MINUTE * 5,
        input: json!({ "at": ["<aws.scheduler.scheduled-time>", "<aws.scheduler.attempt-number>"], "n": 1 }),
    };
    testbed.schedule(schedule.clone()).unwrap();
    assert!(testbed.schedule(Schedule { machine_arn: "arn:x".into(), ..schedule }).is_err());
    testbed
}

fn outputs(testbed: &Testbed) -> Vec<Value> {
    let output = |status: &Status| match status {
        Status::Succeeded { output } => Value::clone(output),
        other => panic!("{other:?}"),
    };
    testbed.executions().iter().map(|summary| output(&summary.status)).collect()
}

#[test]
fn a_schedule_fires_within_a_minute_of_each_of_its_times() {
    let mut testbed = scheduled(|_: &Call<'_>| Verdict::Pass);
    testbed.run_until(after(MINUTE * 60));
    let begun: Vec<SignedDuration> =
        testbed.executions().iter().map(|summary| summary.started_at.duration_since(start())).collect();
    assert_eq!(begun.len(), 12);
    for (time, begun) in (0..12).map(|n| MINUTE + MINUTE * 5 * n).zip(begun) {
        assert!(time <= begun && begun < time + MINUTE, "{time:?} {begun:?}");
    }
    let first = &outputs(&testbed)[1];
    assert_eq!(*first, json!({ "at": ["2026-11-22T00:06:00Z", "1"], "n": 1 }));
}

#[test]
fn a_start_that_failed_is_tried_again_for_the_same_time() {
    let mut failed = 0;
    let mut testbed = scheduled(move |call: &Call<'_>| {
        failed += 1;
        if failed <= 2 && call.name == "scheduler.start_execution" {
            return Verdict::Fail(Fault::Transient("x".into()));
        }
        Verdict::Pass
    });
    testbed.run_until(after(MINUTE * 11));
    let outputs = outputs(&testbed);
    assert_eq!(outputs[0]["at"], json!(["2026-11-22T00:01:00Z", "3"]));
    assert_eq!(outputs[1]["at"], json!(["2026-11-22T00:06:00Z", "1"]));
}

#[test]
fn a_delivery_may_come_twice_or_late() {
    let mut testbed = scheduled(|_: &Call<'_>| Verdict::Duplicate);
    testbed.run_until(after(MINUTE * 3));
    assert_eq!(testbed.executions().len(), 2);
    assert_ne!(testbed.executions()[0].name, testbed.executions()[1].name);
    let mut testbed = scheduled(|_: &Call<'_>| Verdict::Delay(MINUTE * 2));
    testbed.run_until(after(MINUTE * 5));
    assert_eq!(testbed.executions().len(), 1);
    assert!(testbed.executions()[0].started_at >= after(MINUTE * 3));
}
