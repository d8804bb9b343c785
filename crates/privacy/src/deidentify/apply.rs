//! One walk over one resource, under a compiled recipe.

use std::collections::{BTreeMap, HashMap};

use fhir::definitions::{Kind, Type, definitions};
use fhir::json::quote;
use fhir::{Kind as Json, Resource, Value};
use fhirpath::{Env, Item, Node};

use super::attached::{self, Attached};
use super::compile::{Child, CompiledRecipe, NONE, Rank, State, Wall};
use super::dicom::Options;
use super::keys::ProjectKey;
use super::leaf::{self, Place};
use super::postal::Areas;
use super::recipe::{Action, Basis};
use super::reference::Links;
use super::subject::Subject;
use super::text::Finder;

const SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const UCUM: &str = "http://unitsofmeasure.org";

/// What a recipe needs beside the resource and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The key of the project.
    pub key: &'a ProjectKey,
    /// The year in which the data are handed out: ages are reckoned to it.
    pub reference_year: i16,
    /// Which ZIP areas must not be told.
    pub areas: &'a Areas,
    /// Where references lead that do not say so themselves.
    pub links: &'a Links,
    /// Finds what identifies in free text.
    pub finder: &'a Finder,
}

/// A resource as it may be shown.
#[derive(Clone, Debug)]
pub struct Deidentified {
    /// Its JSON text.
    pub text: String,
    /// What was done.
    pub counts: Counts,
}

/// What was done, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// For each rule of the recipe, in order: values that it decided; what was left out with all
    /// that is in it counts once.
    pub rules: Vec<u64>,
    /// What was left out because no rule named it.
    pub unnamed: u64,
    /// Resources that were left out but for their type, since a rule could not be evaluated.
    pub unreadable: u64,
    /// DICOM files that were left out, by why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dicom: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds what was done to another resource under the same recipe.
    pub fn add(&mut self, other: &Self) {
        self.rules.resize(self.rules.len().max(other.rules.len()), 0);
        for (sum, count) in self.rules.iter_mut().zip(&other.rules) {
            *sum = sum.saturating_add(*count);
        }
        self.unnamed = self.unnamed.saturating_add(other.unnamed);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
        for (why, count) in &other.dicom {
            let sum = self.dicom.entry(why.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
}

/// Codes of HL7's v3-ObservationValue for what was done to a resource (value set
/// SecurityIntegrityObservationValue, alteration integrity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Abstracted,
    Anonymised,
    Masked,
    Pseudonymised,
    Redacted,
}

impl Label {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Abstracted, "ABSTRED"),
        (Self::Anonymised, "ANONYED"),
        (Self::Masked, "MASKED"),
        (Self::Pseudonymised, "PSEUDED"),
        (Self::Redacted, "REDACTED"),
    ];
}

impl CompiledRecipe {
    /// The resource as this recipe lets it be shown to the project. Never fails: what cannot be
    /// understood is left out. A resource of a type that FHIR R4 does not have becomes an empty
    /// `Basic`.
    pub fn apply(
        &self,
        resource: &Resource,
        subject: &Subject,
        context: &Context<'_>,
    ) -> Deidentified {
        let counts = Counts { rules: vec![0; self.recipe.rules.len()], ..Counts::default() };
        let mut walk = Walk {
            recipe: self,
            subject,
            context,
            resource,
            of: resource.type_name().to_owned(),
            id: resource.id().map(|id| id.as_str().to_owned()).unwrap_or_default(),
            marks: HashMap::new(),
            counts,
            labels: Vec::new(),
            attached: Attached::Other,
        };
        let mut text = String::with_capacity(resource.text().len() / 2);
        walk.resource(resource.root(), true, &mut text);
        Deidentified { text, counts: walk.counts }
    }
}

struct Walk<'a> {
    recipe: &'a CompiledRecipe,
    subject: &'a Subject,
    context: &'a Context<'a>,
    resource: &'a Resource,
    of: String,
    id: String,
    /// What evaluated rules name, by place in the document.
    marks: HashMap<u32, Rank>,
    counts: Counts,
    labels: Vec<Label>,
    attached: Attached,
}

impl<'a> Walk<'a> {
    /// Writes a resource; `root` for the outermost, which gets the labels.
    fn resource(&mut self, value: Value<'a>, root: bool, out: &mut String) -> bool {
        let name = value.str_at("resourceType");
        let start = name.and_then(|name| self.recipe.starts.get_key_value(name.as_ref()));
        let (name, state) = match start {
            Some((&name, &state)) => (name, self.state(state)),
            None if !root => return false,
            None => ("Basic", None),
        };
        out.push_str("{\"resourceType\":\"");
        out.push_str(name);
        out.push('"');
        let readable = state.is_none() || self.mark(name, value);
        match state.filter(|_| readable) {
            Some(state) => {
                let (rank, outer) = (state.own, self.attached);
                if name == "Binary" {
                    self.attached = Attached::of(value);
                }
                self.members(value, state, rank, true, out);
                self.attached = outer;
            }
            None => {
                self.counts.unreadable += 1;
                self.label(Label::Redacted);
            }
        }
        if root {
            self.meta(value, state.filter(|_| readable), out);
        }
        out.push('}');
        true
    }

    fn state(&self, number: u32) -> Option<&'a State> {
        self.recipe.states.get(number as usize)
    }

    /// Evaluates the rules that need it. `false` where one cannot be: it is then not known what
    /// must go.
    fn mark(&mut self, name: &str, value: Value<'a>) -> bool {
        let Some(rules) = self.recipe.evaluated.get(name) else { return true };
        let Some(node) = Node::resource(value) else { return false };
        let env = Env::new(0).with_resource(self.resource);
        for (rank, expr) in rules {
            let Ok(found) = expr.evaluate(&env, &[Item::Node(node)]) else { return false };
            for item in found {
                if let Item::Node(node) = item
                    && let Some(value) = node.value()
                {
                    let mark = self.marks.entry(value.index()).or_insert(*rank);
                    *mark = (*mark).min(*rank);
                }
            }
        }
        true
    }

    fn label(&mut self, label: Label) {
        if !self.labels.contains(&label) {
            self.labels.push(label);
        }
    }

    fn redacted(&mut self, rank: Rank) -> bool {
        match self.counts.rules.get_mut(usize::from(rank)) {
            Some(count) => *count += 1,
            None => self.counts.unnamed += 1,
        }
        self.label(Label::Redacted);
        false
    }

    /// Writes the members of an object that stay, each after a comma. `more` where something
    /// stands before them. Returns whether anything stands there afterwards.
    fn members(
        &mut self,
        value: Value<'a>,
        state: &'a State,
        rank: Rank,
        mut more: bool,
        out: &mut String,
    ) -> bool {
        let is_resource = state.type_of.kind == Kind::Resource;
        for member in value.members() {
            let name = member.name();
            if is_resource && (name == "resourceType" || (name == "meta" && self.is_root(value))) {
                continue;
            }
            let mark = out.len();
            if more {
                out.push(',');
            }
            if self.member(value, &name, member.value, state, rank, out) {
                more = true;
            } else {
                out.truncate(mark);
            }
        }
        more
    }

    fn is_root(&self, value: Value<'_>) -> bool {
        value.index() == self.resource.root().index()
    }

    /// Writes one member with its name; `false` where nothing of it stays.
    fn member(
        &mut self,
        holder: Value<'a>,
        name: &str,
        value: Value<'a>,
        state: &'a State,
        rank: Rank,
        out: &mut String,
    ) -> bool {
        let plain = name.strip_prefix('_');
        let wanted = plain.unwrap_or(name);
        let found = state.children.binary_search_by(|child| child.member.cmp(wanted)).ok();
        let child = found.and_then(|at| state.children.get(at));
        let Some((child, below)) = child.and_then(|c| Some((c, self.state(c.state)?))) else {
            return self.redacted(NONE);
        };
        let primitive = below.type_of.kind == Kind::Primitive;
        if plain.is_some() && !primitive {
            return self.redacted(NONE);
        }
        let before = self.recipe.behind(child.wall, rank).min(below.own);
        let nothing = *self.recipe.action(before) == Action::Redact && below.inside >= before;
        if nothing && self.marks.is_empty() {
            return self.redacted(before);
        }
        out.push('"');
        if plain.is_some() {
            out.push('_');
        }
        out.push_str(child.member);
        out.push_str("\":");
        let step = Step { owner: state.type_of, child, below, sibling: plain.is_some() };
        if value.kind() != Json::Array {
            return self.node(value, step, rank, out);
        }
        // An item of a list of primitives keeps its place where another list refers to it.
        let twin = if plain.is_some() { wanted.to_owned() } else { format!("_{wanted}") };
        let placed = primitive && holder.get(&twin).is_some();
        out.push('[');
        let (mut count, mut kept) = (0, false);
        for item in value.items() {
            let mark = out.len();
            if count > 0 {
                out.push(',');
            }
            let start = out.len();
            if item.kind() != Json::Null && self.node(item, step, rank, out) {
                kept = true;
                count += 1;
            } else if placed {
                out.truncate(start);
                out.push_str("null");
                count += 1;
            } else {
                out.truncate(mark);
            }
        }
        out.push(']');
        kept
    }

    /// Writes one value; `false` where nothing of it stays.
    fn node(&mut self, value: Value<'a>, mut step: Step<'a>, rank: Rank, out: &mut String) -> bool {
        let mark = self.marks.get(&value.index()).copied().unwrap_or(NONE);
        if mark != NONE
            && let Some(open) = self.state(step.below.open)
        {
            step.below = open;
        }
        let named = step.below.own.min(mark);
        let rank = self.recipe.behind(step.child.wall, rank).min(named);
        let type_of = step.below.type_of;
        if step.child.wall == Wall::Resource {
            let kept = rank == named && *self.recipe.action(rank) == Action::Keep;
            if !kept || value.kind() != Json::Object || !self.resource(value, false, out) {
                return self.redacted(rank);
            }
            return true;
        }
        let primitive = type_of.kind == Kind::Primitive;
        if primitive && !step.sibling {
            return self.leaf(value, step, rank, out);
        }
        if value.kind() != Json::Object {
            return self.redacted(rank);
        }
        if *self.recipe.action(rank) == Action::AgeCap && is_quantity(type_of) {
            return self.age(value, rank, out);
        }
        let outer = self.attached;
        if type_of.name == "Attachment" {
            self.attached = Attached::of(value);
        }
        out.push('{');
        let kept = self.members(value, step.below, rank, false, out);
        out.push('}');
        self.attached = outer;
        kept
    }

    fn leaf(&mut self, value: Value<'a>, step: Step<'a>, rank: Rank, out: &mut String) -> bool {
        let place = Place {
            resource: (&self.of, &self.id),
            owner: step.owner,
            member: step.child.member,
            plain: self.attached == Attached::Text,
            shift_days: self.recipe.recipe.shift_days,
        };
        let recipe = self.recipe;
        let action = recipe.action(rank);
        let type_of = step.below.type_of;
        let made = match action {
            Action::Dicom(options)
                if self.attached == Attached::Dicom && type_of.name == "base64Binary" =>
            {
                self.image(value, *options)
            }
            _ => leaf::made(self.context, self.subject, place, type_of, value, action),
        };
        let Some((text, label)) = made else { return self.redacted(rank) };
        if let Some(count) = self.counts.rules.get_mut(usize::from(rank)) {
            *count += 1;
        }
        if let Some(label) = label {
            self.label(label);
        }
        out.push_str(&text);
        true
    }

    /// A DICOM file in place of one; why there is none is counted.
    fn image(&mut self, value: Value<'_>, options: Options) -> Option<(String, Option<Label>)> {
        let shift_days = self.recipe.recipe.shift_days;
        match attached::image(value, self.subject, self.context, shift_days, options) {
            Ok(text) => Some((quote(&text), Some(Label::Pseudonymised))),
            Err(why) => {
                *self.counts.dicom.entry(why.to_string()).or_default() += 1;
                None
            }
        }
    }

    /// Writes an age, as it is or as "90 or older".
    fn age(&mut self, value: Value<'_>, rank: Rank, out: &mut String) -> bool {
        let year = self.context.reference_year;
        let number = value.get("value").and_then(|value| value.as_number()?.parse::<f64>().ok());
        let unit = value.str_at("code").or_else(|| value.str_at("unit")).unwrap_or_default();
        let unit = UNITS.iter().find(|(names, ..)| names.contains(&unit.as_ref()));
        let (Some(number), Some((_, code, word, per_year))) = (number, unit) else {
            return self.redacted(rank);
        };
        let text = if number / per_year >= 90.0 {
            self.label(Label::Abstracted);
            format!(
                "{{\"value\":90,\"comparator\":\">=\",\"unit\":\"years\",\"system\":\"{UCUM}\",\
                 \"code\":\"a\"}}"
            )
        } else if self.subject.may_be_old(year) || value.get("comparator").is_some() {
            return self.redacted(rank);
        } else {
            let written = value.get("value").map(|value| value.raw()).unwrap_or_default();
            format!(
                "{{\"value\":{written},\"unit\":\"{word}\",\"system\":\"{UCUM}\",\
                 \"code\":\"{code}\"}}"
            )
        };
        if let Some(count) = self.counts.rules.get_mut(usize::from(rank)) {
            *count += 1;
        }
        out.push_str(&text);
        true
    }

    /// Writes `meta` of the outermost resource: what stays of it, and the labels.
    fn meta(&mut self, value: Value<'a>, state: Option<&'a State>, out: &mut String) {
        let mut kept = String::new();
        if let (Some(meta), Some(state)) = (value.get("meta"), state) {
            let stays = self.member(value, "meta", meta, state, state.own, &mut kept);
            if !stays {
                kept.clear();
            }
        }
        if self.recipe.recipe.basis == Basis::SafeHarbor {
            self.label(Label::Anonymised);
        }
        let labels: Vec<String> = Label::ALL
            .iter()
            .filter(|(label, _)| self.labels.contains(label))
            .map(|(_, code)| format!("{{\"system\":\"{SYSTEM}\",\"code\":\"{code}\"}}"))
            .collect();
        let labels = labels.join(",");
        out.push_str(",\"meta\":{");
        // What the walk wrote is `"meta":{…}`, read again to add to its list of labels.
        let document = fhir::Document::parse(format!("{{{kept}}}")).ok();
        let meta = document.as_ref().and_then(|document| document.root().get("meta"));
        for member in meta.into_iter().flat_map(|meta| meta.members()) {
            if !member.is_named("security") {
                out.push_str(member.raw_name());
                out.push(':');
                out.push_str(member.value.raw());
                out.push(',');
            }
        }
        out.push_str("\"security\":[");
        let old = meta.and_then(|meta| meta.get("security"));
        for item in old.into_iter().flat_map(|old| old.items()) {
            out.push_str(item.raw());
            out.push(',');
        }
        if labels.is_empty() && out.ends_with(',') {
            out.pop();
        }
        out.push_str(&labels);
        out.push_str("]}");
    }
}

/// A step of the walk to a child.
#[derive(Clone, Copy)]
struct Step<'a> {
    owner: &'static Type,
    child: &'a Child,
    below: &'a State,
    /// The object with id and extensions beside a primitive.
    sibling: bool,
}

/// Units of ages: what they are called, their UCUM code, their word, and how many make a year.
type Unit = (&'static [&'static str], &'static str, &'static str, f64);
const UNITS: [Unit; 5] = [
    (&["a", "year", "years", "yr", "yrs"], "a", "years", 1.0),
    (&["mo", "month", "months"], "mo", "months", 12.0),
    (&["wk", "week", "weeks"], "wk", "weeks", 52.1775),
    (&["d", "day", "days"], "d", "days", 365.25),
    (&["h", "hour", "hours"], "h", "hours", 8766.0),
];

fn is_quantity(type_of: &Type) -> bool {
    definitions().get("Quantity").is_some_and(|quantity| type_of.is_a(quantity.id))
}
