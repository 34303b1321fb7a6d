//! The table: what its lines are written with, and all of it.

mod databases;
mod instances;
mod settings;

use super::{Does, Kind, Parameter, Resource, Route, Shape};
use crate::page::LIMIT_MAX;

const CURSOR: Parameter = optional("cursor", "Where to go on: `next` of the page before.", Kind::Text);
const LIMIT: Parameter = optional("limit", "Things a page holds at most.", Kind::UpTo(LIMIT_MAX));
const PAGES: &[Parameter] = &[LIMIT, CURSOR];

/// One of those that had the name.
const WHICH: Parameter = optional(
    crate::lives::WHICH,
    "Of a database that had the name before (…/lives); the one that has it now without.",
    Kind::Text,
);
/// Of one that was on another server.
const SERVER: Parameter = optional(
    crate::lives::SERVER,
    "With `database_guid`: on which of the servers that had the instance's name (…/lives); the newest without.",
    Kind::Text,
);
const OF_LIFE: &[Parameter] = &[WHICH, SERVER];
const PAGES_OF_LIFE: &[Parameter] = &[LIMIT, CURSOR, WHICH, SERVER];

const fn optional(name: &'static str, about: &'static str, kind: Kind) -> Parameter {
    Parameter { name, about, is_required: false, kind }
}

const fn get(
    does: Does,
    about: &'static str,
    query: &'static [Parameter],
    answers: &'static [(u16, Option<Shape>)],
) -> Route {
    Route { method: "GET", does, about, query, body: None, answers }
}

const fn put(
    does: Does,
    about: &'static str,
    body: Shape,
    answers: &'static [(u16, Option<Shape>)],
) -> Route {
    Route { method: "PUT", does, about, query: &[], body: Some(body), answers }
}

const fn at(path: &'static str, routes: &'static [Route]) -> Resource {
    Resource { path, routes }
}

/// Everything there is.
pub(crate) fn resources() -> impl Iterator<Item = &'static Resource> {
    instances::INSTANCES.iter().chain(&databases::DATABASES).chain(&settings::SETTINGS)
}
