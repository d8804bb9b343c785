//! Bytes that are no program: each refused before or while it is compiled, in bounded time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sandbox::{Refused, limits};

use crate::component::{component, contributing, contributing_with, load};

/// What refusing may take at the very most, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

fn check(name: &str, bytes: &[u8], expected: Refused) {
    let begun = Instant::now();
    let refused = load(bytes).unwrap_err();
    let took = begun.elapsed();
    eprintln!("{name}: {expected:?} after {} ms", took.as_millis());
    assert_eq!(refused, expected, "{name}");
    assert!(took < PATIENCE, "{name} took {took:?}");
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A whole program with this beside its functions.
fn with(more: &str) -> Vec<u8> {
    contributing_with(more, "unreachable")
}

/// A whole program with a function of this body.
fn doing(body: &str) -> Vec<u8> {
    with(&format!("(func $more {body})"))
}

#[test]
fn what_wants_something_of_the_world_is_refused() {
    for import in [
        r#"(import "wasi:sockets/instance-network@0.2.0" (instance (export "instance-network" (func (result u32)))))"#,
        r#"(import "wasi:sockets/tcp@0.2.0" (instance))"#,
        r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))"#,
        r#"(import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))"#,
        r#"(import "wasi:filesystem/preopens@0.2.0" (instance))"#,
        r#"(import "wasi:cli/environment@0.2.0" (instance))"#,
        r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#,
        r#"(import "consilium:host/rows" (func (result u32)))"#,
        r#"(import "a-type" (type (sub resource)))"#,
        r#"(import "a-module" (core module))"#,
        r#"(import "a-component" (component))"#,
    ] {
        check(import, &text(&format!("(component {import})")), Refused::Import);
    }
}

#[test]
fn what_wants_to_run_before_it_is_called_is_refused() {
    let start = "(func $forever (loop $l (br $l))) (start $forever)";
    check("a start function that loops", &with(start), Refused::Start);
}

#[test]
fn what_is_no_component_is_refused() {
    check("nothing", b"", Refused::Form);
    check("a module", &text("(module (memory 1))"), Refused::Form);
    check("a text", b"(component)", Refused::Form);
    check("a number", b"\0asm\x0d\0\x01\0\xff\xff\xff\xff\xff\xff", Refused::Form);
    check("an empty component", &text("(component)"), Refused::World);
    let whole = contributing("unreachable");
    assert!(load(&whole).is_ok());
    for length in (0..whole.len()).step_by(97) {
        assert!(load(&whole[..length]).is_err(), "cut to {length} bytes");
    }
    let other = r#"(component (component $c) (instance $i (instantiate $c))
        (export "consilium:analysis/program@1.0.0" (instance $i)))"#;
    check("an interface without functions", &text(other), Refused::World);
    let other = r#"(component
        (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $p (export "describe" (func $f)) (export "start" (func $f))
            (export "next" (func $f)) (export "contribute" (func $f)))
        (export "consilium:analysis/program@1.0.0" (instance $p)))"#;
    check("functions of other types", &text(other), Refused::World);
}

#[test]
fn what_is_not_of_the_permitted_features_is_refused() {
    for (name, more) in [
        ("threads", "(func $f (drop (i32.atomic.load (i32.const 0))))"),
        ("SIMD", "(func $f (drop (v128.const i64x2 0 0)))"),
        (
            "relaxed SIMD",
            "(func $f (param v128) (drop (f64x2.relaxed_madd (local.get 0) (local.get 0) (local.get 0))))",
        ),
        ("tail calls", "(func $f (return_call $f))"),
        ("exceptions", "(tag $t) (func $f (throw $t))"),
        (
            "garbage collection",
            "(type $s (struct (field i32))) (func $f (drop (struct.new_default $s)))",
        ),
        ("references to functions", "(func $f (param (ref func)))"),
        ("wide arithmetic", "(func $f (drop (drop (i64.mul_wide_u (i64.const 1) (i64.const 1)))))"),
    ] {
        let refused = load(&with(more));
        assert_eq!(refused.unwrap_err(), Refused::Form, "{name}");
    }
    let core = |module: &str| text(&format!("(component (core module $m {module}))"));
    check("shared memory", &core("(memory 1 1 shared)"), Refused::Form);
    check("memory of 64 bits", &core("(memory i64 1)"), Refused::Form);
    check("pages of one byte", &core("(memory 1 (pagesize 1))"), Refused::Form);
    check("two memories", &core("(memory 1) (memory 1)"), Refused::Size("memories of a module"));
}

#[test]
fn what_would_cost_much_to_compile_is_refused() {
    let size = Refused::Size;
    let padding = vec![0_u8; limits::MOST_BYTES + 1];
    check("bytes", &padding, size("bytes"));
    let functions = "(func)".repeat(limits::MOST_FUNCTIONS + 1);
    check("functions", &with(&functions), size("functions"));
    let giant = "(drop (i32.const 1000))".repeat(limits::MOST_FUNCTION_BYTES / 4 + 1);
    check("a giant function", &doing(&giant), size("bytes in a function"));
    let locals = format!("(local {})", "f64 ".repeat(limits::MOST_LOCALS + 1));
    check("many locals", &doing(&locals), size("locals in a function"));
    // A group of locals is five bytes, however many it declares.
    let many = format!("(func $f (local {}))", "i32 ".repeat(50_000));
    check("as many locals as there may be", &with(&many), size("locals in a function"));
    let branches = "(block)".repeat(limits::MOST_BRANCHES / 2 + 1);
    check("many branches", &doing(&branches), size("branches in a function"));
    let deep = format!("{}{}", "(block ".repeat(6_000), ")".repeat(6_000));
    check("deep blocks", &doing(&deep), size("branches in a function"));
    let product = format!("(local {}) {}", "f64 ".repeat(900), "(block)".repeat(2_000));
    check("branches by locals", &doing(&product), size("branches and locals in a function"));
    let targets = format!("(block (br_table {} (i32.const 0)))", "0 ".repeat(15_000));
    let functions = format!("(func {targets})").repeat(7);
    check("targets", &with(&functions), size("targets of branch tables"));
    let types = "(type (func (param i32)))".repeat(limits::MOST_ITEMS + 1);
    check("many types", &with(&types), size("types"));
    let wide = format!("(func $f (param {}))", "i64 ".repeat(101));
    check("many parameters", &with(&wide), size("parameters of a function"));
    let globals = "(global i32 (i32.const 0))".repeat(limits::MOST_ITEMS + 1);
    check("many globals", &with(&globals), size("globals"));
    let data = "(data (i32.const 0) \"\")".repeat(limits::MOST_ITEMS + 1);
    check("many segments", &with(&data), size("segments of data"));
    let tables = "(table 1 funcref)".repeat(limits::MOST_TABLES + 1);
    check("many tables", &with(&tables), size("tables of a module"));
    let instructions = "(func ".to_owned() + &"(nop)".repeat(60_000) + ")";
    check("instructions", &with(&instructions.repeat(34)), size("instructions"));
}

#[test]
fn components_that_multiply_are_refused() {
    let size = Refused::Size;
    let nested = |levels: usize| {
        let open = "(component ".repeat(levels);
        text(&format!("{open}{}", ")".repeat(levels)))
    };
    check("components in each other", &nested(4), size("levels of components"));
    let parts = "(core module)".repeat(limits::MOST_PARTS + 1);
    check("many modules", &text(&format!("(component {parts})")), size("modules and components"));
    // Ten instances of what has ten instances of what has ten …
    let mut bomb =
        "(core module $m (func))".to_owned() + &"(core instance (instantiate $m))".repeat(60);
    bomb = format!("(component {bomb})");
    check("many instances", &text(&bomb), size("instances"));
    let pair = (1..600).fold("(type $t0 (tuple u8 u8))".to_owned(), |mut types, at| {
        let _ = write!(types, "(type $t{at} (list u8))");
        types
    });
    check("many component types", &text(&format!("(component {pair})")), size("types"));
    // Each type twice the one before: refused by validation, which counts what a type unfolds to.
    let doubled = (1..64).fold("(type $t0 (tuple u64 u64))".to_owned(), |mut types, at| {
        let _ = write!(types, "(type $t{at} (tuple $t{0} $t{0}))", at - 1);
        types
    });
    check("types that double", &text(&format!("(component {doubled})")), Refused::Form);
    // Calls from component to component are compiled into adapters as large as their types.
    let adapter = r#"(component
        (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (core func (canon lower (func $f))))"#;
    check("adapters", &text(adapter), Refused::BuiltIn);
    let resource = "(component (type $r (resource (rep i32))) (core func (canon resource.new $r)))";
    check("resources", &text(resource), Refused::BuiltIn);
}

#[test]
fn what_takes_too_much_from_the_beginning_is_refused() {
    let memory = |pages: u32| {
        let whole = include_str!("programs/prelude.wat");
        let whole = whole.replace(
            "(memory (export \"memory\") 1)",
            &format!("(memory (export \"memory\") {pages})"),
        );
        let rest = format!(
            "{}{}",
            include_str!("programs/describe.wat"),
            include_str!("programs/round.wat")
        );
        let contribute = "(func (export \"contribute\") (param i32 i32 i32 i32 i32 i32 i32 i32 i32)
            (result i32) unreachable)";
        component(&format!("(module {whole} {rest} {contribute})"))
    };
    assert!(load(&memory(16)).is_ok());
    check("4 GiB of memory", &memory(65_536), Refused::Memory);
    check("a large table", &with("(table 10000000 funcref)"), Refused::Memory);
    check("the largest table", &with("(table 0xffffffff funcref)"), Refused::Memory);
    check("data beyond the memory", &with("(data (i32.const 70000) \"x\")"), Refused::Trap);
}

#[test]
fn what_describes_itself_wrongly_is_refused() {
    let body = |name: u32, length: u32, rounds: u32| {
        let describe = include_str!("programs/describe.wat")
            .replace(
                "(i32.const 1024))\n  (i32.store (i32.const 516) (i32.const 4)",
                &format!("(i32.const {name}))\n  (i32.store (i32.const 516) (i32.const {length})"),
            )
            .replace(
                "(i32.store (i32.const 536) (i32.const 3))",
                &format!("(i32.store (i32.const 536) (i32.const {rounds}))"),
            );
        let prelude = include_str!("programs/prelude.wat");
        let round = include_str!("programs/round.wat");
        let contribute = "(func (export \"contribute\") (param i32 i32 i32 i32 i32 i32 i32 i32 i32)
            (result i32) unreachable)";
        let hostile = "(data (i32.const 4096) \"<script>\\ff\")";
        component(&format!("(module {prelude} {describe} {round} {contribute} {hostile})"))
    };
    assert_eq!(load(&body(1024, 4, 3)).unwrap().description().name, "test");
    check("no name", &body(1024, 0, 3), Refused::Description);
    check("a long name", &body(1024, 65, 3), Refused::Description);
    check("markup for a name", &body(4096, 8, 3), Refused::Description);
    check("bytes for a name", &body(4096, 9, 3), Refused::Output);
    check("a name beyond the memory", &body(65_530, 100, 3), Refused::Output);
    check("an endless name", &body(0, u32::MAX, 3), Refused::Output);
    check("no rounds", &body(1024, 4, 0), Refused::Description);
    check("endless rounds", &body(1024, 4, u32::MAX), Refused::Description);
}

#[test]
fn the_world_states_the_limits() {
    let world = include_str!("../../wit/analysis.wit");
    let words: std::collections::HashSet<&str> =
        world.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for limit in [
        limits::MOST_BYTES as u64,
        limits::MOST_FUNCTIONS as u64,
        limits::MOST_FUNCTION_BYTES as u64,
        limits::MOST_LOCALS as u64,
        limits::MOST_INSTRUCTIONS as u64,
        limits::MOST_BRANCHES as u64,
        limits::MOST_BRANCHES_BY_LOCALS as u64,
        limits::MOST_PARAMETERS_OF_TYPE as u64,
        limits::MOST_BRANCH_TARGETS as u64,
        limits::MOST_ITEMS as u64,
        limits::MOST_TABLES as u64,
        limits::MOST_PARTS as u64,
        limits::MOST_INSTANCES as u64,
        limits::MOST_DEPTH as u64,
        limits::MOST_TYPES as u64,
        limits::MOST_TYPE_BYTES as u64,
        limits::MOST_FUEL,
        u64::from(limits::HOST_FUEL),
        limits::MOST_MEMORY,
        limits::DESCRIBE_FUEL,
        limits::DESCRIBE_MEMORY,
        limits::MOST_STACK as u64,
        limits::MOST_TABLE_ELEMENTS as u64,
        u64::from(limits::MOST_CALLS),
        limits::MOST_PARAMETERS as u64,
        limits::MOST_STATE as u64,
        limits::MOST_RESULT as u64,
        limits::MOST_ENTRIES as u64,
        limits::MOST_NUMBERS as u64,
        u64::from(limits::MOST_ROUNDS),
        limits::MOST_VARIABLES as u64,
        limits::MOST_VARIABLE_NAME as u64,
        limits::MOST_NAME as u64,
        limits::MOST_VERSION as u64,
    ] {
        assert!(words.contains(limit.to_string().as_str()), "{limit} is not stated");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Broken copies of a whole program load or do not load; nothing else happens.
    #[test]
    fn broken_bytes_do_no_harm(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = contributing("unreachable");
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(program) = load(&bytes) {
            prop_assert_eq!(program.hash(), sandbox::hash(&bytes));
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(load(&bytes).is_err());
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend(&bytes);
        prop_assert!(load(&component).is_err());
    }
}
