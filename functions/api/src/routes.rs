//! Every route: where, what for, what goes in, what comes out. The router and the document are both made from this table.

mod table;

use matchit::{Match, Router as Tree};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::http::{Request, decoded};
use crate::problem::Refused;

pub(crate) use table::resources;

/// The schema of a type, made when the document is.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// The shape of `T`.
pub(crate) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What a route does, by the name of its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does {
    GetDocument,
    GetFleet,
    ListInstances,
    GetInstance,
    GetInstanceSettings,
    PutInstanceSettings,
    ListDatabases,
    GetDatabase,
    LetDatabaseGo,
    ListLives,
    GetWindow,
    GetPlan,
    ListBackups,
    RequestBackup,
    ListLogDays,
    ListHolds,
    GetHold,
    PutHold,
    DeleteHold,
    ListTasks,
    GetTask,
    CancelTask,
    ListEvents,
    ListPolicies,
    GetPolicy,
    PutPolicy,
    PreviewPolicy,
    ListVaults,
    GetVault,
    PutVault,
    ListDiscoveries,
    GetDiscovery,
    PutDiscovery,
    LookNow,
    GetDiscovered,
    GetListed,
}

/// A path and what can be done there.
pub(crate) struct Resource {
    /// Path with its names in braces.
    pub(crate) path: &'static str,
    /// By method.
    pub(crate) routes: &'static [Route],
}

/// One method of one path.
pub(crate) struct Route {
    /// `GET`.
    pub(crate) method: &'static str,
    /// What it does.
    pub(crate) does: Does,
    /// One sentence.
    pub(crate) about: &'static str,
    /// Parameters of the query that it knows; others are refused.
    pub(crate) query: &'static [Parameter],
    /// Body that it reads.
    pub(crate) body: Option<Shape>,
    /// Status and body of each good answer.
    pub(crate) answers: &'static [(u16, Option<Shape>)],
}

/// A parameter of a query.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) is_required: bool,
    pub(crate) kind: Kind,
}

/// What a parameter is.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A moment (RFC 3339).
    Moment,
    /// A number from 1 to this.
    UpTo(u32),
    /// One of these words.
    Word(&'static [&'static str]),
}

/// Characters of a name in a path. A sort key has 1,024 bytes (DynamoDB developer guide, "Constraints", read 2026-11); the longest
/// name that anything has is a database's with 128 characters.
const NAME_BYTES_MAX: usize = 512;

/// A route that fits a request, and the names in its path.
pub(crate) struct Found {
    pub(crate) does: Does,
    pub(crate) names: Vec<String>,
}

/// Finds the route of a request.
pub(crate) struct Router(Tree<&'static Resource>);

impl Router {
    pub(crate) fn new() -> Self {
        let mut tree = Tree::new();
        for resource in resources() {
            let inserted = tree.insert(resource.path, resource);
            debug_assert!(inserted.is_ok(), "{}: {inserted:?}", resource.path);
        }
        Self(tree)
    }

    /// The route.
    ///
    /// # Errors
    /// 404 where there is no such path, 405 where it has no such method, 400 where a name or the query is malformed.
    pub(crate) fn find(&self, request: &Request) -> Result<Found, Refused> {
        let Match { value: resource, params } = self.0.at(&request.path).map_err(|_| {
            Refused::new(404, "NoSuchPath", format!("there is nothing at {:?}", request.path))
                .guidance("/openapi.json tells what there is")
        })?;
        let Some(route) = resource.routes.iter().find(|route| route.method == request.method) else {
            let methods: Vec<&str> = resource.routes.iter().map(|route| route.method).collect();
            let message = format!("{} has no method {:?}", resource.path, request.method);
            return Err(Refused::new(405, "MethodNotAllowed", message).with("allow", methods.join(", ")));
        };
        let names = params.iter().map(|(part, given)| name_of(part, given)).collect::<Result<_, _>>()?;
        check_query(route, request)?;
        Ok(Found { does: route.does, names })
    }
}

fn name_of(part: &str, given: &str) -> Result<String, Refused> {
    let name = decoded(given).map(|name| unescaped(&name));
    name.filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX).ok_or_else(|| {
        Refused::new(400, "NameMalformed", format!("{part} in the path is no name: {given:?}"))
            .guidance("percent-encode it as UTF-8, a slash as ~2F; it has 1 to 512 bytes")
    })
}

/// Undoes the escape of our own: `~2F` is a slash, `~7E` a tilde that would begin such an escape; any other tilde stands for itself. API Gateway
/// decodes a path before it hands it on, so that percent-encoding alone tells no slash of a name from one of the path. What was decoded is
/// not looked at again.
fn unescaped(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('~') {
        name.push_str(before);
        let letter = match after.get(..2) {
            Some("2F" | "2f") => Some('/'),
            Some("7E" | "7e") => Some('~'),
            _ => None,
        };
        name.push(letter.unwrap_or('~'));
        rest = if letter.is_some() { &after[2..] } else { after };
    }
    name.push_str(rest);
    name
}

/// No parameter is passed over: a misspelt one would answer another question.
fn check_query(route: &Route, request: &Request) -> Result<(), Refused> {
    for (at, (name, _)) in request.query.iter().enumerate() {
        if !route.query.iter().any(|known| known.name == name) {
            let known: Vec<&str> = route.query.iter().map(|known| known.name).collect();
            return Err(Refused::query(format!(
                "unknown parameter {name:?}; known are: {}",
                known.join(", ")
            )));
        }
        if request.query[..at].iter().any(|(before, _)| before == name) {
            return Err(Refused::query(format!("{name} is given twice")));
        }
    }
    match route.query.iter().find(|known| known.is_required && request.parameter(known.name).is_none()) {
        Some(missing) => Err(Refused::query(format!("{} is missing: {}", missing.name, missing.about))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<Found, Refused> {
        Router::new().find(&Request::new(method, path))
    }

    #[test]
    fn every_route_is_found_under_its_path() {
        let mut seen: Vec<Does> = Vec::new();
        for resource in resources() {
            for route in resource.routes {
                let query = route.query.iter().filter(|known| known.is_required);
                let query = query.map(|known| (known.name.to_owned(), "x".to_owned())).collect();
                let path = resource.path.replace(['{', '}'], "");
                let found = Router::new().find(&Request { query, ..Request::new(route.method, &path) });
                assert_eq!(found.map(|found| found.does).ok(), Some(route.does), "{} {path}", route.method);
                assert!(!seen.contains(&route.does), "{:?} twice", route.does);
                seen.push(route.does);
            }
        }
    }

    #[test]
    fn names_are_decoded_and_what_is_wrong_is_said() {
        let found = find("GET", "/v1/instances/sales/databases/a%2Fb%20c").unwrap();
        assert_eq!(found.names, ["sales", "a/b c"]);
        for (written, name) in [
            ("a~2Fb", "a/b"),
            ("a~2fb~2F", "a/b/"),
            ("~7E2F", "~2F"),
            ("~7e7E", "~7E"),
            ("~", "~"),
            ("~2", "~2"),
            ("~~2F", "~/"),
            ("~%32F", "/"),
            ("a~b", "a~b"),
            ("~%C3%9F", "~ß"),
        ] {
            let found = find("GET", &format!("/v1/instances/{written}")).unwrap();
            assert_eq!(found.names, [name], "{written}");
        }
        let long = format!("/v1/instances/{}", "x".repeat(513));
        for (method, path, status) in [
            ("GET", "/", 404),
            ("GET", "/v1/instances/", 404),
            ("GET", "v1/instances", 404),
            ("GET", "/v2/instances", 404),
            ("DELETE", "/v1/instances", 405),
            ("get", "/v1/instances", 405),
            ("GET", "/v1/instances/%ff", 400),
            ("GET", "/v1/instances/%", 400),
            ("GET", &long, 400),
        ] {
            assert_eq!(
                find(method, path).err().map(|refused| refused.status),
                Some(status),
                "{method} {path}"
            );
        }
        let refused = find("PATCH", "/v1/policies/weekly").err().unwrap();
        assert_eq!(refused.headers, [("allow", "GET, PUT".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn a_name_that_is_escaped_comes_back_and_one_without_need_is_as_it_is(name in "[~27EeFf/a]{0,12}|.{0,20}") {
            // As a client does it: first the tildes that would begin an escape, then the slashes.
            let escape = |name: &str| {
                let mut written = String::new();
                for (at, letter) in name.char_indices() {
                    let next = name.get(at + 1..at + 3).unwrap_or_default().to_ascii_uppercase();
                    match letter {
                        '/' => written.push_str("~2F"),
                        '~' if next == "2F" || next == "7E" => written.push_str("~7E"),
                        _ => written.push(letter),
                    }
                }
                written
            };
            let written = escape(&name);
            proptest::prop_assert!(!written.contains('/'));
            proptest::prop_assert_eq!(unescaped(&written), name.as_str());
            let needs = ["/", "~2F", "~2f", "~7E", "~7e"].iter().any(|part| name.contains(part));
            proptest::prop_assert_eq!(written != name, needs);
        }
    }

    #[test]
    fn no_parameter_is_passed_over() {
        let asked = |query: &[(&str, &str)]| {
            let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let path = "/v1/instances/sales/databases/orders/plan";
            Router::new()
                .find(&Request { query, ..Request::new("GET", path) })
                .map(|_| ())
                .map_err(|refused| refused.status)
        };
        assert_eq!(asked(&[("at", "latest")]), Ok(()));
        assert_eq!(asked(&[]), Err(400));
        assert_eq!(asked(&[("at", "latest"), ("att", "x")]), Err(400));
        assert_eq!(asked(&[("at", "latest"), ("at", "lsn:1")]), Err(400));
    }
}
