//! A question about a data set: which analysis, of which variables.

use serde::{Deserialize, Serialize};

use crate::dictionary::Dictionary;
use crate::frame::Frame;
use crate::regression::Regression;
use crate::rounds::{Contribution, Failure, Layout, Progress, Refusal, Round};

/// A question about a data set. Everybody who takes part holds the same one; it is signed as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The variables of the data set, or those of them that the question uses.
    pub dictionary: Dictionary,
    /// Most rows that one site may have, which bounds what it can add to a sum.
    pub most_rows: u32,
    /// What is asked.
    pub analysis: Analysis,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Analysis {
    /// A regression: linear, logistic, Poisson, negative binomial, Cox.
    Regression(Regression),
    /// Counts by one to three categories.
    Crosstab(crate::describe::Crosstab),
    /// Summary statistics.
    Summary(crate::describe::Summary),
    /// Counts between edges.
    Histogram(crate::describe::Histogram),
    /// Quantiles by bisection on counts.
    Quantiles(crate::describe::Quantiles),
    /// Student's and Welch's t.
    TTest(crate::compare::TTest),
    /// Paired t.
    PairedT(crate::compare::PairedT),
    /// One-way analysis of variance.
    Anova(crate::compare::Anova),
    /// Independence of two categories.
    ChiSquared(crate::compare::ChiSquared),
    /// Pearson's correlations.
    Correlation(crate::compare::Correlation),
    /// Mann–Whitney on a grid.
    RankSum(crate::compare::RankSum),
    /// Kaplan–Meier curves and log-rank tests.
    Survival(crate::survival::Survival),
    /// Estimates of the sites, pooled.
    MetaAnalysis(crate::meta::MetaAnalysis),
    /// Regressions of the sites, pooled.
    TwoStage(crate::meta::TwoStage),
    /// Principal components.
    Pca(crate::structure::Pca),
    /// Clusters about centres.
    KMeans(crate::structure::KMeans),
    /// A linear mixed model with a random intercept.
    Mixed(crate::mixed::Mixed),
    /// Inverse-probability weighting.
    Weighting(crate::weighting::Weighting),
    /// Validation of a prediction.
    Validation(crate::validation::Validation),
    /// Gradient-boosted trees.
    Boosting(crate::boosting::Boosting),
    /// A small neural network.
    Perceptron(crate::perceptron::Perceptron),
    /// A program of the researcher's own.
    Program(crate::program::Program),
}

/// One kind of analysis, at both ends of the conversation.
pub(crate) trait Method {
    /// The conversation from its beginning. Everything that is wrong with the question is said here.
    fn start(&self, question: &Question) -> Result<Box<dyn Progress>, Failure>;

    /// What one row changes in the only round, where all of it are counts ([`Question::sensitivity`]).
    fn sensitivity(&self) -> Option<u32> {
        None
    }

    /// The vector that a site gives for a round whose `state` this is.
    fn layout(&self, question: &Question, state: &serde_json::Value) -> Result<Layout, Refusal>;

    /// What a site with these rows gives.
    fn contribute(
        &self,
        question: &Question,
        state: &serde_json::Value,
        rows: &Frame,
    ) -> Result<Contribution, Refusal>;
}

impl Question {
    /// The conversation from its beginning.
    pub fn start(&self) -> Result<Box<dyn Progress>, Failure> {
        self.analysis.method().start(self)
    }

    /// By how much one row more or less changes what its site gives, added up over the vector (the L1
    /// norm), where everything in it are counts and there is one round. Such questions can be answered
    /// with noise; for the others it is `None`.
    #[must_use]
    pub fn sensitivity(&self) -> Option<u32> {
        self.analysis.method().sensitivity()
    }

    /// What a site with these rows gives in a round: a vector within the bounds of the round's
    /// layout, which the site works out for itself and does not take on trust.
    pub fn contribute(&self, round: &Round, rows: &Frame) -> Result<Contribution, Refusal> {
        let method = self.analysis.method();
        if method.layout(self, &round.state)? != round.layout {
            return Err(Refusal::Round("another layout".to_owned()));
        }
        let given = method.contribute(self, &round.state, rows)?;
        if given.values.len() != round.layout.len() {
            return Err(Refusal::Round("another number of values".to_owned()));
        }
        let mut values = given.values.iter();
        for entry in &round.layout.entries {
            let fits = |value: &f64| {
                let is_whole = !entry.is_count || (value.fract() == 0.0 && *value >= 0.0);
                value.abs() <= entry.bound && is_whole
            };
            if !values.by_ref().take(entry.length).all(fits) {
                return Err(Refusal::Bounds(entry.name.clone()));
            }
        }
        Ok(given)
    }
}

impl Analysis {
    /// The words of the kinds that can be answered with noise ([`Question::sensitivity`]).
    pub const WITH_NOISE: [&'static str; 2] = ["crosstab", "histogram"];

    fn method(&self) -> &dyn Method {
        match self {
            Self::Regression(regression) => regression,
            Self::Crosstab(method) => method,
            Self::Summary(method) => method,
            Self::Histogram(method) => method,
            Self::Quantiles(method) => method,
            Self::TTest(method) => method,
            Self::PairedT(method) => method,
            Self::Anova(method) => method,
            Self::ChiSquared(method) => method,
            Self::Correlation(method) => method,
            Self::RankSum(method) => method,
            Self::Survival(method) => method,
            Self::MetaAnalysis(method) => method,
            Self::TwoStage(method) => method,
            Self::Pca(method) => method,
            Self::KMeans(method) => method,
            Self::Mixed(method) => method,
            Self::Weighting(method) => method,
            Self::Validation(method) => method,
            Self::Boosting(method) => method,
            Self::Perceptron(method) => method,
            Self::Program(method) => method,
        }
    }
}
