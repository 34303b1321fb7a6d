//! Records as JSON text, with their schema version in front.

use domain::reason::{Class, Reason};
use domain::record::Record;
use serde::{Deserialize, Serialize};

/// Characters of a parser's complaint. Policy: it quotes what was stored, however long that is, and travels through a machine
/// whose payload is limited.
const COMPLAINT_CHARS_MAX: usize = 300;

#[derive(Serialize)]
struct Out<'a, R> {
    schema: u32,
    #[serde(flatten)]
    record: &'a R,
}

#[derive(Deserialize)]
struct Head {
    schema: u32,
}

/// Writes a record as JSON.
///
/// # Errors
/// `RecordUnwritable`: the record holds what JSON cannot.
pub fn encode<R: Record>(record: &R) -> Result<String, Reason> {
    serde_json::to_string(&Out { schema: R::SCHEMA, record }).map_err(|error| {
        Reason::new(Class::Human, "RecordUnwritable", format!("{:?}: {error}", record.key()))
    })
}

/// Reads a record from JSON.
///
/// # Errors
/// `RecordUnreadable`: not JSON of this record, or of a schema that this version does not read.
pub fn decode<R: Record>(body: &str) -> Result<R, Reason> {
    let unreadable = |what: String| {
        let what = what.chars().take(COMPLAINT_CHARS_MAX).collect::<String>();
        Reason::new(Class::Human, "RecordUnreadable", what).guidance(
            "deploy the version that wrote the record, or restore the item from a backup of the table",
        )
    };
    let head: Head = serde_json::from_str(body).map_err(|error| unreadable(error.to_string()))?;
    if head.schema != R::SCHEMA && head.schema.checked_add(1) != Some(R::SCHEMA) {
        return Err(unreadable(format!(
            "schema {} is neither {} nor the one before",
            head.schema,
            R::SCHEMA
        )));
    }
    serde_json::from_str(body).map_err(|error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
    }

    impl Record for Note {
        const SCHEMA: u32 = 3;
        fn key(&self) -> (String, String) {
            ("note".to_owned(), self.text.clone())
        }
    }

    #[test]
    fn a_version_reads_itself_and_the_one_before() {
        let note = Note { text: "a".to_owned() };
        let body = encode(&note).unwrap();
        assert_eq!(body, r#"{"schema":3,"text":"a"}"#);
        assert_eq!(decode::<Note>(&body).unwrap(), note);
        assert_eq!(decode::<Note>(&body.replace('3', "2")).unwrap(), note);
        for bad in ["", "{}", r#"{"schema":4,"text":"a"}"#, r#"{"schema":1,"text":"a"}"#, r#"{"schema":3}"#] {
            assert_eq!(decode::<Note>(bad).unwrap_err().name, "RecordUnreadable", "{bad}");
        }
        let long = format!(r#"{{"schema":"{}"}}"#, "ß".repeat(100_000));
        assert_eq!(decode::<Note>(&long).unwrap_err().message.chars().count(), COMPLAINT_CHARS_MAX);
    }
}
