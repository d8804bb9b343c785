//! Programs whose `next` does harm: what is asked and what is found stay within limits.

use sandbox::{Refused, progress, replay};
use statistics::{Failure, Sums};

use crate::component::{TICKS, load, program_of, terms};

/// A program whose `next` has this body.
fn next(body: &str) -> Vec<u8> {
    let head = "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)";
    let round = include_str!("programs/round.wat");
    let (start, _) = round.split_once("(func (export \"next\")").unwrap();
    let none =
        "(func (export \"contribute\") (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (i32.const 0))";
    program_of(&format!("{start} (func (export \"next\") {head} {body}) {none}"))
}

/// What comes of a first round's sums.
fn after_sums(bytes: &[u8]) -> Refused {
    let program = load(bytes).unwrap();
    let terms = terms(bytes);
    let sums = Sums { values: vec![9.0, 9.0, 1.0, 2.0], sites: 3 };
    let error = progress(&program, &terms, TICKS).unwrap().take(&sums).unwrap_err();
    let Err(rule) = replay(&program, &terms, &[sums], TICKS) else { panic!("a round") };
    assert_eq!(matches!(error, Failure::Question(_)), rule != Refused::Rounds);
    rule
}

#[test]
fn what_next_makes_of_sums_is_within_limits_or_nothing() {
    let done = |at: u32, length: u32| {
        format!(
            "(i32.store8 (i32.const 256) (i32.const 0)) (i32.store8 (i32.const 260) (i32.const 1))
             (i32.store (i32.const 264) (i32.const {at})) (i32.store (i32.const 268) (i32.const {length}))
             (i32.const 256)"
        )
    };
    assert_eq!(after_sums(&next("(loop $l (br $l)) unreachable")), Refused::Fuel);
    assert_eq!(after_sums(&next("unreachable")), Refused::Trap);
    // Zero bytes are no JSON.
    assert_eq!(after_sums(&next(&done(4096, 10))), Refused::Result);
    // Brackets in brackets.
    let nested = format!(
        "(memory.fill (i32.const 4096) (i32.const 0x5b) (i32.const 4000)) {}",
        done(4096, 4000)
    );
    assert_eq!(after_sums(&next(&nested)), Refused::Result);
    let long = format!(
        "(drop (memory.grow (i32.const 20))) (memory.fill (i32.const 0) (i32.const 0x20) (i32.const 1000000)) {}",
        done(1024, 300_000)
    );
    assert_eq!(after_sums(&next(&long)), Refused::Result);
    let longer = long.replace("300000", "700000");
    assert_eq!(after_sums(&next(&longer)), Refused::Output);
    // Bytes that are no UTF-8.
    let bytes = format!("(i32.store (i32.const 4096) (i32.const -1)) {}", done(4096, 4));
    assert_eq!(after_sums(&next(&bytes)), Refused::Output);
}

/// A round of one entry and a state, by where they stand.
fn asking(name_length: u32, length: u32, bound: &str, is_count: u32, state: u32) -> String {
    format!(
        "(drop (memory.grow (i32.const 10)))
         (memory.fill (i32.const 700) (i32.const 0x61) (i32.const 100))
         (i32.store (i32.const 1536) (i32.const 700)) (i32.store (i32.const 1540) (i32.const {name_length}))
         (i32.store (i32.const 1544) (i32.const {length})) (f64.store (i32.const 1552) (f64.const {bound}))
         (i32.store8 (i32.const 1560) (i32.const {is_count}))
         (i32.store8 (i32.const 256) (i32.const 0)) (i32.store8 (i32.const 260) (i32.const 0))
         (i32.store (i32.const 264) (i32.const 4096)) (i32.store (i32.const 268) (i32.const {state}))
         (i32.store (i32.const 272) (i32.const 1536)) (i32.store (i32.const 276) (i32.const 1))
         (i32.const 256)"
    )
}

#[test]
fn a_round_beyond_the_limits_is_not_asked() {
    let program = next(&asking(1, 1, "1", 0, 0));
    let loaded = load(&program).unwrap();
    let terms = terms(&program);
    let sums = Sums { values: vec![9.0, 9.0, 1.0, 2.0], sites: 3 };
    let second = replay(&loaded, &terms, std::slice::from_ref(&sums), TICKS).unwrap();
    assert_eq!((second.number, second.layout.len()), (2, 2));
    // It goes on asking; the fourth round is more than it said.
    let more = Sums { values: vec![9.0, 1.0], sites: 3 };
    let all = [sums, more.clone(), more];
    assert_eq!(replay(&loaded, &terms, &all[..2], TICKS).unwrap().number, 3);
    assert_eq!(replay(&loaded, &terms, &all[..3], TICKS).unwrap_err(), Refused::Rounds);

    for (name, body, rule) in [
        ("no name", asking(0, 1, "1", 0, 0), Refused::Layout),
        ("a long name", asking(65, 1, "1", 0, 0), Refused::Layout),
        ("no numbers", asking(1, 0, "1", 0, 0), Refused::Layout),
        ("too many numbers", asking(1, 20_000, "1", 0, 0), Refused::Layout),
        ("more than there are", asking(1, u32::MAX, "1", 0, 0), Refused::Layout),
        ("no bound", asking(1, 1, "0", 0, 0), Refused::Layout),
        ("a negative bound", asking(1, 1, "-1", 0, 0), Refused::Layout),
        ("an infinite bound", asking(1, 1, "inf", 0, 0), Refused::Layout),
        ("no number for a bound", asking(1, 1, "nan", 0, 0), Refused::Layout),
        ("too large a bound", asking(1, 1, "0x1p301", 0, 0), Refused::Layout),
        ("half a count for a bound", asking(1, 1, "1.5", 1, 0), Refused::Layout),
        ("too large a count", asking(1, 1, "4294967296", 1, 0), Refused::Layout),
        ("too large a state", asking(1, 1, "1", 0, 262_145), Refused::Layout),
        ("far too large a state", asking(1, 1, "1", 0, 700_000), Refused::Output),
    ] {
        assert_eq!(after_sums(&next(&body)), rule, "{name}");
    }
}
