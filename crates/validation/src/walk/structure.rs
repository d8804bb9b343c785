//! The walk by type: members, JSON types, numbers, formats; and for each element what else R4
//! says about it.

use fhir::definitions::{Element, ElementType, Kind, Type, definitions};
use fhir::{Kind as JsonKind, Value};
use fhirpath::Node;

use super::{Findings, Frame, MAX_DEPTH, Run, primitive, short};
use crate::issue::Code;
use crate::place::Place;
use crate::validator::Level;

/// Values of one element: all that JSON holds under its name.
struct Occurrence<'a> {
    element: &'static Element,
    choice: &'static ElementType,
    /// The element's place in its type.
    at: usize,
    value: Option<Value<'a>>,
    sibling: Option<Value<'a>>,
}

impl<'a> Run<'a> {
    /// Validates a resource by its type and by the profiles it claims. `None` where it has no type
    /// that could be gone by.
    pub(super) fn resource(
        &self,
        value: Value<'a>,
        outer: Option<&Frame<'a>>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) -> Option<Frame<'a>> {
        let Some(node) = Node::resource(value) else {
            let stated = value.str_at("resourceType");
            out.error(Code::Structure, place, Some(value), || match stated {
                _ if value.kind() != JsonKind::Object => "a resource is an object".into(),
                Some(name) => format!("`{}` is not a resource type of R4", short(&name)),
                None => "`resourceType` is missing".into(),
            });
            return None;
        };
        let frame = self.frame(node, outer);
        self.object(&frame, node, value, place, out);
        if self.checks(Level::Base) {
            self.own_rules(&frame, node, place, out);
            self.container(&frame, outer.is_some(), place, out);
        }
        if self.checks(Level::Profiles) {
            self.claims(&frame, place, out);
        }
        Some(frame)
    }

    /// Validates the members of an object: those of a type, or the id and extensions beside a
    /// primitive.
    pub(super) fn object(
        &self,
        frame: &Frame<'a>,
        node: Node<'a>,
        holder: Value<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let type_of = node.type_of();
        let siblings = holder.members().any(|member| member.name().starts_with('_'));
        let mut seen = 0u128;
        let mut empty = true;
        for member in holder.members() {
            let name = member.name();
            if type_of.kind == Kind::Resource && name == "resourceType" {
                empty = false;
                continue;
            }
            empty = false;
            let plain = name.strip_prefix('_').unwrap_or(&name);
            let found = type_of
                .member_at(plain)
                .filter(|(_, _, choice)| plain.len() == name.len() || choice.sibling.is_some());
            let Some((at, element, choice)) = found else {
                out.error(Code::Structure, place, Some(member.value), || {
                    format!("`{}` is not an element of {}", short(&name), type_of.name)
                });
                continue;
            };
            let beside = plain.len() != name.len();
            // A value that is there too has brought its sibling along.
            if beside && holder.get(plain).is_some() {
                continue;
            }
            if seen & bit(at) != 0 {
                out.error(Code::Structure, place, Some(member.value), || {
                    format!("`{}[x]` has a value of one type only", element.name)
                });
            }
            seen |= bit(at);
            let sibling = choice.sibling.filter(|_| siblings).and_then(|name| holder.get(name));
            let (value, sibling) =
                if beside { (None, Some(member.value)) } else { (Some(member.value), sibling) };
            let occurrence = Occurrence { element, choice, at, value, sibling };
            self.occurrences(frame, node, &occurrence, place, out);
        }
        if empty {
            out.error(Code::Structure, place, Some(holder), || {
                "an object must not be empty; leave the element out".into()
            });
        } else if self.checks(Level::Base) {
            let missing = type_of.elements().iter().enumerate();
            for (_, element) in missing.filter(|(at, e)| e.min > 0 && seen & bit(*at) == 0) {
                // The value of a primitive is not one of its elements in JSON.
                out.error(Code::Required, place, Some(holder), || {
                    let choice = if element.is_choice { "[x]" } else { "" };
                    format!("`{}{choice}` is missing; {} needs it", element.name, type_of.name)
                });
            }
        }
    }

    /// Validates the one value or the many of an element.
    fn occurrences(
        &self,
        frame: &Frame<'a>,
        owner: Node<'a>,
        occurrence: &Occurrence<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Occurrence { element, value, sibling, .. } = *occurrence;
        if element.max == Some(1) {
            let here = place.child(element.name, None);
            return self.single(frame, owner, occurrence, value, sibling, &here, out);
        }
        let here = place.child(element.name, None);
        for list in [value, sibling].into_iter().flatten() {
            if list.kind() != JsonKind::Array {
                out.error(Code::Structure, &here, Some(list), || {
                    format!("`{}` may repeat, so it is an array in JSON", element.name)
                });
                return;
            }
            if list.items().next().is_none() {
                out.error(Code::Structure, &here, Some(list), || {
                    "an array must not be empty; leave the element out".into()
                });
            }
        }
        let (mut values, mut siblings) =
            (value.into_iter().flat_map(Value::items), sibling.into_iter().flat_map(Value::items));
        for index in 0usize.. {
            let (value, sibling) = (values.next(), siblings.next());
            if value.is_none() && sibling.is_none() || out.done() {
                break;
            }
            let here = place.child(element.name, Some(index));
            let null = |value: &Value<'a>| value.kind() == JsonKind::Null;
            let (plain, beside) = (value.filter(|v| !null(v)), sibling.filter(|v| !null(v)));
            if plain.is_none() && beside.is_none() {
                out.error(Code::Structure, &here, value.or(sibling), || {
                    "null stands only where the list beside it has an item".into()
                });
                continue;
            }
            self.single(frame, owner, occurrence, plain, beside, &here, out);
        }
    }

    /// Validates one value with what stands beside it.
    #[expect(clippy::too_many_arguments, reason = "one step of the walk, taken apart nowhere else")]
    fn single(
        &self,
        frame: &Frame<'a>,
        owner: Node<'a>,
        occurrence: &Occurrence<'a>,
        value: Option<Value<'a>>,
        sibling: Option<Value<'a>>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Occurrence { element, choice, at, .. } = *occurrence;
        let type_of = choice.type_of();
        if type_of.kind == Kind::Resource {
            self.inner(frame, element, value, place, out);
            return;
        }
        let Some(node) = Node::element(value, sibling, type_of) else { return };
        let sound = if type_of.kind == Kind::Primitive {
            self.primitive(frame, node, place, out)
        } else {
            self.complex(frame, node, place, out)
        };
        if !sound || !self.checks(Level::Base) || out.done() {
            return;
        }
        if let Some(binding) = &element.binding {
            self.published_binding(binding, node, place, out);
        }
        self.element_rules(frame, owner, at, node, place, out);
        for profile in choice.profiles.iter().filter_map(|url| self.named(url)) {
            self.fulfils(frame, profile, node, place, out);
        }
        match type_of.name {
            "Extension" => self.extension(frame, owner, element, node, place, out),
            "Reference" => self.reference(frame, choice, node, place, out),
            "Coding" | "Quantity" => self.existing(node, place, out),
            _ => {}
        }
    }

    fn primitive(
        &self,
        frame: &Frame<'a>,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) -> bool {
        let mut sound = true;
        if let Some(value) = node.value()
            && let Some(fault) = primitive::fault(node.type_of(), value)
        {
            let code = if fault.contains(" in JSON") { Code::Structure } else { Code::Value };
            out.error(code, place, Some(value), || fault);
            sound = false;
        }
        if let Some(beside) = node.sibling() {
            if beside.kind() == JsonKind::Object {
                self.object(frame, node, beside, place, out);
            } else {
                out.error(Code::Structure, place, Some(beside), || {
                    "beside a primitive stands an object with its `id` and `extension`".into()
                });
                sound = false;
            }
        }
        sound
    }

    fn complex(
        &self,
        frame: &Frame<'a>,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) -> bool {
        let Some(value) = node.value() else { return false };
        if value.kind() != JsonKind::Object {
            out.error(Code::Structure, place, Some(value), || {
                let given = primitive::shown(value.kind());
                let type_of = node.type_of();
                let name = if type_of.kind == Kind::Backbone { "it" } else { type_of.name };
                format!("{name} is an object in JSON, not {given}")
            });
            return false;
        }
        if place.depth() > MAX_DEPTH {
            return false;
        }
        self.object(frame, node, value, place, out);
        true
    }

    /// Validates a resource inside another: contained, an entry, a parameter.
    fn inner(
        &self,
        frame: &Frame<'a>,
        element: &'static Element,
        value: Option<Value<'a>>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(value) = value else { return };
        let contained = element.name == "contained";
        self.resource(value, contained.then_some(frame), place, out);
    }
}

/// No type of R4 has more than 128 elements.
fn bit(at: usize) -> u128 {
    1u128.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0)
}

/// Whether a value of a type may stand where a type is named: a resource also for one that its
/// type is derived from; of data types only the same (a `code` is no `string` here).
pub(super) fn may_stand_for(type_of: &Type, name: &str) -> bool {
    type_of.name == name || type_of.kind == Kind::Resource && is_a(type_of, name)
}

/// Whether one type is another or derived from it, by names.
pub(super) fn is_a(type_of: &Type, name: &str) -> bool {
    definitions().get(name).is_some_and(|other| type_of.is_a(other.id))
}
