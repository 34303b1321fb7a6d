//! Which instances are enrolled by which settings, of those that RDS lists.

use jiff::Timestamp;

use super::settings::Settings;
use crate::facts::ListedInstance;
use crate::inventory::Instance;
use crate::reason::{Class, Reason};

/// What stands in a secret's ARN for the instance.
const PLACEHOLDER: &str = "{instance}";

/// What stands in the ARN of a secret that RDS keeps. RDS user guide, "Password management with Amazon RDS and AWS Secrets Manager", read 2026-11.
const MANAGED: &str = ":secret:rds!db-";

/// What becomes of one instance that RDS lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// It is not selected and nobody enrolled it.
    Unselected,
    /// It is as it was.
    Known,
    /// It is to be stored like this: new, or under other settings.
    Store(Box<Instance>),
    /// It is selected and cannot be enrolled.
    Skipped(Reason),
}

/// What becomes of an instance. `known`: its record. Of several settings that select it the first by name does.
pub fn select(
    settings: &[Settings],
    listed: &ListedInstance,
    known: Option<&Instance>,
    now: Timestamp,
) -> Selection {
    let chosen = settings
        .iter()
        .filter(|settings| settings.selects(&listed.name, &listed.tags))
        .min_by(|one, other| one.name.cmp(&other.name));
    let name = chosen.map(|settings| settings.name.clone());
    match (known, chosen) {
        (None, None) => Selection::Unselected,
        (Some(known), _) => {
            let mut instance = Instance { discovery: name, ..known.clone() };
            if let Some(settings) = chosen {
                follow(&mut instance, settings, listed, now);
            }
            if instance == *known { Selection::Known } else { Selection::Store(Box::new(instance)) }
        }
        (None, Some(settings)) => match enrolled(settings, listed, now) {
            Ok(instance) => Selection::Store(Box::new(instance)),
            Err(reason) => Selection::Skipped(reason),
        },
    }
}

/// Takes in what RDS itself has set anew of an instance that settings enrolled: the secret that it keeps for the master user is another where the
/// server behind the name is, and the port may be. What a person has put is theirs: another host, a secret of their own.
fn follow(instance: &mut Instance, settings: &Settings, listed: &ListedInstance, now: Timestamp) {
    let before = (instance.secret_arn.clone(), instance.port);
    if let (None, Some(secret_arn)) = (&settings.secret_arn, &listed.master_secret_arn)
        && instance.secret_arn.contains(MANAGED)
    {
        instance.secret_arn.clone_from(secret_arn);
    }
    if let Some((host, port)) = &listed.endpoint
        && *host == instance.host
    {
        instance.port = *port;
    }
    if before != (instance.secret_arn.clone(), instance.port) {
        // A run that could not log in has put the instance off.
        instance.due_by(now);
    }
}

/// An instance that nobody has enrolled, as its settings enrol it.
fn enrolled(settings: &Settings, listed: &ListedInstance, now: Timestamp) -> Result<Instance, Reason> {
    let name = listed.name.as_str();
    let because = |class, reason, what: &str| Reason::new(class, reason, format!("instance {name} {what}"));
    if listed.read_replica {
        return Err(because(Class::Never, "ReadReplica", "is a read replica: backups run on its source"));
    }
    if listed.status == "deleting" {
        return Err(because(Class::Never, "InstanceDeleted", "is being deleted"));
    }
    let Some((host, port)) = &listed.endpoint else {
        let what = format!("is {} and has no endpoint yet", listed.status);
        return Err(because(Class::Wait, "NoEndpoint", &what));
    };
    let wanted = settings.secret_arn.as_ref().map(|arn| arn.replace(PLACEHOLDER, name));
    let Some(secret_arn) = wanted.or_else(|| listed.master_secret_arn.clone()) else {
        return Err(because(Class::Human, "NoSecret", "has no secret that RDS keeps").guidance(
            "set secret_arn in the settings of discovery, with {instance} for the name, or let RDS keep the master password",
        ));
    };
    Ok(Instance {
        policy: settings.policy.clone(),
        vault: settings.vault.clone(),
        discovery: Some(settings.name.clone()),
        ..Instance::new(name, (host, *port), &secret_arn, now)
    })
}

/// Why none of so many instances is enrolled: a wrong tag is to enrol no fleet.
///
/// # Errors
/// `TooManyInstances` (class `Human`).
pub fn within_limits(settings: &Settings, new: usize) -> Result<(), Reason> {
    if u64::try_from(new).unwrap_or(u64::MAX) <= u64::from(settings.instances_max) {
        return Ok(());
    }
    let message = format!(
        "discovery {} selects {new} instances that nobody has enrolled, it enrols {} at once",
        settings.name, settings.instances_max
    );
    Err(Reason::new(Class::Human, "TooManyInstances", message)
        .guidance("see whether the tags and names select the right ones; then raise instances_max"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(mend: impl FnOnce(&mut ListedInstance)) -> ListedInstance {
        let mut listed = ListedInstance {
            name: "sales".to_owned(),
            arn: "arn:aws:rds:eu-west-1:1:db:sales".to_owned(),
            status: "available".to_owned(),
            engine: "sqlserver-se".to_owned(),
            endpoint: Some(("sales.x".to_owned(), 1433)),
            master_secret_arn: Some("arn:master".to_owned()),
            read_replica: false,
            tags: [("backup".to_owned(), "gold".to_owned())].into(),
        };
        mend(&mut listed);
        listed
    }

    fn settings(name: &str, tag: &str) -> Settings {
        let mut settings = Settings::new(name, "weekly", "vault");
        settings.tags = vec![tag.to_owned()];
        settings
    }

    fn word(selection: &Selection) -> String {
        match selection {
            Selection::Unselected => "unselected".to_owned(),
            Selection::Known => "known".to_owned(),
            Selection::Store(instance) => {
                let by = instance.discovery.as_deref().unwrap_or("-");
                format!("{by} {} {}", instance.policy, instance.secret_arn)
            }
            Selection::Skipped(reason) => reason.name.to_string(),
        }
    }

    #[test]
    fn an_instance_is_enrolled_by_the_first_settings_that_select_it() {
        let gold = || vec![settings("b", "backup=*"), settings("a", "backup=gold"), settings("c", "x=y")];
        let own = Settings {
            secret_arn: Some("arn:bakproof/{instance}".to_owned()),
            ..settings("a", "backup=gold")
        };
        let now = Timestamp::UNIX_EPOCH;
        for (settings, listed, expected) in [
            (gold(), listed(|_| {}), "a weekly arn:master"),
            (vec![own], listed(|_| {}), "a weekly arn:bakproof/sales"),
            (vec![], listed(|_| {}), "unselected"),
            (gold(), listed(|one| one.tags.clear()), "unselected"),
            (gold(), listed(|one| one.read_replica = true), "ReadReplica"),
            (gold(), listed(|one| one.status = "deleting".to_owned()), "InstanceDeleted"),
            (gold(), listed(|one| one.endpoint = None), "NoEndpoint"),
            (gold(), listed(|one| one.master_secret_arn = None), "NoSecret"),
        ] {
            let selection = select(&settings, &listed, None, now);
            assert_eq!(word(&selection), expected, "{listed:?}");
        }
    }

    #[test]
    fn what_is_enrolled_stays_and_its_settings_follow_its_tags() {
        let now = Timestamp::UNIX_EPOCH;
        let mut known = Instance::new("sales", ("by.hand", 1444), "arn:hand", now);
        known.policy = "daily".to_owned();
        let gold = [settings("a", "backup=gold")];
        let selected = select(&gold, &listed(|_| {}), Some(&known), now);
        assert_eq!(word(&selected), "a daily arn:hand", "what a person set stays");
        let Selection::Store(stored) = selected else { panic!("it is stored") };
        assert_eq!(select(&gold, &listed(|_| {}), Some(&stored), now), Selection::Known);
        assert_eq!(word(&select(&[], &listed(|_| {}), Some(&stored), now)), "- daily arn:hand");
        assert_eq!(select(&[], &listed(|_| {}), Some(&known), now), Selection::Known);
    }

    #[test]
    fn what_rds_sets_anew_is_followed_and_what_a_person_put_is_not() {
        let managed = |id: &str| format!("arn:aws:secretsmanager:eu-west-1:1:secret:rds!db-{id}");
        let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(9);
        let gold = [settings("a", "backup=gold")];
        let own = [Settings { secret_arn: Some("arn:own".to_owned()), ..gold[0].clone() }];
        for (settings, secret, host, expected) in [
            (&gold, managed("1"), "sales.x", Some((managed("2"), 1500))),
            (&gold, managed("2"), "sales.x", Some((managed("2"), 1500))),
            (&gold, managed("2"), "by.hand", None),
            (&gold, managed("1"), "by.hand", Some((managed("2"), 1433))),
            (&gold, "arn:hand".to_owned(), "by.hand", None),
            (&own, managed("1"), "by.hand", None),
        ] {
            let mut known = Instance::new("sales", (host, 1433), &secret, Timestamp::UNIX_EPOCH);
            (known.discovery, known.due_at) = (Some("a".to_owned()), Some(later));
            let listed = listed(|one| {
                one.master_secret_arn = Some(managed("2"));
                one.endpoint = Some(("sales.x".to_owned(), 1500));
            });
            let found = match select(settings, &listed, Some(&known), Timestamp::UNIX_EPOCH) {
                Selection::Store(record) => {
                    assert_eq!(record.due_at, Some(Timestamp::UNIX_EPOCH), "it is tried at once");
                    Some((record.secret_arn, record.port))
                }
                selection => {
                    assert_eq!(selection, Selection::Known);
                    None
                }
            };
            assert_eq!(found, expected, "{secret} at {host}");
        }
    }

    #[test]
    fn a_wrong_tag_enrols_no_fleet() {
        let settings = Settings { instances_max: 2, ..settings("a", "backup=gold") };
        assert_eq!(within_limits(&settings, 2), Ok(()));
        assert_eq!(within_limits(&settings, 3).unwrap_err().name, "TooManyInstances");
    }
}
