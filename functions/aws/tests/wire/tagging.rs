//! Tags of objects: what is sent to S3, and what comes of its answers.

use ports::Fault;
use ports::tags::{ReadTags, TagObject, Tags};

use crate::objects::{error, s3};
use crate::playback::{Answer, Call, play};
use crate::{assert_actions, says};

fn tags(of: &[(&str, &str)]) -> Tags {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn set(inner: &str) -> Answer {
    Answer::new(200, &format!("<Tagging><TagSet>{inner}</TagSet></Tagging>"))
}

fn tag(answers: Vec<Answer>, given: &Tags) -> (Result<(), Fault>, Vec<Call>) {
    play(answers, async |config| s3(config).tag_object("vault", "prod/a b", given).await)
}

#[test]
fn tags_are_sent_as_a_whole_and_never_where_s3_would_refuse_them() {
    let (found, calls) = tag(vec![Answer::new(200, "")], &tags(&[("kept by", "a@b"), ("z", "")]));
    assert_eq!(found, Ok(()));
    let sent = &calls[0];
    assert!(sent.path.starts_with("/vault/prod/a%20b?tagging"), "{}", sent.path);
    assert!(
        sent.body.contains(
            "<Tag><Key>kept by</Key><Value>a@b</Value></Tag><Tag><Key>z</Key><Value></Value></Tag>"
        ),
        "{}",
        sent.body
    );
    assert_actions("TagObject", &calls);
    let (found, calls) = tag(vec![], &tags(&[("aws:k", "v")]));
    assert_eq!((says(found).as_str(), calls.len()), ("Human TagsMalformed", 0));
    for (answer, expected) in [
        (error(404, "NoSuchKey"), "Human ObjectNotFound"),
        (error(405, "MethodNotAllowed"), "Human ObjectNotFound"),
        (error(404, "NoSuchBucket"), "Human ServiceRefused"),
        (error(400, "InvalidTag"), "Human ServiceRefused"),
        (error(409, "OperationAborted"), "transient"),
        (error(403, "AccessDenied"), "Human AccessDenied"),
        (error(500, "InternalError"), "unknown"),
        (Answer::silence(), "unknown"),
        (Answer::new(200, "x").stalled(), "unknown"),
    ] {
        assert_eq!(says(tag(vec![answer.clone()], &tags(&[])).0), expected, "{answer:?}");
    }
}

#[test]
fn tags_are_read_each_once() {
    let read = async |config| s3(config).read_tags("vault", "k").await;
    let one = "<Tag><Key>a&amp;</Key><Value>1</Value></Tag>";
    let (found, calls) = play(vec![set(&format!("{one}<Tag><Key>b</Key><Value></Value></Tag>"))], read);
    assert_eq!(found, Ok(tags(&[("a&", "1"), ("b", "")])));
    assert_actions("ReadTags", &calls);
    for (answer, expected) in [
        (set(""), "{}"),
        (set(&one.repeat(2)), "Human AnswerUnreadable"),
        (error(404, "NoSuchKey"), "Human ObjectNotFound"),
        (error(405, "MethodNotAllowed"), "Human ObjectNotFound"),
        (error(403, "AccessDenied"), "Human AccessDenied"),
        (error(503, "SlowDown"), "transient"),
        (set(one).cut(), "transient"),
        (set(one).stalled(), "transient"),
        (Answer::silence(), "transient"),
        (Answer::new(200, "nonsense"), "transient"),
    ] {
        assert_eq!(says(play(vec![answer.clone()], read).0), expected, "{answer:?}");
    }
}
