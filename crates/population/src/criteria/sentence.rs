//! A cohort in plain English, for pages and for the audit.

use std::fmt::{self, Display, Formatter};

use super::{
    AgeRange, Cohort, Compare, Criterion, EventCriterion, Fits, INDEX, NamedEvent, Occurs, Pick,
    Relation, ValueTest,
};
use crate::event::{Kind, Sex};

/// Codes that a sentence names at most; the others are counted.
const SHOWN_CODES: usize = 5;

impl Cohort {
    /// One sentence for the index event or the day of the question, each named event, and each step.
    pub fn sentences(&self) -> Vec<String> {
        let entry = match &self.index {
            None => "The index date is the day of the question.".to_owned(),
            Some(index) => {
                let pick = match index.pick {
                    Pick::First => "the first",
                    Pick::Last => "the last",
                    Pick::Any => "any",
                };
                format!("The index event is {pick} {}.", index.event)
            }
        };
        let steps = self.steps.iter().map(|step| format!("{}: {}.", step.label, step.criterion));
        std::iter::once(entry)
            .chain(self.named.iter().map(NamedEvent::sentence))
            .chain(steps)
            .collect()
    }
}

impl NamedEvent {
    fn sentence(&self) -> String {
        let pick = if self.pick == Pick::Last { "last" } else { "first" };
        format!("“{}” is the {pick} {}{}.", self.name, self.event, Relations(&self.when))
    }
}

impl Display for Criterion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(inner) => joined(f, inner, "and"),
            Self::Any(inner) => joined(f, inner, "or"),
            Self::None(inner) if inner.len() == 1 => {
                f.write_str("not ")?;
                joined(f, inner, "or")
            }
            Self::None(inner) => {
                f.write_str("none of ")?;
                joined(f, inner, "or")
            }
            Self::Age(age) => age.fmt(f),
            Self::Sex(sexes) => {
                f.write_str("sex is ")?;
                for (i, sex) in sexes.iter().enumerate() {
                    let between = if i == 0 { "" } else { " or " };
                    let name = match sex {
                        Sex::Female => "female",
                        Sex::Male => "male",
                        Sex::Other => "other",
                        Sex::Unknown => "unknown",
                    };
                    write!(f, "{between}{name}")?;
                }
                Ok(())
            }
            Self::Alive(_) => f.write_str("alive at the index date"),
            Self::Event(event) => event.fmt(f),
        }
    }
}

fn joined(f: &mut Formatter<'_>, inner: &[Criterion], word: &str) -> fmt::Result {
    f.write_str("(")?;
    for (i, one) in inner.iter().enumerate() {
        if i > 0 {
            write!(f, " {word} ")?;
        }
        one.fmt(f)?;
    }
    f.write_str(")")
}

impl Display for AgeRange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) => write!(f, "aged {least} to {most} years")?,
            (Some(least), None) => write!(f, "aged {least} years or more")?,
            (None, Some(most)) => write!(f, "aged {most} years or less")?,
            (None, None) => f.write_str("of any age")?,
        }
        f.write_str(" at the index date")
    }
}

impl Display for EventCriterion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.occurs {
            Occurs::AtLeast(1) => write!(f, "at least one {}", self.event)?,
            Occurs::AtLeast(times) => write!(f, "at least {times} times {}", self.event)?,
            Occurs::Never => write!(f, "no {}", self.event)?,
            Occurs::FirstEver => write!(f, "the first {} ever is", self.event)?,
        }
        Relations(&self.when).fmt(f)
    }
}

impl Display for Fits {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Condition => "condition",
            Kind::Observation => "observation",
            Kind::Medication => "medication",
            Kind::Procedure => "procedure",
            Kind::Immunization => "immunization",
            Kind::Allergy => "allergy",
            Kind::Encounter => "encounter",
        })?;
        if !self.called.is_empty() {
            write!(f, " “{}”", self.called)?;
        }
        if !self.codes.is_empty() {
            let shown = self.codes.get(..SHOWN_CODES).unwrap_or(&self.codes);
            write!(f, " [{}", shown.join(", "))?;
            match self.codes.len() - shown.len() {
                0 => {}
                more => write!(f, " and {more} more")?,
            }
            f.write_str("]")?;
        }
        for (i, test) in self.value.iter().enumerate() {
            let before = if i == 0 { " with a value" } else { " and" };
            write!(f, "{before} {test}")?;
        }
        Ok(())
    }
}

impl Display for ValueTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let compare = match self.is {
            Compare::Below => "below",
            Compare::AtMost => "of at most",
            Compare::Equal => "equal to",
            Compare::AtLeast => "of at least",
            Compare::Above => "above",
        };
        write!(f, "{compare} {}", self.number)?;
        if self.unit.is_empty() {
            f.write_str(" without a unit")
        } else {
            write!(f, " {}", self.unit)
        }
    }
}

struct Relations<'a>(&'a [Relation]);

impl Display for Relations<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, relation) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { ", " } else { " and " })?;
            relation.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (word, distance) = match self {
            Self::Before(distance) => ("before", distance),
            Self::After(distance) => ("after", distance),
            Self::Within(window) => {
                let other = Other(&window.of);
                return match (window.days_before, window.days_after) {
                    (0, 0) => write!(f, "on the day of {other}"),
                    (before, after) => {
                        write!(f, "from {before} days before to {after} days after {other}")
                    }
                };
            }
            Self::SameEncounter(other) => {
                return write!(f, "during the same encounter as {}", Other(&other.of));
            }
        };
        let other = Other(&distance.of);
        match (distance.at_least, distance.at_most) {
            (0 | 1, None) => {
                let or_on = if distance.at_least == 0 { "on the day of or " } else { "" };
                write!(f, "{or_on}{word} {other}")
            }
            (least, None) => write!(f, "{least} days or more {word} {other}"),
            (least, Some(most)) => write!(f, "{least} to {most} days {word} {other}"),
        }
    }
}

struct Other<'a>(&'a str);

impl Display for Other<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == INDEX { f.write_str("the index date") } else { write!(f, "“{}”", self.0) }
    }
}
