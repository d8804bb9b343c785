//! What a search takes, for the CapabilityStatement and the OpenAPI description: the parser of
//! searches is asked, so that nothing is claimed that it refuses.

use fhirpath::search::{ParamType, Registry, SearchParam};
use store::query::{QueryError, parse};

/// A search parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// Its name.
    pub code: String,
    /// Its type in FHIR's words.
    pub kind: &'static str,
    /// Canonical address, where it has one.
    pub definition: Option<String>,
}

/// Parameters of every type that have no SearchParameter in R4 or none with an expression: name,
/// type, and how they are written in a search.
const COMMON: [(&str, &str, &str); 7] = [
    ("_id", "token", "_id"),
    ("_lastUpdated", "date", "_lastUpdated"),
    ("_filter", "special", "_filter"),
    ("_content", "string", "_content"),
    ("_text", "string", "_text"),
    ("_list", "string", "_list"),
    ("_has", "string", "_has:Provenance:target:_id"),
];

/// Parameters about the answer: name, type and a value.
const RESULTS: [(&str, &str, &str); 10] = [
    ("_sort", "string", "_id"),
    ("_count", "number", "1"),
    ("_include", "string", "*"),
    ("_revinclude", "string", "*"),
    ("_summary", "token", "true"),
    ("_total", "token", "none"),
    ("_elements", "string", "id"),
    ("_contained", "token", "false"),
    ("_format", "token", "json"),
    ("_pretty", "token", "true"),
];

/// Whether a search takes the parameter. A value that it does not like is no matter.
fn is_answered(registry: &Registry, resource_type: &'static str, name: &str) -> bool {
    let params = [(name.to_owned(), "1".to_owned())];
    let parsed = parse(registry, resource_type, &params);
    // Whether anything may refer to the type is a matter of the parameter, not of its value.
    if name.starts_with("_has:") {
        return parsed.is_ok();
    }
    !matches!(parsed, Err(QueryError::Unknown { .. } | QueryError::Unsupported { .. }))
}

/// The search parameters that are answered on a type, published and added ones.
pub fn of_type(registry: &Registry, resource_type: &'static str) -> Vec<Searched> {
    let mut list = Vec::new();
    for (code, of, name) in COMMON {
        let known = registry.find(resource_type, code);
        if is_answered(registry, resource_type, name) {
            let of = known.map_or(of, |param| param.param_type.code());
            let definition = known.map(|param| param.url.clone());
            list.push(Searched { code: code.to_owned(), kind: of, definition });
        }
    }
    for param in registry.of_type(resource_type) {
        let known = COMMON.iter().any(|(code, ..)| *code == param.code);
        if !known && is_answered(registry, resource_type, &param.code) {
            let definition = Some(param.url.clone());
            list.push(Searched {
                code: param.code.clone(),
                kind: param.param_type.code(),
                definition,
            });
        }
    }
    list
}

/// The parameters that are answered on every type, with those about the answer.
pub fn of_all(registry: &Registry) -> Vec<Searched> {
    let mut types = fhir::resource_types().iter();
    let mut list = types.next().map(|first| of_type(registry, first)).unwrap_or_default();
    for name in types {
        let own = of_type(registry, name);
        list.retain(|param| own.contains(param));
    }
    list.push(Searched { code: "_type".to_owned(), kind: "token", definition: None });
    let taken = |(name, _, value): &&(&str, &str, &str)| {
        let params = [((*name).to_owned(), (*value).to_owned())];
        parse(registry, "Patient", &params).is_ok()
    };
    let results = RESULTS.iter().filter(taken);
    list.extend(results.map(|(name, of, _)| Searched {
        code: (*name).to_owned(),
        kind: of,
        definition: None,
    }));
    list
}

fn references<'r>(
    registry: &'r Registry,
    resource_type: &'static str,
) -> impl Iterator<Item = &'r SearchParam> {
    let all = registry.of_type(resource_type).iter();
    all.filter(|param| param.param_type == ParamType::Reference)
}

/// The values of `_include` that are answered on a type.
pub fn includes(registry: &Registry, resource_type: &'static str) -> Vec<String> {
    let own = references(registry, resource_type);
    let mut list: Vec<String> =
        own.map(|param| format!("{resource_type}:{}", param.code)).collect();
    if !list.is_empty() {
        list.insert(0, "*".to_owned());
    }
    list
}

/// The values of `_revinclude` that are answered on a type.
pub fn reverse_includes(registry: &Registry, resource_type: &'static str) -> Vec<String> {
    let leads =
        |param: &&SearchParam| param.targets.is_empty() || param.targets.contains(&resource_type);
    let mut list = vec!["*".to_owned()];
    for source in fhir::resource_types() {
        let leading = references(registry, source).filter(leads);
        list.extend(leading.map(|param| format!("{source}:{}", param.code)));
    }
    list
}
