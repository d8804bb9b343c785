//! What one resource states, read once when it arrives.

use std::hash::{DefaultHasher, Hash, Hasher};

use fhir::{Kind as Json, Resource, Value};

use crate::read::{Concept, When, decimal_key, first_code, text_of, wording};

/// Business identifiers of one resource that are looked at.
const MAX_IDENTIFIERS: usize = 20;
/// Components, attachments and names of one resource that are looked at.
const MAX_PARTS: usize = 50;

/// Types whose content is compared; everything else is compared by identifier only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Patient,
    Condition,
    Allergy,
    /// MedicationRequest and MedicationStatement.
    Medication,
    Immunization,
    Observation,
    Procedure,
    Report,
    Document,
    Encounter,
    /// Bills and insurance: their identifiers are shared by whole groups of claims.
    Financial,
    Other,
}

impl Kind {
    fn of(type_name: &str) -> Self {
        match type_name {
            "Patient" => Self::Patient,
            "Condition" => Self::Condition,
            "AllergyIntolerance" => Self::Allergy,
            "MedicationRequest" | "MedicationStatement" => Self::Medication,
            "Immunization" => Self::Immunization,
            "Observation" => Self::Observation,
            "Procedure" => Self::Procedure,
            "DiagnosticReport" => Self::Report,
            "DocumentReference" => Self::Document,
            "Encounter" => Self::Encounter,
            "Account" | "Claim" | "ClaimResponse" | "Coverage" | "ExplanationOfBenefit"
            | "Invoice" | "PaymentNotice" | "PaymentReconciliation" => Self::Financial,
            _ => Self::Other,
        }
    }
}

/// What a resource states.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub kind: Kind,
    pub concept: Concept,
    pub start: Option<When>,
    pub end: Option<When>,
    /// `status`, or `clinicalStatus` where the type has one.
    pub status: String,
    /// `verificationStatus`.
    pub verification: String,
    pub categories: Vec<String>,
    /// `system|value` of each identifier that has both.
    pub identifiers: Vec<String>,
    pub amount: Option<Amount>,
    pub dose: Option<Dose>,
    /// `medicationReference`, to be looked up among the items of the same source.
    pub medication: Option<String>,
    pub contents: Vec<Content>,
    pub person: Option<Box<Demographics>>,
}

/// A value of an Observation.
#[derive(Clone, Debug)]
pub(crate) enum Amount {
    Quantity {
        /// Comparator and value in one spelling.
        number: String,
        /// Comparator and value as written.
        shown: String,
        /// The unit as written.
        unit: String,
        /// The code of the unit, or the unit where it has none.
        unit_key: String,
    },
    Concept(Concept),
    Text(String),
    /// Any other data type: its members in a fixed order.
    Other(String),
    Parts(Vec<(Concept, Amount)>),
}

/// How much of a medicine is taken how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dose {
    pub text: Option<String>,
    /// Quantity and unit of one dose.
    pub quantity: Option<(String, String)>,
    /// Times per period.
    pub timing: Option<(String, String, String)>,
}

/// What identifies the content of an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// `Attachment.hash`.
    pub hash: Option<String>,
    /// Length and a quick hash of `Attachment.data`; equal data has an equal key.
    pub data: Option<(usize, u64)>,
    /// `Attachment.url` where it is absolute.
    pub url: Option<String>,
}

/// Demographics of a Patient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demographics {
    pub birth_date: Option<String>,
    pub gender: Option<String>,
    /// Family and given names of the current official or usual name.
    pub name: Option<(String, String)>,
    /// Every name, reduced to its words in lower case, to compare.
    pub names: Vec<(String, String)>,
    pub deceased: Option<bool>,
    pub deceased_on: Option<String>,
}

impl Fact {
    pub fn read(resource: &Resource) -> Self {
        let root = resource.root();
        let kind = Kind::of(resource.type_name());
        let (start, end) = times(root, kind);
        Self {
            kind,
            concept: concept(root, kind, resource.type_name()),
            start,
            end,
            status: status(root, kind),
            verification: first_code(root.get("verificationStatus")),
            categories: categories(root),
            identifiers: identifiers(root),
            amount: (kind == Kind::Observation).then(|| amount(root)).flatten(),
            dose: (kind == Kind::Medication).then(|| dose(root)),
            medication: root
                .path(&["medicationReference", "reference"])
                .and_then(|value| text_of(value.as_str())),
            contents: contents(root),
            person: (kind == Kind::Patient).then(|| Box::new(demographics(root))),
        }
    }

    /// Whether the source has taken the statement back.
    pub fn is_retracted(&self) -> bool {
        self.status == "entered-in-error" || self.verification == "entered-in-error"
    }

    pub fn is_refuted(&self) -> bool {
        self.verification == "refuted"
    }

    /// Whether the statement stands for now: an active problem, allergy or medicine.
    pub fn is_active(&self) -> bool {
        if self.is_retracted() || self.is_refuted() {
            return false;
        }
        match self.kind {
            // A missing clinical status of a problem or allergy is read as active unless it has
            // ended: to hide a current problem is the worse error.
            Kind::Condition | Kind::Allergy => {
                matches!(self.status.as_str(), "active" | "recurrence" | "relapse")
                    || (self.status.is_empty() && self.end.is_none())
            }
            Kind::Medication => matches!(self.status.as_str(), "active" | "intended" | "on-hold"),
            Kind::Encounter => {
                matches!(self.status.as_str(), "arrived" | "triaged" | "in-progress" | "onleave")
            }
            _ => matches!(self.status.as_str(), "active" | "in-progress" | "current"),
        }
    }
}

impl Amount {
    /// Whether both state the same value in the same unit.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Quantity { number, unit_key, .. },
                Self::Quantity { number: other_number, unit_key: other_unit, .. },
            ) => number == other_number && unit_key == other_unit,
            (Self::Concept(a), Self::Concept(b)) => a.matches(b).is_some(),
            (Self::Text(a), Self::Text(b)) => wording(a) == wording(b),
            (Self::Other(a), Self::Other(b)) => a == b,
            (Self::Parts(a), Self::Parts(b)) => {
                let found = |(code, part): &(Concept, Self)| {
                    b.iter().any(|(other, value)| {
                        code.matches(other).is_some() && part.is_same(value)
                    })
                };
                a.len() == b.len() && a.iter().all(found)
            }
            _ => false,
        }
    }

    /// Whether the two can be compared at all: the same data type and, for quantities, unit.
    pub fn is_comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quantity { unit_key, .. }, Self::Quantity { unit_key: other, .. }) => {
                unit_key == other
            }
            (Self::Parts(a), Self::Parts(b)) => a.iter().all(|(code, part)| {
                let twin = b.iter().find(|(other, _)| code.matches(other).is_some());
                twin.is_none_or(|(_, value)| part.is_comparable(value))
            }),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// A text under which every equal value is found.
    pub fn key(&self) -> &str {
        match self {
            Self::Quantity { number, .. } => number,
            _ => "",
        }
    }

    /// The value as a person reads it.
    pub fn shown(&self) -> String {
        match self {
            Self::Quantity { shown, unit, .. } if unit.is_empty() => shown.clone(),
            Self::Quantity { shown, unit, .. } => format!("{shown} {unit}"),
            Self::Concept(concept) => concept.label(),
            Self::Text(text) => text.clone(),
            Self::Other(raw) => crate::read::cut(raw, 100).0,
            Self::Parts(parts) => {
                let part = |(code, value): &(Concept, Self)| {
                    format!("{}: {}", code.label(), value.shown())
                };
                parts.iter().map(part).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

impl Dose {
    /// Whether a field that both state differs.
    pub fn differs(&self, other: &Self) -> bool {
        fn both<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> Option<bool> {
            Some(a.as_ref()? != b.as_ref()?)
        }
        let coded = [both(&self.quantity, &other.quantity), both(&self.timing, &other.timing)];
        if coded.iter().any(Option::is_some) {
            return coded.contains(&Some(true));
        }
        match (&self.text, &other.text) {
            (Some(a), Some(b)) => wording(a) != wording(b),
            _ => false,
        }
    }

    /// The dose as a person reads it, where anything is known.
    pub fn shown(&self) -> Option<String> {
        if self.text.is_some() {
            return self.text.clone();
        }
        let quantity = self.quantity.as_ref().map(|(value, unit)| match unit.as_str() {
            "" => value.clone(),
            unit => format!("{value} {unit}"),
        });
        let timing = self.timing.as_ref().map(|(times, period, unit)| {
            let unit = match unit.as_str() {
                "s" => "second",
                "min" => "minute",
                "h" => "hour",
                "d" => "day",
                "wk" => "week",
                "mo" => "month",
                "a" => "year",
                other => other,
            };
            match decimal_key(period) == decimal_key("1") {
                true => format!("{times} time(s) per {unit}"),
                false => format!("{times} time(s) per {period} {unit}s"),
            }
        });
        match (quantity, timing) {
            (Some(quantity), Some(timing)) => Some(format!("{quantity}, {timing}")),
            (quantity, timing) => quantity.or(timing),
        }
    }
}

fn concept(root: Value<'_>, kind: Kind, type_name: &str) -> Concept {
    let read = |name: &str| Concept::read(root.get(name));
    let first = |name: &str| Concept::read(root.get(name).and_then(|value| value.each().next()));
    match kind {
        Kind::Medication => medication_concept(root),
        Kind::Immunization => read("vaccineCode"),
        Kind::Document => read("type"),
        Kind::Encounter => first("type"),
        Kind::Allergy => {
            let code = read("code");
            if !code.is_empty() {
                return code;
            }
            let reaction = root.get("reaction").and_then(|value| value.each().next());
            Concept::read(reaction.and_then(|value| value.get("substance")))
        }
        _ if type_name == "CarePlan" || type_name == "CareTeam" => {
            let mut last = Concept::default();
            for value in root.get("category").into_iter().flat_map(Value::each).take(MAX_PARTS) {
                last = Concept::read(Some(value));
            }
            last
        }
        _ if type_name.starts_with("Medication") && type_name != "Medication" => {
            medication_concept(root)
        }
        _ => ["code", "type", "procedureCode", "description", "relationship", "serviceType"]
            .into_iter()
            .map(first)
            .find(|concept| !concept.is_empty())
            .unwrap_or_default(),
    }
}

/// `medicationCodeableConcept`, or the code of a contained Medication.
fn medication_concept(root: Value<'_>) -> Concept {
    let coded = Concept::read(root.get("medicationCodeableConcept"));
    if !coded.is_empty() {
        return coded;
    }
    let reference = root.path(&["medicationReference", "reference"]).and_then(Value::as_str);
    let local = reference.as_deref().and_then(|reference| reference.strip_prefix('#'));
    let contained = root.get("contained").into_iter().flat_map(Value::each).take(MAX_PARTS);
    let mut found = local.and_then(|id| {
        contained.into_iter().find(|value| value.get("id").is_some_and(|found| found.is_str(id)))
    });
    Concept::read(found.take().and_then(|medication| medication.get("code")))
}

fn status(root: Value<'_>, kind: Kind) -> String {
    match kind {
        Kind::Condition | Kind::Allergy => first_code(root.get("clinicalStatus")),
        _ => root.str_at("status").unwrap_or_default().into_owned(),
    }
}

fn categories(root: Value<'_>) -> Vec<String> {
    let mut codes = Vec::new();
    for category in root.get("category").into_iter().flat_map(Value::each).take(MAX_PARTS) {
        // AllergyIntolerance.category is a plain code, others are CodeableConcepts.
        match category.as_str() {
            Some(code) => codes.push(code.into_owned()),
            None => {
                for coding in category.get("coding").into_iter().flat_map(Value::each) {
                    codes.extend(coding.str_at("code").map(|code| code.into_owned()));
                }
            }
        }
    }
    codes.truncate(MAX_PARTS);
    codes
}

fn identifiers(root: Value<'_>) -> Vec<String> {
    let listed = root.get("identifier").into_iter().flat_map(Value::each);
    let master = root.get("masterIdentifier").into_iter();
    let token = |value: Value<'_>| {
        let (system, value) = (value.str_at("system")?, value.str_at("value")?);
        let full = !system.trim().is_empty() && !value.trim().is_empty();
        full.then(|| format!("{}|{}", system.trim(), value.trim()))
    };
    listed.chain(master).take(MAX_IDENTIFIERS).filter_map(token).collect()
}

/// The members that say when something was, best first, and when it ended.
fn times(root: Value<'_>, kind: Kind) -> (Option<When>, Option<When>) {
    let at = |path: &[&str]| When::read(root.path(path));
    let first = |paths: &[&[&str]]| paths.iter().find_map(|path| at(path));
    match kind {
        Kind::Condition => (
            first(&[&["onsetDateTime"], &["onsetPeriod", "start"]]),
            first(&[&["abatementDateTime"], &["abatementPeriod", "end"], &["onsetPeriod", "end"]]),
        ),
        Kind::Allergy => (first(&[&["onsetDateTime"], &["recordedDate"]]), None),
        Kind::Medication => medication_times(root),
        Kind::Document => (first(&[&["date"], &["context", "period", "start"]]), None),
        _ => (
            first(&[
                &["effectiveDateTime"],
                &["effectiveInstant"],
                &["effectivePeriod", "start"],
                &["performedDateTime"],
                &["performedPeriod", "start"],
                &["occurrenceDateTime"],
                &["occurrencePeriod", "start"],
                &["period", "start"],
                &["started"],
                &["whenHandedOver"],
                &["authoredOn"],
                &["recordedDate"],
                &["created"],
                &["date"],
                &["recorded"],
            ]),
            first(&[
                &["effectivePeriod", "end"],
                &["performedPeriod", "end"],
                &["occurrencePeriod", "end"],
                &["period", "end"],
            ]),
        ),
    }
}

fn medication_times(root: Value<'_>) -> (Option<When>, Option<When>) {
    let bounds = |end: &str| {
        let dosages = root.get("dosageInstruction").or_else(|| root.get("dosage"))?;
        let first = dosages.each().next()?;
        When::read(first.path(&["timing", "repeat", "boundsPeriod", end]))
    };
    let at = |path: &[&str]| When::read(root.path(path));
    let start = at(&["effectivePeriod", "start"])
        .or_else(|| at(&["effectiveDateTime"]))
        .or_else(|| at(&["authoredOn"]))
        .or_else(|| bounds("start"))
        .or_else(|| at(&["dateAsserted"]));
    let end = at(&["effectivePeriod", "end"])
        .or_else(|| bounds("end"))
        .or_else(|| at(&["dispenseRequest", "validityPeriod", "end"]));
    (start, end)
}

fn amount(root: Value<'_>) -> Option<Amount> {
    if let Some(value) = value_of(root) {
        return Some(value);
    }
    let mut parts = Vec::new();
    for component in root.get("component").into_iter().flat_map(Value::each).take(MAX_PARTS) {
        if let Some(value) = value_of(component) {
            parts.push((Concept::read(component.get("code")), value));
        }
    }
    (!parts.is_empty()).then_some(Amount::Parts(parts))
}

/// The `value[x]` of an Observation or of one of its components.
fn value_of(holder: Value<'_>) -> Option<Amount> {
    let member = holder.members().find(|member| {
        member.name().strip_prefix("value").is_some_and(|rest| rest.starts_with(char::is_uppercase))
    })?;
    let value = member.value;
    Some(match member.name().as_ref() {
        "valueQuantity" => {
            let digits = value.get("value").and_then(Value::as_number)?;
            let (number, shown) = (decimal_key(digits), digits);
            let comparator = value.str_at("comparator").unwrap_or_default();
            let (unit, code) = (text_of(value.str_at("unit")), text_of(value.str_at("code")));
            Amount::Quantity {
                number: format!("{comparator}{number}"),
                shown: format!("{comparator}{shown}"),
                unit: unit.clone().or_else(|| code.clone()).unwrap_or_default(),
                unit_key: code.or(unit).unwrap_or_default(),
            }
        }
        "valueCodeableConcept" => Amount::Concept(Concept::read(Some(value))),
        "valueInteger" => Amount::Quantity {
            number: decimal_key(value.as_number()?),
            shown: value.as_number()?.to_owned(),
            unit: String::new(),
            unit_key: String::new(),
        },
        _ => match value.kind() {
            Json::String => Amount::Text(text_of(value.as_str())?),
            Json::Null => return None,
            _ => Amount::Other(canonical(value)),
        },
    })
}

/// The members of a value in the order of their names, without white space.
fn canonical(value: Value<'_>) -> String {
    match value.kind() {
        Json::Object => {
            let mut members: Vec<String> = value
                .members()
                .map(|member| format!("{}: {}", member.name(), canonical(member.value)))
                .collect();
            members.sort();
            members.join(", ")
        }
        Json::Array => value.items().map(canonical).collect::<Vec<_>>().join(", "),
        Json::Number => decimal_shown(value.raw()),
        _ => value.as_str().map_or_else(|| value.raw().to_owned(), |text| text.into_owned()),
    }
}

fn decimal_shown(digits: &str) -> String {
    match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.contains(['e', 'E']) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        _ => digits.to_owned(),
    }
}

fn dose(root: Value<'_>) -> Dose {
    let dosages = root.get("dosageInstruction").or_else(|| root.get("dosage"));
    let Some(first) = dosages.and_then(|dosages| dosages.each().next()) else {
        return Dose::default();
    };
    let rate = first.get("doseAndRate").and_then(|rates| rates.each().next());
    let quantity = rate.and_then(|rate| rate.get("doseQuantity")).and_then(|quantity| {
        let value = decimal_shown(quantity.get("value")?.as_number()?);
        let unit = quantity.str_at("unit").or_else(|| quantity.str_at("code"));
        Some((value, text_of(unit).unwrap_or_default()))
    });
    let timing = first.path(&["timing", "repeat"]).and_then(|repeat| {
        let number = |name: &str| repeat.get(name).and_then(Value::as_number).map(decimal_shown);
        let unit = repeat.str_at("periodUnit")?.into_owned();
        Some((number("frequency").unwrap_or_else(|| "1".into()), number("period")?, unit))
    });
    Dose { text: text_of(first.str_at("text")), quantity, timing }
}

fn contents(root: Value<'_>) -> Vec<Content> {
    attachments(root)
        .map(|attachment| Content {
            hash: text_of(attachment.str_at("hash")),
            data: attachment.get("data").and_then(Value::as_str).map(|data| {
                let mut hasher = DefaultHasher::new();
                data.hash(&mut hasher);
                (data.len(), hasher.finish())
            }),
            url: text_of(attachment.str_at("url")).filter(|url| url.contains("://")),
        })
        .collect()
}

/// The attachments of a DocumentReference or DiagnosticReport.
pub(crate) fn attachments(root: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let documents = root.get("content").into_iter().flat_map(Value::each);
    let documents = documents.filter_map(|content| content.get("attachment"));
    let forms = root.get("presentedForm").into_iter().flat_map(Value::each);
    documents.chain(forms).take(MAX_PARTS)
}

fn demographics(root: Value<'_>) -> Demographics {
    let mut found = Demographics {
        birth_date: text_of(root.str_at("birthDate")),
        gender: text_of(root.str_at("gender")),
        deceased: root.get("deceasedBoolean").and_then(Value::as_bool),
        deceased_on: text_of(root.str_at("deceasedDateTime")),
        ..Demographics::default()
    };
    if found.deceased_on.is_some() {
        found.deceased = Some(true);
    }
    let mut best = 0;
    for name in root.get("name").into_iter().flat_map(Value::each).take(MAX_PARTS) {
        let given: Vec<_> = name
            .get("given")
            .into_iter()
            .flat_map(Value::each)
            .filter_map(Value::as_str)
            .take(MAX_PARTS)
            .collect();
        let family = name.str_at("family").unwrap_or_default();
        let rank = match name.str_at("use").as_deref() {
            Some("official") => 3,
            Some("usual") | None => 2,
            _ => 1,
        };
        let shown = (text_of(Some(family.clone())), text_of(Some(given.join(" ").into())));
        let (family_shown, given_shown) =
            (shown.0.unwrap_or_default(), shown.1.unwrap_or_default());
        if family_shown.is_empty() && given_shown.is_empty() {
            continue;
        }
        found.names.push((
            wording(&family_shown),
            wording(given.first().map(|first| first.as_ref()).unwrap_or_default()),
        ));
        if rank > best {
            best = rank;
            found.name = Some((family_shown, given_shown));
        }
    }
    found
}
