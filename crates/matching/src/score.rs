//! From observations to a score that explains itself.
//!
//! The score is the log2 odds that two records are of one person (Fellegi and Sunter, 1969):
//! `P(seen | same) / population` against the sum of what the alternatives predict,
//! `P(seen | unrelated) + sum over kinds of relatives of P(seen | relative) * relatives / population`.
//! The second part is why a shared address, telephone and family name count for little more than
//! one sign of a common household: a sibling explains them as well as the person does. It is
//! listed as one line, `household`, so that the lines always add up to the score.

use crate::compare::{Observation, observe};
use crate::model::{Entry, Model, RELATIVES, Thresholds};
use crate::person::Person;
use crate::rules;

/// How sure a match is; codes of the FHIR value set match-grade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Not the same person, as far as the data can say.
    CertainlyNot,
    /// Worth a person's look.
    Possible,
    /// Likely, still for a person to decide.
    Probable,
    /// May be followed without a person's decision.
    Certain,
}

impl Grade {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Probable => "probable",
            Self::Possible => "possible",
            Self::CertainlyNot => "certainly-not",
        }
    }

    fn of(weight: f64, thresholds: Thresholds) -> Self {
        if weight >= thresholds.certain {
            Self::Certain
        } else if weight >= thresholds.probable {
            Self::Probable
        } else if weight >= thresholds.possible {
            Self::Possible
        } else {
            Self::CertainlyNot
        }
    }
}

/// One line of the explanation. Holds no value of either record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldScore {
    /// The field, or `population`, `household` or `rule`.
    pub field: &'static str,
    /// On which level it agrees, as a word.
    pub agreement: &'static str,
    /// What it adds to the log2 odds.
    pub weight: f64,
    /// The same in words.
    pub note: &'static str,
}

/// How likely two records are of one person, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// log2 odds; the sum of the weights in `fields`.
    pub weight: f64,
    /// The same as a probability, 0 to 1.
    pub probability: f64,
    /// The grade.
    pub grade: Grade,
    /// Why: population first, then fields that both records hold, household, rule.
    pub fields: Vec<FieldScore>,
}

impl Model {
    /// Compares two persons. The weight is the same whichever comes first.
    pub fn compare(&self, a: &Person, b: &Person) -> Score {
        let seen = observe(a, b, self);
        let mut fields = Vec::with_capacity(seen.len() + 3);
        fields.push(FieldScore {
            field: "population",
            agreement: "prior",
            weight: -self.log_population,
            note: "one record among all of the population is this person's",
        });
        fields.extend(seen.iter().map(|seen| FieldScore {
            field: seen.level.field().name(),
            agreement: seen.level.name(),
            weight: self.weight(*seen),
            note: seen.level.note(),
        }));
        fields.extend(self.household(&seen));
        let weight: f64 = fields.iter().map(|line| line.weight).sum();
        fields.extend(rules::cap(&seen, self).and_then(|rule| rule.line(weight)));
        let weight = fields.iter().map(|line| line.weight).sum();
        Score {
            weight,
            probability: 1.0 / (1.0 + (-weight).exp2()),
            grade: Grade::of(weight, self.thresholds),
            fields,
        }
    }

    /// log2(m/u) of what a field showed.
    pub(crate) fn weight(&self, seen: Observation) -> f64 {
        let entry = self.entry(seen.level);
        entry.log_m - entry.log_u_of(seen)
    }

    /// What the relatives take away: -log2(1 + sum of P(seen | relative) / P(seen | unrelated)
    /// times relatives / population).
    fn household(&self, seen: &[Observation]) -> Option<FieldScore> {
        let mut odds = self.log_relatives.map(|log| log - self.log_population);
        for seen in seen {
            let entry = self.entry(seen.level);
            let log_u = entry.log_u_of(*seen);
            for (odds, relative) in odds.iter_mut().zip(entry.log_relative) {
                *odds += relative.map_or(0.0, |log| log - log_u);
            }
        }
        let total: f64 = odds.iter().map(|log| log.exp2()).sum();
        let weight = -total.ln_1p() / std::f64::consts::LN_2;
        let likeliest = odds.iter().zip(RELATIVES).max_by(|a, b| a.0.total_cmp(b.0))?;
        let note = match likeliest.1 {
            "twin" => "a twin would look much the same",
            "sibling" => "a sibling would look much the same",
            "spouse" => "a spouse would look much the same",
            "parent" => "a parent or child would look much the same",
            _ => "a relative of the same name would look much the same",
        };
        // Below a hundredth of a bit the line would only be noise, but the sum must stay true.
        (weight != 0.0).then_some(FieldScore {
            field: "household",
            agreement: if weight < -0.01 { likeliest.1 } else { "none" },
            weight,
            note: if weight < -0.01 { note } else { "no relative explains the agreement" },
        })
    }
}

impl Entry {
    /// log2 of `u`, or of how common the shared value is, but never above `m`: an agreement does
    /// not count against a match.
    fn log_u_of(&self, seen: Observation) -> f64 {
        seen.log_share.map_or(self.log_u, |share| share.min(self.log_m))
    }
}
