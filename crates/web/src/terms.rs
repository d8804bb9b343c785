//! Coded terms the pages show: purposes, kinds of information, marks on an item. Each knows its
//! translation key, so that no page shows a bare code.

use crate::words::{Message, Words};

/// Why somebody asks: purpose of use, codes of
/// `http://terminology.hl7.org/CodeSystem/v3-ActReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `TREAT`
    Treatment,
    /// `ETREAT`
    EmergencyTreatment,
    /// `BTG`
    BreakTheGlass,
    /// `HPAYMT`
    Payment,
    /// `HOPERAT`
    Operations,
    /// `PATRQT`
    PatientRequest,
    /// `FAMRQT`
    FamilyRequest,
    /// `HRESCH`
    Research,
    /// `PUBHLTH`
    PublicHealth,
    /// Any other code.
    Other,
}

impl Purpose {
    /// Every purpose with a code of its own.
    pub const ALL: [Self; 9] = [
        Self::Treatment,
        Self::EmergencyTreatment,
        Self::BreakTheGlass,
        Self::Payment,
        Self::Operations,
        Self::PatientRequest,
        Self::FamilyRequest,
        Self::Research,
        Self::PublicHealth,
    ];

    /// The purpose of a code, [`Purpose::Other`] for one without words of its own.
    pub fn from_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code).unwrap_or(Self::Other)
    }

    /// The code, empty for [`Purpose::Other`].
    pub fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREAT",
            Self::EmergencyTreatment => "ETREAT",
            Self::BreakTheGlass => "BTG",
            Self::Payment => "HPAYMT",
            Self::Operations => "HOPERAT",
            Self::PatientRequest => "PATRQT",
            Self::FamilyRequest => "FAMRQT",
            Self::Research => "HRESCH",
            Self::PublicHealth => "PUBHLTH",
            Self::Other => "",
        }
    }

    /// The name a professional knows it by.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Treatment => "purpose-treatment",
            Self::EmergencyTreatment => "purpose-emergency-treatment",
            Self::BreakTheGlass => "purpose-break-the-glass",
            Self::Payment => "purpose-payment",
            Self::Operations => "purpose-operations",
            Self::PatientRequest => "purpose-patient-request",
            Self::FamilyRequest => "purpose-family-request",
            Self::Research => "purpose-research",
            Self::PublicHealth => "purpose-public-health",
            Self::Other => "purpose-other",
        })
    }

    /// The same for the patient, in everyday words.
    pub fn plain(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Treatment => "purpose-plain-treatment",
            Self::EmergencyTreatment => "purpose-plain-emergency-treatment",
            Self::BreakTheGlass => "purpose-plain-break-the-glass",
            Self::Payment => "purpose-plain-payment",
            Self::Operations => "purpose-plain-operations",
            Self::PatientRequest => "purpose-plain-patient-request",
            Self::FamilyRequest => "purpose-plain-family-request",
            Self::Research => "purpose-plain-research",
            Self::PublicHealth => "purpose-plain-public-health",
            Self::Other => "purpose-plain-other",
        })
    }
}

/// What kind of information an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Name, birth date, address.
    Person,
    /// A problem or diagnosis.
    Problem,
    /// A medication, prescribed, stated or given.
    Medication,
    /// An allergy or intolerance.
    Allergy,
    /// A measurement or laboratory result.
    Result,
    /// A report over several results.
    Report,
    /// A vaccination.
    Vaccination,
    /// A procedure or operation.
    Procedure,
    /// A visit or stay.
    Visit,
    /// A document or note.
    Document,
    /// An imaging study.
    Imaging,
    /// A care plan, goal or team.
    Plan,
    /// An order or referral.
    Order,
    /// A claim, coverage or bill.
    Billing,
    /// A device.
    Device,
    /// Anything else.
    Other,
}

impl Kind {
    /// The kind of a FHIR resource type.
    pub fn from_type(resource_type: &str) -> Self {
        match resource_type {
            "Patient" | "RelatedPerson" | "Person" => Self::Person,
            "Condition" => Self::Problem,
            "Medication"
            | "MedicationRequest"
            | "MedicationStatement"
            | "MedicationAdministration"
            | "MedicationDispense" => Self::Medication,
            "AllergyIntolerance" => Self::Allergy,
            "Observation" => Self::Result,
            "DiagnosticReport" => Self::Report,
            "Immunization" => Self::Vaccination,
            "Procedure" => Self::Procedure,
            "Encounter" => Self::Visit,
            "DocumentReference" | "Composition" => Self::Document,
            "ImagingStudy" | "Media" => Self::Imaging,
            "CarePlan" | "CareTeam" | "Goal" => Self::Plan,
            "ServiceRequest" | "Appointment" | "Task" => Self::Order,
            "Claim" | "ClaimResponse" | "ExplanationOfBenefit" | "Coverage" => Self::Billing,
            "Device" | "DeviceUseStatement" | "SupplyDelivery" => Self::Device,
            _ => Self::Other,
        }
    }

    /// The name of one item of the kind.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Person => "kind-person",
            Self::Problem => "kind-problem",
            Self::Medication => "kind-medication",
            Self::Allergy => "kind-allergy",
            Self::Result => "kind-result",
            Self::Report => "kind-report",
            Self::Vaccination => "kind-vaccination",
            Self::Procedure => "kind-procedure",
            Self::Visit => "kind-visit",
            Self::Document => "kind-document",
            Self::Imaging => "kind-imaging",
            Self::Plan => "kind-plan",
            Self::Order => "kind-order",
            Self::Billing => "kind-billing",
            Self::Device => "kind-device",
            Self::Other => "kind-other",
        })
    }

    /// So many items of the kind.
    pub fn count(&self, words: &Words<'_>, count: usize) -> Message {
        let key = match self {
            Self::Person => "count-person",
            Self::Problem => "count-problem",
            Self::Medication => "count-medication",
            Self::Allergy => "count-allergy",
            Self::Result => "count-result",
            Self::Report => "count-report",
            Self::Vaccination => "count-vaccination",
            Self::Procedure => "count-procedure",
            Self::Visit => "count-visit",
            Self::Document => "count-document",
            Self::Imaging => "count-imaging",
            Self::Plan => "count-plan",
            Self::Order => "count-order",
            Self::Billing => "count-billing",
            Self::Device => "count-device",
            Self::Other => "count-other",
        };
        words.say(key).n("count", count)
    }
}

/// So many items of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The kind.
    pub kind: Kind,
    /// How many.
    pub count: usize,
}

/// How a mark or state is set apart, always beside words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing to notice.
    Plain,
    /// Present, in order.
    Good,
    /// Being worked on.
    Busy,
    /// Worth a look.
    Note,
    /// Dangerous or failed.
    Alert,
}

impl Tone {
    /// The CSS class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Note => "note",
            Self::Alert => "alert",
        }
    }
}

/// A mark on an item: its status, certainty or severity, from the FHIR code systems of the
/// resource types that carry one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the FHIR code of the same name")]
pub enum Mark {
    Active,
    Recurrence,
    Relapse,
    Inactive,
    Remission,
    Resolved,
    Completed,
    Stopped,
    OnHold,
    Draft,
    Planned,
    InProgress,
    Cancelled,
    EnteredInError,
    NotDone,
    Final,
    Preliminary,
    Amended,
    Unconfirmed,
    Provisional,
    Refuted,
    HighCriticality,
    Severe,
    Unknown,
}

impl Mark {
    /// The mark of a status code as FHIR R4 writes it; `None` for a code that says nothing to a
    /// reader, such as `confirmed`.
    pub fn from_code(code: &str) -> Option<Self> {
        Some(match code {
            "active" => Self::Active,
            "recurrence" => Self::Recurrence,
            "relapse" => Self::Relapse,
            "inactive" => Self::Inactive,
            "remission" => Self::Remission,
            "resolved" => Self::Resolved,
            "completed" | "finished" => Self::Completed,
            "stopped" => Self::Stopped,
            "on-hold" | "onleave" => Self::OnHold,
            "draft" => Self::Draft,
            "planned" | "intended" => Self::Planned,
            "in-progress" | "arrived" | "triaged" | "preparation" => Self::InProgress,
            "cancelled" => Self::Cancelled,
            "entered-in-error" => Self::EnteredInError,
            "not-done" | "not-taken" => Self::NotDone,
            "final" => Self::Final,
            "preliminary" | "registered" | "partial" => Self::Preliminary,
            "amended" | "corrected" | "appended" => Self::Amended,
            "unconfirmed" => Self::Unconfirmed,
            "provisional" | "differential" => Self::Provisional,
            "refuted" => Self::Refuted,
            "high" => Self::HighCriticality,
            "severe" => Self::Severe,
            "unknown" => Self::Unknown,
            _ => return None,
        })
    }

    /// How it is set apart.
    pub fn tone(self) -> Tone {
        match self {
            Self::Active | Self::InProgress => Tone::Good,
            Self::Recurrence
            | Self::Relapse
            | Self::OnHold
            | Self::Preliminary
            | Self::Amended
            | Self::Unconfirmed
            | Self::Provisional => Tone::Note,
            Self::EnteredInError | Self::Refuted | Self::HighCriticality | Self::Severe => {
                Tone::Alert
            }
            _ => Tone::Plain,
        }
    }

    /// Its word.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Active => "mark-active",
            Self::Recurrence => "mark-recurrence",
            Self::Relapse => "mark-relapse",
            Self::Inactive => "mark-inactive",
            Self::Remission => "mark-remission",
            Self::Resolved => "mark-resolved",
            Self::Completed => "mark-completed",
            Self::Stopped => "mark-stopped",
            Self::OnHold => "mark-on-hold",
            Self::Draft => "mark-draft",
            Self::Planned => "mark-planned",
            Self::InProgress => "mark-in-progress",
            Self::Cancelled => "mark-cancelled",
            Self::EnteredInError => "mark-entered-in-error",
            Self::NotDone => "mark-not-done",
            Self::Final => "mark-final",
            Self::Preliminary => "mark-preliminary",
            Self::Amended => "mark-amended",
            Self::Unconfirmed => "mark-unconfirmed",
            Self::Provisional => "mark-provisional",
            Self::Refuted => "mark-refuted",
            Self::HighCriticality => "mark-high-criticality",
            Self::Severe => "mark-severe",
            Self::Unknown => "mark-unknown",
        })
    }
}

/// Administrative gender as FHIR codes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the FHIR code of the same name")]
pub enum Sex {
    Female,
    Male,
    Other,
    #[default]
    Unknown,
}

impl Sex {
    /// The value of an `administrative-gender` code.
    pub fn from_code(code: &str) -> Self {
        match code {
            "female" => Self::Female,
            "male" => Self::Male,
            "other" => Self::Other,
            _ => Self::Unknown,
        }
    }

    /// Its word.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Female => "sex-female",
            Self::Male => "sex-male",
            Self::Other => "sex-other",
            Self::Unknown => "sex-unknown",
        })
    }
}
