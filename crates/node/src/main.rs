//! The program `consilium`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives memory back to the system soon after a large request, which the system's own does not.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    consilium_node::command::run()
}
