//! report-discovery: a look that failed is written down, and people are told of what they have to do, once.

use std::fmt::Write as _;

use domain::discovery::seen::{Looked, looked_key};
use domain::event::{Event, What};
use domain::reason::Reason;
use ports::Clock;
use ports::events::PublishEvents;
use ports::notify::{Notice, Notify};
use ports::store::{Expect, ReadItems, Versioned, WriteItems, load};

use crate::contract::check_schema;
use crate::contract::discovery::{ReportDiscoveryInput, ReportDiscoveryOutput};
use crate::handler::Handler;
use crate::outbox::{self, Outbox};
use crate::scope::{caught, commit};

/// Tells people.
pub struct ReportDiscovery<S, N, C, P> {
    /// Task store.
    pub store: S,
    /// People.
    pub people: N,
    /// Clock.
    pub clock: C,
    /// The bus, where there is one.
    pub events: Option<P>,
}

impl<S, N, C, P> Handler for ReportDiscovery<S, N, C, P>
where
    S: ReadItems + WriteItems,
    N: Notify,
    C: Clock,
    P: PublishEvents,
{
    type Input = ReportDiscoveryInput;
    type Output = ReportDiscoveryOutput;
    const NAME: &'static str = "report-discovery";

    /// What is written down comes first: a notice whose record is lost is sent again, a record whose notice is lost is told by the next
    /// look.
    async fn handle(&self, input: ReportDiscoveryInput) -> Result<ReportDiscoveryOutput, Reason> {
        check_schema(input.schema)?;
        let outbox = Outbox::new(&self.store, self.events.as_ref());
        let reported = self.report(&outbox, input).await;
        outbox.tell(&self.clock).await;
        Ok(ReportDiscoveryOutput { told: reported? })
    }
}

impl<S, N: Notify, C: Clock, P> ReportDiscovery<S, N, C, P> {
    /// Whether people were told something.
    async fn report(
        &self,
        store: &(impl ReadItems + WriteItems),
        input: ReportDiscoveryInput,
    ) -> Result<bool, Reason> {
        let instance = input.instance.unwrap_or_default();
        let mut looked = self::looked(store, &instance).await?;
        if let Some(error) = input.error {
            let trouble = caught("LookFailed", &error);
            let mut writes = Vec::new();
            // Another trouble behind the first one is no news. A listing that failed is about no instance: that one people are told alone.
            if looked.record.trouble.is_none() && !instance.is_empty() {
                let what = What::EnrolmentFailed { reason: trouble.clone() };
                writes.push(outbox::with(Event::new(&instance, None, self.clock.now(), what))?);
            }
            looked.record.fail(trouble);
            writes.push(looked.put()?);
            commit(store, &writes).await?;
            // Its version is another now.
            looked = self::looked(store, &instance).await?;
        }
        if !looked.record.is_untold() {
            return Ok(false);
        }
        self.people.notify(&notice(&looked.record)).await?;
        looked.record.tell();
        commit(store, &[looked.put()?]).await?;
        Ok(true)
    }
}

async fn looked(store: &impl ReadItems, instance: &str) -> Result<Versioned<Looked>, Reason> {
    let stored = load(store, looked_key(instance)).await?;
    let fresh = || Versioned {
        record: Looked { instance: instance.to_owned(), ..Looked::default() },
        expect: Expect::Absent,
    };
    Ok(stored.unwrap_or_else(fresh))
}

/// What people read: what is wrong, how to mend it, and where it can be looked at.
fn notice(looked: &Looked) -> Notice {
    let of = match looked.instance.as_str() {
        "" => "of instances".to_owned(),
        instance => format!("of the databases of {instance}"),
    };
    let mut text = String::new();
    for reason in looked.trouble.iter().chain(&looked.needs) {
        // A string takes whatever is written to it.
        let _ = writeln!(text, "{reason}");
        if !reason.guidance.is_empty() {
            let _ = writeln!(text, "  {}", reason.guidance);
        }
    }
    let told = u64::try_from(looked.needs.len()).unwrap_or(u64::MAX);
    if looked.needs_count > told {
        let _ = writeln!(text, "and {} more", looked.needs_count - told);
    }
    let subject = if looked.trouble.is_some() {
        format!("bakproof: discovery {of} failed")
    } else {
        format!("bakproof: discovery {of} needs a person")
    };
    Notice { subject, text }
}

#[cfg(test)]
mod tests {
    use domain::reason::Class;

    use super::*;

    #[test]
    fn a_notice_says_what_is_wrong_and_how_to_mend_it() {
        let need = Reason::new(Class::Human, "VaultFull", "the vault takes 0 more databases");
        let mut looked = Looked { instance: "sales".to_owned(), ..Looked::default() };
        looked.succeed(jiff::Timestamp::UNIX_EPOCH, vec![need.guidance("use another vault"); 52]);
        let said = notice(&looked);
        assert_eq!(said.subject, "bakproof: discovery of the databases of sales needs a person");
        assert_eq!(said.text.lines().count(), 2 * 50 + 1);
        assert!(said.text.ends_with("  use another vault\nand 2 more\n"), "{}", said.text);
        looked.fail(Reason::new(Class::Retry, "LookFailed", "the login is refused"));
        assert_eq!(notice(&looked).subject, "bakproof: discovery of the databases of sales failed");
        let listing = Looked { instance: String::new(), ..looked };
        assert_eq!(notice(&listing).subject, "bakproof: discovery of instances failed");
    }
}
