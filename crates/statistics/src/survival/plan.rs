//! The one round in which sites give counts of events and censorings between points of a grid.

use nalgebra::DVector;
use serde::{Deserialize, Serialize};

use super::curve::{Curves, OnGrid};
use super::log_rank::LogRank;
use crate::answer::Finding;
use crate::columns::{binaries, categories, check_binary, levels, numbers, range, triangle};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, counts, real, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most cells of grid and groups together.
const MOST_CELLS: usize = 100_000;

/// Kaplan–Meier curves, log-rank tests, medians and restricted means. One round.
///
/// Times are taken to the point of the grid at or after them; rows past its end are censored there.
/// What is told of a curve are steps that rest on `least` events and `least` rows at risk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survival {
    /// A number, not negative.
    pub time: String,
    /// Yes for an event, no for a censoring: a number 0 or 1, or a category of two levels.
    pub event: String,
    /// A category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Rising points after 0, in the unit of the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<f64>,
    /// In place of `grid`: points in this distance, from 0 to the greatest time of the dictionary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// Events, and rows at risk, on which each step must rest.
    #[serde(default = "ten")]
    pub least: u32,
    /// Up to when the restricted mean goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<f64>,
}

const fn ten() -> u32 {
    10
}

impl Survival {
    fn edges(&self, question: &Question) -> Result<Vec<f64>, Refusal> {
        let Some(width) = self.width else { return Ok(self.grid.clone()) };
        let range = range(question, &self.time)?;
        let points = crate::plan::count((range.max / width).ceil()).min(MOST_CELLS as u64 + 1);
        Ok((1..=points).map(|at| real(at) * width).collect())
    }

    fn names(&self, question: &Question) -> Result<Vec<Option<String>>, Refusal> {
        match &self.group {
            None => Ok(vec![None]),
            Some(group) => Ok(levels(question, group)?.iter().cloned().map(Some).collect()),
        }
    }

    /// The complete rows as (time, event, group), earliest first.
    fn sorted(
        &self,
        question: &Question,
        rows: &Frame,
    ) -> Result<Vec<(f64, bool, usize)>, Refusal> {
        let times = numbers(question, rows, &self.time)?;
        if times.iter().flatten().any(|time| *time < 0.0) {
            let (variable, must) = (self.time.clone(), "0 or more".to_owned());
            return Err(Refusal::Value { variable, must });
        }
        let events = binaries(question, rows, &self.event)?;
        let groups = match &self.group {
            None => vec![Some(0); times.len()],
            Some(group) => categories(question, rows, group)?.to_vec(),
        };
        let mut sorted: Vec<(f64, bool, usize)> = times
            .iter()
            .zip(events)
            .zip(groups)
            .filter_map(|((time, event), group)| Some(((*time)?, event?, group? as usize)))
            .collect();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        Ok(sorted)
    }
}

impl Plan for Survival {
    type State = ();

    fn begin(&self, question: &Question) -> Result<(), Failure> {
        range(question, &self.time)?;
        check_binary(question, &self.event)?;
        let is_stated = range(question, &self.time)?.is_stated;
        let has_width = self.width.is_some_and(|width| width > 0.0 && width.is_finite());
        if self.width.is_some() && (!has_width || !self.grid.is_empty() || !is_stated) {
            return Err(wrong(
                "give a `grid`, or a positive `width` for a time with stated bounds",
            ));
        }
        let edges = self.edges(question)?;
        let rises = edges.windows(2).all(|pair| pair.first() < pair.last());
        let is_fit = edges.iter().all(|edge| edge.is_finite() && *edge > 0.0);
        let cells = edges.len().saturating_mul(self.names(question)?.len());
        if !rises || !is_fit || edges.is_empty() || cells > MOST_CELLS {
            return Err(wrong("the grid must rise from above 0 and have at most 100000 cells"));
        }
        let end = edges.last().copied().unwrap_or(0.0);
        if self.horizon.is_some_and(|horizon| !(horizon > 0.0 && horizon <= end)) {
            return Err(wrong("the horizon must lie within the grid"));
        }
        if self.least == 0 {
            return Err(wrong("each step must rest on one event at `least`"));
        }
        Ok(())
    }

    fn entries(&self, question: &Question, (): &()) -> Result<Vec<Entry>, Refusal> {
        let groups = self.names(question)?.len();
        let cells = self.edges(question)?.len() * groups;
        let mut entries = vec![
            counts(question, "events", cells),
            counts(question, "censored", cells),
            counts(question, "after", groups),
        ];
        if self.group.is_some() {
            entries.push(sums(question, "log-rank", 2 * groups + triangle(groups), 1.0));
        }
        Ok(entries)
    }

    fn give(&self, question: &Question, (): &(), rows: &Frame) -> Result<Given, Refusal> {
        let (edges, groups) = (self.edges(question)?, self.names(question)?.len());
        let sorted = self.sorted(question, rows)?;
        let cells = edges.len() * groups;
        let mut values = vec![0.0; 2 * cells + groups];
        for (time, is_event, group) in &sorted {
            let at = edges.partition_point(|edge| edge < time);
            let place = if at == edges.len() {
                2 * cells + group
            } else {
                if *is_event { 0 } else { cells }.saturating_add(group * edges.len() + at)
            };
            if let Some(cell) = values.get_mut(place) {
                *cell += 1.0;
            }
        }
        if self.group.is_some() {
            values.extend(LogRank::stratum(groups, &sorted).values());
        }
        Ok(Given { rows: sorted.len(), dropped: rows.rows() - sorted.len(), values })
    }

    fn advance(
        &self,
        question: &Question,
        (): &(),
        totals: &Totals<'_>,
    ) -> Result<Next<()>, Failure> {
        let (edges, names) = (self.edges(question)?, self.names(question)?);
        let (events, censored) = (totals.counts("events"), totals.counts("censored"));
        let after = totals.counts("after");
        let parts = events.chunks(edges.len()).zip(censored.chunks(edges.len())).zip(after);
        let groups: Vec<OnGrid<'_>> = parts
            .map(|((events, censored), after)| OnGrid { edges: &edges, events, censored, after })
            .collect();
        let least = u64::from(self.least);
        let curves = names
            .iter()
            .zip(&groups)
            .map(|(level, group)| group.curve(level.clone(), least, self.horizon))
            .collect();
        let by_site = self
            .group
            .is_some()
            .then(|| LogRank::from_sums(groups.len(), totals.of("log-rank")))
            .flatten();
        let log_rank = by_site.is_some().then(|| on_grid(&groups).test()).flatten();
        let log_rank_by_site = by_site.and_then(|by_site| by_site.test());
        Ok(Next::done(Finding::Survival(Curves { curves, log_rank, log_rank_by_site })))
    }
}

fn on_grid(groups: &[OnGrid<'_>]) -> LogRank {
    let size = groups.len();
    let mut test = LogRank::new(size);
    let all = groups
        .iter()
        .map(|group| real(group.events.iter().chain(group.censored).sum::<u64>() + group.after));
    let mut at_risk = DVector::from_iterator(size, all);
    for place in 0..groups.first().map_or(0, |group| group.edges.len()) {
        let of = |counts: &[u64]| counts.get(place).copied().map_or(0.0, real);
        let events = DVector::from_iterator(size, groups.iter().map(|group| of(group.events)));
        test.add(&events, &at_risk);
        let censored = groups.iter().map(|group| of(group.censored));
        at_risk -= events + DVector::from_iterator(size, censored);
    }
    test
}
