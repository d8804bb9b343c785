//! The machine that programs run on: what of WebAssembly there is, and that it gives the same answer
//! everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::{Config, Engine, Inlining, OperatorCost, OptLevel, RegallocAlgorithm, WasmFeatures};

use crate::limits::{HOST_FUEL, MOST_STACK};
use crate::refused::Refused;

/// What of WebAssembly a program may use: version 2.0 without SIMD. Every other proposal is more to get
/// wrong, and none of them is needed for arithmetic on columns.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The machine. One a process is enough; clones are the same one.
#[derive(Clone)]
pub struct Machine {
    engine: Engine,
    clock: Clock,
}

/// How often the clock of a machine has ticked. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// Ticks since the machine was made.
    pub fn ticks(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine {
    /// A machine.
    ///
    /// # Errors
    /// [`Refused::Machine`] on a processor for which there is no compiler.
    pub fn new() -> Result<Self, Refused> {
        let mut config = Config::new();
        config.wasm_features(WasmFeatures::all().difference(FEATURES), false);
        config.wasm_features(FEATURES, true);
        config.concurrency_support(false);
        config.shared_memory(false);
        // The same answer everywhere: fuel is counted by instruction, and there is one NaN.
        config.consume_fuel(true);
        config.operator_cost(costs());
        config.cranelift_nan_canonicalization(true);
        // The second line, for what fuel does not see.
        config.epoch_interruption(true);
        config.max_wasm_stack(MOST_STACK);
        // Compiling must not cost a hostile program's author less than it costs us: no inlining, which
        // multiplies code. The backtracking register allocator can take longer than linear time, which the
        // limits of what is compiled (`crate::limits`) bound; the single-pass one is not ready for
        // production.
        config.compiler_inlining(Inlining::No);
        config.cranelift_opt_level(OptLevel::Speed);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
        // No file behind a memory, no text of a program kept for messages.
        config.memory_init_cow(false);
        config.generate_address_map(false);
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config).map_err(|_| Refused::Machine)?;
        Ok(Self { engine, clock: Clock::default() })
    }

    /// One tick of the clock by which calls run out of time. Whoever has a clock calls it at equal
    /// intervals; a machine without ticks limits calls by fuel alone.
    pub fn tick(&self) {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
        self.engine.increment_epoch();
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }
}

/// The fuel of instructions: 1, but [`HOST_FUEL`] for those that leave compiled code for the engine's,
/// which takes as long as hundreds of others.
fn costs() -> OperatorCost {
    OperatorCost {
        MemoryGrow: HOST_FUEL,
        MemoryFill: HOST_FUEL,
        MemoryCopy: HOST_FUEL,
        MemoryInit: HOST_FUEL,
        DataDrop: HOST_FUEL,
        TableGrow: HOST_FUEL,
        TableFill: HOST_FUEL,
        TableCopy: HOST_FUEL,
        TableInit: HOST_FUEL,
        ElemDrop: HOST_FUEL,
        ..OperatorCost::new()
    }
}
