//! A site, an aggregator and whoever carries the messages try to cheat.

use consilium_privacy::aggregate::*;
use prio::codec::Encode as _;
use prio::field::{Field128, FieldElement as _};
use prio::flp::gadgets::{Mul, ParallelSum};
use prio::flp::types::SumVec;
use prio::flp::{Flp, FlpError, Gadget, Type};
use prio::vdaf::Client as _;
use prio::vdaf::prio3::Prio3;
use prio::vdaf::xof::XofTurboShake128;

use super::{aggregators, collect, layout, verify};
use crate::random;

type Honest = SumVec<Field128, ParallelSum<Field128, Mul>>;

/// Prio3SumVec of a site that encodes what it likes and proves it as well as it can.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cheat {
    honest: Honest,
    elements: Vec<Field128>,
}

impl Flp for Cheat {
    type Field = Field128;
    fn gadget(&self) -> Vec<Box<dyn Gadget<Field128>>> {
        self.honest.gadget()
    }
    fn num_gadgets(&self) -> usize {
        self.honest.num_gadgets()
    }
    fn valid(
        &self,
        gadgets: &mut Vec<Box<dyn Gadget<Field128>>>,
        input: &[Field128],
        joint: &[Field128],
        shares: usize,
    ) -> Result<Vec<Field128>, FlpError> {
        self.honest.valid(gadgets, input, joint, shares)
    }
    fn input_len(&self) -> usize {
        self.honest.input_len()
    }
    fn proof_len(&self) -> usize {
        self.honest.proof_len()
    }
    fn verifier_len(&self) -> usize {
        self.honest.verifier_len()
    }
    fn joint_rand_len(&self) -> usize {
        self.honest.joint_rand_len()
    }
    fn eval_output_len(&self) -> usize {
        self.honest.eval_output_len()
    }
    fn prove_rand_len(&self) -> usize {
        self.honest.prove_rand_len()
    }
}

impl Type for Cheat {
    type Measurement = ();
    type AggregateResult = Vec<u128>;
    fn encode_measurement(&self, (): &()) -> Result<Vec<Field128>, FlpError> {
        Ok(self.elements.clone())
    }
    fn truncate(&self, input: Vec<Field128>) -> Result<Vec<Field128>, FlpError> {
        self.honest.truncate(input)
    }
    fn decode_result(&self, data: &[Field128], count: usize) -> Result<Vec<u128>, FlpError> {
        self.honest.decode_result(data, count)
    }
    fn output_len(&self) -> usize {
        self.honest.output_len()
    }
}

/// Whether the aggregators take a report with these elements instead of bits.
fn taken(change: impl Fn(&mut [Field128])) -> bool {
    let (length, greatest) = (4, 1000u128);
    let circuit = Circuit::sum_vec(length, greatest);
    let Circuit::SumVec { chunk, .. } = circuit else { unreachable!() };
    let honest = Honest::new(greatest, length, chunk).unwrap();
    let mut elements = honest.encode_measurement(&vec![5, 0, 1000, 77]).unwrap();
    change(&mut elements);
    let cheat = Cheat { honest, elements };
    let vdaf = Prio3::<_, XofTurboShake128, 32>::new(2, 1, 3, cheat).unwrap();
    let id = ReportId([9; 16]);
    let (public, shares) = vdaf.shard(b"context", &(), &id.0).unwrap();
    let [leader, helper] = shares.as_slice() else { unreachable!() };
    let task = Summation::of(circuit, &Context::from_bytes(b"context".to_vec())).unwrap();
    let (one, two) = aggregators(&task);
    let (public, leader, helper) = (
        public.get_encoded().unwrap(),
        leader.get_encoded().unwrap(),
        helper.get_encoded().unwrap(),
    );
    match verify((&one, &two), id, &public, (&leader, &helper)) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error, SumError::Rejected);
            false
        }
    }
}

#[test]
fn a_site_that_hands_in_numbers_out_of_range_is_found_without_seeing_them() {
    assert!(taken(|_| {}), "the honest report of the same code is taken");
    assert!(!taken(|bits| bits[0] = Field128::from(2)));
    assert!(!taken(|bits| bits[39] = Field128::from(1_000_000)));
    assert!(!taken(|bits| bits[3] = -Field128::one()));
    assert!(!taken(|bits| bits.fill(Field128::from(3))));
}

#[test]
fn a_number_out_of_range_is_refused_at_the_site_and_named() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(11);
    let mut refusal = |at: usize, value: f64| {
        let mut values = [0.0; 6];
        values[at] = value;
        task.shard(&values, &mut rng).map(|_| ()).unwrap_err()
    };
    assert_eq!(refusal(1, 1001.0), SumError::OutOfRange { entry: 1, range: 0 });
    assert_eq!(refusal(0, -1.0), SumError::OutOfRange { entry: 0, range: 0 });
    assert_eq!(refusal(0, 1.5), SumError::NotWhole { entry: 0, range: 0 });
    assert_eq!(refusal(3, 10.000001), SumError::OutOfRange { entry: 3, range: 1 });
    assert_eq!(refusal(5, f64::NAN), SumError::OutOfRange { entry: 5, range: 2 });
    assert_eq!(refusal(5, f64::NEG_INFINITY), SumError::OutOfRange { entry: 5, range: 2 });
    let text = refusal(3, 12.75).to_string();
    assert!(!text.contains("12"), "{text}");
    let short = task.shard(&[0.0; 5], &mut random(12)).map(|_| ());
    assert_eq!(short, Err(SumError::Length { expected: 6 }));
}

#[test]
fn a_tampered_share_is_refused_wherever_the_byte_is() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let report = task.shard(&[1.0, 2.0, 3.0, -4.0, 5.0, 6.0], &mut random(13)).unwrap();
    let (leader, helper) = aggregators(&task);
    let refused = |public: &[u8], a: &[u8], b: &[u8]| {
        verify((&leader, &helper), report.id, public, (a, b)).is_err()
    };
    let (public, a, b) = (&report.public_share, &report.leader, &report.helper);
    assert!(!refused(public, a, b));
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for at in (0..a.len()).step_by(a.len() / 12).chain([a.len() - 1]) {
        assert!(refused(public, &changed(a, at), b), "leader, byte {at}");
    }
    for at in (0..b.len()).step_by(7) {
        assert!(refused(public, a, &changed(b, at)), "helper, byte {at}");
    }
    for at in (0..public.len()).step_by(7) {
        assert!(refused(&changed(public, at), a, b), "public, byte {at}");
    }
    assert!(refused(public, &a[1..], b));
    assert!(refused(public, &[], b));
}

#[test]
fn a_share_of_another_round_question_network_report_or_layout_is_refused() {
    let shard = |task: &Summation| task.shard(&[1.0; 6], &mut random(14)).unwrap();
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let (leader, helper) = aggregators(&task);
    let verdict = |report: &Report, id| {
        let shares = (report.leader.as_slice(), report.helper.as_slice());
        verify((&leader, &helper), id, &report.public_share, shares).map(|_| ())
    };
    let own = shard(&task);
    assert_eq!(verdict(&own, own.id), Ok(()));
    assert_eq!(verdict(&own, ReportId([1; 16])), Err(SumError::Rejected));
    for context in
        [Context::new("net", "q", 2), Context::new("net", "r", 1), Context::new("other", "q", 1)]
    {
        let report = shard(&Summation::new(layout(), &context).unwrap());
        assert_eq!(verdict(&report, report.id), Err(SumError::Rejected));
    }
    // The same numbers of numbers with wider bounds would count a site's number differently.
    let mut ranges = layout().ranges().to_vec();
    ranges[1].bound = 1e6;
    let wider = Layout::new(ranges).unwrap();
    let report = shard(&Summation::new(wider, &Context::new("net", "q", 1)).unwrap());
    assert_eq!(verdict(&report, report.id), Err(SumError::Rejected));
}

#[test]
fn a_report_counts_once() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let report = task.shard(&[1.0; 6], &mut random(15)).unwrap();
    let twice = [report.clone(), report.clone()];
    assert_eq!(collect(&task, &twice).map(|_| ()), Err(SumError::Replayed));
    let mut seen = Seen::default();
    assert_eq!(seen.note(report.id), Ok(()));
    let text = serde_json::to_string(&seen).unwrap();
    let mut seen: Seen = serde_json::from_str(&text).unwrap();
    assert_eq!(seen.note(report.id), Err(SumError::Replayed));
}

#[test]
fn aggregators_that_added_different_reports_are_found() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let mut rng = random(16);
    let reports: Vec<_> = (0..3).map(|_| task.shard(&[1.0; 6], &mut rng).unwrap()).collect();
    let [all, _] = collect(&task, &reports).unwrap();
    let [_, fewer] = collect(&task, &reports[..2]).unwrap();
    assert_eq!(task.unshard(&[all, fewer.clone()]), Err(SumError::BatchMismatch));
    let [others, _] = collect(&task, &reports[1..]).unwrap();
    assert_eq!(task.unshard(&[others.clone(), fewer]), Err(SumError::BatchMismatch));
    assert_eq!(task.unshard(&[others.clone(), others]), Err(SumError::Shares));
}

#[test]
fn sums_that_no_sites_can_have_given_are_refused() {
    let task = Summation::new(layout(), &Context::new("net", "q", 1)).unwrap();
    let report = task.shard(&[1.0; 6], &mut random(17)).unwrap();
    let honest = collect(&task, &[report]).unwrap();
    for (entry, range) in [(0, 0), (1, 0), (2, 1), (5, 2)] {
        let mut shares = honest.clone();
        // The aggregator adds a random number: neither whole nor within the bounds.
        shares[0].share[entry * 16..entry * 16 + 15].fill(0x5a);
        assert_eq!(task.unshard(&shares), Err(SumError::Sum { entry, range }));
    }
    let mut cut = honest.clone();
    cut[0].share.pop();
    assert_eq!(task.unshard(&cut), Err(SumError::Malformed("aggregate share")));
}

#[test]
fn a_layout_that_cannot_be_used_is_refused() {
    let range = |bound, is_count, length| Layout::new(vec![Range { bound, is_count, length }]);
    assert!(range(1.0, false, 1).is_ok());
    for (bound, is_count, length) in [
        (0.0, false, 1),
        (-1.0, false, 1),
        (f64::INFINITY, false, 1),
        (f64::NAN, false, 1),
        (1e300, false, 1),
        (1.5, true, 1),
        (1e15, true, 1),
        (1.0, false, 0),
        (1.0, false, usize::MAX),
    ] {
        assert!(matches!(range(bound, is_count, length), Err(SumError::Layout(_))));
    }
    let text = r#"[{"bound": 1.0, "length": 1, "surprise": 1}]"#;
    assert!(serde_json::from_str::<Layout>(text).is_err());
}
