//! What others would see of a patient's record, and why not more.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Field;
use crate::terms::{Kind, Purpose};
use crate::words::{Message, Words};

/// What the form asks, in the address of the page.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct SimulationForm {
    /// Id of the organisation whose clinicians would ask; nothing is asked without one.
    #[serde(default)]
    pub organisation: String,
    /// Purpose of use, a code of [`Purpose`].
    #[serde(default)]
    pub purpose: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct SimulationView {
    /// The organisations to choose from: id and name.
    pub organisations: Vec<(String, String)>,
    /// The one that was chosen.
    pub organisation: Field,
    /// The purpose that was chosen.
    pub purpose: Field,
    /// What came of it, one for each holder; `None` before anything was asked.
    pub holders: Option<Vec<HolderView>>,
}

/// What one holder would send.
#[derive(Clone, Debug)]
pub struct HolderView {
    /// Its name.
    pub name: String,
    /// Whether it answered.
    pub answered: bool,
    /// Why nobody in this role is answered for this purpose at all.
    pub refused: Option<String>,
    /// How much of each kind.
    pub kinds: Vec<Bar>,
    /// What is withheld.
    pub withheld: Vec<Withheld>,
    /// Whether more is withheld than is listed.
    pub more: bool,
    /// Whether an emergency would open anything.
    pub emergency: bool,
}

impl HolderView {
    /// Items that would be seen.
    fn seen(&self) -> usize {
        self.kinds.iter().map(|bar| bar.seen).sum()
    }

    /// Items that would be withheld.
    fn hidden(&self) -> usize {
        self.kinds.iter().map(|bar| bar.withheld).sum()
    }
}

/// How much of one kind of data.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The kind.
    pub kind: Kind,
    /// Items that would be seen.
    pub seen: usize,
    /// Items that would be withheld.
    pub withheld: usize,
}

impl Bar {
    /// The part that is seen, of a picture of 100 units.
    fn share(&self) -> usize {
        let all = (self.seen + self.withheld).max(1);
        // Something that is there is never drawn as nothing.
        match (self.seen, self.withheld) {
            (0, _) => 0,
            (_, 0) => 100,
            (seen, _) => (100 * seen / all).clamp(2, 98),
        }
    }
}

/// One withheld item.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// Its kind.
    pub kind: Kind,
    /// What it is; empty where it does not say.
    pub display: String,
    /// Why.
    pub why: Why,
    /// Whom the decision behind it is about; empty for all.
    pub about: String,
    /// When that was decided, Unix epoch milliseconds.
    pub decided_ms: Option<i64>,
    /// What would change it.
    pub remedy: wire::Remedy,
}

/// Why an item is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The patient withdrew permission.
    Withdrawn,
    /// A consent is not understood.
    NotUnderstood,
    /// The rule of the network.
    Default,
    /// It is sensitive, and no permission names it.
    Sensitive,
}

impl Why {
    /// The reason of a code of the consent engine.
    pub fn from_code(code: &str) -> Self {
        match code {
            "consent-not-understood" => Self::NotUnderstood,
            "network-default" => Self::Default,
            "sensitive" => Self::Sensitive,
            _ => Self::Withdrawn,
        }
    }
}

impl Withheld {
    fn reason(&self, w: &Words<'_>) -> Message {
        match (self.why, self.about.is_empty()) {
            (Why::Withdrawn, true) => w.say("withheld-by-you"),
            (Why::Withdrawn, false) => w.say("withheld-by-you-about").s("about", &self.about),
            (Why::NotUnderstood, _) => w.say("withheld-not-understood"),
            (Why::Default, _) => w.say("withheld-by-default"),
            (Why::Sensitive, _) => w.say("withheld-sensitive"),
        }
    }

    fn remedy(&self, w: &Words<'_>) -> Message {
        w.say(match self.remedy {
            wire::Remedy::PermitRecipient => "remedy-permit-recipient",
            wire::Remedy::PermitHolder => "remedy-permit-holder",
            wire::Remedy::PermitBoth => "remedy-permit-both",
            wire::Remedy::NameSensitive => "remedy-name-sensitive",
            wire::Remedy::CorrectConsent => "remedy-correct-consent",
            wire::Remedy::Nothing => "remedy-nothing",
        })
    }
}

#[derive(Template)]
#[template(path = "patient/simulation.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a SimulationView,
}

impl Page<'_> {
    fn sum(&self, holder: &HolderView) -> (usize, usize) {
        (holder.seen(), holder.hidden())
    }

    fn share(&self, bar: &Bar) -> usize {
        bar.share()
    }

    fn reason(&self, item: &Withheld) -> Message {
        item.reason(&self.w)
    }

    fn remedy(&self, item: &Withheld) -> Message {
        item.remedy(&self.w)
    }

    fn purposes(&self) -> Vec<(String, String)> {
        let all = [Purpose::Treatment, Purpose::BreakTheGlass, Purpose::Payment, Purpose::Research];
        all.iter().map(|one| (one.code().to_owned(), one.plain(&self.w).to_string())).collect()
    }
}

/// The page.
pub fn render(v: &SimulationView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_never_drawn_as_nothing() {
        for (seen, withheld, share) in
            [(0, 0, 0), (0, 5, 0), (5, 0, 100), (1, 1, 50), (1, 999, 2), (999, 1, 98)]
        {
            assert_eq!(Bar { kind: Kind::Result, seen, withheld }.share(), share);
        }
    }
}
