//! The command line: its options and commands, and their help, examples first. It executes nothing.

use super::commands::{
    attendance, backup, bench, compact, completions, export, forget, gaps, history, ingest, man,
    migrate, missed, prune, rejects, replay, restore, schema, sessions, simulate, stats, timeline,
    verify, who,
};
#[cfg(feature = "server")]
use super::commands::{serve, token};
use super::global_args::GlobalArgs;
use super::help::HELP;
use super::settings::{self, SettingRow};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
#[cfg(feature = "client")]
use clap::{error::ErrorKind, parser::ValueSource};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "rollbook", version, help_template = HELP, propagate_version = true, disable_help_subcommand = true)]
#[command(
    about = "Who was there at any moment, and how sure that is: an event-sourced presence store"
)]
#[command(before_help = "Examples:
  rollbook ingest evening.jsonl        record a feed
  rollbook missed studio-7             who came and went while nobody watched
  rollbook who studio-7 --at -90m      who was there an hour and a half ago
  rollbook history studio-7 | jq .     every entry, as JSON lines
")]
#[command(
    after_help = "Exit status: 0 done, 1 failed, 2 usage, 3 no such channel or store, or pruned, \
    4 store in use, 5 corruption found, 130 interrupted."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub everywhere: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The settings in effect of a command that has some, and where each comes from.
    #[arg(skip)]
    pub settings: Vec<SettingRow>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record events from files, or from standard input
    Ingest(ingest::IngestArgs),
    /// Who is, or was, present in a channel
    Who(who::WhoArgs),
    /// The entries of the log
    History(history::HistoryArgs),
    /// Who came, went and changed while nobody watched
    Missed(missed::MissedArgs),
    /// Stays of members, and how long each lasted
    Sessions(sessions::SessionsArgs),
    /// How many, at most, how long
    Stats(stats::StatsArgs),
    /// The stays of a channel as lanes in time, drawn with characters or as an SVG file
    Timeline(timeline::TimelineArgs),
    /// Who was there at a time or at appointments: first in, last out, for how long, late or not
    Attendance(attendance::AttendanceArgs),
    /// When nobody watched a channel
    Gaps(gaps::GapsArgs),
    /// The channels there are
    #[command(help_template = HELP, before_help = "Examples:
  rollbook channels
  rollbook channels --format json
")]
    Channels,
    /// The lines that could not be taken
    Rejects(rejects::RejectsArgs),
    /// Play the log again, as lines of a feed: on standard output, or live to every client that connects
    Replay(replay::ReplayArgs),
    /// Write entries or stays into a file, for spreadsheets and databases
    Export(export::ExportArgs),
    /// Serve the store over HTTP and WebSockets
    #[cfg(feature = "server")]
    Serve(serve::ServeArgs),
    /// Make a token for a server
    #[cfg(feature = "server")]
    Token(token::TokenArgs),
    /// Follow a live feed, and record it
    #[cfg(feature = "client")]
    Record(super::commands::record::RecordArgs),
    /// Ask whether a server records and answers
    #[cfg(feature = "client")]
    Health(super::commands::health::HealthArgs),
    /// Check that the log is whole
    Verify(verify::VerifyArgs),
    /// Weak-network workloads with a truth, and how the answers score against it
    Simulate(simulate::SimulateArgs),
    /// Throw away all that is derived, and make it again from the log
    #[command(help_template = HELP, before_help = "Example:
  rollbook --data ./evening rebuild
")]
    Rebuild,
    /// Seal the past into blocks, and give room on the disk back
    Compact(compact::CompactArgs),
    /// Remove the oldest entries, for good
    Prune(prune::PruneArgs),
    /// Write all that is durable into a file, while lines are recorded
    Backup(backup::BackupArgs),
    /// Make a store of backups again
    Restore(restore::RestoreArgs),
    /// Remove the name and all texts of one person, for good
    Forget(forget::ForgetArgs),
    /// Bring a store of an older format up to this one
    Migrate(migrate::MigrateArgs),
    /// Measure what it does on this machine, beside a bare file
    Bench(bench::BenchArgs),
    /// The columns and fields of every answer, and what they mean
    Schema(schema::SchemaArgs),
    /// Print what a shell needs to complete commands and options
    Completions(completions::CompletionsArgs),
    /// Print the manual, or write its pages
    Man(man::ManArgs),
}

#[cfg(feature = "client")]
impl Command {
    /// Whether a server can answer it.
    fn is_question(&self) -> bool {
        match self {
            Command::Who(_)
            | Command::History(_)
            | Command::Missed(_)
            | Command::Sessions(_)
            | Command::Stats(_)
            | Command::Attendance(_)
            | Command::Timeline(_)
            | Command::Gaps(_)
            | Command::Backup(_)
            | Command::Health(_)
            | Command::Channels => true,
            Command::Rejects(args) => !args.retry,
            Command::Forget(args) => args.list,
            _ => false,
        }
    }
}

impl Cli {
    /// The whole command line, with the variables of the commands that have settings.
    #[must_use]
    pub fn described() -> clap::Command {
        settings::with_variables(Cli::command())
    }

    /// Parses the command line, the environment, and the file that `--config` names. A typed `--data` has priority over a
    /// server in `ROLLBOOK_URL`; a typed `--data` and `--url` together are an error.
    ///
    /// # Errors
    /// What is wrong with the command line, or the requested help.
    pub fn from_command_line(
        typed: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Cli, clap::Error> {
        let command = Cli::described();
        let line = settings::fill(&command, typed.into_iter().map(Into::into).collect())?;
        let matches = command.clone().try_get_matches_from(line.args.clone());
        let matches = matches.map_err(|error| line.explain(&command, error))?;
        let mut cli = Cli::from_arg_matches(&matches)?;
        cli.settings = line.in_effect(&command, &matches);
        #[cfg(feature = "client")]
        {
            let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
            let wrong = |what: &str| Err(Cli::command().error(ErrorKind::ArgumentConflict, what));
            match (typed("data"), typed("url")) {
                (true, true) => return wrong("--data and --url cannot be used together\n"),
                (false, true) if !cli.command.is_question() => {
                    return wrong(
                        "only questions can be asked of a server (--url); this command works on a data directory (--data)\n",
                    );
                }
                (true, false) => cli.everywhere.url = None,
                _ => {}
            }
        }
        Ok(cli)
    }
}
