//! The program `consilium`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Gives memory back to the system soon after a large request. After the same load the process
/// holds less than half of what it holds with mimalloc or the system's own allocator.
#[global_allocator]
static MEMORY: Jemalloc = Jemalloc;

// Rules of the consent engine can be put out of force in tests, and never in the program.
const _: () = assert!(!policy::consent::RULES_CAN_BE_SUSPENDED);

fn main() -> ExitCode {
    consilium_node::command::run()
}
