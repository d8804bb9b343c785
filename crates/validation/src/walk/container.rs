//! What R4 says of a resource and of those contained in it: dom-2 to dom-6.

use std::collections::HashSet;

use fhir::{Kind, Value};

use super::structure::is_a;
use super::{Findings, Frame, Run};
use crate::issue::Code;
use crate::place::Place;

impl<'a> Run<'a> {
    pub(super) fn container(
        &self,
        frame: &Frame<'a>,
        is_contained: bool,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(value) = frame.resource.value() else { return };
        if !is_a(frame.resource.type_of(), "DomainResource") {
            return;
        }
        if is_contained {
            contained(value, place, out);
            return;
        }
        if value.get("text").is_none_or(|text| text.get("div").is_none()) {
            out.warning(Code::Invariant, place, Some(value), || {
                "dom-6: a resource should have narrative for robust management".into()
            });
        }
        let Some(list) = value.get("contained") else { return };
        let mut named = HashSet::new();
        fragments(value, &mut named);
        for (index, inner) in list.items().enumerate() {
            let own = inner.str_at("id");
            let known = own.is_some_and(|id| named.contains(&*format!("#{id}")));
            let mut within = HashSet::new();
            fragments(inner, &mut within);
            if !known && !within.contains("#") {
                let place = place.child("contained", Some(index));
                out.error(Code::Invariant, &place, Some(inner), || {
                    "dom-3: a contained resource is referred to from elsewhere in the resource, \
                     or refers to the resource that contains it"
                        .into()
                });
            }
        }
    }
}

/// dom-2, dom-4 and dom-5: what a contained resource must not have.
fn contained<'a>(value: Value<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
    let meta = |name| value.get("meta").and_then(|meta| meta.get(name));
    let faults = [
        (value.get("contained"), "dom-2: a contained resource contains no others"),
        (meta("versionId"), "dom-4: a contained resource has no `meta.versionId`"),
        (meta("lastUpdated"), "dom-4: a contained resource has no `meta.lastUpdated`"),
        (meta("security"), "dom-5: a contained resource has no `meta.security`"),
    ];
    for (found, message) in faults {
        if found.is_some() {
            out.error(Code::Invariant, place, found, || message.into());
        }
    }
}

/// All texts that start with `#`: references to contained resources are among them.
fn fragments<'a>(value: Value<'a>, found: &mut HashSet<std::borrow::Cow<'a, str>>) {
    match value.kind() {
        Kind::String => {
            found.extend(value.as_str().filter(|text| text.starts_with('#')));
        }
        Kind::Array => value.items().for_each(|item| fragments(item, found)),
        Kind::Object => value.members().for_each(|member| fragments(member.value, found)),
        _ => {}
    }
}
