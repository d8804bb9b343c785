//! Components out of texts of core modules, as the usual tools put them together.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WORLD: &str = include_str!("../../../../sandbox/wit/analysis.wit");
const PRELUDE: &str = include_str!("../../../../sandbox/tests/it/programs/prelude.wat");
const DESCRIBE: &str = include_str!("../../../../sandbox/tests/it/programs/describe.wat");
const ROUND: &str = include_str!("../../../../sandbox/tests/it/programs/round.wat");
const RESULT: &str = include_str!("../../../../sandbox/tests/it/programs/result.wat");
const ONE_ROUND: &str = include_str!("../../../../sandbox/tests/it/programs/one_round.wat");

/// A component of these functions beside the usual memory and description.
pub fn program(functions: &str) -> Vec<u8> {
    let mut text = format!("(module {PRELUDE} {DESCRIBE} {functions})");
    for name in ["describe", "start", "next", "contribute"] {
        let full = format!("(export \"consilium:analysis/program@1.0.0#{name}\")");
        text = text.replace(&format!("(export \"{name}\")"), &full);
    }
    let mut bytes = wat::parse_str(&text).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("analysis.wit", WORLD).unwrap();
    let world = resolve.select_world(&[package], Some("analysis")).unwrap();
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().validate(false);
    encoder.module(&bytes).unwrap().encode().unwrap()
}

/// Mean and variance of the first variable in one round.
pub fn mean() -> String {
    format!("{RESULT} {ONE_ROUND}")
}

/// The same, but what it gives as the sum is the value of the last row.
pub fn last_row() -> String {
    let added = "(local.set $sum (f64.add (local.get $sum) (local.get $x)))";
    assert!(ONE_ROUND.contains(added));
    mean().replace(added, "(local.set $sum (local.get $x))")
}

/// A program that asks for `n` (a count) and `x` (two numbers), each at most 1,000, and whose `contribute`
/// has this body.
pub fn contributing(body: &str) -> Vec<u8> {
    let head = "(param $parameters i32) (param $parameters_len i32) (param $variables i32)
        (param $variables_len i32) (param $most i32) (param $state i32) (param $state_len i32)
        (param $columns i32) (param $columns_len i32) (result i32)";
    program(&format!("{ROUND} (func (export \"contribute\") {head} {body})"))
}

/// The body that gives these numbers.
pub fn giving(n: &str, x: &str, y: &str) -> String {
    format!(
        "(f64.store (i32.const 3072) {n}) (f64.store (i32.const 3080) {x})
         (f64.store (i32.const 3088) {y}) (call $given (i32.const 3072) (i32.const 3))"
    )
}
