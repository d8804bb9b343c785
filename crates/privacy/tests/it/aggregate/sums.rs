//! What the sums are.

use consilium_privacy::aggregate::*;
use proptest::prelude::*;

use super::{aggregators, collect, layout, verify};
use crate::random;

#[test]
fn the_sums_are_those_of_the_sites_within_the_stated_error() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(1);
    let vectors = [
        [3.0, 1000.0, 10.0, -10.0, 0.1, 1048576.0],
        [0.0, 17.0, -3.25, 9.999, 1e-20, -0.3],
        [1.0, 0.0, 0.0, 1.0 / 3.0, -7.7, 12345.678],
    ];
    let reports: Vec<_> = vectors.iter().map(|v| task.shard(v, &mut rng).unwrap()).collect();
    let (sums, sites) = task.unshard(&collect(&task, &reports).unwrap()).unwrap();
    assert_eq!(sites, 3);
    assert_eq!(sums[..2], [4.0, 1017.0]);
    let stated = resolution(&layout(), 3);
    for at in 2..6 {
        let expected: f64 = vectors.iter().map(|v| v[at]).sum();
        let stated = stated[if at < 5 { 1 } else { 2 }];
        // The plain sum of the test has a rounding of its own.
        let most = stated.sum_error + 4.0 * stated.rounding * vectors[0][at].abs().max(10.0);
        assert!((sums[at] - expected).abs() <= most, "sum {at}");
    }
    // 2^4 is the bound's power of two: a step of 2^-83.
    assert_eq!(stated[1].step, 2f64.powi(-83));
    assert_eq!(stated[0].sum_error, 0.0);
}

#[test]
fn one_site_comes_back_bit_for_bit() {
    let layout = Layout::new(vec![Range { bound: 1024.0, is_count: false, length: 4 }]).unwrap();
    let task = Summation::new(layout, &Context::new("net", "q", 1)).unwrap();
    let values = [std::f64::consts::PI, -1024.0, 1024.0, 0.1];
    let report = task.shard(&values, &mut random(2)).unwrap();
    let (sums, _) = task.unshard(&collect(&task, &[report]).unwrap()).unwrap();
    assert_eq!(sums, values);
}

#[test]
fn counts_alone_are_exact_and_their_reports_as_short_as_their_bounds_allow() {
    let counts = |bounds: &[u64], length| {
        let range = |bound: &u64| Range { bound: *bound as f64, is_count: true, length };
        Layout::new(bounds.iter().map(range).collect()).unwrap()
    };
    let context = Context::new("net", "q", 1);
    let mut rng = random(21);
    for bounds in
        [[1, 1], [65_534, 65_534], [65_535, 65_535], [70_000, 70_000], [3, 1000], [7, 1 << 43]]
    {
        let task = Summation::committed(counts(&bounds, 2), &context).unwrap();
        let [a, b] = bounds.map(|bound| bound as f64);
        let sites = [[a, 0.0, b, 0.0], [a, 1.0, b, 0.0], [0.0, 1.0, b, 1.0]];
        let reports = sites.map(|values| task.shard(&values, &mut rng).unwrap());
        let given = reports.each_ref().map(|report| report.commitment.unwrap());
        let shares = collect(&task, &reports).unwrap();
        let (sums, _) = task.unshard_committed(&shares, &given).unwrap();
        assert_eq!(sums, [2.0 * a, 2.0, 3.0 * b, 1.0], "{bounds:?}");
        let above = task.shard(&[a, 0.0, b + 1.0, 0.0], &mut rng);
        assert_eq!(above.err(), Some(SumError::OutOfRange { entry: 2, range: 1 }), "{bounds:?}");
    }
    let length = |layout| {
        let task = Summation::committed(layout, &context).unwrap();
        task.shard(&[1.0; 100], &mut random(22)).unwrap().leader.len()
    };
    let real = Layout::new(vec![Range { bound: 65_535.0, is_count: false, length: 100 }]).unwrap();
    assert!(length(counts(&[65_535], 100)) * 4 < length(real));
}

#[test]
fn committed_sums_open_and_a_lie_does_not() {
    let task = Summation::committed(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(3);
    let values = |n: f64| [n, 2.0 * n, n / 7.0, -n / 3.0, 0.25, 1000.0 * n];
    let reports: Vec<_> =
        (1..4).map(|n| task.shard(&values(f64::from(n)), &mut rng).unwrap()).collect();
    let given: Vec<_> = reports.iter().map(|report| report.commitment.unwrap()).collect();
    let shares = collect(&task, &reports).unwrap();
    let (sums, sites) = task.unshard_committed(&shares, &given).unwrap();
    assert_eq!((sums[0], sums[1], sites), (6.0, 12.0, 3));

    // The helper adds one unit to one number of its share: only the commitments show it.
    let step = (1u128 << 88) / 1000;
    let mut lie = shares.clone();
    let number = u128::from_le_bytes(lie[1].share[..16].try_into().unwrap());
    let modulus = (1u128 << 66) * 4_611_686_018_427_387_897 + 1;
    let moved = if number < modulus - step { number + step } else { number - (modulus - step) };
    lie[1].share[..16].copy_from_slice(&moved.to_le_bytes());
    assert_eq!(task.unshard(&lie).unwrap().0[0], 7.0);
    assert_eq!(task.unshard_committed(&lie, &given), Err(SumError::NotCommitted));

    // A commitment of another site, one too few, one of another round.
    let other = task.shard(&values(1.0), &mut rng).unwrap().commitment.unwrap();
    let wrong = [given[0], given[1], other];
    assert_eq!(task.unshard_committed(&shares, &wrong), Err(SumError::NotCommitted));
    assert_eq!(task.unshard_committed(&shares, &given[..2]), Err(SumError::NotCommitted));
    // The same vector twice gives two commitments that say nothing about it.
    let again = task.shard(&values(1.0), &mut rng).unwrap().commitment.unwrap();
    assert_ne!(other, again);
    let no_point = [given[0], given[1], commitment::Commitment([0xff; 32])];
    assert_eq!(task.unshard_committed(&shares, &no_point), Err(SumError::Malformed("commitment")));
}

#[test]
fn sealed_shares_open_for_their_aggregator_report_and_task_only() {
    use crypto::hpke::OpeningKey;
    let task = Summation::committed(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(4);
    let (leader, helper) = (OpeningKey::generate().unwrap(), OpeningKey::generate().unwrap());
    let report = task.shard(&[0.0; 6], &mut rng).unwrap();
    let other = task.shard(&[0.0; 6], &mut rng).unwrap();
    let seal = |report| task.seal(report, &leader.sealing_key(), &helper.sealing_key()).unwrap();
    let sealed = seal(&report);
    // Through JSON and back, as it travels.
    let text = serde_json::to_string(&sealed).unwrap();
    let sealed: SealedReport = serde_json::from_str(&text).unwrap();
    assert_eq!(*task.open(&sealed, Role::Leader, &leader).unwrap(), report.leader);
    assert_eq!(*task.open(&sealed, Role::Helper, &helper).unwrap(), report.helper);
    assert_eq!(task.open(&sealed, Role::Leader, &helper), Err(SumError::Sealed));
    let swapped = SealedReport { leader: sealed.helper.clone(), ..sealed.clone() };
    assert_eq!(task.open(&swapped, Role::Leader, &helper), Err(SumError::Sealed));
    let moved = SealedReport { id: other.id, ..sealed.clone() };
    assert_eq!(task.open(&moved, Role::Leader, &leader), Err(SumError::Sealed));
    let moved = SealedReport { commitment: other.commitment, ..sealed.clone() };
    assert_eq!(task.open(&moved, Role::Leader, &leader), Err(SumError::Sealed));
    let next = Summation::committed(layout(), &Context::new("net", "q", 2)).unwrap();
    assert_eq!(next.open(&sealed, Role::Leader, &leader), Err(SumError::Sealed));
}

#[test]
fn people_are_counted_behind_the_same_door() {
    let context = Context::new("net", "q", 1);
    let mut rng = random(5);
    let task = Summation::of(Circuit::histogram(4), &context).unwrap();
    let reports: Vec<_> = [0, 3, 3, 1]
        .into_iter()
        .map(|at| task.shard_one(&Measurement::Bucket(at), &mut rng).unwrap())
        .collect();
    let shares = collect(&task, &reports).unwrap();
    assert_eq!(task.unshard_integers(&shares), Ok((vec![1, 1, 0, 2], 4)));
    assert_eq!(
        task.shard_one(&Measurement::Bucket(4), &mut rng).map(|_| ()),
        Err(SumError::Rejected)
    );

    let task = Summation::of(Circuit::Count, &context).unwrap();
    let reports: Vec<_> = [true, false, true]
        .into_iter()
        .map(|yes| task.shard_one(&Measurement::Count(yes), &mut rng).unwrap())
        .collect();
    let shares = collect(&task, &reports).unwrap();
    assert_eq!(task.unshard_integers(&shares), Ok((vec![2], 3)));
}

#[test]
fn both_aggregators_add_noise_and_nobody_sees_the_counts_without_it() {
    use consilium_privacy::budget::{Mechanism, expected_error};
    let layout = Layout::new(vec![Range { bound: 5000.0, is_count: true, length: 200 }]).unwrap();
    let task = Summation::new(layout, &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(8);
    let (leader, helper) = aggregators(&task);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    let mut values = [0.0; 200];
    values[..100].fill(2000.0);
    let report = task.shard(&values, &mut rng).unwrap();
    let shares = (report.leader.as_slice(), report.helper.as_slice());
    let (x, y) = verify((&leader, &helper), report.id, &report.public_share, shares).unwrap();
    a.add(&x).unwrap();
    b.add(&y).unwrap();
    let mechanism = Mechanism::DiscreteLaplace { sensitivity: 1, micro_epsilon: 500_000 };
    let bare = a.aggregate_share().unwrap();
    task.add_noise(&mut a, &mechanism, &mut rng).unwrap();
    assert!(task.add_noise(&mut a, &mechanism, &mut rng).is_err(), "once");
    assert_eq!(a.add(&x), Err(SumError::Shares), "nothing after the noise");
    assert_eq!(task.unshard_noisy(&[bare, b.aggregate_share().unwrap()]), Err(SumError::Shares));
    task.add_noise(&mut b, &mechanism, &mut rng).unwrap();
    let shares = [a.aggregate_share().unwrap(), b.aggregate_share().unwrap()];
    assert_eq!(task.unshard(&shares), Err(SumError::Shares), "noisy sums are no exact ones");
    let (noisy, sites) = task.unshard_noisy(&shares).unwrap();
    assert_eq!(sites, 1);
    let off: Vec<i64> =
        noisy.iter().zip(values).map(|(noisy, truth)| noisy - truth as i64).collect();
    assert!(off.iter().any(|off| *off < 0) && off.iter().any(|off| *off > 0));
    assert!(noisy.iter().any(|count| *count < 0), "noise may lead below zero");
    // The sum of two noises is rarely beyond twice the 99.9 % of one.
    let most = 2 * expected_error(&mechanism, 0.999).unwrap();
    assert!(off.iter().all(|off| off.unsigned_abs() <= most));
    let variance = off.iter().map(|off| (off * off) as f64).sum::<f64>() / 200.0;
    // Each has variance 2q/(1-q)² with q = exp(-0.5), which is 7.84.
    assert!((9.0..25.0).contains(&variance), "{variance}");

    let task = Summation::of(Circuit::Count, &Context::new("net", "q", 1)).unwrap();
    let (leader, helper) = aggregators(&task);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    task.add_noise(&mut a, &mechanism, &mut rng).unwrap();
    task.add_noise(&mut b, &mechanism, &mut rng).unwrap();
    let shares = [a.aggregate_share().unwrap(), b.aggregate_share().unwrap()];
    let (noisy, reports) = task.unshard_noisy(&shares).unwrap();
    assert!(noisy[0].unsigned_abs() <= most && reports == 0);

    let mixed = Summation::new(super::layout(), &Context::new("net", "q", 1)).unwrap();
    let mut batch = Batch::new(&aggregators(&mixed).0);
    assert!(mixed.add_noise(&mut batch, &mechanism, &mut rng).is_err());
}

#[test]
fn a_share_says_nothing_about_the_vector() {
    // The helper's share is a seed. The leader's differs by the helper's expansion, so two equal
    // vectors have shares that agree nowhere.
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(6);
    let (a, b) =
        (task.shard(&[0.0; 6], &mut rng).unwrap(), task.shard(&[0.0; 6], &mut rng).unwrap());
    assert_eq!(a.helper.len(), 64);
    let equal = a.leader.chunks(16).zip(b.leader.chunks(16)).filter(|(a, b)| a == b).count();
    assert_eq!(equal, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_vectors_within_the_bounds_add_up(
        vectors in prop::collection::vec(
            (0u32..=1000, prop::collection::vec(-10.0f64..=10.0, 3), -1048576.0f64..=1048576.0),
            1..5,
        )
    ) {
        let task = Summation::new(layout(), &Context::new("net", "p", 1)).unwrap();
        let mut rng = random(7);
        let (leader, helper) = aggregators(&task);
        let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
        for (count, three, last) in &vectors {
            let values = [f64::from(*count), 0.0, three[0], three[1], three[2], *last];
            let report = task.shard(&values, &mut rng).unwrap();
            let shares = (report.leader.as_slice(), report.helper.as_slice());
            let (x, y) =
                verify((&leader, &helper), report.id, &report.public_share, shares).unwrap();
            a.add(&x).unwrap();
            b.add(&y).unwrap();
        }
        let shares = [b.aggregate_share().unwrap(), a.aggregate_share().unwrap()];
        let (sums, sites) = task.unshard(&shares).unwrap();
        prop_assert_eq!(sites, vectors.len() as u64);
        let count: u32 = vectors.iter().map(|v| v.0).sum();
        prop_assert_eq!(sums[0], f64::from(count));
        let last: f64 = vectors.iter().map(|v| v.2).sum();
        prop_assert!((sums[5] - last).abs() <= 1e-9);
        let first: f64 = vectors.iter().map(|v| v.1[0]).sum();
        prop_assert!((sums[2] - first).abs() <= 1e-13);
    }
}
