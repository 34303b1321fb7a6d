//! User and password of an instance, asked of Secrets Manager.
//!
//! The secret is the JSON that RDS itself writes: `{"username": ..., "password": ...}`, other fields ignored. Secrets Manager user
//! guide, "JSON structure of secrets for databases", read 2026-11. The password never reaches a message, a log or `Debug`.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Config, Region};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use domain::paths::arn_parts;
use ports::Fault;
use serde::Deserialize;
use sqlserver::{Credentials, Login, Secret};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind this adapter; it serves the credentials of `OpenSession`. A secret under a customer managed key also
/// needs `kms:Decrypt` on that key, which is the deployer's to grant.
pub const ACTIONS: &[Capability] =
    &[Capability { port: "OpenSession", actions: &["secretsmanager:GetSecretValue"] }];

/// The fields of the secret that open an instance.
#[derive(Deserialize)]
struct Stored {
    username: String,
    password: String,
}

/// Secrets Manager, in whatever Region a secret is.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Secrets Manager as the configuration reaches it.
    pub fn new(config: &SdkConfig) -> Self {
        let settings = aws_sdk_secretsmanager::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()) }
    }
}

impl Credentials for SecretsManager {
    async fn credentials(&self, arn: &str) -> Result<Login, Fault> {
        let (_, region, _) = arn_parts(arn).map_err(Fault::Refused)?;
        let answer = self
            .client
            .get_secret_value()
            .secret_id(arn)
            .customize()
            .config_override(Config::builder().region(Region::new(region.to_owned())))
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) => {
                    refused("SecretNotFound", format!("there is no secret {arn}"))
                }
                _ => fault::of(&format!("GetSecretValue {arn}"), Effect::Read, &error),
            })?;
        answer.secret_string().and_then(read).ok_or_else(|| {
            refused("SecretUnreadable", format!("secret {arn} is no JSON object with username and password"))
        })
    }
}

/// Reads the JSON of a secret. What serde says about it is dropped: it may quote the text.
fn read(json: &str) -> Option<Login> {
    let Stored { username, password } = serde_json::from_str(json).ok()?;
    Some(Login { user: username, password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_printed() {
        let login =
            read(r#"{"username":"bakproof","password":"pa\"ss","engine":"sqlserver","port":1433}"#).unwrap();
        assert_eq!((login.user.as_str(), login.password.expose()), ("bakproof", "pa\"ss"));
        assert_eq!(format!("{login:?}"), r#"Login { user: "bakproof", password: Secret(***) }"#);
        for bad in ["", "{}", "[]", "null", r#"{"username":"u"}"#, r#"{"username":1,"password":"p"}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
