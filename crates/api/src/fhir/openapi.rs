//! The OpenAPI 3.1 description of the FHIR API, made from the table of routes and the registry of
//! search parameters. Schemas are light: what a resource holds is FHIR's to say.

use std::sync::Arc;

use app::App;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::capability::searched;
use super::claims::{Call, Claims};
use super::interactions::{self, Claim, Route, TABLE};
use crate::outcome::Failure;

/// `GET openapi.json`.
pub async fn describe(
    State(app): State<App>,
    Extension(claims): Extension<Arc<Claims>>,
) -> Result<Response, Failure> {
    let text = app.run(move |app| Ok(description(app, &claims).to_string())).await?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], text).into_response())
}

fn description(app: &App, claims: &Claims) -> Value {
    let mut paths = Map::new();
    for route in TABLE {
        let path = route.path.strip_prefix("/fhir").unwrap_or(route.path);
        if path.contains("{type}") {
            for kind in fhir::definitions::resource_types() {
                if is_offered(route, kind) {
                    let operation = of_type(route, kind);
                    put(&mut paths, &path.replace("{type}", kind), route.method, operation);
                }
            }
        } else if path != "/" {
            let path = if path.is_empty() { "/" } else { path };
            put(&mut paths, path, route.method, of_system(route));
        }
    }
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
        "components": components(),
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

fn of_type(route: &Route, kind: &'static str) -> Value {
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
            parameters.extend(search_parameters(kind));
            parameters.push(name("count"));
        }
        Claim::Resource("create") => parameters.push(name("if-none-exist")),
        Claim::Resource("read") => parameters.push(name("if-none-match")),
        _ => {}
    }
    if matches!(route.method, "PUT" | "PATCH" | "DELETE") {
        parameters.push(name("if-match"));
        if !route.path.contains("{id}") {
            parameters.extend(search_parameters(kind));
        }
    }
    let id = format!("{}-{}-{kind}", route.method.to_ascii_lowercase(), identifier(route.path));
    let mut operation = json!({
        "operationId": id, "summary": route.summary, "tags": [kind],
        "parameters": parameters, "responses": responses(route.method),
    });
    match route.method {
        "POST" if route.path.ends_with("_search") => {
            let properties: Map<String, Value> = searched(kind)
                .into_iter()
                .map(|param| (param.code, json!({"type": "string"})))
                .collect();
            operation["requestBody"] = json!({"content": {"application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": properties}
            }}});
        }
        "POST" | "PUT" => operation["requestBody"] = body(kind),
        "PATCH" => {
            operation["requestBody"] = json!({"$ref": "#/components/requestBodies/patch"});
        }
        _ => {}
    }
    operation
}

fn search_parameters(kind: &'static str) -> Vec<Value> {
    let one = |param: super::capability::Searched| {
        let description = format!("search parameter of type {}", param.kind);
        json!({
            "name": param.code, "in": "query", "description": description,
            "schema": {"type": "string"},
        })
    };
    searched(kind).into_iter().map(one).collect()
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

fn components() -> Value {
    let resource = json!({"$ref": "#/components/schemas/Resource"});
    let contents = json!({
        "application/fhir+json": {"schema": resource},
        "application/fhir+xml": {"schema": {"type": "string"}},
    });
    let query = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let header = |name: &str| json!({"name": name, "in": "header", "schema": {"type": "string"}});
    let path = |name: &str, pattern: &str| {
        json!({"name": name, "in": "path", "required": true,
               "schema": {"type": "string", "pattern": pattern}})
    };
    json!({
        "securitySchemes": {"session": {
            "type": "http", "scheme": "bearer", "description": "token from POST /auth/session",
        }},
        "schemas": {"Resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {
                "resourceType": {"type": "string"},
                "id": {"type": "string", "pattern": "^[A-Za-z0-9\\-\\.]{1,64}$"},
                "meta": {"type": "object"},
            },
        }},
        "responses": {
            "resource": {"description": "a resource", "content": contents},
            "outcome": {"description": "an OperationOutcome that says why", "content": contents},
        },
        "requestBodies": {"patch": {"required": true, "content": {
            "application/json-patch+json": {"schema": {"type": "array", "items": {
                "type": "object", "required": ["op", "path"],
            }}},
            "application/xml-patch+xml": {"schema": {"type": "string"}},
            "application/fhir+json": {"schema": resource},
        }}},
        "parameters": {
            "id": path("id", "^[A-Za-z0-9\\-\\.]{1,64}$"),
            "version": path("version", "^[0-9]{1,18}$"),
            "format": query("_format", json!({"type": "string", "enum": [
                "json", "xml", "application/fhir+json", "application/fhir+xml",
            ]})),
            "pretty": query("_pretty", json!({"type": "boolean"})),
            "count": query("_count", json!({"type": "integer", "minimum": 0})),
            "since": query("_since", json!({"type": "string", "format": "date-time"})),
            "at": query("_at", json!({"type": "string"})),
            "if-match": header("If-Match"),
            "if-none-match": header("If-None-Match"),
            "if-none-exist": header("If-None-Exist"),
        },
    })
}
