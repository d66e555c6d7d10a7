//! `replay`: writes the log as the lines of a feed.

use super::{failure, now};
use crate::cli::answers::{Found, find, open, say_retained, typed};
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::holding::Holding;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::domain::time::Millis;
use crate::query::time::When;
use crate::replay::{
    self, LineSink, PacedSink, PlaybackControl, PlayedLine, ReplayFilter, SkippedEntry, Speed,
};
use clap::{Args, ValueEnum};
use std::path::Path;

#[cfg(feature = "client")]
use super::forward_args::{self, ForwardArgs};
#[cfg(feature = "client")]
use crate::cli::answers::unanswered_by_owner;
#[cfg(any(feature = "client", feature = "server"))]
use crate::cli::exit::Exit;
#[cfg(feature = "client")]
use crate::cli::tables;
#[cfg(feature = "client")]
use crate::client::{forwarder::Target, owner::PieceReader, remote, socket::SocketTimeouts};
#[cfg(feature = "client")]
use crate::limits::REST_MS_MAX;
#[cfg(feature = "client")]
use crate::query::{owner::ReplayRow, params::ReplayParams};
#[cfg(feature = "client")]
use std::sync::{Arc, PoisonError};
#[cfg(feature = "client")]
use std::time::Instant;
#[cfg(feature = "client")]
use tokio::runtime::Builder;
#[cfg(feature = "server")]
use {
    super::listen_args::ListenArgs,
    super::log_args::{self, LogFormat},
    crate::cli::answers::open_store,
    crate::server::{Config, Play},
};

/// `replay`.
#[derive(Debug, Args)]
#[cfg_attr(feature = "server", command(mut_group("ListenArgs", |doors| doors.requires("serve"))))]
#[command(help_template = HELP, before_help = "Examples:
  rollbook replay studio-7 --as agora > evening.jsonl
  rollbook replay --from -2h --to -1h --speed 60 | my-application
  rollbook replay studio-7 --speed 10 --to-url ws://localhost:7400
  rollbook replay --speed 10 --serve 127.0.0.1:7401        live again, for an application under test
  rollbook replay --as rollbook | rollbook --data copy ingest --keep-recorded
", after_help = "Where --from or --from-seq cuts into the history, or older entries were pruned, a SNAPSHOT of who was there comes \
first, for each channel.

A paced replay is paused by Ctrl-Z and goes on with fg, and by a reader that stops reading: it goes on \
where it was, and does not hurry to catch up.

With --serve each client of ws://ADDRESS/v1/feed?channel=CHANNEL hears the channel from its start: what this command \
would print of it, a message a line, and close code 1000 behind the last. The address has /bridge.js and /healthz, too; `rollbook record` hears all to its end.")]
pub struct ReplayArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only this entry and those behind it
    #[arg(long, value_name = "N")]
    pub from_seq: Option<u64>,
    /// Only this entry and those before it
    #[arg(long, value_name = "N")]
    pub to_seq: Option<u64>,
    /// How many times as fast as it was (0.5, 1, 60), or max: flat out
    #[arg(long, value_name = "N", default_value = "max")]
    pub speed: Speed,
    /// The shape of the lines
    #[arg(long = "as", value_name = "SHAPE", default_value = "agora")]
    pub shape: ShapeArg,
    /// Play to every client that connects: a live /v1/feed?channel=CHANNEL at this address, to each client from the start; port 0 is any that is free
    #[cfg(feature = "server")]
    #[arg(long, value_name = "ADDRESS")]
    #[cfg_attr(feature = "client", arg(conflicts_with = "to_url"))]
    pub serve: Option<String>,
    /// Who may come in.
    #[cfg(feature = "server")]
    #[command(flatten)]
    pub doors: ListenArgs,
    /// Who watched, for lines that do not say, where they are sent to a server
    #[cfg(feature = "client")]
    #[arg(
        long,
        value_name = "NAME",
        default_value = "replay",
        allow_hyphen_values = true,
        value_parser = super::write_args::name
    )]
    pub observer: String,
    /// Where lines are sent, instead of to standard output.
    #[cfg(feature = "client")]
    #[command(flatten)]
    pub sending: ForwardArgs,
}

/// A shape of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShapeArg {
    /// Agora's, as its JavaScript SDK gives them
    Agora,
    /// Rollbook's own, from which `ingest --keep-recorded` makes the same log again
    Rollbook,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &ReplayArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let (data, now): (&Path, _) = (&everywhere.data, now());
    let filter = ReplayFilter {
        channel: args.channel.clone(),
        from: typed("from", args.from, now, everywhere.zone)?,
        to: typed("to", args.to, now, everywhere.zone)?,
        from_seq: args.from_seq,
        to_seq: args.to_seq,
        standing: true,
    };
    #[cfg(feature = "server")]
    if let Some(address) = &args.serve {
        return args.play_at(address, data, filter, everywhere.verbose);
    }
    let shape = match args.shape {
        ShapeArg::Agora => replay::LineShape::Agora,
        ShapeArg::Rollbook => replay::LineShape::Rollbook,
    };
    #[cfg(feature = "client")]
    if let Some(target) = args.target()? {
        return args.send(target, &ReplaySource::find(data)?, (&filter, shape), output);
    }
    let source = ReplaySource::find(data)?;
    let mut written = Ok(());
    let mut notices = Notices::default();
    let each = |line: &PlayedLine<'_>| {
        written = output.line(line.text.as_bytes());
        if args.speed != Speed::Max && written.is_ok() {
            // A reader of the paced output must get each line at its time.
            written = output.flush();
        }
        written.is_ok()
    };
    let sink = Naming {
        each,
        notices: &mut notices,
    };
    let mut sink = PacedSink::new(sink, args.speed, PlaybackControl::default());
    let played = source.play(&filter, shape, &mut sink);
    drop(sink);
    played?;
    written?;
    all_told(&notices)
}

/// The source of the log: the store, or the process that has it open.
enum ReplaySource<'a> {
    Store(&'a Path, Box<Holding>),
    #[cfg(feature = "client")]
    Owner(&'a Path, Box<remote::ServerClient>),
}

impl<'a> ReplaySource<'a> {
    fn find(data: &'a Path) -> Result<ReplaySource<'a>, Failure> {
        Ok(match find(data, open)? {
            Found::Store(store) => ReplaySource::Store(data, Box::new(Holding::read(data, *store))),
            #[cfg(feature = "client")]
            Found::Owner(owner) => ReplaySource::Owner(data, owner),
        })
    }

    fn play(
        &self,
        filter: &ReplayFilter,
        shape: replay::LineShape,
        sink: &mut dyn LineSink,
    ) -> Result<(), Failure> {
        match self {
            ReplaySource::Store(data, holding) => {
                let played = holding.store().play(filter, shape, sink);
                played.map_err(|error| failure(data, error))?;
                let retained = holding.store().retained();
                say_retained(
                    retained
                        .map(|it| it.from)
                        .filter(|&from| begins(filter, from)),
                );
                Ok(())
            }
            #[cfg(feature = "client")]
            ReplaySource::Owner(data, owner) => {
                let params = ReplayParams {
                    channel: filter.channel.clone(),
                    from: filter.from.map(When::At),
                    to: filter.to.map(When::At),
                    from_seq: filter.from_seq,
                    to_seq: filter.to_seq,
                    rollbook: shape == replay::LineShape::Rollbook,
                };
                let each = &mut |row| match row {
                    ReplayRow::Line { seq, at, text } => {
                        let text = &text;
                        sink.line(&PlayedLine { seq, at, text })
                    }
                    ReplayRow::Untold { seq, why } => {
                        sink.untold(&SkippedEntry { seq, why });
                        true
                    }
                };
                let stop = &|| false;
                let played = owner.replay(&params, PieceReader { stop, each });
                played.map_err(|error| unanswered_by_owner(data, error))?;
                let retained = owner.retained();
                say_retained(retained.map(|it| it.0).filter(|&from| begins(filter, from)));
                Ok(())
            }
        }
    }
}

/// Whether what is played begins before this moment.
fn begins(filter: &ReplayFilter, moment: Millis) -> bool {
    filter.from_seq.is_none_or(|seq| seq <= 1) && filter.from.is_none_or(|from| from < moment)
}

/// Passes lines on, and reports entries that cannot be replayed on standard error.
struct Naming<'n, F> {
    each: F,
    notices: &'n mut Notices,
}

impl<F: FnMut(&PlayedLine<'_>) -> bool> LineSink for Naming<'_, F> {
    fn line(&mut self, line: &PlayedLine<'_>) -> bool {
        (self.each)(line)
    }

    fn untold(&mut self, untold: &SkippedEntry) {
        let what = format!("it cannot be replayed, and is left out: {}", untold.why);
        if let Some(notice) = self.notices.untold(untold.seq, &what) {
            say(&notice);
        }
    }
}

/// Reports the remaining count; fails if an entry was skipped.
fn all_told(notices: &Notices) -> Result<(), Failure> {
    notices.rest().iter().for_each(|line| say(line));
    notices.all_told().map_or(Ok(()), Err)
}

#[cfg(feature = "server")]
impl ReplayArgs {
    /// Plays to every client that connects, until a signal asks the process to stop.
    fn play_at(
        &self,
        address: &str,
        data: &Path,
        filter: ReplayFilter,
        verbose: u8,
    ) -> Result<(), Failure> {
        if self.shape != ShapeArg::Agora {
            let what = "--serve plays a feed in Agora's shape; --as has nothing to say there";
            return Err(Failure::new(Exit::Usage, what));
        }
        log_args::start(LogFormat::Text, verbose)?;
        let reception = self.doors.open("--serve", address)?;
        reception.serve(data, &mut |left| {
            let store = left.map_or_else(|| open_store(data).map(Arc::new), Ok)?;
            if let Some(channel) = &filter.channel {
                let known = store.expect_channel(channel);
                known.map_err(|error| failure(data, error))?;
            }
            let play = Play::default().filter(filter.clone()).speed(self.speed);
            Ok((store, Config::default().play(play)))
        })
    }
}

#[cfg(feature = "client")]
impl ReplayArgs {
    fn target(&self) -> Result<Option<Target>, Failure> {
        let (patience, rest_max) = (SocketTimeouts::default(), REST_MS_MAX);
        self.sending
            .target(&self.observer, None, patience, rest_max)
    }

    /// Plays to another server, and waits until it has acknowledged all lines.
    fn send(
        &self,
        target: Target,
        source: &ReplaySource<'_>,
        (filter, shape): (&ReplayFilter, replay::LineShape),
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, error.to_string());
        // A worker thread receives acknowledgements while the player pauses.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(failed)?;
        let notices = Arc::default();
        let forwarder = {
            let _in = runtime.enter();
            forward_args::send(target, &notices)
        };
        let mut untold = Notices::default();
        let each = |line: &PlayedLine<'_>| runtime.block_on(forwarder.line(line.text));
        let sink = Naming {
            each,
            notices: &mut untold,
        };
        let mut sink = PacedSink::new(sink, self.speed, PlaybackControl::default());
        let played = source.play(filter, shape, &mut sink);
        drop(sink);
        let mut summary = forward_args::summary(runtime.block_on(forwarder.finish()))?;
        let rest = notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rest();
        rest.iter().for_each(|line| say(line));
        summary.elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        output.one(&summary, tables::ingest)?;
        played?;
        all_told(&untold)
    }
}
