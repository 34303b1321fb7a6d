//! What is enrolled: instances and vaults. A record and its line in the directory are written in one commit.

use domain::directory::{Listed, What};
use domain::inventory::{Instance, Vault, instance_key, instance_of_host, vault_key};
use domain::mailbox::Requested;
use domain::policy::{self, Policy};
use domain::record::Record;
use ports::Clock;
use ports::cloud::ListEvents;
use ports::executions::StartExecution;
use ports::store::{Expect, ReadItems, Versioned, Write, WriteItems, load};

use crate::Api;
use crate::digest::{Replace, may_replace, tag};
use crate::http::{Request, Response};
use crate::problem::Refused;
use crate::read::{body, instance, json, required};
use crate::shapes::{InstanceBody, VaultBody, settings};

/// Characters of the name of an instance. RDS: 1 to 63 letters, digits or hyphens, the first a letter (API reference,
/// `DBInstanceIdentifier`, read 2026-11).
const INSTANCE_CHARS_MAX: usize = 63;

/// Characters of the name of a policy or a vault. Policy of ours.
const NAME_CHARS_MAX: usize = 64;

/// Native tasks at a time that somebody may set. Policy of ours: an instance of engine `url` has as many as its disks bear.
const SLOTS_MAX: u32 = 64;

fn invalid(what: &str) -> Refused {
    Refused::new(422, "ValueOutOfRange", what)
}

/// Names of policies and vaults: they stand in keys and in paths.
pub(crate) fn check_name(name: &str) -> Result<(), Refused> {
    let fits = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
    if fits && (1..=NAME_CHARS_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(invalid("a name has 1 to 64 letters, digits, hyphens, underscores and dots"))
}

/// A secret is named by its ARN. What was given instead may be the secret itself, so that no message repeats it.
pub(crate) fn check_secret(arn: &str) -> Result<(), Refused> {
    let secret: Vec<&str> = arn.splitn(7, ':').collect();
    if secret.len() != 7 || secret[0] != "arn" || secret[2] != "secretsmanager" || secret[5] != "secret" {
        return Err(invalid(
            "secret_arn: no ARN of a secret: write arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
        ));
    }
    Ok(())
}

fn check_instance(name: &str, settings: &InstanceBody) -> Result<(), Refused> {
    let fits = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    // RDS API reference, `CreateDBInstance`, read 2026-11: the identifier is stored as a lowercase string. Two spellings would be two records with
    // a run each, for one server.
    if name.bytes().any(|letter| letter.is_ascii_uppercase()) {
        let guidance = format!(
            "write {:?}: RDS keeps identifiers of instances in lower case",
            name.to_ascii_lowercase()
        );
        return Err(invalid("an instance has a name without capitals").guidance(guidance));
    }
    if !fits || !begins || name.len() > INSTANCE_CHARS_MAX {
        return Err(invalid(
            "an instance has a name of 1 to 63 letters, digits and hyphens that begins with a letter",
        ));
    }
    let host = &settings.host;
    if host.is_empty() || host.len() > 253 || host.chars().any(|letter| !letter.is_ascii_graphic()) {
        return Err(invalid("host: 1 to 253 characters without blanks"));
    }
    if let Some(other) = instance_of_host(host).filter(|identifier| !identifier.eq_ignore_ascii_case(name)) {
        let message =
            format!("host: it is the endpoint of instance {other:?} of RDS, the path says {name:?}");
        let guidance = "an instance of RDS is enrolled under its identifier, so that no server has two runs";
        return Err(invalid(&message).guidance(guidance));
    }
    if settings.port == 0 {
        return Err(invalid("port: 0 is no port"));
    }
    check_secret(&settings.secret_arn)?;
    let slots = settings.slots;
    if !(1..=SLOTS_MAX).contains(&slots.running)
        || !(slots.running..=2 * SLOTS_MAX).contains(&slots.queue_depth)
    {
        return Err(invalid("slots: running is 1 to 64, queue_depth from running to 128"));
    }
    Ok(())
}

/// S3 user guide, "General purpose bucket naming rules", read 2026-11.
fn is_bucket(name: &str) -> bool {
    let of_bucket =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || ".-".contains(letter);
    (3..=63).contains(&name.len()) && name.chars().all(of_bucket)
}

fn check_vault(name: &str, vault: &VaultBody) -> Result<(), Refused> {
    check_name(name)?;
    if !std::iter::once(&vault.bucket).chain(&vault.log_bucket).all(|name| is_bucket(name)) {
        return Err(invalid("bucket, log_bucket: 3 to 63 lower-case letters, digits, dots and hyphens"));
    }
    if vault.account.len() != 12 || !vault.account.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(invalid("account: twelve digits"));
    }
    if vault.kms_key_arn.as_deref().is_some_and(|arn| !is_key(arn)) {
        return Err(invalid(
            "kms_key_arn: no ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; an alias is none",
        ));
    }
    match domain::region::prefix_finding(&vault.clone().record(name)) {
        Some(reason) => Err(Refused { status: 422, reason, headers: Vec::new() }),
        None => Ok(()),
    }
}

/// RDS takes keys by their own ARN (RDS user guide, "Using native backup and restore", `@kms_master_key_arn`, read 2026-11).
fn is_key(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next(), parts.nth(2));
    domain::paths::arn_parts(arn).is_ok()
        && service == Some("kms")
        && resource.and_then(|resource| resource.strip_prefix("key/")).is_some_and(|id| !id.is_empty())
}

impl<S: ReadItems + WriteItems, X: StartExecution, E: ListEvents, C: Clock> Api<S, X, E, C> {
    /// Writes a record, and its line in the directory where it has none.
    pub(crate) async fn enrol(&self, what: What, name: &str, by: &str, record: Write) -> Result<(), Refused> {
        let listed = Listed { what, name: name.to_owned(), by: by.to_owned(), at: self.clock.now() };
        let known: Option<Versioned<Listed>> = load(&self.store, listed.key()).await?;
        let mut writes = vec![record];
        if known.is_none() {
            writes.push(Versioned::new(listed).put()?);
        }
        Ok(self.store.commit(&writes).await?)
    }

    pub(crate) async fn get_settings(&self, name: &str) -> Result<Response, Refused> {
        json(200, &settings(&instance(&self.store, name).await?.record))
    }

    pub(crate) async fn put_settings(
        &self,
        request: &Request,
        caller: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        let given: InstanceBody = body(request)?;
        check_instance(name, &given)?;
        self.must_fit(&given.policy, &given.vault).await?;
        let stored: Option<Versioned<Instance>> = load(&self.store, instance_key(name)).await?;
        let current = stored.as_ref().map(|stored| json(200, &settings(&stored.record))).transpose()?;
        let (expect, status) = stored.as_ref().map_or((Expect::Absent, 201), |stored| (stored.expect, 200));
        let by = Requested { by: caller.to_owned(), at: self.clock.now() };
        let record = set(stored.map(|stored| stored.record), name, given, by);
        let answer = json(status, &settings(&record))?;
        if may_replace(request, current.as_ref(), &answer)? == Replace::Write {
            self.enrol(What::Instance, name, caller, Versioned { record, expect }.put()?).await?;
        }
        let tag = tag(&answer.body);
        Ok(answer.with("etag", tag))
    }

    pub(crate) async fn get_vault(&self, name: &str) -> Result<Response, Refused> {
        let found: Versioned<Vault> = required(&self.store, vault_key(name), "vault", name).await?;
        json(200, &VaultBody::of(found.record))
    }

    pub(crate) async fn put_vault(
        &self,
        request: &Request,
        caller: &str,
        name: &str,
    ) -> Result<Response, Refused> {
        let given: VaultBody = body(request)?;
        check_vault(name, &given)?;
        let stored: Option<Versioned<Vault>> = load(&self.store, vault_key(name)).await?;
        let current = stored.clone().map(|stored| json(200, &VaultBody::of(stored.record))).transpose()?;
        let before = stored.as_ref().map(|stored| stored.record.profile);
        let (expect, status) = stored.map_or((Expect::Absent, 201), |stored| (stored.expect, 200));
        let answer = json(status, &given)?;
        if may_replace(request, current.as_ref(), &answer)? == Replace::Write {
            let record = given.record(name);
            if before.is_some_and(|before| before != record.profile) {
                self.stops_no_writer(request, &record).await?;
            }
            self.enrol(What::Vault, name, caller, Versioned { record, expect }.put()?).await?;
        }
        let tag = tag(&answer.body);
        Ok(answer.with("etag", tag))
    }

    /// Policy and vault have to be there, and the one must be able to work with the other: every run would refuse what the limits of the
    /// vault refuse.
    pub(crate) async fn must_fit(&self, policy: &str, vault: &str) -> Result<(), Refused> {
        let by: Policy = self.must_exist(policy::key(policy), "policy", policy).await?;
        let to: Vault = self.must_exist(vault_key(vault), "vault", vault).await?;
        let refusal = by.refusals(to.profile, None).into_iter().next();
        refusal.map_or(Ok(()), |finding| {
            let whom = format!("policy {policy} does not work with vault {vault} ({})", to.profile.as_str());
            Err(Refused::finding(finding, &whom))
        })
    }

    async fn must_exist<R: Record>(
        &self,
        key: (String, String),
        what: &str,
        name: &str,
    ) -> Result<R, Refused> {
        let found: Option<Versioned<R>> = load(&self.store, key).await?;
        found.map(|found| found.record).ok_or_else(|| {
            Refused::new(422, "ReferenceUnknown", format!("{what}: there is no {what} {name:?}"))
                .guidance("put it first, then enrol the instance")
        })
    }
}

/// The record of an instance as it is set now; what is known of it stays. It is due at once: who sets it wants to see what
/// comes of it.
fn set(stored: Option<Instance>, name: &str, given: InstanceBody, by: Requested) -> Instance {
    let now = by.at;
    let InstanceBody { host, port, secret_arn, policy, vault, slots, is_protected } = given;
    let mut record = stored.unwrap_or_else(|| Instance::new(name, (&host, port), &secret_arn, now));
    record.due_by(now);
    let stopped = if is_protected { None } else { record.stopped.take().or(Some(by)) };
    Instance { host, port, secret_arn, policy, vault, slots, stopped, ..record }
}

#[cfg(test)]
mod tests {
    use domain::slots::Slots;
    use jiff::Timestamp;

    use super::*;

    fn given() -> InstanceBody {
        InstanceBody {
            host: "sales.x.eu-west-1.rds.amazonaws.com".to_owned(),
            port: 1433,
            secret_arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bakproof/sales".to_owned(),
            policy: "weekly".to_owned(),
            vault: "main".to_owned(),
            slots: Slots::default(),
            is_protected: true,
        }
    }

    #[test]
    fn what_cannot_be_an_instance_is_refused_before_it_is_stored() {
        check_instance("sales", &given()).unwrap();
        let wrong = |mend: fn(&mut InstanceBody)| {
            let mut body = given();
            mend(&mut body);
            check_instance("sales", &body).unwrap_err().reason.message
        };
        for (message, begins) in [
            (wrong(|body| body.host = "a b".to_owned()), "host"),
            (wrong(|body| body.host = "hr.x.eu-west-1.rds.amazonaws.com".to_owned()), "host"),
            (wrong(|body| body.port = 0), "port"),
            (wrong(|body| body.secret_arn = "password".to_owned()), "secret_arn"),
            (wrong(|body| body.secret_arn = "arn:aws:kms:r:1:key:x".to_owned()), "secret_arn"),
            (wrong(|body| body.slots.running = 0), "slots"),
            (wrong(|body| body.slots.queue_depth = 1), "slots"),
        ] {
            assert!(message.starts_with(begins), "{message}");
            assert!(!message.contains("password"), "what was meant for a secret is not repeated");
        }
        for name in ["", "1sales", "sa#les", "sales/2", "Sales", "saleS", &"s".repeat(64)] {
            assert_eq!(check_instance(name, &given()).unwrap_err().status, 422, "{name}");
        }
    }

    #[test]
    fn what_is_known_of_an_instance_stays_when_it_is_set_anew() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let by = |second| Requested { by: "ada".to_owned(), at: at(second) };
        let mut known = set(None, "sales", given(), by(100));
        assert_eq!((known.due_at, known.tasks_from), (Some(at(100)), 1));
        (known.tasks_from, known.due_at, known.bytes_per_second) = (70, Some(at(50)), Some(9));
        let mut other = given();
        other.policy = "daily".to_owned();
        let anew = set(Some(known.clone()), "sales", other, by(200));
        assert_eq!(anew, Instance { policy: "daily".to_owned(), ..known });
        // Its protection ends once, however often it is said, and begins again.
        let off = || InstanceBody { is_protected: false, ..given() };
        let stopped = set(Some(anew), "sales", off(), by(300));
        assert_eq!((stopped.due(), stopped.stopped.clone()), (None, Some(by(300))));
        let again = set(Some(stopped.clone()), "sales", off(), by(400));
        assert_eq!(again.stopped, stopped.stopped);
        let begun = set(Some(again), "sales", given(), by(500));
        assert!(begun.stopped.is_none() && begun.due().is_some());
    }

    #[test]
    fn names_and_vaults_have_their_letters() {
        for (name, fits) in
            [("weekly-2.x_y", true), ("", false), ("a/b", false), ("a#b", false), ("ä", false)]
        {
            assert_eq!(check_name(name).is_ok(), fits, "{name}");
        }
        let vault = |bucket: &str, account: &str, prefix: &str| VaultBody {
            bucket: bucket.to_owned(),
            log_bucket: None,
            prefix: prefix.to_owned(),
            account: account.to_owned(),
            kms_key_arn: None,
            profile: domain::limits::Profile::Rds,
        };
        for (body, fits) in [
            (vault("backups", "123456789012", "a/b"), true),
            (vault("Backups", "123456789012", ""), false),
            (vault("ba", "123456789012", ""), false),
            (vault("backups", "12345678901x", ""), false),
            (vault("backups", "123456789012", "/a"), false),
            (VaultBody { log_bucket: Some("logs".to_owned()), ..vault("backups", "123456789012", "") }, true),
            (
                VaultBody { log_bucket: Some("Logs".to_owned()), ..vault("backups", "123456789012", "") },
                false,
            ),
            (vault("backups", "123456789012", "a*"), false),
        ] {
            assert_eq!(check_vault("main", &body).is_ok(), fits, "{body:?}");
        }
    }
}
