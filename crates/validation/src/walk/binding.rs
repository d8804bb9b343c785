//! Codes and the value sets they are bound to.

use std::borrow::Cow;

use fhir::definitions::{self, Kind, Strength};
use fhirpath::Node;

use super::{Findings, Run, at, short};
use crate::issue::Code;
use crate::place::Place;

/// A code with its system, where one is stated.
type Coded<'a> = (Option<Cow<'a, str>>, Cow<'a, str>);

impl<'a> Run<'a> {
    /// Checks a binding of R4 itself. Preferred and example bindings say nothing about validity.
    pub(super) fn published_binding(
        &self,
        binding: &'static definitions::Binding,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        match binding.strength {
            Strength::Required => self.bound(true, binding.value_set, node, place, out),
            Strength::Extensible => self.bound(false, binding.value_set, node, place, out),
            Strength::Preferred | Strength::Example => {}
        }
    }

    /// Checks the codes of an element against a value set: an error where the binding is required,
    /// a warning where it is extensible.
    pub(super) fn bound(
        &self,
        required: bool,
        value_set: &str,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        let Some(coded) = coded(node) else { return };
        if coded.is_empty() {
            // Text alone is no code; whoever must leave the code out says why in an extension.
            let value = at(&node);
            let excused = value.is_some_and(|value| value.get("extension").is_some())
                || node.sibling().is_some();
            if required && !excused && node.type_of().name == "CodeableConcept" {
                out.error(Code::CodeInvalid, place, value, || {
                    format!("a code of the value set `{value_set}` is required")
                });
            }
            return;
        }
        match self.best(value_set, &coded) {
            Some(true) => {}
            Some(false) => {
                let shown = shown(&coded);
                if required {
                    out.error(Code::CodeInvalid, place, at(&node), || {
                        format!("{shown} is not in the value set `{value_set}`, which is required")
                    });
                } else {
                    out.warning(Code::CodeInvalid, place, at(&node), || {
                        format!(
                            "{shown} is not in the value set `{value_set}`; use one of its codes \
                             where one fits"
                        )
                    });
                }
            }
            None => out.information(Code::NotSupported, place, at(&node), || {
                format!(
                    "{} was not checked: the content of `{value_set}` is not available",
                    shown(&coded)
                )
            }),
        }
    }

    /// Warns of a code that is none of its code system's, where all codes of that are known.
    pub(super) fn existing(&self, coding: Node<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
        let Some(value) = coding.value() else { return };
        let (Some(system), Some(code)) = (value.str_at("system"), value.str_at("code")) else {
            return;
        };
        if self.codes.is_code(&system, &code) == Some(false) {
            out.warning(Code::CodeInvalid, place, at(&coding), || {
                format!(
                    "`{}` is not a code of `{}` as far as it is known here",
                    short(&code),
                    short(&system)
                )
            });
        }
    }

    /// Whether any of the codes is in the value set; `None` where that is not known.
    fn best(&self, value_set: &str, coded: &[Coded<'_>]) -> Option<bool> {
        let mut best = Some(false);
        for (system, code) in coded {
            if is_media_type(value_set, code) {
                return Some(true);
            }
            match self.codes.is_member(value_set, system.as_deref(), code) {
                Some(true) => return Some(true),
                None => best = None,
                Some(false) => {}
            }
        }
        best
    }

    /// Whether an element has a code of a value set, for telling slices apart.
    pub(super) fn is_bound(&self, value_set: &str, node: Node<'a>) -> bool {
        let best = coded(node).map(|coded| self.best(value_set, &coded));
        if best == Some(None) {
            self.uncertain.set(true);
        }
        best == Some(Some(true))
    }
}

/// The codes of an element that can be bound; `None` for other types and where there is no value.
fn coded(node: Node<'_>) -> Option<Vec<Coded<'_>>> {
    let value = node.value()?;
    Some(match node.type_of().name {
        "CodeableConcept" => {
            let codings = value.get("coding").into_iter().flat_map(|list| list.items());
            codings.filter_map(|c| Some((c.str_at("system"), c.str_at("code")?))).collect()
        }
        _ if node.type_of().kind == Kind::Primitive => vec![(None, value.as_str()?)],
        "Coding" | "Quantity" | "Age" | "Duration" | "Count" | "Distance" | "SimpleQuantity"
        | "MoneyQuantity" => {
            let code = value.str_at("code")?;
            vec![(value.str_at("system"), code)]
        }
        _ => return None,
    })
}

/// Whether a code is a media type where one is asked for. `json`, `xml` and the like are permitted
/// too (FHIR R4, CapabilityStatement.format), and parameters are written in many ways.
fn is_media_type(value_set: &str, code: &str) -> bool {
    let part = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let asked = value_set.split('|').next() == Some("http://hl7.org/fhir/ValueSet/mimetypes");
    let plain = code.split(';').next().unwrap_or_default().trim_end();
    asked
        && (matches!(code, "json" | "xml" | "ttl" | "html")
            || plain.split_once('/').is_some_and(|(kind, name)| part(kind) && part(name)))
}

fn shown(coded: &[Coded<'_>]) -> String {
    let one = |(system, code): &Coded<'_>| match system {
        Some(system) => format!("`{}|{}`", short(system), short(code)),
        None => format!("`{}`", short(code)),
    };
    let shown: Vec<_> = coded.iter().take(3).map(one).collect();
    shown.join(" or ")
}
