//! What sums over institutions, pairs and triples leave open about the number of different people.
//!
//! Let `f_d` be the people known at exactly `d` of `k` institutions: `S_j = Σ_d C(d, j)·f_d`, and their number is
//! `Σ_d f_d`. If `Σ_j w_j·C(d, j) ≤ 1` for every `d` from 1 to `k`, then `Σ_j w_j·S_j` is at most that number, and
//! with `≥` at least. The best such weights solve a linear programme, and lie at a basis: they meet the
//! condition with equality at as many multiplicities as there are sums (Prékopa 1988).

/// Sums that are used: of institutions, pairs, triples.
pub(super) const SUMS: usize = 3;
/// Below this a pivot is zero.
const ROUNDING: f64 = 1e-9;

/// Weights of the sums.
pub(super) type Weights = [f64; SUMS];

/// Weights that bound the number of different people.
pub(super) struct Bounds {
    pub(super) below: Vec<Weights>,
    pub(super) above: Vec<Weights>,
}

impl Bounds {
    /// The bases that bound for `sites` institutions. `1 - Σ_j w_j·C(d, j)` is a polynomial in `d` that is one at
    /// zero and has its roots at the basis, so its signs between them are known: it is nowhere negative from 1 to
    /// `sites` if the roots are `{sites}`, `{i, i+1}` or `{i, i+1, sites}`, and nowhere positive if they are `{1}`,
    /// `{1, sites}` or `{1, i, i+1}`.
    pub(super) fn new(sites: usize) -> Self {
        let neighbours = || (1..sites).map(|at| (at, at + 1));
        let last = neighbours().filter(|(_, next)| *next < sites);
        let first = neighbours().filter(|(at, _)| *at > 1);
        Self {
            below: std::iter::once(vec![sites])
                .chain(neighbours().map(|(at, next)| vec![at, next]))
                .chain(last.map(|(at, next)| vec![at, next, sites]))
                .filter_map(|basis| solve(&basis))
                .collect(),
            above: [vec![1], vec![1, sites]]
                .into_iter()
                .filter(|basis| basis.len() <= sites)
                .chain(first.map(|(at, next)| vec![1, at, next]))
                .filter_map(|basis| solve(&basis))
                .collect(),
        }
    }
}

/// Ones, pairs and triples among so many.
fn choices(times: usize) -> [f64; SUMS] {
    let times = times as f64;
    [times, times * (times - 1.0) / 2.0, times * (times - 1.0) * (times - 2.0) / 6.0]
}

/// Weights with value one at every multiplicity of the basis, by elimination.
fn solve(basis: &[usize]) -> Option<Weights> {
    let size = basis.len();
    let mut rows: Vec<[f64; SUMS + 1]> = basis
        .iter()
        .map(|times| {
            let [one, two, three] = choices(*times);
            [one, two, three, 1.0]
        })
        .collect();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let lead = rows[column];
        if lead[column].abs() < ROUNDING {
            return None;
        }
        for at in (0..size).filter(|at| *at != column) {
            let factor = rows[at][column] / lead[column];
            rows[at].iter_mut().zip(lead).for_each(|(to, from)| *to -= factor * from);
        }
    }
    let mut weights = [0.0; SUMS];
    for (at, row) in rows.iter().enumerate() {
        weights[at] = row[SUMS] / row[at];
    }
    Some(weights)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_hold_for_every_overlap(people in prop::collection::vec(0u32..1000, 1..60)) {
            let sites = people.len();
            let mut sums = [0.0; SUMS];
            for (times, people) in (1..).zip(&people) {
                for (sum, choices) in sums.iter_mut().zip(choices(times)) {
                    *sum += choices * f64::from(*people);
                }
            }
            let truth = f64::from(people.iter().sum::<u32>());
            let bounds = Bounds::new(sites);
            let at = |weights: &Weights| -> f64 { weights.iter().zip(sums).map(|(w, s)| w * s).sum() };
            for weights in &bounds.below {
                prop_assert!(at(weights) <= truth + 1e-6 * (1.0 + truth), "{weights:?}");
            }
            for weights in &bounds.above {
                prop_assert!(at(weights) >= truth - 1e-6 * (1.0 + truth), "{weights:?}");
            }
            prop_assert!(!bounds.below.is_empty() && !bounds.above.is_empty());
            // Up to three institutions nothing is open.
            if sites <= SUMS {
                let best = bounds.below.iter().map(at).fold(f64::MIN, f64::max);
                prop_assert!((best - truth).abs() <= 1e-6 * (1.0 + truth));
            }
        }
    }

    #[test]
    fn known_bounds_are_among_them() {
        let bounds = Bounds::new(10);
        let among = |list: &[Weights], wanted: Weights| {
            list.iter().any(|one| one.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9))
        };
        assert!(among(&bounds.below, [1.0, -1.0, 0.0]), "Bonferroni");
        assert!(among(&bounds.above, [1.0, -0.2, 0.0]), "S1 - 2·S2/k");
        assert!(among(&bounds.above, [1.0, 0.0, 0.0]), "Boole");
        assert!(among(&bounds.below, [0.1, 0.0, 0.0]), "S1 / k");
    }
}
