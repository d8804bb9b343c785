//! Estimates of models: regression coefficients, correlations, hazard ratios.

use serde::{Deserialize, Serialize};

use super::{Checked, Evidence, Rule, Rules, Statbarn, Verdict};

/// A fitted model, as far as its numbers say anything about people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Rows behind it; for survival models, events.
    pub n: u64,
    /// Parameters estimated.
    pub parameters: u64,
    /// People in the smallest level of a categorical variable, if there is one: a coefficient of a
    /// level is that level's own outcome.
    #[serde(default)]
    pub smallest_level: Option<u64>,
}

impl Model {
    pub(super) fn check(&self, number: usize, rules: &Rules) -> Result<Checked, &'static str> {
        let place = format!("model {number}");
        let fail = |rule| Verdict::Fail { rule, place: place.clone() };
        let mut verdicts = Vec::new();
        let df = i64::try_from(i128::from(self.n) - i128::from(self.parameters))
            .map_err(|_| "its numbers are too large")?;
        if df < i64::try_from(rules.min_df).unwrap_or(i64::MAX) {
            verdicts.push(fail(Rule::DegreesOfFreedom));
        }
        let smallest = self.smallest_level.map_or(self.n, |level| level.min(self.n));
        if smallest < rules.min_cell {
            verdicts.push(fail(Rule::MinCell));
        }
        let evidence = Evidence { smallest: Some(smallest), df: Some(df), ..Evidence::default() };
        Ok(Checked::of(Statbarn::Association, verdicts, evidence))
    }
}
