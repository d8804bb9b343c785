//! What programs cost, in CPU seconds of the thread and MiB of the process at its highest:
//! `cargo test --release -p consilium-sandbox --test it -- --ignored --nocapture --test-threads 1 cost`.

use std::fs;

use sandbox::{Terms, contribute, limits};

use crate::component::{TICKS, contributing_with, first, load, site, terms, written};

/// CPU seconds that this thread has used; none where the system does not say.
fn cpu() -> Option<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// The greatest size of the process since the last call, in MiB.
fn highest() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let _ = fs::write("/proc/self/clear_refs", "5");
    Some(kib / 1024)
}

/// Says what something costs and gives the CPU seconds.
fn measure<T>(name: &str, work: impl FnOnce() -> T) -> (T, f64) {
    let _ = highest();
    let before = cpu();
    let done = work();
    let seconds = cpu().zip(before).map_or(0.0, |(after, before)| after - before);
    eprintln!("{name}: {seconds:.3} CPU s, at most {:?} MiB", highest());
    (done, seconds)
}

#[test]
#[ignore = "measures; run it alone and optimised"]
fn cost_of_a_true_program() {
    let bytes = written(concat!(
        include_str!("programs/result.wat"),
        include_str!("programs/one_round.wat")
    ));
    eprintln!("{} bytes", bytes.len());
    let program = measure("load", || load(&bytes).unwrap()).0;
    let rows = site(&vec![1.5; 1_000_000]);
    let base = terms(&bytes);
    let terms = Terms { most_rows: 1_000_000, fuel: limits::MOST_FUEL, ..base };
    let round = first(&program, &terms);
    let whole = || contribute(&program, &terms, &round, &rows, TICKS).unwrap();
    measure("a million rows in one call", whole);
    let terms = Terms { block_rows: Some(1_000), ..terms };
    let round = first(&program, &terms);
    let blocks = || contribute(&program, &terms, &round, &rows, TICKS).unwrap();
    measure("a million rows in 1,000 calls", blocks);
}

#[test]
#[ignore = "measures; run it alone and optimised"]
fn cost_of_the_worst_that_is_let_in() {
    let load_one = |name: &str, more: &str| {
        let bytes = contributing_with(more, "unreachable");
        let (program, seconds) =
            measure(&format!("{name} ({} bytes)", bytes.len()), || load(&bytes));
        let refused = program.err();
        assert_eq!(refused, None, "{name}");
        assert!(seconds < 120.0, "{name} takes {seconds} CPU s");
    };
    load_one("functions, empty", &"(func)".repeat(limits::MOST_FUNCTIONS - 20));
    // As much code as a component may have, in functions as large as they may be.
    let body = "(local $x f64) (local $y f64)".to_owned()
        + &"(local.set $x (f64.add (local.get $x) (f64.mul (local.get $y) (local.get $x))))"
            .repeat(6_000);
    load_one("arithmetic", &format!("(func {body})").repeat(52));
    let stores = "(i64.store (i32.const 8) (i64.load (i32.const 16)))".repeat(6_000);
    load_one("loads and stores", &format!("(func {stores})").repeat(52));
    let calls = "(call $n)".repeat(25_000);
    load_one("calls", &format!("(func $n) {}", format!("(func {calls})").repeat(70)));
    // Branches that change locals: every block has a parameter for each of them.
    let branchy = |locals: usize, blocks: usize| {
        let declared = "i64 ".repeat(locals);
        let mut body = format!("(func (param $c i32) (local {declared})");
        for at in 0..blocks {
            let local = 1 + at % locals;
            body += &format!(
                "(loop $l (local.set {local} (i64.add (local.get {local}) (i64.const 1)))
                   (br_if $l (local.get $c)))"
            );
        }
        body + ")"
    };
    load_one("loops over few locals", &branchy(90, 3_300).repeat(60));
    load_one("loops over many locals", &branchy(900, 660).repeat(200));
    let deep = |levels: usize| {
        let open = "(loop (br_if 0 (local.get 0))".repeat(levels);
        format!("(func (param i32) (local {}) {open}{})", "i64 ".repeat(100), ")".repeat(levels))
    };
    load_one("loops in each other", &deep(3_000).repeat(80));
    let targets =
        format!("(func (param i32) (block (br_table {} (local.get 0))))", "0 ".repeat(9_000));
    load_one("branch tables", &targets.repeat(11));
    let wide = "(type $w (func (param ".to_owned()
        + &"i64 ".repeat(100)
        + ") (result "
        + &"i64 ".repeat(100)
        + ")))";
    let chain = format!(
        "(func {} {} {})",
        "(i64.const 1)".repeat(100),
        "(block (type $w) (br_if 0 (i32.const 0)))".repeat(3_000),
        "drop ".repeat(100)
    );
    load_one("blocks of many values", &format!("{wide} {}", chain.repeat(150)));
    let through = format!(
        "(func $through (type $w) {}",
        (0..100).map(|at| format!("(local.get {at})")).collect::<String>() + ")"
    );
    let calls = format!(
        "(func {} {} {})",
        "(i64.const 1)".repeat(100),
        "(call $through)".repeat(20_000),
        "drop ".repeat(100)
    );
    load_one("calls of many values", &format!("{wide} {through} {}", calls.repeat(80)));
}
