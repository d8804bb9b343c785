//! Who may see the record: one action to permit or to withdraw.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::{Message, Words};

/// What the one button of an organisation sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct DecideForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The organisation's id, or [`ALL`]; empty where a person is meant.
    #[serde(default)]
    pub organisation: String,
    /// The person, as consents name them; empty where an organisation is meant.
    #[serde(default)]
    pub person: String,
    /// `permit`, `withdraw`, or `choose` for the finer choice.
    pub decision: String,
    /// `yes` when the organisation may see what others hold; read for `choose` only.
    #[serde(default)]
    pub see: String,
    /// `yes` when it may share what it holds; read for `choose` only.
    #[serde(default)]
    pub share: String,
    /// `yes` when the effect was shown and is wanted.
    #[serde(default)]
    pub confirm: String,
}

/// The value of `organisation` that means every organisation.
pub const ALL: &str = "all";

/// Which people can be named, in the address of the page.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct PeopleForm {
    /// Part of a name; nobody is looked for without one.
    #[serde(default)]
    pub name: String,
}

/// A decision about one organisation, one person or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The organisation's id, `None` for all.
    pub organisation: Option<String>,
    /// The person, as consents name them; nothing else is meant then.
    pub person: Option<String>,
    /// What is permitted from now on.
    pub permission: Permission,
}

impl DecideForm {
    /// The decision, `None` when the form holds none.
    pub fn read(&self) -> Option<Decision> {
        let permission = match self.decision.as_str() {
            "permit" => Permission { see: true, share: true },
            "withdraw" => Permission { see: false, share: false },
            "choose" => Permission { see: self.see == "yes", share: self.share == "yes" },
            _ => return None,
        };
        if !self.person.is_empty() {
            // A person holds nothing, so seeing is all there is to decide.
            let permission = Permission { see: permission.see, share: permission.see };
            let sound = self.organisation.is_empty()
                && self.person.len() <= 200
                && self.person.bytes().all(|b| b.is_ascii_graphic());
            let person = Some(self.person.clone());
            return sound.then_some(Decision { organisation: None, person, permission });
        }
        let known = !self.organisation.is_empty()
            && self.organisation.len() <= 40
            && self.organisation.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        known.then(|| Decision {
            organisation: (self.organisation != ALL).then(|| self.organisation.clone()),
            person: None,
            permission,
        })
    }
}

/// What an organisation may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// See what other organisations hold.
    pub see: bool,
    /// Share what it holds with the others.
    pub share: bool,
}

impl Permission {
    /// The state in words.
    pub(crate) fn state(self, w: &Words<'_>) -> Message {
        w.say(match (self.see, self.share) {
            (true, true) => "permission-full",
            (false, false) => "permission-none",
            (true, false) => "permission-see",
            (false, true) => "permission-share",
        })
    }

    fn effect(self, w: &Words<'_>, name: &str) -> Message {
        w.say(match (self.see, self.share) {
            (true, true) => "permission-full-effect",
            (false, false) => "permission-none-effect",
            (true, false) => "permission-see-effect",
            (false, true) => "permission-share-effect",
        })
        .s("name", name)
    }

    fn is_full(self) -> bool {
        self.see && self.share
    }

    fn is_none(self) -> bool {
        !self.see && !self.share
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct PermissionsView {
    /// Every organisation of the network that could take part.
    pub organisations: Vec<Organisation>,
    /// The people about whom a decision holds.
    pub people: Vec<Named>,
    /// The name that was looked for.
    pub sought: Field,
    /// The people who were found; `None` before anybody was looked for.
    pub found: Option<Vec<Named>>,
    /// What the patient decided, newest first.
    pub history: Vec<PastDecision>,
}

/// Somebody whom a decision can be about.
#[derive(Clone, Debug)]
pub struct Named {
    /// As consents name them.
    pub key: String,
    /// The name, and the organisation where one is known.
    pub name: String,
    /// What holds for this person alone; `None` where nothing was decided.
    pub may_see: Option<bool>,
}

impl Named {
    fn is_permitted(&self) -> bool {
        self.may_see == Some(true)
    }

    fn is_denied(&self) -> bool {
        self.may_see == Some(false)
    }

    fn state(&self, w: &Words<'_>) -> Option<Message> {
        let permission = |see| Permission { see, share: see };
        self.may_see.map(|see| permission(see).state(w))
    }
}

/// An organisation and what it may do.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// What it may do.
    pub permission: Permission,
    /// Whether that is the rule of the network and not a decision of the patient.
    pub by_default: bool,
    /// Whether it is known to hold a record of the patient.
    pub holds_record: bool,
}

/// A decision of the past.
#[derive(Clone, Debug)]
pub struct PastDecision {
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// Display name of the organisation, `None` for all.
    pub organisation: Option<String>,
    /// What was permitted.
    pub permission: Permission,
    /// At how many hospitals it is in force.
    pub in_force: usize,
    /// How many hospitals it must reach.
    pub of: usize,
    /// Who recorded it, where it was given on paper.
    pub on_paper: Option<String>,
}

#[derive(Template)]
#[template(path = "patient/permissions.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a PermissionsView,
}

impl Page<'_> {
    fn all_full(&self) -> bool {
        self.v.organisations.iter().all(|o| o.permission.is_full())
    }

    fn all_none(&self) -> bool {
        self.v.organisations.iter().all(|o| o.permission.is_none())
    }
}

/// The page.
pub fn render(v: &PermissionsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_one_organisation_or_all() {
        let full = Permission { see: true, share: true };
        let none = Permission { see: false, share: false };
        let see = Permission { see: true, share: false };
        for (organisation, decision, see_sent, expected) in [
            ("north", "permit", "", Some((Some("north"), full))),
            ("all", "withdraw", "yes", Some((None, none))),
            ("north", "choose", "yes", Some((Some("north"), see))),
            ("north", "delete", "", None),
            ("", "permit", "", None),
            ("../x", "permit", "", None),
        ] {
            let form = DecideForm {
                csrf: Secret::default(),
                organisation: organisation.into(),
                person: String::new(),
                decision: decision.into(),
                see: see_sent.into(),
                share: String::new(),
                confirm: String::new(),
            };
            let expected = expected.map(|(id, permission)| Decision {
                organisation: id.map(ToString::to_string),
                person: None,
                permission,
            });
            assert_eq!(form.read(), expected, "{organisation} {decision}");
        }
    }

    #[test]
    fn a_decision_about_a_person_is_about_nothing_else() {
        let weber = "urn:consilium:org:north|weber";
        for (person, organisation, decision, expected) in [
            (weber, "", "withdraw", Some(false)),
            (weber, "", "permit", Some(true)),
            (weber, "north", "permit", None),
            ("a b", "", "permit", None),
            ("", "", "permit", None),
        ] {
            let form = DecideForm {
                csrf: Secret::default(),
                organisation: organisation.into(),
                person: person.into(),
                decision: decision.into(),
                see: String::new(),
                share: String::new(),
                confirm: String::new(),
            };
            let expected = expected.map(|see| Decision {
                organisation: None,
                person: Some(person.to_owned()),
                permission: Permission { see, share: see },
            });
            assert_eq!(form.read(), expected, "{person} {organisation}");
        }
    }
}
