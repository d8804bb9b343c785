//! How diverse and how near to the whole the classes of a table are: what it has, whatever was asked.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::AnonymityError;

/// What holds of a sensitive value in the classes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The size of the smallest class (k-anonymity, Sweeney 2002).
    pub k: usize,
    /// The least number of values in a class (distinct l-diversity, Machanavajjhala et al. 2007).
    pub l: usize,
    /// The exponential of the least entropy of a class: as many values of equal share (entropy
    /// l-diversity, the same).
    pub entropy_l: f64,
    /// The largest distance of a class from the table, all values being equally far from each
    /// other: half the sum of |p - q| (t-closeness, Li et al. 2007).
    pub t: f64,
}

/// Measures rows by the number of their class and the number of their sensitive value. Takes time in
/// proportion to the rows.
///
/// Errors: [`AnonymityError::Rows`] for no rows, or lists of different length.
pub fn measure(classes: &[u32], sensitive: &[u32]) -> Result<Measured, AnonymityError> {
    if classes.is_empty() || classes.len() != sensitive.len() {
        return Err(AnonymityError::Rows);
    }
    let mut whole: HashMap<u32, usize> = HashMap::new();
    let mut parts: HashMap<u32, HashMap<u32, usize>> = HashMap::new();
    for (class, value) in classes.iter().zip(sensitive) {
        *whole.entry(*value).or_default() += 1;
        *parts.entry(*class).or_default().entry(*value).or_default() += 1;
    }
    let rows = classes.len() as f64;
    let mut measured = Measured { k: usize::MAX, l: usize::MAX, entropy_l: f64::MAX, t: 0.0 };
    for counts in parts.values() {
        let size: usize = counts.values().sum();
        let (mut entropy, mut inside, mut covered) = (0.0, 0.0, 0.0);
        for (value, count) in counts {
            let p = *count as f64 / size as f64;
            let q = whole.get(value).map_or(0.0, |count| *count as f64 / rows);
            entropy -= p * p.ln();
            inside += (p - q).abs();
            covered += q;
        }
        measured.k = measured.k.min(size);
        measured.l = measured.l.min(counts.len());
        measured.entropy_l = measured.entropy_l.min(entropy.exp());
        // Values that the class does not have are as far away as they are frequent.
        measured.t = measured.t.max((inside + 1.0 - covered).max(0.0) / 2.0);
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_two_classes() {
        // One class of {a, a, b, c}, one of {a, a}: table 4/6, 1/6, 1/6.
        let found = measure(&[0, 0, 0, 0, 1, 1], &[0, 0, 1, 2, 0, 0]).unwrap();
        assert_eq!((found.k, found.l), (2, 1));
        assert!((found.entropy_l - 1.0).abs() < 1e-12);
        assert!((found.t - 1.0 / 3.0).abs() < 1e-12, "{}", found.t);
        assert!(measure(&[], &[]).is_err());
        assert!(measure(&[1], &[]).is_err());
    }

    proptest! {
        #[test]
        fn one_class_is_the_table(values in proptest::collection::vec(0u32..6, 1..80)) {
            let classes = vec![7; values.len()];
            let found = measure(&classes, &values).unwrap();
            let distinct: std::collections::HashSet<_> = values.iter().collect();
            prop_assert_eq!((found.k, found.l), (values.len(), distinct.len()));
            prop_assert!(found.t.abs() < 1e-9);
            prop_assert!(found.entropy_l <= found.l as f64 + 1e-9);
        }

        #[test]
        fn merging_classes_never_makes_it_worse(
            rows in proptest::collection::vec((0u32..8, 0u32..5), 1..80)
        ) {
            let (classes, values): (Vec<u32>, Vec<u32>) = rows.into_iter().unzip();
            let merged: Vec<u32> = classes.iter().map(|class| class / 2).collect();
            let (fine, coarse) =
                (measure(&classes, &values).unwrap(), measure(&merged, &values).unwrap());
            prop_assert!(coarse.k >= fine.k && coarse.l >= fine.l);
            prop_assert!(coarse.entropy_l >= fine.entropy_l - 1e-9);
            prop_assert!(coarse.t <= fine.t + 1e-9);
        }
    }
}
