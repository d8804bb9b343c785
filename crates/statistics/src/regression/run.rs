//! A regression under way, at whoever asks: rounds of moments, then points up the likelihood.

use super::ascent::Ascent;
use super::fit::FitState;
use super::moments::{self, MomentState, Moments};
use super::{Regression, State, report};
use crate::design::{Design, Outcome, Piece};
use crate::rounds::{Failure, Layout, Progress, Round, Step, Sums};

/// A regression under way.
pub(super) struct Run {
    regression: Regression,
    most_rows: u32,
    design: Design,
    /// Of the round that was asked last.
    number: u32,
    phase: Phase,
}

enum Phase {
    Moments(MomentState),
    Fit(Box<(Moments, Ascent)>),
    Over,
}

impl Run {
    /// The conversation before its first round.
    pub(super) fn new(regression: &Regression, design: Design, most_rows: u32) -> Self {
        let phase = Phase::Moments(MomentState::first(&design));
        Self { regression: regression.clone(), most_rows, design, number: 1, phase }
    }

    fn round(&self) -> Result<Round, Failure> {
        let state = match &self.phase {
            Phase::Moments(state) => State::Moments(state.clone()),
            Phase::Fit(fit) => State::Fit(fit.1.state.clone()),
            Phase::Over => return Err(Failure::Sums),
        };
        let layout = state.layout(&self.regression, &self.design, self.most_rows);
        Ok(Round {
            number: self.number,
            state: serde_json::to_value(&state).map_err(|_| Failure::Sums)?,
            layout: layout.ok_or(Failure::Sums)?,
        })
    }

    fn moments(&mut self, state: MomentState, sums: &Sums) -> Result<(), Failure> {
        let is_penalised = self.regression.penalty.is_some();
        let must_repeat = is_penalised && self.number == 1;
        self.phase = match state.take(&self.design, self.most_rows, sums, must_repeat)? {
            moments::Next::Again(state) => Phase::Moments(state),
            moments::Next::Done(found) => {
                self.enough(&found)?;
                let state = FitState::first(&self.design, self.regression.kind(), &found);
                let ascent =
                    Ascent::new(state, self.regression.kind(), self.regression.penalty, &found);
                Phase::Fit(Box::new((found, ascent)))
            }
        };
        Ok(())
    }

    /// Whether there is anything to estimate from.
    fn enough(&self, found: &Moments) -> Result<(), Failure> {
        // The information and the score of `width` estimates are so many numbers about the values of
        // the rows; as many numbers as values could be solved for them (Dinur and Nissim 2003).
        let width = self.design.width() as u64;
        let values = found.rows.saturating_mul(self.design.variables.len() as u64);
        if found.rows > 0 && width.saturating_mul(width + 3) / 2 > values {
            return Err(Failure::TooLittle(
                "the formula asks for more sums than the rows have values".to_owned(),
            ));
        }
        if found.rows == 0 {
            let used = self.design.variables.iter().zip(&found.missing);
            let empty: Vec<_> = used
                .filter(|(_, missing)| **missing == found.dropped && found.dropped > 0)
                .map(|(used, _)| format!("`{}`", used.name))
                .collect();
            return Err(Failure::TooLittle(if empty.is_empty() {
                "no row has a value of every variable of the formula".to_owned()
            } else {
                format!("every row lacks a value of {}", empty.join(" and of "))
            }));
        }
        if let Outcome::Event(at, _) = &self.design.outcome {
            let name = self.design.variables.get(*at).map_or("", |used| used.name.as_str());
            if found.events == 0 {
                return Err(Failure::TooLittle(format!("`{name}` is no event in any row")));
            }
            if found.events == found.rows && self.design.times.is_none() {
                return Err(Failure::TooLittle(format!("`{name}` is an event in every row")));
            }
        }
        if let (Outcome::Count(at, _), Some(outcome)) = (&self.design.outcome, &found.outcome)
            && outcome.mean <= 0.0
        {
            let name = self.design.variables.get(*at).map_or("", |used| used.name.as_str());
            return Err(Failure::TooLittle(format!("`{name}` is 0 in every row")));
        }
        Ok(())
    }
}

impl Progress for Run {
    fn first(&self) -> Round {
        // The first layout is made of the design alone, which `start` has built.
        self.round().unwrap_or_else(|_| Round {
            number: self.number,
            state: serde_json::Value::Null,
            layout: Layout::default(),
        })
    }

    fn take(&mut self, sums: &Sums) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Moments(state) => self.moments(state, sums)?,
            Phase::Fit(mut fit) => {
                let is_weighted = self.regression.weights.is_some();
                let layout = fit
                    .1
                    .state
                    .layout(&self.design, self.regression.kind(), is_weighted, self.most_rows)
                    .ok_or(Failure::Sums)?;
                let parts = layout.split(&sums.values)?;
                if let Some(end) = fit.1.take(&parts, &self.design)? {
                    let model = report::model(&end, &self.design, self.regression.kind(), &fit.0)?;
                    return Ok(Step::Done(Box::new(crate::Answer {
                        n: fit.0.rows,
                        dropped: fit.0.dropped,
                        sites: sums.sites,
                        rounds: self.number,
                        finding: crate::answer::Finding::Model(model),
                        noise: None,
                    })));
                }
                self.phase = Phase::Fit(fit);
            }
            Phase::Over => return Err(Failure::Sums),
        }
        self.number += 1;
        Ok(Step::Ask(self.round()?))
    }

    fn rare(&self, least: u64) -> Option<String> {
        match &self.phase {
            Phase::Fit(fit) => rare(&self.design, &fit.0, least),
            Phase::Moments(_) | Phase::Over => None,
        }
    }
}

/// The level of a category with columns, or the indicator, that fewer than `least` rows have or lack.
/// What no row has is left out of the model, and shows nobody.
fn rare(design: &Design, found: &Moments, least: u64) -> Option<String> {
    let is_rare = |count: u64| (1..least).contains(&count);
    for ((at, name, levels), counts) in design.categories().zip(&found.levels) {
        let mut pieces = design.columns.iter().flat_map(|column| &column.pieces);
        let has_columns =
            pieces.any(|piece| matches!(piece, Piece::Level { variable, .. } if *variable == at));
        if let Some((level, _)) =
            levels.iter().zip(counts).find(|(_, count)| has_columns && is_rare(**count))
        {
            return Some(format!("{name}[{level}]"));
        }
    }
    let columns = design.columns.iter().zip(&found.columns);
    for (column, spread) in columns.filter(|(column, _)| column.is_indicator()) {
        let ones = (spread.mean * found.rows as f64).round() as u64;
        if is_rare(ones) || is_rare(found.rows.saturating_sub(ones)) {
            return Some(column.name.clone());
        }
    }
    None
}
