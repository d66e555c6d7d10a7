//! `forget`: removes the strings of one person from the store.

use super::{failure, now, write_args};
use crate::care::{ForgetError, ForgottenUser, forget};
use crate::cli::answers::{ListForgotten, QueryBackend};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::tables::ForgottenTable;
use crate::cli::text::{count, many};
use clap::Args;
use std::path::Path;
use std::time::Duration;
#[cfg(feature = "client")]
use {
    crate::cli::holding::PATIENCE, crate::client::remote::ServerClient, crate::limits,
    crate::store::StoreError,
};

/// `forget`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook --data ./rolls forget --user lily --dry-run      what would go
  rollbook --data ./rolls forget --user lily
  rollbook --data ./rolls forget --user lily --channel studio-7
  rollbook --data ./rolls forget --list
", after_help = "The user's name, connections, metadata, reasons and ids go from all files of the store, for good; when somebody \
came and went remains, under a stand-in, and every answer about others. What this command cannot reach still has them: earlier \
backups, exports, files that were ingested, and the free room of the disk. A server that has the store open closes it \
for so long, and its clients wait. A user who is called as a common word (\"data\") takes the paths of files and the rejected lines \
that have this word; --dry-run counts them, and --channel leaves them alone.")]
pub struct ForgetArgs {
    /// Who is forgotten
    #[arg(
        long,
        value_name = "USER",
        allow_hyphen_values = true,
        required_unless_present = "list",
        value_parser = write_args::name
    )]
    pub user: Option<String>,
    /// Only as a publisher in this channel: a reader of the store's files who knows them from another channel, can still tell
    /// who they are
    #[arg(long, value_name = "CHANNEL", allow_hyphen_values = true)]
    pub channel: Option<String>,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
    /// List when somebody was forgotten, and what stands for them
    #[arg(long, conflicts_with_all = ["user", "channel", "dry_run"])]
    pub list: bool,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &ForgetArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let data = everywhere.data.as_path();
    let Some(user) = args.user.as_deref() else {
        let mut list = output.list(ForgottenTable::default());
        QueryBackend::of(everywhere)?.each(&ListForgotten {}, |one| list.row(one))?;
        return list.finish();
    };
    let ask = |patience| {
        let whom = (user, args.channel.as_deref());
        forget(data, whom, now(), args.dry_run, patience)
    };
    let forgotten = match ask(Duration::ZERO) {
        #[cfg(feature = "client")]
        Err(ForgetError::Store(StoreError::InUse { .. })) => {
            let patience = match steps_aside(data) {
                // It ends its connections first, and then its questions.
                true => Duration::from_millis(limits::STOP_MS_MAX + 2 * limits::LAST_QUESTIONS_MS),
                // Another command may be about to end.
                false => PATIENCE,
            };
            ask(patience)
        }
        forgotten => forgotten,
    };
    let forgotten = forgotten.map_err(|error| not_forgotten(data, error))?;
    if !forgotten.is_known {
        let what = format!("the log has nothing of the user \"{user}\"");
        return Err(Failure::new(Exit::NotFound, what));
    }
    say(&went(&forgotten, args.dry_run));
    if forgotten.found.mentions > 0 {
        say(&format!(
            "{} of others name this user, and stay",
            many(forgotten.found.mentions, "text", "texts")
        ));
    }
    if !args.dry_run {
        say("earlier backups still have this user: make a new one, and remove them");
    }
    Ok(())
}

/// Asks the server that has the store open to leave it for a moment. `false`: nobody answers, or the process does other work.
#[cfg(feature = "client")]
fn steps_aside(data: &Path) -> bool {
    ServerClient::owner_of(data).is_some_and(|owner| owner.step_aside().is_ok())
}

/// What went, in a sentence.
fn went(forgotten: &ForgottenUser, dry_run: bool) -> String {
    let found = &forgotten.found;
    let what = format!(
        "{} changes, {} texts{}, {} rejected lines",
        count(found.changes),
        count(found.texts),
        match found.paths {
            0 => String::new(),
            paths => format!(" ({})", many(paths, "path of a file", "paths of files")),
        },
        count(found.rejects)
    );
    match dry_run {
        true => format!("{what} would be stripped of their names; nothing was changed"),
        false => format!(
            "{what} are stripped of their names: {} stands for the user now",
            forgotten.stand_in
        ),
    }
}

fn not_forgotten(data: &Path, error: ForgetError) -> Failure {
    match error {
        ForgetError::Store(error) => failure(data, error),
        ForgetError::Unsound { .. } => {
            Failure::new(Exit::Corrupt, format!("nothing was changed: {error}"))
        }
        _ => Failure::new(Exit::Failed, error.to_string()),
    }
}
