//! Does each fact that does not fit give its own finding, and a combination of them the union?
//!
//! A table of single faults with the names they must give; random subsets are applied together. Two things are not judged
//! at all: what is compared with an ARN that cannot be read, and a key that nobody named.

use std::collections::BTreeSet;

use domain::facts::{BucketFacts, InstanceFacts, KeyFacts, MultiAz, ObjectOwnership, OptionState};
use domain::inventory::Vault;
use domain::region::findings;
use proptest::prelude::*;

use crate::config;

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

#[derive(Debug, Clone)]
struct Facts {
    instance: InstanceFacts,
    vault: Vault,
    bucket: BucketFacts,
    key: KeyFacts,
}

fn sound() -> Facts {
    Facts {
        instance: InstanceFacts {
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
        },
        vault: Vault {
            name: "main".to_owned(),
            bucket: "vault".to_owned(),
            log_bucket: None,
            prefix: "prod/eu".to_owned(),
            account: "123456789012".to_owned(),
            kms_key_arn: Some(KEY.to_owned()),
            profile: domain::limits::Profile::default(),
        },
        bucket: BucketFacts {
            name: "vault".to_owned(),
            region: "eu-west-1".to_owned(),
            owned: true,
            versioned: true,
            default_sse_kms: false,
            ownership: Some(ObjectOwnership::BucketOwnerPreferred),
        },
        key: KeyFacts { arn: KEY.to_owned(), enabled: true, symmetric: true, customer_managed: true },
    }
}

/// One thing wrong: the fact it spoils (each is spoiled once), the findings it gives, how.
type Fault = (&'static str, &'static [&'static str], fn(&mut Facts));

/// Three Regions that all differ from the instance's and from each other: two faults never mend each other.
const FAULTS: [Fault; 22] = [
    ("option", &["OptionBeingApplied"], |f| f.instance.backup_option = OptionState::Applying),
    ("option", &["OptionMissing"], |f| f.instance.backup_option = OptionState::Missing),
    ("retention", &["AutomatedBackupsOff"], |f| f.instance.retention_days = 0),
    ("replica", &["ReadReplica"], |f| f.instance.read_replica = true),
    ("prefix", &["PrefixMalformed"], |f| "/prod".clone_into(&mut f.vault.prefix)),
    ("prefix", &["PrefixMalformed"], |f| "prod/".clone_into(&mut f.vault.prefix)),
    ("prefix", &["PrefixMalformed"], |f| "a//b".clone_into(&mut f.vault.prefix)),
    ("prefix", &["PrefixMalformed"], |f| "what?".clone_into(&mut f.vault.prefix)),
    ("prefix", &["PrefixMalformed"], |f| f.vault.prefix = "p".repeat(201)),
    ("owner", &["BucketOfAnotherAccount"], |f| f.bucket.owned = false),
    ("bucket region", &["BucketInOtherRegion"], |f| "us-east-1".clone_into(&mut f.bucket.region)),
    ("instance region", &["BucketInOtherRegion", "KeyInOtherRegion"], |f| {
        f.instance.arn = f.instance.arn.replace("eu-west-1", "eu-north-1");
    }),
    ("key region", &["KeyInOtherRegion"], |f| f.key.arn = f.key.arn.replace("eu-west-1", "us-west-2")),
    ("key partition", &["KeyInOtherPartition"], |f| f.key.arn = f.key.arn.replace("arn:aws:", "arn:aws-cn:")),
    ("enabled", &["KeyDisabled"], |f| f.key.enabled = false),
    ("symmetric", &["KeyAsymmetric"], |f| f.key.symmetric = false),
    ("managed", &["KeyAwsManaged"], |f| f.key.customer_managed = false),
    ("encryption", &["BucketUnderKms"], |f| f.bucket.default_sse_kms = true),
    ("ownership", &["BucketOwnerNotPreferred"], |f| {
        f.bucket.ownership = Some(ObjectOwnership::BucketOwnerEnforced);
    }),
    ("ownership", &["BucketOwnerNotPreferred"], |f| f.bucket.ownership = Some(ObjectOwnership::ObjectWriter)),
    // Nothing that anybody minds.
    ("versioned", &[], |f| f.bucket.versioned = false),
    ("status", &[], |f| "modifying".clone_into(&mut f.instance.status)),
];

fn names(facts: &Facts, with_key: bool) -> Vec<String> {
    let key = with_key.then_some(&facts.key);
    let found = findings(&facts.instance, &facts.vault, std::slice::from_ref(&facts.bucket), key);
    found.iter().map(|reason| reason.name.to_string()).collect()
}

#[test]
fn each_fault_gives_its_own_findings_and_nothing_else() {
    assert!(names(&sound(), true).is_empty());
    for (fact, expected, spoil) in FAULTS {
        let mut facts = sound();
        spoil(&mut facts);
        assert_eq!(names(&facts, true), expected, "{fact}");
    }
}

proptest! {
    #![proptest_config(config(7, 3_000))]

    #[test]
    fn a_combination_gives_the_union(
        chosen in prop::collection::vec(any::<bool>(), FAULTS.len()),
        with_key in prop::bool::weighted(0.8),
        encrypted in any::<bool>(),
        logs_elsewhere in any::<bool>(),
    ) {
        let (mut facts, mut spoiled) = (sound(), BTreeSet::new());
        let mut expected: BTreeSet<&str> = BTreeSet::new();
        facts.instance.storage_encrypted = encrypted;
        for ((fact, found, spoil), _) in FAULTS.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
            if spoiled.insert(*fact) {
                spoil(&mut facts);
                expected.extend(*found);
            }
        }
        if logs_elsewhere {
            // No logs are copied to this bucket, and what copies ask of theirs it need not have.
            facts.vault.log_bucket = Some("logs".to_owned());
            expected.retain(|name| !["BucketUnderKms", "BucketOwnerNotPreferred"].contains(name));
        }
        if !with_key {
            expected.retain(|name| !name.starts_with("Key"));
            expected.extend(encrypted.then_some("KeyNeeded"));
        }
        let found = names(&facts, with_key);
        prop_assert_eq!(found.len(), expected.len(), "no finding comes twice: {:?}", &found);
        prop_assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    }

    /// An ARN that cannot be read hides what is compared with it, and nothing that stands on its own.
    #[test]
    fn an_unreadable_arn_is_named(text in "[a-z:]{0,12}", of_key in any::<bool>(), disabled in any::<bool>()) {
        let mut facts = sound();
        (facts.instance.read_replica, facts.bucket.owned, facts.key.enabled) = (true, false, !disabled);
        let expected = if of_key {
            facts.key.arn = text;
            vec!["ReadReplica", "BucketOfAnotherAccount", "ArnMalformed"]
        } else {
            facts.instance.arn = text;
            vec!["ReadReplica", "ArnMalformed"]
        };
        prop_assert_eq!(names(&facts, true), expected);
    }
}
