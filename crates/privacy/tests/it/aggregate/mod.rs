//! Secure sums: what they give, and every way to cheat that must be refused.

mod attacks;
mod masked;
mod sums;
mod vectors;

use consilium_privacy::aggregate::*;

/// Both aggregators of a task.
pub fn aggregators(task: &Summation) -> (Aggregator, Aggregator) {
    let key = VerifyKey::from_bytes([7; 32]);
    (task.aggregator(Role::Leader, key.clone()), task.aggregator(Role::Helper, key))
}

/// Takes a report through both aggregators.
pub fn verify(
    (leader, helper): (&Aggregator, &Aggregator),
    id: ReportId,
    public: &[u8],
    shares: (&[u8], &[u8]),
) -> Result<(Verified, Verified), SumError> {
    let (waiting, share) = leader.init(id, public, shares.0)?;
    let (other, _) = helper.init(id, public, shares.1)?;
    let message = helper.combine(&other, &share)?;
    let helped = helper.finish(other, &message)?;
    Ok((leader.finish(waiting, &message)?, helped))
}

/// The aggregate shares of these reports.
pub fn collect(task: &Summation, reports: &[Report]) -> Result<[AggregateShare; 2], SumError> {
    let (leader, helper) = aggregators(task);
    let (mut a, mut b) = (Batch::new(&leader), Batch::new(&helper));
    for report in reports {
        let shares = (report.leader.as_slice(), report.helper.as_slice());
        let (x, y) = verify((&leader, &helper), report.id, &report.public_share, shares)?;
        a.add(&x)?;
        b.add(&y)?;
    }
    Ok([a.aggregate_share()?, b.aggregate_share()?])
}

/// A small question: two counts, three numbers up to 10, one up to 2^20.
pub fn layout() -> Layout {
    Layout::new(vec![
        Range { bound: 1000.0, is_count: true, length: 2 },
        Range { bound: 10.0, is_count: false, length: 3 },
        Range { bound: f64::from(1 << 20), is_count: false, length: 1 },
    ])
    .unwrap()
}
