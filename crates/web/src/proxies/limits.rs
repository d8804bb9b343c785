//! What a form says of the limits of somebody who acts for a patient, in groups that people
//! understand.

use crate::words::{Message, Words};

/// A group of codes under one word.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its value in forms.
    pub code: &'static str,
    key: &'static str,
    /// The codes of v3-ActCode, or the types of resources.
    pub codes: &'static [&'static str],
}

impl Group {
    /// Its word.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(self.key)
    }

    /// Whether all its codes are among those chosen.
    pub fn is_in(&self, chosen: &[String]) -> bool {
        self.codes.iter().all(|code| chosen.iter().any(|one| one == code))
    }
}

/// Subjects that can be kept from somebody.
pub const LABELS: [Group; 7] = [
    Group { code: "reproduction", key: "proxies-label-reproduction", codes: &["SEX", "PREGNANT"] },
    Group { code: "mental", key: "proxies-label-mental", codes: &["MH", "PSY", "PSYTHPN", "BH"] },
    Group { code: "substances", key: "proxies-label-substances", codes: &["SUD", "ETH"] },
    Group { code: "hiv", key: "proxies-label-hiv", codes: &["HIV"] },
    Group { code: "infections", key: "proxies-label-infections", codes: &["STD"] },
    Group { code: "violence", key: "proxies-label-violence", codes: &["VIO", "SDV", "MST"] },
    Group { code: "genetic", key: "proxies-label-genetic", codes: &["GDIS"] },
];

/// Kinds of data that can be kept from somebody.
pub const KINDS: [Group; 6] = [
    Group {
        code: "results",
        key: "proxies-kind-results",
        codes: &["Observation", "Specimen", "ImagingStudy"],
    },
    Group {
        code: "problems",
        key: "proxies-kind-problems",
        codes: &["Condition", "ClinicalImpression", "RiskAssessment"],
    },
    Group {
        code: "medication",
        key: "proxies-kind-medication",
        codes: &[
            "MedicationRequest",
            "MedicationStatement",
            "MedicationAdministration",
            "MedicationDispense",
        ],
    },
    Group {
        code: "documents",
        key: "proxies-kind-documents",
        codes: &["DocumentReference", "DiagnosticReport", "Composition", "Media"],
    },
    Group { code: "visits", key: "proxies-kind-visits", codes: &["Encounter", "Appointment"] },
    Group { code: "procedures", key: "proxies-kind-procedures", codes: &["Procedure"] },
];

/// The codes of the groups whose values a form holds under `name`.
pub fn chosen(pairs: &[(String, String)], name: &str, groups: &[Group]) -> Vec<String> {
    let held = |group: &&Group| pairs.iter().any(|(key, value)| key == name && value == group.code);
    let codes = groups.iter().filter(held).flat_map(|group| group.codes);
    codes.map(|code| (*code).to_owned()).collect()
}
