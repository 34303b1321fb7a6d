//! How much of an answer is read, whatever service gives it: a body without an end would fill the function's memory, and Lambda would
//! kill it where the adapter could have said why. How long is [`crate::connection::OPERATION_TIMEOUT`].

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;
use ports::objects::RANGE_BYTES_MAX;

/// Bytes of one answer. The longest are a page of DynamoDB, 1 MB of items (developer guide, "Query", read 2026-11) of which JSON spells
/// a control character in six bytes; a page of S3, 1,000 names of 1,024 bytes (user guide, "Naming Amazon S3 objects", read 2026-11)
/// of which one is spelled in three or six; and a range of an object.
pub(crate) const ANSWER_BYTES_MAX: usize = 9_000_000;

const _: () = assert!(ANSWER_BYTES_MAX > RANGE_BYTES_MAX as usize, "a whole range is read");

/// Ends the reading of an answer at [`ANSWER_BYTES_MAX`]: what comes out is an answer that was lost.
#[derive(Debug)]
pub(crate) struct AnswerLimit;

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
