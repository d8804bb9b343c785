//! The machine that programs run on: what of WebAssembly there is, and that it gives the same answer
//! everywhere.

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
        // multiplies code, and the linear register allocator.
        config.compiler_inlining(Inlining::No);
        config.cranelift_opt_level(OptLevel::Speed);
        config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
        // No file behind a memory, no text of a program kept for messages.
        config.memory_init_cow(false);
        config.generate_address_map(false);
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config).map_err(|_| Refused::Machine)?;
        Ok(Self { engine })
    }

    /// One tick of the clock by which calls run out of time. Whoever has a clock calls it at equal
    /// intervals; a machine without ticks limits calls by fuel alone.
    pub fn tick(&self) {
        self.engine.increment_epoch();
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
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
