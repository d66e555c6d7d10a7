//! `record`: follows a live feed, and records it.

use super::forward_args::{self, ForwardArgs, address};
use super::log_args::{self, LogArgs};
use super::write_args::{self, WriteArgs};
use super::{caution, failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::interrupt;
use crate::cli::moment::span;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::settings::ConfigArg;
use crate::cli::tables;
use crate::cli::text::shown;
use crate::cli::token_source_args::TokenSourceArgs;
use crate::client::backoff::seed;
use crate::client::record::{Feed, FeedError, RecordEvent, record};
use crate::client::recorder::Recorder;
use crate::client::sink::FeedSink;
use crate::client::socket::SocketTimeouts;
use crate::domain::time::Millis;
use crate::ingest::{IngestOptions, IngestOutcome, ProgressListener};
use crate::limits;
use crate::query::time::Span;
use crate::store::{Clamped, DifferingRetry, Options, RefusedLine};
use clap::Args;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// `record`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook record 'ws://localhost:7400/v1/feed?channel=studio-7'
  rollbook record wss://signals.example/feed --token-command ./fresh-token
  rollbook record wss://signals.example/feed --token-file token --observer bridge-1
  rollbook --data copy record 'ws://localhost:7401/v1/feed?channel=studio-7'   what `replay --serve` plays, to its end
", after_help = "A live feed is followed until you stop it. One that `rollbook replay --serve` plays has an end, and is \
recorded like a file: nothing is noted of the connection.

With wss://, who the system trusts is trusted; or those whose certificates are in the file (PEM) that \
SSL_CERT_FILE names, where it is set: a private authority's, say.")]
pub struct RecordArgs {
    /// Where settings are.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Where the feed is: a WebSocket (ws:// or wss://) that sends lines
    #[arg(value_name = "URL")]
    pub feed: String,
    /// Who watched, for lines that do not say, and for what is said of the link
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        allow_hyphen_values = true,
        value_parser = write_args::name
    )]
    pub observer: String,
    /// The observer's own user id, for lines that do not say: a snapshot never infers that he left
    #[arg(long = "self", value_name = "USER", allow_hyphen_values = true, value_parser = write_args::name)]
    pub self_user: Option<String>,
    /// How lines are taken.
    #[command(flatten)]
    pub taking: WriteArgs,
    /// How the log is written.
    #[command(flatten)]
    pub log: LogArgs,
    /// Where lines are sent, instead of into a data directory.
    #[command(flatten)]
    pub sending: ForwardArgs,
    /// Give a connection up, and make a new one, when nothing was heard for so long, not even an answer to a ping
    #[arg(long, value_name = "SPAN", default_value_t = Span(limits::SILENCE_MS_MAX as Millis))]
    pub idle_timeout: Span,
    /// The longest rest before a connection is tried again; each that comes to nothing doubles it, from 250 ms
    #[arg(long, value_name = "SPAN", default_value_t = Span(limits::REST_MS_MAX))]
    pub rest_max: Span,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &RecordArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    log_args::start(args.log.log_format, everywhere.verbose)?;
    let start = Instant::now();
    let data = everywhere.data.as_path();
    let feed = args.feed(&everywhere.tokens)?;
    let (patience, rest_max) = (args.patience(), args.rest_max.0);
    let self_user = args.self_user.as_deref();
    let target = args
        .sending
        .target(&args.observer, self_user, patience, rest_max)?;
    if target.is_some() {
        args.taking.no_settings()?;
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(&error))?;
    let notices = Arc::new(Mutex::new(Notices::default()));
    let mut opened = None;
    let sink = match target {
        Some(target) => {
            let _in = runtime.enter();
            FeedSink::Server(forward_args::send(target, &notices))
        }
        None => {
            let holding = args.holding(data)?;
            let store = Arc::clone(opened.insert(holding).store());
            let screen = RecordScreen(Arc::clone(&notices));
            let recorder = Recorder::start(store, args.ingest_options(&feed), screen);
            FeedSink::Store(recorder.map_err(|error| failed(&error))?)
        }
    };
    let mut interrupted = false;
    let recorded = runtime.block_on(async {
        interrupt::is_heard();
        let (int, term) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let stop = async { interrupted = told_to_stop(int, term).await };
        let place = feed.address.to_string();
        Ok(record(&feed, &sink, stop, &mut |news| tell(&place, &news)).await)
    });
    let mut summary = match sink {
        FeedSink::Store(recorder) => {
            let outcome = recorder.finish().map_err(|error| failure(data, error))?;
            args.report(&outcome, &notices);
            outcome.summary(0)
        }
        FeedSink::Server(forwarder) => forward_args::summary(runtime.block_on(forwarder.finish()))?,
    };
    {
        let notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.rest().iter().for_each(|line| say(line));
    }
    let closed = opened.map_or(Ok(()), |mut holding| holding.close(data));
    summary.elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.one(&summary, tables::ingest)?;
    closed?;
    match recorded.map_err(|error: std::io::Error| failed(&error))? {
        Err(error) => Err(refused(&error)),
        Ok(()) if interrupted => Err(Failure::new(
            Exit::Interrupted,
            "interrupted; what was heard before is recorded",
        )),
        Ok(()) => Ok(()),
    }
}

impl RecordArgs {
    /// How the lines of the feed are ingested.
    fn ingest_options(&self, feed: &Feed) -> IngestOptions {
        IngestOptions {
            observer: feed.observer.clone(),
            self_user: feed.self_user.clone(),
            settings: feed.settings,
            rules: self.taking.rules(),
            ..IngestOptions::default()
        }
    }

    fn feed(&self, tokens: &TokenSourceArgs) -> Result<Feed, Failure> {
        Ok(Feed {
            address: address(&self.feed)?,
            tokens: tokens.source()?,
            observer: self.observer.clone(),
            self_user: self.self_user.clone(),
            settings: self.taking.settings(),
            patience: self.patience(),
            rest_max: self.rest_max.0,
            seed: seed(),
        })
    }

    /// The store that is recorded to.
    fn holding(&self, data: &Path) -> Result<Holding, Failure> {
        let options = Options::default().durability(self.taking.durability());
        let (rules, settings) = (self.taking.rules(), self.taking.settings());
        let holding = Holding::record_soon(data, options, rules, settings);
        let holding = holding.map_err(|error| failure(data, error))?;
        caution(data, holding.store())?;
        Ok(holding)
    }

    /// Reports what all lines together show.
    fn report(&self, outcome: &IngestOutcome, notices: &Mutex<Notices>) {
        let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices.in_all(&outcome.tally);
        let doubt = self.taking.doubt_of_times(outcome.latest_time);
        doubt.iter().for_each(|line| say(line));
    }

    fn patience(&self) -> SocketTimeouts {
        SocketTimeouts::idle(Duration::from_millis(self.idle_timeout.0.unsigned_abs()))
    }
}

fn failed(what: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, what.to_string())
}

/// Waits for the first signal, and returns whether it was SIGINT. A second signal ends the process at once; nothing
/// acknowledged is lost.
async fn told_to_stop(mut int: Signal, mut term: Signal) -> bool {
    let interrupted = tokio::select! {
        _ = int.recv() => true,
        _ = term.recv() => false,
    };
    tokio::spawn(async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        std::process::exit(i32::from(Exit::Interrupted.status()));
    });
    interrupted
}

/// Reports an event of the connection.
fn tell(place: &str, news: &RecordEvent<'_>) {
    match news {
        RecordEvent::Up => {
            tracing::info!(event = "feed_connected", feed = place, "{place}: connected");
        }
        RecordEvent::Down(over) => {
            let why = &over.why;
            tracing::warn!(event = "feed_lost", feed = place, "{place}: {why}");
        }
        RecordEvent::Refused(error) => {
            let why = &error.why;
            tracing::warn!(
                event = "feed_refused",
                feed = place,
                "{place}: no connection: {why}"
            );
        }
        RecordEvent::NoToken(error) => tracing::error!(event = "no_token", "no token: {error}"),
        RecordEvent::Renewed => tracing::info!(event = "token_renewed", "token renewed"),
        RecordEvent::RenewalRefused(why) => {
            tracing::warn!(event = "token_refused", "the new token was refused: {why}");
        }
        RecordEvent::Noted(note) => match note.is_up() {
            Some(false) => {
                let reason = note.reason.unwrap_or_default();
                tracing::warn!(event = "link_down", reason, "link down ({reason})");
            }
            Some(true) => {}
            None => {
                let state = note.state;
                tracing::info!(event = "token_noted", state, "token {state}");
            }
        },
        RecordEvent::Rest(ms) => {
            tracing::info!(event = "rest", ms, "once more in {}", span(*ms));
        }
    }
}

fn refused(error: &FeedError) -> Failure {
    let failure = Failure::new(Exit::Failed, shown(&error.to_string()));
    match error {
        FeedError::Refused { error, .. } => forward_args::advise(
            failure,
            error,
            "give a token with --token-file, --token-command or ROLLBOOK_TOKEN",
        ),
        FeedError::BrokenOff { .. } => {
            failure.hint("it begins anew for who comes back: record it again, into an empty store")
        }
        _ => failure,
    }
}

/// The messages during recording.
struct RecordScreen(Arc<Mutex<Notices>>);

impl RecordScreen {
    fn notice(&self, notice: impl FnOnce(&mut Notices) -> Option<String>) {
        let notice = notice(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(notice) = notice {
            say(&notice);
        }
    }
}

impl ProgressListener for RecordScreen {
    fn rejected(&mut self, refused: &RefusedLine) {
        self.notice(|notices| {
            notices.reject(&refused.source, refused.line, refused.byte, &refused.reason)
        });
    }

    fn clamped(&mut self, clamped: &Clamped) {
        self.notice(|notices| notices.clamped(clamped));
    }

    fn differing(&mut self, retry: &DifferingRetry) {
        self.notice(|notices| notices.differing(retry));
    }
}
