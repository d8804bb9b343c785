//! Measures secure sums against the bare library in the same run, one thread:
//! `cargo run --release -p consilium-privacy --example sums`. Prints one line per workload: reports
//! per second and core with both aggregators' work, and the share of the library's own rate.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement, not a part of the node"
)]

use std::hint::black_box;
use std::time::Instant;

use consilium_privacy::aggregate::*;
use prio::codec::{Encode as _, ParameterizedDecode as _};
use prio::flp::Type;
use prio::vdaf::prio3::{Prio3, Prio3InputShare, optimal_chunk_length};
use prio::vdaf::xof::XofTurboShake128;
use prio::vdaf::{Aggregatable as _, Aggregator as _, Client as _, VerifyTransition};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

type Vdaf<T> = Prio3<T, XofTurboShake128, 32>;
/// Repeated, the best of which counts: the machine may be busy with other things.
const ROUNDS: usize = 5;

fn main() {
    for (length, reports) in [(10, 4000), (100, 1500), (1000, 250)] {
        let vdaf = Prio3::new_histogram(2, length, optimal_chunk_length(length)).unwrap();
        let task =
            Summation::of(Circuit::histogram(length), &Context::from_bytes(b"c".to_vec())).unwrap();
        let name = format!("histogram, {length} buckets");
        compare(&name, &vdaf, &3, &task, &Measurement::Bucket(3), reports);
    }
    let (length, greatest) = (65, 1u128 << 88);
    let vdaf = Prio3::new_sum_vec(2, greatest, length, optimal_chunk_length(89 * length)).unwrap();
    let circuit = Circuit::sum_vec(length, greatest);
    let task = Summation::of(circuit, &Context::from_bytes(b"c".to_vec())).unwrap();
    let vector = vec![1u128 << 87; length];
    let name = "regression round, 65 numbers of 89 bits";
    compare(name, &vdaf, &vector, &task, &Measurement::Vector(vector.clone()), 120);
    committed();
    masked();
}

/// Both aggregators' work on the same reports: decode, verify, combine, finish, add.
fn compare<T: Type>(
    name: &str,
    vdaf: &Vdaf<T>,
    bare: &T::Measurement,
    task: &Summation,
    measurement: &Measurement,
    count: usize,
) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let reports: Vec<_> =
        (0..count).map(|_| task.shard_one(measurement, &mut rng).unwrap()).collect();
    let shard = time(count / 4, || {
        for report in &reports[..count / 4] {
            black_box(vdaf.shard(b"c", bare, &report.id.0).unwrap());
        }
    });
    let (mut ours, mut library) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        ours = ours.min(time(count, || through_ours(task, &reports)));
        library = library.min(time(count, || through_library(vdaf, &reports)));
    }
    println!(
        "{name}: {:.0} reports/s, the library {:.0}, {:.1} %; sharding {:.1} µs",
        1.0 / ours,
        1.0 / library,
        100.0 * library / ours,
        shard * 1e6
    );
}

/// Seconds of this thread on a processor for each of `count`, so that other work on the machine does
/// not count (Linux; elsewhere seconds that went by).
fn time(count: usize, work: impl FnOnce()) -> f64 {
    let begun = (on_processor(), Instant::now());
    work();
    let seconds = match (begun.0, on_processor()) {
        (Some(before), Some(after)) => after - before,
        _ => begun.1.elapsed().as_secs_f64(),
    };
    seconds / count as f64
}

fn on_processor() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}

fn through_ours(task: &Summation, reports: &[Report]) {
    let key = VerifyKey::from_bytes([7; 32]);
    let leader = task.aggregator(Role::Leader, key.clone());
    let helper = task.aggregator(Role::Helper, key);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    for report in reports {
        let (one, share) = leader.init(report.id, &report.public_share, &report.leader).unwrap();
        let (two, _) = helper.init(report.id, &report.public_share, &report.helper).unwrap();
        let message = helper.combine(&two, &share).unwrap();
        b.add(&helper.finish(two, &message).unwrap()).unwrap();
        a.add(&leader.finish(one, &message).unwrap()).unwrap();
    }
    black_box((a.aggregate_share().unwrap(), b.aggregate_share().unwrap()));
}

/// The same without messages, names, replay checks or errors of ours.
fn through_library<T: Type>(vdaf: &Vdaf<T>, reports: &[Report]) {
    let key = [7; 32];
    let (mut a, mut b) = (vdaf.aggregate_init(&()), vdaf.aggregate_init(&()));
    for report in reports {
        let public =
            prio::vdaf::prio3::Prio3PublicShare::get_decoded_with_param(vdaf, &report.public_share)
                .unwrap();
        let step = |at: usize, bytes: &[u8]| {
            let share = Prio3InputShare::get_decoded_with_param(&(vdaf, at), bytes).unwrap();
            vdaf.verify_init(&key, b"c", at, &(), &report.id.0, &public, &share).unwrap()
        };
        let (one, first) = step(0, &report.leader);
        let (two, second) = step(1, &report.helper);
        let message = vdaf.verifier_shares_to_message(b"c", &(), [first, second]).unwrap();
        for (state, sum) in [(one, &mut a), (two, &mut b)] {
            let VerifyTransition::Finish(out) =
                vdaf.verify_next(b"c", state, message.clone()).unwrap()
            else {
                continue;
            };
            sum.accumulate(&out).unwrap();
        }
    }
    black_box((a.get_encoded().unwrap(), b.get_encoded().unwrap()));
}

/// What the proof of the sum costs a site and whoever asks, for a regression round.
fn committed() {
    let layout = Layout::new(vec![Range { bound: 1024.0, is_count: false, length: 65 }]).unwrap();
    let context = Context::new("net", "q", 1);
    let (plain, proved) = (
        Summation::new(layout.clone(), &context).unwrap(),
        Summation::committed(layout, &context).unwrap(),
    );
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (mut without, mut with) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        without = without.min(time(20, || {
            (0..20).for_each(|_| drop(black_box(plain.shard(&[1.0; 65], &mut rng).unwrap())));
        }));
        with = with.min(time(20, || {
            (0..20).for_each(|_| drop(black_box(proved.shard(&[1.0; 65], &mut rng).unwrap())));
        }));
    }
    let reports: Vec<_> = (0..18).map(|_| proved.shard(&[1.0; 65], &mut rng).unwrap()).collect();
    let given: Vec<_> = reports.iter().filter_map(|report| report.commitment).collect();
    let key = VerifyKey::from_bytes([7; 32]);
    let leader = proved.aggregator(Role::Leader, key.clone());
    let helper = proved.aggregator(Role::Helper, key);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    for report in &reports {
        let (one, share) = leader.init(report.id, &report.public_share, &report.leader).unwrap();
        let (two, _) = helper.init(report.id, &report.public_share, &report.helper).unwrap();
        let message = helper.combine(&two, &share).unwrap();
        b.add(&helper.finish(two, &message).unwrap()).unwrap();
        a.add(&leader.finish(one, &message).unwrap()).unwrap();
    }
    let shares = [a.aggregate_share().unwrap(), b.aggregate_share().unwrap()];
    let mut check = f64::MAX;
    for _ in 0..ROUNDS {
        check = check.min(time(100, || {
            for _ in 0..100 {
                black_box(proved.unshard_committed(&shares, &given).unwrap());
            }
        }));
    }
    println!(
        "proof of the sum, 65 numbers, 18 sites: a site {:.2} ms instead of {:.2}, the check {:.2} ms",
        with * 1e3,
        without * 1e3,
        check * 1e3
    );
}

/// A model update of a million numbers from one of ten sites, and taking the masks off when one of them
/// dropped out.
fn masked() {
    use consilium_privacy::aggregate::masks::*;
    let (sites, length) = (10u8, 1_000_000);
    let plan = Plan { sites, threshold: 7, length, norm: 10.0, context: b"c".to_vec() };
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut members: Vec<Member> =
        (0..sites).map(|site| Member::new(&plan, site, &mut rng).unwrap()).collect();
    let adverts: Vec<_> = members.iter().map(Member::advert).collect();
    let envelopes: Vec<_> =
        members.iter_mut().flat_map(|member| member.share(&adverts, &mut rng).unwrap()).collect();
    let update = vec![0.001; length];
    let mut vectors = Vec::new();
    let mut mask = f64::MAX;
    for (site, member) in (0..sites - 1).zip(&mut members) {
        let mine: Vec<_> = envelopes.iter().filter(|e| e.to == site).cloned().collect();
        mask = mask.min(time(1, || vectors.push(member.mask(&update, &mine).unwrap())));
    }
    let arrived: Vec<u8> = (0..sites - 1).collect();
    let mut answers = Vec::new();
    for member in members.into_iter().take(arrived.len()) {
        answers.push(member.unmask(&arrived).unwrap());
    }
    let shared: Vec<u8> = (0..sites).collect();
    let mut total = Vec::new();
    let unmask = time(1, || total = sum(&plan, &adverts, &shared, &vectors, &answers).unwrap());
    let off = total.iter().map(|sum| (sum - 0.009).abs()).fold(0.0, f64::max);
    println!(
        "masked, 10 sites, 1,000,000 numbers: a site {:.0} ms, the sum with one gone {:.0} ms, \
         greatest error {off:.1e}",
        mask * 1e3,
        unmask * 1e3
    );
}
