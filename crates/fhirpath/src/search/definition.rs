//! SearchParameters that are not published with FHIR but were written by somebody else.

use std::sync::Arc;

use fhir::definitions::{Type, definitions};
use fhir::{Resource, Value};

use super::ParamType;
use super::registry::{is_base, param_type};
use crate::Expr;

/// The most types that one definition may be for, and the most parts of a composite.
const MOST_BASES: usize = 200;

/// A SearchParameter resource that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Canonical address, without version.
    pub url: String,
    /// The name used in a search.
    pub code: String,
    /// The concrete resource types it is for.
    pub types: Vec<&'static str>,
    /// How values are compared.
    pub param_type: ParamType,
    /// FHIRPath from a resource to the values.
    pub expression: String,
    /// Resource types that a reference may point to; empty where any may be meant.
    pub targets: Vec<&'static str>,
    /// The parts of a composite: address of the parameter that the part is, and FHIRPath from the
    /// composite's values to the part's.
    pub components: Vec<(String, String)>,
}

/// Why a SearchParameter cannot be searched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SearchParameter cannot be used: {0}")]
pub struct InvalidDefinition(pub &'static str);

impl Definition {
    /// Reads a SearchParameter. `Ok(None)` where its status is not `active`: it is not in use.
    pub fn read(resource: &Resource) -> Result<Option<Arc<Self>>, InvalidDefinition> {
        let root = resource.root();
        let text = |name: &str| root.str_at(name).map(|text| text.into_owned());
        if text("status").as_deref() != Some("active") {
            return Ok(None);
        }
        let url = text("url").ok_or(InvalidDefinition("`url` is missing"))?;
        let code = text("code").ok_or(InvalidDefinition("`code` is missing"))?;
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let starts = code.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts || code.len() > 64 || !code.chars().all(known) {
            let reason = "`code` must start with a letter and hold letters, digits, `-` and `_`";
            return Err(InvalidDefinition(reason));
        }
        let param_type = text("type").as_deref().and_then(param_type);
        let param_type = param_type.ok_or(InvalidDefinition("`type` is missing or unknown"))?;
        if param_type == ParamType::Special {
            return Err(InvalidDefinition("a `special` parameter needs a program of its own"));
        }
        let expression = text("expression").ok_or(InvalidDefinition("`expression` is missing"))?;
        Expr::parse(&expression).map_err(|_| InvalidDefinition("`expression` is not FHIRPath"))?;
        let url = url.split('|').next().unwrap_or_default().to_owned();
        let types = bases(root)?;
        let targets = root.get("target").into_iter().flat_map(Value::each);
        let targets = targets.filter_map(|name| fhir::resource_type(&name.as_str()?)).collect();
        let components = components(root, param_type)?;
        let read = Self { url, code, types, param_type, expression, targets, components };
        Ok(Some(Arc::new(read)))
    }
}

/// The concrete types behind `base`.
fn bases(root: Value<'_>) -> Result<Vec<&'static str>, InvalidDefinition> {
    let named: Vec<String> = root
        .get("base")
        .into_iter()
        .flat_map(Value::each)
        .filter_map(|name| Some(name.as_str()?.into_owned()))
        .take(MOST_BASES)
        .collect();
    let is_one = |type_of: &&'static Type| named.iter().any(|base| is_base(base, type_of));
    let types: Vec<_> = fhir::resource_types()
        .iter()
        .filter_map(|name| definitions().get(name))
        .filter(is_one)
        .map(|type_of| type_of.name)
        .collect();
    if types.is_empty() {
        Err(InvalidDefinition("`base` names no resource type"))
    } else {
        Ok(types)
    }
}

fn components(
    root: Value<'_>,
    param_type: ParamType,
) -> Result<Vec<(String, String)>, InvalidDefinition> {
    let mut found = Vec::new();
    for part in root.get("component").into_iter().flat_map(Value::each) {
        let (definition, expression) = (part.str_at("definition"), part.str_at("expression"));
        let (Some(definition), Some(expression)) = (definition, expression) else {
            return Err(InvalidDefinition("a component needs `definition` and `expression`"));
        };
        Expr::parse(&expression)
            .map_err(|_| InvalidDefinition("the expression of a component is not FHIRPath"))?;
        let url = definition.split('|').next().unwrap_or_default().to_owned();
        found.push((url, expression.into_owned()));
    }
    let composite = param_type == ParamType::Composite;
    if composite && !(2..=8).contains(&found.len()) {
        return Err(InvalidDefinition("a composite has two to eight components"));
    }
    Ok(if composite { found } else { Vec::new() })
}
