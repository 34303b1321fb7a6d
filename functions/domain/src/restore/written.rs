//! How is a target written? A moment (RFC 3339), `latest`, `lsn:N` or `point:UUID`.

use std::str::FromStr;

use jiff::Timestamp;

use super::Target;
use crate::id::BackupId;
use crate::lsn::Lsn;

impl FromStr for Target {
    type Err = String;

    /// # Errors
    /// One sentence that ends with how to mend it.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::Latest);
        }
        if let Some(lsn) = text.strip_prefix("lsn:") {
            let lsn: Lsn =
                lsn.parse().map_err(|error| format!("{error}; mend: write lsn: and the decimal number"))?;
            return Ok(Self::Lsn(lsn));
        }
        if let Some(id) = text.strip_prefix("point:").filter(|id| !id.is_empty()) {
            return Ok(Self::Point(BackupId::new(id)));
        }
        let moment = text.parse::<Timestamp>().map_err(|_| {
            "mend: write a moment with its offset such as 2026-11-16T14:07:00Z, or latest, lsn:N, point:UUID".to_owned()
        })?;
        Ok(Self::Moment(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        let moment = Target::Moment("2026-11-16T14:07:00Z".parse().unwrap());
        for (text, target) in [
            ("Latest", Some(Target::Latest)),
            ("lsn:47", Some(Target::Lsn(Lsn::from_u64(47)))),
            ("point:AB-1", Some(Target::Point(BackupId::from("AB-1")))),
            ("2026-11-16T15:07:00+01:00", Some(moment)),
            ("lsn:-1", None),
            ("point:", None),
            ("2026-11-16T14:07:00", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Target>().ok(), target, "{text}");
        }
    }
}
