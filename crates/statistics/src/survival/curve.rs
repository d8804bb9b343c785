//! The Kaplan–Meier estimate on a grid, told in steps that each rest on enough events.

use serde::{Deserialize, Serialize};

use super::log_rank::LogRankTest;
use crate::compare::normal_quantile;
use crate::plan::real;

/// Survival of all groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// One for each level of the group, or one for all rows.
    pub curves: Vec<Curve>,
    /// Over the pooled rows with times on the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_rank: Option<LogRankTest>,
    /// Stratified by site, with the times as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_rank_by_site: Option<LogRankTest>,
}

/// Survival of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The level that forms the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Rows.
    pub n: u64,
    /// Events up to the end of the grid.
    pub events: u64,
    /// The steps, earliest first.
    pub steps: Vec<CurveStep>,
    /// Events after the last step, too few for one of their own.
    pub events_untold: u64,
    /// The time of the first step at which survival is 0.5 or less, and the interval of Brookmeyer
    /// and Crowley (1982): where the lower and upper bounds of survival come to it.
    pub median: Option<f64>,
    /// The ends of the median's interval, each absent where the bound never comes to 0.5.
    pub median_interval: [Option<f64>; 2],
    /// The restricted mean, where a horizon was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricted_mean: Option<RestrictedMean>,
}

/// One step of a curve. Survival at its time is the exact estimate on the grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveStep {
    /// A point of the grid.
    pub time: f64,
    /// The probability of no event up to and including this time.
    pub survival: f64,
    /// Greenwood's standard error (1926).
    pub se: f64,
    /// The 95 % confidence interval on the log(-log) scale (Kalbfleisch and Prentice 1980); absent
    /// where survival is 0 or 1.
    pub interval: Option<[f64; 2]>,
    /// Rows at risk before this point of the grid.
    pub at_risk: u64,
    /// Events since the step before.
    pub events: u64,
}

/// Mean survival time up to a horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestrictedMean {
    /// A point of the grid.
    pub horizon: f64,
    /// The area under the curve up to it.
    pub mean: f64,
    /// Its standard error (Klein and Moeschberger 2003, 4.5.2).
    pub se: f64,
}

/// What the grid says of one group.
pub(crate) struct OnGrid<'a> {
    pub(crate) edges: &'a [f64],
    pub(crate) events: &'a [u64],
    pub(crate) censored: &'a [u64],
    pub(crate) after: u64,
}

struct Place {
    time: f64,
    at_risk: u64,
    events: u64,
    survival: f64,
    /// Greenwood's sum up to here, and this place's term of it.
    greenwood: f64,
    term: f64,
}

impl OnGrid<'_> {
    fn places(&self) -> Vec<Place> {
        let left = self.events.iter().chain(self.censored).sum::<u64>() + self.after;
        let (mut left, mut survival, mut greenwood) = (left, 1.0, 0.0);
        let mut places = Vec::with_capacity(self.edges.len());
        for ((time, events), censored) in self.edges.iter().zip(self.events).zip(self.censored) {
            let (at_risk, gone) = (real(left), real(*events));
            let mut term = 0.0;
            if *events > 0 {
                survival *= (at_risk - gone) / at_risk;
                term = if left > *events { gone / (at_risk * (at_risk - gone)) } else { 0.0 };
                greenwood += term;
            }
            places.push(Place {
                time: *time,
                at_risk: left,
                events: *events,
                survival,
                greenwood,
                term,
            });
            left = left.saturating_sub(events + censored);
        }
        places
    }

    /// The curve, each of whose steps rests on `least` events and as many rows at risk.
    pub(crate) fn curve(&self, level: Option<String>, least: u64, horizon: Option<f64>) -> Curve {
        let places = self.places();
        let (mut steps, mut waiting) = (Vec::new(), 0);
        for place in &places {
            waiting += place.events;
            if place.events > 0 && waiting >= least && place.at_risk >= least {
                steps.push(step(place, waiting));
                waiting = 0;
            }
        }
        let first = |reaches: &dyn Fn(&CurveStep) -> bool| {
            steps.iter().find(|step| reaches(step)).map(|step| step.time)
        };
        let bound = |at: usize| {
            first(&|step: &CurveStep| {
                step.interval.and_then(|ends| ends.get(at).copied()).is_some_and(|end| end <= 0.5)
            })
        };
        let (lower, upper) = (bound(0), bound(1));
        Curve {
            level,
            n: self.events.iter().chain(self.censored).sum::<u64>() + self.after,
            events: self.events.iter().sum(),
            median: first(&|step: &CurveStep| step.survival <= 0.5),
            median_interval: [lower, upper],
            restricted_mean: horizon.map(|horizon| restricted_mean(&places, horizon)),
            events_untold: waiting,
            steps,
        }
    }
}

fn step(place: &Place, events: u64) -> CurveStep {
    let survival = place.survival;
    let interval = (survival > 0.0 && survival < 1.0).then(|| {
        let log = survival.ln();
        let width = normal_quantile(0.975) * place.greenwood.sqrt() / log.abs();
        [survival.powf(width.exp()), survival.powf((-width).exp())]
    });
    CurveStep {
        time: place.time,
        survival,
        se: survival * place.greenwood.sqrt(),
        interval,
        at_risk: place.at_risk,
        events,
    }
}

fn restricted_mean(places: &[Place], horizon: f64) -> RestrictedMean {
    let inside = || places.iter().filter(|place| place.time < horizon);
    let (mut mean, mut since, mut survival) = (0.0, 0.0, 1.0);
    // The area up to each place; what is right of a place is the whole less this.
    let mut areas = Vec::new();
    for place in inside() {
        mean += survival * (place.time - since);
        (since, survival) = (place.time, place.survival);
        areas.push(mean);
    }
    mean += survival * (horizon - since);
    let variance: f64 =
        inside().zip(areas).map(|(place, area)| (mean - area).powi(2) * place.term).sum();
    RestrictedMean { horizon, mean, se: variance.sqrt() }
}
