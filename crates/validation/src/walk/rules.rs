//! Rules in FHIRPath, and the common ones without it.

use fhirpath::{EvalError, Item, Node, Temporal, narrative_is_sound};

use super::{Findings, Frame, Run, at};
use crate::invariant::Invariant;
use crate::issue::Code;
use crate::place::Place;

impl<'a> Run<'a> {
    /// Checks the rules of a resource's type.
    pub(super) fn own_rules(
        &self,
        frame: &Frame<'a>,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        if let Some(shape) = self.validator.shape(node.type_of()) {
            self.invariants(frame, &shape.own, node, place, out);
        }
    }

    /// Checks the rules of an element's type, and those the element itself has.
    pub(super) fn element_rules(
        &self,
        frame: &Frame<'a>,
        owner: Node<'a>,
        element: usize,
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        self.own_rules(frame, node, place, out);
        let of_owner = self.validator.shape(owner.type_of());
        if let Some(rules) = of_owner.and_then(|shape| shape.elements.get(element)) {
            self.invariants(frame, rules, node, place, out);
        }
        match node.type_of().name {
            "Period" => period(node, place, out),
            "xhtml" => narrative(node, place, out),
            _ => {}
        }
    }

    /// Checks rules in FHIRPath. One that cannot be evaluated is told of and breaks nothing.
    pub(super) fn invariants(
        &self,
        frame: &Frame<'a>,
        rules: &'a [Invariant],
        node: Node<'a>,
        place: &Place<'_>,
        out: &mut Findings<'a>,
    ) {
        for rule in rules {
            if out.done() {
                return;
            }
            let holds = match &rule.expression {
                Some(expression) => {
                    expression.evaluate(&frame.env, &[Item::Node(node)]).map(|found| holds(&found))
                }
                None => Err(EvalError::Unsupported("this expression")),
            };
            match holds {
                Ok(true) => {}
                Ok(false) => out.add(rule.severity, Code::Invariant, place, at(&node), || {
                    format!("{}: {}", rule.key, rule.human)
                }),
                Err(error) => out.information(Code::NotSupported, place, at(&node), || {
                    format!("the rule {} was not checked: {error}", rule.key)
                }),
            }
        }
    }
}

/// Whether a rule holds: what it says is true. Where it says nothing (values that cannot be
/// compared, such as dates of different precision) it is not shown to be broken.
fn holds(found: &[Item<'_>]) -> bool {
    match found {
        [item] => item.as_boolean().unwrap_or(true),
        _ => true,
    }
}

/// per-1: a period does not end before it starts.
fn period<'a>(node: Node<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
    let moment = |name| node.value()?.str_at(name).and_then(|text| Temporal::date_time(&text));
    let (Some(start), Some(end)) = (moment("start"), moment("end")) else { return };
    if start.compare(&end) == Some(std::cmp::Ordering::Greater) {
        out.error(Code::Invariant, place, at(&node), || {
            "per-1: if present, start SHALL have a lower value than end".into()
        });
    }
}

/// txt-1 and txt-2: what a narrative may consist of.
fn narrative<'a>(node: Node<'a>, place: &Place<'_>, out: &mut Findings<'a>) {
    let text = node.value().and_then(|value| value.as_str());
    if text.is_some_and(|text| !narrative_is_sound(&text)) {
        out.error(Code::Invariant, place, at(&node), || {
            "txt-1, txt-2: the narrative is one `div` with some content, made of the permitted \
             elements and attributes of XHTML only"
                .into()
        });
    }
}
