//! The `rollbook` command: parse, dispatch, exit.

use rollbook::cli;
use rollbook::cli::args::Cli;
use rollbook::cli::exit::{Exit, Failure};
use rollbook::cli::output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(dispatch)
}

/// Seam: becomes a match on `cli.command`, one arm a command, as the library grows its calls.
fn dispatch(cli: &Cli, _output: &mut Output<'_>) -> Result<(), Failure> {
    let name = format!("{:?}", cli.command);
    Err(Failure::new(
        Exit::Failed,
        format!("not joined to the library yet: {name}"),
    ))
}
