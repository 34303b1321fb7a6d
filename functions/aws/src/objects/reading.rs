//! A part of an object.
//!
//! S3 API reference, `GetObject` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>), and RFC 9110, section 14.4,
//! "Content-Range", read 2026-11. The SDK's time for an operation ends with the head of such an answer; here it holds to the last byte.

use aws_sdk_s3::primitives::ByteStream;
use ports::Fault;
use ports::objects::{RANGE_BYTES_MAX, ReadObject};
use tokio::time::timeout;

use crate::S3;
use crate::fault::{self, Effect, refused};

impl ReadObject for S3 {
    async fn read_object(&self, bucket: &str, key: &str, from: u64, bytes: u32) -> Result<Vec<u8>, Fault> {
        let what = format!("GetObject {bucket}/{key}");
        let last = u64::from(bytes).checked_sub(1).and_then(|more| from.checked_add(more));
        let last = last.filter(|_| bytes <= RANGE_BYTES_MAX).ok_or_else(|| {
            refused(
                "RangeMalformed",
                format!("{what}: {bytes} bytes from {from}, 1 to {RANGE_BYTES_MAX} are read"),
            )
        })?;
        let read = timeout(self.patience, self.range(bucket, key, (from, last)));
        read.await.unwrap_or_else(|_| {
            Err(Fault::Transient(format!("{what}: not all bytes came within {:?}", self.patience)))
        })
    }
}

impl S3 {
    async fn range(&self, bucket: &str, key: &str, (from, last): (u64, u64)) -> Result<Vec<u8>, Fault> {
        let what = format!("GetObject {bucket}/{key}");
        let asked = self.client().get_object().bucket(bucket).key(key).range(format!("bytes={from}-{last}"));
        let answer = match asked.send().await {
            Ok(answer) => answer,
            Err(error) => {
                // 416: the object ends before the range begins.
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                return match error.as_service_error() {
                    Some(_) if status == Some(416) => Ok(Vec::new()),
                    Some(known) if known.is_no_such_key() => {
                        Err(refused("ObjectNotFound", format!("there is no object {bucket}/{key}")))
                    }
                    _ => Err(fault::of(&what, Effect::Read, &error)),
                };
            }
        };
        let told = answer.content_range().and_then(content_range);
        let Some(length) = told.and_then(|told| length(told, (from, last))) else {
            let message = format!("{what}: other bytes than those that were asked for");
            return Err(refused("AnswerUnreadable", message));
        };
        let found = gathered(&what, answer.body, length).await?;
        if found.len() as u64 == length {
            return Ok(found);
        }
        let message = format!("{what}: {} bytes or more, {length} were told", found.len());
        Err(refused("AnswerUnreadable", message))
    }
}

/// The bytes of a body, and no more than tells that there are more than `length`.
async fn gathered(what: &str, mut body: ByteStream, length: u64) -> Result<Vec<u8>, Fault> {
    let mut found = Vec::new();
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| Fault::Transient(format!("{what}: {}", fault::chain(&error))))?;
        found.extend_from_slice(&part);
        if found.len() as u64 > length {
            break;
        }
    }
    Ok(found)
}

/// First and last byte, and the object's size: `bytes 0-9/100`.
fn content_range(header: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, size.parse().ok()?))
}

/// Bytes of an answer that gives what was asked for: from the first byte to the last one asked for, or to the last one there is.
fn length((first, last, size): (u64, u64, u64), asked: (u64, u64)) -> Option<u64> {
    let expected = asked.1.min(size.checked_sub(1)?);
    (first == asked.0 && last == expected).then(|| last.checked_sub(first)?.checked_add(1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_believed_where_it_is_the_one_asked_for() {
        for (header, asked, expected) in [
            ("bytes 3-6/10", (3, 6), Some(4)),
            ("bytes 3-9/10", (3, 20), Some(7)),
            ("bytes 0-0/1", (0, 0), Some(1)),
            ("bytes 3-5/10", (3, 6), None),
            ("bytes 4-6/10", (3, 6), None),
            ("bytes 3-6/5", (3, 6), None),
            ("bytes 3-7/10", (3, 6), None),
            ("bytes 5-3/4", (5, 9), None),
            ("bytes 0-0/0", (0, 0), None),
            ("bytes 3-6/*", (3, 6), None),
            ("bytes */10", (3, 6), None),
            ("bytes 3-99999999999999999999/10", (3, 6), None),
            ("items 3-6/10", (3, 6), None),
            ("bytes=3-6/10", (3, 6), None),
            ("", (0, 1), None),
        ] {
            let told = content_range(header).and_then(|told| length(told, asked));
            assert_eq!(told, expected, "{header} to {asked:?}");
        }
        assert_eq!(length((0, u64::MAX, u64::MAX), (0, u64::MAX)), None);
    }
}
