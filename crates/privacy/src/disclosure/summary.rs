//! One number about a group: a mean, a quantile, a test, a Gini coefficient.

use serde::{Deserialize, Serialize};

use super::{Checked, Contributions, Evidence, Review, Rule, Rules, Statbarn, Verdict};

/// A number about a group of people, as far as it says anything about one of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// What kind it is.
    pub statbarn: Statbarn,
    /// People in the group; for two groups, in the smaller one.
    pub n: u64,
    /// People on the smaller side of a quantile. Needed for [`Statbarn::Position`].
    #[serde(default)]
    pub smaller_side: Option<u64>,
    /// What people contribute. Needed for totals and means of amounts ([`Statbarn::LinearAggregations`],
    /// [`Statbarn::Concentration`]); without them people look.
    #[serde(default)]
    pub contributions: Option<Contributions>,
}

impl Summary {
    pub(super) fn check(&self, number: usize, rules: &Rules) -> Result<Checked, &'static str> {
        let place = format!("summary {number}");
        let fail = |rule| Verdict::Fail { rule, place: place.clone() };
        let mut verdicts = Vec::new();
        let mut evidence = Evidence { smallest: Some(self.n), ..Evidence::default() };
        if self.n < rules.min_cell {
            verdicts.push(fail(Rule::MinCell));
        }
        match self.statbarn {
            Statbarn::Extremes => verdicts.push(fail(Rule::Extreme)),
            Statbarn::Position => {
                let side = self.smaller_side.ok_or("a quantile needs its smaller side")?;
                evidence.smallest = Some(side.min(self.n));
                if side < rules.min_cell && self.n >= rules.min_cell {
                    verdicts.push(fail(Rule::Extreme));
                }
            }
            Statbarn::LinearAggregations | Statbarn::Concentration => match &self.contributions {
                Some(given) => {
                    let (broken, found) = given.check(rules)?;
                    verdicts.extend(broken.into_iter().map(fail));
                    evidence.dominance = found.dominance;
                    evidence.remainder = found.remainder;
                }
                None => verdicts.push(Verdict::Review { reason: Review::NoContributions }),
            },
            _ => {}
        }
        Ok(Checked::of(self.statbarn, verdicts, evidence))
    }
}
