//! Where access tokens come from: the options of all commands that log in to a server. No option takes the token itself: every
//! user of the machine can read the command lines of processes.

use crate::cli::exit::{Exit, Failure};
use crate::client::token::{Token, TokenSource};
use clap::Args;
use std::path::PathBuf;

/// Where tokens come from.
#[derive(Debug, Clone, Args)]
pub struct TokenSourceArgs {
    /// A file with the access token; read anew for each login, and for each renewal [else: ROLLBOOK_TOKEN]
    #[arg(
        long,
        value_name = "F",
        conflicts_with = "token_command",
        env = "ROLLBOOK_TOKEN_FILE",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub token_file: Option<PathBuf>,
    /// A shell command that prints a fresh access token; run for each login, and for each renewal
    #[arg(
        long,
        value_name = "CMD",
        env = "ROLLBOOK_TOKEN_COMMAND",
        hide_env_values = true,
        global = true,
        help_heading = "Everywhere"
    )]
    pub token_command: Option<String>,
}

impl TokenSourceArgs {
    /// The token source that the options name.
    ///
    /// # Errors
    /// When `ROLLBOOK_TOKEN` has an invalid token.
    pub fn source(&self) -> Result<TokenSource, Failure> {
        match (&self.token_file, &self.token_command) {
            (Some(file), _) => Ok(TokenSource::File(file.clone())),
            (None, Some(command)) => Ok(TokenSource::Command(command.clone())),
            (None, None) => from_env(),
        }
    }
}

/// The token of `ROLLBOOK_TOKEN`, if it is set.
///
/// # Errors
/// When it is not a valid token.
fn from_env() -> Result<TokenSource, Failure> {
    let Some(token) = std::env::var_os("ROLLBOOK_TOKEN").filter(|token| !token.is_empty()) else {
        return Ok(TokenSource::None);
    };
    let wrong = |_| Failure::new(Exit::Usage, "ROLLBOOK_TOKEN holds no token");
    Token::new(&token.to_string_lossy())
        .map(TokenSource::Fixed)
        .map_err(wrong)
}
