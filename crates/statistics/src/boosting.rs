//! Gradient-boosted trees by histograms of gradients (Friedman 2001; second order as by Chen and
//! Guestrin 2016). Sites give sums of gradients and curvatures between fixed steps of each column.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{Term, binaries, check_binary, design, numbers, range, terms};
use crate::frame::Frame;
use crate::logit::probability;
use crate::plan::{Given, Next, Plan, Totals, bounded, counts, real, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most trees, levels and steps.
const MOST: [u32; 3] = [500, 6, 256];

/// Trees, each of which improves on those before it. One round for the start, and one for each level
/// of each tree and its leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boosting {
    /// What is predicted: yes or no for the logistic loss, else a number.
    pub outcome: String,
    /// Numbers with stated bounds and categories.
    pub covariates: Vec<String>,
    /// What is made small.
    pub loss: Loss,
    /// How many trees, at most 500.
    pub trees: u32,
    /// Splits from the root to a leaf, at most 6.
    pub depth: u32,
    /// By what each leaf is multiplied, above 0 and at most 1.
    pub shrinkage: f64,
    /// Equal steps between the bounds of each number, between which splits lie, 2 to 256.
    #[serde(default = "thirty_two")]
    pub steps: u32,
    /// Rows that each side of a split must have; a leaf never rests on fewer.
    #[serde(default = "ten")]
    pub least_rows: u32,
    /// Sum of curvatures (of rows for the squared loss) that each side must have.
    #[serde(default)]
    pub least_weight: f64,
    /// Added to the curvature of each leaf; 0 or more.
    #[serde(default = "one")]
    pub ridge: f64,
}

const fn thirty_two() -> u32 {
    32
}

const fn ten() -> u32 {
    10
}

const fn one() -> f64 {
    1.0
}

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Half the squared difference, in half the range of the outcome.
    Squared,
    /// The negative log-likelihood of a logistic model.
    Logistic,
}

/// A model that predicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoostedTrees {
    /// Which loss.
    pub loss: Loss,
    /// The columns that splits name by their place.
    pub columns: Vec<String>,
    /// The prediction before any tree: log odds, or the mean outcome in half its range about the
    /// middle.
    pub base: f64,
    /// The trees, shrinkage included.
    pub trees: Vec<Vec<Node>>,
    /// The mean loss before each tree.
    pub training: Vec<f64>,
}

/// One node of a tree; the root is the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Rows.
    pub n: u64,
    /// What a leaf adds to the prediction; 0 at a split.
    pub value: f64,
    /// Where the node splits.
    pub split: Option<Split>,
}

/// A split of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The place of the column.
    pub column: usize,
    /// The step from which rows go to the second side.
    pub step: usize,
    /// The same on the scale of the variable: values from here on go to the second side.
    pub from: f64,
    /// The places of both sides among the nodes.
    pub sides: [usize; 2],
}

/// The trees so far, and the leaves of the last one that may still be split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    base: Option<f64>,
    trees: Vec<Vec<Node>>,
    open: Vec<usize>,
    level: u32,
    training: Vec<f64>,
}

/// The sums of one node, column and step: gradients, curvatures, rows.
#[derive(Clone, Copy, Default)]
struct Cell {
    gradient: f64,
    curvature: f64,
    n: u64,
}

impl Cell {
    fn and(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            n: self.n + other.n,
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            n: self.n.saturating_sub(other.n),
        }
    }
}

/// The step of a scaled column in which a value lies.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to steps")]
fn step(value: f64, steps: u32) -> usize {
    let at = ((value + 1.0) / 2.0 * f64::from(steps)).floor().max(0.0);
    (at as u32).min(steps - 1) as usize
}

/// The leaf of a row.
fn leaf(tree: &[Node], row: &DVector<f64>, steps: u32) -> usize {
    let mut at = 0;
    // No path is longer than the tree.
    for _ in tree {
        let Some(split) = tree.get(at).and_then(|node| node.split.as_ref()) else { break };
        let value = row.get(split.column.saturating_add(1)).copied().unwrap_or(0.0);
        let [first, second] = split.sides;
        at = if step(value, steps) < split.step { first } else { second };
    }
    at
}

impl BoostedTrees {
    /// What the model predicts for each row: the probability of yes, or the outcome in its unit; none
    /// where a covariate is missing.
    ///
    /// # Errors
    /// [`Refusal`] where the rows do not have the covariates, or the boosting is another one's.
    pub fn predict(
        &self,
        question: &Question,
        boosting: &Boosting,
        rows: &Frame,
    ) -> Result<Vec<Option<f64>>, Refusal> {
        let terms = terms(question, &boosting.covariates)?;
        if !terms.iter().map(|term| &term.name).eq(&self.columns) || boosting.loss != self.loss {
            return Err(Refusal::Round("the model is of another question".to_owned()));
        }
        let (centre, half) = boosting.scale(question)?;
        let score = |row: DVector<f64>| boosting.score(self.base, &self.trees, &row);
        Ok(design(question, rows, &terms)?
            .into_iter()
            .map(|row| {
                let score = score(row?);
                Some(match self.loss {
                    Loss::Logistic => probability(score),
                    Loss::Squared => score.mul_add(half, centre),
                })
            })
            .collect())
    }
}

impl Boosting {
    fn scale(&self, question: &Question) -> Result<(f64, f64), Refusal> {
        match self.loss {
            Loss::Logistic => check_binary(question, &self.outcome).map(|()| (0.0, 1.0)),
            Loss::Squared => {
                range(question, &self.outcome).map(|range| (range.centre(), range.half()))
            }
        }
    }

    fn score(&self, base: f64, trees: &[Vec<Node>], row: &DVector<f64>) -> f64 {
        let value =
            |tree: &Vec<Node>| tree.get(leaf(tree, row, self.steps)).map_or(0.0, |node| node.value);
        base + trees.iter().map(value).sum::<f64>()
    }

    fn rows(&self, question: &Question, rows: &Frame) -> Result<Vec<(DVector<f64>, f64)>, Refusal> {
        let terms = terms(question, &self.covariates)?;
        let (centre, half) = self.scale(question)?;
        let outcome: Vec<Option<f64>> = match self.loss {
            Loss::Logistic => binaries(question, rows, &self.outcome)?
                .into_iter()
                .map(|value| value.map(|value| if value { 1.0 } else { 0.0 }))
                .collect(),
            Loss::Squared => numbers(question, rows, &self.outcome)?.to_vec(),
        };
        let scaled = design(question, rows, &terms)?.into_iter().zip(outcome);
        Ok(scaled.filter_map(|(row, y)| Some((row?, (y? - centre) / half))).collect())
    }

    /// Gradient, curvature and loss of a row.
    fn derivatives(&self, score: f64, outcome: f64) -> [f64; 3] {
        match self.loss {
            Loss::Squared => {
                let rest = score - outcome;
                [rest, 1.0, rest * rest / 2.0]
            }
            Loss::Logistic => {
                let p = probability(score);
                let loss = score.max(0.0) + (-score.abs()).exp().ln_1p() - outcome * score;
                [p - outcome, p * (1.0 - p), loss]
            }
        }
    }

    /// The best split of a node's cells, if one gains.
    fn split(&self, cells: &[Cell], terms: &[Term]) -> Option<(Split, [Cell; 2])> {
        let worth = |cell: Cell| cell.gradient.powi(2) / (cell.curvature + self.ridge).max(1e-12);
        let least = u64::from(self.least_rows.max(1));
        let is_fit = |cell: &Cell| cell.n >= least && cell.curvature >= self.least_weight;
        let mut best: Option<(f64, Split, [Cell; 2])> = None;
        for (column, (steps, term)) in cells.chunks(self.steps as usize).zip(terms).enumerate() {
            let all = steps.iter().fold(Cell::default(), |sum, cell| sum.and(*cell));
            let mut first = Cell::default();
            for (cut, cell) in (1..).zip(steps) {
                first = first.and(*cell);
                let second = all.less(first);
                let gain = worth(first) + worth(second) - worth(all);
                let beats = best.as_ref().map_or(1e-9, |(gain, ..)| gain * (1.0 + 1e-9));
                if is_fit(&first) && is_fit(&second) && gain > beats {
                    let place = 2.0 * f64::from(cut) / f64::from(self.steps) - 1.0;
                    let from = term.unscaled(place);
                    let step = usize::try_from(cut).unwrap_or(usize::MAX);
                    let split = Split { column, step, from, sides: [0, 0] };
                    best = Some((gain, split, [first, second]));
                }
            }
        }
        best.map(|(_, split, sides)| (split, sides))
    }

    fn value(&self, cell: Cell) -> f64 {
        let value = -cell.gradient / (cell.curvature + self.ridge).max(1e-12) * self.shrinkage;
        value.clamp(-4.0, 4.0)
    }

    /// Splits the open leaves of the last tree.
    fn grow(&self, state: &mut State, terms: &[Term], cells: &[Cell]) {
        let size = terms.len() * self.steps as usize;
        let Some(tree) = state.trees.last_mut() else { return };
        let mut open = Vec::new();
        for (node, cells) in state.open.iter().zip(cells.chunks(size)) {
            let Some((mut split, sides)) = self.split(cells, terms) else { continue };
            split.sides = [tree.len(), tree.len() + 1];
            open.extend(split.sides);
            for side in sides {
                tree.push(Node { n: side.n, value: self.value(side), split: None });
            }
            if let Some(parent) = tree.get_mut(*node) {
                (parent.split, parent.value) = (Some(split), 0.0);
            }
        }
        state.open = open;
        state.level += 1;
    }

    /// Opens the root of another tree.
    fn plant(state: &mut State) {
        state.trees.push(vec![Node { n: 0, value: 0.0, split: None }]);
        (state.open, state.level) = (vec![0], 0);
    }
}

impl Plan for Boosting {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        self.scale(question)?;
        for term in terms(question, &self.covariates)? {
            if range(question, &term.name).is_ok_and(|range| !range.is_stated) {
                return Err(wrong(format!("trees need the bounds of `{}`", term.name)));
            }
        }
        let [trees, depth, steps] = MOST;
        let fits = (1..=trees).contains(&self.trees)
            && (1..=depth).contains(&self.depth)
            && (2..=steps).contains(&self.steps)
            && !self.covariates.is_empty()
            && !self.covariates.contains(&self.outcome)
            && self.shrinkage > 0.0
            && self.shrinkage <= 1.0
            && self.ridge >= 0.0;
        if !fits {
            return Err(wrong("give 1 to 500 trees, depth 1 to 6, 2 to 256 steps, shrinkage to 1"));
        }
        Ok(State { base: None, trees: vec![], open: vec![], level: 0, training: vec![] })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let rows = f64::from(question.most_rows);
        let Some(base) = state.base else {
            return Ok(vec![bounded("outcomes", 1, rows)]);
        };
        let leaves =
            |tree: &Vec<Node>| tree.iter().fold(0.0_f64, |m, node| node.value.abs().max(m));
        let reach = 1.0 + base.abs() + state.trees.iter().map(leaves).sum::<f64>();
        if !reach.is_finite() {
            return Err(Refusal::Round("trees without bounds".to_owned()));
        }
        let size = terms(question, &self.covariates)?.len() * self.steps as usize;
        let cells = size * state.open.len();
        Ok(vec![
            counts(question, "rows", cells),
            bounded("gradients", cells, reach * rows),
            bounded("curvatures", cells, rows),
            bounded("loss", 1, reach * reach * rows),
        ])
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let used = self.rows(question, rows)?;
        let dropped = rows.rows() - used.len();
        let Some(base) = state.base else {
            let values = vec![used.iter().map(|(_, outcome)| outcome).sum()];
            return Ok(Given { rows: used.len(), dropped, values });
        };
        let columns = terms(question, &self.covariates)?.len();
        let steps = self.steps as usize;
        let cells = columns * steps * state.open.len();
        let mut values = vec![0.0; 3 * cells + 1];
        let mut add = |at: usize, value: f64| {
            if let Some(sum) = values.get_mut(at) {
                *sum += value;
            }
        };
        let (growing, grown) = match state.trees.split_last() {
            Some((growing, grown)) => (growing, grown),
            None => return Err(Refusal::Round("no tree is open".to_owned())),
        };
        for (row, outcome) in &used {
            // The tree that grows does not count yet: its gradients are those before it.
            let [gradient, curvature, loss] =
                self.derivatives(self.score(base, grown, row), *outcome);
            add(3 * cells, loss);
            let leaf = leaf(growing, row, self.steps);
            let Some(open) = state.open.iter().position(|node| *node == leaf) else { continue };
            for (column, value) in row.iter().skip(1).enumerate() {
                let at = (open * columns + column) * steps + step(*value, self.steps);
                add(at, 1.0);
                add(cells + at, gradient);
                add(2 * cells + at, curvature);
            }
        }
        Ok(Given { rows: used.len(), dropped, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let terms = terms(question, &self.covariates)?;
        let mut next = state.clone();
        let n = totals.n();
        if state.base.is_none() {
            let mean = totals.one("outcomes") / real(n.max(1));
            let is_empty = n < 2 * u64::from(self.least_rows.max(1));
            let is_constant = self.loss == Loss::Logistic && (mean <= 0.0 || mean >= 1.0);
            if is_empty || is_constant {
                return Err(Failure::TooLittle("rows of both outcomes for two leaves".to_owned()));
            }
            next.base = Some(match self.loss {
                Loss::Squared => mean,
                Loss::Logistic => (mean / (1.0 - mean)).ln(),
            });
            Self::plant(&mut next);
            return Ok(Next::Ask(next));
        }
        let sums = totals.counts("rows").into_iter().zip(totals.of("gradients"));
        let cells: Vec<Cell> = sums
            .zip(totals.of("curvatures"))
            .map(|((n, gradient), curvature)| Cell {
                gradient: *gradient,
                curvature: *curvature,
                n,
            })
            .collect();
        if state.level == 0 {
            next.training.push(totals.one("loss") / real(n.max(1)));
            if let Some(root) = next.trees.last_mut().and_then(|tree| tree.first_mut()) {
                root.n = n;
            }
        }
        self.grow(&mut next, &terms, &cells);
        if next.level < self.depth && !next.open.is_empty() {
            return Ok(Next::Ask(next));
        }
        if next.trees.len() < self.trees as usize {
            Self::plant(&mut next);
            return Ok(Next::Ask(next));
        }
        Ok(Next::done(Finding::BoostedTrees(BoostedTrees {
            loss: self.loss,
            columns: terms.into_iter().map(|term| term.name).collect(),
            base: next.base.unwrap_or(0.0),
            trees: next.trees,
            training: next.training,
        })))
    }
}
