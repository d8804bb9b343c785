//! The noise has the law that it should have.

use consilium_privacy::budget::*;

use crate::random;

const DRAWS: u32 = 20_000;

/// Pearson's χ² of draws against a law, over -`far`..=`far` and what lies beyond.
fn chi_square(mechanism: &Mechanism, far: i64, law: impl Fn(i64) -> f64, seed: u64) -> f64 {
    let mut rng = random(seed);
    let mut seen = vec![0u32; usize::try_from(2 * far + 2).unwrap()];
    for _ in 0..DRAWS {
        let drawn = mechanism.sample(&mut rng).unwrap();
        let at = if drawn.abs() <= far { drawn + far } else { 2 * far + 1 };
        seen[usize::try_from(at).unwrap()] += 1;
    }
    let mut expected: Vec<f64> = (-far..=far).map(law).collect();
    expected.push(1.0 - expected.iter().sum::<f64>());
    seen.iter()
        .zip(expected)
        .map(|(seen, part)| {
            let expected = part * f64::from(DRAWS);
            (f64::from(*seen) - expected).powi(2) / expected
        })
        .sum()
}

/// The 0.99999 quantile of χ² (statrs).
fn most(cells: i64) -> f64 {
    use statrs::distribution::{ChiSquared, ContinuousCDF as _};
    ChiSquared::new(f64::from(i32::try_from(cells).unwrap() - 1)).unwrap().inverse_cdf(0.99999)
}

#[test]
fn the_discrete_laplace_is_the_discrete_laplace() {
    for (sensitivity, micro_epsilon, far) in
        [(1, 500_000, 10), (1, 1_300_000, 4), (3, 1_000_000, 14), (1, 3_000_000, 2)]
    {
        let mechanism = Mechanism::DiscreteLaplace { sensitivity, micro_epsilon };
        let q = (-(micro_epsilon as f64) / 1e6 / f64::from(sensitivity)).exp();
        let law = |x: i64| (1.0 - q) / (1.0 + q) * q.powi(i32::try_from(x.abs()).unwrap());
        let found = chi_square(&mechanism, far, law, micro_epsilon);
        assert!(found < most(2 * far + 2), "{mechanism:?}: {found}");
        // A law that is a tenth off is told apart: the test can fail.
        let r = (-(micro_epsilon as f64) / 1.1e6 / f64::from(sensitivity)).exp();
        let off = |x: i64| (1.0 - r) / (1.0 + r) * r.powi(i32::try_from(x.abs()).unwrap());
        assert!(chi_square(&mechanism, far, off, micro_epsilon) > most(2 * far + 2));
    }
}

#[test]
fn the_discrete_gaussian_is_the_discrete_gaussian() {
    for (sensitivity, micro_rho, far) in [(1, 125_000, 5), (1, 2_000_000, 1), (2, 100_000, 11)] {
        let mechanism = Mechanism::DiscreteGaussian { sensitivity, micro_rho };
        let variance = f64::from(sensitivity).powi(2) / (2.0 * micro_rho as f64 / 1e6);
        let weight = |x: i64| (-(x as f64).powi(2) / (2.0 * variance)).exp();
        let total: f64 = (-400..=400).map(weight).sum();
        let found = chi_square(&mechanism, far, |x| weight(x) / total, micro_rho);
        assert!(found < most(2 * far + 2), "{mechanism:?}: {found}");
    }
}

#[test]
fn the_error_is_said_beforehand_and_holds() {
    for mechanism in [
        Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon: 500_000 },
        Mechanism::DiscreteLaplace { sensitivity: 5, micro_epsilon: 100_000 },
        Mechanism::DiscreteGaussian { sensitivity: 1, micro_rho: 50_000 },
    ] {
        let within = expected_error(&mechanism, 0.95).unwrap();
        let mut rng = random(within);
        let held = (0..DRAWS)
            .filter(|_| mechanism.release(0, &mut rng).unwrap().unsigned_abs() <= within)
            .count();
        let part = held as f64 / f64::from(DRAWS);
        assert!(part >= 0.945, "{mechanism:?}: {part}");
        // One less would be promised too little, but for a few draws.
        let mut rng = random(within);
        let closer = (0..DRAWS)
            .filter(|_| mechanism.release(0, &mut rng).unwrap().unsigned_abs() < within)
            .count();
        assert!((closer as f64 / f64::from(DRAWS)) < 0.955, "{mechanism:?}");
    }
}

#[test]
fn the_error_is_that_of_the_library_for_integers() {
    use opendp::accuracy::{
        discrete_gaussian_scale_to_accuracy, discrete_laplacian_scale_to_accuracy,
    };
    for (micro, alpha) in [(500_000u64, 0.05f64), (100_000, 0.05), (1_700_000, 0.01), (30_000, 0.2)]
    {
        // The library says where "at least as far" begins: one further than "within".
        let laplace = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon: micro };
        let theirs = discrete_laplacian_scale_to_accuracy(1e6 / micro as f64, alpha).unwrap();
        assert_eq!(expected_error(&laplace, 1.0 - alpha).unwrap(), theirs.ceil() as u64 - 1);
        let gaussian = Mechanism::DiscreteGaussian { sensitivity: 1, micro_rho: micro };
        let scale = (1e6 / (2.0 * micro as f64)).sqrt();
        let theirs = discrete_gaussian_scale_to_accuracy(scale, alpha).unwrap();
        assert_eq!(expected_error(&gaussian, 1.0 - alpha).unwrap(), theirs.ceil() as u64 - 1);
    }
}

#[test]
fn parameters_that_make_no_noise_are_refused() {
    let mut rng = random(5);
    for (sensitivity, micro_epsilon) in [(0, 1_000_000), (1, 0), (1, 999), (1001, 1_000_000)] {
        let mechanism = Mechanism::DiscreteLaplace { sensitivity, micro_epsilon };
        assert_eq!(mechanism.release(7, &mut rng), Err(NoiseError));
        assert_eq!(mechanism.cost(), Err(NoiseError));
    }
    let fine = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon: 1_000_000 };
    assert_eq!(expected_error(&fine, 1.0), Err(NoiseError));
    assert_eq!(fine.release(i64::MAX, &mut rng).map(|v| v > i64::MAX - 100), Ok(true));
}

#[test]
fn the_error_of_two_draws_is_that_of_their_convolution() {
    for (sensitivity, micro_epsilon) in
        [(1, 500_000), (2, 1_000_000), (2, 100_000), (2, 4_000_000), (1, 8_000_000)]
    {
        let mechanism = Mechanism::DiscreteLaplace { sensitivity, micro_epsilon };
        let within = expected_error_of_two(&mechanism, 0.95).unwrap();
        let q = (-(micro_epsilon as f64) / 1e6 / f64::from(sensitivity)).exp();
        let law = |x: i64| (1.0 - q) / (1.0 + q) * q.powi(i32::try_from(x.abs()).unwrap());
        // Added up term by term; the scale is at most 20.
        let both = |x: i64| (-1_500..=1_500).map(|one| law(one) * law(x - one)).sum::<f64>();
        let inside = |a: u64| {
            let a = i64::try_from(a).unwrap();
            (-a..=a).map(both).sum::<f64>()
        };
        let part = inside(within);
        assert!(part >= 0.95 - 1e-12, "{mechanism:?}: {part}");
        assert!(within == 0 || inside(within - 1) < 0.95, "{mechanism:?}: no more than is needed");
        // The seed is ε in millionths.
        let mut rng = random(micro_epsilon);
        let mut drawn = || mechanism.sample(&mut rng).unwrap();
        let held = (0..DRAWS).filter(|_| (drawn() + drawn()).unsigned_abs() <= within).count();
        let seen = held as f64 / f64::from(DRAWS);
        assert!((seen - part).abs() < 0.01, "{mechanism:?}: {seen}, not {part}");
        // What one draw alone would be said to be off is too little for two.
        let of_one = expected_error(&mechanism, 0.95).unwrap();
        assert!(of_one < within || within == 0, "{mechanism:?}: {of_one}");
    }
    let gaussian = Mechanism::DiscreteGaussian { sensitivity: 1, micro_rho: 50_000 };
    assert!(expected_error_of_two(&gaussian, 0.95).is_err());
    let laplace = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon: 1_000 };
    assert!(expected_error_of_two(&laplace, 0.2).is_err());
}
