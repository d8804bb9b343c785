//! The arguments of searches, and the search parameters that they stand for (FHIR R4, GraphQL,
//! "Searching resources").

use fhir::definitions::Type;
use fhirpath::search::{ParamType, Registry};

use super::query::{Argument, short};
use super::values::{Given, Variables};
use crate::{Error, Result};

/// Most matches on a page or in a list with `_count`.
const MAX_COUNT: usize = 1_000;
/// Parameters of a search that GraphQL has other means for, or that are about the form of a
/// Bundle.
const NOT_HERE: [&str; 11] = [
    "_include",
    "_revinclude",
    "_contained",
    "_containedType",
    "_summary",
    "_elements",
    "_format",
    "_pretty",
    "_total",
    "_type",
    "_has",
];

/// What a search is asked.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The parameters as a search takes them.
    pub params: Vec<(String, String)>,
    /// `_count`
    pub count: Option<usize>,
    /// `_offset`
    pub offset: usize,
    /// `_cursor`
    pub cursor: Option<String>,
    /// `_reference`: the parameter that leads to the resource in focus.
    pub reference: Option<String>,
    /// `fhirpath`
    pub expression: Option<String>,
}

/// What an argument of a search is.
enum Kind {
    Param(String),
    Count,
    Offset,
    Cursor,
    Reference,
    Expression,
}

/// A search parameter's name as GraphQL can write it.
fn written(code: &str) -> String {
    code.replace('-', "_")
}

fn kind(registry: &Registry, of: &Type, name: &str) -> Result<Kind> {
    let unknown = || {
        let message = format!("`{}` has no search argument `{}`", of.name, short(name));
        Error::invalid("not-supported", message)
    };
    Ok(match name {
        "_count" => Kind::Count,
        "_offset" => Kind::Offset,
        "_cursor" | "cursor" => Kind::Cursor,
        "_reference" => Kind::Reference,
        "fhirpath" => Kind::Expression,
        _ if NOT_HERE.contains(&name) => return Err(unknown()),
        "_id" | "_lastUpdated" | "_sort" | "_filter" | "_text" | "_content" | "_list" => {
            Kind::Param(name.to_owned())
        }
        _ => {
            let known = registry.of_type(of.name).iter();
            let mut found = known.filter(|p| p.code == name || written(&p.code) == name);
            Kind::Param(found.next().map(|param| param.code.clone()).ok_or_else(unknown)?)
        }
    })
}

/// What is wrong with the names of arguments. `is_reverse`: the search starts from a resource.
pub fn check(
    registry: &Registry,
    of: &Type,
    name: &str,
    is_connection: bool,
    is_reverse: bool,
) -> Result<()> {
    match kind(registry, of, name)? {
        Kind::Cursor if is_reverse || !is_connection => {
            let message = format!("`{name}` is an argument of connections at the root only");
            Err(Error::invalid("not-supported", message))
        }
        Kind::Reference if !is_reverse => {
            let message = "`_reference` is an argument of searches from a resource only";
            Err(Error::invalid("not-supported", message))
        }
        _ => Ok(()),
    }
}

/// Reads the arguments of a search for resources of a type. Arguments that are `null` are left
/// out.
pub fn wanted(
    registry: &Registry,
    of: &Type,
    arguments: &[Argument<'_>],
    variables: &Variables,
) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (name, value) in arguments {
        let Some(given) = Given::read(value, variables).filter(|v| *v != Given::Null) else {
            continue;
        };
        let text = || {
            given
                .text()
                .ok_or_else(|| Error::invalid("value", format!("`{}` takes one text", short(name))))
        };
        match kind(registry, of, name)? {
            Kind::Count => {
                let count = given.number(name)?;
                if count > MAX_COUNT {
                    let message = format!("`_count` may be at most {MAX_COUNT}");
                    return Err(Error::invalid("value", message));
                }
                wanted.count = Some(count);
            }
            Kind::Offset => wanted.offset = given.number(name)?,
            Kind::Cursor => wanted.cursor = Some(text()?),
            Kind::Reference => wanted.reference = Some(text()?),
            Kind::Expression => wanted.expression = Some(text()?),
            Kind::Param(code) => {
                let texts = given.texts().filter(|texts| !texts.is_empty()).ok_or_else(|| {
                    let message = format!("`{}` takes a text or a list of texts", short(name));
                    Error::invalid("value", message)
                })?;
                let is_whole = matches!(code.as_str(), "_sort" | "_filter" | "_text" | "_content");
                let texts: Vec<String> = match is_whole {
                    true => texts,
                    // Alternatives are the items of a list; a comma inside of one is a comma.
                    false => texts.iter().map(|text| escaped(text)).collect(),
                };
                wanted.params.push((code, texts.join(",")));
            }
        }
    }
    Ok(wanted)
}

/// The text with its commas escaped, those left alone that already are.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_escaped = false;
    for c in text.chars() {
        if c == ',' && !is_escaped {
            out.push('\\');
        }
        is_escaped = c == '\\' && !is_escaped;
        out.push(c);
    }
    out
}

/// The search parameter that `_reference` names: one by which resources of `of` refer to resources
/// of the type in focus.
pub fn reference(registry: &Registry, of: &Type, name: &str, focus: &Type) -> Result<String> {
    let mut known = registry.of_type(of.name).iter();
    let param = known.find(|param| param.code == name || written(&param.code) == name);
    let fits = param.filter(|param| {
        param.param_type == ParamType::Reference
            && (param.targets.is_empty() || param.targets.contains(&focus.name))
    });
    fits.map(|param| param.code.clone()).ok_or_else(|| {
        let message = format!(
            "`{}` is no search parameter by which `{}` refers to `{}`",
            short(name),
            of.name,
            focus.name
        );
        Error::invalid("value", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_a_value_are_no_alternatives() {
        for (text, expected) in
            [("a", "a"), ("a,b", "a\\,b"), ("a\\,b", "a\\,b"), ("\\\\,", "\\\\\\,")]
        {
            assert_eq!(escaped(text), expected);
        }
    }
}
