//! The `rollbook` command: its options (`args`; `global_args` for all commands), how answers are written (`output`,
//! `tables`), and how it ends (`exit`). Each command has one file: it calls the library and passes the answer to
//! [`Output`]. No question is answered here, and no module outside `cli` depends on it.
//!
//! Data goes to standard output, everything else to standard error.

pub mod answers;
pub mod args;
pub mod commands;
pub mod exit;
pub mod global_args;
mod help;
pub mod holding;
pub mod interrupt;
pub mod moment;
pub mod notices;
pub mod output;
pub mod progress;
pub mod schedule;
pub mod settings;
pub mod spark;
pub mod style;
pub mod svg;
pub mod tables;
pub mod text;
pub mod timeline;
#[cfg(feature = "client")]
pub mod token_source_args;
pub mod width;

use args::{Cli, Command};
use exit::{Exit, Failure};
use output::Output;
use std::process::ExitCode;

/// Runs the command line of this process to its exit status.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::from_command_line(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version arrive here too; they go to standard output, with status 0. If they cannot be written,
            // there is no way to report that.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    quiet_engine();
    interrupt::ends();
    let mut output = Output::stdout(cli.everywhere.format);
    let done = run(&cli, &mut output);
    // Answers written before a failure are still useful.
    let written = output.finish();
    match done.and(written) {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            if !failure.is_quiet() {
                progress::say_failure(&failure.to_string());
            }
            failure.exit.into()
        }
    }
}

/// Executes the command.
fn run(cli: &Cli, output: &mut Output<'_>) -> Result<(), Failure> {
    use commands::*;
    let everywhere = &cli.everywhere;
    let data = everywhere.data.as_path();
    match &cli.command {
        Command::Ingest(args) => ingest::run(data, args, output),
        Command::Who(args) => who::run(everywhere, args, output),
        Command::History(args) => history::run(everywhere, args, output),
        Command::Missed(args) => missed::run(everywhere, args, output),
        Command::Sessions(args) => sessions::run(everywhere, args, output),
        Command::Stats(args) => stats::run(everywhere, args, output),
        Command::Timeline(args) => timeline::run(everywhere, args, output),
        Command::Attendance(args) => attendance::run(everywhere, args, output),
        Command::Gaps(args) => gaps::run(everywhere, args, output),
        Command::Channels => channels::run(everywhere, output),
        Command::Rejects(args) => rejects::run(everywhere, args, output),
        Command::Replay(args) => replay::run(everywhere, args, output),
        Command::Export(args) => export::run(everywhere, args),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(everywhere, args, &cli.settings, output),
        #[cfg(feature = "server")]
        Command::Token(args) => token::run(args, output),
        #[cfg(feature = "client")]
        Command::Record(args) => record::run(everywhere, args, output),
        #[cfg(feature = "client")]
        Command::Health(args) => health::run(everywhere, args, output),
        Command::Verify(args) => verify::run(data, args, output),
        Command::Simulate(args) => simulate::run(args, output),
        Command::Rebuild => rebuild::run(data),
        Command::Compact(args) => compact::run(data, args),
        Command::Prune(args) => prune::run(everywhere, args),
        Command::Backup(args) => backup::run(everywhere, args),
        Command::Restore(args) => restore::run(data, args),
        Command::Forget(args) => forget::run(everywhere, args, output),
        Command::Migrate(args) => migrate::run(data, args),
        Command::Bench(args) => bench::run(data, args, output),
        Command::Schema(args) => schema::run(args, output),
        Command::Completions(args) => completions::run(args, Cli::described(), output),
        Command::Man(args) => man::run(args, Cli::described(), output),
    }
}

/// Hides the engine's own panic messages. The engine (sled) panics on some damaged files; the store turns that into
/// an error with a clear sentence. The default message points into foreign source code and does not help.
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
