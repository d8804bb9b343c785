//! Regression over many sites, with the estimates that the pooled rows give.
//!
//! The first rounds find centre and spread of every column, which only keep later sums well
//! conditioned. Then each round evaluates log-likelihood, score and information at one point, sums
//! over rows and thus over sites, and the next point is Newton's. The first point has no effects:
//! its information tells which columns others determine, and in which basis the rest is orthogonal.
//!
//! Cox's partial likelihood is stratified by site, always: no time of an event leaves its site.

mod ascent;
mod cox;
mod elastic;
mod family;
mod fit;
mod glm;
mod moments;
mod report;
mod run;
mod seen;

use serde::{Deserialize, Serialize};

use crate::design::Design;
use crate::formula::{Formula, Response};
use crate::frame::Frame;
use crate::question::{Method, Question};
use crate::rounds::{Contribution, Failure, Layout, Progress, Refusal};
use fit::FitState;
use moments::MomentState;

/// A regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// What explains what.
    pub formula: Formula,
    /// A variable whose values weight the rows, as prior weights do in R: they do not count as
    /// numbers of rows. Rows of weight 0 are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// How events at the same time are taken ([`Response::Cox`]).
    #[serde(default)]
    pub ties: Ties,
    /// What draws the estimates towards 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty: Option<Penalty>,
}

/// How events at the same time are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ties {
    /// Efron (JASA 72, 1977).
    #[default]
    Efron,
    /// Breslow (Biometrics 30, 1974).
    Breslow,
}

/// The elastic net (Zou and Hastie, JRSS B 67, 2005): what is minimised is
/// `-l / W + lambda ((1 - alpha) / 2 Σ b² + alpha Σ |b|)`, where `W` is the sum of the weights (the
/// number of rows, without weights), `l` the log-likelihood (of a linear model minus half the sum of
/// squared residuals, of a Cox model the partial one), and `b` are the coefficients of columns
/// divided by their standard deviations (divisor `n`, not weighted), the intercept excepted. This is
/// the objective that glmnet documents; its program, though, divides the outcome of a linear model
/// by its standard deviation first, which makes its `lambda` of the squares another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Strength, greater than 0.
    pub lambda: f64,
    /// Share of the absolute values, from 0 (ridge) to 1 (lasso).
    pub alpha: f64,
}

impl Regression {
    /// A regression without weights and penalty.
    #[must_use]
    pub fn new(formula: Formula) -> Self {
        Self { formula, weights: None, ties: Ties::default(), penalty: None }
    }

    /// The columns of the formula.
    pub(crate) fn design(&self, question: &Question) -> Result<Design, Failure> {
        Design::new(&self.formula, self.weights.as_deref(), &question.dictionary)
    }

    /// The design, at a site.
    fn asked(&self, question: &Question) -> Result<Design, Refusal> {
        self.design(question).map_err(|failure| Refusal::Round(failure.to_string()))
    }

    const fn kind(&self) -> Kind {
        match self.formula.response {
            Response::Linear(_) => Kind::Gaussian,
            Response::Logistic(_) => Kind::Binomial,
            Response::Poisson(_) => Kind::Poisson,
            Response::NegativeBinomial(_) => Kind::NegativeBinomial,
            Response::Cox { .. } => Kind::Cox,
        }
    }
}

/// The likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gaussian,
    Binomial,
    Poisson,
    NegativeBinomial,
    Cox,
}

/// What a round is about; the public state of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "round", rename_all = "kebab-case")]
enum State {
    Moments(MomentState),
    Fit(FitState),
}

impl State {
    fn read(value: &serde_json::Value) -> Result<Self, Refusal> {
        serde_json::from_value(value.clone())
            .map_err(|_| Refusal::Round("its state cannot be read".to_owned()))
    }

    fn layout(&self, regression: &Regression, design: &Design, most_rows: u32) -> Option<Layout> {
        match self {
            Self::Moments(state) => state.layout(design, most_rows),
            Self::Fit(state) => {
                let is_weighted = regression.weights.is_some();
                state.layout(design, regression.kind(), is_weighted, most_rows)
            }
        }
    }
}

impl Method for Regression {
    fn start(&self, question: &Question) -> Result<Box<dyn Progress>, Failure> {
        if let Some(penalty) = self.penalty {
            let is_sound = penalty.lambda.is_finite()
                && penalty.lambda > 0.0
                && (0.0..=1.0).contains(&penalty.alpha);
            if !is_sound || !self.formula.intercept {
                return Err(Failure::Question(
                    "a penalty needs a `lambda` greater than 0, an `alpha` from 0 to 1 and a \
                     formula with an intercept"
                        .to_owned(),
                ));
            }
        }
        let design = self.design(question)?;
        Ok(Box::new(run::Run::new(self, design, question.most_rows)))
    }

    fn layout(&self, question: &Question, state: &serde_json::Value) -> Result<Layout, Refusal> {
        State::read(state)?
            .layout(self, &self.asked(question)?, question.most_rows)
            .ok_or_else(|| Refusal::Round("its state is of another formula".to_owned()))
    }

    fn contribute(
        &self,
        question: &Question,
        state: &serde_json::Value,
        rows: &Frame,
    ) -> Result<Contribution, Refusal> {
        let design = self.asked(question)?;
        if u32::try_from(rows.rows()).map_or(true, |rows| rows > question.most_rows) {
            return Err(Refusal::Bounds("n".to_owned()));
        }
        let rows = design.rows(rows)?;
        let values = match State::read(state)? {
            State::Moments(state) => state.sums(&design, &rows),
            State::Fit(state) if self.kind() == Kind::Cox => {
                cox::sums(&state, &rows, self.ties, self.weights.is_some())
            }
            State::Fit(state) => {
                glm::sums(&state, &rows, self.kind(), self.weights.is_some(), &design)?
            }
        };
        Ok(Contribution { values, rows: rows.len(), dropped: rows.dropped })
    }
}
