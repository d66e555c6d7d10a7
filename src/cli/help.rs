//! How help is laid out, and what several commands say in it. What each command takes stands with the command.

use crate::query::time::TIME_FORMS;

/// What it does, then examples, then the rest.
pub(super) const HELP: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Help for the first time of a command, which says how times are written.
pub(super) fn at_time(what: &str) -> String {
    format!("{what}: {TIME_FORMS}")
}
