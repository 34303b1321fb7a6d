//! Answers that no service of AWS would send, to every question there is: each ends, as a fault that one line tells or as a value,
//! and what is asked once is asked once.

use aws::{Cloud, EventBridge, S3, SdkConfig, SecretsManager, StepFunctions, Topic};
use ports::Fault;
use ports::cloud::{DescribeInstance, DescribeKey, DescribeSnapshot, ListEvents, ListInstances, ListObjects};
use ports::events::PublishEvents;
use ports::executions::{Machine, StartExecution};
use ports::notify::{Notice, Notify};
use ports::objects::{
    AbortUpload, ListUploads, ListVersions, PurgeVersions, ReadObject, UploadId, VersionId, WriteObject,
};
use ports::tags::{ReadTags, TagObject, Tags};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::playback::{Answer, play};
use crate::telling::{event, hasty};
use crate::{KEY, SECRET};

/// Bytes of a body that no adapter reads to its end.
const ENDLESS_BYTES: usize = 10_000_000;

/// A question: whether it has an effect, and an answer that satisfies it.
struct Question {
    name: &'static str,
    has_effect: bool,
    body: &'static str,
}

const fn reads(name: &'static str, body: &'static str) -> Question {
    Question { name, has_effect: false, body }
}

const fn writes(name: &'static str, body: &'static str) -> Question {
    Question { name, has_effect: true, body }
}

const QUESTIONS: &[Question] = &[
    reads(
        "instance",
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>sales</DBInstanceIdentifier>\
         <DBInstanceArn>arn</DBInstanceArn><DBInstanceStatus>available</DBInstanceStatus><Engine>sqlserver-se</Engine>\
         <EngineVersion>16</EngineVersion><BackupRetentionPeriod>7</BackupRetentionPeriod></DBInstance></DBInstances>\
         </DescribeDBInstancesResult></DescribeDBInstancesResponse>",
    ),
    reads(
        "instances",
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><Marker>m</Marker><DBInstances><DBInstance><DBInstanceIdentifier>sales\
         </DBInstanceIdentifier><DBInstanceArn>arn</DBInstanceArn><DBInstanceStatus>available</DBInstanceStatus>\
         <Engine>sqlserver-se</Engine><Endpoint><Address>h</Address><Port>1433</Port></Endpoint></DBInstance>\
         </DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>",
    ),
    reads(
        "happened",
        "<DescribeEventsResponse><DescribeEventsResult><Marker>m</Marker><Events><Event><SourceIdentifier>sales</SourceIdentifier>\
         <EventCategories><EventCategory>backup</EventCategory></EventCategories><Date>2026-11-21T03:04:05.678Z</Date>\
         <Message>Finished</Message></Event></Events></DescribeEventsResult></DescribeEventsResponse>",
    ),
    reads(
        "snapshot",
        "<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots><DBSnapshot><DBSnapshotIdentifier>by-hand\
         </DBSnapshotIdentifier><DBInstanceIdentifier>sales</DBInstanceIdentifier></DBSnapshot></DBSnapshots>\
         </DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>",
    ),
    reads(
        "objects",
        "<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>b</Key><Size>7</Size><ETag>e</ETag>\
         <LastModified>2026-11-22T01:02:03.004Z</LastModified></Contents></ListBucketResult>",
    ),
    reads(
        "versions",
        "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>\
         <EncodingType>url</EncodingType><Version><Key>b</Key><VersionId>2</VersionId><IsLatest>false</IsLatest>\
         <LastModified>2026-11-22T01:02:03.004Z</LastModified><Size>7</Size></Version></ListVersionsResult>",
    ),
    reads(
        "uploads",
        "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>\
         <Upload><Key>b</Key><UploadId>2</UploadId><Initiated>2026-11-22T01:02:03Z</Initiated></Upload></ListMultipartUploadsResult>",
    ),
    reads("tags", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"),
    reads("range", "3456"),
    reads(
        "key",
        r#"{"KeyMetadata":{"KeyId":"1","Arn":"a","Enabled":true,"KeyState":"Enabled","KeyManager":"CUSTOMER"}}"#,
    ),
    reads("secret", r#"{"ARN":"a","SecretString":"{\"username\":\"u\",\"password\":\"hush\"}"}"#),
    writes("purge", "<DeleteResult><Deleted><Key>b</Key><VersionId>2</VersionId></Deleted></DeleteResult>"),
    writes("tag", ""),
    writes("write", ""),
    writes("abort", ""),
    writes("events", r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#),
    writes("execution", r#"{"executionArn":"a","startDate":1795000000.5}"#),
    writes(
        "notice",
        "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>",
    ),
];

async fn ask(name: &str, config: SdkConfig) -> Result<(), Fault> {
    let (s3, cloud) = (S3::new(&config), Cloud::new(&config));
    let version = VersionId { key: "b".to_owned(), version: "2".to_owned() };
    let upload = UploadId { key: "b".to_owned(), upload: "2".to_owned() };
    match name {
        "instance" => cloud.describe_instance("sales").await.map(drop),
        "instances" => cloud.list_instances(None).await.map(drop),
        "happened" => {
            let between = (jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::UNIX_EPOCH);
            cloud.list_events("sales", between, None).await.map(drop)
        }
        "snapshot" => cloud.instance_of_snapshot("by-hand").await.map(drop),
        "objects" => cloud.list_objects("vault", "", None).await.map(drop),
        "versions" => s3.list_versions("vault", "", None).await.map(drop),
        "uploads" => s3.list_uploads("vault", "", None).await.map(drop),
        "tags" => s3.read_tags("vault", "b").await.map(drop),
        "range" => s3.read_object("vault", "b", 3, 4).await.map(drop),
        "key" => cloud.describe_key(KEY).await.map(drop),
        "secret" => {
            use sqlserver::Credentials as _;
            SecretsManager::new(&config).credentials(SECRET).await.map(drop)
        }
        "purge" => match s3.purge_versions("vault", &[version]).await?.pop() {
            Some(left) => Err(left.fault),
            None => Ok(()),
        },
        "tag" => s3.tag_object("vault", "b", &Tags::new()).await,
        "write" => s3.write_object("vault", "b", b"body").await.map(drop),
        "abort" => s3.abort_upload("vault", &upload).await,
        "events" => EventBridge::new(&config, "cell").publish(&[event("{}")]).await.map(drop),
        "execution" => {
            let machines = [(Machine::Instance, "arn:aws:states:eu-west-1:1:stateMachine:i".to_owned())];
            StepFunctions::new(&config, machines)
                .start_execution(Machine::Instance, "n", "{}")
                .await
                .map(drop)
        }
        "notice" => {
            let notice = Notice { subject: "s".to_owned(), text: "t".to_owned() };
            Topic::new(&config, "arn:aws:sns:eu-west-1:1:t").notify(&notice).await
        }
        other => unreachable!("no question is called {other}"),
    }
}

impl Question {
    fn answer(&self, status: u16, body: &str) -> Answer {
        let range = self.name == "range" && status == 200;
        let headers = if range { vec![("content-range", "bytes 3-6/10".to_owned())] } else { Vec::new() };
        Answer { headers, ..Answer::new(if range { 206 } else { status }, body) }
    }
}

fn message(fault: &Fault) -> &str {
    match fault {
        Fault::Refused(reason) => &reason.message,
        Fault::Transient(message) | Fault::UnknownOutcome(message) => message,
    }
}

#[test]
fn each_question_is_satisfied_by_its_answer() {
    for question in QUESTIONS {
        let answer = question.answer(200, question.body);
        let (found, _) = play(vec![answer], async |config| ask(question.name, config).await);
        assert_eq!(found, Ok(()), "{}", question.name);
    }
}

/// Read to the limit and not to the end, whether the length is announced or not.
#[test]
fn an_answer_without_an_end_is_given_up() {
    for question in QUESTIONS {
        for is_announced in [true, false] {
            // Between the last two characters, so that no parser has what it wants before the end comes.
            let (head, tail) = question.body.split_at(question.body.len().saturating_sub(1));
            let whole = question.answer(200, &[head, &" ".repeat(ENDLESS_BYTES), tail].concat());
            let answer = if is_announced { whole } else { whole.unannounced() };
            let (found, calls) = play(vec![answer], async |config| ask(question.name, config).await);
            let fault = found.expect_err(question.name);
            let said = match (&fault, question.name) {
                (Fault::Refused(reason), "range") => &*reason.name == "AnswerUnreadable",
                (Fault::UnknownOutcome(message), _) => question.has_effect && message.contains("limit"),
                (Fault::Transient(message), _) => !question.has_effect && message.contains("limit"),
                (Fault::Refused(_), _) => false,
            };
            assert!(said && calls.len() == 1, "{} {is_announced}: {fault:?}", question.name);
        }
    }
}

/// A way in which a body goes wrong.
#[derive(Debug, Clone)]
enum Harm {
    Cut(usize),
    Insert(usize, String),
    /// What stands between two delimiters, replaced.
    Replace(usize, String),
    Nested(usize, bool),
    Other(String),
}

impl Harm {
    fn of(&self, body: &str) -> String {
        let place = |at: usize| body.floor_char_boundary(at % (body.len() + 1));
        match self {
            Self::Cut(at) => body[..place(*at)].to_owned(),
            Self::Insert(at, text) => {
                let (head, tail) = body.split_at(place(*at));
                [head, text, tail].concat()
            }
            Self::Replace(at, text) => {
                let parts: Vec<_> = body.split_inclusive(['>', '<', '"', ':', ',']).collect();
                let at = at % parts.len().max(1);
                let replaced = |(index, part): (usize, &&str)| match part.chars().last() {
                    Some(last) if index == at => format!("{text}{last}"),
                    _ => (*part).to_owned(),
                };
                parts.iter().enumerate().map(replaced).collect()
            }
            Self::Nested(depth, is_xml) => {
                let (open, close) = if *is_xml { ("<R>", "</R>") } else { ("{\"Entries\":[", "]}") };
                [&open.repeat(*depth), body, &close.repeat(*depth)].concat()
            }
            Self::Other(body) => body.clone(),
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "-1",
        "99999999999999999999999999",
        "1e308",
        "NaN",
        "null",
        "true",
        "[]",
        "{}",
        "\u{0}",
        "&#0;",
        "&x;",
        "%",
        "]]>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]>",
        "<!--",
        "9999-99-99T99:99:99Z",
        "\\ud800",
        "bytes 0-0/1",
    ];
    prop_oneof![select(KNOWN).prop_map(str::to_owned), ".{0,20}"]
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        any::<usize>().prop_map(Harm::Cut),
        (any::<usize>(), texts()).prop_map(|(at, text)| Harm::Insert(at, text)),
        (any::<usize>(), texts()).prop_map(|(at, text)| Harm::Replace(at, text)),
        (select([1, 63, 65, 20_000].as_slice()), any::<bool>())
            .prop_map(|(depth, is_xml)| Harm::Nested(depth, is_xml)),
        prop_oneof![".{0,200}", Just("<html>\n<body>502 Bad Gateway</body></html>\n".repeat(50))]
            .prop_map(Harm::Other),
    ]
}

#[test]
fn whatever_is_answered_ends_as_a_value_or_as_one_clear_line() {
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let statuses =
        select([200, 200, 200, 200, 204, 301, 400, 403, 404, 409, 412, 416, 429, 500, 503].as_slice());
    let kinds =
        select(["", "text/html", "application/json", "application/x-amz-json-1.1", "\u{1}"].as_slice());
    let asked = (0..QUESTIONS.len(), statuses, kinds, proptest::collection::vec(harms(), 1..4));
    let done = runner.run(&asked, |(which, status, kind, harms)| {
        let question = &QUESTIONS[which];
        let body = harms.iter().fold(question.body.to_owned(), |body, harm| harm.of(&body));
        let mut answer = question.answer(status, &body);
        if !kind.is_empty() {
            answer.headers.push(("content-type", kind.to_owned()));
        }
        let (found, calls) = play(vec![answer], async |config| ask(question.name, hasty(config)).await);
        prop_assert_eq!(calls.len(), 1);
        let Err(fault) = found else { return Ok(()) };
        let said = message(&fault);
        prop_assert!((1..1_500).contains(&said.chars().count()), "{} characters", said.chars().count());
        prop_assert!(!said.contains(['\n', '\r']) && !said.contains("hush"), "{said}");
        // Who reads may ask again; who has written does not know.
        let is_lost = status == 200 || status == 204 || status >= 500 && status != 503;
        match fault {
            Fault::UnknownOutcome(_) => prop_assert!(question.has_effect, "{}: {said}", question.name),
            Fault::Transient(_) => {
                prop_assert!(!question.has_effect || !is_lost, "{}: {said}", question.name);
            }
            Fault::Refused(_) => {}
        }
        Ok(())
    });
    if let Err(why) = done {
        unreachable!("{why}");
    }
}
