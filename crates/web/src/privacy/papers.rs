//! Consents on paper: what a patient signed is recorded here, tried before it is saved, and ended.

use askama::Template;

use super::whom::{Whom, date};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::patient::permissions::{ALL, Permission};
use crate::patient::preview::Effect;
use crate::when::When;
use crate::words::{Message, Words};

/// What the form sends, and what the preview sends again with the scan.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct PaperForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's number on the paper.
    #[serde(default)]
    pub number: String,
    /// The date of birth on the paper.
    #[serde(default)]
    pub born: String,
    /// The organisation's id, or [`ALL`].
    #[serde(default)]
    pub organisation: String,
    /// Name of a person, where the paper is about one and no organisation.
    #[serde(default)]
    pub person: String,
    /// `permit`, `withdraw`, `see` or `share`.
    #[serde(default)]
    pub decision: String,
    /// The day of the signature.
    #[serde(default)]
    pub signed_on: String,
    /// Who signed for the patient, empty where the patient did.
    #[serde(default)]
    pub representative: String,
}

impl PaperForm {
    /// Sets a field by its name; others are left out.
    pub fn set(&mut self, name: &str, value: String) {
        match name {
            "csrf" => self.csrf = Secret(value),
            "number" => self.number = value,
            "born" => self.born = value,
            "organisation" => self.organisation = value,
            "person" => self.person = value,
            "decision" => self.decision = value,
            "signed_on" => self.signed_on = value,
            "representative" => self.representative = value,
            _ => {}
        }
    }

    /// What is decided, `None` for a word that is no choice.
    pub fn permission(&self) -> Option<Permission> {
        Some(match self.decision.as_str() {
            "permit" => Permission { see: true, share: true },
            "withdraw" => Permission { see: false, share: false },
            "see" => Permission { see: true, share: false },
            "share" => Permission { see: false, share: true },
            _ => return None,
        })
    }

    /// The fields with what is wrong with each that can be told from the form alone.
    pub fn fields(&self) -> Fields {
        let choice = |value: &str, known: bool| match known {
            true => Field::new(value),
            false => Field::new(value).with(FieldFault::NotAChoice),
        };
        let two_sided = self.organisation != ALL && self.person.trim().is_empty();
        let permission = self.permission();
        let possible = permission.is_some_and(|p| p.see == p.share || two_sided);
        Fields {
            whom: Whom::typed(&self.number, &self.born),
            organisation: choice(&self.organisation, !self.organisation.is_empty()),
            person: Field::optional(&self.person, 80),
            decision: choice(&self.decision, possible),
            signed_on: date(&self.signed_on),
            representative: Field::optional(&self.representative, 120),
        }
    }
}

/// The fields of the form as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Whose paper it is.
    pub whom: Whom,
    /// The organisation.
    pub organisation: Field,
    /// A person's name.
    pub person: Field,
    /// The decision.
    pub decision: Field,
    /// The day of the signature.
    pub signed_on: Field,
    /// Who signed for the patient.
    pub representative: Field,
}

impl Fields {
    /// Whether nothing is wrong.
    pub fn are_sound(&self) -> bool {
        let others = [
            &self.organisation,
            &self.person,
            &self.decision,
            &self.signed_on,
            &self.representative,
        ];
        self.whom.is_sound() && others.iter().all(|field| field.is_sound())
    }
}

/// The page with the form and what was recorded.
#[derive(Clone, Debug, Default)]
pub struct PapersView {
    /// The form.
    pub fields: Fields,
    /// The organisations to choose from: id and name.
    pub organisations: Vec<(String, String)>,
    /// What was recorded here, newest first.
    pub recorded: Vec<Recorded>,
}

/// One paper.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Id of its Consent.
    pub id: String,
    /// Whom it is about; `None` for all.
    pub name: Option<String>,
    /// What it decides.
    pub permission: Permission,
    /// The patient's id here.
    pub patient: String,
    /// When it was signed, where that can be read.
    pub signed: Option<When>,
    /// Who recorded it.
    pub by: String,
    /// Whether it is in force.
    pub active: bool,
}

/// The page that shows what a paper would change and takes its scan.
#[derive(Clone, Debug)]
pub struct PaperView {
    /// What was typed.
    pub form: PaperForm,
    /// Whom it is about; `None` for all.
    pub name: Option<String>,
    /// Whether it is about somebody who is no staff.
    pub is_related: bool,
    /// What it decides.
    pub permission: Permission,
    /// What changes at this organisation.
    pub effects: Vec<Effect>,
    /// The scan as it was sent.
    pub scan: Field,
}

#[derive(Template)]
#[template(path = "privacy/papers.html")]
struct Papers<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a PapersView,
}

impl Papers<'_> {
    fn about(&self, one: &Recorded) -> Message {
        about(&self.w, one.name.as_deref())
    }

    fn organisations(&self) -> Vec<(String, String)> {
        let all = (ALL.to_owned(), self.w.say("permissions-all").to_string());
        std::iter::once(all).chain(self.v.organisations.iter().cloned()).collect()
    }

    fn decisions(&self) -> Vec<(String, String)> {
        let said = |code: &str| {
            let form = PaperForm { decision: code.to_owned(), ..PaperForm::default() };
            let state = form.permission().map(|permission| permission.state(&self.w).to_string());
            (code.to_owned(), state.unwrap_or_default())
        };
        ["permit", "withdraw", "see", "share"].map(said).into()
    }
}

#[derive(Template)]
#[template(path = "privacy/paper.html")]
struct Paper<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a PaperView,
}

impl Paper<'_> {
    fn about(&self) -> Message {
        about(&self.w, self.v.name.as_deref())
    }

    fn is_related(&self) -> bool {
        self.v.is_related
    }

    fn state(&self) -> Message {
        self.v.permission.state(&self.w)
    }

    fn hidden(&self) -> [(&'static str, &str); 7] {
        let form = &self.v.form;
        [
            ("number", form.number.as_str()),
            ("born", form.born.as_str()),
            ("organisation", form.organisation.as_str()),
            ("person", form.person.as_str()),
            ("decision", form.decision.as_str()),
            ("signed_on", form.signed_on.as_str()),
            ("representative", form.representative.as_str()),
        ]
    }
}

/// Whom a paper is about, in words; all where nobody is named.
fn about(w: &Words<'_>, name: Option<&str>) -> Message {
    match name {
        Some(name) => w.say("paper-about-one").s("name", name),
        None => w.say("paper-about-all"),
    }
}

/// The form and what was recorded.
pub fn render(v: &PapersView, c: &Chrome) -> Result<String, WebError> {
    Ok(Papers { c, w: c.words(), v }.render()?)
}

/// What a paper would change.
pub fn render_paper(v: &PaperView, c: &Chrome) -> Result<String, WebError> {
    Ok(Paper { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paper_needs_a_patient_a_day_and_a_decision_that_can_be_made() {
        let sound = PaperForm {
            number: "4711".into(),
            born: "1970-02-03".into(),
            organisation: "north".into(),
            decision: "see".into(),
            signed_on: "2026-11-20".into(),
            ..PaperForm::default()
        };
        assert!(sound.fields().are_sound());
        for (name, value, fault) in [
            ("number", "", FieldFault::Required),
            ("born", "3.2.1970", FieldFault::NotADate),
            ("signed_on", "2026-02-30", FieldFault::NotADate),
            ("decision", "open", FieldFault::NotAChoice),
            // One direction is not something that all, or a person, can be limited to.
            ("organisation", ALL, FieldFault::NotAChoice),
            ("person", "Weber", FieldFault::NotAChoice),
        ] {
            let mut form = sound.clone();
            form.set(name, value.to_owned());
            let fields = form.fields();
            let Whom { number, born } = fields.whom;
            let faults = [number, born, fields.signed_on, fields.decision];
            let faults: Vec<_> = faults.iter().filter_map(|field| field.fault).collect();
            assert_eq!(faults, [fault], "{name} {value}");
        }
    }
}
