//! Which bucket does an ARN mean?
//!
//! A general purpose bucket by its name, one of its access points, a directory bucket, an access point of that. The newest text of
//! the RDS user guide knows all of them, older editions buckets only. What an ARN of another partition than the instance's
//! Region lies in names does not exist there `[INF]`. Sources: RDS user guide, "Using native backup and restore"; S3 user guide,
//! "Differences for directory buckets".

use crate::{
    knobs::Documents,
    s3::{BucketConfig, S3},
    tasks::info::split_arn,
    world::World,
};

/// Whether a bucket is a directory bucket: by its name, as S3 tells them apart.
pub(crate) fn is_directory(bucket: &str) -> bool {
    bucket.ends_with("--x-s3")
}

/// The partition that a Region lies in.
fn partition_of(region: &str) -> &'static str {
    let head = region.split('-').next().unwrap_or_default();
    match head {
        "cn" => "aws-cn",
        "eusc" => "aws-eusc",
        "us" if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl BucketConfig {
    /// A directory bucket in a zone, such as `use1-az4`; it has no versions.
    pub fn directory(base: &str, zone: &str, region: &str, account: &str) -> Self {
        Self { versioned: false, ..Self::named(&format!("{base}--{zone}--x-s3"), region, account) }
    }
}

impl S3 {
    /// `CreateAccessPoint` of a bucket. Returns the ARN of the access point, `None` without the bucket.
    pub fn add_access_point(&mut self, name: &str, bucket: &str) -> Option<String> {
        let config = self.describe_bucket(bucket).ok()?;
        let (region, account) = (&config.region, &config.account);
        let service = if is_directory(bucket) { "s3express" } else { "s3" };
        let arn = format!("arn:{}:{service}:{region}:{account}:accesspoint/{name}", partition_of(region));
        self.access_points.insert(arn.clone(), bucket.to_owned());
        Some(arn)
    }

    /// The bucket that a name or an ARN means; what means none is left as it is, and does not exist.
    fn bucket_behind<'a>(&'a self, name: &'a str) -> &'a str {
        let express = name.strip_prefix("arn:").and_then(|rest| rest.split_once(":s3express:"));
        let directory = express.and_then(|(_, rest)| rest.split_once(":bucket/"));
        // `region:account` before the name.
        let owned = directory.filter(|(owner, bucket)| {
            let config = self.describe_bucket(bucket).ok();
            config.is_some_and(|config| **owner == format!("{}:{}", config.region, config.account))
        });
        match owned {
            Some((_, bucket)) => bucket,
            None => self.access_points.get(name).map_or(name, String::as_str),
        }
    }
}

impl Documents {
    /// Whether an edition knows an ARN of this sort, by its partition and what stands for the bucket.
    fn knows_arn(self, partition: &str, bucket: &str) -> bool {
        let is_new = partition == "aws-eusc" || bucket.starts_with("arn:");
        self >= Self::Newest || !is_new
    }
}

impl World {
    /// Bucket and key that an ARN means to an instance; `None` when it is malformed, unknown to the documents' edition or of
    /// another partition.
    pub(crate) fn locate(&self, instance: usize, arn: &str) -> Option<(String, String)> {
        let (bucket, key) = split_arn(arn)?;
        let partition = arn.split(':').nth(1)?;
        let region = self.instances.get(instance).map(|host| host.config.region.as_str())?;
        // A directory bucket is not named as a general purpose one.
        let known = self.knobs.documents.knows_arn(partition, bucket)
            && (bucket.starts_with("arn:") || !is_directory(bucket));
        (known && partition == partition_of(region))
            .then(|| (self.s3.bucket_behind(bucket).to_owned(), key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_of_regions() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("us-east-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition_of(region), partition, "{region}");
        }
    }
}
