//! A profile as a tree of rules, made from a row of a pack.

use fhir::{Document, Value};

use crate::invariant::Invariant;
use crate::issue::Severity;

/// A profile or an extension.
#[derive(Debug)]
pub(crate) struct Profile {
    pub url: String,
    pub version: Option<String>,
    /// The type that it constrains.
    pub type_name: String,
    /// The profile whose rules hold as well, for a definition that came without snapshot.
    pub base: Option<String>,
    /// For an extension, where it may stand.
    pub contexts: Vec<Context>,
    pub root: Rules,
}

/// Where an extension may stand.
#[derive(Debug)]
pub(crate) struct Context {
    /// `element`, `extension` or `fhirpath`
    pub kind: String,
    pub expression: String,
}

/// What one element must fulfil, beyond its type.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The types that are left; empty where the profile says nothing about them.
    pub types: Vec<TypeRule>,
    pub fixed: Option<Document>,
    pub pattern: Option<Document>,
    pub min_value: Option<Document>,
    pub max_value: Option<Document>,
    pub max_length: Option<usize>,
    pub binding: Option<Binding>,
    pub constraints: Vec<Invariant>,
    pub children: Vec<Site>,
}

/// A type that an element may have.
#[derive(Debug)]
pub(crate) struct TypeRule {
    pub name: String,
    /// Profiles of which the value must fulfil one.
    pub profiles: Vec<String>,
    /// Profiles of which the target of a reference must fulfil one.
    pub targets: Vec<String>,
}

/// A value set.
#[derive(Debug)]
pub(crate) struct Binding {
    pub required: bool,
    pub value_set: String,
}

/// Elements of one name, or those of them that belong to a slice.
#[derive(Debug, Default)]
pub(crate) struct Site {
    /// Name of the element in FHIRPath, or of the slice.
    pub name: String,
    pub min: usize,
    pub max: Option<usize>,
    pub rules: Rules,
    pub slicing: Option<Slicing>,
    pub slices: Vec<Site>,
}

/// How elements are told apart.
#[derive(Debug)]
pub(crate) struct Slicing {
    pub by: Vec<Discriminator>,
    pub closed: bool,
    pub open_at_end: bool,
    pub ordered: bool,
}

/// What tells the slices apart.
#[derive(Debug)]
pub(crate) struct Discriminator {
    pub kind: Discriminated,
    /// `None` where the path is not one that can be followed.
    pub path: Option<Vec<Step>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discriminated {
    Value,
    Exists,
    Type,
    Profile,
}

/// A step of a discriminator's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Child(String),
    Extension(String),
    OfType(String),
    Resolve,
}

impl Profile {
    /// Reads a row; `rules` is the table of its pack.
    pub fn compile(row: &str, rules: &[[String; 4]]) -> Option<Self> {
        let document = Document::parse(row).ok()?;
        let root = document.root();
        let text = |name| root.str_at(name).map(|text| text.into_owned());
        let mut top = Site::default();
        for element in root.get("elements")?.items() {
            let id = element.str_at("id")?;
            let mut site = &mut top;
            for segment in id.split('.').skip(1) {
                site = step(site, segment);
            }
            fill(site, element, rules);
        }
        let context = |one: Value<'_>| {
            Some(Context {
                kind: one.str_at("type")?.into_owned(),
                expression: one.str_at("expression")?.into_owned(),
            })
        };
        Some(Self {
            url: text("url")?,
            version: text("version"),
            type_name: text("type")?,
            base: text("base"),
            contexts: root
                .get("context")
                .into_iter()
                .flat_map(Value::items)
                .filter_map(context)
                .collect(),
            root: top.rules,
        })
    }
}

/// The site that a segment of an id leads to: `component`, `component:systolic`,
/// `component:systolic/first`.
fn step<'s>(site: &'s mut Site, segment: &str) -> &'s mut Site {
    let (name, slice) = match segment.split_once(':') {
        Some((name, slice)) => (name, Some(slice)),
        None => (segment, None),
    };
    let mut found = entry(&mut site.rules.children, name);
    for slice in slice.into_iter().flat_map(|slice| slice.split('/')) {
        found = entry(&mut found.slices, slice);
    }
    found
}

fn entry<'s>(sites: &'s mut Vec<Site>, name: &str) -> &'s mut Site {
    let at = sites.iter().position(|site| site.name == name).unwrap_or_else(|| {
        sites.push(Site { name: name.to_owned(), ..Site::default() });
        sites.len() - 1
    });
    &mut sites[at]
}

fn fill(site: &mut Site, row: Value<'_>, rules: &[[String; 4]]) {
    let number = |name: &str| row.get(name).and_then(|value| value.as_number()?.parse().ok());
    let held = |name: &str| row.get(name).and_then(|value| Document::parse(value.raw()).ok());
    site.min = number("min").unwrap_or(0);
    site.max = number("max");
    site.slicing = row.get("slicing").map(slicing);
    let to = &mut site.rules;
    to.fixed = held("fixed");
    to.pattern = held("pattern");
    to.min_value = held("minValue");
    to.max_value = held("maxValue");
    to.max_length = number("maxLength");
    to.binding = row.get("binding").and_then(|cells| {
        let mut cells = cells.items().filter_map(Value::as_str);
        let required = cells.next()? == "required";
        Some(Binding { required, value_set: cells.next()?.into_owned() })
    });
    to.types = row.get("types").into_iter().flat_map(Value::items).filter_map(type_rule).collect();
    to.constraints = row
        .get("constraints")
        .into_iter()
        .flat_map(Value::items)
        .filter_map(|number| rules.get(number.as_number()?.parse::<usize>().ok()?))
        .filter_map(|[key, severity, human, expression]| {
            let grave = severity == "error";
            let severity = if grave { Severity::Error } else { Severity::Warning };
            Invariant::new(key, severity, human, expression)
        })
        .collect();
}

fn type_rule(row: Value<'_>) -> Option<TypeRule> {
    let mut cells = row.items();
    let texts = |cell: Option<Value<'_>>| {
        let texts = cell.into_iter().flat_map(Value::items).filter_map(Value::as_str);
        texts.map(|text| text.into_owned()).collect()
    };
    Some(TypeRule {
        name: cells.next()?.as_str()?.into_owned(),
        profiles: texts(cells.next()),
        targets: texts(cells.next()),
    })
}

fn slicing(row: Value<'_>) -> Slicing {
    let rules = row.str_at("rules").unwrap_or_default();
    let by = row.get("by").into_iter().flat_map(Value::items).filter_map(|one| {
        let mut cells = one.items().filter_map(Value::as_str);
        let kind = match cells.next()?.as_ref() {
            "exists" => Discriminated::Exists,
            "type" => Discriminated::Type,
            "profile" => Discriminated::Profile,
            // A pattern is a value that is described in part.
            _ => Discriminated::Value,
        };
        Some(Discriminator { kind, path: steps(&cells.next()?) })
    });
    Slicing {
        by: by.collect(),
        closed: rules == "closed",
        open_at_end: rules == "openAtEnd",
        ordered: row.get("ordered").and_then(Value::as_bool) == Some(true),
    }
}

impl Slicing {
    /// How elements are told apart where the profile does not say: extensions by their address,
    /// others by type.
    pub fn implied(element: &str) -> Self {
        let by = if matches!(element, "extension" | "modifierExtension") {
            Discriminator { kind: Discriminated::Value, path: steps("url") }
        } else {
            Discriminator { kind: Discriminated::Type, path: Some(Vec::new()) }
        };
        Self { by: vec![by], closed: false, open_at_end: false, ordered: false }
    }
}

/// Reads the path of a discriminator (FHIR R4, Profiling: the restricted FHIRPath).
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let end = rest.find(['.', '(']).unwrap_or(rest.len());
        let (name, mut after) = rest.split_at(end);
        if let Some(call) = after.strip_prefix('(') {
            let (argument, behind) = call.split_once(')')?;
            let argument = argument.trim().trim_matches(['\'', '"']).to_owned();
            after = behind;
            found.push(match name {
                "resolve" => Step::Resolve,
                "extension" => Step::Extension(argument),
                "ofType" => Step::OfType(argument),
                _ => return None,
            });
        } else if name != "$this" {
            found.push(Step::Child(name.trim_end_matches("[x]").to_owned()));
        }
        rest = match after.strip_prefix('.') {
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_of_discriminators() {
        let child = |name: &str| Step::Child(name.into());
        for (path, expected) in [
            ("$this", Some(vec![])),
            ("code.coding.code", Some(vec![child("code"), child("coding"), child("code")])),
            ("resolve().code", Some(vec![Step::Resolve, child("code")])),
            ("$this.resolve()", Some(vec![Step::Resolve])),
            ("value.ofType(Quantity)", Some(vec![child("value"), Step::OfType("Quantity".into())])),
            (
                "extension('http://x.org/a.b').value",
                Some(vec![Step::Extension("http://x.org/a.b".into()), child("value")]),
            ),
            ("where(a = 1)", None),
        ] {
            assert_eq!(steps(path), expected, "{path}");
        }
    }
}
