//! A day of one small instance, and somebody who asks.

use api::{Request, Response};
use domain::record::Record;
use jiff::{SignedDuration, Timestamp};
use ports::store::{Key, decode};
use serde_json::Value;
use testbed::scenario::Scenario;
use testbed::simulation::Simulation;

/// Three databases on one instance; fulls on Sunday, logs every hour.
pub(crate) fn scenario() -> Scenario {
    let mut scenario = Scenario::quickstart().unwrap();
    scenario.instances.truncate(2);
    scenario.instances.swap(0, 1);
    scenario.instances.truncate(1);
    scenario.instances[0].databases[1].count = 2;
    scenario
}

/// Somebody who asks the API of a story.
pub(crate) struct Asker {
    pub(crate) simulation: Simulation,
    /// Every answer so far, with its question.
    pub(crate) asked: Vec<(Request, Response)>,
}

impl Asker {
    /// After so many hours of the story.
    pub(crate) fn after(hours: i64) -> Self {
        let mut asker = Self { simulation: Simulation::new(scenario()).unwrap(), asked: Vec::new() };
        asker.wait(SignedDuration::from_hours(hours));
        asker
    }

    pub(crate) fn wait(&mut self, time: SignedDuration) {
        let until = self.now() + time;
        self.simulation.run_until(until);
    }

    pub(crate) fn now(&mut self) -> Timestamp {
        self.simulation.bed().now()
    }

    /// Sends a request and remembers the answer.
    pub(crate) fn send(&mut self, request: Request) -> Response {
        let response = self.simulation.ask(&request).expect("the function answers");
        self.asked.push((request, response.clone()));
        response
    }

    /// `path` with its query.
    pub(crate) fn get(&mut self, path: &str) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = api::query_of(query).unwrap();
        said(&self.send(Request { query, ..Request::new("GET", path) }))
    }

    /// With a body and headers; `path` with its query.
    pub(crate) fn with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = api::query_of(query).unwrap();
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        said(&self.send(Request { query, headers, body, ..Request::new(method, path) }))
    }

    /// Changes a record of the store behind everybody's back.
    pub(crate) fn amend<R: Record>(
        &mut self,
        (partition, sort): (String, String),
        change: impl FnOnce(&mut R),
    ) {
        let store = self.simulation.bed().store();
        let item = store.look(|table| table.get(&Key { partition, sort })).expect("it is there");
        let mut record = decode::<R>(&item).unwrap();
        change(&mut record.record);
        store.put(&[record.put().unwrap()]).unwrap();
    }

    /// The entity tag of what is at a path.
    pub(crate) fn tag(&mut self, path: &str) -> String {
        self.send(Request::new("GET", path)).header("etag").unwrap().to_owned()
    }
}

/// Status and body.
fn said(response: &Response) -> (u16, Value) {
    let body =
        if response.body.is_empty() { Value::Null } else { serde_json::from_str(&response.body).unwrap() };
    (response.status, body)
}
