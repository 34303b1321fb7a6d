//! The SNS adapter against the contract of notices, on whatever endpoint the SDK's environment names. Whoever subscribed sees what
//! arrives: `tests/e2e/ministack.py` does, with a queue.

#[cfg(test)]
#[path = "../../../tests/conformance/notify/suite.rs"]
mod suite;

use aws::Topic;
use aws_sdk_sns::Client;
use tokio::runtime::Builder;

#[test]
#[ignore = "needs a server: tests/e2e/ministack.py starts one"]
fn every_notice_is_sent_and_an_empty_one_refused() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    runtime.block_on(async {
        let config = aws::connect().await;
        let endpoint = config.endpoint_url().unwrap_or_default();
        assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint:?} is not on loopback");
        // A topic that exists is answered with its ARN.
        let topic = Client::new(&config).create_topic().name("notices-contract").send().await;
        let arn = topic.expect("the topic is created").topic_arn.expect("a topic has an ARN");
        suite::every_notice_is_sent_and_an_empty_one_refused(&Topic::new(&config, arn)).await;
    });
}

/// What the queue has to hold, for the script that reads it.
#[test]
fn what_arrives_is_what_the_port_says() {
    for (notice, (subject, bytes)) in suite::notices() {
        assert_eq!(notice.subject_line().unwrap_or_default(), subject);
        assert_eq!(notice.body().map(|text| text.len()), Some(bytes), "{subject}");
    }
}
