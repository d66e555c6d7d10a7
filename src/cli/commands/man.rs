//! `man`: the manual, with one page for the program and one for each command.

use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use clap::{Args, Command};
use clap_mangen::Man;
use std::io;
use std::path::{Path, PathBuf};

/// `man`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook man | man -l -
  rollbook man --dir ~/.local/share/man/man1      rollbook(1), rollbook-who(1), …
")]
pub struct ManArgs {
    /// Write all pages into this folder, instead of the program's to standard output
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub(in crate::cli) fn run(
    args: &ManArgs,
    whole: Command,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let manual = with_examples(whole);
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(manual)
            .render(&mut page)
            .map_err(|error| Failure::output(&error))?;
        return output.text(&page);
    };
    write(manual, dir)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", dir.display())))
}

fn write(manual: Command, dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(manual, dir)
}

/// Moves the text before the help (examples) behind it: manual pages only support text after the help.
fn with_examples(command: Command) -> Command {
    let texts = [command.get_before_help(), command.get_after_help()];
    let texts: Vec<String> = texts
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .collect();
    let command = match texts.is_empty() {
        true => command,
        false => command.after_help(texts.join("\n")),
    };
    command.mut_subcommands(with_examples)
}
