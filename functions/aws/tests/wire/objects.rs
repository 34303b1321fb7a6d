//! Objects, versions and uploads: what is sent to S3, and what comes of every way in which an answer can go wrong.

use aws::{S3, SdkConfig};
use ports::Fault;
use ports::objects::{
    AbortUpload, HeadObject, ListUploads, ListVersions, NotDeleted, OpenUploads, PurgeVersions, ReadObject,
    TrashObjects, UploadId, VersionId, Versions, WriteObject, Written,
};

use crate::playback::{Answer, Call, play};
use crate::telling::hasty;
use crate::{assert_actions, says};

pub(crate) fn s3(config: SdkConfig) -> S3 {
    S3::new(&hasty(config))
}

/// An error of S3.
pub(crate) fn error(status: u16, code: &str) -> Answer {
    Answer::new(status, &format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
}

fn id(key: &str, version: &str) -> VersionId {
    VersionId { key: key.to_owned(), version: version.to_owned() }
}

fn purge(answer: Answer, ids: &[VersionId]) -> (Result<Vec<NotDeleted>, Fault>, Vec<Call>) {
    play(vec![answer], async |config| s3(config).purge_versions("vault", ids).await)
}

fn deleted(inner: &str) -> Answer {
    Answer::new(200, &format!("<DeleteResult>{inner}</DeleteResult>"))
}

#[test]
fn a_delete_tells_apart_what_is_gone_what_is_kept_and_what_nobody_knows() {
    let done = "<Deleted><Key>a&amp;b</Key><VersionId>1</VersionId></Deleted>";
    let ids = [id("a&b", "1"), id("c", "2")];
    for (inner, expected) in [
        ("<Deleted><Key>c</Key><VersionId>2</VersionId></Deleted>", None),
        ("", Some("unknown")),
        // Named under another version: that says nothing about this one.
        ("<Deleted><Key>c</Key><VersionId>3</VersionId></Deleted>", Some("unknown")),
        ("<Error><Key>c</Key><VersionId>2</VersionId><Code>SlowDown</Code></Error>", Some("transient")),
        ("<Error><Key>c</Key><VersionId>2</VersionId><Code>InternalError</Code></Error>", Some("unknown")),
        (
            "<Error><Key>c</Key><VersionId>2</VersionId><Code>AccessDenied</Code><Message>m</Message></Error>",
            Some("Human AccessDenied"),
        ),
    ] {
        let (found, calls) = purge(deleted(&format!("{done}{inner}")), &ids);
        let left = found.unwrap().into_iter().map(|left| (left.index, says::<()>(Err(left.fault))));
        let expected = expected.map(|said| (1, said.to_owned()));
        assert_eq!(left.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{inner}");
        assert!(calls[0].body.contains("<VersionId>1</VersionId>"), "{}", calls[0].body);
        assert_actions("PurgeVersions", &calls);
    }
    let trash = async |config| s3(config).trash_objects("vault", &["c".to_owned()]).await;
    let marked = "<Deleted><Key>c</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>9</DeleteMarkerVersionId></Deleted>";
    let (found, calls) = play(vec![deleted(marked)], trash);
    assert_eq!(found, Ok(vec![]));
    assert!(!calls[0].body.contains("VersionId"), "{}", calls[0].body);
    assert_actions("TrashObjects", &calls);
}

#[test]
fn a_delete_without_names_or_with_too_many_is_not_sent() {
    for ids in [vec![], vec![id("a", "1"); 1_001], vec![id("a", "")], vec![id("", "1")]] {
        let purge = async |config| s3(config).purge_versions("vault", &ids).await;
        let (found, calls) = play(vec![], purge);
        assert_eq!((says(found).as_str(), calls.len()), ("Human DeleteMalformed", 0), "{}", ids.len());
    }
}

fn versions(answer: Answer) -> (Result<Versions, Fault>, Vec<Call>) {
    let after = id("prod/a", "1");
    play(vec![answer], async |config| s3(config).list_versions("vault", "prod/", Some(&after)).await)
}

const OBJECT: &str = "<Version><Key>prod/b</Key><VersionId>2</VersionId><IsLatest>false</IsLatest>\
                      <LastModified>2026-11-22T01:02:03.004Z</LastModified><Size>7</Size></Version>";
const MARKER: &str = "<DeleteMarker><Key>prod/b</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>\
                      <LastModified>2026-11-22T01:02:03.004Z</LastModified></DeleteMarker>";

fn page(inner: &str) -> Answer {
    Answer::new(200, &format!("<ListVersionsResult>{inner}</ListVersionsResult>"))
}

fn more(key: &str, version: &str) -> String {
    format!(
        "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
         <NextVersionIdMarker>{version}</NextVersionIdMarker>"
    )
}

#[test]
fn a_page_of_versions_says_what_is_a_marker_and_where_to_go_on() {
    let (found, calls) = versions(page(&format!("{}{OBJECT}{MARKER}", more("prod/b", "2"))));
    let found = found.unwrap();
    assert_eq!(found.after, Some(id("prod/b", "2")));
    let read: Vec<_> = found.versions.iter().map(|v| (&v.id, v.size_bytes, v.is_latest)).collect();
    assert_eq!(read, [(&id("prod/b", "2"), Some(7), false), (&id("prod/b", "3"), None, true)]);
    assert_eq!(found.versions[0].modified.to_string(), "2026-11-22T01:02:03.004Z");
    for part in ["key-marker=prod", "version-id-marker=1", "prefix=prod", "max-keys=1000"] {
        assert!(calls[0].path.contains(part), "{}", calls[0].path);
    }
    assert_actions("ListVersions", &calls);
}

#[test]
fn a_page_of_versions_that_leads_nowhere_or_cannot_be_read_is_refused() {
    for (answer, expected) in [
        (page(""), "Versions { versions: [], after: None }"),
        (page(&more("prod/a", "1")), "Human ListingUnreadable"),
        (page("<IsTruncated>true</IsTruncated>"), "Human ListingUnreadable"),
        (page("<Version><Key>k</Key></Version>"), "Human ListingUnreadable"),
        (page(&OBJECT.replace(">7<", ">-7<")), "Human ListingUnreadable"),
        (
            page(&format!("<EncodingType>url</EncodingType>{}", OBJECT.replace("prod/b", "prod%2"))),
            "Human ListingUnreadable",
        ),
        (page("<DeleteMarker></DeleteMarker>"), "Human ListingUnreadable"),
        (error(503, "SlowDown"), "transient"),
        (page(OBJECT).cut(), "transient"),
        (page(OBJECT).stalled(), "transient"),
        (Answer::silence(), "transient"),
        (Answer::new(200, "nonsense"), "transient"),
    ] {
        assert_eq!(says(versions(answer.clone()).0), expected, "{answer:?}");
    }
}

#[test]
fn uploads_are_listed_and_aborted_and_one_that_is_gone_is_no_fault() {
    let one = UploadId { key: "prod/b".to_owned(), upload: "u2".to_owned() };
    let list = |inner: &str| {
        let answer = format!("<ListMultipartUploadsResult>{inner}</ListMultipartUploadsResult>");
        play(vec![Answer::new(200, &answer)], async |config| -> Result<OpenUploads, Fault> {
            s3(config).list_uploads("vault", "prod/", Some(&one)).await
        })
    };
    let upload = "<Upload><Key>prod/c</Key><UploadId>u3</UploadId><Initiated>2026-11-22T01:02:03Z</Initiated></Upload>";
    let more = "<IsTruncated>true</IsTruncated><NextKeyMarker>prod/c</NextKeyMarker>\
                <NextUploadIdMarker>u3</NextUploadIdMarker>";
    let (found, calls) = list(&format!("{more}{upload}"));
    let found = found.unwrap();
    assert_eq!(found.uploads.len(), 1);
    assert_eq!(found.after.as_ref(), Some(&found.uploads[0].id));
    assert!(calls[0].path.contains("upload-id-marker=u2"), "{}", calls[0].path);
    assert_actions("ListUploads", &calls);
    let to_itself = more.replace("prod/c", "prod/b").replace("u3", "u2");
    for inner in [to_itself.as_str(), "<IsTruncated>true</IsTruncated>", "<Upload></Upload>"] {
        assert_eq!(says(list(inner).0), "Human ListingUnreadable", "{inner}");
    }
    let abort = async |config| s3(config).abort_upload("vault", &one).await;
    for (answer, expected) in [
        (Answer::new(204, ""), "()"),
        (error(404, "NoSuchUpload"), "()"),
        (error(404, "NoSuchBucket"), "Human ServiceRefused"),
        (error(500, "InternalError"), "unknown"),
        (Answer::silence(), "unknown"),
    ] {
        let (found, calls) = play(vec![answer.clone()], abort);
        assert_eq!(says(found), expected, "{answer:?}");
        assert_actions("AbortUpload", &calls);
    }
}

#[test]
fn a_range_is_the_one_that_was_asked_for() {
    let read = async |config| s3(config).read_object("vault", "k", 3, 4).await;
    let part = |range: &str, body: &str| Answer {
        headers: vec![("content-range", range.to_owned())],
        ..Answer::new(206, body)
    };
    let (found, calls) = play(vec![part("bytes 3-6/10", "3456")], read);
    assert_eq!(found, Ok(b"3456".to_vec()));
    assert_eq!(calls[0].header("range"), Some("bytes=3-6"));
    assert_actions("ReadObject", &calls);
    for (answer, expected) in [
        (part("bytes 3-4/5", "34"), "[51, 52]"),
        (error(416, "InvalidRange"), "[]"),
        (error(404, "NoSuchKey"), "Human ObjectNotFound"),
        (error(404, "NoSuchBucket"), "Human ServiceRefused"),
        (error(403, "InvalidObjectState"), "Human AccessDenied"),
        (Answer::new(200, "0123456789"), "Human AnswerUnreadable"),
        (part("bytes 0-3/10", "0123"), "Human AnswerUnreadable"),
        (part("bytes 3-6/10", "34567"), "Human AnswerUnreadable"),
        (part("bytes 3-6/10", &"x".repeat(1_000_000)).unannounced(), "Human AnswerUnreadable"),
        // Fewer than were told: whoever believed them would take the object to end there.
        (part("bytes 3-6/10", "345"), "Human AnswerUnreadable"),
        (part("bytes 3-4/10", "34"), "Human AnswerUnreadable"),
        (part("bytes 3-6/10", "3456").stalled(), "transient"),
        (part("bytes 3-6/10", "3456").cut(), "transient"),
        (error(500, "InternalError"), "transient"),
        (Answer::silence(), "transient"),
    ] {
        assert_eq!(says(play(vec![answer.clone()], read).0), expected, "{:.200}", format!("{answer:?}"));
    }
}

#[test]
fn a_head_is_whole_or_none() {
    let look = async |config| s3(config).head_object("vault", "prod/k").await;
    let head = |headers: &[(&'static str, &str)]| Answer {
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        // The length of an answer to a HEAD is that of the body that does not come.
        ..Answer::new(200, "").unannounced()
    };
    let whole = [
        ("content-length", "7"),
        ("etag", "\"e-2\""),
        ("last-modified", "Sun, 22 Nov 2026 01:02:03 GMT"),
        ("x-amz-version-id", "v1"),
    ];
    let (found, calls) = play(vec![head(&whole)], look);
    let found = found.unwrap().unwrap();
    assert_eq!((found.size_bytes, found.etag.as_str(), found.version.as_deref()), (7, "e-2", Some("v1")));
    assert_eq!(found.modified.to_string(), "2026-11-22T01:02:03Z");
    assert_eq!((calls[0].method.as_str(), calls[0].path.as_str()), ("HEAD", "/vault/prod/k"));
    assert_actions("HeadObject", &calls);
    let (found, _) = play(vec![head(&whole[..3])], look);
    assert_eq!(found.unwrap().unwrap().version, None, "a bucket that never had versions");
    for (answer, expected) in [
        (Answer::new(404, ""), "None"),
        (head(&[("content-length", "7"), ("etag", "e")]), "Human AnswerUnreadable"),
        (head(&[whole[0], whole[2], ("etag", "\"\"")]), "Human AnswerUnreadable"),
        (Answer::new(403, ""), "Human AccessDenied"),
        (Answer::new(503, ""), "transient"),
        (Answer::silence(), "transient"),
    ] {
        assert_eq!(says(play(vec![answer.clone()], look).0), expected, "{answer:?}");
    }
}

#[test]
fn an_object_is_written_when_there_is_none() {
    let write = async |config| s3(config).write_object("vault", "k", b"body").await;
    let (found, calls) = play(vec![Answer::new(200, "")], write);
    assert_eq!(found, Ok(Written::New));
    assert_eq!((calls[0].header("if-none-match"), calls[0].body.as_str()), (Some("*"), "body"));
    assert_actions("WriteObject", &calls);
    for (answer, expected) in [
        (error(412, "PreconditionFailed"), "Exists"),
        (error(409, "ConditionalRequestConflict"), "transient"),
        (error(503, "SlowDown"), "transient"),
        (error(403, "AccessDenied"), "Human AccessDenied"),
        (error(500, "InternalError"), "unknown"),
        (Answer::silence(), "unknown"),
        (Answer::new(200, "x").stalled(), "unknown"),
    ] {
        assert_eq!(says(play(vec![answer.clone()], write).0), expected, "{answer:?}");
    }
}

#[test]
fn a_purge_whose_answer_is_lost_is_left_open_and_asked_for_once() {
    let whole = deleted("<Deleted><Key>a</Key><VersionId>1</VersionId></Deleted>");
    for (answer, expected) in [
        (whole.clone(), "[]"),
        (whole.clone().cut(), "unknown"),
        (whole.stalled(), "unknown"),
        (Answer::silence(), "unknown"),
        (error(500, "InternalError"), "unknown"),
        (error(503, "SlowDown"), "transient"),
        (error(400, "MalformedXML"), "Human ServiceRefused"),
    ] {
        let (found, calls) = purge(answer.clone(), &[id("a", "1")]);
        assert_eq!((says(found).as_str(), calls.len()), (expected, 1), "{answer:?}");
    }
}

#[test]
fn keys_come_percent_encoded_where_the_answer_says_so() {
    let strange = "prod/a+b c%25%01";
    let sent = "prod/a%2Bb+c%2525%2501";
    for (encoding, expected) in [("", sent), ("<EncodingType>url</EncodingType>", strange)] {
        let version = OBJECT.replace("prod/b", sent);
        let (found, calls) = versions(page(&format!("{encoding}{}{version}", more(sent, "2"))));
        let found = found.unwrap();
        assert_eq!(
            (&found.versions[0].id, found.after.as_ref()),
            (&id(expected, "2"), Some(&id(expected, "2")))
        );
        assert!(calls[0].path.contains("encoding-type=url"), "{}", calls[0].path);
    }
}

#[test]
fn a_key_that_xml_cannot_carry_is_left_and_the_others_go() {
    let ids = [id("bell\u{7}", "1"), id("a<&>\"'\r\n", "2")];
    let done = "<Deleted><Key>a&lt;&amp;&gt;&quot;&apos;&#xD;&#xA;</Key><VersionId>2</VersionId></Deleted>";
    let (found, calls) = purge(deleted(done), &ids);
    let left: Vec<_> =
        found.unwrap().into_iter().map(|left| (left.index, says::<()>(Err(left.fault)))).collect();
    assert_eq!(left, [(0, "Human NameNotXml".to_owned())]);
    assert!(
        calls[0].body.contains("a&lt;&amp;&gt;") && !calls[0].body.contains('\u{7}'),
        "{}",
        calls[0].body
    );
    let (found, calls) = play(vec![], async |config| s3(config).purge_versions("vault", &ids[..1]).await);
    assert_eq!((found.map(|left| left.len()), calls.len()), (Ok(1), 0));
}
