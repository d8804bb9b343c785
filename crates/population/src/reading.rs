//! Events from FHIR R4 resources.
//!
//! | resource | kind | when, the first that is there | not read |
//! |---|---|---|---|
//! | Condition | condition | onsetDateTime, onsetPeriod.start, recordedDate | refuted, entered in error |
//! | Observation | observation | effectiveDateTime, effectiveInstant, effectivePeriod.start | cancelled, entered in error |
//! | MedicationRequest | medication | authoredOn | draft, cancelled, entered in error, doNotPerform |
//! | MedicationAdministration, MedicationStatement | medication | effectiveDateTime, effectivePeriod.start, dateAsserted | not done, not taken, entered in error |
//! | MedicationDispense | medication | whenHandedOver, whenPrepared | cancelled, declined, entered in error |
//! | Procedure | procedure | performedDateTime, performedPeriod.start | preparation, not done, entered in error |
//! | Immunization | immunization | occurrenceDateTime | not done, entered in error |
//! | AllergyIntolerance | allergy | onsetDateTime, onsetPeriod.start, recordedDate | refuted, entered in error |
//! | Encounter | encounter | period.start | planned, cancelled, entered in error |
//!
//! A component of an Observation is an event of its own beside the whole. The value is `valueQuantity` (unit: its
//! code, else its text) or `valueInteger`; a quantity with a comparator (`<`, `>`) is no number and has no
//! value. A resource with a `modifierExtension` is not read: what it says may be the opposite (FHIR R4,
//! section 2.4.1). A date that is none is unknown.

use std::borrow::Cow;

use fhir::Value;

use crate::day::When;
use crate::event::{Coding, Death, Event, Kind, Person, Quantity, Sex};

/// What a resource says.
#[derive(Clone, Debug, PartialEq)]
pub enum Read<'a> {
    /// Demographics: a Patient.
    Person(Person),
    /// Events of the person that `subject` refers to.
    Events {
        /// The reference as written; `None` where the resource is about nobody.
        subject: Option<Cow<'a, str>>,
        /// One event, and one for each component of an Observation; none of what did not happen.
        events: Vec<Event<'a>>,
    },
    /// Nothing that a cohort can ask for.
    Nothing,
}

/// Reads a resource. `medication` gives the codes of a Medication that is referred to and not contained.
pub fn events_of<'a>(
    resource: Value<'a>,
    medication: &impl Fn(&str) -> Vec<Coding<'static>>,
) -> Read<'a> {
    let name = resource.str_at("resourceType").unwrap_or_default();
    let (kind, rule) = match &*name {
        "Patient" => return Read::Person(person(resource)),
        "Condition" => (Kind::Condition, &CONDITION),
        "Observation" => (Kind::Observation, &OBSERVATION),
        "MedicationRequest" => (Kind::Medication, &REQUEST),
        "MedicationAdministration" | "MedicationStatement" => (Kind::Medication, &GIVEN),
        "MedicationDispense" => (Kind::Medication, &DISPENSE),
        "Procedure" => (Kind::Procedure, &PROCEDURE),
        "Immunization" => (Kind::Immunization, &IMMUNIZATION),
        "AllergyIntolerance" => (Kind::Allergy, &ALLERGY),
        "Encounter" => (Kind::Encounter, &ENCOUNTER),
        _ => return Read::Nothing,
    };
    let subject = resource.get("subject").or_else(|| resource.get("patient"));
    let subject = subject.and_then(|subject| subject.str_at("reference"));
    let happened = rule.happened(resource);
    let events = if happened { events(resource, kind, rule, medication) } else { Vec::new() };
    Read::Events { subject, events }
}

/// The last part of a reference: the id of `Encounter/1`, `http://host/Encounter/1/_history/2`, `urn:uuid:1`.
pub fn id_of(reference: &str) -> &str {
    let current = reference.split("/_history/").next().unwrap_or(reference);
    current.rsplit(['/', ':']).next().unwrap_or(current)
}

struct Rule {
    code: &'static str,
    when: &'static [&'static [&'static str]],
    /// Statuses of what did not happen.
    not: &'static [&'static str],
}

const CONDITION: Rule = Rule {
    code: "code",
    when: &[&["onsetDateTime"], &["onsetPeriod", "start"], &["recordedDate"]],
    not: &["refuted", "entered-in-error"],
};
const ALLERGY: Rule = Rule { ..CONDITION };
const OBSERVATION: Rule = Rule {
    code: "code",
    when: &[&["effectiveDateTime"], &["effectiveInstant"], &["effectivePeriod", "start"]],
    not: &["cancelled", "entered-in-error"],
};
const REQUEST: Rule = Rule {
    code: MEDICATION,
    when: &[&["authoredOn"]],
    not: &["draft", "cancelled", "entered-in-error"],
};
const GIVEN: Rule = Rule {
    code: MEDICATION,
    when: &[&["effectiveDateTime"], &["effectivePeriod", "start"], &["dateAsserted"]],
    not: &["not-done", "not-taken", "entered-in-error"],
};
const DISPENSE: Rule = Rule {
    code: MEDICATION,
    when: &[&["whenHandedOver"], &["whenPrepared"]],
    not: &["cancelled", "declined", "entered-in-error"],
};
const PROCEDURE: Rule = Rule {
    code: "code",
    when: &[&["performedDateTime"], &["performedPeriod", "start"]],
    not: &["preparation", "not-done", "entered-in-error"],
};
const IMMUNIZATION: Rule = Rule {
    code: "vaccineCode",
    when: &[&["occurrenceDateTime"]],
    not: &["not-done", "entered-in-error"],
};
const ENCOUNTER: Rule = Rule {
    code: "type",
    when: &[&["period", "start"]],
    not: &["planned", "cancelled", "entered-in-error"],
};
const MEDICATION: &str = "medicationCodeableConcept";

impl Rule {
    fn happened(&self, resource: Value<'_>) -> bool {
        let denied = |value: Value<'_>| self.not.iter().any(|not| value.is_str(not));
        let verification = resource
            .get("verificationStatus")
            .and_then(|concept| concept.get("coding"))
            .is_some_and(|codings| {
                codings.items().any(|coding| coding.get("code").is_some_and(denied))
            });
        let modified = resource.get("modifierExtension").is_some();
        let forbidden = resource.get("doNotPerform").and_then(Value::as_bool) == Some(true);
        !(verification || modified || forbidden || resource.get("status").is_some_and(denied))
    }

    fn when(&self, resource: Value<'_>) -> When {
        let written = self.when.iter().find_map(|path| resource.path(path)?.as_str());
        written.and_then(|text| When::parse(&text)).unwrap_or(When::UNKNOWN)
    }
}

fn events<'a>(
    resource: Value<'a>,
    kind: Kind,
    rule: &Rule,
    medication: &impl Fn(&str) -> Vec<Coding<'static>>,
) -> Vec<Event<'a>> {
    let mut codes = Vec::new();
    if kind == Kind::Encounter {
        codes.extend(resource.get("class").and_then(coding));
    }
    match resource.get(rule.code) {
        Some(concepts) => concepts.each().for_each(|concept| codings(concept, &mut codes)),
        None if kind == Kind::Medication => referred(resource, medication, &mut codes),
        None => {}
    }
    let encounter = if kind == Kind::Encounter {
        resource.str_at("id")
    } else {
        let visit = resource.get("encounter").or_else(|| resource.get("context"));
        visit.and_then(|visit| visit.str_at("reference")).map(tail)
    };
    let whole = Event { kind, codes, when: rule.when(resource), value: None, encounter };
    if kind != Kind::Observation {
        return vec![whole];
    }
    let components = resource.get("component").into_iter().flat_map(Value::items);
    let mut events = Vec::new();
    for component in components {
        let mut codes = Vec::new();
        component.get("code").into_iter().for_each(|code| codings(code, &mut codes));
        let value = quantity(component);
        let encounter = whole.encounter.clone();
        events.push(Event { kind, codes, when: whole.when, value, encounter });
    }
    events.insert(0, Event { value: quantity(resource), ..whole });
    events
}

fn tail(reference: Cow<'_, str>) -> Cow<'_, str> {
    match reference {
        Cow::Borrowed(text) => Cow::Borrowed(id_of(text)),
        Cow::Owned(text) => Cow::Owned(id_of(&text).to_owned()),
    }
}

fn coding(value: Value<'_>) -> Option<Coding<'_>> {
    let code = value.str_at("code")?;
    Some(Coding { system: value.str_at("system").unwrap_or_default(), code })
}

fn codings<'a>(concept: Value<'a>, into: &mut Vec<Coding<'a>>) {
    into.extend(concept.get("coding").into_iter().flat_map(Value::items).filter_map(coding));
}

fn referred<'a>(
    resource: Value<'a>,
    medication: &impl Fn(&str) -> Vec<Coding<'static>>,
    into: &mut Vec<Coding<'a>>,
) {
    let reference = resource.path(&["medicationReference", "reference"]).and_then(Value::as_str);
    let Some(reference) = reference else { return };
    let Some(id) = reference.strip_prefix('#') else {
        into.extend(medication(&reference));
        return;
    };
    let contained = resource.get("contained").into_iter().flat_map(Value::items);
    for one in contained.filter(|one| one.get("id").is_some_and(|own| own.is_str(id))) {
        one.get("code").into_iter().for_each(|code| codings(code, into));
    }
}

fn quantity(holder: Value<'_>) -> Option<Quantity<'_>> {
    if let Some(value) = holder.get("valueQuantity") {
        if value.get("comparator").is_some() {
            return None;
        }
        let number = value.get("value")?.as_number()?.parse().ok()?;
        let unit = value.str_at("code").or_else(|| value.str_at("unit")).unwrap_or_default();
        return Some(Quantity { number, unit });
    }
    let number = holder.get("valueInteger")?.as_number()?.parse().ok()?;
    Some(Quantity { number, unit: Cow::Borrowed("") })
}

fn person(patient: Value<'_>) -> Person {
    let date = |name: &str| {
        let text = patient.get(name)?.as_str()?;
        Some(When::parse(&text).unwrap_or(When::UNKNOWN))
    };
    let dead = patient.get("deceasedBoolean").and_then(Value::as_bool) == Some(true);
    let death = date("deceasedDateTime").or_else(|| dead.then_some(When::UNKNOWN));
    let sex = patient.get("gender").map_or(Sex::Unknown, |gender| {
        [("female", Sex::Female), ("male", Sex::Male), ("other", Sex::Other)]
            .into_iter()
            .find_map(|(name, sex)| gender.is_str(name).then_some(sex))
            .unwrap_or_default()
    });
    Person {
        birth: date("birthDate").unwrap_or(When::UNKNOWN),
        death: death.map_or(Death::None, Death::Died),
        sex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        let document = fhir::Document::parse(json).unwrap();
        let medication = |reference: &str| {
            vec![Coding { system: "m".into(), code: reference.to_owned().into() }]
        };
        match events_of(document.root(), &medication) {
            Read::Person(person) => {
                format!("{:?} {:?} {:?}", person.birth, person.death, person.sex)
            }
            Read::Nothing => "nothing".into(),
            Read::Events { subject, events } => {
                let mut text = subject.unwrap_or_default().into_owned();
                for event in events {
                    let codes: Vec<String> = event
                        .codes
                        .iter()
                        .map(|code| format!("{}|{}", code.system, code.code))
                        .collect();
                    text += &format!("; {} {:?}", codes.join(","), event.when);
                    if let Some(value) = event.value {
                        text += &format!(" {} {}", value.number, value.unit);
                    }
                    text += &event.encounter.map_or(String::new(), |e| format!(" in {e}"));
                }
                text
            }
        }
    }

    #[test]
    fn resources_become_events() {
        for (json, expected) in [
            (
                r#"{"resourceType":"Patient","birthDate":"1950-05","gender":"male","deceasedBoolean":true}"#,
                "1950-05 Died(unknown) Male",
            ),
            (
                r#"{"resourceType":"Patient","gender":"?","deceasedDateTime":"2001-02-03T04:05:06Z"}"#,
                "unknown Died(2001-02-03) Unknown",
            ),
            (
                r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},
                "code":{"coding":[{"system":"s","code":"a"},{"system":"t","code":"b"}]},
                "encounter":{"reference":"Encounter/e/_history/3"},"recordedDate":"2001"}"#,
                "Patient/1; s|a,t|b 2001 in e",
            ),
            (
                r#"{"resourceType":"Condition","subject":{"reference":"Patient/1"},
                "verificationStatus":{"coding":[{"code":"refuted"}]},"code":{"coding":[{"code":"a"}]}}"#,
                "Patient/1",
            ),
            (
                r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"l","code":"bp"}]},
                "effectiveDateTime":"2001-01-01T23:30:00-05:00","component":[
                {"code":{"coding":[{"system":"l","code":"sys"}]},"valueQuantity":{"value":120.0,"unit":"mm","code":"mm[Hg]"}},
                {"code":{"coding":[{"system":"l","code":"dia"}]},"valueQuantity":{"value":80,"comparator":"<","unit":"mm"}}]}"#,
                "; l|bp 2001-01-01; l|sys 2001-01-01 120 mm[Hg]; l|dia 2001-01-01",
            ),
            (
                r#"{"resourceType":"Observation","status":"entered-in-error","code":{"coding":[{"code":"a"}]}}"#,
                "",
            ),
            (
                r##"{"resourceType":"MedicationRequest","status":"active","authoredOn":"2001-01-02",
                "contained":[{"id":"m","code":{"coding":[{"system":"rx","code":"1"}]}}],
                "medicationReference":{"reference":"#m"}}"##,
                "; rx|1 2001-01-02",
            ),
            (
                r#"{"resourceType":"MedicationAdministration","status":"completed","context":{"reference":"urn:uuid:e"},
                "effectivePeriod":{"start":"2001-01-02"},"medicationReference":{"reference":"Medication/9"}}"#,
                "; m|Medication/9 2001-01-02 in e",
            ),
            (
                r#"{"resourceType":"Procedure","status":"completed","modifierExtension":[],"code":{"coding":[{"code":"a"}]}}"#,
                "",
            ),
            (
                r#"{"resourceType":"Encounter","id":"e","status":"finished","class":{"system":"c","code":"AMB"},
                "type":[{"coding":[{"system":"s","code":"t"}]}],"period":{"start":"2001-01-02"}}"#,
                "; c|AMB,s|t 2001-01-02 in e",
            ),
            (
                r#"{"resourceType":"Immunization","patient":{"reference":"Patient/2"},"status":"completed",
                "vaccineCode":{"text":"flu"},"occurrenceDateTime":"yesterday"}"#,
                "Patient/2;  unknown",
            ),
            (r#"{"resourceType":"Claim"}"#, "nothing"),
            (r#"[]"#, "nothing"),
        ] {
            assert_eq!(shown(json), expected, "{json}");
        }
    }
}
