//! Programs that load and then do harm. Each is ended by its rule; none gives a number.

use std::time::{Duration, Instant};

use sandbox::{Machine, Program, Refused, Terms, contribute};

use crate::component::{
    TICKS, contribute as over_three_rows, contributing, contributing_with, first, load, site, terms,
};

/// What a call may take at the very most, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Three numbers at 3072, as a WAT body stores them: the first a count.
fn giving(n: &str, x: &str, y: &str) -> String {
    format!(
        "(f64.store (i32.const 3072) {n}) (f64.store (i32.const 3080) {x})
         (f64.store (i32.const 3088) {y}) (call $given (i32.const 3072) (i32.const 3))"
    )
}

fn check(name: &str, bytes: &[u8], expected: Refused) {
    let begun = Instant::now();
    let withheld = over_three_rows(bytes).unwrap_err();
    let took = begun.elapsed();
    eprintln!("{name}: {expected:?} after {} ms", took.as_millis());
    assert_eq!(withheld.own(), expected, "{name}");
    assert!(took < PATIENCE, "{name} took {took:?}");
}

#[test]
fn the_harmless_one_gives_its_numbers() {
    let bytes = contributing(&giving("(f64.const 3)", "(f64.const -1000)", "(f64.const 1.5)"));
    assert_eq!(over_three_rows(&bytes).unwrap(), [3.0, 3.0, -1000.0, 1.5]);
}

#[test]
fn who_never_ends_runs_out_of_fuel() {
    let endless = "(loop $l (br $l)) unreachable";
    check("endless loop", &contributing(endless), Refused::Fuel);
    let fill =
        "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)) (br $l)) unreachable";
    check("endless filling", &contributing(fill), Refused::Fuel);
    let copy =
        "(loop $l (memory.copy (i32.const 0) (i32.const 1) (i32.const 65535)) (br $l)) unreachable";
    check("endless copying", &contributing(copy), Refused::Fuel);
    let grow = "(loop $l (drop (memory.grow (i32.const 0))) (br $l)) unreachable";
    check("endless growing by nothing", &contributing(grow), Refused::Fuel);
    let post =
        "(func (export \"cabi_post_consilium:analysis/program@1.0.0#contribute\") (param i32)
        (loop $l (br $l)))";
    let body = giving("(f64.const 3)", "(f64.const 1)", "(f64.const 1)");
    check("endless cleaning up", &contributing_with(post, &body), Refused::Fuel);
}

#[test]
fn who_goes_too_deep_runs_out_of_stack() {
    let deep = "(func $deep (param i32) (result i32)
        (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let bytes = contributing_with(deep, "(drop (call $deep (i32.const 0))) unreachable");
    check("deep recursion", &bytes, Refused::Stack);
}

#[test]
fn who_takes_too_much_runs_out_of_memory() {
    let bomb =
        "(loop $l (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
        (br $l)) unreachable";
    check("memory bomb", &contributing(bomb), Refused::Memory);
    let table = "(table $t 1 funcref)";
    let bomb =
        "(loop $l (if (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))
        (then unreachable)) (br $l)) unreachable";
    check("table bomb", &contributing_with(table, bomb), Refused::Memory);
}

#[test]
fn what_cannot_be_read_out_of_its_memory_is_refused() {
    for (name, at, length) in [
        ("numbers beyond the memory", 0_i64, 1_i64 << 20),
        ("a negative length", 3072, -1),
        ("a negative pointer", -8, 3),
        ("a pointer that is not aligned", 3073, 3),
        ("the greatest list there can be", 0, (1 << 29) - 1),
    ] {
        let (at, length) = (at as i32, length as i32);
        let body = format!("(call $given (i32.const {at}) (i32.const {length}))");
        check(name, &contributing(&body), Refused::Output);
    }
    check("a result beyond the memory", &contributing("(i32.const 0x7ffffff0)"), Refused::Output);
    let body = "(call $fault (i32.const 77))";
    check("a fault that there is not", &contributing(body), Refused::Output);
    // In its memory, but far more than the layout says.
    let body =
        "(drop (memory.grow (i32.const 100))) (call $given (i32.const 0) (i32.const 800000))";
    check("a huge vector", &contributing(body), Refused::Output);
}

#[test]
fn a_vector_is_as_the_layout_says_or_nothing() {
    let body = "(call $given (i32.const 3072) (i32.const 2))";
    check("too short a vector", &contributing(body), Refused::Length);
    // All rows, bit by bit, behind what was promised.
    let body = "(call $given (i32.load offset=4 (local.get $columns)) (i32.const 6))";
    check("the rows themselves", &contributing(body), Refused::Length);
    check("nothing", &contributing("(call $given (i32.const 0) (i32.const 0))"), Refused::Length);
    let (n, x) = ("(f64.const 3)", "(f64.const 1)");
    for (name, values) in [
        ("NaN", giving(n, "(f64.const nan)", x)),
        ("infinity", giving(n, "(f64.const inf)", x)),
        ("just beyond its bound", giving(n, x, "(f64.const 0x1.f400000000001p+9)")),
        ("digits of many rows in one number", giving(n, "(f64.const 1e15)", x)),
        ("a negative count", giving("(f64.const -1)", x, x)),
        ("half a count", giving("(f64.const 0.5)", x, x)),
        ("a count beyond its bound", giving("(f64.const 1001)", x, x)),
        ("NaN for a count", giving("(f64.const nan)", x, x)),
    ] {
        check(name, &contributing(&values), Refused::Bounds);
    }
}

#[test]
fn who_breaks_off_is_a_trap() {
    check("unreachable", &contributing("unreachable"), Refused::Trap);
    let body = "(i32.div_s (i32.const 1) (i32.load8_u (i32.const 65000)))";
    check("division by nothing", &contributing(body), Refused::Trap);
    check("beyond the memory", &contributing("(i32.load (i32.const 70000))"), Refused::Trap);
}

#[test]
fn who_stands_still_where_fuel_is_plenty_runs_out_of_time() {
    // A clock of its own: ticks of the one that other tests share would end their calls.
    let machine = Machine::new().unwrap();
    let bytes = contributing("(loop $l (br $l)) unreachable");
    let program = Program::load(&machine, &bytes, TICKS).unwrap();
    let terms = Terms { fuel: sandbox::limits::MOST_FUEL, ..terms(&bytes) };
    let round = first(&program, &terms);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let withheld = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                machine.tick();
                std::thread::yield_now();
            }
        });
        let given = contribute(&program, &terms, &round, &site(&[1.0]), TICKS);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        given.unwrap_err()
    });
    assert_eq!(withheld.own(), Refused::Time);
}

#[test]
fn the_time_is_for_all_calls_of_a_round_together() {
    // One call takes a few milliseconds of the hundred, a thousand of them take seconds.
    let machine = Machine::new().unwrap();
    let body = format!(
        "(local $k i32) (local.set $k (i32.const 2000000))
         (loop $l (br_if $l (local.tee $k (i32.sub (local.get $k) (i32.const 1))))) {}",
        giving("(f64.const 1)", "(f64.const 1)", "(f64.const 1)")
    );
    let bytes = contributing(&body);
    let program = Program::load(&machine, &bytes, TICKS).unwrap();
    let fuel = sandbox::limits::MOST_FUEL;
    let terms = Terms { fuel, block_rows: Some(1), ..terms(&bytes) };
    let round = first(&program, &terms);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let withheld = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                machine.tick();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let given = contribute(&program, &terms, &round, &site(&[1.0; 1_000]), 100);
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        given.unwrap_err()
    });
    assert_eq!((withheld.own(), withheld.saw_rows()), (Refused::Time, true));
}

#[test]
fn nothing_of_one_call_is_there_in_another() {
    // Counts its calls in a global, in memory and in the size of memory.
    let body = format!(
        "(global.set $calls (f64.add (global.get $calls) (f64.const 1)))
         (f64.store (i32.const 60000) (f64.add (f64.load (i32.const 60000)) (f64.const 1)))
         (drop (memory.grow (i32.const 1))) {}",
        giving(
            "(f64.convert_i32_u (memory.size))",
            "(global.get $calls)",
            "(f64.load (i32.const 60000))"
        )
    );
    let bytes = contributing_with("(global $calls (mut f64) (f64.const 0))", &body);
    let program = load(&bytes).unwrap();
    let blocks = Terms { block_rows: Some(1), ..terms(&bytes) };
    let round = first(&program, &blocks);
    for _ in 0..3 {
        let given = contribute(&program, &blocks, &round, &site(&[9.0, 8.0]), TICKS).unwrap();
        // Two calls, each of which is the first that it knows of.
        assert_eq!(given.values, [2.0, 4.0, 2.0, 2.0]);
    }
}

#[test]
fn there_is_one_nan_and_it_tells_nothing_of_the_machine() {
    // The sign and digits of NaN differ between processors; a program that reads them finds one form.
    let body = format!(
        "(local $nan f64)
         (local.set $nan (f64.div (f64.load (i32.const 60000)) (f64.load (i32.const 60000)))) {}",
        giving(
            "(f64.const 0)",
            "(f64.convert_i64_u (i64.shr_u (i64.reinterpret_f64 (local.get $nan)) (i64.const 60)))",
            "(f64.convert_i64_u (i64.and (i64.reinterpret_f64 (local.get $nan)) (i64.const 0xff)))"
        )
    );
    // 0x7ff8000000000000: the highest four bits are 7, the lowest eight 0.
    assert_eq!(over_three_rows(&contributing(&body)).unwrap(), [3.0, 0.0, 7.0, 0.0]);
}

#[test]
fn fuel_is_for_all_calls_of_a_round_together() {
    let body = format!(
        "(local $k i32) (local.set $k (i32.const 1000000))
         (loop $l (br_if $l (local.tee $k (i32.sub (local.get $k) (i32.const 1))))) {}",
        giving("(f64.const 1)", "(f64.const 1)", "(f64.const 1)")
    );
    let bytes = contributing(&body);
    let program = load(&bytes).unwrap();
    let ask = |block_rows| {
        let terms = Terms { block_rows, fuel: 20_000_000, ..terms(&bytes) };
        let round = first(&program, &terms);
        contribute(&program, &terms, &round, &site(&[1.0; 100]), TICKS)
    };
    assert!(ask(None).is_ok());
    assert_eq!(ask(Some(1)).unwrap_err().own(), Refused::Fuel);
}
