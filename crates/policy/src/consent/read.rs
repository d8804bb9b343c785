//! Reading a FHIR R4 Consent into rules.
//!
//! Two kinds of fault are kept apart. Structure that is not understood (an unknown element in a
//! provision, any modifier extension, a provision without a type, too much nesting) makes the
//! whole consent [`Rules::refused`]: it denies what its outermost provision covers. A value that
//! is not understood (an actor that cannot be resolved, a code of an unknown system, a date that
//! is none) makes only its own condition uncertain: a denial then applies, a permission does not.
//!
//! Nothing that cannot be read may permit more than what stood there before, so it also counts as
//! naming whatever a denial gains from naming: emergencies (BTG) and the person who asks.

use fhir::{Kind as Json, Resource, Value};

use super::Rule;
use super::item::period;
use super::rules::{Actor, Base, DataTerm, Kind, Provision, Rules};
use super::terms::{action_term, actor, class_term, data_term, kind, label_term, purpose_term};
use super::view::ConsentView;
use super::who::Directory;
use crate::purpose::Purpose;

/// Levels of provisions that are accepted, the outermost included.
pub const MAX_LEVELS: usize = 3;
/// Provisions of one consent that are accepted.
pub const MAX_PROVISIONS: usize = 256;
/// Values of one element that are accepted.
pub const MAX_VALUES: usize = 1_000;

type Refused = &'static str;

/// Compiles a consent; `None` when it has no say: not active, or about treatment or advance
/// directives and not about sharing data.
pub(crate) fn rules(resource: &Resource, directory: Directory<'_>) -> Option<Rules> {
    let view = ConsentView::of(resource);
    let mut refused = None;
    match view.and_then(ConsentView::status).as_deref() {
        Some("active") => {}
        Some("draft" | "proposed" | "rejected" | "inactive" | "entered-in-error") => {
            if Rule::StatusCounts.holds() {
                return None;
            }
        }
        _ => refused = Some("its status is unknown"),
    }
    match view.and_then(ConsentView::scope).as_deref() {
        Some("patient-privacy" | "research") => {}
        Some("treatment" | "adr") => {
            if Rule::ScopeCounts.holds() {
                return None;
            }
        }
        _ => refused = Some("its scope is unknown"),
    }
    if ["modifierExtension", "implicitRules"].iter().any(|name| resource.get(name).is_some()) {
        refused = Some("it has a modifier that is not understood");
    }
    let mut reader = Reader::new(directory);
    let root = resource.get("provision").map(|value| reader.provision(value, 1));
    if root.is_some() {
        refused = refused.or(reader.refused);
    }
    Some(Rules {
        reference: view.map(ConsentView::reference).unwrap_or_default(),
        date: view.and_then(ConsentView::date),
        refused,
        base: resource.get("policyRule").and_then(base),
        root,
        names_btg: reader.names_btg,
        may_name_person: reader.may_name_person,
        research_only: view.and_then(ConsentView::scope).as_deref() == Some("research"),
    })
}

fn base(rule: Value<'_>) -> Option<Base> {
    rule.get("coding").into_iter().flat_map(Value::each).find_map(|coding| {
        match &*coding.str_at("code")? {
            "OPTOUT" | "OPTOUTE" => Some(Base::Deny),
            "EMRGONLY" => Some(Base::DenyUnlessEmergency),
            _ => None,
        }
    })
}

struct Reader<'d> {
    directory: Directory<'d>,
    count: u16,
    refused: Option<Refused>,
    names_btg: bool,
    may_name_person: bool,
}

impl<'d> Reader<'d> {
    fn new(directory: Directory<'d>) -> Self {
        Self { directory, count: 0, refused: None, names_btg: false, may_name_person: false }
    }

    /// Reads a provision and those inside it. What cannot be read is noted in `refused`; the
    /// conditions that can be read are kept, for they say what the consent covers.
    fn provision(&mut self, value: Value<'_>, level: usize) -> Provision {
        let number = self.count;
        self.count = self.count.saturating_add(1);
        self.members(
            value,
            &[
                "type",
                "period",
                "actor",
                "action",
                "securityLabel",
                "purpose",
                "class",
                "code",
                "dataPeriod",
                "data",
                "provision",
            ],
        );
        let kind = kind(value);
        if value.kind() != Json::Object {
            self.unread(value);
        }
        if kind.is_none() {
            self.refuse("a provision does not say whether it permits or denies");
        }
        let bounds = |name: &str| value.get(name).map(period);
        let (in_force, data_period) = (bounds("period"), bounds("dataPeriod"));
        let provision = Provision {
            number,
            kind: kind.unwrap_or(Kind::Deny),
            kind_unclear: kind.is_none(),
            period: in_force.flatten(),
            period_unclear: in_force == Some(None),
            actors: self.actors(value),
            actions: self.list(value, "action", action_term),
            purposes: self.list(value, "purpose", purpose_term),
            labels: self.list(value, "securityLabel", label_term),
            classes: self.list(value, "class", class_term),
            codes: self.codes(value),
            data_period: data_period.flatten(),
            data_period_unclear: data_period == Some(None),
            data: self.data(value),
            children: self.children(value, level),
        };
        self.names_btg |= provision.names_btg();
        provision
    }

    fn children(&mut self, value: Value<'_>, level: usize) -> Vec<Provision> {
        let mut children = Vec::new();
        for child in value.get("provision").into_iter().flat_map(Value::each) {
            if level >= MAX_LEVELS {
                self.refuse("its provisions are nested too deeply");
                self.unread(child);
            } else if usize::from(self.count) >= MAX_PROVISIONS {
                self.refuse("it has too many provisions");
                self.unread(child);
            } else {
                children.push(self.provision(child, level + 1));
            }
        }
        children
    }

    fn actors(&mut self, value: Value<'_>) -> Vec<Actor> {
        for each in value.get("actor").into_iter().flat_map(Value::each) {
            self.members(each, &["role", "reference"]);
        }
        let directory = self.directory;
        self.list(value, "actor", |value| actor(value, directory))
    }

    fn data(&mut self, value: Value<'_>) -> Vec<DataTerm> {
        for each in value.get("data").into_iter().flat_map(Value::each) {
            self.members(each, &["meaning", "reference"]);
        }
        self.list(value, "data", data_term)
    }

    fn codes(&mut self, value: Value<'_>) -> Vec<Option<(Box<str>, Box<str>)>> {
        let concepts: Vec<Vec<_>> = self.list(value, "code", |concept| {
            let codings = concept.get("coding").into_iter().flat_map(Value::each);
            let code = |coding: Value<'_>| -> Option<(Box<str>, Box<str>)> {
                let system = coding.str_at("system").unwrap_or_default();
                Some((system.into(), coding.str_at("code")?.into()))
            };
            let codes: Vec<_> = codings.map(code).collect();
            if codes.is_empty() { vec![None] } else { codes }
        });
        concepts.into_iter().flatten().collect()
    }

    fn list<T>(&mut self, value: Value<'_>, name: &str, read: impl Fn(Value<'_>) -> T) -> Vec<T> {
        let Some(values) = value.get(name) else { return Vec::new() };
        let list: Vec<T> = values.each().take(MAX_VALUES + 1).map(read).collect();
        // An empty list would read as no condition at all.
        let odd = list.is_empty() || values.each().any(|value| value.kind() != Json::Object);
        let long = list.len() > MAX_VALUES;
        if long {
            self.refuse("it has too many values");
        } else if odd {
            self.refuse("a condition is not in the form of FHIR R4");
        }
        self.names_btg |= (odd || long) && name == "purpose";
        self.may_name_person |= (odd || long) && name == "actor";
        list
    }

    fn members(&mut self, value: Value<'_>, known: &[&str]) {
        if value.kind() != Json::Object {
            self.refuse("a provision is not in the form of FHIR R4");
        }
        for member in value.members() {
            let name = member.name();
            let plain = name == "id" || name == "extension" || name.starts_with('_');
            if !plain && !known.contains(&&*name) {
                self.refuse("it has an element that is not understood");
            }
        }
    }

    /// Takes from a provision that is not read into rules what it may name. Depth is bounded by
    /// the parser of the document.
    fn unread(&mut self, provision: Value<'_>) {
        let odd = provision.kind() != Json::Object;
        let each = |name| provision.get(name).into_iter().flat_map(Value::each);
        let mut purposes = each("purpose").map(purpose_term);
        self.names_btg |= odd || purposes.any(|term| term.is_none_or(|it| it == Purpose::BTG));
        let directory = self.directory;
        let person = |value| !actor(value, directory).subject.is_organisation();
        self.may_name_person |= odd || each("actor").any(person);
        each("provision").for_each(|inside| self.unread(inside));
    }

    fn refuse(&mut self, why: Refused) {
        self.refused.get_or_insert(why);
    }
}
