//! What the paths of the OpenAPI description refer to by name.

use serde_json::{Value, json};

use super::Searches;

/// The search parameters of all types as components, `Patient.birthdate` for example.
fn shared_parameters(searches: &Searches) -> impl Iterator<Item = (String, Value)> {
    searches.iter().flat_map(|(kind, params)| {
        params.iter().map(move |param| {
            let description = format!("search parameter of type {}", param.kind);
            let value = json!({
                "name": param.code, "in": "query", "description": description,
                "schema": {"type": "string"},
            });
            (format!("{kind}.{}", param.code), value)
        })
    })
}

/// Everything that the paths refer to by name.
pub(super) fn components(searches: &Searches) -> Value {
    let mut components = fixed_components();
    if let Some(parameters) = components["parameters"].as_object_mut() {
        parameters.extend(shared_parameters(searches));
    }
    components
}

fn fixed_components() -> Value {
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
