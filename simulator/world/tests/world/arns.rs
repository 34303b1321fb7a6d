//! ARNs: access points, directory buckets, partitions, and which edition of the documents knows which.

use world::{BucketConfig, Documents, InstanceConfig, KeyConfig, Knobs};

use crate::lab::{ACCOUNT, KEY, Lab, REGION, prompt, task_id};

/// The ARN of the directory bucket of [`lab`].
const DIRECTORY: &str = "arn:aws:s3express:eu-central-1:111122223333:bucket/fast--euc1-az1--x-s3";

/// A database A, an access point of the vault, a directory bucket and an access point of that.
fn lab(documents: Documents) -> Lab {
    let mut lab = Lab::with(Knobs { documents, ..prompt() }, |_| {});
    lab.database("A");
    lab.world.add_bucket(BucketConfig::directory("fast", "euc1-az1", REGION, ACCOUNT));
    let point = lab.world.s3_mut().add_access_point("point", "vault").unwrap();
    assert_eq!(point, "arn:aws:s3:eu-central-1:111122223333:accesspoint/point");
    let point = lab.world.s3_mut().add_access_point("p--euc1-az1--xa-s3", "fast--euc1-az1--x-s3").unwrap();
    assert_eq!(point, "arn:aws:s3express:eu-central-1:111122223333:accesspoint/p--euc1-az1--xa-s3");
    assert_eq!(lab.world.s3_mut().add_access_point("none", "nowhere"), None);
    lab
}

fn backup(lab: &mut Lab, arn: &str, more: &str) -> (String, String) {
    let id = task_id(&lab.batch(&format!("EXEC msdb.dbo.rds_backup_database 'A', '{arn}'{more}")));
    (lab.finish(id), lab.info(id))
}

fn restore(lab: &mut Lab, name: &str, arn: &str) -> (String, String) {
    let id = task_id(&lab.batch(&format!("EXEC msdb.dbo.rds_restore_database '{name}', '{arn}'")));
    (lab.finish(id), lab.info(id))
}

#[test]
fn an_access_point_stands_for_its_bucket() {
    let mut lab = lab(Documents::Newest);
    let point = "arn:aws:s3:eu-central-1:111122223333:accesspoint/point/object";
    let (ending, info) = backup(&mut lab, &format!("{point}/dir/full.bak"), "");
    assert_eq!(ending, "SUCCESS");
    assert!(info.contains("] dir/full.bak: Completed processing 100% of S3 chunks."), "{info}");
    assert_eq!(backup(&mut lab, &format!("{point}/many*.bak"), ", @number_of_files = 2").0, "SUCCESS");
    assert_eq!(lab.keys(""), ["dir/full.bak", "many1-of-2.bak", "many2-of-2.bak"]);
    assert_eq!(restore(&mut lab, "B", &format!("{point}/dir/full.bak")).0, "SUCCESS");
    assert_eq!(restore(&mut lab, "C", &format!("{point}/many*")).0, "SUCCESS");
    // The bucket itself holds the same.
    assert_eq!(restore(&mut lab, "D", "arn:aws:s3:::vault/dir/full.bak").0, "SUCCESS");
    for arn in [
        "arn:aws:s3:eu-central-1:111122223333:accesspoint/other/object/a.bak",
        "arn:aws:s3:eu-central-1:999900001111:accesspoint/point/object/a.bak",
    ] {
        let (ending, info) = backup(&mut lab, arn, "");
        assert!(
            ending == "ERROR" && info.contains("] The specified bucket does not exist ["),
            "{arn} {info}"
        );
    }
}

#[test]
fn a_directory_bucket_is_restored_from_by_folder() {
    let mut lab = lab(Documents::Newest);
    let point = "arn:aws:s3express:eu-central-1:111122223333:accesspoint/p--euc1-az1--xa-s3/object";
    assert_eq!(backup(&mut lab, &format!("{point}/one/full.bak"), "").0, "SUCCESS");
    assert_eq!(
        backup(&mut lab, &format!("{DIRECTORY}/two/full*.bak"), ", @number_of_files = 3").0,
        "SUCCESS"
    );
    let page = lab.world.s3().list("fast--euc1-az1--x-s3", "", None, 10).unwrap();
    let keys: Vec<&str> = page.objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["one/full.bak", "two/full1-of-3.bak", "two/full2-of-3.bak", "two/full3-of-3.bak"]);
    assert!(page.objects.iter().all(|object| object.version.is_none()));
    let said = lab.world.knobs().texts.directory_bucket_key.clone();
    for arn in [format!("{point}/one/full.bak"), format!("{DIRECTORY}/two/full*")] {
        let (ending, info) = restore(&mut lab, "B", &arn);
        assert!(ending == "ERROR" && info.contains(&format!(") exception: {said} [")), "{info}");
    }
    assert_eq!(restore(&mut lab, "B", &format!("{point}/one/*")).0, "SUCCESS");
    assert_eq!(restore(&mut lab, "C", &format!("{DIRECTORY}/two/*")).0, "SUCCESS");
    for arn in [
        // Not as a general purpose bucket, and not with the owner of another.
        "arn:aws:s3:::fast--euc1-az1--x-s3/a.bak".to_owned(),
        DIRECTORY.replace("111122223333", "999900001111") + "/a.bak",
    ] {
        let (ending, info) = backup(&mut lab, &arn, "");
        assert!(
            ending == "ERROR" && info.contains("] The specified bucket does not exist ["),
            "{arn} {info}"
        );
    }
}

#[test]
fn the_default_encryption_of_a_bucket_is_asked_for_or_always_that_of_a_directory() {
    let mut lab = lab(Documents::Newest);
    let managed = KEY.replace("good", "managed");
    lab.world.add_key(KeyConfig { customer_managed: false, ..KeyConfig::usable(&managed, REGION) });
    for bucket in ["vault", "fast--euc1-az1--x-s3"] {
        let set = |config: &mut BucketConfig| config.default_kms_key = Some(KEY.into());
        lab.world.s3_mut().configure(bucket, set).unwrap();
    }
    let key = |lab: &Lab, bucket, key| lab.world.s3().head(bucket, key, None).unwrap().kms_key;
    assert_eq!(backup(&mut lab, "arn:aws:s3:::vault/plain.bak", "").0, "SUCCESS");
    let on = ", @enable_bucket_default_encryption = 1";
    assert_eq!(backup(&mut lab, "arn:aws:s3:::vault/key.bak", on).0, "SUCCESS");
    let off = ", @enable_bucket_default_encryption = 0";
    assert_eq!(backup(&mut lab, &format!("{DIRECTORY}/dir/a.bak"), off).0, "SUCCESS");
    assert_eq!(key(&lab, "vault", "plain.bak"), None);
    assert_eq!(key(&lab, "vault", "key.bak").as_deref(), Some(KEY));
    assert_eq!(key(&lab, "fast--euc1-az1--x-s3", "dir/a.bak").as_deref(), Some(KEY));
    assert_eq!(restore(&mut lab, "B", "arn:aws:s3:::vault/key.bak").0, "SUCCESS");
    // Without the key nothing is written or read under it.
    assert!(lab.world.kms_mut().configure(KEY, |key| key.enabled = false));
    let (ending, info) = backup(&mut lab, "arn:aws:s3:::vault/other.bak", on);
    assert!(ending == "ERROR" && info.contains(&format!("] {KEY} is disabled. [")), "{info}");
    let (ending, info) = restore(&mut lab, "C", "arn:aws:s3:::vault/key.bak");
    assert!(ending == "ERROR" && info.contains(") exception: Access Denied ["), "{info}");
    assert_eq!(restore(&mut lab, "C", "arn:aws:s3:::vault/plain.bak").0, "SUCCESS");
    lab.world.s3_mut().configure("vault", |config| config.default_kms_key = Some(managed.clone())).unwrap();
    assert_eq!(backup(&mut lab, "arn:aws:s3:::vault/managed.bak", on).0, "SUCCESS");
    assert_eq!(key(&lab, "vault", "managed.bak").as_deref(), Some(managed.as_str()));
}

#[test]
fn older_editions_know_buckets_only() {
    for documents in [Documents::Of2019, Documents::Of2023] {
        let mut lab = lab(documents);
        for arn in ["arn:aws:s3:eu-central-1:111122223333:accesspoint/point/object", DIRECTORY] {
            let (ending, info) = backup(&mut lab, &format!("{arn}/a.bak"), "");
            assert!(ending == "ERROR" && info.contains("] The specified bucket does not exist ["), "{info}");
        }
        assert_eq!(backup(&mut lab, "arn:aws:s3:::vault/a.bak", "").0, "SUCCESS");
    }
}

#[test]
fn a_partition_is_that_of_the_region() {
    for (region, partition, documents, ending) in [
        ("cn-north-1", "aws-cn", Documents::Of2019, "SUCCESS"),
        ("cn-north-1", "aws", Documents::Newest, "ERROR"),
        ("us-gov-west-1", "aws-us-gov", Documents::Of2023, "SUCCESS"),
        ("us-gov-west-1", "aws-cn", Documents::Newest, "ERROR"),
        ("eusc-de-east-1", "aws-eusc", Documents::Newest, "SUCCESS"),
        ("eusc-de-east-1", "aws-eusc", Documents::Of2023, "ERROR"),
        ("eu-central-1", "aws", Documents::Newest, "SUCCESS"),
        ("eu-central-1", "aws-eusc", Documents::Newest, "ERROR"),
        ("eu-central-1", "awsome", Documents::Newest, "ERROR"),
    ] {
        let mut lab = Lab::with(Knobs { documents, ..prompt() }, |config| {
            *config = InstanceConfig::named("prod", region, ACCOUNT);
        });
        lab.world.add_bucket(BucketConfig::named("here", region, ACCOUNT));
        lab.database("A");
        let (ended, info) = backup(&mut lab, &format!("arn:{partition}:s3:::here/a.bak"), "");
        assert_eq!(ended, ending, "{region} {partition} {documents:?}");
        assert_eq!(info.contains("] The specified bucket does not exist ["), ending == "ERROR", "{info}");
    }
}
