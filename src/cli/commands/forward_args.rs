//! Lines to another server: the options that all commands share which send, and what is said of it.

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
    /// The server meant, for lines of this observer, tried again after `rest_max` ms at most.
    ///
    /// # Errors
    /// Where the URL is none.
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

/// The WebSocket at a URL.
///
/// # Errors
/// What is wrong with it.
pub fn address(url: &str) -> Result<Address, Failure> {
    let address = Address::parse(url, ["ws", "wss"]);
    address.map_err(|error| Failure::new(Exit::Usage, shown(&error.to_string())))
}

/// Begins to send, within a runtime; lines that are rejected are named.
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

/// What became of the lines, as far as a server tells.
///
/// # Errors
/// Why they were not all taken, as a sentence.
pub fn summary(sent: Result<ForwardSummary, UplinkError>) -> Result<IngestSummary, Failure> {
    match sent {
        Ok(sent) => Ok(IngestSummary {
            lines: sent.lines,
            rejected: sent.rejected,
            last_seq: sent.last_seq,
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

/// What to do where a server does not let us in; `token` says how it is given one.
#[must_use]
pub fn advise(failure: Failure, refused: &LoginError, token: &str) -> Failure {
    match refused.refusal {
        LoginRefusal::Token => failure.hint(token),
        LoginRefusal::Wrong => failure.hint("look at the URL, and at what the token allows"),
        // It says itself what to do, or only time will tell.
        LoginRefusal::Untrusted | LoginRefusal::Away => failure,
    }
}
