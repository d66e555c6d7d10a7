//! The command line: what can be typed, and the help that explains it, examples first. Nothing is done here.

use super::output::Format;
use super::time::{Span, TIME_FORMS, When};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What it does, then examples, then the rest.
const HELP: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

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
    after_help = "Exit status: 0 done, 1 failed, 2 usage, 3 no such channel or store, \
    4 store in use, 5 corruption found, 130 interrupted."
)]
pub struct Cli {
    /// The data directory
    #[arg(
        long,
        value_name = "DIR",
        env = "ROLLBOOK_DATA",
        hide_env_values = true,
        default_value = "./rollbook-data",
        global = true,
        help_heading = "Everywhere"
    )]
    pub data: PathBuf,
    /// How answers are written; a table on a terminal and JSON lines in a pipe unless given
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        help_heading = "Everywhere"
    )]
    pub format: Option<Format>,
    /// Say more on standard error
    #[arg(short, long, action = ArgAction::Count, global = true, help_heading = "Everywhere")]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Record events from files, or from standard input
    Ingest(Ingest),
    /// Who is, or was, present in a channel
    Who(Who),
    /// The entries of the log
    History(History),
    /// Who came, went and changed while nobody watched
    Missed(Missed),
    /// Stays of members, and how long each lasted
    Sessions(Sessions),
    /// How many, at most, how long
    Stats(Stats),
    /// When nobody watched a channel
    Gaps(Channel),
    /// The channels there are
    #[command(help_template = HELP, before_help = "Examples:
  rollbook channels
  rollbook channels --format json
")]
    Channels,
    /// The lines that could not be taken
    #[command(help_template = HELP, before_help = "Examples:
  rollbook rejects
  rollbook rejects --format jsonl | jq -r .text
")]
    Rejects,
    /// Play the log again, as lines of a feed on standard output
    Replay(Replay),
    /// Check that the log is whole
    Verify(Verify),
    /// Throw away all that is derived, and make it again from the log
    #[command(help_template = HELP, before_help = "Example:
  rollbook --data ./evening rebuild
")]
    Rebuild,
    /// Bring a store of an older format up to this one
    #[command(help_template = HELP, before_help = "Example:
  rollbook --data ./evening migrate
")]
    Migrate,
}

/// `ingest`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook ingest evening.jsonl
  rollbook ingest --resume big.jsonl.zst          go on where an earlier run ended
  bridge | rollbook ingest --observer bridge-1    from standard input
")]
pub struct Ingest {
    /// JSON lines, also compressed (.gz, .zst); - or none is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on behind the last durable line of an earlier run of the same file
    #[arg(long)]
    pub resume: bool,
    /// Stop at the first line that cannot be taken, keeping what came before it
    #[arg(long)]
    pub strict: bool,
    /// Who watched, for lines that do not say
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub observer: String,
    /// The observer's own user id, for lines that do not say: a snapshot never infers that he left
    #[arg(long = "self", value_name = "USER")]
    pub self_user: Option<String>,
    /// Lateness forgiven before an event or snapshot counts as stale, for sources that stamp snapshots later than
    /// they read them (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub skew_tolerance: Span,
    /// The source may drop or reorder single events: nothing about its channels is certain
    #[arg(long)]
    pub lossy_feed: bool,
    /// By how much windows begin earlier, for what a source may delay or debounce (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub slack: Span,
    /// How far a source's time may be ahead of the recording before it counts as missing (60000, 60s, 1m)
    #[arg(long, value_name = "MS", default_value = "60s")]
    pub max_ahead: Span,
    /// What an acknowledged line survives
    #[arg(long, value_name = "LEVEL", default_value = "power")]
    pub durability: Durability,
}

/// What an acknowledged line survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// A power cut
    Power,
    /// The end of the process
    Process,
    /// Nothing for sure: written when convenient
    None,
}

/// `who`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook who studio-7                                now
  rollbook who studio-7 --at 2026-05-14T20:45:00Z      then
  rollbook who studio-7 --at -90m --topic chat
  rollbook who studio-7 --at -90m --known-at -60m      what one would have said an hour ago
")]
pub struct Who {
    /// The channel
    pub channel: String,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// At this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("At this moment"))]
    pub at: Option<When>,
    /// As if the log ended with this entry
    #[arg(long, value_name = "N", conflicts_with = "at")]
    pub seq: Option<u64>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
    /// Leave out those who were only possibly there
    #[arg(long)]
    pub certain: bool,
}

/// `history`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook history studio-7 --from -2h
  rollbook history --user ana --type join,leave
  rollbook history studio-7 --origin inferred --format csv > inferred.csv
")]
pub struct History {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long)]
    pub user: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only entries of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<EntryKind>,
    /// Only what a feed said, or only what was inferred
    #[arg(long)]
    pub origin: Option<EntryOrigin>,
    /// Only entries after this one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub after_seq: u64,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// A type of entry, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum EntryKind {
    Join,
    Leave,
    Update,
    Snapshot,
    Link,
    Token,
}

/// Where an entry comes from, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EntryOrigin {
    /// A feed said it
    Observed,
    /// A snapshot made one infer it
    Inferred,
}

/// `missed`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook missed studio-7
  rollbook missed studio-7 --gap 2
  rollbook missed studio-7 --since -24h --format json
")]
pub struct Missed {
    /// The channel
    pub channel: String,
    /// Only this gap
    #[arg(long, value_name = "N")]
    pub gap: Option<u32>,
    /// Only gaps that were open at this moment, or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only gaps that were open at this moment, or later"))]
    pub since: Option<When>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// `sessions`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook sessions studio-7
  rollbook sessions --user ana --from -24h
  rollbook sessions studio-7 --format csv > stays.csv
")]
pub struct Sessions {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long)]
    pub user: Option<String>,
    /// Only stays that were not over at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only stays that were not over at this moment"))]
    pub from: Option<When>,
    /// Only stays that had begun before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// `stats`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook stats studio-7
  rollbook stats studio-7 --topic chat --from -24h --every 1h
  rollbook stats --format csv > figures.csv
")]
pub struct Stats {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// From this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("From this moment"))]
    pub from: Option<When>,
    /// Up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// A line for each such stretch (90s, 15m, 1h, 1d)
    #[arg(long, value_name = "SPAN")]
    pub every: Option<Span>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// `gaps`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook gaps studio-7
  rollbook gaps studio-7 --format csv
")]
pub struct Channel {
    /// The channel
    pub channel: String,
}

/// `replay`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook replay studio-7 --as agora > evening.jsonl
  rollbook replay --from -2h --to -1h --as agora
")]
pub struct Replay {
    /// Only this channel
    pub channel: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// The shape of the lines
    #[arg(long = "as", value_name = "SHAPE", default_value = "agora")]
    pub shape: Shape,
}

/// A shape of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Agora's, as its JavaScript SDK gives them
    Agora,
}

/// `verify`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook verify
  rollbook verify --deep && echo whole
")]
pub struct Verify {
    /// Decide everything again from what was observed, and compare
    #[arg(long)]
    pub deep: bool,
}

/// Help for the first time of a command, which says how times are written.
fn at_time(what: &str) -> String {
    format!("{what}: {TIME_FORMS}")
}
