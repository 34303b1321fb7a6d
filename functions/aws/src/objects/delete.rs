//! Deleting in batches: into the trash by key, for good by version.
//!
//! S3 API reference, `DeleteObjects`, and "Error responses", read 2026-11: the answer names what is deleted and what is not, each with a
//! code. It is not asked to be quiet: what an answer does not name at all nobody knows about.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use ports::Fault;
use ports::objects::{DELETES_MAX, NotDeleted, PurgeVersions, TrashObjects, VersionId, is_xml_text};

use crate::S3;
use crate::fault::{self, Effect, refused};

/// Key, and version where one is meant.
type Name = (String, Option<String>);

/// What an answer says of one name: deleted, or the code and the message why not.
type Said = Result<(), (String, Option<String>)>;

impl TrashObjects for S3 {
    async fn trash_objects(&self, bucket: &str, keys: &[String]) -> Result<Vec<NotDeleted>, Fault> {
        delete(self, bucket, keys.iter().map(|key| (key.clone(), None)).collect()).await
    }
}

impl PurgeVersions for S3 {
    async fn purge_versions(&self, bucket: &str, versions: &[VersionId]) -> Result<Vec<NotDeleted>, Fault> {
        let names = versions.iter().map(|id| (id.key.clone(), Some(id.version.clone()))).collect();
        delete(self, bucket, names).await
    }
}

async fn delete(s3: &S3, bucket: &str, names: Vec<Name>) -> Result<Vec<NotDeleted>, Fault> {
    let what = format!("DeleteObjects {bucket}");
    let malformed = |why: String| refused("DeleteMalformed", format!("{what}: {why}"));
    if !(1..=DELETES_MAX).contains(&names.len()) {
        return Err(malformed(format!("{} names, 1 to {DELETES_MAX} go into a request", names.len())));
    }
    // S3 reads an empty version as none, and would hide the object instead.
    if names.iter().any(|(key, version)| key.is_empty() || version.as_deref() == Some("")) {
        return Err(malformed("an empty name".to_owned()));
    }
    let sayable = |name: &&Name| is_xml_text(&name.0) && name.1.as_deref().is_none_or(is_xml_text);
    if !names.iter().any(|name| sayable(&name)) {
        return Ok(judge(&what, &names, &BTreeMap::new()));
    }
    let objects = names
        .iter()
        .filter(sayable)
        .map(|(key, version)| ObjectIdentifier::builder().key(key).set_version_id(version.clone()).build());
    let objects = objects.collect::<Result<_, _>>().map_err(|error| malformed(error.to_string()))?;
    let batch = Delete::builder().set_objects(Some(objects)).build();
    let batch = batch.map_err(|error| malformed(error.to_string()))?;
    let asked = s3.client().delete_objects().bucket(bucket).delete(batch);
    let answer = asked.send().await.map_err(|error| fault::of(&what, Effect::Write, &error))?;
    let mut said: BTreeMap<Name, Said> = BTreeMap::new();
    for done in answer.deleted.unwrap_or_default() {
        said.insert((done.key.unwrap_or_default(), done.version_id), Ok(()));
    }
    // Later than what is deleted: where an answer says both, the worse is believed.
    for error in answer.errors.unwrap_or_default() {
        let version = error.version_id.filter(|version| !version.is_empty());
        let name = (error.key.unwrap_or_default(), version);
        said.insert(name, Err((error.code.unwrap_or_default(), error.message)));
    }
    Ok(judge(&what, &names, &said))
}

fn judge(what: &str, names: &[Name], said: &BTreeMap<Name, Said>) -> Vec<NotDeleted> {
    let left = names.iter().enumerate().filter_map(|(index, name)| {
        let what = format!("{what}: {}", fault::short(&name.0));
        let fault = match said.get(name) {
            _ if !is_xml_text(&name.0) || !name.1.as_deref().is_none_or(is_xml_text) => {
                refused("NameNotXml", format!("{what} has a character that a batch of deletes cannot carry"))
            }
            Some(Ok(())) => return None,
            None => Fault::UnknownOutcome(format!("{what}: the answer does not name it")),
            Some(Err((code, message))) => match code.as_str() {
                "NoSuchKey" | "NoSuchVersion" => return None,
                code => fault::service(&what, code, message.as_deref(), status(code), Fault::UnknownOutcome),
            },
        };
        Some(NotDeleted { index, fault })
    });
    left.collect()
}

/// The status that a code comes with when it is the answer to a request of its own.
fn status(code: &str) -> u16 {
    match code {
        "InternalError" | "" => 500,
        "ServiceUnavailable" => 503,
        "AccessDenied" => 403,
        _ => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_does_not_say_is_unknown_and_what_is_gone_is_deleted() {
        let name = |key: &str, version: Option<&str>| (key.to_owned(), version.map(str::to_owned));
        let error = |code: &str| Err((code.to_owned(), None));
        let names = [
            name("done", None),
            name("silent", None),
            name("gone", Some("1")),
            name("slow", None),
            name("shut", None),
            name("broken", None),
            name("bare", None),
            name("done", Some("2")),
        ];
        let said = BTreeMap::from([
            (names[0].clone(), Ok(())),
            (names[2].clone(), error("NoSuchVersion")),
            (names[3].clone(), error("SlowDown")),
            (names[4].clone(), error("AccessDenied")),
            (names[5].clone(), error("InternalError")),
            (names[6].clone(), error("")),
            (name("stranger", None), error("AccessDenied")),
        ]);
        let left: Vec<_> = judge("DeleteObjects b", &names, &said)
            .into_iter()
            .map(|left| match left.fault {
                Fault::Transient(_) => format!("{} transient", left.index),
                Fault::UnknownOutcome(_) => format!("{} unknown", left.index),
                Fault::Refused(reason) => format!("{} {}", left.index, reason.name),
            })
            .collect();
        assert_eq!(
            left,
            ["1 unknown", "3 transient", "4 AccessDenied", "5 unknown", "6 unknown", "7 unknown"]
        );
    }
}
