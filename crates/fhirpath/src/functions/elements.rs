//! Tree navigation, types and the functions that FHIR adds ("FHIRPath" in FHIR R4).

use fhir::definitions::{Kind, definitions};

use super::{Call, Function as F, truth};
use crate::ast::Ast;
use crate::eval::{EvalError, Evaluated, Evaluator, MAX_ITEMS, wrong_type};
use crate::item::{Collection, Item, Node};
use crate::reference::Target;

/// Which profiles there are, for expressions that ask. Whoever evaluates hands them over with
/// [`crate::Env::with_profiles`].
pub trait Profiles: std::fmt::Debug + Sync {
    /// Whether a resource or element fulfils the profile with this canonical address. `None` where
    /// the profile is not known.
    fn conforms(&self, node: Node<'_>, profile: &str) -> Option<bool>;
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn element(&self, call: Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        match call.function {
            F::Children => Ok(children(&call.input)),
            F::Descendants => self.descendants(&call.input),
            F::Type => Ok(call.input.iter().map(type_info).collect()),
            F::Extension => self.extensions(&call),
            F::HasExtension => truth(!self.extensions(&call)?.is_empty()),
            F::HasValue => truth(matches!(call.input.as_slice(), [item] if has_value(item))),
            F::GetValue => match call.input.as_slice() {
                [item] if has_value(item) => Ok(item.to_system().into_iter().collect()),
                _ => Ok(Vec::new()),
            },
            F::Resolve => Ok(call.input.iter().filter_map(|item| self.resolve(item)).collect()),
            F::ConformsTo => self.conforms_to(&call),
            F::HtmlChecks => {
                let sound = call.input.iter().all(|item| {
                    item.as_text().is_some_and(|text| super::narrative::is_sound(&text))
                });
                truth(sound)
            }
            F::GetResourceKey => Ok(call.input.iter().filter_map(resource_key).collect()),
            F::GetReferenceKey => {
                let wanted = key_type(call.args)?;
                Ok(call.input.iter().filter_map(|item| reference_key(item, wanted)).collect())
            }
            _ => Err(EvalError::Unsupported(name)),
        }
    }

    /// All elements below, level by level.
    fn descendants(&self, input: &[Item<'a>]) -> Evaluated<'a> {
        let mut found = children(input);
        let mut next = 0;
        while let Some(item) = found.get(next) {
            self.charge(1)?;
            let below = children(std::slice::from_ref(item));
            found.extend(below);
            if found.len() > MAX_ITEMS {
                return Err(EvalError::TooLarge);
            }
            next += 1;
        }
        Ok(found)
    }

    fn extensions(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        let url = self.arg(call, 0)?;
        let Some(url) = self.single(call.function.name(), &url)?.and_then(Item::as_text) else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for item in &call.input {
            if let Item::Node(node) = item {
                node.for_each_child("extension", &mut |extension| {
                    let held = extension.value().and_then(|value| value.get("url"));
                    if held.is_some_and(|held| held.is_str(&url)) {
                        found.push(Item::Node(extension));
                    }
                });
            }
        }
        Ok(found)
    }

    /// The contained resource, or only the type, of what a Reference, canonical, uri or url
    /// points to.
    fn resolve(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let reference = match item {
            Item::Node(node) if node.type_of().kind == Kind::Complex => {
                node.value()?.get("reference").and_then(|reference| reference.as_str())
            }
            other => other.as_text(),
        };
        if let Some(fragment) = reference.as_deref().and_then(|text| text.strip_prefix('#')) {
            let root = self.env.root_resource?;
            if fragment.is_empty() {
                return Some(Item::Node(root));
            }
            let mut found = None;
            root.for_each_child("contained", &mut |inner| {
                if inner.value().and_then(|v| v.get("id")).is_some_and(|id| id.is_str(fragment)) {
                    found = Some(Item::Node(inner));
                }
            });
            return found;
        }
        let near = self.env.known.and_then(|known| known.get(reference.as_deref()?));
        if let Some(node) = near {
            return Some(Item::Node(*node));
        }
        let known = reference.as_deref().and_then(|text| Target::parse(text).resource_type);
        let type_of = known.or_else(|| match item {
            Item::Node(node) => {
                let stated = node.value()?.get("type")?.as_str()?;
                fhir::resource_type(&stated)
            }
            _ => None,
        })?;
        definitions().get(type_of).map(Item::Unresolved)
    }

    /// Published types are known here; of other profiles whoever evaluates is asked.
    fn conforms_to(&self, call: &Call<'_, '_, 'a>) -> Evaluated<'a> {
        let name = call.function.name();
        let Some(item) = self.single(name, &call.input)? else { return Ok(Vec::new()) };
        let url = self.arg(call, 0)?;
        let Some(url) = self.single(name, &url)? else { return Ok(Vec::new()) };
        let url = url.as_text().ok_or_else(|| wrong_type(name, url))?;
        let published = url
            .strip_prefix("http://hl7.org/fhir/StructureDefinition/")
            .and_then(|name| definitions().get(name));
        if let Some(type_of) = published {
            return truth(match item {
                Item::Node(node) => node.type_of().is_a(type_of.id),
                Item::Unresolved(own) => own.is_a(type_of.id),
                _ => false,
            });
        }
        let conforms = match (self.env.profiles, item) {
            (Some(profiles), Item::Node(node)) => profiles.conforms(*node, &url),
            _ => None,
        };
        match conforms {
            Some(conforms) => truth(conforms),
            None => {
                let reason = "the profile is not known, or leads too deep".into();
                Err(EvalError::Argument { function: name, reason })
            }
        }
    }
}

fn children<'a>(items: &[Item<'a>]) -> Collection<'a> {
    let mut found = Vec::new();
    for item in items {
        if let Item::Node(node) = item {
            node.for_each(&mut |child: Node<'a>| found.push(Item::Node(child)));
        }
    }
    found
}

fn resource_key<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let Item::Node(node) = item else { return None };
    key_of_resource(node).map(|key| Item::String(key.into()))
}

/// The key of a resource, for joins between tables: `Type/id` (SQL on FHIR v2, getResourceKey).
pub(crate) fn key_of_resource(node: &Node<'_>) -> Option<String> {
    if !node.type_of().is_concrete_resource() {
        return None;
    }
    let id = node.value()?.str_at("id")?;
    Some(format!("{}/{id}", node.type_of().name))
}

/// The type that stands in the brackets of `getReferenceKey`: a name, not an expression.
pub(crate) fn key_type(args: &[Ast]) -> Result<Option<&'static str>, EvalError> {
    let name = match args.first() {
        None => return Ok(None),
        Some(Ast::Member { input: None, name, .. }) => name,
        Some(Ast::Member { input: Some(namespace), name, .. }) if matches!(&**namespace, Ast::Member { input: None, name, .. } if name == "FHIR") => {
            name
        }
        Some(_) => {
            let reason = "the argument must be the name of a resource type".into();
            return Err(EvalError::Argument { function: "getReferenceKey", reason });
        }
    };
    match fhir::resource_type(name) {
        Some(known) => Ok(Some(known)),
        None => Err(EvalError::UnknownType(name.clone())),
    }
}

fn reference_key<'a>(item: &Item<'a>, wanted: Option<&str>) -> Option<Item<'a>> {
    let Item::Node(node) = item else { return None };
    key_of_reference(node, wanted).map(|key| Item::String(key.into()))
}

/// The key of what a reference leads to, as [`key_of_resource`] makes it; nothing for a target of
/// another type or at another place (SQL on FHIR v2, getReferenceKey).
pub(crate) fn key_of_reference(node: &Node<'_>, wanted: Option<&str>) -> Option<String> {
    let reference = node.value()?.str_at("reference")?;
    let target = Target::parse(&reference);
    let (kind, id) = (target.resource_type?, target.id?);
    if target.url.is_some() || wanted.is_some_and(|wanted| wanted != kind) {
        return None;
    }
    Some(format!("{kind}/{id}"))
}

fn has_value(item: &Item<'_>) -> bool {
    match item {
        Item::Node(node) => node.has_value(),
        Item::Unresolved(_) => false,
        _ => true,
    }
}

fn type_info<'a>(item: &Item<'a>) -> Item<'a> {
    let (namespace, name) = item.type_name();
    Item::TypeInfo { namespace, name }
}
