//! Extensions: known ones are what their definitions say, where these let them stand.

use fhir::definitions::Element;
use fhirpath::Node;

use super::{Findings, Frame, Run, at, short};
use crate::issue::{Code, Severity};
use crate::place::Place;
use crate::profile::{Context, Profile};

impl<'a> Run<'a> {
    pub(super) fn extension(
        &self,
        frame: &Frame<'a>,
        owner: Node<'a>,
        element: &'static Element,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(value) = node.value() else { return };
        let holds = value.members().any(|member| member.name().starts_with("value"));
        if holds == value.get("extension").is_some() {
            out.error(Code::Invariant, place, Some(value), || {
                "ext-1: an extension has either extensions or a value, not both".into()
            });
        }
        let Some(url) = value.str_at("url") else { return };
        let modifier = element.name == "modifierExtension";
        // Parts of an extension are defined by the extension they are part of.
        let part = owner.type_of().name == "Extension" && !url.contains(':');
        let Some(profile) = self.validator.profile(&url) else {
            if !part {
                self.unknown(modifier, &url, node, place, out);
            }
            return;
        };
        if !self.stands_right(profile, owner, place) {
            out.error(Code::Extension, place, Some(value), || {
                let allowed: Vec<_> =
                    profile.contexts.iter().map(|context| context.expression.as_str()).collect();
                format!("the extension `{url}` stands on {} only", allowed.join(", "))
            });
        }
        self.fulfils(frame, profile, node, place, out);
    }

    fn unknown(
        &self,
        modifier: bool,
        url: &str,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let severity = match (modifier, self.options.strict) {
            (true, true) => Severity::Error,
            (true, false) => Severity::Warning,
            _ => Severity::Information,
        };
        out.add(severity, Code::Extension, place, at(&node), || {
            let kind = if modifier { "modifier extension" } else { "extension" };
            format!("the {kind} `{}` is not known", short(url))
        });
    }

    /// Whether the definition of an extension lets it stand on its owner.
    fn stands_right(&self, profile: &Profile, owner: Node<'a>, place: &Place<'_>) -> bool {
        let list = &profile.contexts;
        if list.is_empty() || list.iter().any(|context| context.kind == "fhirpath") {
            return true;
        }
        // The path of the owner, without the extension itself.
        let path = place.plain();
        let path = path.rsplit_once('.').map_or("", |(owner, _)| owner);
        list.iter().any(|context| allows(context, owner, path))
    }
}

fn allows(context: &Context, owner: Node<'_>, path: &str) -> bool {
    let expression = context.expression.as_str();
    if context.kind == "extension" {
        let url = expression.split('#').next().unwrap_or_default();
        return owner.value().and_then(|value| value.get("url")).is_some_and(|own| own.is_str(url));
    }
    let plain = expression.replace("[x]", "");
    let type_of = owner.type_of();
    if type_of.name == plain || type_of.ancestors().any(|one| one.name == plain) {
        return true;
    }
    // `Element` stands for everything.
    if plain == "Element" {
        return true;
    }
    let Some((start, rest)) = plain.split_once('.') else { return false };
    // A path from a resource: `Patient.contact`; it may be inside a Bundle or contained.
    if path == plain || path.ends_with(&format!(".{rest}")) && fhir::resource_type(start).is_some()
    {
        return true;
    }
    // A path from a data type or an abstract type: `HumanName.family`, `DomainResource.text`.
    fhir::resource_type(start).is_none() && path.ends_with(&format!(".{rest}"))
}
