//! The CapabilityStatement, made from the same tables and registries that answer requests.

use std::sync::Arc;

use app::services::ConditionalDelete;
use app::{App, Error};
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use fhirpath::search::Registry;
use serde_json::{Value, json};

use super::claims::{Claims, Level};
use super::kept::Sources;
use super::{Answered, guides, interactions, searched};
use crate::outcome::FHIR_JSON;

/// `GET metadata`, with `mode`.
pub async fn metadata(
    State(app): State<App>,
    Extension(claims): Extension<Arc<Claims>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
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
    let made = match mode.as_str() {
        // All of the statement is normative in R4.
        "full" | "normative" => {
            let make = move |app: &App| {
                let make = |since_ms| statement(app, &claims, since_ms);
                claims.statement.now(app, claims.since_ms, Sources::searches, make)
            };
            app.run(make).await?
        }
        "terminology" => {
            let make = move |app: &App| {
                let make = |since_ms| terminology(app, &claims, since_ms);
                claims.terminology.now(app, claims.since_ms, Sources::terms, make)
            };
            app.run(make).await?
        }
        _ => {
            let message = "`mode` is `full`, `normative` or `terminology`";
            return Err(Error::invalid("value", message).into());
        }
    };
    Ok(made.answer(FHIR_JSON, &headers))
}

/// What all statements of this node begin with.
fn head(app: &App, since_ms: i64, resource_type: &str) -> Value {
    json!({
        "resourceType": resource_type,
        "status": "active",
        "date": fhir::time::instant(since_ms),
        "kind": "instance",
        "software": {"name": "Consilium", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {
            "description": app.org().name,
            "url": format!("{}/fhir", app.org().base_url),
        },
    })
}

/// The statement.
fn statement(app: &App, claims: &Claims, since_ms: i64) -> Result<Value, Error> {
    let registry = app.store().registry();
    let types = fhir::definitions::resource_types();
    let mut resources = Vec::with_capacity(types.len());
    for kind in types {
        let mut resource = resource(app, &registry, claims, kind);
        if *kind == "Subscription" {
            guides::topics(&mut resource, &app::notify::canonicals(app)?);
        }
        resources.push(resource);
    }
    let codes = interactions::of_system();
    let interactions: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
    let mut statement = head(app, since_ms, "CapabilityStatement");
    guides::state(&mut statement, claims);
    statement["fhirVersion"] = json!("4.0.1");
    statement["format"] = json!(["application/fhir+json", "json", "application/fhir+xml", "xml"]);
    statement["patchFormat"] = json!(super::write::PATCH_FORMATS);
    statement["rest"] = json!([{
        "mode": "server",
        "security": security(app),
        "resource": resources,
        "interaction": interactions,
        "searchParam": listed(&searched::of_all(&registry)),
    }]);
    let operations = operations(claims, |level| level == Level::System);
    if !operations.is_empty() {
        statement["rest"][0]["operation"] = Value::Array(operations);
    }
    let compartments = fhir::resource_types()
        .iter()
        .filter(|kind| store::query::is_in_compartment(kind).is_some());
    let compartments: Vec<String> = compartments
        .map(|kind| {
            let mut letters = kind.chars();
            let first = letters.next().map(|letter| letter.to_ascii_lowercase());
            let name: String = first.into_iter().chain(letters).collect();
            format!("http://hl7.org/fhir/CompartmentDefinition/{name}")
        })
        .collect();
    statement["rest"][0]["compartment"] = json!(compartments);
    Ok(statement)
}

/// Search parameters as the statement lists them.
fn listed(params: &[searched::Searched]) -> Vec<Value> {
    let one = |param: &searched::Searched| {
        let mut value = json!({"name": param.code, "type": param.kind});
        if let Some(definition) = &param.definition {
            value["definition"] = json!(definition);
        }
        value
    };
    params.iter().map(one).collect()
}

/// What is said of terminology (FHIR R4 TerminologyCapabilities): the code systems that can be
/// asked about, and the operations that are offered.
fn terminology(app: &App, claims: &Claims, since_ms: i64) -> Result<Value, Error> {
    let mut statement = head(app, since_ms, "TerminologyCapabilities");
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

fn resource(app: &App, registry: &Registry, claims: &Claims, kind: &'static str) -> Value {
    let params = listed(&searched::of_type(registry, kind));
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
    let lists = [
        ("searchInclude", searched::includes(registry, kind)),
        ("searchRevInclude", searched::reverse_includes(registry, kind)),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        resource[name] = json!(list);
    }
    let own = |level| matches!(level, Level::Type(of) | Level::Instance(of) if of == kind);
    let operations = operations(claims, own);
    if !operations.is_empty() {
        resource["operation"] = Value::Array(operations);
    }
    resource
}

/// How callers prove who they are: as apps by SMART App Launch, as programs by a session.
fn security(app: &App) -> Value {
    let mut security = app::apps::discovery::security(app);
    security["description"] = json!(
        "Bearer token of an app (SMART App Launch 2.2), or from POST /auth/session; questions to \
         other institutions are for people and need a second factor not older than 300 seconds"
    );
    security
}
