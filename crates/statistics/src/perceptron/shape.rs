//! The network itself: its layers, what it gives for a row, and the gradient of the loss
//! (back-propagation; Rumelhart, Hinton and Williams 1986).

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use super::{Measures, Output, Perceptron, State};
use crate::columns::{Term, complete, levels, terms};
use crate::frame::Frame;
use crate::question::Question;
use crate::rounds::{Failure, Refusal};

/// What a hidden unit makes of its sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The positive part.
    #[default]
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

/// A network that predicts. A row goes through it thus: of each column in `columns` take off its
/// `centre` and divide by its `scale`; each unit of a layer is its bias and the sum of its weights times
/// the units before, and in all layers but the last goes through the activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedPerceptron {
    /// What it gives.
    pub output: Output,
    /// Of the hidden units.
    pub activation: Activation,
    /// The columns in the order of the first layer's weights.
    pub columns: Vec<Input>,
    /// Columns that have the same value in every row and therefore no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constant: Vec<String>,
    /// From the columns to the outputs.
    pub layers: Vec<Layer>,
    /// The levels of a softmax output, in the order of the last layer's units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Mean and standard deviation of the outcome of a linear output, which gives standard deviations
    /// from the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<[f64; 2]>,
    /// The mean loss on the rows of training before each round, and in the end.
    pub training: Vec<f64>,
    /// The same on the rows that were held out; empty where none were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<f64>,
    /// After how many rounds of training this network stood.
    pub round: u32,
    /// How often a site's change of a weight was cut to the greatest one, over all rounds. Where this
    /// is not 0 the mean is not quite that of the sites' networks.
    pub clipped: u64,
    /// How good it is.
    pub measures: Measures,
}

/// A column of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// `variable`, or `variable[level]`, which is 1 for the level and 0 otherwise.
    pub name: String,
    /// Its mean over the rows of training.
    pub centre: f64,
    /// Its standard deviation; 1 where it is constant.
    pub scale: f64,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Units × units before.
    pub weights: Vec<Vec<f64>>,
    /// One for each unit.
    pub biases: Vec<f64>,
}

/// Sizes of the layers, the columns first. Weights are one vector: layer after layer, unit after unit,
/// each with its weights and then its bias.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) sizes: Vec<usize>,
    pub(super) activation: Activation,
    pub(super) output: Output,
}

/// Room for one row on its way through the network.
pub(super) struct Scratch {
    /// What each layer gives, the columns excepted.
    units: Vec<Vec<f64>>,
    /// The derivative of the loss by each unit's sum.
    deltas: Vec<Vec<f64>>,
    /// The loss of a logistic output needs its log odds.
    log_odds: f64,
}

impl Scratch {
    /// What the network gives for the last row.
    pub(super) fn outputs(&self) -> &[f64] {
        self.units.last().map_or(&[], Vec::as_slice)
    }
}

impl Shape {
    /// How many weights, biases included.
    pub(super) fn count(&self) -> usize {
        self.layers().map(|[before, units]| units * (before + 1)).sum()
    }

    fn layers(&self) -> impl DoubleEndedIterator<Item = [usize; 2]> + ExactSizeIterator {
        self.sizes.array_windows::<2>().copied()
    }

    /// Drawn evenly between ±√(6 / (units before + units)) (Glorot and Bengio 2010), for the positive
    /// part between ±√(6 / units before) (He et al. 2015); biases are 0.
    pub(super) fn first_weights(&self, seed: u64) -> Vec<f64> {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let mut weights = Vec::with_capacity(self.count());
        let last = self.sizes.len().saturating_sub(2);
        for (at, [before, units]) in self.layers().enumerate() {
            let is_relu = self.activation == Activation::Relu && at < last;
            let over = if is_relu { before } else { before + units };
            let reach = (6.0 / crate::plan::size(over.max(1))).sqrt();
            for _ in 0..units {
                for _ in 0..before {
                    let part = f64::from(random.next_u32()) / f64::from(u32::MAX);
                    weights.push(part.mul_add(2.0, -1.0) * reach);
                }
                weights.push(0.0);
            }
        }
        weights
    }

    /// Room for one row.
    pub(super) fn scratch(&self) -> Scratch {
        let units: Vec<Vec<f64>> = self.layers().map(|[_, units]| vec![0.0; units]).collect();
        Scratch { deltas: units.clone(), units, log_odds: 0.0 }
    }

    /// Sends a row of standardised columns through the network.
    pub(super) fn forward(&self, weights: &[f64], row: &[f64], scratch: &mut Scratch) {
        let (mut rest, last) = (weights, self.sizes.len().saturating_sub(2));
        for (at, [before, units]) in self.layers().enumerate() {
            let (own, after) = rest.split_at(units * (before + 1));
            rest = after;
            let (done, open) = scratch.units.split_at_mut(at);
            let inputs = done.last().map_or(row, Vec::as_slice);
            let Some(outputs) = open.first_mut() else { return };
            for (output, unit) in outputs.iter_mut().zip(own.chunks_exact(before + 1)) {
                let Some((bias, weights)) = unit.split_last() else { continue };
                let sum = bias + weights.iter().zip(inputs).map(|(w, x)| w * x).sum::<f64>();
                *output = match self.activation {
                    _ if at == last => sum,
                    Activation::Relu => sum.max(0.0),
                    Activation::Tanh => sum.tanh(),
                };
            }
        }
        let Some(outputs) = scratch.units.last_mut() else { return };
        match self.output {
            Output::Linear => {}
            Output::Logistic => {
                for output in outputs {
                    scratch.log_odds = *output;
                    *output = crate::logit::probability(*output);
                }
            }
            Output::Softmax => {
                let most = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                outputs.iter_mut().for_each(|output| *output = (*output - most).exp());
                let sum: f64 = outputs.iter().sum();
                outputs.iter_mut().for_each(|output| *output /= sum);
            }
        }
    }

    /// The loss of the row that went through last.
    pub(super) fn loss(&self, target: f64, scratch: &Scratch) -> f64 {
        match self.output {
            Output::Linear => {
                scratch.outputs().iter().map(|found| (found - target).powi(2) / 2.0).sum()
            }
            Output::Logistic => {
                let odds = scratch.log_odds;
                odds.max(0.0) + (-odds.abs()).exp().ln_1p() - target * odds
            }
            Output::Softmax => {
                let found = scratch.outputs().get(class(target)).copied().unwrap_or(0.0);
                -found.max(f64::MIN_POSITIVE).ln()
            }
        }
    }

    /// Adds the gradient of the loss of the row that went through last.
    pub(super) fn add_gradient(
        &self,
        weights: &[f64],
        row: &[f64],
        target: f64,
        scratch: &mut Scratch,
        gradient: &mut [f64],
    ) {
        let Scratch { units, deltas, .. } = scratch;
        if let (Some(outputs), Some(deltas)) = (units.last(), deltas.last_mut()) {
            // For all three losses the derivative is the output less what it should be.
            for (at, (delta, output)) in deltas.iter_mut().zip(outputs).enumerate() {
                *delta = match self.output {
                    Output::Softmax => output - if at == class(target) { 1.0 } else { 0.0 },
                    Output::Linear | Output::Logistic => output - target,
                };
            }
        }
        let (mut weights, mut gradient) = (weights, gradient);
        for (at, [before, units_here]) in self.layers().enumerate().rev() {
            let split = weights.len() - units_here * (before + 1);
            let (earlier, own) = weights.split_at(split);
            let (earlier_gradient, own_gradient) = gradient.split_at_mut(split);
            let (below, here) = deltas.split_at_mut(at);
            let Some(here) = here.first() else { return };
            let inputs = at.checked_sub(1).and_then(|at| units.get(at)).map_or(row, Vec::as_slice);
            for (delta, unit) in here.iter().zip(own_gradient.chunks_exact_mut(before + 1)) {
                let Some((bias, weights)) = unit.split_last_mut() else { continue };
                *bias += delta;
                weights.iter_mut().zip(inputs).for_each(|(sum, input)| *sum += delta * input);
            }
            if let Some(below) = below.last_mut() {
                below.fill(0.0);
                for (delta, unit) in here.iter().zip(own.chunks_exact(before + 1)) {
                    below.iter_mut().zip(unit).for_each(|(sum, weight)| *sum += delta * weight);
                }
                for (sum, unit) in below.iter_mut().zip(inputs) {
                    *sum *= match self.activation {
                        Activation::Relu => f64::from(u8::from(*unit > 0.0)),
                        Activation::Tanh => 1.0 - unit * unit,
                    };
                }
            }
            (weights, gradient) = (earlier, earlier_gradient);
        }
    }

    /// Subtracts a multiple of the weights, biases excepted, from the vector `to`.
    pub(super) fn decay(&self, weights: &[f64], factor: f64, to: &mut [f64]) {
        let (mut weights, mut to) = (weights, to);
        for [before, units] in self.layers() {
            let (own, after) = weights.split_at(units * (before + 1));
            let (changed, rest) = to.split_at_mut(units * (before + 1));
            (weights, to) = (after, rest);
            let pairs = own.chunks_exact(before + 1).zip(changed.chunks_exact_mut(before + 1));
            for (unit, changed) in pairs {
                let places = changed.iter_mut().zip(unit).take(before);
                places.for_each(|(to, weight)| *to -= factor * weight);
            }
        }
    }

    /// The answer.
    pub(super) fn trained(
        &self,
        perceptron: &Perceptron,
        question: &Question,
        terms: &[Term],
        state: State,
        (round, outcome): (u32, Option<[f64; 2]>),
        measures: Measures,
    ) -> Result<TrainedPerceptron, Failure> {
        let inputs = state.scales.as_slice();
        let columns = terms.iter().zip(inputs).map(|(term, [mean, spread])| Input {
            name: term.name.clone(),
            centre: term.unscaled(*mean),
            scale: if *spread > 0.0 { spread * term.unit() } else { 1.0 },
        });
        let constant = terms.iter().zip(inputs).filter(|(_, [_, spread])| *spread == 0.0);
        let mut rest = state.weights.as_slice();
        let layers = self.layers().map(|[before, units]| {
            let (own, after) = rest.split_at(units * (before + 1));
            rest = after;
            let parts = own.chunks_exact(before + 1).filter_map(<[f64]>::split_last);
            let (biases, weights) = parts.map(|(bias, weights)| (*bias, weights.to_vec())).unzip();
            Layer { weights, biases }
        });
        let is_held = perceptron.held_out > 0.0;
        let classes = match self.output {
            Output::Softmax => levels(question, &perceptron.outcome)?.to_vec(),
            Output::Linear | Output::Logistic => Vec::new(),
        };
        Ok(TrainedPerceptron {
            output: self.output,
            activation: self.activation,
            columns: columns.collect(),
            constant: constant.map(|(term, _)| term.name.clone()).collect(),
            layers: layers.collect(),
            classes,
            outcome,
            training: state.losses.iter().map(|[training, _]| *training).collect(),
            held_out: state.losses.iter().filter(|_| is_held).map(|[_, held]| *held).collect(),
            round,
            clipped: state.clipped,
            measures,
        })
    }
}

/// The place of a class.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in the levels"
)]
pub(super) fn class(target: f64) -> usize {
    target as usize
}

impl TrainedPerceptron {
    /// What the network predicts for each row: the outcome in its unit, the probability of yes, or the
    /// probability of each class; none where a covariate is missing.
    ///
    /// # Errors
    /// [`Refusal`] where the rows do not have the covariates, or the network is of another question.
    pub fn predict(
        &self,
        question: &Question,
        perceptron: &Perceptron,
        rows: &Frame,
    ) -> Result<Vec<Option<Vec<f64>>>, Refusal> {
        let terms = terms(question, &perceptron.covariates)?;
        let shape = perceptron.shape(question, terms.len())?;
        let of_layer = |layer: &Layer| {
            let units = layer.weights.iter().zip(&layer.biases);
            units
                .flat_map(|(weights, bias)| weights.iter().copied().chain([*bias]))
                .collect::<Vec<_>>()
        };
        let weights: Vec<f64> = self.layers.iter().flat_map(of_layer).collect();
        let names = self.columns.iter().map(|column| &column.name);
        let is_same = terms.iter().map(|term| &term.name).eq(names)
            && (self.output, self.activation) == (shape.output, shape.activation)
            && weights.len() == shape.count()
            && (self.output == Output::Linear) == self.outcome.is_some();
        if !is_same {
            return Err(Refusal::Round("the network is of another question".to_owned()));
        }
        let complete = complete(question, rows, &terms)?;
        let mut scratch = shape.scratch();
        let mut standard = vec![0.0; terms.len()];
        let mut out = vec![None; rows.rows()];
        for (number, values) in complete.iter() {
            for ((to, value), (term, column)) in
                standard.iter_mut().zip(values).zip(terms.iter().zip(&self.columns))
            {
                *to = (term.unscaled(*value) - column.centre) / column.scale;
            }
            shape.forward(&weights, &standard, &mut scratch);
            let mut outputs = scratch.outputs().to_vec();
            if let Some([centre, scale]) = self.outcome {
                outputs.iter_mut().for_each(|output| *output = output.mul_add(scale, centre));
            }
            if let Some(place) = out.get_mut(number) {
                *place = Some(outputs);
            }
        }
        Ok(out)
    }
}
