//! Secure sums against the bare library in the same run, on one thread: what our messages, names, checks of
//! replays and proofs of the sum cost.

use std::hint::black_box;
use std::time::Instant;

use prio::codec::{Encode as _, ParameterizedDecode as _};
use prio::flp::Type;
use prio::vdaf::prio3::{Prio3, Prio3InputShare, Prio3PublicShare, optimal_chunk_length};
use prio::vdaf::xof::XofTurboShake128;
use prio::vdaf::{Aggregatable as _, Aggregator as _, VerifyTransition};
use privacy::aggregate::masks::{self, Member, Plan};
use privacy::aggregate::{
    AggregateShare, Batch, Circuit, Context, Layout, Measurement, Range, Report, Role, Summation,
    VerifyKey,
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::Settings;
use crate::client::Fault;
use crate::figures::Table;

type Vdaf<T> = Prio3<T, XofTurboShake128, 32>;
/// Repeated, the best of which counts: the machine may be busy with other things.
const ROUNDS: usize = 5;
/// Buckets of a histogram, and how many reports.
const HISTOGRAMS: [(usize, usize); 3] = [(10, 4000), (100, 1500), (1000, 250)];
/// Numbers of a round of a regression.
const NUMBERS: usize = 65;
/// Share of the library's own rate.
const AIM: f64 = 0.8;
/// Numbers of a model.
const MODEL: usize = 1_000_000;

/// Measures. Blocks.
pub fn measure(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    table.part("secure sums beside the bare library, both aggregators on one thread");
    let (rounds, fewer) = if settings.quick { (1, 10) } else { (ROUNDS, 1) };
    let context = Context::from_bytes(b"c".to_vec());
    for (length, reports) in HISTOGRAMS {
        let vdaf = Prio3::new_histogram(2, length, optimal_chunk_length(length))?;
        let task = Summation::of(Circuit::histogram(length), &context)?;
        let what = format!("a bucket of {length}");
        let one = Measurement::Bucket(3);
        compare(&what, &vdaf, (&task, &one), (reports / fewer, rounds), table)?;
    }
    let greatest = 1u128 << 88;
    let vdaf = Prio3::new_sum_vec(2, greatest, NUMBERS, optimal_chunk_length(89 * NUMBERS))?;
    let task = Summation::of(Circuit::sum_vec(NUMBERS, greatest), &context)?;
    let what = format!("a round of a regression, {NUMBERS} numbers of 89 bits");
    let one = Measurement::Vector(vec![1u128 << 87; NUMBERS]);
    compare(&what, &vdaf, (&task, &one), (120 / fewer, rounds), table)?;
    committed(settings.seed, rounds, table)?;
    masked(settings, table)
}

/// Both aggregators' work on the same reports: decode, verify, combine, finish, add.
fn compare<T: Type>(
    what: &str,
    vdaf: &Vdaf<T>,
    (task, measurement): (&Summation, &Measurement),
    (count, rounds): (usize, usize),
    table: &mut Table,
) -> Result<(), Fault> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let reports = (0..count).map(|_| task.shard_one(measurement, &mut rng));
    let reports: Vec<Report> = reports.collect::<Result<_, _>>()?;
    let (mut ours, mut library) = (f64::MAX, f64::MAX);
    for _ in 0..rounds {
        ours = ours.min(time(count, || through_ours(task, &reports).map(drop))?);
        library = library.min(time(count, || through_library(vdaf, &reports))?);
    }
    let share = library / ours;
    let reached = format!("{:.0} reports/s, {:.1} %", 1.0 / ours, share * 100.0);
    table.aimed(what, &reached, "≥ 80 % of the library's rate", share >= AIM);
    Ok(())
}

/// Seconds of this thread on a processor for each of `count`, so that other work on the machine does
/// not count (Linux; elsewhere seconds that went by).
fn time(count: usize, work: impl FnOnce() -> Result<(), Fault>) -> Result<f64, Fault> {
    let begun = (on_processor(), Instant::now());
    work()?;
    let seconds = match (begun.0, on_processor()) {
        (Some(before), Some(after)) => after - before,
        _ => begun.1.elapsed().as_secs_f64(),
    };
    Ok(seconds / count as f64)
}

fn on_processor() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}

fn through_ours(task: &Summation, reports: &[Report]) -> Result<[AggregateShare; 2], Fault> {
    let key = VerifyKey::from_bytes([7; 32]);
    let leader = task.aggregator(Role::Leader, key.clone());
    let helper = task.aggregator(Role::Helper, key);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    for report in reports {
        let (one, share) = leader.init(report.id, &report.public_share, &report.leader)?;
        let (two, _) = helper.init(report.id, &report.public_share, &report.helper)?;
        let message = helper.combine(&two, &share)?;
        b.add(&helper.finish(two, &message)?)?;
        a.add(&leader.finish(one, &message)?)?;
    }
    Ok(black_box([a.aggregate_share()?, b.aggregate_share()?]))
}

/// The same without messages, names, replay checks or errors of ours.
fn through_library<T: Type>(vdaf: &Vdaf<T>, reports: &[Report]) -> Result<(), Fault> {
    let key = [7; 32];
    let (mut a, mut b) = (vdaf.aggregate_init(&()), vdaf.aggregate_init(&()));
    for report in reports {
        let public = Prio3PublicShare::get_decoded_with_param(vdaf, &report.public_share)?;
        let step = |at: usize, bytes: &[u8]| -> Result<_, Fault> {
            let share = Prio3InputShare::get_decoded_with_param(&(vdaf, at), bytes)?;
            Ok(vdaf.verify_init(&key, b"c", at, &(), &report.id.0, &public, &share)?)
        };
        let (one, first) = step(0, &report.leader)?;
        let (two, second) = step(1, &report.helper)?;
        let message = vdaf.verifier_shares_to_message(b"c", &(), [first, second])?;
        for (state, sum) in [(one, &mut a), (two, &mut b)] {
            let VerifyTransition::Finish(out) = vdaf.verify_next(b"c", state, message.clone())?
            else {
                return Err("the library asks for another message".into());
            };
            sum.accumulate(&out)?;
        }
    }
    black_box((a.get_encoded()?, b.get_encoded()?));
    Ok(())
}

/// What the proof of the sum costs a site and whoever asks, for a regression round.
fn committed(seed: u64, rounds: usize, table: &mut Table) -> Result<(), Fault> {
    let range = Range { bound: 1024.0, is_count: false, length: NUMBERS };
    let (layout, context) = (Layout::new(vec![range])?, Context::new("net", "q", 1));
    let plain = Summation::new(layout.clone(), &context)?;
    let proved = Summation::committed(layout, &context)?;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut given = |task: &Summation| -> Result<f64, Fault> {
        let mut best = f64::MAX;
        for _ in 0..rounds {
            let site = || -> Result<(), Fault> {
                for _ in 0..20 {
                    black_box(task.shard(&[1.0; NUMBERS], &mut rng)?);
                }
                Ok(())
            };
            best = best.min(time(20, site)?);
        }
        Ok(best)
    };
    let (without, with) = (given(&plain)?, given(&proved)?);
    let reports: Vec<Report> =
        (0..18).map(|_| proved.shard(&[1.0; NUMBERS], &mut rng)).collect::<Result<_, _>>()?;
    let bound: Vec<_> = reports.iter().filter_map(|report| report.commitment).collect();
    let shares = through_ours(&proved, &reports)?;
    let check = time(100, || {
        for _ in 0..100 {
            black_box(proved.unshard_committed(&shares, &bound)?);
        }
        Ok(())
    })?;
    let (with, without, check) = (with * 1e3, without * 1e3, check * 1e3);
    let told = format!("{with:.2} ms a site ({without:.2} without), {check:.2} ms the check");
    table.fact("proof of the sum, 18 sites", &told);
    Ok(())
}

/// A model update of a million numbers from one of ten sites, and taking the masks off when one of them
/// dropped out.
fn masked(settings: &Settings, table: &mut Table) -> Result<(), Fault> {
    let (sites, length) = (10u8, if settings.quick { MODEL / 100 } else { MODEL });
    let plan = Plan { sites, threshold: 7, length, norm: 10.0, context: b"c".to_vec() };
    let mut rng = ChaCha20Rng::seed_from_u64(settings.seed);
    let mut members: Vec<Member> =
        (0..sites).map(|site| Member::new(&plan, site, &mut rng)).collect::<Result<_, _>>()?;
    let adverts: Vec<_> = members.iter().map(Member::advert).collect();
    let mut envelopes = Vec::new();
    for member in &mut members {
        envelopes.extend(member.share(&adverts, &mut rng)?);
    }
    let update = vec![0.1 / (length as f64).sqrt(); length];
    let (mut vectors, mut mask) = (Vec::new(), f64::MAX);
    for (site, member) in (0..sites - 1).zip(&mut members) {
        let mine: Vec<_> = envelopes.iter().filter(|e| e.to == site).cloned().collect();
        let one = time(1, || {
            vectors.push(member.mask(&update, &mine)?);
            Ok(())
        })?;
        mask = mask.min(one);
    }
    let arrived: Vec<u8> = (0..sites - 1).collect();
    let mut answers = Vec::new();
    for member in members.into_iter().take(arrived.len()) {
        answers.push(member.unmask(&arrived)?);
    }
    let shared: Vec<u8> = (0..sites).collect();
    let unmask = time(1, || {
        black_box(masks::sum(&plan, &adverts, &shared, &vectors, &answers)?);
        Ok(())
    })?;
    let told = format!("{:.0} ms a site, {:.0} ms the sum with one gone", mask * 1e3, unmask * 1e3);
    table.fact(&format!("masked, {sites} sites, {length} numbers"), &told);
    Ok(())
}
