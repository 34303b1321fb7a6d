//! People, in memory: what they were told, and when.

use std::cell::RefCell;
use std::rc::Rc;

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use ports::Fault;
use ports::notify::{Notice, Notify};

use crate::kernel::{Kernel, Kind};
use crate::latency::Service;

/// A handle of whoever subscribed; clones share it.
#[derive(Clone)]
pub struct People {
    kernel: Rc<Kernel>,
    told: Rc<RefCell<Vec<(Timestamp, Notice)>>>,
}

impl People {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel, told: Rc::default() }
    }

    /// What they were told, in order and as it reaches them; what was sent twice is here twice.
    pub fn told(&self) -> Vec<(Timestamp, Notice)> {
        self.told.borrow().clone()
    }
}

impl Notify for People {
    async fn notify(&self, notice: &Notice) -> Result<(), Fault> {
        let text = notice.body().ok_or_else(|| {
            let message = "Publish: a notice without a text".to_owned();
            Fault::Refused(Reason::new(Class::Human, "NoticeEmpty", message))
        })?;
        let arrives = Notice { subject: notice.subject_line().unwrap_or_default(), text };
        let effect = || {
            self.told.borrow_mut().push((self.kernel.now(), arrives.clone()));
            Ok(())
        };
        self.kernel.call("sns.publish", (Service::Cloud, Kind::Write), effect).await
    }
}
