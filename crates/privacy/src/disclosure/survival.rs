//! Survival and hazard curves: each step of a Kaplan–Meier curve is the death of somebody at that time.

use serde::{Deserialize, Serialize};

use super::{Checked, Evidence, Rule, Rules, Statbarn, Verdict};

const MOST_STEPS: usize = 100_000;

/// A curve as it is to be shown: steps in the order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survival {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Until when, in the unit of the question.
    pub time: f64,
    /// People at risk when the step begins.
    pub at_risk: u64,
    /// Events within the step.
    pub events: u64,
    /// People who leave the study within the step without an event.
    pub censored: u64,
}

impl Survival {
    /// Each step must hold at least as many events as a cell people, begin with as many at risk, and
    /// end with as many or none: fewer who are left would be followed to their last day.
    pub(super) fn check(&self, number: usize, rules: &Rules) -> Result<Checked, &'static str> {
        if self.steps.len() > MOST_STEPS {
            return Err("it has too many steps");
        }
        if self.steps.windows(2).any(|pair| matches!(pair, [a, b] if a.time >= b.time)) {
            return Err("its steps are not in the order of time");
        }
        let mut verdicts = Vec::new();
        let mut evidence = Evidence::default();
        for (step, at) in self.steps.iter().zip(1..) {
            if step.events.checked_add(step.censored).is_none_or(|left| left > step.at_risk) {
                return Err("more people leave a step than are at risk");
            }
            let least = step.events.min(step.at_risk);
            evidence.smallest = Some(evidence.smallest.map_or(least, |most| most.min(least)));
            if step.at_risk < rules.min_cell || step.events < rules.min_cell {
                evidence.primary += 1;
                let place = format!("curve {number}, step {at}");
                verdicts.push(Verdict::Fail { rule: Rule::MinCell, place });
            }
        }
        let mut checked = Checked::of(Statbarn::Survival, verdicts, evidence);
        if !checked.passed() {
            checked.coarsened = Some(self.coarsened(rules));
        }
        Ok(checked)
    }

    /// The curve with neighbouring steps joined until each holds enough events; what is left at the
    /// end is joined to the last, or left out where there is none.
    fn coarsened(&self, rules: &Rules) -> Survival {
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Option<Step> = None;
        for step in &self.steps {
            let joined = match open.take() {
                Some(before) => Step {
                    time: step.time,
                    at_risk: before.at_risk,
                    events: before.events + step.events,
                    censored: before.censored + step.censored,
                },
                None => *step,
            };
            if joined.events >= rules.min_cell && joined.at_risk >= rules.min_cell {
                steps.push(joined);
            } else {
                open = Some(joined);
            }
        }
        if let (Some(rest), Some(last)) = (open, steps.last_mut()) {
            last.time = rest.time;
            last.events += rest.events;
            last.censored += rest.censored;
        }
        Survival { steps }
    }
}
