//! What a site estimates out of its own rows, and the rounds that pool it without showing it.

use serde::{Deserialize, Serialize};

use super::pooling::{Estimator, Pooling, SUMS, Step};
use crate::answer::Finding;
use crate::columns::{binaries, check_binary, numbers, range};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, bounded, size};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// The least standard error that counts, of a difference in half the outcome's range: a site that
/// claims to be more certain is taken to be this certain.
const LEAST_SE: f64 = 1e-4;
/// The same of a logarithm of a ratio.
const LEAST_SE_OF_LOG: f64 = 1e-3;

/// Each site estimates an effect by itself, and the estimates are pooled. A site whose rows give no
/// estimate (an arm without rows) adds nothing and is not counted. The rounds hold sums over sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaAnalysis {
    /// What each site estimates.
    pub effect: Effect,
    /// A number for a difference of means, else yes or no.
    pub outcome: String,
    /// Yes or no; the effect is of yes against no.
    pub group: String,
    /// How the variance between sites is estimated.
    #[serde(default)]
    pub estimator: Estimator,
}

/// The effect of a group on an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The difference of means, with separate variances.
    MeanDifference,
    /// The logarithm of the odds ratio; a half is added to all four counts where one is 0.
    LogOddsRatio,
    /// The logarithm of the risk ratio; a half as above.
    LogRiskRatio,
    /// The difference of risks; a half as above.
    RiskDifference,
}

impl MetaAnalysis {
    /// The estimate is divided by this, so that bounds fit all outcomes.
    fn unit(&self, question: &Question) -> Result<f64, Refusal> {
        match self.effect {
            Effect::MeanDifference => Ok(range(question, &self.outcome)?.half()),
            _ => Ok(1.0),
        }
    }

    const fn least_se(&self) -> f64 {
        match self.effect {
            Effect::MeanDifference | Effect::RiskDifference => LEAST_SE,
            Effect::LogOddsRatio | Effect::LogRiskRatio => LEAST_SE_OF_LOG,
        }
    }

    /// The greatest absolute estimate, in units.
    fn reach(&self, question: &Question) -> f64 {
        match self.effect {
            Effect::MeanDifference | Effect::RiskDifference => 2.0,
            _ => 2.0 * (2.0 * f64::from(question.most_rows) + 2.0).ln(),
        }
    }

    fn estimate(
        &self,
        question: &Question,
        rows: &Frame,
    ) -> Result<(usize, Option<(f64, f64)>), Refusal> {
        let group = binaries(question, rows, &self.group)?;
        let outcome: Vec<Option<f64>> = match self.effect {
            Effect::MeanDifference => numbers(question, rows, &self.outcome)?.to_vec(),
            _ => binaries(question, rows, &self.outcome)?
                .into_iter()
                .map(|value| value.map(|value| if value { 1.0 } else { 0.0 }))
                .collect(),
        };
        let arm = |wanted: bool| -> Vec<f64> {
            let rows = group.iter().zip(&outcome).filter(|(group, _)| **group == Some(wanted));
            rows.filter_map(|(_, value)| *value).collect()
        };
        let (yes, no) = (arm(true), arm(false));
        let estimate = match self.effect {
            Effect::MeanDifference => mean_difference(&yes, &no),
            effect => of_counts(effect, &yes, &no),
        };
        Ok((yes.len() + no.len(), estimate))
    }
}

fn mean_difference(yes: &[f64], no: &[f64]) -> Option<(f64, f64)> {
    let moments = |values: &[f64]| {
        let n = size(values.len());
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (values.len() >= 2).then(|| (mean, squares / (n - 1.0) / n))
    };
    let ((mean1, var1), (mean0, var0)) = moments(yes).zip(moments(no))?;
    Some((mean1 - mean0, var1 + var0))
}

fn of_counts(effect: Effect, yes: &[f64], no: &[f64]) -> Option<(f64, f64)> {
    if yes.is_empty() || no.is_empty() {
        return None;
    }
    let (a, c): (f64, f64) = (yes.iter().sum(), no.iter().sum());
    let (b, d) = (size(yes.len()) - a, size(no.len()) - c);
    let half = if [a, b, c, d].contains(&0.0) { 0.5 } else { 0.0 };
    let [a, b, c, d] = [a, b, c, d].map(|count| count + half);
    let (n1, n0) = (a + b, c + d);
    Some(match effect {
        Effect::LogOddsRatio => {
            ((a * d / (b * c)).ln(), a.recip() + b.recip() + c.recip() + d.recip())
        }
        Effect::LogRiskRatio => {
            ((a * n0 / (c * n1)).ln(), a.recip() - n1.recip() + c.recip() - n0.recip())
        }
        _ => (a / n1 - c / n0, a * b / n1.powi(3) + c * d / n0.powi(3)),
    })
}

impl Plan for MetaAnalysis {
    type State = Pooling;

    fn begin(&self, question: &Question) -> Result<Pooling, Failure> {
        check_binary(question, &self.group)?;
        if self.effect == Effect::MeanDifference {
            range(question, &self.outcome)?;
        } else {
            check_binary(question, &self.outcome)?;
        }
        Ok(Pooling::new())
    }

    fn entries(&self, question: &Question, state: &Pooling) -> Result<Vec<Entry>, Refusal> {
        if !state.is_fit() {
            return Err(Refusal::Round("a state without bounds".to_owned()));
        }
        self.unit(question)?;
        let bounds = state.bounds(self.least_se().powi(-2), self.reach(question));
        let parts =
            bounds.iter().enumerate().map(|(at, each)| bounded(&format!("sum {at}"), 1, *each));
        let sites = Entry { name: "estimates".to_owned(), length: 1, is_count: true, bound: 1.0 };
        Ok(std::iter::once(sites).chain(parts).collect())
    }

    fn give(&self, question: &Question, state: &Pooling, rows: &Frame) -> Result<Given, Refusal> {
        let unit = self.unit(question)?;
        let (complete, estimate) = self.estimate(question, rows)?;
        let parts = match estimate {
            None => vec![0.0; SUMS + 1],
            Some((estimate, variance)) => {
                let variance = (variance / unit.powi(2)).max(self.least_se().powi(2));
                std::iter::once(1.0).chain(state.parts(estimate / unit, variance)).collect()
            }
        };
        let given = if estimate.is_some() { complete } else { 0 };
        Ok(Given { rows: given, dropped: rows.rows() - given, values: parts })
    }

    fn advance(
        &self,
        question: &Question,
        state: &Pooling,
        totals: &Totals<'_>,
    ) -> Result<Next<Pooling>, Failure> {
        let mut sums = [0.0; SUMS];
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum = totals.one(&format!("sum {at}"));
        }
        let sites = crate::plan::count(totals.one("estimates"));
        match state.next(self.estimator, sites, sums)? {
            Step::Again(state) => Ok(Next::Ask(state)),
            Step::Found(mut found) => {
                found.rescale(self.unit(question)?);
                Ok(Next::done(Finding::MetaAnalysis(found)))
            }
        }
    }
}

impl super::MetaResult {
    /// From estimates in units back to those of the outcome.
    pub(super) fn rescale(&mut self, unit: f64) {
        let pooled = [Some(&mut self.fixed), Some(&mut self.random), self.hartung_knapp.as_mut()];
        for pooled in pooled.into_iter().flatten() {
            pooled.estimate *= unit;
            pooled.se *= unit;
            pooled.interval = pooled.interval.map(|end| end * unit);
        }
        self.tau2 *= unit * unit;
        self.prediction = self.prediction.map(|ends| ends.map(|end| end * unit));
    }
}
