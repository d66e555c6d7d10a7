//! `token`: creates a token for a server, signed with the secret with which the server verifies tokens.

use super::now;
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::query::time::Span;
use crate::server::auth::{Grant, Secret, TokenScope};
use clap::Args;
use std::path::{Path, PathBuf};

/// `token`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  openssl rand -hex 32 > secret && rollbook serve --auth-secret-file secret
  rollbook token --auth-secret-file secret --scope ingest --ttl 1d
  rollbook token --auth-secret-file secret --scope read --channels studio-7,studio-8
")]
pub struct TokenArgs {
    /// The file with the server's secret (HS256)
    #[arg(long, value_name = "FILE")]
    pub auth_secret_file: PathBuf,
    /// What it is good for: ingest, read, admin (everything)
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true)]
    pub scope: Vec<TokenScope>,
    /// The only channels that it is good for; all unless given
    #[arg(
        long,
        value_name = "CHANNEL",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub channels: Option<Vec<String>>,
    /// The only observers for which it may write; all unless given
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub observers: Option<Vec<String>>,
    /// Who is to have it (`sub`): tokens of one subject share the places that one client has on a server; without it each
    /// token counts for itself
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub subject: Option<String>,
    /// How long it is good (90s, 15m, 1h, 30d)
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub ttl: Span,
}

pub(in crate::cli) fn run(args: &TokenArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Exit::Failed, error.to_string());
    let secret = secret(&args.auth_secret_file)?;
    let expires_at = now().saturating_add(args.ttl.0);
    let token = secret
        .token(&Grant {
            scopes: &args.scope,
            channels: args.channels.as_deref(),
            observers: args.observers.as_deref(),
            subject: args.subject.as_deref(),
            expires_at,
        })
        .map_err(|error| failed(&error))?;
    output.line(token.as_bytes())
}

/// Reads the secret from a file; warns if it is short enough to guess.
///
/// # Errors
/// When there is no secret in the file.
pub fn secret(file: &Path) -> Result<Secret, Failure> {
    let advice = "`openssl rand -hex 32` makes one";
    let secret = Secret::read(file)
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()).hint(advice))?;
    if secret.is_weak() {
        let file = file.display();
        say(&format!(
            "the secret in {file} is shorter than 32 bytes: who has a token of it may guess it; {advice}"
        ));
    }
    Ok(secret)
}
