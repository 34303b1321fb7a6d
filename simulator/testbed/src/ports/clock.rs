//! The clock of a function's host: virtual time.

use std::rc::Rc;

use jiff::Timestamp;
use ports::Clock;

use crate::kernel::Kernel;

/// Reads virtual time.
#[derive(Clone)]
pub struct VirtualClock {
    kernel: Rc<Kernel>,
}

impl VirtualClock {
    pub(crate) fn new(kernel: Rc<Kernel>) -> Self {
        Self { kernel }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.kernel.now()
    }

    fn deadline(&self) -> Option<Timestamp> {
        self.kernel.current().map(|invocation| invocation.ends_at)
    }
}
