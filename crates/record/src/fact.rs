//! What one resource states, read once when it arrives.

use std::hash::{DefaultHasher, Hash, Hasher};

use fhir::{Resource, Value};

use crate::amount::{Amount, amount};
use crate::demographics::{Demographics, demographics};
use crate::dose::{Dose, dose};
use crate::read::{Concept, When, first_code, text_of};

/// Business identifiers of one resource that are looked at.
const MAX_IDENTIFIERS: usize = 20;
/// Categories, attachments and contained resources of one resource that are looked at.
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
            "Account"
            | "Claim"
            | "ClaimResponse"
            | "Coverage"
            | "ExplanationOfBenefit"
            | "Invoice"
            | "PaymentNotice"
            | "PaymentReconciliation" => Self::Financial,
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
