//! Tags of an object: what people, policies and lifecycle rules of S3 read without opening it.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::Fault;

/// Tags of one object. S3: 10 (API reference, `PutObjectTagging`,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>, read 2026-11).
pub const TAGS_MAX: usize = 10;

/// Length of a key in UTF-16 units, which S3 counts (user guide, "Categorizing your objects using tags",
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>, read 2026-11).
pub const TAG_KEY_MAX: usize = 128;

/// Length of a value in UTF-16 units; same source.
pub const TAG_VALUE_MAX: usize = 256;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// What is wrong with tags, in one clause: too many, too long, or of other characters than letters, digits, spaces and `+-=._:/@`
/// (source as above); keys that begin with `aws:` are Amazon's own.
pub fn objection(tags: &Tags) -> Option<String> {
    if tags.len() > TAGS_MAX {
        return Some(format!("{} tags, an object has {TAGS_MAX} at most", tags.len()));
    }
    let is_allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    for (key, value) in tags {
        let (key_length, value_length) = (key.encode_utf16().count(), value.encode_utf16().count());
        if !(1..=TAG_KEY_MAX).contains(&key_length) {
            return Some(format!(
                "a tag whose key has {key_length} characters, 1 to {TAG_KEY_MAX} are allowed"
            ));
        }
        if value_length > TAG_VALUE_MAX {
            return Some(format!("tag {key:?} with {value_length} characters, {TAG_VALUE_MAX} are allowed"));
        }
        let strange: BTreeSet<char> = key.chars().chain(value.chars()).filter(|c| !is_allowed(*c)).collect();
        if let Some(strange) = strange.first() {
            return Some(format!("tag {key:?} with {strange:?}, which S3 does not allow in tags"));
        }
        if key.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
            return Some(format!("tag {key:?}, and keys that begin with aws: are Amazon's own"));
        }
    }
    None
}

/// Reads the tags of an object.
pub trait ReadTags {
    /// Tags of the newest version. `Refused` as `ObjectNotFound` when there is none of that key, or a delete marker hides it.
    async fn read_tags(&self, bucket: &str, key: &str) -> Result<Tags, Fault>;
}

/// Tags objects.
pub trait TagObject {
    /// Gives the newest version these tags and no others; asked twice it does no more than once. `Refused` as `TagsMalformed` when
    /// [`objection`] has one, as `ObjectNotFound` as [`ReadTags`] does.
    async fn tag_object(&self, bucket: &str, key: &str, tags: &Tags) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(of: &[(&str, &str)]) -> Tags {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_those_that_s3_takes() {
        let (key, value) = ("k".repeat(TAG_KEY_MAX), "v".repeat(TAG_VALUE_MAX));
        for good in [
            &[][..],
            &[("database", "Sales 2026"), ("e", "")],
            &[("+-=._:/@", "+-=._:/@ "), ("\u{e4}", "\u{4e2d}")],
            &[(&key, &value)],
            &[("awsome", "aws:x")],
        ] {
            assert_eq!(objection(&tags(good)), None, "{good:?}");
        }
        // Two units of UTF-16 each.
        let (wide_key, wide_value) = ("\u{20000}".repeat(65), "\u{20000}".repeat(129));
        for (bad, said) in [
            (&[("", "v")][..], "a tag whose key has 0 characters"),
            (&[(&*format!("{key}k"), "v")], "a tag whose key has 129 characters"),
            (&[(&*wide_key, "v")], "a tag whose key has 130 characters"),
            (&[("k", &*format!("{value}v"))], "tag \"k\" with 257 characters"),
            (&[("k", &*wide_value)], "tag \"k\" with 258 characters"),
            (&[("k", "a\nb")], "tag \"k\" with '\\n'"),
            (&[("k", "50%")], "tag \"k\" with '%'"),
            (&[("AWS:k", "v")], "tag \"AWS:k\", and keys"),
        ] {
            let found = objection(&tags(bad)).unwrap();
            assert!(found.starts_with(said), "{found}");
        }
        let many: Tags = (0..=TAGS_MAX).map(|number| (number.to_string(), String::new())).collect();
        assert!(objection(&many).unwrap().starts_with("11 tags"));
    }
}
