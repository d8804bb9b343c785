//! What a site gives for Cox's model: the partial likelihood of its own strata (Cox, JRSS B 34,
//! 1972), whose risk sets never reach beyond the site.

use std::collections::BTreeMap;

use super::Ties;
use super::fit::{FitState, MOST_HAZARD, dot};
use super::glm::{add, add_square};
use crate::design::{Mark, Rows};
use crate::sum::Totals;

/// A risk set is summed anew when this part of the largest it has been is left, since what was
/// taken off would have left its rounding.
const WORN: f64 = 1.0 / 64.0;

/// A row of a stratum.
struct Member {
    mark: Mark,
    place: Vec<f64>,
    eta: f64,
}

/// The vector of [`FitState::layout`].
pub(super) fn sums(state: &FitState, rows: &Rows, ties: Ties, is_weighted: bool) -> Vec<f64> {
    let width = state.basis.len();
    let mut totals = Totals::new(1 + width + width * (width + 1) / 2);
    let (mut standard, mut beyond) = (Vec::new(), 0_u32);
    let mut weights = Totals::new(2);
    let mut strata: BTreeMap<u64, Vec<Member>> = BTreeMap::new();
    for (columns, mark) in rows.iter() {
        let mut place = Vec::with_capacity(width);
        state.place(columns, &mut standard, &mut place);
        strata.entry(mark.stratum).or_default().push(Member { mark: *mark, place, eta: 0.0 });
        add(weights.row(), 1.0, &[mark.weight.ln(), mark.weight]);
        weights.next();
    }
    for (_, mut members) in strata {
        centre(&mut members, width);
        for member in &mut members {
            let eta = dot(&member.place, &state.estimate) + member.mark.offset;
            member.eta = eta.clamp(-MOST_HAZARD, MOST_HAZARD);
            beyond += u32::from(member.eta != eta);
        }
        stratum(&members, width, ties, &mut totals);
    }
    let n = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let counts = [f64::from(n), f64::from(beyond)];
    let weights = if is_weighted { weights.finish() } else { Vec::new() };
    counts.into_iter().chain(totals.finish()).chain(weights).collect()
}

/// Takes the stratum's mean off every direction, which changes nothing but rounding.
fn centre(members: &mut [Member], width: usize) {
    let mut totals = Totals::new(width);
    for member in members.iter() {
        add(totals.row(), 1.0, &member.place);
        totals.next();
    }
    let count = members.len() as f64;
    let means: Vec<f64> = totals.finish().iter().map(|sum| sum / count).collect();
    for member in members {
        add(&mut member.place, -1.0, &means);
    }
}

/// Sums over a risk set: of the relative hazards, and of them times place and its square.
#[derive(Clone)]
struct Risk {
    hazard: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Risk {
    fn new(width: usize) -> Self {
        let second = vec![0.0; width * (width + 1) / 2];
        Self { hazard: 0.0, first: vec![0.0; width], second }
    }

    fn add(&mut self, hazard: f64, place: &[f64]) {
        self.hazard += hazard;
        add(&mut self.first, hazard, place);
        add_square(&mut self.second, hazard, place);
    }
}

/// One stratum, from its last time to its first: the risk set at `t` are the rows with
/// `start < t <= stop`.
fn stratum(members: &[Member], width: usize, ties: Ties, totals: &mut Totals) {
    let greatest = members.iter().map(|member| member.eta).fold(f64::NEG_INFINITY, f64::max);
    let hazard = |member: &Member| member.mark.weight * (member.eta - greatest).exp();
    let mut by_stop: Vec<&Member> = members.iter().collect();
    by_stop.sort_by(|one, other| other.mark.stop.total_cmp(&one.mark.stop));
    let mut by_start: Vec<&Member> =
        members.iter().filter(|member| member.mark.start > f64::NEG_INFINITY).collect();
    by_start.sort_by(|one, other| other.mark.start.total_cmp(&one.mark.start));
    let mut leaving = by_start.into_iter().peekable();
    let mut risk = Risk::new(width);
    let mut largest = 0.0_f64;
    for tied in by_stop.chunk_by(|one, other| one.mark.stop == other.mark.stop) {
        let Some(time) = tied.first().map(|member| member.mark.stop) else { continue };
        for member in tied {
            risk.add(hazard(member), &member.place);
        }
        largest = largest.max(risk.hazard);
        let dead: Vec<&Member> =
            tied.iter().copied().filter(|member| member.mark.outcome == 1.0).collect();
        if dead.is_empty() {
            continue;
        }
        while let Some(member) = leaving.next_if(|member| member.mark.start >= time) {
            risk.add(-hazard(member), &member.place);
        }
        if risk.hazard < largest * WORN {
            risk = Risk::new(width);
            for member in members {
                if member.mark.start < time && member.mark.stop >= time {
                    risk.add(hazard(member), &member.place);
                }
            }
            largest = risk.hazard;
        }
        event_time(&dead, &risk, ties, &hazard, greatest, totals);
    }
}

/// Adds the events at one time.
fn event_time(
    dead: &[&Member],
    risk: &Risk,
    ties: Ties,
    hazard: &impl Fn(&Member) -> f64,
    greatest: f64,
    totals: &mut Totals,
) {
    let width = risk.first.len();
    let mut own = Risk::new(width);
    let mut weight = 0.0;
    for member in dead {
        own.add(hazard(member), &member.place);
        weight += member.mark.weight;
        let (first, rest) = totals.row().split_at_mut(1);
        add(first, member.mark.weight, &[member.eta]);
        add(rest, member.mark.weight, &member.place);
        totals.next();
    }
    let count = dead.len() as f64;
    let each = weight / count;
    let mut mean = vec![0.0; width];
    let mut square = vec![0.0; risk.second.len()];
    for place in 0..dead.len() {
        let share = match ties {
            Ties::Efron => place as f64 / count,
            Ties::Breslow => 0.0,
        };
        let left = risk.hazard - share * own.hazard;
        for ((mean, all), own) in mean.iter_mut().zip(&risk.first).zip(&own.first) {
            *mean = (all - share * own) / left;
        }
        for ((square, all), own) in square.iter_mut().zip(&risk.second).zip(&own.second) {
            *square = (all - share * own) / left;
        }
        let (first, rest) = totals.row().split_at_mut(1);
        let (score, information) = rest.split_at_mut(width);
        add(first, -each, &[left.ln() + greatest]);
        add(score, -each, &mean);
        add(information, each, &square);
        add_square(information, -each, &mean);
        totals.next();
    }
}
