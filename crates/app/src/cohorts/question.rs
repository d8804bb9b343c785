//! A question as one institution is asked it, and what makes two of them the same.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use population::criteria::Cohort;
use population::day::When;
use population::distinct::{Cells, SketchError};

use crate::budget::{MICRO, period};
use crate::{App, Error, Result};

/// ε that a question may ask for, in millionths.
const MICRO_EPSILON: std::ops::RangeInclusive<u64> = MICRO / 10..=1000 * MICRO;
/// Most cells of a sketch that are made and kept here: 128 KiB of counts, and as many as suit 30,000 matching people at
/// ε = 1 ([`Cells::for_people`]). For more people the number of different ones is less exact than it could be.
const MOST_CELLS: u32 = 1 << 14;
/// Longest text of a question in the audit.
const MOST_SAID: usize = 2_000;

/// One question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) cohort: Cohort,
    /// The day of the question as it is written, and as criteria take it.
    day: String,
    pub(super) when: When,
    /// ε of the numbers of the steps, in millionths.
    pub(super) steps: u64,
    /// The sketch, where one is asked for.
    pub(super) sketch: Option<Dealt>,
}

/// How people are dealt into a sketch.
#[derive(Clone, Debug)]
pub(super) struct Dealt {
    /// ε in millionths.
    pub(super) micro_epsilon: u64,
    /// Cells; where they are not given, as many as suit the noisy number of people found here.
    pub(super) cells: Option<Cells>,
    /// The key that deals.
    pub(super) key: [u8; 32],
}

impl Question {
    /// Asked today.
    pub(super) fn today(app: &App, cohort: Cohort, steps: u64) -> Result<Self> {
        let now = Timestamp::from_millisecond(app.now_ms());
        let now = now.map_err(|e| Error::internal(e.to_string()))?;
        let day = now.to_zoned(TimeZone::UTC).date().to_string();
        Self::on(cohort, day, steps)
    }

    /// Asked on a day.
    ///
    /// Errors: [`crate::Kind::Invalid`] for what is no day, and no ε that is taken.
    pub(super) fn on(cohort: Cohort, day: String, steps: u64) -> Result<Self> {
        let when = When::parse(&day).filter(|_| day.len() == 10);
        let when =
            when.ok_or_else(|| Error::invalid("value", "the day is no day of the calendar"))?;
        check(steps)?;
        Ok(Self { cohort, day, when, steps, sketch: None })
    }

    /// With a sketch.
    pub(super) fn with(self, sketch: Dealt) -> Result<Self> {
        check(sketch.micro_epsilon)?;
        Ok(Self { sketch: Some(sketch), ..self })
    }

    pub(super) fn day(&self) -> &str {
        &self.day
    }

    /// What it costs, part by part: ε in millionths.
    pub(super) fn costs(&self) -> Vec<u64> {
        let sketch = self.sketch.as_ref().map(|sketch| sketch.micro_epsilon);
        std::iter::once(self.steps).chain(sketch).collect()
    }

    /// What tells it from other questions within a period. What people call steps and sets of codes makes no
    /// difference, nor does the day where an index event takes its place.
    pub(super) fn digest(&self, app: &App) -> Result<String> {
        let mut cohort = self.cohort.clone();
        cohort.steps.iter_mut().for_each(|step| step.label.clear());
        let mut value =
            serde_json::to_value(&cohort).map_err(|e| Error::internal(e.to_string()))?;
        unname(&mut value);
        let day = if self.cohort.index.is_some() { "" } else { &self.day };
        let sketch = self.sketch.as_ref().map(|sketch| {
            let cells = sketch.cells.map(|cells| cells.count());
            (sketch.micro_epsilon, cells, crypto::hash::hex(&sketch.key))
        });
        let all = serde_json::json!([period(app), value, day, self.steps, sketch]);
        Ok(crypto::hash::hex(&crypto::sha256(all.to_string().as_bytes())))
    }

    /// The same question gets the same key from this node, and from no other: what was answered is answered again,
    /// and two questions are never dealt alike.
    pub(super) fn key(&self, app: &App) -> Result<[u8; 32]> {
        let list = app.network().list();
        let digest = self.digest(app)?;
        let purpose: [&[u8]; 3] =
            [b"consilium cohort question", list.network.as_bytes(), digest.as_bytes()];
        crypto::derive(app.peers().identity().assertion_key.pkcs8_der(), &purpose)
            .map_err(|e| Error::internal(e.to_string()))
    }

    /// What is asked, for the audit.
    pub(super) fn said(&self) -> String {
        self.cohort.sentences().join(" ").chars().take(MOST_SAID).collect()
    }

    /// How many numbers answer it: without an index event, at each step, and those who meet everything.
    pub(super) fn parts(&self) -> usize {
        self.cohort.steps.len() + 1 + usize::from(self.cohort.index.is_some())
    }
}

fn check(micro_epsilon: u64) -> Result<()> {
    match MICRO_EPSILON.contains(&micro_epsilon) {
        true => Ok(()),
        false => Err(Error::invalid("value", "ε is from 0.1 to 1000, for each part of an answer")),
    }
}

/// Takes away what sets of codes are called.
fn unname(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            members.remove("called");
            members.values_mut().for_each(unname);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(unname),
        _ => {}
    }
}

/// Cells that a peer names.
///
/// Errors: [`crate::Kind::Invalid`] for a number that is none, and for more than [`MOST_CELLS`].
pub(super) fn cells(count: u32, micro_epsilon: u64) -> Result<Cells> {
    if count > MOST_CELLS {
        let message = format!("a sketch has at most {MOST_CELLS} cells here");
        return Err(Error::invalid("value", message));
    }
    Cells::new(count, micro_epsilon)
        .map_err(|error: SketchError| Error::invalid("value", error.to_string()))
}

/// The best number of cells for about so many people that every institution takes.
pub(super) fn cells_for(
    people: u64,
    micro_epsilon: u64,
) -> std::result::Result<Cells, SketchError> {
    let best = Cells::for_people(people, micro_epsilon)?;
    Cells::new(best.count().min(MOST_CELLS), micro_epsilon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_here_is_taken_elsewhere_and_more_is_not() {
        for (people, micro_epsilon) in [(0, MICRO), (u64::MAX, MICRO), (1_000, 50 * MICRO)] {
            let chosen = cells_for(people, micro_epsilon).unwrap();
            assert_eq!(cells(chosen.count(), micro_epsilon).unwrap(), chosen);
        }
        assert!(cells(1 << 15, MICRO).is_err() && cells(96, MICRO).is_err());
    }

    #[test]
    fn a_part_costs_at_least_a_tenth() {
        assert!(check(99_999).is_err() && check(100_000).is_ok() && check(1001 * MICRO).is_err());
    }
}
