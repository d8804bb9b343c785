//! The text that is signed: one form for each meaning, so that whoever reads it and writes it
//! again comes to the same bytes.

use fhir::json::quote;
use fhir::time::instant;

use super::terms::{Class, Clause, Terms};
use crate::label::{ACT_CODE, CONFIDENTIALITY, Label};
use crate::purpose;

pub(super) const PROFILE: &str = "https://consilium.health/fhir/StructureDefinition/agreement";
pub(super) const REPLACES: &str =
    "https://consilium.health/fhir/StructureDefinition/agreement-replaces";
pub(super) const NOTICE: &str =
    "https://consilium.health/fhir/StructureDefinition/agreement-notice";
pub(super) const ID_SYSTEM: &str = "urn:consilium:agreement";
pub(super) const CONTRACT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/contract-type";
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
pub(super) const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";
pub(super) const ABSTRACT_TYPES: &str = "http://hl7.org/fhir/abstract-types";
pub(super) const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
pub(super) const ACTION_STATUS: &str = "http://hl7.org/fhir/contract-action-status";

impl Terms {
    /// The text, as a FHIR R4 Contract in JSON.
    pub fn text(&self) -> String {
        let mut extensions = String::new();
        if let Some(replaces) = &self.replaces {
            extensions = format!(r#"{{"url":"{REPLACES}","valueString":{}}},"#, quote(replaces));
        }
        let notice = self.notice_days;
        let parties = list(&self.parties, |party| {
            let reference = quote(&format!("Organization/{}", party.org));
            format!(r#"{{"reference":{reference},"display":{}}}"#, quote(&party.name))
        });
        format!(
            r#"{{"resourceType":"Contract","extension":[{extensions}{{"url":"{NOTICE}","valueDuration":{{"value":{notice},"unit":"days","system":"http://unitsofmeasure.org","code":"d"}}}}],"identifier":[{{"system":"{ID_SYSTEM}","value":{}}}],"version":"{}","instantiatesUri":"{PROFILE}","issued":"{}","applies":{{"start":"{}","end":"{}"}},"subject":[{parties}],"title":{},"type":{},"term":[{}]}}"#,
            quote(&self.id),
            self.version,
            instant(self.issued_ms),
            instant(self.from_ms),
            instant(self.until_ms),
            quote(&self.title),
            concept(CONTRACT_TYPE, "disclosure"),
            list(&self.clauses, clause),
        )
    }
}

fn clause(clause: &Clause) -> String {
    let mut label =
        format!(r#""classification":{}"#, coding(CONFIDENTIALITY, clause.ceiling.code()));
    if !clause.topics.is_empty() {
        let topics = list(&clause.topics, |topic| coding(ACT_CODE, topic_code(topic)));
        label += &format!(r#","category":[{topics}]"#);
    }
    if !clause.obligations.is_empty() {
        let control = list(&clause.obligations, |one| coding(ACT_CODE, one.code()));
        label += &format!(r#","control":[{control}]"#);
    }
    let party = |orgs: &Vec<Box<str>>, role: &str| {
        let references = list(orgs, |org| {
            format!(r#"{{"reference":{}}}"#, quote(&format!("Organization/{org}")))
        });
        format!(r#"{{"reference":[{references}],"role":{}}}"#, concept(PARTICIPATION, role))
    };
    let (asks, answers) = (party(&clause.asks, "IRCP"), party(&clause.answers, "CST"));
    let assets = list(&clause.classes, class);
    let actions = list(&clause.purposes, |purpose| {
        format!(
            r#"{{"type":{},"intent":{},"status":{}}}"#,
            concept(CONSENT_ACTION, "disclose"),
            concept(purpose::SYSTEM, purpose.code()),
            concept(ACTION_STATUS, "complete"),
        )
    });
    format!(
        r#"{{"securityLabel":[{{{label}}}],"offer":{{"party":[{asks},{answers}]}},"asset":[{assets}],"action":[{actions}]}}"#
    )
}

fn class(class: &Class) -> String {
    let kind = match class.kind {
        Some(kind) => concept(RESOURCE_TYPES, kind),
        None => concept(ABSTRACT_TYPES, "Resource"),
    };
    let mut out = format!(r#"{{"type":[{kind}]"#);
    if !class.categories.is_empty() {
        let categories = list(&class.categories, |(system, code)| concept(system, code));
        out += &format!(r#","subtype":[{categories}]"#);
    }
    out + "}"
}

/// The code of a topic or law.
pub(super) fn topic_code(label: &Label) -> &str {
    match label {
        Label::Sensitive(topic) => topic.code(),
        Label::Law(law) => law,
        _ => "",
    }
}

fn coding(system: &str, code: &str) -> String {
    format!(r#"{{"system":{},"code":{}}}"#, quote(system), quote(code))
}

fn concept(system: &str, code: &str) -> String {
    format!(r#"{{"coding":[{}]}}"#, coding(system, code))
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    items.iter().map(text).collect::<Vec<_>>().join(",")
}
