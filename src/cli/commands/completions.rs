//! `completions`: the script with which a shell completes commands and options.

use crate::cli::exit::Failure;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use clap::{Args, Command};
use clap_complete::Shell;

/// `completions`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook completions bash > ~/.local/share/bash-completion/completions/rollbook
  rollbook completions zsh > ~/.zfunc/_rollbook
  rollbook completions fish > ~/.config/fish/completions/rollbook.fish
")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

pub(in crate::cli) fn run(
    args: &CompletionsArgs,
    mut whole: Command,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, "rollbook", &mut script);
    output.text(&script)
}
