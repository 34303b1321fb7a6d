//! Secrets by value: a second net behind `sqlserver::Secret`, which is never printed.
//!
//! A server may quote what it was sent: a `SignatureDoesNotMatch` holds the canonical request, session token included. So whatever
//! leaves as text passes here, and a secret that this process knows leaves it as `***`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use domain::reason::Reason;
use ports::Fault;
use sqlserver::{Credentials, Login, Secret};

/// Shortest secret that is looked for, in bytes: shorter ones would blacken words. Policy.
const BYTES_MIN: usize = 6;

/// The secrets that this process holds.
#[derive(Clone, Default)]
pub struct Secrets(Rc<RefCell<Vec<Secret>>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// Remembers a secret, once.
    pub fn know(&self, secret: &Secret) {
        let mut known = self.0.borrow_mut();
        if secret.expose().len() >= BYTES_MIN && !known.contains(secret) {
            known.push(secret.clone());
        }
    }

    /// The text without secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.0.borrow().iter() {
            if text.contains(secret.expose()) {
                text = Cow::Owned(text.replace(secret.expose(), "***"));
            }
        }
        text
    }

    /// The reason without secrets.
    pub(crate) fn clean(&self, reason: Reason) -> Reason {
        Reason {
            message: self.redact(&reason.message).into_owned(),
            guidance: Cow::Owned(self.redact(&reason.guidance).into_owned()),
            ..reason
        }
    }
}

/// Credentials whose passwords are remembered as secrets.
#[derive(Debug, Clone)]
pub struct Watched<K> {
    credentials: K,
    secrets: Secrets,
}

impl<K> Watched<K> {
    /// Watches credentials.
    pub const fn new(credentials: K, secrets: Secrets) -> Self {
        Self { credentials, secrets }
    }
}

impl<K: Credentials> Credentials for Watched<K> {
    async fn credentials(&self, secret_arn: &str) -> Result<Login, Fault> {
        let login = self.credentials.credentials(secret_arn).await?;
        self.secrets.know(&login.password);
        Ok(login)
    }
}

#[cfg(test)]
mod tests {
    use domain::reason::Class;

    use super::*;

    #[test]
    fn what_is_known_as_secret_leaves_as_stars() {
        let secrets = Secrets::default();
        for secret in ["hunter2", "hunter2", "token/+=", "abc", ""] {
            secrets.know(&Secret::new(secret));
        }
        assert_eq!(secrets.redact("hunter2 and token/+=, abc"), "*** and ***, abc");
        assert!(matches!(secrets.redact("nothing"), Cow::Borrowed("nothing")));
        let reason = secrets.clean(Reason::new(Class::Human, "Denied", "as hunter2").guidance("not hunter2"));
        assert_eq!((reason.message.as_str(), reason.guidance.as_ref()), ("as ***", "not ***"));
        assert_eq!((format!("{secrets:?}").as_str(), secrets.0.borrow().len()), ("Secrets(***)", 2));
    }
}
