//! How a command ends: its exit status, and the sentence that explains it. `cli` has only this error type; the
//! library's errors are converted where a command calls the library.

use super::text::shown;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Exit statuses ([guide](crate::guide::files#summary)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// The command line could not be understood.
    Usage,
    /// No such channel, no store, or a question about what was pruned.
    NotFound,
    /// Another process has the store.
    InUse,
    /// Corruption was found.
    Corrupt,
    /// Interrupted by a person.
    Interrupted,
}

impl Exit {
    /// The exit status as a number.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::InUse => 4,
            Exit::Corrupt => 5,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.status())
    }
}

/// Why a command fails: what happened and where, and advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// What happened, in a sentence.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// A failure with a sentence that says what happened and where.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure {
            exit,
            what: what.into(),
            hint: None,
        }
    }

    /// Adds advice.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// There is no store in the data directory.
    #[must_use]
    pub fn no_store(data: &Path) -> Failure {
        let data = path(data);
        Failure::new(Exit::NotFound, format!("there is no store in {data}"))
            .hint(format!("`rollbook --data {data} ingest FILE` makes one; --data or ROLLBOOK_DATA says where yours is"))
    }

    /// The store has no such channel.
    #[must_use]
    pub fn no_channel(channel: &str, data: &Path) -> Failure {
        Failure::new(
            Exit::NotFound,
            format!("there is no channel {} in {}", shown(channel), path(data)),
        )
        .hint("`rollbook channels` lists those that there are")
    }

    /// What the question is about was pruned.
    #[must_use]
    pub fn past_retention(what: impl Into<String>) -> Failure {
        Failure::new(Exit::NotFound, what).hint(
            "`rollbook verify` says where the store begins; what was pruned cannot be brought back",
        )
    }

    /// Another process has the store open; `owner` describes it, if known.
    #[must_use]
    pub fn in_use(data: &Path, owner: Option<&str>) -> Failure {
        let owner = owner.map_or_else(
            || "another process".to_owned(),
            |owner| shown(owner).into_owned(),
        );
        Failure::new(
            Exit::InUse,
            format!("the store in {} is in use by {owner}", path(data)),
        )
        .hint("wait until it is done, or stop it, and try again; if it is a server, send it the lines (`POST /v1/events`)")
    }

    /// The store is damaged.
    #[must_use]
    pub fn corrupt(what: impl Into<String>) -> Failure {
        Failure::new(Exit::Corrupt, what).hint("`rollbook verify` says what is wrong, and how far")
    }

    /// The output could not be written. A reader that closes its end (`| head`) is no failure.
    #[must_use]
    pub fn output(error: &io::Error) -> Failure {
        // The CSV writer wraps the I/O error.
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let kind = match inner.map(csv::Error::kind) {
            Some(csv::ErrorKind::Io(inner)) => inner.kind(),
            _ => error.kind(),
        };
        if kind == io::ErrorKind::BrokenPipe {
            Failure::new(Exit::Done, "")
        } else {
            Failure::new(
                Exit::Failed,
                format!("the output could not be written: {error}"),
            )
        }
    }

    /// Whether there is nothing to print.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.what.is_empty()
    }
}

/// A path in a form that is safe for a terminal.
fn path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rollbook: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
