//! Tags of objects.
//!
//! S3 API reference, `PutObjectTagging` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>) and
//! `GetObjectTagging`, read 2026-11: the set is replaced as a whole. A key whose newest version is a delete marker is answered like one
//! that is not there, or with `MethodNotAllowed`.

use aws_sdk_s3::types::{Tag, Tagging};
use ports::Fault;
use ports::tags::{ReadTags, TagObject, Tags, objection};

use crate::S3;
use crate::fault::{self, Effect, refused};

/// Codes of a key without an object to be seen.
const GONE: [&str; 2] = ["MethodNotAllowed", "NoSuchKey"];

fn missing(bucket: &str, key: &str) -> Fault {
    refused("ObjectNotFound", format!("there is no object {bucket}/{key}"))
}

impl ReadTags for S3 {
    async fn read_tags(&self, bucket: &str, key: &str) -> Result<Tags, Fault> {
        let what = format!("GetObjectTagging {bucket}/{key}");
        let asked = self.client().get_object_tagging().bucket(bucket).key(key);
        let answer = asked.send().await.map_err(|error| match fault::code(&error) {
            Some(code) if GONE.contains(&code) => missing(bucket, key),
            _ => fault::of(&what, Effect::Read, &error),
        })?;
        let mut tags = Tags::new();
        for tag in answer.tag_set {
            if tags.insert(tag.key, tag.value).is_some() {
                return Err(refused("AnswerUnreadable", format!("{what}: a key that is there twice")));
            }
        }
        Ok(tags)
    }
}

impl TagObject for S3 {
    async fn tag_object(&self, bucket: &str, key: &str, tags: &Tags) -> Result<(), Fault> {
        let what = format!("PutObjectTagging {bucket}/{key}");
        let malformed = |why: String| refused("TagsMalformed", format!("{what}: {why}"));
        if let Some(why) = objection(tags) {
            return Err(malformed(why));
        }
        let set = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let set = set.collect::<Result<_, _>>().map_err(|error| malformed(error.to_string()))?;
        let set = Tagging::builder().set_tag_set(Some(set)).build();
        let set = set.map_err(|error| malformed(error.to_string()))?;
        let asked = self.client().put_object_tagging().bucket(bucket).key(key).tagging(set);
        match asked.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(match fault::code(&error) {
                Some(code) if GONE.contains(&code) => missing(bucket, key),
                _ => fault::of(&what, Effect::Write, &error),
            }),
        }
    }
}
