//! What others are told of a program that failed over rows: always the same.

use sandbox::{Refused, contribute};

use crate::component::{TICKS, contributing, contributing_with, first, load, site, terms};

/// The text that leaves, over a site whose first row is this number.
fn told(bytes: &[u8], first_row: f64) -> (String, Refused) {
    let program = load(bytes).unwrap();
    let terms = terms(bytes);
    let round = first(&program, &terms);
    let withheld = contribute(&program, &terms, &round, &site(&[first_row]), TICKS).unwrap_err();
    (withheld.to_string(), withheld.own())
}

const ALWAYS: &str = "the program gave no permitted vector for the rows of this site";

#[test]
fn which_way_a_program_fails_tells_nothing_of_a_row() {
    // One row from 0 to 9 decides between ten ways to fail: as many as there are.
    let deep = "(func $deep (result i32) (i32.add (call $deep) (i32.const 1)))";
    let body = "(local $x i32)
        (local.set $x (i32.trunc_sat_f64_s (f64.load offset=8 (i32.load offset=4 (local.get $columns)))))
        (f64.store (i32.const 3072) (f64.const 1e9))
        (block $9 (block $8 (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
            (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9 (local.get $x)))
            (return (call $fault (i32.const 0))))
            (return (call $fault (i32.const 3))))
            (return (call $fault (i32.const 5))))
            unreachable)
            (loop $l (br $l)))
            (return (call $deep)))
            (loop $l (if (i32.eq (memory.grow (i32.const 9)) (i32.const -1)) (then unreachable)) (br $l)))
            (return (call $given (i32.const 3072) (i32.const 3))))
            (return (call $given (i32.const 0) (i32.const 2))))
        (call $given (i32.const 0) (i32.const -1))";
    let bytes = contributing_with(deep, body);
    let mut rules = std::collections::HashSet::new();
    for row in 0..10 {
        let (text, own) = told(&bytes, f64::from(row));
        assert_eq!(text, ALWAYS);
        rules.insert(own);
    }
    // The institution itself sees ten different rules.
    assert_eq!(rules.len(), 10, "{rules:?}");
}

#[test]
fn a_message_that_a_program_leaves_behind_is_not_read() {
    let message = "(data (i32.const 5000) \"patient 4711 is \")";
    let body =
        "(f64.store (i32.const 5016) (f64.load offset=8 (i32.load offset=4 (local.get $columns))))
        unreachable";
    let bytes = contributing_with(message, body);
    let program = load(&bytes).unwrap();
    let terms = terms(&bytes);
    let round = first(&program, &terms);
    let withheld = contribute(&program, &terms, &round, &site(&[77.0]), TICKS).unwrap_err();
    for text in [withheld.to_string(), format!("{withheld:?}"), withheld.own().to_string()] {
        assert!(!text.contains("4711") && !text.contains("77"), "{text}");
    }
    assert_eq!(withheld.to_string(), ALWAYS);
}

#[test]
fn what_is_decided_before_the_rows_is_told_as_it_is() {
    let bytes = contributing("unreachable");
    let program = load(&bytes).unwrap();
    let good = terms(&bytes);
    let round = first(&program, &good);
    let other = sandbox::Terms { program: sandbox::hash(b"other"), ..good };
    let withheld = contribute(&program, &other, &round, &site(&[1.0]), TICKS).unwrap_err();
    assert_eq!(withheld.to_string(), Refused::Hash.to_string());
}
