//! Notices, published to a topic of SNS.
//!
//! SNS API reference, `Publish` (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>), read 2026-11. What fits is the port's to
//! say: [`Notice::subject_line`], [`Notice::body`].

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use ports::Fault;
use ports::notify::{Notice, Notify};

use crate::actions::Capability;
use crate::answer::AnswerLimit;
use crate::fault::{self, Effect, refused};

/// IAM actions behind the port of this adapter. A topic under a customer managed key also needs `kms:Decrypt` and
/// `kms:GenerateDataKey` on that key, which is the deployer's to grant.
pub const ACTIONS: &[Capability] = &[Capability { port: "Notify", actions: &["sns:Publish"] }];

/// One topic of SNS.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic of this ARN, as the configuration reaches it.
    pub fn new(config: &SdkConfig, arn: impl Into<String>) -> Self {
        let settings = aws_sdk_sns::config::Builder::from(config).interceptor(AnswerLimit);
        Self { client: Client::from_conf(settings.build()), arn: arn.into() }
    }
}

impl Notify for Topic {
    async fn notify(&self, notice: &Notice) -> Result<(), Fault> {
        let what = format!("Publish {}", self.arn);
        let text = notice.body();
        let text = text.ok_or_else(|| refused("NoticeEmpty", format!("{what}: a notice without a text")))?;
        let asked = self.client.publish().topic_arn(&self.arn).message(text);
        asked
            .set_subject(notice.subject_line())
            .send()
            .await
            .map_err(|error| fault::of(&what, Effect::Write, &error))?;
        Ok(())
    }
}
