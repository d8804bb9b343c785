//! What this node offers, found out from its routes: nothing is claimed that is not routed.

use app::App;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use futures_util::FutureExt;
use tower::ServiceExt;

use super::kept::Kept;
use super::operations::{self, Operation};

/// A method that no route has, so that each answers which ones it has.
const ASK: &str = "CONSILIUM-ASK";
/// Stands for an id in addresses that are asked about.
const SOME_ID: &str = "some";

/// Where an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// On the base.
    System,
    /// On a type.
    Type(&'static str),
    /// On a resource.
    Instance(&'static str),
}

/// One way to call one operation.
pub struct Call {
    /// Which.
    pub operation: &'static Operation,
    /// Where.
    pub level: Level,
    /// The methods that are routed, `GET` and `POST` for example.
    pub methods: Vec<String>,
}

impl Call {
    /// The address below the base, `{id}` standing for the id.
    pub fn path(&self) -> String {
        let name = self.operation.name;
        match self.level {
            Level::System => format!("/${name}"),
            Level::Type(kind) => format!("/{kind}/${name}"),
            Level::Instance(kind) => format!("/{kind}/{{id}}/${name}"),
        }
    }
}

/// Everything that is offered beside the interactions.
pub struct Claims {
    /// When the node started, milliseconds since the Unix epoch: since then it offers what it does.
    pub since_ms: i64,
    /// Every way to call an operation.
    pub calls: Vec<Call>,
    /// The CapabilityStatement.
    pub statement: Kept,
    /// The TerminologyCapabilities.
    pub terminology: Kept,
    /// The OpenAPI description.
    pub openapi: Kept,
}

impl Claims {
    /// Asks the routes of the operations.
    pub fn of(app: &App, routes: &Router) -> Self {
        let mut calls = Vec::new();
        for operation in operations::all() {
            let all = fhir::definitions::resource_types().iter();
            let types = all.filter(|kind| operation.is_of(kind));
            let levels = std::iter::once(Level::System)
                .chain(types.flat_map(|kind| [Level::Type(kind), Level::Instance(kind)]));
            for level in levels {
                let call = Call { operation, level, methods: Vec::new() };
                let path = format!("/fhir{}", call.path().replace("{id}", SOME_ID));
                let methods = methods(routes, &path);
                if !methods.is_empty() {
                    calls.push(Call { methods, ..call });
                }
            }
        }
        let (statement, terminology, openapi) = Default::default();
        Self { since_ms: app.now_ms(), calls, statement, terminology, openapi }
    }
}

/// The methods that are routed at an address; `HEAD`, which goes with `GET`, left out. Empty where
/// there is nothing.
pub fn methods(routes: &Router, path: &str) -> Vec<String> {
    let Ok(request) = Request::builder().method(ASK).uri(path).body(Body::empty()) else {
        return Vec::new();
    };
    // No handler runs, so the answer is there at once.
    let Some(Ok(response)) = routes.clone().oneshot(request).now_or_never() else {
        return Vec::new();
    };
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return Vec::new();
    }
    let allow = response.headers().get(header::ALLOW).and_then(|allow| allow.to_str().ok());
    let names = allow.unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty() && *name != "HEAD").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use app::App;
    use axum::Router;

    use super::operations;
    use crate::fhir::interactions::{self, Claim, TABLE};

    /// The addresses of a router below `/fhir`, as it shows itself.
    fn addresses(router: &Router<App>) -> BTreeSet<String> {
        let shown = format!("{router:?}");
        let quoted = shown.split('"').filter(|text| text.starts_with("/fhir"));
        quoted.map(str::to_owned).collect()
    }

    #[test]
    fn every_route_of_an_operation_is_claimed() {
        let routed = addresses(&operations::routes());
        assert!(routed.len() >= 8, "{routed:?}");
        for address in routed {
            let name = address.rsplit_once("/$").map(|(_, name)| name);
            let claimed = operations::all().any(|operation| Some(operation.name) == name);
            // What a streamed operation needs beside itself is below its name.
            let beside = operations::all().any(|o| address.contains(&format!("/${}/", o.name)));
            assert!(claimed || beside, "`{address}` is routed and belongs to no operation");
        }
    }

    #[test]
    fn every_interaction_is_routed_as_the_table_says() {
        let routed = addresses(&interactions::routes());
        let listed: BTreeSet<String> = TABLE.iter().map(|route| route.path.to_owned()).collect();
        assert_eq!(routed, listed);
        for route in TABLE.iter().filter(|route| route.claim == Claim::Beside) {
            assert!(!route.summary.is_empty(), "{}", route.path);
        }
        for code in ["read", "vread", "update", "patch", "delete", "create", "search-type"] {
            assert!(interactions::of_type("Patient").contains(&code), "{code}");
        }
    }
}
