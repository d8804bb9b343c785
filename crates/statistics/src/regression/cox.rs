//! What a site gives for Cox's model: the partial likelihood of its own strata (Cox, JRSS B 34,
//! 1972), whose risk sets never reach beyond the site.

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
    eta: f64,
    /// The weight times the relative hazard, of which the greatest in the stratum is 1.
    hazard: f64,
}

/// The rows of a stratum from its last time to its first, and their places, one behind the other.
struct Stratum<'s> {
    members: &'s [Member],
    places: &'s [f64],
    width: usize,
}

impl Stratum<'_> {
    fn place(&self, member: usize) -> &[f64] {
        self.places.get(member * self.width..(member + 1) * self.width).unwrap_or_default()
    }

    fn hazard(&self, member: usize) -> f64 {
        self.members.get(member).map_or(0.0, |member| member.hazard)
    }
}

/// The vector of [`FitState::layout`].
pub(super) fn sums(state: &FitState, rows: &Rows, ties: Ties, is_weighted: bool) -> Vec<f64> {
    let width = state.basis.len();
    let mut totals = Totals::new(1 + width + width * (width + 1) / 2);
    let (placing, mut beyond) = (state.placing(), 0_u32);
    let mut weights = Totals::new(2);
    let mut order: Vec<(&Mark, usize)> = rows.marks.iter().zip(0..).collect();
    order.sort_by(|(one, _), (other, _)| {
        one.stratum.cmp(&other.stratum).then(other.stop.total_cmp(&one.stop))
    });
    let mut members: Vec<Member> = Vec::with_capacity(rows.len());
    let mut places = vec![0.0; rows.len() * width];
    for (at, (mark, row)) in order.iter().enumerate() {
        if let Some(place) = places.get_mut(at * width..(at + 1) * width) {
            placing.place(rows.columns(*row), place);
        }
        members.push(Member { mark: **mark, eta: 0.0, hazard: 0.0 });
        add(weights.row(), 1.0, &[mark.weight.ln(), mark.weight]);
        weights.next();
    }
    let mut rest = places.as_mut_slice();
    for members in members.chunk_by_mut(|one, other| one.mark.stratum == other.mark.stratum) {
        let (places, after) = rest.split_at_mut(members.len() * width);
        rest = after;
        centre(places, members.len(), width);
        for (at, member) in members.iter_mut().enumerate() {
            let place = places.get(at * width..(at + 1) * width).unwrap_or_default();
            let eta = dot(place, &state.estimate) + member.mark.offset;
            member.eta = eta.clamp(-MOST_HAZARD, MOST_HAZARD);
            beyond += u32::from(member.eta != eta);
        }
        let greatest = members.iter().map(|member| member.eta).fold(f64::NEG_INFINITY, f64::max);
        for member in members.iter_mut() {
            member.hazard = member.mark.weight * (member.eta - greatest).exp();
        }
        let mut sums = EventTimes::new(width, ties, greatest, &mut totals);
        sums.add(&Stratum { members, places, width });
    }
    let n = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let counts = [f64::from(n), f64::from(beyond)];
    let weights = if is_weighted { weights.finish() } else { Vec::new() };
    counts.into_iter().chain(totals.finish()).chain(weights).collect()
}

/// Takes the stratum's mean off every direction, which changes nothing but rounding.
fn centre(places: &mut [f64], count: usize, width: usize) {
    let mut totals = Totals::new(width);
    for place in places.chunks(width.max(1)) {
        add(totals.row(), 1.0, place);
        totals.next();
    }
    let means: Vec<f64> = totals.finish().iter().map(|sum| sum / count as f64).collect();
    places.chunks_mut(width.max(1)).for_each(|place| add(place, -1.0, &means));
}

/// Sums over a risk set: of the relative hazards, and of them times place and its square.
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

    fn clear(&mut self) {
        self.hazard = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    fn add(&mut self, hazard: f64, place: &[f64]) {
        self.hazard += hazard;
        add(&mut self.first, hazard, place);
        add_square(&mut self.second, hazard, place);
    }
}

/// The sums over the event times of a stratum, with room for one of them.
struct EventTimes<'t> {
    ties: Ties,
    greatest: f64,
    totals: &'t mut Totals,
    risk: Risk,
    own: Risk,
    mean: Vec<f64>,
}

impl<'t> EventTimes<'t> {
    fn new(width: usize, ties: Ties, greatest: f64, totals: &'t mut Totals) -> Self {
        let (risk, own) = (Risk::new(width), Risk::new(width));
        Self { ties, greatest, totals, risk, own, mean: vec![0.0; width] }
    }

    /// From the last time to the first: the risk set at `t` are the rows with `start < t <= stop`.
    fn add(&mut self, stratum: &Stratum<'_>) {
        let members = stratum.members;
        let mut by_start: Vec<usize> =
            (0..members.len()).filter(|at| members[*at].mark.start > f64::NEG_INFINITY).collect();
        by_start
            .sort_by(|one, other| members[*other].mark.start.total_cmp(&members[*one].mark.start));
        let mut leaving = by_start.into_iter().peekable();
        let (mut largest, mut from) = (0.0_f64, 0);
        let mut dead: Vec<usize> = Vec::new();
        for tied in members.chunk_by(|one, other| one.mark.stop == other.mark.stop) {
            let (first, time) = (from, tied.first().map_or(0.0, |member| member.mark.stop));
            from += tied.len();
            dead.clear();
            for (at, member) in (first..).zip(tied) {
                self.risk.add(member.hazard, stratum.place(at));
                if member.mark.outcome == 1.0 {
                    dead.push(at);
                }
            }
            largest = largest.max(self.risk.hazard);
            if dead.is_empty() {
                continue;
            }
            while let Some(at) = leaving.next_if(|at| members[*at].mark.start >= time) {
                self.risk.add(-stratum.hazard(at), stratum.place(at));
            }
            if self.risk.hazard < largest * WORN {
                self.risk.clear();
                for (at, member) in members.iter().enumerate() {
                    if member.mark.start < time && member.mark.stop >= time {
                        self.risk.add(member.hazard, stratum.place(at));
                    }
                }
                largest = self.risk.hazard;
            }
            self.event_time(stratum, &dead);
        }
    }

    /// Adds the events at one time.
    fn event_time(&mut self, stratum: &Stratum<'_>, dead: &[usize]) {
        let Self { ties, greatest, totals, risk, own, mean } = self;
        let width = mean.len();
        let is_shared = dead.len() > 1 && *ties == Ties::Efron;
        if is_shared {
            own.clear();
        }
        let mut weight = 0.0;
        for at in dead {
            let Some(member) = stratum.members.get(*at) else { continue };
            if is_shared {
                own.add(member.hazard, stratum.place(*at));
            }
            weight += member.mark.weight;
            let (first, rest) = totals.row().split_at_mut(1);
            add(first, member.mark.weight, &[member.eta]);
            add(rest, member.mark.weight, stratum.place(*at));
            totals.next();
        }
        let count = dead.len() as f64;
        let each = weight / count;
        for place in 0..dead.len() {
            let share = if is_shared { place as f64 / count } else { 0.0 };
            let left = risk.hazard - share * own.hazard;
            for ((mean, all), own) in mean.iter_mut().zip(&risk.first).zip(&own.first) {
                *mean = (all - share * own) / left;
            }
            let (first, rest) = totals.row().split_at_mut(1);
            let (score, information) = rest.split_at_mut(width);
            add(first, -each, &[left.ln() + *greatest]);
            add(score, -each, mean);
            add(information, each / left, &risk.second);
            if share > 0.0 {
                add(information, -share * each / left, &own.second);
            }
            add_square(information, -each, mean);
            totals.next();
        }
    }
}
