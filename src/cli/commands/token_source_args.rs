//! Where access tokens come from: the options that all commands share which log in. A token is no option itself: what
//! stands on a command line can be read by everybody on the machine.

use crate::cli::exit::{Exit, Failure};
use crate::client::token::{Token, TokenSource};
use clap::Args;
use std::path::PathBuf;

/// Where tokens come from.
#[derive(Debug, Clone, Args)]
pub struct TokenSourceArgs {
    /// A file with the access token; read anew for each login, and for each renewal [else: ROLLBOOK_TOKEN]
    #[arg(long, value_name = "F", conflicts_with = "token_command")]
    pub token_file: Option<PathBuf>,
    /// A shell command that prints a fresh access token; run for each login, and for each renewal
    #[arg(long, value_name = "CMD")]
    pub token_command: Option<String>,
}

impl TokenSourceArgs {
    /// The source meant.
    ///
    /// # Errors
    /// Where `ROLLBOOK_TOKEN` holds no token.
    pub fn source(&self) -> Result<TokenSource, Failure> {
        match (&self.token_file, &self.token_command) {
            (Some(file), _) => Ok(TokenSource::File(file.clone())),
            (None, Some(command)) => Ok(TokenSource::Command(command.clone())),
            (None, None) => from_env(),
        }
    }
}

/// The token of `ROLLBOOK_TOKEN`, where there is one.
///
/// # Errors
/// Where it holds no token.
pub fn from_env() -> Result<TokenSource, Failure> {
    let Some(token) = std::env::var_os("ROLLBOOK_TOKEN").filter(|token| !token.is_empty()) else {
        return Ok(TokenSource::None);
    };
    let wrong = |_| Failure::new(Exit::Usage, "ROLLBOOK_TOKEN holds no token");
    Token::new(&token.to_string_lossy())
        .map(TokenSource::Fixed)
        .map_err(wrong)
}
