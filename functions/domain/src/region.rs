//! Whether an instance, its vault and its key fit together.
//!
//! Each finding names the exact mismatch. Rules and texts: RDS user guide, "Using native backup and restore" and "Access to
//! transaction log backups"; the log-copy bucket must be in the instance's account and Region, a native backup's bucket in
//! its Region; the log-copy bucket must also have Object Ownership "Bucket Owner Preferred" and no SSE-KMS; the key symmetric and customer managed ("If you use the default key, the database won't be backed up").

use crate::facts::{BucketFacts, InstanceFacts, KeyFacts, ObjectOwnership, OptionState};
use crate::inventory::Vault;
use crate::paths::arn_parts;
use crate::reason::{Class, Reason};

/// Bytes of a vault's prefix. An object key has 1,024 bytes at most (S3 user guide, "Object key names"); the rest is left to
/// our folders, a database name of 128 characters with each byte escaped, and what the service appends.
pub const PREFIX_BYTES_MAX: usize = 200;

/// Everything that does not fit, worst first as a person would mend it. Empty means valid. `buckets` are those of the vault: one, or
/// a second one for copied logs.
pub fn findings(
    instance: &InstanceFacts,
    vault: &Vault,
    buckets: &[BucketFacts],
    key: Option<&KeyFacts>,
) -> Vec<Reason> {
    let mut findings = instance_findings(instance);
    let (partition, region) = match arn_parts(&instance.arn) {
        Ok((partition, region, _)) => (partition, region),
        Err(reason) => {
            findings.push(reason);
            return findings;
        }
    };
    findings.extend(prefix_finding(vault));
    for bucket in buckets {
        findings.extend(bucket_findings(bucket, &vault.account, &instance.name, region));
        if bucket.name == vault.log_bucket() {
            findings.extend(log_copy_findings(bucket));
        }
    }
    match key {
        Some(key) => findings.extend(key_findings(key, &instance.name, partition, region)),
        None if instance.storage_encrypted => findings.push(
            human(
                "KeyNeeded",
                format!("storage of instance {} is encrypted, vault {} names no KMS key", instance.name, vault.name),
            )
            .guidance("log copies of a storage-encrypted instance need a customer managed key: name one in the vault"),
        ),
        None => {}
    }
    findings
}

fn human(name: &'static str, message: String) -> Reason {
    Reason::new(Class::Human, name, message)
}

fn instance_findings(instance: &InstanceFacts) -> Vec<Reason> {
    let name = &instance.name;
    let mut findings = Vec::new();
    match instance.backup_option {
        OptionState::Enabled => {}
        OptionState::Applying => findings.push(Reason::new(
            Class::Wait,
            "OptionBeingApplied",
            format!("option SQLSERVER_BACKUP_RESTORE of instance {name} is being applied"),
        )),
        OptionState::Missing => findings.push(
            human("OptionMissing", format!("instance {name} has no option SQLSERVER_BACKUP_RESTORE"))
                .guidance("add the option with an IAM role to the instance's option group"),
        ),
    }
    if instance.retention_days == 0 {
        findings.push(
            human(
                "AutomatedBackupsOff",
                format!("instance {name} keeps no automated backups, so it keeps no logs"),
            )
            .guidance("set the backup retention period to at least one day"),
        );
    }
    if instance.read_replica {
        findings.push(
            human(
                "ReadReplica",
                format!("instance {name} is a read replica: native backups run on its source"),
            )
            .guidance("protect the source instance instead"),
        );
    }
    findings
}

fn bucket_findings(bucket: &BucketFacts, account: &str, instance: &str, region: &str) -> Vec<Reason> {
    let mut findings = Vec::new();
    if !bucket.owned {
        findings.push(
            human(
                "BucketOfAnotherAccount",
                format!("bucket {} does not belong to account {account}", bucket.name),
            )
            .guidance("log copies need a bucket of the instance's own account: name one in the vault"),
        );
    }
    if bucket.region != region {
        findings.push(
            human(
                "BucketInOtherRegion",
                format!("bucket {} is in {}, instance {instance} in {region}", bucket.name, bucket.region),
            )
            .guidance("use a bucket in the instance's Region and replicate from there"),
        );
    }
    findings
}

/// What the service asks of the bucket that it copies logs to, and of no other.
fn log_copy_findings(bucket: &BucketFacts) -> Vec<Reason> {
    let name = &bucket.name;
    let mut findings = Vec::new();
    if bucket.default_sse_kms {
        findings.push(
            human("BucketUnderKms", format!("default encryption of bucket {name} is SSE-KMS, and logs are copied to it"))
                .guidance(
                    "the service copies no logs to a bucket under SSE-KMS: set its default encryption to SSE-S3, or name another log_bucket in the vault",
                ),
        );
    }
    if let Some(other) =
        bucket.ownership.filter(|ownership| *ownership != ObjectOwnership::BucketOwnerPreferred)
    {
        findings.push(
            human(
                "BucketOwnerNotPreferred",
                format!("Object Ownership of bucket {name} is {}, and logs are copied to it", other.name()),
            )
            .guidance(
                "the service copies logs to a bucket with BucketOwnerPreferred: set it, or name another log_bucket in the vault",
            ),
        );
    }
    findings
}

/// What is wrong with the prefix of a vault, whatever instance writes to it.
pub fn prefix_finding(vault: &Vault) -> Option<Reason> {
    let prefix = vault.prefix.as_str();
    let what = if prefix.len() > PREFIX_BYTES_MAX {
        format!("has {} bytes, {PREFIX_BYTES_MAX} at most", prefix.len())
    } else if prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("//") {
        "begins or ends with a slash, or has two in a row".to_owned()
    } else if prefix.contains(['*', '?', '\\', '\'']) || prefix.contains(char::is_control) {
        "holds a wildcard, quote, backslash or control character".to_owned()
    } else {
        return None;
    };
    Some(
        human("PrefixMalformed", format!("prefix {prefix:?} of vault {} {what}", vault.name))
            .guidance("use letters, digits, - and _ with single slashes between"),
    )
}

fn key_findings(key: &KeyFacts, instance: &str, partition: &str, region: &str) -> Vec<Reason> {
    let arn = &key.arn;
    let (key_partition, key_region) = match arn_parts(arn) {
        Ok((partition, region, _)) => (partition, region),
        Err(reason) => return vec![reason],
    };
    let mut findings = Vec::new();
    if key_partition != partition {
        findings.push(human(
            "KeyInOtherPartition",
            format!("key {arn} is in partition {key_partition}, instance {instance} in {partition}"),
        ));
    }
    if key_region != region {
        findings.push(
            human(
                "KeyInOtherRegion",
                format!("key {arn} is in {key_region}, instance {instance} in {region}"),
            )
            .guidance("use a key, or a multi-Region replica of it, in the instance's Region"),
        );
    }
    if !key.enabled {
        findings.push(
            human("KeyDisabled", format!("key {arn} cannot be used now")).guidance("enable the key in KMS"),
        );
    }
    if !key.symmetric {
        findings.push(
            human("KeyAsymmetric", format!("key {arn} is not symmetric"))
                .guidance("use a symmetric encryption key"),
        );
    }
    if !key.customer_managed {
        findings.push(
            human(
                "KeyAwsManaged",
                format!("key {arn} is managed by AWS; with it the database is not backed up"),
            )
            .guidance("create a customer managed key and name it in the vault"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MultiAz;

    fn instance() -> InstanceFacts {
        InstanceFacts {
            name: "sales".to_owned(),
            arn: "arn:aws:rds:eu-west-1:123456789012:db:sales".to_owned(),
            status: "available".to_owned(),
            engine: "sqlserver-se".to_owned(),
            engine_version: "16.00.4215.2.v1".to_owned(),
            multi_az: MultiAz::SingleAz,
            backup_window: None,
            maintenance_window: None,
            retention_days: 7,
            backup_option: OptionState::Enabled,
            storage_encrypted: true,
            read_replica: false,
            resource_id: None,
        }
    }

    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

    fn vault() -> Vault {
        Vault {
            name: "main".to_owned(),
            bucket: "vault".to_owned(),
            log_bucket: None,
            prefix: "prod".to_owned(),
            account: "123456789012".to_owned(),
            kms_key_arn: Some(KEY.to_owned()),
            profile: crate::limits::Profile::default(),
        }
    }

    fn bucket() -> BucketFacts {
        BucketFacts {
            name: "vault".to_owned(),
            region: "eu-west-1".to_owned(),
            owned: true,
            versioned: true,
            default_sse_kms: false,
            ownership: Some(ObjectOwnership::BucketOwnerPreferred),
        }
    }

    fn key() -> KeyFacts {
        KeyFacts { arn: KEY.to_owned(), enabled: true, symmetric: true, customer_managed: true }
    }

    fn names(
        instance: &InstanceFacts,
        vault: &Vault,
        bucket: &BucketFacts,
        key: Option<&KeyFacts>,
    ) -> String {
        findings(instance, vault, std::slice::from_ref(bucket), key)
            .iter()
            .map(|r| r.name.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_fits_has_no_finding() {
        assert_eq!(names(&instance(), &vault(), &bucket(), Some(&key())), "");
        let plain = InstanceFacts { storage_encrypted: false, ..instance() };
        assert_eq!(names(&plain, &vault(), &bucket(), None), "");
    }

    #[test]
    fn each_mismatch_is_named() {
        type Spoil = fn(&mut InstanceFacts, &mut Vault, &mut BucketFacts, &mut KeyFacts);
        let cases: [(&str, Spoil); 17] = [
            ("OptionBeingApplied", |i, _, _, _| i.backup_option = OptionState::Applying),
            ("OptionMissing", |i, _, _, _| i.backup_option = OptionState::Missing),
            ("AutomatedBackupsOff", |i, _, _, _| i.retention_days = 0),
            ("ReadReplica", |i, _, _, _| i.read_replica = true),
            ("ArnMalformed", |i, _, _, _| i.arn = "sales".to_owned()),
            ("PrefixMalformed", |_, v, _, _| v.prefix = "/prod".to_owned()),
            ("PrefixMalformed", |_, v, _, _| v.prefix = "p*".to_owned()),
            ("PrefixMalformed", |_, v, _, _| v.prefix = "p".repeat(201)),
            ("BucketOfAnotherAccount", |_, _, b, _| b.owned = false),
            ("BucketInOtherRegion", |_, _, b, _| b.region = "us-east-1".to_owned()),
            ("BucketUnderKms", |_, _, b, _| b.default_sse_kms = true),
            ("BucketOwnerNotPreferred", |_, _, b, _| {
                b.ownership = Some(ObjectOwnership::BucketOwnerEnforced);
            }),
            ("BucketOwnerNotPreferred", |_, _, b, _| b.ownership = Some(ObjectOwnership::ObjectWriter)),
            ("KeyInOtherRegion", |_, _, _, k| k.arn = KEY.replace("eu-west-1", "us-east-1")),
            ("KeyInOtherPartition", |_, _, _, k| k.arn = KEY.replace("arn:aws:", "arn:aws-cn:")),
            ("KeyDisabled", |_, _, _, k| k.enabled = false),
            ("KeyAsymmetric KeyAwsManaged", |_, _, _, k| (k.symmetric, k.customer_managed) = (false, false)),
        ];
        for (expected, spoil) in cases {
            let (mut i, mut v, mut b, mut k) = (instance(), vault(), bucket(), key());
            spoil(&mut i, &mut v, &mut b, &mut k);
            assert_eq!(names(&i, &v, &b, Some(&k)), expected);
        }
        assert_eq!(names(&instance(), &vault(), &bucket(), None), "KeyNeeded");
    }

    #[test]
    fn only_the_bucket_for_copied_logs_is_asked_for_what_copies_need() {
        let vault = Vault { log_bucket: Some("logs".to_owned()), ..vault() };
        let unfit = |name: &str| BucketFacts {
            name: name.to_owned(),
            default_sse_kms: true,
            ownership: Some(ObjectOwnership::BucketOwnerEnforced),
            ..bucket()
        };
        let fit = BucketFacts { name: "logs".to_owned(), ..bucket() };
        assert_eq!(findings(&instance(), &vault, &[unfit("vault"), fit], Some(&key())), []);
        let found = findings(&instance(), &vault, &[bucket(), unfit("logs")], Some(&key()));
        let found: Vec<_> = found.iter().map(|reason| reason.message.as_str()).collect();
        assert_eq!(
            found,
            [
                "default encryption of bucket logs is SSE-KMS, and logs are copied to it",
                "Object Ownership of bucket logs is BucketOwnerEnforced, and logs are copied to it",
            ]
        );
    }

    #[test]
    fn the_bucket_for_copied_logs_is_held_to_the_same() {
        let vault = Vault { log_bucket: Some("logs".to_owned()), ..vault() };
        assert_eq!((vault.log_bucket(), self::vault().log_bucket()), ("logs", "vault"));
        let logs =
            BucketFacts { name: "logs".to_owned(), region: "us-east-1".to_owned(), owned: false, ..bucket() };
        let found = findings(&instance(), &vault, &[bucket(), logs], Some(&key()));
        let found: Vec<_> = found.iter().map(|reason| reason.message.as_str()).collect();
        assert_eq!(
            found,
            [
                "bucket logs does not belong to account 123456789012",
                "bucket logs is in us-east-1, instance sales in eu-west-1",
            ]
        );
    }
}
