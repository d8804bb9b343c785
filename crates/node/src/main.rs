//! The program `consilium`.

use std::process::ExitCode;

fn main() -> ExitCode {
    node::command::run()
}
