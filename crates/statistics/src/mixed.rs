//! The linear mixed model with a random intercept for groups that are nested in sites.
//!
//! With the ratio `θ` of the variance between groups to that within, the covariance of a group of `n`
//! rows is `σ² (I + θ 11')`, whose inverse needs no rows but the group's sums (Bates et al. 2015, section
//! 3, for one scalar term). Sites give sums over their groups of `θ / (1 + nθ) s s'`, where `s` are a
//! group's column sums, with two derivatives by `θ`; the profiled likelihood is maximised by Newton's
//! method between points of a grid.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::answer::{Coefficient, Finding};
use crate::basis::Basis;
use crate::columns::{
    Term, categories, design, levels, numbers, range, spread, symmetric, terms, triangle, unscale,
    upper,
};
use crate::compare::normal_two_sided;
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, bounded, counts, real, size, sums};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Ratios that the first round tries beside 0.
const GRID: [f64; 15] =
    [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
/// Most rounds after the first.
const MOST_STEPS: u32 = 80;

/// A linear model with an intercept that varies between groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixed {
    /// A number.
    pub outcome: String,
    /// Numbers and categories (treatment coding, the first level as reference).
    pub covariates: Vec<String>,
    /// A category whose levels within a site are the groups; where there is none, sites are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Restricted maximum likelihood, otherwise maximum likelihood.
    #[serde(default = "yes")]
    pub restricted: bool,
}

const fn yes() -> bool {
    true
}

/// A fitted mixed model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixedModel {
    /// The fixed effects, the intercept first; p by the normal law.
    pub coefficients: Vec<Coefficient>,
    /// Columns that were left out because others determine them, or because they do not vary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliased: Vec<String>,
    /// The variance between groups.
    pub between: f64,
    /// The variance within groups.
    pub within: f64,
    /// Between over both together.
    pub intraclass_correlation: f64,
    /// Groups with rows.
    pub groups: u64,
    /// Rows less fixed effects.
    pub residual_df: i64,
    /// Whether restricted.
    pub restricted: bool,
    /// Natural logarithm of the (restricted) likelihood.
    pub log_likelihood: f64,
}

/// Where the search for the ratio stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Cross products of (1, covariates, outcome) over all rows, after the first round.
    products: Vec<f64>,
    /// Places of the fixed effects that others do not determine, after the first round.
    kept: Vec<usize>,
    n: u64,
    /// The ratio that is asked for, and between which others the maximum lies.
    ratio: f64,
    low: f64,
    high: f64,
    steps: u32,
    is_last: bool,
}

/// The profiled deviance at a ratio, and what stands behind it.
struct Profile {
    deviance: f64,
    slope: f64,
    bend: f64,
    estimate: DVector<f64>,
    covariance: DMatrix<f64>,
    within: f64,
}

/// The rows of a group and their column sums.
type Group = (f64, DVector<f64>);

/// The sums over groups at a ratio: weighted squares of column sums, logarithm of the determinant.
struct Grouped {
    squares: [DMatrix<f64>; 3],
    logs: [f64; 3],
}

impl Mixed {
    /// Column sums of (1, covariates, outcome) by group, their cross products, and the rows used.
    fn groups(
        &self,
        question: &Question,
        rows: &Frame,
    ) -> Result<(Vec<Group>, DMatrix<f64>, usize), Refusal> {
        let terms = terms(question, &self.covariates)?;
        let range = range(question, &self.outcome)?;
        let outcome = numbers(question, rows, &self.outcome)?;
        let columns = terms.len() + 2;
        let (of_rows, count) = match &self.group {
            None => (vec![Some(0); rows.rows()], 1),
            Some(group) => {
                (categories(question, rows, group)?.to_vec(), levels(question, group)?.len())
            }
        };
        let mut groups = vec![(0.0, DVector::zeros(columns)); count];
        let mut products = DMatrix::zeros(columns, columns);
        let mut complete = 0;
        let design = design(question, rows, &terms)?;
        for ((row, outcome), group) in design.into_iter().zip(outcome).zip(of_rows) {
            let (Some(row), Some(outcome), Some(group)) = (row, outcome, group) else { continue };
            let scaled = (outcome - range.centre()) / range.half();
            let row = row.push(scaled);
            products.ger(1.0, &row, &row, 1.0);
            if let Some((n, sums)) = groups.get_mut(group as usize) {
                *n += 1.0;
                *sums += &row;
            }
            complete += 1;
        }
        groups.retain(|(n, _)| *n > 0.0);
        Ok((groups, products, complete))
    }

    /// Rows less what the variance divides by.
    fn freedom(&self, state: &State, fixed: usize) -> f64 {
        real(state.n) - if self.restricted { size(fixed) } else { 0.0 }
    }

    fn profile(
        &self,
        state: &State,
        columns: usize,
        grouped: &Grouped,
    ) -> Result<Profile, Failure> {
        let fixed = state.kept.len();
        let places: Vec<usize> = state.kept.iter().copied().chain([columns - 1]).collect();
        let own = |matrix: &DMatrix<f64>| matrix.select_rows(&places).select_columns(&places);
        let [value, first, second] = &grouped.squares.each_ref().map(own);
        let all = own(&symmetric(columns, &state.products)) - value;
        let (xx, xy) =
            (all.view((0, 0), (fixed, fixed)).into_owned(), all.view((0, fixed), (fixed, 1)));
        let greatest = xx.diagonal().max();
        let factor = xx
            .cholesky()
            .filter(|f| f.l_dirty().diagonal().iter().all(|root| root * root > 1e-12 * greatest))
            .ok_or_else(|| {
                let why = "covariates nearly determine each other, leave one out";
                Failure::TooLittle(why.to_owned())
            })?;
        let estimate: DVector<f64> = factor.solve(&xy).column(0).into_owned();
        let rest = all[(fixed, fixed)] - estimate.dot(&xy.column(0));
        let freedom = self.freedom(state, fixed);
        if rest <= 0.0 || freedom <= 0.0 {
            return Err(Failure::TooLittle("more rows than columns that fit exactly".to_owned()));
        }
        let residual = (-estimate.clone()).push(1.0);
        let along = |matrix: &DMatrix<f64>| -residual.dot(&(matrix * &residual));
        let cross = -(first * &residual).rows(0, fixed).into_owned();
        let slope = along(first);
        let bend = along(second) - 2.0 * cross.dot(&factor.solve(&cross));
        let [log, log_first, log_second] = grouped.logs;
        let mut profile = Profile {
            deviance: freedom * (rest / freedom).ln() + log,
            slope: freedom * slope / rest + log_first,
            bend: freedom * (bend / rest - (slope / rest).powi(2)) + log_second,
            covariance: factor.inverse() * (rest / freedom),
            within: rest / freedom,
            estimate,
        };
        if self.restricted {
            let inside = |matrix: &DMatrix<f64>| -> DMatrix<f64> {
                factor.solve(&(-matrix.view((0, 0), (fixed, fixed)).into_owned()))
            };
            let one = inside(first);
            profile.deviance +=
                2.0 * factor.l_dirty().diagonal().iter().map(|v| v.ln()).sum::<f64>();
            profile.slope += one.trace();
            profile.bend += inside(second).trace() - (&one * &one).trace();
        }
        Ok(profile)
    }

    fn finding(
        &self,
        question: &Question,
        state: &State,
        terms: &[Term],
        profile: &Profile,
        groups: u64,
    ) -> Result<Finding, Failure> {
        let range = range(question, &self.outcome)?;
        let unit = range.half();
        let back = unscale(terms);
        let mut scaled = DVector::zeros(terms.len() + 1);
        for (place, estimate) in state.kept.iter().zip(profile.estimate.iter()) {
            scaled[*place] = *estimate;
        }
        let mut estimate = &back * scaled * unit;
        estimate[0] += range.centre();
        let inner = spread(terms.len() + 1, &state.kept, &profile.covariance);
        let covariance = &back * inner * back.transpose() * (unit * unit);
        let names =
            std::iter::once("Intercept".to_owned()).chain(terms.iter().map(|t| t.name.clone()));
        let (mut coefficients, mut aliased) = (Vec::new(), Vec::new());
        let found = estimate.iter().zip(covariance.diagonal().iter().copied().collect::<Vec<_>>());
        for (place, (name, (estimate, variance))) in names.zip(found).enumerate() {
            if !state.kept.contains(&place) {
                aliased.push(name);
                continue;
            }
            let se = variance.sqrt();
            let p = Some(normal_two_sided(estimate / se));
            coefficients.push(Coefficient { name, estimate: *estimate, se: Some(se), p });
        }
        let within = profile.within * unit * unit;
        let between = state.ratio * within;
        let freedom = self.freedom(state, state.kept.len());
        let mut deviance =
            profile.deviance + freedom * (1.0 + std::f64::consts::TAU.ln() + 2.0 * unit.ln());
        if self.restricted {
            let kept = state.kept.iter().filter_map(|place| terms.get(place.checked_sub(1)?));
            deviance += 2.0 * kept.map(|term| term.unit().ln()).sum::<f64>();
        }
        let used = i64::try_from(state.kept.len()).unwrap_or(i64::MAX);
        Ok(Finding::Mixed(MixedModel {
            coefficients,
            aliased,
            between,
            within,
            intraclass_correlation: between / (between + within),
            groups,
            residual_df: i64::try_from(state.n).unwrap_or(i64::MAX) - used,
            restricted: self.restricted,
            log_likelihood: -deviance / 2.0,
        }))
    }
}

/// Sums over groups at a ratio, with two derivatives by it.
fn grouped(groups: &[Group], columns: usize, ratio: f64) -> Grouped {
    let mut squares = std::array::from_fn(|_| DMatrix::zeros(columns, columns));
    let mut logs = [0.0; 3];
    for (n, sums) in groups {
        let whole = n.mul_add(ratio, 1.0);
        let weights = [ratio / whole, whole.powi(-2), -2.0 * n * whole.powi(-3)];
        for (square, weight) in squares.iter_mut().zip(weights) {
            square.ger(weight, sums, sums, 1.0);
        }
        logs = [logs[0] + (n * ratio).ln_1p(), logs[1] + n / whole, logs[2] - (n / whole).powi(2)];
    }
    Grouped { squares, logs }
}

impl Plan for Mixed {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        range(question, &self.outcome)?;
        terms(question, &self.covariates)?;
        let (low, high) = (0.0, f64::MAX);
        let (products, kept) = (Vec::new(), Vec::new());
        Ok(State { products, kept, n: 0, ratio: 0.0, low, high, steps: 0, is_last: false })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let size = triangle(terms(question, &self.covariates)?.len() + 2);
        let rows = f64::from(question.most_rows);
        let mut entries = vec![counts(question, "groups", 1)];
        if state.products.is_empty() {
            entries.push(sums(question, "products", size, 1.0));
            entries.push(sums(question, "squares", size * GRID.len(), 1.0));
            entries.push(bounded("logs", GRID.len(), rows * (rows * 1000.0).ln_1p()));
            return Ok(entries);
        }
        if !(0.0..=1e12).contains(&state.ratio) {
            return Err(Refusal::Round("a ratio outside the bounds".to_owned()));
        }
        entries.push(bounded("value", size, rows));
        entries.push(bounded("first", size, rows * rows));
        entries.push(bounded("second", size, 2.0 * rows.powi(3)));
        entries.push(bounded("log", 1, rows * (rows * state.ratio).ln_1p()));
        entries.push(bounded("log first", 1, rows));
        entries.push(bounded("log second", 1, rows * rows));
        Ok(entries)
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let (groups, products, complete) = self.groups(question, rows)?;
        let columns = products.nrows();
        let mut values = vec![size(groups.len())];
        if state.products.is_empty() {
            values.extend(upper(&products));
            let at: Vec<Grouped> =
                GRID.iter().map(|ratio| grouped(&groups, columns, *ratio)).collect();
            values.extend(at.iter().flat_map(|grouped| upper(&grouped.squares[0])));
            values.extend(at.iter().map(|grouped| grouped.logs[0]));
        } else {
            let at = grouped(&groups, columns, state.ratio);
            values.extend(at.squares.iter().flat_map(upper));
            values.extend(at.logs);
        }
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let terms = terms(question, &self.covariates)?;
        let columns = terms.len() + 2;
        let groups = crate::plan::count(totals.one("groups"));
        if state.products.is_empty() {
            return self.bracket(columns, totals, state).map(Next::Ask);
        }
        let grouped = Grouped {
            squares: ["value", "first", "second"].map(|name| symmetric(columns, totals.of(name))),
            logs: ["log", "log first", "log second"].map(|name| totals.one(name)),
        };
        let profile = self.profile(state, columns, &grouped)?;
        if state.is_last {
            return Ok(Next::done(self.finding(question, state, &terms, &profile, groups)?));
        }
        if state.ratio == 0.0 && profile.slope >= 0.0 {
            return Ok(Next::done(self.finding(question, state, &terms, &profile, groups)?));
        }
        Ok(Next::Ask(narrow(state, &profile)?))
    }
}

impl Mixed {
    /// The best ratio of the grid and its neighbours.
    fn bracket(
        &self,
        columns: usize,
        totals: &Totals<'_>,
        state: &State,
    ) -> Result<State, Failure> {
        let n = totals.n();
        let products = totals.of("products").to_vec();
        let all = symmetric(columns, &products);
        let fixed = all.view((0, 0), (columns - 1, columns - 1)).into_owned();
        let kept = Basis::of(&fixed).kept;
        let mut next = State { products, kept, n, ..state.clone() };
        let none = || std::array::from_fn(|_| DMatrix::zeros(columns, columns));
        let start = Grouped { squares: none(), logs: [0.0; 3] };
        let mut best = (0, self.profile(&next, columns, &start)?.deviance);
        let squares = totals.of("squares").chunks(triangle(columns)).zip(totals.of("logs"));
        for (at, (squares, log)) in (1..).zip(squares) {
            let [_, first, second] = none();
            let squares = [symmetric(columns, squares), first, second];
            let deviance = self
                .profile(&next, columns, &Grouped { squares, logs: [*log, 0.0, 0.0] })?
                .deviance;
            if deviance < best.1 {
                best = (at, deviance);
            }
        }
        let ratio = |at: usize| at.checked_sub(1).map_or(Some(0.0), |at| GRID.get(at).copied());
        next.ratio = ratio(best.0).unwrap_or(0.0);
        next.low = ratio(best.0.saturating_sub(1)).unwrap_or(0.0);
        next.high = ratio(best.0 + 1).unwrap_or(1e9);
        Ok(next)
    }
}

/// Newton's next ratio, or the middle where that would leave the bracket.
fn narrow(state: &State, profile: &Profile) -> Result<State, Failure> {
    let mut next = State { steps: state.steps + 1, ..state.clone() };
    if profile.slope > 0.0 {
        next.high = state.ratio;
    } else {
        next.low = state.ratio;
    }
    let newton = state.ratio - profile.slope / profile.bend;
    let is_inside = profile.bend > 0.0 && newton > next.low && newton < next.high;
    next.ratio = if is_inside { newton } else { f64::midpoint(next.low, next.high) };
    let change = (next.ratio - state.ratio).abs();
    next.is_last = change <= 1e-11 * state.ratio.max(1e-9) || profile.slope == 0.0;
    if profile.slope == 0.0 {
        next.ratio = state.ratio;
    }
    if next.steps > MOST_STEPS {
        let why = "the variance between groups does not settle".to_owned();
        return Err(Failure::NoConvergence { rounds: state.steps, why });
    }
    Ok(next)
}
