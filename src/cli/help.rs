//! The layout of help, and texts that several commands share. The options of a command are in its own file.

use crate::query::time::TIME_FORMS;

/// The description, then examples, then the rest.
pub(super) const HELP: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Help for the first time option of a command: it explains how times are written.
pub(super) fn at_time(what: &str) -> String {
    format!("{what}: {TIME_FORMS}")
}
