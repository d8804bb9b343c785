//! Decisions in words.

use std::fmt;

use fhir::time::instant;

use super::rules::{ActorRole, Kind, Provision};
use super::{Because, Compiled, ItemDecision, Who};
use crate::purpose::Purpose;

/// Who reads the explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The patient: "you withdrew permission".
    Patient,
    /// Anybody else: "the patient withdrew permission".
    Staff,
}

/// An explanation: the facts for a translator, and the English sentence as its `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// [`Because::code`].
    pub code: &'static str,
    /// Shown or hidden.
    pub effect: Kind,
    /// Names of those the consent is about; empty for all.
    pub about: Vec<String>,
    /// Purposes the consent is limited to, in words; empty for all.
    pub purposes: Vec<&'static str>,
    /// The consent is about particular data only.
    pub particular: bool,
    /// When the consent was decided, in milliseconds since the Unix epoch.
    pub date_ms: Option<i64>,
    /// Relative reference of the consent.
    pub consent: Option<String>,
    /// Who reads it.
    pub audience: Audience,
    /// Why a consent is not understood.
    refused: Option<&'static str>,
    /// What an overriding decision set aside.
    permits: bool,
}

/// Explains `decision`. `name` gives the display name of an organisation by its short id; where it
/// has none, the name written in the consent is used, then the id.
pub fn explain(
    decision: &ItemDecision,
    consents: &Compiled,
    audience: Audience,
    name: impl Fn(&str) -> Option<String>,
) -> Explanation {
    let because = decision.because;
    let rules = because.consent().and_then(|consent| consents.rule(consent));
    let number = match because {
        Because::Provision { provision, .. } => provision,
        _ => 0,
    };
    let mut path = Vec::new();
    if let Some(root) = rules.and_then(|rules| rules.root.as_ref()) {
        find(root, number, &mut path);
    }
    // An inner provision without an actor or purpose takes over what the outer one says.
    let about = path.iter().map(|p| names(p, &name)).rfind(|names| !names.is_empty());
    let purposes = path.iter().map(|p| purposes(p)).rfind(|purposes| !purposes.is_empty());
    Explanation {
        code: because.code(),
        effect: decision.effect,
        about: about.unwrap_or_default(),
        purposes: purposes.unwrap_or_default(),
        particular: path.iter().any(|provision| provision.is_about_items()),
        date_ms: rules.and_then(|rules| rules.date).map(|date| date.start_ms),
        consent: rules.map(|rules| rules.reference.clone()).filter(|text| !text.is_empty()),
        audience,
        refused: rules.and_then(|rules| rules.refused),
        permits: path.last().is_some_and(|provision| provision.kind == Kind::Permit),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, have, whose) = match self.audience {
            Audience::Patient => ("you", "have", "your"),
            Audience::Staff => ("the patient", "has", "their"),
        };
        f.write_str(match self.effect {
            Kind::Permit => "shown because ",
            Kind::Deny => "hidden because ",
        })?;
        match (self.code, self.effect) {
            ("consent", _) if self.permits => write!(f, "{who} gave permission{}", self.details()),
            ("consent" | "consent-policy", _) => {
                write!(f, "{who} withdrew permission{}", self.details())
            }
            ("consent-not-understood", _) => {
                let why = self.refused.unwrap_or("part of it is unknown");
                let date = self.date_ms.map(|ms| format!(" of {}", day(ms))).unwrap_or_default();
                write!(f, "a consent{date} cannot be understood: {why}")
            }
            ("network-default", Kind::Permit) => {
                write!(f, "the network permits this purpose and {who} {have} not decided otherwise")
            }
            ("network-default", Kind::Deny) => {
                write!(f, "the network asks for permission and {who} {have} not given it")
            }
            ("sensitive", _) => write!(
                f,
                "it is marked as sensitive and {who} {have} not given permission for that kind of \
                 data"
            ),
            ("break-glass", _) if self.consent.is_some() || self.date_ms.is_some() => {
                let details = self.details();
                write!(f, "it was an emergency, although {who} withdrew permission{details}")
            }
            ("break-glass", _) => f.write_str("it was an emergency"),
            ("own-request", _) => write!(f, "{who} asked for {whose} own record"),
            _ => f.write_str("the organisation that asks holds it itself"),
        }
    }
}

impl Explanation {
    /// " for this data, for North Hospital, for research, on 3 May 2026" without the commas that
    /// short sentences do not need.
    fn details(&self) -> String {
        let mut text = String::new();
        if self.particular {
            text.push_str(" for particular data");
        }
        match &*self.about {
            [] => text.push_str(" for all organisations"),
            names => {
                text.push_str(" for ");
                text.push_str(&listed(names));
            }
        }
        if !self.purposes.is_empty() {
            text.push_str(" (purpose ");
            let purposes: Vec<_> = self.purposes.iter().map(|&word| word.to_owned()).collect();
            text.push_str(&listed(&purposes));
            text.push(')');
        }
        if let Some(ms) = self.date_ms {
            text.push_str(" on ");
            text.push_str(&day(ms));
        }
        text
    }
}

fn find<'a>(provision: &'a Provision, number: u16, path: &mut Vec<&'a Provision>) -> bool {
    path.push(provision);
    if provision.number == number
        || provision.children.iter().any(|child| find(child, number, path))
    {
        return true;
    }
    path.pop();
    false
}

fn names(provision: &Provision, name: &impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut names = Vec::new();
    for actor in provision.actors.iter().filter(|actor| actor.role != ActorRole::Party) {
        let of_id = |id: &str| name(id).or_else(|| actor.display.clone()).unwrap_or(id.to_owned());
        let name = match &actor.subject {
            Who::Organisation(id) => of_id(id),
            _ => actor.display.clone().unwrap_or("somebody not known here".to_owned()),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn purposes(provision: &Provision) -> Vec<&'static str> {
    provision.purposes.iter().flatten().map(|purpose: &Purpose| purpose.display()).collect()
}

fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// The day in UTC, `3 May 2026`.
fn day(ms: i64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let text = instant(ms);
    let part = |range| text.get(range).and_then(|digits: &str| digits.parse::<usize>().ok());
    let month = part(5..7).and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let year = text.get(..4).unwrap_or_default();
    format!("{} {} {year}", part(8..10).unwrap_or_default(), month.copied().unwrap_or_default())
}
