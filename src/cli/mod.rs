//! The `rollbook` command: what can be typed (`args`), how answers are written (`output`,
//! `tables`), and how it ends (`exit`). One command a file; each calls the library and hands its answer to
//! [`Output`]. No question is answered here, and nothing below `cli` knows of it.
//!
//! Data goes to standard output, all else to standard error.

pub mod answers;
pub mod args;
pub mod commands;
pub mod exit;
mod help;
pub mod moment;
pub mod notices;
pub mod output;
pub mod progress;
pub mod tables;
pub mod text;
pub mod view;

use args::Cli;
use exit::Exit;
use output::Output;
use std::process::ExitCode;

/// Runs the command line of this process to its exit status.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::from_command_line(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, to standard output and with status 0. If they cannot be
            // written, there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    quiet_engine();
    let mut output = Output::stdout(cli.format);
    let done = commands::run(&cli, &mut output);
    // What was answered before a failure is still worth having.
    let written = output.finish();
    match done.and(written) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if !failure.is_quiet() {
                progress::say(&failure.to_string());
            }
            failure.exit.into()
        }
    }
}

/// The engine panics on some damaged files. Where it is opened that becomes an error with a sentence of its own; the
/// default message, with its line in a foreign file, would only frighten.
fn quiet_engine() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let of_engine = panic
            .location()
            .is_some_and(|location| location.file().contains("/sled-0."));
        if !of_engine {
            usual(panic);
        }
    }));
}
