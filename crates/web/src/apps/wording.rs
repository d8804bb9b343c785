//! Scopes in plain words: what an app would see or change, and of whom.

use oauth::{Level, Permission, ResourceScope, Scope};

use crate::words::{Message, Words};

/// For whom the words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The patient whose record it is.
    Patient,
    /// Somebody who treats patients.
    Clinician,
}

/// One scope in words.
#[derive(Clone, Debug)]
pub struct Wording {
    /// What the app would do.
    pub what: Message,
    /// To which part it is limited, where it is: names and values.
    pub only: Option<String>,
    /// Whether it changes anything.
    pub changes: bool,
}

/// A scope in words.
pub fn word(scope: &Scope, reader: Reader, w: &Words<'_>) -> Wording {
    let plain = |key| Wording { what: w.say(key), only: None, changes: false };
    match scope {
        Scope::Resource(scope) => resource(scope, reader, w),
        Scope::OpenId => plain("scope-openid"),
        Scope::FhirUser => plain("scope-fhir-user"),
        Scope::Launch | Scope::LaunchPatient => plain(match reader {
            Reader::Patient => "scope-launch-own",
            Reader::Clinician => "scope-launch",
        }),
        Scope::LaunchEncounter => plain("scope-launch-encounter"),
        Scope::Offline => plain("scope-offline"),
        Scope::Online => plain("scope-online"),
    }
}

fn resource(scope: &ResourceScope, reader: Reader, w: &Words<'_>) -> Wording {
    let can = |one| scope.can.has(one);
    let reads = can(Permission::Read) || can(Permission::Search);
    let changes = can(Permission::Create) || can(Permission::Update) || can(Permission::Delete);
    let own = reader == Reader::Patient;
    let one = scope.level == Level::Patient;
    let key = match (reads, changes, own, one) {
        (_, false, true, _) => "scope-see-own",
        (_, false, _, true) => "scope-see-one",
        (_, false, _, _) => "scope-see-all",
        (false, true, true, _) => "scope-change-own",
        (false, true, _, true) => "scope-change-one",
        (false, true, _, _) => "scope-change-all",
        (true, true, true, _) => "scope-both-own",
        (true, true, _, true) => "scope-both-one",
        (true, true, _, _) => "scope-both-all",
    };
    let what = match scope.kind.map(kind) {
        None => w.say("what-everything").to_string(),
        Some(Some(key)) => w.say(key).to_string(),
        Some(None) => w.say("what-other").s("kind", scope.kind.unwrap_or_default()).to_string(),
    };
    let only: Vec<String> =
        scope.params.iter().map(|(name, value)| format!("{name}: {}", short(value))).collect();
    Wording {
        what: w.say(key).s("what", what),
        only: (!only.is_empty()).then(|| only.join(", ")),
        changes,
    }
}

/// A code without the address of its system, which nobody reads.
fn short(value: &str) -> String {
    let codes: Vec<&str> =
        value.split(',').map(|code| code.rsplit('|').next().unwrap_or(code)).collect();
    codes.join(", ")
}

/// The words for resources of a type.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "Patient" | "RelatedPerson" | "Person" => "what-person",
        "Observation" => "what-observations",
        "Condition" => "what-conditions",
        "AllergyIntolerance" => "what-allergies",
        "Medication"
        | "MedicationRequest"
        | "MedicationStatement"
        | "MedicationDispense"
        | "MedicationAdministration" => "what-medications",
        "Immunization" => "what-immunizations",
        "Procedure" => "what-procedures",
        "DiagnosticReport" | "ImagingStudy" => "what-reports",
        "DocumentReference" | "Composition" | "Binary" => "what-documents",
        "Encounter" | "EpisodeOfCare" => "what-encounters",
        "Appointment" | "Schedule" | "Slot" => "what-appointments",
        "CarePlan" | "Goal" | "CareTeam" => "what-care-plans",
        "Coverage" | "Claim" | "ExplanationOfBenefit" => "what-insurance",
        "FamilyMemberHistory" => "what-family",
        "Consent" => "what-consents",
        "Questionnaire" | "QuestionnaireResponse" => "what-questionnaires",
        "ServiceRequest" | "Task" => "what-orders",
        "Device" | "DeviceUseStatement" => "what-devices",
        "Practitioner" | "PractitionerRole" | "Organization" | "Location" => "what-carers",
        "AuditEvent" => "what-accesses",
        _ => return None,
    })
}
