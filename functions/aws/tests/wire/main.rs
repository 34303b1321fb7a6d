//! What the adapters send and how they read answers, against a server that plays back canned ones.
//!
//! The answers are written after the examples of the API references of S3, KMS, RDS, Secrets Manager and DynamoDB.
//! [`store`] holds what concerns the task store, [`objects`] objects, versions and uploads, [`telling`] executions, events, notices and the listing of instances,
//! [`tagging`] tags, [`contract`] the contracts that the simulator's ports keep as well, [`hostile`] what no service of AWS would send.

mod contract;
mod hostile;
mod objects;
mod playback;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tagging;
mod telling;

use aws::{Cloud, SecretsManager};
use domain::facts::{BucketFacts, ObjectOwnership, OptionState};
use playback::{Answer, Call, play};
use ports::Fault;
use ports::cloud::{DescribeBucket, DescribeInstance, DescribeKey, ListObjects};
use sqlserver::Credentials;

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:sales-AbCdEf";

fn says<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(Fault::Refused(reason)) => format!("{} {}", reason.class, reason.name),
        Err(Fault::Transient(_)) => "transient".to_owned(),
        Err(Fault::UnknownOutcome(_)) => "unknown".to_owned(),
    }
}

/// Every action that the calls need, in order of the alphabet.
fn actions(calls: &[Call]) -> Vec<String> {
    let mut actions: Vec<_> = calls.iter().map(Call::action).collect();
    actions.sort();
    actions.dedup();
    actions
}

fn assert_actions(port: &str, calls: &[Call]) {
    let all = aws::actions::all();
    let capability = all.iter().find(|capability| capability.port == port).expect("the port has its actions");
    assert_eq!(actions(calls), capability.actions, "{port}");
}

fn head(status: u16, region: &str) -> Answer {
    Answer { headers: vec![("x-amz-bucket-region", region.to_owned())], ..Answer::new(status, "") }
}

fn versioning(status: &str) -> Answer {
    let text = format!(
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{status}</VersioningConfiguration>"
    );
    Answer::new(200, &text)
}

fn encryption(algorithm: &str) -> Answer {
    let text = format!(
        "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault>\
         <SSEAlgorithm>{algorithm}</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>\
         </ServerSideEncryptionConfiguration>"
    );
    Answer::new(200, &text)
}

fn ownership(word: &str) -> Answer {
    let text = format!(
        "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ObjectOwnership>{word}</ObjectOwnership></Rule>\
         </OwnershipControls>"
    );
    Answer::new(200, &text)
}

fn error(status: u16, code: &str) -> Answer {
    Answer::new(status, &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
}

/// The settings behind the versioning that most tests do not look at.
fn settings() -> [Answer; 2] {
    [encryption("AES256"), ownership("BucketOwnerPreferred")]
}

fn bucket(answers: Vec<Answer>) -> (Result<BucketFacts, Fault>, Vec<Call>) {
    play(answers, async |config| Cloud::new(&config).describe_bucket("vault", "123456789012").await)
}

#[test]
fn a_bucket_is_asked_for_where_it_is() {
    let enabled = || versioning("<Status>Enabled</Status>");
    let described = |before: Vec<Answer>| bucket(before.into_iter().chain(settings()).collect());
    let (found, calls) = described(vec![head(200, "eu-west-1"), enabled()]);
    let facts = |region: &str, owned, versioned| {
        Ok(BucketFacts {
            name: "vault".to_owned(),
            region: region.to_owned(),
            owned,
            versioned,
            default_sse_kms: false,
            ownership: Some(ObjectOwnership::BucketOwnerPreferred),
        })
    };
    assert_eq!(found, facts("eu-west-1", true, true));
    assert_actions("DescribeBucket", &calls);
    for call in &calls {
        assert_eq!(call.header("x-amz-expected-bucket-owner"), Some("123456789012"));
        assert_eq!(call.signed_region(), "eu-west-1");
    }
    for moved in [301, 307, 400, 403] {
        let (found, calls) =
            described(vec![head(moved, "us-east-1"), head(200, "us-east-1"), versioning("")]);
        assert_eq!(found, facts("us-east-1", true, false), "{moved}");
        assert_eq!(
            calls.iter().map(Call::signed_region).collect::<Vec<_>>(),
            ["eu-west-1", "us-east-1", "us-east-1", "us-east-1", "us-east-1"]
        );
    }
    let (found, _) = described(vec![head(200, "eu-west-1"), versioning("<Status>Suspended</Status>")]);
    assert_eq!(found, facts("eu-west-1", true, false));
}

#[test]
fn default_encryption_and_ownership_are_told_as_they_are() {
    let played = |settings: Vec<Answer>| {
        let before = [head(200, "eu-west-1"), versioning("<Status>Enabled</Status>")];
        bucket(before.into_iter().chain(settings).collect()).0
    };
    let found = |encryption, ownership| played(vec![encryption, ownership]);
    for (told, under_kms) in [
        (encryption("AES256"), false),
        (encryption("aws:kms"), true),
        (encryption("aws:kms:dsse"), true),
        (error(404, "ServerSideEncryptionConfigurationNotFoundError"), false),
    ] {
        let found = found(told.clone(), ownership("BucketOwnerPreferred")).unwrap();
        assert_eq!(found.default_sse_kms, under_kms, "{told:?}");
    }
    for (told, expected) in [
        (ownership("BucketOwnerEnforced"), ObjectOwnership::BucketOwnerEnforced),
        (ownership("BucketOwnerPreferred"), ObjectOwnership::BucketOwnerPreferred),
        (ownership("ObjectWriter"), ObjectOwnership::ObjectWriter),
        // As nobody has set any.
        (error(404, "OwnershipControlsNotFoundError"), ObjectOwnership::ObjectWriter),
    ] {
        assert_eq!(found(encryption("AES256"), told.clone()).unwrap().ownership, Some(expected), "{told:?}");
    }
    // What is not told is not made up.
    let sound = || encryption("AES256");
    for (settings, expected) in [
        (vec![error(404, "NoSuchBucket")], "Human ServiceRefused"),
        (vec![error(403, "AccessDenied")], "Human AccessDenied"),
        (vec![Answer::new(503, "")], "transient"),
        (vec![sound(), ownership("Everybody")], "Human BucketOwnershipUnknown"),
        (vec![sound(), Answer::new(200, "<OwnershipControls/>")], "Human BucketOwnershipUnknown"),
        (vec![sound(), error(403, "AccessDenied")], "Human AccessDenied"),
        (vec![sound(), Answer::silence()], "transient"),
    ] {
        assert_eq!(says(played(settings.clone())), expected, "{settings:?}");
    }
}

#[test]
fn a_bucket_of_somebody_else_is_told_from_one_that_is_hidden_or_missing() {
    let (found, calls) = bucket(vec![head(403, "eu-west-1"), head(200, "eu-west-1")]);
    assert!(found.is_ok_and(|facts| !facts.owned && !facts.versioned));
    assert_eq!(calls[1].header("x-amz-expected-bucket-owner"), None);
    let (found, _) = bucket(vec![head(301, "us-east-1"), head(403, "us-east-1"), head(200, "us-east-1")]);
    assert!(found.is_ok_and(|facts| !facts.owned && facts.region == "us-east-1"));
    for (answers, expected) in [
        (vec![Answer::new(404, "")], "Human BucketNotFound"),
        (vec![Answer::new(403, ""), Answer::new(403, "")], "Human BucketNotVisible"),
        // A server that sends us in circles is not followed.
        (vec![head(301, "us-east-1"), head(301, "eu-west-1")], "Human BucketNotVisible"),
        (vec![Answer::new(200, "")], "Human BucketRegionUnknown"),
        (vec![Answer::new(503, "")], "transient"),
        (vec![head(200, "eu-west-1"), Answer::new(500, "")], "transient"),
        (vec![Answer::silence()], "transient"),
    ] {
        assert_eq!(says(bucket(answers.clone()).0), expected, "{answers:?}");
    }
}

#[test]
fn a_page_of_objects_says_whether_there_is_more() {
    let page = |more: bool| {
        Answer::new(
            200,
            &format!(
                "<ListBucketResult><IsTruncated>{more}</IsTruncated><Contents><Key>prod/a&amp;b</Key><Size>7</Size>\
                 <ETag>&quot;e-1&quot;</ETag><LastModified>2026-11-22T01:02:03.004Z</LastModified></Contents></ListBucketResult>"
            ),
        )
    };
    for more in [true, false] {
        let (found, calls) = play(vec![page(more)], async |config| {
            Cloud::new(&config).list_objects("vault", "prod/", Some("prod/a")).await
        });
        let (objects, goes_on) = found.unwrap();
        assert_eq!((objects.len(), goes_on), (1, more));
        assert_eq!(
            (objects[0].key.as_str(), objects[0].size_bytes, objects[0].etag.as_str()),
            ("prod/a&b", 7, "e-1")
        );
        assert_eq!(objects[0].modified.to_string(), "2026-11-22T01:02:03.004Z");
        for part in ["prefix=prod", "start-after=prod", "max-keys=1000"] {
            assert!(calls[0].path.contains(part), "{}", calls[0].path);
        }
        assert_actions("ListObjects", &calls);
    }
    let empty = Answer::new(200, "<ListBucketResult></ListBucketResult>");
    let tagless = Answer::new(200, "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>");
    for (answer, expected) in [(empty, "([], false)"), (tagless, "Human ListingUnreadable")] {
        let list = async |config| Cloud::new(&config).list_objects("vault", "", None).await;
        assert_eq!(says(play(vec![answer], list).0), expected);
    }
}

#[test]
fn a_key_is_asked_for_in_the_region_of_its_arn() {
    let described = format!(
        r#"{{"KeyMetadata":{{"KeyId":"1","Arn":"{KEY}","Enabled":true,"KeyState":"Enabled","KeyUsage":"ENCRYPT_DECRYPT",
        "KeySpec":"SYMMETRIC_DEFAULT","KeyManager":"CUSTOMER"}}}}"#
    );
    let ask = async |config| Cloud::new(&config).describe_key(KEY).await;
    let (found, calls) = play(vec![Answer::new(200, &described)], ask);
    let found = found.unwrap();
    assert_eq!(
        (found.arn.as_str(), found.enabled, found.symmetric, found.customer_managed),
        (KEY, true, true, true)
    );
    assert_eq!(calls[0].signed_region(), "us-east-1");
    assert_actions("DescribeKey", &calls);
    for (answer, expected) in [
        (Answer::error(400, "NotFoundException"), "Human KeyNotFound"),
        (Answer::error(400, "AccessDeniedException"), "Human AccessDenied"),
        (Answer::error(400, "ThrottlingException"), "transient"),
        (Answer::error(500, "KMSInternalException"), "transient"),
        (Answer::new(200, "{}"), "Human KeyUnreadable"),
        (Answer::new(200, "not json"), "transient"),
    ] {
        assert_eq!(says(play(vec![answer.clone()], ask).0), expected, "{answer:?}");
    }
    let (found, calls) = play(vec![], async |config| Cloud::new(&config).describe_key("alias/main").await);
    assert_eq!((says(found).as_str(), calls.len()), ("Never ArnMalformed", 0));
}

fn instance(memberships: &str) -> Answer {
    Answer::new(
        200,
        &format!(
            "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
             <DBInstances><DBInstance><DBInstanceIdentifier>sales</DBInstanceIdentifier><DBInstanceArn>\
             arn:aws:rds:eu-west-1:123456789012:db:sales</DBInstanceArn><DBInstanceStatus>available</DBInstanceStatus>\
             <Engine>sqlserver-se</Engine><EngineVersion>16.00.4215.2.v1</EngineVersion><MultiAZ>false</MultiAZ>\
             <BackupRetentionPeriod>7</BackupRetentionPeriod><OptionGroupMemberships>{memberships}\
             </OptionGroupMemberships></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

fn membership(group: &str, status: &str) -> String {
    format!(
        "<OptionGroupMembership><OptionGroupName>{group}</OptionGroupName><Status>{status}</Status></OptionGroupMembership>"
    )
}

fn group(option: &str) -> Answer {
    Answer::new(
        200,
        &format!(
            "<DescribeOptionGroupsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeOptionGroupsResult>\
             <OptionGroupsList><OptionGroup><OptionGroupName>g</OptionGroupName><Options><Option><OptionName>{option}\
             </OptionName></Option></Options></OptionGroup></OptionGroupsList></DescribeOptionGroupsResult>\
             </DescribeOptionGroupsResponse>"
        ),
    )
}

fn rds_error(status: u16, code: &str) -> Answer {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    );
    Answer::new(status, &text)
}

/// Options of one group that come on more than one page.
#[test]
fn a_group_of_options_is_read_to_its_last_page_or_given_up() {
    let ask = async |config| Cloud::new(&config).describe_instance("sales").await;
    let page = |option: &str| {
        let mut page = group(option);
        page.body = page.body.replace("<OptionGroupsList>", "<Marker>m2</Marker><OptionGroupsList>");
        page
    };
    let first = || instance(&membership("new", "in-sync"));
    let (found, calls) = play(vec![first(), page("SQLSERVER_AUDIT"), group("SQLSERVER_BACKUP_RESTORE")], ask);
    assert_eq!(found.unwrap().backup_option, OptionState::Enabled);
    let marked: Vec<bool> = calls.iter().map(|call| call.body.contains("Marker=m2")).collect();
    assert_eq!(marked, [false, false, true]);
    let endless = [vec![first()], vec![page("SQLSERVER_AUDIT"); 5]].concat();
    assert_eq!(says(play(endless, ask).0), "Human ListingUnreadable");
}

#[test]
fn the_option_is_enabled_where_a_group_that_holds_it_is_in_sync() {
    let ask = async |config| Cloud::new(&config).describe_instance("sales").await;
    let (old, new) = (membership("old", "removing"), membership("new", "in-sync"));
    let (ours, other) = (|| group("SQLSERVER_BACKUP_RESTORE"), || group("SQLSERVER_AUDIT"));
    for (answers, expected) in [
        (vec![instance(&new), ours()], OptionState::Enabled),
        (vec![instance(&new), other()], OptionState::Missing),
        (vec![instance("")], OptionState::Missing),
        (vec![instance(&old), ours()], OptionState::Applying),
        (vec![instance(&format!("{old}{new}")), ours(), ours()], OptionState::Enabled),
        (vec![instance(&format!("{old}{new}")), ours(), other()], OptionState::Applying),
        (vec![instance(&new), rds_error(404, "OptionGroupNotFoundFault")], OptionState::Missing),
    ] {
        let (found, calls) = play(answers, ask);
        assert_eq!(found.unwrap().backup_option, expected);
        if calls.len() > 1 {
            assert_actions("DescribeInstance", &calls);
        }
    }
    for (answers, expected) in [
        (vec![rds_error(404, "DBInstanceNotFound")], "Human InstanceNotFound"),
        (vec![rds_error(400, "Throttling")], "transient"),
        (vec![rds_error(403, "AccessDenied")], "Human AccessDenied"),
        (vec![instance(&new), rds_error(503, "ServiceUnavailable")], "transient"),
        (vec![Answer::new(200, "<")], "transient"),
    ] {
        assert_eq!(says(play(answers.clone(), ask).0), expected, "{answers:?}");
    }
}

#[test]
fn a_secret_is_asked_for_in_its_region_and_never_told() {
    let secret =
        |text: &str| Answer::new(200, &serde_json::json!({"ARN": SECRET, "SecretString": text}).to_string());
    let ask = async |config| SecretsManager::new(&config).credentials(SECRET).await;
    let (found, calls) = play(vec![secret(r#"{"username":"u","password":"hush"}"#)], ask);
    assert_eq!(found.unwrap().password.expose(), "hush");
    assert_eq!(calls[0].signed_region(), "eu-central-1");
    assert_actions("OpenSession", &calls);
    for (answer, expected) in [
        (secret(r#"{"username":"u","password":["hush"]}"#), "SecretUnreadable"),
        (secret("hush"), "SecretUnreadable"),
        (Answer::error(400, "ResourceNotFoundException"), "SecretNotFound"),
    ] {
        let Err(Fault::Refused(reason)) = play(vec![answer], ask).0 else {
            unreachable!("these are refusals")
        };
        assert_eq!(reason.name, expected);
        assert!(!reason.to_string().contains("hush"), "{reason}");
    }
}
