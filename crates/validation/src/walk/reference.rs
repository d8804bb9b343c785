//! References: what they may point to, and what they do point to.

use fhir::definitions::{self as published, ElementType, definitions};
use fhir::{Kind, Value};
use fhirpath::{Node, Target};

use super::{Findings, Frame, Run, at, short};
use crate::issue::Code;
use crate::place::Place;

/// What a reference points to, as far as the instance tells.
#[derive(Clone, Copy)]
pub(super) enum Pointed<'a> {
    /// A resource that is part of the instance.
    Here(Node<'a>),
    /// A resource elsewhere, of which the type is known.
    Elsewhere(&'static published::Type),
    /// Nothing can be told.
    Open,
}

impl<'a> Run<'a> {
    /// Checks a Reference against what R4 says of the element.
    pub(super) fn reference(
        &self,
        frame: &Frame<'a>,
        choice: &'static ElementType,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(value) = node.value() else { return };
        let text = value.str_at("reference");
        let pointed = self.pointed(frame, value);
        if let (Some(text), Pointed::Open) = (&text, pointed) {
            if text.starts_with('#') {
                out.error(Code::NotFound, place, Some(value), || {
                    format!("ref-1: the resource contains nothing with the id in `{}`", short(text))
                });
                return;
            }
            if text.starts_with("urn:") && !self.known.is_empty() {
                out.warning(Code::NotFound, place, Some(value), || {
                    format!("no entry of the Bundle has the fullUrl `{}`", short(text))
                });
            }
        }
        let Some(type_of) = pointed.type_of() else { return };
        let stated = value.str_at("type").filter(|stated| **stated != *type_of.name);
        if let (Some(stated), Some(_)) = (stated, &text)
            && fhir::resource_type(&stated).is_some()
        {
            out.error(Code::Value, place, Some(value), || {
                format!("`type` says `{stated}`, and the reference points to {}", type_of.name)
            });
        }
        let fits =
            |target: &&str| definitions().get(target).is_none_or(|target| type_of.is_a(target.id));
        if !choice.targets.is_empty() && !choice.targets.iter().any(fits) {
            out.error(Code::Value, place, Some(value), || {
                let targets = choice.targets.join(", ");
                format!("a reference to {} is not allowed here; allowed: {targets}", type_of.name)
            });
        }
    }

    /// Checks a Reference (or canonical) against the profiles that its target may have.
    pub(super) fn targeted(
        &self,
        frame: &Frame<'a>,
        targets: &'a [String],
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(value) = node.value().filter(|value| value.kind() == Kind::Object) else { return };
        let pointed = self.pointed(frame, value);
        let Some(type_of) = pointed.type_of() else { return };
        if targets.is_empty() || targets.iter().any(|target| self.is_target(target, pointed)) {
            return;
        }
        out.error(Code::Value, place, at(&node), || {
            let targets = targets.join(", ");
            format!(
                "the {} it points to is none of what the profile allows: {targets}",
                type_of.name
            )
        });
    }

    /// Whether a resource may be the target of a reference: by type, and by profile where the
    /// resource is part of the instance.
    pub(super) fn is_target(&self, target: &'a str, pointed: Pointed<'a>) -> bool {
        let Some(type_of) = pointed.type_of() else { return false };
        if let Some(wanted) = definitions().get(target) {
            return type_of.is_a(wanted.id);
        }
        let Some(profile) = self.named(target) else { return true };
        let wanted = definitions().get(&profile.type_name);
        wanted.is_some_and(|wanted| type_of.is_a(wanted.id))
            && match pointed {
                Pointed::Here(node) => self.conforms(node, &profile.url),
                _ => true,
            }
    }

    /// What a Reference points to.
    pub(super) fn pointed(&self, frame: &Frame<'a>, reference: Value<'a>) -> Pointed<'a> {
        let text = reference.str_at("reference");
        if let Some(fragment) = text.as_deref().and_then(|text| text.strip_prefix('#')) {
            if fragment.is_empty() {
                return Pointed::Here(frame.root);
            }
            let contained = frame.root.value().and_then(|root| root.get("contained"));
            let found = contained
                .into_iter()
                .flat_map(Value::items)
                .find(|inner| inner.get("id").is_some_and(|id| id.is_str(fragment)));
            return found.and_then(Node::resource).map_or(Pointed::Open, Pointed::Here);
        }
        if let Some(node) = text.as_deref().and_then(|text| self.known.get(text)) {
            return Pointed::Here(*node);
        }
        // A condition in a transaction names the type too.
        let plain = text.as_deref().map(|text| text.split('?').next().unwrap_or(text));
        let by_text = text.as_deref().and_then(|text| Target::parse(text).resource_type);
        let by_condition = plain.filter(|plain| Some(*plain) != text.as_deref());
        let stated = reference.str_at("type");
        let name = by_text.or_else(|| by_condition.and_then(fhir::resource_type));
        let name = name.or_else(|| fhir::resource_type(stated.as_deref()?));
        let type_of = name.and_then(|name| definitions().get(name));
        type_of.map_or(Pointed::Open, Pointed::Elsewhere)
    }
}

impl Pointed<'_> {
    pub fn type_of(&self) -> Option<&'static published::Type> {
        match self {
            Self::Here(node) => Some(node.type_of()),
            Self::Elsewhere(type_of) => Some(type_of),
            Self::Open => None,
        }
    }
}
