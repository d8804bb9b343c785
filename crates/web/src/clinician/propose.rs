//! Asking a patient who is there for a consent: the exact grant, then the wait for the answer.

use askama::Template;

use crate::chrome::Chrome;
use crate::clinician::find::Found;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::parts::GrantWords;
use crate::terms::Kind;
use crate::words::{Message, Words};

/// For how many days a grant may be asked for.
pub const DAYS: [u32; 4] = [1, 7, 30, 365];
/// The value that means every organisation, or everything.
const ALL: &str = "all";

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ProposeForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Id of the organisation whose data is asked for, or `all`.
    pub from: String,
    /// A resource type, or `all`.
    pub what: String,
    /// For how many days.
    pub days: String,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The one organisation; `None` for all.
    pub from: Option<String>,
    /// Resource types; everything where empty.
    pub kinds: Vec<String>,
    /// For how many days.
    pub days: u32,
}

/// Kinds that can be asked for one by one, with their resource types.
const KINDS: [(&str, Kind, &[&str]); 8] = [
    ("result", Kind::Result, &["Observation"]),
    ("report", Kind::Report, &["DiagnosticReport"]),
    ("problem", Kind::Problem, &["Condition"]),
    (
        "medication",
        Kind::Medication,
        &["Medication", "MedicationRequest", "MedicationStatement", "MedicationAdministration"],
    ),
    ("allergy", Kind::Allergy, &["AllergyIntolerance"]),
    ("vaccination", Kind::Vaccination, &["Immunization"]),
    ("procedure", Kind::Procedure, &["Procedure"]),
    ("document", Kind::Document, &["DocumentReference", "Composition"]),
];

impl ProposeForm {
    /// What is asked for, or the page with the fields that are no choice.
    pub fn read(&self, mut view: ProposeView) -> Result<Wanted, Box<ProposeView>> {
        let kinds = KINDS.iter().find(|(code, ..)| *code == self.what);
        let known = |id: &String| view.holders.iter().any(|(holder, _)| holder == id);
        let from_known = self.from == ALL || known(&self.from);
        let days = self.days.parse().ok().filter(|days| DAYS.contains(days));
        let mark = |value: &str, sound: bool| match sound {
            true => Field::new(value),
            false => Field::new("").with(FieldFault::NotAChoice),
        };
        view.from = mark(&self.from, from_known);
        view.what = mark(&self.what, self.what == ALL || kinds.is_some());
        view.days = mark(&self.days, days.is_some());
        match days {
            Some(days) if view.from.is_sound() && view.what.is_sound() => Ok(Wanted {
                from: (self.from != ALL).then(|| self.from.clone()),
                kinds: kinds.into_iter().flat_map(|k| k.2).map(ToString::to_string).collect(),
                days,
            }),
            _ => Err(Box::new(view)),
        }
    }
}

/// The page of the form.
#[derive(Clone, Debug)]
pub struct ProposeView {
    /// Whose consent is asked for.
    pub patient: Found,
    /// The other organisations: id and name.
    pub holders: Vec<(String, String)>,
    /// From whom.
    pub from: Field,
    /// What.
    pub what: Field,
    /// How long.
    pub days: Field,
}

impl ProposeView {
    /// The form before anything was chosen.
    pub fn new(patient: Found, holders: Vec<(String, String)>) -> Self {
        let all = || Field::new(ALL);
        let days = Field::new("30");
        Self { patient, holders, from: all(), what: all(), days }
    }
}

#[derive(Template)]
#[template(path = "clinician/propose.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ProposeView,
}

impl Page<'_> {
    fn holders(&self) -> Vec<(String, String)> {
        let all = (ALL.to_owned(), self.w.say("permissions-all").to_string());
        std::iter::once(all).chain(self.v.holders.iter().cloned()).collect()
    }

    fn kinds(&self) -> Vec<(String, String)> {
        let all = (ALL.to_owned(), self.w.say("grant-everything").to_string());
        let kinds = KINDS.iter();
        let kinds = kinds.map(|(code, kind, _)| (code.to_string(), kind.say(&self.w).to_string()));
        std::iter::once(all).chain(kinds).collect()
    }

    fn days(&self) -> Vec<(String, String)> {
        let say = |days: &u32| {
            let days = usize::try_from(*days).unwrap_or_default();
            (days.to_string(), self.w.say("grant-days").n("count", days).to_string())
        };
        DAYS.iter().map(say).collect()
    }
}

/// The page of the form.
pub fn render(v: &ProposeView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

/// What the form with the patient's code sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct CodeForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The code that the patient typed.
    pub code: Secret,
}

/// The page that waits for the patient.
#[derive(Clone, Debug)]
pub struct ProposedView {
    /// The request's code.
    pub code: String,
    /// The same as it is shown.
    pub spelled: String,
    /// The whole address for the patient's device.
    pub address: String,
    /// What is asked for.
    pub grant: GrantWords,
    /// Until when it waits, Unix epoch milliseconds.
    pub expires_ms: i64,
    /// Whether the patient refused.
    pub refused: bool,
    /// Always empty; carries a fault only.
    pub typed: Field,
    /// Whether there were too many attempts.
    pub throttled: bool,
    /// The patient's id.
    pub patient: String,
}

/// How often the page asks whether the patient has answered, in seconds.
const AGAIN_S: u32 = 4;

#[derive(Template)]
#[template(path = "clinician/proposed.html")]
struct WaitingPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ProposedView,
}

impl WaitingPage<'_> {
    fn told(&self) -> Option<Message> {
        self.v.throttled.then(|| self.w.say("throttled").n("minutes", 1usize))
    }
}

/// The page that waits for the patient.
pub fn render_proposed(v: &ProposedView, c: &Chrome) -> Result<String, WebError> {
    Ok(WaitingPage { c, w: c.words(), v }.render()?)
}
