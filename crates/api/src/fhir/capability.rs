//! The CapabilityStatement, made from the same registries that answer requests.

use std::sync::OnceLock;

use app::App;
use fhirpath::search::{ParamType, Registry};
use serde_json::{Value, json};
use store::query::QueryError;

/// Interactions offered on every type but `AuditEvent`, which only the node itself writes.
const INTERACTIONS: [&str; 8] = [
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
const READ_ONLY: [&str; 5] = ["read", "vread", "history-instance", "history-type", "search-type"];

/// The statement as JSON text.
pub fn statement(app: &App) -> String {
    static RESOURCES: OnceLock<Vec<Value>> = OnceLock::new();
    let resources = RESOURCES.get_or_init(|| {
        fhir::definitions::resource_types().iter().map(|kind| resource(kind)).collect()
    });
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Consilium", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {
            "description": app.org().name,
            "url": format!("{}/fhir", app.org().base_url),
        },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "security": {
                "cors": false,
                "description": "Bearer token from POST /auth/session; questions to other \
                    institutions need a second factor not older than 300 seconds",
            },
            "resource": resources,
            "interaction": [
                {"code": "transaction"}, {"code": "batch"}, {"code": "history-system"}
            ],
        }],
    })
    .to_string()
}

/// Whether a search takes the parameter: the parser of searches is asked. A value that it does not
/// like is no matter.
fn is_answered(kind: &'static str, code: &str) -> bool {
    let params = [(code.to_owned(), "1".to_owned())];
    let parsed = store::query::parse(Registry::r4(), kind, &params);
    !matches!(parsed, Err(QueryError::Unknown { .. } | QueryError::Unsupported { .. }))
}

fn resource(kind: &'static str) -> Value {
    let registry = Registry::r4();
    let mut params: Vec<Value> = vec![
        json!({"name": "_id", "type": "token"}),
        json!({"name": "_lastUpdated", "type": "date"}),
    ];
    let mut includes = Vec::new();
    for param in registry.of_type(kind) {
        let name = match param.param_type {
            ParamType::Number => "number",
            ParamType::Date => "date",
            ParamType::String => "string",
            ParamType::Token => "token",
            ParamType::Reference => "reference",
            ParamType::Quantity => "quantity",
            ParamType::Uri => "uri",
            // Not answered yet, so not claimed.
            ParamType::Composite | ParamType::Special => continue,
        };
        if param.code == "_id" || param.code == "_lastUpdated" || !is_answered(kind, &param.code) {
            continue;
        }
        if param.param_type == ParamType::Reference {
            includes.push(json!(format!("{kind}:{}", param.code)));
        }
        params.push(json!({"name": param.code, "definition": param.url, "type": name}));
    }
    let interactions: &[&str] = if kind == "AuditEvent" { &READ_ONLY } else { &INTERACTIONS };
    let mut resource = json!({
        "type": kind,
        "interaction": interactions.iter().map(|code| json!({"code": code})).collect::<Vec<_>>(),
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": kind != "AuditEvent",
        "conditionalCreate": kind != "AuditEvent",
        "conditionalRead": "not-match",
        "conditionalUpdate": false,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local"],
        "searchInclude": includes,
        "searchParam": params,
    });
    let operations: Vec<Value> = super::operations::all()
        .filter(|operation| operation.is_of(kind))
        .map(|operation| json!({"name": operation.name, "definition": operation.definition}))
        .collect();
    if !operations.is_empty() {
        resource["operation"] = Value::Array(operations);
    }
    resource
}
