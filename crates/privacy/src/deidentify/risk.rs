//! The risk that somebody in a table is recognised, in figures that a council can read.
//!
//! A prosecutor knows that the person is in the data and looks for one row among equal ones; a
//! journalist looks for anybody of a population; a marketer matches as many as he can (El Emam
//! and Dankar 2008). How many rows that are alone in the data are alone in the population too is
//! estimated as by Zayatz (1991).

use serde::{Deserialize, Serialize};

use super::anonymity::AnonymityError;

/// The risk of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The number of rows.
    pub rows: usize,
    /// The number of classes of equal rows.
    pub classes: usize,
    /// The size of the smallest class.
    pub smallest: usize,
    /// Somebody who knows that the person is in the data.
    pub prosecutor: Share,
    /// Somebody who looks for anybody of the population.
    pub journalist: Share,
    /// The share of rows that would be matched rightly to a register of the population.
    pub marketer: f64,
    /// The share of rows that are alone in the data.
    pub unique: f64,
    /// The share of rows that are alone in the population, estimated; equal to `unique` where the
    /// data are the whole population.
    pub unique_in_population: f64,
}

/// The risk of single rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The mean over rows.
    pub average: f64,
    /// That of the row with the most.
    pub largest: f64,
    /// The share of rows whose risk is above the threshold.
    pub above: f64,
}

/// The risk before and after, and what it says in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskReport {
    /// Of the original table.
    pub before: Risk,
    /// Of the table that leaves.
    pub after: Risk,
    /// The threshold above which the risk of a row counts as high.
    pub threshold: f64,
    /// How many people the data are taken from.
    pub population: usize,
    /// Rows left out.
    pub suppressed: usize,
    /// Sentences by key, with their figures.
    pub findings: Vec<Finding>,
}

/// A sentence of the report: a key to translate, and its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What it says.
    pub key: FindingKey,
    /// The figure of the table that leaves.
    pub value: f64,
    /// The figure of the original.
    pub before: f64,
}

/// What a sentence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKey {
    /// Everybody looks like at least this many people, themselves included.
    LooksLikeAtLeast,
    /// Of 1,000 people in the data, so many are alone with what is told of them.
    AlonePerThousand,
    /// Of 1,000 people in the data, so many are probably alone in the whole population.
    AloneInPopulationPerThousand,
    /// Who knows that somebody is in the data is right with at most this chance.
    LargestChance,
    /// Of 1,000 people, so many have a risk above the threshold.
    AboveThresholdPerThousand,
    /// Who matches all rows to a register is right for so many of 1,000.
    MatchedPerThousand,
}

/// The risk of a table with classes of these sizes, taken from `population` people. The
/// population's classes are taken to be as much larger as the population is; where the data are
/// the whole population, the journalist's risk is the prosecutor's.
pub fn assess(
    classes: &[usize],
    population: usize,
    threshold: f64,
) -> Result<Risk, AnonymityError> {
    let rows: usize = classes.iter().sum();
    if rows == 0 || classes.contains(&0) {
        return Err(AnonymityError::Rows);
    }
    if population < rows {
        return Err(AnonymityError::Parameter("population"));
    }
    if !(0.0..=1.0).contains(&threshold) {
        return Err(AnonymityError::Parameter("threshold"));
    }
    let share = |count: usize| count as f64 / rows as f64;
    let fraction = rows as f64 / population as f64;
    let smallest = classes.iter().copied().min().unwrap_or(1);
    let risk = |of: &dyn Fn(usize) -> f64| Share {
        average: classes.iter().map(|&size| size as f64 * of(size)).sum::<f64>() / rows as f64,
        largest: of(smallest),
        above: share(classes.iter().filter(|&&size| of(size) > threshold).sum()),
    };
    let prosecutor = risk(&|size| 1.0 / size as f64);
    let journalist = risk(&|size| fraction / size as f64);
    let alone = classes.iter().filter(|&&size| size == 1).count();
    Ok(Risk {
        rows,
        classes: classes.len(),
        smallest,
        prosecutor,
        journalist,
        marketer: journalist.average,
        unique: share(alone),
        unique_in_population: share(alone) * stays_unique(classes, rows, population),
    })
}

/// The probability that a row alone in the data is alone in the population (Zayatz 1991): by Bayes'
/// rule over the sizes of classes, taken to be distributed in the population as in the data, with
/// the hypergeometric probability that one of a class of size x is drawn.
fn stays_unique(classes: &[usize], rows: usize, population: usize) -> f64 {
    let mut sizes = std::collections::BTreeMap::<usize, usize>::new();
    for &size in classes {
        *sizes.entry(size).or_default() += 1;
    }
    let (n, all) = (rows as f64, population as f64);
    let drawn_once = |size: usize| -> f64 {
        let misses = (1..size).map(|i| ((all - n - i as f64 + 1.0) / (all - i as f64)).max(0.0));
        // Beyond some thousands the product is 0 in any case.
        size as f64 * n / all * misses.take(100_000).product::<f64>()
    };
    let weight = |size: usize, count: usize| count as f64 * drawn_once(size);
    let total: f64 = sizes.iter().map(|(&size, &count)| weight(size, count)).sum();
    let alone = sizes.get(&1).map_or(0.0, |&count| weight(1, count));
    if total > 0.0 { alone / total } else { 0.0 }
}

/// The report on a table: the sizes of its classes before and after, rows left out, the number of
/// people that the data are taken from, and the risk from which a row counts as at high risk.
pub fn report(
    before: &[usize],
    after: &[usize],
    population: usize,
    threshold: f64,
) -> Result<RiskReport, AnonymityError> {
    let (before, after) =
        (assess(before, population, threshold)?, assess(after, population, threshold)?);
    let finding =
        |key, of: &dyn Fn(&Risk) -> f64| Finding { key, value: of(&after), before: of(&before) };
    let findings = vec![
        finding(FindingKey::LooksLikeAtLeast, &|risk| risk.smallest as f64),
        finding(FindingKey::AlonePerThousand, &|risk| 1000.0 * risk.unique),
        finding(FindingKey::AloneInPopulationPerThousand, &|risk| {
            1000.0 * risk.unique_in_population
        }),
        finding(FindingKey::LargestChance, &|risk| risk.prosecutor.largest),
        finding(FindingKey::AboveThresholdPerThousand, &|risk| 1000.0 * risk.prosecutor.above),
        finding(FindingKey::MatchedPerThousand, &|risk| 1000.0 * risk.marketer),
    ];
    let suppressed = before.rows.saturating_sub(after.rows);
    Ok(RiskReport { before, after, threshold, population, suppressed, findings })
}
