//! Purpose and evidence, before a question goes to other organisations.

use askama::Template;

use crate::chrome::Chrome;
use crate::clinician::find::Found;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::terms::Purpose;
use crate::when::When;
use crate::words::Words;

/// A reason shorter than this tells a reviewer nothing.
pub const REASON_MIN_CHARS: usize = 10;

/// The purposes a clinician may choose from. Emergency access has its own page.
pub const PURPOSES: [Purpose; 2] = [Purpose::Treatment, Purpose::EmergencyTreatment];

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct AskForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Code of the purpose of use.
    pub purpose: String,
    /// Reference of the visit or appointment, empty when there is none.
    #[serde(default)]
    pub evidence: String,
    /// The reason, needed when there is no visit or appointment.
    #[serde(default)]
    pub reason: String,
}

/// Grounds on which other organisations can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The purpose of use.
    pub purpose: Purpose,
    /// What shows that there is a reason.
    pub evidence: Evidence,
}

/// What shows that there is a reason to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A reference such as `Encounter/123`.
    Reference(String),
    /// A reason in the user's words.
    Stated(String),
}

impl AskForm {
    /// The grounds, or the page with what was typed and its faults. `known` are the visits and
    /// appointments that were offered.
    pub fn read(&self, patient: Found, known: Vec<Offer>) -> Result<Grounds, Box<AskView>> {
        let purpose = PURPOSES.into_iter().find(|purpose| purpose.code() == self.purpose);
        let purpose_field = match purpose {
            Some(purpose) => Field::new(purpose.code()),
            None => Field::default().with(FieldFault::NotAChoice),
        };
        let offered = known.iter().any(|offer| offer.reference == self.evidence);
        let evidence_field = match self.evidence.is_empty() || offered {
            true => Field::new(&self.evidence),
            false => Field::default().with(FieldFault::NotAChoice),
        };
        let mut reason = Field::optional(&self.reason, 500);
        if self.evidence.is_empty() {
            reason = match reason.value.chars().count() {
                0 => reason.with(FieldFault::Required),
                1..REASON_MIN_CHARS => reason.with(FieldFault::TooShort),
                _ => reason,
            };
        }
        match purpose {
            Some(purpose) if evidence_field.is_sound() && reason.is_sound() => Ok(Grounds {
                purpose,
                evidence: match offered {
                    true => Evidence::Reference(evidence_field.value),
                    false => Evidence::Stated(reason.value),
                },
            }),
            _ => Err(Box::new(AskView {
                patient,
                offers: known,
                purpose: purpose_field,
                evidence: evidence_field,
                reason,
            })),
        }
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct AskView {
    /// About whom.
    pub patient: Found,
    /// Visits and appointments to choose from, newest first.
    pub offers: Vec<Offer>,
    /// Code of the purpose.
    pub purpose: Field,
    /// Reference of the chosen visit or appointment.
    pub evidence: Field,
    /// The reason.
    pub reason: Field,
}

/// A visit or appointment that can serve as evidence.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its reference, such as `Encounter/123`.
    pub reference: String,
    /// What it is about.
    pub text: String,
    /// When it was or will be.
    pub when: Option<When>,
}

#[derive(Template)]
#[template(path = "clinician/ask.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a AskView,
}

impl Page<'_> {
    fn purposes(&self) -> Vec<(String, String)> {
        PURPOSES.map(|p| (p.code().to_string(), p.say(&self.w).to_string())).to_vec()
    }

    fn offers(&self) -> Vec<(String, String)> {
        let text = |offer: &Offer| match &offer.when {
            Some(when) => format!("{} · {}", self.w.when(when).plain(), offer.text),
            None => offer.text.clone(),
        };
        self.v.offers.iter().map(|offer| (offer.reference.clone(), text(offer))).collect()
    }
}

/// The page.
pub fn render(v: &AskView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Sex;

    fn patient() -> Found {
        Found {
            id: "p-1".into(),
            name: "Ana".into(),
            birth: None,
            sex: Sex::Female,
            identifier: String::new(),
            place: String::new(),
            deceased: false,
        }
    }

    fn read(purpose: &str, evidence: &str, reason: &str) -> Result<Grounds, Box<AskView>> {
        let offer = Offer { reference: "Encounter/1".into(), text: "visit".into(), when: None };
        let form = AskForm {
            csrf: Secret::default(),
            purpose: purpose.into(),
            evidence: evidence.into(),
            reason: reason.into(),
        };
        form.read(patient(), vec![offer])
    }

    #[test]
    fn grounds_are_a_purpose_and_a_visit_or_a_reason() {
        let by_visit = read("TREAT", "Encounter/1", "").unwrap();
        assert_eq!(by_visit.evidence, Evidence::Reference("Encounter/1".into()));
        let by_reason = read("ETREAT", "", "unconscious on arrival").unwrap();
        assert_eq!(by_reason.evidence, Evidence::Stated("unconscious on arrival".into()));
    }

    #[test]
    fn what_is_missing_or_invented_is_marked() {
        for (purpose, evidence, reason, faults) in [
            ("BTG", "Encounter/1", "", [Some(FieldFault::NotAChoice), None, None]),
            ("TREAT", "Encounter/2", "", [None, Some(FieldFault::NotAChoice), None]),
            ("TREAT", "", " ", [None, None, Some(FieldFault::Required)]),
            ("TREAT", "", "curious", [None, None, Some(FieldFault::TooShort)]),
        ] {
            let view = read(purpose, evidence, reason).unwrap_err();
            let found = [view.purpose.fault, view.evidence.fault, view.reason.fault];
            assert_eq!(found, faults, "{purpose} {evidence} {reason}");
        }
    }
}
