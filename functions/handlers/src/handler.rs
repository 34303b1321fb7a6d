//! What every function is: an input, an output, a name, and one `async fn` between them.

use domain::reason::Reason;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A function. Its fields are its permissions; it neither waits nor retries, that is the machines' part.
pub trait Handler {
    /// Payload, as the machine or the caller sends it.
    type Input: DeserializeOwned;
    /// Answer; expected turns of events are an `outcome` field in it, for a Choice to read.
    type Output: Serialize;
    /// Name in kebab-case: the binary's, and in CamelCase the template's and the machines'.
    const NAME: &'static str;
    /// Does the work of one invocation.
    ///
    /// # Errors
    /// A reason whose class is the error name that machines catch.
    async fn handle(&self, input: Self::Input) -> Result<Self::Output, Reason>;
}
