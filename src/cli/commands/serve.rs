//! `serve`: serves the store over HTTP and WebSockets, until a signal asks it to stop.

use super::listen_args::ListenArgs;
use super::log_args::{self, LogArgs};
use super::prune::age;
use super::write_args::WriteArgs;
use super::{caution, failure, serve_check};
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::settings::{ConfigArg, SettingRow};
use crate::query::time::Span;
use crate::server::{Config, Metrics};
use crate::store::{Options, Store};
use clap::Args;
use std::sync::Arc;
use std::time::Duration;

/// How long another process may have a store that was left to one.
const REOPEN_PATIENCE: Duration = Duration::from_secs(10);

/// `serve`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook serve                                              for this machine only
  rollbook serve --config rollbook.toml --check               can it be started so? where does each setting come from?
  rollbook serve --listen 0.0.0.0:7400 --auth-secret-file secret --tls-cert cert.pem --tls-key key.pem
  curl -s localhost:7400/v1/who?channel=studio-7
  curl -s --data-binary @evening.jsonl localhost:7400/v1/events?observer=file
")]
pub struct ServeArgs {
    /// Where settings are.
    #[command(flatten)]
    pub config: ConfigArg,
    /// Look at settings, secrets, certificates, the address and the data directory, print the settings in effect and where each
    /// comes from, and change nothing
    #[arg(long)]
    pub check: bool,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    pub listen: String,
    /// Prune in the background what is older than this (see `rollbook prune`)
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub retain: Option<Span>,
    /// Who may come in.
    #[command(flatten)]
    pub doors: ListenArgs,
    /// How the log is written.
    #[command(flatten)]
    pub log: LogArgs,
    /// How lines are taken and kept.
    #[command(flatten)]
    pub taking: WriteArgs,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &ServeArgs,
    settings: &[SettingRow],
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let (data, verbose) = (everywhere.data.as_path(), everywhere.verbose);
    if args.check {
        let problem = log_args::filter(verbose).err();
        return serve_check::run(
            data,
            (&args.doors, &args.listen),
            (settings, problem),
            output,
        );
    }
    log_args::start(args.log.log_format, verbose)?;
    let reception = args.doors.open("--listen", &args.listen)?;
    let metrics = Metrics::new();
    let mut was_open = false;
    reception.serve(data, &mut |left| {
        let mut options = Options::default()
            .durability(args.taking.durability())
            .meter(Arc::<Metrics>::clone(&metrics));
        if std::mem::replace(&mut was_open, true) {
            // Another command may look at a store that was left to one.
            options.patience = REOPEN_PATIENCE;
        }
        options.retain_ms = args.retain.map(|age| age.0);
        let store = match left {
            Some(store) => store,
            None => {
                let store = Store::open(data, options);
                Arc::new(store.map_err(|error| failure(data, error))?)
            }
        };
        caution(data, &store)?;
        let config = Config::default()
            .rules(args.taking.rules())
            .settings(args.taking.settings())
            .metrics(Arc::clone(&metrics));
        Ok((store, config))
    })
}
