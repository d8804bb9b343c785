//! True programs: what they find over sites is what the pooled rows give.

use proptest::prelude::*;
use sandbox::{Program, Refused, Terms, contribute, progress, replay, sensitivity};
use statistics::answer::Finding;
use statistics::{Answer, Column, Failure, Frame, Step, Sums};

use crate::component::{TICKS, first, load, site, terms, written};

const ONE_ROUND: &str =
    concat!(include_str!("programs/result.wat"), include_str!("programs/one_round.wat"));
const TWO_ROUNDS: &str =
    concat!(include_str!("programs/result.wat"), include_str!("programs/two_rounds.wat"));

/// Leads a program over sites as a coordinator would; every site replays every round.
fn ask(program: &Program, terms: &Terms, sites: &[Frame]) -> Result<Answer, Failure> {
    let mut progress = progress(program, terms, TICKS)?;
    let mut round = progress.first();
    let mut before: Vec<Sums> = Vec::new();
    loop {
        assert_eq!(replay(program, terms, &before, TICKS).unwrap(), round);
        let mut values = vec![0.0; round.layout.len()];
        for rows in sites {
            let given = contribute(program, terms, &round, rows, TICKS).unwrap();
            for (sum, value) in values.iter_mut().zip(given.values) {
                *sum += value;
            }
        }
        let sums = Sums { values, sites: u32::try_from(sites.len()).unwrap() };
        match progress.take(&sums)? {
            Step::Ask(next) => round = next,
            Step::Done(answer) => return Ok(*answer),
        }
        before.push(sums);
    }
}

/// The two numbers that the programs of these tests find.
fn found(answer: &Answer) -> [f64; 2] {
    let Finding::Program(result) = &answer.finding else { panic!("a program's result") };
    let texts: [String; 2] = serde_json::from_value(result.result.clone()).unwrap();
    texts.map(|text| f64::from_bits(u64::from_str_radix(&text, 16).unwrap()))
}

fn pooled(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    [mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)]
}

fn close(found: [f64; 2], expected: [f64; 2], tolerance: f64) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance * b.abs().max(1.0);
    near(found[0], expected[0]) && near(found[1], expected[1])
}

#[test]
fn both_programs_find_what_the_pooled_rows_give() {
    let sites = [vec![1.5, -2.0, 40.0], vec![99.0], vec![0.25, 7.0, 7.0, -63.5]];
    let frames: Vec<Frame> = sites.iter().map(|values| site(values)).collect();
    for (text, rounds) in [(ONE_ROUND, 1), (TWO_ROUNDS, 2)] {
        let bytes = written(text);
        let program = load(&bytes).unwrap();
        let answer = ask(&program, &terms(&bytes), &frames).unwrap();
        assert_eq!((answer.n, answer.sites, answer.rounds), (8, 3, rounds));
        assert!(close(found(&answer), pooled(&sites.concat()), 1e-12), "{answer:?}");
        let Finding::Program(result) = &answer.finding else { panic!("a program's result") };
        assert_eq!(result.program, sandbox::hash(&bytes));
        assert_eq!((result.name.as_str(), result.version.as_str()), ("test", "1.0.0"));
    }
}

#[test]
fn a_missing_value_is_none_to_the_program_and_a_row_to_the_host() {
    let bytes = written(ONE_ROUND);
    let program = load(&bytes).unwrap();
    let column = Column::Number(vec![Some(1.0), None, Some(3.0)]);
    let rows = Frame::new(vec![("x".to_owned(), column)]).unwrap();
    let terms = terms(&bytes);
    let round = first(&program, &terms);
    let given = contribute(&program, &terms, &round, &rows, TICKS).unwrap();
    assert_eq!(given.values, [3.0, 2.0, 4.0, 10.0]);
}

#[test]
fn too_little_data_is_said_by_a_fixed_word() {
    let bytes = written(ONE_ROUND);
    let program = load(&bytes).unwrap();
    let error = ask(&program, &terms(&bytes), &[site(&[5.0])]).unwrap_err();
    assert_eq!(error, Failure::TooLittle("there is too little data".to_owned()));
}

#[test]
fn a_row_changes_no_more_than_the_sensitivity_says() {
    let bytes = written(ONE_ROUND);
    let program = load(&bytes).unwrap();
    let terms = Terms { block_rows: Some(1), most_rows: 4, ..terms(&bytes) };
    let round = first(&program, &terms);
    // Rows, count of values, sum up to 100, sum of squares up to 10,000.
    assert_eq!(sensitivity(&round).unwrap(), [0.0, 1.0, 200.0, 20_000.0]);
    let bounds: Vec<f64> = round.layout.entries.iter().map(|entry| entry.bound).collect();
    assert_eq!(bounds, [4.0, 4.0, 512.0, 65_536.0]);
    let given = contribute(&program, &terms, &round, &site(&[1.0, 2.0, 3.0]), TICKS).unwrap();
    assert_eq!(given.values, [3.0, 3.0, 6.0, 14.0]);
}

#[test]
fn what_the_terms_or_the_site_do_not_fit_is_refused_before_a_row_is_seen() {
    let bytes = written(ONE_ROUND);
    let program = load(&bytes).unwrap();
    let good = terms(&bytes);
    let round = first(&program, &good);
    let rule = |terms: &Terms, rows: &Frame| {
        contribute(&program, terms, &round, rows, TICKS).unwrap_err().own()
    };
    let rows = site(&[1.0, 2.0]);
    let other = Terms { program: sandbox::hash(b"another"), ..good.clone() };
    assert_eq!(rule(&other, &rows), Refused::Hash);
    assert_eq!(rule(&Terms { fuel: 0, ..good.clone() }, &rows), Refused::Terms("fuel"));
    assert_eq!(rule(&Terms { memory: u64::MAX, ..good.clone() }, &rows), Refused::Terms("memory"));
    let narrow = Terms { most_rows: 1, ..good.clone() };
    assert_eq!(rule(&narrow, &rows), Refused::Rows);
    // The same program and rows under other terms: another layout.
    assert_eq!(rule(&Terms { most_rows: 5_000, ..good.clone() }, &rows), Refused::Round);
    let levels = Column::Category(vec![Some(0)]);
    let other = Frame::new(vec![("x".to_owned(), levels)]).unwrap();
    assert_eq!(rule(&good, &other), Refused::Columns);
    // More than 1,000 calls, whoever asks.
    for (most_rows, block_rows) in [(1_000_000, 1), (1_001, 1), (10_001, 10)] {
        let many = Terms { most_rows, block_rows: Some(block_rows), ..good.clone() };
        assert_eq!(rule(&many, &rows), Refused::Terms("rows"));
    }
}

#[test]
fn what_was_not_declared_is_not_asked_for() {
    let bytes = written(ONE_ROUND);
    let program = load(&bytes).unwrap();
    let good = terms(&bytes);
    let declared = |change: &dyn Fn(&mut statistics::Entry)| {
        let mut terms = good.clone();
        terms.outputs.iter_mut().filter(|one| one.name == "b").for_each(change);
        replay(&program, &terms, &[], TICKS).map(|round| round.layout.entries.len())
    };
    // One site gives at most 1,000 rows of at most 100.
    assert_eq!(declared(&|one| one.bound = 100_000.0), Ok(4));
    assert_eq!(declared(&|one| one.bound = 99_999.0), Err(Refused::Undeclared));
    assert_eq!(declared(&|one| one.name = "d".to_owned()), Err(Refused::Undeclared));
    assert_eq!(declared(&|one| one.is_count = true), Err(Refused::Undeclared));
    // In blocks it is the sum over the calls that was declared.
    let round = first(&program, &good);
    let mut narrow = good.clone();
    narrow.outputs.iter_mut().for_each(|one| one.bound = 1_000.0);
    let refused = contribute(&program, &narrow, &round, &site(&[1.0, 2.0]), TICKS).unwrap_err();
    assert_eq!((refused.own(), refused.saw_rows()), (Refused::Undeclared, false));
}

#[test]
fn a_state_that_does_not_follow_from_the_sums_is_found() {
    let bytes = written(TWO_ROUNDS);
    let program = load(&bytes).unwrap();
    let terms = terms(&bytes);
    let sums = Sums { values: vec![3.0, 3.0, 6.0], sites: 2 };
    let own = replay(&program, &terms, std::slice::from_ref(&sums), TICKS).unwrap();
    let lied = Sums { values: vec![3.0, 3.0, 6.5], sites: 2 };
    let lied = replay(&program, &terms, &[lied], TICKS).unwrap();
    assert_eq!(own.number, 2);
    assert_ne!(own, lied);
    // Sums that no sites give are not even put to the program.
    for values in
        [vec![3.0, 3.0], vec![3.5, 3.0, 6.0], vec![-1.0, 3.0, 6.0], vec![3.0, f64::NAN, 6.0]]
    {
        let wrong = Sums { values, sites: 2 };
        assert_eq!(replay(&program, &terms, &[wrong], TICKS).unwrap_err(), Refused::Sums);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_rows_in_any_blocks_at_any_sites_give_the_pooled_answer(
        sites in prop::collection::vec(prop::collection::vec(-100.0_f64..100.0, 0..40), 2..5),
        block_rows in prop::option::of(1_u32..50),
    ) {
        let all = sites.concat();
        prop_assume!(all.len() > 1);
        let bytes = written(TWO_ROUNDS);
        let program = load(&bytes).unwrap();
        let terms = Terms { block_rows, ..terms(&bytes) };
        let frames: Vec<Frame> = sites.iter().map(|values| site(values)).collect();
        let answer = ask(&program, &terms, &frames).unwrap();
        prop_assert_eq!(answer.n, all.len() as u64);
        prop_assert!(close(found(&answer), pooled(&all), 1e-9));
    }
}
