//! Means and centred powers of numbers by group, in two rounds: the second round's sums are of
//! deviations from the means of the first, so that nothing is lost where a mean is large.

use serde::{Deserialize, Serialize};

use crate::columns::{MOST_VARIABLES, categories, levels, numbers, range};
use crate::frame::Frame;
use crate::plan::{Given, Next, Totals, bounded, counts, real, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Of which numbers, by which groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups<'a> {
    pub(crate) variables: &'a [String],
    /// Rows of which level of which category form a group; all rows together where there is none.
    pub(crate) by: Option<&'a str>,
}

/// The state of the conversation, and in the end what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moments {
    /// One for each variable and, within it, group; empty before the first round.
    pub(crate) groups: Vec<Group>,
}

/// The moments of one variable in one group.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) n: u64,
    pub(crate) missing: u64,
    pub(crate) mean: f64,
    /// Sums of the second, third and fourth powers of the deviations from the mean.
    pub(crate) squares: f64,
    pub(crate) cubes: f64,
    pub(crate) fourths: f64,
}

impl Group {
    /// The variance with `n - 1`, where there are two values.
    pub(crate) fn variance(&self) -> Option<f64> {
        (self.n >= 2).then(|| self.squares / (real(self.n) - 1.0))
    }
}

impl Groups<'_> {
    pub(crate) fn begin(&self) -> Result<Moments, Failure> {
        if self.variables.is_empty() || self.variables.len() > MOST_VARIABLES {
            return Err(wrong(format!("name 1 to {MOST_VARIABLES} variables")));
        }
        Ok(Moments { groups: Vec::new() })
    }

    /// How many groups of rows.
    pub(crate) fn count(&self, question: &Question) -> Result<usize, Refusal> {
        self.by.map_or(Ok(1), |by| Ok(levels(question, by)?.len()))
    }

    pub(crate) fn entries(
        &self,
        question: &Question,
        state: &Moments,
    ) -> Result<Vec<Entry>, Refusal> {
        let groups = self.count(question)?;
        let size = groups * self.variables.len();
        let mut entries = vec![counts(question, "values", size), counts(question, "missing", size)];
        for (at, name) in self.variables.iter().enumerate() {
            let range = range(question, name)?;
            if state.groups.is_empty() {
                entries.push(sums(question, &format!("sum {name}"), groups, 1.0));
                continue;
            }
            let of_variable = state.groups.iter().skip(at * groups).take(groups);
            let reach = of_variable.map(|group| range.reach(group.mean)).fold(0.0, f64::max);
            let reach = (reach / range.half()).min(2.0);
            for (power, what) in (1..).zip(["first", "second", "third", "fourth"]) {
                let each = reach.powi(power) * f64::from(question.most_rows);
                entries.push(bounded(&format!("{what} {name}"), groups, each));
            }
        }
        Ok(entries)
    }

    pub(crate) fn give(
        &self,
        question: &Question,
        state: &Moments,
        rows: &Frame,
    ) -> Result<Given, Refusal> {
        let groups = self.count(question)?;
        let of_rows: Vec<Option<usize>> = match self.by {
            None => vec![Some(0); rows.rows()],
            Some(by) => categories(question, rows, by)?
                .iter()
                .map(|level| level.map(|level| level as usize))
                .collect(),
        };
        let powers = if state.groups.is_empty() { 1 } else { 4 };
        let (mut values, mut missing) = (Vec::new(), Vec::new());
        let mut powers_of: Vec<f64> = Vec::new();
        let mut is_complete: Vec<bool> = of_rows.iter().map(Option::is_some).collect();
        for (at, name) in self.variables.iter().enumerate() {
            let range = range(question, name)?;
            let mut tally = vec![(0.0, 0.0, vec![0.0; powers]); groups];
            let column = numbers(question, rows, name)?;
            for ((value, group), complete) in column.iter().zip(&of_rows).zip(&mut is_complete) {
                *complete &= value.is_some();
                let Some(group) = *group else { continue };
                let Some((n, gaps, sums)) = tally.get_mut(group) else { continue };
                let Some(value) = value else {
                    *gaps += 1.0;
                    continue;
                };
                *n += 1.0;
                let known = state.groups.get(at * groups + group);
                let centre = known.map_or_else(|| range.centre(), |group| group.mean);
                let deviation = (value - centre) / range.half();
                let mut power = 1.0;
                for sum in sums {
                    power *= deviation;
                    *sum += power;
                }
            }
            values.extend(tally.iter().map(|(n, _, _)| *n));
            missing.extend(tally.iter().map(|(_, gaps, _)| *gaps));
            for power in 0..powers {
                powers_of.extend(tally.iter().filter_map(|(_, _, sums)| sums.get(power)));
            }
        }
        values.extend(missing);
        values.extend(powers_of);
        let complete = is_complete.iter().filter(|complete| **complete).count();
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    /// After the first round the means, after the second the powers too.
    pub(crate) fn advance(
        &self,
        question: &Question,
        state: &Moments,
        totals: &Totals<'_>,
    ) -> Result<Next<Moments>, Failure> {
        let each = self.count(question)?;
        let (values, missing) = (totals.counts("values"), totals.counts("missing"));
        let mut groups = Vec::with_capacity(values.len());
        let counted = values.iter().zip(&missing);
        for (at, (n, missing)) in counted.enumerate() {
            let Some(name) = self.variables.get(at / each.max(1)) else { continue };
            let range = range(question, name)?;
            let of = |what: &str| {
                totals.of(&format!("{what} {name}")).get(at % each).copied().unwrap_or(0.0)
            };
            let mut group = Group { n: *n, missing: *missing, ..Group::default() };
            let n = real(*n).max(1.0);
            match state.groups.get(at) {
                None => group.mean = (of("sum") / n).mul_add(range.half(), range.centre()),
                Some(before) => correct(&mut group, before.mean, range.half(), &of),
            }
            if group.n == 0 {
                group.mean = range.centre();
            }
            groups.push(group);
        }
        Ok(Next::Ask(Moments { groups }))
    }
}

/// The powers about the true mean, out of those about one that is off by rounding.
fn correct(group: &mut Group, about: f64, half: f64, of: &impl Fn(&str) -> f64) {
    let n = real(group.n).max(1.0);
    let shift = of("first") / n;
    let (second, third, fourth) = (of("second"), of("third"), of("fourth"));
    group.mean = shift.mul_add(half, about);
    group.squares = (second - n * shift.powi(2)).max(0.0) * half.powi(2);
    group.cubes = (third - 3.0 * shift * second + 2.0 * n * shift.powi(3)) * half.powi(3);
    group.fourths = (fourth - 4.0 * shift * third + 6.0 * shift.powi(2) * second
        - 3.0 * n * shift.powi(4))
    .max(0.0)
        * half.powi(4);
}
