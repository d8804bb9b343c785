//! What a question gives in the end: numbers about many people, with what a checker needs to know of them.

use serde::{Deserialize, Serialize};

/// The end of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Rows that went into it, over all sites.
    pub n: u64,
    /// Rows that were left out for a missing value, over all sites.
    pub dropped: u64,
    /// Sites in the last round.
    pub sites: u32,
    /// Rounds it took.
    pub rounds: u32,
    /// What was found.
    pub finding: Finding,
    /// The noise that is in it, where there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
}

/// The noise in an answer of counts. Where the noise led below zero the finding says zero; `released`
/// is what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// The law of it.
    pub law: Law,
    /// ε of the answer in millionths.
    pub micro_epsilon: u64,
    /// By how much one row changes the counts, added up.
    pub sensitivity: u32,
    /// How many have added noise of this ε, each by itself.
    pub adders: u32,
    /// Within how many of the truth a count is with probability 0.95.
    pub within: u64,
    /// The counts as they were released, in the order of the round's vector: rows with a value, rows
    /// without one, then the cells. They may be negative.
    pub released: Vec<i64>,
}

/// A law of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// The discrete Laplace law.
    DiscreteLaplace,
}

/// What was found, by statistical kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Finding {
    /// A fitted regression.
    Model(Model),
    /// Counts by categories.
    Table(crate::describe::Table),
    /// Summary statistics.
    Summary(crate::describe::SummaryTable),
    /// Counts between edges.
    Histogram(crate::describe::HistogramCounts),
    /// Quantiles.
    Quantiles(crate::describe::QuantilesFound),
    /// t tests.
    TTest(crate::compare::TTests),
    /// A one-way analysis of variance.
    Anova(crate::compare::AnovaTable),
    /// A test of independence.
    ChiSquared(crate::compare::ChiSquaredTest),
    /// Correlations of pairs.
    Correlations(crate::compare::Correlations),
    /// A rank-sum test.
    RankSum(crate::compare::RankSumTest),
    /// Survival curves.
    Survival(crate::survival::Curves),
    /// A meta-analysis.
    MetaAnalysis(crate::meta::MetaResult),
    /// Regressions of the sites, pooled.
    TwoStage(crate::meta::TwoStageResult),
    /// Principal components.
    Components(crate::structure::Components),
    /// Clusters.
    Clusters(crate::structure::Clusters),
    /// A linear mixed model.
    Mixed(crate::mixed::MixedModel),
    /// A weighted contrast.
    WeightedEffect(crate::weighting::WeightedEffect),
    /// The validation of a prediction.
    Validated(crate::validation::Validated),
    /// Trees that predict.
    BoostedTrees(crate::boosting::BoostedTrees),
    /// A neural network that predicts.
    Perceptron(crate::perceptron::TrainedPerceptron),
    /// What a researcher's own program made of the sums.
    Program(ProgramResult),
}

/// The result of a researcher's own program, in a form of its own: nobody but a person can check it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramResult {
    /// SHA-256 of the program, as 64 hexadecimal digits.
    pub program: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it found.
    pub result: serde_json::Value,
}

/// A fitted regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// In the order of the formula, the intercept first.
    pub coefficients: Vec<Coefficient>,
    /// Columns that were left out because others determine them, or because they do not vary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliased: Vec<String>,
    /// Events, where the outcome is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// Rows less estimated coefficients.
    pub residual_df: i64,
    /// Covariance of the estimates, in the order of `coefficients`; absent for penalised estimates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covariance: Vec<Vec<f64>>,
    /// Natural logarithm of the (partial) likelihood at the estimate; absent where the method has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_likelihood: Option<f64>,
    /// Residual variance of a linear model; of a negative-binomial one the α of a variance
    /// `μ + α μ²`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
}

/// One coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coefficient {
    /// `Intercept`, a variable, `variable[level]`, or a term as the formula writes it.
    pub name: String,
    /// On the scale of the linear predictor.
    pub estimate: f64,
    /// Standard error; absent for penalised estimates, which have none.
    pub se: Option<f64>,
    /// Two-sided, of the estimate being 0: t for linear models, normal otherwise.
    pub p: Option<f64>,
}
