//! The contracts of the control plane and of telling, on services that answer as their references say, small ones of ours: no local server
//! has snapshots, events and options of SQL Server. What they cannot show, the answers that AWS really gives, `telling.rs` plays back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws::{Cloud, EventBridge, StepFunctions};
use jiff::Timestamp;
use ports::executions::Machine;
use serde_json::{Value, json};

use crate::playback::{Answer, Call, serve};
use crate::rds_error;

#[path = "../../../../tests/conformance/cloud/suite.rs"]
mod cloud;
#[path = "../../../../tests/conformance/telling/suite.rs"]
mod telling;

use cloud::World;

fn world() -> World {
    let from = "2026-11-20T00:00:00Z".parse().expect("a moment of 2026");
    World { instances: 120, events: 130, from, snapshot: "by-hand-1".to_owned() }
}

/// A parameter of a call of the Query protocol.
fn parameter(call: &Call, name: &str) -> Option<String> {
    let value = call.body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.replace("%3A", ":"))
}

fn answered(operation: &str, result: &str) -> Answer {
    let xml = "xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"";
    Answer::new(
        200,
        &format!(
            "<{operation}Response {xml}><{operation}Result>{result}</{operation}Result></{operation}Response>"
        ),
    )
}

/// A page of a listing: what comes behind the marker, 100 at most, and where to go on.
fn page(call: &Call, all: &[String], wrapped: &str) -> Answer {
    let from: usize = parameter(call, "Marker").map_or(0, |marker| marker.parse().expect("a marker of ours"));
    let to = all.len().min(from + 100);
    let marker = if to < all.len() { format!("<Marker>{to}</Marker>") } else { String::new() };
    answered(&call.operation(), &format!("{marker}<{wrapped}>{}</{wrapped}>", all[from..to].concat()))
}

fn instance(name: &str) -> String {
    let arn = format!("arn:aws:rds:eu-west-1:123456789012:db:{name}");
    format!(
        "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceArn>{arn}</DBInstanceArn><DBInstanceStatus>available\
         </DBInstanceStatus><Engine>sqlserver-se</Engine><EngineVersion>16.00.4215.2.v1</EngineVersion><BackupRetentionPeriod>7\
         </BackupRetentionPeriod></DBInstance>"
    )
}

/// RDS with this in it. API reference, `DescribeDBInstances`, `DescribeEvents`, `DescribeDBSnapshots`, read 2026-11.
fn rds(world: &World, call: &Call) -> Answer {
    match call.operation().as_str() {
        "DescribeDBInstances" => match parameter(call, "DBInstanceIdentifier") {
            Some(name) if (0..world.instances).any(|number| World::name(number) == name) => {
                page(call, &[instance(&name)], "DBInstances")
            }
            Some(_) => rds_error(404, "DBInstanceNotFound"),
            None => {
                let all: Vec<_> = (0..world.instances).map(|number| instance(&World::name(number))).collect();
                page(call, &all, "DBInstances")
            }
        },
        "DescribeEvents" => {
            let moment =
                |name| parameter(call, name).and_then(|at| at.parse::<Timestamp>().ok()).expect("a moment");
            let (from, to) = (moment("StartTime"), moment("EndTime"));
            let source = parameter(call, "SourceIdentifier").expect("a source");
            let count = if source == World::name(0) { world.events } else { 0 };
            let happened = (0..count).map(|number| world.at(number)).filter(|at| (from..=to).contains(at));
            let all: Vec<_> = happened.map(|at| event(&source, at)).collect();
            page(call, &all, "Events")
        }
        "DescribeDBSnapshots" => {
            let name = parameter(call, "DBSnapshotIdentifier").expect("a snapshot");
            if name != world.snapshot {
                return rds_error(404, "DBSnapshotNotFound");
            }
            let of = World::name(0);
            let found = format!(
                "<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><DBInstanceIdentifier>{of}</DBInstanceIdentifier></DBSnapshot>"
            );
            page(call, &[found], "DBSnapshots")
        }
        other => unreachable!("nobody asks for {other}"),
    }
}

fn event(source: &str, at: Timestamp) -> String {
    let mut text = String::new();
    let _ = write!(
        text,
        "<Event><SourceIdentifier>{source}</SourceIdentifier><SourceType>db-instance</SourceType><Message>Finished</Message>\
         <EventCategories><EventCategory>backup</EventCategory></EventCategories><Date>{at}</Date></Event>"
    );
    text
}

#[test]
fn the_adapter_for_rds_keeps_the_contract_of_the_control_plane() {
    let world = world();
    serve(
        |call| rds(&world, call),
        async |config| {
            let adapter = Cloud::new(&config);
            cloud::every_instance_is_listed_once_and_described_as_listed(&adapter, &world).await;
            cloud::what_happened_is_found_page_by_page(&adapter, &world).await;
            cloud::a_snapshot_is_of_its_instance_and_one_that_is_none_of_nobody(&adapter, &world).await;
        },
    );
}

#[test]
fn the_adapters_for_eventbridge_and_step_functions_keep_the_contract_of_telling() {
    let mut running: BTreeMap<String, String> = BTreeMap::new();
    let text = |body: &Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    serve(
        |call| {
            let body: Value = serde_json::from_str(&call.body).expect("the services speak JSON");
            if call.operation() == "PutEvents" {
                let count = body["Entries"].as_array().map_or(0, Vec::len);
                let entries: Vec<_> =
                    (0..count).map(|number| json!({"EventId": number.to_string()})).collect();
                return Answer::new(200, &json!({"FailedEntryCount": 0, "Entries": entries}).to_string());
            }
            let (name, input) = (text(&body, "name"), text(&body, "input"));
            if serde_json::from_str::<Value>(&input).is_err() {
                return Answer::error(400, "InvalidExecutionInput");
            }
            let known = running.entry(name).or_insert_with(|| input.clone());
            if *known == input {
                Answer::new(200, r#"{"executionArn":"a","startDate":1795000000.5}"#)
            } else {
                Answer::error(400, "ExecutionAlreadyExists")
            }
        },
        async |config| {
            telling::one_event_to_ten_are_taken_and_no_other_number(&EventBridge::new(&config, "cell")).await;
            let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:instance".to_owned();
            telling::a_name_begins_one_execution(&StepFunctions::new(
                &config,
                [(Machine::Instance, machine)],
            ))
            .await;
        },
    );
}
