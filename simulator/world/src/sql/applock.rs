//! Who holds which application lock?
//!
//! `sp_getapplock` and `sp_releaseapplock` for sessions and transactions. Nothing waits here: a model that answers at once
//! cannot, so a lock that is held is a timeout (-1), which is what timeout 0 asks for. Source: documentation of both
//! procedures; compatibility of modes as of SQL Server's lock manager.

use tds::Value;

use crate::{
    error::EngineError,
    instance::state::{Held, LockMode},
    sql::{
        calls::{Bound, Declared, optional, required},
        session::SessionId,
        value,
    },
    world::World,
};

/// Parameters of `sp_getapplock`.
pub(super) const GET: &[Declared] = &[
    required("@Resource"),
    required("@LockMode"),
    optional("@LockOwner"),
    optional("@LockTimeout"),
    optional("@DbPrincipal"),
];

/// Parameters of `sp_releaseapplock`.
pub(super) const RELEASE: &[Declared] =
    &[required("@Resource"), optional("@LockOwner"), optional("@DbPrincipal")];

/// "-999: parameter validation or other call error".
const INVALID: i32 = -999;

fn mode(text: &str) -> Option<LockMode> {
    Some(match text.to_lowercase().as_str() {
        "intentshared" => LockMode::IntentShared,
        "shared" => LockMode::Shared,
        "update" => LockMode::Update,
        "intentexclusive" => LockMode::IntentExclusive,
        "exclusive" => LockMode::Exclusive,
        _ => return None,
    })
}

/// Whether two sessions may hold these at the same time.
fn compatible(a: LockMode, b: LockMode) -> bool {
    use LockMode::{Exclusive, IntentExclusive, IntentShared, Shared, Update};
    match (a.min(b), a.max(b)) {
        (_, Exclusive) => false,
        (IntentShared, _) | (IntentExclusive, IntentExclusive) => true,
        (Shared, other) => matches!(other, Shared | Update),
        (Update | IntentExclusive | Exclusive, _) => false,
    }
}

/// Whether the transaction owns it; `None` when the owner is neither word.
fn of_transaction(owner: Option<String>) -> Option<bool> {
    match owner.map(|o| o.to_lowercase()).as_deref() {
        None | Some("transaction") => Some(true),
        Some("session") => Some(false),
        Some(_) => None,
    }
}

impl World {
    fn lock_key(&self, session: SessionId, resource: &str) -> (String, String) {
        let database = self.sessions.get(&session.0).map(|s| s.database.to_lowercase()).unwrap_or_default();
        // The resource name is binary compared whatever the collation, and cut at 255 characters.
        (database, resource.chars().take(255).collect())
    }

    /// `sp_getapplock`: 0 granted, 1 granted after waiting (never here), -1 timeout, -999 invalid.
    pub(super) fn get_app_lock(&mut self, session: SessionId, bound: &Bound) -> Result<i32, EngineError> {
        let timeout = value::integer(bound.get(3), "int")?;
        let (Some(resource), Some(mode)) = (bound.text(0), bound.text(1).as_deref().and_then(mode)) else {
            return Ok(INVALID);
        };
        let Some(of_transaction) = of_transaction(bound.text(2)) else { return Ok(INVALID) };
        let Some(held) = self.sessions.get(&session.0) else { return Ok(INVALID) };
        if timeout.is_some_and(|t| t < -1) || (of_transaction && held.transactions == 0) {
            return Ok(INVALID);
        }
        let (instance, key) = (held.instance, self.lock_key(session, &resource));
        let Some(host) = self.instances.get_mut(instance) else { return Ok(INVALID) };
        let holders = host.locks.entry(key).or_default();
        if holders.iter().any(|h| h.session != session.0 && !compatible(h.mode, mode)) {
            return Ok(-1);
        }
        let own =
            |h: &&mut Held| h.session == session.0 && h.of_transaction == of_transaction && h.mode == mode;
        match holders.iter_mut().find(own) {
            Some(own) => own.count += 1,
            None => holders.push(Held { session: session.0, mode, count: 1, of_transaction }),
        }
        Ok(0)
    }

    /// `sp_releaseapplock`: 0 released, -999 and error 1223 when it was not held.
    pub(super) fn release_app_lock(&mut self, session: SessionId, bound: &Bound) -> Result<i32, EngineError> {
        let (Some(resource), Some(of_transaction)) = (bound.text(0), of_transaction(bound.text(1))) else {
            return Ok(INVALID);
        };
        let key = self.lock_key(session, &resource);
        let Some(instance) = self.sessions.get(&session.0).map(|s| s.instance) else { return Ok(INVALID) };
        let missing = || {
            let text = format!(
                "Cannot release the application lock (Database Principal: 'public', Resource: '{resource}') because it is not currently held."
            );
            EngineError::new(1223, text)
        };
        let host = self.instances.get_mut(instance).ok_or_else(missing)?;
        let holders = host.locks.get_mut(&key).ok_or_else(missing)?;
        let place = holders
            .iter()
            .rposition(|h| h.session == session.0 && h.of_transaction == of_transaction)
            .ok_or_else(missing)?;
        if let Some(held) = holders.get_mut(place) {
            held.count -= 1;
            if held.count == 0 {
                holders.remove(place);
            }
        }
        if holders.is_empty() {
            host.locks.remove(&key);
        }
        Ok(0)
    }

    /// `APPLOCK_MODE(principal, resource, owner)` of a session.
    pub(crate) fn app_lock_mode(&self, session: SessionId, resource: &str, owner: &str) -> Value {
        let key = self.lock_key(session, resource);
        let of_transaction = owner.eq_ignore_ascii_case("transaction");
        let host = self.sessions.get(&session.0).and_then(|s| self.instances.get(s.instance));
        let held = host.and_then(|h| h.locks.get(&key)).and_then(|holders| {
            holders
                .iter()
                .filter(|h| h.session == session.0 && h.of_transaction == of_transaction)
                .map(|h| h.mode)
                .max()
        });
        Value::Text(held.map_or("NoLock".into(), |mode| format!("{mode:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_exclude_each_other() {
        use LockMode::{Exclusive, IntentExclusive, IntentShared, Shared, Update};
        for (a, b, together) in [
            (Exclusive, IntentShared, false),
            (Shared, Shared, true),
            (Shared, Update, true),
            (Update, Update, false),
            (IntentExclusive, Shared, false),
            (IntentExclusive, IntentExclusive, true),
            (IntentShared, Update, true),
        ] {
            assert_eq!((compatible(a, b), compatible(b, a)), (together, together), "{a:?} {b:?}");
        }
    }
}
