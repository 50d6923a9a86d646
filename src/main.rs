//! The binary. Everything is in the library; this is the only place where the process ends.

use std::process::ExitCode;

fn main() -> ExitCode {
    bridgehead::cli::main()
}
