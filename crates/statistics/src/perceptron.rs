//! Small neural networks by federated averaging (McMahan et al., AISTATS 2017): sites train from the
//! same weights on their own rows, and the next weights are the mean of theirs, by rows.
//!
//! One round finds means and spreads of the columns. In each round of training every site gives its
//! number of rows times the change of each weight. Then one round, or two where an earlier network was
//! better than the last, measures the network on the rows that were held out.

mod measures;
mod shape;
mod training;

use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{Term, check_binary, levels, range, terms};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, bounded, counts, real, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};
pub use measures::Measures;
use shape::Shape;
pub use shape::{Activation, Layer, TrainedPerceptron};
use training::Rows;

/// Most weights of a network, biases included. Each is a number of the vector that every site gives in
/// each round, of which a secret sum with proofs of bounds carries 20 000; networks with more weights
/// need sums without such proofs.
pub const MOST_WEIGHTS: usize = 10_000;
/// Most units of a hidden layer, hidden layers, classes of an outcome.
const MOST_UNITS: u32 = 256;
const MOST_HIDDEN: usize = 2;
const MOST_CLASSES: usize = 32;
/// Most rounds of training, and most epochs within one.
const MOST_ROUNDS: u32 = 500;
const MOST_EPOCHS: u32 = 100;
/// Weights beyond this are taken for a network that runs away.
const MOST_WEIGHT: f64 = 1e6;
/// The loss of a row beyond this is taken to be this.
const MOST_LOSS: f64 = 1e6;
/// Columns whose standard deviation, in half their range, is below this count as constant.
const LEAST_SPREAD: f64 = 1e-7;

/// A multilayer perceptron, trained by federated averaging. Numbers need stated bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perceptron {
    /// What is predicted.
    pub outcome: String,
    /// Numbers with stated bounds and categories (treatment coding).
    pub covariates: Vec<String>,
    /// What the network gives.
    pub output: Output,
    /// Units of each hidden layer, from the columns on; none for a model without a hidden layer. At
    /// most 2 layers of at most 256.
    pub hidden: Vec<u32>,
    /// Of the hidden units.
    #[serde(default)]
    pub activation: Activation,
    /// Rounds of training, at most 500.
    pub rounds: u32,
    /// How often a site goes through its rows in a round, at most 100.
    #[serde(default = "one")]
    pub epochs: u32,
    /// Rows for one step; 0 for all rows of the site.
    #[serde(default = "thirty_two")]
    pub batch: u32,
    /// By what the mean gradient of a batch is multiplied.
    pub learning_rate: f64,
    /// Part of the last change of the mean that is added to the next one (Hsu et al. 2019), below 1.
    #[serde(default)]
    pub server_momentum: f64,
    /// Times the weights (not the biases) this is added to the gradient.
    #[serde(default)]
    pub weight_decay: f64,
    /// The greatest change of one weight by one site in one round; beyond it the change is cut.
    #[serde(default = "half")]
    pub most_change: f64,
    /// Part of the rows that is held out and never trained on, below 1. Which rows these are depends on
    /// their number within the site and on the seed.
    #[serde(default = "fifth")]
    pub held_out: f64,
    /// Training ends after this many rounds without a smaller loss on what is held out (on the rows of
    /// training where nothing is), and the best network is the answer; 0 for all rounds and the last one.
    #[serde(default)]
    pub patience: u32,
    /// Of the first weights, the order of rows, and what is held out.
    #[serde(default)]
    pub seed: u64,
}

const fn one() -> u32 {
    1
}

const fn thirty_two() -> u32 {
    32
}

const fn half() -> f64 {
    0.5
}

const fn fifth() -> f64 {
    0.2
}

/// What a network gives, and the loss that is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// A number; half the squared difference in standard deviations.
    Linear,
    /// The probability of yes; the negative log-likelihood.
    Logistic,
    /// The probability of each level of a category; the negative log-likelihood.
    Softmax,
}

/// Where training stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Means and standard deviations of the columns, in half their ranges, and of a linear outcome
    /// behind them; empty before the first round.
    scales: Vec<[f64; 2]>,
    weights: Vec<f64>,
    velocity: Vec<f64>,
    /// Rounds of training so far.
    trained: u32,
    /// The mean losses before each of them: of training and of what is held out.
    losses: Vec<[f64; 2]>,
    /// The smallest loss, its round, its weights.
    best: Option<Best>,
    /// Whether this round measures and does not train.
    is_measured: bool,
    /// How often a site had to cut a weight's change.
    clipped: u64,
}

/// The best network so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Best {
    loss: f64,
    round: u32,
    weights: Vec<f64>,
}

impl Perceptron {
    fn shape(&self, question: &Question, columns: usize) -> Result<Shape, Refusal> {
        let outputs = match self.output {
            Output::Softmax => levels(question, &self.outcome)?.len(),
            Output::Linear | Output::Logistic => 1,
        };
        let hidden = self.hidden.iter().map(|units| *units as usize);
        let sizes = std::iter::once(columns).chain(hidden).chain([outputs]).collect();
        Ok(Shape { sizes, activation: self.activation, output: self.output })
    }

    fn check(&self, question: &Question) -> Result<(), Failure> {
        match self.output {
            Output::Linear if !range(question, &self.outcome)?.is_stated => {
                return Err(wrong(format!("networks need the bounds of `{}`", self.outcome)));
            }
            Output::Linear => {}
            Output::Logistic => check_binary(question, &self.outcome)?,
            Output::Softmax => {
                if !(2..=MOST_CLASSES).contains(&levels(question, &self.outcome)?.len()) {
                    return Err(wrong(format!(
                        "`{}` needs 2 to {MOST_CLASSES} levels",
                        self.outcome
                    )));
                }
            }
        }
        let terms = terms(question, &self.covariates)?;
        for name in &self.covariates {
            if range(question, name).is_ok_and(|range| !range.is_stated) {
                return Err(wrong(format!("networks need the bounds of `{name}`")));
            }
        }
        let is_fit = !terms.is_empty()
            && !self.covariates.contains(&self.outcome)
            && self.hidden.len() <= MOST_HIDDEN
            && self.hidden.iter().all(|units| (1..=MOST_UNITS).contains(units))
            && (1..=MOST_ROUNDS).contains(&self.rounds)
            && (1..=MOST_EPOCHS).contains(&self.epochs)
            && self.learning_rate > 0.0
            && self.learning_rate <= 100.0
            && (0.0..1.0).contains(&self.server_momentum)
            && (0.0..=100.0).contains(&self.weight_decay)
            && self.most_change > 0.0
            && self.most_change <= 1000.0
            && (0.0..1.0).contains(&self.held_out);
        if !is_fit {
            return Err(wrong(
                "give covariates that are not the outcome, at most 2 hidden layers of 1 to 256 \
                 units, 1 to 500 rounds, 1 to 100 epochs, a learning rate above 0 and at most 100, \
                 momentum and the part held out from 0 to below 1, weight decay from 0 to 100, and a \
                 greatest change above 0 and at most 1000",
            ));
        }
        if self.shape(question, terms.len())?.count() > MOST_WEIGHTS {
            return Err(wrong(format!("the network has more than {MOST_WEIGHTS} weights")));
        }
        Ok(())
    }

    /// Means and spreads out of the first round, and the first weights.
    fn first(
        &self,
        question: &Question,
        columns: usize,
        totals: &Totals<'_>,
    ) -> Result<State, Failure> {
        let n = crate::plan::count(totals.one("training"));
        let held = totals.n() - n.min(totals.n());
        if n < 2 || (self.held_out > 0.0 && held == 0) {
            return Err(Failure::TooLittle("rows to train on, and rows to hold out".to_owned()));
        }
        let scales = totals.of("sums").iter().zip(totals.of("squares")).map(|(sum, square)| {
            let mean = sum / real(n);
            let spread = (square / real(n) - mean * mean).max(0.0).sqrt();
            [mean, if spread > LEAST_SPREAD { spread } else { 0.0 }]
        });
        let scales: Vec<[f64; 2]> = scales.collect();
        let is_constant = |[_, spread]: &[f64; 2]| *spread == 0.0;
        let (inputs, outcome) = scales.split_at(columns.min(scales.len()));
        if inputs.iter().all(is_constant) || outcome.iter().any(is_constant) {
            return Err(Failure::TooLittle("the outcome or every column is constant".to_owned()));
        }
        let weights = self.shape(question, columns)?.first_weights(self.seed);
        let velocity = if self.server_momentum > 0.0 { vec![0.0; weights.len()] } else { vec![] };
        Ok(State { scales, weights, velocity, ..State::empty() })
    }

    /// The state after the losses of a network are known.
    fn judge(&self, state: &State, totals: &Totals<'_>) -> State {
        let mut next = state.clone();
        let mean = |name: &str, n: u64| totals.one(name) / real(n.max(1));
        let n = crate::plan::count(totals.one("training"));
        let held = totals.n() - n.min(totals.n());
        let losses = [mean("training loss", n), mean("held-out loss", held)];
        let loss = if self.held_out > 0.0 { losses[1] } else { losses[0] };
        next.losses.push(losses);
        if self.patience > 0 && next.best.as_ref().is_none_or(|best| loss < best.loss) {
            let (round, weights) = (state.trained, state.weights.clone());
            next.best = Some(Best { loss, round, weights });
        }
        next
    }

    /// The next weights.
    fn train(&self, next: &mut State, totals: &Totals<'_>) -> Result<(), Failure> {
        if totals.one("run away") > 0.5 {
            return Err(ran_away(next.trained + 1));
        }
        let n = totals.one("training").max(1.0);
        let moved = totals.of("changes").iter().map(|change| change / n);
        if next.velocity.is_empty() {
            next.weights.iter_mut().zip(moved).for_each(|(weight, change)| *weight += change);
        } else {
            let places = next.weights.iter_mut().zip(&mut next.velocity).zip(moved);
            for ((weight, velocity), change) in places {
                *velocity = velocity.mul_add(self.server_momentum, change);
                *weight += *velocity;
            }
        }
        next.clipped += crate::plan::count(totals.one("cut changes"));
        next.trained += 1;
        if next.weights.iter().any(|weight| weight.abs() > MOST_WEIGHT) {
            return Err(ran_away(next.trained));
        }
        Ok(())
    }

    fn finding(
        &self,
        question: &Question,
        terms: &[Term],
        state: State,
        totals: &Totals<'_>,
    ) -> Result<Finding, Failure> {
        let shape = self.shape(question, terms.len())?;
        let outcome = match (self.output, state.scales.last()) {
            (Output::Linear, Some([mean, spread])) => {
                let range = range(question, &self.outcome)?;
                Some([mean.mul_add(range.half(), range.centre()), spread * range.half()])
            }
            _ => None,
        };
        let measures = Measures::of(self, &state, totals, outcome)?;
        let round = state.best.as_ref().map_or(state.trained, |best| best.round);
        Ok(Finding::Perceptron(shape.trained(
            self,
            question,
            terms,
            state,
            (round, outcome),
            measures,
        )?))
    }
}

fn ran_away(rounds: u32) -> Failure {
    let why = "the weights run away; give a smaller learning rate".to_owned();
    Failure::NoConvergence { rounds, why }
}

impl State {
    const fn empty() -> Self {
        Self {
            scales: Vec::new(),
            weights: Vec::new(),
            velocity: Vec::new(),
            trained: 0,
            losses: Vec::new(),
            best: None,
            is_measured: false,
            clipped: 0,
        }
    }

    /// Whether it is a state of a network of this shape.
    fn check(&self, columns: usize, weights: usize) -> Result<(), Refusal> {
        let is_spread =
            |[mean, spread]: &[f64; 2]| mean.abs() <= 1.01 && (0.0..=1.01).contains(spread);
        let is_fit = self.scales.len() == columns
            && self.scales.iter().all(is_spread)
            && self.weights.len() == weights
            && self.weights.iter().all(|weight| weight.abs() <= MOST_WEIGHT)
            && self.trained <= MOST_ROUNDS;
        is_fit.then_some(()).ok_or_else(|| Refusal::Round("weights of another network".to_owned()))
    }
}

impl Plan for Perceptron {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        self.check(question)?;
        Ok(State::empty())
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let columns = terms(question, &self.covariates)?.len();
        let scaled = columns + usize::from(self.output == Output::Linear);
        let training = counts(question, "training", 1);
        if state.scales.is_empty() {
            return Ok(vec![
                training,
                sums(question, "sums", scaled, 1.0),
                sums(question, "squares", scaled, 1.0),
            ]);
        }
        let weights = self.shape(question, columns)?.count();
        state.check(scaled, weights)?;
        let mut entries = vec![
            training,
            sums(question, "training loss", 1, MOST_LOSS),
            sums(question, "held-out loss", 1, MOST_LOSS),
        ];
        if state.is_measured {
            entries.extend(measures::entries(self, question, state)?);
        } else {
            let flag = |name: &str, bound: f64| Entry {
                name: name.to_owned(),
                length: 1,
                is_count: true,
                bound,
            };
            entries.push(flag("run away", 1.0));
            entries.push(flag("cut changes", crate::plan::size(weights)));
            let most = self.most_change * f64::from(question.most_rows);
            entries.push(bounded("changes", weights, most));
        }
        Ok(entries)
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let used = Rows::of(self, question, state, rows)?;
        let (complete, dropped) = (used.len(), rows.rows() - used.len());
        let values = if state.scales.is_empty() {
            used.moments()
        } else {
            let shape = self.shape(question, used.columns())?;
            let mut values = used.losses(&shape, &state.weights);
            if state.is_measured {
                values.extend(measures::sums_of(self, &shape, &state.weights, &used));
            } else {
                values.extend(used.train(self, &shape, &state.weights, state.trained));
            }
            values
        };
        Ok(Given { rows: complete, dropped, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let terms = terms(question, &self.covariates)?;
        if state.scales.is_empty() {
            return Ok(Next::Ask(self.first(question, terms.len(), totals)?));
        }
        if state.is_measured && state.losses.len() > state.trained as usize {
            return Ok(Next::done(self.finding(question, &terms, state.clone(), totals)?));
        }
        let mut next = self.judge(state, totals);
        if state.is_measured {
            match &next.best {
                Some(best) if best.round < state.trained => next.weights = best.weights.clone(),
                _ => return Ok(Next::done(self.finding(question, &terms, next, totals)?)),
            }
            return Ok(Next::Ask(next));
        }
        let since =
            next.best.as_ref().map_or(0, |best| state.trained - best.round.min(state.trained));
        if self.patience > 0 && since >= self.patience {
            next.is_measured = true;
            next.weights = next.best.as_ref().map_or(next.weights, |best| best.weights.clone());
            return Ok(Next::Ask(next));
        }
        self.train(&mut next, totals)?;
        next.is_measured = next.trained >= self.rounds;
        Ok(Next::Ask(next))
    }
}
