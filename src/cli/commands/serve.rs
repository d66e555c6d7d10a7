//! `serve`: serves the store over HTTP and WebSockets, until a signal asks it to stop.

use super::listen_args::ListenArgs;
use super::prune::age;
use super::write_args::WriteArgs;
use super::{caution, failure};
use crate::cli::exit::Failure;
use crate::cli::help::HELP;
use crate::query::time::Span;
use crate::server::{Config, Metrics};
use crate::store::{Options, Store};
use clap::Args;
use std::path::Path;
use std::sync::Arc;

/// `serve`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook serve                                              for this machine only
  rollbook serve --listen 0.0.0.0:7400 --auth-secret-file secret --tls-cert cert.pem --tls-key key.pem
  curl -s localhost:7400/v1/who?channel=studio-7
  curl -s --data-binary @evening.jsonl localhost:7400/v1/events?observer=file
")]
pub struct ServeArgs {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    pub listen: String,
    /// Prune in the background what is older than this (see `rollbook prune`)
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub retain: Option<Span>,
    /// Who may come in.
    #[command(flatten)]
    pub doors: ListenArgs,
    /// How lines are taken and kept.
    #[command(flatten)]
    pub taking: WriteArgs,
}

pub(in crate::cli) fn run(data: &Path, verbose: u8, args: &ServeArgs) -> Result<(), Failure> {
    let reception = args.doors.open("--listen", &args.listen, verbose)?;
    let metrics = Metrics::new();
    let mut options = Options::default()
        .durability(args.taking.durability())
        .meter(Arc::<Metrics>::clone(&metrics));
    options.retain_ms = args.retain.map(|age| age.0);
    let store = Store::open(data, options);
    let store = store.map_err(|error| failure(data, error))?;
    caution(data, &store)?;
    let config = Config::default()
        .rules(args.taking.rules())
        .settings(args.taking.settings())
        .metrics(metrics);
    reception.serve(data, store, config)
}
