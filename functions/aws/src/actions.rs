//! Which IAM actions stand behind each port, as data: a function's policy is the union over its handler's fields.
//!
//! Actions are those that the service authorization reference lists for the operations called beside them; they are checked
//! against the calls the adapters really make in `tests/wire/`.

/// What a role must be allowed to do so that an adapter can answer one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Name of the port's trait: `ReadItems`.
    pub port: &'static str,
    /// IAM actions in order of the alphabet: `dynamodb:GetItem`.
    pub actions: &'static [&'static str],
}

/// Every capability of this room, adapter by adapter.
pub fn all() -> Vec<Capability> {
    [
        crate::store::ACTIONS,
        crate::bucket::ACTIONS,
        crate::key::ACTIONS,
        crate::instance::ACTIONS,
        crate::secret::ACTIONS,
        crate::executions::ACTIONS,
        crate::events::ACTIONS,
        crate::topic::ACTIONS,
        crate::objects::ACTIONS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_named_once_and_each_action_is_well_formed() {
        let all = all();
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other.port != one.port), "{} twice", one.port);
            assert!(one.actions.is_sorted() && !one.actions.is_empty(), "{}", one.port);
            for action in one.actions {
                let (service, operation) = action.split_once(':').unwrap();
                assert!(service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{action}");
                assert!(operation.bytes().all(|b| b.is_ascii_alphanumeric()), "{action}: no wildcards");
            }
        }
    }
}
