//! Executions, events and notices: what is sent, and what comes of every way in which an answer can go wrong.

use std::time::Duration;

use aws::{Cloud, EventBridge, SdkConfig, StepFunctions, Topic};
use aws_config::timeout::TimeoutConfig;
use jiff::Timestamp;
use ports::Fault;
use ports::cloud::{DescribeSnapshot, InstanceEvents, ListEvents, ListInstances, ListedInstances};
use ports::events::{Event, PublishEvents, Put};
use ports::executions::{Machine, StartExecution, Started};
use ports::notify::{Notice, Notify};
use serde_json::{Value, json};

use crate::playback::{Answer, Call, play};
use crate::{assert_actions, rds_error, says};

const INSTANCE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:instance";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:bakproof";

/// A quarter of a second for an operation: whoever waits for a hanging service need not wait for long.
pub(crate) fn hasty(config: SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(250)).build();
    config.into_builder().timeout_config(timeouts).build()
}

fn start(answers: Vec<Answer>, machine: Machine) -> (Result<Started, Fault>, Vec<Call>) {
    play(answers, async |config| {
        StepFunctions::new(&hasty(config), [(Machine::Instance, INSTANCE.to_owned())])
            .start_execution(machine, "sales-7", r#"{"schema":1}"#)
            .await
    })
}

pub(crate) fn event(detail: &str) -> Event {
    Event {
        detail_type: "Backup Finished",
        at: Timestamp::from_millisecond(1_795_000_000_500).expect("a moment of 2026"),
        resources: vec!["arn:aws:rds:eu-west-1:123456789012:db:sales".to_owned()],
        detail: detail.to_owned(),
    }
}

fn publish(answers: Vec<Answer>, events: &[Event]) -> (Result<Vec<Put>, Fault>, Vec<Call>) {
    play(answers, async |config| EventBridge::new(&hasty(config), "cell").publish(events).await)
}

fn notify(answers: Vec<Answer>) -> (Result<(), Fault>, Vec<Call>) {
    let notice = Notice { subject: "Backup\nfailed".to_owned(), text: "sales: no space".to_owned() };
    play(answers, async |config| Topic::new(&hasty(config), TOPIC).notify(&notice).await)
}

fn body(call: &Call) -> Value {
    serde_json::from_str(&call.body).expect("the service speaks JSON")
}

fn started() -> Answer {
    let arn = "arn:aws:states:eu-west-1:123456789012:execution:instance:sales-7";
    Answer::new(200, &json!({"executionArn": arn, "startDate": 1_795_000_000.5}).to_string())
}

fn published() -> Answer {
    Answer::new(200, &json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}).to_string())
}

fn notified() -> Answer {
    Answer::new(
        200,
        "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>1</MessageId>\
         </PublishResult></PublishResponse>",
    )
}

#[test]
fn an_execution_is_started_under_its_name() {
    let (found, calls) = start(vec![started()], Machine::Instance);
    assert_eq!(found, Ok(Started::Begun));
    let sent = json!({"stateMachineArn": INSTANCE, "name": "sales-7", "input": r#"{"schema":1}"#});
    assert_eq!(body(&calls[0]), sent);
    assert_actions("StartExecution", &calls);
    let (found, _) = start(vec![Answer::error(400, "ExecutionAlreadyExists")], Machine::Instance);
    assert_eq!(found, Ok(Started::Already));
    for (code, expected) in [
        ("ExecutionLimitExceeded", "transient"),
        ("StateMachineDoesNotExist", "Human ServiceRefused"),
        ("InvalidExecutionInput", "Human ServiceRefused"),
        ("InvalidName", "Human ServiceRefused"),
    ] {
        assert_eq!(says(start(vec![Answer::error(400, code)], Machine::Instance).0), expected, "{code}");
    }
    let (found, calls) = start(vec![], Machine::Discovery);
    assert_eq!((says(found).as_str(), calls.len()), ("Human MachineNotWired", 0));
}

#[test]
fn events_are_put_on_the_bus_and_told_apart() {
    let (found, calls) = publish(vec![published()], &[event(r#"{"id":"1"}"#)]);
    assert_eq!(found, Ok(vec![Put::Taken]));
    let sent = body(&calls[0])["Entries"][0].clone();
    assert_eq!((&sent["EventBusName"], &sent["Source"]), (&json!("cell"), &json!("bakproof")));
    assert_eq!((&sent["DetailType"], &sent["Detail"]), (&json!("Backup Finished"), &json!(r#"{"id":"1"}"#)));
    assert_eq!(sent["Resources"], json!(["arn:aws:rds:eu-west-1:123456789012:db:sales"]));
    assert_eq!(sent["Time"], json!(1_795_000_000.5));
    assert_actions("PublishEvents", &calls);
    let two = [event("1"), event("2")];
    let entries =
        |entries: Value| Answer::new(200, &json!({"FailedEntryCount": 1, "Entries": entries}).to_string());
    let (taken, late) = (json!({"EventId": "1"}), json!({"ErrorCode": "ThrottlingException"}));
    let bad = json!({"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."});
    for (answer, expected) in [
        (entries(json!([taken, taken])), "taken taken"),
        (entries(json!([late, late])), "left left"),
        (entries(json!([taken, late])), "taken left"),
        (entries(json!([late, bad])), "left refused"),
        (entries(json!([taken])), "unknown"),
        (Answer::new(200, "{}"), "unknown"),
        (Answer::error(400, "ThrottlingException"), "transient"),
    ] {
        let (found, calls) = publish(vec![answer.clone()], &two);
        assert_eq!(words(found), expected, "{answer:?}");
        assert_eq!(calls.len(), 1);
    }
    for count in [0, 11] {
        let (found, calls) = publish(vec![], &vec![event("{}"); count]);
        assert_eq!((says(found).as_str(), calls.len()), ("Human EventsMalformed", 0), "{count}");
    }
}

/// What became of each event in a word, or the fault.
fn words(found: Result<Vec<Put>, Fault>) -> String {
    let word = |put: &Put| match put {
        Put::Taken => "taken",
        Put::Left(_) => "left",
        Put::Refused(_) => "refused",
    };
    match found {
        Ok(put) => put.iter().map(word).collect::<Vec<_>>().join(" "),
        Err(fault) => says::<()>(Err(fault)),
    }
}

#[test]
fn events_that_fit_into_no_one_request_go_in_more_and_too_large_ones_not_at_all() {
    let (large, small) = (event(&"x".repeat(200_000)), event("{}"));
    let endless = event(&"x".repeat(300_000));
    let sent = |call: &Call| body(call)["Entries"].as_array().map_or(0, Vec::len);
    // With the time of production: these are no small requests.
    let publish = |answers: Vec<Answer>, events: &[Event]| {
        play(answers, async |config| EventBridge::new(&config, "cell").publish(events).await)
    };
    let (found, calls) = publish(vec![published(), published()], &[large.clone(), large.clone()]);
    assert_eq!(
        (words(found).as_str(), calls.iter().map(sent).collect::<Vec<_>>()),
        ("taken taken", vec![1, 1])
    );
    let (found, calls) = publish(vec![published()], &[endless.clone(), small]);
    assert_eq!((words(found).as_str(), calls.len()), ("refused taken", 1));
    let (found, calls) = publish(vec![], &[endless]);
    assert_eq!((words(found).as_str(), calls.len()), ("refused", 0));
    // The first is there: it is told no more, whatever becomes of the second.
    let (found, _) = publish(vec![published(), Answer::new(503, "")], &[large.clone(), large.clone()]);
    assert_eq!(words(found), "taken left");
    let (found, _) = publish(vec![Answer::new(503, "")], &[large.clone(), large]);
    assert_eq!(words(found), "unknown");
}

#[test]
fn a_notice_goes_to_the_topic_on_one_line() {
    let (found, calls) = notify(vec![notified()]);
    assert_eq!(found, Ok(()));
    for part in ["TopicArn=arn%3Aaws%3Asns", "Subject=Backup%20failed", "Message=sales%3A%20no%20space"] {
        assert!(calls[0].body.contains(part), "{}", calls[0].body);
    }
    assert_actions("Notify", &calls);
    for (answer, expected) in [
        (rds_error(404, "NotFound"), "Human ServiceRefused"),
        (rds_error(403, "AuthorizationError"), "Human AccessDenied"),
        (rds_error(429, "Throttled"), "transient"),
    ] {
        assert_eq!(says(notify(vec![answer.clone()]).0), expected, "{answer:?}");
    }
}

#[test]
fn an_effect_whose_answer_is_lost_is_left_open_and_asked_for_once() {
    let wholes = [started(), published(), notified()];
    let ask = |which: usize, answer: Answer| {
        let (said, calls) = match which {
            0 => {
                let (found, calls) = start(vec![answer], Machine::Instance);
                (found.map(drop), calls)
            }
            1 => {
                let (found, calls) = publish(vec![answer], &[event("{}")]);
                (found.map(drop), calls)
            }
            _ => notify(vec![answer]),
        };
        assert_eq!(calls.len(), 1, "{which}");
        says(said)
    };
    for (which, whole) in wholes.into_iter().enumerate() {
        assert_eq!(ask(which, whole.clone()), "()", "{which}");
        for lost in [
            Answer::silence(),
            whole.clone().cut(),
            whole.stalled(),
            Answer::new(200, "neither JSON nor XML"),
            Answer::new(500, ""),
            Answer::new(503, ""),
        ] {
            assert_eq!(ask(which, lost.clone()), "unknown", "{which} {lost:?}");
        }
    }
}

fn listing(instances: &str, marker: &str) -> Answer {
    Answer::new(
        200,
        &format!(
            "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
             {marker}<DBInstances>{instances}</DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

fn member(engine: &str, more: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>sales</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:eu-west-1:1:db:sales\
         </DBInstanceArn><DBInstanceStatus>available</DBInstanceStatus><Engine>{engine}</Engine>{more}</DBInstance>"
    )
}

fn list(answer: Answer, after: Option<&str>) -> (Result<ListedInstances, Fault>, Vec<Call>) {
    play(vec![answer], async |config| Cloud::new(&hasty(config)).list_instances(after).await)
}

#[test]
fn a_page_of_instances_holds_those_of_sql_server() {
    let rich = member(
        "sqlserver-se",
        "<Endpoint><Address>sales.rds</Address><Port>1433</Port></Endpoint><MasterUserSecret><SecretArn>arn:s</SecretArn>\
         </MasterUserSecret><TagList><Tag><Key>team</Key><Value>a&amp;b</Value></Tag><Tag><Key>bare</Key></Tag></TagList>\
         <ReadReplicaSourceDBInstanceIdentifier>primary</ReadReplicaSourceDBInstanceIdentifier>",
    );
    let all = [rich, member("postgres", ""), member("custom-sqlserver-ee", ""), member("sqlserver-ex", "")];
    let (found, calls) = list(listing(&all.concat(), "<Marker>m2</Marker>"), Some("m1"));
    let page = found.unwrap();
    assert_eq!(page.after.as_deref(), Some("m2"));
    let [sales, young] = &page.instances[..] else { unreachable!("two of {page:?}") };
    assert_eq!(sales.endpoint, Some(("sales.rds".to_owned(), 1433)));
    assert_eq!((sales.master_secret_arn.as_deref(), sales.read_replica), (Some("arn:s"), true));
    let tags: Vec<_> = sales.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("bare", ""), ("team", "a&b")]);
    assert_eq!((&young.endpoint, &young.master_secret_arn, young.read_replica), (&None, &None, false));
    assert!(calls[0].body.contains("Marker=m1") && calls[0].body.contains("MaxRecords=100"), "{calls:?}");
    assert_actions("ListInstances", &calls);
}

#[test]
fn a_page_that_leads_nowhere_or_cannot_be_read_is_refused() {
    let port = member("sqlserver-se", "<Endpoint><Address>h</Address><Port>70000</Port></Endpoint>");
    for (answer, expected) in [
        (listing("", "<Marker>m1</Marker>"), "Human ListingUnreadable"),
        (listing("<DBInstance></DBInstance>", ""), "Human ListingUnreadable"),
        (listing(&port, ""), "Human ListingUnreadable"),
        (listing("", "<Marker></Marker>"), "ListedInstances { instances: [], after: None }"),
        (rds_error(400, "Throttling"), "transient"),
        (rds_error(403, "AccessDenied"), "Human AccessDenied"),
        (listing("", "").cut(), "transient"),
        (listing("", "").stalled(), "transient"),
        (Answer::silence(), "transient"),
        (Answer::new(200, "<"), "transient"),
    ] {
        assert_eq!(says(list(answer.clone(), Some("m1")).0), expected, "{answer:?}");
    }
}

fn happened(events: &str, marker: &str) -> Answer {
    Answer::new(
        200,
        &format!(
            "<DescribeEventsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeEventsResult>{marker}\
             <Events>{events}</Events></DescribeEventsResult></DescribeEventsResponse>"
        ),
    )
}

fn one(source: &str, more: &str) -> String {
    format!(
        "<Event><SourceIdentifier>{source}</SourceIdentifier><SourceType>db-instance</SourceType><EventCategories>\
         <EventCategory>backup</EventCategory><EventCategory>of tomorrow</EventCategory></EventCategories>{more}</Event>"
    )
}

fn look_back(answer: Answer, after: Option<&str>) -> (Result<InstanceEvents, Fault>, Vec<Call>) {
    let moment = |text: &str| text.parse::<Timestamp>().expect("a moment of 2026");
    let between = (moment("2026-11-20T00:00:00.5Z"), moment("2026-11-22T01:02:03.25Z"));
    play(vec![answer], async |config| Cloud::new(&hasty(config)).list_events("sales", between, after).await)
}

#[test]
fn what_happened_is_asked_for_with_both_ends_and_read_whatever_its_categories_are() {
    let whole = "<Date>2026-11-21T03:04:05.678Z</Date><Message>Finished DB instance backup</Message>";
    // A service that knew no source would tell of others.
    let answer = happened(&[one("SALES", whole), one("ledger", whole)].concat(), "<Marker>m2</Marker>");
    let (found, calls) = look_back(answer, Some("m1"));
    let page = found.unwrap();
    let [event] = &page.events[..] else { unreachable!("one of {page:?}") };
    assert_eq!(
        (event.at.to_string().as_str(), page.after.as_deref()),
        ("2026-11-21T03:04:05.678Z", Some("m2"))
    );
    assert_eq!(
        (event.categories.join(","), event.message.as_str()),
        ("backup,of tomorrow".to_owned(), "Finished DB instance backup")
    );
    for part in [
        "SourceIdentifier=sales",
        "SourceType=db-instance",
        "StartTime=2026-11-20T00%3A00%3A00Z",
        "EndTime=2026-11-22T01%3A02%3A04Z",
        "Marker=m1",
        "MaxRecords=100",
    ] {
        assert!(calls[0].body.contains(part), "{part}: {}", calls[0].body);
    }
    assert_actions("ListEvents", &calls);
    for (answer, expected) in [
        (happened("", ""), "InstanceEvents { events: [], after: None }"),
        (happened("", "<Marker>m1</Marker>"), "Human ListingUnreadable"),
        (happened(&one("sales", ""), ""), "Human ListingUnreadable"),
        (happened(&one("sales", "<Date>2026-11-21T03:04:05Z</Date>"), ""), "Human ListingUnreadable"),
        (happened(&one("sales", "<Date>yesterday</Date><Message>m</Message>"), ""), "transient"),
        (rds_error(404, "DBInstanceNotFound"), "Human InstanceNotFound"),
        (rds_error(400, "InvalidParameterValue"), "Human ServiceRefused"),
        (rds_error(400, "Throttling"), "transient"),
        (rds_error(403, "AccessDenied"), "Human AccessDenied"),
        (happened("", "").cut(), "transient"),
        (happened("", "").stalled(), "transient"),
        (Answer::silence(), "transient"),
    ] {
        assert_eq!(says(look_back(answer.clone(), Some("m1")).0), expected, "{answer:?}");
    }
}

fn snapshots(members: &str) -> Answer {
    Answer::new(
        200,
        &format!(
            "<DescribeDBSnapshotsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBSnapshotsResult>\
             <DBSnapshots>{members}</DBSnapshots></DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>"
        ),
    )
}

fn snapshot(name: &str, instance: &str) -> String {
    format!(
        "<DBSnapshot><DBSnapshotIdentifier>{name}</DBSnapshotIdentifier><DBInstanceIdentifier>{instance}\
         </DBInstanceIdentifier><Status>creating</Status></DBSnapshot>"
    )
}

fn whose(answer: Answer, name: &str) -> (Result<Option<String>, Fault>, Vec<Call>) {
    play(vec![answer], async |config| Cloud::new(&hasty(config)).instance_of_snapshot(name).await)
}

#[test]
fn a_snapshot_is_asked_for_by_its_name_and_the_type_that_it_tells() {
    for (name, of_type) in [
        ("before-upgrade", None),
        ("awsbackup:job-1", Some("SnapshotType=awsbackup")),
        ("rds:sales-2026", Some("SnapshotType=automated")),
    ] {
        let (found, calls) = whose(snapshots(&snapshot(&name.to_uppercase(), "sales")), name);
        assert_eq!(found, Ok(Some("sales".to_owned())));
        let sent = &calls[0].body;
        assert!(sent.contains(&format!("DBSnapshotIdentifier={}", name.replace(':', "%3A"))), "{sent}");
        assert_eq!(
            of_type.is_some_and(|of_type| sent.contains(of_type)),
            sent.contains("SnapshotType"),
            "{sent}"
        );
        assert_actions("DescribeSnapshot", &calls);
    }
    for (answer, expected) in [
        (snapshots(""), "None"),
        (rds_error(404, "DBSnapshotNotFound"), "None"),
        (rds_error(404, "DBSnapshotNotFoundFault"), "None"),
        (snapshots(&snapshot("another", "sales")), "Human SnapshotUnreadable"),
        (snapshots(&snapshot("by-hand", "")), "Human SnapshotUnreadable"),
        (snapshots("<DBSnapshot></DBSnapshot>"), "Human SnapshotUnreadable"),
        (rds_error(400, "InvalidParameterValue"), "Human ServiceRefused"),
        (rds_error(400, "Throttling"), "transient"),
        (rds_error(403, "AccessDenied"), "Human AccessDenied"),
        (snapshots("").cut(), "transient"),
        (snapshots("").stalled(), "transient"),
        (Answer::silence(), "transient"),
        (Answer::new(200, "<"), "transient"),
    ] {
        assert_eq!(says(whose(answer.clone(), "by-hand").0), expected, "{answer:?}");
    }
}

#[test]
fn a_notice_without_a_text_is_not_sent() {
    let notice = Notice { subject: "Backup failed".to_owned(), text: String::new() };
    let (found, calls) = play(vec![], async |config| Topic::new(&config, TOPIC).notify(&notice).await);
    assert_eq!((says(found).as_str(), calls.len()), ("Human NoticeEmpty", 0));
}
