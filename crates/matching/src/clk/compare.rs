//! Which filters are alike: Dice's coefficient, with the noise of both sides taken out.
//!
//! Of two noisy filters with flip probabilities `p` and `q`, the sums of the true filters are
//! estimated without bias: with `n` common bits, `a` and `b` set ones and `L` in all,
//! `I = (n − p·a − q·b + L·p·q) / ((1−2p)(1−2q))`, `A = (a − L·q)/(1−2q)`, `B = (b − L·p)/(1−2p)`,
//! and Dice is `2·I/(A+B)` (randomised response; `p` is the stored side's, `q` the asker's). For one
//! question everything but `n` and `b` is fixed, so the test becomes `n ≥ needed[b]`: one population
//! count and one look into a table.

use super::{BITS, Encoding, Epsilon, Filter, View};

/// How alike filters must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The least Dice coefficient in the view of names; other views want
    /// [`View::strictness`](super::View::strictness) more.
    pub dice: f64,
    /// Noise of the asker.
    pub asker: Epsilon,
    /// Noise of whoever published.
    pub holder: Epsilon,
}

/// One filter of a question, ready to be compared with many.
#[derive(Clone)]
pub struct Probe {
    view: View,
    filter: Filter,
    needed: Vec<u16>,
}

impl Probe {
    /// Prepares a filter.
    pub fn new(encoding: &Encoding, bound: Bound) -> Self {
        let (p, q) = (bound.holder.flip(), bound.asker.flip());
        let (length, a) = (BITS as f64, f64::from(encoding.filter.ones()));
        let dice = bound.dice + encoding.view.strictness();
        let needed = (0..=BITS).map(|b| {
            let b = b as f64;
            let sides = (a - length * q) / (1.0 - 2.0 * q) + (b - length * p) / (1.0 - 2.0 * p);
            let common = dice / 2.0 * sides.max(1.0) * (1.0 - 2.0 * p) * (1.0 - 2.0 * q);
            (common + p * a + q * b - length * p * q).ceil().clamp(1.0, length + 1.0) as u16
        });
        Self { view: encoding.view, filter: encoding.filter, needed: needed.collect() }
    }

    /// Which view it is of.
    pub fn view(&self) -> View {
        self.view
    }

    /// Places in `filters`, with their counts of set bits in `sizes`, of those that are alike.
    pub fn alike<'a>(
        &'a self,
        filters: &'a [Filter],
        sizes: &'a [u16],
    ) -> impl Iterator<Item = usize> + 'a {
        filters.iter().zip(sizes).enumerate().filter_map(|(at, (filter, size))| {
            let needed = self.needed.get(usize::from(*size)).copied().unwrap_or(u16::MAX);
            (self.filter.common(filter) >= u32::from(needed)).then_some(at)
        })
    }
}

/// Dice's coefficient of two filters without noise, 0 to 1.
pub fn dice(a: &Filter, b: &Filter) -> f64 {
    let sum = a.ones() + b.ones();
    if sum == 0 { 0.0 } else { 2.0 * f64::from(a.common(b)) / f64::from(sum) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clk::Noise;

    #[test]
    fn without_noise_it_is_dice() {
        let some = |n: u64| Filter([n, n << 3, !n, n * 31, n ^ 0x5555, 7, n, 1]);
        for a in 1..40 {
            for b in 1..40 {
                let (a, b) = (some(a * 0x9e37_79b9), some(b * 0x85eb_ca6b));
                let encoding = Encoding { view: View::Name, filter: a };
                for dice_bound in [0.3, 0.5, 0.7, 0.9] {
                    let bound =
                        Bound { dice: dice_bound, asker: Epsilon::NONE, holder: Epsilon::NONE };
                    let sizes = [b.ones() as u16];
                    let alike = Probe::new(&encoding, bound).alike(&[b], &sizes).count() == 1;
                    assert_eq!(alike, dice(&a, &b) >= dice_bound - 1e-12);
                }
            }
        }
    }

    #[test]
    fn noise_on_both_sides_moves_the_bound_with_it() {
        // The same filter on both sides, with noise: alike at a bound well below one, and two that
        // share half of their bits are not.
        let whole = Filter([0x3333_3333_3333_3333; 8]);
        let half = Filter([0x3333_3333_cccc_cccc; 8]);
        let noise = |key| Noise::new(&[key; 32], Epsilon::STANDARD);
        let bound = Bound { dice: 0.75, asker: Epsilon::STANDARD, holder: Epsilon::STANDARD };
        let (mut same, mut other) = (0, 0);
        for n in 0..500u32 {
            let of: &[&[u8]] = &[&n.to_be_bytes()];
            let asked = Encoding { view: View::Name, filter: noise(1).add(whole, of) };
            let stored = [noise(2).add(whole, of), noise(3).add(half, of)];
            let sizes = stored.map(|filter| filter.ones() as u16);
            for at in Probe::new(&asked, bound).alike(&stored, &sizes) {
                if at == 0 { same += 1 } else { other += 1 }
            }
        }
        assert_eq!((same, other), (500, 0));
    }
}
