//! Whom and which moments compiled consents speak of, for those who keep decisions.

use super::Compiled;
use super::rules::{Actor, ActorRole, Provision, Rules};

/// How far a clock may run ahead before a consent counts as decided in the future.
pub(super) const CLOCK_TOLERANCE_MS: i64 = 300_000;

impl Compiled {
    /// Whether a denial may be about single persons or programs: only then can consents concern
    /// the use of what an organisation holds by its own people.
    pub fn may_name_somebody(&self) -> bool {
        self.rules
            .iter()
            .any(|rules| rules.may_name_person || rules.root.as_ref().is_some_and(names_somebody))
    }

    /// The logical ids of the consents that have a say, where they have one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rules| rules.reference.split_once('/').map(|(_, id)| id))
    }

    /// The first moment after `now_ms`, in milliseconds since the Unix epoch, at which the same
    /// request may be decided in another way although the consents stay the same.
    pub fn next_change_ms(&self, now_ms: i64) -> Option<i64> {
        let mut moments = Vec::new();
        for Rules { date, root, .. } in &self.rules {
            moments.extend(date.map(|date| date.start_ms.saturating_sub(CLOCK_TOLERANCE_MS)));
            if let Some(root) = root {
                bounds(root, &mut moments);
            }
        }
        moments.into_iter().filter(|moment| *moment > now_ms).min()
    }
}

fn names_somebody(provision: &Provision) -> bool {
    let somebody = |actor: &Actor| {
        !matches!(actor.role, ActorRole::Custodian | ActorRole::Party)
            && !actor.subject.is_organisation()
    };
    provision.actors.iter().any(somebody) || provision.children.iter().any(names_somebody)
}

fn bounds(provision: &Provision, moments: &mut Vec<i64>) {
    let (start, end) = provision.period.unwrap_or_default();
    moments.extend(start.into_iter().chain(end));
    provision.children.iter().for_each(|child| bounds(child, moments));
}
