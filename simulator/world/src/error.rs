//! With which number and text does SQL Server refuse?
//!
//! Numbers and wording of SQL Server's own messages; what RDS procedures raise has number 50000. Source: the message
//! lists of SQL Server 2022 ("Database Engine events and errors") and the error tables of the RDS user guide.

/// An error of the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Msg {number}: {text}")]
pub struct EngineError {
    /// Message number.
    pub number: u32,
    /// Text.
    pub text: String,
}

impl EngineError {
    /// An error with its number and text.
    pub fn new(number: u32, text: impl Into<String>) -> Self {
        Self { number, text: text.into() }
    }

    /// What a procedure raises by RAISERROR or THROW with a text of its own.
    pub fn raised(text: impl Into<String>) -> Self {
        Self::new(50_000, text)
    }

    /// Severity that goes with the number.
    pub fn severity(&self) -> u8 {
        match self.number {
            102 | 105 | 156 | 319 => 15,
            229 | 17_187 | 18_456 => 14,
            4060 => 11,
            _ => 16,
        }
    }

    /// As the server sends it.
    pub fn message(&self, server: &str, procedure: &str) -> tds::ServerMessage {
        tds::ServerMessage {
            number: self.number,
            state: 1,
            severity: self.severity(),
            text: self.text.clone(),
            server: server.into(),
            procedure: procedure.into(),
            line: 1,
        }
    }
}
