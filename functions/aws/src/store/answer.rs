//! How much of an answer is read: a body without an end would fill the function's memory, and Lambda would kill it where the
//! adapter could have said why.

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;

/// Bytes of one answer. DynamoDB gives at most 1 MB of items a request (developer guide, "Query", read 2026-11); JSON spells a
/// control character in six bytes, and names and braces come on top.
pub(super) const ANSWER_BYTES_MAX: usize = 8_000_000;

/// Ends the reading of an answer at [`ANSWER_BYTES_MAX`]: what comes out is an answer that was lost.
#[derive(Debug)]
pub(super) struct AnswerLimit;

impl Intercept for AnswerLimit {
    fn name(&self) -> &'static str {
        "AnswerLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let body = response.take_body();
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, ANSWER_BYTES_MAX));
        Ok(())
    }
}
