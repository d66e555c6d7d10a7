//! `completions`: what a shell needs to complete commands and options.

use crate::cli::args::Cli;
use crate::cli::exit::Failure;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// `completions`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook completions bash > ~/.local/share/bash-completion/completions/rollbook
  rollbook completions zsh > ~/.zfunc/_rollbook
  rollbook completions fish > ~/.config/fish/completions/rollbook.fish
")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

pub(super) fn run(args: &Completions, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rollbook", &mut script);
    output.text(&script)
}
