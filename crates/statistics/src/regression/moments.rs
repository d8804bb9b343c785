//! Centre and spread of every column: what makes later sums well conditioned and bounds them.

use serde::{Deserialize, Serialize};

use crate::design::{Design, DesignColumn, Outcome, Range, Rows};
use crate::rounds::{Failure, Layout, Sums};
use crate::sum::Totals;

/// Part of its bound by which an entry of a sum may be off, cautiously: what adds the vectors
/// represents them as multiples of about 2^-89 of the bound.
const RESOLUTION: f64 = f64::from_bits(0x3ff0_0000_0000_0000 - (80 << 52));
/// Part by which a sum of squares may be off from the arithmetic of the sites, cautiously.
const ARITHMETIC: f64 = f64::from_bits(0x3ff0_0000_0000_0000 - (46 << 52));
/// A spread is trusted if it is this many times greater than what it may be off by.
const TRUSTED: f64 = 1e6;
/// Rounds after which a spread that is still not to be told from 0 is 0.
const MOST_TRIES: u32 = 6;
/// A spread this small beside the centre is rounding of the values themselves.
const CONSTANT: f64 = 1e-14;

/// The question of a round of moments: where the quantities are centred, and how far from there
/// they reach at most. The quantities are the columns, then (where there are such) the numeric
/// outcome, the weight, the offset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MomentState {
    tries: u32,
    centre: Vec<f64>,
    reach: Vec<f64>,
}

/// Mean and spread of one quantity over all sites.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    /// Standard deviation, divisor n; 0 for a constant.
    pub(super) sd: f64,
    /// No value lies farther from the mean.
    pub(super) reach: f64,
}

/// What the rounds of moments find.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) rows: u64,
    pub(super) dropped: u64,
    /// Rows that lack each variable.
    pub(super) missing: Vec<u64>,
    /// Rows at each level of each category.
    pub(super) levels: Vec<Vec<u64>>,
    /// Rows with an event, if the outcome is one.
    pub(super) events: u64,
    pub(super) columns: Vec<Spread>,
    pub(super) outcome: Option<Spread>,
    pub(super) weight: Option<Spread>,
    pub(super) offset: Option<Spread>,
}

/// What comes after a round of moments.
pub(super) enum Next {
    Again(MomentState),
    Done(Moments),
}

impl MomentState {
    pub(super) fn first(design: &Design) -> Self {
        let ranges = quantities(design);
        let centre: Vec<f64> =
            ranges.iter().map(|(_, range)| range.low / 2.0 + range.high / 2.0).collect();
        let reach = ranges.iter().zip(&centre).map(|((_, range), at)| range.reach(*at)).collect();
        Self { tries: 0, centre, reach }
    }

    /// The vector, or `None` if the state is not of this design.
    pub(super) fn layout(&self, design: &Design, most_rows: u32) -> Option<Layout> {
        let quantities = quantities(design);
        let is_sound = self.centre.len() == quantities.len()
            && self.reach.len() == quantities.len()
            && self.centre.iter().chain(&self.reach).all(|value| value.is_finite());
        if !is_sound {
            return None;
        }
        let most = f64::from(most_rows);
        let mut layout = Layout::default()
            .and_counts("n", 1, most_rows)
            .and_counts("dropped", 1, most_rows)
            .and_counts("events", 1, most_rows)
            .and_counts("missing", design.variables.len(), most_rows);
        for (_, name, levels) in design.categories() {
            layout = layout.and_counts(format!("levels of {name}"), levels.len(), most_rows);
        }
        for ((name, _), reach) in quantities.iter().zip(&self.reach) {
            layout = layout.and(format!("sum of {name}"), 1, most * reach);
            layout = layout.and(format!("squares of {name}"), 1, most * reach * reach);
        }
        Some(layout)
    }

    /// What a site gives.
    pub(super) fn sums(&self, design: &Design, rows: &Rows) -> Vec<f64> {
        let has_number = !matches!(design.outcome, Outcome::Event(..));
        let mut totals = Totals::new(2 * self.centre.len());
        let mut events = 0_u32;
        for (columns, mark) in rows.iter() {
            events += u32::from(!has_number && mark.outcome == 1.0);
            let own = [
                has_number.then_some(mark.outcome),
                design.weight.as_ref().map(|_| mark.weight),
                design.offset.as_ref().map(|_| mark.offset),
            ];
            let values = columns.iter().copied().chain(own.into_iter().flatten());
            for ((pair, value), centre) in
                totals.row().chunks_exact_mut(2).zip(values).zip(&self.centre)
            {
                let off = value - centre;
                if let [sum, squares] = pair {
                    *sum += off;
                    *squares += off * off;
                }
            }
            totals.next();
        }
        let counts = [count(rows.len()), count(rows.dropped), f64::from(events)];
        let missing = rows.missing.iter().copied().map(f64::from);
        let levels = rows.levels.iter().flatten().copied().map(f64::from);
        counts.into_iter().chain(missing).chain(levels).chain(totals.finish()).collect()
    }

    /// Takes the sums of a round.
    pub(super) fn take(
        self,
        design: &Design,
        most_rows: u32,
        sums: &Sums,
        must_repeat: bool,
    ) -> Result<Next, Failure> {
        let layout = self.layout(design, most_rows).ok_or(Failure::Sums)?;
        let parts = layout.split(&sums.values)?;
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let one = |part: &[f64]| part.first().copied().unwrap_or(0.0);
        let whole =
            |part: &[f64]| part.iter().map(|value| value.round() as u64).collect::<Vec<_>>();
        let n = one(next());
        let (dropped, events) = (one(next()), one(next()));
        let missing = whole(next());
        let levels = design.categories().map(|_| whole(next())).collect();
        let mut again = Self { tries: self.tries + 1, ..self.clone() };
        let mut is_trusted = !must_repeat;
        let mut spreads = Vec::with_capacity(self.centre.len());
        let mut indicators = design.columns.iter().map(DesignColumn::is_indicator);
        for at in
            self.centre.iter().zip(&self.reach).zip(again.centre.iter_mut().zip(&mut again.reach))
        {
            let ((centre, reach), (next_centre, next_reach)) = at;
            let (sum, squares) = (one(next()), one(next()));
            let seen = Seen {
                n,
                centre: *centre,
                reach: *reach,
                sum,
                squares,
                sites: sums.sites,
                is_indicator: indicators.next().unwrap_or(false),
                is_repeated: self.tries > 0,
            };
            let (spread, is_clear) = seen.spread();
            is_trusted &= is_clear;
            *next_centre = spread.mean;
            *next_reach = spread.reach;
            spreads.push(spread);
        }
        if n > 0.0 && !is_trusted && again.tries < MOST_TRIES {
            return Ok(Next::Again(again));
        }
        let mut spreads = spreads.into_iter();
        let columns = spreads.by_ref().take(design.columns.len()).collect();
        let has_number = !matches!(design.outcome, Outcome::Event(..));
        Ok(Next::Done(Moments {
            rows: n.round() as u64,
            dropped: dropped.round() as u64,
            missing,
            levels,
            events: events.round() as u64,
            columns,
            outcome: if has_number { spreads.next() } else { None },
            weight: design.weight.as_ref().and_then(|_| spreads.next()),
            offset: design.offset.as_ref().and_then(|_| spreads.next()),
        }))
    }
}

/// The sums of one quantity.
struct Seen {
    n: f64,
    centre: f64,
    reach: f64,
    sum: f64,
    squares: f64,
    sites: u32,
    is_indicator: bool,
    is_repeated: bool,
}

impl Seen {
    /// The spread, and whether it is clear of rounding.
    ///
    /// A value lies no farther from the mean than the root of the sum of all squared distances;
    /// what that sum may be off by is added, so that `reach` holds at every site.
    fn spread(&self) -> (Spread, bool) {
        if self.is_indicator {
            return (self.share(), true);
        }
        let shift = if self.n > 0.0 { self.sum / self.n } else { 0.0 };
        let mean = self.centre + shift;
        let about = self.n * shift * shift;
        let squares = (self.squares - about).max(0.0);
        let grain =
            self.n.max(1.0) * self.reach * self.reach * RESOLUTION * f64::from(self.sites.max(1));
        let unsure = grain + (self.squares.abs() + about) * ARITHMETIC;
        let own = CONSTANT * mean.abs();
        let least = (squares + unsure).sqrt() * 2.0 + own;
        let reach = least.min(self.reach + shift.abs());
        let sd = (squares / self.n.max(1.0)).sqrt();
        if self.squares == 0.0 && self.sum == 0.0 && self.is_repeated {
            return (Spread { mean, sd: 0.0, reach }, true);
        }
        if reach <= own * 4.0 || sd <= own {
            // Nothing but the last bits of equal values can be left once the reach is this small.
            let is_clear = reach <= own * 4.0;
            return (Spread { mean, sd: 0.0, reach }, is_clear);
        }
        (
            Spread { mean, sd: if squares > unsure { sd } else { 0.0 }, reach },
            squares > TRUSTED * unsure,
        )
    }
}

impl Seen {
    /// Of a column of nothing but 0 and 1, whose sum is exact.
    fn share(&self) -> Spread {
        let ones = (self.sum + self.n * self.centre).round().clamp(0.0, self.n);
        let mean = if self.n > 0.0 { ones / self.n } else { 0.0 };
        Spread { mean, sd: (mean * (1.0 - mean)).sqrt(), reach: mean.max(1.0 - mean) }
    }
}

/// The quantities of a round of moments: what they are called and where they can lie.
fn quantities(design: &Design) -> Vec<(&str, Range)> {
    let columns = design.columns.iter().map(|column| (column.name.as_str(), column.range));
    let outcome = match &design.outcome {
        Outcome::Number(_, _, range) => Some(("the outcome", *range)),
        Outcome::Count(_, most) => Some(("the outcome", Range { low: 0.0, high: *most })),
        Outcome::Event(..) => None,
    };
    let weight = design.weight.as_ref().map(|(_, range)| ("the weight", *range));
    let offset = design.offset.as_ref().map(|(_, _, range)| ("the offset", *range));
    columns.chain(outcome).chain(weight).chain(offset).collect()
}

fn count(rows: usize) -> f64 {
    u32::try_from(rows).map_or(f64::from(u32::MAX), f64::from)
}
