//! The CapabilityStatement, made from the same tables and registries that answer requests.

use std::sync::Arc;

use app::services::ConditionalDelete;
use app::{App, Error};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use fhirpath::search::{ParamType, Registry};
use serde_json::{Value, json};
use store::query::{QueryError, parse};

use super::claims::{Claims, Level};
use super::interactions;
use super::{Answered, answer};

/// `GET metadata`, with `mode`.
pub async fn metadata(
    State(app): State<App>,
    Extension(claims): Extension<Arc<Claims>>,
    RawQuery(query): RawQuery,
) -> Answered {
    let query = query.unwrap_or_default();
    let mut mode = "full".to_owned();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "mode" => mode = value.into_owned(),
            "_format" | "_pretty" | "_summary" | "_elements" => {}
            _ => {
                let name: String = name.chars().take(40).collect();
                let message = format!("`metadata` does not know the parameter `{name}`");
                return Err(Error::invalid("not-supported", message).into());
            }
        }
    }
    let body = match mode.as_str() {
        // All of the statement is normative in R4.
        "full" | "normative" => app.run(move |app| Ok(statement(app, &claims).to_string())).await?,
        "terminology" => app.run(move |app| Ok(terminology(app, &claims)?.to_string())).await?,
        _ => {
            let message = "`mode` is `full`, `normative` or `terminology`";
            return Err(Error::invalid("value", message).into());
        }
    };
    Ok(answer::json(StatusCode::OK, body))
}

/// What all statements of this node begin with.
fn head(app: &App, claims: &Claims, resource_type: &str) -> Value {
    json!({
        "resourceType": resource_type,
        "status": "active",
        "date": fhir::time::instant(claims.since_ms),
        "kind": "instance",
        "software": {"name": "Consilium", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {
            "description": app.org().name,
            "url": format!("{}/fhir", app.org().base_url),
        },
    })
}

/// The statement.
pub fn statement(app: &App, claims: &Claims) -> Value {
    let types = fhir::definitions::resource_types();
    let resources: Vec<Value> = types.iter().map(|kind| resource(app, claims, kind)).collect();
    let codes = interactions::of_system();
    let interactions: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
    let mut statement = head(app, claims, "CapabilityStatement");
    statement["fhirVersion"] = json!("4.0.1");
    statement["format"] = json!(["application/fhir+json", "json", "application/fhir+xml", "xml"]);
    statement["patchFormat"] = json!(super::write::PATCH_FORMATS);
    statement["rest"] = json!([{
        "mode": "server",
        "security": {
            "cors": !app.settings().rest.cors_origins.is_empty(),
            "description": "Bearer token from POST /auth/session; questions to other \
                institutions need a second factor not older than 300 seconds",
        },
        "resource": resources,
        "interaction": interactions,
    }]);
    let operations = operations(claims, |level| level == Level::System);
    if !operations.is_empty() {
        statement["rest"][0]["operation"] = Value::Array(operations);
    }
    statement
}

/// What is said of terminology (FHIR R4 TerminologyCapabilities): the code systems that can be
/// asked about, and the operations that are offered.
fn terminology(app: &App, claims: &Claims) -> Result<Value, Error> {
    let mut statement = head(app, claims, "TerminologyCapabilities");
    let mut systems: Vec<Value> = Vec::new();
    for listed in app::terminology::code_systems(app)? {
        let version = (!listed.version.is_empty()).then(|| json!({"code": listed.version}));
        match systems.last_mut().filter(|last| last["uri"] == listed.url.as_str()) {
            Some(last) => {
                if let (Some(known), Some(version)) = (last["version"].as_array_mut(), &version) {
                    known.push(version.clone());
                } else if let Some(version) = version {
                    last["version"] = json!([version]);
                }
            }
            None => {
                let mut system = json!({"uri": listed.url});
                if let Some(version) = version {
                    system["version"] = json!([version]);
                }
                systems.push(system);
            }
        }
    }
    if !systems.is_empty() {
        statement["codeSystem"] = Value::Array(systems);
    }
    let has = |name: &str| claims.calls.iter().any(|call| call.operation.name == name);
    if has("expand") {
        statement["expansion"] = json!({"hierarchical": true, "paging": true});
    }
    if has("validate-code") {
        statement["validateCode"] = json!({"translations": false});
    }
    if has("translate") {
        statement["translation"] = json!({"needsMap": false});
    }
    Ok(statement)
}

/// The operations that are called at a level, each once.
fn operations(claims: &Claims, at: impl Fn(Level) -> bool) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    let mut list = Vec::new();
    for call in claims.calls.iter().filter(|call| at(call.level)) {
        if !names.contains(&call.operation.name) {
            names.push(call.operation.name);
            list.push(json!({
                "name": call.operation.name, "definition": call.operation.definition,
            }));
        }
    }
    list
}

/// Whether a search takes the parameter: the parser of searches is asked. A value that it does not
/// like is no matter.
fn is_answered(kind: &'static str, code: &str) -> bool {
    let params = [(code.to_owned(), "1".to_owned())];
    let parsed = parse(Registry::r4(), kind, &params);
    !matches!(parsed, Err(QueryError::Unknown { .. } | QueryError::Unsupported { .. }))
}

/// A search parameter of a type.
pub struct Searched {
    /// Its name.
    pub code: String,
    /// Its type in FHIR's words.
    pub kind: &'static str,
    /// Canonical address, where it has one.
    pub definition: Option<String>,
}

/// The search parameters that are answered on a type.
pub fn searched(kind: &'static str) -> Vec<Searched> {
    let mut list = Vec::new();
    let own = [("_id", "token"), ("_lastUpdated", "date")];
    list.extend(own.map(|(code, kind)| Searched {
        code: code.into(),
        kind,
        definition: Some(format!(
            "http://hl7.org/fhir/SearchParameter/Resource-{}",
            code.trim_start_matches('_')
        )),
    }));
    for param in Registry::r4().of_type(kind) {
        let name = match param.param_type {
            ParamType::Number => "number",
            ParamType::Date => "date",
            ParamType::String => "string",
            ParamType::Token => "token",
            ParamType::Reference => "reference",
            ParamType::Composite => "composite",
            ParamType::Quantity => "quantity",
            ParamType::Uri => "uri",
            ParamType::Special => "special",
        };
        let known = list.iter().any(|known| known.code == param.code);
        if !known && is_answered(kind, &param.code) {
            let definition = Some(param.url.to_string());
            list.push(Searched { code: param.code.to_string(), kind: name, definition });
        }
    }
    list
}

fn resource(app: &App, claims: &Claims, kind: &'static str) -> Value {
    let searched = searched(kind);
    let includes: Vec<String> = searched
        .iter()
        .filter(|param| param.kind == "reference")
        .map(|param| format!("{kind}:{}", param.code))
        .collect();
    let params: Vec<Value> = searched
        .iter()
        .map(|param| {
            let mut value = json!({"name": param.code, "type": param.kind});
            if let Some(definition) = &param.definition {
                value["definition"] = json!(definition);
            }
            value
        })
        .collect();
    let codes = interactions::of_type(kind);
    let may = |code: &str| codes.contains(&code);
    let rest = &app.settings().rest;
    let delete = match rest.conditional_delete {
        _ if !may("delete") || !interactions::has_element("conditionalDelete") => "not-supported",
        ConditionalDelete::Single => "single",
        ConditionalDelete::Multiple => "multiple",
    };
    let mut policy = vec!["literal", "local"];
    if rest.referential_integrity {
        policy.push("enforced");
    }
    let mut resource = json!({
        "type": kind,
        "interaction": codes.iter().map(|code| json!({"code": code})).collect::<Vec<_>>(),
        "versioning": "versioned-update",
        "readHistory": may("vread"),
        "updateCreate": may("update"),
        "conditionalCreate": may("create"),
        "conditionalRead": "full-support",
        "conditionalUpdate": may("update") && interactions::has_element("conditionalUpdate"),
        "conditionalDelete": delete,
        "referencePolicy": policy,
        "searchParam": params,
    });
    if !includes.is_empty() {
        resource["searchInclude"] = json!(includes);
    }
    let own = |level| matches!(level, Level::Type(of) | Level::Instance(of) if of == kind);
    let operations = operations(claims, own);
    if !operations.is_empty() {
        resource["operation"] = Value::Array(operations);
    }
    resource
}
