//! Who may dispatch now? The session's exclusive application lock.
//!
//! It dies with the session, which is what makes it a fence. Source: Microsoft Learn, `sp_getapplock` (return codes 0 and
//! 1 granted, -1 timed out, -2 cancelled, -3 deadlock victim, -999 wrong call) and `sp_releaseapplock`.

use domain::reason::{Class, Reason};
use futures_util::io::{AsyncRead, AsyncWrite};
use ports::Fault;
use ports::server::Fence;
use tiberius::Command;

use crate::errors::Effect;
use crate::session::Session;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Fence for Session<S> {
    async fn lock(&mut self, resource: &str) -> Result<bool, Fault> {
        let mut command = Command::new("sp_getapplock");
        command.bind_param("@Resource", resource);
        command.bind_param("@LockMode", "Exclusive");
        command.bind_param("@LockOwner", "Session");
        command.bind_param("@LockTimeout", 0_i32);
        // A lock that was granted without our hearing of it dies with this session, which is not kept: nothing to find out.
        self.may_hold(resource);
        let held = granted(self.call(command, Effect::Read, |_| ()).await?)?;
        if !held {
            self.holds_not(resource);
        }
        Ok(held)
    }

    async fn unlock(&mut self, resource: &str) -> Result<(), Fault> {
        let mut command = Command::new("sp_releaseapplock");
        command.bind_param("@Resource", resource);
        command.bind_param("@LockOwner", "Session");
        released(self.call(command, Effect::Read, |_| ()).await?)?;
        self.holds_not(resource);
        Ok(())
    }
}

/// No status is no lock: a fence that is not certain is none.
fn granted(status: Option<i32>) -> Result<bool, Fault> {
    match status {
        Some(0 | 1) => Ok(true),
        Some(-1) => Ok(false),
        Some(-3 | -2) => Err(Fault::Transient("sp_getapplock was cancelled".to_owned())),
        other => Err(refused("sp_getapplock", other)),
    }
}

fn released(status: Option<i32>) -> Result<(), Fault> {
    match status {
        Some(0) => Ok(()),
        other => Err(refused("sp_releaseapplock", other)),
    }
}

fn refused(procedure: &str, status: Option<i32>) -> Fault {
    let what = match status {
        Some(status) => format!("{procedure} returned {status}"),
        None => format!("{procedure} returned no status"),
    };
    Fault::Refused(Reason::new(Class::Human, "LockRefused", what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_granted_status_is_a_lock() {
        for (status, expected) in [
            (Some(0), "true"),
            (Some(1), "true"),
            (Some(-1), "false"),
            (Some(-2), "sp_getapplock was cancelled"),
            (Some(-3), "sp_getapplock was cancelled"),
            (Some(-999), "LockRefused: sp_getapplock returned -999"),
            (None, "LockRefused: sp_getapplock returned no status"),
        ] {
            let answer = granted(status).map_or_else(|fault| fault.to_string(), |held| held.to_string());
            assert_eq!(answer, expected, "{status:?}");
        }
        assert_eq!(released(Some(0)), Ok(()));
        assert!(released(None).is_err() && released(Some(-999)).is_err());
    }
}
