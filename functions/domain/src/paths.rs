//! S3 paths: ARNs taken apart, and the object keys of our backups.
//!
//! Keys are laid out so that the prefix of a restore matches the stripes of its own backup only: every backup has a folder of
//! its own, named by the task's key, which is never used twice. `rds_restore_database` takes everything under a prefix and
//! refuses more than ten files (RDS user guide, "Restoring a database").

use std::fmt;

use crate::reason::{Class, Reason};

/// An S3 ARN: `arn:aws:s3:::bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Arn {
    /// Partition: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`.
    pub partition: String,
    /// Bucket.
    pub bucket: String,
    /// Key, without a leading slash.
    pub key: String,
}

impl S3Arn {
    /// Takes an ARN apart.
    ///
    /// # Errors
    /// `S3ArnMalformed`: not of the form `arn:PARTITION:s3:::BUCKET/KEY`.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let parts = || {
            let rest = text.strip_prefix("arn:")?;
            let (partition, rest) = rest.split_once(':')?;
            let path = rest.strip_prefix("s3:::")?;
            let (bucket, key) = path.split_once('/')?;
            let fits = partition.starts_with("aws") && !bucket.is_empty() && !key.is_empty();
            fits.then(|| Self {
                partition: partition.to_owned(),
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            })
        };
        parts().ok_or_else(|| {
            Reason::new(Class::Never, "S3ArnMalformed", format!("{text:?} is no S3 ARN"))
                .guidance("write arn:aws:s3:::bucket/key")
        })
    }
}

impl fmt::Display for S3Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:s3:::{}/{}", self.partition, self.bucket, self.key)
    }
}

/// Whether a name of a file is an ARN.
pub fn is_arn(name: &str) -> bool {
    name.starts_with("arn:")
}

/// Partition, Region and account of an ARN such as an RDS instance's or a KMS key's.
///
/// # Errors
/// `ArnMalformed`: fewer than six parts.
pub fn arn_parts(arn: &str) -> Result<(&str, &str, &str), Reason> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    match (next(), next(), next(), next(), next(), next()) {
        (Some("arn"), Some(partition), Some(_), Some(region), Some(account), Some(_)) => {
            Ok((partition, region, account))
        }
        _ => Err(Reason::new(Class::Never, "ArnMalformed", format!("{arn:?} is no ARN"))
            .guidance("copy the ARN from the console: arn:partition:service:region:account:resource")),
    }
}

/// A name as part of an object key: letters, digits, `-`, `_` and `.` stay, anything else becomes `%XX` of its UTF-8 bytes,
/// so different names give different keys.
pub fn key_part(name: &str) -> String {
    let mut part = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            part.push(char::from(byte));
        } else {
            part.push('%');
            for nibble in [byte >> 4, byte & 15] {
                part.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
    part
}

/// The folder of one backup, with a slash at its end: what a restore names as prefix.
pub fn backup_folder(prefix: &str, instance: &str, database: &str, task_key: &str) -> String {
    let mut folder = String::new();
    if !prefix.is_empty() {
        folder.push_str(prefix);
        folder.push('/');
    }
    for part in ["backups", instance] {
        folder.push_str(part);
        folder.push('/');
    }
    folder.push_str(&key_part(database));
    folder.push('/');
    folder.push_str(&key_part(task_key));
    folder.push('/');
    folder
}

/// The key a backup of so many files is asked for: one `*` when the service numbers the files.
pub fn backup_key(folder: &str, files: u8) -> String {
    if files > 1 { format!("{folder}part*.bak") } else { format!("{folder}all.bak") }
}

/// Prefix under which the service puts copied log files, which it names itself.
pub fn log_prefix(prefix: &str, instance: &str) -> String {
    if prefix.is_empty() { format!("logs/{instance}") } else { format!("{prefix}/logs/{instance}") }
}

/// What the keys of one database's copied log files begin with: `{target}/{db_id}.{family_guid}/{db_id}.{family_guid}.`. RDS user
/// guide, "Access to transaction log backups". Keys know case and the guide does not say which the guid has: first the lower
/// case of AWS's own sample, then the upper case in which SQL Server prints a guid.
pub fn log_file_prefixes(target_key: &str, database_id: i32, family_guid: &str) -> [String; 2] {
    [family_guid.to_ascii_lowercase(), family_guid.to_ascii_uppercase()].map(|guid| {
        let stem = format!("{database_id}.{guid}");
        format!("{target_key}/{stem}/{stem}.")
    })
}

/// Sequence number and epoch of a copied log file, from the last part of its key:
/// `{db_id}.{family_guid}.{rds_backup_seq_id}.{backup_file_epoch}`.
pub fn log_file_of_key(key: &str) -> Option<(u64, i64)> {
    let name = key.rsplit('/').next()?;
    let mut parts = name.rsplit('.');
    let epoch = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok()?;
    Some((seq, epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_taken_apart_or_refused() {
        let arn = S3Arn::parse("arn:aws-cn:s3:::b/p/k.bak").unwrap();
        assert_eq!(
            (arn.partition.as_str(), arn.bucket.as_str(), arn.key.as_str()),
            ("aws-cn", "b", "p/k.bak")
        );
        assert_eq!(arn.to_string(), "arn:aws-cn:s3:::b/p/k.bak");
        for bad in
            ["", "arn:aws:s3:::b", "arn:aws:s3:::/k", "s3://b/k", "arn:aws:s3:::b/", "arn:gcp:s3:::b/k"]
        {
            assert_eq!(S3Arn::parse(bad).unwrap_err().name, "S3ArnMalformed", "{bad}");
        }
        assert_eq!(
            arn_parts("arn:aws:rds:eu-west-1:123456789012:db:sales").unwrap(),
            ("aws", "eu-west-1", "123456789012")
        );
        assert_eq!(arn_parts("sales").unwrap_err().name, "ArnMalformed");
    }

    #[test]
    fn no_restore_prefix_matches_another_backup() {
        let folder = |database: &str, task: &str| backup_folder("prod", "sales", database, task);
        let folders = [
            folder("orders", "full-orders-1"),
            folder("orders", "full-orders-10"),
            folder("orders2", "full-orders2-1"),
            folder("or/ders", "full-orders-1"),
            folder("or%2Fders", "full-orders-1"),
            folder("Größe", "full-Größe-1"),
        ];
        for (i, one) in folders.iter().enumerate() {
            for (j, other) in folders.iter().enumerate() {
                assert!(i == j || !backup_key(other, 4).starts_with(one.as_str()), "{one} {other}");
            }
        }
        assert_eq!(folders[0], "prod/backups/sales/orders/full-orders-1/");
        assert_eq!(backup_key(&folders[0], 1), "prod/backups/sales/orders/full-orders-1/all.bak");
    }

    #[test]
    fn log_files_tell_their_sequence_number() {
        for guid in ["AB12", "ab12", "aB12"] {
            let prefixes = log_file_prefixes("prod/logs/sales", 7, guid);
            assert_eq!(
                prefixes,
                ["prod/logs/sales/7.ab12/7.ab12.", "prod/logs/sales/7.AB12/7.AB12."],
                "{guid}"
            );
            for prefix in prefixes {
                assert_eq!(log_file_of_key(&format!("{prefix}15.1667000000")), Some((15, 1_667_000_000)));
            }
        }
        assert_eq!(log_file_of_key("x/7.ab12.z.1"), None);
        assert_eq!(log_file_of_key(""), None);
    }
}
