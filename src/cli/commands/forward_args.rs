//! Forwarding lines to another server: the options of all commands that do it, and the messages about it.

use crate::cli::exit::{Exit, Failure};
use crate::cli::notices::Notices;
use crate::cli::progress::say;
use crate::cli::text::shown;
use crate::client::backoff::seed;
use crate::client::forwarder::{ForwardSummary, Forwarder, Target, UplinkError};
use crate::client::session::LoginRefusal;
use crate::client::socket::{LoginError, SocketTimeouts};
use crate::client::token::TokenSource;
use crate::client::transport::Address;
use crate::ingest::IngestSummary;
use crate::store::LineCounts;
use clap::Args;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where lines are sent.
#[derive(Debug, Clone, Args)]
pub struct ForwardArgs {
    /// Send the lines to another server's /v1/ingest (ws:// or wss://)
    #[arg(long, value_name = "URL")]
    pub to_url: Option<String>,
    /// A file with the access token of that server; read anew for each login
    #[arg(
        long,
        value_name = "F",
        requires = "to_url",
        conflicts_with = "to_token_command"
    )]
    pub to_token_file: Option<PathBuf>,
    /// A shell command that prints a fresh access token of that server
    #[arg(long, value_name = "CMD", requires = "to_url")]
    pub to_token_command: Option<String>,
}

impl ForwardArgs {
    /// The target server for lines of this observer; `rest_max` is the longest rest between attempts, ms.
    ///
    /// # Errors
    /// When the URL is not valid.
    pub fn target(
        &self,
        observer: &str,
        self_user: Option<&str>,
        patience: SocketTimeouts,
        rest_max: i64,
    ) -> Result<Option<Target>, Failure> {
        let Some(url) = &self.to_url else {
            return Ok(None);
        };
        let tokens = match (&self.to_token_file, &self.to_token_command) {
            (Some(file), _) => TokenSource::File(file.clone()),
            (None, Some(command)) => TokenSource::Command(command.clone()),
            (None, None) => TokenSource::None,
        };
        Ok(Some(Target {
            address: address(url)?,
            tokens,
            observer: observer.to_owned(),
            self_user: self_user.map(str::to_owned),
            patience,
            rest_max,
            seed: seed(),
        }))
    }
}

/// Parses the URL of a WebSocket.
///
/// # Errors
/// What is wrong with the URL.
pub fn address(url: &str) -> Result<Address, Failure> {
    let address = Address::parse(url, ["ws", "wss"]);
    address.map_err(|error| Failure::new(Exit::Usage, shown(&error.to_string())))
}

/// Starts to send; must be called within a runtime. Rejected lines are reported on standard error.
#[must_use]
pub fn send(target: Target, notices: &Arc<Mutex<Notices>>) -> Forwarder {
    let (server, notices) = (target.address.to_string(), Arc::clone(notices));
    let rejected = move |line: u64, reason: &str| {
        let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notice) = notices.sent_reject(&server, line, reason) {
            say(&notice);
        }
    };
    Forwarder::start(target, Box::new(rejected))
}

/// The summary, as far as the server reports it.
///
/// # Errors
/// Why not all lines were accepted, as a sentence.
pub fn summary(sent: Result<ForwardSummary, UplinkError>) -> Result<IngestSummary, Failure> {
    match sent {
        Ok(sent) => Ok(IngestSummary {
            lines: sent.lines,
            counts: LineCounts {
                rejected: sent.rejected,
                last_seq: sent.last_seq,
                ..LineCounts::default()
            },
            ..IngestSummary::default()
        }),
        Err(error) => {
            let failure = Failure::new(Exit::Failed, shown(&error.to_string()));
            Err(match error {
                UplinkError::Refused { error, .. } => advise(
                    failure,
                    &error,
                    "give it a token with --to-token-file or --to-token-command",
                ),
                UplinkError::Replaced(_) => failure.hint("give each its own --observer"),
                _ => failure,
            })
        }
    }
}

/// Adds advice for a refused login; `token` explains how to pass a token.
#[must_use]
pub fn advise(failure: Failure, refused: &LoginError, token: &str) -> Failure {
    match refused.refusal {
        LoginRefusal::Token => failure.hint(token),
        LoginRefusal::Wrong => failure.hint("look at the URL, and at what the token allows"),
        // The error itself contains the advice, or only waiting helps.
        LoginRefusal::Untrusted | LoginRefusal::Away => failure,
    }
}
