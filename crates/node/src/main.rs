//! The program `consilium`.

use std::process::ExitCode;

fn main() -> ExitCode {
    consilium_node::command::run()
}
