//! SearchParameters that are not published with FHIR but were written by somebody else.

use std::sync::Arc;

use fhir::definitions::{Type, definitions};
use fhir::{Resource, Value};

use super::plan::Plan;
use super::registry::{Registry, is_base, param_type};
use super::shape::Shape;
use super::{ParamType, SearchParam};
use crate::{Env, Expr};

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SearchParameter cannot be used: {0}")]
pub struct InvalidDefinition(pub String);

fn refused<T>(reason: impl Into<String>) -> Result<T, InvalidDefinition> {
    Err(InvalidDefinition(reason.into()))
}

impl Definition {
    /// Reads a SearchParameter. `Ok(None)` where it is not in use: its status is not `active`, or
    /// it repeats for its types what is published and `derivedFrom` names, which then goes on to
    /// be what is searched by (FHIR R4 SearchParameter.derivedFrom: "the same meaning").
    ///
    /// Errors: whatever would leave a search by it without its meaning.
    pub fn read(resource: &Resource) -> Result<Option<Arc<Self>>, InvalidDefinition> {
        let root = resource.root();
        let text = |name: &str| root.str_at(name).map(|text| text.into_owned());
        let required = |name: &str| {
            text(name).ok_or_else(|| InvalidDefinition(format!("`{name}` is missing")))
        };
        if text("status").as_deref() != Some("active") {
            return Ok(None);
        }
        let (url, code) = (without_version(&required("url")?), required("code")?);
        let named = required("type")?;
        let Some(param_type) = param_type(&named) else {
            return refused(format!("`type` is not one of FHIR R4: `{}`", short(&named)));
        };
        let types = bases(root)?;
        if let Some(clash) = clash(&types, &code) {
            let origin = text("derivedFrom").map(|origin| without_version(&origin));
            return repeated(clash, &types, &code, (param_type, &url, origin.as_deref()));
        }
        check_code(&code)?;
        if param_type == ParamType::Special {
            return refused("a `special` parameter needs a program of its own");
        }
        let (targets, components) = (targets(root)?, components(root, param_type)?);
        let expression = required("expression")?;
        let read = Self { url, code, types, param_type, expression, targets, components };
        read.check_expressions(root)?;
        Ok(Some(Arc::new(read)))
    }

    /// Whether the expressions lead somewhere: each `base` has something that the parameter can
    /// select and compare.
    fn check_expressions(&self, root: Value<'_>) -> Result<(), InvalidDefinition> {
        let Ok(expr) = Expr::parse(&self.expression) else {
            return refused("`expression` is not FHIRPath");
        };
        for base in named_bases(root) {
            let concrete = self.types.iter().filter_map(|name| definitions().get(name));
            let mut reason = format!("`expression` says nothing about `{base}`");
            let mut leads = false;
            for type_of in concrete.filter(|type_of| is_base(&base, type_of)) {
                match self.selects(&expr, type_of) {
                    Ok(true) => leads = true,
                    Ok(false) => {}
                    Err(why) => reason = why,
                }
            }
            if !leads {
                return refused(reason);
            }
        }
        Ok(())
    }

    /// Whether the expression is about a type and selects what the parameter compares; the error
    /// says what is wrong with it.
    fn selects(&self, expr: &Expr, type_of: &'static Type) -> Result<bool, String> {
        let (kind, composite) = (type_of.name, self.param_type == ParamType::Composite);
        match Plan::new(expr, type_of) {
            None => Ok(false),
            Some(Plan::Walks(routes)) if routes.is_empty() => {
                Err(format!("`expression` leads to no element of `{kind}`"))
            }
            Some(Plan::Walks(routes)) if composite => {
                let reached = |text: &str, from: &'static Type| {
                    let plan = Expr::parse(text).ok().and_then(|expr| Plan::new(&expr, from));
                    matches!(plan, Some(Plan::Walks(routes)) if !routes.is_empty())
                };
                let part = |(_, text): &(String, String)| match text.strip_prefix("%resource.") {
                    Some(rest) => reached(rest, type_of),
                    None => routes.iter().any(|route| reached(text, route.type_of)),
                };
                match self.components.iter().position(|component| !part(component)) {
                    None => Ok(true),
                    Some(at) => Err(format!(
                        "the expression of component {} is no path behind `expression`",
                        at + 1
                    )),
                }
            }
            Some(Plan::Expression(_)) if composite => {
                Err("the expression of a composite must be a path".into())
            }
            Some(Plan::Walks(routes)) => {
                let fits = |type_of| Shape::of(self.param_type, type_of) != Shape::None;
                match routes.iter().any(|route| fits(route.type_of)) {
                    true => Ok(true),
                    false => Err(format!(
                        "`type` does not go with the elements of `{kind}` that `expression` selects"
                    )),
                }
            }
            Some(Plan::Expression(expr)) => {
                let empty = Resource::parse(format!("{{\"resourceType\":\"{kind}\"}}"));
                let empty = empty.map_err(|error| error.to_string())?;
                match expr.evaluate_resource(&Env::new(0).with_resource(&empty)) {
                    Ok(_) => Ok(true),
                    Err(error) => Err(format!("`expression` cannot be evaluated: {error}")),
                }
            }
        }
    }
}

fn without_version(canonical: &str) -> String {
    canonical.split('|').next().unwrap_or_default().to_owned()
}

/// What a stranger wrote, at no great length.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn check_code(code: &str) -> Result<(), InvalidDefinition> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let starts = code.starts_with(|c: char| c.is_ascii_alphabetic());
    if !starts || code.len() > 64 || !code.chars().all(known) {
        return refused("`code` must start with a letter and hold letters, digits, `-` and `_`");
    }
    Ok(())
}

/// A published parameter of one of the types that has the code.
fn clash(types: &[&'static str], code: &str) -> Option<&'static SearchParam> {
    types.iter().find_map(|name| Registry::r4().find(name, code))
}

/// A definition under the code of a published parameter: in order, and not in use, where it says
/// for every type that it repeats that one.
fn repeated(
    clash: &SearchParam,
    types: &[&'static str],
    code: &str,
    (param_type, url, origin): (ParamType, &str, Option<&str>),
) -> Result<Option<Arc<Definition>>, InvalidDefinition> {
    let repeats = |published: &SearchParam| {
        (origin == Some(published.url.as_str()) || url == published.url)
            && published.param_type == param_type
    };
    match types.iter().all(|name| Registry::r4().find(name, code).is_some_and(repeats)) {
        true => Ok(None),
        false => refused(format!(
            "`{}` is the code of the published parameter `{}` of `{}`; choose another `code`, or \
             name that one in `derivedFrom` and have its `type`",
            short(code),
            clash.url,
            clash.resource_type
        )),
    }
}

/// The types that a reference may lead to.
fn targets(root: Value<'_>) -> Result<Vec<&'static str>, InvalidDefinition> {
    let names = root.get("target").into_iter().flat_map(Value::each).take(MOST_BASES);
    let known = |value: Value<'_>| {
        let name = value.as_str().unwrap_or_default();
        fhir::resource_type(&name).ok_or_else(|| {
            InvalidDefinition(format!("`target` names no resource type: `{}`", short(&name)))
        })
    };
    names.map(known).collect()
}

fn named_bases(root: Value<'_>) -> Vec<String> {
    root.get("base")
        .into_iter()
        .flat_map(Value::each)
        .filter_map(|name| Some(name.as_str()?.into_owned()))
        .take(MOST_BASES)
        .collect()
}

/// The concrete types behind `base`.
fn bases(root: Value<'_>) -> Result<Vec<&'static str>, InvalidDefinition> {
    let named = named_bases(root);
    let of_resource = |base: &&String| {
        fhir::resource_types()
            .iter()
            .filter_map(|name| definitions().get(name))
            .any(|type_of| is_base(base, type_of))
    };
    if let Some(unknown) = named.iter().find(|base| !of_resource(base)) {
        return refused(format!("`base` names no resource type: `{}`", short(unknown)));
    }
    let is_one = |type_of: &&'static Type| named.iter().any(|base| is_base(base, type_of));
    let types: Vec<_> = fhir::resource_types()
        .iter()
        .filter_map(|name| definitions().get(name))
        .filter(is_one)
        .map(|type_of| type_of.name)
        .collect();
    if types.is_empty() { refused("`base` is missing") } else { Ok(types) }
}

fn components(
    root: Value<'_>,
    param_type: ParamType,
) -> Result<Vec<(String, String)>, InvalidDefinition> {
    let composite = param_type == ParamType::Composite;
    let mut found = Vec::new();
    for part in root.get("component").into_iter().flat_map(Value::each) {
        let (definition, expression) = (part.str_at("definition"), part.str_at("expression"));
        let (Some(definition), Some(expression)) = (definition, expression) else {
            return refused("a component needs `definition` and `expression`");
        };
        if Expr::parse(&expression).is_err() {
            return refused("the expression of a component is not FHIRPath");
        }
        found.push((without_version(&definition), expression.into_owned()));
    }
    match found.len() {
        0 if !composite => Ok(found),
        _ if !composite => refused("only a `composite` has components"),
        2..=8 => Ok(found),
        _ => refused("a `composite` has two to eight components"),
    }
}
