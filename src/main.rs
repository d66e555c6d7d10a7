//! The `rollbook` command. What it can do is in `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollbook::cli::main()
}
