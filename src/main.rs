//! Leadwire: parse the command line, run the command.

use std::process::ExitCode;

fn main() -> ExitCode {
    leadwire::cli::run()
}
