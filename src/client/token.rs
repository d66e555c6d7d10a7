//! Where access tokens come from. A token is never shown: not in messages, not in logs, not in debug output.

use crate::limits::{TOKEN_BYTES_MAX, TOKEN_COMMAND_MS_MAX};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// An access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Makes a token from a text that may have white space around it.
    ///
    /// # Errors
    /// [`TokenError::Unusable`] when it is empty, too long, or has characters that a header does not allow.
    pub fn new(text: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX || !printable {
            return Err(TokenError::Unusable);
        }
        Ok(Token(text.to_owned()))
    }

    /// The value of the `Authorization` header. For that header only.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The message that renews the token on a Rollbook's connection ([guide](crate::guide::server#ingest-socket)).
    /// For that connection only.
    pub(super) fn renewal(&self) -> String {
        serde_json::json!({ "t": "renew", "token": self.0 }).to_string()
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text found is not a token.
    #[error(
        "what it gives is no token: it must be one word of at most {TOKEN_BYTES_MAX} printable ASCII characters"
    )]
    Unusable,
    /// The command could not be run, or its output could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file could not be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The command failed.
    #[error("the command ended with {0}")]
    Command(std::process::ExitStatus),
    /// The command took too long.
    #[error("the command was not done after {} s", TOKEN_COMMAND_MS_MAX / 1000)]
    Slow,
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// No token is sent.
    None,
    /// Always the same token.
    Fixed(Token),
    /// A file; it is read each time.
    File(PathBuf),
    /// The output of a shell command.
    Command(String),
}

impl TokenSource {
    /// Whether a later token may differ.
    #[must_use]
    pub fn renews(&self) -> bool {
        matches!(self, TokenSource::File(_) | TokenSource::Command(_))
    }

    /// Takes a token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn take(&self) -> Result<Option<Token>, TokenError> {
        let text = match self {
            TokenSource::None => return Ok(None),
            TokenSource::Fixed(token) => return Ok(Some(token.clone())),
            TokenSource::File(path) => {
                let (path, shown) = (path.clone(), path.display().to_string());
                let read = move || {
                    use std::io::Read;
                    let mut text = String::new();
                    let file = std::fs::File::open(path)?;
                    file.take(READ_BYTES_MAX).read_to_string(&mut text)?;
                    Ok::<_, std::io::Error>(text)
                };
                let read = tokio::task::spawn_blocking(read).await;
                let read = read.map_err(std::io::Error::other)?;
                read.map_err(|error| TokenError::File(shown, error))?
            }
            TokenSource::Command(command) => {
                let most = Duration::from_millis(TOKEN_COMMAND_MS_MAX);
                let done = timeout(most, printed(command)).await;
                done.map_err(|_| TokenError::Slow)??
            }
        };
        Token::new(&text).map(Some)
    }
}

/// Enough to detect a token that is too long.
const READ_BYTES_MAX: u64 = TOKEN_BYTES_MAX as u64 + 64;

async fn printed(command: &str) -> Result<String, TokenError> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut text = String::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(READ_BYTES_MAX)
            .read_to_string(&mut text)
            .await?;
    }
    let status = child.wait().await?;
    if status.success() {
        Ok(text)
    } else {
        Err(TokenError::Command(status))
    }
}
