//! The `OpenAPI` document, made from the table of routes and the types that travel.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::problem::{MEDIA_TYPE, Problem};
use crate::routes::{Does, Kind, Parameter, Route, Shape, resources, shape};

/// The document: `OpenAPI` 3.1, whose schemas are JSON Schema 2020-12 as they are.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for resource in resources() {
        let mut item = Map::new();
        for route in resource.routes {
            item.insert(route.method.to_ascii_lowercase(), operation(resource.path, route, &mut generator));
        }
        paths.insert(resource.path.to_owned(), Value::Object(item));
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bakproof",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Native backups for SQL Server, and which moments can be restored. Times are RFC 3339, UTC; ids as the server \
                            gave them. Whatever goes wrong is told as application/problem+json with a stable name, a class (Retry, Wait, \
                            Never, Human) and guidance.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "sigv4": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4; the gateway authorizes by IAM.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
            },
        },
    })
}

fn operation(path: &str, route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut name = format!("{:?}", route.does);
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let mut responses = Map::new();
    for (status, body) in route.answers {
        responses.insert(status.to_string(), answer(*status, *body, route, generator));
    }
    if route.method == "GET" {
        responses.insert("304".to_owned(), json!({ "description": "As If-None-Match says." }));
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "Why there is no such answer.",
            "content": { MEDIA_TYPE: { "schema": shape::<Problem>(generator) } },
        }),
    );
    let mut operation = json!({
        "operationId": name,
        "summary": route.about,
        "parameters": parameters(path, route),
        "responses": responses,
    });
    if let Some(body) = route.body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": body(generator) } } });
    }
    operation
}

fn answer(status: u16, body: Option<Shape>, route: &Route, generator: &mut SchemaGenerator) -> Value {
    let description = match status {
        201 => "It is new.",
        202 => "It will be tried.",
        204 => "There is nothing to tell.",
        _ => "The answer.",
    };
    let mut answer = json!({ "description": description });
    if let Some(body) = body {
        answer["content"] = json!({ "application/json": { "schema": body(generator) } });
    }
    if route.method == "GET" {
        let about = "What tells this state from others: for If-Match and If-None-Match.";
        answer["headers"] = json!({ "ETag": { "description": about, "schema": { "type": "string" } } });
    }
    answer
}

fn parameters(path: &str, route: &Route) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": format!("Name of the {name}, percent-encoded; a slash in it as ~2F, and a tilde that 2F or 7E follows as ~7E."),
            "schema": { "type": "string", "minLength": 1 },
        })
    });
    let query = route.query.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "required": parameter.is_required,
            "description": parameter.about,
            "schema": kind(parameter),
        })
    });
    let header = |name: &str, about: &str| json!({ "name": name, "in": "header", "required": false, "description": about, "schema": { "type": "string" } });
    let known = header("If-None-Match", "ETag that the client has: 304 where nothing changed.");
    let seen = header(
        "If-Match",
        "ETag of the state that was seen; needed to replace what is there by something else.",
    );
    let headers = match route.method {
        "GET" => vec![known],
        // What can be read can be replaced by who has seen it.
        "PUT" if route.body.is_some() => vec![seen],
        "POST" if matches!(route.does, Does::RequestBackup | Does::LookNow) => vec![json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": route.does == Does::RequestBackup,
            "description": "1 to 128 printable characters of your own: the same whenever you ask for the same thing again.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        })],
        _ => Vec::new(),
    };
    names.chain(query).chain(headers).collect()
}

fn kind(parameter: &Parameter) -> Value {
    match parameter.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Moment => json!({ "type": "string", "format": "date-time" }),
        Kind::UpTo(most) => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
    }
}
