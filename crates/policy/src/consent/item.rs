//! What a consent can ask of one resource.

use fhir::json::Member;
use fhir::time::Range;
use fhir::{Resource, Value};

use super::Rule;
use crate::label::{Label, Labels, PROCESS_INLINE};
use crate::labels::{self, Labelling};

/// The facts about one resource that consents depend on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Item {
    /// Resource type.
    pub resource_type: Box<str>,
    /// Logical id; empty where the resource has none.
    pub id: Box<str>,
    /// Type and id as a relative reference, `Observation/1` for example.
    pub reference: Box<str>,
    /// Security labels: those it carries, inline labels included, and those of its codes.
    pub labels: Labels,
    /// The clinically relevant time, or where none is given the time of the last update.
    pub when: Option<Range>,
    /// Relative references to those who made, asserted or recorded it.
    pub authors: Vec<Box<str>>,
    /// Relative references to everything it refers to: encounter, care plan, subject and so on.
    pub references: Vec<Box<str>>,
    /// What it is about, by system and code.
    pub codes: Vec<(Box<str>, Box<str>)>,
    /// All other codes anywhere in it, contained resources included.
    pub mentions: Vec<(Box<str>, Box<str>)>,
    /// The profiles that it claims.
    pub profiles: Vec<Box<str>>,
    /// Whether it may be about more than `codes` says, because a code is given as text or by
    /// reference only.
    pub codes_open: bool,
}

impl Item {
    /// Takes the facts from a resource, labelled by the reviewed lists of codes alone.
    pub fn of(resource: &Resource) -> Self {
        Self::labelled(resource, &Labelling::default())
    }

    /// Takes the facts from a resource, labelled as the operator has set.
    pub fn labelled(resource: &Resource, labelling: &Labelling) -> Self {
        let root = resource.root();
        let id: Box<str> = root.str_at("id").unwrap_or_default().into();
        let mut item = Self {
            resource_type: resource.type_name().into(),
            reference: format!("{}/{id}", resource.type_name()).into(),
            id,
            when: when(root),
            ..Self::default()
        };
        let mut found = Vec::new();
        let inline = is_inline(root);
        let mut walk = Walk { item: &mut item, found: &mut found, inline };
        walk.resource(root);
        for name in AUTHORS {
            for value in root.get(name).into_iter().flat_map(Value::each) {
                authors(value, &mut item.authors);
            }
        }
        for name in CODES {
            for concept in root.get(name).into_iter().flat_map(Value::each) {
                item.codes_open |= !collect_codes(concept, &mut item.codes);
            }
        }
        item.codes_open |= root.get("medicationReference").is_some();
        let profiles = root.path(&["meta", "profile"]).into_iter().flat_map(Value::each);
        item.profiles.extend(profiles.filter_map(|url| Some(url.as_str()?.as_ref().into())));
        if labelling.is_part2(&item.references) {
            found.extend(labels::part2());
        }
        item.labels = Labels::new(found);
        item
    }
}

/// `Type/id` of a reference to a resource; other references unchanged, references into the
/// resource itself not at all.
pub(crate) fn relative(reference: &str) -> Option<&str> {
    if reference.is_empty() || reference.starts_with('#') {
        return None;
    }
    if reference.starts_with("urn:") {
        return Some(reference);
    }
    let whole = reference.split_once("/_history/").map_or(reference, |(before, _)| before);
    let mut from_end = whole.rmatch_indices('/').map(|(at, _)| at);
    from_end.next();
    from_end.next().and_then(|at| whole.get(at + 1..)).or(Some(whole))
}

/// Where a resource says who made it. Each holds a reference, or an object that holds one.
const AUTHORS: &[&str] = &[
    "author",
    "performer",
    "recorder",
    "asserter",
    "requester",
    "informationSource",
    "participant",
    "enterer",
    "sender",
    "provider",
    "prescriber",
    "resultsInterpreter",
];

/// Where a resource says what it is about.
const CODES: &[&str] = &[
    "code",
    "type",
    "category",
    "class",
    "vaccineCode",
    "medicationCodeableConcept",
    "serviceType",
    "reasonCode",
];

/// Where a resource says when it was true, best first. The members of a choice exclude each other.
const TIMES: &[&str] = &[
    "effectiveDateTime",
    "effectiveInstant",
    "effectivePeriod",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "onsetDateTime",
    "onsetPeriod",
    "period",
    "started",
    "authoredOn",
    "date",
    "dateTime",
    "dateAsserted",
    "recordedDate",
    "issued",
    "sent",
    "created",
    "billablePeriod",
];

const INLINE_LABEL: &str =
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";

/// Whether the resource says that its elements carry labels of their own. The stricter of those
/// and its own applies, so they are taken together (DS4P, inline security labels).
fn is_inline(root: Value<'_>) -> bool {
    let mut codings = root.path(&["meta", "security"]).into_iter().flat_map(Value::each);
    codings.any(|coding| coding.get("code").is_some_and(|code| code.is_str(PROCESS_INLINE)))
        && Rule::InlineLabels.holds()
}

/// One pass over everything in a resource. Depth is bounded by the parser of the document.
struct Walk<'i> {
    item: &'i mut Item,
    found: &'i mut Vec<Label>,
    inline: bool,
}

impl Walk<'_> {
    /// The resource itself, or one contained in it: its labels and what is in it.
    fn resource(&mut self, resource: Value<'_>) {
        let security = resource.path(&["meta", "security"]).into_iter().flat_map(Value::each);
        self.found.extend(security.map(Label::of_coding));
        for member in resource.members() {
            match member.is_named("contained") {
                true => member.value.each().for_each(|contained| self.resource(contained)),
                // The labels were taken; tags and profiles are no content.
                false if member.is_named("meta") => {}
                false => self.member(member),
            }
        }
    }

    fn object(&mut self, value: Value<'_>) {
        if self.inline && value.get("url").is_some_and(|url| url.is_str(INLINE_LABEL)) {
            self.found.extend(value.get("valueCoding").map(Label::of_coding));
        }
        if value.get("system").is_some() {
            self.coding(value);
        }
        for member in value.members() {
            self.member(member);
        }
        value.items().for_each(|item| self.object(item));
    }

    fn member(&mut self, member: Member<'_>) {
        let value = member.value;
        if member.is_named("reference") {
            let reference = value.as_str();
            let reference = reference.as_deref().and_then(relative).map(Box::from);
            self.item.references.extend(reference);
        }
        if member.is_named("coding") {
            let bare = value.each().filter(|coding| coding.get("system").is_none());
            bare.for_each(|coding| self.coding(coding));
        }
        self.object(value);
    }

    fn coding(&mut self, coding: Value<'_>) {
        let Some(code) = coding.str_at("code") else { return };
        let system = coding.str_at("system").unwrap_or_default();
        if Rule::CodeLists.holds() {
            self.found.extend(labels::of_code(&system, &code));
        }
        self.item.mentions.push((system.as_ref().into(), code.as_ref().into()));
    }
}

fn when(root: Value<'_>) -> Option<Range> {
    let given = TIMES.iter().find_map(|name| time(root.get(name)?));
    let of_context = || time(root.path(&["context", "period"])?);
    given.or_else(of_context).or_else(|| time(root.path(&["meta", "lastUpdated"])?))
}

fn time(value: Value<'_>) -> Option<Range> {
    if let Some(text) = value.as_str() {
        return fhir::time::parse(&text);
    }
    let (start, end) = period(value)?;
    (start.is_some() || end.is_some())
        .then_some(Range { start_ms: start.unwrap_or(i64::MIN), end_ms: end.unwrap_or(i64::MAX) })
}

/// Start and end of a `Period` as half-open milliseconds; the end of a FHIR period is inclusive.
/// `None` where a bound is present and cannot be read.
pub(crate) fn period(value: Value<'_>) -> Option<(Option<i64>, Option<i64>)> {
    let bound = |name: &str| match value.get(name) {
        None => Some(None),
        Some(text) => fhir::time::parse(&text.as_str()?).map(Some),
    };
    let (start, end) = (bound("start")?, bound("end")?);
    Some((start.map(|range| range.start_ms), end.map(|range| range.end_ms)))
}

fn authors(value: Value<'_>, out: &mut Vec<Box<str>>) {
    for holder in [Some(value), value.get("actor"), value.get("individual"), value.get("member")] {
        let reference = holder.and_then(|holder| holder.str_at("reference"));
        out.extend(reference.as_deref().and_then(relative).map(Box::from));
    }
}

/// Takes the codes of a CodeableConcept or Coding; false where it has none.
fn collect_codes(concept: Value<'_>, out: &mut Vec<(Box<str>, Box<str>)>) -> bool {
    let before = out.len();
    let codings = concept.get("coding").into_iter().flat_map(Value::each).chain([concept]);
    for coding in codings {
        if let Some(code) = coding.str_at("code") {
            let system = coding.str_at("system").unwrap_or_default();
            out.push((system.into(), code.into()));
        }
    }
    out.len() > before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_made_relative() {
        for (given, expected) in [
            ("Organization/north", Some("Organization/north")),
            ("https://a.example/fhir/Organization/north", Some("Organization/north")),
            ("Observation/1/_history/2", Some("Observation/1")),
            ("urn:uuid:5", Some("urn:uuid:5")),
            ("#p", None),
            ("", None),
        ] {
            assert_eq!(relative(given), expected, "{given}");
        }
    }

    #[test]
    fn facts_of_an_observation() {
        let text = r#"{"resourceType":"Observation","id":"1","meta":{"lastUpdated":"2024-01-01T00:00:00Z",
            "security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},
            "code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},
            "effectivePeriod":{"start":"2020-02","end":"2020-03-01"},
            "encounter":{"reference":"Encounter/9"},
            "performer":[{"reference":"Practitioner/4"}]}"#;
        let item = Item::of(&Resource::parse(text).expect("resource"));
        assert_eq!(&*item.reference, "Observation/1");
        assert_eq!(item.codes, [("http://loinc.org".into(), "718-7".into())]);
        assert_eq!(item.authors, ["Practitioner/4".into()]);
        assert_eq!(item.references, ["Encounter/9".into(), "Practitioner/4".into()]);
        let when = item.when.map(|when| (when.start_ms, when.end_ms)).expect("time");
        assert_eq!(when, (1_580_515_200_000, 1_583_107_200_000));
        assert!(item.labels.is_sensitive() && !item.codes_open);
    }

    #[test]
    fn inline_labels_count_where_announced() {
        let with = |security: &str| {
            let text = format!(
                r#"{{"resourceType":"Patient","id":"1","meta":{{"security":[{security}]}},
                "telecom":[{{"extension":[{{"url":"{INLINE_LABEL}",
                "valueCoding":{{"system":"{}","code":"V"}}}}]}}]}}"#,
                crate::label::CONFIDENTIALITY
            );
            Item::of(&Resource::parse(text).expect("resource")).labels.is_sensitive()
        };
        assert!(with(r#"{"code":"PROCESSINLINELABEL"}"#));
        assert!(!with(r#"{"code":"N"}"#));
    }
}
