//! The OpenAPI 3.1 description of the FHIR API, made from the table of routes and the registry of
//! search parameters. Schemas are light: what a resource holds is FHIR's to say.

mod components;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::App;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use fhirpath::search::Registry;
use serde_json::{Map, Value, json};

use super::claims::{Call, Claims};
use super::interactions::{self, Claim, Route, TABLE};
use super::kept::Sources;
use super::operations::is_free;
use super::searched::{self, Searched};
use crate::outcome::Failure;
use components::components;

/// `GET openapi.json`.
pub async fn describe(
    State(app): State<App>,
    Extension(claims): Extension<Arc<Claims>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let make = move |app: &App| {
        let make = |_| Ok(description(app, &claims));
        claims.openapi.now(app, claims.since_ms, Sources::searches, make)
    };
    Ok(app.run(make).await?.answer("application/json", &headers))
}

/// The search parameters of every type.
type Searches = BTreeMap<&'static str, Vec<Searched>>;

fn description(app: &App, claims: &Claims) -> Value {
    let registry: Arc<Registry> = app.store().registry();
    let all = fhir::resource_types().iter();
    let searches: Searches = all.map(|kind| (*kind, searched::of_type(&registry, kind))).collect();
    let mut paths = Map::new();
    for route in TABLE {
        let path = route.path.strip_prefix("/fhir").unwrap_or(route.path);
        if path.contains("{type}") {
            for kind in fhir::definitions::resource_types() {
                if is_offered(route, kind) {
                    let operation = of_type(route, kind, &searches);
                    put(&mut paths, &path.replace("{type}", kind), route.method, operation);
                }
            }
        } else if path != "/" {
            let path = if path.is_empty() { "/" } else { path };
            put(&mut paths, path, route.method, of_system(route));
        }
    }
    compartments(&mut paths, &searches);
    for call in &claims.calls {
        for method in &call.methods {
            put(&mut paths, &call.path(), method, of_call(call, method));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("FHIR R4 of {}", app.org().name),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{"url": format!("{}/fhir", app.org().base_url)}],
        "security": [{"session": []}],
        "paths": paths,
        "components": components(&searches),
    })
}

/// Whether a type has what a route offers, by the same rule as the CapabilityStatement.
fn is_offered(route: &Route, kind: &str) -> bool {
    match route.claim {
        Claim::Resource(code) => interactions::of_type(kind).contains(&code),
        Claim::Element(_) => interactions::of_type(kind).contains(&"update"),
        _ => true,
    }
}

fn put(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[method.to_ascii_lowercase()] = operation;
}

fn of_type(route: &Route, kind: &'static str, searches: &Searches) -> Value {
    let mut parameters = vec![reference("format"), reference("pretty")];
    let name = |name: &str| json!({"$ref": format!("#/components/parameters/{name}")});
    if route.path.contains("{id}") {
        parameters.push(name("id"));
    }
    if route.path.contains("{version}") {
        parameters.push(name("version"));
    }
    if route.path.ends_with("_history") {
        parameters.extend(["count", "since", "at"].map(name));
    }
    match route.claim {
        Claim::Resource("search-type") if route.method == "GET" => {
            parameters.extend(search_parameters(kind, searches));
            parameters.push(name("count"));
        }
        Claim::Resource("create") => parameters.push(name("if-none-exist")),
        Claim::Resource("read") => parameters.push(name("if-none-match")),
        _ => {}
    }
    if matches!(route.method, "PUT" | "PATCH" | "DELETE") {
        parameters.push(name("if-match"));
        if !route.path.contains("{id}") {
            parameters.extend(search_parameters(kind, searches));
        }
    }
    let id = format!("{}-{}-{kind}", route.method.to_ascii_lowercase(), identifier(route.path));
    let mut operation = json!({
        "operationId": id, "summary": route.summary, "tags": [kind],
        "parameters": parameters, "responses": responses(route.method),
    });
    match route.method {
        "POST" if route.path.ends_with("_search") => {
            operation["requestBody"] = form(kind, searches);
        }
        "POST" | "PUT" => operation["requestBody"] = body(kind),
        "PATCH" => {
            operation["requestBody"] = json!({"$ref": "#/components/requestBodies/patch"});
        }
        _ => {}
    }
    operation
}

/// Where the parameters of a type are among the components.
fn search_parameters(kind: &'static str, searches: &Searches) -> Vec<Value> {
    let params = searches.get(kind).into_iter().flatten();
    params.map(|param| reference(&format!("{kind}.{}", param.code))).collect()
}

/// The body of a search by a form.
fn form(kind: &'static str, searches: &Searches) -> Value {
    let params = searches.get(kind).into_iter().flatten();
    let properties: Map<String, Value> =
        params.map(|param| (param.code.clone(), json!({"type": "string"}))).collect();
    json!({"content": {"application/x-www-form-urlencoded": {
        "schema": {"type": "object", "properties": properties}
    }}})
}

/// Searches of compartments: one type, or all of them (`*`), by address and by form.
fn compartments(paths: &mut Map<String, Value>, searches: &Searches) {
    for &centre in fhir::resource_types() {
        let Some(within) = store::query::is_in_compartment(centre) else { continue };
        for inner in within.into_iter().chain(["*"]) {
            let path = format!("/{centre}/{{id}}/{inner}");
            let by_form = format!("{path}/_search");
            let id = format!("{centre}-{}", if inner == "*" { "all" } else { inner });
            let shared = ["format", "pretty", "id", "count"].map(reference);
            let mut parameters = shared.to_vec();
            parameters.extend(search_parameters(inner, searches));
            let summary = match inner {
                "*" => format!("Search everything in the compartment of a {centre}"),
                _ => format!("Search {inner} in the compartment of a {centre}"),
            };
            let operation = |method: &str, parameters: &[Value]| {
                json!({
                    "operationId": format!("{method}-compartment-{id}"), "summary": summary,
                    "tags": [centre], "parameters": parameters,
                    "responses": responses(&method.to_ascii_uppercase()),
                })
            };
            put(paths, &path, "GET", operation("get", &parameters));
            let mut posted = operation("post", &shared);
            posted["requestBody"] = form(inner, searches);
            put(paths, &by_form, "POST", posted);
        }
    }
}

fn of_system(route: &Route) -> Value {
    let id = format!("{}-{}", route.method.to_ascii_lowercase(), identifier(route.path));
    let mut parameters = vec![reference("format"), reference("pretty")];
    if route.path.ends_with("_history") {
        parameters.extend(["count", "since", "at"].map(reference));
    }
    if route.path.contains("{page}") {
        parameters.push(json!({
            "name": "page", "in": "path", "required": true, "schema": {"type": "string"}
        }));
    }
    let mut operation = json!({
        "operationId": id, "summary": route.summary, "tags": ["system"],
        "parameters": parameters, "responses": responses(route.method),
    });
    if route.method == "POST" {
        operation["requestBody"] = body("Bundle");
    }
    if route.path.ends_with("/metadata") || route.path.ends_with("/openapi.json") {
        operation["security"] = json!([]);
    }
    operation
}

fn of_call(call: &Call, method: &str) -> Value {
    let path = call.path();
    let mut parameters = vec![reference("format")];
    if path.contains("{id}") {
        parameters.push(reference("id"));
    }
    let mut operation = json!({
        "operationId": format!("{}-{}", method.to_ascii_lowercase(), identifier(&path)),
        "summary": format!("Operation ${}", call.operation.name),
        "externalDocs": {"url": call.operation.definition},
        "tags": ["operations"],
        "parameters": parameters,
        "responses": responses(method),
    });
    if method == "POST" {
        operation["requestBody"] = body("Parameters");
    }
    if call.operation.name == "graphql" {
        let answer = json!({"description": "data and errors as GraphQL has them", "content": {
            "application/json": {"schema": {"type": "object"}},
        }});
        operation["responses"] = json!({"200": answer, "4XX": answer, "5XX": answer});
    } else if is_free(&path) {
        let accepted = "accepted; `Content-Location` says where to ask after it";
        operation["responses"]["202"] = json!({"description": accepted});
    }
    operation
}

/// An address as a part of an identifier.
fn identifier(path: &str) -> String {
    let parts = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn body(kind: &str) -> Value {
    let mut schema = json!({"$ref": "#/components/schemas/Resource"});
    schema["description"] = json!(format!("a {kind}"));
    json!({"required": true, "content": {
        "application/fhir+json": {"schema": schema},
        "application/fhir+xml": {"schema": {"type": "string"}},
    }})
}

fn responses(method: &str) -> Value {
    let fhir = json!({"$ref": "#/components/responses/resource"});
    let mut responses = json!({
        "4XX": {"$ref": "#/components/responses/outcome"},
        "5XX": {"$ref": "#/components/responses/outcome"},
    });
    let statuses: &[&str] = match method {
        "GET" => &["200"],
        "POST" | "PUT" => &["200", "201"],
        "DELETE" => &["200", "204"],
        _ => &["200"],
    };
    for status in statuses {
        responses[status] = match *status {
            "204" => json!({"description": "done; there is nothing to show"}),
            _ => fhir.clone(),
        };
    }
    if method == "GET" {
        responses["304"] = json!({"description": "the client has this version already"});
    }
    responses
}
