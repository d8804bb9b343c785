//! What can be said of one resource.

use fhir::time::Range;
use serde_json::Value;

use super::super::generate::Patient;

/// Degrees of confidentiality, least first.
pub(super) const DEGREES: [&str; 6] = ["U", "L", "M", "N", "R", "V"];
/// The topics that worlds have, each with the one above it.
const TOPICS: [(&str, &str); 7] = [
    ("HIV", ""),
    ("SPI", ""),
    ("SUD", "SPI"),
    ("ETHUD", "SUD"),
    ("OPIOIDUD", "SUD"),
    ("PSY", "SPI"),
    ("MH", "SPI"),
];
/// The codes that worlds have and that make a resource sensitive.
const LISTED: [(&str, &str); 2] = [("F10.20", "ETHUD"), ("B20", "HIV")];

pub(super) struct Facts<'r> {
    pub resource: &'r Value,
    patient: &'r Patient,
    pub degree: usize,
    pub topics: Vec<String>,
    pub laws: Vec<String>,
    /// Every label, by system and code.
    pub labels: Vec<(String, String)>,
}

pub(super) fn is_topic(code: &str) -> bool {
    TOPICS.iter().any(|(topic, _)| *topic == code)
}

/// Whether a topic is another one or below it.
pub(super) fn is_within(topic: &str, other: &str) -> bool {
    let mut at = topic;
    while !at.is_empty() {
        if at == other {
            return true;
        }
        at = TOPICS.iter().find(|(topic, _)| *topic == at).map_or("", |(_, above)| above);
    }
    false
}

impl<'r> Facts<'r> {
    pub(super) fn of(resource: &'r Value, patient: &'r Patient) -> Self {
        let mut labels = Vec::new();
        let stated = resource["meta"]["security"].as_array().cloned().unwrap_or_default();
        let inline = stated.iter().any(|label| label["code"] == "PROCESSINLINELABEL");
        labels.extend(stated.iter().map(pair));
        every_object(resource, &mut |object| {
            let url = object["url"].as_str().unwrap_or_default();
            if inline && url.ends_with("/extension-inline-sec-label") {
                labels.push(pair(&object["valueCoding"]));
            }
        });
        let degrees = labels.iter().filter_map(|(_, code)| DEGREES.iter().position(|d| d == code));
        let degree = degrees.max();
        let mut topics: Vec<String> = Vec::new();
        let mut laws = Vec::new();
        for (_, code) in &labels {
            if is_topic(code) {
                topics.push(code.clone());
            } else if code == "42CFRPart2" {
                laws.push(code.clone());
            }
        }
        for (system, code) in codes_anywhere(resource) {
            let listed = LISTED.iter().find(|(listed, _)| *listed == code);
            if system.ends_with("icd-10-cm") {
                topics.extend(listed.map(|(_, topic)| (*topic).to_owned()));
            }
        }
        let restricted = if topics.is_empty() && laws.is_empty() { 0 } else { 4 };
        let degree = degree.unwrap_or(3).max(restricted);
        Self { resource, patient, degree, topics, laws, labels }
    }

    pub(super) fn is_sensitive(&self) -> bool {
        self.degree >= 4
    }

    pub(super) fn kind(&self) -> &str {
        self.resource["resourceType"].as_str().unwrap_or_default()
    }

    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.kind(), self.resource["id"].as_str().unwrap_or_default())
    }

    /// When it was true, else when it was last updated: from and to, in milliseconds since the
    /// Unix epoch.
    pub(super) fn when(&self) -> Option<Range> {
        let r = self.resource;
        let point =
            ["effectiveDateTime", "performedDateTime", "authoredOn", "date", "recordedDate"];
        if let Some(text) = point.iter().find_map(|name| r[*name].as_str()) {
            return fhir::time::parse(text);
        }
        let bound = |name: &str| fhir::time::parse(r["period"][name].as_str()?);
        let (Some(start), Some(end)) = (bound("start"), bound("end")) else {
            return fhir::time::parse(r["meta"]["lastUpdated"].as_str()?);
        };
        Some(Range { start_ms: start.start_ms, end_ms: end.end_ms })
    }

    /// What it is about, and whether it may be about more.
    pub(super) fn about(&self) -> (Vec<(String, String)>, bool) {
        let (mut codes, mut open) = (Vec::new(), false);
        for name in ["code", "type", "category", "class", "medicationCodeableConcept"] {
            let value = &self.resource[name];
            let concepts = match value {
                Value::Null => Vec::new(),
                Value::Array(list) => list.clone(),
                one => vec![one.clone()],
            };
            for concept in concepts {
                let codings = concept["coding"].as_array().cloned().unwrap_or_default();
                let coded = codings.iter().chain([&concept]).filter(|it| it["code"].is_string());
                let before = codes.len();
                codes.extend(coded.map(pair));
                open |= codes.len() == before;
            }
        }
        (codes, open)
    }

    pub(super) fn authors(&self) -> Vec<String> {
        let mut authors = Vec::new();
        for name in ["author", "performer", "recorder", "requester"] {
            references(&self.resource[name], &mut authors);
        }
        authors
    }

    pub(super) fn refers_to(&self, other: &str) -> bool {
        let mut all = Vec::new();
        references(self.resource, &mut all);
        all.iter().any(|reference| reference == other)
    }

    /// Whether the resource `other` of the same record refers to this one.
    pub(super) fn is_referred_by(&self, other: &str) -> bool {
        let held = self.patient.resources.iter().find(|held| held.reference == other);
        held.is_some_and(|held| {
            let mut all = Vec::new();
            references(&held.resource, &mut all);
            all.contains(&self.reference())
        })
    }
}

/// System and code of every coding in a resource, its labels left out.
pub(super) fn codes_anywhere(resource: &Value) -> Vec<(String, String)> {
    let mut content = resource.clone();
    content["meta"] = Value::Null;
    let mut found = Vec::new();
    every_object(&content, &mut |object| {
        if object["code"].is_string() && object["system"].is_string() {
            found.push(pair(object));
        }
    });
    found
}

fn pair(coding: &Value) -> (String, String) {
    let text = |name: &str| coding[name].as_str().unwrap_or_default().to_owned();
    (text("system"), text("code"))
}

fn every_object(value: &Value, see: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(members) => {
            see(value);
            members.values().for_each(|inner| every_object(inner, see));
        }
        Value::Array(items) => items.iter().for_each(|inner| every_object(inner, see)),
        _ => {}
    }
}

fn references(value: &Value, out: &mut Vec<String>) {
    every_object(value, &mut |object| {
        out.extend(object["reference"].as_str().map(str::to_owned));
    });
}
