//! Secrets Manager in memory: logins by the ARN of their secret.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use ports::Fault;
use sqlserver::{Credentials, Login, Secret};

use crate::kernel::{Kernel, Kind};
use crate::latency::Service;

/// A handle of the one secret store of a testbed; clones share it.
#[derive(Clone)]
pub struct Secrets {
    kernel: Rc<Kernel>,
    logins: Rc<RefCell<BTreeMap<String, Login>>>,
}

impl Secrets {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel, logins: Rc::default() }
    }

    /// Stores a login, or rotates the one that was there.
    pub fn put(&self, secret_arn: &str, user: &str, password: &str) {
        let login = Login { user: user.to_owned(), password: Secret::new(password) };
        self.logins.borrow_mut().insert(secret_arn.to_owned(), login);
    }
}

impl Credentials for Secrets {
    async fn credentials(&self, secret_arn: &str) -> Result<Login, Fault> {
        let effect = || {
            self.logins.borrow().get(secret_arn).cloned().ok_or_else(|| {
                let message = format!("there is no secret {secret_arn}");
                Fault::Refused(Reason::new(Class::Human, "SecretMissing", message))
            })
        };
        self.kernel.call("secrets.get_secret_value", (Service::Cloud, Kind::Read), effect).await
    }
}
