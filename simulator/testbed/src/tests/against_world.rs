//! The ports against the world: what the control planes tell, and a backup from the request to the objects in the bucket.

use std::rc::Rc;

use domain::request::NativeBackup;
use domain::task::Lifecycle;
use jiff::SignedDuration;
use ports::cloud::{DescribeBucket, DescribeInstance, DescribeKey, ListObjects};
use ports::server::{Endpoint, OpenSession, ReadClock, ReadDatabases, ReadTasks, SubmitTasks};
use serde_json::{Value, json};
use sqlserver::{Session, SqlServer};
use world::{BucketConfig, DatabaseConfig, InstanceConfig, KeyConfig, Knobs, World};

use super::{MINUTE, after, code, ending, start};
use crate::executor::{Answer, Ending};
use crate::{Options, PipeStream, Testbed};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "123456789012";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

fn sales() -> Testbed {
    let mut world = World::new(1, start(), Knobs::default());
    world.add_bucket(BucketConfig::named("vault", REGION, ACCOUNT));
    world.add_key(KeyConfig::usable(KEY, REGION));
    world.add_instance(InstanceConfig::named("sales", REGION, ACCOUNT));
    world.add_database("sales", &DatabaseConfig::named("orders")).unwrap();
    let testbed = Testbed::new(Options::new(1), world);
    testbed.secrets().put("arn:secret", "admin", "simulated");
    testbed
}

fn endpoint() -> Endpoint {
    let host = "sales.abc.eu-west-1.rds.amazonaws.com".into();
    Endpoint { instance: "sales".into(), host, port: 1433, secret_arn: "arn:secret".into() }
}

/// Deploys a function that works on one session.
fn deploy(testbed: &mut Testbed, name: &str, work: impl AsyncFn(Session<PipeStream>) -> Answer + 'static) {
    let server = SqlServer::new(testbed.dial(), testbed.secrets(), sqlserver::Options::in_process());
    let shared = Rc::new((server, work));
    let body = move |_| {
        let shared = Rc::clone(&shared);
        async move {
            let session = Box::pin(shared.0.open(&endpoint())).await?;
            shared.1(session).await
        }
    };
    testbed.deploy_function(name, MINUTE, code(body));
}

fn answer(testbed: &mut Testbed, function: &str) -> Value {
    match ending(testbed, function, Value::Null) {
        Some(Ending::Returned(Ok(answer))) => answer,
        other => json!(format!("{other:?}")),
    }
}

#[test]
fn a_backup_goes_from_the_request_to_an_object_in_the_bucket() {
    let mut testbed = sales();
    deploy(&mut testbed, "back-up", async |mut session| {
        let request = NativeBackup {
            database: "orders".into(),
            s3_arn: "arn:aws:s3:::vault/prod/orders.bak".into(),
            kms_key_arn: None,
            differential: false,
            files: 1,
            options: domain::request::TransferOptions::default(),
        };
        Ok(json!(session.backup_database(&request).await?))
    });
    deploy(&mut testbed, "look", async |mut session| {
        let databases = session.databases().await?;
        let tasks = session.tasks(0).await?;
        let done = tasks.iter().filter(|task| task.lifecycle == Some(Lifecycle::Success)).count();
        Ok(json!([databases.iter().map(|state| &state.name).collect::<Vec<_>>(), tasks.len(), done]))
    });
    let task = answer(&mut testbed, "back-up");
    assert!(task.is_u64(), "{task}");
    assert_eq!(answer(&mut testbed, "look"), json!([["orders"], 1, 0]));
    testbed.run_until(after(SignedDuration::from_hours(2)));
    assert_eq!(answer(&mut testbed, "look"), json!([["orders"], 1, 1]));
    let cloud = testbed.cloud();
    let list = move |_| {
        let cloud = cloud.clone();
        async move {
            let (objects, more) = cloud.list_objects("vault", "prod/", None).await?;
            Ok(json!([objects.iter().map(|object| &object.key).collect::<Vec<_>>(), more]))
        }
    };
    testbed.deploy_function("list", MINUTE, code(list));
    assert_eq!(answer(&mut testbed, "list"), json!([["prod/orders.bak"], false]));
}

#[test]
fn the_server_tells_virtual_time() {
    let mut testbed = sales();
    testbed.run_until(after(SignedDuration::from_hours(1)));
    deploy(&mut testbed, "clock", async |mut session| Ok(json!(session.clock().await?.utc.to_string())));
    let told = answer(&mut testbed, "clock");
    let told: jiff::Timestamp = told.as_str().unwrap().parse().unwrap();
    let asked = after(SignedDuration::from_hours(1));
    assert!(asked < told && told < asked + SignedDuration::from_secs(1), "{told}");
}

#[test]
fn a_failover_ends_sessions_and_refuses_connections_for_a_while() {
    let mut testbed = sales();
    testbed.world_mut().configure_instance("sales", |config| config.multi_az = world::MultiAz::Mirroring);
    let clock = testbed.clock();
    deploy(&mut testbed, "clock-twice", async move |mut session| {
        let first = session.clock().await.is_ok();
        while ports::Clock::now(&clock) < start() + SignedDuration::from_secs(5)
            && session.clock().await.is_ok()
        {}
        Ok(json!([first, format!("{:?}", session.clock().await)]))
    });
    testbed.at(after(SignedDuration::from_secs(1)), |testbed| {
        assert!(testbed.world_mut().break_failover("sales"));
    });
    let id = testbed.invoke("clock-twice", Value::Null).unwrap();
    testbed.run_until(after(SignedDuration::from_secs(6)));
    let text = format!("{:?}", testbed.take_ending(id));
    assert!(text.contains("true") && text.contains("Transient"), "{text}");
    let id = testbed.invoke("clock-twice", Value::Null).unwrap();
    testbed.run_until(after(SignedDuration::from_secs(7)));
    let text = format!("{:?}", testbed.take_ending(id));
    assert!(text.contains("connection refused"), "{text}");
}

#[test]
fn control_planes_tell_what_the_services_tell() {
    let mut testbed = sales();
    testbed.world_mut().configure_instance("sales", |config| config.multi_az = world::MultiAz::AlwaysOn);
    let cloud = testbed.cloud();
    let ask = move |_| {
        let cloud = cloud.clone();
        async move {
            let told = [
                format!("{:?}", cloud.describe_instance("sales").await),
                format!("{:?}", cloud.describe_instance("nobody").await),
                format!("{:?}", cloud.describe_bucket("vault", ACCOUNT).await),
                format!("{:?}", cloud.describe_bucket("vault", "210987654321").await),
                format!("{:?}", cloud.describe_bucket("nothing", ACCOUNT).await),
                format!("{:?}", cloud.describe_key(KEY).await),
                format!("{:?}", cloud.describe_key("arn:aws:kms:eu-west-1:123456789012:key/2").await),
                format!("{:?}", cloud.describe_key("key/2").await),
                format!("{:?}", cloud.list_objects("nothing", "", None).await),
            ];
            Ok(json!(told))
        }
    };
    testbed.deploy_function("ask", MINUTE, code(ask));
    let told = answer(&mut testbed, "ask");
    for (index, expected) in [
        (0, "multi_az: Unspecified"),
        (0, "backup_option: Enabled"),
        (1, "InstanceNotFound"),
        (2, "owned: true, versioned: true"),
        (3, "owned: false, versioned: false"),
        (4, "BucketNotFound"),
        (5, "enabled: true, symmetric: true, customer_managed: true"),
        (6, "KeyNotFound"),
        (7, "ArnMalformed"),
        (8, "ServiceRefused"),
    ] {
        assert!(told[index].as_str().unwrap().contains(expected), "{expected}: {}", told[index]);
    }
}
