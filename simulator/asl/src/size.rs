//! Is a value within the payload quota? Counts the bytes of its JSON text and stops counting at the limit.

use std::io::{self, Write};

use serde_json::Value;

use crate::quotas::PAYLOAD_BYTES_MAX;

struct Counter {
    left: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len()) {
            Some(left) => {
                self.left = left;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the JSON text of `value` has at most 262,144 bytes.
pub(crate) fn fits(value: &Value) -> bool {
    serde_json::to_writer(Counter { left: PAYLOAD_BYTES_MAX }, value).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_counts_utf8_bytes_of_the_text() {
        let text = |length: usize| Value::String("x".repeat(length));
        assert!(fits(&text(PAYLOAD_BYTES_MAX - 2)));
        assert!(!fits(&text(PAYLOAD_BYTES_MAX - 1)));
        assert!(!fits(&Value::String("é".repeat(PAYLOAD_BYTES_MAX / 2))));
        // An escaped quote takes two bytes.
        assert!(!fits(&Value::String("\"".repeat(PAYLOAD_BYTES_MAX / 2))));
    }
}
