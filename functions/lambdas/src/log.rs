//! One line of JSON for each invocation: what `CloudWatch` Logs searches, and what it makes metrics of.
//!
//! The line is a document of the embedded metric format: `_aws` tells which members are metrics. Units, limits (100 metrics and 30
//! dimensions a directive) and names: CloudWatch user guide, "Specification: Embedded metric format", read 2026-11.
//! `timestamp` and `level` are what Lambda filters by (developer guide, "Configuring JSON and plain text log formats", read 2026-11).

use std::collections::BTreeMap;

use domain::reason::{Class, Reason};
use jiff::Timestamp;
use serde::Serialize;

use crate::subject::Subject;
use crate::tell::{RPO_OVERDUE, Told};
use crate::trail::Written;

/// The metrics' namespace.
pub const NAMESPACE: &str = "bakproof";

/// How an invocation ended.
pub(crate) struct Ending<'a> {
    /// Whose function it is: cells of one account share the namespace, and alarms are of one cell.
    pub(crate) stack: &'a str,
    pub(crate) function: &'a str,
    pub(crate) request_id: &'a str,
    /// The header that X-Ray hands from service to service.
    pub(crate) trace: Option<&'a str>,
    pub(crate) cold_start: bool,
    pub(crate) subject: &'a Subject,
    pub(crate) at: Timestamp,
    pub(crate) milliseconds: u64,
    /// Tasks that it wrote, also where it failed behind that.
    pub(crate) written: &'a Written,
    pub(crate) came_of_it: Result<&'a Told, &'a Reason>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: &'static str,
    stack: &'a str,
    function: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    cold_start: bool,
    #[serde(flatten)]
    subject: &'a Subject,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a Reason>,
    #[serde(flatten)]
    written: &'a Written,
    #[serde(flatten)]
    metrics: BTreeMap<&'static str, u64>,
    #[serde(rename = "_aws")]
    aws: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: Vec<Vec<&'static str>>,
    metrics: Vec<Metric>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Ending<'_> {
    /// The line. What passes by itself is a warning, what somebody has to see is an error.
    pub(crate) fn line(&self) -> String {
        let reason = self.came_of_it.err();
        let told = self.came_of_it.ok();
        let mut metrics = BTreeMap::from([
            ("invocations", 1),
            ("errors", u64::from(reason.is_some())),
            ("cold_starts", u64::from(self.cold_start)),
            ("duration_ms", self.milliseconds),
        ]);
        metrics.extend(told.iter().flat_map(|told| told.counts.iter().copied()));
        let line = Line {
            timestamp: self.at,
            level: match reason.map(|reason| reason.class) {
                None if told.is_some_and(|told| told.warns) => "WARN",
                None => "INFO",
                Some(Class::Retry | Class::Wait) => "WARN",
                Some(Class::Never | Class::Human) => "ERROR",
            },
            stack: self.stack,
            function: self.function,
            request_id: self.request_id,
            trace_id: self.trace.and_then(root),
            cold_start: self.cold_start,
            subject: self.subject,
            outcome: told.and_then(|told| told.outcome.as_deref()),
            class: reason.map(|reason| reason.class),
            reason,
            written: self.written,
            aws: Metadata {
                timestamp: self.at.as_millisecond(),
                cloud_watch_metrics: directives(metrics.keys().copied(), reason.is_some()),
            },
            metrics,
        };
        serde_json::to_string(&line).unwrap_or_else(|_| format!("{{\"function\":{:?}}}", self.function))
    }
}

/// Every metric by stack and function, and errors by class too. Not by instance: each value of a dimension is a metric of its own and is paid
/// for, and the instance stands in the line.
fn directives(metrics: impl Iterator<Item = &'static str>, failed: bool) -> Vec<Directive> {
    let metric = |name| Metric { name, unit: unit(name) };
    let directive = |dimensions: &[&'static str], metrics| Directive {
        namespace: NAMESPACE,
        dimensions: vec![dimensions.to_vec()],
        metrics,
    };
    let mut directives = vec![directive(&["stack", "function"], metrics.map(metric).collect())];
    if failed {
        directives.push(directive(&["stack", "function", "class"], vec![metric("errors")]));
    }
    directives
}

/// A metric's unit, in CloudWatch's word.
fn unit(name: &str) -> &'static str {
    match name {
        "duration_ms" => "Milliseconds",
        RPO_OVERDUE => "Seconds",
        _ => "Count",
    }
}

/// The trace's own id in `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.
fn root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn line(came_of_it: Result<&Told, &Reason>) -> Value {
        let subject = Subject::of_run(r#"{"instance":"sales","generation":7}"#);
        let ending = Ending {
            stack: "bakproof",
            function: "poll-tasks",
            request_id: "r-1",
            trace: Some("Root=1-2-3;Parent=4;Sampled=1"),
            cold_start: true,
            subject: &subject,
            at: "2026-11-22T01:02:03.004Z".parse().unwrap(),
            milliseconds: 12,
            written: &Written::default(),
            came_of_it,
        };
        serde_json::from_str(&ending.line()).unwrap()
    }

    #[test]
    fn a_success_tells_what_it_was_about_and_what_came_of_it() {
        let told = Told::counts(&[("finished", 2)]).outcome(&"again");
        assert_eq!(
            line(Ok(&told)),
            json!({
                "timestamp": "2026-11-22T01:02:03.004Z", "level": "INFO", "stack": "bakproof", "function": "poll-tasks",
                "request_id": "r-1", "trace_id": "1-2-3", "cold_start": true, "instance": "sales", "run": "sales-7", "outcome": "again",
                "invocations": 1, "errors": 0, "cold_starts": 1, "duration_ms": 12, "finished": 2,
                "_aws": {
                    "Timestamp": 1_795_309_323_004_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "bakproof",
                        "Dimensions": [["stack", "function"]],
                        "Metrics": [
                            {"Name": "cold_starts", "Unit": "Count"}, {"Name": "duration_ms", "Unit": "Milliseconds"},
                            {"Name": "errors", "Unit": "Count"}, {"Name": "finished", "Unit": "Count"},
                            {"Name": "invocations", "Unit": "Count"},
                        ],
                    }],
                },
            })
        );
    }

    #[test]
    fn a_failure_is_counted_by_class() {
        for (class, level) in
            [(Class::Retry, "WARN"), (Class::Wait, "WARN"), (Class::Never, "ERROR"), (Class::Human, "ERROR")]
        {
            let line = line(Err(&Reason::new(class, "Refused", "as asked")));
            assert_eq!((&line["level"], &line["errors"]), (&json!(level), &json!(1)));
            assert_eq!(line["reason"]["name"], "Refused");
            let by_class = &line["_aws"]["CloudWatchMetrics"][1];
            assert_eq!(by_class["Dimensions"], json!([["stack", "function", "class"]]));
            assert_eq!(by_class["Metrics"], json!([{"Name": "errors", "Unit": "Count"}]));
        }
    }

    #[test]
    fn a_success_with_something_left_to_tell_is_a_warning() {
        let told = Told { warns: true, ..Told::counts(&[("runs", 1)]).outcome(&"unstarted: R: r") };
        let line = line(Ok(&told));
        assert_eq!(
            (&line["level"], &line["errors"], &line["outcome"]),
            (&json!("WARN"), &json!(0), &json!("unstarted: R: r"))
        );
    }

    /// What CloudWatch demands: every metric a number and every dimension a text, both at the root.
    #[test]
    fn what_the_directives_name_is_there() {
        for came_of_it in [Ok(&Told::counts(&[("open", 1)])), Err(&Reason::new(Class::Wait, "W", "w"))] {
            let line = line(came_of_it);
            for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
                let metrics = directive["Metrics"].as_array().unwrap();
                assert!(
                    metrics.len() <= 100
                        && metrics.iter().all(|m| line[m["Name"].as_str().unwrap()].is_u64())
                );
                for set in directive["Dimensions"].as_array().unwrap() {
                    assert!(
                        set.as_array().unwrap().iter().all(|name| line[name.as_str().unwrap()].is_string())
                    );
                }
            }
        }
    }

    #[test]
    fn a_trace_header_is_hostile_too() {
        for (header, id) in
            [("Root=1", Some("1")), ("Parent=2; Root=1-2", Some("1-2")), ("x", None), ("", None)]
        {
            assert_eq!(root(header), id, "{header}");
        }
    }
}
