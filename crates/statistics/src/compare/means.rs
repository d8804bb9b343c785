//! Differences of means: Student's and Welch's t, paired t, one-way analysis of variance.

use serde::{Deserialize, Serialize};

use super::tails::{f_above, t_quantile, t_two_sided};
use crate::answer::Finding;
use crate::columns::{levels, numbers, range};
use crate::describe::{Group, Groups, Moments};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, counts, real, size, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Whether the means of two groups differ: Student's t (equal variances) and Welch's. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TTest {
    /// A number.
    pub outcome: String,
    /// A category with two levels; the difference is of the second from the first.
    pub group: String,
}

/// Whether the mean of the differences of two numbers of the same row is 0. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairedT {
    /// A number.
    pub first: String,
    /// A number; the difference is of the second from the first.
    pub second: String,
}

/// Whether the means of several groups differ: the F test and Welch's. Two rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anova {
    /// A number.
    pub outcome: String,
    /// A category.
    pub group: String,
}

/// A group of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupMean {
    /// The level.
    pub level: String,
    /// Values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance with `n - 1`; absent for one value.
    pub variance: Option<f64>,
}

/// One t test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanTest {
    /// The difference of means, the first less the second.
    pub difference: f64,
    /// Its standard error.
    pub se: f64,
    /// The difference in standard errors.
    pub t: f64,
    /// Degrees of freedom, a fraction for Welch's (Welch 1947).
    pub df: f64,
    /// Two-sided.
    pub p: f64,
    /// The 95 % confidence interval of the difference.
    pub interval: [f64; 2],
}

/// Both t tests, or the paired one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TTests {
    /// The groups; of a paired test the differences alone.
    pub groups: Vec<GroupMean>,
    /// Assuming equal variances; of a paired test the only one.
    pub student: MeanTest,
    /// Not assuming them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welch: Option<MeanTest>,
}

/// A one-way analysis of variance over the groups that have values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnovaTable {
    /// The groups.
    pub groups: Vec<GroupMean>,
    /// Sum of squares between the groups.
    pub between: f64,
    /// Sum of squares within the groups.
    pub within: f64,
    /// Degrees of freedom between and within.
    pub df: [u64; 2],
    /// The ratio of mean squares.
    pub f: f64,
    /// Probability of a greater ratio.
    pub p: f64,
    /// Welch's F, its second degrees of freedom and probability (Welch 1951); absent where a group
    /// has one value or does not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welch: Option<[f64; 3]>,
}

macro_rules! by_group {
    ($analysis:ty, $finish:path) => {
        impl Plan for $analysis {
            type State = Moments;

            fn begin(&self, question: &Question) -> Result<Moments, Failure> {
                levels(question, &self.group)?;
                groups(&self.outcome, &self.group).begin()
            }

            fn entries(&self, question: &Question, state: &Moments) -> Result<Vec<Entry>, Refusal> {
                groups(&self.outcome, &self.group).entries(question, state)
            }

            fn give(
                &self,
                question: &Question,
                state: &Moments,
                rows: &Frame,
            ) -> Result<Given, Refusal> {
                groups(&self.outcome, &self.group).give(question, state, rows)
            }

            fn advance(
                &self,
                question: &Question,
                state: &Moments,
                totals: &Totals<'_>,
            ) -> Result<Next<Moments>, Failure> {
                let groups = groups(&self.outcome, &self.group);
                let next = groups.advance(question, state, totals)?;
                let (true, Next::Ask(moments)) = (!state.groups.is_empty(), &next) else {
                    return Ok(next);
                };
                Ok(Next::done($finish(levels(question, &self.group)?, &moments.groups)?))
            }
        }
    };
}

by_group!(TTest, t_tests);
by_group!(Anova, anova);

fn groups<'a>(outcome: &'a String, group: &'a str) -> Groups<'a> {
    Groups { variables: std::slice::from_ref(outcome), by: Some(group) }
}

fn named(levels: &[String], groups: &[Group]) -> Vec<GroupMean> {
    let occurring = levels.iter().zip(groups).filter(|(_, group)| group.n > 0);
    occurring
        .map(|(level, group)| GroupMean {
            level: level.clone(),
            n: group.n,
            mean: group.mean,
            variance: group.variance(),
        })
        .collect()
}

fn mean_test(difference: f64, se: f64, df: f64) -> Result<MeanTest, Failure> {
    let no_spread = || Failure::TooLittle("the values of the groups do not vary".to_owned());
    if se <= 0.0 || !se.is_finite() {
        return Err(no_spread());
    }
    let t = difference / se;
    let p = t_two_sided(t, df).ok_or_else(no_spread)?;
    let width = t_quantile(0.975, df).ok_or_else(no_spread)? * se;
    Ok(MeanTest { difference, se, t, df, p, interval: [difference - width, difference + width] })
}

fn t_tests(levels: &[String], groups: &[Group]) -> Result<Finding, Failure> {
    let [first, second] = groups else {
        return Err(wrong("a t test compares a category of two levels"));
    };
    let (Some(var1), Some(var2)) = (first.variance(), second.variance()) else {
        return Err(Failure::TooLittle("each group needs two values".to_owned()));
    };
    let (n1, n2) = (real(first.n), real(second.n));
    let difference = first.mean - second.mean;
    let df = n1 + n2 - 2.0;
    let pooled = (first.squares + second.squares) / df;
    let student = mean_test(difference, (pooled * (1.0 / n1 + 1.0 / n2)).sqrt(), df)?;
    let (part1, part2) = (var1 / n1, var2 / n2);
    let df = (part1 + part2).powi(2) / (part1.powi(2) / (n1 - 1.0) + part2.powi(2) / (n2 - 1.0));
    let welch = Some(mean_test(difference, (part1 + part2).sqrt(), df)?);
    Ok(Finding::TTest(TTests { groups: named(levels, groups), student, welch }))
}

fn anova(levels: &[String], groups: &[Group]) -> Result<Finding, Failure> {
    let groups_named = named(levels, groups);
    let present: Vec<&Group> = groups.iter().filter(|group| group.n > 0).collect();
    let n: u64 = present.iter().map(|group| group.n).sum();
    let k = present.len() as u64;
    if k < 2 || n <= k {
        return Err(Failure::TooLittle("two groups and more rows than groups".to_owned()));
    }
    let mean = present.iter().map(|group| real(group.n) * group.mean).sum::<f64>() / real(n);
    let between: f64 =
        present.iter().map(|group| real(group.n) * (group.mean - mean).powi(2)).sum();
    let within: f64 = present.iter().map(|group| group.squares).sum();
    let df = [k - 1, n - k];
    let f = (between / real(k - 1)) / (within / real(n - k));
    let p = f_above(f, real(k - 1), real(n - k))
        .ok_or_else(|| Failure::TooLittle("the values of the groups do not vary".to_owned()))?;
    let welch = welch_anova(&present);
    Ok(Finding::Anova(AnovaTable { groups: groups_named, between, within, df, f, p, welch }))
}

fn welch_anova(groups: &[&Group]) -> Option<[f64; 3]> {
    let k = size(groups.len());
    let weights: Option<Vec<f64>> = groups
        .iter()
        .map(|group| {
            let variance = group.variance().filter(|variance| *variance > 0.0)?;
            Some(real(group.n) / variance)
        })
        .collect();
    let weights = weights?;
    let total: f64 = weights.iter().sum();
    let mean = groups.iter().zip(&weights).map(|(group, w)| w * group.mean).sum::<f64>() / total;
    let between: f64 =
        groups.iter().zip(&weights).map(|(group, w)| w * (group.mean - mean).powi(2)).sum();
    let spread: f64 = groups
        .iter()
        .zip(&weights)
        .map(|(group, w)| (1.0 - w / total).powi(2) / (real(group.n) - 1.0))
        .sum();
    let f = between / (k - 1.0) / (1.0 + 2.0 * (k - 2.0) / (k * k - 1.0) * spread);
    let df = (k * k - 1.0) / (3.0 * spread);
    Some([f, df, f_above(f, k - 1.0, df)?])
}

/// How far the conversation of a paired test is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairedState {
    /// The mean difference, after the first round.
    mean: Option<f64>,
}

impl PairedT {
    /// The centre and half the width of what a difference can be.
    fn spread(&self, question: &Question) -> Result<(f64, f64), Refusal> {
        let (first, second) = (range(question, &self.first)?, range(question, &self.second)?);
        Ok((first.centre() - second.centre(), first.half() + second.half()))
    }
}

impl Plan for PairedT {
    type State = PairedState;

    fn begin(&self, _: &Question) -> Result<PairedState, Failure> {
        Ok(PairedState { mean: None })
    }

    fn entries(&self, question: &Question, _: &PairedState) -> Result<Vec<Entry>, Refusal> {
        self.spread(question)?;
        Ok(vec![
            counts(question, "pairs", 1),
            sums(question, "first", 1, 2.0),
            sums(question, "second", 1, 4.0),
        ])
    }

    fn give(
        &self,
        question: &Question,
        state: &PairedState,
        rows: &Frame,
    ) -> Result<Given, Refusal> {
        let (centre, half) = self.spread(question)?;
        let centre = state.mean.unwrap_or(centre);
        let first = numbers(question, rows, &self.first)?;
        let second = numbers(question, rows, &self.second)?;
        let (mut n, mut linear, mut squares) = (0_usize, 0.0, 0.0);
        for (first, second) in first.iter().zip(second) {
            let (Some(first), Some(second)) = (first, second) else { continue };
            let deviation = (first - second - centre) / half;
            n += 1;
            linear += deviation;
            squares += deviation * deviation;
        }
        Ok(Given { rows: n, dropped: rows.rows() - n, values: vec![size(n), linear, squares] })
    }

    fn advance(
        &self,
        question: &Question,
        state: &PairedState,
        totals: &Totals<'_>,
    ) -> Result<Next<PairedState>, Failure> {
        let n = totals.n();
        if n < 2 {
            return Err(Failure::TooLittle("a paired test needs two pairs".to_owned()));
        }
        let (centre, half) = self.spread(question)?;
        let shift = totals.one("first") / real(n);
        let about = state.mean.unwrap_or(centre);
        let mean = shift.mul_add(half, about);
        if state.mean.is_none() {
            return Ok(Next::Ask(PairedState { mean: Some(mean) }));
        }
        let squares = (totals.one("second") - real(n) * shift.powi(2)).max(0.0) * half.powi(2);
        let variance = squares / (real(n) - 1.0);
        let student = mean_test(mean, (variance / real(n)).sqrt(), real(n) - 1.0)?;
        let level = format!("{} - {}", self.first, self.second);
        let groups = vec![GroupMean { level, n, mean, variance: Some(variance) }];
        Ok(Next::done(Finding::TTest(TTests { groups, student, welch: None })))
    }
}
