//! Components out of core modules, put together from the world in `wit/` as the usual tools do.

use std::sync::LazyLock;

use sandbox::{Machine, Program, Refused, Terms};
use statistics::{Column, Dictionary, Entry, Frame, Kind, Round, Variable};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Ticks that no call of these tests reaches: the clock stands still unless a test moves it.
pub const TICKS: u64 = 1_000;
/// Fuel of the hostile runs: about a quarter of a second.
pub const FUEL: u64 = 200_000_000;
/// Memory of the runs.
pub const MEMORY: u64 = 64 * 1024 * 1024;

pub static MACHINE: LazyLock<Machine> = LazyLock::new(|| Machine::new().unwrap());

const WORLD: &str = include_str!("../../wit/analysis.wit");
const PRELUDE: &str = include_str!("programs/prelude.wat");
const DESCRIBE: &str = include_str!("programs/describe.wat");
const ROUND: &str = include_str!("programs/round.wat");
/// The functions as a module exports them.
const NAMES: [&str; 4] = ["describe", "start", "next", "contribute"];

/// A component of this text of a core module.
pub fn component(module: &str) -> Vec<u8> {
    let mut text = module.to_owned();
    for name in NAMES {
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

/// A program of these functions beside the usual memory and description.
pub fn program_of(functions: &str) -> Vec<u8> {
    component(&format!("(module {PRELUDE} {DESCRIBE} {functions})"))
}

/// A program that asks for one round of `n` (a count up to 1000) and `x` (two numbers up to 1000), and
/// whose `contribute` has this body.
pub fn contributing(body: &str) -> Vec<u8> {
    contributing_with("", body)
}

/// The same with more in the module.
pub fn contributing_with(more: &str, body: &str) -> Vec<u8> {
    let head = "(param $parameters i32) (param $parameters_len i32) (param $variables i32)
        (param $variables_len i32) (param $most i32) (param $state i32) (param $state_len i32)
        (param $columns i32) (param $columns_len i32) (result i32)";
    program_of(&format!("{ROUND} {more} (func (export \"contribute\") {head} {body})"))
}

/// The program of a file of this folder.
pub fn written(text: &str) -> Vec<u8> {
    program_of(text)
}

pub fn load(bytes: &[u8]) -> Result<Program, Refused> {
    Program::load(&MACHINE, bytes, TICKS)
}

/// The terms of a question about one column `x` from -100 to 100.
pub fn terms(bytes: &[u8]) -> Terms {
    let kind = Kind::Number { min: Some(-100.0), max: Some(100.0) };
    let x = Variable { name: "x".to_owned(), kind, description: String::new() };
    Terms {
        program: sandbox::hash(bytes),
        dictionary: Dictionary { variables: vec![x] },
        most_rows: 1_000,
        block_rows: None,
        parameters: String::new(),
        fuel: FUEL,
        memory: MEMORY,
        outputs: outputs(),
    }
}

/// Whatever the programs of these tests ask for.
fn outputs() -> Vec<Entry> {
    let entry = |name: &str, is_count| Entry {
        name: name.to_owned(),
        length: 20_000,
        is_count,
        bound: f64::MAX,
    };
    ["n", "x", "a", "b", "c"]
        .iter()
        .flat_map(|name| [entry(name, false), entry(name, true)])
        .collect()
}

/// A site of these rows.
pub fn site(values: &[f64]) -> Frame {
    let column = Column::Number(values.iter().copied().map(Some).collect());
    Frame::new(vec![("x".to_owned(), column)]).unwrap()
}

/// What a program does over three rows, and its first round.
pub fn contribute(bytes: &[u8]) -> Result<Vec<f64>, sandbox::Withheld> {
    let program = load(bytes).unwrap();
    let terms = terms(bytes);
    let round = first(&program, &terms);
    let given = sandbox::contribute(&program, &terms, &round, &site(&[1.0, 2.0, 4.0]), TICKS)?;
    Ok(given.values)
}

pub fn first(program: &Program, terms: &Terms) -> Round {
    sandbox::replay(program, terms, &[], TICKS).unwrap()
}
