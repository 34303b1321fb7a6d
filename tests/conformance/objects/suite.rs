//! What every keeper of objects must do, whoever keeps them: the ports' contract as cases.
//!
//! Included by path from the tests of each implementation, which call [`objects_conformance!`] with a function that gives a
//! case an empty versioned bucket of this name and polls it to its end. The contract is the documentation of `ports::objects`.

use std::collections::BTreeSet;

use ports::Fault;
use ports::cloud::ListObjects;
use ports::objects::{
    AbortUpload, DELETES_MAX, HeadObject, ListUploads, ListVersions, ObjectVersion, PurgeVersions,
    RANGE_BYTES_MAX, ReadObject, TrashObjects, UploadId, VersionId, WriteObject, Written,
};
use ports::tags::{ReadTags, TAG_KEY_MAX, TAG_VALUE_MAX, TAGS_MAX, TagObject, Tags};

/// The bucket every case finds empty.
pub(crate) const BUCKET: &str = "objects-contract";

/// Everything that keeps objects.
pub(crate) trait Objects:
    ListObjects
    + ListVersions
    + TrashObjects
    + PurgeVersions
    + ListUploads
    + AbortUpload
    + HeadObject
    + ReadObject
    + WriteObject
    + ReadTags
    + TagObject
{
}
impl<O> Objects for O where
    O: ListObjects
        + ListVersions
        + TrashObjects
        + PurgeVersions
        + ListUploads
        + AbortUpload
        + HeadObject
        + ReadObject
        + WriteObject
        + ReadTags
        + TagObject
{
}

/// One `#[test]` for each case. `$run` takes `impl AsyncFnOnce(&O)` and calls it on an empty bucket; `ignore = "why"` leaves the
/// cases to whoever asks for them.
macro_rules! objects_conformance {
    ($run:path $(, ignore = $why:literal)?) => {
        objects_conformance!($run $(, $why)?:
            what_is_written_is_never_overwritten,
            a_head_tells_the_newest_version,
            a_range_ends_where_the_object_ends,
            trash_hides_and_its_marker_can_be_purged,
            a_purged_version_is_gone_and_purging_it_again_is_no_fault,
            pages_of_versions_name_each_once,
            a_trash_that_is_emptied_page_by_page_is_empty,
            a_malformed_delete_is_refused_and_deletes_nothing,
            an_upload_that_is_gone_is_no_fault,
            names_are_what_they_are_whatever_is_in_them,
            a_listing_goes_on_behind_what_is_gone,
            tags_are_those_given_last_and_go_with_their_version,
            tags_that_s3_does_not_take_are_refused,
        );
    };
    ($run:path $(, $why:literal)?: $($case:ident),+ $(,)?) => {
        objects_conformance!(@ $run, ($($why)?), $($case),+);
    };
    (@ $run:path, (), $($case:ident),+) => {
        $(
            #[test]
            fn $case() {
                $run(async |objects| suite::$case(objects).await);
            }
        )+
    };
    (@ $run:path, ($why:literal), $($case:ident),+) => {
        $(
            #[test]
            #[ignore = $why]
            fn $case() {
                $run(async |objects| suite::$case(objects).await);
            }
        )+
    };
}

fn name<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Err(Fault::Refused(reason)) => reason.name.into_owned(),
        other => format!("{other:?}"),
    }
}

async fn write(objects: &impl Objects, key: &str) {
    assert_eq!(objects.write_object(BUCKET, key, key.as_bytes()).await, Ok(Written::New), "{key}");
}

async fn visible(objects: &impl Objects) -> Vec<String> {
    let (found, _) = objects.list_objects(BUCKET, "", None).await.expect("a listing");
    found.into_iter().map(|object| object.key).collect()
}

/// All versions, page by page.
async fn versions(objects: &impl Objects, prefix: &str) -> (Vec<ObjectVersion>, usize) {
    let (mut all, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = objects.list_versions(BUCKET, prefix, after.as_ref()).await.expect("a page");
        assert!(page.versions.len() <= 1_000, "{} on a page", page.versions.len());
        all.extend(page.versions);
        pages += 1;
        assert!(pages < 10, "the pages do not end");
        match page.after {
            None => return (all, pages),
            next => after = next,
        }
    }
}

pub(crate) async fn what_is_written_is_never_overwritten(objects: &impl Objects) {
    write(objects, "a").await;
    assert_eq!(objects.write_object(BUCKET, "a", b"other").await, Ok(Written::Exists));
    assert_eq!(objects.read_object(BUCKET, "a", 0, 10).await, Ok(b"a".to_vec()));
    assert_eq!(objects.trash_objects(BUCKET, &["a".to_owned()]).await, Ok(vec![]));
    // A hidden object is none: the key is free.
    assert_eq!(objects.write_object(BUCKET, "a", b"new").await, Ok(Written::New));
    assert_eq!(objects.read_object(BUCKET, "a", 0, 10).await, Ok(b"new".to_vec()));
}

pub(crate) async fn a_head_tells_the_newest_version(objects: &impl Objects) {
    assert_eq!(objects.head_object(BUCKET, "p/a").await, Ok(None), "nothing was ever written");
    assert_eq!(objects.write_object(BUCKET, "p/a", b"0123456789").await, Ok(Written::New));
    let first = objects.head_object(BUCKET, "p/a").await.expect("an answer").expect("a head");
    assert_eq!(first.size_bytes, 10);
    let (listed, _) = objects.list_objects(BUCKET, "p/", None).await.expect("a listing");
    assert_eq!((listed[0].size_bytes, &listed[0].etag), (first.size_bytes, &first.etag));
    let (found, _) = versions(objects, "p/a").await;
    assert_eq!(first.version.as_ref(), Some(&found[0].id.version));
    assert_eq!(objects.trash_objects(BUCKET, &["p/a".to_owned()]).await, Ok(vec![]));
    assert_eq!(objects.head_object(BUCKET, "p/a").await, Ok(None), "it is in the trash");
    assert_eq!(objects.write_object(BUCKET, "p/a", b"new").await, Ok(Written::New));
    let second = objects.head_object(BUCKET, "p/a").await.expect("an answer").expect("a head");
    assert_eq!(second.size_bytes, 3);
    assert_ne!(second.version, first.version);
}

pub(crate) async fn a_range_ends_where_the_object_ends(objects: &impl Objects) {
    assert_eq!(objects.write_object(BUCKET, "p/0123", b"0123456789").await, Ok(Written::New));
    for (from, bytes, expected) in
        [(0, 10, "0123456789"), (0, 1, "0"), (3, 4, "3456"), (8, 100, "89"), (10, 1, ""), (5_000, 9, "")]
    {
        let found = objects.read_object(BUCKET, "p/0123", from, bytes).await;
        assert_eq!(found, Ok(expected.as_bytes().to_vec()), "{bytes} from {from}");
    }
    assert_eq!(name(objects.read_object(BUCKET, "p", 0, 1).await), "ObjectNotFound");
    for (from, bytes) in [(0, 0), (0, RANGE_BYTES_MAX + 1), (u64::MAX, 2)] {
        assert_eq!(name(objects.read_object(BUCKET, "p/0123", from, bytes).await), "RangeMalformed");
    }
}

pub(crate) async fn trash_hides_and_its_marker_can_be_purged(objects: &impl Objects) {
    for key in ["a", "b"] {
        write(objects, key).await;
    }
    let keys = ["a".to_owned(), "never-there".to_owned()];
    assert_eq!(objects.trash_objects(BUCKET, &keys).await, Ok(vec![]));
    assert_eq!(visible(objects).await, ["b"]);
    assert_eq!(name(objects.read_object(BUCKET, "a", 0, 1).await), "ObjectNotFound");
    let (found, _) = versions(objects, "a").await;
    let of = |is_marker: bool| {
        let one = found.iter().find(|version| version.size_bytes.is_none() == is_marker);
        one.expect("a marker, and the version that it hides")
    };
    let (marker, hidden) = (of(true), of(false));
    assert_eq!((found.len(), marker.is_latest, hidden.is_latest), (2, true, false));
    assert_eq!(hidden.size_bytes, Some(1));
    assert_eq!(objects.purge_versions(BUCKET, std::slice::from_ref(&marker.id)).await, Ok(vec![]));
    assert_eq!(visible(objects).await, ["a", "b"]);
}

pub(crate) async fn a_purged_version_is_gone_and_purging_it_again_is_no_fault(objects: &impl Objects) {
    for key in ["a", "b"] {
        write(objects, key).await;
    }
    let (found, _) = versions(objects, "a").await;
    let ids: Vec<_> = found.into_iter().map(|version| version.id).collect();
    assert_eq!(ids.len(), 1);
    for _ in 0..2 {
        assert_eq!(objects.purge_versions(BUCKET, &ids).await, Ok(vec![]));
        assert_eq!(versions(objects, "a").await.0, []);
    }
    assert_eq!(visible(objects).await, ["b"]);
}

pub(crate) async fn pages_of_versions_name_each_once(objects: &impl Objects) {
    let keys: Vec<_> = (0..600).map(|number| format!("p/{number:04}")).collect();
    for key in &keys {
        write(objects, key).await;
    }
    write(objects, "q").await;
    assert_eq!(objects.trash_objects(BUCKET, &keys).await, Ok(vec![]));
    let (found, pages) = versions(objects, "p/").await;
    let ids: BTreeSet<_> = found.iter().map(|version| &version.id).collect();
    assert_eq!((found.len(), ids.len(), pages), (1_200, 1_200, 2));
    assert!(ids.iter().all(|id| id.key.starts_with("p/")));
}

pub(crate) async fn a_trash_that_is_emptied_page_by_page_is_empty(objects: &impl Objects) {
    let keys: Vec<_> = (0..501).map(|number| format!("p/{number:04}")).collect();
    for key in &keys {
        write(objects, key).await;
    }
    assert_eq!(objects.trash_objects(BUCKET, &keys).await, Ok(vec![]));
    let mut after = None;
    loop {
        let page = objects.list_versions(BUCKET, "", after.as_ref()).await.expect("a page");
        let ids: Vec<_> = page.versions.into_iter().map(|version| version.id).collect();
        assert_eq!(objects.purge_versions(BUCKET, &ids).await, Ok(vec![]));
        match page.after {
            None => break,
            next => after = next,
        }
    }
    assert_eq!(versions(objects, "").await.0, []);
}

pub(crate) async fn a_malformed_delete_is_refused_and_deletes_nothing(objects: &impl Objects) {
    write(objects, "a").await;
    let many = vec!["a".to_owned(); DELETES_MAX + 1];
    for keys in [&[][..], &["a".to_owned(), String::new()], &many] {
        assert_eq!(name(objects.trash_objects(BUCKET, keys).await), "DeleteMalformed", "{}", keys.len());
    }
    // S3 reads an empty version as none, and would hide the object.
    let nameless = VersionId { key: "a".to_owned(), version: String::new() };
    assert_eq!(name(objects.purge_versions(BUCKET, &[nameless]).await), "DeleteMalformed");
    assert_eq!(visible(objects).await, ["a"]);
}

pub(crate) async fn an_upload_that_is_gone_is_no_fault(objects: &impl Objects) {
    let found = objects.list_uploads(BUCKET, "", None).await.expect("a page");
    assert_eq!((found.uploads, found.after), (vec![], None));
    let id = UploadId { key: "a".to_owned(), upload: "00000000000000000000000000000001".to_owned() };
    assert_eq!(objects.abort_upload(BUCKET, &id).await, Ok(()));
}

pub(crate) async fn names_are_what_they_are_whatever_is_in_them(objects: &impl Objects) {
    // Of XML, of URLs, of both, and of no alphabet of theirs.
    let names = ["a&b<c>\"d'", "a+b c%20d%", "a/../b", "q?x=1&y=2#z", "\u{e4}\u{4e2d}\u{1f4be}"];
    for key in names {
        write(objects, key).await;
        assert_eq!(objects.read_object(BUCKET, key, 0, 100).await, Ok(key.as_bytes().to_vec()), "{key}");
        let (listed, more) = objects.list_objects(BUCKET, key, None).await.expect("a listing");
        assert_eq!((listed.len(), more), (1, false), "{key}");
        assert_eq!(listed[0].key, key);
    }
    let (found, _) = versions(objects, "").await;
    let mut listed: Vec<_> = found.iter().map(|version| version.id.key.as_str()).collect();
    listed.sort_unstable();
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    let ids: Vec<_> = found.into_iter().map(|version| version.id).collect();
    assert_eq!(objects.purge_versions(BUCKET, &ids).await, Ok(vec![]));
    assert_eq!(versions(objects, "").await.0, []);
    // A bell is no character of XML: the batch goes without it.
    write(objects, "a").await;
    let keys = ["bell\u{7}".to_owned(), "a".to_owned()];
    let left = objects.trash_objects(BUCKET, &keys).await.expect("an answer");
    assert_eq!(left.iter().map(|left| left.index).collect::<Vec<_>>(), [0]);
    assert_eq!(name(left.into_iter().next().map_or(Ok(()), |left| Err(left.fault))), "NameNotXml");
    assert_eq!(visible(objects).await, Vec::<String>::new());
}

pub(crate) async fn a_listing_goes_on_behind_what_is_gone(objects: &impl Objects) {
    for key in ["a", "b", "c"] {
        write(objects, key).await;
    }
    let (found, _) = versions(objects, "").await;
    let gone =
        found.iter().map(|version| &version.id).find(|id| id.key == "b").expect("b was written").clone();
    let behind = async |after: &VersionId| {
        let page = objects.list_versions(BUCKET, "", Some(after)).await.expect("a page");
        page.versions.into_iter().map(|version| version.id.key).collect::<Vec<_>>()
    };
    assert_eq!(behind(&gone).await, ["c"]);
    assert_eq!(objects.purge_versions(BUCKET, std::slice::from_ref(&gone)).await, Ok(vec![]));
    assert_eq!(behind(&gone).await, ["c"]);
    let after = UploadId { key: "b".to_owned(), upload: "00000000000000000000000000000001".to_owned() };
    let found = objects.list_uploads(BUCKET, "", Some(&after)).await.expect("a page");
    assert_eq!((found.uploads, found.after), (vec![], None));
}

fn tags(of: &[(&str, &str)]) -> Tags {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) async fn tags_are_those_given_last_and_go_with_their_version(objects: &impl Objects) {
    write(objects, "a").await;
    assert_eq!(objects.read_tags(BUCKET, "a").await, Ok(Tags::new()));
    let (key, value) = ("k".repeat(TAG_KEY_MAX), "v".repeat(TAG_VALUE_MAX));
    for given in [
        tags(&[("database", "Sales 2026"), ("kept-by", "a@b:/+-=._"), ("empty", "")]),
        tags(&[(&key, &value)]),
        tags(&[]),
        (0..TAGS_MAX).map(|number| (number.to_string(), "v".to_owned())).collect(),
    ] {
        for _ in 0..2 {
            assert_eq!(objects.tag_object(BUCKET, "a", &given).await, Ok(()));
            assert_eq!(objects.read_tags(BUCKET, "a").await, Ok(given.clone()));
        }
    }
    assert_eq!(objects.trash_objects(BUCKET, &["a".to_owned()]).await, Ok(vec![]));
    for gone in ["a", "never-there"] {
        assert_eq!(name(objects.read_tags(BUCKET, gone).await), "ObjectNotFound", "{gone}");
        assert_eq!(
            name(objects.tag_object(BUCKET, gone, &tags(&[("k", "v")])).await),
            "ObjectNotFound",
            "{gone}"
        );
    }
    // A new version has none of the tags of those below it.
    write(objects, "a").await;
    assert_eq!(objects.read_tags(BUCKET, "a").await, Ok(Tags::new()));
}

pub(crate) async fn tags_that_s3_does_not_take_are_refused(objects: &impl Objects) {
    write(objects, "a").await;
    let many: Tags = (0..=TAGS_MAX).map(|number| (number.to_string(), String::new())).collect();
    for given in [many, tags(&[("", "v")]), tags(&[("aws:k", "v")]), tags(&[("k", "50%")])] {
        assert_eq!(name(objects.tag_object(BUCKET, "a", &given).await), "TagsMalformed", "{given:?}");
    }
    assert_eq!(objects.read_tags(BUCKET, "a").await, Ok(Tags::new()));
}
