//! What a class of equal rows must fulfil.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AnonymityError, Column};

/// What every class must fulfil, and how many rows may be left out for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The least number of rows of a class (Sweeney 2002).
    pub k: usize,
    /// What holds for a sensitive column.
    #[serde(default)]
    pub sensitive: Option<Sensitive>,
    /// The largest share of rows that may be left out, from 0 to 1.
    pub suppression: f64,
}

/// What must hold for a sensitive column in every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitive {
    /// The name of the column.
    pub column: String,
    /// How diverse its values must be.
    #[serde(default)]
    pub diversity: Option<Diversity>,
    /// How near their distribution must be to that of the table.
    #[serde(default)]
    pub closeness: Option<Closeness>,
}

/// l-diversity (Machanavajjhala et al. 2007).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diversity {
    /// At least l values.
    Distinct(usize),
    /// An entropy of at least ln l.
    Entropy(f64),
    /// The most frequent value occurs less often than c times all from the l-th most frequent on.
    Recursive {
        /// The factor.
        c: f64,
        /// The rank from which the others count, from 1.
        l: usize,
    },
}

/// t-closeness (Li et al. 2007): the earth mover's distance is at most t.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closeness {
    /// All values are equally far from each other: half the sum of |p - q|.
    Equal(f64),
    /// Values lie in the order of their numbers, else of their texts: the sum of the absolute
    /// cumulated differences over the number of values less one.
    Ordered(f64),
}

impl Model {
    pub(super) fn check(&self) -> Result<(), AnonymityError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let closeness = self.sensitive.as_ref().and_then(|s| s.closeness);
        let diversity = self.sensitive.as_ref().and_then(|s| s.diversity);
        if self.k == 0 {
            return Err(AnonymityError::Parameter("k"));
        }
        if !share(self.suppression) {
            return Err(AnonymityError::Parameter("suppression"));
        }
        if closeness.is_some_and(|(Closeness::Equal(t) | Closeness::Ordered(t))| !share(t)) {
            return Err(AnonymityError::Parameter("t"));
        }
        let sound = match diversity {
            None => true,
            Some(Diversity::Distinct(l)) => l >= 1,
            Some(Diversity::Entropy(l)) => l >= 1.0 && l.is_finite(),
            Some(Diversity::Recursive { c, l }) => l >= 1 && c > 0.0 && c.is_finite(),
        };
        if sound { Ok(()) } else { Err(AnonymityError::Parameter("l")) }
    }
}

/// A sensitive column as numbers: values in their order.
pub(super) struct Coded {
    pub(super) codes: Vec<u32>,
    /// How often each value occurs in the table.
    pub(super) whole: Vec<usize>,
}

impl Coded {
    pub(super) fn new(column: &Column) -> Self {
        let mut distinct: Vec<&str> = column.values.iter().map(String::as_str).collect();
        distinct.sort_unstable_by(|a, b| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => a.total_cmp(&b),
            (Ok(_), Err(_)) => std::cmp::Ordering::Less,
            (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        });
        distinct.dedup();
        let codes: BTreeMap<&str, u32> = distinct.iter().copied().zip(0..).collect();
        let codes: Vec<u32> =
            column.values.iter().filter_map(|v| codes.get(v.as_str()).copied()).collect();
        let mut whole = vec![0; distinct.len()];
        for &code in &codes {
            if let Some(count) = whole.get_mut(code as usize) {
                *count += 1;
            }
        }
        Self { codes, whole }
    }
}

/// Whether the counts of the values of a class, of all values in their order, fulfil what is asked.
pub(super) fn holds(sensitive: &Sensitive, class: &[usize], whole: &[usize]) -> bool {
    sensitive.diversity.is_none_or(|diversity| diverse(diversity, class))
        && sensitive.closeness.is_none_or(|closeness| close(closeness, class, whole))
}

/// Whether counts are as diverse as asked.
pub(super) fn diverse(diversity: Diversity, class: &[usize]) -> bool {
    let mut counts: Vec<usize> = class.iter().copied().filter(|&count| count > 0).collect();
    let total: usize = counts.iter().sum();
    match diversity {
        Diversity::Distinct(l) => counts.len() >= l,
        Diversity::Entropy(l) => {
            let share = |count: &usize| *count as f64 / total as f64;
            let entropy: f64 = counts.iter().map(|count| -share(count) * share(count).ln()).sum();
            // Equal counts give exactly ln l but for rounding.
            entropy + 1e-12 >= l.ln()
        }
        Diversity::Recursive { c, l } => {
            counts.sort_unstable_by(|a, b| b.cmp(a));
            let rest: usize = counts.iter().skip(l - 1).sum();
            counts.first().is_some_and(|&most| (most as f64) < c * rest as f64)
        }
    }
}

/// Whether the distribution is as near to the table's as asked.
pub(super) fn close(closeness: Closeness, class: &[usize], whole: &[usize]) -> bool {
    let total = |counts: &[usize]| counts.iter().sum::<usize>().max(1) as f64;
    let (in_class, in_all) = (total(class), total(whole));
    let apart = class.iter().zip(whole).map(|(&p, &q)| p as f64 / in_class - q as f64 / in_all);
    let (distance, t) = match closeness {
        Closeness::Equal(t) => (apart.map(f64::abs).sum::<f64>() / 2.0, t),
        Closeness::Ordered(t) => {
            let cumulated = apart.scan(0.0, |sum, difference| {
                *sum += difference;
                Some(f64::abs(*sum))
            });
            (cumulated.sum::<f64>() / (whole.len().max(2) - 1) as f64, t)
        }
    };
    distance <= t + 1e-12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diversity_is_what_the_paper_says() {
        assert!(diverse(Diversity::Distinct(3), &[1, 2, 0, 3]));
        assert!(!diverse(Diversity::Distinct(4), &[1, 2, 0, 3]));
        assert!(diverse(Diversity::Entropy(3.0), &[2, 2, 2]));
        assert!(!diverse(Diversity::Entropy(3.0), &[3, 2, 1]));
        // 5 < 2 * (3 + 1), but not 5 < 1 * (3 + 1) and not 5 < 2 * 1.
        assert!(diverse(Diversity::Recursive { c: 2.0, l: 2 }, &[3, 5, 1]));
        assert!(!diverse(Diversity::Recursive { c: 1.0, l: 2 }, &[3, 5, 1]));
        assert!(!diverse(Diversity::Recursive { c: 2.0, l: 3 }, &[3, 5, 1]));
    }

    #[test]
    fn closeness_agrees_with_the_paper() {
        // Li, Li, Venkatasubramanian (2007), section 4.1: salaries 3k to 11k, each once; the
        // classes {3k,4k,5k} and {6k,8k,11k} lie at 0.375 and 0.167.
        let whole = [1; 9];
        let (low, wide) = ([1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0, 1]);
        assert!(close(Closeness::Ordered(0.3751), &low, &whole));
        assert!(!close(Closeness::Ordered(0.3749), &low, &whole));
        assert!(close(Closeness::Ordered(0.1667), &wide, &whole));
        assert!(!close(Closeness::Ordered(0.1666), &wide, &whole));
        // Three of nine values: half of 3 * (1/3 - 1/9) + 6 * 1/9 is 2/3.
        assert!(close(Closeness::Equal(0.6667), &low, &whole));
        assert!(!close(Closeness::Equal(0.6666), &low, &whole));
    }
}
