//! What output checking finds of an answer, and the form of it that may leave.

use std::collections::BTreeMap;

use privacy::disclosure::{
    self, Checked, Class, Contributions, Model, Part, Rules, Statbarn, Step, Summary,
    SuppressedTable, Survival, Table, Verdict,
};
use statistics::answer::{Finding, Law, Noise};
use statistics::compare::GroupMean;
use statistics::survival::Curve;
use statistics::{Analysis, Answer, Dictionary, Kind, Question};

/// What was found of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Part by part; empty where the answer cannot be checked by rules.
    pub findings: Vec<Checked>,
    /// Why it waits for people, in words without a value. Empty: it may leave by the rules.
    pub reasons: Vec<String>,
    /// The form that may leave by the rules: with small cells left out and steps joined.
    pub shown: Option<Answer>,
    /// The tables in it, for comparison with those of later answers.
    pub tables: Vec<Table>,
}

/// Holds an answer to the rules. `earlier` are tables over the same data that were released before: one
/// that differs from them by a few people shows those people.
///
/// An answer with noise is of a kind of its own: what it tells of anybody is bounded and was paid for, so it
/// leaves as it is, and no other is compared with it.
pub fn judge(question: &Question, answer: &Answer, earlier: &[Table], rules: &Rules) -> Judgement {
    if let Some(noise) = &answer.noise {
        return Judgement {
            findings: vec![Checked::noisy(noisy(noise))],
            reasons: Vec::new(),
            shown: Some(answer.clone()),
            tables: Vec::new(),
        };
    }
    let parts = parts(question, answer);
    let tables: Vec<Table> = parts.iter().filter_map(|part| table(part).cloned()).collect();
    let whole: Vec<Part> =
        earlier.iter().cloned().map(Part::Table).chain(parts.iter().cloned()).collect();
    let findings = match disclosure::check(&whole, rules) {
        Ok((findings, _)) => findings.into_iter().skip(earlier.len()).collect::<Vec<_>>(),
        Err(error) => {
            let reasons = vec![error.to_string()];
            return Judgement { findings: Vec::new(), reasons, shown: None, tables };
        }
    };
    let is_safe = findings.iter().all(Checked::passed) && !parts.is_empty();
    let shown = match is_safe {
        true => Some(answer.clone()),
        false => reduced(answer, &findings),
    };
    let reasons = match &shown {
        Some(_) => Vec::new(),
        None => reasons(&findings),
    };
    Judgement { findings, reasons, shown, tables }
}

impl Judgement {
    /// Whether the rules find no fault in the form that leaves.
    pub fn class(&self) -> Class {
        if self.shown.is_some() { Class::Safe } else { Class::Unsafe }
    }
}

/// What the noise of an answer is, in words.
fn noisy(noise: &Noise) -> String {
    let Law::DiscreteLaplace = noise.law;
    let epsilon = noise.micro_epsilon as f64 / 1e6;
    format!(
        "ε-differentially private, discrete Laplace: ε = {epsilon}, added by each of {} aggregators for a change \
         of {} by one row",
        noise.adders, noise.sensitivity
    )
}

fn table(part: &Part) -> Option<&Table> {
    match part {
        Part::Table(table) => Some(table),
        _ => None,
    }
}

fn reasons(findings: &[Checked]) -> Vec<String> {
    let verdicts = findings.iter().flat_map(|checked| &checked.verdicts);
    let mut out: Vec<String> =
        verdicts.filter(|verdict| **verdict != Verdict::Pass).map(Verdict::reason).collect();
    out.dedup();
    out
}

/// An answer whose only faults are small cells or steps, without them.
fn reduced(answer: &Answer, findings: &[Checked]) -> Option<Answer> {
    let mut shown = answer.clone();
    match &mut shown.finding {
        Finding::Table(table) => {
            // The answer tells how many rows have every value and how many have not: where some have not,
            // what is left out could be worked out from that. A total that is left out cannot stand
            // in the answer either.
            if answer.dropped > 0 {
                return None;
            }
            let suppressed: Vec<&SuppressedTable> =
                findings.iter().filter_map(|checked| checked.suppressed.as_ref()).collect();
            let is_linked = findings.iter().any(is_linked);
            let [only] = findings else { return None };
            if is_linked || suppressed.len() != 1 || only.suppressed.as_ref()?.total.is_none() {
                return None;
            }
            let cells = suppressed.first()?.counts.iter().flatten().copied().collect::<Vec<_>>();
            let kept = kept_places(table);
            let mut cells = kept.iter().zip(cells).collect::<BTreeMap<_, _>>();
            for (place, cell) in table.cells.iter_mut().enumerate() {
                *cell = cells.remove(&place).unwrap_or(*cell);
            }
            Some(shown)
        }
        Finding::Survival(curves) => {
            if !findings.iter().skip(curves.curves.len()).all(Checked::passed) {
                return None;
            }
            for (curve, checked) in curves.curves.iter_mut().zip(findings) {
                if !checked.passed() {
                    join(curve, checked.coarsened.as_ref()?)?;
                }
            }
            Some(shown)
        }
        _ => None,
    }
}

fn is_linked(checked: &Checked) -> bool {
    let linked =
        |verdict: &Verdict| matches!(verdict, Verdict::Fail { rule: disclosure::Rule::Linked, .. });
    checked.verdicts.iter().any(linked)
}

/// Leaves the steps of a curve that the joined one has; what the curve says at their times is the same.
fn join(curve: &mut Curve, joined: &Survival) -> Option<()> {
    let mut left = Vec::with_capacity(joined.steps.len());
    for step in &joined.steps {
        let mut kept = curve.steps.iter().find(|one| one.time == step.time)?.clone();
        (kept.at_risk, kept.events) = (step.at_risk, step.events);
        left.push(kept);
    }
    (curve.steps, curve.median, curve.median_interval) = (left, None, [None, None]);
    curve.events_untold = curve.events.saturating_sub(curve.steps.iter().map(|s| s.events).sum());
    Some(())
}

/// The places of a table's cells that a check looks at: those of missing values only where there are any.
fn kept_places(table: &statistics::describe::Table) -> Vec<usize> {
    let width = table.levels.last().map_or(1, |levels| levels.len() + 1);
    let lines: Vec<&[Option<u64>]> = table.cells.chunks(width).collect();
    let is_used = |count: &Option<u64>| *count != Some(0);
    let last_column = lines.iter().filter_map(|line| line.last()).any(is_used);
    let columns = if last_column { width } else { width - 1 };
    let mut places = Vec::new();
    for (row, line) in lines.iter().enumerate() {
        if row_counts(table, row) || line.iter().any(is_used) {
            places.extend((0..columns).map(|column| row * width + column));
        }
    }
    places
}

/// Whether a line of a table stands for levels that the dictionary lists, and not for a missing value.
fn row_counts(table: &statistics::describe::Table, mut row: usize) -> bool {
    for levels in table.levels.iter().rev().skip(1) {
        let size = levels.len() + 1;
        if row % size == levels.len() {
            return false;
        }
        row /= size;
    }
    true
}

fn counts(table: &statistics::describe::Table) -> Part {
    let width = table.levels.last().map_or(1, |levels| levels.len() + 1);
    let mut rows: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    let mut columns = 0;
    for place in kept_places(table) {
        let count = table.cells.get(place).copied().flatten().unwrap_or_default();
        let line = rows.entry(place / width).or_default();
        line.push(count);
        columns = columns.max(line.len());
    }
    let by = table.by.join(" × ");
    Part::Table(Table {
        rows: rows.keys().map(|row| format!("{by}: line {row}")).collect(),
        columns: (0..columns).map(|column| format!("{by}: column {column}")).collect(),
        counts: rows.into_values().collect(),
        contributions: None,
    })
}

/// The parts of an answer that say something about people.
fn parts(question: &Question, answer: &Answer) -> Vec<Part> {
    let (n, dictionary) = (answer.n, &question.dictionary);
    match &answer.finding {
        Finding::Model(model) => {
            let events = model.events.unwrap_or(n).min(n);
            vec![estimates(events, model.coefficients.len(), None)]
        }
        Finding::Table(table) => vec![counts(table)],
        Finding::Summary(table) => {
            let mean = |one: &statistics::describe::VariableSummary| {
                mean(dictionary, &one.variable, one.n, one.mean)
            };
            table.summaries.iter().filter(|one| one.n > 0).map(mean).collect()
        }
        Finding::Histogram(found) => {
            let sides = [found.below, found.above];
            let counts: Vec<u64> = found.counts.iter().copied().chain(sides).collect();
            vec![line(&found.variable, counts)]
        }
        Finding::Quantiles(found) => {
            let position = |one: &statistics::describe::Quantile| Summary {
                statbarn: Statbarn::Position,
                n: one.n,
                smaller_side: Some(one.below.min(one.above)),
                contributions: None,
            };
            found.quantiles.iter().map(position).map(Part::Summary).collect()
        }
        Finding::TTest(found) => groups(question, &found.groups),
        Finding::Anova(found) => groups(question, &found.groups),
        Finding::ChiSquared(found) => vec![counts(&found.table), plain(Statbarn::Tests, n)],
        Finding::Correlations(found) => {
            found.pairs.iter().map(|pair| estimates(pair.n, 2, None)).collect()
        }
        Finding::RankSum(found) => found.n.iter().map(|n| plain(Statbarn::Tests, *n)).collect(),
        Finding::Survival(found) => {
            let tests = found.log_rank.iter().chain(&found.log_rank_by_site);
            let curves = found.curves.iter().map(|curve| Part::Survival(steps(curve)));
            curves.chain(tests.map(|_| plain(Statbarn::Tests, n))).collect()
        }
        Finding::MetaAnalysis(_) => vec![estimates(n, 2, None)],
        Finding::TwoStage(found) => vec![estimates(n, found.coefficients.len(), None)],
        Finding::Components(_) => vec![plain(Statbarn::Clusters, n)],
        Finding::Clusters(found) => {
            found.clusters.iter().map(|one| plain(Statbarn::Clusters, one.n)).collect()
        }
        Finding::Mixed(found) => vec![estimates(n, found.coefficients.len() + 2, None)],
        Finding::WeightedEffect(found) => {
            let arm = found.arms.iter().map(|arm| arm.n).min();
            vec![estimates(n, found.propensity.len() + 1, arm)]
        }
        Finding::Validated(found) => {
            let outcomes = found.outcomes.iter().copied().min().unwrap_or_default();
            vec![plain(Statbarn::Smoothed, outcomes)]
        }
        Finding::BoostedTrees(found) => {
            let nodes = found.trees.iter().flatten().map(|node| node.n);
            vec![plain(Statbarn::FittedModels, nodes.min().unwrap_or(n))]
        }
        // What a network has learnt is for people to judge.
        Finding::Perceptron(_) => vec![plain(Statbarn::FittedModels, n)],
        // What the numbers of a program mean, nobody but a person can tell.
        Finding::Program(_) => vec![plain(Statbarn::Unknown, n)],
    }
}

/// The means of groups that a test compares.
fn groups(question: &Question, groups: &[GroupMean]) -> Vec<Part> {
    let outcome = match &question.analysis {
        Analysis::TTest(test) => test.outcome.as_str(),
        Analysis::Anova(test) => test.outcome.as_str(),
        // The difference of two variables has no bounds of its own: people look.
        _ => "",
    };
    let of = |group: &GroupMean| mean(&question.dictionary, outcome, group.n, Some(group.mean));
    groups.iter().map(of).collect()
}

fn estimates(n: u64, parameters: usize, smallest_level: Option<u64>) -> Part {
    Part::Model(Model { n, parameters: parameters as u64, smallest_level })
}

fn plain(statbarn: Statbarn, n: u64) -> Part {
    Part::Summary(Summary { statbarn, n, smaller_side: None, contributions: None })
}

fn line(name: &str, counts: Vec<u64>) -> Part {
    Part::Table(Table {
        rows: vec![name.to_owned()],
        columns: (0..counts.len()).map(|column| format!("{name}: bin {column}")).collect(),
        counts: vec![counts],
        contributions: None,
    })
}

/// A mean, with the most that two people can have contributed to it: what the dictionary's bounds allow.
fn mean(dictionary: &Dictionary, variable: &str, n: u64, mean: Option<f64>) -> Part {
    let bounds = match dictionary.variable(variable).map(|variable| &variable.kind) {
        Some(Kind::Number { min: Some(min), max: Some(max) }) if min < max => Some((*min, *max)),
        _ => None,
    };
    let contributions = bounds.zip(mean).map(|((min, max), mean)| {
        let most = max - min;
        let total = ((mean - min) * n as f64).max(0.0);
        Contributions { total, greatest: vec![most.min(total), most.min(total / 2.0)] }
    });
    let statbarn = Statbarn::LinearAggregations;
    Part::Summary(Summary { statbarn, n, smaller_side: None, contributions })
}

fn steps(curve: &Curve) -> Survival {
    let next = curve.steps.iter().skip(1).map(|step| step.at_risk).chain([0]);
    let step = |(one, next): (&statistics::survival::CurveStep, u64)| {
        let left = one.at_risk.saturating_sub(one.events);
        Step {
            time: one.time,
            at_risk: one.at_risk,
            events: one.events,
            censored: left.saturating_sub(next),
        }
    };
    Survival { steps: curve.steps.iter().zip(next).map(step).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A count by one category of two levels, the last number of rows without it.
    fn judged(cells: [u64; 3]) -> Judgement {
        let question = serde_json::from_value(json!({
            "dictionary": {"variables": [
                {"name": "arm", "kind": "category", "levels": ["a", "b"]},
            ]},
            "most_rows": 1000,
            "analysis": {"kind": "crosstab", "by": ["arm"]},
        }));
        let answer = serde_json::from_value(json!({
            "n": cells[0] + cells[1], "dropped": cells[2], "sites": 3, "rounds": 1,
            "finding": {"kind": "table", "by": ["arm"], "levels": [["a", "b"]], "cells": cells},
        }));
        judge(&question.unwrap(), &answer.unwrap(), &[], &Rules::default())
    }

    #[test]
    fn an_answer_with_noise_leaves_as_it_is_with_what_protects_it() {
        let small = |noise: serde_json::Value| {
            let question = serde_json::from_value(json!({
                "dictionary": {"variables": [
                    {"name": "arm", "kind": "category", "levels": ["a", "b"]},
                ]},
                "most_rows": 1000,
                "analysis": {"kind": "crosstab", "by": ["arm"]},
            }));
            let mut answer = json!({
                "n": 234, "dropped": 50, "sites": 3, "rounds": 1,
                "finding": {
                    "kind": "table", "by": ["arm"], "levels": [["a", "b"]], "cells": [231, 3, 50],
                },
            });
            if !noise.is_null() {
                answer["noise"] = noise;
            }
            let answer = serde_json::from_value(answer).unwrap();
            (judge(&question.unwrap(), &answer, &[], &Rules::default()), answer)
        };
        let (exact, _) = small(serde_json::Value::Null);
        assert_eq!(exact.shown, None, "the same counts, exact");
        let (noisy, answer) = small(json!({
            "law": "discrete-laplace", "micro_epsilon": 500_000, "sensitivity": 2, "adders": 2,
            "within": 16, "released": [236, 47, 231, -3, 50],
        }));
        assert_eq!((noisy.class(), noisy.shown), (Class::Safe, Some(answer)));
        assert!(noisy.tables.is_empty() && noisy.reasons.is_empty());
        let said = noisy.findings[0].said();
        assert!(said.contains("ε-differentially private, discrete Laplace: ε = 0.5"), "{said}");
    }

    #[test]
    fn a_small_cell_is_left_out_with_what_would_tell_it() {
        let whole = judged([231, 12, 0]).shown.unwrap();
        let Finding::Table(table) = &whole.finding else { panic!("{whole:?}") };
        assert_eq!((table.cell(&[0]), table.cell(&[1])), (Some(231), Some(12)));
        let reduced = judged([231, 9, 0]).shown.unwrap();
        let Finding::Table(table) = &reduced.finding else { panic!("{reduced:?}") };
        assert_eq!((table.cell(&[0]), table.cell(&[1])), (None, None));
    }

    #[test]
    fn what_the_counts_of_rows_would_give_back_waits_for_people() {
        // 240 rows have a value: beside 231 the 9 that were left out would be seen.
        let judgement = judged([231, 9, 50]);
        assert_eq!(judgement.shown, None);
        let cells = [
            "rule min_cell, table 1, row 1, column 2",
            "rule min_cell, table 1, row total, column 2",
        ];
        assert_eq!(judgement.reasons, cells);
    }
}
